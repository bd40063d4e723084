//! Runtime models against calls: what a partition may do while it initialises, runs, answers and handles an interrupt.

use manager::exit::Conduit;
use scenarios::{ECHO, ECHO_MEMORY, PARTITION_MEMORY, Pe, Place, RELAY, World, code, id, pair};

use super::direct::{IN_ECHO, IN_RELAY, REQUEST64, RESPONSE64};
use super::interrupts::with_devices;

/// A runtime model; the message that is answered in `Direct` is a 32-bit one, in `Direct2` it is
/// FFA_MSG_SEND_DIRECT_REQ2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Model {
    Init,
    Run,
    Direct,
    Direct2,
    Interrupt,
    /// It got its interrupt while it was blocked, and has to run `echo`, which that displaced.
    Owing,
}
use Model::{Direct, Direct2, Init, Interrupt, Owing, Run};

const MODELS: [Model; 6] = [Init, Run, Direct, Direct2, Interrupt, Owing];
/// A partition with one context that is there for `relay` to be asked of, and to be preempted.
const THIRD: u64 = 0x8003;

/// What becomes of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Then {
    /// It comes back with a result.
    Back,
    /// The PE goes elsewhere: the function that is delivered there.
    Leaves(Place, u64),
    /// It is refused.
    Refused(u64),
}
use Then::{Back, Leaves, Refused};

/// `relay`, which owns an interrupt, in this model.
fn relay_in(model: Model, conduit: Conduit) -> Pe {
    let world = World::of(&with_devices());
    let mut pe = if model == Init { world.pe(0) } else { world.booted_pe(0) };
    pe.conduit = conduit;
    let place = match model {
        Init => {
            pe.turn_on();
            pe.call(&[id::MSG_WAIT])
        }
        Run => pe.normal(&[id::RUN, pair(RELAY, 0)]),
        Direct => pe.normal(&[id::REQUEST, pair(0, RELAY)]),
        Direct2 => pe.normal(&[id::REQUEST2, pair(0, RELAY)]),
        Interrupt => {
            pe.machine.pending.push_back(40);
            pe.normal(&[id::INTERRUPT]);
            pe.handle(40);
            pe.place()
        }
        Owing => {
            pe.normal(&[id::REQUEST, pair(0, RELAY)]);
            pe.call(&[id::REQUEST, pair(RELAY, ECHO)]);
            pe.machine.pending.push_back(40);
            pe.interrupt();
            pe.handle(40);
            pe.place()
        }
    };
    assert_eq!(place, IN_RELAY);
    pe
}

/// What the specification says of each call: in the order of [`MODELS`].
fn calls() -> Vec<(Vec<u64>, [Then; 6])> {
    const DENIED: Then = Refused(code::DENIED);
    const UNKNOWN: Then = Refused(code::NOT_SUPPORTED);
    let everywhere = |then| [then; 6];
    let goes_to_echo = |function| {
        let goes = Leaves(IN_ECHO, function);
        [goes, goes, goes, goes, goes, DENIED]
    };
    let waits = Leaves(Place::Normal, id::MSG_WAIT);
    let resumed = Leaves(Place::Normal, id::NORMAL_WORLD_RESUME);
    // The next one starts, with the address of its boot information in x0.
    let next = Leaves(Place::Partition((THIRD, 0)), ECHO_MEMORY + 2 * PARTITION_MEMORY);
    let yields = Leaves(Place::Normal, id::YIELD);
    let answers = |function| Leaves(Place::Normal, function);
    vec![
        (vec![id::ERROR, 0, code::ABORTED], [next, UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN]),
        (vec![id::ERROR, 0, code::DENIED], everywhere(UNKNOWN)),
        (vec![id::SUCCESS], everywhere(UNKNOWN)),
        (vec![0xC400_0061], everywhere(UNKNOWN)),
        (vec![id::INTERRUPT, pair(ECHO, 0)], everywhere(DENIED)),
        (vec![id::VERSION, 0x1_0002], everywhere(Back)),
        (vec![id::FEATURES, id::RUN], everywhere(Back)),
        (vec![0x8400_0069], everywhere(Back)),
        (vec![0x8400_0085], everywhere(Back)),
        (vec![0x8400_0068, 0, 0, 0, 0, 1], everywhere(Back)),
        (vec![0xC400_008B], everywhere(Back)),
        (vec![0xC400_0066, ECHO_MEMORY + 0x5_0000, ECHO_MEMORY + 0x6_0000, 1], everywhere(Back)),
        (vec![0x8400_0066, ECHO_MEMORY + 0x5_0000, ECHO_MEMORY + 0x6_0000, 1], everywhere(Back)),
        (vec![0x8400_0067], everywhere(Refused(code::INVALID))),
        (vec![0x8400_0065], everywhere(Refused(code::INVALID))),
        // A message without a buffer, and notifications without a bitmap or for somebody else.
        (vec![id::SEND2], everywhere(DENIED)),
        (vec![id::BIND, pair(ECHO, RELAY)], everywhere(Refused(code::INVALID))),
        (vec![id::UNBIND, pair(ECHO, RELAY)], everywhere(Refused(code::INVALID))),
        (vec![id::SET, pair(RELAY, ECHO)], everywhere(Refused(code::INVALID))),
        (vec![id::GET, ECHO, 1], everywhere(Refused(code::INVALID))),
        (vec![0x8400_008A, 1, 0x41], everywhere(Back)),
        (vec![0xC400_008A, 1, 0x41], everywhere(Back)),
        (vec![id::REQUEST, pair(RELAY, ECHO)], goes_to_echo(id::REQUEST)),
        (vec![REQUEST64, pair(RELAY, ECHO)], goes_to_echo(REQUEST64)),
        (vec![id::REQUEST2, pair(RELAY, ECHO)], goes_to_echo(id::REQUEST2)),
        (vec![id::RESPONSE, pair(RELAY, 0)], [DENIED, DENIED, answers(id::RESPONSE), DENIED, DENIED, DENIED]),
        (vec![RESPONSE64, pair(RELAY, 0)], [DENIED, DENIED, answers(RESPONSE64), DENIED, DENIED, DENIED]),
        (
            vec![id::RESPONSE2, pair(RELAY, 0)],
            [DENIED, DENIED, DENIED, answers(id::RESPONSE2), DENIED, DENIED],
        ),
        (
            vec![id::RUN, pair(ECHO, 0)],
            [DENIED, DENIED, DENIED, DENIED, DENIED, Leaves(IN_ECHO, id::REQUEST)],
        ),
        (vec![id::RUN, pair(THIRD, 0)], everywhere(DENIED)),
        (vec![id::MSG_WAIT], [next, waits, DENIED, DENIED, resumed, DENIED]),
        (vec![id::YIELD], [DENIED, yields, yields, yields, Back, DENIED]),
        // `relay` has one context and registers no entry for others.
        (vec![0xC400_0087, ECHO_MEMORY], [UNKNOWN, DENIED, DENIED, DENIED, DENIED, DENIED]),
        // Nothing is in a buffer, and nothing has been sent.
        (vec![id::MEM_DONATE], everywhere(Refused(code::INVALID))),
        (vec![0xC400_0071], everywhere(Refused(code::INVALID))),
        (vec![id::MEM_LEND], everywhere(Refused(code::INVALID))),
        (vec![0xC400_0072], everywhere(Refused(code::INVALID))),
        (vec![id::MEM_SHARE], everywhere(Refused(code::INVALID))),
        (vec![0xC400_0073], everywhere(Refused(code::INVALID))),
        (vec![id::MEM_RETRIEVE_REQ], everywhere(Refused(code::INVALID))),
        (vec![0xC400_0074], everywhere(Refused(code::INVALID))),
        (vec![id::MEM_RELINQUISH], everywhere(Refused(code::INVALID))),
        (vec![id::MEM_RECLAIM], everywhere(Refused(code::INVALID))),
        (vec![id::MEM_FRAG_TX], everywhere(Refused(code::INVALID))),
        (vec![id::MEM_FRAG_RX], everywhere(Refused(code::INVALID))),
        (vec![id::MEM_OP_PAUSE], everywhere(UNKNOWN)),
        (vec![id::MEM_OP_RESUME], everywhere(Refused(code::INVALID))),
    ]
}

#[test]
fn each_call_does_in_each_model_what_the_model_says() {
    for (call, outcomes) in calls() {
        for (model, expected) in MODELS.into_iter().zip(outcomes) {
            for conduit in [Conduit::Hvc, Conduit::Smc] {
                let mut pe = relay_in(model, conduit);
                let place = pe.call(&call);
                let [function, _, error, ..] = pe.low();
                let found = match (place, function) {
                    (IN_RELAY, id::ERROR) => Refused(error),
                    (IN_RELAY, _) => Back,
                    _ => Leaves(place, function),
                };
                assert_eq!(found, expected, "{call:x?} in {model:?} by {conduit:?}");
            }
        }
    }
}

#[test]
fn every_call_of_the_table_is_judged_in_every_model() {
    let judged: Vec<u64> = calls().iter().map(|(call, _)| call[0]).collect();
    for call in manager::calls::CALLS {
        let only_normal = !call.instances.contains(manager::calls::Instances::PARTITION);
        assert!(only_normal || judged.contains(&(call.function as u64)), "{:?}", call.function);
    }
}

#[test]
fn a_callee_that_stopped_is_resumed_in_the_models_that_run_others() {
    for model in MODELS.into_iter().filter(|model| *model != Owing) {
        let mut pe = relay_in(model, Conduit::Hvc);
        assert_eq!(pe.call(&[id::REQUEST, pair(RELAY, ECHO)]), IN_ECHO);
        assert_eq!(pe.call(&[id::YIELD, 0, 7]), IN_RELAY);
        assert_eq!(pe.low()[..3], [id::YIELD, pair(ECHO, 0), 7]);
        match model {
            // FF-A 1.2, 8.2.4: nobody is run while one initialises.
            Init => pe.refused(&[id::RUN, pair(ECHO, 0)], code::DENIED),
            _ => {
                assert_eq!(pe.call(&[id::RUN, pair(ECHO, 0)]), IN_ECHO);
                assert_eq!(pe.call(&[id::RESPONSE, pair(ECHO, RELAY)]), IN_RELAY);
            }
        }
    }
}

#[test]
fn a_model_ends_with_what_ends_it_and_the_context_waits() {
    for model in MODELS {
        let mut pe = relay_in(model, Conduit::Smc);
        match model {
            Owing => {
                pe.call(&[id::RUN, pair(ECHO, 0)]);
                pe.call(&[id::RESPONSE, pair(ECHO, RELAY)]);
                pe.call(&[id::RESPONSE, pair(RELAY, 0)])
            }
            Init | Run | Interrupt => pe.call(&[id::MSG_WAIT]),
            Direct => pe.call(&[id::RESPONSE, pair(RELAY, 0)]),
            Direct2 => pe.call(&[id::RESPONSE2, pair(RELAY, 0)]),
        };
        if model == Init {
            pe.call(&[id::MSG_WAIT]);
        }
        assert_eq!(pe.place(), Place::Normal);
        assert_eq!(pe.normal(&[id::RUN, pair(RELAY, 0)]), IN_RELAY, "after {model:?}");
    }
}

#[test]
fn a_fault_ends_the_partition_in_every_model() {
    for (model, after) in [(Run, code::ABORTED), (Direct, code::ABORTED), (Direct2, code::ABORTED)] {
        let mut pe = relay_in(model, Conduit::Hvc);
        assert_eq!(pe.fault(), Place::Normal);
        pe.expect_error(after);
    }
    let mut pe = relay_in(Init, Conduit::Hvc);
    assert_eq!(pe.fault(), Place::Partition((THIRD, 0)));
    let mut pe = relay_in(Interrupt, Conduit::Hvc);
    assert_eq!(pe.fault(), Place::Normal);
    assert_eq!(pe.low()[0], id::NORMAL_WORLD_RESUME);
}

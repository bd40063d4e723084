//! FFA_MSG_WAIT, FFA_YIELD, preemption by the Normal world, and interrupts that nobody owns.

use manager::exit::Conduit;
use scenarios::{ECHO, Pe, Place, RELAY, V1_2, V1_3, VERSIONS, World, code, id, pair};

use super::direct::{IN_ECHO, IN_RELAY};

/// `echo` by either conduit, speaking each version, in an FFA_RUN; with the version.
fn running() -> impl Iterator<Item = (u64, Pe)> {
    VERSIONS.into_iter().chain([V1_3]).flat_map(|version| {
        let callers = World::callers(version).into_iter();
        callers.filter(|pe| pe.place() != Place::Normal).map(move |pe| (version, pe))
    })
}

#[test]
fn ffa_run_of_a_waiting_partition_returns_msg_wait() {
    for (_, mut pe) in running() {
        assert_eq!(pe.low(), [id::RUN, 0, 0, 0, 0, 0, 0, 0], "a message is never an argument of the run");
        assert_eq!(pe.call(&[id::MSG_WAIT]), Place::Normal);
        assert_eq!(pe.low(), [id::MSG_WAIT, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(pe.normal(&[id::RUN, pair(ECHO, 0)]), IN_ECHO);
        assert_eq!(pe.low(), [id::RUN, 0, 0, 0, 0, 0, 0, 0]);
    }
}

#[test]
fn msg_wait_has_flags_of_its_version() {
    for (version, mut pe) in running() {
        let retain = if version < V1_2 { Some(1) } else { None };
        for flags in retain.into_iter().chain([2, 3, 0x8000_0000, 0xFFFF_FFFF]) {
            pe.refused(&[id::MSG_WAIT, 0, flags], code::INVALID);
        }
        for register in [1, 3, 4, 5, 6, 7] {
            let mut x = [id::MSG_WAIT, 0, 0, 0, 0, 0, 0, 0];
            x[register] = 1;
            pe.refused(&x, code::INVALID);
        }
        assert_eq!(pe.call(&[id::MSG_WAIT]), Place::Normal);
    }
}

#[test]
fn the_normal_world_neither_waits_nor_yields() {
    for version in VERSIONS {
        let mut pe = World::booted();
        pe.normal_version(version);
        pe.refused(&[id::MSG_WAIT], code::NOT_SUPPORTED);
        pe.refused(&[id::YIELD], code::NOT_SUPPORTED);
        pe.refused(&[id::NORMAL_WORLD_RESUME], code::NOT_SUPPORTED);
    }
}

#[test]
fn yield_returns_to_the_normal_world_and_run_resumes() {
    for start in [[id::RUN, pair(ECHO, 0)], [id::REQUEST, pair(0, ECHO)], [id::REQUEST2, pair(0, ECHO)]] {
        for conduit in [Conduit::Hvc, Conduit::Smc] {
            let mut pe = World::booted();
            pe.conduit = conduit;
            pe.normal(&start);
            // A Normal-world kernel takes it for a signed number of nanoseconds.
            let longest = [0xFFFF_FFFF, 0x7FFF_FFFF];
            let timeouts = [
                ([0, 0], [0, 0]),
                ([1000, 2], [1000, 2]),
                (longest, longest),
                ([0, 0x8000_0000], longest),
                ([0xFFFF_FFFF; 2], longest),
            ];
            for ([low, high], told) in timeouts {
                assert_eq!(pe.call(&[id::YIELD, 0, low, high]), Place::Normal);
                assert_eq!(pe.low(), [id::YIELD, pair(ECHO, 0), told[0], told[1], 0, 0, 0, 0]);
                pe.refused(&[id::REQUEST, pair(0, ECHO)], code::BUSY);
                assert_eq!(pe.normal(&[id::RUN, pair(ECHO, 0)]), IN_ECHO);
                assert_eq!(pe.low(), [id::SUCCESS, 0, 0, 0, 0, 0, 0, 0]);
            }
        }
    }
}

#[test]
fn a_yield_has_reserved_registers() {
    for (_, mut pe) in running() {
        for register in 4..8 {
            let mut x = [id::YIELD, 0, 0, 0, 0, 0, 0, 0];
            x[register] = 1;
            pe.refused(&x, code::INVALID);
        }
        assert_eq!(pe.call(&[id::YIELD]), Place::Normal);
    }
}

#[test]
fn a_yield_in_a_chain_goes_to_the_caller() {
    let mut pe = World::booted();
    pe.normal(&[id::REQUEST, pair(0, RELAY)]);
    pe.call(&[id::REQUEST, pair(RELAY, ECHO)]);
    assert_eq!(pe.call(&[id::YIELD, 0, 5]), IN_RELAY);
    assert_eq!(pe.low(), [id::YIELD, pair(ECHO, 0), 5, 0, 0, 0, 0, 0]);
    assert_eq!(pe.call(&[id::RUN, pair(ECHO, 0)]), IN_ECHO);
    assert_eq!(pe.call(&[id::RESPONSE, pair(ECHO, RELAY)]), IN_RELAY);
}

/// `echo` is working on a request, with registers of its own.
fn echo_at_work() -> Pe {
    let mut pe = World::booted();
    pe.normal(&[id::REQUEST, pair(0, ECHO)]);
    pe.frame.x = core::array::from_fn(|i| 1000 + i as u64);
    pe
}

#[test]
fn a_normal_interrupt_preempts_and_run_resumes() {
    let mut pe = echo_at_work();
    let own = pe.frame.x;
    assert_eq!(pe.interrupt(), Place::Normal);
    assert_eq!(pe.low(), [id::INTERRUPT, pair(ECHO, 0), 0, 0, 0, 0, 0, 0]);
    assert_eq!(pe.normal(&[id::RUN, pair(ECHO, 0)]), IN_ECHO);
    assert_eq!(pe.frame.x, own, "it goes on as if nothing had happened");
    assert_eq!(pe.call(&[id::RESPONSE, pair(ECHO, 0)]), Place::Normal);
    assert_eq!(pe.frame.x[0], id::RESPONSE, "the answer to the request comes from FFA_RUN");
}

#[test]
fn a_partition_that_was_run_is_preempted_too() {
    for (_, mut pe) in running() {
        pe.frame.x[5] = 55;
        for _ in 0..3 {
            assert_eq!(pe.interrupt(), Place::Normal);
            assert_eq!(pe.low(), [id::INTERRUPT, pair(ECHO, 0), 0, 0, 0, 0, 0, 0]);
            assert_eq!(pe.normal(&[id::RUN, pair(ECHO, 0)]), IN_ECHO);
            assert_eq!(pe.frame.x[5], 55);
        }
        assert_eq!(pe.call(&[id::MSG_WAIT]), Place::Normal);
    }
}

#[test]
fn a_preempted_partition_is_busy_for_requests() {
    let mut pe = echo_at_work();
    pe.interrupt();
    for request in [id::REQUEST, id::REQUEST2, super::direct::REQUEST64] {
        pe.refused(&[request, pair(0, ECHO)], code::BUSY);
    }
}

#[test]
fn a_chain_unwinds_when_preempted() {
    let mut pe = World::booted();
    pe.normal(&[id::REQUEST, pair(0, RELAY)]);
    pe.call(&[id::REQUEST, pair(RELAY, ECHO)]);
    assert_eq!(pe.interrupt(), IN_RELAY, "the caller learns who was preempted");
    assert_eq!(pe.low(), [id::INTERRUPT, pair(ECHO, 0), 0, 0, 0, 0, 0, 0]);
    assert_eq!(pe.interrupt(), Place::Normal);
    assert_eq!(pe.low(), [id::INTERRUPT, pair(RELAY, 0), 0, 0, 0, 0, 0, 0]);

    pe.refused(&[id::RUN, pair(ECHO, 0)], code::DENIED);
    assert_eq!(pe.normal(&[id::RUN, pair(RELAY, 0)]), IN_RELAY);
    assert_eq!(pe.low()[..2], [id::INTERRUPT, pair(ECHO, 0)]);
    assert_eq!(pe.call(&[id::RUN, pair(ECHO, 0)]), IN_ECHO);
    assert_eq!(pe.call(&[id::RESPONSE, pair(ECHO, RELAY)]), IN_RELAY);
    assert_eq!(pe.call(&[id::RESPONSE, pair(RELAY, 0)]), Place::Normal);
}

#[test]
fn a_preempted_callee_may_be_left_for_later() {
    let mut pe = World::booted();
    pe.normal(&[id::REQUEST, pair(0, RELAY)]);
    pe.call(&[id::REQUEST, pair(RELAY, ECHO)]);
    pe.interrupt();
    assert_eq!(pe.call(&[id::RESPONSE, pair(RELAY, 0)]), Place::Normal, "the caller answers without it");
    pe.refused(&[id::REQUEST, pair(0, ECHO)], code::BUSY);
    pe.refused(&[id::RUN, pair(ECHO, 0)], code::DENIED);
    pe.normal(&[id::REQUEST, pair(0, RELAY)]);
    pe.refused(&[id::REQUEST, pair(RELAY, ECHO)], code::BUSY);
    assert_eq!(pe.call(&[id::RUN, pair(ECHO, 0)]), IN_ECHO);
    assert_eq!(pe.call(&[id::RESPONSE, pair(ECHO, RELAY)]), IN_RELAY);
}

#[test]
fn a_partition_cannot_forge_an_interrupt() {
    for (_, mut pe) in running() {
        for target in [pair(RELAY, 0), pair(ECHO, 0), 0] {
            pe.refused(&[id::INTERRUPT, target], code::DENIED);
        }
        pe.refused(&[id::NORMAL_WORLD_RESUME], code::NOT_SUPPORTED);
    }
}

#[test]
fn an_interrupt_that_nobody_owns_is_masked_and_the_partition_goes_on() {
    for interrupt in [77, 16, 1020, 5000, u32::MAX] {
        let mut pe = echo_at_work();
        let own = pe.frame.x;
        pe.machine.pending.push_back(interrupt);
        assert_eq!(pe.interrupt(), IN_ECHO);
        assert_eq!(pe.frame.x, own);
        assert_eq!(pe.machine.masked(), [interrupt]);
        assert!(pe.machine.active().is_empty(), "it was finished");
    }
}

#[test]
fn an_interrupt_that_nobody_owns_is_masked_and_the_normal_world_goes_on() {
    let mut pe = World::booted();
    pe.machine.pending.push_back(78);
    assert_eq!(pe.normal(&[id::INTERRUPT]), Place::Normal);
    assert_eq!(pe.low(), [id::NORMAL_WORLD_RESUME, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(pe.machine.masked(), [78]);
    // One that has gone away again, or another PE's kick.
    assert_eq!(pe.normal(&[id::INTERRUPT]), Place::Normal);
    assert_eq!(pe.low(), [id::NORMAL_WORLD_RESUME, 0, 0, 0, 0, 0, 0, 0]);
}

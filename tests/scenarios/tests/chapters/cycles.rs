//! FFA_RUN, FFA_MSG_WAIT, FFA_YIELD, preemption, and interrupts that nobody owns.

use scenarios::{ECHO, Pe, Place, RELAY, World, code, id, pair};

const IN_ECHO: Place = Place::Partition((ECHO, 0));
const IN_RELAY: Place = Place::Partition((RELAY, 0));

#[test]
fn ffa_run_of_a_waiting_partition_returns_msg_wait() {
    let mut pe = World::booted();
    assert_eq!(pe.normal(&[id::RUN, pair(ECHO, 0)]), IN_ECHO);
    assert_eq!(pe.low(), [id::RUN, 0, 0, 0, 0, 0, 0, 0], "a message is never an argument of the run");
    assert_eq!(pe.call(&[id::MSG_WAIT]), Place::Normal);
    assert_eq!(pe.low(), [id::MSG_WAIT, 0, 0, 0, 0, 0, 0, 0]);
}

#[test]
fn ffa_run_of_a_foreign_vcpu_is_invalid() {
    let mut pe = World::booted();
    for target in [pair(ECHO, 1), pair(ECHO, 4), pair(RELAY, 1), pair(0x8003, 0), pair(0, 0), pair(0x8000, 0)]
    {
        pe.normal_refused(&[id::RUN, target], code::INVALID);
    }
    pe.normal_refused(&[id::RUN, pair(ECHO, 0x100)], code::INVALID);
    pe.normal(&[id::REQUEST, pair(0, RELAY)]);
    pe.call_refused(&[id::RUN, pair(RELAY, 0)], code::INVALID);
}

#[test]
fn a_partition_runs_only_whom_it_called() {
    let mut pe = World::booted();
    pe.normal(&[id::REQUEST, pair(0, RELAY)]);
    pe.call_refused(&[id::RUN, pair(ECHO, 0)], code::DENIED);

    let mut pe = World::booted();
    pe.normal(&[id::REQUEST, pair(0, ECHO)]);
    pe.interrupt();
    pe.normal(&[id::REQUEST, pair(0, RELAY)]);
    pe.call_refused(&[id::RUN, pair(ECHO, 0)], code::DENIED);
}

#[test]
fn msg_wait_has_flags_of_its_version() {
    let mut pe = World::booted();
    pe.normal(&[id::RUN, pair(ECHO, 0)]);
    pe.call_refused(&[id::MSG_WAIT, 0, 2], code::INVALID);
    let mut pe = World::new().pe(0);
    pe.turn_on();
    pe.call(&[id::VERSION, 0x1_0001]);
    pe.call_refused(&[id::MSG_WAIT, 0, 1], code::INVALID);
}

#[test]
fn yield_returns_to_the_normal_world_and_run_resumes() {
    for start in [id::RUN, id::REQUEST] {
        let mut pe = World::booted();
        pe.normal(&[start, if start == id::RUN { pair(ECHO, 0) } else { pair(0, ECHO) }]);
        assert_eq!(pe.call(&[id::YIELD, 0, 1000, 2]), Place::Normal);
        assert_eq!(pe.low(), [id::YIELD, pair(ECHO, 0), 1000, 2, 0, 0, 0, 0]);
        pe.normal_refused(&[id::REQUEST, pair(0, ECHO)], code::BUSY);
        assert_eq!(pe.normal(&[id::RUN, pair(ECHO, 0)]), IN_ECHO);
        assert_eq!(pe.low(), [id::SUCCESS, 0, 0, 0, 0, 0, 0, 0]);
    }
}

#[test]
fn a_yield_in_a_chain_goes_to_the_caller() {
    let mut pe = World::booted();
    pe.normal(&[id::REQUEST, pair(0, RELAY)]);
    pe.call(&[id::REQUEST, pair(RELAY, ECHO)]);
    assert_eq!(pe.call(&[id::YIELD, 0, 5]), IN_RELAY);
    assert_eq!(pe.low()[..3], [id::YIELD, pair(ECHO, 0), 5]);
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
fn a_preempted_partition_is_busy_for_requests() {
    let mut pe = echo_at_work();
    pe.interrupt();
    pe.normal_refused(&[id::REQUEST, pair(0, ECHO)], code::BUSY);
    pe.normal_refused(&[id::REQUEST2, pair(0, ECHO)], code::BUSY);
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

    pe.normal_refused(&[id::RUN, pair(ECHO, 0)], code::DENIED);
    assert_eq!(pe.normal(&[id::RUN, pair(RELAY, 0)]), IN_RELAY);
    assert_eq!(pe.low()[..2], [id::INTERRUPT, pair(ECHO, 0)]);
    assert_eq!(pe.call(&[id::RUN, pair(ECHO, 0)]), IN_ECHO);
    assert_eq!(pe.call(&[id::RESPONSE, pair(ECHO, RELAY)]), IN_RELAY);
    assert_eq!(pe.call(&[id::RESPONSE, pair(RELAY, 0)]), Place::Normal);
}

#[test]
fn a_partition_cannot_forge_an_interrupt() {
    let mut pe = World::booted();
    pe.normal(&[id::RUN, pair(ECHO, 0)]);
    pe.call_refused(&[id::INTERRUPT, pair(RELAY, 0)], code::DENIED);
}

#[test]
fn an_interrupt_that_nobody_owns_is_masked_and_the_partition_goes_on() {
    let mut pe = echo_at_work();
    let own = pe.frame.x;
    pe.machine.pending.push_back(77);
    assert_eq!(pe.interrupt(), IN_ECHO);
    assert_eq!(pe.frame.x, own);
    assert_eq!(pe.machine.masked(), [77]);
    assert!(pe.machine.active.is_empty(), "it was finished");
}

#[test]
fn an_interrupt_that_nobody_owns_is_masked_and_the_normal_world_goes_on() {
    let mut pe = World::booted();
    pe.machine.pending.push_back(78);
    assert_eq!(pe.normal(&[id::INTERRUPT]), Place::Normal);
    assert_eq!(pe.low(), [id::NORMAL_WORLD_RESUME, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(pe.machine.masked(), [78]);
}

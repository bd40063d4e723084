//! A context in each state of its life: what requests and FFA_RUN find, from the Normal world and from partitions.

use std::sync::Arc;

use scenarios::{ECHO, Pe, Place, RELAY, Sources, World, code, id, pair};

use super::direct::{IN_ECHO, IN_RELAY};

const RUN_RELAY: [u64; 2] = [id::RUN, pair(RELAY, 0)];
const REQUESTS: [[u64; 2]; 2] = [[id::REQUEST, pair(0, RELAY)], [id::REQUEST2, pair(0, RELAY)]];

/// Two PEs, of which the second one has `echo` at work for the Normal world, so that it can ask `relay`, which has one
/// context, on behalf of a partition too.
fn two_pes() -> (Pe, Pe) {
    let world = World::new();
    (world.booted_pe(0), world.booted_pe(1))
}

/// The Normal world on `pe` gets these codes for a request and for FFA_RUN of `relay`.
#[track_caller]
fn normal_gets(pe: &mut Pe, request: u64, run: u64) {
    for call in REQUESTS {
        pe.refused(&call, request);
    }
    pe.refused(&RUN_RELAY, run);
}

/// A partition on `pe` that has nothing to do with `relay` gets these codes.
#[track_caller]
fn stranger_gets(pe: &mut Pe, request: u64, run: u64) {
    assert_eq!(pe.normal(&[id::REQUEST, pair(0, ECHO)]), Place::Partition((ECHO, 1)));
    for function in [id::REQUEST, id::REQUEST2] {
        pe.refused(&[function, pair(ECHO, RELAY)], request);
    }
    pe.refused(&RUN_RELAY, run);
    assert_eq!(pe.call(&[id::RESPONSE, pair(ECHO, 0)]), Place::Normal);
}

#[test]
fn a_context_that_waits_takes_requests_and_runs() {
    for call in REQUESTS.into_iter().chain([RUN_RELAY]) {
        let (_, mut second) = two_pes();
        assert_eq!(second.normal(&call), IN_RELAY);
    }
    let (_, mut second) = two_pes();
    second.normal(&[id::REQUEST, pair(0, ECHO)]);
    // FF-A 1.2, 8.3: a partition runs nobody who waits.
    second.refused(&RUN_RELAY, code::DENIED);
    assert_eq!(second.call(&[id::REQUEST, pair(ECHO, RELAY)]), IN_RELAY);
}

#[test]
fn a_context_that_runs_is_busy() {
    for start in [RUN_RELAY, REQUESTS[0]] {
        let (mut first, mut second) = two_pes();
        first.normal(&start);
        normal_gets(&mut second, code::BUSY, code::BUSY);
        stranger_gets(&mut second, code::BUSY, code::DENIED);
    }
}

#[test]
fn a_context_that_yielded_is_run_by_who_gave_it_cycles() {
    for start in [RUN_RELAY, REQUESTS[0]] {
        let (mut first, mut second) = two_pes();
        first.normal(&start);
        assert_eq!(first.call(&[id::YIELD]), Place::Normal);
        stranger_gets(&mut second, code::BUSY, code::DENIED);
        for call in REQUESTS {
            second.refused(&call, code::BUSY);
        }
        assert_eq!(second.normal(&RUN_RELAY), IN_RELAY, "the Normal world moves it");
        assert_eq!(second.low(), [id::SUCCESS, 0, 0, 0, 0, 0, 0, 0]);
    }
}

#[test]
fn a_context_that_was_preempted_is_run_by_who_gave_it_cycles() {
    for start in [RUN_RELAY, REQUESTS[0]] {
        let (mut first, mut second) = two_pes();
        first.normal(&start);
        let own = core::array::from_fn(|register| 77 + register as u64);
        first.frame.x = own;
        assert_eq!(first.interrupt(), Place::Normal);
        stranger_gets(&mut second, code::BUSY, code::DENIED);
        for call in REQUESTS {
            second.refused(&call, code::BUSY);
        }
        assert_eq!(second.normal(&RUN_RELAY), IN_RELAY);
        assert_eq!(second.frame.x, own);
    }
}

#[test]
fn a_context_that_is_blocked_in_a_chain_belongs_to_it() {
    let (mut first, mut second) = two_pes();
    first.normal(&REQUESTS[0]);
    first.call(&[id::REQUEST, pair(RELAY, ECHO)]);
    normal_gets(&mut second, code::BUSY, code::DENIED);
    stranger_gets(&mut second, code::BUSY, code::DENIED);
    // In the chain itself a request is a cycle.
    for call in [[id::REQUEST, pair(ECHO, RELAY)], [id::REQUEST2, pair(ECHO, RELAY)], RUN_RELAY] {
        first.refused(&call, code::DENIED);
    }
}

#[test]
fn a_partition_runs_only_whom_it_called() {
    for stop in [Pe::interrupt as fn(&mut Pe) -> Place, |pe: &mut Pe| pe.call(&[id::YIELD])] {
        let (mut first, mut second) = two_pes();
        second.normal(&[id::REQUEST, pair(0, ECHO)]);
        second.call(&[id::REQUEST, pair(ECHO, RELAY)]);
        assert_eq!(stop(&mut second), Place::Partition((ECHO, 1)));
        normal_gets(&mut first, code::BUSY, code::DENIED);
        // Another context of the very partition that it works for.
        first.normal(&[id::REQUEST, pair(0, ECHO)]);
        first.refused(&RUN_RELAY, code::DENIED);
        assert_eq!(second.call(&RUN_RELAY), IN_RELAY);
        assert_eq!(second.call(&[id::RESPONSE, pair(RELAY, ECHO)]), Place::Partition((ECHO, 1)));
    }
}

#[test]
fn a_context_is_not_entered_before_it_is_saved() {
    for leave in [[id::RESPONSE, pair(RELAY, 0)], [id::YIELD, 0]] {
        let (mut first, mut second) = two_pes();
        first.normal(&REQUESTS[0]);
        assert_eq!(first.call_unsettled(&leave), Place::Normal);
        normal_gets(&mut second, code::BUSY, code::BUSY);
        stranger_gets(&mut second, code::BUSY, code::BUSY);
        first.settle();
        assert_eq!(second.normal(&RUN_RELAY), IN_RELAY, "it migrates");
    }
}

#[test]
fn a_context_that_has_not_started_is_busy() {
    let mut pe = World::new().pe(0);
    pe.turn_on();
    for function in [id::REQUEST, id::REQUEST2] {
        pe.refused(&[function, pair(ECHO, RELAY)], code::BUSY);
    }
}

#[test]
fn a_context_whose_pe_was_off_is_busy_until_it_has_started_anew() {
    let mut sources = Sources::new();
    let pinned = sources.echo.clone();
    let late = sources.add("late", pinned);
    let world = World::of(&sources);
    let (_first, mut second) = (world.booted_pe(0), world.booted_pe(1));
    second.normal(&[id::REQUEST, 0xFFFF_8000, 0x8000_0000, 0x8400_0002]);
    let mut second = world.pe(1);
    assert_eq!(second.turn_on(), Place::Partition((ECHO, 1)));
    second.refused(&[id::REQUEST, pair(ECHO, late)], code::BUSY);
    second.refused(&[id::RUN, pair(late, 1)], code::DENIED);
    assert_eq!(second.call(&[id::MSG_WAIT]), Place::Partition((late, 1)));
    assert_eq!(second.call(&[id::REQUEST, pair(late, ECHO)]), Place::Partition((ECHO, 1)), "that one has");
}

#[test]
fn a_context_of_an_aborted_partition_never_runs_again() {
    let (mut first, mut second) = two_pes();
    first.normal(&REQUESTS[0]);
    first.fault();
    normal_gets(&mut second, code::ABORTED, code::ABORTED);
    stranger_gets(&mut second, code::ABORTED, code::ABORTED);
}

#[test]
fn ffa_run_of_a_foreign_vcpu_is_invalid() {
    let world = World::new();
    let (mut first, mut second) = (world.booted_pe(0), world.booted_pe(1));
    let bad = [(ECHO, 1), (ECHO, 4), (ECHO, 0x100), (RELAY, 1), (0x8003, 0), (0, 0), (1, 0), (0x8000, 0)];
    for (partition, vcpu) in bad.into_iter().chain([(0xFFFF, 0), (0xFFC0, 0), (ECHO, 0xFFFF)]) {
        first.refused(&[id::RUN, pair(partition, vcpu)], code::INVALID);
    }
    second.refused(&[id::RUN, pair(ECHO, 0)], code::INVALID);
    first.normal(&[id::REQUEST, pair(0, RELAY)]);
    for (partition, vcpu) in bad {
        first.refused(&[id::RUN, pair(partition, vcpu)], code::INVALID);
    }
    first.refused(&RUN_RELAY, code::INVALID);
    first.refused(&[id::RUN, pair(ECHO, 0), 1], code::INVALID);
}

#[test]
fn a_chain_stays_on_its_pe() {
    let mut sources = Sources::new();
    let single = sources.relay.clone();
    let other = sources.add("other", single);
    let world: Arc<World> = World::of(&sources);
    let (mut first, mut second) = (world.booted_pe(0), world.booted_pe(1));
    first.normal(&REQUESTS[0]);
    first.call(&[id::REQUEST, pair(RELAY, other)]);
    assert_eq!(first.interrupt(), IN_RELAY);
    assert_eq!(first.interrupt(), Place::Normal);
    // The caller migrates, but whom it called was preempted on the other PE.
    assert_eq!(second.normal(&RUN_RELAY), IN_RELAY);
    second.refused(&[id::RUN, pair(other, 0)], code::DENIED);
    assert_eq!(second.interrupt(), Place::Normal);
    assert_eq!(first.normal(&RUN_RELAY), IN_RELAY);
    assert_eq!(first.call(&[id::RUN, pair(other, 0)]), Place::Partition((other, 0)));
}

#[test]
fn one_of_the_contexts_of_a_partition_is_run_by_the_choice_of_the_scheduler() {
    let world = World::new();
    let mut pes: Vec<_> = (0..4).map(|index| world.booted_pe(index)).collect();
    for (index, pe) in (0..).zip(&mut pes) {
        assert_eq!(pe.normal(&[id::RUN, pair(ECHO, index)]), Place::Partition((ECHO, index)));
    }
    for pe in &mut pes {
        assert_eq!(pe.call(&[id::MSG_WAIT]), Place::Normal);
    }
    assert_eq!(pes[0].normal(&[id::REQUEST, pair(0, ECHO)]), IN_ECHO);
}

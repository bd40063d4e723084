//! A partition that breaks a rule ends on all PEs; whoever waits for it learns, whoever works for it goes on.

use scenarios::{ECHO, Pe, Place, RELAY, Sources, World, code, id, pair};

use super::direct::{IN_ECHO, IN_RELAY};

/// Both PEs with `echo` at work for the Normal world.
fn both_at_work() -> (Pe, Pe) {
    let world = World::new();
    let (mut first, mut second) = (world.booted_pe(0), world.booted_pe(1));
    for pe in [&mut first, &mut second] {
        pe.normal(&[id::REQUEST, pair(0, ECHO)]);
    }
    (first, second)
}

#[test]
fn an_abort_kicks_the_other_pes() {
    let (mut first, mut second) = both_at_work();
    let before = first.machine.kicks();
    first.fault();
    first.expect_aborted();
    assert_eq!(first.machine.kicks(), before + 1);
    second.machine.kicked = true;
    assert_eq!(second.interrupt(), Place::Normal);
    second.expect_aborted();
    second.refused(&[id::REQUEST, pair(0, ECHO)], code::ABORTED);
    second.refused(&[id::RUN, pair(ECHO, 1)], code::ABORTED);
}

#[test]
fn a_kick_takes_the_pe_from_nobody_who_lives() {
    let (mut first, mut second) = both_at_work();
    first.call(&[id::REQUEST, pair(ECHO, RELAY)]);
    first.fault();
    for pe in [&mut first, &mut second] {
        let (here, registers) = (pe.place(), pe.frame.clone());
        pe.machine.kicked = true;
        assert_eq!(pe.interrupt(), here);
        assert_eq!(pe.frame, registers);
    }
    second.call(&[id::RESPONSE, pair(ECHO, 0)]);
    second.machine.kicked = true;
    assert_eq!(second.normal(&[id::INTERRUPT]), Place::Normal);
    assert_eq!(second.low(), [id::NORMAL_WORLD_RESUME, 0, 0, 0, 0, 0, 0, 0]);
}

#[test]
fn an_abort_is_honoured_at_the_next_call_too() {
    for call in
        [[0x8400_0069, 0], [id::RESPONSE, pair(ECHO, 0)], [id::YIELD, 0], [id::REQUEST, pair(ECHO, RELAY)]]
    {
        let (mut first, mut second) = both_at_work();
        first.fault();
        assert_eq!(second.call(&call), Place::Normal);
        second.expect_aborted();
    }
    let (mut first, mut second) = both_at_work();
    first.fault();
    assert_eq!(second.fault(), Place::Normal);
    second.expect_aborted();
}

#[test]
fn an_abort_in_one_models_cycles_is_told_to_who_gave_them() {
    for start in [[id::RUN, pair(RELAY, 0)], [id::REQUEST, pair(0, RELAY)], [id::REQUEST2, pair(0, RELAY)]] {
        let mut pe = World::booted();
        pe.normal(&start);
        assert_eq!(pe.fault(), Place::Normal);
        pe.expect_aborted();
    }
}

#[test]
fn an_abort_ends_contexts_that_are_on_no_pe() {
    for stop in [Pe::interrupt as fn(&mut Pe) -> Place, |pe| pe.call(&[id::YIELD])] {
        let (mut first, mut second) = both_at_work();
        stop(&mut second);
        first.fault();
        second.refused(&[id::RUN, pair(ECHO, 1)], code::ABORTED);
        second.refused(&[id::REQUEST, pair(0, ECHO)], code::ABORTED);
    }
}

#[test]
fn a_caller_that_is_aborted_does_not_get_its_answer() {
    let (mut first, mut second) = both_at_work();
    assert_eq!(second.call(&[id::REQUEST, pair(ECHO, RELAY)]), IN_RELAY);
    first.fault();
    assert_eq!(second.place(), IN_RELAY, "who works for it goes on");
    assert_eq!(second.call(&[id::RESPONSE, pair(RELAY, ECHO)]), Place::Normal);
    second.expect_aborted();
    assert_eq!(second.normal(&[id::REQUEST, pair(0, RELAY)]), IN_RELAY, "and waits again");
}

#[test]
fn a_chain_with_an_aborted_middle_goes_back_to_who_began_it() {
    let mut sources = Sources::new();
    let single = sources.relay.clone();
    let last = sources.add("last", single);
    let world = World::of(&sources);
    let (mut first, mut second) = (world.booted_pe(0), world.booted_pe(1));
    first.normal(&[id::REQUEST, pair(0, RELAY)]);
    first.call(&[id::REQUEST, pair(RELAY, ECHO)]);
    first.call(&[id::REQUEST, pair(ECHO, last)]);
    second.normal(&[id::REQUEST, pair(0, ECHO)]);
    second.fault();
    assert_eq!(first.call(&[id::RESPONSE, pair(last, ECHO)]), IN_RELAY);
    first.expect_error(code::ABORTED);
    assert_eq!(first.call(&[id::RESPONSE, pair(RELAY, 0)]), Place::Normal);
    assert_eq!(first.normal(&[id::REQUEST, pair(0, last)]), Place::Partition((last, 0)));
}

/// On the second PE `relay` works for `echo`, stops there, and `echo` is aborted.
fn orphan(stop: fn(&mut Pe) -> Place) -> (Pe, Pe) {
    let (mut first, mut second) = both_at_work();
    second.call(&[id::REQUEST, pair(ECHO, RELAY)]);
    assert_eq!(stop(&mut second), Place::Partition((ECHO, 1)));
    first.call(&[id::RESPONSE, pair(ECHO, 0)]);
    first.refused(&[id::RUN, pair(RELAY, 0)], code::DENIED);
    first.normal(&[id::REQUEST, pair(0, ECHO)]);
    first.fault();
    second.call(&[0x8400_0069]);
    second.expect_aborted();
    (first, second)
}

const STOPS: [fn(&mut Pe) -> Place; 2] = [Pe::interrupt, |pe| pe.call(&[id::YIELD, 0, 3])];

#[test]
fn an_orphan_is_run_to_its_end_by_the_normal_world() {
    for stop in STOPS {
        let (mut first, mut second) = orphan(stop);
        first.refused(&[id::REQUEST, pair(0, RELAY)], code::BUSY);
        assert_eq!(second.normal(&[id::RUN, pair(RELAY, 0)]), IN_RELAY);
        for other in [0, 0x8000, 0x8003] {
            second.refused(&[id::RESPONSE, pair(RELAY, other)], code::DENIED);
        }
        // It has noticed nothing; its answer goes nowhere.
        assert_eq!(second.call(&[id::RESPONSE, pair(RELAY, ECHO), 0, 0x5EC2_0E77]), Place::Normal);
        assert_eq!(second.low(), [id::MSG_WAIT, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(first.normal(&[id::REQUEST, pair(0, RELAY)]), IN_RELAY);
    }
}

#[test]
fn an_orphan_is_run_again_after_each_stop() {
    for stop in STOPS {
        let (mut first, mut second) = orphan(stop);
        for (again, code) in STOPS.into_iter().zip([id::INTERRUPT, id::YIELD]) {
            assert_eq!(first.normal(&[id::RUN, pair(RELAY, 0)]), IN_RELAY, "on any PE");
            assert_eq!(again(&mut first), Place::Normal);
            assert_eq!(first.low()[..2], [code, pair(RELAY, 0)]);
            second.refused(&[id::REQUEST, pair(0, RELAY)], code::BUSY);
        }
    }
}

#[test]
fn an_orphan_that_fails_is_told_to_who_ran_it() {
    let (_, mut second) = orphan(Pe::interrupt);
    second.normal(&[id::RUN, pair(RELAY, 0)]);
    assert_eq!(second.fault(), Place::Normal);
    second.expect_aborted();
}

#[test]
fn an_orphan_keeps_those_that_work_for_it() {
    let mut sources = Sources::new();
    let single = sources.relay.clone();
    let last = sources.add("last", single);
    let world = World::of(&sources);
    let (mut first, mut second) = (world.booted_pe(0), world.booted_pe(1));
    second.normal(&[id::REQUEST, pair(0, ECHO)]);
    second.call(&[id::REQUEST, pair(ECHO, RELAY)]);
    second.call(&[id::REQUEST, pair(RELAY, last)]);
    second.interrupt();
    assert_eq!(second.interrupt(), Place::Partition((ECHO, 1)));
    first.normal(&[id::REQUEST, pair(0, ECHO)]);
    first.fault();
    second.interrupt();
    second.expect_aborted();
    second.refused(&[id::RUN, pair(last, 0)], code::DENIED);
    assert_eq!(second.normal(&[id::RUN, pair(RELAY, 0)]), IN_RELAY);
    assert_eq!(second.low()[..2], [id::INTERRUPT, pair(last, 0)]);
    assert_eq!(second.call(&[id::RUN, pair(last, 0)]), Place::Partition((last, 0)));
    assert_eq!(second.call(&[id::RESPONSE, pair(last, RELAY)]), IN_RELAY);
    assert_eq!(second.call(&[id::RESPONSE, pair(RELAY, ECHO)]), Place::Normal);
    assert_eq!(second.low()[0], id::MSG_WAIT);
}

#[test]
fn an_abort_of_one_partition_leaves_the_others_alone() {
    let (mut first, mut second) = both_at_work();
    first.fault();
    second.interrupt();
    for pe in [&mut first, &mut second] {
        assert_eq!(pe.normal(&[id::REQUEST, pair(0, RELAY)]), IN_RELAY);
        pe.refused(&[id::REQUEST, pair(RELAY, ECHO)], code::ABORTED);
        pe.refused(&[id::REQUEST2, pair(RELAY, ECHO)], code::ABORTED);
        assert_eq!(pe.call(&[id::RESPONSE, pair(RELAY, 0)]), Place::Normal);
    }
}

#[test]
fn an_abort_during_the_boot_of_another_pe_skips_the_partition_there() {
    let world = World::new();
    let mut first = world.booted_pe(0);
    first.normal(&[id::REQUEST, pair(0, ECHO)]);
    let mut second = world.pe(1);
    assert_eq!(second.turn_on(), Place::Partition((ECHO, 1)));
    first.fault();
    assert_eq!(second.call(&[id::MSG_WAIT]), Place::Normal, "it has not started; nobody else is to");
    assert_eq!(second.low()[0], id::MSG_WAIT, "the SPMD learns that the PE is ready");
    let mut third = world.pe(2);
    assert_eq!(third.turn_on(), Place::Normal);
    assert!(!third.machine.holds_normal);
    assert_eq!(second.normal(&[id::REQUEST, pair(0, RELAY)]), IN_RELAY);
    assert_ne!(first.place(), IN_ECHO);
}

//! A secure interrupt whose owner is blocked in the chain: it goes on, and then runs whom that displaced.

use manager::exit::Lines;
use scenarios::{ECHO, Pe, Place, RELAY, Sources, World, code, id, pair};

use super::direct::{IN_ECHO, IN_RELAY};
use super::interrupts::{IN_THIRD, OTHERS, OWN, THIRD, booted, comes, expect_handled, with_devices};

/// A fourth partition.
const BYSTANDER: u64 = 0x8004;

#[test]
fn an_owner_blocked_in_the_chain_learns_whom_it_took_the_pe_from() {
    let mut pe = booted();
    pe.normal(&[id::REQUEST, pair(0, RELAY)]);
    pe.call(&[id::REQUEST, pair(RELAY, ECHO)]);
    pe.frame.x = core::array::from_fn(|register| 500 + register as u64);
    let own = pe.frame.x;
    assert_eq!(comes(&mut pe, OWN), IN_RELAY);
    assert_eq!(pe.low(), [id::INTERRUPT, pair(ECHO, 0), 0, 0, 0, 0, 0, 0]);
    pe.refused(&[id::RUN, pair(ECHO, 0)], code::DENIED);
    pe.handle(OWN.into());
    assert_eq!(pe.call(&[id::RUN, pair(ECHO, 0)]), IN_ECHO);
    assert_eq!(pe.frame.x, own);
    expect_handled(&pe);
    assert_eq!(pe.call(&[id::RESPONSE, pair(ECHO, RELAY)]), IN_RELAY);
    assert_eq!(pe.call(&[id::RESPONSE, pair(RELAY, 0)]), Place::Normal);
}

#[test]
fn an_owner_that_was_blocked_runs_whom_it_displaced_and_nobody_else() {
    let mut pe = booted();
    pe.normal(&[id::REQUEST, pair(0, RELAY)]);
    pe.call(&[id::REQUEST, pair(RELAY, ECHO)]);
    comes(&mut pe, OWN);
    assert!(pe.machine.holds_normal);
    pe.handle(OWN.into());
    assert!(pe.machine.active().is_empty(), "whoever does not resume the other keeps no interrupt active");
    assert_eq!(pe.interrupt(), IN_RELAY, "one that has gone away changes nothing");
    for call in
        [[id::RESPONSE, pair(RELAY, 0)], [id::YIELD, 0], [id::MSG_WAIT, 0], [id::REQUEST, pair(RELAY, THIRD)]]
    {
        pe.refused(&call, code::DENIED);
    }
    pe.refused(&[id::RUN, pair(THIRD, 0)], code::DENIED);
    assert_eq!(pe.call(&[id::RUN, pair(ECHO, 0)]), IN_ECHO);
    assert!(!pe.machine.holds_normal);
    assert_eq!(pe.interrupt(), IN_RELAY);
    assert_eq!(pe.interrupt(), Place::Normal, "and the chain unwinds as ever");
}

#[test]
fn an_owner_that_was_blocked_and_fails_ends_with_its_chain() {
    let mut pe = booted();
    pe.normal(&[id::REQUEST, pair(0, RELAY)]);
    pe.call(&[id::REQUEST, pair(RELAY, ECHO)]);
    comes(&mut pe, OWN);
    assert_eq!(pe.fault(), Place::Normal);
    pe.expect_aborted();
    assert!(!pe.machine.holds_normal && pe.machine.active().is_empty());
    assert_eq!(pe.normal(&[id::RUN, pair(ECHO, 0)]), IN_ECHO, "the Normal world runs whom it displaced");
    expect_run_to_its_end(&mut pe);
}

/// The scheduler ran `echo`, whose caller `relay` has ended: it goes on like any context that the scheduler runs.
fn expect_run_to_its_end(pe: &mut Pe) {
    assert_eq!(pe.interrupt(), Place::Normal);
    assert_eq!(pe.low()[..2], [id::INTERRUPT, pair(ECHO, 0)]);
    assert_eq!(pe.normal(&[id::RUN, pair(ECHO, 0)]), IN_ECHO);
    assert_eq!(pe.call(&[id::YIELD]), Place::Normal);
    assert_eq!(pe.low()[..2], [id::YIELD, pair(ECHO, 0)]);
    assert_eq!(pe.normal(&[id::RUN, pair(ECHO, 0)]), IN_ECHO);
    assert_eq!(pe.call(&[id::RESPONSE, pair(ECHO, RELAY)]), Place::Normal);
    assert_eq!(pe.low(), [id::MSG_WAIT, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(pe.normal(&[id::REQUEST, pair(0, ECHO)]), IN_ECHO, "and can be asked again");
}

#[test]
fn a_chain_whose_upper_end_fails_is_run_to_its_end() {
    let mut pe = booted();
    pe.normal(&[id::REQUEST, pair(0, RELAY)]);
    pe.call(&[id::REQUEST, pair(RELAY, ECHO)]);
    pe.call(&[id::REQUEST, pair(ECHO, THIRD)]);
    assert_eq!(comes(&mut pe, OWN), IN_RELAY);
    assert_eq!(pe.fault(), Place::Normal);
    pe.expect_aborted();
    assert_eq!(pe.normal(&[id::RUN, pair(THIRD, 0)]), IN_THIRD);
    assert_eq!(pe.call(&[id::RESPONSE, pair(THIRD, ECHO)]), IN_ECHO);
    expect_run_to_its_end(&mut pe);
}

#[test]
fn one_that_is_blocked_in_a_chain_left_behind_takes_the_pe_from_nobody() {
    let mut sources = with_devices();
    assert_eq!(sources.add("bystander", Sources::new().relay), BYSTANDER);
    let mut pe = World::of(&sources).booted_pe(0);
    pe.normal(&[id::REQUEST, pair(0, RELAY)]);
    pe.call(&[id::REQUEST, pair(RELAY, THIRD)]);
    pe.call(&[id::REQUEST, pair(THIRD, ECHO)]);
    assert_eq!(comes(&mut pe, OWN), IN_RELAY);
    assert_eq!(pe.fault(), Place::Normal);
    let in_bystander = pe.normal(&[id::REQUEST, pair(0, BYSTANDER)]);
    assert_eq!(comes(&mut pe, OTHERS), in_bystander, "its owner is blocked, and nobody here works for it");
    assert_eq!(pe.call(&[id::RESPONSE, pair(BYSTANDER, 0)]), Place::Normal);
    assert_eq!(pe.normal(&[id::RUN, pair(ECHO, 0)]), IN_ECHO);
    assert_eq!(pe.call(&[id::RESPONSE, pair(ECHO, THIRD)]), IN_THIRD);
    assert_eq!(pe.lines(), Lines::IRQ);
    pe.handle(OTHERS.into());
    assert_eq!(pe.fault(), Place::Normal);
    pe.expect_aborted();
    expect_handled(&pe);
}

#[test]
fn an_owner_blocked_higher_up_bypasses_those_between() {
    let mut pe = booted();
    pe.normal(&[id::REQUEST, pair(0, RELAY)]);
    pe.call(&[id::REQUEST, pair(RELAY, ECHO)]);
    assert_eq!(pe.call(&[id::REQUEST, pair(ECHO, THIRD)]), IN_THIRD);
    assert_eq!(comes(&mut pe, OWN), IN_RELAY);
    assert_eq!(pe.low()[..3], [id::INTERRUPT, pair(THIRD, 0), 0]);
    pe.handle(OWN.into());
    // The one between is still blocked.
    pe.refused(&[id::RUN, pair(ECHO, 0)], code::DENIED);
    assert_eq!(pe.call(&[id::RUN, pair(THIRD, 0)]), IN_THIRD);
    expect_handled(&pe);
    assert_eq!(pe.call(&[id::RESPONSE, pair(THIRD, ECHO)]), IN_ECHO);
    assert_eq!(pe.call(&[id::RESPONSE, pair(ECHO, RELAY)]), IN_RELAY);
    assert_eq!(pe.call(&[id::RESPONSE, pair(RELAY, 0)]), Place::Normal);
}

#[test]
fn a_chain_that_queues_still_does_after_its_own_interrupt() {
    let mut sources = with_devices();
    Sources::set(&mut sources.relay, "ns-interrupts-action", "<0>");
    let mut queueing = World::of(&sources).booted_pe(0);
    queueing.normal(&[id::REQUEST, pair(0, RELAY)]);
    // EL3's chain is of the same kind.
    let mut logical = booted();
    logical.normal(&[id::REQUEST, pair(0xFFC0, RELAY)]);
    for mut pe in [queueing, logical] {
        pe.call(&[id::REQUEST, pair(RELAY, ECHO)]);
        assert_eq!(comes(&mut pe, OWN), IN_RELAY);
        pe.handle(OWN.into());
        assert_eq!(pe.call(&[id::RUN, pair(ECHO, 0)]), IN_ECHO);
        assert!(pe.machine.holds_normal, "whoever wants that is still in the chain");
        pe.call(&[id::RESPONSE, pair(ECHO, RELAY)]);
        assert!(pe.machine.holds_normal);
    }
}

#[test]
fn whoever_owes_a_run_to_one_that_was_aborted_owes_nothing() {
    let world = World::of(&with_devices());
    let (mut first, mut second) = (world.booted_pe(0), world.booted_pe(1));
    first.normal(&[id::REQUEST, pair(0, RELAY)]);
    first.call(&[id::REQUEST, pair(RELAY, ECHO)]);
    comes(&mut first, OWN);
    second.normal(&[id::REQUEST, pair(0, ECHO)]);
    second.fault();
    first.handle(OWN.into());
    first.refused(&[id::RUN, pair(ECHO, 0)], code::ABORTED);
    assert!(!first.machine.holds_normal);
    assert_eq!(first.call(&[id::RESPONSE, pair(RELAY, 0)]), Place::Normal);
}

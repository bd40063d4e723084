//! Secure interrupts that a partition owns: it handles them in a runtime model of its own, and who lost the PE goes on.

use manager::exit::Lines;
use scenarios::{ECHO, Pe, Place, RELAY, Sources, World, code, id, pair};

use super::direct::{IN_ECHO, IN_RELAY};

/// The interrupt of `relay`'s device, and that of the device of the third partition.
pub const OWN: u32 = 40;
pub const OTHERS: u32 = 41;
/// The third partition.
pub const THIRD: u64 = 0x8003;
pub const IN_THIRD: Place = Place::Partition((THIRD, 0));

/// Manifests in which `relay` and a third partition with one context have a device with an interrupt each.
pub fn with_devices() -> Sources {
    let mut sources = Sources::new();
    let mut third = sources.relay.clone();
    Sources::add_device(&mut sources.relay, 0, OWN);
    Sources::add_device(&mut third, 1, OTHERS);
    assert_eq!(sources.add("third", third), THIRD);
    sources
}

pub fn booted() -> Pe {
    World::of(&with_devices()).booted_pe(0)
}

/// The interrupt comes, wherever the PE is.
pub fn comes(pe: &mut Pe, interrupt: u32) -> Place {
    pe.machine.pending.push_back(interrupt);
    pe.come()
}

/// `echo` works for the Normal world, and has values in all registers.
fn echo_at_work(pe: &mut Pe) -> [u64; 18] {
    assert_eq!(pe.normal(&[id::REQUEST, pair(0, ECHO)]), IN_ECHO);
    pe.frame.x = core::array::from_fn(|register| 500 + register as u64);
    pe.frame.x
}

#[track_caller]
pub fn expect_handled(pe: &Pe) {
    assert!(pe.machine.active().is_empty() && pe.machine.masked().is_empty());
}

#[test]
fn a_waiting_owner_handles_what_came_in_the_normal_world() {
    let mut pe = booted();
    assert_eq!(comes(&mut pe, OWN), IN_RELAY);
    assert_eq!(pe.low(), [id::INTERRUPT, 0, OWN.into(), 0, 0, 0, 0, 0]);
    assert!(pe.machine.holds_normal, "in SPMC-scheduled mode");
    assert_eq!((pe.machine.active(), pe.lines()), (vec![OWN], Lines::IRQ));
    pe.handle(OWN.into());
    assert_eq!((pe.machine.active(), pe.lines()), (vec![], Lines::empty()));
    assert_eq!(pe.call(&[id::MSG_WAIT]), Place::Normal);
    assert_eq!(pe.low(), [id::NORMAL_WORLD_RESUME, 0, 0, 0, 0, 0, 0, 0]);
    assert!(!pe.machine.holds_normal);
    expect_handled(&pe);
    assert_eq!(pe.normal(&[id::REQUEST, pair(0, RELAY)]), IN_RELAY, "it waits again");
}

#[test]
fn a_waiting_owner_handles_what_came_in_another_partition() {
    let mut pe = booted();
    let own = echo_at_work(&mut pe);
    assert_eq!(comes(&mut pe, OWN), IN_RELAY);
    assert_eq!(pe.low(), [id::INTERRUPT, 0, OWN.into(), 0, 0, 0, 0, 0]);
    assert!(pe.machine.holds_normal);
    pe.handle(OWN.into());
    assert_eq!(pe.call(&[id::MSG_WAIT]), IN_ECHO);
    assert_eq!(pe.frame.x, own, "it goes on as if nothing had happened");
    assert!(!pe.machine.holds_normal);
    expect_handled(&pe);
    // By the model that it had.
    pe.refused(&[id::MSG_WAIT], code::DENIED);
    assert_eq!(pe.call(&[id::RESPONSE, pair(ECHO, 0)]), Place::Normal);
}

#[test]
fn the_handler_may_run_whom_it_preempted() {
    let mut pe = booted();
    let own = echo_at_work(&mut pe);
    comes(&mut pe, OWN);
    // Nobody else: not one that waits, nor one on behalf of which nobody works here.
    pe.refused(&[id::RUN, pair(THIRD, 0)], code::DENIED);
    pe.refused(&[id::RUN, pair(ECHO, 1)], code::INVALID);
    pe.refused(&[id::RUN, pair(RELAY, 0)], code::INVALID);
    pe.refused(&[id::RUN, pair(ECHO, 0)], code::DENIED);
    assert_eq!(pe.take(), Some(OWN.into()), "first it takes its interrupt");
    assert_eq!(pe.call(&[id::RUN, pair(ECHO, 0)]), IN_ECHO);
    assert_eq!(pe.frame.x, own);
    assert!(!pe.machine.holds_normal);
    expect_handled(&pe);
    assert_eq!(pe.call(&[id::REQUEST, pair(ECHO, RELAY)]), IN_RELAY, "the handler waits");
}

#[test]
fn a_yield_while_an_interrupt_is_handled_completes_at_once() {
    let mut pe = booted();
    echo_at_work(&mut pe);
    comes(&mut pe, OWN);
    assert_eq!(pe.done(&[id::YIELD, 0, 5, 6]), [id::SUCCESS, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(pe.machine.active(), [OWN], "it is not handled by that");
    pe.handle(OWN.into());
    assert_eq!(pe.call(&[id::MSG_WAIT]), IN_ECHO);
}

#[test]
fn a_handler_answers_nobody() {
    let mut pe = booted();
    echo_at_work(&mut pe);
    comes(&mut pe, OWN);
    for response in [id::RESPONSE, 0xC400_0070, id::RESPONSE2] {
        for to in [0, ECHO] {
            pe.refused(&[response, pair(RELAY, to)], code::DENIED);
        }
    }
}

#[test]
fn a_handler_may_ask_others() {
    let mut pe = booted();
    let own = echo_at_work(&mut pe);
    comes(&mut pe, OWN);
    pe.refused(&[id::REQUEST, pair(RELAY, ECHO)], code::BUSY);
    assert_eq!(pe.call(&[id::REQUEST, pair(RELAY, THIRD)]), IN_THIRD);
    assert!(pe.machine.holds_normal, "for the whole chain");
    pe.refused(&[id::REQUEST, pair(THIRD, RELAY)], code::DENIED);
    // It is not the one for whose interrupt `echo` lost the PE.
    pe.refused(&[id::RUN, pair(ECHO, 0)], code::DENIED);
    assert_eq!(pe.call(&[id::RESPONSE, pair(THIRD, RELAY)]), IN_RELAY);
    pe.handle(OWN.into());
    assert_eq!(pe.call(&[id::MSG_WAIT]), IN_ECHO);
    assert_eq!(pe.frame.x, own);
    expect_handled(&pe);
}

#[test]
fn one_interrupt_at_a_time_is_handled_on_a_pe() {
    let mut pe = booted();
    let own = echo_at_work(&mut pe);
    comes(&mut pe, OWN);
    pe.frame.x[3] = 333;
    assert_eq!(comes(&mut pe, OTHERS), IN_RELAY);
    assert_eq!(pe.frame.x[3], 333, "the handler goes on");
    assert_eq!(pe.machine.active(), [OWN, OTHERS]);
    pe.handle(OWN.into());
    // Then the other one, and whom the first took the PE from still waits.
    assert_eq!(pe.call(&[id::MSG_WAIT]), IN_THIRD);
    assert_eq!(pe.low(), [id::INTERRUPT, 0, OTHERS.into(), 0, 0, 0, 0, 0]);
    assert!(pe.machine.holds_normal);
    pe.refused(&[id::RUN, pair(ECHO, 0)], code::DENIED);
    pe.handle(OTHERS.into());
    assert_eq!(pe.call(&[id::MSG_WAIT]), IN_ECHO);
    assert_eq!(pe.frame.x, own);
    assert!(!pe.machine.holds_normal);
    expect_handled(&pe);
}

#[test]
fn an_owner_that_cannot_take_its_interrupt_now_takes_it_later() {
    let world = World::of(&with_devices());
    let (mut first, mut second) = (world.booted_pe(0), world.booted_pe(1));
    first.normal(&[id::REQUEST, pair(0, RELAY)]);
    // It runs on another PE, it yielded, it was preempted.
    let stops: [fn(&mut Pe) -> Place; 3] = [|pe| pe.place(), |pe| pe.call(&[id::YIELD]), Pe::interrupt];
    for stop in stops {
        stop(&mut first);
        assert_eq!(comes(&mut second, OWN), Place::Normal);
        assert_eq!(second.low()[0], id::NORMAL_WORLD_RESUME);
        assert!(second.machine.active() == [OWN] && second.machine.masked().is_empty());
        if first.place() == Place::Normal {
            first.normal(&[id::RUN, pair(RELAY, 0)]);
        } else {
            assert!(first.take_kick(), "it comes back to see it");
            assert_eq!(first.place(), IN_RELAY);
        }
        assert_eq!(first.lines(), Lines::IRQ);
        first.handle(OWN.into());
        expect_handled(&first);
    }
}

#[test]
fn an_interrupt_whose_owner_cannot_take_it_ever_is_masked() {
    let mut pe = World::of(&with_devices()).pe(0);
    // Its owner has not started; it has nobody; its owner has ended.
    assert_eq!(pe.turn_on(), IN_ECHO);
    assert_eq!(comes(&mut pe, OWN), IN_ECHO);
    assert_eq!(comes(&mut pe, 99), IN_ECHO);
    pe.call(&[id::MSG_WAIT]);
    assert_eq!(pe.fault(), IN_THIRD);
    assert_eq!(comes(&mut pe, OWN), IN_THIRD);
    assert!(pe.machine.active().is_empty() && pe.machine.masked() == [OWN, 99, OWN]);
}

#[test]
fn an_interrupt_that_is_not_enabled_takes_the_pe_from_nobody() {
    let mut pe = World::of(&with_devices()).pe(0);
    let mut place = pe.turn_on();
    while let Place::Partition(_) = place {
        place = pe.call(&[id::MSG_WAIT]);
    }
    assert_eq!(comes(&mut pe, OWN), Place::Normal);
    assert_eq!(pe.low()[0], id::NORMAL_WORLD_RESUME);
    assert_eq!((pe.machine.active(), pe.machine.masked()), (vec![OWN], vec![]));
    // It is not lost: its owner gets it when it lets it through.
    pe.normal(&[id::REQUEST, pair(0, RELAY)]);
    assert_eq!((pe.lines(), pe.take()), (Lines::empty(), None));
    pe.enable_devices();
    assert_eq!(pe.lines(), Lines::IRQ);
    pe.handle(OWN.into());
    expect_handled(&pe);
}

#[test]
fn a_handler_that_completes_has_handled_its_interrupt_whether_it_said_so_or_not() {
    for end in [[id::MSG_WAIT, 0], [id::RUN, pair(ECHO, 0)]] {
        let mut pe = booted();
        echo_at_work(&mut pe);
        comes(&mut pe, OWN);
        assert_eq!(pe.take(), Some(OWN.into()));
        assert_eq!(pe.machine.active(), [OWN]);
        assert_eq!(pe.call(&end), IN_ECHO);
        expect_handled(&pe);
    }
    let mut pe = booted();
    pe.normal(&[id::REQUEST, pair(0, RELAY)]);
    comes(&mut pe, OWN);
    assert_eq!(pe.take(), Some(OWN.into()));
    assert_eq!(pe.call(&[id::RESPONSE, pair(RELAY, 0)]), Place::Normal);
    expect_handled(&pe);
}

#[test]
fn a_handler_that_has_not_taken_its_interrupt_does_not_wait() {
    let mut pe = booted();
    let own = echo_at_work(&mut pe);
    comes(&mut pe, OWN);
    for _ in 0..2 {
        assert_eq!(pe.call(&[id::MSG_WAIT]), IN_RELAY);
        assert_eq!(pe.low(), [id::INTERRUPT, 0, OWN.into(), 0, 0, 0, 0, 0], "it has not happened");
        assert!(pe.machine.holds_normal && pe.machine.active() == [OWN]);
    }
    pe.handle(OWN.into());
    assert_eq!(pe.call(&[id::MSG_WAIT]), IN_ECHO);
    assert_eq!(pe.frame.x, own);
}

#[test]
fn a_handler_is_busy_for_others() {
    let world = World::of(&with_devices());
    let (mut first, mut second) = (world.booted_pe(0), world.booted_pe(1));
    comes(&mut first, OWN);
    second.refused(&[id::REQUEST, pair(0, RELAY)], code::BUSY);
    second.refused(&[id::RUN, pair(RELAY, 0)], code::BUSY);
}

#[test]
fn whom_an_interrupt_took_the_pe_from_is_nobody_elses() {
    let world = World::of(&with_devices());
    let (mut first, mut second) = (world.booted_pe(0), world.booted_pe(1));
    first.normal(&[id::REQUEST, pair(0, THIRD)]);
    assert_eq!(comes(&mut first, OWN), IN_RELAY);
    second.refused(&[id::REQUEST, pair(0, THIRD)], code::BUSY);
    assert_eq!(second.normal(&[id::RUN, pair(THIRD, 0)]), Place::Normal);
    assert_eq!(second.low()[0], id::ERROR);
    first.handle(OWN.into());
    assert_eq!(first.call(&[id::MSG_WAIT]), IN_THIRD);
}

#[test]
fn a_handler_that_is_aborted_has_handled_its_interrupt() {
    let mut pe = booted();
    let own = echo_at_work(&mut pe);
    comes(&mut pe, OWN);
    assert_eq!(pe.fault(), IN_ECHO);
    assert_eq!(pe.frame.x, own);
    assert!(pe.machine.active().is_empty() && !pe.machine.holds_normal);

    let mut pe = booted();
    comes(&mut pe, OWN);
    assert_eq!(pe.fault(), Place::Normal);
    assert_eq!(pe.low(), [id::NORMAL_WORLD_RESUME, 0, 0, 0, 0, 0, 0, 0]);
    assert!(pe.machine.active().is_empty() && !pe.machine.holds_normal);
    assert_eq!(comes(&mut pe, OWN), Place::Normal);
    assert_eq!(pe.machine.masked(), [OWN], "nobody owns it any more");
}

#[test]
fn who_was_aborted_meanwhile_does_not_go_on() {
    let world = World::of(&with_devices());
    let (mut first, mut second) = (world.booted_pe(0), world.booted_pe(1));
    echo_at_work(&mut first);
    comes(&mut first, OWN);
    second.normal(&[id::REQUEST, pair(0, ECHO)]);
    second.fault();
    first.handle(OWN.into());
    first.call(&[id::MSG_WAIT]);
    first.expect_aborted();
    assert!(first.machine.active().is_empty() && !first.machine.holds_normal);
}

#[test]
fn an_interrupt_is_handled_while_another_partition_initialises() {
    let mut pe = World::of(&with_devices()).pe(0);
    pe.turn_on();
    pe.call(&[id::MSG_WAIT]);
    pe.enable_devices();
    assert_eq!(pe.call(&[id::MSG_WAIT]), IN_THIRD);
    assert_eq!(comes(&mut pe, OWN), IN_RELAY);
    pe.handle(OWN.into());
    assert_eq!(pe.call(&[id::MSG_WAIT]), IN_THIRD);
    assert!(pe.machine.holds_normal, "the boot goes on");
    pe.refused(&[id::YIELD], code::DENIED);
    assert_eq!(pe.call(&[id::MSG_WAIT]), Place::Normal);
    assert!(!pe.machine.holds_normal);
    expect_handled(&pe);
}

#[test]
fn a_hold_outlives_an_interrupt_that_is_handled_meanwhile() {
    let mut sources = with_devices();
    Sources::set(&mut sources.echo, "ns-interrupts-action", "<0>");
    let mut pe = World::of(&sources).booted_pe(0);
    echo_at_work(&mut pe);
    for resume in [[id::MSG_WAIT, 0], [id::RUN, pair(ECHO, 0)]] {
        comes(&mut pe, OWN);
        assert!(pe.machine.holds_normal);
        pe.handle(OWN.into());
        assert_eq!(pe.call(&resume), IN_ECHO);
        assert!(pe.machine.holds_normal);
    }
    pe.call(&[id::RESPONSE, pair(ECHO, 0)]);
    assert!(!pe.machine.holds_normal);
}

#[test]
fn a_handler_runs_on_the_pe_of_its_interrupt() {
    let world = World::of(&with_devices());
    let (mut first, mut second) = (world.booted_pe(0), world.booted_pe(1));
    first.normal(&[id::REQUEST, pair(0, RELAY)]);
    first.call(&[id::RESPONSE, pair(RELAY, 0)]);
    for pe in [&mut second, &mut first] {
        assert_eq!(comes(pe, OWN), IN_RELAY, "without a call from the Normal world");
        pe.handle(OWN.into());
        assert_eq!(pe.call(&[id::MSG_WAIT]), Place::Normal);
    }
}

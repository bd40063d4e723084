//! WFI of a partition whose manifest says `wfi-yields`: whoever it works for gets the PE, with the time to its deadline.

use manager::exit::{Lines, TimerRegister};
use scenarios::notifications::{SENT, bind, set};
use scenarios::{ECHO, Pe, Place, RELAY, Sources, V1_2, World, code, hypercall, id, pair};

use super::direct::{IN_ECHO, IN_RELAY};
use super::interrupts::{OTHERS, OWN, booted, comes, expect_handled, with_devices};

const TIMER: u64 = 3;
const NPI: u64 = 5;

/// The ways by which the Normal world has `relay` run, and how that ends.
const WAYS: [([u64; 2], [u64; 2]); 3] = [
    ([id::RUN, pair(RELAY, 0)], [id::MSG_WAIT, 0]),
    ([id::REQUEST, pair(0, RELAY)], [id::RESPONSE, pair(RELAY, 0)]),
    ([id::REQUEST2, pair(0, RELAY)], [id::RESPONSE2, pair(RELAY, 0)]),
];

/// `relay` lets its timer's interrupt through.
fn enable_timer(pe: &mut Pe) {
    assert_eq!(pe.hypercall(&[hypercall::ENABLE, TIMER, 1, 0]), 0);
}

/// The partition on the PE idles, and its requester gets this timeout.
#[track_caller]
fn idles(pe: &mut Pe, to: Place, timeout: u64) {
    let Place::Partition((partition, vcpu)) = pe.place() else { panic!("no partition is on the PE") };
    assert_eq!(pe.idle(), to);
    let [low, high] = [timeout & 0xFFFF_FFFF, timeout >> 32];
    assert_eq!(pe.low(), [id::YIELD, pair(partition, vcpu), low, high, 0, 0, 0, 0]);
}

#[test]
fn wfi_without_a_deadline_yields_without_a_time() {
    for (start, end) in WAYS {
        let mut pe = booted();
        pe.normal(&start);
        pe.frame.x = core::array::from_fn(|register| 500 + register as u64);
        let own = pe.frame.x;
        for _ in 0..2 {
            idles(&mut pe, Place::Normal, 0);
            assert!(!pe.machine.holds_normal);
            pe.refused(&[id::REQUEST, pair(0, RELAY)], code::BUSY);
            assert_eq!(pe.normal(&[id::RUN, pair(RELAY, 0)]), IN_RELAY);
            assert_eq!(pe.frame.x, own, "it goes on behind the instruction");
        }
        assert_eq!(pe.call(&end), Place::Normal);
        assert_eq!(pe.low()[0], end[0]);
    }
}

#[test]
fn wfi_yields_with_the_time_to_the_deadline() {
    let mut pe = booted();
    pe.normal(&[id::RUN, pair(RELAY, 0)]);
    enable_timer(&mut pe);
    pe.machine.set_count(1000);
    // A count of the fake machine is a nanosecond. The longest is what fits a signed number of them.
    let longest = i64::MAX as u64;
    for (deadline, timeout) in [
        (1001, 1),
        (6000, 5000),
        (1000 + (7 << 32), 7 << 32),
        (1000 + longest, longest),
        (u64::MAX - 1, longest),
    ] {
        pe.set_timer(deadline);
        idles(&mut pe, Place::Normal, timeout);
        assert_eq!(pe.machine.deadline, deadline, "and the promise is kept");
        pe.normal(&[id::RUN, pair(RELAY, 0)]);
    }
    // A timer that is masked or off is none.
    for control in [0b11, 0b00] {
        pe.write_timer(TimerRegister::Control, control);
        idles(&mut pe, Place::Normal, 0);
        pe.normal(&[id::RUN, pair(RELAY, 0)]);
    }
}

#[test]
fn wfi_with_an_interrupt_pending_waits_for_nothing() {
    let mut pe = booted();
    pe.normal(&[id::RUN, pair(RELAY, 0)]);
    comes(&mut pe, OWN);
    pe.frame.x[4] = 44;
    assert_eq!(pe.idle(), IN_RELAY);
    assert_eq!((pe.frame.x[4], pe.lines()), (44, Lines::IRQ));
    assert_eq!(pe.take(), Some(OWN.into()));
    // Taken it is not pending; one that is held back does not wake it.
    enable_timer(&mut pe);
    pe.set_timer(0);
    assert_eq!(pe.idle(), IN_RELAY);
    assert_eq!(pe.hypercall(&[hypercall::ENABLE, TIMER, 0, 0]), 0);
    idles(&mut pe, Place::Normal, 0);
}

#[test]
fn an_idle_partition_is_told_of_when_its_interrupt_comes() {
    for (start, end) in WAYS {
        let mut pe = booted();
        pe.normal(&start);
        enable_timer(&mut pe);
        pe.set_timer(100);
        idles(&mut pe, Place::Normal, 100);
        assert_eq!((pe.machine.take_raised(), pe.told()), (vec![], vec![]));
        assert_eq!(pe.advance(100), Place::Normal, "the scheduler runs it, not the SPMC");
        assert_eq!(pe.low()[0], id::NORMAL_WORLD_RESUME);
        assert_eq!((pe.machine.take_raised(), pe.told()), (vec![0], vec![vec![RELAY, 0]]));
        // A device's, too.
        comes(&mut pe, OWN);
        assert_eq!((pe.machine.take_raised(), pe.told()), (vec![0], vec![vec![RELAY, 0]]));
        assert_eq!(pe.normal(&[id::RUN, pair(RELAY, 0)]), IN_RELAY);
        assert_eq!(pe.lines(), Lines::IRQ);
        assert_eq!(pe.take(), Some(TIMER));
        pe.write_timer(TimerRegister::Control, 0);
        pe.handle(OWN.into());
        assert_eq!(pe.call(&end), Place::Normal);
        expect_handled(&pe);
    }
}

#[test]
fn an_interrupt_that_comes_while_an_idle_partition_is_saved_is_told() {
    let world = World::of(&with_devices());
    let (mut first, mut second) = (world.booted_pe(0), world.booted_pe(1));
    second.normal(&[id::RUN, pair(RELAY, 0)]);
    second.saves_late = true;
    idles(&mut second, Place::Normal, 0);
    comes(&mut first, OWN);
    first.refused(&[id::RUN, pair(RELAY, 0)], code::BUSY);
    assert_eq!(first.machine.take_raised(), []);
    second.settle();
    assert_eq!((first.machine.take_raised(), first.told()), (vec![1], vec![vec![RELAY, 0]]));
    assert_eq!(first.normal(&[id::RUN, pair(RELAY, 0)]), IN_RELAY);
    assert_eq!(first.lines(), Lines::IRQ);
}

#[test]
fn an_idle_partition_moves_to_the_pe_that_runs_it() {
    let world = World::of(&with_devices());
    let (mut first, mut second) = (world.booted_pe(0), world.booted_pe(1));
    first.normal(&[id::REQUEST, pair(0, RELAY)]);
    enable_timer(&mut first);
    first.set_timer(100);
    first.frame.x[4] = 44;
    idles(&mut first, Place::Normal, 100);
    assert_eq!(second.normal(&[id::RUN, pair(RELAY, 0)]), IN_RELAY);
    assert_eq!((second.frame.x[4], second.machine.deadline), (44, 100));
    assert_eq!(second.advance(100), IN_RELAY);
    assert_eq!(second.lines(), Lines::IRQ);
}

#[test]
fn wfi_in_a_chain_yields_to_the_caller() {
    let mut pe = booted();
    pe.normal(&[id::REQUEST, pair(0, ECHO)]);
    pe.call(&[id::REQUEST, pair(ECHO, RELAY)]);
    enable_timer(&mut pe);
    pe.set_timer(100);
    pe.frame.x[4] = 44;
    idles(&mut pe, IN_ECHO, 100);
    // It is its caller's to run, and the Normal world is not told.
    assert_eq!(pe.advance(100), IN_ECHO);
    assert_eq!(pe.machine.take_raised(), []);
    assert_eq!(pe.call(&[id::RUN, pair(RELAY, 0)]), IN_RELAY);
    assert_eq!((pe.frame.x[4], pe.lines()), (44, Lines::IRQ));
}

#[test]
fn wfi_where_nobody_gave_cycles_keeps_the_pe() {
    // While it initialises.
    let mut pe = World::of(&with_devices()).pe(0);
    pe.turn_on();
    pe.frame.x[4] = 44;
    assert_eq!((pe.idle(), pe.frame.x[4]), (IN_ECHO, 44));
    // While it handles an interrupt.
    let mut pe = booted();
    assert_eq!(comes(&mut pe, OWN), IN_RELAY);
    pe.handle(OWN.into());
    assert_eq!(pe.idle(), IN_RELAY);
    assert!(pe.machine.holds_normal);
    // For a logical partition at EL3, which expects no FFA_YIELD.
    let mut pe = booted();
    assert_eq!(pe.normal(&[id::REQUEST, pair(0xFFC0, RELAY)]), IN_RELAY);
    assert_eq!(pe.idle(), IN_RELAY);
    // When it owes the PE to whom its interrupt displaced.
    let mut pe = booted();
    pe.normal(&[id::REQUEST, pair(0, RELAY)]);
    pe.call(&[id::REQUEST, pair(RELAY, ECHO)]);
    comes(&mut pe, OWN);
    pe.handle(OWN.into());
    assert!(pe.owes());
    assert_eq!(pe.idle(), IN_RELAY);
    assert!(pe.owes());
    assert_eq!(pe.call(&[id::RUN, pair(ECHO, 0)]), IN_ECHO);
}

#[test]
fn an_idle_partition_lets_normal_interrupts_through() {
    let mut sources = Sources::new();
    Sources::set(&mut sources.echo, "ns-interrupts-action", "<0>");
    let mut pe = World::of(&sources).booted_pe(0);
    pe.normal(&[id::REQUEST, pair(0, ECHO)]);
    assert!(pe.machine.holds_normal);
    idles(&mut pe, Place::Normal, 0);
    assert!(!pe.machine.holds_normal);
    pe.normal(&[id::RUN, pair(ECHO, 0)]);
    assert!(pe.machine.holds_normal);
}

#[test]
fn an_idle_partition_gets_its_notifications_when_it_is_run() {
    let mut pe = World::of(&Sources::talking(V1_2)).booted_pe(0);
    pe.normal(&[id::RUN, pair(RELAY, 0)]);
    pe.done(&bind(0, RELAY, 0, 1));
    assert_eq!(pe.hypercall(&[hypercall::ENABLE, NPI, 1, 0]), 0);
    idles(&mut pe, Place::Normal, 0);
    pe.done(&set(0, RELAY, 0, 1));
    assert_eq!((pe.machine.take_raised(), pe.told()), (vec![0], vec![vec![RELAY]]));
    pe.normal(&[id::RUN, pair(RELAY, 0)]);
    pe.handle(NPI);
    assert_eq!(pe.take_notifications(SENT), [0, 1, 0, 0]);
}

#[test]
fn whoever_is_idle_is_displaced_by_nobody() {
    let mut pe = booted();
    pe.normal(&[id::REQUEST, pair(0, RELAY)]);
    idles(&mut pe, Place::Normal, 0);
    assert_eq!(comes(&mut pe, OTHERS), super::interrupts::IN_THIRD);
    pe.refused(&[id::RUN, pair(RELAY, 0)], code::DENIED);
    pe.handle(OTHERS.into());
    assert_eq!(pe.call(&[id::MSG_WAIT]), Place::Normal);
    assert_eq!(pe.normal(&[id::RUN, pair(RELAY, 0)]), IN_RELAY);
}

#[test]
fn an_idle_partition_that_was_aborted_does_not_go_on() {
    let world = World::new();
    let (mut first, mut second) = (world.booted_pe(0), world.booted_pe(1));
    first.normal(&[id::REQUEST, pair(0, ECHO)]);
    second.normal(&[id::REQUEST, pair(0, ECHO)]);
    second.fault();
    assert_eq!(first.idle(), Place::Normal);
    first.expect_aborted();
    let mut pe = World::booted();
    pe.normal(&[id::REQUEST, pair(0, RELAY)]);
    pe.call(&[id::REQUEST, pair(RELAY, ECHO)]);
    idles(&mut pe, IN_RELAY, 0);
    pe.fault();
    pe.expect_aborted();
    // Its caller is gone: the Normal world runs it to its end.
    assert_eq!(pe.normal(&[id::RUN, pair(ECHO, 0)]), IN_ECHO);
    idles(&mut pe, Place::Normal, 0);
    pe.normal(&[id::RUN, pair(ECHO, 0)]);
    assert_eq!(pe.call(&[id::RESPONSE, pair(ECHO, RELAY)]), Place::Normal);
    assert_eq!(pe.low()[0], id::MSG_WAIT);
}

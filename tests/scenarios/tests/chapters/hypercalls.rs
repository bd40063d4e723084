//! Virtual interrupts as a partition handles them: HF_INTERRUPT_ENABLE, GET and DEACTIVATE.

use manager::exit::{Conduit, Lines};
use scenarios::{ECHO, Pe, Place, RELAY, Sources, V1_2, World, code, hypercall, id, pair};

use super::direct::{IN_RELAY, RESPONSE64};
use super::interrupts::{OTHERS, OWN, booted, comes, expect_handled, with_devices};

/// Virtual interrupts that every context has.
const TIMER: u64 = 3;
const MANAGED_EXIT: u64 = 4;
const NPI: u64 = 5;

/// `relay`, with a device, works for the Normal world and has enabled nothing.
fn relay() -> Pe {
    let mut pe = World::of(&with_devices()).pe(0);
    let mut place = pe.turn_on();
    while let Place::Partition(_) = place {
        place = pe.call(&[id::MSG_WAIT]);
    }
    assert_eq!(pe.normal(&[id::REQUEST, pair(0, RELAY)]), IN_RELAY);
    pe
}

fn enable(pe: &mut Pe, interrupt: u64, enable: u64, kind: u64) -> u64 {
    pe.hypercall(&[hypercall::ENABLE, interrupt, enable, kind])
}

fn deactivate(pe: &mut Pe, physical: u64, virt: u64) -> u64 {
    pe.hypercall(&[hypercall::DEACTIVATE, physical, virt])
}

#[test]
fn a_partition_enables_its_own_interrupts() {
    let mut pe = relay();
    for own in [TIMER, MANAGED_EXIT, NPI, OWN.into()] {
        for (on, kind) in [(1, 0), (0, 0), (1, 1), (u64::MAX, 0), (0, 1)] {
            assert_eq!(enable(&mut pe, own, on, kind), 0);
            assert_eq!(pe.low()[1..], [0; 7]);
        }
        for kind in [2, 3, 1 << 32, u64::MAX] {
            assert_eq!(enable(&mut pe, own, 1, kind), hypercall::REFUSED);
        }
    }
    for other in [0, 1, 2, 6, 39, OTHERS.into(), 42, 1019, 1 << 16 | 40, 1 << 32 | 40, u64::MAX] {
        assert_eq!(enable(&mut pe, other, 1, 0), hypercall::REFUSED, "{other}");
        assert_eq!(deactivate(&mut pe, other, other), hypercall::REFUSED);
    }
}

#[test]
fn a_partition_gets_what_is_pending_and_enabled() {
    let mut pe = relay();
    assert_eq!(pe.hypercall(&[hypercall::GET]), hypercall::NONE);
    comes(&mut pe, OWN);
    assert_eq!(pe.hypercall(&[hypercall::GET]), hypercall::NONE, "not what it does not let through");
    assert_eq!(pe.lines(), Lines::empty());
    assert_eq!(enable(&mut pe, OWN.into(), 1, 0), 0);
    assert_eq!(pe.lines(), Lines::IRQ);
    assert_eq!(pe.hypercall(&[hypercall::GET]), OWN.into());
    assert_eq!((pe.low()[1..].to_vec(), pe.lines()), (vec![0; 7], Lines::empty()));
    assert_eq!(pe.hypercall(&[hypercall::GET]), hypercall::NONE, "once");
    assert_eq!(pe.machine.active(), [OWN], "it is taken, not handled");
}

#[test]
fn the_other_registers_of_a_hypercall_are_the_callers() {
    let mut pe = relay();
    pe.frame.x = core::array::from_fn(|register| 900 + register as u64);
    let own = pe.frame.x;
    for function in [hypercall::ENABLE, hypercall::GET, hypercall::DEACTIVATE] {
        pe.hypercall(&[function]);
        assert_eq!(pe.frame.x[8..], own[8..]);
    }
}

#[test]
fn an_interrupt_comes_by_the_line_that_was_asked_for() {
    let mut pe = relay();
    for (kind, line) in [(1, Lines::FIQ), (0, Lines::IRQ)] {
        assert_eq!(enable(&mut pe, OWN.into(), 1, kind), 0);
        assert_eq!(comes(&mut pe, OWN), IN_RELAY);
        assert_eq!(pe.lines(), line);
        pe.handle(OWN.into());
    }
    // Both, of different interrupts.
    assert_eq!(enable(&mut pe, TIMER, 1, 1), 0);
    pe.set_timer(0);
    comes(&mut pe, OWN);
    assert_eq!(pe.lines(), Lines::all());
    assert_eq!(pe.take(), Some(TIMER));
    assert_eq!(pe.lines(), Lines::IRQ);
}

#[test]
fn a_pending_interrupt_keeps_its_kind() {
    let mut pe = relay();
    assert_eq!(enable(&mut pe, OWN.into(), 1, 0), 0);
    comes(&mut pe, OWN);
    for on in [0, 1] {
        assert_eq!(enable(&mut pe, OWN.into(), on, 1), hypercall::REFUSED);
        assert_eq!(pe.lines(), Lines::IRQ, "nothing has changed");
    }
    assert_eq!(enable(&mut pe, OWN.into(), 0, 0), 0);
    assert_eq!((pe.lines(), pe.take()), (Lines::empty(), None), "it may be held back");
    assert_eq!(enable(&mut pe, OWN.into(), 1, 1), hypercall::REFUSED);
    assert_eq!(enable(&mut pe, OWN.into(), 1, 0), 0);
    assert_eq!(pe.take(), Some(OWN.into()), "and is not lost by that");
    assert_eq!(enable(&mut pe, OWN.into(), 1, 1), 0, "taken, it is not pending");
}

#[test]
fn only_what_was_taken_is_deactivated() {
    let mut pe = booted();
    pe.normal(&[id::REQUEST, pair(0, RELAY)]);
    let own = OWN.into();
    assert_eq!(deactivate(&mut pe, own, own), hypercall::REFUSED, "none came");
    comes(&mut pe, OWN);
    assert_eq!(deactivate(&mut pe, own, own), hypercall::REFUSED, "it is not taken");
    assert_eq!(pe.take(), Some(own));
    for (physical, virt) in [(own, TIMER), (TIMER, own), (0, own), (own, 0), (own | 1 << 32, own)] {
        assert_eq!(deactivate(&mut pe, physical, virt), hypercall::REFUSED);
    }
    assert_eq!(pe.machine.active(), [OWN]);
    assert_eq!(deactivate(&mut pe, own, own), 0);
    assert_eq!(pe.low()[1..], [0; 7]);
    assert_eq!(deactivate(&mut pe, own, own), hypercall::REFUSED, "once");
    expect_handled(&pe);
}

#[test]
fn an_interrupt_that_comes_before_the_one_before_is_handled_is_another_one() {
    let mut pe = booted();
    assert_eq!(comes(&mut pe, OWN), IN_RELAY);
    // The same again, once taken and once not.
    assert_eq!(comes(&mut pe, OWN), IN_RELAY);
    assert_eq!(pe.take(), Some(OWN.into()));
    assert_eq!((pe.take(), pe.lines()), (None, Lines::empty()), "pending twice is pending");
    assert_eq!(comes(&mut pe, OWN), IN_RELAY);
    assert_eq!(pe.lines(), Lines::IRQ);
    assert_eq!(deactivate(&mut pe, OWN.into(), OWN.into()), 0);
    assert!(!pe.machine.active().is_empty(), "it is the second one's now");
    assert_eq!(pe.call(&[id::MSG_WAIT]), IN_RELAY, "which has to be handled, too");
    pe.handle(OWN.into());
    assert_eq!(pe.call(&[id::MSG_WAIT]), Place::Normal);
    expect_handled(&pe);
}

#[test]
fn no_interrupt_of_many_is_lost() {
    let mut sources = Sources::talking(V1_2);
    let ids = 40..72_u32;
    let cells: Vec<String> = ids.clone().map(|id| format!("{id} 0x901")).collect();
    Sources::add_node(
        &mut sources.relay,
        &format!(
            "device-regions {{ compatible = \"arm,ffa-manifest-device-regions\"; device {{ base-address = \
             <0x9040000>; pages-count = <1>; attributes = <3>; interrupts = <{}>; }}; }};\n",
            cells.join(" ")
        ),
    );
    let mut pe = World::of(&sources).booted_pe(0);
    // The last one first, all of them, while it handles one; and all again while it waits for none of them.
    for _ in 0..2 {
        for id in ids.clone().rev() {
            assert_eq!(comes(&mut pe, id), IN_RELAY);
        }
        for id in ids.clone() {
            pe.handle(id.into());
        }
        assert_eq!((pe.take(), pe.lines()), (None, Lines::empty()));
    }
    assert_eq!(pe.call(&[id::MSG_WAIT]), Place::Normal);
    expect_handled(&pe);
}

#[test]
fn a_hypercall_is_an_hvc() {
    let mut pe = booted();
    pe.conduit = Conduit::Smc;
    pe.normal(&[id::REQUEST, pair(0, RELAY)]);
    comes(&mut pe, OWN);
    for function in [hypercall::ENABLE, hypercall::GET, hypercall::DEACTIVATE] {
        assert_eq!(pe.call(&[function, OWN.into(), OWN.into()]), IN_RELAY);
        assert_eq!(pe.low(), [u64::MAX, 0, 0, 0, 0, 0, 0, 0], "by SMC it is none");
    }
    assert_eq!(pe.take(), Some(OWN.into()));
    // Its neighbours are none either.
    pe.conduit = Conduit::Hvc;
    for function in [0xFF02, 0xFF05, 0xFF09, 0xFF0A, 1 << 31 | hypercall::GET] {
        assert_eq!(pe.call(&[function]), IN_RELAY);
        assert_eq!(pe.low()[0], u64::MAX, "{function:#x}");
    }
}

#[test]
fn each_context_has_its_own_interrupts() {
    let mut sources = Sources::talking(V1_2);
    Sources::add_device(&mut sources.echo, 0, OWN);
    let world = World::of(&sources);
    let (mut first, mut second) = (world.booted_pe(0), world.booted_pe(1));
    for pe in [&mut first, &mut second] {
        assert!(matches!(comes(pe, OWN), Place::Partition((ECHO, _))), "in the context of the PE");
    }
    first.handle(OWN.into());
    assert_eq!(second.lines(), Lines::IRQ);
    assert_eq!(enable(&mut first, OWN.into(), 0, 0), 0);
    second.handle(OWN.into());
    for pe in [&mut first, &mut second] {
        assert_eq!(pe.call(&[id::MSG_WAIT]), Place::Normal);
    }
    assert_eq!(comes(&mut first, OWN), Place::Normal);
    assert_eq!(comes(&mut second, OWN), Place::Partition((ECHO, 1)));
}

/// `relay` works for the Normal world, by each of the ways to end that, and has its interrupt.
fn with_interrupt() -> impl Iterator<Item = (Pe, [u64; 2])> {
    let calls = [
        ([id::RUN, pair(RELAY, 0)], [id::MSG_WAIT, 0]),
        ([id::REQUEST, pair(0, RELAY)], [id::RESPONSE, pair(RELAY, 0)]),
        ([id::REQUEST, pair(0, RELAY)], [RESPONSE64, pair(RELAY, 0)]),
        ([id::REQUEST2, pair(0, RELAY)], [id::RESPONSE2, pair(RELAY, 0)]),
    ];
    calls.into_iter().map(|(start, end)| {
        let mut pe = booted();
        assert_eq!(pe.normal(&start), IN_RELAY);
        assert_eq!(comes(&mut pe, OWN), IN_RELAY, "it goes on, with its line up");
        assert_eq!(pe.lines(), Lines::IRQ);
        (pe, end)
    })
}

#[test]
fn who_ends_its_work_with_an_interrupt_pending_handles_it_first() {
    for (mut pe, end) in with_interrupt() {
        for _ in 0..2 {
            assert_eq!(pe.call(&end), IN_RELAY);
            assert_eq!(pe.low(), [id::INTERRUPT, 0, OWN.into(), 0, 0, 0, 0, 0], "{end:x?} has not happened");
            assert_eq!(pe.lines(), Lines::IRQ);
        }
        pe.handle(OWN.into());
        assert_eq!(pe.call(&end), Place::Normal);
        assert_eq!(pe.low()[0], end[0]);
        expect_handled(&pe);
        assert_eq!(pe.normal(&[id::REQUEST, pair(0, RELAY)]), IN_RELAY, "it waits");
    }
}

#[test]
fn a_response_that_nobody_asked_for_is_denied_with_an_interrupt_pending_too() {
    for (mut pe, [function, _]) in with_interrupt().skip(1) {
        pe.refused(&[function, pair(RELAY, ECHO)], code::DENIED);
        pe.refused(&[function, pair(ECHO, 0)], code::INVALID);
        pe.refused(&[id::MSG_WAIT], code::DENIED);
    }
}

#[test]
fn a_wait_that_has_not_happened_releases_no_rx() {
    let mut pe = booted();
    pe.normal(&[id::RUN, pair(RELAY, 0)]);
    pe.map(1);
    pe.done(&[0x8400_0068]);
    comes(&mut pe, OWN);
    assert_eq!(pe.call(&[id::MSG_WAIT]), IN_RELAY);
    pe.refused(&[0x8400_0068], code::BUSY);
    pe.handle(OWN.into());
    assert_eq!(pe.call(&[id::MSG_WAIT]), Place::Normal);
    pe.normal(&[id::RUN, pair(RELAY, 0)]);
    pe.refused(&[id::RX_RELEASE], code::DENIED);
}

#[test]
fn a_context_that_starts_anew_has_no_interrupts() {
    let mut sources = Sources::talking(V1_2);
    Sources::add_device(&mut sources.echo, 0, OWN);
    let world = World::of(&sources);
    let _first = world.booted_pe(0);
    let mut pe = world.booted_pe(1);
    pe.normal(&[id::RUN, pair(ECHO, 1)]);
    assert_eq!(enable(&mut pe, NPI, 1, 1), 0);
    pe.call(&[id::MSG_WAIT]);
    pe.normal(&[id::REQUEST, 0xFFFF_8000, 0x8000_0000, 0x8400_0002]);
    let mut pe = world.pe(1);
    assert_eq!(pe.turn_on(), Place::Partition((ECHO, 1)));
    assert_eq!(comes(&mut pe, OWN), Place::Partition((ECHO, 1)));
    assert_eq!((pe.lines(), pe.take()), (Lines::empty(), None), "none is enabled");
    assert_eq!(pe.call(&[id::MSG_WAIT]), Place::Normal, "what is not enabled keeps it from nothing");
}

#[test]
fn what_a_context_leaves_when_its_pe_goes_off_can_come_again() {
    let mut sources = Sources::talking(V1_2);
    Sources::add_device(&mut sources.echo, 0, OWN);
    let mut pe = World::of(&sources).booted_pe(0);
    pe.normal(&[id::RUN, pair(ECHO, 0)]);
    assert_eq!(enable(&mut pe, OWN.into(), 0, 0), 0);
    pe.call(&[id::MSG_WAIT]);
    assert_eq!(comes(&mut pe, OWN), Place::Normal);
    assert_eq!(pe.machine.active(), [OWN]);
    pe.normal(&[id::REQUEST, 0xFFFF_8000, 0x8000_0000, 0x8400_0002]);
    expect_handled(&pe);
}

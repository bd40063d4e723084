//! Interrupts and deadlines of a context that is leaving a PE, or that another PE has: each is handled once.
#![cfg(model)]

use manager::exit::TimerRegister;
use model::{Act, ECHO, End, RELAY, enter, explore, hypercall, id, pair, sources, wait};
use scenarios::{Pe, Place, Sources};

/// The interrupt of `relay`'s device.
const DEVICE: u64 = 40;
/// That of its timer.
const TIMER: u64 = 3;
/// When its timer interrupts.
const DEADLINE: u64 = 100;

/// `relay` has a device, and its interrupts are the SPMC's to schedule, or by this policy the scheduler's.
fn with_device(policy: Option<&str>) -> Sources {
    let mut sources = sources();
    Sources::add_device(&mut sources.relay, 0, DEVICE as u32);
    if let Some(policy) = policy {
        Sources::set(&mut sources.relay, "sri-interrupts-policy", policy);
    }
    sources
}

/// The device interrupts while the Normal world is on the PE.
const INTERRUPT: Act = |pe| {
    pe.machine.pending.push_back(DEVICE as u32);
    pe.normal(&[id::INTERRUPT]);
    0
};

/// The PE's timer interrupts while the Normal world is on it.
const FIRE: Act = |pe| {
    pe.normal(&[id::INTERRUPT]);
    0
};

const RUN: Act = |pe| {
    pe.normal(&[id::RUN, pair(RELAY, 0)]);
    0
};

const GIVE_UP: Act = |pe| {
    pe.call(&[id::YIELD]);
    0
};

const IDLE: Act = |pe| {
    pe.idle();
    0
};

/// It is handled once.
fn once(end: &mut End, interrupt: u64) {
    end.drain();
    assert_eq!(end.seen.interrupts, [((RELAY, 0), interrupt)]);
}

const DEVICE_ONCE: fn(&mut End) = |end| once(end, DEVICE);
const TIMER_ONCE: fn(&mut End) = |end| once(end, TIMER);
const IN_RELAY: fn(&mut [Pe; 2]) = |[one, _]| enter(one, RELAY);

#[test]
fn one_that_comes_while_its_owner_goes_to_wait() {
    explore(&with_device(None), IN_RELAY, [wait, INTERRUPT], DEVICE_ONCE);
}

#[test]
fn one_that_is_left_to_the_scheduler_comes_while_its_owner_goes_to_wait() {
    explore(&with_device(Some("<1>")), IN_RELAY, [wait, INTERRUPT], DEVICE_ONCE);
    explore(&with_device(Some("<2>")), IN_RELAY, [wait, INTERRUPT], DEVICE_ONCE);
    explore(&with_device(Some("<3>")), IN_RELAY, [wait, INTERRUPT], DEVICE_ONCE);
}

#[test]
fn one_that_comes_while_its_owner_yields() {
    explore(&with_device(None), IN_RELAY, [GIVE_UP, INTERRUPT], DEVICE_ONCE);
}

#[test]
fn one_that_comes_while_its_owner_becomes_idle() {
    explore(&with_device(None), IN_RELAY, [IDLE, INTERRUPT], DEVICE_ONCE);
}

#[test]
fn one_that_comes_while_its_owner_answers() {
    let before: fn(&mut [Pe; 2]) = |[one, _]| {
        enter(one, ECHO);
        assert_eq!(one.call(&[id::REQUEST, pair(ECHO, RELAY)]), Place::Partition((RELAY, 0)));
    };
    let answer: Act = |pe| {
        pe.call(&[id::RESPONSE, pair(RELAY, ECHO)]);
        0
    };
    explore(&with_device(None), before, [answer, INTERRUPT], DEVICE_ONCE);
}

#[test]
fn one_that_comes_while_its_owner_is_preempted() {
    let preempt: Act = |pe| {
        pe.interrupt();
        0
    };
    explore(&with_device(None), IN_RELAY, [preempt, INTERRUPT], DEVICE_ONCE);
}

#[test]
fn one_that_comes_while_its_owner_is_entered() {
    explore(&with_device(None), |_: &mut [Pe; 2]| {}, [RUN, INTERRUPT], DEVICE_ONCE);
    explore(&with_device(Some("<1>")), |_: &mut [Pe; 2]| {}, [RUN, INTERRUPT], DEVICE_ONCE);
}

#[test]
fn one_that_comes_while_its_owner_leaves_and_is_entered() {
    let before: fn(&mut [Pe; 3]) = |[one, ..]| enter(one, RELAY);
    explore(&with_device(None), before, [wait, INTERRUPT, RUN], DEVICE_ONCE);
}

#[test]
fn the_scheduler_asks_while_one_comes() {
    let ask: Act = |pe| {
        if pe.outcome(&[id::INFO_GET64])[0] != id::ERROR {
            assert_eq!(pe.named(), [(RELAY, Some(0))]);
            pe.normal(&[id::RUN, pair(RELAY, 0)]);
        }
        0
    };
    let before: fn(&mut [Pe; 3]) = |[one, ..]| enter(one, RELAY);
    explore(&with_device(Some("<3>")), before, [wait, INTERRUPT, ask], |end| {
        // Whoever asks may find the context still leaving, and is told of it no more: it runs it again later.
        end.pes[2].settle();
        if end.pes[2].place() == Place::Normal && end.pes[2].frame.x[0] == id::ERROR {
            end.pes[2].normal(&[id::RUN, pair(RELAY, 0)]);
        }
        once(end, DEVICE);
    });
}

/// `relay` has its timer interrupt at [`DEADLINE`], which has come, and waits; the first PE keeps that.
fn timed(pe: &mut Pe) {
    enter(pe, RELAY);
    assert_eq!(pe.hypercall(&[hypercall::ENABLE, TIMER, 1, 0]), 0);
    pe.set_timer(DEADLINE);
    wait(pe);
    pe.machine.set_count(DEADLINE);
}

#[test]
fn a_deadline_passes_while_another_pe_runs_its_context() {
    explore(&sources(), |[one, _]| timed(one), [FIRE, RUN], TIMER_ONCE);
}

#[test]
fn a_deadline_passes_while_its_context_leaves_another_pe() {
    let before: fn(&mut [Pe; 2]) = |[one, two]| {
        timed(one);
        enter(two, RELAY);
    };
    explore(&sources(), before, [FIRE, wait], TIMER_ONCE);
}

#[test]
fn a_deadline_passes_while_its_context_goes_from_pe_to_pe() {
    let before: fn(&mut [Pe; 3]) = |[one, two, _]| {
        timed(one);
        enter(two, RELAY);
    };
    explore(&sources(), before, [FIRE, GIVE_UP, RUN], TIMER_ONCE);
}

#[test]
fn a_deadline_passes_while_it_is_changed() {
    let change: Act = |pe| {
        enter(pe, RELAY);
        pe.write_timer(TimerRegister::CompareValue, 2 * DEADLINE);
        0
    };
    // It has not been told to whom it belongs that it passes: no context of the SPMC's is run for it.
    let mut sources = sources();
    Sources::set(&mut sources.relay, "sri-interrupts-policy", "<1>");
    explore(
        &sources,
        |[one, _]| timed(one),
        [FIRE, change],
        |end| {
            end.drain();
            assert!(end.seen.interrupts.is_empty(), "it is later now");
            end.pes[0].machine.set_count(2 * DEADLINE);
            once(end, TIMER);
        },
    );
}

#[test]
fn a_deadline_stays_when_its_pe_goes_off() {
    let off: Act = |pe| {
        pe.normal(&[id::REQUEST, 0xFFFF_8000, 0x8000_0000, 0x8400_0002]);
        0
    };
    explore(
        &sources(),
        |[one, ..]: &mut [Pe; 3]| timed(one),
        [off, RUN, FIRE],
        |end| {
            end.pes.remove(0);
            once(end, TIMER);
        },
    );
}

#[test]
fn two_that_come_at_once_are_both_handled() {
    let both = |end: &mut End| {
        end.drain();
        end.seen.interrupts.sort_unstable();
        assert_eq!(end.seen.interrupts, [((RELAY, 0), TIMER), ((RELAY, 0), DEVICE)]);
    };
    explore(&with_device(None), |[one, _]| timed(one), [FIRE, INTERRUPT], both);
    explore(&with_device(Some("<1>")), |[one, _]| timed(one), [FIRE, INTERRUPT], both);
}

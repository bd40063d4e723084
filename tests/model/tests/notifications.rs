//! Notifications: each that is set is got once, by a context that runs already or that is entered at that moment; the
//! scheduler is told of each, and of none twice.
#![cfg(model)]

use manager::exit::Lines;
use model::{
    Act, ECHO, End, RELAY, code, enter, everybody_has_buffers, explore, hypercall, id, pair, sources, wait,
};
use scenarios::{Notified, Pe, Place, Seen};

/// The notification of the Normal world's, and that of `relay`'s, which is for context 1.
const GLOBAL: u64 = 1 << 0;
const OF_ONE: u64 = 1 << 1;
const DONE: u64 = 0;

fn result([function, w2]: [u64; 2]) -> u64 {
    if function == id::SUCCESS { DONE } else { w2 }
}

/// `echo` takes both, and lets the notification pending interrupt through on these PEs.
fn bound(pes: &mut [Pe]) {
    everybody_has_buffers(&mut pes[0]);
    for pe in pes.iter_mut() {
        enter(pe, ECHO);
        assert_eq!(pe.hypercall(&[hypercall::ENABLE, 5, 1, 0]), 0);
        wait(pe);
    }
    let pe = &mut pes[0];
    enter(pe, ECHO);
    pe.done(&[id::BIND, pair(0, ECHO), 0, GLOBAL, 0]);
    pe.done(&[id::BIND, pair(RELAY, ECHO), 1, OF_ONE, 0]);
    wait(pe);
    enter(pe, RELAY);
    pe.done(&[id::BIND, pair(ECHO, RELAY), 0, GLOBAL, 0]);
    wait(pe);
}

/// The Normal world's to `echo`.
const SET: Act = |pe| result(pe.outcome(&[id::SET, pair(0, ECHO), 0, GLOBAL, 0]));
/// `relay`'s to context 1 of `echo`.
const SET_FOR_ONE: Act = |pe| result(pe.outcome(&[id::SET, pair(RELAY, ECHO), 1 << 16 | 1, OF_ONE, 0]));
/// `echo`'s to `relay`.
const SET_BACK: Act = |pe| result(pe.outcome(&[id::SET, pair(ECHO, RELAY), 0, GLOBAL, 0]));

/// How many notifications the partition on the PE gets.
const GET: Act = |pe| {
    let mut seen = Seen::default();
    seen.get(pe);
    seen.notified.iter().map(|one| u64::from(one.normal.count_ones() + one.partitions.count_ones())).sum()
};

/// How many endpoints and contexts the scheduler is told of.
const ASK: Act = |pe| {
    if pe.outcome(&[id::INFO_GET64])[0] == id::ERROR { 0 } else { pe.named().len() as u64 }
};

const RUN_ECHO: Act = |pe| {
    pe.normal(&[id::RUN, pair(ECHO, pe.index())]);
    u64::from(pe.lines() == Lines::IRQ)
};

const OF_NORMAL: fn(&Notified) -> u64 = |one| one.normal;
const OF_PARTITIONS: fn(&Notified) -> u64 = |one| one.partitions;

/// `echo` on the second PE has the interrupt by what the meeting has come to, or is kicked and finds it then.
fn is_interrupted(end: &mut End) -> bool {
    let pe = &mut end.pes[1];
    pe.take_kick();
    assert_eq!(pe.place(), Place::Partition((ECHO, 1)));
    pe.lines() == Lines::IRQ
}

#[test]
fn one_that_is_set_while_its_receiver_is_entered_interrupts_it() {
    explore(
        &sources(),
        |pes: &mut [Pe; 2]| bound(pes),
        [SET, RUN_ECHO],
        |end| {
            assert_eq!(end.told[0], DONE);
            assert!(is_interrupted(end));
            end.drain();
            assert_eq!(end.seen.times(ECHO, GLOBAL, OF_NORMAL), 1);
        },
    );
}

#[test]
fn one_for_a_context_that_is_entered_interrupts_it() {
    let before: fn(&mut [Pe; 2]) = |pes| {
        bound(pes);
        enter(&mut pes[0], RELAY);
    };
    explore(&sources(), before, [SET_FOR_ONE, RUN_ECHO], |end| {
        assert!(is_interrupted(end));
        end.drain();
        assert_eq!(end.seen.times(ECHO, OF_ONE, OF_PARTITIONS), 1);
    });
}

#[test]
fn two_that_are_set_while_their_receiver_is_entered_both_come() {
    let before: fn(&mut [Pe; 3]) = |pes| {
        bound(pes);
        enter(&mut pes[0], RELAY);
    };
    explore(&sources(), before, [SET_FOR_ONE, RUN_ECHO, SET], |end| {
        assert!(is_interrupted(end));
        end.drain();
        assert_eq!(end.seen.times(ECHO, OF_ONE, OF_PARTITIONS), 1);
        assert_eq!(end.seen.times(ECHO, GLOBAL, OF_NORMAL), 1);
    });
}

#[test]
fn one_is_got_once() {
    let before: fn(&mut [Pe; 3]) = |pes| {
        bound(pes);
        enter(&mut pes[1], ECHO);
        enter(&mut pes[2], ECHO);
    };
    explore(&sources(), before, [SET, GET, GET], |end| {
        let got = end.told[1] + end.told[2];
        end.drain();
        assert_eq!(got as usize + end.seen.times(ECHO, GLOBAL, OF_NORMAL), 1);
    });
}

#[test]
fn one_that_is_set_twice_at_once_is_got_once() {
    let before: fn(&mut [Pe; 2]) = |pes| {
        bound(pes);
        enter(&mut pes[0], ECHO);
        enter(&mut pes[1], ECHO);
    };
    explore(&sources(), before, [SET_BACK, SET_BACK], |end| {
        assert_eq!(end.told, [DONE; 2]);
        end.drain();
        assert_eq!(end.seen.times(RELAY, GLOBAL, OF_PARTITIONS), 1);
        assert_eq!(end.scheduler.named, [(RELAY, None)]);
    });
}

#[test]
fn the_scheduler_is_told_of_one_once() {
    let before: fn(&mut [Pe; 3]) = |pes| {
        bound(pes);
        enter(&mut pes[0], RELAY);
    };
    explore(&sources(), before, [SET_FOR_ONE, ASK, ASK], |end| {
        assert_eq!(end.told[0], DONE);
        let named = end.told[1] + end.told[2];
        end.drain();
        assert_eq!(named as usize + end.scheduler.named.len(), 1);
        // Whoever was told in the meeting did not run it.
        assert_eq!(end.seen.times(ECHO, OF_ONE, OF_PARTITIONS), end.scheduler.named.len());
    });
}

#[test]
fn the_scheduler_is_told_of_one_for_all_once() {
    let before: fn(&mut [Pe; 2]) = |pes| {
        bound(pes);
        SET(&mut pes[0]);
    };
    explore(&sources(), before, [ASK, ASK], |end| {
        assert_eq!((end.count(1), end.count(0)), (1, 1));
        end.drain();
        assert!(end.scheduler.named.is_empty());
    });
}

#[test]
fn the_scheduler_is_told_of_another_one_while_it_asks() {
    let before: fn(&mut [Pe; 2]) = |pes| {
        bound(pes);
        SET(&mut pes[1]);
        enter(&mut pes[0], RELAY);
    };
    explore(&sources(), before, [SET_FOR_ONE, ASK], |end| {
        let named = end.told[1] as usize;
        end.drain();
        assert_eq!(named + end.scheduler.named.len(), 2);
    });
}

#[test]
fn one_that_is_got_before_the_scheduler_asks_is_not_told() {
    let before: fn(&mut [Pe; 2]) = |pes| {
        bound(pes);
        SET(&mut pes[1]);
        enter(&mut pes[0], ECHO);
    };
    explore(&sources(), before, [GET, ASK], |end| {
        assert_eq!(end.told[0], 1);
        assert!(end.told[1] <= 1);
        end.drain();
        assert!(end.scheduler.named.is_empty());
    });
}

#[test]
fn one_that_is_set_stays_bound() {
    let unbind: Act = |pe| result(pe.outcome(&[id::UNBIND, pair(0, ECHO), 0, GLOBAL, 0]));
    let before: fn(&mut [Pe; 2]) = |pes| {
        bound(pes);
        enter(&mut pes[1], ECHO);
    };
    explore(&sources(), before, [SET, unbind], |end| {
        assert_eq!((end.count(DONE), end.count(code::DENIED)), (1, 1));
        let is_set = end.told[0] == DONE;
        end.drain();
        assert_eq!(end.seen.times(ECHO, GLOBAL, OF_NORMAL), usize::from(is_set));
    });
}

#[test]
fn one_that_is_set_keeps_its_bitmap() {
    let destroy: Act = |pe| result(pe.outcome(&[id::BITMAP_DESTROY, 0]));
    let set: Act = |pe| result(pe.outcome(&[id::SET, pair(RELAY, 0), 0, GLOBAL, 0]));
    let before: fn(&mut [Pe; 2]) = |pes| {
        bound(pes);
        pes[0].done(&[id::BIND, pair(RELAY, 0), 0, GLOBAL, 0]);
        enter(&mut pes[0], RELAY);
    };
    explore(&sources(), before, [set, destroy], |end| {
        assert_eq!((end.count(DONE), end.count(code::DENIED)), (1, 1));
        let is_set = end.told[0] == DONE;
        end.drain();
        assert_eq!(end.seen.times(0, GLOBAL, OF_PARTITIONS), usize::from(is_set));
    });
}

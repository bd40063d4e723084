//! Running: a context is on one PE at a time, and whoever comes too late is told BUSY at once.
#![cfg(model)]

use model::{Act, ECHO, End, RELAY, code, enter, explore, id, pair, sources, wait};
use scenarios::{Pe, Place};

/// What an act tells when its PE is in a partition.
const ENTERED: u64 = 1;

/// Where a call of the Normal world has led: [`ENTERED`], or the code of its refusal.
fn led_to(pe: &Pe) -> u64 {
    if pe.place() == Place::Normal { pe.frame.x[2] } else { ENTERED }
}

const RUN: Act = |pe| {
    pe.normal(&[id::RUN, pair(RELAY, 0)]);
    led_to(pe)
};

const REQUEST: Act = |pe| {
    pe.normal(&[id::REQUEST, pair(0, RELAY)]);
    led_to(pe)
};

const EXACTLY_ONE: fn(&mut End) = |end| {
    assert_eq!(end.count(ENTERED), 1);
    assert_eq!(end.count(code::BUSY), end.pes.len() - 1);
    end.drain();
};

#[test]
fn of_two_pes_one_runs_a_context() {
    explore(&sources(), |_| {}, [RUN, RUN], EXACTLY_ONE);
}

#[test]
fn of_three_pes_one_runs_a_context() {
    explore(&sources(), |_| {}, [RUN, REQUEST, RUN], EXACTLY_ONE);
}

#[test]
fn a_run_and_a_request_do_not_both_enter() {
    explore(&sources(), |_| {}, [RUN, REQUEST], EXACTLY_ONE);
}

#[test]
fn a_context_that_leaves_is_entered_when_it_is_saved() {
    explore(
        &sources(),
        |[pe, _]| enter(pe, RELAY),
        [wait, RUN],
        |end| {
            assert!([ENTERED, code::BUSY].contains(&end.told[1]));
            end.drain();
        },
    );
}

#[test]
fn of_two_pes_one_enters_a_context_that_leaves() {
    explore(
        &sources(),
        |[pe, ..]| enter(pe, RELAY),
        [wait, RUN, REQUEST],
        |end| {
            assert!(end.count(ENTERED) + end.count(code::BUSY) == 2 && end.count(ENTERED) < 2);
            end.drain();
        },
    );
}

#[test]
fn a_context_that_yields_goes_on_where_it_is_run() {
    let give_up: Act = |pe| {
        pe.call(&[id::YIELD]);
        0
    };
    explore(
        &sources(),
        |[pe, ..]| enter(pe, RELAY),
        [give_up, RUN, RUN],
        |end| {
            assert!(end.count(ENTERED) + end.count(code::BUSY) == 2 && end.count(ENTERED) < 2);
            end.drain();
        },
    );
}

#[test]
fn a_chain_and_a_run_do_not_both_have_its_end() {
    let ask: Act = |pe| {
        pe.call(&[id::REQUEST, pair(ECHO, RELAY)]);
        if pe.place() == Place::Partition((RELAY, 0)) { ENTERED } else { pe.frame.x[2] }
    };
    let before: fn(&mut [Pe; 2]) = |[pe, _]| {
        enter(pe, ECHO);
    };
    explore(&sources(), before, [ask, RUN], EXACTLY_ONE);
}

#[test]
fn whoever_asks_a_partition_that_faults_is_told() {
    let fault: Act = |pe| {
        pe.fault();
        pe.frame.x[2]
    };
    let ask: Act = |pe| {
        pe.normal(&[id::REQUEST, pair(0, ECHO)]);
        led_to(pe)
    };
    let before: fn(&mut [Pe; 2]) = |[pe, _]| {
        pe.normal(&[id::REQUEST, pair(0, ECHO)]);
    };
    explore(&sources(), before, [fault, ask], |end| {
        assert_eq!(end.told[0], code::ABORTED);
        assert!([ENTERED, code::ABORTED].contains(&end.told[1]));
        // The kick arrives: the other context ends, too.
        if end.told[1] == ENTERED {
            end.pes[1].machine.kicked = true;
            end.pes[1].interrupt();
            end.pes[1].expect_aborted();
        }
    });
}

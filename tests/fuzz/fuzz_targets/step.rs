//! Arbitrary calls, interrupts and faults on four PEs into the manager's step: it never panics.
#![no_main]

use std::env;
use std::fs;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

use fuzz::drive::Machine;
use fuzz::events::Program;
use libfuzzer_sys::{Corpus, fuzz_target};

/// Steps of one run: making a machine takes as long as a few hundred.
const STEPS: u64 = 512;

/// Steps of all runs.
static DONE: AtomicU64 = AtomicU64::new(0);

/// `STEPS_GOAL`, how many are asked for, and `STEPS_FILE`, where the number is written when they are done.
static GOAL: LazyLock<Option<(u64, String)>> =
    LazyLock::new(|| Some((env::var("STEPS_GOAL").ok()?.parse().ok()?, env::var("STEPS_FILE").ok()?)));

fuzz_target!(|input: &[u8]| -> Corpus {
    let Some((first, rest)) = input.split_first() else { return Corpus::Reject };
    let Some(mut program) = Program::new(rest) else { return Corpus::Reject };
    let mut machine = Machine::new(first & 1 == 0);
    for _ in 0..STEPS {
        machine.step(&mut program);
    }
    let done = DONE.fetch_add(STEPS, Ordering::Relaxed) + STEPS;
    if let Some((goal, file)) = &*GOAL
        && done >= *goal
    {
        fs::write(file, done.to_string()).expect("the file for the number can be written");
    }
    Corpus::Keep
});

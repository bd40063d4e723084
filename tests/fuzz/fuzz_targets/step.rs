//! Arbitrary calls, interrupts and faults on four PEs into the manager's step: it never panics.
#![no_main]

use fuzz::drive::Machine;
use fuzz::events::Program;
use fuzz::goal;
use libfuzzer_sys::{Corpus, fuzz_target};

/// Steps of one run: making a machine takes as long as a few hundred.
const STEPS: u64 = 512;

fuzz_target!(|input: &[u8]| -> Corpus {
    let Some((first, rest)) = input.split_first() else { return Corpus::Reject };
    let Some(mut program) = Program::new(rest) else { return Corpus::Reject };
    let mut machine = Machine::new(first & 1 == 0);
    for _ in 0..STEPS {
        machine.step(&mut program);
    }
    goal::count(STEPS);
    Corpus::Keep
});

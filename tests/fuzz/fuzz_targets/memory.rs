//! Memory transactions of the Normal world and two partitions in any order: manager, a simple account of pages, and a walk
//! of the tables agree after each step.
#![no_main]

use std::sync::LazyLock;

use fuzz::goal;
use libfuzzer_sys::{Corpus, fuzz_target};
use scenarios::ownership::{Run, Step};
use scenarios::{Plan, Sources};

static AT_EL1: LazyLock<Plan> = LazyLock::new(|| Plan::new(&Sources::new()));
/// The same, but one of the partitions is at S-EL0.
static AT_EL0: LazyLock<Plan> = LazyLock::new(|| {
    let mut sources = Sources::new();
    sources.relay_at_el0();
    Plan::new(&sources)
});

/// Steps of one run, at least. A shorter program is repeated: the same kinds of steps, about other pages and transactions.
const STEPS: usize = 48;

fuzz_target!(|input: &[u8]| -> Corpus {
    let (steps, rest) = input.as_chunks::<16>();
    if steps.is_empty() {
        return Corpus::Reject;
    }
    let plan = if rest.is_empty() { &*AT_EL1 } else { &*AT_EL0 };
    let mut run = Run::new(plan.world().booted_pe(0));
    let rounds = STEPS.div_ceil(steps.len()) as u8;
    for round in 0..rounds {
        for [what, rest @ ..] in steps {
            let mut bytes = [*what; 16];
            bytes[1..].copy_from_slice(&rest.map(|byte| byte.wrapping_add(round.wrapping_mul(37))));
            run.step(&Step::decode(bytes));
        }
    }
    run.end();
    goal::count(steps.len() as u64 * u64::from(rounds));
    Corpus::Keep
});

//! Memory transactions of the Normal world and two partitions in any order: manager, a simple account of pages, and a walk
//! of the tables agree after each step.
#![no_main]

use std::sync::LazyLock;

use fuzz::goal;
use libfuzzer_sys::{Corpus, fuzz_target};
use scenarios::ownership::{Run, Step};
use scenarios::{Plan, Sources};

static PLAN: LazyLock<Plan> = LazyLock::new(|| Plan::new(&Sources::new()));

fuzz_target!(|input: &[u8]| -> Corpus {
    let (steps, _) = input.as_chunks();
    if steps.is_empty() {
        return Corpus::Reject;
    }
    let mut run = Run::new(PLAN.world().booted_pe(0));
    for bytes in steps {
        run.step(&Step::decode(*bytes));
    }
    run.end();
    goal::count(steps.len() as u64);
    Corpus::Keep
});

//! What ends a partition at S-EL0, and nobody else. Each of these needs a machine of its own.

use super::el0::scratch;
use super::memory::{give, lend, mapped, peek, retrieve, sent};
use super::memory_ends::ends;
use crate::demo::{self, BORROWER, Form, SANDBOX, command, expect_answer};
use crate::machine;
use crate::memory::{Offer, WRITE};
use crate::outcome::Outcome;

/// Its first instruction.
fn code() -> u64 {
    SANDBOX.memory() + 0x4000
}

/// A page of the SPMC's image, where its own tables have it.
fn spmc() -> u64 {
    0xffff_0000_0000_0000 | machine::here().spmc
}

/// A page of the Normal world.
fn page() -> u64 {
    machine::here().free()
}

/// It is told to do what ends it; others go on.
fn dies(words: &[u64]) -> Outcome {
    ends(&SANDBOX, words)?;
    let answer = demo::ask(Form::Direct64, BORROWER.id, &[command::ECHO, 5]);
    expect_answer("others go on", Form::Direct64, BORROWER.id, &answer, !5)
}

/// It commits the deed of this number, at an address where it has one.
fn commits(deed: u64, address: u64) -> Outcome {
    dies(&[command::DIE, deed, address])
}

pub fn s_el0_that_writes_its_code_is_aborted() -> Outcome {
    peek(&SANDBOX, code())?;
    commits(0, code())
}

pub fn s_el0_that_executes_its_variables_is_aborted() -> Outcome {
    peek(&SANDBOX, scratch())?;
    commits(1, scratch())
}

pub fn s_el0_that_touches_the_spmc_is_aborted() -> Outcome {
    dies(&[command::PEEK, spmc()])
}

pub fn s_el0_that_touches_what_it_lent_is_aborted() -> Outcome {
    lend(&SANDBOX, BORROWER.id, 1, scratch(), 1)?;
    peek(&SANDBOX, scratch() + 0x1000)?;
    // What it touches right before, its PE has kept the translation of.
    dies(&[command::KEEP, BORROWER.id | 1 << 16, scratch() + 0x1000, 1])
}

pub fn s_el0_that_touches_what_it_gave_back_is_aborted() -> Outcome {
    mapped(|| {
        let offer = Offer::share(&[(SANDBOX.id, WRITE)]);
        let kept = sent(offer.send([(page() + 0x1000, 1)].into_iter()))?;
        retrieve(&SANDBOX, kept, 0, WRITE)?;
        let first = sent(offer.send([(page() + 0x2000, 1)].into_iter()))?;
        retrieve(&SANDBOX, first, 0, WRITE)?;
        give(&SANDBOX, first, 0)?;
        let handle = sent(offer.send([(page(), 1)].into_iter()))?;
        retrieve(&SANDBOX, handle, 0, WRITE)?;
        dies(&[command::CLING, handle, page()])
    })
}

pub fn s_el0_that_calls_by_smc_is_aborted() -> Outcome {
    commits(2, 0)
}

pub fn s_el0_that_calls_by_hvc_is_aborted() -> Outcome {
    commits(3, 0)
}

pub fn s_el0_that_reads_a_register_of_el1_is_aborted() -> Outcome {
    commits(4, 0)
}

pub fn s_el0_that_sets_a_timer_is_aborted() -> Outcome {
    commits(5, 0)
}

pub fn s_el0_that_jumps_between_instructions_is_aborted() -> Outcome {
    commits(1, code() + 2)
}

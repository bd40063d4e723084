//! Partitions that touch memory which is not theirs any more, and what becomes of the memory of those that have ended
//! (scenario S12). Each of these needs a machine of its own.

use arm_ffa::FfaError;

use super::memory::{
    NORMAL, free, give, have, lend, lenders, mapped, peek, poke, read, retrieve, sent, status, write,
};
use crate::demo::{self, BORROWER, Form, LENDER, command};
use crate::ffa::{expect_error, expect_success};
use crate::memory::{Offer, READ, WRITE, expect_refused, reclaim};
use crate::outcome::{Failure, Outcome, expect};

/// A page of the Normal world.
fn page() -> u64 {
    free()
}

/// What it is told to do ends the partition.
pub fn ends(partition: &demo::Partition, words: &[u64]) -> Outcome {
    let answer = demo::ask_to_the_end(Form::Direct64, partition.id, words);
    expect_error("what ends it", &answer, FfaError::Aborted)?;
    let answer = demo::ask(Form::Direct64, partition.id, &[command::ECHO]);
    expect_error("afterwards", &answer, FfaError::Aborted)
}

/// Sends the page to `borrower`, which retrieves it: the handle.
fn borrowed(offer: &Offer<'_>, permissions: u64) -> Result<u64, Failure> {
    let handle = sent(offer.send([(page(), 1)].into_iter()))?;
    retrieve(&BORROWER, handle, 0, permissions)?;
    Ok(handle)
}

pub fn a_lender_that_touches_what_it_lent_is_aborted() -> Outcome {
    // What it shares it may touch; the page beside what it lends too.
    let shared = lend(&LENDER, BORROWER.id, 0, lenders(), 1)?;
    peek(&LENDER, lenders())?;
    have(&LENDER, shared)?;
    peek(&LENDER, lenders())?;
    lend(&LENDER, BORROWER.id, 1, lenders(), 1)?;
    peek(&LENDER, lenders() + 0x1000)?;
    // What it touches right before, its PE has kept the translation of.
    ends(&LENDER, &[command::KEEP, BORROWER.id | 1 << 16, lenders() + 0x1000, 1])
}

pub fn a_borrower_that_touches_what_it_gave_back_is_aborted() -> Outcome {
    mapped(|| {
        // It keeps the page beside it, so that the table stays.
        let beside = sent(Offer::share(&[(BORROWER.id, WRITE)]).send([(page() + 0x1000, 1)].into_iter()))?;
        retrieve(&BORROWER, beside, 0, WRITE)?;
        let handle = borrowed(&Offer::share(&[(BORROWER.id, WRITE)]), WRITE)?;
        // Its PE has kept the translation.
        ends(&BORROWER, &[command::CLING, handle, NORMAL + page()])
    })
}

pub fn a_borrower_that_writes_what_it_may_read_is_aborted() -> Outcome {
    mapped(|| {
        borrowed(&Offer::share(&[(BORROWER.id, READ)]), READ)?;
        peek(&BORROWER, NORMAL + page())?;
        ends(&BORROWER, &[command::POKE, NORMAL + page(), 1])
    })
}

pub fn a_borrower_that_takes_normal_memory_for_secure_is_aborted() -> Outcome {
    mapped(|| {
        borrowed(&Offer::share(&[(BORROWER.id, WRITE)]), WRITE)?;
        peek(&BORROWER, NORMAL + page())?;
        ends(&BORROWER, &[command::PEEK, page()])
    })
}

pub fn what_a_borrower_had_that_is_aborted_is_its_owners() -> Outcome {
    mapped(|| {
        let handle = borrowed(&Offer::lend(&[(BORROWER.id, WRITE)]), WRITE)?;
        poke(&BORROWER, NORMAL + page(), 5)?;
        let theirs = lend(&LENDER, BORROWER.id, 1, lenders(), 1)?;
        retrieve(&BORROWER, theirs, LENDER.id, WRITE)?;
        poke(&BORROWER, lenders(), 6)?;
        ends(&BORROWER, &[command::PEEK, 0])?;
        expect_success("FFA_MEM_RECLAIM", &reclaim(handle, 0))?;
        expect("what is there", read(page()), 5)?;
        have(&LENDER, theirs)?;
        expect("what the lender finds", peek(&LENDER, lenders())?, 6)?;
        // It can be lent to nobody who has ended.
        write(page(), 0);
        let refused = Offer::lend(&[(BORROWER.id, WRITE)]).send([(page(), 1)].into_iter());
        expect_refused("to who has ended", refused, FfaError::Aborted)
    })
}

pub fn a_borrower_keeps_what_its_aborted_owner_lent_it() -> Outcome {
    poke(&LENDER, lenders(), 9)?;
    let handle = lend(&LENDER, BORROWER.id, 1, lenders(), 1)?;
    retrieve(&BORROWER, handle, LENDER.id, WRITE)?;
    ends(&LENDER, &[command::PEEK, 0])?;
    expect("what it reads", peek(&BORROWER, lenders())?, 9)?;
    give(&BORROWER, handle, 0)?;
    let answer = demo::ask_to_the_end(Form::Direct64, BORROWER.id, &[command::RETRIEVE, handle, LENDER.id]);
    expect("it is gone", answer[3], status(FfaError::InvalidParameters))
}

//! Memory transactions to be counted: from SHARE by the Normal world by way of RETRIEVE_REQ, RX_RELEASE and RELINQUISH of
//! a partition, inside one direct request, to RECLAIM.

use core::arch::asm;

use arm_ffa::FuncId;

use super::times;
use crate::demo::{self, BORROWER, Form, command};
use crate::ffa::{self, Registers, VERSION};
use crate::machine;
use crate::mail::{self, PAGE};
use crate::memory::{Offer, WRITE, reclaim};

/// Others that live beside the one that is counted.
const OTHERS: u64 = 999;

/// One transaction; what the last call gave.
fn cycle(ranges: impl ExactSizeIterator<Item = (u64, u64)> + Clone) -> Registers {
    let handle = Offer::share(&[(BORROWER.id, WRITE)]).send(ranges).expect("the memory is sent");
    let answer = demo::ask(Form::Direct64, BORROWER.id, &[command::BORROW, handle, 0]);
    assert!(answer[3] == 0, "the partition was refused: {answer:x?}");
    reclaim(handle, 0)
}

/// So many pages in one piece.
fn piece(pages: u64) -> impl ExactSizeIterator<Item = (u64, u64)> + Clone {
    [(machine::here().free(), pages)].into_iter()
}

/// So many single pages.
fn scattered(pages: u32) -> impl ExactSizeIterator<Item = (u64, u64)> + Clone {
    (0..pages).map(|page| (machine::here().free() + u64::from(page) * 2 * PAGE as u64, 1))
}

/// Runs the rows.
pub fn run() {
    const DONE: FuncId = FuncId::Success32;
    ffa::call(FuncId::Version, [VERSION]);
    assert!(ffa::expect_success("", &mail::map(mail::PAGES)).is_ok());
    row!(12, bench_row_12_begin, bench_row_12_end, DONE, times(1000, || cycle(piece(1))));
    row!(13, bench_row_13_begin, bench_row_13_end, DONE, times(1000, || cycle(piece(16))));
    row!(14, bench_row_14_begin, bench_row_14_end, DONE, times(100, || cycle(piece(256))));
    row!(15, bench_row_15_begin, bench_row_15_end, DONE, times(10, || cycle(piece(4096))));
    row!(16, bench_row_16_begin, bench_row_16_end, DONE, times(100, || cycle(scattered(16))));
    row!(17, bench_row_17_begin, bench_row_17_end, DONE, times(100, || cycle(scattered(128))));
    row!(18, bench_row_18_begin, bench_row_18_end, DONE, times(10, || cycle(scattered(1024))));
    for other in 0..OTHERS {
        let page = machine::here().free() + (0x1_0000 + other * 4) * PAGE as u64;
        Offer::share(&[(BORROWER.id, WRITE)]).send([(page, 1)].into_iter()).expect("others live");
    }
    row!(19, bench_row_19_begin, bench_row_19_end, DONE, times(100, || cycle(piece(1))));
}

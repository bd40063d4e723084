//! System registers and instructions of others: each must be undefined here.

use core::arch::{asm, global_asm};

use partition::demo::{answer, results};
use partition::service::Words;

use crate::verdict::Verdict;

global_asm!(include_str!("system.S"));

/// More than the attempts of system.S.
const ATTEMPTS: usize = 128;

unsafe extern "C" {
    unsafe fn hostile_system(done: *mut [u8; ATTEMPTS]) -> usize;
}

/// Tries them all.
pub fn all() -> Verdict {
    let mut done = [0; ATTEMPTS];
    // SAFETY: there is a byte for each attempt; one that is not refused is a finding, whatever follows from it.
    let made = unsafe { hostile_system(&mut done) };
    let mut verdict = Verdict::default();
    for (number, done) in done.iter().enumerate().take(made + 1).skip(1) {
        verdict.judge(number as u64, (*done).into(), 0);
    }
    verdict
}

/// Waits for an interrupt and for an event, which a partition may: either ends by itself at the latest when the
/// Normal world wants the PE back.
pub fn idle() -> Words {
    // SAFETY: waits, and changes nothing.
    unsafe { asm!("sevl", "wfe", "wfi", options(nomem, nostack)) };
    answer(Ok(results([])))
}

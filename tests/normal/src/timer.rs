//! A Normal-world interrupt to preempt partitions with: the physical timer of this level. And time itself.

use core::arch::asm;
use core::sync::atomic::{AtomicU64, Ordering};

use crate::level::EL1;
use crate::{gic, pe};

/// How many timer interrupts each PE took.
static TAKEN: [AtomicU64; pe::MAX] = [const { AtomicU64::new(0) }; pe::MAX];

/// The physical count, and its frequency in Hz.
pub fn now() -> (u64, u64) {
    let (count, frequency);
    // SAFETY: reads two registers and changes nothing.
    unsafe {
        asm!("isb", "mrs {}, cntpct_el0", "mrs {}, cntfrq_el0", out(reg) count, out(reg) frequency,
            options(nomem, nostack));
    }
    (count, frequency)
}

/// So many microseconds as a difference of counts.
pub fn ticks(microseconds: u64) -> u64 {
    now().1 / 1_000_000 * microseconds
}

/// Lets so many microseconds pass.
pub fn wait(microseconds: u64) {
    let end = now().0 + ticks(microseconds);
    while now().0 < end {
        core::hint::spin_loop();
    }
}

/// Makes the interrupt pending after `microseconds`.
pub fn arm(microseconds: u64) {
    let ticks = ticks(microseconds);
    // SAFETY: the timer is this image's; its interrupt is handled.
    unsafe {
        if EL1 {
            asm!("msr cntp_tval_el0, {}", "msr cntp_ctl_el0, {}", "isb", in(reg) ticks, in(reg) 1_u64,
                options(nomem, nostack));
        } else {
            asm!("msr cnthp_tval_el2, {}", "msr cnthp_ctl_el2, {}", "isb", in(reg) ticks, in(reg) 1_u64,
                options(nomem, nostack));
        }
    }
}

/// Waits until an interrupt pends, which is not taken yet.
pub fn sleep() {
    // SAFETY: waits, and changes nothing.
    unsafe { asm!("wfi", options(nomem, nostack)) };
}

/// Sleeps a while, or until an interrupt pends. Who waits for another PE leaves it the host's processors.
pub fn doze() {
    const MICROSECONDS: u64 = 100;
    arm(MICROSECONDS);
    sleep();
    disarm();
}

/// Turns the timer off.
pub fn disarm() {
    // SAFETY: the timer is this image's.
    unsafe {
        if EL1 {
            asm!("msr cntp_ctl_el0, xzr", "isb", options(nomem, nostack));
        } else {
            asm!("msr cnthp_ctl_el2, xzr", "isb", options(nomem, nostack));
        }
    }
}

/// Takes a pending interrupt of the timer, if there is one, and whatever else pends: whether there was.
pub fn take() -> bool {
    let before = TAKEN[pe::index()].load(Ordering::Relaxed);
    gic::take();
    TAKEN[pe::index()].load(Ordering::Relaxed) != before
}

/// The interrupt has come.
pub fn expired() {
    disarm();
    TAKEN[pe::index()].fetch_add(1, Ordering::Relaxed);
}

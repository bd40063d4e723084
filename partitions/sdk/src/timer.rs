//! The EL1 physical timer, which the SPMC emulates for each vCPU; its interrupt is [`crate::interrupts::TIMER`].

use core::arch::asm;

macro_rules! read {
    ($name:literal) => {{
        let value: u64;
        // SAFETY: reading it changes nothing. A barrier, as a count may be read early.
        unsafe { asm!("isb", concat!("mrs {}, ", $name), out(reg) value, options(nomem, nostack)) };
        value
    }};
}

macro_rules! write {
    ($name:literal, $value:expr) => {{
        // SAFETY: the timer is this vCPU's own; what comes of it is an interrupt, where that is enabled.
        unsafe { asm!(concat!("msr ", $name, ", {}"), "isb", in(reg) $value, options(nomem, nostack)) };
    }};
}

/// The count.
#[must_use]
pub fn now() -> u64 {
    read!("cntpct_el0")
}

/// So many nanoseconds as a difference of counts.
#[must_use]
pub fn ticks(nanoseconds: u64) -> u64 {
    /// No timer here counts slower than a million times a second.
    const NANOSECONDS: u64 = 1000;
    nanoseconds.saturating_mul(read!("cntfrq_el0") / 1_000_000) / NANOSECONDS
}

/// Lets the interrupt come when the count is `deadline`.
pub fn arm(deadline: u64) {
    const ENABLE: u64 = 1;
    write!("cntp_cval_el0", deadline);
    write!("cntp_ctl_el0", ENABLE);
}

/// When the interrupt was to come last.
#[must_use]
pub fn deadline() -> u64 {
    read!("cntp_cval_el0")
}

/// Turns the timer off.
pub fn disarm() {
    write!("cntp_ctl_el0", 0_u64);
}

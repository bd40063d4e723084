//! Virtual interrupts of a partition: the SPMC's own hypercalls, by HVC, and whether they come while the vCPU works.

use core::arch::asm;

use smccc::hvc64;

/// The timer's interrupt (see [`crate::timer`]).
pub const TIMER: u32 = 3;
/// The interrupt of pending notifications, FF-A's NPI.
pub const NOTIFICATIONS: u32 = 5;

/// HF_INTERRUPT_ENABLE, HF_INTERRUPT_GET and HF_INTERRUPT_DEACTIVATE.
const ENABLE: u32 = 0xff03;
const GET: u32 = 0xff04;
const DEACTIVATE: u32 = 0xff08;

/// What HF_INTERRUPT_GET gives when none pends.
const NONE: u32 = 0xffff_ffff;

/// The line that an interrupt comes on.
#[derive(Clone, Copy)]
pub enum Line {
    /// IRQ.
    Irq = 0,
    /// FIQ.
    Fiq = 1,
}

fn call(function: u32, arguments: [u64; 3]) -> u64 {
    let mut registers = [0; 17];
    registers[..3].copy_from_slice(&arguments);
    hvc64(function, registers)[0]
}

/// Lets an interrupt come to this vCPU, or not: whether it is this partition's.
pub fn enable(id: u32, enable: bool, line: Line) -> bool {
    call(ENABLE, [id.into(), enable.into(), line as u64]) == 0
}

/// Takes a pending interrupt.
#[must_use]
pub fn get() -> Option<u32> {
    let id = call(GET, [0; 3]) as u32;
    (id != NONE).then_some(id)
}

/// An interrupt that was taken is handled, and may come again: whether it is this partition's.
pub fn deactivate(id: u32) -> bool {
    call(DEACTIVATE, [id.into(), id.into(), 0]) == 0
}

/// Interrupts that are enabled come at once, in the midst of everything else.
pub fn unmask() {
    // SAFETY: the vectors handle what comes; what handlers change is atomic.
    unsafe { asm!("msr daifclr, #3", options(nostack)) };
}

/// Interrupts wait until the vCPU takes them itself.
pub fn mask() {
    // SAFETY: keeps interrupts away, and changes nothing else.
    unsafe { asm!("msr daifset, #3", options(nostack)) };
}

/// WFI: the PE may rest until an interrupt comes.
pub fn wait() {
    // SAFETY: waits, and changes nothing that compiled code knows of.
    unsafe { asm!("wfi", options(nostack)) };
}

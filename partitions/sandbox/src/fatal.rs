//! What ends a partition at S-EL0: what is not there at that level, and memory that it may not use so.

use core::arch::asm;

/// Does it: 0 writes at the address, 1 executes there, 2 calls by SMC, 3 by HVC, 4 reads a register of EL1, else sets
/// the physical timer. Comes back only where it may do that.
pub fn commit(what: u64, address: u64) {
    // SAFETY: none of it changes what compiled code relies on, and what is not allowed ends the partition.
    unsafe {
        match what {
            0 => asm!("str xzr, [{}]", in(reg) address, options(nostack)),
            1 => asm!("blr {}", in(reg) address, clobber_abi("C")),
            2 => asm!("smc #0", inout("x0") 0x8400_0063_u64 => _, clobber_abi("C")),
            3 => asm!("hvc #0", inout("x0") 0x8400_0063_u64 => _, clobber_abi("C")),
            4 => asm!("mrs {}, vbar_el1", out(reg) _, options(nostack)),
            _ => asm!("msr cntp_ctl_el0, {}", in(reg) 2_u64, options(nostack)),
        }
    }
}

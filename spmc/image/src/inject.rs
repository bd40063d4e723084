//! An UNDEFINED exception at the EL1 of the context that runs (Arm DDI 0487, D1.3), for what it may not access.

use crate::context::Context;
use crate::features::Features;
use crate::sysregs;

/// SPSR bits that an exception carries over as they are: NZCV, DIT, UAO is cleared, PAN and SSBS see below.
const KEPT: u64 = 0xf << 28 | 1 << 24 | PAN;
const PAN: u64 = 1 << 22;
const TCO: u64 = 1 << 25;
const SSBS: u64 = 1 << 12;
/// EL1 with its own stack pointer; D, A, I and F masked.
const EL1H_MASKED: u64 = 0x3c5;
/// ESR: unknown reason, 32-bit instruction.
const UNKNOWN: u64 = 1 << 25;
/// SCTLR_EL1.SPAN.
const SPAN: u64 = 1 << 23;
/// SCTLR_EL1.DSSBS.
const DSSBS: u64 = 1 << 44;

/// Lets the context that runs go on in its own vector for an undefined instruction.
pub fn undefined(context: &mut Context, features: &Features) {
    let general = &mut context.general;
    let vector = match general.spsr & 0xf {
        0b0100 => 0x000, // EL1 on SP_EL0
        0b0101 => 0x200, // EL1 on SP_EL1
        _ if general.spsr & 1 << 4 != 0 => 0x600,
        _ => 0x400, // EL0
    };
    let sctlr = sysregs::sctlr_el1();
    sysregs::set_esr_el1(UNKNOWN);
    sysregs::set_elr_el1(general.elr);
    sysregs::set_spsr_el1(general.spsr);
    let mut spsr = general.spsr & KEPT | EL1H_MASKED;
    if sctlr & SPAN == 0 {
        spsr |= PAN;
    }
    if sctlr & DSSBS != 0 {
        spsr |= SSBS;
    }
    if features.mte {
        spsr |= TCO;
    }
    general.spsr = spsr;
    // A partition may put its vectors at the end of the address space, or claim to.
    general.elr = sysregs::vbar_el1().wrapping_add(vector);
}

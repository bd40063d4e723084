//! Brings the assembler files in, with the numbers and symbols of Rust that they use.
#![expect(unsafe_code, reason = "assembler at file scope; each file states its contract")]

use core::arch::global_asm;
use core::mem::offset_of;

use crate::context::General;
use crate::secondary::offsets;
use crate::{boot, crash, enter, reset, secondary, sysregs, tlb};

/// A boot block: valid, accessed, execute never; attribute 0, device.
const BOOT_DEVICE: u64 = 1 | 1 << 10 | 1 << 53 | 1 << 54;
/// A boot block: valid, accessed, inner-shareable; attribute 1, normal.
const BOOT_NORMAL: u64 = 1 | 1 << 10 | 3 << 8 | 1 << 2;
/// The frame that `enter_partition` leaves on the stack: callee-saved registers, two pointers, two scratch words.
const SLOTS: usize = 128;

global_asm!(
    include_str!("entry.S"),
    HCR = const sysregs::HCR,
    MAIR = const sysregs::MAIR,
    TCR = const sysregs::TCR,
    EMPTY = sym tlb::EMPTY,
    SCTLR = const sysregs::SCTLR,
    BOOT_DEVICE = const BOOT_DEVICE,
    BOOT_NORMAL = const BOOT_NORMAL,
    BOOT_RECORD = sym crash::BOOT_RECORD,
    boot = sym boot::boot,
    SECONDARY = sym secondary::SECONDARY,
    SECONDARY_TTBR1 = const offsets::TTBR1,
    SECONDARY_COUNT = const offsets::COUNT,
    SECONDARY_AREAS = const offsets::AREAS,
    SECONDARY_AREA_SIZE = const offsets::AREA_SIZE,
    AREA_STACK = const offsets::AREA_STACK,
    AREA_RECORD = const offsets::AREA_RECORD,
    secondary_main = sym boot::secondary_main,
);

global_asm!(
    include_str!("vectors.S"),
    SLOT_SCRATCH = const SLOTS - 16,
    REASON_SYNC = const enter::REASON_SYNC,
    REASON_INTERRUPT = const enter::REASON_INTERRUPT,
    REASON_SERROR = const enter::REASON_SERROR,
    CRASHING = sym crash::CRASHING,
    crashed = sym crash::crashed,
    reset = sym reset::reset,
);

global_asm!(
    include_str!("enter.S"),
    SLOTS = const SLOTS,
    SLOT_POINTERS = const SLOTS - 32,
    SLOT_SCRATCH = const SLOTS - 16,
    GENERAL_X18 = const offset_of!(General, x18),
    GENERAL_ELR = const offset_of!(General, elr),
);

global_asm!(
    include_str!("trampoline.S"),
    EMPTY = sym tlb::EMPTY,
    TGE = const sysregs::HCR_TGE,
    SLOT_SCRATCH = const SLOTS - 16,
    REASON_SYNC = const enter::REASON_SYNC,
    REASON_INTERRUPT = const enter::REASON_INTERRUPT,
    REASON_SERROR = const enter::REASON_SERROR,
);

global_asm!(include_str!("guarded.S"));
global_asm!(include_str!("state.S"));
global_asm!(include_str!("simd.S"));

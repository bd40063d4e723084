//! The registers of the Normal world that a partition's run must not change.

use core::arch::asm;

use crate::level::EL1;
use crate::outcome::{Outcome, expect};

/// One of them.
pub struct Register {
    name: &'static str,
    /// What it is filled with; the bits that stick are what must survive.
    value: u64,
    present: fn() -> bool,
    write: fn(u64),
    read: fn() -> u64,
}

/// The most that [`REGISTERS`] holds.
pub const COUNT: usize = REGISTERS.len();

macro_rules! read {
    ($name:literal) => {{
        let value: u64;
        // SAFETY: reading these registers changes nothing.
        unsafe { asm!(concat!("mrs {}, ", $name), out(reg) value, options(nomem, nostack)) };
        value
    }};
}

/// A field of four bits of an ID register is not 0.
fn has(register: u64, field: u32) -> bool {
    (register >> field) & 0xf != 0
}

fn always() -> bool {
    true
}
fn pauth() -> bool {
    let (isar1, isar2) = (read!("id_aa64isar1_el1"), read!("S3_0_C0_C6_2"));
    // APA, API; APA3.
    has(isar1, 4) || has(isar1, 8) || has(isar2, 12)
}
fn mte() -> bool {
    // Below 2 there are no tags, and these registers are not there.
    (read!("id_aa64pfr1_el1") >> 8) & 0xf >= 2
}
fn scxtnum() -> bool {
    // CSV2 at 2 or later.
    (read!("id_aa64pfr0_el1") >> 56) & 0xf >= 2
}
fn pmu() -> bool {
    // PMUVer; 0xf says that the PMU is not the architecture's.
    !matches!((read!("id_aa64dfr0_el1") >> 8) & 0xf, 0 | 0xf)
}
/// Whether there is SVE.
pub fn sve() -> bool {
    has(read!("id_aa64pfr0_el1"), 32)
}
/// Whether there is SME.
pub fn sme() -> bool {
    has(read!("id_aa64pfr1_el1"), 24)
}

/// Whether a register of EL2, or another that is not there or not still at EL1, is there.
fn at_el2() -> bool {
    !EL1
}
fn ras_at_el2() -> bool {
    !EL1 && has(read!("id_aa64pfr0_el1"), 28)
}

/// Writes a register that ends in 0 or 6 of the group of ZCR and SMCR, at this level.
macro_rules! set_length {
    ($number:literal, $value:expr) => {
        if EL1 {
            asm!(concat!("msr S3_0_C1_C2_", $number, ", {}"), "isb", in(reg) $value, options(nomem, nostack));
        } else {
            asm!(concat!("msr S3_4_C1_C2_", $number, ", {}"), "isb", in(reg) $value, options(nomem, nostack));
        }
    };
}

/// Lets the vector lengths be as long as the PE has them.
pub fn longest_vectors() {
    const LONGEST: u64 = 0xf;
    // SAFETY: ZCR and SMCR of this level bound the vector lengths, which nothing compiled depends on.
    unsafe {
        if sve() {
            set_length!("0", LONGEST);
        }
        if sme() {
            set_length!("6", LONGEST);
        }
    }
}

/// What an image at EL1 is using itself: it must survive as it is.
const IN_USE_AT_EL1: &[&str] = &[
    "sctlr_el1",
    "cpacr_el1",
    "ttbr0_el1",
    "tcr_el1",
    "mair_el1",
    "vbar_el1",
    "tpidr_el1",
    "cntp_cval_el0",
    // ZCR_EL1, SMCR_EL1.
    "S3_0_C1_C2_0",
    "S3_0_C1_C2_6",
];

macro_rules! registers {
    ($($name:literal $value:literal $present:ident,)*) => {
        /// All of them. Any value will do for what is not in use; names without an assembler name of their own in
        /// Armv8.0 stand by their encoding.
        pub static REGISTERS: [Register; [$($name),*].len()] = [$(Register {
            name: $name,
            value: $value,
            present: $present,
            write: |value| {
                // SAFETY: those that are written have no effect here: at EL2, its host (E2H) is off.
                unsafe { asm!(concat!("msr ", $name, ", {}"), "isb", in(reg) value, options(nomem, nostack)) };
            },
            read: || read!($name),
        }),*];
    };
}

registers! {
    "sctlr_el1" 0x30d5_0800 always,
    "cpacr_el1" 0x0030_0000 always,
    "ttbr0_el1" 0x0012_0000_4aaa_a000 always,
    "ttbr1_el1" 0x0034_0000_4555_5000 always,
    "tcr_el1" 0x0000_0002_b519_3519 always,
    "mair_el1" 0x4404_00ff_bb44_0c08 always,
    "amair_el1" 0 always,
    "vbar_el1" 0xffff_0000_1234_5800 always,
    "esr_el1" 0x5600_0042 always,
    "far_el1" 0x1234_5678_9abc_def0 always,
    "afsr0_el1" 0 always,
    "afsr1_el1" 0 always,
    "elr_el1" 0x0000_1122_3344_5560 always,
    "spsr_el1" 0x6000_03c5 always,
    "sp_el0" 0x0000_aabb_ccdd_eef0 always,
    "sp_el1" 0x0000_1357_9bdf_0240 at_el2,
    "contextidr_el1" 0x0bad_cafe always,
    "csselr_el1" 0x2 always,
    "par_el1" 0x0000_0012_3456_7b80 always,
    "mdscr_el1" 0x1000 always,
    "tpidr_el0" 0x0f1e_2d3c_4b5a_6978 always,
    "tpidrro_el0" 0x7869_5a4b_3c2d_1e0f always,
    "tpidr_el1" 0x1f2e_3d4c_5b6a_7988 always,
    "cntkctl_el1" 0x3 always,
    "cntv_cval_el0" 0x7fff_1234_5678_9abc always,
    "cntv_ctl_el0" 0x3 always,
    "cntp_cval_el0" 0x7fff_cba9_8765_4321 always,
    "cntp_ctl_el0" 0x3 at_el2,
    // EL2's own, which EL3 switches: those that nothing here depends on.
    "vttbr_el2" 0x0055_0000_4aaa_a000 at_el2,
    "vtcr_el2" 0x8002_3558 at_el2,
    "vpidr_el2" 0x410f_d490 at_el2,
    "vmpidr_el2" 0x8000_0102 at_el2,
    "cntvoff_el2" 0x0123_4567_89ab_cdef at_el2,
    "esr_el2" 0x5a00_0017 at_el2,
    "far_el2" 0xfedc_ba98_7654_3210 at_el2,
    "elr_el2" 0x0000_1234_5678_9ab0 at_el2,
    "spsr_el2" 0x8000_03c5 at_el2,
    // Debug, and performance monitors, which partitions do not reach.
    "dbgbvr0_el1" 0x0000_7fff_dead_bee0 always,
    "dbgwvr0_el1" 0x0000_7fff_beef_dea8 always,
    "pmuserenr_el0" 0xf pmu,
    "pmselr_el0" 0x1f pmu,
    "pmccfiltr_el0" 0xe000_0000 pmu,
    // FPCR and FPSR.
    "S3_3_C4_C4_0" 0x0340_0000 always,
    "S3_3_C4_C4_1" 0x0800_001f always,
    // VDISR_EL2, which is DISR_EL1 to a guest.
    "S3_4_C12_C1_1" 0x8100_0042 ras_at_el2,
    // SCXTNUM_EL0, SCXTNUM_EL1.
    "S3_3_C13_C0_7" 0x1111_2222_3333_4444 scxtnum,
    "S3_0_C13_C0_7" 0x5555_6666_7777_8888 scxtnum,
    // APIA, APIB, APDA, APDB, APGA: low and high halves.
    "S3_0_C2_C1_0" 0xa1a1_a1a1_0000_0001 pauth,
    "S3_0_C2_C1_1" 0xa1a1_a1a1_0000_0002 pauth,
    "S3_0_C2_C1_2" 0xb2b2_b2b2_0000_0003 pauth,
    "S3_0_C2_C1_3" 0xb2b2_b2b2_0000_0004 pauth,
    "S3_0_C2_C2_0" 0xc3c3_c3c3_0000_0005 pauth,
    "S3_0_C2_C2_1" 0xc3c3_c3c3_0000_0006 pauth,
    "S3_0_C2_C2_2" 0xd4d4_d4d4_0000_0007 pauth,
    "S3_0_C2_C2_3" 0xd4d4_d4d4_0000_0008 pauth,
    "S3_0_C2_C3_0" 0xe5e5_e5e5_0000_0009 pauth,
    "S3_0_C2_C3_1" 0xe5e5_e5e5_0000_000a pauth,
    // GCR_EL1, RGSR_EL1, TFSR_EL1, TFSRE0_EL1.
    "S3_0_C1_C0_6" 0x1_5a5a mte,
    "S3_0_C1_C0_5" 0x12_340c mte,
    "S3_0_C5_C6_0" 0x3 mte,
    "S3_0_C5_C6_1" 0x1 mte,
    // ZCR_EL1.
    "S3_0_C1_C2_0" 0x3 sve,
    // SMCR_EL1, TPIDR2_EL0.
    "S3_0_C1_C2_6" 0x1 sme,
    "S3_3_C13_C0_5" 0x2468_ace0_1357_9bdf sme,
}

/// Fills all of them that are not in use; what they then hold.
pub fn fill() -> [u64; COUNT] {
    let in_use: &[&str] = if EL1 { IN_USE_AT_EL1 } else { &[] };
    for register in REGISTERS.iter().filter(|register| (register.present)()) {
        if !in_use.contains(&register.name) {
            (register.write)(register.value);
        }
    }
    let mut held = [0; COUNT];
    for (held, register) in held.iter_mut().zip(&REGISTERS).filter(|(_, register)| (register.present)()) {
        *held = (register.read)();
    }
    held
}

/// They must hold this still.
pub fn expect_held(held: &[u64; COUNT]) -> Outcome {
    for (held, register) in held.iter().zip(&REGISTERS).filter(|(_, register)| (register.present)()) {
        expect(register.name, (register.read)(), *held)?;
    }
    Ok(())
}

/// ZA is on, and streaming mode as `streaming` says (SVCR), where there is SME.
pub fn expect_za_on(streaming: bool) -> Outcome {
    let expected = 2 | u64::from(streaming);
    let svcr = if sme() { read!("S3_3_C4_C2_2") } else { expected };
    expect("svcr", svcr, expected)
}

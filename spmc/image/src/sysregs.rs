//! System registers: values that are fixed at build time, and access to what the well-known crates lack at S-EL2.
#![expect(
    unsafe_code,
    reason = "each register is named here, with why its access cannot break memory safety"
)]

use core::arch::asm;

/// HCR_EL2 for as long as the SPMC runs: E2H; RW and VM for partitions at S-EL1; IMO, FMO and AMO take what is
/// asynchronous; FB and BSU make a partition's local TLB and cache maintenance and its barriers hold on all PEs, as a
/// context that moves between PEs believes to be on one; TSC, TACR, TIDCP, TLOR, TERR and TEA trap what a partition
/// may not do by itself. APK, API (PAuth) and ATA (MTE) stay 0 until a context uses them; EnSCXT stays 0, so that
/// SCXTNUM is out of reach.
pub const HCR: u64 =
    E2H | RW | TEA | TERR | TLOR | TACR | TIDCP | TSC | BSU_INNER | FB | AMO | IMO | FMO | VM;
/// HCR_EL2.API and APK: pointer authentication and its keys are not trapped.
pub const HCR_PAUTH: u64 = 1 << 41 | 1 << 40;
/// HCR_EL2.TWI: WFI traps where it would wait.
pub const HCR_TWI: u64 = 1 << 13;
/// HCR_EL2.TGE: EL0 is in the EL2&0 regime, and its exceptions come to EL2. Only while a partition at S-EL0 runs: TLB
/// maintenance of the EL1&0 regime would be of this one.
pub const HCR_TGE: u64 = 1 << 27;
/// HCR_EL2.VI and VF: a virtual IRQ, a virtual FIQ is pending.
pub const HCR_VI: u64 = 1 << 7;
/// See [`HCR_VI`].
pub const HCR_VF: u64 = 1 << 6;
/// HCR_EL2.ATA: tags and the registers of MTE are not trapped.
pub const HCR_MTE: u64 = 1 << 56;
const VM: u64 = 1 << 0;
const FMO: u64 = 1 << 3;
const IMO: u64 = 1 << 4;
const AMO: u64 = 1 << 5;
const FB: u64 = 1 << 9;
const BSU_INNER: u64 = 1 << 10;
const TSC: u64 = 1 << 19;
const TIDCP: u64 = 1 << 20;
const TACR: u64 = 1 << 21;
const RW: u64 = 1 << 31;
const E2H: u64 = 1 << 34;
const TLOR: u64 = 1 << 35;
const TERR: u64 = 1 << 36;
const TEA: u64 = 1 << 37;

/// DISR_EL1.A: an SError was deferred.
pub const DISR_A: u64 = 1 << 31;

/// MPIDR_EL1.Aff3, Aff2, Aff1 and Aff0.
pub const MPIDR_AFFINITY: u64 = 0xff_00ff_ffff;

/// MAIR_EL2: attribute 0 is Device-nGnRnE, attribute 1 Normal write-back.
pub const MAIR: u64 = 0xff00;

/// TCR_EL2 (E2H layout) without IPS: 48 bits in both halves, 4 KB granules, write-back inner-shareable walks, and the ASID
/// is that in TTBR1_EL2 (A1).
pub const TCR: u64 =
    16 | 1 << 8 | 1 << 10 | 3 << 12 | 16 << 16 | 1 << 22 | 1 << 24 | 1 << 26 | 3 << 28 | 2 << 30;

/// SCTLR_EL2 (E2H layout) with the MMU, the caches and the stack alignment check on; WXN follows when the boot tables
/// are left. For S-EL0: stack alignment is checked (SA0), caches are the partition's to maintain (UCI, UCT) and to zero
/// by (DZE), WFE waits (nTWE), and WFI traps.
pub const SCTLR: u64 = 0x30d0_0800 | SCTLR_EL0 | 1 << 12 | 1 << 3 | 1 << 2 | 1;
const SCTLR_EL0: u64 = 1 << 4 | 1 << 14 | 1 << 15 | 1 << 18 | 1 << 26;

/// CPTR_EL2 (E2H layout): FP, SVE and SME trap (FPEN, ZEN and SMEN are 0), and trace and activity monitors too.
pub const CPTR: u64 = 1 << 28 | 1 << 30;
/// CPTR_EL2.FPEN: FP and SIMD are not trapped.
pub const CPTR_FP: u64 = 3 << 20;
/// CPTR_EL2.ZEN: SVE is not trapped.
pub const CPTR_SVE: u64 = 3 << 16;
/// CPTR_EL2.SMEN: SME is not trapped.
pub const CPTR_SME: u64 = 3 << 24;

/// MDCR_EL2 but for HPMN: traps the PMU (TPM, TPMCR), debug (TDA, TDOSA, TDRA), trace (TTRF), and by E2PB and E2TB of 0
/// and TPMS profiling and trace buffers.
pub const MDCR: u64 = 1 << 5 | 1 << 6 | 1 << 9 | 1 << 10 | 1 << 11 | 1 << 14 | 1 << 19;

/// CNTHCTL_EL2 (E2H layout): the counters are free (EL1PCTEN, and at S-EL0 EL0PCTEN and EL0VCTEN); the physical timer
/// traps (EL1PTEN is 0), and is emulated at S-EL1. S-EL0 has none (EL0PTEN and EL0VTEN are 0).
pub const CNTHCTL: u64 = 1 << 10 | 1 << 1 | 1;
/// CNTHCTL_EL2.EL1TVT: the virtual timer traps too (FEAT_ECV).
pub const CNTHCTL_EL1TVT: u64 = 1 << 13;

/// ICC_CTLR_EL1.EOImode: the end of an interrupt drops its priority and leaves it active (Arm IHI 0069, 4.1.1). This
/// is the secure copy; EL3 has a bit of its own in ICC_CTLR_EL3.
pub const ICC_CTLR_EOIMODE: u64 = 1 << 1;

/// ICH_HCR_EL2: TC, TALL0 and TALL1 trap a partition's accesses to the GIC's CPU interface.
pub const ICH_HCR: u64 = 1 << 10 | 1 << 11 | 1 << 12;

/// VTCR_EL2 without SL0, T0SZ and PS: 4 KB granule, write-back inner-shareable walks. NSA = 1 and NSW = 0: the
/// non-secure IPA space is walked in secure memory and yields non-secure addresses.
pub const VTCR: u64 = 1 << 31 | 1 << 30 | 1 << 8 | 1 << 10 | 3 << 12;
/// VTCR_EL2.VS: 16-bit VMIDs.
pub const VTCR_VS: u64 = 1 << 19;
/// VSTCR_EL2 without SL0 and T0SZ: 4 KB granule; SW = 0 and SA = 0: everything secure.
pub const VSTCR: u64 = 1 << 31;
/// SL0 of VTCR_EL2 and VSTCR_EL2: walks begin at level 0.
pub const LEVEL_0: u64 = 2 << 6;
/// SL0: walks begin at level 1.
pub const LEVEL_1: u64 = 1 << 6;

macro_rules! read_only {
    ($($(#[$doc:meta])* $read:ident = $register:literal;)*) => {$(
        $(#[$doc])*
        #[must_use]
        #[inline(always)]
        pub fn $read() -> u64 {
            let value;
            // SAFETY: reading this register has no side effect.
            unsafe { asm!(concat!("mrs {}, ", $register), out(reg) value, options(nomem, nostack, preserves_flags)) };
            value
        }
    )*};
}

macro_rules! write {
    ($($(#[$doc:meta])* $write:ident = $register:literal;)*) => {$(
        $(#[$doc])*
        #[inline(always)]
        pub fn $write(value: u64) {
            // SAFETY: the register governs what lower exception levels may do and see, holds a context's value, or has
            // to do with interrupts, which EL2 keeps masked; none of them changes a translation or a stack of EL2.
            unsafe { asm!(concat!("msr ", $register, ", {}"), in(reg) value, options(nostack, preserves_flags)) };
        }
    )*};
}

read_only! {
    /// MIDR_EL1.
    midr = "midr_el1";
    /// MPIDR_EL1.
    mpidr = "mpidr_el1";
    /// ID_AA64PFR0_EL1.
    id_aa64pfr0 = "id_aa64pfr0_el1";
    /// ID_AA64PFR1_EL1.
    id_aa64pfr1 = "id_aa64pfr1_el1";
    /// ID_AA64ISAR0_EL1.
    id_aa64isar0 = "id_aa64isar0_el1";
    /// ID_AA64ISAR1_EL1.
    id_aa64isar1 = "id_aa64isar1_el1";
    /// ID_AA64ISAR2_EL1.
    id_aa64isar2 = "S3_0_C0_C6_2";
    /// ID_AA64MMFR0_EL1.
    id_aa64mmfr0 = "id_aa64mmfr0_el1";
    /// ID_AA64MMFR1_EL1.
    id_aa64mmfr1 = "id_aa64mmfr1_el1";
    /// ID_AA64SMFR0_EL1.
    id_aa64smfr0 = "S3_0_C0_C4_5";
    /// MDCR_EL2.
    mdcr = "mdcr_el2";
    /// TCR_EL2.
    tcr = "tcr_el2";
    /// ESR_EL2.
    esr = "esr_el2";
    /// FAR_EL2.
    far = "far_el2";
    /// HPFAR_EL2.
    hpfar = "hpfar_el2";
    /// VTTBR_EL2.
    vttbr = "vttbr_el2";
    /// VSTTBR_EL2.
    vsttbr = "S3_4_C2_C6_0";
    /// SCTLR_EL1 of the context whose EL1 set is loaded.
    sctlr_el1 = "S3_5_C1_C0_0";
    /// VBAR_EL1 of the context whose EL1 set is loaded.
    vbar_el1 = "S3_5_C12_C0_0";
    /// SVCR.
    svcr = "S3_3_C4_C2_2";
    /// ZCR_EL2.
    zcr = "S3_4_C1_C2_0";
    /// SMCR_EL2.
    smcr = "S3_4_C1_C2_6";
    /// ICC_CTLR_EL1.
    icc_ctlr = "S3_0_C12_C12_4";
    /// DCZID_EL0.
    dczid = "dczid_el0";
    /// CNTFRQ_EL0.
    cntfrq = "cntfrq_el0";
    /// CNTPCT_EL0: as it was at some time behind the last context synchronization.
    cntpct = "cntpct_el0";
}

write! {
    /// HCR_EL2.
    set_hcr = "hcr_el2";
    /// CPTR_EL2.
    set_cptr = "cptr_el2";
    /// MDCR_EL2.
    set_mdcr = "mdcr_el2";
    /// HSTR_EL2.
    set_hstr = "hstr_el2";
    /// CNTHCTL_EL2.
    set_cnthctl = "cnthctl_el2";
    /// CNTVOFF_EL2.
    set_cntvoff = "cntvoff_el2";
    /// CNTHPS_CTL_EL2.
    set_cnthps_ctl = "S3_4_C14_C5_1";
    /// CNTHPS_CVAL_EL2.
    set_cnthps_cval = "S3_4_C14_C5_2";
    /// ICC_CTLR_EL1.
    set_icc_ctlr = "S3_0_C12_C12_4";
    /// ICC_SGI1R_EL1: generates an interrupt of this security state's Group 1.
    generate_sgi = "S3_0_C12_C11_5";
    /// ICC_ASGI1R_EL1: generates an interrupt of the other security state's Group 1.
    generate_other_sgi = "S3_0_C12_C11_6";
    /// ICH_HCR_EL2.
    set_ich_hcr = "S3_4_C12_C11_0";
    /// VPIDR_EL2.
    set_vpidr = "vpidr_el2";
    /// VMPIDR_EL2.
    set_vmpidr = "vmpidr_el2";
    /// VTCR_EL2.
    set_vtcr = "vtcr_el2";
    /// VSTCR_EL2.
    set_vstcr = "S3_4_C2_C6_2";
    /// VTTBR_EL2.
    set_vttbr = "vttbr_el2";
    /// VSTTBR_EL2.
    set_vsttbr = "S3_4_C2_C6_0";
    /// ESR_EL1 of the context whose EL1 set is loaded.
    set_esr_el1 = "S3_5_C5_C2_0";
    /// ELR_EL1 of the context whose EL1 set is loaded.
    set_elr_el1 = "S3_5_C4_C0_1";
    /// SPSR_EL1 of the context whose EL1 set is loaded.
    set_spsr_el1 = "S3_5_C4_C0_0";
    /// DISR_EL1.
    set_disr = "S3_0_C12_C1_1";
    /// CNTV_CTL_EL0.
    set_cntv_ctl = "S3_5_C14_C3_1";
    /// ZCR_EL2.
    set_zcr = "S3_4_C1_C2_0";
    /// SMCR_EL2.
    set_smcr = "S3_4_C1_C2_6";
    /// FPSR.
    set_fpsr = "S3_3_C4_C4_1";
}

/// Makes what was written to system registers hold for the instructions that follow.
#[inline(always)]
pub fn isb() {
    // SAFETY: a barrier.
    unsafe { asm!("isb", options(nostack, preserves_flags)) };
}

/// Makes stores of this PE visible to the others before an interrupt that is generated behind it.
#[inline(always)]
pub fn complete_stores() {
    // SAFETY: a barrier.
    unsafe { asm!("dsb ishst", options(nostack, preserves_flags)) };
}

/// Waits until accesses that this PE has begun are complete, those of the GIC's system registers included (Arm IHI
/// 0069, "Observability of the effects of accesses to the GIC registers").
#[inline(always)]
pub fn complete_accesses() {
    // SAFETY: a barrier.
    unsafe { asm!("dsb sy", options(nostack, preserves_flags)) };
}

/// Waits until memory accesses and maintenance that this PE has begun, those of a partition included, are complete.
/// DISR_EL1: with bit 31 set, one of them ended in an SError, which is taken by this (DDI 0487, ESB).
#[must_use]
#[inline(always)]
pub fn complete() -> u64 {
    let deferred;
    // SAFETY: barriers, HINT 16 being ESB; a register that says what was deferred.
    unsafe {
        asm!("dsb sy", "hint #16", "mrs {}, S3_0_C12_C1_1", out(reg) deferred, options(nostack, preserves_flags))
    };
    deferred
}

/// Makes stores to translation tables visible to the table walkers of all PEs, and forgets what any PE has cached of
/// the secure EL1&0 regime, stage 1 and 2.
pub fn publish_tables() {
    // SAFETY: barriers and TLB maintenance; no translation of EL2 is affected.
    unsafe { asm!("dsb ishst", "tlbi alle1is", "dsb ish", "isb", options(nostack, preserves_flags)) };
}

/// Makes stores to partitions' tables visible to the table walkers of all PEs.
pub fn publish_tables_of_partitions() {
    // SAFETY: barriers.
    unsafe { asm!("dsb ishst", "isb", options(nostack, preserves_flags)) };
}

/// Forgets what any PE has cached of stage 2 for one IPA of the current VMID. [`forget_stage_1`] completes it.
pub fn forget_ipa(operand: u64) {
    // SAFETY: TLB maintenance; no translation of EL2 is affected.
    unsafe { asm!("tlbi ipas2e1is, {}", in(reg) operand, options(nostack, preserves_flags)) };
}

/// As [`forget_ipa`], for a range of IPAs: RIPAS2E1IS, where [`has_tlbi_range`].
pub fn forget_ipas(operand: u64) {
    // SAFETY: as above.
    unsafe { asm!("sys #4, c8, c0, #2, {}", in(reg) operand, options(nostack, preserves_flags)) };
}

/// Forgets what stage 1 of the current VMID has made of stage 2, after that was forgotten.
pub fn forget_stage_1() {
    // SAFETY: as above.
    unsafe { asm!("dsb ish", "tlbi vmalle1is", "dsb ish", "isb", options(nostack, preserves_flags)) };
}

/// Forgets what any PE has cached of stage 1 of the EL2&0 regime for one virtual address of an ASID.
/// [`complete_forgetting`] completes it.
pub fn forget_address(operand: u64) {
    // SAFETY: TLB maintenance; the next access walks the tables again.
    unsafe { asm!("tlbi vae2is, {}", in(reg) operand, options(nostack, preserves_flags)) };
}

/// As [`forget_address`], for a range: RVAE2IS, where [`has_tlbi_range`].
pub fn forget_addresses(operand: u64) {
    // SAFETY: as above.
    unsafe { asm!("sys #4, c8, c2, #1, {}", in(reg) operand, options(nostack, preserves_flags)) };
}

/// What was to be forgotten by any PE is.
pub fn complete_forgetting() {
    // SAFETY: barriers.
    unsafe { asm!("dsb ish", "isb", options(nostack, preserves_flags)) };
}

/// Forgets both stages of the current VMID.
pub fn forget_stages() {
    // SAFETY: as above.
    unsafe { asm!("tlbi vmalls12e1is", "dsb ish", "isb", options(nostack, preserves_flags)) };
}

/// FEAT_TLBIRANGE.
#[must_use]
pub fn has_tlbi_range() -> bool {
    id_aa64isar0() >> 56 & 0xf == 2
}

/// Forgets what any PE has cached of the SPMC's own translations: for pages that are mapped no longer.
pub fn forget_own_translations() {
    // SAFETY: barriers and TLB maintenance; the next access walks the tables again.
    unsafe { asm!("dsb ishst", "tlbi alle2is", "dsb ish", "isb", options(nostack, preserves_flags)) };
}

/// Op0, Op1, CRn, CRm and Op2 of a trapped MRS or MSR, from its syndrome.
#[must_use]
pub const fn trapped(syndrome: u64) -> (u64, u64, u64, u64, u64) {
    (syndrome >> 20 & 3, syndrome >> 14 & 7, syndrome >> 10 & 0xf, syndrome >> 1 & 0xf, syndrome >> 17 & 7)
}

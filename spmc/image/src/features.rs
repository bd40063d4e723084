//! What the CPU has, read once at boot from the ID registers; all PEs are alike.

use crate::{sysregs, traps};

/// Features that decide what is trapped and what is switched.
#[derive(Clone, Copy, Debug)]
pub struct Features {
    /// PAuth, by any algorithm, with keys that EL3 lets S-EL2 switch.
    pub pauth: bool,
    /// MTE with its registers at EL1 (FEAT_MTE2), which EL3 lets S-EL2 switch.
    pub mte: bool,
    /// SVE.
    pub sve: bool,
    /// SME.
    pub sme: bool,
    /// All of SVE in streaming mode (FEAT_SME_FA64), so that FFR exists there.
    pub sme_fa64: bool,
    /// FEAT_ECV: EL1's virtual timer can be trapped.
    pub timer_traps: bool,
    /// 0xffff, or 0xff where VMIDs have 8 bits.
    pub vmid_mask: u16,
    /// Bits of a physical address, 48 at most.
    pub physical_bits: u64,
    /// PARange as TCR, VTCR and IPS want it, 48 bits at most.
    pub physical_range: u64,
}

/// The four-bit field of an ID register that starts at bit `at`.
const fn field(register: u64, at: u32) -> u64 {
    register >> at & 0xf
}

impl Features {
    /// Whether stage 2 can begin at level 0 (DDI 0487, D8.2): not on a PE with 42 bits of physical address or fewer,
    /// where it begins at level 1 and covers 512 GB.
    #[must_use]
    pub const fn has_level_0(&self) -> bool {
        self.physical_bits >= 44
    }

    /// Reads the ID registers.
    #[must_use]
    pub fn read() -> Self {
        let (pfr0, pfr1) = (sysregs::id_aa64pfr0(), sysregs::id_aa64pfr1());
        let (isar1, isar2) = (sysregs::id_aa64isar1(), sysregs::id_aa64isar2());
        let mmfr0 = sysregs::id_aa64mmfr0();
        let physical_range = field(mmfr0, 0).min(5);
        let sme = field(pfr1, 24) != 0;
        Self {
            pauth: (field(isar1, 4) | field(isar1, 8) | field(isar2, 12)) != 0 && traps::keys_are_reachable(),
            mte: field(pfr1, 8) >= 2 && traps::tags_are_reachable(),
            sve: field(pfr0, 32) != 0,
            sme,
            sme_fa64: sme && sysregs::id_aa64smfr0() >> 63 != 0,
            timer_traps: field(mmfr0, 60) != 0,
            vmid_mask: if field(sysregs::id_aa64mmfr1(), 4) == 2 { 0xffff } else { 0xff },
            physical_bits: [32, 36, 40, 42, 44, 48][physical_range as usize],
            physical_range,
        }
    }
}

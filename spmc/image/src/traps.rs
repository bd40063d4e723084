//! What a partition may not do by itself, set up once on each PE that comes on. EL3 keeps these registers apart from
//! those of the Normal world's EL2.
#![expect(unsafe_code, reason = "calls the probes of guarded.S, which write EL2's trap registers or nothing")]

use crate::features::Features;
use crate::sysregs;

unsafe extern "C" {
    fn probe_hcrx(value: u64) -> u64;
    fn probe_hfgrtr(value: u64) -> u64;
    fn probe_hfgwtr(value: u64) -> u64;
    fn probe_hfgitr(value: u64) -> u64;
    fn probe_hdfgrtr(value: u64) -> u64;
    fn probe_hdfgwtr(value: u64) -> u64;
    fn probe_hafgrtr(value: u64) -> u64;
    fn probe_hfgrtr2(value: u64) -> u64;
    fn probe_hfgwtr2(value: u64) -> u64;
    fn probe_hfgitr2(value: u64) -> u64;
    fn probe_hdfgrtr2(value: u64) -> u64;
    fn probe_hdfgwtr2(value: u64) -> u64;
    fn probe_mpam2(value: u64) -> u64;
    fn probe_keys() -> u64;
    fn probe_tags() -> u64;
}

/// MPAM2_EL2.TRAPMPAM0EL1 and TRAPMPAM1EL1.
const MPAM_TRAPS: u64 = 1 << 49 | 1 << 48;
/// MDCR_EL2.HPMN.
const HPMN: u64 = 0x1f;

/// Whether S-EL2 can reach the keys of PAuth: EL3 may keep them for the Normal world.
#[must_use]
pub fn keys_are_reachable() -> bool {
    // SAFETY: a read, which has no effect or is found out.
    unsafe { probe_keys() == 0 }
}

/// Whether S-EL2 can reach the registers of MTE: EL3 may keep them for the Normal world.
#[must_use]
pub fn tags_are_reachable() -> bool {
    // SAFETY: a read, which has no effect or is found out.
    unsafe { probe_tags() == 0 }
}

/// Sets the traps and the constants of stage 2 on this PE.
pub fn start(features: &Features) {
    sysregs::set_hcr(sysregs::HCR);
    sysregs::set_cptr(sysregs::CPTR);
    sysregs::set_mdcr(sysregs::MDCR | sysregs::mdcr() & HPMN);
    sysregs::set_hstr(0);
    sysregs::set_cntvoff(0);
    let timer = if features.timer_traps { sysregs::CNTHCTL_EL1TVT } else { 0 };
    sysregs::set_cnthctl(sysregs::CNTHCTL | timer);
    sysregs::set_vpidr(sysregs::midr());
    let size = if features.has_level_0() {
        sysregs::LEVEL_0 | (64 - features.physical_bits)
    } else {
        sysregs::LEVEL_1 | 25
    };
    let vmid = if features.vmid_mask == 0xffff { sysregs::VTCR_VS } else { 0 };
    sysregs::set_vtcr(sysregs::VTCR | size | features.physical_range << 16 | vmid);
    sysregs::set_vstcr(sysregs::VSTCR | size);
    // In HCRX_EL2 a 0 hides the newer EL1 registers (TCR2, SCTLR2, GCS, D128, FPMR). In the fine-grained trap registers
    // the bits of newer registers trap when 0 (PIR, POR, GCS, TPIDR2, RCWMASK, ACCDATA, BRBE), those of older ones do
    // not, and those are trapped elsewhere. A register that is absent, or that EL3 has not enabled for S-EL2, has no
    // effect either: there is nothing more to do about it.
    // SAFETY: these registers govern traps of lower exception levels only.
    unsafe {
        let zero = [
            probe_hcrx,
            probe_hfgrtr,
            probe_hfgwtr,
            probe_hfgitr,
            probe_hdfgrtr,
            probe_hdfgwtr,
            probe_hafgrtr,
            probe_hfgrtr2,
            probe_hfgwtr2,
            probe_hfgitr2,
            probe_hdfgrtr2,
            probe_hdfgwtr2,
        ];
        for probe in zero {
            probe(0);
        }
        probe_mpam2(MPAM_TRAPS);
    }
    sysregs::isb();
}

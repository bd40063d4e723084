//! Forgets what the TLBs of all PEs have kept of a partition's stage 2 (Arm DDI 0487, D8.17).

use manager::memory::page::{PAGE_SHIFT, PageRange, Space};
use manager::memory::table::TableFrame;

use crate::{layout, sysregs};

/// In the operand: the IPA is one of the non-secure IPA space.
const NORMAL: u64 = 1 << 63;
/// In the operand of a range: addresses are in units of 4 KB.
const GRANULE_4_KB: u64 = 1 << 46;
/// Where VTTBR_EL2 has the VMID.
const VMID_SHIFT: u32 = 48;
/// The most pages that are forgotten one by one, where they cannot be by ranges; of more, all of the partition's are.
const FEW: u64 = 64;

/// A table that maps nothing.
static EMPTY: TableFrame = TableFrame::new();

/// Forgets these IPAs of `vmid`, and what stage 1 made of them.
pub fn invalidate(vmid: u16, range: PageRange) {
    let vmid = u64::from(vmid) << VMID_SHIFT;
    let current = (sysregs::vttbr(), sysregs::vsttbr());
    sysregs::publish_stage_2();
    if current.0 >> VMID_SHIFT << VMID_SHIFT == vmid {
        return forget(range);
    }
    // The instructions are about the VMID in VTTBR_EL2. Under a foreign one no table but an empty one is to be found,
    // not even by speculation.
    let empty = layout::physical((&raw const EMPTY).expose_provenance());
    sysregs::set_vsttbr(empty);
    sysregs::isb();
    sysregs::set_vttbr(vmid | empty);
    sysregs::isb();
    forget(range);
    sysregs::set_vttbr(current.0);
    sysregs::isb();
    sysregs::set_vsttbr(current.1);
}

/// Forgets these IPAs of the current VMID.
fn forget(range: PageRange) {
    let space = match range.space() {
        Space::Secure => 0,
        Space::Normal => NORMAL,
    };
    let (first, count) = (range.start() >> PAGE_SHIFT, range.pages());
    if sysregs::has_tlbi_range() {
        forget_ranges(space, first, count);
    } else if count <= FEW {
        (first..first + count).for_each(|page| sysregs::forget_ipa(space | page));
    } else {
        return sysregs::forget_stages();
    }
    sysregs::forget_stage_1();
}

/// By ranges of `(number + 1) * 2^(5 * scale + 1)` pages, of at most 2^21.
fn forget_ranges(space: u64, mut page: u64, mut count: u64) {
    if !count.is_multiple_of(2) {
        sysregs::forget_ipa(space | page);
        page += 1;
        count -= 1;
    }
    for scale in 0..4 {
        let unit = 5 * scale + 1;
        let number = if scale == 3 { count >> unit } else { count >> unit & 0x1f };
        let mut left = number;
        while left > 0 {
            let now = left.min(32);
            sysregs::forget_ipas(space | GRANULE_4_KB | scale << 44 | (now - 1) << 39 | page);
            page += now << unit;
            left -= now;
        }
        count -= number << unit;
    }
}

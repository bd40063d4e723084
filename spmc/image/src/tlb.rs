//! Forgets what the TLBs of all PEs have kept of a partition's translations (Arm DDI 0487, D8.17).

use manager::hardware::Tag;
use manager::memory::page::{PAGE_SHIFT, PageRange, Space};
use manager::memory::table::TableFrame;

use crate::{layout, sysregs};

/// In the operand: the IPA is one of the non-secure IPA space.
const NORMAL: u64 = 1 << 63;
/// In the operand of a range: addresses are in units of 4 KB.
const GRANULE_4_KB: u64 = 1 << 46;
/// Where VTTBR_EL2 has the VMID, and the operand for a virtual address the ASID.
const TAG_SHIFT: u32 = 48;
/// The most pages that are forgotten one by one, where they cannot be by ranges; of more, all of the partition's are.
const FEW: u64 = 64;

/// A table that maps nothing.
pub static EMPTY: TableFrame = TableFrame::new();

/// The physical address of [`EMPTY`].
#[must_use]
pub fn empty() -> u64 {
    layout::physical((&raw const EMPTY).expose_provenance())
}

/// Forgets these addresses of a partition.
pub fn invalidate(whose: Tag, range: PageRange) {
    sysregs::publish_tables_of_partitions();
    match whose {
        Tag::Vmid(vmid) => forget_ipas(u64::from(vmid) << TAG_SHIFT, range),
        Tag::Asid(asid) => {
            let asid = u64::from(asid) << TAG_SHIFT;
            if !forget(asid, range, sysregs::forget_address, sysregs::forget_addresses) {
                sysregs::forget_own_translations();
            }
            sysregs::complete_forgetting();
        }
    }
}

/// Forgets these IPAs of the VMID in `vmid`, and what stage 1 made of them.
fn forget_ipas(vmid: u64, range: PageRange) {
    let current = (sysregs::vttbr(), sysregs::vsttbr());
    if current.0 >> TAG_SHIFT << TAG_SHIFT == vmid {
        return forget_current(range);
    }
    // The instructions are about the VMID in VTTBR_EL2. Under a foreign one no table but an empty one is to be found,
    // not even by speculation.
    let empty = empty();
    sysregs::set_vsttbr(empty);
    sysregs::isb();
    sysregs::set_vttbr(vmid | empty);
    sysregs::isb();
    forget_current(range);
    sysregs::set_vttbr(current.0);
    sysregs::isb();
    sysregs::set_vsttbr(current.1);
}

/// Forgets these IPAs of the current VMID.
fn forget_current(range: PageRange) {
    let space = match range.space() {
        Space::Secure => 0,
        Space::Normal => NORMAL,
    };
    if forget(space, range, sysregs::forget_ipa, sysregs::forget_ipas) {
        sysregs::forget_stage_1();
    } else {
        sysregs::forget_stages();
    }
}

/// Forgets a range by operands that begin with `prefix`: by `one` page, or by `many`. False, and nothing is forgotten,
/// where it has too many pages for that.
#[inline(always)]
fn forget(prefix: u64, range: PageRange, one: impl Fn(u64), many: impl Fn(u64)) -> bool {
    let (first, count) = (range.start() >> PAGE_SHIFT, range.pages());
    let has_ranges = sysregs::has_tlbi_range();
    if has_ranges {
        forget_ranges(prefix, (first, count), &one, many);
    } else if count <= FEW {
        (first..first + count).for_each(|page| one(prefix | page));
    }
    has_ranges || count <= FEW
}

/// By ranges of `(number + 1) * 2^(5 * scale + 1)` pages, of at most 2^21.
fn forget_ranges(prefix: u64, (mut page, mut count): (u64, u64), one: &impl Fn(u64), many: impl Fn(u64)) {
    if !count.is_multiple_of(2) {
        one(prefix | page);
        page += 1;
        count -= 1;
    }
    for scale in 0..4 {
        let unit = 5 * scale + 1;
        let number = if scale == 3 { count >> unit } else { count >> unit & 0x1f };
        let mut left = number;
        while left > 0 {
            let now = left.min(32);
            many(prefix | GRANULE_4_KB | scale << 44 | (now - 1) << 39 | page);
            page += now << unit;
            left -= now;
        }
        count -= number << unit;
    }
}

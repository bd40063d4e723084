//! Stage 1 of the SPMC itself: its own pages W^X, devices, and the ranges of the manifest as linear map.
#![expect(unsafe_code, reason = "turns frames of the heap into translation tables and switches to them")]

use alloc::vec::Vec;
use core::ops::Range;
use core::ptr::NonNull;

use aarch64_paging::descriptor::{El1Attributes, PhysicalAddress};
use aarch64_paging::paging::{
    Constraints, El2And0, MemoryRegion, PageTable, RootTable, Translation, VaRange,
};

use crate::{heap, layout, sysregs};

unsafe extern "C" {
    /// Goes over from the boot tables to others; see entry.S.
    fn activate_tables(root: u64, control: u64);
}

/// Nothing is global: what a TLB keeps of the SPMC is of no use to whoever runs by another ASID (R16).
const COMMON: El1Attributes =
    El1Attributes::VALID.union(El1Attributes::ACCESSED).union(El1Attributes::NON_GLOBAL);
const NORMAL: El1Attributes =
    COMMON.union(El1Attributes::ATTRIBUTE_INDEX_1).union(El1Attributes::INNER_SHAREABLE);
const NEVER_EXECUTE: El1Attributes = El1Attributes::PXN.union(El1Attributes::UXN);

/// What a page may be used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    /// Code.
    Text,
    /// Constants.
    ReadOnly,
    /// Variables, tables, secure memory of partitions.
    Data,
    /// The Normal world's memory.
    Normal,
    /// Device registers.
    Device,
    /// Nothing: an access faults.
    Guard,
}

impl Use {
    fn attributes(self) -> El1Attributes {
        match self {
            Self::Text => NORMAL | El1Attributes::READ_ONLY | El1Attributes::UXN,
            Self::ReadOnly => NORMAL | El1Attributes::READ_ONLY | NEVER_EXECUTE,
            Self::Data => NORMAL | NEVER_EXECUTE,
            Self::Normal => NORMAL | El1Attributes::NS | NEVER_EXECUTE,
            Self::Device => COMMON | El1Attributes::ATTRIBUTE_INDEX_0 | NEVER_EXECUTE,
            Self::Guard => El1Attributes::empty(),
        }
    }
}

/// Tables in frames of the heap.
struct Frames;

impl Translation<El1Attributes> for Frames {
    fn allocate_table(&mut self) -> (NonNull<PageTable<El1Attributes>>, PhysicalAddress) {
        let frame = heap::take_page();
        let table =
            NonNull::new(core::ptr::with_exposed_provenance_mut(frame)).expect("a page of the upper half");
        (table, PhysicalAddress(layout::physical(frame) as usize))
    }

    unsafe fn deallocate_table(&mut self, _: NonNull<PageTable<El1Attributes>>) {
        unreachable!("tables are only added to");
    }

    fn physical_to_virtual(&self, pa: PhysicalAddress) -> NonNull<PageTable<El1Attributes>> {
        let address = layout::virtual_address(pa.0 as u64);
        NonNull::new(core::ptr::with_exposed_provenance_mut(address)).expect("a page of the upper half")
    }
}

/// The tables of the upper half: the SPMC's own, and those that map the trampoline alone while a partition at S-EL0 runs.
pub struct Tables {
    root: RootTable<El2And0, Frames>,
    trampoline: RootTable<El2And0, Frames>,
    /// What is mapped with permissions of its own; the ranges of the manifest leave it alone.
    own: Vec<Range<u64>>,
}

impl Tables {
    /// Tables that map nothing yet.
    #[must_use]
    pub fn new() -> Self {
        let upper = || RootTable::with_va_range(Frames, 0, El2And0, VaRange::Upper);
        let (mut trampoline, root) = (upper(), upper());
        let below = trampoline.to_physical().0 + size_of::<PageTable<El1Attributes>>();
        assert_eq!(below, root.to_physical().0, "trampoline.S finds one by the other");
        map(&mut trampoline, layout::trampoline(), Use::Text, Constraints::NO_BLOCK_MAPPINGS);
        Self { root, trampoline, own: Vec::with_capacity(24) }
    }

    /// The root of the tables that map the trampoline alone, for TTBR1_EL2.
    #[must_use]
    pub fn trampoline(&self) -> u64 {
        self.trampoline.to_physical().0 as u64
    }

    /// What these tables map, by a walk over all of the upper half.
    #[must_use]
    pub fn seen_at_el0(&self) -> Vec<Range<usize>> {
        let mut seen = Vec::new();
        let upper = MemoryRegion::new(layout::virtual_address(0), usize::MAX & !4095);
        let walked = self.trampoline.walk_range(&upper, &mut |range, descriptor, _| {
            if descriptor.is_valid() {
                seen.push(range.start().0..range.end().0);
            }
            Ok(())
        });
        walked.expect("the upper half can be walked");
        seen
    }

    /// Maps `range` of physical addresses.
    fn map(&mut self, range: Range<u64>, purpose: Use, constraints: Constraints) {
        map(&mut self.root, range, purpose, constraints);
    }

    /// Maps `range`, page by page, and keeps it from being mapped otherwise by [`Self::map_around_own`].
    pub fn map_own(&mut self, range: Range<u64>, purpose: Use) {
        self.map(range.clone(), purpose, Constraints::NO_BLOCK_MAPPINGS);
        self.own.push(range);
    }

    /// Maps what of `range` is not the SPMC's own, in blocks where that is possible.
    pub fn map_around_own(&mut self, range: Range<u64>, purpose: Use) {
        self.own.sort_unstable_by_key(|own| own.start);
        let mut from = range.start;
        for at in 0..self.own.len() {
            let own = self.own[at].clone();
            if own.end > from && own.start < range.end {
                self.map(from..own.start.max(from), purpose, Constraints::empty());
                from = own.end.min(range.end);
            }
        }
        self.map(from..range.end, purpose, Constraints::empty());
    }

    /// TTBR1_EL2 and TCR_EL2 for these tables.
    #[must_use]
    pub fn registers(&self) -> (u64, u64) {
        (self.root.to_physical().0 as u64, sysregs::tcr())
    }

    /// Leaves the boot tables.
    ///
    /// # Safety
    /// The image, the stack in use and the heap are mapped where they are now.
    pub unsafe fn activate(&self) {
        let (root, control) = self.registers();
        sysregs::publish_tables();
        // SAFETY: the caller's promise; entry.S keeps the identity mapping that the step needs.
        unsafe { activate_tables(root, control) };
    }
}

/// Maps `range` of physical addresses in the tables of this root.
fn map(root: &mut RootTable<El2And0, Frames>, range: Range<u64>, purpose: Use, constraints: Constraints) {
    if range.is_empty() {
        return;
    }
    let region = MemoryRegion::new(layout::virtual_address(range.start), layout::virtual_address(range.end));
    root.map_range(
        &region,
        PhysicalAddress(range.start as usize),
        purpose.attributes(),
        constraints | Constraints::NO_CONTIGUOUS_HINT,
    )
    .expect("the upper half covers 48 bits");
}

//! What has become of the Normal world's memory: which of its pages are buffers, sent to others, or not its own.
//!
//! The Normal world owns what its manifest node declares, unless the ledger says otherwise. The ledger is a tree that no
//! MMU walks.

use alloc::boxed::Box;

use super::pages::{Pages, PagesError};
use crate::hardware::Tlb;
use crate::memory::descriptor::Format;
use crate::memory::page::{Attributes, Ownership, PageRange, Space};
use crate::memory::space::{AddressSpace, MapError, NoTables, Pool};

/// The Normal world's memory.
pub struct Ledger {
    declared: Box<[(PageRange, Attributes)]>,
    changed: AddressSpace,
}

impl Ledger {
    /// The Normal world has these ranges, all its own, and may do this with them.
    ///
    /// # Errors
    /// There are no frames for the tree's roots.
    pub fn new(declared: Box<[(PageRange, Attributes)]>, pool: &Pool) -> Result<Self, NoTables> {
        Ok(Self { declared, changed: AddressSpace::new(pool, Format::Stage2(Space::Normal), None)? })
    }

    /// A manifest gives these pages, which no other one gives, to a partition.
    ///
    /// # Errors
    /// There are too few frames.
    pub fn give_to_partition(
        &mut self,
        range: PageRange,
        tlb: &mut (impl Tlb + ?Sized),
    ) -> Result<(), MapError> {
        self.changed.add(range, Attributes::empty(), Ownership::Foreign, tlb)
    }

    /// What may be done with the memory that `range` lies in, whosever it is by now.
    #[must_use]
    pub fn declared(&self, range: &PageRange) -> Option<Attributes> {
        self.declared.iter().find(|(declared, _)| declared.contains(range)).map(|(_, attributes)| *attributes)
    }
}

impl Pages for Ledger {
    fn take(
        &mut self,
        range: PageRange,
        to: Ownership,
        judge: &dyn Fn(Attributes) -> bool,
        tlb: &mut dyn Tlb,
    ) -> Result<Attributes, PagesError> {
        let attributes = self.declared(&range).filter(|attributes| judge(*attributes));
        let attributes = attributes.ok_or(PagesError::NotOwned)?;
        self.changed.add(range, Attributes::empty(), to, tlb)?;
        Ok(attributes)
    }

    fn turn(&mut self, range: PageRange, to: Ownership, tlb: &mut dyn Tlb) {
        self.changed.own(range, to, tlb);
    }

    fn release(&mut self, range: PageRange, tlb: &mut dyn Tlb) {
        self.changed.unmap(range, tlb);
    }

    fn tidy(&mut self, range: PageRange, tlb: &mut dyn Tlb) {
        self.changed.join(range, tlb);
    }

    fn give_away(&mut self, range: PageRange, tlb: &mut dyn Tlb) {
        self.turn(range, Ownership::Foreign, tlb);
    }
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use super::*;
    use crate::hardware::Tag;
    use crate::memory::pages::PagesError;
    use crate::memory::table::TableFrame;

    const RW: Attributes = Attributes::READ.union(Attributes::WRITE);

    /// The TLBs of a tree that no MMU walks.
    struct Nowhere;

    impl Tlb for Nowhere {
        fn publish(&mut self) {
            unreachable!("nothing is to be seen");
        }

        fn invalidate(&mut self, _: Tag, _: PageRange) {
            unreachable!("nothing is kept");
        }
    }

    /// What may be done with a range that is the Normal world's alone.
    fn owned(ledger: &Ledger, range: PageRange) -> Option<Attributes> {
        ledger.declared(&range).filter(|_| ledger.changed.first_mapped(range).is_none())
    }

    fn range(start: u64, pages: u64) -> PageRange {
        PageRange::new(Space::Normal, start, pages).unwrap()
    }

    #[test]
    fn a_page_of_the_normal_world_is_in_one_place_at_a_time() {
        let frames: &[TableFrame] = (0..9).map(|_| TableFrame::new()).collect::<Vec<_>>().leak();
        let pool = Pool::new(frames, 0xe18_0000);
        let (memory, device) = (range(0x4000_0000, 64), range(0x900_0000, 1));
        let mut ledger =
            Ledger::new(Box::new([(memory, RW), (device, RW | Attributes::DEVICE)]), &pool).unwrap();
        let tlb = &mut Nowhere;
        let free = pool.free();
        let (tx, rx) = (range(0x4000_1000, 2), range(0x4000_3000, 1));
        ledger.pin_pair(tx, rx, tlb).unwrap();
        for (pages, of) in
            [(range(0x4000_2000, 1), "TX"), (range(0x4000_0000, 4), "RX"), (device, "a device")]
        {
            assert_eq!(ledger.pin(pages, RW, tlb), Err(PagesError::NotOwned), "{of}");
        }
        assert_eq!(owned(&ledger, range(0x4000_4000, 60)), Some(RW));
        assert_eq!(owned(&ledger, range(0x4000_4000, 61)), None, "not all of it is declared");
        assert_eq!(owned(&ledger, device), Some(RW | Attributes::DEVICE));
        assert_eq!(ledger.pin_pair(range(0x4000_0000, 1), rx, tlb), Err(PagesError::NotOwned));
        assert_eq!(owned(&ledger, range(0x4000_0000, 1)), Some(RW), "a pair is refused as a whole");
        ledger.restore(tx, tlb);
        ledger.restore(rx, tlb);
        assert_eq!((owned(&ledger, memory), pool.free()), (Some(RW), free));
    }
}

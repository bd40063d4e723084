//! How a mapping changes: a range is first given entries of its own, which can fail for want of frames and changes
//! nothing that anybody sees; then its entries are written, which cannot fail; then tables that are not needed go back.
//!
//! Who changes a tree holds the lock that it is behind. An MMU may walk it meanwhile, so an entry that it may have
//! cached is broken before another one is made of it (DDI 0487, D8.16, break-before-make). Meanwhile other PEs of the
//! partition may fault where nothing is amiss: such a fault is looked up again before it counts.

use super::super::descriptor::{Descriptor, Leaf, Level};
use super::super::page::{Attributes, Ownership, PAGE_SIZE, PageRange};
use super::super::table::ENTRIES;
use super::{AddressSpace, Entry, NoTables, Table, end_of_entry, parts};
use crate::hardware::Tlb;

impl AddressSpace {
    /// Gives `range` entries of its own: tables where there are none, and blocks are split that it begins or ends in.
    ///
    /// # Errors
    /// There are too few frames; nothing has changed.
    pub fn divide(&mut self, range: PageRange, tlb: &mut (impl Tlb + ?Sized)) -> Result<(), NoTables> {
        let divided = self.divide_in(self.root, Level::Zero, (range.start(), range.end()), tlb);
        if divided.is_err() {
            self.join(range, tlb);
        }
        divided
    }

    fn divide_in(
        &self,
        table: Table,
        level: Level,
        (from, to): (u64, u64),
        tlb: &mut (impl Tlb + ?Sized),
    ) -> Result<(), NoTables> {
        for (from, to) in parts(level, from, to) {
            let below = match self.entry(table, level, from) {
                Entry::Table(below) => below,
                Entry::Absent | Entry::Leaf(_) if level.has_leaf_of(to - from) => continue,
                Entry::Absent => self.link(table, level, from)?,
                Entry::Leaf(block) => self.split(table, level, block, tlb)?,
            };
            if let Some(next) = level.next() {
                self.divide_in(below, next, (from, to), tlb)?;
            }
        }
        Ok(())
    }

    /// A table that maps nothing, where there was nothing.
    fn link(&self, table: Table, level: Level, address: u64) -> Result<Table, NoTables> {
        let below = self.take_table()?;
        self.write(table, level.index(address), Descriptor::Table(below.address).encode(level));
        Ok(below)
    }

    fn take_table(&self) -> Result<Table, NoTables> {
        let (address, frame) = self.pool.reserve(1)?.take().ok_or(NoTables)?;
        Ok(Table { frame, address })
    }

    /// A table that maps what the block did.
    fn split(
        &self,
        table: Table,
        level: Level,
        block: Leaf,
        tlb: &mut (impl Tlb + ?Sized),
    ) -> Result<Table, NoTables> {
        let next = level.next().ok_or(NoTables)?;
        let below = self.take_table()?;
        for index in 0..ENTRIES {
            let leaf = Leaf { address: block.address + index as u64 * next.size(), ..block };
            self.write(below, index, Descriptor::Leaf(leaf).encode(next));
        }
        let link = Descriptor::Table(below.address).encode(level);
        self.replace(table, level, block.address, link, tlb);
        Ok(below)
    }

    /// Makes another entry of the one for the block at `address`, which maps the same.
    fn replace(
        &self,
        table: Table,
        level: Level,
        address: u64,
        descriptor: u64,
        tlb: &mut (impl Tlb + ?Sized),
    ) {
        self.write(table, level.index(address), 0);
        self.forget(address, level.size(), tlb);
        self.write(table, level.index(address), descriptor);
        self.publish(tlb);
    }

    /// Maps `range`, which has entries of its own in which nothing is mapped.
    pub fn set(
        &mut self,
        range: PageRange,
        attributes: Attributes,
        ownership: Ownership,
        tlb: &mut (impl Tlb + ?Sized),
    ) {
        self.rewrite(range, |address, _| Some(Leaf { address, attributes, ownership }));
        self.publish(tlb);
    }

    /// Makes `range`, which has entries of its own and is mapped, something else to its endpoint.
    pub fn own(&mut self, range: PageRange, ownership: Ownership, tlb: &mut (impl Tlb + ?Sized)) {
        let mut loses = false;
        self.rewrite(range, |_, before| {
            let before = before?;
            loses |= before.ownership.has_access() && !ownership.has_access();
            Some(Leaf { ownership, ..before })
        });
        if loses {
            self.forget(range.start(), range.bytes(), tlb);
        } else {
            self.publish(tlb);
        }
    }

    /// Nothing is mapped in `range` any more, which has entries of its own; tables that are empty go back.
    pub fn clear(&mut self, range: PageRange, tlb: &mut (impl Tlb + ?Sized)) {
        self.rewrite(range, |_, _| None);
        self.forget(range.start(), range.bytes(), tlb);
        self.join(range, tlb);
    }

    /// Writes each entry of `range` anew: `leaf` makes it of its address and of what it was.
    fn rewrite(&mut self, range: PageRange, mut leaf: impl FnMut(u64, Option<Leaf>) -> Option<Leaf>) {
        self.rewrite_in(self.root, Level::Zero, (range.start(), range.end()), &mut leaf);
    }

    fn rewrite_in(
        &self,
        table: Table,
        level: Level,
        (from, to): (u64, u64),
        leaf: &mut impl FnMut(u64, Option<Leaf>) -> Option<Leaf>,
    ) {
        for (from, to) in parts(level, from, to) {
            let before = match (self.entry(table, level, from), level.next()) {
                (Entry::Table(below), Some(next)) => {
                    self.rewrite_in(below, next, (from, to), leaf);
                    continue;
                }
                (Entry::Leaf(before), _) => Some(before),
                (Entry::Absent | Entry::Table(_), _) => None,
            };
            debug_assert!(before.is_none() || level.has_leaf_of(to - from), "`divide` was called before");
            let descriptor = leaf(from, before).map_or(Descriptor::Absent, Descriptor::Leaf);
            self.write(table, level.index(from), descriptor.encode(level));
        }
    }

    /// Gives tables for parts of `range` back that are empty, and makes blocks of those whose pages are all alike and
    /// the endpoint's own. Others are somebody's to change one day, who then must have entries of its own.
    pub fn join(&mut self, range: PageRange, tlb: &mut (impl Tlb + ?Sized)) {
        self.join_in(self.root, Level::Zero, (range.start(), range.end()), tlb);
    }

    fn join_in(&self, table: Table, level: Level, (from, to): (u64, u64), tlb: &mut (impl Tlb + ?Sized)) {
        let Some(next) = level.next() else { return };
        for (from, to) in parts(level, from, to) {
            let Entry::Table(below) = self.entry(table, level, from) else { continue };
            self.join_in(below, next, (from, to), tlb);
            let start = end_of_entry(from, level.size()) - level.size();
            match self.pool.entries(below.address) {
                // The first table of level 1 is there for good.
                0 if level != Level::Zero || start != 0 => {
                    self.write(table, level.index(start), 0);
                    self.forget(start, level.size(), tlb);
                    self.pool.give_back(below.address);
                }
                ENTRIES => {
                    if let Some(block) = even(below, next).filter(|_| level.has_leaf_of(level.size())) {
                        let descriptor = Descriptor::Leaf(block).encode(level);
                        self.replace(table, level, start, descriptor, tlb);
                        (0..ENTRIES).for_each(|index| self.write(below, index, 0));
                        self.pool.give_back(below.address);
                    }
                }
                _ => {}
            }
        }
    }

    /// What was mapped at `start` may not be used any more.
    fn forget(&self, start: u64, bytes: u64, tlb: &mut (impl Tlb + ?Sized)) {
        if let Some(vmid) = self.vmid
            && let Ok(range) = PageRange::new(self.space, start, bytes / PAGE_SIZE)
        {
            tlb.invalidate(vmid, range);
        }
    }

    /// What was written is seen by walks.
    fn publish(&self, tlb: &mut (impl Tlb + ?Sized)) {
        if self.vmid.is_some() {
            tlb.publish();
        }
    }
}

/// The block that maps what the entries of this table do, if they all are alike and the endpoint's own.
fn even(table: Table, level: Level) -> Option<Leaf> {
    let Descriptor::Leaf(first) = Descriptor::decode(table.frame.get(0), level) else { return None };
    if first.ownership != Ownership::Owned || first.address % (level.size() * ENTRIES as u64) != 0 {
        return None;
    }
    let is_next = |index: usize| {
        let leaf = Leaf { address: first.address + index as u64 * level.size(), ..first };
        table.frame.get(index) == Descriptor::Leaf(leaf).encode(level)
    };
    // From the end: pages that are changed one after the other leave the last one as it was.
    (1..ENTRIES).rev().all(is_next).then_some(first)
}

//! How a mapping changes: a range is first given entries of its own, which can fail for want of frames and changes
//! nothing that anybody sees; then its entries are written, which cannot fail; then tables that are not needed go back.
//!
//! Who changes a tree holds the lock that it is behind. An MMU may walk it meanwhile, so an entry that it may have
//! cached is broken before another one is made of it (DDI 0487, D8.16, break-before-make). Meanwhile other PEs of the
//! partition may fault where nothing is amiss: such a fault is looked up again before it counts.

use core::sync::atomic::Ordering;

use super::super::descriptor::{Descriptor, Format, Leaf, Level};
use super::super::page::{Attributes, Ownership, PAGE_SIZE, PageRange, Space};
use super::super::pool::Reserve;
use super::super::table::ENTRIES;
use super::{AddressSpace, Entry, MapError, NOWHERE, NoTables, Table, end_of_entry, parts};
use crate::hardware::Tlb;

impl AddressSpace {
    /// Gives `range` entries of its own: tables where there are none, and blocks are split that it begins or ends in.
    ///
    /// # Errors
    /// There are too few frames; nothing has changed.
    pub fn divide(&mut self, range: PageRange, tlb: &mut (impl Tlb + ?Sized)) -> Result<(), NoTables> {
        self.changes += 1;
        if self.pages_of(range).is_some() {
            return Ok(());
        }
        let (from, to) = (range.start(), range.end());
        // How many are needed exactly is counted only where the most that can be are not there.
        let mut tables = match self.pool.reserve(MOST_TABLES) {
            Ok(tables) => tables,
            Err(NoTables) => self.pool.reserve(self.missing_in(self.root, Level::Zero, (from, to)))?,
        };
        self.divide_in(self.root, Level::Zero, (from, to), &mut tables, tlb)
    }

    fn divide_in(
        &self,
        table: Table,
        level: Level,
        (from, to): (u64, u64),
        tables: &mut Reserve,
        tlb: &mut (impl Tlb + ?Sized),
    ) -> Result<(), NoTables> {
        // A table of pages has an entry for each.
        let Some(next) = level.next() else { return Ok(()) };
        for (from, to) in parts(level, from, to) {
            let below = match self.entry(table, level, from) {
                Entry::Table(below) => below,
                Entry::Absent | Entry::Leaf(_) if level.has_leaf_of(to - from) => continue,
                Entry::Absent => self.link(table, level, from, tables)?,
                Entry::Leaf(block) => self.split(table, level, block, tables, tlb)?,
            };
            self.divide_in(below, next, (from, to), tables, tlb)?;
        }
        Ok(())
    }

    /// How many tables are missing below this one.
    fn missing_in(&self, table: Table, level: Level, (from, to): (u64, u64)) -> usize {
        let missing = |(from, to)| match (self.entry(table, level, from), level.next()) {
            (Entry::Table(below), Some(next)) => self.missing_in(below, next, (from, to)),
            _ => missing_below(level, (from, to)),
        };
        parts(level, from, to).map(missing).sum()
    }

    /// A table that maps nothing, where there was nothing.
    fn link(
        &self,
        table: Table,
        level: Level,
        address: u64,
        tables: &mut Reserve,
    ) -> Result<Table, NoTables> {
        let below = Table::take(tables)?;
        self.write(table, level.index(address), Descriptor::link(below.address));
        Ok(below)
    }

    /// A table that maps what the block did.
    fn split(
        &self,
        table: Table,
        level: Level,
        block: Leaf,
        tables: &mut Reserve,
        tlb: &mut (impl Tlb + ?Sized),
    ) -> Result<Table, NoTables> {
        let next = level.next().ok_or(NoTables)?;
        let below = Table::take(tables)?;
        // The parts' descriptors differ in their addresses, which are bits of their own.
        let first = Descriptor::Leaf(block).encode(next, self.format);
        let range = (block.address, block.address + level.size());
        self.rewrite_run(below, next, range, &mut |_, address, _| first | address);
        self.replace(table, level, block.address, Descriptor::link(below.address), tlb);
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

    /// Maps `range`, which lies in the tree's space, with attributes that may be.
    ///
    /// # Errors
    /// A page is mapped already, or there are too few frames. Nothing has changed.
    pub fn add(
        &mut self,
        range: PageRange,
        attributes: Attributes,
        ownership: Ownership,
        tlb: &mut (impl Tlb + ?Sized),
    ) -> Result<(), MapError> {
        let table = self.pages_of(range);
        let mapped = match table {
            Some(table) => Self::first_in(table, range),
            None => self.first_mapped(range),
        };
        if let Some(at) = mapped {
            return Err(MapError::Mapped { at });
        }
        let leaf = Descriptor::Leaf(Leaf { address: 0, space: range.space(), attributes, ownership });
        let ends = (range.start(), range.end());
        let page = leaf.encode(Level::Three, self.format);
        match table {
            Some(table) => {
                self.changes += 1;
                self.rewrite_run(table, Level::Three, ends, &mut |_, address, _| address | page);
            }
            None => {
                self.divide(range, tlb)?;
                // Blocks of levels 1 and 2 have the same fields.
                let block = leaf.encode(Level::Two, self.format);
                self.rewrite_in(self.root, Level::Zero, ends, &mut |_, address, level| {
                    address | if level == Level::Three { page } else { block }
                });
            }
        }
        self.publish(tlb);
        Ok(())
    }

    /// Makes `range`, which has entries of its own and is mapped, something else to its endpoint.
    pub fn own(&mut self, range: PageRange, ownership: Ownership, tlb: &mut (impl Tlb + ?Sized)) {
        let mut had_access = false;
        self.rewrite(range, |before, _, _| {
            had_access |= Descriptor::is_valid(before);
            Descriptor::owned(before, ownership)
        });
        if had_access && !ownership.has_access() {
            self.forget(range.start(), range.bytes(), tlb);
        } else {
            self.publish(tlb);
        }
    }

    /// Lets the endpoint do this with the memory of `range`, which is its own throughout and mapped; blocks are split
    /// that it begins or ends in. A change of rights alone breaks no entry (DDI 0487, D8.16).
    ///
    /// # Errors
    /// There are too few frames. Nothing has changed.
    pub fn permit(
        &mut self,
        range: PageRange,
        rights: Attributes,
        tlb: &mut (impl Tlb + ?Sized),
    ) -> Result<(), NoTables> {
        self.divide(range, tlb)?;
        let format = self.format;
        self.rewrite(range, |before, _, level| match Descriptor::decode(before, level, format) {
            Descriptor::Leaf(leaf) => {
                let attributes = rights | leaf.attributes & Attributes::DEVICE;
                Descriptor::Leaf(Leaf { attributes, ..leaf }).encode(level, format)
            }
            Descriptor::Absent | Descriptor::Table(_) => before,
        });
        self.forget(range.start(), range.bytes(), tlb);
        self.join(range, tlb);
        Ok(())
    }

    /// Nothing is mapped in `range` any more, which has entries of its own; tables that are empty then are left.
    pub fn unmap(&mut self, range: PageRange, tlb: &mut (impl Tlb + ?Sized)) {
        self.rewrite(range, |_, _, _| 0);
        self.forget(range.start(), range.bytes(), tlb);
    }

    /// As [`AddressSpace::unmap`], and tables that are empty go back.
    pub fn clear(&mut self, range: PageRange, tlb: &mut (impl Tlb + ?Sized)) {
        self.unmap(range, tlb);
        self.join(range, tlb);
    }

    /// Writes each entry of `range` anew, which has entries of its own: `edit` makes it of what it was, its address and
    /// its level.
    #[inline(always)]
    fn rewrite(&mut self, range: PageRange, mut edit: impl FnMut(u64, u64, Level) -> u64) {
        match self.pages_of(range) {
            Some(table) => self.rewrite_run(table, Level::Three, (range.start(), range.end()), &mut edit),
            None => self.rewrite_in(self.root, Level::Zero, (range.start(), range.end()), &mut edit),
        }
    }

    fn rewrite_in(
        &self,
        table: Table,
        level: Level,
        (from, to): (u64, u64),
        edit: &mut impl FnMut(u64, u64, Level) -> u64,
    ) {
        let Some(next) = level.next() else {
            return self.rewrite_run(table, level, (from, to), edit);
        };
        for (from, to) in parts(level, from, to) {
            match self.entry(table, level, from) {
                Entry::Table(below) => self.rewrite_in(below, next, (from, to), edit),
                Entry::Leaf(_) | Entry::Absent => {
                    debug_assert!(level.has_leaf_of(to - from), "`divide` was called before");
                    self.rewrite_run(table, level, (from, to), edit);
                }
            }
        }
    }

    /// The entries of one table for `from..to`, none of which leads to a table.
    #[inline(always)]
    fn rewrite_run(
        &self,
        table: Table,
        level: Level,
        (from, to): (u64, u64),
        edit: &mut impl FnMut(u64, u64, Level) -> u64,
    ) {
        let (first, count) = (level.index(from), ((to - from) / level.size()) as usize);
        let mut by = 0;
        let mut address = from;
        for index in first..first + count {
            let before = table.frame.get(index);
            let after = edit(before, address, level);
            table.frame.set(index, after);
            by += i16::from(after != 0) - i16::from(before != 0);
            address += level.size();
        }
        if by != 0 {
            self.pool.change_entries(table.address, by);
        }
    }

    /// Gives tables for parts of `range` back that are empty, and makes blocks of those whose pages are all alike and
    /// the endpoint's own. Others are somebody's to change one day, who then must have entries of its own.
    pub fn join(&mut self, range: PageRange, tlb: &mut (impl Tlb + ?Sized)) {
        self.changes += 1;
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
                    self.give_back(below);
                }
                ENTRIES => {
                    if let Some(block) = self.even(below, next).filter(|_| level.has_leaf_of(level.size())) {
                        let descriptor = Descriptor::Leaf(block).encode(level, self.format);
                        self.replace(table, level, start, descriptor, tlb);
                        let range = (start, start + level.size());
                        self.rewrite_run(below, next, range, &mut |_, _, _| 0);
                        self.give_back(below);
                    }
                }
                _ => {}
            }
        }
    }

    /// A table that is linked nowhere any more, and empty.
    fn give_back(&self, table: Table) {
        self.near.store(NOWHERE, Ordering::Relaxed);
        self.pool.give_back(table.address);
    }

    /// What was mapped at `start` may not be used any more.
    fn forget(&self, start: u64, bytes: u64, tlb: &mut (impl Tlb + ?Sized)) {
        if let Some(tag) = self.tag
            && let Ok(range) = PageRange::new(self.space(), start, bytes / PAGE_SIZE)
        {
            tlb.invalidate(tag, range);
        }
    }

    /// What was written is seen by walks.
    fn publish(&self, tlb: &mut (impl Tlb + ?Sized)) {
        if self.tag.is_some() {
            tlb.publish();
        }
    }

    /// The space that addresses of the tree are told apart by in a TLB: there is one for virtual addresses.
    const fn space(&self) -> Space {
        match self.format {
            Format::Stage2(space) => space,
            Format::Stage1 => Space::Secure,
        }
    }

    /// The block that maps what the entries of this table do, if they all are alike and the endpoint's own.
    fn even(&self, table: Table, level: Level) -> Option<Leaf> {
        let raw = table.frame.get(0);
        let Descriptor::Leaf(first) = Descriptor::decode(raw, level, self.format) else { return None };
        if first.ownership != Ownership::Owned || first.address % (level.size() * ENTRIES as u64) != 0 {
            return None;
        }
        // From the end: pages that are changed one after the other leave the last one as it was.
        let is_next = |index: usize| table.frame.get(index) == raw + index as u64 * level.size();
        (1..ENTRIES).rev().all(is_next).then_some(first)
    }
}

/// The most tables that a range can lack: its two ends each have one at three levels.
const MOST_TABLES: usize = 6;

/// How many tables a range lacks that lies within one entry of a table at `level`, where there is no table yet.
fn missing_below(level: Level, (from, to): (u64, u64)) -> usize {
    match level.next() {
        Some(next) if !level.has_leaf_of(to - from) => {
            1 + parts(next, from, to).map(|part| missing_below(next, part)).sum::<usize>()
        }
        _ => 0,
    }
}

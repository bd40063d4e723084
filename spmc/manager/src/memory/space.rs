//! Address spaces: looking pages up, and mapping a range that nothing is mapped in. How a mapping changes is in
//! [`change`](self).

mod change;

use core::sync::atomic::{AtomicU64, Ordering};

use super::descriptor::{Descriptor, Format, Leaf, Level};
use super::page::{ADDRESS_LIMIT, Attributes, Ownership, PAGE_SIZE, Pa, PageRange};
use super::pool::Reserve;
pub use super::pool::{NoTables, Pool};
use super::table::TableFrame;
use crate::hardware::{Tag, Tlb};

#[cfg(test)]
mod tests;

/// Why a range cannot be mapped. Nothing has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MapError {
    /// The range is memory of the other world.
    #[error("lies in the other world's memory")]
    Space,
    /// No access at all, or code in device memory.
    #[error("asks for no access, or for executable device memory")]
    Attributes,
    /// A page of the range is mapped already.
    #[error("is mapped already at {at:#x}")]
    Mapped {
        /// The first such page.
        at: u64,
    },
    /// Too few frames.
    #[error(transparent)]
    NoTables(#[from] NoTables),
}

/// What an address is mapped to: an intermediate physical one, or a partition's virtual one at S-EL0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mapping {
    /// The address that this very one is translated to.
    pub pa: Pa,
    /// Permissions and memory type.
    pub attributes: Attributes,
    /// Whose memory it is.
    pub ownership: Ownership,
    /// Bytes of the page or block that it lies in.
    pub size: u64,
}

/// How a range of addresses is mapped, if it is in the same way throughout, each page to its own address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stretch {
    /// Permissions and memory type of every page.
    pub attributes: Attributes,
    /// Whose memory every page is.
    pub ownership: Ownership,
}

/// The first page of a range that is not mapped, or not as the pages before it are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offender {
    /// Its address.
    pub at: u64,
}

/// One tree of tables: each page is mapped to its own address.
pub struct AddressSpace {
    pool: Pool,
    format: Format,
    /// Whose the tree is to the MMU; none where no MMU walks it.
    tag: Option<Tag>,
    root: Table,
    /// The table of pages that was used last: which of them it is above, the number of its frame below. Ranges of one
    /// transaction lie near each other.
    near: AtomicU64,
    /// How often it has changed, and so may have broken an entry for a moment.
    changes: u64,
}

/// [`AddressSpace::near`] of no table: there are fewer than 2^32 of them in 48 bits of address.
const NOWHERE: u64 = u64::MAX;

/// A table and its physical address.
#[derive(Clone, Copy)]
struct Table {
    frame: &'static TableFrame,
    address: u64,
}

impl Table {
    /// An empty one.
    fn take(tables: &mut Reserve) -> Result<Self, NoTables> {
        let (address, frame) = tables.take().ok_or(NoTables)?;
        Ok(Self { frame, address })
    }
}

/// What a descriptor leads to.
enum Entry {
    Absent,
    Table(Table),
    Leaf(Leaf),
}

impl AddressSpace {
    /// A tree that maps nothing. Its level-0 table and the first one of level 1 are there for good.
    ///
    /// # Errors
    /// There are no frames for these two.
    pub fn new(pool: &Pool, format: Format, tag: Option<Tag>) -> Result<Self, NoTables> {
        let mut tables = pool.reserve(2)?;
        let (root, first) = (Table::take(&mut tables)?, Table::take(&mut tables)?);
        let own = Self { pool: *pool, format, tag, root, near: AtomicU64::new(NOWHERE), changes: 0 };
        own.write(root, 0, Descriptor::link(first.address));
        Ok(own)
    }

    /// A number that grows with every change of the tables.
    #[must_use]
    pub const fn changes(&self) -> u64 {
        self.changes
    }

    /// The physical address of the level-0 table.
    #[must_use]
    pub const fn root(&self) -> u64 {
        self.root.address
    }

    /// The physical address of the level-1 table for the first 512 GB, from which a PE with fewer than 43 bits of
    /// physical address walks (DDI 0487, D8.2: it has no level 0).
    #[must_use]
    pub fn first_table(&self) -> u64 {
        Descriptor::table(self.root.frame.get(0)).unwrap_or(self.root.address)
    }

    /// Maps `range`, in which nothing is mapped.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn map(
        &mut self,
        range: PageRange,
        attributes: Attributes,
        ownership: Ownership,
        tlb: &mut (impl Tlb + ?Sized),
    ) -> Result<(), MapError> {
        if let Format::Stage2(space) = self.format
            && range.space() != space
        {
            return Err(MapError::Space);
        }
        let access = Attributes::READ | Attributes::WRITE | Attributes::EXECUTE;
        // Instructions must not be fetched, not even speculatively, from memory where reads have effects.
        if !attributes.intersects(access) || attributes.contains(Attributes::EXECUTE | Attributes::DEVICE) {
            return Err(MapError::Attributes);
        }
        self.add(range, attributes, ownership, tlb)
    }

    /// What `at` is mapped to. At most four descriptors are read.
    #[must_use]
    pub fn walk(&self, at: u64) -> Option<Mapping> {
        if at >= ADDRESS_LIMIT {
            return None;
        }
        let (mut table, mut level) = (self.root, Level::Zero);
        loop {
            match self.entry(table, level, at) {
                Entry::Absent => return None,
                Entry::Table(next) => (table, level) = (next, level.next()?),
                Entry::Leaf(Leaf { address, space, attributes, ownership }) => {
                    let size = level.size();
                    let pa = Pa { space, address: address | (at & (size - 1)) };
                    return Some(Mapping { pa, attributes, ownership, size });
                }
            }
        }
    }

    /// The table of pages that all of `range` lies in, if it does in one.
    #[inline]
    fn pages_of(&self, range: PageRange) -> Option<Table> {
        if !range.shares_table(&range) {
            return None;
        }
        let (near, which) = (self.near.load(Ordering::Relaxed), range.start() / Level::Two.size());
        if near >> 32 == which {
            let (address, frame) = self.pool.numbered(near as u32)?;
            return Some(Table { frame, address });
        }
        let mut table = self.root;
        for level in [Level::Zero, Level::One, Level::Two] {
            let address = Descriptor::table(table.frame.get(level.index(range.start())))?;
            table = Table { frame: self.pool.frame(address)?, address };
        }
        let number = self.pool.number(table.address)?;
        self.near.store(which << 32 | u64::from(number), Ordering::Relaxed);
        Some(table)
    }

    /// The descriptors of a range in the table that it lies in.
    #[inline]
    fn descriptors(table: Table, range: PageRange) -> impl Iterator<Item = u64> {
        let first = Level::Three.index(range.start());
        (first..first + range.pages() as usize).map(move |index| table.frame.get(index))
    }

    /// The first page of `range`, which lies in this table, that is mapped.
    #[inline]
    fn first_in(table: Table, range: PageRange) -> Option<u64> {
        let place = Self::descriptors(table, range).position(|raw| raw != 0)?;
        Some(range.start() + place as u64 * PAGE_SIZE)
    }

    /// The first page of `range` that is mapped.
    #[must_use]
    pub fn first_mapped(&self, range: PageRange) -> Option<u64> {
        let mut first = None;
        self.visit(self.root, Level::Zero, range.start(), range.end(), &mut |from, leaf| {
            if leaf.is_some() {
                first = Some(from);
            }
            leaf.is_none()
        });
        first
    }

    /// How the whole of `range` is mapped.
    ///
    /// # Errors
    /// The page from which on it is not mapped, or otherwise.
    pub fn lookup_range(&self, range: PageRange) -> Result<Stretch, Offender> {
        if let Some(table) = self.pages_of(range)
            && let raw = table.frame.get(Level::Three.index(range.start()))
            && let Descriptor::Leaf(first) = Descriptor::decode(raw, Level::Three, self.format)
            && first.space == range.space()
            && Self::are_alike(table, range)
        {
            return Ok(Stretch { attributes: first.attributes, ownership: first.ownership });
        }
        let mut whole = None;
        let mut offender = None;
        self.visit(self.root, Level::Zero, range.start(), range.end(), &mut |from, leaf| {
            let leaf = leaf.filter(|leaf| leaf.space == range.space());
            let found = leaf.map(|leaf| Stretch { attributes: leaf.attributes, ownership: leaf.ownership });
            if found.is_none() || whole.is_some_and(|_| whole != found) {
                offender = Some(Offender { at: from });
            }
            whole = found;
            offender.is_none()
        });
        match (offender, whole) {
            (None, Some(whole)) => Ok(whole),
            (offender, _) => Err(offender.unwrap_or(Offender { at: range.start() })),
        }
    }

    /// Whether the descriptors of a range differ in their addresses at most.
    #[inline]
    fn are_alike(table: Table, range: PageRange) -> bool {
        let mut descriptors = Self::descriptors(table, range);
        let first = descriptors.next().unwrap_or(0);
        descriptors.all(|raw| Descriptor::are_alike(raw, first))
    }

    /// Shows `look` each entry for `from..to` that is no table, by the first address in the range that it is for, until
    /// that says false. Whether it never did.
    fn visit(
        &self,
        table: Table,
        level: Level,
        from: u64,
        to: u64,
        look: &mut impl FnMut(u64, Option<Leaf>) -> bool,
    ) -> bool {
        parts(level, from, to).all(|(from, to)| match (self.entry(table, level, from), level.next()) {
            (Entry::Table(below), Some(next)) => self.visit(below, next, from, to, look),
            (Entry::Leaf(leaf), _) => look(from, Some(leaf)),
            (Entry::Absent | Entry::Table(_), _) => look(from, None),
        })
    }

    /// What the descriptor for `at` in a table of `level` leads to.
    fn entry(&self, table: Table, level: Level, at: u64) -> Entry {
        let raw = table.frame.get(level.index(at));
        if level != Level::Three
            && let Some(address) = Descriptor::table(raw)
        {
            // All tables come from the pool, so there is a frame.
            return self
                .pool
                .frame(address)
                .map_or(Entry::Absent, |frame| Entry::Table(Table { frame, address }));
        }
        match Descriptor::decode(raw, level, self.format) {
            Descriptor::Leaf(leaf) => Entry::Leaf(leaf),
            Descriptor::Absent | Descriptor::Table(_) => Entry::Absent,
        }
    }

    /// Writes a descriptor, and keeps count of those that the table has.
    fn write(&self, table: Table, index: usize, descriptor: u64) {
        let before = table.frame.get(index);
        table.frame.set(index, descriptor);
        let by = i16::from(descriptor != 0) - i16::from(before != 0);
        if by != 0 {
            self.pool.change_entries(table.address, by);
        }
    }
}

/// The first address behind the page or block of `size` bytes that `address` lies in.
const fn end_of_entry(address: u64, size: u64) -> u64 {
    (address | (size - 1)) + 1
}

/// `from..to`, cut where the entries of a table at `level` end.
fn parts(level: Level, mut from: u64, to: u64) -> impl Iterator<Item = (u64, u64)> {
    core::iter::from_fn(move || {
        let end = end_of_entry(from, level.size()).min(to);
        (from < to).then(|| (core::mem::replace(&mut from, end), end))
    })
}

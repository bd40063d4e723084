//! Stage-2 address spaces: what is to be mapped is checked first, and then committed by steps that cannot fail.

use super::descriptor::{Descriptor, Leaf, Level};
use super::page::{ADDRESS_LIMIT, Attributes, Ownership, Pa, PageRange, Space};
use super::pool::Reserve;
pub use super::pool::{NoTables, Pool};
use super::table::TableFrame;

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

/// What an intermediate physical address is mapped to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mapping {
    /// The address that this very IPA is translated to.
    pub pa: Pa,
    /// Permissions and memory type.
    pub attributes: Attributes,
    /// Whose memory it is.
    pub ownership: Ownership,
    /// Bytes of the page or block that the IPA lies in.
    pub size: u64,
}

/// A range of IPAs that is mapped to consecutive addresses, in the same way throughout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stretch {
    /// The address that the first IPA is translated to.
    pub pa: Pa,
    /// Permissions and memory type of every page.
    pub attributes: Attributes,
    /// Whose memory every page is.
    pub ownership: Ownership,
}

/// The first page of a range that is not mapped, or not as the pages before it are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offender {
    /// Its IPA.
    pub at: u64,
}

/// One stage-2 tree: IPAs of a partition to physical addresses in one space.
pub struct AddressSpace {
    pool: Pool,
    space: Space,
    root: &'static TableFrame,
    root_address: u64,
}

/// What a descriptor leads to.
enum Entry {
    Absent,
    Table(&'static TableFrame),
    Leaf(Leaf),
}

impl AddressSpace {
    /// A tree that maps nothing; what will be mapped lies in `space`. Its tables never go back to the pool.
    pub fn new(pool: &Pool, space: Space) -> Result<Self, NoTables> {
        let (root_address, root) = pool.reserve(1)?.take().ok_or(NoTables)?;
        Ok(Self { pool: *pool, space, root, root_address })
    }

    /// The physical address of the level-0 table.
    #[must_use]
    pub const fn root(&self) -> u64 {
        self.root_address
    }

    /// The physical address of the level-1 table for the first 512 GB, from which a PE with fewer than 43 bits of
    /// physical address walks (DDI 0487, D8.2: it has no level 0). Where nothing is mapped there, an empty table.
    #[must_use]
    pub fn first_table(&self) -> u64 {
        match Descriptor::decode(self.root.get(0), Level::Zero) {
            Descriptor::Table(address) => address,
            Descriptor::Absent | Descriptor::Leaf(_) => self.root_address,
        }
    }

    /// Checks that `range` can be mapped, each page to its own address, and reserves the tables for it.
    pub fn check(
        &mut self,
        range: PageRange,
        attributes: Attributes,
        ownership: Ownership,
    ) -> Result<Prepared<'_>, MapError> {
        if range.space() != self.space {
            return Err(MapError::Space);
        }
        let access = Attributes::READ | Attributes::WRITE | Attributes::EXECUTE;
        // Instructions must not be fetched, not even speculatively, from memory where reads have effects.
        if !attributes.intersects(access) || attributes.contains(Attributes::EXECUTE | Attributes::DEVICE) {
            return Err(MapError::Attributes);
        }
        let tables = self.missing(Some(self.root), Level::Zero, range.start(), range.end())?;
        let reserve = self.pool.reserve(tables)?;
        Ok(Prepared { space: self, range, attributes, ownership, reserve })
    }

    /// What `ipa` is mapped to. At most four descriptors are read.
    #[must_use]
    pub fn walk(&self, ipa: u64) -> Option<Mapping> {
        if ipa >= ADDRESS_LIMIT {
            return None;
        }
        let (mut table, mut level) = (self.root, Level::Zero);
        loop {
            match self.entry(table, level, ipa) {
                Entry::Absent => return None,
                Entry::Table(next) => (table, level) = (next, level.next()?),
                Entry::Leaf(Leaf { address, attributes, ownership }) => {
                    let size = level.size();
                    let pa = Pa { space: self.space, address: address | (ipa & (size - 1)) };
                    return Some(Mapping { pa, attributes, ownership, size });
                }
            }
        }
    }

    /// How the whole of `range` is mapped, if it is mapped evenly. One walk for each page or block.
    pub fn lookup_range(&self, range: PageRange) -> Result<Stretch, Offender> {
        let start = range.start();
        let first = self.walk(start).filter(|_| range.space() == self.space).ok_or(Offender { at: start })?;
        let whole = Stretch { pa: first.pa, attributes: first.attributes, ownership: first.ownership };
        let mut at = end_of_entry(start, first.size);
        while at < range.end() {
            let pa = Pa { space: self.space, address: whole.pa.address + (at - start) };
            let even = |m: &Mapping| {
                Stretch { pa, ..whole }
                    == (Stretch { pa: m.pa, attributes: m.attributes, ownership: m.ownership })
            };
            let mapping = self.walk(at).filter(even).ok_or(Offender { at })?;
            at = end_of_entry(at, mapping.size);
        }
        Ok(whole)
    }

    /// What the descriptor for `ipa` in a table of `level` leads to.
    fn entry(&self, table: &TableFrame, level: Level, ipa: u64) -> Entry {
        match Descriptor::decode(table.get(level.index(ipa)), level) {
            Descriptor::Absent => Entry::Absent,
            Descriptor::Leaf(leaf) => Entry::Leaf(leaf),
            // All tables come from the pool, so there is a frame.
            Descriptor::Table(address) => self.pool.frame(address).map_or(Entry::Absent, Entry::Table),
        }
    }

    /// How many tables are needed below this one (`None`: it does not exist yet) to map `from..to`.
    fn missing(
        &self,
        table: Option<&TableFrame>,
        level: Level,
        from: u64,
        to: u64,
    ) -> Result<usize, MapError> {
        let mut tables = 0;
        for (from, to) in parts(level, from, to) {
            let below = match table.map_or(Entry::Absent, |table| self.entry(table, level, from)) {
                Entry::Leaf(_) => return Err(MapError::Mapped { at: from }),
                Entry::Absent if level.has_leaf_of(to - from) => continue,
                Entry::Absent => {
                    tables += 1;
                    None
                }
                Entry::Table(below) => Some(below),
            };
            if let Some(next) = level.next() {
                tables += self.missing(below, next, from, to)?;
            }
        }
        Ok(tables)
    }
}

/// A range that can be mapped: nothing in its address space changes meanwhile, and the tables are reserved.
/// Dropped, it changes nothing and gives the tables back.
#[must_use]
pub struct Prepared<'a> {
    space: &'a mut AddressSpace,
    range: PageRange,
    attributes: Attributes,
    ownership: Ownership,
    reserve: Reserve,
}

impl Prepared<'_> {
    /// Maps it. Nothing was mapped there, so no TLB holds anything to be invalidated; that the MMU sees the new
    /// descriptors is for the image's barriers.
    pub fn commit(mut self) {
        let (root, start, end) = (self.space.root, self.range.start(), self.range.end());
        self.fill(root, Level::Zero, start, end);
    }

    /// Maps `from..to` in a table of `level` and the tables below it. A new table is filled before it is linked.
    fn fill(&mut self, table: &TableFrame, level: Level, from: u64, to: u64) {
        for (from, to) in parts(level, from, to) {
            let entry = self.space.entry(table, level, from);
            match (entry, level.next()) {
                (Entry::Absent, _) if level.has_leaf_of(to - from) => {
                    let leaf = Leaf { address: from, attributes: self.attributes, ownership: self.ownership };
                    table.set(level.index(from), Descriptor::Leaf(leaf).encode(level));
                }
                (Entry::Absent, Some(next)) => {
                    let (address, below) =
                        self.reserve.take().expect("check reserved a frame for each table");
                    self.fill(below, next, from, to);
                    table.set(level.index(from), Descriptor::Table(address).encode(level));
                }
                (Entry::Table(below), Some(next)) => self.fill(below, next, from, to),
                (Entry::Leaf(_), _) | (_, None) => unreachable!("check found the range unmapped"),
            }
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

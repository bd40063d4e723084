//! A partition's memory: its two stage-2 trees, or its one of stage 1 at S-EL0.

use super::descriptor::Format;
use super::pages::{Pages, PagesError};
use crate::config::ExceptionLevel;
use crate::hardware::{Tag, Tlb};
use crate::memory::page::{Attributes, Ownership, PageRange, Space};
use crate::memory::space::{AddressSpace, NoTables, Pool};

/// Where the walks of a stage-2 tree begin: physical addresses of tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Roots {
    /// The level-0 table.
    pub level_0: u64,
    /// The level-1 table for the first 512 GB, for a PE that has no level 0.
    pub level_1: u64,
}

impl Roots {
    fn of(space: &AddressSpace) -> Self {
        Self { level_0: space.root(), level_1: space.first_table() }
    }
}

/// What the MMU needs to know of a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Translation {
    /// At S-EL1: two trees of stage 2.
    Stage2 {
        /// The secure IPA space, for VSTTBR_EL2.
        secure: Roots,
        /// The non-secure IPA space, for VTTBR_EL2.
        normal: Roots,
        /// The partition's VMID: never 0.
        vmid: u16,
    },
    /// At S-EL0: a tree of stage 1 of the EL2&0 regime, for TTBR0_EL2.
    Stage1 {
        /// The level-0 table.
        root: u64,
        /// The partition's ASID: never 0, and below 256.
        asid: u16,
    },
}

/// The trees.
pub struct Spaces(Trees);

/// What there is at each exception level.
enum Trees {
    El1 { secure: AddressSpace, normal: AddressSpace, vmid: u16 },
    El0 { both: AddressSpace, asid: u16 },
}

impl Spaces {
    /// Trees that map nothing, of a partition at this exception level that TLBs know by `number`: never 0, and below 256.
    ///
    /// # Errors
    /// There are no frames for their roots.
    pub fn new(pool: &Pool, level: ExceptionLevel, number: u16) -> Result<Self, NoTables> {
        let trees = match level {
            ExceptionLevel::El1 => {
                let tree = |space| AddressSpace::new(pool, Format::Stage2(space), Some(Tag::Vmid(number)));
                Trees::El1 { secure: tree(Space::Secure)?, normal: tree(Space::Normal)?, vmid: number }
            }
            ExceptionLevel::El0 => {
                let both = AddressSpace::new(pool, Format::Stage1, Some(Tag::Asid(number)))?;
                Trees::El0 { both, asid: number }
            }
        };
        Ok(Self(trees))
    }

    /// Where the MMU finds them. It does not change.
    #[must_use]
    pub fn translation(&self) -> Translation {
        match &self.0 {
            Trees::El1 { secure, normal, vmid } => {
                Translation::Stage2 { secure: Roots::of(secure), normal: Roots::of(normal), vmid: *vmid }
            }
            Trees::El0 { both, asid } => Translation::Stage1 { root: both.root(), asid: *asid },
        }
    }

    /// The tree for one space.
    #[inline]
    #[must_use]
    pub const fn of(&self, space: Space) -> &AddressSpace {
        match (&self.0, space) {
            (Trees::El1 { secure: tree, .. }, Space::Secure)
            | (Trees::El1 { normal: tree, .. }, Space::Normal)
            | (Trees::El0 { both: tree, .. }, _) => tree,
        }
    }

    /// The space in which the page at this address lies; what is nowhere is taken for the Normal world's.
    #[must_use]
    pub fn space_at(&self, address: u64) -> Space {
        // At S-EL0 both are one tree, which says which.
        self.of(Space::Secure).walk(address).map_or(Space::Normal, |mapping| mapping.pa.space)
    }

    /// A number that grows with every change of any of them.
    #[must_use]
    pub const fn changes(&self) -> u64 {
        match &self.0 {
            Trees::El1 { secure, normal, .. } => secure.changes() + normal.changes(),
            Trees::El0 { both, .. } => both.changes(),
        }
    }

    /// The tree for one space, to change it.
    #[inline]
    pub const fn of_mut(&mut self, space: Space) -> &mut AddressSpace {
        match (&mut self.0, space) {
            (Trees::El1 { secure: tree, .. }, Space::Secure)
            | (Trees::El1 { normal: tree, .. }, Space::Normal)
            | (Trees::El0 { both: tree, .. }, _) => tree,
        }
    }
}

impl Pages for Spaces {
    fn take(
        &mut self,
        range: PageRange,
        to: Ownership,
        judge: &dyn Fn(Attributes) -> bool,
        tlb: &mut dyn Tlb,
    ) -> Result<Attributes, PagesError> {
        let space = self.of_mut(range.space());
        let whole = space.lookup_range(range).map_err(|_| PagesError::NotOwned)?;
        if whole.ownership != Ownership::Owned || !judge(whole.attributes) {
            return Err(PagesError::NotOwned);
        }
        space.divide(range, tlb)?;
        space.own(range, to, tlb);
        Ok(whole.attributes)
    }

    fn turn(&mut self, range: PageRange, to: Ownership, tlb: &mut dyn Tlb) {
        self.of_mut(range.space()).own(range, to, tlb);
    }

    fn release(&mut self, range: PageRange, tlb: &mut dyn Tlb) {
        self.of_mut(range.space()).own(range, Ownership::Owned, tlb);
    }

    fn tidy(&mut self, range: PageRange, tlb: &mut dyn Tlb) {
        self.of_mut(range.space()).join(range, tlb);
    }

    fn give_away(&mut self, range: PageRange, tlb: &mut dyn Tlb) {
        self.of_mut(range.space()).clear(range, tlb);
    }
}

//! A partition's memory: its two stage-2 trees.

use super::pages::{Pages, PagesError};
use crate::hardware::Tlb;
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

/// What the MMU needs to know of a partition: its two stage-2 trees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Translation {
    /// The secure IPA space, for VSTTBR_EL2.
    pub secure: Roots,
    /// The non-secure IPA space, for VTTBR_EL2.
    pub normal: Roots,
    /// The partition's VMID: never 0.
    pub vmid: u16,
}

/// The two trees.
pub struct Spaces {
    secure: AddressSpace,
    normal: AddressSpace,
    vmid: u16,
}

impl Spaces {
    /// Trees that map nothing.
    ///
    /// # Errors
    /// There are no frames for their roots.
    pub fn new(pool: &Pool, vmid: u16) -> Result<Self, NoTables> {
        Ok(Self {
            secure: AddressSpace::new(pool, Space::Secure, Some(vmid))?,
            normal: AddressSpace::new(pool, Space::Normal, Some(vmid))?,
            vmid,
        })
    }

    /// Where the MMU finds them. It does not change.
    #[must_use]
    pub fn translation(&self) -> Translation {
        Translation { secure: Roots::of(&self.secure), normal: Roots::of(&self.normal), vmid: self.vmid }
    }

    /// The tree for one space.
    #[must_use]
    pub const fn of(&self, space: Space) -> &AddressSpace {
        match space {
            Space::Secure => &self.secure,
            Space::Normal => &self.normal,
        }
    }

    /// A number that grows with every change of either.
    #[must_use]
    pub const fn changes(&self) -> u64 {
        self.secure.changes() + self.normal.changes()
    }

    /// The tree for one space, to change it.
    pub const fn of_mut(&mut self, space: Space) -> &mut AddressSpace {
        match space {
            Space::Secure => &mut self.secure,
            Space::Normal => &mut self.normal,
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

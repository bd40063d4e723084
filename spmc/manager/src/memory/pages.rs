//! What an endpoint does with its own pages: registers them as buffers, sends them to others, and has them back.

use crate::hardware::Tlb;
use crate::memory::page::{Attributes, Ownership, PageRange};
use crate::memory::space::NoTables;

/// Why pages cannot be registered or sent. Nothing has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PagesError {
    /// They are not all the endpoint's own and nobody else's, or not all alike, or it has fewer rights than it needs.
    NotOwned,
    /// There are too few frames for tables.
    NoTables,
}

impl From<NoTables> for PagesError {
    fn from(NoTables: NoTables) -> Self {
        Self::NoTables
    }
}

/// The pages of a partition, or of the Normal world.
pub trait Pages {
    /// What may be done with the whole of `range`, if the endpoint owns it, nobody else has access, and it is the same
    /// throughout.
    fn owned(&self, range: PageRange) -> Option<Attributes>;

    /// Makes [`Ownership::Owned`] pages `to`.
    ///
    /// # Errors
    /// Too few frames.
    fn take(&mut self, range: PageRange, to: Ownership, tlb: &mut dyn Tlb) -> Result<(), NoTables>;

    /// Makes pages of [`Pages::take`] something else to the endpoint: they have entries of their own, so this cannot
    /// fail.
    fn turn(&mut self, range: PageRange, to: Ownership, tlb: &mut dyn Tlb);

    /// Undoes [`Pages::take`].
    fn restore(&mut self, range: PageRange, tlb: &mut dyn Tlb);

    /// The endpoint owns the pages no more.
    fn give_away(&mut self, range: PageRange, tlb: &mut dyn Tlb);

    /// The pages are a buffer's from now on, for which the endpoint needs `rights`.
    ///
    /// # Errors
    /// Why not.
    fn pin(&mut self, range: PageRange, rights: Attributes, tlb: &mut dyn Tlb) -> Result<(), PagesError> {
        let attributes = self.owned(range).ok_or(PagesError::NotOwned)?;
        if !attributes.contains(rights) || attributes.contains(Attributes::DEVICE) {
            return Err(PagesError::NotOwned);
        }
        Ok(self.take(range, Ownership::Buffer, tlb)?)
    }

    /// The pages are an RX and a TX buffer from now on.
    ///
    /// # Errors
    /// Why not.
    fn pin_pair(&mut self, tx: PageRange, rx: PageRange, tlb: &mut dyn Tlb) -> Result<(), PagesError> {
        self.pin(tx, Attributes::READ | Attributes::WRITE, tlb)?;
        self.pin(rx, Attributes::READ, tlb).inspect_err(|_| self.restore(tx, tlb))
    }
}

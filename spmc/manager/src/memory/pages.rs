//! What an endpoint does with its own pages: registers them as buffers, sends them to others, and has them back.

use crate::hardware::Tlb;
use crate::memory::page::{Attributes, Ownership, PageRange};
use crate::memory::space::{MapError, NoTables};

/// Why pages cannot be registered or sent. Nothing has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PagesError {
    /// They are not all the endpoint's own and nobody else's, or not all alike, or it has not the rights that it needs.
    NotOwned,
    /// There are too few frames for tables.
    NoTables,
}

impl From<NoTables> for PagesError {
    fn from(NoTables: NoTables) -> Self {
        Self::NoTables
    }
}

impl From<MapError> for PagesError {
    fn from(error: MapError) -> Self {
        match error {
            MapError::NoTables(NoTables) => Self::NoTables,
            MapError::Space | MapError::Attributes | MapError::Mapped { .. } => Self::NotOwned,
        }
    }
}

/// The pages of a partition, or of the Normal world.
pub trait Pages {
    /// Makes pages `to` that are the endpoint's own and nobody else's, and all alike, if `judge` admits what may be done
    /// with them: what that is.
    ///
    /// # Errors
    /// Why not. Nothing has changed.
    fn take(
        &mut self,
        range: PageRange,
        to: Ownership,
        judge: &dyn Fn(Attributes) -> bool,
        tlb: &mut dyn Tlb,
    ) -> Result<Attributes, PagesError>;

    /// Makes pages of [`Pages::take`] something else to the endpoint: they have entries of their own, so this cannot
    /// fail.
    fn turn(&mut self, range: PageRange, to: Ownership, tlb: &mut dyn Tlb);

    /// Undoes [`Pages::take`], but for tables that were made for it.
    fn release(&mut self, range: PageRange, tlb: &mut dyn Tlb);

    /// Gives tables back that the pages no longer need.
    fn tidy(&mut self, range: PageRange, tlb: &mut dyn Tlb);

    /// Undoes [`Pages::take`].
    fn restore(&mut self, range: PageRange, tlb: &mut dyn Tlb) {
        self.release(range, tlb);
        self.tidy(range, tlb);
    }

    /// The endpoint owns the pages no more.
    fn give_away(&mut self, range: PageRange, tlb: &mut dyn Tlb);

    /// The pages are a buffer's from now on, for which the endpoint needs `rights`.
    ///
    /// # Errors
    /// Why not.
    fn pin(&mut self, range: PageRange, rights: Attributes, tlb: &mut dyn Tlb) -> Result<(), PagesError> {
        let judge =
            |attributes: Attributes| attributes.contains(rights) && !attributes.contains(Attributes::DEVICE);
        self.take(range, Ownership::Buffer, &judge, tlb).map(drop)
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

//! Stage-2 address spaces over a pool of table frames.

use super::table::TableFrame;

/// The frames that address spaces are built from, handed over once at boot.
pub struct Pool {
    frames: &'static [TableFrame],
    base: u64,
}

impl Pool {
    /// A pool of `frames`, the first of which lies at physical address `base`, the others behind it.
    #[must_use]
    pub fn new(frames: &'static [TableFrame], base: u64) -> Self {
        Self { frames, base }
    }
}

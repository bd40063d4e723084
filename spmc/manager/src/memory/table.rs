//! One translation table: 512 descriptors that the MMU walks while PEs change them.

use core::sync::atomic::{AtomicU64, Ordering};

/// Descriptors in a table with the 4 KB granule.
pub const ENTRIES: usize = 512;

/// A page that holds a translation table.
#[repr(C, align(4096))]
pub struct TableFrame([AtomicU64; ENTRIES]);

impl TableFrame {
    /// A table in which nothing is mapped.
    #[must_use]
    pub const fn new() -> Self {
        Self([const { AtomicU64::new(0) }; ENTRIES])
    }

    /// The descriptor at `index`, of which the low nine bits count: no index is out of bounds.
    pub(crate) fn get(&self, index: usize) -> u64 {
        self.0[index % ENTRIES].load(Ordering::Relaxed)
    }

    /// Writes the descriptor at `index`, of which the low nine bits count. A walk on another PE that finds the
    /// new descriptor also finds what was written before it: a table is filled first and linked then.
    pub(crate) fn set(&self, index: usize, descriptor: u64) {
        self.0[index % ENTRIES].store(descriptor, Ordering::Release);
    }
}

impl Default for TableFrame {
    fn default() -> Self {
        Self::new()
    }
}

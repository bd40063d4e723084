//! RX/TX buffers of whoever is on a PE, in that one's own memory.

use manager::hardware::Memory;
use manager::memory::page::{PAGE_SIZE, Pa};

use crate::{ECHO, ECHO_MEMORY, NORMAL_MEMORY, PARTITION_MEMORY, Pe, Place};

/// FFA_RXTX_MAP, 64-bit.
const MAP: u64 = 0xC400_0066;
/// The largest buffer, in pages.
const MAX_PAGES: u64 = 16;

impl Pe {
    /// Where whoever is on this PE may have its TX buffer.
    #[must_use]
    pub fn tx(&self) -> Pa {
        match self.place() {
            Place::Normal => Pa::normal(NORMAL_MEMORY),
            Place::Partition((partition, _)) => {
                Pa::secure(ECHO_MEMORY + (partition - ECHO) * PARTITION_MEMORY + 0x1_0000)
            }
        }
    }

    /// Where it may have its RX buffer: behind the largest TX buffer.
    #[must_use]
    pub fn rx(&self) -> Pa {
        let tx = self.tx();
        Pa { address: tx.address + MAX_PAGES * PAGE_SIZE, ..tx }
    }

    /// It registers buffers of this many pages there.
    #[track_caller]
    pub fn map(&mut self, pages: u64) {
        let (tx, rx) = (self.tx(), self.rx());
        self.done(&[MAP, tx.address, rx.address, pages]);
    }

    /// What lies at the start of its RX buffer.
    ///
    /// # Panics
    /// If there is no memory.
    #[must_use]
    pub fn received(&mut self, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        self.machine.read(self.rx(), &mut bytes).expect("a buffer lies in memory");
        bytes
    }

    /// It writes to its TX buffer.
    ///
    /// # Panics
    /// If there is no memory.
    pub fn send(&mut self, bytes: &[u8]) {
        self.machine.write(self.tx(), bytes).expect("a buffer lies in memory");
    }
}

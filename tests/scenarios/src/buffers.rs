//! RX/TX buffers of whoever is on a PE, in that one's own memory.

use manager::hardware::Memory;
use manager::memory::page::{PAGE_SIZE, Pa};

use crate::{ECHO, ECHO_MEMORY, NORMAL_MEMORY, PARTITION_MEMORY, Pe};

/// FFA_RXTX_MAP, 64-bit.
const MAP: u64 = 0xC400_0066;
/// The largest buffer, in pages.
const MAX_PAGES: u64 = 16;

/// Where a VM has its TX buffer.
#[must_use]
pub const fn vm_tx(vm: u64) -> Pa {
    Pa::normal(0x5000_0000 + vm * 0x10_0000)
}

/// Behind the largest TX buffer, where RX buffers are.
const fn behind(tx: Pa) -> Pa {
    Pa { address: tx.address + MAX_PAGES * PAGE_SIZE, ..tx }
}

/// Where this endpoint may have its TX and its RX buffer.
#[must_use]
pub fn buffers_of(who: u64) -> [Pa; 2] {
    let tx = match who {
        0 => Pa::normal(NORMAL_MEMORY),
        partition => Pa::secure(ECHO_MEMORY + (partition - ECHO) * PARTITION_MEMORY + 0x1_0000),
    };
    [tx, behind(tx)]
}

impl Pe {
    /// Where whoever is on this PE may have its TX buffer.
    #[must_use]
    pub fn tx(&self) -> Pa {
        let [tx, _] = buffers_of(self.own_id());
        tx
    }

    /// Where it may have its RX buffer: behind the largest TX buffer.
    #[must_use]
    pub fn rx(&self) -> Pa {
        let [_, rx] = buffers_of(self.own_id());
        rx
    }

    /// It registers buffers of this many pages there.
    #[track_caller]
    pub fn map(&mut self, pages: u64) {
        let (tx, rx) = (self.tx(), self.rx());
        self.done(&[MAP, tx.address, rx.address, pages]);
    }

    /// The hypervisor, which has buffers itself, registers buffers of this many pages for a VM, at [`vm_tx`] and behind the
    /// largest TX buffer there.
    #[track_caller]
    pub fn map_vm(&mut self, vm: u64, pages: u32) {
        let tx = vm_tx(vm);
        let mut bytes = vec![0; 80];
        bytes[..2].copy_from_slice(&(vm as u16).to_le_bytes());
        for (place, at, address) in [(4, 16, behind(tx).address), (8, 48, tx.address)] {
            bytes[place] = at as u8;
            bytes[at..at + 8].copy_from_slice(&(1 << 32 | u64::from(pages)).to_le_bytes());
            bytes[at + 16..at + 24].copy_from_slice(&address.to_le_bytes());
            bytes[at + 24..at + 28].copy_from_slice(&pages.to_le_bytes());
        }
        self.send(&bytes);
        self.done(&[MAP]);
    }

    /// What lies at the start of a VM's RX buffer.
    ///
    /// # Panics
    /// If there is no memory.
    #[must_use]
    pub fn received_by_vm(&mut self, vm: u64, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        self.machine.read(behind(vm_tx(vm)), &mut bytes).expect("a buffer lies in memory");
        bytes
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

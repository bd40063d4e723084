//! What the test programs must know of the machines that they run on, chosen by the address they find themselves at.
#![no_std]

mod fvp;
mod qemu_virt;
mod sbsa_ref;

use core::ops::Range;

/// A machine. Addresses are physical.
#[derive(Debug)]
pub struct Machine {
    /// The first address of the Normal world's memory.
    pub memory: u64,
    /// Where the Normal-world test image is loaded.
    pub normal: u64,
    /// Where the device tree lies that describes the PEs.
    pub device_tree: u64,
    /// Where the partitions of the tests lie.
    pub partitions: u64,
    /// Execution contexts of a partition with one for each PE.
    pub contexts: u64,
    /// Secure memory for the SPMC and the partitions.
    pub secure: Range<u64>,
    /// An address in the SPMC's image.
    pub spmc: u64,
    /// An address in EL3's memory.
    pub el3: u64,
    /// The PL011 that all worlds share.
    pub uart: u64,
    /// The real-time clock, a device that the manifests give to partitions.
    pub clock: u64,
    /// The GIC's distributor.
    pub distributor: u64,
    /// The first redistributor; a stride apart lie the others.
    pub redistributors: u64,
}

/// How much memory behind its load address the Normal-world test image takes.
const NORMAL_SIZE: u64 = 0x100_0000;

impl Machine {
    /// All machines.
    pub const ALL: [&'static Self; 3] = [&qemu_virt::MACHINE, &sbsa_ref::MACHINE, &fvp::MACHINE];

    /// The machine on which a partition or the Normal-world test image finds itself at `address`.
    #[must_use]
    pub fn holding(address: u64) -> Option<&'static Self> {
        Self::ALL.into_iter().find(|machine| {
            machine.secure.contains(&address)
                || (machine.normal..machine.normal + NORMAL_SIZE).contains(&address)
        })
    }

    /// A place in the memory of the partitions.
    #[must_use]
    pub fn partition(&self, offset: u64) -> u64 {
        self.partitions + offset
    }

    /// Normal memory that nothing lies in, up to the end of it.
    #[must_use]
    pub fn free(&self) -> u64 {
        self.memory + 0x4000_0000
    }

    /// Secure memory that no manifest of the test scenarios gives away.
    #[must_use]
    pub fn nobodys(&self) -> u64 {
        self.partition(0x30_0000)
    }

    /// The page of the Normal world's memory that its manifest gives `hostile`. It can only read the one behind it.
    #[must_use]
    pub fn shared(&self) -> u64 {
        self.memory + 0x1000_0000
    }

    /// The page of the Normal world's memory that its manifest gives `sandbox` to read.
    #[must_use]
    pub fn given(&self) -> u64 {
        self.memory + 0x3fe0_0000
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_machine_is_found_by_what_lies_in_it() {
        for machine in Machine::ALL {
            for address in [machine.normal, machine.partitions, machine.spmc, machine.nobodys()] {
                let found = Machine::holding(address).unwrap();
                assert_eq!(found.normal, machine.normal, "{address:#x}");
            }
        }
        assert!(Machine::holding(0x1000).is_none());
    }
}

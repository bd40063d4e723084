//! The machines, and what building and running for them takes.

mod fvp;
mod qemu_virt;
mod sbsa_ref;

use std::fmt;
use std::str::FromStr;

use anyhow::{Error, Result, bail};

/// A machine that Hafnia runs on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Platform {
    /// QEMU's `virt` machine.
    #[default]
    QemuVirt,
    /// QEMU's `sbsa-ref` machine.
    SbsaRef,
    /// Arm's FVP Base RevC.
    Fvp,
}

/// What the build and the runs must know of a machine. Addresses are physical, sizes in bytes.
pub struct Description {
    /// The name on the command line and in paths.
    pub name: &'static str,
    /// `PLAT=` of Trusted Firmware-A; its output lies in a folder of this name.
    pub tfa: &'static str,
    /// Device trees of TF-A's own that its boot needs.
    pub trees: Trees,
    /// Secure memory for the SPMC and the partitions: first address, and the one after the last.
    pub secure_memory: (u64, u64),
    /// Where BL2 puts the SPMC; TF-A's headers say it where it differs from version to version.
    pub spmc_base: Option<u64>,
    /// The most bytes of a partition's package that BL2 reads.
    pub package_limit: u64,
    /// The most partitions that BL2 loads.
    pub partition_limit: usize,
    /// The most bytes of TB_FW_CONFIG.
    pub config_limit: u64,
    /// The most bytes of the SPMC manifest, TOS_FW_CONFIG.
    pub manifest_limit: u64,
    /// What the machine starts from.
    pub start: Start,
    /// The Normal world's memory.
    pub normal: NormalMemory,
    /// How many PEs the project's SPMC manifest has; the tests start Linux on all of them.
    pub pes: u32,
    /// Kinds of PEs that the tests run on, too.
    pub cores: &'static [Cores],
}

/// Another kind of PEs than the one that has all that QEMU knows.
pub struct Cores {
    /// What sets them apart.
    pub name: &'static str,
    /// QEMU's `-cpu`.
    pub cpu: &'static str,
    /// More arguments for QEMU.
    pub arguments: &'static [&'static str],
    /// Make variables of TF-A for them.
    pub tfa: &'static [&'static str],
}

/// PEs without pointer authentication; TF-A must then not have been compiled for it.
const WITHOUT_PAUTH: Cores = Cores {
    name: "without PAuth",
    cpu: "max,pauth=off",
    arguments: &[],
    tfa: &["BRANCH_PROTECTION=0", "CTX_INCLUDE_PAUTH_REGS=0", "ARM_ARCH_MINOR=0"],
};

/// Device trees of TF-A's build that go into the FIP.
pub struct Trees {
    /// What TB_FW_CONFIG has beside the list of partitions, if BL2 looks for more.
    pub base: Option<&'static str>,
    /// The others, with fiptool's options.
    pub more: &'static [(&'static str, &'static str)],
}

/// How a machine starts.
#[derive(Clone, Copy)]
pub enum Start {
    /// QEMU, from one flash: BL1 at its first byte, then the FIP, with the Normal world's first image in it.
    OneFlash {
        /// `-machine`, and other options that the machine needs.
        machine: &'static [&'static str],
        /// Where TF-A looks for the FIP.
        fip_offset: u64,
        /// The flash's size.
        size: u64,
    },
    /// QEMU, from two flashes, each as large as the file must be: the first one as above, and the Normal world's first
    /// image runs in place in the second.
    TwoFlashes {
        /// `-machine`, and other options that the machine needs.
        machine: &'static [&'static str],
        /// Where TF-A looks for the FIP.
        fip_offset: u64,
        /// Each flash's size.
        size: u64,
    },
    /// Arm's model, which takes BL1 and the FIP as files.
    Model {
        /// The name of its program.
        program: &'static str,
        /// The size of the flash that the FIP is put into.
        size: u64,
    },
}

/// Addresses in the Normal world's memory.
pub struct NormalMemory {
    /// The test image. Behind it, at 0xf00000, it looks for what it is to do.
    pub image: u64,
    /// A kernel.
    pub kernel: u64,
    /// The kernel's device tree, if it is not the machine's to place.
    pub tree: u64,
    /// The kernel's initial file system.
    pub initrd: u64,
    /// The end of a stack for whoever places them.
    pub stack: u64,
}

impl Platform {
    /// All machines that are supported.
    pub const ALL: &'static [Self] = &[Self::QemuVirt, Self::SbsaRef, Self::Fvp];

    /// The name on the command line and in paths.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.description().name
    }

    /// The facts about the machine.
    #[must_use]
    pub fn description(self) -> &'static Description {
        match self {
            Self::QemuVirt => &qemu_virt::DESCRIPTION,
            Self::SbsaRef => &sbsa_ref::DESCRIPTION,
            Self::Fvp => &fvp::DESCRIPTION,
        }
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Platform {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        if let Some(platform) = Self::ALL.iter().find(|platform| platform.name() == name) {
            return Ok(*platform);
        }
        let known: Vec<_> = Self::ALL.iter().map(|platform| platform.name()).collect();
        bail!("unknown platform; there is {}", known.join(", "));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_platform_is_found_by_its_name() {
        for platform in Platform::ALL {
            assert_eq!(platform.name().parse::<Platform>().unwrap(), *platform);
        }
    }

    #[test]
    fn a_platform_that_is_not_known_is_told_those_that_are() {
        let message = "vexpress".parse::<Platform>().unwrap_err().to_string();
        assert!(Platform::ALL.iter().all(|platform| message.contains(platform.name())), "{message}");
    }

    #[test]
    fn what_is_placed_in_the_normal_worlds_memory_lies_apart() {
        for platform in Platform::ALL {
            let NormalMemory { image, kernel, tree, initrd, stack } = platform.description().normal;
            let mut places = [image, kernel, tree, initrd, stack];
            places.sort_unstable();
            assert!(places.windows(2).all(|pair| pair[1] - pair[0] >= 0x10_0000), "{platform}: {places:x?}");
        }
    }
}

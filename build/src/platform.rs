//! The machines, and what building and running for them takes.

use std::fmt;
use std::str::FromStr;

use anyhow::{Error, Result, bail};

/// A machine that Hafnia runs on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Platform {
    /// QEMU's `virt` machine.
    #[default]
    QemuVirt,
}

/// What the build and the runs must know of a machine. Addresses are physical, sizes in bytes.
pub struct Description {
    /// `PLAT=` of Trusted Firmware-A; its output lies in a folder of this name.
    pub tfa: &'static str,
    /// Where TF-A looks for the FIP in the flash that the machine starts from.
    pub fip_offset: u64,
    /// Size of that flash.
    pub flash_size: u64,
    /// Secure memory for the SPMC and the partitions: first address, and the one after the last.
    pub secure_memory: (u64, u64),
    /// Where BL2 puts the SPMC.
    pub spmc_base: u64,
    /// The most bytes of a partition's package that BL2 reads.
    pub package_limit: u64,
    /// The most partitions that BL2 loads.
    pub partition_limit: usize,
    /// The most bytes of TB_FW_CONFIG, and of the SPMC manifest.
    pub config_limit: u64,
    /// Where a kernel is put that BL31 starts without a boot loader.
    pub kernel_base: u64,
    /// Where that kernel finds its initial file system.
    pub initrd_base: u64,
    /// `-machine` of QEMU.
    pub machine: &'static str,
}

impl Platform {
    /// All machines that are supported.
    pub const ALL: &'static [Self] = &[Self::QemuVirt];

    /// The name on the command line and in paths.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::QemuVirt => "qemu-virt",
        }
    }

    /// The facts about the machine.
    #[must_use]
    pub fn description(self) -> &'static Description {
        match self {
            Self::QemuVirt => &Description {
                tfa: "qemu",
                fip_offset: 0x4_0000,
                flash_size: 0x400_0000,
                secure_memory: (0xe10_0000, 0xf00_0000),
                spmc_base: 0xe10_0000,
                package_limit: 0x40_0000,
                partition_limit: 8,
                config_limit: 0x1000,
                kernel_base: 0x4020_0000,
                initrd_base: 0x4800_0000,
                machine: "virt,secure=on,virtualization=on,gic-version=3,mte=on,acpi=off",
            },
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
        if ["sbsa", "qemu-sbsa", "fvp"].contains(&name) {
            bail!("{name} is not supported yet; there is {}", known.join(", "));
        }
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
    fn a_platform_that_is_not_supported_says_so() {
        assert!("fvp".parse::<Platform>().unwrap_err().to_string().contains("not supported yet"));
    }
}

//! QEMU `virt` with `secure=on`.

use super::{Cores, Description, NormalMemory, Start, Trees, WITHOUT_PAUTH};

/// The facts.
pub const DESCRIPTION: Description = Description {
    name: "qemu-virt",
    tfa: "qemu",
    trees: Trees { base: None, more: &[] },
    secure_memory: (0xe10_0000, 0xf00_0000),
    spmc_base: Some(0xe10_0000),
    package_limit: 0x40_0000,
    partition_limit: 8,
    config_limit: 0x1000,
    manifest_limit: 0x1000,
    start: Start::OneFlash {
        machine: &["virt,secure=on,virtualization=on,gic-version=3,mte=on,acpi=off"],
        fip_offset: 0x4_0000,
        size: 0x400_0000,
    },
    normal: NormalMemory {
        image: 0x6000_0000,
        kernel: 0x4020_0000,
        // QEMU's own.
        tree: 0x4000_0000,
        initrd: 0x4800_0000,
        stack: 0x5f00_0000,
    },
    pes: 4,
    cores: &[
        Cores {
            name: "without SVE, SME and MTE",
            cpu: "max,pauth-impdef=on,sve=off,sme=off",
            arguments: &["-machine", "mte=off"],
            tfa: &[],
        },
        WITHOUT_PAUTH,
    ],
};

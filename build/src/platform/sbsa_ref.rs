//! QEMU `sbsa-ref`.

use super::{Cores, Description, NormalMemory, Start, Trees, WITHOUT_PAUTH};

/// The facts.
pub const DESCRIPTION: Description = Description {
    name: "sbsa-ref",
    tfa: "qemu_sbsa",
    trees: Trees { base: None, more: &[] },
    // Below lie the pens in which EL3 holds the PEs, above BL2, BL31 and the two configurations.
    secure_memory: (0x2000_2000, 0x3fbc_f000),
    // 0x20002000 up to TF-A 2.12, 0x20008000 in later versions.
    spmc_base: None,
    package_limit: 0x40_0000,
    partition_limit: 8,
    config_limit: 0x1000,
    manifest_limit: 0x1000,
    start: Start::TwoFlashes {
        // The display's firmware is in a package of its own, and nobody looks at the display.
        machine: &["sbsa-ref", "-global", "bochs-display.romfile="],
        fip_offset: 0x1_2000,
        size: 0x1000_0000,
    },
    normal: NormalMemory {
        image: 0x100_2000_0000,
        kernel: 0x100_0020_0000,
        tree: 0x100_0700_0000,
        initrd: 0x100_0800_0000,
        stack: 0x100_1f00_0000,
    },
    pes: 8,
    // The machine has no memory for tags, so that MTE is never there.
    cores: &[
        Cores { name: "neoverse-n2", cpu: "neoverse-n2", arguments: &[], tfa: &[] },
        Cores {
            name: "without SVE and SME",
            cpu: "max,pauth-impdef=on,sve=off,sme=off",
            arguments: &[],
            tfa: &[],
        },
        WITHOUT_PAUTH,
    ],
};

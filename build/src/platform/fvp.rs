//! Arm's FVP Base RevC.

use super::{Description, NormalMemory, Start, Trees};

/// The facts.
pub const DESCRIPTION: Description = Description {
    name: "fvp",
    tfa: "fvp",
    trees: Trees {
        base: Some("fvp_tb_fw_config.dtb"),
        more: &[
            ("--fw-config", "fvp_fw_config.dtb"),
            ("--soc-fw-config", "fvp_soc_fw_config.dtb"),
            ("--nt-fw-config", "fvp_nt_fw_config.dtb"),
            ("--hw-config", "fvp-base-gicv3-psci.dtb"),
        ],
    },
    // BL31's copy of HW_CONFIG lies above.
    secure_memory: (0x600_0000, 0x7f0_0000),
    spmc_base: Some(0x600_0000),
    package_limit: 0x30_0000,
    partition_limit: 8,
    // What TF-A's registry of configurations (fvp_fw_config) allows.
    config_limit: 0x1800,
    manifest_limit: 0xb00,
    start: Start::Model { program: "FVP_Base_RevC-2xAEMvA", size: 0x400_0000 },
    normal: NormalMemory {
        image: 0x8800_0000,
        kernel: 0x8020_0000,
        tree: 0x8200_0000,
        initrd: 0x8400_0000,
        stack: 0x8700_0000,
    },
    pes: 8,
    cores: &[],
};

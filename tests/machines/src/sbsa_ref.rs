//! QEMU `sbsa-ref`.

use crate::Machine;

/// The machine.
pub const MACHINE: Machine = Machine {
    memory: 0x100_0000_0000,
    normal: 0x100_2000_0000,
    device_tree: 0x100_0000_0000,
    partitions: 0x2030_0000,
    contexts: 8,
    secure: 0x2000_2000..0x3fbc_f000,
    // Within the image, whichever TF-A loads it.
    spmc: 0x2001_0000,
    el3: 0x3fc0_0000,
    uart: 0x6000_0000,
    clock: 0x6001_0000,
    distributor: 0x4006_0000,
    redistributors: 0x4008_0000,
};

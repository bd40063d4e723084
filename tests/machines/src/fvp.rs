//! Arm's FVP Base RevC.

use crate::Machine;

/// The machine.
pub const MACHINE: Machine = Machine {
    memory: 0x8000_0000,
    normal: 0x8800_0000,
    // BL2's copy of HW_CONFIG.
    device_tree: 0x8200_0000,
    partitions: 0x0730_0000,
    contexts: 8,
    secure: 0x0600_0000..0x07f0_0000,
    spmc: 0x0600_0000,
    el3: 0x0400_3000,
    uart: 0x1c09_0000,
    clock: 0x1c17_0000,
    distributor: 0x2f00_0000,
    redistributors: 0x2f10_0000,
};

//! QEMU `virt` with `secure=on`.

use crate::Machine;

/// The machine.
pub const MACHINE: Machine = Machine {
    memory: 0x4000_0000,
    normal: 0x6000_0000,
    device_tree: 0x4000_0000,
    partitions: 0x0e30_0000,
    contexts: 4,
    secure: 0x0e10_0000..0x0f00_0000,
    spmc: 0x0e10_0000,
    el3: 0x0e09_0000,
    uart: 0x0900_0000,
    clock: 0x0901_0000,
    distributor: 0x0800_0000,
    redistributors: 0x080a_0000,
};

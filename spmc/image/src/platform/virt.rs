//! QEMU `virt` with `secure=on`.

use super::{Platform, Reset};

/// The machine.
pub const PLATFORM: Platform = Platform {
    name: "qemu-virt",
    load: 0x0e10_0000..0x0f00_0000,
    own_limit: 2 << 20,
    own_uart: 0x0904_0000,
    shared_uart: 0x0900_0000,
    uart_clock: 24_000_000,
    distributor: 0x0800_0000,
    redistributors: 0x080a_0000..0x0900_0000,
    reset: Reset::Pl061 { base: 0x090b_0000 },
};

//! QEMU `sbsa-ref`.

use super::{Platform, Reset};

/// The machine.
pub const PLATFORM: Platform = Platform {
    name: "sbsa-ref",
    load: 0x2000_0000..0x4000_0000,
    own_limit: 4 << 20,
    own_uart: 0x6003_0000,
    shared_uart: 0x6000_0000,
    uart_clock: 24_000_000,
    distributor: 0x4006_0000,
    redistributors: 0x4008_0000..0x4408_0000,
    // The embedded controller: 1 powers off, 2 resets.
    reset: Reset::Register { address: 0x5000_0000, value: 1 },
};

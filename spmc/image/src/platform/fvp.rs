//! Arm's FVP Base RevC.

use super::{Platform, Reset};

/// The machine.
pub const PLATFORM: Platform = Platform {
    name: "fvp",
    load: 0x0600_0000..0x0800_0000,
    own_limit: 4 << 20,
    own_uart: 0x1c09_0000,
    shared_uart: 0x1c09_0000,
    uart_clock: 24_000_000,
    distributor: 0x2f00_0000,
    redistributors: 0x2f10_0000..0x2f30_0000,
    reset: Reset::Abort,
};

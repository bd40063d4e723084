//! Constants of the machines this image runs on, chosen by the address it finds itself loaded at.

mod fvp;
mod sbsa;
mod virt;

use core::ops::Range;

use crate::layout::OWN_LIMIT;

/// What the image must know of a machine; manifests do not say it.
#[derive(Debug)]
pub struct Platform {
    /// Its name, for messages.
    pub name: &'static str,
    /// The secure memory in which the load address lies.
    pub load: Range<u64>,
    /// The SPMC's memory: at most so many bytes from the load address on, or up to the first partition.
    pub own_limit: u64,
    /// PL011 that belongs to the SPMC while no partition claims it.
    pub own_uart: u64,
    /// PL011 to share with others otherwise, in whole lines.
    pub shared_uart: u64,
    /// UARTCLK in Hz.
    pub uart_clock: u32,
    /// The GIC's distributor: 64 KB.
    pub distributor: u64,
    /// All redistributors.
    pub redistributors: Range<u64>,
    /// What ends the machine after a crash.
    pub reset: Reset,
}

/// A device that powers off or resets the machine, in reach of the secure world (EL3 refuses PSCI from there).
#[derive(Clone, Copy, Debug)]
pub enum Reset {
    /// A PL061 at `base`: a rising edge on pin 0 powers off.
    Pl061 {
        /// Its registers.
        base: u64,
    },
    /// A 32-bit register.
    Register {
        /// Its address.
        address: u64,
        /// What to write.
        value: u32,
    },
    /// None: EL3 is told by FFA_ABORT (FF-A 1.2, 8.5).
    Abort,
}

impl Reset {
    /// The page of the device, if it has one.
    #[must_use]
    pub fn page(&self) -> Option<u64> {
        match *self {
            Self::Pl061 { base } => Some(base),
            Self::Register { address, .. } => Some(address),
            Self::Abort => None,
        }
    }
}

const _: () = {
    assert!(virt::PLATFORM.own_limit <= OWN_LIMIT);
    assert!(sbsa::PLATFORM.own_limit <= OWN_LIMIT);
    assert!(fvp::PLATFORM.own_limit <= OWN_LIMIT);
};

/// The machine on which an image is loaded at `address`.
#[must_use]
pub fn loaded_at(address: u64) -> Option<&'static Platform> {
    [&virt::PLATFORM, &sbsa::PLATFORM, &fvp::PLATFORM].into_iter().find(|p| p.load.contains(&address))
}

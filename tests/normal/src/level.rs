//! The exception level that this image runs at: EL2, where TF-A enters it, or with the feature `el1` the one below.

use core::arch::asm;

/// Whether it is EL1.
pub const EL1: bool = cfg!(feature = "el1");

/// The level that the PE is at.
pub fn current() -> u64 {
    let level: u64;
    // SAFETY: reads a register and changes nothing.
    unsafe { asm!("mrs {}, CurrentEL", out(reg) level, options(nomem, nostack)) };
    level >> 2
}

/// The number of the level, for the assembler.
#[cfg(feature = "el1")]
macro_rules! level {
    () => {
        "1"
    };
}
/// The number of the level, for the assembler.
#[cfg(not(feature = "el1"))]
macro_rules! level {
    () => {
        "2"
    };
}
pub(crate) use level;

/// The name of a system register at this level.
macro_rules! own {
    ($register:literal) => {
        concat!($register, "_el", $crate::level::level!())
    };
}
pub(crate) use own;

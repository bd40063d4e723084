//! What a partition of Hafnia is written with: entry at S-EL1 or S-EL0, FF-A calls, messages,
//! virtual interrupts and time, console, panics.
//!
//! A partition is a type that answers direct requests, a manifest, and a build script of one line that passes this
//! crate's linker script on:
//!
//! ```ignore
//! struct Double;
//!
//! impl Service for Double {
//!     const NAME: &'static str = "double";
//!     fn new(_: &Vcpu, _: Option<&BootInformation>) -> Self { Self }
//!     fn answer(&mut self, _: &Vcpu, request: &Request) -> Words { request.words.map(|word| word << 1) }
//! }
//!
//! partition::entry!(Double);
//! ```
//!
//! One for S-EL0 passes `--defsym=PARTITION_AT_EL0=1` to the linker too, and has `exception-level = <1>` in its manifest.
#![no_std]

pub mod alarms;
pub mod boot;
pub mod buffers;
pub mod console;
pub mod demo;
pub mod ffa;
#[doc(hidden)]
pub mod image;
pub mod interrupts;
pub mod lending;
pub mod memory;
pub mod service;
pub mod timer;

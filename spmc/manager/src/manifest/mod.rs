//! From bytes to configuration; at boot only.
//!
//! | file | duty |
//! |---|---|
//! | `blob` | the structure of a device tree, as a whole |
//! | `tree` | nodes and typed properties; the only user of the crate `fdt` |
//! | [`spmc`] | the SPMC manifest |
//! | [`partition`], `regions` | the FF-A manifest of a partition |
//! | [`package`] | the header of a partition's package |
//! | [`check`] | rules between partitions |
//! | [`boot_info`] | the boot information of a partition |
//! | [`load`](mod@load) | all of it, from memory to configurations |

pub mod blob;
pub mod boot_info;
pub mod check;
pub mod error;
pub mod load;
pub mod package;
pub mod partition;
mod regions;
pub mod spmc;
mod tree;

#[cfg(test)]
mod tests;

pub use error::Error;
pub use load::load;

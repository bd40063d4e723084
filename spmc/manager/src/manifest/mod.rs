//! From bytes to configuration; at boot only.
//!
//! | file | duty |
//! |---|---|
//! | `blob` | the structure of a device tree, as a whole |
//! | `tree` | nodes and typed properties; the only user of the crate `fdt` |
//! | [`spmc`] | the SPMC manifest |
//! | `ranges` | its memory nodes |
//! | [`partition`] | the FF-A manifest of a partition: identity, contexts, entry |
//! | `messages` | its services, and the messages that it wants |
//! | `senders` | who may send to it |
//! | `actions` | what interrupts of others do while it runs |
//! | `lifecycle` | what happens when it fails, and whether it can be replaced |
//! | `regions`, `interrupts`, `streams` | its memory and devices, their interrupts and DMA |
//! | [`handoff`] | what EL3 hands over at entry: where the SPMC manifest is |
//! | [`transfer_list`] | header and entries of a transfer list |
//! | [`package`] | where things lie in a partition's package |
//! | [`check`] | rules between partitions |
//! | [`boot_info`] | the boot information of a partition |
//! | [`load`](mod@load) | all of it, from memory to configurations |

mod actions;
pub mod blob;
pub mod boot_info;
pub mod check;
pub mod error;
pub mod handoff;
mod interrupts;
mod lifecycle;
pub mod load;
mod messages;
pub mod package;
pub mod partition;
mod ranges;
mod regions;
mod senders;
pub mod spmc;
mod streams;
pub mod transfer_list;
mod tree;

#[cfg(test)]
mod tests;

pub use error::Error;
pub use load::load;

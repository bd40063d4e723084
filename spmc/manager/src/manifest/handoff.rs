//! What EL3 hands over at entry: where the SPMC manifest is (Firmware Handoff specification 0.9, chapter 3).
//!
//! x0 is the manifest's address, as the SPMD has it of old. Where TF-A is built with TRANSFER_LIST=1, x1 to x3 announce
//! a transfer list, and x0 is by convention the machine's device tree: then an entry for the SPMC manifest comes first.

use core::ops::Range;

use super::blob;
use super::transfer_list::{HEADER_SIZE, ListError, SIGNATURE, SPMC_MANIFEST, TransferList};

/// The largest list that is read, in bytes.
pub const MAX_LIST_SIZE: u64 = 1 << 20;

/// The version of the register convention.
const CONVENTION: u64 = 1;
/// What the list's header is aligned to, and a device tree.
const ALIGNMENT: u64 = 8;
/// Bits of a physical address.
const ADDRESS_BITS: u32 = 48;

/// Why what was handed over cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HandoffError {
    /// x1 announces a list by another convention.
    #[error("x1 is {x1:#x}: a transfer list by version {:#x} of the register convention, and {CONVENTION} is known",
        .x1 >> 32)]
    Convention {
        /// The register.
        x1: u64,
    },
    /// A register that must be zero is not.
    #[error("x2 is {x2:#x}; with a transfer list it must be 0")]
    Reserved {
        /// The register.
        x2: u64,
    },
    /// No list can be there.
    #[error("x3 is {x3:#x}; a transfer list lies at a multiple of 8 below 48 bits, not at 0, and outside {:#x}..{:#x}", .own.start, .own.end)]
    Address {
        /// The register.
        x3: u64,
        /// The SPMC's own memory.
        own: Range<u64>,
    },
    /// The list itself is wrong.
    #[error("transfer list: {0}")]
    List(#[from] ListError),
    /// The entry for the SPMC manifest cannot hold one.
    #[error(
        "transfer list: the SPMC manifest has {size:#x} bytes at {address:#x}; it must have {:#x} at least, and \
             begin at a multiple of 8",
        blob::HEADER_SIZE
    )]
    Manifest {
        /// The physical address.
        address: u64,
        /// How many bytes the entry has.
        size: u64,
    },
}

/// A piece of memory that was handed over: its physical address, and the most bytes that it can have.
pub type Piece = (u64, u64);

/// Where the transfer list lies that x1 to x3 announce, if they do. It has room up to `own`, the SPMC's memory.
///
/// # Errors
/// If they announce one and break the convention.
pub fn transfer_list(x: [u64; 4], own: &Range<u64>) -> Result<Option<Piece>, HandoffError> {
    let [_, x1, x2, x3] = x;
    if x1 & u64::from(u32::MAX) != u64::from(SIGNATURE) {
        return Ok(None);
    }
    if x1 >> 32 != CONVENTION {
        return Err(HandoffError::Convention { x1 });
    }
    if x2 != 0 {
        return Err(HandoffError::Reserved { x2 });
    }
    let end = if x3 < own.start { own.start } else { 1 << ADDRESS_BITS };
    let room = end.saturating_sub(x3).min(MAX_LIST_SIZE);
    if x3 == 0 || !x3.is_multiple_of(ALIGNMENT) || own.contains(&x3) || room < HEADER_SIZE as u64 {
        return Err(HandoffError::Address { x3, own: own.clone() });
    }
    Ok(Some((x3, room)))
}

/// Where the SPMC manifest lies in the list at `address`, if it has an entry for it.
///
/// # Errors
/// If it has two, or one that cannot hold a manifest.
pub fn manifest(address: u64, list: &TransferList) -> Result<Option<Piece>, HandoffError> {
    let Some((offset, size)) = list.find(SPMC_MANIFEST)? else { return Ok(None) };
    let address = address + offset;
    if !address.is_multiple_of(ALIGNMENT) || size < blob::HEADER_SIZE as u64 {
        return Err(HandoffError::Manifest { address, size });
    }
    Ok(Some((address, size)))
}

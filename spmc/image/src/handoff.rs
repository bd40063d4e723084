//! What EL3 hands over at entry: finds the SPMC manifest, by a transfer list if there is one, and maps both read only.
#![expect(unsafe_code, reason = "reads bytes at physical addresses that EL3 gives, once they are mapped")]

use core::ops::Range;

use manager::config::SpmcManifest;
use manager::manifest::blob::{self, BlobError};
use manager::manifest::handoff::{self, HandoffError, Piece};
use manager::manifest::transfer_list::{self, TransferList};
use manager::manifest::{Error, spmc};

use crate::translation::{Tables, Use};
use crate::{layout, sysregs};

/// The SPMC manifest that x0 to x3 lead to; `own` is the SPMC's memory. A list that is wrong is reported, and x0 counts:
/// that is what the SPMD without TRANSFER_LIST gives, and a manifest is checked as a whole wherever it comes from.
pub fn spmc_manifest(tables: &mut Tables, x: [u64; 4], own: &Range<u64>) -> SpmcManifest {
    let listed = listed(tables, x, own).unwrap_or_else(|error| {
        log::error!("{error}; the SPMC manifest is looked for at x0, {:#x}", x[0]);
        None
    });
    let piece = listed.unwrap_or((x[0], blob::MAX_SIZE as u64));
    assert_ne!(piece.0, 0, "SPMC manifest: there is none, x0 is 0");
    match parse(tables, piece) {
        Ok(manifest) => manifest,
        Err(error) => panic!("SPMC manifest: {error}"),
    }
}

/// Where the SPMC manifest lies in the transfer list, if there is a list and it has one.
fn listed(tables: &mut Tables, x: [u64; 4], own: &Range<u64>) -> Result<Option<Piece>, HandoffError> {
    let Some((at, room)) = handoff::transfer_list(x, own)? else { return Ok(None) };
    let size = transfer_list::size(&first(tables, at), room)?;
    let list = TransferList::of(mapped(tables, at, size))?;
    let found = handoff::manifest(at, &list)?;
    match found {
        Some((manifest, _)) => log::info!("transfer list at {at:#x}, SPMC manifest at {manifest:#x}"),
        None => log::info!("transfer list at {at:#x}, no SPMC manifest in it"),
    }
    Ok(found)
}

fn parse(tables: &mut Tables, (at, room): Piece) -> Result<SpmcManifest, Error> {
    let size = blob::total_size(&first(tables, at))? as u64;
    if size > room {
        return Err(BlobError::Size { size: size as u32, length: room as usize }.into());
    }
    spmc::parse(mapped(tables, at, size))
}

/// The first bytes at a physical address.
fn first<const N: usize>(tables: &mut Tables, at: u64) -> [u8; N] {
    *mapped(tables, at, N as u64).first_chunk().expect("as many as asked for")
}

/// The bytes at a physical address; their pages are mapped from now on.
fn mapped(tables: &mut Tables, at: u64, size: u64) -> &'static [u8] {
    tables.map_own(at & !0xfff..(at + size).next_multiple_of(4096), Use::ReadOnly);
    sysregs::publish_tables();
    let start = core::ptr::with_exposed_provenance(layout::virtual_address(at));
    // SAFETY: mapped, read only; who handed it over is done with it, and nobody else runs yet.
    unsafe { core::slice::from_raw_parts(start, size as usize) }
}

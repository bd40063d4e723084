//! A partition's package as TF-A loads it: a header "SPKG", the FF-A manifest, the image.

use zerocopy::little_endian::U32;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::blob;
use crate::memory::page::{PAGE_SIZE, PageRange};

/// Bytes of a header.
pub const HEADER_SIZE: usize = size_of::<Header>();

const MAGIC: [u8; 4] = *b"SPKG";

/// The header as it lies in memory.
#[derive(FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
struct Header {
    magic: [u8; 4],
    version: U32,
    manifest_offset: U32,
    manifest_size: U32,
    image_offset: U32,
    image_size: U32,
}

/// Why a package is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PackageError {
    /// It does not begin with "SPKG".
    #[error("it begins with {found:02x?}, not with \"SPKG\"")]
    Magic {
        /// The first bytes.
        found: [u8; 4],
    },
    /// A version that is not known.
    #[error("`version` is {version}; it must be 1 or 2")]
    Version {
        /// The version.
        version: u32,
    },
    /// The manifest or the image begins where it must not.
    #[error("`{field}` is {offset:#x}; it must be a multiple of {alignment:#x} behind the header")]
    Offset {
        /// The field of the header.
        field: &'static str,
        /// Its value.
        offset: u32,
        /// What it must be a multiple of.
        alignment: u32,
    },
    /// The manifest or the image is empty, or larger than its limit.
    #[error("`{field}` is {size:#x}; it must be {low:#x} to {high:#x}")]
    Size {
        /// The field of the header.
        field: &'static str,
        /// Its value.
        size: u32,
        /// The smallest.
        low: u64,
        /// The largest.
        high: u64,
    },
    /// The manifest and the image share bytes.
    #[error(
        "the manifest ({:#x} bytes at {:#x}) and the image ({:#x} bytes at {:#x}) overlap",
        .manifest.1, .manifest.0, .image.1, .image.0
    )]
    Overlap {
        /// Where the manifest lies: offset and size.
        manifest: (u64, u64),
        /// Where the image lies: offset and size.
        image: (u64, u64),
    },
}

/// Where things lie in a package, as offsets from the partition's load address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Package {
    /// The FF-A manifest: offset and size in bytes. What lies below is room for boot information.
    pub manifest: (u64, u64),
    /// The image: offset and size in bytes.
    pub image: (u64, u64),
}

impl Package {
    /// Checks the header of the package at the start of `memory`.
    pub fn parse(header: &[u8; HEADER_SIZE], memory: &PageRange) -> Result<Self, PackageError> {
        let header: &Header = zerocopy::transmute_ref!(header);
        if header.magic != MAGIC {
            return Err(PackageError::Magic { found: header.magic });
        }
        let version = header.version.get();
        if !(1..=2).contains(&version) {
            return Err(PackageError::Version { version });
        }
        // A device tree is read in place by the partition, which may ask for 8 bytes (Devicetree 0.4, 5.1).
        let manifest_offset = offset("pm_offset", header.manifest_offset.get(), 8)?;
        let image_offset = offset("img_offset", header.image_offset.get(), PAGE_SIZE as u32)?;
        let room = |offset: u64| memory.bytes().saturating_sub(offset);
        let most = room(manifest_offset).min(blob::MAX_SIZE as u64);
        let manifest_size = size("pm_size", header.manifest_size.get(), blob::HEADER_SIZE as u64, most)?;
        let image_size = size("img_size", header.image_size.get(), 1, room(image_offset))?;
        let (manifest, image) = ((manifest_offset, manifest_size), (image_offset, image_size));
        if manifest_offset < image_offset + image_size && image_offset < manifest_offset + manifest_size {
            return Err(PackageError::Overlap { manifest, image });
        }
        Ok(Self { manifest, image })
    }
}

fn offset(field: &'static str, offset: u32, alignment: u32) -> Result<u64, PackageError> {
    if offset as usize >= HEADER_SIZE && offset.is_multiple_of(alignment) {
        Ok(u64::from(offset))
    } else {
        Err(PackageError::Offset { field, offset, alignment })
    }
}

fn size(field: &'static str, size: u32, low: u64, high: u64) -> Result<u64, PackageError> {
    if (low..=high).contains(&u64::from(size)) {
        Ok(u64::from(size))
    } else {
        Err(PackageError::Size { field, size, low, high })
    }
}

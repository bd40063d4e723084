//! A partition's package as TF-A loads it: a header "SPKG", the FF-A manifest, the image; or a transfer list of these.

use zerocopy::little_endian::U32;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::blob;
use super::boot_info::HOB_LIST_OFFSET;
use super::transfer_list::{self, FFA_MANIFEST, HOB_LIST, ListError, SP_BINARY, TransferList};
use crate::memory::page::{PAGE_SIZE, PageRange};

/// Bytes of a header: as many as that of a transfer list has, so that one look tells them apart.
pub const HEADER_SIZE: usize = size_of::<Header>();
const _: () = assert!(HEADER_SIZE == transfer_list::HEADER_SIZE);

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
    /// It does not begin as a package does.
    #[error("it begins with {found:02x?}, neither with \"SPKG\" nor as a transfer list")]
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
    /// It is a transfer list that is wrong.
    #[error("transfer list: {0}")]
    List(#[from] ListError),
    /// The transfer list does not hold what a package must.
    #[error("transfer list: there is no entry with tag {tag:#x}, {what}")]
    Missing {
        /// The tag that is not there.
        tag: u32,
        /// What its entry holds.
        what: &'static str,
    },
    /// Something in the transfer list does not begin with a page.
    #[error("transfer list: {what} lies at {offset:#x}; it must be a multiple of 0x1000")]
    Place {
        /// What.
        what: &'static str,
        /// Where its data begins.
        offset: u64,
    },
    /// Something in the transfer list is empty, or larger than its limit.
    #[error("transfer list: {what} has {size:#x} bytes; it must be {low:#x} to {high:#x}")]
    Length {
        /// What.
        what: &'static str,
        /// The size of its data.
        size: u64,
        /// The smallest.
        low: u64,
        /// The largest.
        high: u64,
    },
    /// Something lies where the image has its memory.
    #[error("transfer list: an entry with tag {tag:#x} is behind the image, which must be the last")]
    BehindImage {
        /// The last entry's tag.
        tag: u32,
    },
}

/// Where things lie in a package, as offsets from the partition's load address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Package {
    /// The FF-A manifest: offset and size in bytes.
    pub manifest: (u64, u64),
    /// The image: offset and size in bytes.
    pub image: (u64, u64),
    /// How many bytes from the load address on may be overwritten by boot information, now that the header was read.
    pub boot_info: u64,
    /// Where a hand-off block list may lie: offset, and the most bytes; or why there is no place for one.
    pub hob_list: Result<(u64, u64), &'static str>,
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
        // One list is all that an "SPKG" has room for, where Hafnium's tools put it.
        let hob_list = if image_offset <= HOB_LIST_OFFSET || manifest_offset + manifest_size > HOB_LIST_OFFSET
        {
            Err("the manifest must end, and the image begin, around offset 0x2000")
        } else {
            Ok((HOB_LIST_OFFSET, image_offset - HOB_LIST_OFFSET))
        };
        let boot_info = manifest_offset.min(image_offset).min(HOB_LIST_OFFSET);
        Ok(Self { manifest, image, boot_info, hob_list })
    }

    /// Finds the parts of a package that is a transfer list. Each begins with a page, so that boot information has
    /// the list's first one.
    ///
    /// # Errors
    /// If a part is not there, there twice, or not where it must be.
    pub fn of_list(list: &TransferList) -> Result<Self, PackageError> {
        let find = |tag, what, low, high| match list.find(tag)? {
            None => Ok(None),
            Some((offset, _)) if !offset.is_multiple_of(PAGE_SIZE) => {
                Err(PackageError::Place { what, offset })
            }
            Some((_, size)) if !(low..=high).contains(&size) => {
                Err(PackageError::Length { what, size, low, high })
            }
            found => Ok(found),
        };
        let most = blob::MAX_SIZE as u64;
        let must =
            |tag, what, low, high| find(tag, what, low, high)?.ok_or(PackageError::Missing { tag, what });
        let manifest = must(FFA_MANIFEST, "the FF-A manifest", blob::HEADER_SIZE as u64, most)?;
        let image = must(SP_BINARY, "the image", 1, u32::MAX.into())?;
        let hob_list = find(HOB_LIST, "the hand-off block list", 1, most)?;
        // The image's memory goes on where its bytes end.
        if let Some(tag) = list.last().filter(|tag| *tag != SP_BINARY) {
            return Err(PackageError::BehindImage { tag });
        }
        let hob_list = hob_list.ok_or("the transfer list has no entry with tag 0x3");
        Ok(Self { manifest, image, boot_info: PAGE_SIZE, hob_list })
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

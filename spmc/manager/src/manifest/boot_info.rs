//! The boot information of a partition (FF-A 1.2, 5.4): what it is, as bytes.

use alloc::vec::Vec;

use arm_ffa::Version;
use zerocopy::little_endian::{U16, U32, U64};
use zerocopy::{Immutable, IntoBytes};

/// Where a package holds a hand-off block list, as an offset from its start.
pub const HOB_LIST_OFFSET: u64 = 0x2000;

const SIGNATURE: u32 = 0xFFA;
const STANDARD_FDT: u8 = 0;
const STANDARD_HOB: u8 = 1;

/// Table 5.8: boot information header.
#[derive(IntoBytes, Immutable)]
#[repr(C)]
struct Header {
    signature: U32,
    version: U32,
    blob_size: U32,
    descriptor_size: U32,
    descriptor_count: U32,
    descriptor_offset: U32,
    reserved: U64,
}

/// Table 5.9: boot information descriptor. With flags 0 the name is a string, and the contents an address.
#[derive(IntoBytes, Immutable)]
#[repr(C)]
struct Descriptor {
    name: [u8; 16],
    kind: u8,
    reserved: u8,
    flags: U16,
    size: U32,
    contents: U64,
}

/// What a descriptor points to: `(address, size in bytes)`.
pub type Contents = (u64, u64);

/// The blob that lies at `address`, for a partition of this version. It points to its contents behind itself.
///
/// The descriptors are those of FF-A 1.1 and 1.2, so that a partition of any other version is told 1.1 or 1.2.
#[must_use]
pub fn blob(
    address: u64,
    version: Version,
    manifest: Option<Contents>,
    hob_list: Option<Contents>,
) -> Vec<u8> {
    let manifest = manifest.map(|at| descriptor(b"ffa-manifest", STANDARD_FDT, at));
    let hob_list = hob_list.map(|at| descriptor(b"hob-list", STANDARD_HOB, at));
    let descriptors: Vec<_> = manifest.into_iter().chain(hob_list).collect();
    let own_size = size_of::<Header>() + descriptors.len() * size_of::<Descriptor>();
    // The size covers the referenced contents and any padding between, so that a reader may map it as one.
    let ends =
        descriptors.iter().map(|d| (d.contents.get() + u64::from(d.size.get())).saturating_sub(address));
    let size = ends.fold(own_size as u64, u64::max);
    let header = Header {
        signature: U32::new(SIGNATURE),
        version: U32::new(version.clamp(Version(1, 1), Version(1, 2)).into()),
        blob_size: clamp(size),
        descriptor_size: U32::new(size_of::<Descriptor>() as u32),
        descriptor_count: U32::new(descriptors.len() as u32),
        descriptor_offset: U32::new(size_of::<Header>() as u32),
        reserved: U64::ZERO,
    };
    let mut bytes = Vec::with_capacity(own_size);
    bytes.extend_from_slice(header.as_bytes());
    bytes.extend_from_slice(descriptors.as_bytes());
    bytes
}

fn descriptor(name: &[u8], kind: u8, (address, size): Contents) -> Descriptor {
    let mut padded = [0; 16];
    padded.iter_mut().zip(name).for_each(|(to, from)| *to = *from);
    Descriptor {
        name: padded,
        kind,
        reserved: 0,
        flags: U16::ZERO,
        size: clamp(size),
        contents: U64::new(address),
    }
}

/// A size within a package, whose fields have 32 bits themselves.
fn clamp(size: u64) -> U32 {
    U32::new(u32::try_from(size).unwrap_or(u32::MAX))
}

/// The size of the hand-off block list that `bytes` begins with (UEFI PI 1.8, volume 3, 4 and 5), or what is wrong.
///
/// # Errors
/// In words, for a message.
pub fn hob_list_size(bytes: &[u8]) -> Result<u64, &'static str> {
    const HANDOFF: u16 = 1;
    const END_OF_LIST: u16 = 0xFFFF;
    let mut at = 0;
    loop {
        let header: &[u8; 8] =
            bytes.get(at..).and_then(<[u8]>::first_chunk).ok_or("it has no end before the image")?;
        let kind = u16::from_le_bytes([header[0], header[1]]);
        let length = usize::from(u16::from_le_bytes([header[2], header[3]]));
        if at == 0 && kind != HANDOFF {
            return Err("it does not begin with a hand-off information table");
        }
        if length < header.len() || !length.is_multiple_of(8) {
            return Err("the length of a block is not a multiple of 8");
        }
        at += length;
        if kind == END_OF_LIST {
            return if at <= bytes.len() { Ok(at as u64) } else { Err("it has no end before the image") };
        }
    }
}

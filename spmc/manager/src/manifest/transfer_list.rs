//! A transfer list (Firmware Handoff specification 0.9, chapter 2): its header and its entries, checked as a whole.
//!
//! What is reserved in it is not looked at, and an entry that nobody asks for may hold anything.

use alloc::vec::Vec;

use zerocopy::little_endian::U32;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Bytes of a header, in the one form that is known.
pub const HEADER_SIZE: usize = size_of::<Header>();
/// The most entries that are kept, beside empty ones.
pub const MAX_ENTRIES: usize = 64;

/// Tag of a hand-off block list.
pub const HOB_LIST: u32 = 0x3;
/// Tag of the SPMC manifest.
pub const SPMC_MANIFEST: u32 = 0x101;
/// Tag of a partition's image.
pub const SP_BINARY: u32 = 0x103;
/// Tag of a partition's FF-A manifest.
pub const FFA_MANIFEST: u32 = 0x106;

/// Tag of an entry that holds nothing, put in to have the next one's data aligned.
const EMPTY: u32 = 0;
/// What each entry's header is aligned to.
const GRANULE: u64 = 8;
/// `flags`: the sum of all bytes is 0.
const HAS_CHECKSUM: u32 = 1;

/// What a list begins with; for registers, too.
pub const SIGNATURE: u32 = 0x4A0F_B10B;

/// The header as it lies in memory.
#[derive(FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
struct Header {
    signature: U32,
    checksum: u8,
    version: u8,
    hdr_size: u8,
    alignment: u8,
    size: U32,
    max_size: U32,
    flags: U32,
    reserved: U32,
}

/// The header of an entry.
#[derive(FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
struct EntryHeader {
    tag: [u8; 3],
    hdr_size: u8,
    data_size: U32,
}

/// Why a list is refused. Offsets count from its start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ListError {
    /// It does not begin with the signature.
    #[error("`signature` is {found:#x}; it must be {SIGNATURE:#x}")]
    Signature {
        /// The first word.
        found: u32,
    },
    /// The header has another length than it has in the known versions.
    #[error("`hdr_size` is {size:#x}; it must be {HEADER_SIZE:#x}")]
    HeaderSize {
        /// What it says.
        size: u8,
    },
    /// A field of the header is beyond its limits.
    #[error("`{field}` is {value:#x}; it must be {low:#x} to {high:#x}")]
    Field {
        /// Which.
        field: &'static str,
        /// Its value.
        value: u32,
        /// The smallest.
        low: u64,
        /// The largest.
        high: u64,
    },
    /// The bytes do not add up to nothing.
    #[error("`checksum` is {checksum:#x}; with the other bytes it must be {right:#x}")]
    Checksum {
        /// What it says.
        checksum: u8,
        /// What would be right.
        right: u8,
    },
    /// Bytes cannot be read.
    #[error("it cannot be read at {offset:#x}")]
    Unreadable {
        /// Which.
        offset: u64,
    },
    /// The list ends within the header of an entry.
    #[error("the entry at {offset:#x} is cut: the list has {size:#x} bytes")]
    Cut {
        /// Where the entry begins.
        offset: u64,
        /// Where the list ends.
        size: u64,
    },
    /// A field of an entry is beyond its limits.
    #[error(
        "the entry at {offset:#x} with tag {tag:#x}: `{field}` is {value:#x}; it must be {low:#x} to {high:#x}"
    )]
    Entry {
        /// Where the entry begins.
        offset: u64,
        /// Its tag.
        tag: u32,
        /// Which field.
        field: &'static str,
        /// Its value.
        value: u32,
        /// The smallest.
        low: u64,
        /// The largest.
        high: u64,
    },
    /// There are more entries than this implementation keeps.
    #[error("there are more than {MAX_ENTRIES} entries")]
    TooMany,
    /// A tag stands twice where one entry is looked for.
    #[error("tag {tag:#x} has data at {first:#x} and at {second:#x}; it must be unique")]
    Twice {
        /// The tag.
        tag: u32,
        /// Where the data of the first entry lies.
        first: u64,
        /// Where that of the second lies.
        second: u64,
    },
}

/// Where the data of an entry lies: offset and size in bytes.
pub type Data = (u64, u64);

/// What fills a slice with the bytes at an offset of a list, if it can.
pub type Read<'a> = dyn FnMut(u64, &mut [u8]) -> Option<()> + 'a;

/// The entries of a list, in their order, without the empty ones.
#[derive(Debug, PartialEq, Eq)]
pub struct TransferList {
    entries: Vec<(u32, Data)>,
}

impl TransferList {
    /// Checks the list that `read` reads. It may have `room` bytes.
    ///
    /// # Errors
    /// What is wrong with the list, or where it cannot be read.
    // Once, for both that have a list: it is of no use to run faster at boot.
    #[inline(never)]
    pub fn parse(room: u64, read: &mut Read<'_>) -> Result<Self, ListError> {
        let mut header = [0; HEADER_SIZE];
        read(0, &mut header).ok_or(ListError::Unreadable { offset: 0 })?;
        let size = size(&header, room)?;
        sum(&header, size, read)?;
        let mut entries = Vec::new();
        let mut offset = HEADER_SIZE as u64;
        while offset < size {
            let (tag, data) = entry(offset, size, read)?;
            if tag != EMPTY {
                if entries.len() == MAX_ENTRIES {
                    return Err(ListError::TooMany);
                }
                entries.push((tag, data));
            }
            offset = (data.0 + data.1).next_multiple_of(GRANULE);
        }
        Ok(Self { entries })
    }

    /// Checks a list that lies in memory as a whole.
    ///
    /// # Errors
    /// What is wrong with the list.
    pub fn of(bytes: &[u8]) -> Result<Self, ListError> {
        Self::parse(bytes.len() as u64, &mut |offset, into| {
            into.copy_from_slice(bytes.get(offset as usize..)?.get(..into.len())?);
            Some(())
        })
    }

    /// Where the data of the entry with this tag lies, if there is one.
    ///
    /// # Errors
    /// If there are two.
    pub fn find(&self, tag: u32) -> Result<Option<Data>, ListError> {
        let mut found = self.entries.iter().filter(|(of, _)| *of == tag).map(|(_, data)| *data);
        match (found.next(), found.next()) {
            (Some((first, _)), Some((second, _))) => Err(ListError::Twice { tag, first, second }),
            (one, _) => Ok(one),
        }
    }

    /// The tag of the last entry.
    #[must_use]
    pub fn last(&self) -> Option<u32> {
        self.entries.last().map(|(tag, _)| *tag)
    }
}

/// Whether a package, or whatever else begins so, says that it is a list.
#[must_use]
pub fn is_list(start: &[u8; HEADER_SIZE]) -> bool {
    let header: &Header = zerocopy::transmute_ref!(start);
    header.signature == SIGNATURE
}

/// The size that a sound header gives, for whoever has to find out how much to read: at most `room`.
///
/// # Errors
/// If the header is not sound.
pub fn size(header: &[u8; HEADER_SIZE], room: u64) -> Result<u64, ListError> {
    let header: &Header = zerocopy::transmute_ref!(header);
    let within = |field, value, low, high| match u64::from(value) {
        wide if (low..=high).contains(&wide) => Ok(wide),
        _ => Err(ListError::Field { field, value, low, high }),
    };
    if header.signature != SIGNATURE {
        return Err(ListError::Signature { found: header.signature.get() });
    }
    // Later versions are compatible for those who only read (2.4.1).
    within("version", header.version.into(), 1, 0xFF)?;
    if usize::from(header.hdr_size) != HEADER_SIZE {
        return Err(ListError::HeaderSize { size: header.hdr_size });
    }
    within("alignment", header.alignment.into(), 3, 31)?;
    let smallest = HEADER_SIZE as u64;
    let most = within("max_size", header.max_size.get(), smallest, u32::MAX.into())?;
    within("size", header.size.get(), smallest, most.min(room))
}

/// Adds all bytes up, if the header says that they come to nothing.
fn sum(header: &[u8; HEADER_SIZE], size: u64, read: &mut Read<'_>) -> Result<(), ListError> {
    let header: &Header = zerocopy::transmute_ref!(header);
    if header.flags.get() & HAS_CHECKSUM == 0 {
        return Ok(());
    }
    let mut piece = [0; 512];
    let (mut offset, mut sum) = (0, 0_u8);
    while offset < size {
        let length = (size - offset).min(piece.len() as u64);
        let bytes = &mut piece[..length as usize];
        read(offset, bytes).ok_or(ListError::Unreadable { offset })?;
        sum = bytes.iter().fold(sum, |sum, byte| sum.wrapping_add(*byte));
        offset += length;
    }
    let checksum = header.checksum;
    if sum != 0 {
        return Err(ListError::Checksum { checksum, right: checksum.wrapping_sub(sum) });
    }
    Ok(())
}

/// Tag and data of the entry at `offset` of a list of `size` bytes.
fn entry(offset: u64, size: u64, read: &mut Read<'_>) -> Result<(u32, Data), ListError> {
    let smallest = size_of::<EntryHeader>() as u64;
    let rest = size - offset;
    if rest < smallest {
        return Err(ListError::Cut { offset, size });
    }
    let mut bytes = [0; size_of::<EntryHeader>()];
    read(offset, &mut bytes).ok_or(ListError::Unreadable { offset })?;
    let header: &EntryHeader = zerocopy::transmute_ref!(&bytes);
    let [low, middle, high] = header.tag;
    let tag = u32::from_le_bytes([low, middle, high, 0]);
    let within = |field, value: u32, low, high| match u64::from(value) {
        wide if (low..=high).contains(&wide) => Ok(wide),
        _ => Err(ListError::Entry { offset, tag, field, value, low, high }),
    };
    let header_size = within("hdr_size", header.hdr_size.into(), smallest, rest.min(0xFF))?;
    let data_size = within("data_size", header.data_size.get(), 0, rest - header_size)?;
    Ok((tag, (offset + header_size, data_size)))
}

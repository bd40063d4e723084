//! The structure of a flattened device tree, checked as a whole before any of it is read.
//!
//! Devicetree Specification 0.4, chapter 5. What passes here cannot make the crate `fdt` panic, and holds no
//! node or property twice.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

/// The largest device tree that is read, in bytes.
pub const MAX_SIZE: usize = 64 * 1024;
/// The deepest nesting of nodes, the root included.
pub const MAX_DEPTH: usize = 16;
/// The longest name of a node or a property, in bytes (the specification says 31).
pub const MAX_NAME: usize = 63;
/// Bytes of a header.
pub const HEADER_SIZE: usize = 40;

const MAGIC: u32 = 0xD00D_FEED;
/// The version of the format; older ones pad property values differently.
const VERSION: u32 = 17;

const BEGIN_NODE: u32 = 1;
const END_NODE: u32 = 2;
const PROPERTY: u32 = 3;
const END: u32 = 9;

/// Where the structure is broken. Offsets count from the start of the blob.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BlobError {
    /// Not even a header.
    #[error("it has {length} bytes, and the header alone has {HEADER_SIZE}")]
    Short {
        /// Bytes there are.
        length: usize,
    },
    /// The first word is not the magic number.
    #[error("it begins with {found:#x}, not with {MAGIC:#x}")]
    Magic {
        /// The first word.
        found: u32,
    },
    /// A version that this reader does not know.
    #[error("version {version} (compatible down to {compatible}); it must be readable as {VERSION}")]
    Version {
        /// `version`.
        version: u32,
        /// `last_comp_version`.
        compatible: u32,
    },
    /// The total size is beyond the limit, or beyond the bytes there are.
    #[error("`totalsize` is {size:#x}; there are {length:#x} bytes, and {MAX_SIZE:#x} is the limit")]
    Size {
        /// `totalsize`.
        size: u32,
        /// Bytes there are.
        length: usize,
    },
    /// A block lies outside the blob or is not aligned.
    #[error("the {block} block, {size:#x} bytes at {offset:#x}, is misaligned or outside the blob")]
    Block {
        /// Which block.
        block: &'static str,
        /// Its offset.
        offset: u32,
        /// Its size.
        size: u32,
    },
    /// The structure block ends inside a token.
    #[error("the structure ends inside the token at {offset:#x}")]
    Truncated {
        /// Where the token begins.
        offset: usize,
    },
    /// A token that must not stand where it stands.
    #[error("token {token:#x} at {offset:#x} must not stand there")]
    Token {
        /// The token.
        token: u32,
        /// Where it stands.
        offset: usize,
    },
    /// Nodes are nested too deeply.
    #[error("the node at {offset:#x} is nested deeper than {MAX_DEPTH}")]
    Depth {
        /// Where the node begins.
        offset: usize,
    },
    /// A name that is empty, too long, without an end, or has characters that no name may have.
    #[error("the name of the node or property at {offset:#x} is not 1 to {MAX_NAME} printable characters")]
    Name {
        /// Where the node or property begins.
        offset: usize,
    },
    /// A node or property stands twice in one node.
    #[error("the node or property at {offset:#x} has the name of one before it in the same node")]
    Duplicate {
        /// Where the second one begins.
        offset: usize,
    },
}

/// The size that a blob's header gives, for whoever has to find out how much to read: at most [`MAX_SIZE`].
pub fn total_size(header: &[u8; HEADER_SIZE]) -> Result<usize, BlobError> {
    let word = |at: usize| u32::from_be_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
    if word(0) != MAGIC {
        return Err(BlobError::Magic { found: word(0) });
    }
    let size = word(4);
    match usize::try_from(size) {
        Ok(total) if (HEADER_SIZE..=MAX_SIZE).contains(&total) => Ok(total),
        _ => Err(BlobError::Size { size, length: HEADER_SIZE }),
    }
}

/// Checks all of `blob`, and gives the part of it that the header speaks of.
pub fn check(blob: &[u8]) -> Result<&[u8], BlobError> {
    let length = blob.len();
    let header: &[u8; HEADER_SIZE] = blob.first_chunk().ok_or(BlobError::Short { length })?;
    let word = |index: usize| {
        let at = index * 4;
        u32::from_be_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]])
    };
    let size = total_size(header)?;
    let blob = blob.get(..size).ok_or(BlobError::Size { size: word(1), length })?;
    let (version, compatible) = (word(5), word(6));
    if version < VERSION || compatible > VERSION {
        return Err(BlobError::Version { version, compatible });
    }
    let structure = block(blob, "structure", word(2), word(9), 4)?;
    let strings = block(blob, "strings", word(3), word(8), 1)?;
    // The memory reservations are not read, so that only their place is checked: one empty entry at least.
    block(blob, "memory reservation", word(4), 16, 8)?;
    Walk { structure, strings, base: word(2) as usize, at: 0 }.run()?;
    Ok(blob)
}

/// A block of the blob, by what the header says of it.
fn block<'a>(
    blob: &'a [u8],
    name: &'static str,
    offset: u32,
    size: u32,
    alignment: u32,
) -> Result<&'a [u8], BlobError> {
    let error = BlobError::Block { block: name, offset, size };
    let (start, bytes) = (offset as usize, size as usize);
    let end = start.checked_add(bytes).ok_or(error)?;
    if !offset.is_multiple_of(alignment) || !size.is_multiple_of(alignment) || start < HEADER_SIZE {
        return Err(error);
    }
    blob.get(start..end).ok_or(error)
}

/// What has been seen of a node that is still open.
#[derive(Default)]
struct Open<'a> {
    properties: BTreeSet<&'a [u8]>,
    children: BTreeSet<&'a [u8]>,
}

/// A walk over the tokens of the structure block.
struct Walk<'a> {
    structure: &'a [u8],
    strings: &'a [u8],
    base: usize,
    at: usize,
}

impl<'a> Walk<'a> {
    fn run(&mut self) -> Result<(), BlobError> {
        let mut open: Vec<Open<'a>> = Vec::new();
        let mut root_seen = false;
        loop {
            let start = self.at;
            let offset = self.base + start;
            let token = self.word(offset)?;
            match (token, open.len()) {
                (BEGIN_NODE, 0) if !root_seen => {
                    root_seen = true;
                    if !self.node_name(offset)?.is_empty() {
                        return Err(BlobError::Name { offset });
                    }
                    open.push(Open::default());
                }
                (BEGIN_NODE, 1..) => {
                    if open.len() == MAX_DEPTH {
                        return Err(BlobError::Depth { offset });
                    }
                    let name = self.node_name(offset)?;
                    if name.is_empty() {
                        return Err(BlobError::Name { offset });
                    }
                    insert(open.last_mut().map(|parent| &mut parent.children), name, offset)?;
                    open.push(Open::default());
                }
                // Properties stand before the children (5.4.2).
                (PROPERTY, 1..) if open.last().is_some_and(|node| node.children.is_empty()) => {
                    let name = self.property(offset)?;
                    insert(open.last_mut().map(|node| &mut node.properties), name, offset)?;
                }
                (END_NODE, 1..) => drop(open.pop()),
                (END, 0) if root_seen && self.at == self.structure.len() => return Ok(()),
                _ => return Err(BlobError::Token { token, offset }),
            }
        }
    }

    fn word(&mut self, offset: usize) -> Result<u32, BlobError> {
        let bytes = self.structure.get(self.at..).and_then(<[u8]>::first_chunk);
        self.at += 4;
        bytes.map(|bytes| u32::from_be_bytes(*bytes)).ok_or(BlobError::Truncated { offset })
    }

    /// A node's name, with the padding behind it.
    fn node_name(&mut self, offset: usize) -> Result<&'a [u8], BlobError> {
        let rest = self.structure.get(self.at..).ok_or(BlobError::Truncated { offset })?;
        let name = name(rest).ok_or(BlobError::Name { offset })?;
        self.skip(name.len() + 1, offset)?;
        Ok(name)
    }

    /// A property's name; its value and the padding behind it are only stepped over.
    fn property(&mut self, offset: usize) -> Result<&'a [u8], BlobError> {
        let length = self.word(offset)? as usize;
        let name_at = self.word(offset)? as usize;
        self.skip(length, offset)?;
        let name = self.strings.get(name_at..).and_then(name).filter(|name| !name.is_empty());
        name.ok_or(BlobError::Name { offset })
    }

    /// Steps over `length` bytes and up to the next multiple of four.
    fn skip(&mut self, length: usize, offset: usize) -> Result<(), BlobError> {
        let end = self.at.checked_add(length).and_then(|end| end.checked_next_multiple_of(4));
        self.at = end.filter(|end| *end <= self.structure.len()).ok_or(BlobError::Truncated { offset })?;
        Ok(())
    }
}

/// The name that `bytes` begins with: printable characters up to a zero, not too many.
fn name(bytes: &[u8]) -> Option<&[u8]> {
    let window = &bytes[..bytes.len().min(MAX_NAME + 1)];
    let name = &window[..window.iter().position(|byte| *byte == 0)?];
    name.iter().all(|byte| byte.is_ascii_graphic() && *byte != b'/').then_some(name)
}

fn insert<'a>(
    names: Option<&mut BTreeSet<&'a [u8]>>,
    name: &'a [u8],
    offset: usize,
) -> Result<(), BlobError> {
    if names.is_none_or(|names| names.insert(name)) { Ok(()) } else { Err(BlobError::Duplicate { offset }) }
}

//! What the loader is told: the directory that lies behind it in the flash.
#![no_std]

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Where the directory lies, from the loader's first byte on.
pub const DIRECTORY: u64 = 0x1_0000;
/// The first word of a directory: "HAFNIALD", lowest byte first.
pub const MAGIC: u64 = u64::from_le_bytes(*b"HAFNIALD");
/// The most files that are placed.
pub const FILES: usize = 3;

/// What is to be done. All words are of 64 bits, as the target has them.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Directory {
    /// [`MAGIC`].
    pub magic: u64,
    /// Address of the first instruction of what is started.
    pub entry: u64,
    /// What it finds in x0.
    pub argument: u64,
    /// The end of memory that the loader may use as its stack.
    pub stack: u64,
    /// What is placed first; one without words is none.
    pub files: [Placement; FILES],
}

/// A file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Placement {
    /// Where it lies, from the loader's first byte on: a multiple of 8.
    pub from: u64,
    /// The address that it is put at: a multiple of 8.
    pub to: u64,
    /// Its size in words of 8 bytes.
    pub words: u64,
}

//! Where the image lies, and how its addresses relate: virtual = physical with the upper 16 bits set.
#![expect(unsafe_code, reason = "names the linker's symbols; only their addresses are used")]

use core::ops::Range;

/// The SPMC's memory: on no platform more than this from the load address on.
pub const OWN_LIMIT: u64 = 4 << 20;

/// The bits that make a virtual address of a physical one.
const UPPER_HALF: u64 = 0xffff_0000_0000_0000;

unsafe extern "C" {
    static image_begin: u8;
    static trampoline_begin: u8;
    static text_end: u8;
    static rodata_end: u8;
    static data_end: u8;
    static boot_tables: u8;
    static boot_tables_end: u8;
    static boot_stack_bottom: u8;
    static boot_stack: u8;
    static crash_stack_bottom: u8;
    static crash_stack: u8;
    static image_end: u8;
    static secondary_entry: u8;
    static build_id_begin: u8;
    static build_id_end: u8;
}

macro_rules! address {
    ($symbol:ident) => {
        physical((&raw const $symbol).addr())
    };
}

/// The physical address behind `address`, of this image or of the linear map.
#[must_use]
pub fn physical(address: usize) -> u64 {
    address as u64 & !UPPER_HALF
}

/// Where physical address `address` is seen in the linear map.
#[must_use]
pub fn virtual_address(address: u64) -> usize {
    (address | UPPER_HALF) as usize
}

/// The physical address of the image's first byte: the load address.
#[must_use]
pub fn load_address() -> u64 {
    address!(image_begin)
}

/// The first physical address behind the image.
#[must_use]
pub fn image_end_address() -> u64 {
    address!(image_end)
}

/// Where a PE that is turned on begins.
#[must_use]
pub fn secondary_entry_address() -> u64 {
    address!(secondary_entry)
}

/// Code.
#[must_use]
pub fn text() -> Range<u64> {
    address!(image_begin)..address!(text_end)
}

/// The page of code that is mapped while a partition at S-EL0 runs.
#[must_use]
pub fn trampoline() -> Range<u64> {
    address!(trampoline_begin)..address!(trampoline_begin) + 4096
}

/// Constants, and the boot tables.
#[must_use]
pub fn read_only() -> [Range<u64>; 2] {
    [address!(text_end)..address!(rodata_end), address!(boot_tables)..address!(boot_tables_end)]
}

/// Variables, and the two stacks of the image; a page on each side of a stack is in none of the ranges.
#[must_use]
pub fn writable() -> [Range<u64>; 3] {
    [
        address!(rodata_end)..address!(data_end),
        address!(boot_stack_bottom)..address!(boot_stack),
        address!(crash_stack_bottom)..address!(crash_stack),
    ]
}

/// The pages below the two stacks of the image.
#[must_use]
pub fn guards() -> [Range<u64>; 2] {
    [
        address!(boot_tables_end)..address!(boot_stack_bottom),
        address!(boot_stack)..address!(crash_stack_bottom),
    ]
}

/// The ELF note with the build id.
#[must_use]
pub fn build_id_note() -> &'static [u8] {
    let begin = &raw const build_id_begin;
    // SAFETY: the linker script puts both symbols round the note in read-only data.
    unsafe { core::slice::from_raw_parts(begin, (&raw const build_id_end).addr() - begin.addr()) }
}

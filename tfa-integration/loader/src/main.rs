//! The first image of the Normal world in a flash: it runs in place, puts files into memory, and starts one of them.
//!
//! The MMU and the caches are off: all that is written is in memory at once, and each access must be aligned.
#![no_std]
#![no_main]

use core::arch::global_asm;
use core::panic::PanicInfo;

use loader::{DIRECTORY, Directory, MAGIC, Placement};

global_asm!(
    include_str!("start.S"),
    directory = const DIRECTORY,
    magic = const MAGIC,
    entry = const core::mem::offset_of!(Directory, entry),
    argument = const core::mem::offset_of!(Directory, argument),
    stack = const core::mem::offset_of!(Directory, stack),
    place = sym place,
);

/// Puts each file of the directory into memory; `flash` is the address of the loader's first byte.
extern "C" fn place(flash: u64, directory: &Directory) {
    for file in &directory.files {
        copy(flash, file);
    }
}

fn copy(flash: u64, file: &Placement) {
    let (from, to) = ((flash + file.from) as *const u64, file.to as *mut u64);
    for word in 0..file.words as usize {
        // SAFETY: the directory was made with this flash: the words lie in it, and the memory is nobody's yet.
        // Volatile, so that no access becomes wider or unaligned.
        unsafe { to.add(word).write_volatile(from.add(word).read_volatile()) };
    }
}

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    loop {
        core::hint::spin_loop();
    }
}

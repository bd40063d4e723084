//! The memory behind the image: given out once at boot, sealed afterwards.
#![expect(unsafe_code, reason = "is the global allocator; gives out each byte of one range at most once")]

use core::alloc::{GlobalAlloc, Layout};
use core::arch::asm;
use core::ptr::null_mut;
use core::sync::atomic::{AtomicUsize, Ordering};

use crate::sysregs;

/// A range from which memory is taken at the low end; only the last piece taken can go back.
pub struct Bump {
    next: AtomicUsize,
    end: AtomicUsize,
}

#[global_allocator]
static HEAP: Bump = Bump { next: AtomicUsize::new(0), end: AtomicUsize::new(0) };

/// Starts giving out the memory from `start` up to `end`, both virtual addresses.
///
/// # Safety
/// The range is mapped as normal memory, and nothing else uses it.
pub unsafe fn open(start: usize, end: usize) {
    HEAP.next.store(start, Ordering::Relaxed);
    HEAP.end.store(end, Ordering::Relaxed);
}

/// Moves the end down to `end`.
pub fn limit(end: usize) {
    assert!(HEAP.next.load(Ordering::Relaxed) <= end, "the first partition lies in memory the SPMC needs");
    HEAP.end.fetch_min(end, Ordering::Relaxed);
}

/// How many bytes are left.
#[must_use]
pub fn left() -> usize {
    HEAP.end.load(Ordering::Relaxed).saturating_sub(HEAP.next.load(Ordering::Relaxed))
}

/// Gives out nothing any more: an allocation is an assertion from here on.
pub fn seal() {
    HEAP.end.store(0, Ordering::Relaxed);
}

/// Takes a zeroed page from the low end: before the manifest is read, nobody knows where the high end is.
#[must_use]
pub fn take_page() -> usize {
    let start = HEAP.next.load(Ordering::Relaxed).next_multiple_of(4096);
    assert!(start + 4096 <= HEAP.end.load(Ordering::Relaxed), "no memory for a page");
    HEAP.next.store(start + 4096, Ordering::Relaxed);
    // SAFETY: the page is in the range given to `open`, and `next` has moved past it.
    unsafe { zero(start, 4096) };
    start
}

/// Takes `pages` zeroed pages from the high end, once [`limit`] has moved it to where it stays.
#[must_use]
pub fn take_pages_from_top(pages: usize) -> usize {
    let size = pages * 4096;
    assert!(size <= left(), "no memory for {pages} pages");
    let start = HEAP.end.fetch_sub(size, Ordering::Relaxed) - size;
    assert!(start & 4095 == 0, "the heap does not end at a page");
    // SAFETY: the pages are in the range given to `open`, and the end has moved below them.
    unsafe { zero(start, size) };
    start
}

/// Zeroes `size` bytes from `start` by blocks of the data cache: pages are most of what is zeroed at boot, and
/// `memset` takes eight bytes at a time.
///
/// # Safety
/// The range is whole pages of normal memory that nothing refers to.
unsafe fn zero(start: usize, size: usize) {
    // DCZID_EL0.BS: log2 of a block's words, of which 2 KB are the most, so pages are whole blocks.
    let block = 4 << (sysregs::dczid() & 0xF);
    for place in (start..start + size).step_by(block) {
        // SAFETY: zeroes one block of the caller's range; what traps it does so at EL1 and EL0 only.
        unsafe { asm!("dc zva, {}", in(reg) place, options(nostack, preserves_flags)) };
    }
}

// SAFETY: `alloc` moves `next` past each piece it returns, inside the range; pieces do not overlap until `dealloc`
// gives back the last one.
unsafe impl GlobalAlloc for Bump {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let end = self.end.load(Ordering::Relaxed);
        let start = self.next.load(Ordering::Relaxed).next_multiple_of(layout.align());
        match start.checked_add(layout.size()) {
            Some(next) if next <= end => {
                self.next.store(next, Ordering::Relaxed);
                core::ptr::with_exposed_provenance_mut(start)
            }
            _ => null_mut(),
        }
    }

    unsafe fn dealloc(&self, piece: *mut u8, layout: Layout) {
        let next = self.next.load(Ordering::Relaxed);
        if self.end.load(Ordering::Relaxed) != 0 && piece.addr() + layout.size() == next {
            self.next.store(piece.addr(), Ordering::Relaxed);
        }
    }

    unsafe fn realloc(&self, piece: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        let next = self.next.load(Ordering::Relaxed);
        if piece.addr() + layout.size() == next && piece.addr() + size <= self.end.load(Ordering::Relaxed) {
            self.next.store(piece.addr() + size, Ordering::Relaxed);
            return piece;
        }
        // SAFETY: the size is not 0 and the alignment is that of the caller's layout.
        let new = unsafe { self.alloc(Layout::from_size_align_unchecked(size, layout.align())) };
        if !new.is_null() {
            // SAFETY: both pieces hold that many bytes and do not overlap.
            unsafe { core::ptr::copy_nonoverlapping(piece, new, layout.size().min(size)) };
        }
        new
    }
}

//! RX and TX buffers, and the indirect messages in them (FF-A 1.2, 7 and 15.1).
//!
//! A partition has one pair for all of its vCPUs. Who has got the notification of a message owns the RX buffer until
//! FFA_RX_RELEASE; the TX buffer is owned by whoever claims it.

use core::cell::UnsafeCell;
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use arm_ffa::FfaError;

use crate::ffa;

/// Bytes of a page.
pub const PAGE: usize = 4096;
/// Bytes of a message's header from FF-A 1.2 on; before, the UUID and the word in front of it are not there.
pub const HEADER: usize = 40;

/// Where in the header the payload's offset, sender (upper half) and receiver, and the payload's size are.
pub const OFFSET: usize = 8;
/// See [`OFFSET`].
pub const ENDPOINTS: usize = 12;
/// See [`OFFSET`].
pub const SIZE: usize = 16;
/// The UUID of the service that a message is for.
pub const UUID: usize = 24;

/// Whole pages, which others may have access to or change meanwhile.
#[repr(C, align(4096))]
pub struct Pages<const COUNT: usize>(UnsafeCell<[[u64; PAGE / 8]; COUNT]>);

// SAFETY: accesses are volatile and bounded; whose turn it is to make them says the module.
unsafe impl<const COUNT: usize> Sync for Pages<COUNT> {}

impl<const COUNT: usize> Pages<COUNT> {
    /// Pages that are zero.
    #[must_use]
    pub const fn new() -> Self {
        Self(UnsafeCell::new([[0; PAGE / 8]; COUNT]))
    }

    /// Where they are.
    #[must_use]
    pub fn address(&self) -> u64 {
        self.0.get() as u64
    }

    fn pointer<T>(&self, offset: usize) -> *mut T {
        assert!(offset.is_multiple_of(size_of::<T>()) && offset + size_of::<T>() <= COUNT * PAGE);
        self.0.get().wrapping_byte_add(offset).cast()
    }

    fn read<T: Copy>(&self, offset: usize) -> T {
        // SAFETY: aligned, and inside the pages, of which every value is one of the words that are read.
        unsafe { self.pointer::<T>(offset).read_volatile() }
    }

    /// The eight bytes at this offset.
    #[must_use]
    pub fn word(&self, offset: usize) -> u64 {
        self.read(offset)
    }

    /// Writes eight bytes at this offset.
    pub fn set_word(&self, offset: usize, word: u64) {
        self.write(offset, word);
    }

    fn write<T: Copy>(&self, offset: usize, value: T) {
        // SAFETY: as in `read`.
        unsafe { self.pointer::<T>(offset).write_volatile(value) };
    }
}

/// Both buffers, of at most so many pages.
pub struct Buffers<const COUNT: usize> {
    tx: Pages<COUNT>,
    rx: Pages<COUNT>,
    /// Pages that are mapped.
    pages: AtomicUsize,
    tx_is_claimed: AtomicBool,
}

/// How a message is sent.
#[derive(Clone, Copy)]
pub struct Way {
    /// While the receiver's buffer is full, the sender's cycles go to others, and it tries again.
    pub waits: bool,
    /// The scheduler hears of it only when the sender has left the PE.
    pub delays_sri: bool,
}

/// Where a message in the RX buffer is.
#[derive(Clone, Copy)]
pub struct Received {
    /// Who sent it.
    pub from: u16,
    /// Bytes of its payload.
    pub size: usize,
    offset: usize,
}

impl<const COUNT: usize> Buffers<COUNT> {
    /// Buffers that are not mapped.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            tx: Pages::new(),
            rx: Pages::new(),
            pages: AtomicUsize::new(0),
            tx_is_claimed: AtomicBool::new(false),
        }
    }

    /// Maps so many pages of both, instead of those that were mapped before.
    ///
    /// # Errors
    /// That of FFA_RXTX_MAP or FFA_RXTX_UNMAP.
    pub fn map(&'static self, pages: usize) -> Result<(), FfaError> {
        if pages > COUNT {
            return Err(FfaError::InvalidParameters);
        }
        self.unmap()?;
        let [tx, rx] = self.addresses();
        ffa::rxtx_map(tx, rx, pages as u32)?;
        self.pages.store(pages, Ordering::Release);
        Ok(())
    }

    /// Unmaps them, if they are mapped.
    ///
    /// # Errors
    /// That of FFA_RXTX_UNMAP.
    pub fn unmap(&self) -> Result<(), FfaError> {
        if self.pages.swap(0, Ordering::AcqRel) == 0 { Ok(()) } else { ffa::rxtx_unmap() }
    }

    /// Where they are: TX, RX.
    #[must_use]
    pub fn addresses(&self) -> [u64; 2] {
        [self.tx.address(), self.rx.address()]
    }

    /// The largest payload that fits into the TX buffer, in words of 8 bytes.
    #[must_use]
    pub fn room(&self) -> usize {
        (self.pages.load(Ordering::Acquire) * PAGE).saturating_sub(HEADER) / 8
    }

    /// The message in the RX buffer, whose notification the caller has got.
    ///
    /// # Panics
    /// If it does not lie in the buffer: the SPMC has judged that.
    #[must_use]
    pub fn received(&self) -> Received {
        let offset = self.rx.read::<u32>(OFFSET) as usize;
        let size = self.rx.read::<u32>(SIZE) as usize;
        let mapped = self.pages.load(Ordering::Acquire) * PAGE;
        assert!(offset + size <= mapped, "a message of {size} bytes at {offset} in {mapped}");
        Received { from: (self.rx.read::<u32>(ENDPOINTS) >> 16) as u16, size, offset }
    }

    /// A word of the payload of a message.
    #[must_use]
    pub fn word(&self, message: &Received, index: usize) -> u64 {
        let at = message.offset + 8 * index;
        // A payload may begin between two words.
        u64::from(self.rx.read::<u32>(at)) | u64::from(self.rx.read::<u32>(at + 4)) << 32
    }

    /// Eight bytes of the RX buffer, in which no message is but what an answer was put.
    #[must_use]
    pub fn answer(&self, offset: usize) -> u64 {
        self.rx.read(offset)
    }

    /// Takes the TX buffer, which other vCPUs may have for a while.
    pub fn claim(&self) -> Sending<'_, COUNT> {
        while self.tx_is_claimed.swap(true, Ordering::AcqRel) {
            ffa::yield_cycles(0);
        }
        Sending(self)
    }
}

impl<const COUNT: usize> Default for Pages<COUNT> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const COUNT: usize> Default for Buffers<COUNT> {
    fn default() -> Self {
        Self::new()
    }
}

/// The TX buffer, claimed.
pub struct Sending<'a, const COUNT: usize>(&'a Buffers<COUNT>);

impl<const COUNT: usize> Sending<'_, COUNT> {
    /// Sets a word of the payload.
    pub fn set(&self, index: usize, word: u64) {
        self.0.tx.write(HEADER + 8 * index, word);
    }

    /// Sends a payload of so many bytes.
    ///
    /// # Errors
    /// That of FFA_MSG_SEND2.
    pub fn send(self, from: u16, to: u16, size: usize, way: Way) -> Result<(), FfaError> {
        self.address(from, to, size);
        loop {
            match ffa::msg_send2(way.delays_sri) {
                Err(FfaError::Busy) if way.waits => drop(ffa::yield_cycles(0)),
                end => return end,
            }
        }
    }

    /// Writes the header of a message: of a payload of so many bytes, behind the header, for any service.
    pub fn address(&self, from: u16, to: u16, size: usize) {
        (0..HEADER).step_by(4).for_each(|offset| self.put(offset, 0));
        self.put(OFFSET, HEADER as u32);
        self.put(ENDPOINTS, u32::from(from) << 16 | u32::from(to));
        self.put(SIZE, size as u32);
    }

    /// Writes words from this offset on.
    pub fn fill(&self, offset: usize, words: &[u64]) {
        words.iter().enumerate().for_each(|(index, word)| self.0.tx.write(offset + 8 * index, *word));
    }

    /// Writes four bytes at this offset.
    pub fn put(&self, offset: usize, word: u32) {
        self.0.tx.write(offset, word);
    }
}

impl<const COUNT: usize> Drop for Sending<'_, COUNT> {
    fn drop(&mut self) {
        self.0.tx_is_claimed.store(false, Ordering::Release);
    }
}

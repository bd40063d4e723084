//! The frames that address spaces are built from: promised in advance, all or none, and given back without a lock.

use alloc::boxed::Box;
use core::sync::atomic::{AtomicU16, AtomicU64, AtomicUsize, Ordering};

use super::page::PAGE_SHIFT;
use super::table::TableFrame;

/// There are too few free frames for translation tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too few frames are left for translation tables")]
pub struct NoTables;

/// The frames that address spaces are built from, handed over once at boot; a handle that all PEs share.
#[derive(Clone, Copy)]
pub struct Pool(&'static Shared);

struct Shared {
    frames: &'static [TableFrame],
    base: u64,
    /// How many frames may still be promised: never more than there are bits in `free`.
    available: AtomicUsize,
    /// A bit for each frame that is free.
    free: Box<[AtomicU64]>,
    /// How many entries each frame's table has. Who changes the table keeps it.
    entries: Box<[AtomicU16]>,
}

impl Pool {
    /// A pool of `frames`, all of them empty, the first of which lies at physical address `base`, the others behind it.
    /// No other pool may have them.
    #[must_use]
    pub fn new(frames: &'static [TableFrame], base: u64) -> Self {
        let bits = |first: usize| match frames.len() - first {
            rest @ ..64 => (1 << rest) - 1,
            64.. => u64::MAX,
        };
        let free = (0..frames.len()).step_by(64).map(|first| AtomicU64::new(bits(first))).collect();
        let entries = frames.iter().map(|_| AtomicU16::new(0)).collect();
        let available = AtomicUsize::new(frames.len());
        Self(Box::leak(Box::new(Shared { frames, base, available, free, entries })))
    }

    /// The number of free frames.
    #[must_use]
    pub fn free(&self) -> usize {
        self.0.available.load(Ordering::Relaxed)
    }

    /// The frame at a physical address, if it is one of the pool's.
    pub(super) fn frame(&self, address: u64) -> Option<&'static TableFrame> {
        self.0.frames.get(self.index(address)?)
    }

    /// The number of the frame at a physical address.
    pub(super) fn number(&self, address: u64) -> Option<u32> {
        u32::try_from(self.index(address)?).ok()
    }

    /// The frame of this number, with its physical address.
    #[inline]
    pub(super) fn numbered(&self, number: u32) -> Option<(u64, &'static TableFrame)> {
        let frame = self.0.frames.get(number as usize)?;
        Some((self.0.base + (u64::from(number) << PAGE_SHIFT), frame))
    }

    fn index(&self, address: u64) -> Option<usize> {
        usize::try_from(address.checked_sub(self.0.base)? >> PAGE_SHIFT).ok()
    }

    fn count(&self, address: u64) -> Option<&AtomicU16> {
        self.0.entries.get(self.index(address)?)
    }

    /// How many entries the table at this address has.
    pub(super) fn entries(&self, address: u64) -> usize {
        self.count(address).map_or(0, |count| count.load(Ordering::Relaxed).into())
    }

    /// The table at this address has so many more entries, or fewer.
    pub(super) fn change_entries(&self, address: u64, by: i16) {
        if let Some(count) = self.count(address) {
            count.store(count.load(Ordering::Relaxed).saturating_add_signed(by), Ordering::Relaxed);
        }
    }

    /// Frees the frame at this address, whose table has no entries and is linked nowhere.
    pub(super) fn give_back(&self, address: u64) {
        debug_assert_eq!(self.entries(address), 0, "a free frame is empty");
        if let Some(index) = self.index(address) {
            self.free_frame(index);
        }
    }

    /// Promises `count` frames, or none if there are fewer.
    pub(super) fn reserve(&self, count: usize) -> Result<Reserve, NoTables> {
        self.0
            .available
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |available| available.checked_sub(count))
            .map_err(|_| NoTables)?;
        Ok(Reserve { pool: *self, left: count })
    }

    /// Clears the bit of a free frame. The caller has been promised one, so there is one.
    fn claim(&self) -> usize {
        loop {
            for (word, bits) in self.0.free.iter().enumerate() {
                let taken = bits.fetch_update(Ordering::Acquire, Ordering::Relaxed, |free| {
                    (free != 0).then(|| free & (free - 1))
                });
                if let Ok(free) = taken {
                    return word * 64 + free.trailing_zeros() as usize;
                }
            }
        }
    }

    /// Frees a frame; the bit comes before the promise.
    fn free_frame(&self, index: usize) {
        if let Some(bits) = self.0.free.get(index / 64) {
            bits.fetch_or(1 << (index % 64), Ordering::Release);
            self.0.available.fetch_add(1, Ordering::Release);
        }
    }
}

/// Frames promised by a pool. Those that are not used go back when it is dropped.
pub(super) struct Reserve {
    pool: Pool,
    left: usize,
}

impl Reserve {
    /// An empty table and its physical address. Every free frame is empty: from boot on, or since it was given back.
    pub(super) fn take(&mut self) -> Option<(u64, &'static TableFrame)> {
        self.left = self.left.checked_sub(1)?;
        let index = self.pool.claim();
        let frame = self.pool.0.frames.get(index)?;
        Some((self.pool.0.base + ((index as u64) << PAGE_SHIFT), frame))
    }
}

impl Drop for Reserve {
    fn drop(&mut self) {
        if self.left != 0 {
            self.pool.0.available.fetch_add(self.left, Ordering::Release);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::vec::Vec;

    use super::*;

    fn pool(count: usize) -> Pool {
        Pool::new((0..count).map(|_| TableFrame::new()).collect::<Vec<_>>().leak(), 0xe18_0000)
    }

    #[test]
    fn a_reserve_is_all_or_nothing() {
        let pool = pool(130);
        let most = pool.reserve(129).unwrap();
        assert_eq!((pool.free(), pool.reserve(2).err()), (1, Some(NoTables)));
        assert_eq!(pool.free(), 1);
        drop(most);
        assert_eq!(pool.free(), 130);
        assert!(pool.reserve(130).is_ok());
    }

    #[test]
    fn no_frame_is_handed_out_twice_and_each_is_empty() {
        let pool = pool(130);
        let mut reserve = pool.reserve(130).unwrap();
        let mut seen = BTreeSet::new();
        while let Some((address, frame)) = reserve.take() {
            assert!(seen.insert(address) && (0..512).all(|i| frame.get(i) == 0));
            frame.set(7, u64::MAX);
        }
        assert_eq!(seen.len(), 130);
        assert!(seen.iter().eq((0..130).map(|i| 0xe18_0000 + i * 0x1000).collect::<Vec<_>>().iter()));
    }

    #[test]
    fn pes_that_take_and_give_back_at_once_lose_no_frame() {
        let pool = pool(70);
        std::thread::scope(|pes| {
            for count in [3, 20, 40, 60] {
                pes.spawn(move || (0..5000).filter(|_| pool.reserve(count).is_ok()).count());
            }
        });
        assert_eq!(pool.free(), 70);
        assert!(pool.reserve(70).is_ok());
    }

    #[test]
    fn addresses_outside_the_pool_name_no_frame() {
        let pool = pool(2);
        assert!(pool.frame(0xe18_1000).is_some());
        assert!(pool.frame(0xe17_f000).is_none() && pool.frame(0xe18_2000).is_none());
    }
}

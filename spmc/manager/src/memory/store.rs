//! Lists of words of any length, in chunks that were set aside at boot: what an endpoint's memory transactions consist of.
//!
//! A list belongs to whoever has it; the store's lock is taken to get chunks and to give them back.

use alloc::boxed::Box;
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use crate::order::{self, Before, Holding, Lock};

/// Words in a chunk: with its link, it fills a cache line.
pub const WORDS: usize = 7;

/// Words of a list, and the number of the chunk behind them.
struct Chunk {
    words: [AtomicU64; WORDS],
    next: AtomicU32,
}

/// The number of no chunk.
const NONE: u32 = u32::MAX;

/// No chunk is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

/// A list. It is given back by [`Store::free`].
#[derive(Debug, PartialEq, Eq)]
#[must_use]
pub struct List {
    first: u32,
    last: u32,
    length: u32,
}

impl List {
    /// One without words.
    pub const EMPTY: Self = Self { first: NONE, last: NONE, length: 0 };

    /// How many words it has.
    #[must_use]
    pub const fn length(&self) -> u32 {
        self.length
    }
}

/// The chunks of one endpoint's transactions.
pub struct Store {
    chunks: Box<[Chunk]>,
    /// The number of the first chunk that is free.
    free: Lock<order::Store, u32>,
}

impl Store {
    /// A store of this many chunks.
    #[must_use]
    pub fn new(chunks: u32) -> Self {
        let next = |number| if number + 1 < chunks { number + 1 } else { NONE };
        let chunk = |number| Chunk {
            words: core::array::from_fn(|_| AtomicU64::new(0)),
            next: AtomicU32::new(next(number)),
        };
        Self { chunks: (0..chunks).map(chunk).collect(), free: Lock::new(if chunks == 0 { NONE } else { 0 }) }
    }

    /// Bytes that a store of this many chunks takes.
    #[must_use]
    pub const fn footprint(chunks: u32) -> usize {
        chunks as usize * size_of::<Chunk>()
    }

    fn chunk(&self, number: u32) -> Option<&Chunk> {
        self.chunks.get(number as usize)
    }

    fn next(&self, number: u32) -> u32 {
        self.chunk(number).map_or(NONE, |chunk| chunk.next.load(Ordering::Relaxed))
    }

    /// Adds a word at the end.
    ///
    /// # Errors
    /// [`Full`]; the list is as it was.
    pub fn push<H: Before<order::Store>>(
        &self,
        held: &mut Holding<'_, H>,
        list: &mut List,
        word: u64,
    ) -> Result<(), Full> {
        let place = list.length as usize % WORDS;
        if place == 0 {
            self.extend(held, list)?;
        }
        if let Some(chunk) = self.chunk(list.last) {
            chunk.words[place].store(word, Ordering::Relaxed);
        }
        list.length += 1;
        Ok(())
    }

    fn extend<H: Before<order::Store>>(
        &self,
        held: &mut Holding<'_, H>,
        list: &mut List,
    ) -> Result<(), Full> {
        let number = {
            let (mut free, _held) = self.free.lock(held);
            let number = *free;
            let chunk = self.chunk(number).ok_or(Full)?;
            *free = chunk.next.swap(NONE, Ordering::Relaxed);
            number
        };
        match self.chunk(list.last) {
            Some(last) => last.next.store(number, Ordering::Relaxed),
            None => list.first = number,
        }
        list.last = number;
        Ok(())
    }

    /// Gives the list's chunks back.
    pub fn free<H: Before<order::Store>>(&self, held: &mut Holding<'_, H>, list: List) {
        if let Some(last) = self.chunk(list.last) {
            let (mut free, _held) = self.free.lock(held);
            last.next.store(*free, Ordering::Relaxed);
            *free = list.first;
        }
    }

    /// The words of a list, from the one at `start` on.
    pub fn words(&self, list: &List, start: u32) -> impl Iterator<Item = u64> + '_ {
        let mut number = list.first;
        for _ in 0..start as usize / WORDS {
            number = self.next(number);
        }
        let (mut chunk, mut place) = (self.chunk(number), start as usize % WORDS);
        (start..list.length).map_while(move |_| {
            if place == WORDS {
                (chunk, place) = (self.chunk(chunk?.next.load(Ordering::Relaxed)), 0);
            }
            let word = chunk?.words.get(place)?.load(Ordering::Relaxed);
            place += 1;
            Some(word)
        })
    }

    /// Writes a word of a list anew.
    pub fn set(&self, list: &List, index: u32, word: u64) {
        let mut number = list.first;
        for _ in 0..index as usize / WORDS {
            number = self.next(number);
        }
        if let Some(chunk) = self.chunk(number).filter(|_| index < list.length) {
            chunk.words[index as usize % WORDS].store(word, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use super::*;

    #[test]
    fn a_list_is_read_as_it_was_written_from_anywhere() {
        let (store, mut held) = (Store::new(5), Holding::nothing());
        let (mut one, mut two) = (List::EMPTY, List::EMPTY);
        for word in 0..20 {
            store.push(&mut held, &mut one, word).unwrap();
            if word < 14 {
                store.push(&mut held, &mut two, 100 + word).unwrap();
            }
        }
        for start in 0..=21 {
            assert!(store.words(&one, start as u32).eq(start..20), "{start}");
            assert!(store.words(&two, start as u32).eq(100 + start..114), "{start}");
        }
        store.set(&one, 15, 7);
        store.set(&one, 20, 7);
        assert_eq!(store.words(&one, 14).collect::<Vec<_>>(), [14, 7, 16, 17, 18, 19]);
        assert_eq!((one.length(), two.length()), (20, 14));
    }

    #[test]
    fn what_is_given_back_is_there_for_others() {
        let (store, mut held) = (Store::new(3), Holding::nothing());
        for _ in 0..5 {
            let mut lists = [List::EMPTY, List::EMPTY];
            for word in 0..7 {
                store.push(&mut held, &mut lists[0], word).unwrap();
            }
            for word in 0..14 {
                store.push(&mut held, &mut lists[1], word).unwrap();
            }
            let [mut one, two] = lists;
            assert_eq!(store.push(&mut held, &mut one, 7), Err(Full));
            assert!(store.words(&one, 0).eq(0..7), "it is as it was");
            store.free(&mut held, two);
            store.push(&mut held, &mut one, 7).unwrap();
            assert!(store.words(&one, 0).eq(0..8));
            store.free(&mut held, one);
            store.free(&mut held, List::EMPTY);
        }
    }
}

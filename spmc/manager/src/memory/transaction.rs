//! One memory transaction: what its sender said, which pages it is about, and how far each borrower has come.

use super::page::{Attributes, Ownership, PAGE_SHIFT, PageRange, Space};
use super::store::{Full, List, Store};
use crate::endpoint::EndpointId;
use crate::order::{self, Before, Holding};

/// What is done with the memory (FF-A, DEN0140, 1.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The owner and the borrowers have access.
    Share,
    /// The borrowers alone have access.
    Lend,
    /// The borrower becomes the owner.
    Donate,
}

impl Kind {
    /// What the pages are to their owner while the transaction lasts.
    #[must_use]
    pub const fn owners(self) -> Ownership {
        match self {
            Self::Share => Ownership::Shared,
            Self::Lend | Self::Donate => Ownership::Lent,
        }
    }

    /// What they are to who retrieves them.
    #[must_use]
    pub const fn borrowers(self) -> Ownership {
        match self {
            Self::Share | Self::Lend => Ownership::Borrowed,
            Self::Donate => Ownership::Owned,
        }
    }
}

/// How much a borrower has of the memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Nothing.
    Offered,
    /// It is mapped, and the borrower has been told of this many ranges.
    Retrieving(u32),
    /// It is mapped, and the borrower knows all of it.
    Retrieved,
    /// Nothing any more: it gives it back, and what is to be zeroed before is not yet.
    Leaving,
    /// Nothing yet: it has asked for it, and what is to be zeroed before is not yet.
    Asked,
}

/// One borrower of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Borrower {
    /// Who.
    pub endpoint: EndpointId,
    /// The permissions of its access descriptor, as the sender gave them: data in bits 1:0, instructions in bits 3:2.
    pub permissions: u8,
    /// Whether it has retrieved it before.
    pub had_it: bool,
    /// A value between sender and receiver, from FF-A 1.2 on.
    pub private: [u64; 2],
    /// What it may do with what it has retrieved.
    pub granted: Attributes,
    /// Whether the memory is to be zeroed when it gives it back.
    pub zero_after: bool,
    /// How much it has.
    pub stage: Stage,
}

/// Words that a borrower takes in a list.
const BORROWER_WORDS: u32 = 3;
/// In the first of them: [`Borrower::zero_after`].
const ZERO_AFTER: u64 = 1 << 40;
/// In the first of them: [`Borrower::had_it`].
const HAD_IT: u64 = 1 << 24;
/// The most borrowers of a transaction.
pub const MAX_BORROWERS: u32 = 512;

impl Borrower {
    /// Whether it counts as one that has the memory.
    #[must_use]
    pub const fn has_it(&self) -> bool {
        match self.stage {
            Stage::Offered | Stage::Asked => false,
            Stage::Retrieving(_) | Stage::Retrieved | Stage::Leaving => true,
        }
    }

    fn encode(&self) -> u64 {
        let stage = match self.stage {
            Stage::Offered => 0,
            Stage::Retrieved => 1,
            Stage::Leaving => 2,
            Stage::Asked => 3,
            // A quota has no more ranges.
            Stage::Retrieving(told) => 4 + u64::from(told.min(0x1F_FFFF)),
        };
        u64::from(self.endpoint.get())
            | u64::from(self.permissions) << 16
            | if self.had_it { HAD_IT } else { 0 }
            | u64::from(self.granted.bits()) << 32
            | if self.zero_after { ZERO_AFTER } else { 0 }
            | stage << 41
    }

    fn decode(word: u64, private: [u64; 2]) -> Self {
        Self {
            endpoint: EndpointId::new(word as u16),
            permissions: (word >> 16) as u8,
            had_it: word & HAD_IT != 0,
            private,
            granted: Attributes::from_bits_truncate((word >> 32) as u8),
            zero_after: word & ZERO_AFTER != 0,
            stage: match word >> 41 {
                0 => Stage::Offered,
                1 => Stage::Retrieved,
                2 => Stage::Leaving,
                3 => Stage::Asked,
                told => Stage::Retrieving((told - 4) as u32),
            },
        }
    }
}

/// What a sender says of a transaction as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// What is done.
    pub kind: Kind,
    /// Who sends.
    pub sender: EndpointId,
    /// The attributes of the memory, as the sender gave them.
    pub attributes: u16,
    /// Its flags: whether the memory is zeroed before it is retrieved.
    pub flags: u32,
    /// A value that receivers must know.
    pub tag: u64,
}

/// How far zeroing has come: the next page, by its range and its place there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wiping {
    /// The number of the range.
    pub range: u32,
    /// The number of the page in it.
    pub page: u64,
}

impl Wiping {
    /// The first page.
    pub const START: Self = Self { range: 0, page: 0 };
}

/// A transaction.
#[derive(Debug)]
pub struct Transaction {
    /// What its sender said.
    pub terms: Terms,
    /// Its handle.
    pub handle: u64,
    /// Bytes of its descriptor.
    pub total: u32,
    /// How many of them have arrived: all of them once it is complete.
    pub received: u32,
    /// Pages that the descriptor announced.
    pub announced: u32,
    /// What may be done with every page, once there is one.
    pub attributes: Option<Attributes>,
    /// Pages that have arrived.
    pub pages: u32,
    /// In which space all of them lie.
    pub space: Space,
    /// How many borrowers have it.
    pub retrieved: u16,
    /// How far it has been zeroed, if it must be before anybody who does not have it gets it.
    pub wiping: Option<Wiping>,
    /// Whether its owner was told to resume having it back.
    pub is_awaited: bool,
    /// Of how many ranges the hypervisor that retrieves it has been told, if there are more.
    pub shown: Option<u32>,
    borrowers: List,
    ranges: List,
}

/// Bits of a range's word that count its pages less one; the others are the number of its first page.
const COUNT_BITS: u32 = 64 - (48 - PAGE_SHIFT);

impl Transaction {
    /// One of which nothing but this is known yet.
    #[must_use]
    pub const fn new(terms: Terms, handle: u64, space: Space) -> Self {
        Self {
            terms,
            handle,
            total: 0,
            received: 0,
            announced: 0,
            attributes: None,
            pages: 0,
            space,
            retrieved: 0,
            wiping: None,
            is_awaited: false,
            shown: None,
            borrowers: List::EMPTY,
            ranges: List::EMPTY,
        }
    }

    /// Whether all of its descriptor has arrived.
    #[must_use]
    pub const fn is_complete(&self) -> bool {
        self.received == self.total
    }

    /// Adds a borrower.
    ///
    /// # Errors
    /// There is no room for it.
    pub fn add_borrower<H: Before<order::Store>>(
        &mut self,
        held: &mut Holding<'_, H>,
        store: &Store,
        borrower: &Borrower,
    ) -> Result<(), Full> {
        for word in [borrower.encode(), borrower.private[0], borrower.private[1]] {
            store.push(held, &mut self.borrowers, word)?;
        }
        Ok(())
    }

    /// The borrowers, in the order in which they were named.
    pub fn borrowers<'a>(&'a self, store: &'a Store) -> impl Iterator<Item = Borrower> + 'a {
        let mut words = store.words(&self.borrowers, 0);
        core::iter::from_fn(move || {
            let word = words.next()?;
            Some(Borrower::decode(word, [words.next()?, words.next()?]))
        })
    }

    /// How many there are.
    #[must_use]
    pub const fn borrower_count(&self) -> u32 {
        self.borrowers.length() / BORROWER_WORDS
    }

    /// The place of a borrower and what is known of it.
    #[must_use]
    pub fn borrower(&self, store: &Store, endpoint: EndpointId) -> Option<(u32, Borrower)> {
        (0..).zip(self.borrowers(store)).find(|(_, borrower)| borrower.endpoint == endpoint)
    }

    /// Something of the borrower at this place has changed.
    pub fn update_borrower(&mut self, store: &Store, place: u32, borrower: &Borrower) {
        store.set(&self.borrowers, place * BORROWER_WORDS, borrower.encode());
    }

    /// Adds a range of pages, which may take several places.
    ///
    /// # Errors
    /// There is no room for it.
    pub fn add_range<H: Before<order::Store>>(
        &mut self,
        held: &mut Holding<'_, H>,
        store: &Store,
        range: PageRange,
    ) -> Result<(), Full> {
        const MOST: u64 = 1 << COUNT_BITS;
        let (mut page, mut left) = (range.start() >> PAGE_SHIFT, range.pages());
        while left > 0 {
            let count = left.min(MOST);
            store.push(held, &mut self.ranges, page << COUNT_BITS | (count - 1))?;
            page += count;
            left -= count;
        }
        Ok(())
    }

    /// The ranges, from the one at `start` on.
    pub fn ranges<'a>(&'a self, store: &'a Store, start: u32) -> impl Iterator<Item = PageRange> + 'a {
        let count = |word| (word & ((1 << COUNT_BITS) - 1)) + 1;
        store
            .words(&self.ranges, start)
            .map(move |word| PageRange::of_pages(self.space, word >> COUNT_BITS, count(word)))
    }

    /// How many there are.
    #[must_use]
    pub const fn range_count(&self) -> u32 {
        self.ranges.length()
    }

    /// It is over: its lists go back.
    pub fn end<H: Before<order::Store>>(self, held: &mut Holding<'_, H>, store: &Store) {
        store.free(held, self.borrowers);
        store.free(held, self.ranges);
    }
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use super::*;
    use crate::memory::page::{ADDRESS_LIMIT, PAGE_SIZE};

    fn transaction() -> Transaction {
        let terms =
            Terms { kind: Kind::Share, sender: EndpointId::NORMAL, attributes: 0x2F, flags: 0, tag: 0 };
        Transaction::new(terms, 0, Space::Normal)
    }

    #[test]
    fn a_borrower_is_read_as_it_was_written() {
        let (store, mut held, mut of) = (Store::new(9), Holding::nothing(), transaction());
        let borrower = |id: u16, stage| Borrower {
            endpoint: EndpointId::new(id),
            permissions: id as u8 & 0xF,
            had_it: id.is_multiple_of(3),
            private: [u64::MAX - u64::from(id), id.into()],
            granted: Attributes::READ | Attributes::EXECUTE,
            zero_after: id.is_multiple_of(2),
            stage,
        };
        let stages = [
            Stage::Offered,
            Stage::Retrieving(0),
            Stage::Retrieving(16384),
            Stage::Retrieved,
            Stage::Leaving,
            Stage::Asked,
        ];
        let all: Vec<_> = (0x8001..).zip(stages).map(|(id, stage)| borrower(id, stage)).collect();
        for one in &all {
            of.add_borrower(&mut held, &store, one).unwrap();
        }
        assert_eq!((of.borrowers(&store).collect::<Vec<_>>(), of.borrower_count()), (all.clone(), 6));
        let changed = Borrower { stage: Stage::Retrieved, ..all[1] };
        of.update_borrower(&store, 1, &changed);
        assert_eq!(of.borrower(&store, changed.endpoint), Some((1, changed)));
        assert_eq!(of.borrower(&store, EndpointId::new(0x8007)), None);
        of.end(&mut held, &store);
    }

    #[test]
    fn a_range_of_any_size_is_kept() {
        let (store, mut held, mut of) = (Store::new(60), Holding::nothing(), transaction());
        let range = |start, pages| PageRange::new(Space::Normal, start, pages).unwrap();
        let small = [range(0, 1), range(ADDRESS_LIMIT - PAGE_SIZE, 1), range(0x4000_0000, 1 << COUNT_BITS)];
        for one in small {
            of.add_range(&mut held, &store, one).unwrap();
        }
        assert_eq!(of.ranges(&store, 0).collect::<Vec<_>>(), small);
        assert_eq!(of.ranges(&store, 2).collect::<Vec<_>>(), small[2..]);
        let most = 1 << COUNT_BITS;
        of.add_range(&mut held, &store, range(0, most + 1)).unwrap();
        let parts = [range(0, most), range(most * PAGE_SIZE, 1)];
        assert_eq!(of.ranges(&store, 3).collect::<Vec<_>>(), parts);
        of.end(&mut held, &store);
    }
}

//! The memory transactions of one owner, by handle. What is set aside for them at boot is the owner's quota: those of
//! others have their own.

use alloc::boxed::Box;
use core::sync::atomic::{AtomicU32, Ordering};

use super::page::Space;
use super::store::{Store, WORDS};
use super::transaction::{Terms, Transaction};
use crate::config::Quota;
use crate::order::{self, Before, Holding, Lock};
use crate::sync::{self, SpinMutexGuard};

/// A place for a transaction.
pub struct Slot {
    number: u32,
    /// How many it has had, which is part of a handle: an old one is not another transaction's.
    sequence: u32,
    transaction: Option<Transaction>,
}

impl Slot {
    /// The transaction that is there.
    pub const fn transaction(&mut self) -> Option<&mut Transaction> {
        self.transaction.as_mut()
    }
}

/// A transaction's place while one PE works on it, and the token for further locks.
pub type Claimed<'a> = (SpinMutexGuard<'a, Slot>, Holding<'a, order::Transaction>);

/// Why there is no transaction to work on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// There is none of this handle.
    Unknown,
    /// Another PE works on it.
    Busy,
}

/// The number of no place.
const NONE: u32 = u32::MAX;
/// Bits 15:0 of a handle are the place; 31:16 the owner; 62:32 the sequence; 63 is 0 for one that this SPMC has made
/// (DEN0140, 1.10.2).
const OWNER_SHIFT: u32 = 16;

/// How many chunks of words go with a quota: two for each transaction, one of them for its borrowers.
fn chunks(quota: Quota) -> u32 {
    2 * u32::from(quota.transactions) + quota.ranges.div_ceil(WORDS as u32)
}

/// The transactions of one owner.
pub struct Transactions {
    owner: u16,
    slots: Box<[Lock<order::Transaction, Slot>]>,
    /// The first place that is free, and for each place the next one.
    free: Lock<order::Store, u32>,
    next: Box<[AtomicU32]>,
    /// What they consist of.
    pub store: Store,
}

impl Transactions {
    /// Room for as many as the quota says, of the owner of this number.
    #[must_use]
    pub fn new(owner: u16, quota: Quota) -> Self {
        let count = sync::count(usize::from(quota.transactions), 2) as u32;
        let slot = |number| Lock::new(Slot { number, sequence: 1, transaction: None });
        let next = |number| AtomicU32::new(if number + 1 < count { number + 1 } else { NONE });
        Self {
            owner,
            slots: (0..count).map(slot).collect(),
            free: Lock::new(if count == 0 { NONE } else { 0 }),
            next: (0..count).map(next).collect(),
            store: Store::new(chunks(quota)),
        }
    }

    /// Which owner's transaction a handle is of.
    #[must_use]
    pub const fn owner_of(handle: u64) -> u16 {
        (handle >> OWNER_SHIFT) as u16
    }

    /// Bytes of the heap that the transactions of an owner with this quota take.
    #[must_use]
    pub fn footprint(quota: Quota) -> usize {
        let slot = size_of::<Lock<order::Transaction, Slot>>() + size_of::<AtomicU32>();
        usize::from(quota.transactions) * slot + Store::footprint(chunks(quota))
    }

    /// A new transaction; nothing where the owner has as many as it may have.
    pub fn begin<'a, H>(
        &'a self,
        held: &'a mut Holding<'_, H>,
        terms: Terms,
        space: Space,
    ) -> Option<Claimed<'a>>
    where
        H: Before<order::Transaction> + Before<order::Store>,
    {
        let number = {
            let (mut free, _held) = self.free.lock(held);
            let number = *free;
            *free = self.next.get(number as usize)?.load(Ordering::Relaxed);
            number
        };
        let (mut slot, held) = self.slots.get(number as usize)?.lock(held);
        let handle =
            u64::from(slot.sequence) << 32 | u64::from(self.owner) << OWNER_SHIFT | u64::from(number);
        slot.transaction = Some(Transaction::new(terms, handle, space));
        Some((slot, held))
    }

    /// The transaction of this handle.
    ///
    /// # Errors
    /// Why there is none to work on.
    pub fn find<'a, H: Before<order::Transaction>>(
        &'a self,
        held: &'a mut Holding<'_, H>,
        handle: u64,
    ) -> Result<Claimed<'a>, Missing> {
        let place = self.slots.get(usize::from(handle as u16)).ok_or(Missing::Unknown)?;
        let (slot, held) = place.try_lock(held).ok_or(Missing::Busy)?;
        match &slot.transaction {
            Some(transaction) if transaction.handle == handle => Ok((slot, held)),
            _ => Err(Missing::Unknown),
        }
    }

    /// Has `work` done with each transaction that there is.
    pub fn each<H: Before<order::Transaction>>(
        &self,
        held: &mut Holding<'_, H>,
        mut work: impl FnMut(Claimed<'_>),
    ) {
        for place in &self.slots {
            let claimed = place.lock(held);
            if claimed.0.transaction.is_some() {
                work(claimed);
            }
        }
    }

    /// It is over.
    pub fn end(&self, (mut slot, mut held): Claimed<'_>) {
        let Some(transaction) = slot.transaction.take() else { return };
        transaction.end(&mut held, &self.store);
        // Never 0, so that no handle is.
        slot.sequence = (slot.sequence + 1) & 0x7FFF_FFFF | u32::from(slot.sequence == 0x7FFF_FFFF);
        let (mut free, _held) = self.free.lock(&mut held);
        if let Some(next) = self.next.get(slot.number as usize) {
            next.store(*free, Ordering::Relaxed);
            *free = slot.number;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::transaction::Kind;
    use super::*;
    use crate::endpoint::EndpointId;

    const TERMS: Terms =
        Terms { kind: Kind::Share, sender: EndpointId::NORMAL, attributes: 0x2F, flags: 0, tag: 0 };

    fn begin(of: &Transactions) -> Option<u64> {
        let mut held = Holding::nothing();
        let (mut slot, _held) = of.begin(&mut held, TERMS, Space::Normal)?;
        slot.transaction().map(|transaction| transaction.handle)
    }

    #[test]
    fn a_handle_is_one_transactions_and_of_no_other_later() {
        let of = Transactions::new(3, Quota { transactions: 2, ranges: 0 });
        let mut held = Holding::nothing();
        let (one, two) = (begin(&of).unwrap(), begin(&of).unwrap());
        assert_eq!((begin(&of), Transactions::owner_of(one)), (None, 3));
        assert!(one != two && one >> 63 == 0);
        of.end(of.find(&mut held, one).ok().unwrap());
        assert_eq!(of.find(&mut held, one).err(), Some(Missing::Unknown));
        let three = begin(&of).unwrap();
        assert!(three != one && three as u16 == one as u16, "in the same place");
        for unknown in [one, 0, u64::MAX, two | 1 << 40, 2 | 3 << 16 | 1 << 32] {
            assert_eq!(of.find(&mut held, unknown).err(), Some(Missing::Unknown), "{unknown:#x}");
        }
        assert!(of.find(&mut held, two).is_ok() && of.find(&mut held, three).is_ok());
    }

    #[test]
    fn one_pe_at_a_time_works_on_a_transaction() {
        let of = Transactions::new(3, Quota { transactions: 2, ranges: 0 });
        let (one, two) = (begin(&of).unwrap(), begin(&of).unwrap());
        let (mut here, mut there) = (Holding::nothing(), Holding::nothing());
        let _claimed = of.find(&mut here, one).ok().unwrap();
        assert_eq!(of.find(&mut there, one).err(), Some(Missing::Busy));
        assert!(of.find(&mut there, two).is_ok());
    }
}

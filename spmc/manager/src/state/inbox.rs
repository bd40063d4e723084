//! What one endpoint can receive: its buffers and its notifications, behind one lock.

use super::Set;
use super::mailbox::{BufferError, Filled, Mailbox, Origin};
use super::notifications::{Changed, Notifications, Refused};
use crate::abi::Notified;
use crate::endpoint::PartitionIndex;
use crate::hardware::Tlb;
use crate::memory::page::PageRange;
use crate::memory::pages::{Pages, PagesError};
use crate::order::{Before, Holding, Lock, Partition, Space};
use crate::sync::{AtomicU8, Ordering, SpinMutexGuard};

/// The buffers and the notifications of an endpoint.
#[derive(Debug)]
pub struct Inbox {
    /// Its buffers.
    pub mailbox: Mailbox,
    /// Its notifications.
    pub notifications: Notifications,
    /// Partitions that want to know when RX is free: a message of theirs was refused because it was not.
    refused: Set,
}

bitflags::bitflags! {
    /// Whose notifications FFA_NOTIFICATION_GET asks for, as its flags have them (FF-A 1.2, 16.5).
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Sources: u32 {
        /// Partitions'.
        const PARTITIONS = 1 << 0;
        /// The Normal world's.
        const NORMAL = 1 << 1;
        /// The SPMC's.
        const SPMC = 1 << 2;
        /// The hypervisor's.
        const HYPERVISOR = 1 << 3;
    }
}

impl Inbox {
    /// With these buffers, and notifications that are for nobody yet.
    #[must_use]
    pub const fn new(mailbox: Mailbox, notifications: Notifications) -> Self {
        Self { mailbox, notifications, refused: Set::EMPTY }
    }

    /// RX has been filled, or not: a message is announced if the endpoint takes notifications. What changed.
    pub fn settle_rx(&mut self, filled: Filled) -> Changed {
        let is_announced = self.notifications.contexts() != 0 && matches!(filled, Filled::Announced(_));
        self.mailbox.settle_rx(match filled {
            Filled::Announced(_) if !is_announced => Filled::Silently,
            filled => filled,
        });
        Changed { is_new: is_announced, is_untold: is_announced }
    }

    /// A message of this partition's was refused because RX is not free: it wants to know when it is.
    pub fn remember(&mut self, sender: PartitionIndex) {
        self.refused.insert(sender.number());
    }

    /// Whether anybody wants to know when RX is free.
    #[inline]
    #[must_use]
    pub const fn is_awaited(&self) -> bool {
        !self.refused.is_empty()
    }

    /// The numbers of those who want to know that RX is free; they are forgotten.
    pub const fn forget(&mut self) -> Set {
        core::mem::replace(&mut self.refused, Set::EMPTY)
    }

    /// Context `vcpu` takes the notifications of these sources.
    pub fn get(&mut self, vcpu: u16, of: Sources) -> Notified {
        let mut notified = Notified::default();
        if of.contains(Sources::PARTITIONS) {
            notified.partitions = self.notifications.get_from_partitions(vcpu);
        }
        if of.contains(Sources::NORMAL) {
            notified.normal = self.notifications.get_from_normal(vcpu);
        }
        if of.contains(Sources::SPMC) {
            notified.message_of_partition = self.mailbox.notice(Origin::Partition);
            notified.rx_free = self.notifications.get_rx_free();
        }
        if of.contains(Sources::HYPERVISOR) {
            notified.message_of_normal = self.mailbox.notice(Origin::Normal);
        }
        notified
    }

    /// The endpoint takes no notifications any more.
    ///
    /// # Errors
    /// If it took none, or one is pending.
    pub fn close(&mut self) -> Result<(), Refused> {
        if self.mailbox.announced().is_some() {
            return Err(Refused);
        }
        self.notifications.close()
    }

    /// Whether a notification is pending.
    #[must_use]
    pub const fn is_pending(&self) -> bool {
        self.notifications.is_pending() || self.mailbox.announced().is_some()
    }

    /// Whether a notification is pending that context `vcpu` would get.
    #[must_use]
    pub fn is_pending_for(&self, vcpu: u16) -> bool {
        self.mailbox.announced().is_some() || self.notifications.is_pending_for(vcpu)
    }

    /// Whether there is a notification for all contexts that the scheduler has not been told of.
    #[must_use]
    pub const fn is_untold_for_all(&self) -> bool {
        self.notifications.is_untold_for_all() || matches!(self.mailbox.announced(), Some((_, false)))
    }

    /// The scheduler is told of what is pending for all contexts.
    pub fn tell_for_all(&mut self) {
        self.notifications.tell_for_all();
        self.mailbox.tell();
    }

    const fn summary(&self) -> u8 {
        let pending = if self.is_pending() { PENDING } else { 0 };
        let untold = self.is_untold_for_all() || self.notifications.is_untold();
        pending | if untold { UNTOLD } else { 0 }
    }
}

/// A notification is pending.
const PENDING: u8 = 1 << 0;
/// Of one, the scheduler has not been told.
const UNTOLD: u8 = 1 << 1;

/// An endpoint as somebody who receives: its inbox, and what can be known of that without the lock.
pub struct Receiver {
    inbox: Lock<Partition, Inbox>,
    /// Written with the lock held.
    summary: AtomicU8,
}

impl Receiver {
    /// Of an endpoint for which nothing is pending.
    #[must_use]
    pub fn new(inbox: Inbox) -> Self {
        Self { inbox: Lock::new(inbox), summary: AtomicU8::new(0) }
    }

    /// Its inbox, for what does not change a notification.
    #[inline]
    pub fn lock<'a, H: Before<Partition>>(
        &'a self,
        held: &'a mut Holding<'_, H>,
    ) -> (SpinMutexGuard<'a, Inbox>, Holding<'a, Partition>) {
        self.inbox.lock(held)
    }

    /// Registers a pair of buffers in `memory`, which is where their endpoint has its pages.
    ///
    /// # Errors
    /// Why not; nothing has changed.
    pub fn map<H: Before<Partition>>(
        &self,
        held: &mut Holding<'_, H>,
        memory: &Lock<Space, impl Pages>,
        (tx, rx): (PageRange, PageRange),
        tlb: &mut dyn Tlb,
    ) -> Result<(), PagesError> {
        let (mut inbox, mut held) = self.inbox.lock(held);
        if inbox.mailbox.tx().is_some() {
            return Err(PagesError::NotOwned);
        }
        memory.lock(&mut held).0.pin_pair(tx, rx, tlb)?;
        let accepted = inbox.mailbox.map(tx, rx);
        debug_assert!(accepted, "there was no pair");
        Ok(())
    }

    /// Forgets the pair, whose pages in `memory` are again like any others of their endpoint; `then` has the inbox last.
    ///
    /// # Errors
    /// There is none, or one of the two is in use.
    pub fn unmap<H: Before<Partition>>(
        &self,
        held: &mut Holding<'_, H>,
        memory: &Lock<Space, impl Pages>,
        tlb: &mut dyn Tlb,
        then: impl FnOnce(&Inbox),
    ) -> Result<(), BufferError> {
        let (mut inbox, mut held) = self.inbox.lock(held);
        let (tx, rx) = inbox.mailbox.unmap()?;
        self.summary.store(inbox.summary(), Ordering::Release);
        {
            let (mut pages, _held) = memory.lock(&mut held);
            pages.restore(tx, tlb);
            pages.restore(rx, tlb);
        }
        then(&inbox);
        Ok(())
    }

    /// Has `change` change its inbox, notifications included.
    #[inline]
    pub fn change<H: Before<Partition>, R>(
        &self,
        held: &mut Holding<'_, H>,
        change: impl FnOnce(&mut Inbox) -> R,
    ) -> R {
        let (mut inbox, _held) = self.inbox.lock(held);
        let result = change(&mut inbox);
        // Whoever changes the inbox before a context is entered has changed this, too: see `calls::schedule`.
        self.summary.store(inbox.summary(), Ordering::Release);
        result
    }

    /// Whether a notification is pending. What it is ordered by are the locks of the contexts, which both who notifies
    /// and who enters one take: see `calls::cycles::entered`.
    #[inline]
    #[must_use]
    pub fn is_pending(&self) -> bool {
        self.summary.load(Ordering::Relaxed) & PENDING != 0
    }

    /// Whether there is one that the scheduler has not been told of.
    #[must_use]
    pub fn is_untold(&self) -> bool {
        self.summary.load(Ordering::Acquire) & UNTOLD != 0
    }
}

//! One endpoint's RX/TX buffer pair, and who owns RX (FF-A 1.2, 7.2).

use crate::memory::page::{Pa, PageRange};

/// A buffer pair, if the endpoint has registered one.
#[derive(Debug, Default)]
pub enum Mailbox {
    /// No buffers.
    #[default]
    Unmapped,
    /// Buffers are registered.
    Mapped {
        /// The endpoint writes here.
        tx: PageRange,
        /// The endpoint reads here.
        rx: PageRange,
        /// Who owns RX.
        owner: RxOwner,
    },
}

/// Who owns an RX buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RxOwner {
    /// The producer, this SPMC: it is empty.
    Producer,
    /// The producer, which is filling it: the buffers cannot go away meanwhile.
    Filling,
    /// The endpoint: it holds something that has not been released.
    Consumer,
    /// The hypervisor, which fills it for its VM.
    Hypervisor,
}

/// Why a buffer could not be claimed, released or forgotten.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RxError {
    /// The endpoint has no buffers.
    Unmapped,
    /// The other side owns it.
    NotOwner,
    /// It is being filled.
    Filling,
}

impl Mailbox {
    /// A registered pair, with RX empty.
    #[must_use]
    pub const fn mapped(tx: PageRange, rx: PageRange) -> Self {
        Self::Mapped { tx, rx, owner: RxOwner::Producer }
    }

    /// Registers a pair. Whether it was accepted: an endpoint has one pair at a time.
    #[must_use]
    pub fn map(&mut self, tx: PageRange, rx: PageRange) -> bool {
        match self {
            Self::Unmapped => {
                *self = Self::mapped(tx, rx);
                true
            }
            Self::Mapped { .. } => false,
        }
    }

    /// Forgets the pair.
    pub fn unmap(&mut self) -> Result<(), RxError> {
        match self {
            Self::Unmapped => Err(RxError::Unmapped),
            Self::Mapped { owner: RxOwner::Filling, .. } => Err(RxError::Filling),
            Self::Mapped { .. } => {
                *self = Self::Unmapped;
                Ok(())
            }
        }
    }

    /// The producer takes RX to fill it: its address and its size in bytes.
    pub fn claim_rx(&mut self) -> Result<(Pa, u64), RxError> {
        match self {
            Self::Unmapped => Err(RxError::Unmapped),
            Self::Mapped { owner: RxOwner::Filling, .. } => Err(RxError::Filling),
            Self::Mapped { owner: RxOwner::Consumer | RxOwner::Hypervisor, .. } => Err(RxError::NotOwner),
            Self::Mapped { rx, owner, .. } => {
                *owner = RxOwner::Filling;
                Ok((rx.base(), rx.bytes()))
            }
        }
    }

    /// The hypervisor takes RX, if it is empty, to fill it for its VM.
    pub fn acquire_rx(&mut self) -> Result<(), RxError> {
        match self {
            Self::Unmapped => Err(RxError::Unmapped),
            Self::Mapped { owner: RxOwner::Filling, .. } => Err(RxError::Filling),
            Self::Mapped { owner: owner @ RxOwner::Producer, .. } => {
                *owner = RxOwner::Hypervisor;
                Ok(())
            }
            Self::Mapped { .. } => Err(RxError::NotOwner),
        }
    }

    /// Where the endpoint writes.
    #[must_use]
    pub const fn tx(&self) -> Option<PageRange> {
        match self {
            Self::Unmapped => None,
            Self::Mapped { tx, .. } => Some(*tx),
        }
    }

    /// What [`Mailbox::claim_rx`] began has ended: with something for the endpoint in RX, or without.
    pub fn settle_rx(&mut self, filled: bool) {
        if let Self::Mapped { owner: owner @ RxOwner::Filling, .. } = self {
            *owner = if filled { RxOwner::Consumer } else { RxOwner::Producer };
        }
    }

    /// The endpoint gives RX back.
    pub fn release_rx(&mut self) -> Result<(), RxError> {
        match self {
            Self::Unmapped => Err(RxError::Unmapped),
            Self::Mapped { owner: RxOwner::Filling, .. } => Err(RxError::Filling),
            Self::Mapped { owner: RxOwner::Producer, .. } => Err(RxError::NotOwner),
            Self::Mapped { owner, .. } => {
                *owner = RxOwner::Producer;
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::page::Space;

    fn pair() -> (PageRange, PageRange) {
        let page = |at| PageRange::new(Space::Normal, at, 1).unwrap();
        (page(0x4000_0000), page(0x4000_1000))
    }

    #[test]
    fn an_endpoint_has_one_pair_at_a_time() {
        let (tx, rx) = pair();
        let mut mailbox = Mailbox::default();
        assert!(mailbox.map(tx, rx));
        assert!(!mailbox.map(tx, rx));
        assert_eq!(mailbox.unmap(), Ok(()));
        assert_eq!(mailbox.unmap(), Err(RxError::Unmapped));
    }

    #[test]
    fn the_hypervisor_acquires_only_an_empty_rx() {
        let (tx, rx) = pair();
        let mut mailbox = Mailbox::default();
        assert_eq!(mailbox.acquire_rx(), Err(RxError::Unmapped));
        assert!(mailbox.map(tx, rx));
        assert_eq!(mailbox.acquire_rx(), Ok(()));
        assert_eq!(mailbox.acquire_rx(), Err(RxError::NotOwner));
        assert_eq!(mailbox.claim_rx(), Err(RxError::NotOwner), "the SPMC does not write over it");
        assert_eq!(mailbox.release_rx(), Ok(()));
        assert!(mailbox.claim_rx().is_ok());
        assert_eq!(mailbox.acquire_rx(), Err(RxError::Filling));
        mailbox.settle_rx(true);
        assert_eq!(mailbox.acquire_rx(), Err(RxError::NotOwner));
    }

    #[test]
    fn rx_belongs_to_one_side_at_a_time() {
        let (tx, rx) = pair();
        let mut mailbox = Mailbox::default();
        assert_eq!(mailbox.claim_rx(), Err(RxError::Unmapped));
        assert_eq!(mailbox.release_rx(), Err(RxError::Unmapped));
        assert!(mailbox.map(tx, rx));
        assert_eq!(mailbox.release_rx(), Err(RxError::NotOwner), "an empty buffer cannot be released");
        assert_eq!(mailbox.claim_rx(), Ok((rx.base(), 0x1000)));
        assert_eq!(mailbox.claim_rx(), Err(RxError::Filling));
        assert_eq!(mailbox.release_rx(), Err(RxError::Filling));
        assert_eq!(mailbox.unmap(), Err(RxError::Filling), "a buffer does not go away while it is written");
        mailbox.settle_rx(true);
        assert_eq!(mailbox.claim_rx(), Err(RxError::NotOwner), "a full buffer cannot be filled");
        assert_eq!(mailbox.release_rx(), Ok(()));
        assert!(mailbox.claim_rx().is_ok());
        mailbox.settle_rx(false);
        assert_eq!(mailbox.release_rx(), Err(RxError::NotOwner), "nothing was put there");
    }
}

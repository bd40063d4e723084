//! One endpoint's RX/TX buffer pair, and who owns each of them (FF-A 1.2, 7.2).

use crate::memory::page::PageRange;

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
        /// Who owns TX.
        tx_owner: TxOwner,
        /// The endpoint reads here.
        rx: PageRange,
        /// Who owns RX.
        rx_owner: RxOwner,
    },
}

/// Who owns a TX buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TxOwner {
    /// The endpoint, which writes to it.
    Endpoint,
    /// This SPMC, which copies from it: the buffers cannot go away meanwhile.
    Sending,
}

/// Who owns an RX buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RxOwner {
    /// The producer, this SPMC: it is empty.
    Producer,
    /// The producer, which is filling it: the buffers cannot go away meanwhile.
    Filling,
    /// The endpoint, which has not taken the notification yet that a message is there: it does not know, and cannot
    /// release it.
    Announced {
        /// Where the message came from.
        from: Origin,
        /// Whether the scheduler has been told.
        told: bool,
    },
    /// The endpoint: it holds something that has not been released.
    Consumer,
    /// The hypervisor, which fills it for its VM.
    Hypervisor,
}

/// Where a message came from: the framework notification that announces it says so (FF-A 1.2, 10.8).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A partition: the SPMC's notification.
    Partition,
    /// An endpoint of the Normal world: the hypervisor's notification.
    Normal,
}

/// What has become of an RX buffer that was claimed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Filled {
    /// Nothing is in it.
    Not,
    /// Something that the endpoint asked for, or that nothing tells it of.
    Silently,
    /// A message, which a notification announces.
    Announced(Origin),
}

/// Why a buffer could not be claimed, released or forgotten.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BufferError {
    /// The endpoint has no buffers.
    Unmapped,
    /// The other side owns it.
    NotOwner,
    /// It is being filled, or copied from.
    InUse,
}

impl Mailbox {
    /// A registered pair, with RX empty.
    #[must_use]
    pub const fn mapped(tx: PageRange, rx: PageRange) -> Self {
        Self::Mapped { tx, tx_owner: TxOwner::Endpoint, rx, rx_owner: RxOwner::Producer }
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

    /// Forgets the pair: TX and RX.
    pub fn unmap(&mut self) -> Result<(PageRange, PageRange), BufferError> {
        match self {
            Self::Unmapped => Err(BufferError::Unmapped),
            Self::Mapped { rx_owner: RxOwner::Filling, .. }
            | Self::Mapped { tx_owner: TxOwner::Sending, .. } => Err(BufferError::InUse),
            Self::Mapped { tx, rx, .. } => {
                let pair = (*tx, *rx);
                *self = Self::Unmapped;
                Ok(pair)
            }
        }
    }

    /// The SPMC takes TX to copy from it.
    pub fn claim_tx(&mut self) -> Result<PageRange, BufferError> {
        match self {
            Self::Unmapped => Err(BufferError::Unmapped),
            Self::Mapped { tx_owner: TxOwner::Sending, .. } => Err(BufferError::InUse),
            Self::Mapped { tx, tx_owner, .. } => {
                *tx_owner = TxOwner::Sending;
                Ok(*tx)
            }
        }
    }

    /// What [`Mailbox::claim_tx`] began has ended.
    pub fn settle_tx(&mut self) {
        if let Self::Mapped { tx_owner, .. } = self {
            *tx_owner = TxOwner::Endpoint;
        }
    }

    /// RX, if the producer could take it now to fill it.
    pub const fn free_rx(&self) -> Result<PageRange, BufferError> {
        match self {
            Self::Unmapped => Err(BufferError::Unmapped),
            Self::Mapped { rx, rx_owner, .. } => match rx_owner {
                RxOwner::Producer => Ok(*rx),
                RxOwner::Filling => Err(BufferError::InUse),
                RxOwner::Announced { .. } | RxOwner::Consumer | RxOwner::Hypervisor => {
                    Err(BufferError::NotOwner)
                }
            },
        }
    }

    /// The producer takes RX to fill it.
    pub fn claim_rx(&mut self) -> Result<PageRange, BufferError> {
        let rx = self.free_rx()?;
        if let Self::Mapped { rx_owner, .. } = self {
            *rx_owner = RxOwner::Filling;
        }
        Ok(rx)
    }

    /// The hypervisor takes RX, if it is empty, to fill it for its VM.
    pub fn acquire_rx(&mut self) -> Result<(), BufferError> {
        match self {
            Self::Unmapped => Err(BufferError::Unmapped),
            Self::Mapped { rx_owner: RxOwner::Filling, .. } => Err(BufferError::InUse),
            Self::Mapped { rx_owner: owner @ RxOwner::Producer, .. } => {
                *owner = RxOwner::Hypervisor;
                Ok(())
            }
            Self::Mapped { .. } => Err(BufferError::NotOwner),
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

    /// What [`Mailbox::claim_rx`] began has ended.
    pub fn settle_rx(&mut self, filled: Filled) {
        if let Self::Mapped { rx_owner: owner @ RxOwner::Filling, .. } = self {
            *owner = match filled {
                Filled::Not => RxOwner::Producer,
                Filled::Silently => RxOwner::Consumer,
                Filled::Announced(from) => RxOwner::Announced { from, told: false },
            };
        }
    }

    /// The endpoint gives RX back.
    pub fn release_rx(&mut self) -> Result<(), BufferError> {
        match self {
            Self::Unmapped => Err(BufferError::Unmapped),
            Self::Mapped { rx_owner, .. } => match rx_owner {
                RxOwner::Filling => Err(BufferError::InUse),
                RxOwner::Producer | RxOwner::Announced { .. } => Err(BufferError::NotOwner),
                RxOwner::Consumer | RxOwner::Hypervisor => {
                    *rx_owner = RxOwner::Producer;
                    Ok(())
                }
            },
        }
    }

    /// Where the message comes from that is announced, and whether the scheduler has been told.
    #[must_use]
    pub const fn announced(&self) -> Option<(Origin, bool)> {
        match self {
            Self::Mapped { rx_owner: RxOwner::Announced { from, told }, .. } => Some((*from, *told)),
            _ => None,
        }
    }

    /// The scheduler is told of the message that is announced.
    pub fn tell(&mut self) {
        if let Self::Mapped { rx_owner: RxOwner::Announced { told, .. }, .. } = self {
            *told = true;
        }
    }

    /// The endpoint takes the notification of a message from there. Whether there was one.
    pub fn notice(&mut self, wanted: Origin) -> bool {
        match self {
            Self::Mapped { rx_owner, .. } if matches!(*rx_owner, RxOwner::Announced { from, .. } if from == wanted) =>
            {
                *rx_owner = RxOwner::Consumer;
                true
            }
            _ => false,
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
        assert_eq!(mailbox.unmap(), Ok((tx, rx)));
        assert_eq!(mailbox.unmap(), Err(BufferError::Unmapped));
    }

    #[test]
    fn the_hypervisor_acquires_only_an_empty_rx() {
        let (tx, rx) = pair();
        let mut mailbox = Mailbox::default();
        assert_eq!(mailbox.acquire_rx(), Err(BufferError::Unmapped));
        assert!(mailbox.map(tx, rx));
        assert_eq!(mailbox.acquire_rx(), Ok(()));
        assert_eq!(mailbox.acquire_rx(), Err(BufferError::NotOwner));
        assert_eq!(mailbox.claim_rx(), Err(BufferError::NotOwner), "the SPMC does not write over it");
        assert_eq!(mailbox.release_rx(), Ok(()));
        assert!(mailbox.claim_rx().is_ok());
        assert_eq!(mailbox.acquire_rx(), Err(BufferError::InUse));
        mailbox.settle_rx(Filled::Silently);
        assert_eq!(mailbox.acquire_rx(), Err(BufferError::NotOwner));
    }

    #[test]
    fn rx_belongs_to_one_side_at_a_time() {
        let (tx, rx) = pair();
        let mut mailbox = Mailbox::default();
        assert_eq!(mailbox.claim_rx(), Err(BufferError::Unmapped));
        assert_eq!(mailbox.release_rx(), Err(BufferError::Unmapped));
        assert!(mailbox.map(tx, rx));
        assert_eq!(mailbox.release_rx(), Err(BufferError::NotOwner), "an empty buffer cannot be released");
        assert_eq!(mailbox.claim_rx(), Ok(rx));
        assert_eq!(mailbox.claim_rx(), Err(BufferError::InUse));
        assert_eq!(mailbox.release_rx(), Err(BufferError::InUse));
        assert_eq!(mailbox.unmap(), Err(BufferError::InUse), "a buffer does not go away while it is written");
        mailbox.settle_rx(Filled::Silently);
        assert_eq!(mailbox.claim_rx(), Err(BufferError::NotOwner), "a full buffer cannot be filled");
        assert_eq!(mailbox.release_rx(), Ok(()));
        assert!(mailbox.claim_rx().is_ok());
        mailbox.settle_rx(Filled::Not);
        assert_eq!(mailbox.release_rx(), Err(BufferError::NotOwner), "nothing was put there");
    }

    #[test]
    fn a_message_is_released_only_after_its_notification_was_taken() {
        let (tx, rx) = pair();
        for (from, other) in [(Origin::Partition, Origin::Normal), (Origin::Normal, Origin::Partition)] {
            let mut mailbox = Mailbox::mapped(tx, rx);
            mailbox.claim_rx().unwrap();
            mailbox.settle_rx(Filled::Announced(from));
            assert_eq!(mailbox.announced(), Some((from, false)));
            assert_eq!(mailbox.release_rx(), Err(BufferError::NotOwner));
            assert_eq!(
                mailbox.claim_rx(),
                Err(BufferError::NotOwner),
                "a second message does not replace it"
            );
            mailbox.tell();
            assert_eq!(mailbox.announced(), Some((from, true)));
            assert!(!mailbox.notice(other) && mailbox.notice(from) && !mailbox.notice(from));
            assert_eq!(mailbox.release_rx(), Ok(()));
        }
    }

    #[test]
    fn buffers_do_not_go_away_while_a_message_is_copied() {
        let (tx, rx) = pair();
        let mut mailbox = Mailbox::default();
        assert_eq!(mailbox.claim_tx(), Err(BufferError::Unmapped));
        assert!(mailbox.map(tx, rx));
        assert_eq!(mailbox.claim_tx(), Ok(tx));
        assert_eq!((mailbox.claim_tx(), mailbox.unmap()), (Err(BufferError::InUse), Err(BufferError::InUse)));
        assert!(mailbox.claim_rx().is_ok(), "the other buffer is not concerned");
        mailbox.settle_rx(Filled::Not);
        mailbox.settle_tx();
        assert_eq!(mailbox.unmap(), Ok((tx, rx)));
    }
}

//! Memory that endpoints share with, lend to and give to others (FF-A, DEN0140).
//!
//! A transaction is its owner's: it has a place among those that the owner has sent. One PE at a time works on it; others
//! are told BUSY. Every range of pages is judged when it arrives, and marked in its owner's pages, so that no other
//! transaction and no buffer can have it; what is refused is unmarked again.

mod buffer;
mod pause;
mod reclaim;
mod response;
mod retrieve;
mod send;
mod wipe;

use arm_ffa::FfaError;

use super::{Caller, Entry, Outcome};
use crate::abi;
use crate::endpoint::{EndpointId, PartitionIndex};
use crate::exit::{Deliver, Frame};
use crate::hardware::{Hardware, Tlb};
use crate::memory::page::{PageRange, Space};
use crate::memory::pages::Pages;
use crate::memory::store::Full;
use crate::memory::transaction::Transaction;
use crate::memory::transactions::{Missing, Transactions};
use crate::order::{self, Before, Holding, Nothing};
use crate::spmc::Spmc;
use crate::state::inbox::Receiver;
use crate::state::partition::Partition;

pub use pause::resume;
pub use reclaim::{forget, reclaim, relinquish};
pub use response::more;
pub use retrieve::retrieve;
pub use send::{donate, fragment, lend, share};

/// What a call works with beside the token of the locks it holds.
struct Job<'e, 'a> {
    spmc: &'a Spmc,
    hw: &'e mut dyn Hardware,
    frame: &'e mut Frame,
    caller: Caller<'a>,
    version: u32,
}

impl<'a> Entry<'a> {
    /// The step's token, and apart from it what else the call works with.
    fn apart(&mut self) -> (Job<'_, 'a>, &mut Holding<'static, Nothing>) {
        let Self { spmc, hw, frame, caller, version, held, .. } = self;
        (Job { spmc, hw: &mut **hw, frame, caller: *caller, version: *version }, held)
    }

    /// To the caller: with the answer, or to go on with the call.
    fn after(&mut self, progress: Progress) -> Outcome {
        match (progress, self.caller) {
            (Progress::Again, Caller::Partition(_, vcpu)) => return Ok(self.resume(vcpu, Deliver::Again)),
            (Progress::Paused(handle), _) => abi::paused(self.frame, handle),
            _ => {}
        }
        Ok(self.back())
    }
}

impl<'a> Job<'_, 'a> {
    /// The partition of this id.
    fn partition(&self, id: EndpointId) -> Option<&'a Partition> {
        self.spmc.partition(PartitionIndex::from_id(id)?)
    }

    /// The caller's buffers.
    fn receiver(&self) -> &'a Receiver {
        match self.caller {
            Caller::Normal => &self.spmc.normal().os().receiver,
            Caller::Partition(partition, _) => partition.receiver(),
        }
    }
}

/// Why a retriever is told nothing.
enum Untold {
    /// Its call is refused.
    Refused(FfaError),
    /// And its RX buffer, which had been claimed, is free again.
    Freed(FfaError),
}

impl From<FfaError> for Untold {
    fn from(error: FfaError) -> Self {
        Self::Refused(error)
    }
}

/// How far a call has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Progress {
    /// It is done.
    Done,
    /// There is more to do than one step may take: the partition makes it again, and interrupts come in between.
    Again,
    /// The same, of a caller that wants to be told: it resumes what it does with this handle.
    Paused(u64),
}

/// Whose memory a transaction is about.
#[derive(Clone, Copy)]
enum Owner<'a> {
    /// A partition's.
    Partition(&'a Partition),
    /// The Normal world's.
    Normal,
}

impl<'a> Owner<'a> {
    /// The caller, as an owner of memory.
    const fn caller(caller: Caller<'a>) -> Self {
        match caller {
            Caller::Normal => Self::Normal,
            Caller::Partition(partition, _) => Self::Partition(partition),
        }
    }

    /// The owner of a handle's transaction.
    fn of(spmc: &'a Spmc, handle: u64) -> Result<Self, FfaError> {
        let owner = match Transactions::owner_of(handle) {
            0 => Some(Self::Normal),
            number => {
                let index = PartitionIndex::new(usize::from(number) - 1);
                index.and_then(|index| spmc.partition(index)).map(Self::Partition)
            }
        };
        owner.ok_or(FfaError::InvalidParameters)
    }

    /// The space in which its page at this address lies.
    fn space_of<H: Before<order::Space>>(self, held: &mut Holding<'_, H>, address: u64) -> Space {
        match self {
            Self::Partition(partition) => {
                let (spaces, _held) = partition.spaces().lock(held);
                spaces.space_at(address)
            }
            Self::Normal => Space::Normal,
        }
    }

    /// Its transactions.
    fn sent(self, spmc: &'a Spmc) -> &'a Transactions {
        match self {
            Self::Partition(partition) => partition.sent(),
            Self::Normal => &spmc.normal().sent,
        }
    }

    /// Has `work` done with its pages.
    fn pages<H: Before<order::Space>, R>(
        self,
        job: &mut Job<'_, '_>,
        held: &mut Holding<'_, H>,
        work: impl FnOnce(&mut dyn Pages, &mut dyn Tlb) -> R,
    ) -> R {
        match self {
            Self::Partition(partition) => work(&mut *partition.spaces().lock(held).0, job.hw),
            Self::Normal => work(&mut *job.spmc.normal().memory.lock(held).0, job.hw),
        }
    }

    /// Whether it has ended.
    fn has_ended(self) -> bool {
        matches!(self, Self::Partition(partition) if partition.is_aborted())
    }

    /// The transaction's pages are again what they were before it.
    fn restore(
        self,
        job: &mut Job<'_, '_>,
        transaction: &Transaction,
        held: &mut Holding<'_, order::Transaction>,
    ) {
        let mut tables = Tables::default();
        for range in transaction.ranges(&self.sent(job.spmc).store, 0) {
            self.pages(job, held, |own, tlb| {
                if let Some(left) = tables.next(range) {
                    own.tidy(left, tlb);
                }
                own.release(range, tlb);
            });
        }
        if let Some(left) = tables.last() {
            self.pages(job, held, |own, tlb| own.tidy(left, tlb));
        }
    }
}

/// A borrower has no access any more.
fn unmap(
    job: &mut Job<'_, '_>,
    partition: &Partition,
    (transaction, sent): (&Transaction, &Transactions),
    held: &mut Holding<'_, order::Transaction>,
) {
    let (mut spaces, _held) = partition.spaces().lock(held);
    let space = spaces.of_mut(transaction.space);
    let mut tables = Tables::default();
    for range in transaction.ranges(&sent.store, 0) {
        if let Some(left) = tables.next(range) {
            space.join(left, job.hw);
        }
        space.unmap(range, job.hw);
    }
    if let Some(left) = tables.last() {
        space.join(left, job.hw);
    }
}

/// Looks at a table once, when the ranges in it have been dealt with.
#[derive(Default)]
struct Tables(Option<PageRange>);

impl Tables {
    /// `range` is next: the one before, if its tables are to be looked at now.
    #[inline]
    fn next(&mut self, range: PageRange) -> Option<PageRange> {
        self.0.replace(range).filter(|before| !before.shares_table(&range))
    }

    /// There is no other one.
    fn last(self) -> Option<PageRange> {
        self.0
    }
}

impl From<Full> for FfaError {
    fn from(Full: Full) -> Self {
        Self::NoMemory
    }
}

impl From<Missing> for FfaError {
    fn from(missing: Missing) -> Self {
        match missing {
            Missing::Unknown => Self::InvalidParameters,
            Missing::Busy => Self::Busy,
        }
    }
}

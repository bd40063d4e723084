//! Giving back and having back: FFA_MEM_RELINQUISH, FFA_MEM_RECLAIM, and what becomes of the memory of who has ended.

use arm_ffa::FfaError;

use super::super::{Caller, Entry, Outcome};
use super::buffer::with_tx;
use super::wipe::wipe;
use super::{Owner, Progress, unmap};
use crate::abi;
use crate::abi::sharing::{RELINQUISH_SIZE, Relinquish, TIME_SLICE, ZERO};
use crate::memory::page::Attributes;
use crate::memory::transaction::{Borrower, Kind, Stage, Wiping};
use crate::state::partition::Partition;

/// FFA_MEM_RELINQUISH: what is given back is said in the caller's TX buffer.
pub fn relinquish(at: &mut Entry<'_>) -> Outcome {
    let Caller::Partition(partition, _) = at.caller else { return Err(FfaError::NotSupported) };
    let said = with_tx(at, RELINQUISH_SIZE as u32, |at, source| {
        // One endpoint, without the bytes behind it.
        let bytes = source.read(at.hw, 0, RELINQUISH_SIZE - 6)?;
        Ok::<_, FfaError>(Relinquish::parse(&bytes))
    })?;
    if said.count != 1 || said.endpoint != partition.id() || said.flags & !(ZERO | TIME_SLICE) != 0 {
        return Err(FfaError::InvalidParameters);
    }
    give_back(at, partition, said.handle, said.flags)
}

/// `partition` gives memory back, or goes on with that.
pub fn give_back(at: &mut Entry<'_>, partition: &Partition, handle: u64, flags: u32) -> Outcome {
    let progress = try_give_back(at, partition, handle, flags)?;
    if progress == Progress::Done {
        abi::success(at.frame);
    }
    at.after(progress)
}

fn try_give_back(
    at: &mut Entry<'_>,
    partition: &Partition,
    handle: u64,
    flags: u32,
) -> Result<Progress, FfaError> {
    let (mut job, held) = at.apart();
    let owner = Owner::of(job.spmc, handle)?;
    let sent = owner.sent(job.spmc);
    let (mut slot, mut held) = sent.find(held, handle)?;
    let transaction = slot.transaction().ok_or(FfaError::InvalidParameters)?;
    let found = transaction.borrower(&sent.store, partition.id());
    let (place, mut borrower) = found.ok_or(FfaError::InvalidParameters)?;
    let is_zeroed = flags & ZERO != 0;
    match borrower.stage {
        // It made the call before, and has no access any more.
        Stage::Leaving => {}
        Stage::Retrieved if is_zeroed && transaction.terms.kind == Kind::Share => {
            return Err(FfaError::InvalidParameters);
        }
        Stage::Retrieved if is_zeroed && !borrower.granted.contains(Attributes::WRITE) => {
            return Err(FfaError::Denied);
        }
        Stage::Retrieved => {
            unmap(&mut job, partition, (transaction, sent), &mut held);
            if is_zeroed || borrower.zero_after {
                transaction.wiping = Some(Wiping::START);
            }
            borrower.stage = Stage::Leaving;
            transaction.update_borrower(&sent.store, place, &borrower);
        }
        Stage::Offered | Stage::Asked | Stage::Retrieving(_) => return Err(FfaError::InvalidParameters),
    }
    // What is to be zeroed is so when the last one that has it gives it back.
    if transaction.retrieved == 1 {
        let progress = wipe(&mut job, transaction, &sent.store, flags & TIME_SLICE != 0)?;
        if progress != Progress::Done {
            return Ok(progress);
        }
    }
    transaction.retrieved -= 1;
    transaction.update_borrower(&sent.store, place, &Borrower { stage: Stage::Offered, ..borrower });
    if owner.has_ended() && transaction.retrieved == 0 {
        owner.restore(&mut job, transaction, &mut held);
        sent.end((slot, held));
    }
    Ok(Progress::Done)
}

/// FFA_MEM_RECLAIM: w1-w2 the handle, w3 flags. Also of what has not arrived as a whole, which is dropped by that.
pub fn reclaim(at: &mut Entry<'_>) -> Outcome {
    let (handle, flags) = (abi::handle(at.frame, 1), abi::word(at.frame, 3));
    if flags & !(ZERO | TIME_SLICE) != 0 {
        return Err(FfaError::InvalidParameters);
    }
    have_back(at, handle, flags)
}

/// The caller has memory back, or goes on with that.
pub fn have_back(at: &mut Entry<'_>, handle: u64, flags: u32) -> Outcome {
    let progress = try_have_back(at, handle, flags)?;
    if progress == Progress::Done {
        abi::success(at.frame);
    }
    at.after(progress)
}

fn try_have_back(at: &mut Entry<'_>, handle: u64, flags: u32) -> Result<Progress, FfaError> {
    let is_zeroed = flags & ZERO != 0;
    let (mut job, held) = at.apart();
    let owner = Owner::caller(job.caller);
    let sent = owner.sent(job.spmc);
    let (mut slot, mut held) = sent.find(held, handle)?;
    let transaction = slot.transaction().ok_or(FfaError::InvalidParameters)?;
    if transaction.retrieved != 0 {
        return Err(FfaError::Denied);
    }
    if is_zeroed {
        if transaction.terms.kind == Kind::Share {
            return Err(FfaError::InvalidParameters);
        }
        if !transaction.attributes.is_some_and(|owners| owners.contains(Attributes::WRITE)) {
            return Err(FfaError::Denied);
        }
        // Where that was begun, it goes on.
        transaction.wiping.get_or_insert(Wiping::START);
    }
    // Memory of which the sender has not said everything was nobody else's.
    let is_wiped = is_zeroed || transaction.is_complete();
    if is_wiped {
        let progress = wipe(&mut job, transaction, &sent.store, flags & TIME_SLICE != 0)?;
        transaction.is_awaited = matches!(progress, Progress::Paused(_));
        if progress != Progress::Done {
            return Ok(progress);
        }
    }
    owner.restore(&mut job, transaction, &mut held);
    sent.end((slot, held));
    Ok(Progress::Done)
}

/// A partition has ended: what it had retrieved is its owners' again, zeroed where that was agreed on before anybody has
/// it; what it had sent and nobody has retrieved is sent no more. What others have retrieved stays theirs, and its pages
/// nobody else's, until they give it back.
pub fn forget(at: &mut Entry<'_>, partition: &Partition) {
    let (mut job, held) = at.apart();
    let spmc = job.spmc;
    let owners = spmc.partitions().map(Owner::Partition).chain(core::iter::once(Owner::Normal));
    for owner in owners {
        let sent = owner.sent(spmc);
        sent.each(held, |(mut slot, mut held)| {
            let Some(transaction) = slot.transaction() else { return };
            let found = transaction.borrower(&sent.store, partition.id());
            let had = found.filter(|(_, borrower)| borrower.has_it());
            // What was donated to it is its own.
            let is_donated = had.is_some() && transaction.terms.kind == Kind::Donate;
            if let Some((place, borrower)) = had.filter(|_| !is_donated) {
                // Who was giving it back has said so before, and another one may have it by now.
                if borrower.stage != Stage::Leaving {
                    unmap(&mut job, partition, (transaction, sent), &mut held);
                    if borrower.zero_after {
                        transaction.wiping = Some(Wiping::START);
                    }
                }
                transaction.retrieved -= 1;
                let offered = Borrower { stage: Stage::Offered, ..borrower };
                transaction.update_borrower(&sent.store, place, &offered);
            }
            if is_donated {
                sent.end((slot, held));
            } else if owner.has_ended() && transaction.retrieved == 0 {
                owner.restore(&mut job, transaction, &mut held);
                sent.end((slot, held));
            }
        });
    }
}

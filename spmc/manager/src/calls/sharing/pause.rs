//! FFA_MEM_OP_RESUME: a caller goes on with what takes long, and what it lets be paused (DEN0140, 1.9).

use arm_ffa::FfaError;

use super::super::{Caller, Entry, Outcome};
use super::{Owner, reclaim, retrieve};
use crate::abi;
use crate::abi::sharing::TIME_SLICE;
use crate::endpoint::EndpointId;
use crate::memory::transaction::Stage;

/// FFA_MEM_OP_RESUME: w1-w2 the handle that FFA_MEM_OP_PAUSE named.
pub fn resume(at: &mut Entry<'_>) -> Outcome {
    let handle = abi::handle(at.frame, 1);
    match (at.caller, paused(at, handle)?) {
        (Caller::Partition(partition, _), Some(Stage::Asked)) => retrieve::go_on(at, partition, handle),
        (Caller::Partition(partition, _), Some(Stage::Leaving)) => {
            reclaim::give_back(at, partition, handle, TIME_SLICE)
        }
        (_, None) => reclaim::have_back(at, handle, TIME_SLICE),
        _ => Err(FfaError::InvalidParameters),
    }
}

/// What the caller was doing with the memory: how far it has come as a borrower, or nothing if it is the owner, who has
/// it back.
fn paused(at: &mut Entry<'_>, handle: u64) -> Result<Option<Stage>, FfaError> {
    let (job, held) = at.apart();
    let owner = Owner::of(job.spmc, handle)?;
    let sent = owner.sent(job.spmc);
    let (mut slot, _held) = sent.find(held, handle)?;
    let transaction = slot.transaction().ok_or(FfaError::InvalidParameters)?;
    let own = job.caller.id();
    let is_owner = match owner {
        Owner::Normal => own == EndpointId::NORMAL,
        Owner::Partition(partition) => own == partition.id(),
    };
    if is_owner {
        return if transaction.is_awaited { Ok(None) } else { Err(FfaError::InvalidParameters) };
    }
    let found = transaction.borrower(&sent.store, own).ok_or(FfaError::InvalidParameters)?;
    Ok(Some(found.1.stage))
}

//! Zeroing memory before anybody else has it: with no lock held but that of its transaction, and in pieces.

use arm_ffa::FfaError;

use super::super::Caller;
use super::{Job, Progress};
use crate::hardware::AccessFault;
use crate::memory::page::{PAGE_SIZE, Pa};
use crate::memory::store::Store;
use crate::memory::transaction::{Transaction, Wiping};

/// Pages that are zeroed in a row: 64 KB.
const PIECE: u64 = 16;

/// Zeroes what must be zeroed of a transaction's memory before anybody else has it: a piece, and there is more to do if
/// that was not the last one. The Normal world's calls are not made again; what they zero is bounded by its quota, unless
/// it lets them be paused.
pub fn wipe(
    job: &mut Job<'_, '_>,
    transaction: &mut Transaction,
    store: &Store,
    is_sliced: bool,
) -> Result<Progress, FfaError> {
    while let Some(wiping) = transaction.wiping {
        transaction.wiping = piece(job, transaction, store, wiping)?;
        match job.caller {
            _ if transaction.wiping.is_none() => break,
            _ if is_sliced => return Ok(Progress::Paused(transaction.handle)),
            Caller::Partition(..) => return Ok(Progress::Again),
            Caller::Normal => {}
        }
    }
    Ok(Progress::Done)
}

/// Zeroes a piece: where the next one begins.
fn piece(
    job: &mut Job<'_, '_>,
    transaction: &Transaction,
    store: &Store,
    Wiping { mut range, mut page }: Wiping,
) -> Result<Option<Wiping>, FfaError> {
    let mut left = PIECE;
    for pages in transaction.ranges(store, range) {
        let count = (pages.pages() - page).min(left);
        let to = Pa { address: pages.start() + page * PAGE_SIZE, ..pages.base() };
        job.hw.zero(to, count * PAGE_SIZE).map_err(|AccessFault| FfaError::Aborted)?;
        left -= count;
        page += count;
        if page == pages.pages() {
            (range, page) = (range + 1, 0);
        }
        if left == 0 {
            break;
        }
    }
    Ok((range < transaction.range_count()).then_some(Wiping { range, page }))
}

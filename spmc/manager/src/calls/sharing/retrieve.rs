//! Retrieving: FFA_MEM_RETRIEVE_REQ of a receiver, and of a hypervisor that wants to know what a VM of its has sent.

use arm_ffa::FfaError;

use super::super::{Caller, Entry, Outcome};
use super::buffer::{Source, lengths, with_descriptor};
use super::response::{EXECUTABLE, Reader, number, respond, told, with_rx};
use super::send::{READ_ONLY, READ_WRITE};
use super::wipe::wipe;
use super::{Job, Owner, Progress, Untold, unmap};
use crate::abi;
use crate::abi::sharing::{
    self, ACCESS_SIZE, ALIGNMENT_SHIFT, Access, BYPASS, Descriptor, HINT, HINT_VALID, KIND_SHIFT,
    NORMAL_MEMORY, TIME_SLICE, TYPE, ZERO, ZERO_AFTER,
};
use crate::memory::page::{Attributes, PAGE_SIZE, Space};
use crate::memory::pages::PagesError;
use crate::memory::transaction::{Borrower, Kind, MAX_BORROWERS, Stage, Transaction, Wiping};
use crate::memory::transactions::{Claimed, Transactions};
use crate::order::{self, Holding};
use crate::state::partition::Partition;

/// FFA_MEM_RETRIEVE_REQ: w1 and w2 bytes of the descriptor, which is there as a whole, x3 and w4 where.
pub fn retrieve(at: &mut Entry<'_>) -> Outcome {
    let (total, here) = lengths(at)?;
    if total != here {
        return Err(FfaError::InvalidParameters);
    }
    let done = with_descriptor(at, (total, here), |at, source| match at.caller {
        Caller::Normal => show(at, source),
        Caller::Partition(partition, _) => begin(at, partition, source),
    });
    told(at, done)
}

/// Of a hypervisor: it names the handle and nothing else, and is shown what was sent.
fn show(at: &mut Entry<'_>, source: Source) -> Result<Progress, Untold> {
    let (mut job, held) = at.apart();
    let handle = sharing::sole_handle(&source.header(job.hw)?).ok_or(FfaError::InvalidParameters)?;
    let sent = Owner::Normal.sent(job.spmc);
    let (mut slot, mut held) = sent.find(held, handle).map_err(FfaError::from)?;
    let transaction = slot.transaction().filter(|transaction| transaction.is_complete());
    let transaction = transaction.ok_or(FfaError::InvalidParameters)?;
    let (total, here, ranges) =
        with_rx(&mut job, &mut held, |job, _, rx| respond(job, transaction, sent, Reader::Hypervisor, rx))?;
    transaction.shown = (ranges != transaction.range_count()).then_some(ranges);
    abi::retrieved(job.frame, total, here);
    Ok(Progress::Done)
}

/// Of a receiver.
fn begin(at: &mut Entry<'_>, partition: &Partition, source: Source) -> Result<Progress, Untold> {
    let (mut job, held) = at.apart();
    let job = &mut job;
    let descriptor = source.descriptor(job.hw, job.version)?;
    let owner = Owner::of(job.spmc, descriptor.handle)?;
    let sent = owner.sent(job.spmc);
    let (mut slot, held) = sent.find(held, descriptor.handle).map_err(FfaError::from)?;
    let transaction = slot.transaction().ok_or(FfaError::InvalidParameters)?;
    let asked = Asked::read(job, partition, descriptor, source, (transaction, sent))?;
    let (place, borrower) = asked.judge(transaction, sent, partition)?;
    let is_sliced = asked.descriptor.flags & TIME_SLICE != 0;
    have(job, partition, owner, (slot, held), (place, borrower), is_sliced)
}

/// The partition goes on with what it has asked for, and was told to resume.
pub fn go_on(at: &mut Entry<'_>, partition: &Partition, handle: u64) -> Outcome {
    let done = try_go_on(at, partition, handle);
    told(at, done)
}

fn try_go_on(at: &mut Entry<'_>, partition: &Partition, handle: u64) -> Result<Progress, Untold> {
    let (mut job, held) = at.apart();
    let owner = Owner::of(job.spmc, handle)?;
    let sent = owner.sent(job.spmc);
    let (mut slot, held) = sent.find(held, handle).map_err(FfaError::from)?;
    let transaction = slot.transaction().ok_or(FfaError::InvalidParameters)?;
    let found = transaction.borrower(&sent.store, partition.id());
    let asked = found.filter(|(_, borrower)| borrower.stage == Stage::Asked);
    let asked = asked.ok_or(FfaError::InvalidParameters)?;
    have(&mut job, partition, owner, (slot, held), asked, true)
}

/// The partition gets what it was granted, as soon as that is zeroed where it must be.
fn have(
    job: &mut Job<'_, '_>,
    partition: &Partition,
    owner: Owner<'_>,
    (mut slot, mut held): Claimed<'_>,
    (place, mut borrower): (u32, Borrower),
    is_sliced: bool,
) -> Result<Progress, Untold> {
    let sent = owner.sent(job.spmc);
    let transaction = slot.transaction().ok_or(FfaError::InvalidParameters)?;
    // With the transaction claimed: `forget` comes here after the partition was marked.
    if partition.is_aborted() {
        return Err(FfaError::Aborted.into());
    }
    if owner.has_ended() {
        return Err(FfaError::Denied.into());
    }
    // Who is giving it back has no access any more, and what was there is not for the next one.
    let has_access = |one: Borrower| matches!(one.stage, Stage::Retrieving(_) | Stage::Retrieved);
    if transaction.wiping.is_some() && !transaction.borrowers(&sent.store).any(has_access) {
        // Who could not be answered in the end has nothing zeroed.
        job.receiver().lock(&mut held).0.mailbox.free_rx().map_err(FfaError::from)?;
        let progress = wipe(job, transaction, &sent.store, is_sliced)?;
        if progress != Progress::Done {
            if is_sliced {
                borrower.stage = Stage::Asked;
                transaction.update_borrower(&sent.store, place, &borrower);
            }
            return Ok(progress);
        }
    }
    // Whether there is room for the answer is known before anything changes.
    let (total, here, ranges) = with_rx(job, &mut held, |job, held, rx| {
        map(job, partition, transaction, sent, held, borrower.granted)?;
        let done = respond(job, transaction, sent, Reader::Borrower(&borrower), rx);
        if done.is_err() {
            unmap(job, partition, (transaction, sent), held);
        }
        done
    })?;
    if transaction.terms.kind == Kind::Donate {
        for range in transaction.ranges(&sent.store, 0) {
            owner.pages(job, &mut held, |own, tlb| own.give_away(range, tlb));
        }
    }
    transaction.retrieved += 1;
    // Whoever was having it back comes too late, and is not told to go on with that later.
    transaction.is_awaited = false;
    if transaction.wiping.is_some() {
        // It is somebody's again before all was zeroed.
        transaction.wiping = Some(Wiping::START);
    }
    abi::retrieved(job.frame, total, here);
    let is_all = ranges == transaction.range_count();
    borrower.stage = if is_all { Stage::Retrieved } else { Stage::Retrieving(ranges) };
    borrower.had_it = true;
    transaction.update_borrower(&sent.store, place, &borrower);
    if transaction.terms.kind == Kind::Donate && is_all {
        sent.end((slot, held));
    }
    Ok(Progress::Done)
}

/// What a retriever asks for.
struct Asked {
    descriptor: Descriptor,
    own: Access,
}

impl Asked {
    /// What is in the buffer; each receiver there must be one that the sender has named, and named once.
    fn read(
        job: &mut Job<'_, '_>,
        partition: &Partition,
        descriptor: Descriptor,
        source: Source,
        (transaction, sent): (&Transaction, &Transactions),
    ) -> Result<Self, FfaError> {
        let end = descriptor.end().filter(|end| *end <= source.length);
        end.ok_or(FfaError::InvalidParameters)?;
        let count = transaction.borrower_count();
        let is_right = if descriptor.flags & BYPASS != 0 {
            descriptor.access_count == 1 && count > 1
        } else {
            descriptor.access_count == count
        };
        if !is_right {
            return Err(FfaError::InvalidParameters);
        }
        let mut own = None;
        // A bit for each receiver that was named.
        let mut named = [0_u128; MAX_BORROWERS as usize / 128];
        for place in 0..descriptor.access_count {
            let offset = descriptor.access_offset + place * descriptor.access_size as u32;
            let bytes = source.read::<ACCESS_SIZE>(job.hw, offset, descriptor.access_size)?;
            let access = Access::parse(&bytes, descriptor.access_size);
            let access = access.ok_or(FfaError::InvalidParameters)?;
            let known = transaction.borrower(&sent.store, access.endpoint);
            let (known, _) = known.ok_or(FfaError::InvalidParameters)?;
            let word = named.get_mut(known as usize / 128).ok_or(FfaError::InvalidParameters)?;
            let bit = 1 << (known % 128);
            // Where it is mapped is the SPMC's to choose: at its own address.
            let is_odd =
                access.composite_offset != 0 || access.permissions >> 4 != 0 || access.flags & !1 != 0;
            if is_odd || *word & bit != 0 {
                return Err(FfaError::InvalidParameters);
            }
            *word |= bit;
            if access.endpoint == partition.id() {
                own = Some(access);
            }
        }
        Ok(Self { descriptor, own: own.ok_or(FfaError::InvalidParameters)? })
    }

    /// Judges it by what the sender has said. The caller's place among the receivers, and what it is granted.
    fn judge(
        &self,
        transaction: &Transaction,
        sent: &Transactions,
        partition: &Partition,
    ) -> Result<(u32, Borrower), FfaError> {
        let &Descriptor { sender, attributes, flags, tag, .. } = &self.descriptor;
        let terms = &transaction.terms;
        let (place, borrower) =
            transaction.borrower(&sent.store, partition.id()).ok_or(FfaError::InvalidParameters)?;
        if !transaction.is_complete() || tag != terms.tag || self.own.private != borrower.private {
            return Err(FfaError::InvalidParameters);
        }
        if sender != terms.sender || borrower.has_it() {
            return Err(FfaError::Denied);
        }
        let kind = flags >> KIND_SHIFT & 3;
        let known = ZERO | TIME_SLICE | ZERO_AFTER | 3 << KIND_SHIFT | HINT | HINT_VALID | BYPASS;
        if flags & !known != 0 || kind != 0 && kind != number(terms.kind) {
            return Err(FfaError::InvalidParameters);
        }
        if terms.kind == Kind::Share && flags & (ZERO | ZERO_AFTER) != 0
            || flags & ZERO != 0 && borrower.had_it
        {
            return Err(FfaError::InvalidParameters);
        }
        judge_alignment(transaction, sent, flags)?;
        judge_attributes(transaction, attributes)?;
        let granted = self.granted(transaction, &borrower)?;
        let is_written = flags & (ZERO | ZERO_AFTER) != 0;
        let is_refused = flags & ZERO != 0 && terms.flags & ZERO == 0;
        if is_refused || is_written && !granted.contains(Attributes::WRITE) {
            return Err(FfaError::Denied);
        }
        Ok((place, Borrower { granted, zero_after: flags & ZERO_AFTER != 0, ..borrower }))
    }

    /// What the caller may do with the memory: what it asks for, if the sender grants that.
    fn granted(&self, transaction: &Transaction, borrower: &Borrower) -> Result<Attributes, FfaError> {
        let owners = transaction.attributes.ok_or(FfaError::InvalidParameters)?;
        let device = owners & Attributes::DEVICE;
        let (data, instructions) = (self.own.permissions & 3, self.own.permissions >> 2 & 3);
        let data = match (borrower.permissions & 3, data) {
            (_, 3) => return Err(FfaError::InvalidParameters),
            (READ_ONLY, READ_WRITE) => return Err(FfaError::Denied),
            (READ_ONLY, _) | (_, READ_ONLY) => Attributes::READ,
            _ => Attributes::READ | Attributes::WRITE,
        };
        let may_execute = transaction.terms.kind != Kind::Share
            && transaction.borrower_count() == 1
            && transaction.space == Space::Secure
            && device.is_empty();
        let instructions = match instructions {
            3 => return Err(FfaError::InvalidParameters),
            EXECUTABLE if !may_execute => return Err(FfaError::Denied),
            EXECUTABLE => Attributes::EXECUTE,
            _ => Attributes::empty(),
        };
        Ok(data | instructions | device)
    }
}

/// Alignment that the receiver asks for: each page is mapped at its own address, which has it or has not.
fn judge_alignment(transaction: &Transaction, sent: &Transactions, flags: u32) -> Result<(), FfaError> {
    let hint = (flags & HINT) >> ALIGNMENT_SHIFT;
    if flags & HINT_VALID == 0 {
        return if hint == 0 { Ok(()) } else { Err(FfaError::InvalidParameters) };
    }
    let boundary = PAGE_SIZE << hint;
    let mut ranges = transaction.ranges(&sent.store, 0);
    // Every page is aligned to the smallest one.
    let is_aligned = hint == 0 || ranges.all(|range| range.start().is_multiple_of(boundary));
    if is_aligned { Ok(()) } else { Err(FfaError::Denied) }
}

/// Attributes that the receiver asks for: none, or those that the memory has.
fn judge_attributes(transaction: &Transaction, attributes: u16) -> Result<(), FfaError> {
    let is_device = transaction.attributes.is_some_and(|owners| owners.contains(Attributes::DEVICE));
    let own = if is_device { sharing::DEVICE_MEMORY } else { NORMAL_MEMORY };
    match attributes {
        _ if attributes & !0x3F != 0 => Err(FfaError::InvalidParameters),
        _ if attributes & TYPE == 0 || attributes == own => Ok(()),
        _ => Err(FfaError::Denied),
    }
}

/// Maps all of it for `partition`, or nothing.
fn map(
    job: &mut Job<'_, '_>,
    partition: &Partition,
    transaction: &Transaction,
    sent: &Transactions,
    held: &mut Holding<'_, order::Transaction>,
    granted: Attributes,
) -> Result<(), FfaError> {
    let (mut spaces, _held) = partition.spaces().lock(held);
    let (space, becomes) = (spaces.of_mut(transaction.space), transaction.terms.kind.borrowers());
    for (done, range) in (0..).zip(transaction.ranges(&sent.store, 0)) {
        if let Err(error) = space.add(range, granted, becomes, job.hw) {
            for range in transaction.ranges(&sent.store, 0).take(done) {
                space.clear(range, job.hw);
            }
            return Err(PagesError::from(error).into());
        }
    }
    Ok(())
}

//! Sending: FFA_MEM_SHARE, FFA_MEM_LEND, FFA_MEM_DONATE, and further fragments of their descriptors.

use arm_ffa::{FfaError, FuncId};

use super::super::{Caller, Entry, Outcome};
use super::buffer::{Source, lengths, with_descriptor, with_tx};
use super::{Job, Owner};
use crate::abi;
use crate::abi::sharing::{
    self, ACCESS_SIZE, Access, COMPOSITE_SIZE, Descriptor, NORMAL_MEMORY, RANGE_SIZE, TIME_SLICE, TYPE, ZERO,
};
use crate::endpoint::EndpointId;
use crate::memory::page::{Attributes, Ownership, PageRange, Space};
use crate::memory::transaction::{Borrower, Kind, MAX_BORROWERS, Stage, Terms, Transaction, Wiping};
use crate::memory::transactions::Transactions;
use crate::order::{self, Holding};

/// How many ranges are read at a time.
const BATCH: usize = 8;
/// Permissions: data access, bits 1:0.
const DATA: u8 = 0b11;
/// Data access: read-only.
pub const READ_ONLY: u8 = 1;
/// Data access: read and write.
pub const READ_WRITE: u8 = 2;

/// FFA_MEM_SHARE: w1 bytes of the descriptor, w2 of its first fragment, x3 and w4 where it is.
pub fn share(at: &mut Entry<'_>) -> Outcome {
    send(at, Kind::Share)
}

/// FFA_MEM_LEND: as [`share`].
pub fn lend(at: &mut Entry<'_>) -> Outcome {
    send(at, Kind::Lend)
}

/// FFA_MEM_DONATE: as [`share`].
pub fn donate(at: &mut Entry<'_>) -> Outcome {
    send(at, Kind::Donate)
}

fn send(at: &mut Entry<'_>, kind: Kind) -> Outcome {
    let (total, here) = lengths(at)?;
    with_descriptor(at, (total, here), |at, source| begin(at, kind, source, total))?;
    Ok(at.back())
}

/// The first fragment: what is said of the transaction as a whole is judged, and then the ranges that are here.
fn begin(at: &mut Entry<'_>, kind: Kind, source: Source, total: u32) -> Result<(), FfaError> {
    let (mut job, held) = at.apart();
    let job = &mut job;
    let descriptor = source.descriptor(job.hw, job.version)?;
    let terms = terms(job.caller, kind, &descriptor)?;
    let composite = place_of_composite(job, &descriptor, source)?;
    let behind = composite.checked_add(COMPOSITE_SIZE as u32).ok_or(FfaError::InvalidParameters)?;
    let region = sharing::composite(&source.read(job.hw, composite, COMPOSITE_SIZE)?);
    let (pages, ranges) = region.ok_or(FfaError::InvalidParameters)?;
    let expected = ranges.checked_mul(RANGE_SIZE as u32).and_then(|size| size.checked_add(behind));
    if expected != Some(total) || ranges == 0 || pages == 0 {
        return Err(FfaError::InvalidParameters);
    }
    let owner = Owner::caller(job.caller);
    let sent = owner.sent(job.spmc);
    // Where a partition's memory lies, its first page says when it arrives.
    let (mut slot, mut held) = sent.begin(held, terms, Space::Normal).ok_or(FfaError::NoMemory)?;
    let transaction = slot.transaction().ok_or(FfaError::Aborted)?;
    transaction.wiping = (transaction.terms.flags & ZERO != 0).then_some(Wiping::START);
    (transaction.total, transaction.received, transaction.announced) = (total, source.length, pages);
    let done = add_receivers(job, &descriptor, transaction, sent, &mut held, source)
        .and_then(|()| arrive(job, owner, transaction, &mut held, source, behind));
    match done {
        Ok(()) => answer(job, transaction),
        Err(_) => {
            owner.restore(job, transaction, &mut held);
            sent.end((slot, held));
        }
    }
    done
}

/// What a descriptor says of the transaction as a whole, if that can be.
fn terms(caller: Caller<'_>, kind: Kind, descriptor: &Descriptor) -> Result<Terms, FfaError> {
    let &Descriptor { sender, attributes, flags, handle, tag, access_count, .. } = descriptor;
    if !speaks_for(caller, sender) {
        return Err(FfaError::Denied);
    }
    let known = if kind == Kind::Share { TIME_SLICE } else { ZERO | TIME_SLICE };
    if access_count > MAX_BORROWERS {
        return Err(FfaError::NoMemory);
    }
    let is_odd = handle != 0 || flags & !known != 0 || access_count == 0 || attributes & !0x3F != 0;
    if is_odd || kind == Kind::Donate && access_count != 1 {
        return Err(FfaError::InvalidParameters);
    }
    // A single receiver says itself how it wants to have what is lent or donated (DEN0140, 1.10.4).
    let is_said_by_sender = kind == Kind::Share || access_count > 1;
    match attributes & TYPE {
        0 if !is_said_by_sender => {}
        0 => return Err(FfaError::InvalidParameters),
        _ if !is_said_by_sender => return Err(FfaError::InvalidParameters),
        _ if attributes != NORMAL_MEMORY => return Err(FfaError::Denied),
        _ => {}
    }
    Ok(Terms { kind, sender, attributes, flags, tag })
}

/// Whether the caller may speak for an owner of this id.
fn speaks_for(caller: Caller<'_>, id: EndpointId) -> bool {
    match caller {
        Caller::Normal => !id.is_secure(),
        Caller::Partition(partition, _) => partition.id() == id,
    }
}

/// The access descriptor at this place.
fn access(
    job: &mut Job<'_, '_>,
    descriptor: &Descriptor,
    source: Source,
    place: u32,
) -> Result<Access, FfaError> {
    let size = descriptor.access_size;
    let offset =
        place.checked_mul(size as u32).and_then(|offset| offset.checked_add(descriptor.access_offset));
    let offset = offset.ok_or(FfaError::InvalidParameters)?;
    let access = Access::parse(&source.read::<ACCESS_SIZE>(job.hw, offset, size)?, size);
    access.ok_or(FfaError::InvalidParameters)
}

/// Where the composite memory region descriptor is, behind the receivers, all of which are in the fragment.
fn place_of_composite(
    job: &mut Job<'_, '_>,
    descriptor: &Descriptor,
    source: Source,
) -> Result<u32, FfaError> {
    let end = descriptor.end().filter(|end| *end <= source.length).ok_or(FfaError::InvalidParameters)?;
    let composite = access(job, descriptor, source, 0)?.composite_offset;
    if composite < end || !composite.is_multiple_of(8) {
        return Err(FfaError::InvalidParameters);
    }
    Ok(composite)
}

/// Keeps the receivers, each of which is judged as it is read.
fn add_receivers(
    job: &mut Job<'_, '_>,
    descriptor: &Descriptor,
    transaction: &mut Transaction,
    sent: &Transactions,
    held: &mut Holding<'_, order::Transaction>,
    source: Source,
) -> Result<(), FfaError> {
    let mut composite = None;
    let mut any_partition = false;
    for place in 0..descriptor.access_count {
        let access = access(job, descriptor, source, place)?;
        judge(job, &transaction.terms, &access)?;
        let is_known = transaction.borrower(&sent.store, access.endpoint).is_some();
        if is_known || *composite.get_or_insert(access.composite_offset) != access.composite_offset {
            return Err(FfaError::InvalidParameters);
        }
        any_partition |= access.endpoint.is_secure();
        let borrower = Borrower {
            endpoint: access.endpoint,
            permissions: access.permissions,
            private: access.private,
            granted: Attributes::empty(),
            zero_after: false,
            had_it: false,
            stage: Stage::Offered,
        };
        transaction.add_borrower(held, &sent.store, &borrower)?;
    }
    // Among VMs the hypervisor does it by itself.
    if any_partition { Ok(()) } else { Err(FfaError::Denied) }
}

/// Judges a receiver.
fn judge(job: &Job<'_, '_>, terms: &Terms, access: &Access) -> Result<(), FfaError> {
    let receiver = access.endpoint;
    // No instruction access is for the sender to say; the flag is for those that do not retrieve by themselves.
    if access.permissions & !DATA != 0 || access.flags != 0 || receiver == terms.sender {
        return Err(FfaError::InvalidParameters);
    }
    match (terms.kind, access.permissions & DATA) {
        (Kind::Donate, 0) | (Kind::Share | Kind::Lend, READ_ONLY | READ_WRITE) => {}
        _ => return Err(FfaError::InvalidParameters),
    }
    if receiver.is_secure() {
        let partition = job.partition(receiver).ok_or(FfaError::InvalidParameters)?;
        return if partition.is_aborted() { Err(FfaError::Aborted) } else { Ok(()) };
    }
    match job.caller {
        Caller::Normal => Ok(()),
        // Secure memory, or what a partition has, is not for the Normal world.
        Caller::Partition(..) => Err(FfaError::Denied),
    }
}

/// The ranges in this fragment, from `from` on: each is judged, marked as sent, and kept.
fn arrive(
    job: &mut Job<'_, '_>,
    owner: Owner<'_>,
    transaction: &mut Transaction,
    held: &mut Holding<'_, order::Transaction>,
    source: Source,
    from: u32,
) -> Result<(), FfaError> {
    let sent = owner.sent(job.spmc);
    if !(source.length - from).is_multiple_of(RANGE_SIZE as u32) {
        return Err(FfaError::InvalidParameters);
    }
    let (needs, takes_devices) = (needs(transaction, sent), takes_devices(transaction));
    // A partition keeps its access until all has arrived: it may be refused yet.
    let meanwhile = match owner {
        Owner::Partition(_) => Ownership::Shared,
        Owner::Normal => transaction.terms.kind.owners(),
    };
    let mut batch = [0; BATCH * RANGE_SIZE];
    for place in (from..source.length).step_by(RANGE_SIZE) {
        let next = (place - from) as usize % batch.len();
        if next == 0 {
            let size = batch.len().min((source.length - place) as usize);
            source.read_into(job.hw, place, &mut batch[..size])?;
        }
        let (address, pages) = sharing::range_at(&batch, next).ok_or(FfaError::InvalidParameters)?;
        if transaction.range_count() == 0 {
            transaction.space = owner.space_of(held, address);
        }
        let range = PageRange::new(transaction.space, address, pages.into())
            .map_err(|_| FfaError::InvalidParameters)?;
        let total = transaction.pages.checked_add(pages).filter(|total| *total <= transaction.announced);
        let total = total.ok_or(FfaError::InvalidParameters)?;
        let first = transaction.attributes;
        let judge = |attributes: Attributes| {
            let is_fit = attributes.contains(needs) && first.is_none_or(|first| first == attributes);
            is_fit && (takes_devices || !attributes.contains(Attributes::DEVICE))
        };
        let attributes = owner.pages(job, held, |own, tlb| own.take(range, meanwhile, &judge, tlb))?;
        transaction.attributes = Some(attributes);
        transaction.pages = total;
        if let Err(error) = transaction.add_range(held, &sent.store, range) {
            owner.pages(job, held, |own, tlb| own.restore(range, tlb));
            return Err(error.into());
        }
    }
    if !transaction.is_complete() {
        return Ok(());
    }
    if transaction.pages != transaction.announced {
        return Err(FfaError::InvalidParameters);
    }
    let becomes = transaction.terms.kind.owners();
    if becomes != meanwhile {
        for range in transaction.ranges(&sent.store, 0) {
            owner.pages(job, held, |own, tlb| own.turn(range, becomes, tlb));
        }
    }
    Ok(())
}

/// What the owner must be able to do itself with what it sends.
fn needs(transaction: &Transaction, sent: &Transactions) -> Attributes {
    let is_written = transaction.terms.flags & ZERO != 0
        || transaction.terms.kind == Kind::Donate
        || transaction.borrowers(&sent.store).any(|borrower| borrower.permissions & DATA == READ_WRITE);
    if is_written { Attributes::READ | Attributes::WRITE } else { Attributes::READ }
}

/// Device memory is lent, to one borrower.
fn takes_devices(transaction: &Transaction) -> bool {
    transaction.terms.kind == Kind::Lend
        && transaction.borrower_count() == 1
        && transaction.terms.flags & ZERO == 0
}

/// FFA_SUCCESS with the handle, or FFA_MEM_FRAG_RX where more is to come.
fn answer(job: &mut Job<'_, '_>, transaction: &Transaction) {
    if transaction.is_complete() {
        abi::success_with_handle(job.frame, transaction.handle);
    } else {
        let (handle, received) = (transaction.handle, transaction.received);
        // A hypervisor is told for which VM; a partition knows who it is.
        let sender = match job.caller {
            Caller::Normal => transaction.terms.sender,
            Caller::Partition(..) => EndpointId::NORMAL,
        };
        abi::fragment(job.frame, FuncId::MemFragRx, handle, received, sender);
    }
}

/// FFA_MEM_FRAG_TX: w1-w2 the handle, w3 bytes of the next fragment, w4 bits 31:16 the VM that a hypervisor speaks for.
pub fn fragment(at: &mut Entry<'_>) -> Outcome {
    let (handle, length) = (abi::handle(at.frame, 1), abi::word(at.frame, 3));
    let sender = abi::word(at.frame, 4);
    if sender & 0xFFFF != 0 || length == 0 {
        return Err(FfaError::InvalidParameters);
    }
    let sender = EndpointId::new((sender >> 16) as u16);
    with_tx(at, length, |at, source| {
        let (mut job, held) = at.apart();
        let owner = Owner::caller(job.caller);
        let sent = owner.sent(job.spmc);
        let (mut slot, mut held) = sent.find(held, handle)?;
        let transaction = slot.transaction().ok_or(FfaError::InvalidParameters)?;
        let awaited = transaction.total - transaction.received;
        let is_meant = match owner {
            Owner::Normal => transaction.terms.sender == sender,
            Owner::Partition(_) => sender == EndpointId::NORMAL,
        };
        if !is_meant || length > awaited {
            return Err(FfaError::InvalidParameters);
        }
        transaction.received += length;
        let done = arrive(&mut job, owner, transaction, &mut held, source, 0);
        match done {
            Ok(()) => answer(&mut job, transaction),
            Err(_) => {
                owner.restore(&mut job, transaction, &mut held);
                sent.end((slot, held));
            }
        }
        done
    })?;
    Ok(at.back())
}

//! What a retriever is told of the memory: FFA_MEM_RETRIEVE_RESP, and the rest of it by FFA_MEM_FRAG_TX.

use arm_ffa::{FfaError, FuncId};

use super::super::{Caller, Entry, Outcome, Party, buffers};
use super::{Job, Owner, Progress, Untold};
use crate::abi;
use crate::abi::sharing::{
    self, ACCESS_SIZE, Access, COMPOSITE_SIZE, DEVICE_MEMORY, Descriptor, KIND_SHIFT, NON_SECURE,
    NORMAL_MEMORY, RANGE_SIZE, ZERO,
};
use crate::endpoint::EndpointId;
use crate::hardware::{AccessFault, Hardware};
use crate::memory::page::{Attributes, Pa, PageRange, Space};
use crate::memory::transaction::{Borrower, Kind, Stage, Transaction};
use crate::memory::transactions::Transactions;
use crate::order::{self, Holding};
use crate::state::mailbox::Filled;

use super::send::{READ_ONLY, READ_WRITE};

/// How many ranges are written at a time.
const BATCH: usize = 8;
/// Permissions: instruction access, bits 3:2.
pub const EXECUTABLE: u8 = 2;
/// Instruction access: none.
const NOT_EXECUTABLE: u8 = 1;

/// The kind of a transaction as flags have it.
pub const fn number(kind: Kind) -> u32 {
    match kind {
        Kind::Share => 1,
        Kind::Lend => 2,
        Kind::Donate => 3,
    }
}

/// Who is told.
#[derive(Clone, Copy)]
pub enum Reader<'a> {
    /// A borrower: what it has been granted.
    Borrower(&'a Borrower),
    /// The hypervisor: what its VM has sent, to whom.
    Hypervisor,
}

impl Reader<'_> {
    /// How many receivers it is told of.
    const fn receivers(self, transaction: &Transaction) -> u32 {
        match self {
            Self::Borrower(_) => 1,
            Self::Hypervisor => transaction.borrower_count(),
        }
    }
}

/// Claims the caller's RX buffer for `fill`.
pub fn with_rx<R>(
    job: &mut Job<'_, '_>,
    held: &mut Holding<'_, order::Transaction>,
    fill: impl FnOnce(&mut Job<'_, '_>, &mut Holding<'_, order::Transaction>, PageRange) -> Result<R, FfaError>,
) -> Result<R, Untold> {
    let receiver = job.receiver();
    let rx = receiver.lock(held).0.mailbox.claim_rx().map_err(FfaError::from)?;
    let done = fill(job, held, rx);
    let filled = if done.is_ok() { Filled::Silently } else { Filled::Not };
    receiver.lock(held).0.settle_rx(filled);
    done.map_err(Untold::Freed)
}

/// The outcome of a retriever's call.
pub fn told(at: &mut Entry<'_>, done: Result<Progress, Untold>) -> Outcome {
    match done {
        Ok(progress) => at.after(progress),
        Err(Untold::Refused(error)) => Err(error),
        Err(Untold::Freed(error)) => {
            // Somebody may have found it full meanwhile.
            buffers::tell_free(at, Party::caller(at).receiver());
            Err(error)
        }
    }
}

/// The descriptor's own part.
fn header(transaction: &Transaction, attributes: u16, reader: Reader<'_>, version: u32) -> Descriptor {
    let terms = &transaction.terms;
    Descriptor {
        sender: terms.sender,
        attributes,
        flags: number(terms.kind) << KIND_SHIFT | terms.flags & ZERO,
        handle: transaction.handle,
        tag: terms.tag,
        access_size: 0,
        access_count: reader.receivers(transaction),
        access_offset: 0,
    }
    .followed(version)
}

/// Writes the response into `rx`: bytes in all, bytes there, and how many ranges that tells of.
pub fn respond(
    job: &mut Job<'_, '_>,
    transaction: &Transaction,
    sent: &Transactions,
    reader: Reader<'_>,
    rx: PageRange,
) -> Result<(u32, u32, u32), FfaError> {
    let is_device = transaction.attributes.is_some_and(|owners| owners.contains(Attributes::DEVICE));
    let kind = if is_device { DEVICE_MEMORY } else { NORMAL_MEMORY };
    // The hypervisor knows.
    let tells_world = matches!(reader, Reader::Borrower(_)) && job.caller.knows_ns_bit(job.version);
    let world = if tells_world && transaction.space == Space::Normal { NON_SECURE } else { 0 };
    let descriptor = header(transaction, kind | world, reader, job.version);
    let composite = descriptor.end().ok_or(FfaError::InvalidParameters)?;
    let (header, size) = descriptor.to_bytes(job.version);
    let region = sharing::composite_bytes(transaction.pages, transaction.range_count());
    let mut written = Written { hw: job.hw, rx, at: 0 };
    written.add(&header[..size])?;
    let mut add = |borrower: &Borrower, permissions| {
        let access = Access {
            endpoint: borrower.endpoint,
            permissions,
            flags: 0,
            composite_offset: composite,
            private: borrower.private,
        };
        let bytes: [u8; ACCESS_SIZE] = access.to_bytes(descriptor.access_size);
        written.add(&bytes[..descriptor.access_size])
    };
    match reader {
        Reader::Borrower(borrower) => add(borrower, granted(borrower.granted))?,
        Reader::Hypervisor => {
            transaction.borrowers(&sent.store).try_for_each(|one| add(&one, one.permissions))?;
        }
    }
    written.add(&region)?;
    let behind = written.at;
    let told = written.add_ranges(transaction.ranges(&sent.store, 0))?;
    let total = behind + transaction.range_count() * RANGE_SIZE as u32;
    Ok((total, written.at, told))
}

/// Permissions as a descriptor has them.
const fn granted(granted: Attributes) -> u8 {
    let data = if granted.contains(Attributes::WRITE) { READ_WRITE } else { READ_ONLY };
    let instructions = if granted.contains(Attributes::EXECUTE) { EXECUTABLE } else { NOT_EXECUTABLE };
    data | instructions << 2
}

/// What is in an RX buffer by now.
struct Written<'a> {
    hw: &'a mut dyn Hardware,
    rx: PageRange,
    at: u32,
}

impl Written<'_> {
    fn add(&mut self, bytes: &[u8]) -> Result<(), FfaError> {
        if !self.has_room_for(bytes.len()) {
            return Err(FfaError::NoMemory);
        }
        let to = Pa { address: self.rx.start() + u64::from(self.at), ..self.rx.base() };
        self.hw.write(to, bytes).map_err(|AccessFault| FfaError::Aborted)?;
        self.at += bytes.len() as u32;
        Ok(())
    }

    const fn has_room_for(&self, size: usize) -> bool {
        self.at as u64 + size as u64 <= self.rx.bytes()
    }

    /// As many ranges as there is room for: how many.
    fn add_ranges(&mut self, ranges: impl Iterator<Item = PageRange>) -> Result<u32, FfaError> {
        let room = (self.rx.bytes() - u64::from(self.at)) as usize / RANGE_SIZE;
        let (mut told, mut batch, mut filled) = (0, [[0; RANGE_SIZE]; BATCH], 0);
        for range in ranges.take(room) {
            batch[filled] = sharing::range_bytes(range);
            filled += 1;
            told += 1;
            if filled == BATCH {
                self.add(batch.as_flattened())?;
                filled = 0;
            }
        }
        self.add(batch[..filled].as_flattened())?;
        Ok(told)
    }
}

/// FFA_MEM_FRAG_RX: w1-w2 the handle, w3 how many bytes of the response the caller has, w4 bits 31:16 the sender, which
/// a hypervisor gives.
pub fn more(at: &mut Entry<'_>) -> Outcome {
    let done = tell_more(at);
    told(at, done)
}

fn tell_more(at: &mut Entry<'_>) -> Result<Progress, Untold> {
    let (handle, offset, sender) = (abi::handle(at.frame, 1), abi::word(at.frame, 3), abi::word(at.frame, 4));
    let (mut job, held) = at.apart();
    let owner = Owner::of(job.spmc, handle)?;
    let sent = owner.sent(job.spmc);
    let (mut slot, mut held) = sent.find(held, handle).map_err(FfaError::from)?;
    let transaction = slot.transaction().ok_or(FfaError::InvalidParameters)?;
    let found = match job.caller {
        Caller::Normal => None,
        Caller::Partition(partition, _) => {
            transaction.borrower(&sent.store, partition.id()).filter(|_| sender == 0)
        }
    };
    let (reader, told) = match (job.caller, &found) {
        (Caller::Normal, _) if sender == u32::from(transaction.terms.sender.get()) << 16 => {
            (Reader::Hypervisor, transaction.shown)
        }
        (_, Some((_, borrower))) => match borrower.stage {
            Stage::Retrieving(told) => (Reader::Borrower(borrower), Some(told)),
            _ => (Reader::Borrower(borrower), None),
        },
        _ => return Err(FfaError::InvalidParameters.into()),
    };
    let told = told.ok_or(FfaError::InvalidParameters)?;
    let start = header(transaction, 0, reader, job.version).end();
    let start = start.map(|start| start + COMPOSITE_SIZE as u32 + told * RANGE_SIZE as u32);
    if start != Some(offset) {
        return Err(FfaError::InvalidParameters.into());
    }
    let (more, length) = with_rx(&mut job, &mut held, |job, _, rx| {
        let mut written = Written { hw: job.hw, rx, at: 0 };
        let more = written.add_ranges(transaction.ranges(&sent.store, told))?;
        Ok((more, written.at))
    })?;
    let told = told + more;
    let is_all = told == transaction.range_count();
    let sender = match &found {
        None => {
            transaction.shown = (!is_all).then_some(told);
            transaction.terms.sender
        }
        Some((place, borrower)) => {
            let stage = if is_all { Stage::Retrieved } else { Stage::Retrieving(told) };
            transaction.update_borrower(&sent.store, *place, &Borrower { stage, ..*borrower });
            EndpointId::NORMAL
        }
    };
    abi::fragment(job.frame, FuncId::MemFragTx, handle, length, sender);
    if found.is_some() && is_all && transaction.terms.kind == Kind::Donate {
        sent.end((slot, held));
    }
    Ok(Progress::Done)
}

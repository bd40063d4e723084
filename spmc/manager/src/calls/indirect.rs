//! Indirect messages: from the sender's TX buffer to the receiver's RX buffer, and whoever schedules the receiver is
//! told (FF-A 1.2, chapter 15.2).
//!
//! Two parties, one lock at a time: the sender's TX and then the receiver's RX are claimed, the header is copied in
//! once and judged by the copy, the payload goes from one buffer to the other without a lock, and both are settled.

use arm_ffa::FfaError;

use super::party::Party;
use super::schedule::{self, DELAY, When};
use super::{Caller, Entry, Outcome, buffers};
use crate::abi::{self, MESSAGE_HEADER_SIZE, MessageHeader, V1_1};
use crate::config::Methods;
use crate::endpoint::EndpointId;
use crate::hardware::{AccessFault, Side};
use crate::memory::page::{Pa, PageRange};
use crate::state::mailbox::{BufferError, Filled, Origin};
use crate::state::notifications::{Changed, Scope};
use crate::state::partition::Partition;

/// FFA_MSG_SEND2: w1 bits 31:16 the VM that a hypervisor speaks for, w2 flags; the message is in the sender's TX buffer.
pub fn send(at: &mut Entry<'_>) -> Outcome {
    let (vm, reserved) = abi::endpoints(at.frame);
    let flags = abi::word(at.frame, 2);
    let (sender, known) = match at.caller {
        // A VM without buffers has nothing to send.
        Caller::Normal if !vm.is_secure() => (Party::find(at, vm).ok_or(FfaError::Denied)?, 0),
        Caller::Partition(..) if vm == EndpointId::NORMAL => (Party::caller(at), DELAY),
        Caller::Normal | Caller::Partition(..) => return Err(FfaError::InvalidParameters),
    };
    if reserved != EndpointId::NORMAL || flags & !known != 0 {
        return Err(FfaError::InvalidParameters);
    }
    let tx = sender.receiver().lock(&mut at.held).0.mailbox.claim_tx().map_err(refusal)?;
    let sent = deliver(at, sender, tx);
    sender.receiver().lock(&mut at.held).0.mailbox.settle_tx();
    let (receiver, changed) = sent?;
    schedule::announce(at, receiver, Scope::Global, changed, When::of(flags & DELAY != 0));
    at.done()
}

/// The message in `tx` goes to its receiver: whom to announce it to.
fn deliver<'a>(
    at: &mut Entry<'a>,
    sender: Party<'a>,
    tx: PageRange,
) -> Result<(Party<'a>, Changed), FfaError> {
    // Copied in once: the sender may change it meanwhile.
    let mut bytes = [0; MESSAGE_HEADER_SIZE];
    at.hw.read(tx.base(), &mut bytes).map_err(|AccessFault| FfaError::Aborted)?;
    let header = MessageHeader::parse(&bytes, at.version);
    let receiver = judge(at, sender, &header, tx.bytes())?;
    let rx = claim_rx(at, sender, receiver).map_err(refusal)?;
    let written = copy(at, &header, tx, rx);
    let filled = match (&written, sender) {
        (Err(_), _) => Filled::Not,
        (Ok(()), Party::Partition(_)) => Filled::Announced(Origin::Partition),
        (Ok(()), Party::Normal(..)) => Filled::Announced(Origin::Normal),
    };
    let changed = receiver.receiver().change(&mut at.held, |inbox| inbox.settle_rx(filled));
    match written {
        Ok(()) => Ok((receiver, changed)),
        Err(error) => {
            buffers::tell_free(at, receiver.receiver());
            Err(error)
        }
    }
}

/// Whom the message is for, if the sender may send it so.
fn judge<'a>(
    at: &Entry<'a>,
    sender: Party<'a>,
    header: &MessageHeader,
    capacity: u64,
) -> Result<Party<'a>, FfaError> {
    let MessageHeader { length, offset, size, .. } = *header;
    if header.sender != sender.id()
        || header.receiver == sender.id()
        || offset < length
        || offset + size > capacity
    {
        return Err(FfaError::InvalidParameters);
    }
    let receiver = match (sender, Party::find(at, header.receiver)) {
        // From VM to VM is the hypervisor's business.
        (Party::Normal(..), Some(Party::Normal(..))) => return Err(FfaError::InvalidParameters),
        (_, Some(receiver)) => receiver,
        // A VM without buffers cannot receive.
        (Party::Partition(_), None) if !header.receiver.is_secure() => return Err(FfaError::Denied),
        (_, None) => return Err(FfaError::InvalidParameters),
    };
    let sends = |partition: &Partition| partition.methods().contains(Methods::INDIRECT);
    if matches!(sender, Party::Partition(partition) if !sends(partition)) {
        return Err(FfaError::Denied);
    }
    if let Party::Partition(partition) = receiver {
        let offered = partition.offers(header.uuid).ok_or(FfaError::InvalidParameters)?;
        if !offered.contains(Methods::INDIRECT) || !partition.admits(header.sender, header.uuid) {
            return Err(FfaError::Denied);
        }
        // It would not know how to ask what is in its RX buffer.
        if partition.version().get() < V1_1 {
            return Err(FfaError::Denied);
        }
        if partition.is_aborted() {
            return Err(FfaError::Aborted);
        }
    }
    Ok(receiver)
}

/// The receiver's RX. A sender that wants to know when it is free is remembered under the lock that says it is not,
/// so that no release is missed.
fn claim_rx(at: &mut Entry<'_>, sender: Party<'_>, receiver: Party<'_>) -> Result<PageRange, BufferError> {
    let (mut inbox, _held) = receiver.receiver().lock(&mut at.held);
    if !receiver.is_there() {
        return Err(BufferError::Unmapped);
    }
    let claimed = inbox.mailbox.claim_rx();
    if let (Err(BufferError::NotOwner | BufferError::InUse), Party::Partition(sender)) = (claimed, sender)
        && sender.config().rx_free
    {
        inbox.remember(sender.config().index);
    }
    claimed
}

/// Copies the message: the header as it was judged, the payload straight from buffer to buffer, where it was.
fn copy(at: &mut Entry<'_>, header: &MessageHeader, tx: PageRange, rx: PageRange) -> Result<(), FfaError> {
    let MessageHeader { length, offset, size, .. } = *header;
    if offset + size > rx.bytes() {
        return Err(FfaError::NoMemory);
    }
    let bytes = header.to_bytes();
    let bytes = bytes.get(..length as usize).unwrap_or(&bytes);
    at.hw.write(rx.base(), bytes).map_err(|AccessFault| FfaError::Aborted)?;
    let inside = |buffer: PageRange| Pa { address: buffer.start() + offset, ..buffer.base() };
    at.hw.copy(inside(tx), inside(rx), size).map_err(|(Side::Source | Side::Target)| FfaError::Aborted)
}

/// The code for a buffer that cannot be used.
const fn refusal(error: BufferError) -> FfaError {
    match error {
        BufferError::Unmapped => FfaError::Denied,
        BufferError::NotOwner | BufferError::InUse => FfaError::Busy,
    }
}

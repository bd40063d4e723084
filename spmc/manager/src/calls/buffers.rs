//! RX/TX buffers: registering, releasing and filling them (FF-A 1.2, 7.2 and 13.5-13.7).

use arm_ffa::FfaError;

use super::party::Party;
use super::schedule::{self, When};
use super::{Caller, Entry, Outcome};
use crate::abi::{self, Buffers, V1_2};
use crate::endpoint::{EndpointId, PartitionIndex};
use crate::hardware::{AccessFault, Hardware};
use crate::memory::page::{PAGE_SIZE, Pa, PageRange, Space};
use crate::memory::pages::PagesError;
use crate::state::inbox::Receiver;
use crate::state::mailbox::{BufferError, Filled};
use crate::state::notifications::Scope;

/// The largest buffer: a 64 KB page of the Normal world's kernel.
const MAX_PAGES: u64 = 16;

/// w2 of FFA_FEATURES for FFA_RXTX_MAP: the smallest buffer and its alignment in bits 1:0 (0 is 4 KB), the largest
/// one in bits 31:16, as a number of 4 KB pages, which callers before FF-A 1.2 do not know.
pub const fn features(version: u32) -> u32 {
    if version >= V1_2 { (MAX_PAGES as u32) << 16 } else { 0 }
}

/// FFA_RXTX_MAP of a 32-bit caller.
pub fn map32(at: &mut Entry<'_>) -> Outcome {
    map(at, abi::word(at.frame, 1).into(), abi::word(at.frame, 2).into(), abi::word(at.frame, 3).into())
}

/// FFA_RXTX_MAP of a 64-bit caller; w3 is 32 bits wide here too.
pub fn map64(at: &mut Entry<'_>) -> Outcome {
    map(at, at.frame.x[1], at.frame.x[2], abi::word(at.frame, 3).into())
}

fn map(at: &mut Entry<'_>, tx: u64, rx: u64, pages: u64) -> Outcome {
    if matches!(at.caller, Caller::Normal) && tx | rx | pages == 0 {
        return map_for_vm(at);
    }
    let pair = pair(at, (tx, pages), (rx, pages))?;
    match at.caller {
        Caller::Normal => {
            let normal = at.spmc.normal();
            normal.os().receiver.map(&mut at.held, &normal.memory, pair, at.hw)?;
        }
        Caller::Partition(partition, _) => {
            partition.receiver().map(&mut at.held, partition.spaces(), pair, at.hw)?;
        }
    }
    at.done()
}

/// The pages that the caller offers as TX and RX.
fn pair(at: &mut Entry<'_>, tx: (u64, u64), rx: (u64, u64)) -> Result<(PageRange, PageRange), FfaError> {
    let pair = (buffer(at, tx)?, buffer(at, rx)?);
    if pair.0.overlaps(&pair.1) { Err(FfaError::InvalidParameters) } else { Ok(pair) }
}

/// The pages that the caller offers as a buffer.
fn buffer(at: &mut Entry<'_>, (address, pages): (u64, u64)) -> Result<PageRange, FfaError> {
    if pages > MAX_PAGES {
        return Err(FfaError::InvalidParameters);
    }
    let space = match at.caller {
        Caller::Normal => Space::Normal,
        Caller::Partition(partition, _) => partition.spaces().lock(&mut at.held).0.space_at(address),
    };
    PageRange::new(space, address, pages).map_err(|_| FfaError::InvalidParameters)
}

/// FFA_RXTX_MAP of a hypervisor for one of its VMs: the descriptor is in its own TX buffer (FF-A 1.2, 13.5.2).
fn map_for_vm(at: &mut Entry<'_>) -> Outcome {
    let tx = own(at).lock(&mut at.held).0.mailbox.tx().ok_or(FfaError::InvalidParameters)?;
    // Copied in once: the hypervisor may change it meanwhile.
    let mut bytes = [0; abi::BUFFERS_SIZE];
    at.hw.read(tx.base(), &mut bytes).map_err(|AccessFault| FfaError::Aborted)?;
    let Buffers { vm, tx, rx } =
        Buffers::parse(&bytes).map_err(|abi::BuffersError| FfaError::InvalidParameters)?;
    if !is_vm(vm) {
        return Err(FfaError::InvalidParameters);
    }
    let pair = pair(at, tx, rx)?;
    let normal = at.spmc.normal();
    {
        let (mut registry, mut held) = normal.registry().lock(&mut at.held);
        let endpoint = normal.enter(&mut registry, vm).ok_or(FfaError::NoMemory)?;
        let mapped = endpoint.receiver.map(&mut held, &normal.memory, pair, at.hw);
        if mapped.is_err() {
            normal.leave(&mut registry, endpoint, &endpoint.receiver.lock(&mut held).0);
        }
        mapped?;
    }
    at.done()
}

/// Whether the id is one that a Normal-world VM can have.
fn is_vm(id: EndpointId) -> bool {
    id != EndpointId::NORMAL && !id.is_secure()
}

/// FFA_RXTX_UNMAP: w1 bits 31:16 the VM that a hypervisor speaks for, or 0 for itself.
pub fn unmap(at: &mut Entry<'_>) -> Outcome {
    let (vm, reserved) = abi::endpoints(at.frame);
    let party = spoken_for(at, vm, reserved)?;
    // Whoever waits for RX to be free tries again, and learns what has become of it.
    match party {
        // A VM whose buffers go away may have nothing left here.
        Party::Normal(endpoint, _) => {
            let normal = at.spmc.normal();
            let (mut registry, mut held) = normal.registry().lock(&mut at.held);
            endpoint.receiver.unmap(&mut held, &normal.memory, at.hw, |inbox| {
                normal.leave(&mut registry, endpoint, inbox);
            })
        }
        Party::Partition(partition) => {
            partition.receiver().unmap(&mut at.held, partition.spaces(), at.hw, |_| {})
        }
    }?;
    // What is not there is not full.
    tell_free(at, party.receiver());
    at.done()
}

/// FFA_RX_RELEASE: w1 bits 15:0 the VM that a hypervisor speaks for, or 0 for itself.
pub fn rx_release(at: &mut Entry<'_>) -> Outcome {
    let (reserved, vm) = abi::endpoints(at.frame);
    let party = spoken_for(at, vm, reserved)?;
    release(at, party).map_err(denied)?;
    at.done()
}

/// FFA_RX_ACQUIRE: w1 bits 15:0 the VM whose RX buffer the hypervisor is going to fill.
pub fn rx_acquire(at: &mut Entry<'_>) -> Outcome {
    let (reserved, vm) = abi::endpoints(at.frame);
    if reserved != EndpointId::NORMAL || !is_vm(vm) {
        return Err(FfaError::InvalidParameters);
    }
    let party = Party::find(at, vm).ok_or(FfaError::InvalidParameters)?;
    party.receiver().lock(&mut at.held).0.mailbox.acquire_rx().map_err(denied)?;
    at.done()
}

/// Whose buffers are meant: the caller's own, or a VM's that it speaks for, which only a hypervisor does.
fn spoken_for<'a>(at: &Entry<'a>, vm: EndpointId, reserved: EndpointId) -> Result<Party<'a>, FfaError> {
    if reserved != EndpointId::NORMAL {
        return Err(FfaError::InvalidParameters);
    }
    let party = match at.caller {
        _ if vm == EndpointId::NORMAL => Some(Party::caller(at)),
        Caller::Normal => Party::spoken_for(at, vm),
        Caller::Partition(..) => None,
    };
    party.ok_or(FfaError::InvalidParameters)
}

/// The code for a buffer that the caller does not own, where that is a matter of right and not of time.
fn denied(error: BufferError) -> FfaError {
    if error == BufferError::NotOwner { FfaError::Denied } else { error.into() }
}

/// A party gives its RX buffer back.
fn release(at: &mut Entry<'_>, party: Party<'_>) -> Result<(), BufferError> {
    let is_awaited = {
        let (mut inbox, _held) = party.receiver().lock(&mut at.held);
        inbox.mailbox.release_rx()?;
        inbox.is_awaited()
    };
    if is_awaited {
        tell_free(at, party.receiver());
    }
    Ok(())
}

/// The caller waits, and gives its RX buffer back by that; one that is empty, was never mapped, or holds a message that
/// the caller does not know of needs no release.
pub fn release_rx(at: &mut Entry<'_>) {
    let _ = release(at, Party::caller(at));
}

/// An RX buffer is free: partitions that want to know are told.
#[cold]
pub fn tell_free(at: &mut Entry<'_>, receiver: &Receiver) {
    let refused = receiver.lock(&mut at.held).0.forget();
    for partition in refused.filter_map(|number| at.spmc.partition(PartitionIndex::new(number.into())?)) {
        let changed = partition.receiver().change(&mut at.held, |inbox| inbox.notifications.set_rx_free());
        schedule::announce(at, Party::Partition(partition), Scope::Global, changed, When::Now);
    }
}

/// Has `write` put `size` bytes into the caller's RX buffer, at the address that it gets. What is there then
/// belongs to the caller.
pub fn fill_rx(
    at: &mut Entry<'_>,
    size: u64,
    write: impl FnOnce(&mut dyn Hardware, Pa) -> Result<(), AccessFault>,
) -> Result<(), FfaError> {
    let own = own(at);
    let rx = own.lock(&mut at.held).0.mailbox.claim_rx()?;
    let outcome = if size <= rx.bytes() {
        write(at.hw, rx.base()).map_err(|AccessFault| FfaError::Aborted)
    } else {
        Err(FfaError::NoMemory)
    };
    let filled = if outcome.is_ok() { Filled::Silently } else { Filled::Not };
    own.lock(&mut at.held).0.settle_rx(filled);
    if filled == Filled::Not {
        tell_free(at, own);
    }
    outcome
}

impl From<PagesError> for FfaError {
    fn from(error: PagesError) -> Self {
        match error {
            PagesError::NotOwned => Self::Denied,
            PagesError::NoTables => Self::NoMemory,
        }
    }
}

impl From<BufferError> for FfaError {
    fn from(error: BufferError) -> Self {
        match error {
            BufferError::Unmapped => Self::InvalidParameters,
            BufferError::NotOwner | BufferError::InUse => Self::Busy,
        }
    }
}

/// What the caller itself can receive.
fn own<'a>(at: &Entry<'a>) -> &'a Receiver {
    Party::caller(at).receiver()
}

const _: () = assert!(MAX_PAGES * PAGE_SIZE == 64 << 10);

//! RX/TX buffers: registering, releasing and filling them (FF-A 1.2, 7.2 and 13.5-13.7).

use arm_ffa::FfaError;

use super::{Caller, Entry, Outcome};
use crate::abi::{self, Buffers, V1_2};
use crate::endpoint::EndpointId;
use crate::hardware::{AccessFault, Hardware};
use crate::memory::page::{Attributes, PAGE_SIZE, Pa, PageRange, Space};
use crate::order::{self, Lock};
use crate::state::mailbox::{Mailbox, RxError};
use crate::state::normal::VmError;

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
    let tx = buffer(at, (tx, pages), Attributes::READ | Attributes::WRITE)?;
    let rx = buffer(at, (rx, pages), Attributes::READ)?;
    if tx.overlaps(&rx) {
        return Err(FfaError::InvalidParameters);
    }
    let accepted = mailbox(at).lock(&mut at.held).0.map(tx, rx);
    if accepted { at.done() } else { Err(FfaError::Denied) }
}

/// The pages that the caller offers as a buffer, if they are its own to offer.
fn buffer(at: &Entry<'_>, (address, pages): (u64, u64), rights: Attributes) -> Result<PageRange, FfaError> {
    if pages > MAX_PAGES {
        return Err(FfaError::InvalidParameters);
    }
    let plain = |space| PageRange::new(space, address, pages).map_err(|_| FfaError::InvalidParameters);
    match at.caller {
        Caller::Normal => {
            let range = plain(Space::Normal)?;
            at.spmc.is_normal_memory(&range).then_some(range).ok_or(FfaError::Denied)
        }
        Caller::Partition(partition, _) => {
            let spaces = [plain(Space::Secure)?, plain(Space::Normal)?];
            spaces.into_iter().find(|range| partition.owns(range, rights)).ok_or(FfaError::Denied)
        }
    }
}

/// FFA_RXTX_MAP of a hypervisor for one of its VMs: the descriptor is in its own TX buffer (FF-A 1.2, 13.5.2).
fn map_for_vm(at: &mut Entry<'_>) -> Outcome {
    let tx = mailbox(at).lock(&mut at.held).0.tx().ok_or(FfaError::InvalidParameters)?;
    // Copied in once: the hypervisor may change it meanwhile.
    let mut bytes = [0; abi::BUFFERS_SIZE];
    at.hw.read(tx.base(), &mut bytes).map_err(|AccessFault| FfaError::Aborted)?;
    let Buffers { vm, tx, rx } =
        Buffers::parse(&bytes).map_err(|abi::BuffersError| FfaError::InvalidParameters)?;
    if !is_vm(vm) {
        return Err(FfaError::InvalidParameters);
    }
    let tx = buffer(at, tx, Attributes::READ | Attributes::WRITE)?;
    let rx = buffer(at, rx, Attributes::READ)?;
    if tx.overlaps(&rx) {
        return Err(FfaError::InvalidParameters);
    }
    at.spmc.normal().vms.lock(&mut at.held).0.map(vm, tx, rx)?;
    at.done()
}

/// Whether the id is one that a Normal-world VM can have.
fn is_vm(id: EndpointId) -> bool {
    id != EndpointId::NORMAL && !id.is_secure()
}

/// FFA_RXTX_UNMAP: w1 bits 31:16 the VM that a hypervisor speaks for, or 0 for itself.
pub fn unmap(at: &mut Entry<'_>) -> Outcome {
    let (vm, reserved) = abi::endpoints(at.frame);
    match spoken_for(at, vm, reserved)? {
        None => mailbox(at).lock(&mut at.held).0.unmap(),
        Some(vm) => at.spmc.normal().vms.lock(&mut at.held).0.unmap(vm),
    }?;
    at.done()
}

/// FFA_RX_RELEASE: w1 bits 15:0 the VM that a hypervisor speaks for, or 0 for itself.
pub fn rx_release(at: &mut Entry<'_>) -> Outcome {
    let (reserved, vm) = abi::endpoints(at.frame);
    let released = match spoken_for(at, vm, reserved)? {
        None => release_rx(at),
        Some(vm) => of_vm(at, vm, Mailbox::release_rx),
    };
    released.map_err(denied)?;
    at.done()
}

/// FFA_RX_ACQUIRE: w1 bits 15:0 the VM whose RX buffer the hypervisor is going to fill.
pub fn rx_acquire(at: &mut Entry<'_>) -> Outcome {
    let (reserved, vm) = abi::endpoints(at.frame);
    if reserved != EndpointId::NORMAL || !is_vm(vm) {
        return Err(FfaError::InvalidParameters);
    }
    of_vm(at, vm, Mailbox::acquire_rx).map_err(denied)?;
    at.done()
}

/// The VM that the caller speaks for, if not for itself: only a hypervisor does.
fn spoken_for(at: &Entry<'_>, vm: EndpointId, reserved: EndpointId) -> Result<Option<EndpointId>, FfaError> {
    let for_itself = vm == EndpointId::NORMAL;
    let may = for_itself || (is_vm(vm) && matches!(at.caller, Caller::Normal));
    if !may || reserved != EndpointId::NORMAL {
        return Err(FfaError::InvalidParameters);
    }
    Ok(Some(vm).filter(|_| !for_itself))
}

/// Does this with the buffers of a VM.
fn of_vm(
    at: &mut Entry<'_>,
    vm: EndpointId,
    change: fn(&mut Mailbox) -> Result<(), RxError>,
) -> Result<(), RxError> {
    at.spmc.normal().vms.lock(&mut at.held).0.get(vm).map_or(Err(RxError::Unmapped), change)
}

/// The code for a buffer that the caller does not own, where that is a matter of right and not of time.
fn denied(error: RxError) -> FfaError {
    if error == RxError::NotOwner { FfaError::Denied } else { error.into() }
}

/// The caller gives its RX buffer back.
pub fn release_rx(at: &mut Entry<'_>) -> Result<(), RxError> {
    mailbox(at).lock(&mut at.held).0.release_rx()
}

/// Has `write` put `size` bytes into the caller's RX buffer, at the address that it gets. What is there then
/// belongs to the caller.
pub fn fill_rx(
    at: &mut Entry<'_>,
    size: u64,
    write: impl FnOnce(&mut dyn Hardware, Pa) -> Result<(), AccessFault>,
) -> Result<(), FfaError> {
    let mailbox = mailbox(at);
    let (rx, capacity) = mailbox.lock(&mut at.held).0.claim_rx()?;
    let outcome = if size <= capacity {
        write(at.hw, rx).map_err(|AccessFault| FfaError::Aborted)
    } else {
        Err(FfaError::NoMemory)
    };
    mailbox.lock(&mut at.held).0.settle_rx(outcome.is_ok());
    outcome
}

impl From<RxError> for FfaError {
    fn from(error: RxError) -> Self {
        match error {
            RxError::Unmapped => Self::InvalidParameters,
            RxError::NotOwner | RxError::Filling => Self::Busy,
        }
    }
}

impl From<VmError> for FfaError {
    fn from(error: VmError) -> Self {
        match error {
            VmError::Mapped => Self::Denied,
            VmError::Full => Self::NoMemory,
        }
    }
}

fn mailbox<'a>(at: &Entry<'a>) -> &'a Lock<order::Partition, Mailbox> {
    match at.caller {
        Caller::Normal => &at.spmc.normal().mailbox,
        Caller::Partition(partition, _) => partition.mailbox(),
    }
}

const _: () = assert!(MAX_PAGES * PAGE_SIZE == 64 << 10);

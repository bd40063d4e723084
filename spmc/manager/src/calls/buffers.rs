//! RX/TX buffers: registering, releasing and filling them (FF-A 1.2, 7.2 and 13.5-13.7).

use arm_ffa::FfaError;

use super::{Caller, Entry, Outcome};
use crate::abi::{self, V1_2};
use crate::hardware::{AccessFault, Hardware};
use crate::memory::page::{Attributes, PAGE_SIZE, Pa, PageRange, Space};
use crate::order::{self, Lock};
use crate::state::mailbox::{Mailbox, RxError};

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
    if pages > MAX_PAGES {
        return Err(FfaError::InvalidParameters);
    }
    let buffer = |at: &Entry<'_>, address, attributes| {
        let plain = |space| PageRange::new(space, address, pages).map_err(|_| FfaError::InvalidParameters);
        match at.caller {
            Caller::Normal => {
                let range = plain(Space::Normal)?;
                at.spmc.is_normal_memory(&range).then_some(range).ok_or(FfaError::Denied)
            }
            Caller::Partition(partition, _) => {
                let spaces = [plain(Space::Secure)?, plain(Space::Normal)?];
                spaces.into_iter().find(|range| partition.owns(range, attributes)).ok_or(FfaError::Denied)
            }
        }
    };
    let tx = buffer(at, tx, Attributes::READ | Attributes::WRITE)?;
    let rx = buffer(at, rx, Attributes::READ)?;
    if tx.overlaps(&rx) {
        return Err(FfaError::InvalidParameters);
    }
    let accepted = mailbox(at).lock(&mut at.held).0.map(tx, rx);
    if accepted { at.done() } else { Err(FfaError::Denied) }
}

/// FFA_RXTX_UNMAP: w1 bits 31:16 the id of a VM that a hypervisor speaks for; only itself so far.
pub fn unmap(at: &mut Entry<'_>) -> Outcome {
    if abi::word(at.frame, 1) != 0 {
        return Err(FfaError::InvalidParameters);
    }
    mailbox(at).lock(&mut at.held).0.unmap()?;
    at.done()
}

/// FFA_RX_RELEASE: w1 bits 15:0 the id of a VM that a hypervisor speaks for; only itself so far.
pub fn rx_release(at: &mut Entry<'_>) -> Outcome {
    if abi::word(at.frame, 1) != 0 {
        return Err(FfaError::InvalidParameters);
    }
    match release_rx(at) {
        Err(RxError::NotOwner) => Err(FfaError::Denied),
        other => Ok(other?),
    }?;
    at.done()
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

fn mailbox<'a>(at: &Entry<'a>) -> &'a Lock<order::Partition, Mailbox> {
    match at.caller {
        Caller::Normal => &at.spmc.normal().mailbox,
        Caller::Partition(partition, _) => partition.mailbox(),
    }
}

const _: () = assert!(MAX_PAGES * PAGE_SIZE == 64 << 10);

//! Memory that a partition sends to others, and memory that it borrows (FF-A, DEN0140), in the layouts of FF-A 1.2.

use arm_ffa::{FfaError, FuncId};

use crate::buffers::Buffers;
use crate::ffa::{self, Registers};

/// Memory of the Normal world is at its own address above this one.
pub const NORMAL: u64 = 1 << 38;

/// Permissions: data, read-only.
pub const READ: u8 = 1;
/// Permissions: data, read and write.
pub const WRITE: u8 = 2;
/// Flag: other receivers are not named in a request.
const BYPASS: u32 = 1 << 10;
/// Attributes: Normal memory, write-back, inner shareable.
const NORMAL_MEMORY: u64 = 0x2f;

/// Bytes of a descriptor's own part, of a receiver, of what is said of all ranges, and of a range.
const HEADER: u64 = 48;
const RECEIVER: u64 = 32;
const COMPOSITE: u64 = 16;
const RANGE: u64 = 16;

/// How memory is sent.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Both have access.
    Share,
    /// The receiver alone has access.
    Lend,
    /// The receiver becomes the owner.
    Donate,
}

/// What a partition has retrieved.
#[derive(Clone, Copy, Default)]
pub struct Retrieved {
    /// Attributes of the memory.
    pub attributes: u16,
    /// What the partition may do with it.
    pub permissions: u8,
    /// Pages in all.
    pub pages: u64,
    /// Ranges.
    pub ranges: u64,
    /// The first address.
    pub first: u64,
    /// Pages of all ranges together, as they were told.
    told: u64,
}

/// The first words of a descriptor: who sends, attributes, flags, the handle, one receiver.
fn header(sender: u16, attributes: u64, flags: u32, handle: u64) -> [u64; 6] {
    let first = u64::from(sender) | attributes << 16 | u64::from(flags) << 32;
    [first, handle, 0, RECEIVER | 1 << 32, HEADER, 0]
}

/// Sends pages of the partition's own to another one: the handle.
///
/// # Errors
/// That of the call.
pub fn send<const N: usize>(
    buffers: &Buffers<N>,
    kind: Kind,
    (from, to): (u16, u16),
    (address, pages): (u64, u64),
) -> Result<u64, FfaError> {
    let (function, attributes, permissions) = match kind {
        Kind::Share => (FuncId::MemShare32, NORMAL_MEMORY, WRITE),
        Kind::Lend => (FuncId::MemLend32, 0, WRITE),
        Kind::Donate => (FuncId::MemDonate32, 0, 0),
    };
    let [a, b, c, d, e, f] = header(from, attributes, 0, 0);
    let composite = HEADER + RECEIVER;
    let receiver = u64::from(to) | u64::from(permissions) << 16 | composite << 32;
    let length = composite + COMPOSITE + RANGE;
    let tx = buffers.claim();
    tx.fill(&[a, b, c, d, e, f, receiver, 0, 0, 0, pages | 1 << 32, 0, address, pages]);
    let answer = until_free(|| ffa::request(function, [length, length]))?;
    Ok(answer[2] & 0xffff_ffff | answer[3] << 32)
}

/// Retrieves what `sender` has sent, with these permissions. `bypass`: other receivers are not named.
///
/// # Errors
/// That of the call.
///
/// # Panics
/// If the response contradicts itself.
pub fn retrieve<const N: usize>(
    buffers: &Buffers<N>,
    (own, sender): (u16, u16),
    handle: u64,
    (permissions, bypass): (u8, bool),
) -> Result<Retrieved, FfaError> {
    let length = HEADER + RECEIVER;
    let [a, b, c, d, e, f] = header(sender, 0, if bypass { BYPASS } else { 0 }, handle);
    let receiver = u64::from(own) | u64::from(permissions) << 16;
    let answer = {
        let tx = buffers.claim();
        tx.fill(&[a, b, c, d, e, f, receiver, 0, 0, 0]);
        until_free(|| ffa::request(FuncId::MemRetrieveReq32, [length, length]))?
    };
    let (total, mut here) = (answer[1], answer[2]);
    let word = |at: u64| buffers.answer(at as usize);
    let (pages, ranges) = (word(length) & 0xffff_ffff, word(length) >> 32);
    let mut got = Retrieved {
        attributes: (word(0) >> 16) as u16,
        permissions: (word(HEADER) >> 16) as u8,
        pages,
        ranges,
        first: word(length + COMPOSITE),
        told: 0,
    };
    let mut at = length + COMPOSITE;
    let mut end = here;
    loop {
        while at < here {
            got.told += word(at + 8) & 0xffff_ffff;
            at += RANGE;
        }
        ffa::rx_release()?;
        if end == total {
            break;
        }
        let more = [handle & 0xffff_ffff, handle >> 32, end];
        let answer = until_free(|| ffa::request(FuncId::MemFragRx, more))?;
        (at, here) = (0, answer[3]);
        end += here;
    }
    assert!(got.told == pages && total == length + COMPOSITE + ranges * RANGE, "{total} bytes");
    Ok(got)
}

/// Gives memory back; `flags` bit 0: it is zeroed.
///
/// # Errors
/// That of the call.
pub fn relinquish<const N: usize>(
    buffers: &Buffers<N>,
    own: u16,
    handle: u64,
    flags: u32,
) -> Result<(), FfaError> {
    let tx = buffers.claim();
    tx.fill(&[handle, u64::from(flags) | 1 << 32, own.into()]);
    until_free(|| ffa::request(FuncId::MemRelinquish, [])).map(drop)
}

/// Has memory back; `flags` as in [`relinquish`].
///
/// # Errors
/// That of the call.
pub fn reclaim(handle: u64, flags: u32) -> Result<(), FfaError> {
    let arguments = [handle & 0xffff_ffff, handle >> 32, flags.into()];
    until_free(|| ffa::request(FuncId::MemReclaim, arguments)).map(drop)
}

/// Makes a call again while somebody else has what it needs: a buffer, or the transaction.
fn until_free(call: impl Fn() -> Result<Registers, FfaError>) -> Result<Registers, FfaError> {
    loop {
        match call() {
            Err(FfaError::Busy) => drop(ffa::yield_cycles(0)),
            end => return end,
        }
    }
}

//! Memory that a partition sends to others, and memory that it borrows (FF-A, DEN0140), in the layouts of FF-A 1.2.

use arm_ffa::{FfaError, FuncId};

use crate::buffers::Buffers;
use crate::ffa::{self, Registers};

/// Memory of the Normal world is at its own address above this one.
pub const NORMAL: u64 = 1 << 47;

/// Permissions: data, read-only.
pub const READ: u8 = 1;
/// Permissions: data, read and write.
pub const WRITE: u8 = 2;
/// Flag: other receivers are not named in a request.
pub const BYPASS: u32 = 1 << 10;
/// Attributes: Normal memory, write-back, inner shareable.
pub const NORMAL_MEMORY: u16 = 0x2f;

/// Bytes of a descriptor's own part, of a receiver, of what is said of all ranges, and of a range.
pub const HEADER: u64 = 48;
/// See [`HEADER`].
pub const RECEIVER: u64 = 32;
/// See [`HEADER`].
pub const COMPOSITE: u64 = 16;
/// See [`HEADER`].
pub const RANGE: u64 = 16;

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

impl Kind {
    /// All three.
    pub const ALL: [Self; 3] = [Self::Share, Self::Lend, Self::Donate];

    /// The function that sends memory so.
    #[must_use]
    pub const fn function(self) -> FuncId {
        match self {
            Self::Share => FuncId::MemShare32,
            Self::Lend => FuncId::MemLend32,
            Self::Donate => FuncId::MemDonate32,
        }
    }

    /// The attributes that a sender gives for a single receiver, which says itself how it has what is its alone.
    #[must_use]
    pub const fn attributes(self) -> u16 {
        match self {
            Self::Share => NORMAL_MEMORY,
            Self::Lend | Self::Donate => 0,
        }
    }

    /// The most that a sender can say of what a receiver may do: nothing, where that becomes the owner.
    #[must_use]
    pub const fn permissions(self) -> u8 {
        match self {
            Self::Share | Self::Lend => WRITE,
            Self::Donate => 0,
        }
    }
}

/// What a sender says of memory, or a retriever.
#[derive(Clone, Copy)]
pub struct Descriptor<'a> {
    /// Who sends it.
    pub sender: u16,
    /// Attributes of the memory.
    pub attributes: u16,
    /// Flags.
    pub flags: u32,
    /// The handle; a sender has none yet.
    pub handle: u64,
    /// Receivers, and what they may do.
    pub receivers: &'a [(u16, u8)],
    /// Ranges: address and pages. A retriever names none.
    pub ranges: &'a [(u64, u64)],
}

impl Descriptor<'_> {
    /// Where what is said of all ranges begins: behind the receivers.
    #[must_use]
    pub const fn composite(&self) -> u64 {
        HEADER + RECEIVER * self.receivers.len() as u64
    }

    /// Has `put` write its words, each at its offset: how many bytes it has.
    pub fn write(&self, mut put: impl FnMut(usize, u64)) -> u64 {
        let mut at = 0;
        let mut add = |words: &[u64]| {
            for word in words {
                put(at, *word);
                at += 8;
            }
        };
        let first = u64::from(self.sender) | u64::from(self.attributes) << 16 | u64::from(self.flags) << 32;
        let count = self.receivers.len() as u64;
        add(&[first, self.handle, 0, RECEIVER | count << 32, HEADER, 0]);
        let composite = if self.ranges.is_empty() { 0 } else { self.composite() };
        for (endpoint, permissions) in self.receivers {
            add(&[u64::from(*endpoint) | u64::from(*permissions) << 16 | composite << 32, 0, 0, 0]);
        }
        if !self.ranges.is_empty() {
            let pages = self.ranges.iter().fold(0_u32, |sum, (_, pages)| sum.wrapping_add(*pages as u32));
            add(&[u64::from(pages) | (self.ranges.len() as u64) << 32, 0]);
        }
        self.ranges.iter().for_each(|(address, pages)| add(&[*address, *pages]));
        at as u64
    }
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

/// A handle as two registers have it.
#[must_use]
pub const fn halves(handle: u64) -> [u64; 2] {
    [handle & 0xffff_ffff, handle >> 32]
}

/// Sends pages of the partition's own to another one: the handle.
///
/// # Errors
/// That of the call.
pub fn send<const N: usize>(
    buffers: &Buffers<N>,
    kind: Kind,
    (sender, to): (u16, u16),
    pages: (u64, u64),
) -> Result<u64, FfaError> {
    let (receivers, ranges) = ([(to, kind.permissions())], [pages]);
    let attributes = kind.attributes();
    let descriptor =
        Descriptor { sender, attributes, flags: 0, handle: 0, receivers: &receivers, ranges: &ranges };
    offer(buffers, kind, &descriptor)
}

/// Sends what the descriptor says: the handle.
///
/// # Errors
/// That of the call.
pub fn offer<const N: usize>(
    buffers: &Buffers<N>,
    kind: Kind,
    descriptor: &Descriptor<'_>,
) -> Result<u64, FfaError> {
    let tx = buffers.claim();
    let length = descriptor.write(|at, word| tx.fill(at, &[word]));
    let answer = until_free(|| ffa::request(kind.function(), [length, length]))?;
    Ok(answer[2] & 0xffff_ffff | answer[3] << 32)
}

/// Asks for memory, as the descriptor says: bytes of the response in all, and bytes in RX.
///
/// # Errors
/// That of the call.
pub fn ask<const N: usize>(
    buffers: &Buffers<N>,
    descriptor: &Descriptor<'_>,
) -> Result<(u64, u64), FfaError> {
    let tx = buffers.claim();
    let length = descriptor.write(|at, word| tx.fill(at, &[word]));
    let answer = until_free(|| ffa::request(FuncId::MemRetrieveReq32, [length, length]))?;
    Ok((answer[1], answer[2]))
}

/// Has the response go on that begins with `told` bytes: how many more there are in RX.
///
/// # Errors
/// That of the call.
pub fn more(handle: u64, told: u64) -> Result<u64, FfaError> {
    let [low, high] = halves(handle);
    until_free(|| ffa::request(FuncId::MemFragRx, [low, high, told])).map(|answer| answer[3])
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
    let flags = if bypass { BYPASS } else { 0 };
    let receivers = [(own, permissions)];
    let asked = Descriptor { sender, attributes: 0, flags, handle, receivers: &receivers, ranges: &[] };
    let (total, mut here) = ask(buffers, &asked)?;
    let length = asked.composite();
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
        (at, here) = (0, more(handle, end)?);
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
    tx.fill(0, &[handle, u64::from(flags) | 1 << 32, own.into()]);
    until_free(|| ffa::request(FuncId::MemRelinquish, [])).map(drop)
}

/// Has memory back; `flags` as in [`relinquish`].
///
/// # Errors
/// That of the call.
pub fn reclaim(handle: u64, flags: u32) -> Result<(), FfaError> {
    let [low, high] = halves(handle);
    until_free(|| ffa::request(FuncId::MemReclaim, [low, high, flags.into()])).map(drop)
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

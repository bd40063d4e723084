//! Indirect messages of the Normal world: buffers of up to 16 pages, and payloads that say whether they are whole.
//!
//! A payload is what `mailman` expects: its sequence number, a checksum of all other words, what the receiver is to do,
//! and words that follow from the sequence number.

use core::cell::UnsafeCell;

use arm_ffa::{FfaError, FuncId};
use spin::mutex::{SpinMutex, SpinMutexGuard};

use crate::ffa::{self, Registers, expect_error, expect_success};
use crate::notifications::{self, OWN, RX_FULL};
use crate::outcome::{Failure, Outcome, expect};
use crate::pe;

/// Bytes of a page.
pub const PAGE: usize = 4096;
/// The most pages of a buffer.
pub const PAGES: usize = 16;
/// Bytes of a header since FF-A 1.2.
pub const HEADER: usize = 40;
/// The fewest words of a payload.
pub const WORDS: usize = 3;
/// Word 2 of a payload: the receiver gives its cycles away once before it takes the message.
pub const YIELDS: u64 = 1;

/// Where the fields of a header are: offset, sender (upper half) and receiver, size, UUID.
pub mod field {
    pub const OFFSET: usize = 8;
    pub const ENDPOINTS: usize = 12;
    pub const SIZE: usize = 16;
    pub const UUID: usize = 24;
}

#[repr(C, align(4096))]
struct Buffer(UnsafeCell<[[u8; PAGE]; PAGES]>);

// SAFETY: accesses are volatile and bounded; whoever holds [`Tx`] writes the one, and whoever has got the notification
// of a message reads the other.
unsafe impl Sync for Buffer {}

static TX: Buffer = Buffer(UnsafeCell::new([[0; PAGE]; PAGES]));
static RX: Buffer = Buffer(UnsafeCell::new([[0; PAGE]; PAGES]));
static TX_OWNER: SpinMutex<()> = SpinMutex::new(());

impl Buffer {
    fn pointer(&self, offset: usize) -> *mut u32 {
        assert!(offset.is_multiple_of(4) && offset + 4 <= PAGES * PAGE);
        self.0.get().wrapping_byte_add(offset).cast()
    }

    fn read(&self, offset: usize) -> u32 {
        // SAFETY: aligned, inside the buffer, and any value is a word; volatile, as another world writes it.
        unsafe { self.pointer(offset).read_volatile() }
    }

    fn read_long(&self, offset: usize) -> u64 {
        u64::from(self.read(offset)) | u64::from(self.read(offset + 4)) << 32
    }

    fn write(&self, offset: usize, word: u32) {
        // SAFETY: as in `read`.
        unsafe { self.pointer(offset).write_volatile(word) };
    }
}

/// Where the buffers are: TX, RX.
pub fn addresses() -> [u64; 2] {
    [&TX, &RX].map(|buffer| buffer.0.get() as u64)
}

/// FFA_RXTX_MAP of so many pages.
pub fn map(pages: usize) -> Registers {
    let [tx, rx] = addresses();
    ffa::call(FuncId::RxTxMap64, [tx, rx, pages as u64])
}

/// FFA_RXTX_UNMAP.
pub fn unmap() -> Registers {
    ffa::call(FuncId::RxTxUnmap, [])
}

/// Does `test` with buffers of so many pages, while the Normal world can be signalled.
pub fn mapped(pages: usize, test: impl FnOnce() -> Outcome) -> Outcome {
    notifications::signalled(|| {
        expect_success("FFA_RXTX_MAP", &map(pages))?;
        let end = test();
        end.and(expect_success("FFA_RXTX_UNMAP", &unmap()))
    })
}

/// Word `index` of a payload, but for the checksum.
fn word(index: usize, sequence: u64, what: u64) -> u64 {
    match index {
        0 => sequence,
        2 => what,
        _ => sequence.wrapping_mul(index as u64 + 0x1_0000_0001),
    }
}

/// One word more in a checksum or digest, whose order matters.
pub fn mixed(sum: u64, word: u64) -> u64 {
    (sum.rotate_left(5) ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// The checksum of a payload of so many words.
pub fn checksum(words: usize, sequence: u64, what: u64) -> u64 {
    (0..words).filter(|index| *index != 1).map(|index| word(index, sequence, what)).fold(0, mixed)
}

/// The TX buffer, for one message.
pub struct Tx {
    _owner: SpinMutexGuard<'static, ()>,
}

impl Tx {
    /// Takes it, and writes a message to `to` there.
    pub fn write(to: u64, words: usize, sequence: u64, what: u64) -> Self {
        let tx = Self::claim();
        (0..HEADER).step_by(4).for_each(|offset| tx.put(offset, 0));
        tx.put(field::OFFSET, HEADER as u32);
        tx.put(field::ENDPOINTS, (OWN << 16 | to) as u32);
        tx.put(field::SIZE, 8 * words as u32);
        for index in 0..words {
            let word = if index == 1 { checksum(words, sequence, what) } else { word(index, sequence, what) };
            tx.put(HEADER + 8 * index, word as u32);
            tx.put(HEADER + 8 * index + 4, (word >> 32) as u32);
        }
        tx
    }

    /// Takes it, with whatever is in it.
    pub fn claim() -> Self {
        Self { _owner: TX_OWNER.lock() }
    }

    /// Writes four bytes at this offset.
    pub fn put(&self, offset: usize, word: u32) {
        TX.write(offset, word);
    }

    /// FFA_MSG_SEND2, in the name of a VM where that is not 0.
    pub fn send(self, vm: u64, flags: u64) -> Registers {
        ffa::call(FuncId::MsgSend2, [vm << 16, flags])
    }
}

/// Eight bytes of the RX buffer, into which an answer was put.
pub fn answer(offset: usize) -> u64 {
    RX.read_long(offset)
}

/// Writes four bytes into the TX buffer while somebody else is sending what is there.
pub fn disturb(offset: usize, word: u32) {
    TX.write(offset, word);
}

/// Sends a message.
pub fn send(to: u64, words: usize, sequence: u64, what: u64) -> Registers {
    Tx::write(to, words, sequence, what).send(0, 0)
}

/// A message that has come back.
pub struct Echo {
    /// Who sent it back.
    pub from: u64,
    /// The number that it was sent with.
    pub sequence: u64,
    /// Words of its payload.
    pub words: usize,
}

/// Takes what is in the RX buffer, if this PE is the one that gets its notification; it must be an echo.
pub fn receive() -> Result<Option<Echo>, Failure> {
    receive_for(OWN, pe::index() as u64)
}

/// The same for a vCPU of a VM that has these buffers.
pub fn receive_for(own: u64, vcpu: u64) -> Result<Option<Echo>, Failure> {
    let got = notifications::get(own, vcpu, notifications::BY_SPM);
    expect_success("FFA_NOTIFICATION_GET", &got)?;
    if got[6] & RX_FULL == 0 {
        return Ok(None);
    }
    let [offset, endpoints, size] =
        [field::OFFSET, field::ENDPOINTS, field::SIZE].map(|offset| RX.read(offset) as usize);
    expect("the receiver of a message", endpoints as u64 & 0xffff, own)?;
    expect("a message lies in the buffer", u64::from(offset + size <= PAGES * PAGE), 1)?;
    let echoed = |index: usize| !RX.read_long(offset + 8 * index);
    let (words, sequence, what) = (size / 8, echoed(0), echoed(2));
    for index in 0..words {
        let wanted = if index == 1 { checksum(words, sequence, what) } else { word(index, sequence, what) };
        expect("a word that came back", echoed(index), wanted)?;
    }
    expect_success("FFA_RX_RELEASE", &ffa::call(FuncId::RxRelease, [own]))?;
    Ok(Some(Echo { from: endpoints as u64 >> 16, sequence, words }))
}

/// A message must have come back: this one.
pub fn expect_echo(what: &'static str, from: u64, words: usize, sequence: u64) -> Outcome {
    let echo = receive()?;
    expect(what, u64::from(echo.is_some()), 1)?;
    let Some(echo) = echo else { return Ok(()) };
    expect(what, echo.from, from)?;
    expect(what, echo.sequence, sequence)?;
    expect(what, echo.words as u64, words as u64)
}

/// None must have come back.
pub fn expect_none(what: &'static str) -> Outcome {
    expect(what, u64::from(receive()?.is_some()), 0)?;
    expect_error(what, &ffa::call(FuncId::RxRelease, []), FfaError::Denied)
}

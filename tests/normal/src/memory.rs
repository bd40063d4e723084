//! Memory that the Normal world sends (FF-A, DEN0140), in the layouts of FF-A 1.2: descriptors of any length, written
//! into the TX buffer of [`mail`] and sent in as many fragments as it takes.

use arm_ffa::{FfaError, FuncId};

use crate::ffa::{self, Registers, expect_error};
use crate::mail::{self, PAGE, PAGES, Tx};
use crate::outcome::Outcome;

/// Permissions: data, read-only.
pub const READ: u64 = 1;
/// Permissions: data, read and write.
pub const WRITE: u64 = 2;
/// Attributes: Normal memory, write-back, inner shareable.
const NORMAL_MEMORY: u64 = 0x2f;
/// Bytes of a descriptor's own part, and of a receiver.
const HEADER: u64 = 48;
const RECEIVER: u64 = 32;

/// x0-x2 of the answer by which memory was refused.
#[derive(Debug)]
pub struct Refusal([u64; 3]);

impl Refusal {
    /// As registers.
    pub fn registers(&self) -> Registers {
        let mut registers = [0; 18];
        registers[..3].copy_from_slice(&self.0);
        registers
    }
}

/// It must have been refused with this code.
pub fn expect_refused(what: &'static str, sent: Result<u64, Refusal>, error: FfaError) -> Outcome {
    let registers = sent.err().map_or([0; 18], |refusal| refusal.registers());
    expect_error(what, &registers, error)
}

/// What is sent, but for the ranges.
pub struct Offer<'a> {
    /// FFA_MEM_SHARE, LEND or DONATE.
    pub function: FuncId,
    /// The VM that the hypervisor speaks for; 0, itself.
    pub sender: u64,
    /// Receivers and their permissions.
    pub receivers: &'a [(u64, u64)],
    /// Flags; bit 0: the memory is zeroed before anybody has it.
    pub flags: u64,
}

impl<'a> Offer<'a> {
    /// Lends memory of the Normal world's own.
    pub fn lend(receivers: &'a [(u64, u64)]) -> Self {
        Self { function: FuncId::MemLend32, sender: 0, receivers, flags: 0 }
    }

    /// Shares memory of the Normal world's own.
    pub fn share(receivers: &'a [(u64, u64)]) -> Self {
        Self { function: FuncId::MemShare32, ..Self::lend(receivers) }
    }

    /// Sends ranges, each an address and a number of pages; what the last call came back with, and the handle, if it
    /// was taken.
    pub fn send(&self, ranges: impl ExactSizeIterator<Item = (u64, u64)> + Clone) -> Result<u64, Refusal> {
        let composite = HEADER + RECEIVER * self.receivers.len() as u64;
        let says_attributes = self.function == FuncId::MemShare32 || self.receivers.len() > 1;
        let attributes = if says_attributes { NORMAL_MEMORY } else { 0 };
        let count = ranges.len() as u64;
        let mut fragments = Fragments {
            tx: Tx::claim(),
            function: self.function,
            sender: self.sender,
            total: composite + 16 + 16 * count,
            here: 0,
            sent: 0,
            handle: None,
        };
        let first = self.sender | attributes << 16 | self.flags << 32;
        let header = [first, 0, 0, RECEIVER | (self.receivers.len() as u64) << 32, HEADER, 0];
        header.into_iter().try_for_each(|word| fragments.add(word))?;
        for (receiver, permissions) in self.receivers {
            let words = [receiver | permissions << 16 | composite << 32, 0, 0, 0];
            words.into_iter().try_for_each(|word| fragments.add(word))?;
        }
        let pages: u64 = ranges.clone().map(|(_, pages)| pages).sum();
        [pages | count << 32, 0].into_iter().try_for_each(|word| fragments.add(word))?;
        for (address, pages) in ranges {
            fragments.add(address)?;
            fragments.add(pages)?;
        }
        fragments.handle.ok_or(Refusal([0; 3]))
    }
}

/// A descriptor on its way.
struct Fragments {
    tx: Tx,
    function: FuncId,
    sender: u64,
    /// Bytes in all, in the buffer, and sent before.
    total: u64,
    here: u64,
    sent: u64,
    /// What the SPMC has given it.
    handle: Option<u64>,
}

impl Fragments {
    /// Adds a word, and sends what is in the buffer when that is full or all.
    fn add(&mut self, word: u64) -> Result<(), Refusal> {
        self.tx.put(self.here as usize, word as u32);
        self.tx.put(self.here as usize + 4, (word >> 32) as u32);
        self.here += 8;
        let is_all = self.sent + self.here == self.total;
        if !is_all && self.here as usize != PAGES * PAGE {
            return Ok(());
        }
        let answer = match self.handle {
            None => ffa::call(self.function, [self.total, self.here]),
            Some(handle) => {
                let [low, high] = halves(handle);
                ffa::call(FuncId::MemFragTx, [low, high, self.here, self.sender << 16])
            }
        };
        self.sent += core::mem::take(&mut self.here);
        let words = match FuncId::try_from(answer[0] as u32) {
            Ok(FuncId::Success32) if is_all => [answer[2], answer[3]],
            Ok(FuncId::MemFragRx) if !is_all && answer[3] == self.sent => [answer[1], answer[2]],
            _ => return Err(Refusal([answer[0], answer[1], answer[2]])),
        };
        self.handle = Some(words[0] & 0xffff_ffff | words[1] << 32);
        Ok(())
    }
}

fn halves(handle: u64) -> [u64; 2] {
    [handle & 0xffff_ffff, handle >> 32]
}

/// FFA_MEM_RECLAIM; `flags` bit 0: the memory is zeroed.
pub fn reclaim(handle: u64, flags: u64) -> Registers {
    let [low, high] = halves(handle);
    ffa::call(FuncId::MemReclaim, [low, high, flags])
}

/// FFA_MEM_RETRIEVE_REQ of a hypervisor that wants to be shown what was sent.
pub fn show(handle: u64) -> Registers {
    let tx = Tx::claim();
    (0..HEADER as usize).step_by(4).for_each(|offset| tx.put(offset, 0));
    tx.put(8, handle as u32);
    tx.put(12, (handle >> 32) as u32);
    ffa::call(FuncId::MemRetrieveReq32, [HEADER, HEADER])
}

/// Eight bytes of what was shown.
pub fn shown(offset: usize) -> u64 {
    mail::answer(offset)
}

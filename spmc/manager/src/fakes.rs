//! Small fakes of the hardware: the machine as scenarios, properties and fuzzing on the host see it.

extern crate std;

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, VecDeque};
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::endpoint::VcpuId;
use crate::exit::Frame;
use crate::hardware::{AccessFault, Acknowledged, Console, Interrupts, Memory, Monitor};
use crate::memory::page::{PAGE_SIZE, Pa, PageRange};

/// What all PEs share.
#[derive(Default)]
struct Shared {
    pages: BTreeMap<u64, Box<[u8]>>,
    lines: Vec<String>,
    masked: Vec<u32>,
    kicks: u32,
    monitor_calls: Vec<[u64; 18]>,
    logical: Vec<[u64; 3]>,
}

/// FFA_PARTITION_INFO_GET_REGS, which the dispatcher answers for the logical partitions at EL3.
const PARTITION_INFO_GET_REGS: u64 = 0xC400_008B;

/// One PE's view of a machine whose memory and console all PEs share.
pub struct Machine {
    ranges: Arc<[PageRange]>,
    shared: Arc<Mutex<Shared>>,
    /// Interrupts that are pending on this PE, the next one first.
    pub pending: VecDeque<u32>,
    /// Interrupts that were acknowledged and not finished.
    pub active: Vec<u32>,
    /// Whether interrupts of the Normal world are held.
    pub holds_normal: bool,
    /// Whether another PE's kick is the next interrupt.
    pub kicked: bool,
}

impl Machine {
    /// A machine with memory in these ranges and nowhere else.
    #[must_use]
    pub fn new(ranges: &[PageRange]) -> Self {
        Self::on(ranges.into(), Arc::default())
    }

    /// Another PE of the same machine.
    #[must_use]
    pub fn another(&self) -> Self {
        Self::on(self.ranges.clone(), self.shared.clone())
    }

    fn on(ranges: Arc<[PageRange]>, shared: Arc<Mutex<Shared>>) -> Self {
        Self {
            ranges,
            shared,
            pending: VecDeque::new(),
            active: Vec::new(),
            holds_normal: false,
            kicked: false,
        }
    }

    fn shared(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The lines that partitions have logged, as `name.vcpu text`.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        self.shared().lines.clone()
    }

    /// The interrupts that were masked, in order.
    #[must_use]
    pub fn masked(&self) -> Vec<u32> {
        self.shared().masked.clone()
    }

    /// How often a PE has kicked the others.
    #[must_use]
    pub fn kicks(&self) -> u32 {
        self.shared().kicks
    }

    /// x0-x17 of the SMCs that went to EL3 and were not for the dispatcher, in order.
    #[must_use]
    pub fn monitor_calls(&self) -> Vec<[u64; 18]> {
        self.shared().monitor_calls.clone()
    }

    /// EL3 has these logical partitions: the three words of an entry of FFA_PARTITION_INFO_GET_REGS for each.
    pub fn set_logical(&self, entries: &[[u64; 3]]) {
        self.shared().logical = entries.into();
    }

    /// Hands each piece of `length` bytes at `at` that lies in one page to `touch`, with its place among them.
    fn each_piece(
        &self,
        at: Pa,
        length: u64,
        mut touch: impl FnMut(&mut [u8], usize),
    ) -> Result<(), AccessFault> {
        let end = at.address.checked_add(length).ok_or(AccessFault)?;
        let holds = |range: &PageRange| {
            range.space() == at.space && range.start() <= at.address && end <= range.end()
        };
        if !self.ranges.iter().any(holds) {
            return Err(AccessFault);
        }
        let mut shared = self.shared();
        let mut address = at.address;
        while address < end {
            let (page, offset) = (address / PAGE_SIZE, (address % PAGE_SIZE) as usize);
            let next = end.min((page + 1) * PAGE_SIZE);
            let bytes = shared.pages.entry(page).or_insert_with(|| vec![0; PAGE_SIZE as usize].into());
            let piece = &mut bytes[offset..offset + (next - address) as usize];
            touch(piece, (address - at.address) as usize);
            address = next;
        }
        Ok(())
    }
}

impl Memory for Machine {
    fn read(&mut self, from: Pa, into: &mut [u8]) -> Result<(), AccessFault> {
        self.each_piece(from, into.len() as u64, |piece, place| {
            into[place..place + piece.len()].copy_from_slice(piece);
        })
    }

    fn write(&mut self, to: Pa, bytes: &[u8]) -> Result<(), AccessFault> {
        self.each_piece(to, bytes.len() as u64, |piece, place| {
            piece.copy_from_slice(&bytes[place..place + piece.len()]);
        })
    }

    fn zero(&mut self, to: Pa, length: u64) -> Result<(), AccessFault> {
        self.each_piece(to, length, |piece, _| piece.fill(0))
    }
}

impl Interrupts for Machine {
    fn acknowledge(&mut self) -> Acknowledged {
        if core::mem::take(&mut self.kicked) {
            return Acknowledged::Kick;
        }
        match self.pending.pop_front() {
            Some(id) => {
                self.active.push(id);
                Acknowledged::Secure(id)
            }
            None => Acknowledged::Normal,
        }
    }

    fn finish(&mut self, id: u32) {
        self.active.retain(|active| *active != id);
    }

    fn mask(&mut self, id: u32) {
        self.shared().masked.push(id);
    }

    fn hold_normal(&mut self) {
        self.holds_normal = true;
    }

    fn release_normal(&mut self) {
        self.holds_normal = false;
    }

    fn kick_others(&mut self) {
        self.shared().kicks += 1;
    }
}

impl Monitor for Machine {
    /// As the dispatcher answers for its logical partitions, one entry at a time; anything else comes back with
    /// each register inverted.
    fn call(&mut self, frame: &mut Frame) {
        let mut shared = self.shared();
        if frame.x[0] != PARTITION_INFO_GET_REGS {
            shared.monitor_calls.push(frame.x);
            frame.x = frame.x.map(|x| !x);
            return;
        }
        let start = (frame.x[3] & 0xFFFF) as usize;
        let count = shared.logical.len() as u64;
        match shared.logical.get(start) {
            Some(entry) => {
                frame.x = [0; 18];
                frame.x[0] = 0xC400_0061;
                frame.x[2] = 24 << 48 | (start as u64) << 16 | (count - 1);
                frame.x[3..6].copy_from_slice(entry);
            }
            None => frame.x[..3].copy_from_slice(&[0x8400_0060, 0, 0xFFFF_FFFE]),
        }
    }
}

impl Console for Machine {
    fn partition_line(&mut self, from: VcpuId, name: &str, line: &[u8]) {
        let text = String::from_utf8_lossy(line).to_string();
        self.shared().lines.push(alloc::format!("{name}.{} {text}", from.index()));
    }
}

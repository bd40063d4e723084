//! Small fakes of the hardware: the machine as scenarios, properties and fuzzing on the host see it.

extern crate std;

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, VecDeque};
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::endpoint::{CpuId, VcpuId};
use crate::exit::Frame;
use crate::hardware::{
    AccessFault, Acknowledged, Console, Interrupts, Memory, Monitor, Side, Tag, Timer, Tlb,
};
use crate::memory::page::{PAGE_SIZE, Pa, PageRange};
use crate::memory::table::{ENTRIES, TableFrame};

pub use crate::sync::Watched;

/// A page of memory.
struct Page {
    bytes: Box<[u8]>,
    watched: Watched,
}

/// What all PEs share.
#[derive(Default)]
struct Shared {
    pages: BTreeMap<u64, Page>,
    lines: Vec<String>,
    masked: Vec<u32>,
    kicks: u32,
    kicked: Vec<u16>,
    raised: Vec<u16>,
    invalidated: Vec<(Tag, PageRange)>,
    count: u64,
    active: Vec<u32>,
    monitor_calls: Vec<[u64; 18]>,
    logical: Vec<[u64; 3]>,
}

/// FFA_PARTITION_INFO_GET_REGS, which the dispatcher answers for the logical partitions at EL3.
const PARTITION_INFO_GET_REGS: u64 = 0xC400_008B;

/// What happens once, after so many accesses of memory.
type Meanwhile = (u32, Box<dyn FnOnce() + Send + Sync>);

/// One PE's view of a machine whose memory and console all PEs share.
pub struct Machine {
    ranges: Arc<[PageRange]>,
    shared: Arc<Mutex<Shared>>,
    /// Interrupts that are pending on this PE, the next one first.
    pub pending: VecDeque<u32>,
    /// Whether interrupts of the Normal world are held.
    pub holds_normal: bool,
    /// Whether another PE's kick is the next interrupt.
    pub kicked: bool,
    /// When this PE's timer interrupts; [`u64::MAX`] is never.
    pub deadline: u64,
    meanwhile: Option<Meanwhile>,
}

/// Counts of the system counter in a second.
const FREQUENCY: u32 = 1_000_000_000;

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
            holds_normal: false,
            kicked: false,
            deadline: u64::MAX,
            meanwhile: None,
        }
    }

    /// Has `act` happen after this many further accesses of memory by this PE, the last of which has been made then.
    pub fn meanwhile(&mut self, accesses: u32, act: impl FnOnce() + Send + Sync + 'static) {
        self.meanwhile = Some((accesses, Box::new(act)));
    }

    fn accessed(&mut self) {
        match self.meanwhile.take() {
            Some((0 | 1, act)) => act(),
            Some((accesses, act)) => self.meanwhile = Some((accesses - 1, act)),
            None => {}
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

    /// The interrupts of devices that were acknowledged and not finished, by whatever PE.
    #[must_use]
    pub fn active(&self) -> Vec<u32> {
        self.shared().active.clone()
    }

    /// How often a PE has kicked the others.
    #[must_use]
    pub fn kicks(&self) -> u32 {
        self.shared().kicks
    }

    /// The PEs that were kicked one by one, in order, since the last time.
    #[must_use]
    pub fn take_kicked(&self) -> Vec<u16> {
        self.shared().kicked.drain(..).collect()
    }

    /// Whether this PE was kicked since the last time.
    #[must_use]
    pub fn take_kick(&self, cpu: CpuId) -> bool {
        let kicked = &mut self.shared().kicked;
        let before = kicked.len();
        kicked.retain(|kicked| *kicked != cpu.get());
        kicked.len() < before
    }

    /// The PEs on which the schedule receiver interrupt was raised, in order, since the last time.
    #[must_use]
    pub fn take_raised(&self) -> Vec<u16> {
        self.shared().raised.drain(..).collect()
    }

    /// What the TLBs were told to forget, and whose, in order, since the last time.
    #[must_use]
    pub fn take_invalidated(&self) -> Vec<(Tag, PageRange)> {
        self.shared().invalidated.drain(..).collect()
    }

    /// The system counter shows this from now on.
    pub fn set_count(&self, count: u64) {
        self.shared().count = count;
    }

    /// Whether this PE's timer interrupts.
    #[must_use]
    pub fn is_due(&self) -> bool {
        self.deadline <= self.shared().count
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

    /// Hands each piece of `length` bytes at `at` that lies in one page to `touch`, with its place among them; `watch`
    /// says how it is used.
    fn each_piece(
        &self,
        at: Pa,
        length: u64,
        watch: fn(&Watched),
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
            let new = || Page { bytes: vec![0; PAGE_SIZE as usize].into(), watched: Watched::default() };
            let page = shared.pages.entry(page).or_insert_with(new);
            watch(&page.watched);
            let piece = &mut page.bytes[offset..offset + (next - address) as usize];
            touch(piece, (address - at.address) as usize);
            address = next;
        }
        Ok(())
    }
}

impl Memory for Machine {
    fn read(&mut self, from: Pa, into: &mut [u8]) -> Result<(), AccessFault> {
        let read = self.each_piece(from, into.len() as u64, Watched::look, |piece, place| {
            into[place..place + piece.len()].copy_from_slice(piece);
        });
        self.accessed();
        read
    }

    fn write(&mut self, to: Pa, bytes: &[u8]) -> Result<(), AccessFault> {
        let written = self.each_piece(to, bytes.len() as u64, Watched::touch, |piece, place| {
            piece.copy_from_slice(&bytes[place..place + piece.len()]);
        });
        self.accessed();
        written
    }

    fn copy(&mut self, from: Pa, to: Pa, length: u64) -> Result<(), Side> {
        let mut bytes = [0; PAGE_SIZE as usize];
        for done in (0..length).step_by(bytes.len()) {
            let piece = &mut bytes[..(length - done).min(PAGE_SIZE) as usize];
            let at = |side: Pa| Pa { address: side.address + done, ..side };
            self.read(at(from), piece).map_err(|AccessFault| Side::Source)?;
            self.write(at(to), piece).map_err(|AccessFault| Side::Target)?;
        }
        Ok(())
    }

    fn zero(&mut self, to: Pa, length: u64) -> Result<(), AccessFault> {
        self.each_piece(to, length, Watched::touch, |piece, _| piece.fill(0))
    }
}

impl Tlb for Machine {
    fn publish(&mut self) {}

    fn invalidate(&mut self, whose: Tag, range: PageRange) {
        self.shared().invalidated.push((whose, range));
    }
}

impl Interrupts for Machine {
    fn acknowledge(&mut self) -> Acknowledged {
        if core::mem::take(&mut self.kicked) {
            return Acknowledged::Kick;
        }
        if self.is_due() {
            self.deadline = u64::MAX;
            return Acknowledged::Timer;
        }
        match self.pending.pop_front() {
            Some(id) => {
                self.shared().active.push(id);
                Acknowledged::Secure(id)
            }
            None => Acknowledged::Normal,
        }
    }

    fn deactivate(&mut self, id: u32) {
        self.shared().active.retain(|active| *active != id);
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

    fn kick(&mut self, cpu: CpuId) {
        self.shared().kicked.push(cpu.get());
    }

    fn raise_schedule_receiver(&mut self, cpu: CpuId) {
        self.shared().raised.push(cpu.get());
    }
}

impl Timer for Machine {
    fn now(&mut self) -> u64 {
        self.shared().count
    }

    fn frequency(&mut self) -> u32 {
        FREQUENCY
    }

    fn arm(&mut self, deadline: u64) {
        self.deadline = deadline;
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

/// A word of a table.
#[must_use]
pub fn word(frame: &TableFrame, index: usize) -> u64 {
    frame.get(index)
}

/// Empties a frame that no pool has any more, for another one.
pub fn clear(frame: &TableFrame) {
    (0..ENTRIES).for_each(|index| frame.set(index, 0));
}

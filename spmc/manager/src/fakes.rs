//! Small fakes of the hardware: the machine as scenarios, properties and fuzzing on the host see it.

extern crate std;

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, VecDeque};
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::endpoint::VcpuId;
use crate::hardware::{AccessFault, Acknowledged, Console, Interrupts, Memory};
use crate::memory::page::{PAGE_SIZE, Pa, PageRange};

/// What all PEs share.
#[derive(Default)]
struct Shared {
    pages: BTreeMap<u64, Box<[u8]>>,
    lines: Vec<String>,
    masked: Vec<u32>,
}

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
        Self { ranges, shared, pending: VecDeque::new(), active: Vec::new(), holds_normal: false }
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
}

impl Console for Machine {
    fn partition_line(&mut self, from: VcpuId, name: &str, line: &[u8]) {
        let text = String::from_utf8_lossy(line).to_string();
        self.shared().lines.push(alloc::format!("{name}.{} {text}", from.index()));
    }
}

//! The machine as the manager's step sees it on one PE: memory by physical address, interrupts, time, the
//! console.
#![expect(
    unsafe_code,
    reason = "copies inside ranges that the final tables map, by routines that survive a fault"
)]

use alloc::vec::Vec;

use manager::endpoint::{CpuId, VcpuId};
use manager::exit::Frame;
use manager::hardware::{
    AccessFault, Acknowledged, Console, Interrupts, Memory, Monitor, NEVER, Side, Tag, Timer, Tlb,
};
use manager::memory::page::{Pa, PageRange};

use crate::console::{self, Printable};
use crate::gic::{self, Gic};
use crate::timer::SecureTimer;
use crate::{layout, normal, sysregs, timer, tlb};

unsafe extern "C" {
    /// See guarded.S.
    fn guarded_copy(to: *mut u8, from: *const u8, length: u64) -> u64;
    fn guarded_zero(to: *mut u8, unused: u64, length: u64) -> u64;
}

/// The ranges that the SPMC manifest declares as memory.
pub struct Ranges {
    mapped: Vec<PageRange>,
    own: PageRange,
}

impl Ranges {
    /// `mapped` without the SPMC's `own` memory.
    #[must_use]
    pub fn new(mapped: Vec<PageRange>, own: PageRange) -> Self {
        Self { mapped, own }
    }

    /// The virtual address of `length` bytes at `pa`, if all of them may be touched.
    fn find(&self, pa: Pa, length: u64) -> Result<usize, AccessFault> {
        let end = pa.address.checked_add(length).ok_or(AccessFault)?;
        let inside = |range: &PageRange| {
            range.space() == pa.space && range.start() <= pa.address && end <= range.end()
        };
        let own = pa.address < self.own.end() && self.own.start() < end;
        if own || !self.mapped.iter().any(inside) {
            return Err(AccessFault);
        }
        Ok(layout::virtual_address(pa.address))
    }
}

/// One PE's view of the machine.
pub struct Machine {
    ranges: &'static Ranges,
    gic: Gic,
    timer: SecureTimer,
    /// The priority mask from before interrupts of the Normal world were held, while they are.
    held: Option<u8>,
}

impl Machine {
    /// The machine as this PE sees it.
    #[must_use]
    pub fn new(ranges: &'static Ranges, gic: Gic) -> Self {
        Self { ranges, gic, timer: SecureTimer::start(), held: None }
    }

    /// The PE goes off.
    pub fn stop(&mut self) {
        self.timer.arm(NEVER);
        self.gic.stop();
    }
}

/// What a guarded routine answers: which access faulted, if one did.
fn done(answer: u64) -> Result<(), Side> {
    match answer {
        0 => Ok(()),
        1 => Err(Side::Source),
        _ => Err(Side::Target),
    }
}

impl Memory for Machine {
    fn read(&mut self, from: Pa, into: &mut [u8]) -> Result<(), AccessFault> {
        let from = self.ranges.find(from, into.len() as u64)?;
        let from = core::ptr::with_exposed_provenance(from);
        // SAFETY: `into` is ours; the source is mapped outside the SPMC's own memory, and a fault ends the copy.
        done(unsafe { guarded_copy(into.as_mut_ptr(), from, into.len() as u64) }).map_err(|_| AccessFault)
    }

    fn write(&mut self, to: Pa, bytes: &[u8]) -> Result<(), AccessFault> {
        let to = self.ranges.find(to, bytes.len() as u64)?;
        let to = core::ptr::with_exposed_provenance_mut(to);
        // SAFETY: the target is mapped outside the SPMC's own memory, where no Rust object lives.
        done(unsafe { guarded_copy(to, bytes.as_ptr(), bytes.len() as u64) }).map_err(|_| AccessFault)
    }

    fn copy(&mut self, from: Pa, to: Pa, length: u64) -> Result<(), Side> {
        let from = self.ranges.find(from, length).map_err(|AccessFault| Side::Source)?;
        let to = self.ranges.find(to, length).map_err(|AccessFault| Side::Target)?;
        let from = core::ptr::with_exposed_provenance(from);
        // SAFETY: both are mapped outside the SPMC's own memory, and a fault ends the copy; they may overlap.
        done(unsafe { guarded_copy(core::ptr::with_exposed_provenance_mut(to), from, length) })
    }

    fn zero(&mut self, to: Pa, length: u64) -> Result<(), AccessFault> {
        let to = self.ranges.find(to, length)?;
        // SAFETY: as in `write`.
        done(unsafe { guarded_zero(core::ptr::with_exposed_provenance_mut(to), 0, length) })
            .map_err(|_| AccessFault)
    }
}

impl Tlb for Machine {
    fn publish(&mut self) {
        sysregs::publish_tables_of_partitions();
    }

    fn invalidate(&mut self, whose: Tag, range: PageRange) {
        tlb::invalidate(whose, range);
    }
}

impl Interrupts for Machine {
    fn acknowledge(&mut self) -> Acknowledged {
        match self.gic.acknowledge() {
            None => Acknowledged::Normal,
            Some(gic::KICK) => {
                self.gic.deactivate(gic::KICK);
                Acknowledged::Kick
            }
            Some(timer::INTERRUPT) => {
                self.timer.silence();
                self.gic.deactivate(timer::INTERRUPT);
                Acknowledged::Timer
            }
            Some(id) => Acknowledged::Secure(id),
        }
    }

    fn deactivate(&mut self, id: u32) {
        self.gic.deactivate(id);
    }

    fn mask(&mut self, id: u32) {
        self.gic.mask(id);
    }

    fn hold_normal(&mut self) {
        if self.held.is_none() {
            self.held = Some(self.gic.hold_normal());
        }
    }

    fn release_normal(&mut self) {
        if let Some(before) = self.held.take() {
            self.gic.release_normal(before);
        }
    }

    fn kick_others(&mut self) {
        self.gic.kick_others();
    }

    fn kick(&mut self, cpu: CpuId) {
        self.gic.kick(cpu);
    }

    fn raise_schedule_receiver(&mut self, cpu: CpuId) {
        self.gic.raise_schedule_receiver(cpu);
    }
}

impl Timer for Machine {
    fn now(&mut self) -> u64 {
        timer::now()
    }

    fn frequency(&mut self) -> u32 {
        timer::frequency()
    }

    fn arm(&mut self, deadline: u64) {
        self.timer.arm(deadline);
    }
}

impl Monitor for Machine {
    fn call(&mut self, frame: &mut Frame) {
        normal::exchange(frame);
    }
}

impl Console for Machine {
    fn partition_line(&mut self, from: VcpuId, name: &str, line: &[u8]) {
        console::line(format_args!("[{name}.{}] {}", from.index(), Printable(line)));
    }
}

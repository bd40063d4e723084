//! The seam: what a step may ask of the machine. Where the PE goes is not here; that is `exit::Next`.

use crate::endpoint::{CpuId, VcpuId};
use crate::exit::Frame;
use crate::memory::page::{Pa, PageRange};

/// The address is not mapped, or the access faulted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AccessFault;

/// Which end of a copy between two endpoints could not be accessed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Where the bytes come from.
    Source,
    /// Where they go.
    Target,
}

/// Physical memory: the secure pool and the Normal-world ranges that the SPMC manifest declares, and nothing else.
pub trait Memory {
    /// Copies `into.len()` bytes from `from`, once.
    fn read(&mut self, from: Pa, into: &mut [u8]) -> Result<(), AccessFault>;
    /// Copies `bytes` to `to`.
    fn write(&mut self, to: Pa, bytes: &[u8]) -> Result<(), AccessFault>;
    /// Copies `length` bytes from `from` to `to`, each once and by way of nothing.
    fn copy(&mut self, from: Pa, to: Pa, length: u64) -> Result<(), Side>;
    /// Writes `length` zero bytes to `to`.
    fn zero(&mut self, to: Pa, length: u64) -> Result<(), AccessFault>;
}

/// The schedule receiver interrupt: an SGI of the Normal world.
pub const SCHEDULE_RECEIVER: u32 = 8;

/// A physical interrupt as the GIC's CPU interface shows it at S-EL2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Acknowledged {
    /// A secure Group 1 interrupt of this INTID: now active, its priority dropped; it does not come again before
    /// [`Interrupts::deactivate`].
    Secure(u32),
    /// That of [`Timer::arm`]; already finished, and the timer is off.
    Timer,
    /// A PE's [`Interrupts::kick`]; already finished.
    Kick,
    /// None of ours: one of the Normal world is pending, or it has gone away.
    Normal,
}

/// The GIC, on this PE.
pub trait Interrupts {
    /// Takes the highest-priority pending interrupt.
    fn acknowledge(&mut self) -> Acknowledged;
    /// Lets an acknowledged interrupt come again (EOImode 1: Arm IHI 0069, 4.1.1).
    fn deactivate(&mut self, id: u32);
    /// Disables an interrupt: it does not come again.
    fn mask(&mut self, id: u32);
    /// Keeps interrupts of the Normal world pending, by the PE's priority mask: they take the PE from nobody.
    fn hold_normal(&mut self);
    /// Ends [`Interrupts::hold_normal`]: the priority mask is again what it was before.
    fn release_normal(&mut self);
    /// Has every other PE come back, to honour a request that it finds in the shared state.
    fn kick_others(&mut self);
    /// Has this PE come back, the own one as soon as it has left the SPMC. Nothing where it is off.
    fn kick(&mut self, cpu: CpuId);
    /// Raises the schedule receiver interrupt, which is the Normal world's, on this PE; on the own one where that is
    /// off.
    fn raise_schedule_receiver(&mut self, cpu: CpuId);
}

/// A deadline that does not come.
pub const NEVER: u64 = u64::MAX;

/// The timer of S-EL2 on this PE. Times are counts of the system counter.
pub trait Timer {
    /// The count now.
    fn now(&mut self) -> u64;
    /// Counts in a second.
    fn frequency(&mut self) -> u32;
    /// Has the timer's interrupt come when the count has reached `deadline`; [`NEVER`] turns it off.
    fn arm(&mut self, deadline: u64);
}

/// By what a TLB tells a partition's translations from those of others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tag {
    /// Of the EL1&0 regime: a partition at S-EL1.
    Vmid(u16),
    /// Of the EL2&0 regime: a partition at S-EL0.
    Asid(u16),
}

/// The TLBs of all PEs, and what else an MMU keeps of partitions' tables.
pub trait Tlb {
    /// Entries that were written into tables are seen by walks that begin later.
    fn publish(&mut self);
    /// Nothing is kept any more of the translation of these addresses, each of which is mapped to itself: IPAs in the
    /// space of the range under a VMID, virtual addresses under an ASID.
    fn invalidate(&mut self, whose: Tag, range: PageRange);
}

/// EL3.
pub trait Monitor {
    /// An SMC that returns at once: x0-x17 go in and come out in `frame`. Never with a lock held.
    fn call(&mut self, frame: &mut Frame);
}

/// The console.
pub trait Console {
    /// Shows one line (no line end) that a partition's vCPU logged by FFA_CONSOLE_LOG.
    fn partition_line(&mut self, from: VcpuId, name: &str, line: &[u8]);
}

/// All of it, as a step gets it: one for each PE.
pub trait Hardware: Memory + Tlb + Interrupts + Timer + Monitor + Console {}
impl<T: Memory + Tlb + Interrupts + Timer + Monitor + Console + ?Sized> Hardware for T {}

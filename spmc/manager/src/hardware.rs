//! The seam: what a step may ask of the machine. Where the PE goes is not here; that is `exit::Next`.

use crate::endpoint::VcpuId;
use crate::exit::Frame;
use crate::memory::page::Pa;

/// The address is not mapped, or the access faulted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AccessFault;

/// Physical memory: the secure pool and the Normal-world ranges that the SPMC manifest declares, and nothing else.
pub trait Memory {
    /// Copies `into.len()` bytes from `from`, once.
    fn read(&mut self, from: Pa, into: &mut [u8]) -> Result<(), AccessFault>;
    /// Copies `bytes` to `to`.
    fn write(&mut self, to: Pa, bytes: &[u8]) -> Result<(), AccessFault>;
    /// Writes `length` zero bytes to `to`.
    fn zero(&mut self, to: Pa, length: u64) -> Result<(), AccessFault>;
}

/// A physical interrupt as the GIC's CPU interface shows it at S-EL2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Acknowledged {
    /// A secure Group 1 interrupt of this INTID: now active, its priority not dropped.
    Secure(u32),
    /// Another PE's [`Interrupts::kick_others`]; already finished.
    Kick,
    /// None of ours: one of the Normal world is pending, or it has gone away.
    Normal,
}

/// The GIC, on this PE.
pub trait Interrupts {
    /// Takes the highest-priority pending interrupt.
    fn acknowledge(&mut self) -> Acknowledged;
    /// Drops the priority of an acknowledged interrupt and deactivates it.
    fn finish(&mut self, id: u32);
    /// Disables an interrupt: it does not come again.
    fn mask(&mut self, id: u32);
    /// Keeps interrupts of the Normal world pending, by the PE's priority mask: they take the PE from nobody.
    fn hold_normal(&mut self);
    /// Ends [`Interrupts::hold_normal`]: the priority mask is again what it was before.
    fn release_normal(&mut self);
    /// Has every other PE that runs a partition come back, to honour a request that it finds in the shared state.
    fn kick_others(&mut self);
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
pub trait Hardware: Memory + Interrupts + Monitor + Console {}
impl<T: Memory + Interrupts + Monitor + Console + ?Sized> Hardware for T {}

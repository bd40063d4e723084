//! All shared state, and the step.

use crate::config::SpmcManifest;
use crate::endpoint::{CpuId, VcpuId};
use crate::exit::{Exit, Frame, Next};
use crate::hardware::Hardware;
use crate::memory::page::PageRange;
use crate::memory::space::Pool;

/// What belongs to one PE.
pub struct Cpu {
    id: CpuId,
}

impl Cpu {
    /// A PE that has just been turned on.
    #[must_use]
    pub fn new(id: CpuId) -> Self {
        Self { id }
    }
}

/// What the MMU needs to know of a partition: its two stage-2 trees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Translation {
    /// Physical address of the level-0 table of the secure IPA space, for VSTTBR_EL2.
    pub secure: u64,
    /// Physical address of the level-0 table of the non-secure IPA space, for VTTBR_EL2.
    pub normal: u64,
    /// The partition's VMID: never 0.
    pub vmid: u16,
}

/// The manager.
pub struct Spmc {}

impl Spmc {
    /// Loads the partitions that the manifest lists. `own` is all memory that the SPMC itself lies in;
    /// the ranges of the manifest's memory nodes must be accessible through `hw`.
    pub fn new(manifest: &SpmcManifest, own: PageRange, pool: Pool, hw: &mut dyn Hardware) -> Self {
        unimplemented!()
    }

    /// All execution contexts, in the order of their slots.
    pub fn contexts(&self) -> impl Iterator<Item = (VcpuId, Translation)> + '_ {
        core::iter::empty()
    }

    /// One step: why this PE came back, and where it goes next.
    pub fn step(&self, cpu: &mut Cpu, hw: &mut dyn Hardware, frame: &mut Frame, exit: Exit<'_>) -> Next {
        unimplemented!()
    }

    /// The image has saved the registers of the context that the last step left.
    pub fn settled(&self, cpu: &mut Cpu, left: VcpuId) {}
}

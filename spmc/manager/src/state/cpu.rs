//! What belongs to one PE alone: who runs on it, and how far its boot has come.

use crate::endpoint::{CpuId, VcpuId};

/// One PE. Only the PE itself has it, so it needs no lock.
#[derive(Debug)]
pub struct Cpu {
    id: CpuId,
    current: Option<VcpuId>,
    boot: Option<usize>,
}

impl Cpu {
    /// A PE that has just been turned on.
    #[must_use]
    pub const fn new(id: CpuId) -> Self {
        Self { id, current: None, boot: None }
    }

    /// Its linear index.
    #[must_use]
    pub const fn id(&self) -> CpuId {
        self.id
    }

    /// The vCPU that runs on it; none while the Normal world does.
    #[must_use]
    pub const fn current(&self) -> Option<VcpuId> {
        self.current
    }

    /// The PE is given to this vCPU, or back to the Normal world.
    pub(crate) const fn set_current(&mut self, vcpu: Option<VcpuId>) {
        self.current = vcpu;
    }

    /// The PE begins to start its partitions' contexts, in boot order.
    pub(crate) const fn begin_boot(&mut self) {
        self.boot = Some(0);
    }

    /// The place in the boot order to go on with, if the PE is booting.
    pub(crate) const fn next_in_boot(&mut self) -> Option<usize> {
        let place = self.boot;
        if let Some(place) = place {
            self.boot = Some(place + 1);
        }
        place
    }

    /// Every context of this PE has been started.
    pub(crate) const fn end_boot(&mut self) {
        self.boot = None;
    }
}

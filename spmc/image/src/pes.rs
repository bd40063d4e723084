//! Which PEs are on, and how a software-generated interrupt finds them.

use alloc::boxed::Box;
use core::sync::atomic::{AtomicU64, Ordering};

use manager::endpoint::CpuId;

use crate::sysregs;

/// By linear index: the PE as a target in ICC_SGI1R_EL1, or [`OFF`]. Each PE writes its own.
pub struct Pes(Box<[AtomicU64]>);

/// The PE is off: no target is 0, because it names a PE.
const OFF: u64 = 0;

impl Pes {
    /// `count` PEs, all of them off.
    #[must_use]
    pub fn new(count: usize) -> Self {
        Self((0..count).map(|_| AtomicU64::new(OFF)).collect())
    }

    /// This PE, whose linear index is `own`, has come on.
    pub fn came_on(&self, own: CpuId) {
        self.set(own, target(sysregs::mpidr()));
    }

    /// This PE, whose linear index is `own`, goes off.
    pub fn goes_off(&self, own: CpuId) {
        self.set(own, OFF);
    }

    /// Where `cpu` is found; nowhere if it is off.
    #[must_use]
    pub fn target(&self, cpu: CpuId) -> Option<u64> {
        let target = self.0.get(usize::from(cpu.get()))?.load(Ordering::Relaxed);
        (target != OFF).then_some(target)
    }

    fn set(&self, own: CpuId, target: u64) {
        if let Some(place) = self.0.get(usize::from(own.get())) {
            place.store(target, Ordering::Relaxed);
        }
    }
}

/// MPIDR_EL1 as ICC_SGI1R_EL1 has it: Aff3, Aff2, Aff1, and Aff0 as a range of 16 and a bit in it.
const fn target(mpidr: u64) -> u64 {
    let (aff3, aff2, aff1, aff0) = (mpidr >> 32 & 0xff, mpidr >> 16 & 0xff, mpidr >> 8 & 0xff, mpidr & 0xff);
    aff3 << 48 | aff0 >> 4 << 44 | aff2 << 32 | aff1 << 16 | 1 << (aff0 & 0xf)
}

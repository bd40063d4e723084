//! All shared state, and the step.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicU32, Ordering};

use log::error;

use crate::abi::{self, PartitionDescriptor, V1_2};
use crate::calls::{self, Caller, Entry};
use crate::config::{MemoryRange, Own, SpmcManifest};
use crate::endpoint::{PartitionIndex, VcpuId};
use crate::exit::{Exit, Frame, Next};
use crate::hardware::Hardware;
use crate::manifest::{self, Error};
use crate::memory::page::{PageRange, Space};
use crate::memory::space::Pool;
use crate::order::Holding;
use crate::state::Intid;
use crate::state::normal::NormalWorld;
use crate::state::partition::Partition;

pub use crate::state::cpu::Cpu;
pub use crate::state::partition::{Roots, Translation};

/// The manager: what all PEs share. Nothing of it is allocated or moved after boot.
pub struct Spmc {
    /// By index; a place is empty where a partition was left out.
    partitions: Box<[Option<Partition>]>,
    /// Their indices, in the order in which they start.
    boot_order: Box<[PartitionIndex]>,
    normal: NormalWorld,
    memory: Box<[MemoryRange]>,
    logical: Box<[PartitionDescriptor]>,
    /// Which partition owns which interrupt, by interrupt.
    routes: Box<[(Intid, PartitionIndex)]>,
    unexpected_interrupts: AtomicU32,
}

impl Spmc {
    /// Loads the partitions that the manifest lists. `own` is what the SPMC has for itself; the ranges of the
    /// manifest's memory nodes must be accessible through `hw`.
    ///
    /// # Errors
    /// What makes the machine unfit to start the SPMC at all. A broken partition is left out instead, with a
    /// message that says why.
    pub fn new(
        manifest: &SpmcManifest,
        own: &Own,
        pool: &Pool,
        hw: &mut dyn Hardware,
    ) -> Result<Self, Error> {
        let mut partitions: Vec<Option<Partition>> = manifest.vms.iter().map(|_| None).collect();
        let mut slots = 0;
        for config in manifest::load(manifest, own, hw)? {
            let (index, contexts) = (config.index.get(), config.contexts.count());
            let version = abi::version_word(config.version).min(V1_2);
            let name = config.name.clone();
            match (Partition::new(config, version, slots, pool), partitions.get_mut(index)) {
                (Ok(partition), Some(place)) => {
                    *place = Some(partition);
                    slots += contexts;
                }
                (Ok(_), None) => error!("{name} is left out: the SPMC manifest has no vm{}", index + 1),
                (Err((range, error)), _) => error!("{name} is left out: {range} {error}"),
            }
        }
        let mut boot_order: Vec<PartitionIndex> =
            partitions.iter().flatten().map(|partition| partition.config().index).collect();
        boot_order.sort_by_key(|index| {
            let partition = partitions.get(index.get()).and_then(Option::as_ref);
            (partition.map(|partition| partition.config().boot_order), *index)
        });
        let owned = |partition: &Partition| {
            let devices = partition.config().devices.iter();
            let ids = devices.flat_map(|device| &device.interrupts).map(|interrupt| interrupt.id);
            let index = partition.config().index;
            ids.filter_map(|id| Intid::try_from(id).ok()).map(|id| (id, index)).collect::<Vec<_>>()
        };
        let mut routes: Vec<_> = partitions.iter().flatten().flat_map(owned).collect();
        routes.sort_unstable();
        Ok(Self {
            partitions: partitions.into(),
            boot_order: boot_order.into(),
            normal: NormalWorld::new(V1_2),
            memory: manifest.memory.clone().into(),
            logical: calls::discover(hw).into(),
            routes: routes.into(),
            unexpected_interrupts: AtomicU32::new(0),
        })
    }

    /// All execution contexts, in the order of their slots, and what the MMU needs to run them.
    pub fn contexts(&self) -> impl Iterator<Item = (VcpuId, Translation)> + '_ {
        self.partitions().flat_map(|partition| {
            let translation = partition.translation();
            partition.contexts().iter().map(move |context| (context.id(), translation))
        })
    }

    /// The partitions that are there, by index.
    pub fn partitions(&self) -> impl Iterator<Item = &Partition> {
        self.partitions.iter().flatten()
    }

    /// The partition of this index.
    #[inline]
    pub(crate) fn partition(&self, index: PartitionIndex) -> Option<&Partition> {
        self.partitions.get(index.get())?.as_ref()
    }

    /// The partition of a context, which exists because the context does.
    #[inline]
    pub(crate) fn partition_of(&self, vcpu: VcpuId) -> &Partition {
        self.partition(vcpu.partition()).expect("a context's partition exists")
    }

    /// The partition at this place in the boot order.
    pub(crate) fn in_boot_order(&self, place: usize) -> Option<&Partition> {
        self.partition(*self.boot_order.get(place)?)
    }

    /// The logical partitions at EL3.
    pub(crate) fn logical(&self) -> &[PartitionDescriptor] {
        &self.logical
    }

    /// The Normal world.
    pub(crate) const fn normal(&self) -> &NormalWorld {
        &self.normal
    }

    /// Whether the Normal world may offer `range` as a buffer: the SPMC manifest says it is its memory.
    pub(crate) fn is_normal_memory(&self, range: &PageRange) -> bool {
        range.space() == Space::Normal
            && self.memory.iter().any(|declared| !declared.device && declared.range.contains(range))
    }

    /// The partition whose manifest gives it this interrupt.
    pub(crate) fn owner_of(&self, id: Intid) -> Option<&Partition> {
        let place = self.routes.binary_search_by_key(&id, |(id, _)| *id).ok()?;
        self.partition(self.routes.get(place)?.1)
    }

    /// An interrupt came that cannot be delivered: how many have, with this one.
    pub(crate) fn count_unexpected_interrupt(&self) -> u32 {
        self.unexpected_interrupts.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// One step: why this PE came back, and where it goes next.
    ///
    /// # Panics
    /// If a partition's exit comes from a PE on which none runs: the image has lost its way. No caller, device or
    /// other PE can make it panic.
    pub fn step(&self, cpu: &mut Cpu, hw: &mut dyn Hardware, frame: &mut Frame, exit: Exit<'_>) -> Next {
        let caller = match exit {
            Exit::Booted | Exit::Normal => Caller::Normal,
            Exit::Call(_) | Exit::Interrupt | Exit::Fault(_) => {
                let vcpu = cpu.current().expect("an exit of a partition comes from one that runs");
                Caller::Partition(self.partition_of(vcpu), vcpu)
            }
        };
        let at = &mut Entry { spmc: self, cpu, hw, frame, caller, version: V1_2, held: Holding::nothing() };
        match exit {
            Exit::Booted => calls::booted(at),
            Exit::Normal => calls::normal(at),
            Exit::Call(conduit) => calls::partition(at, conduit),
            Exit::Interrupt => calls::interrupted(at),
            Exit::Fault(fault) => calls::fault(at, fault),
        }
    }

    /// The image has saved the registers of the context that the last step left.
    #[inline]
    pub fn settled(&self, left: VcpuId) {
        self.partition_of(left).vcpu(left).lock(&mut Holding::nothing()).0.settle();
    }
}

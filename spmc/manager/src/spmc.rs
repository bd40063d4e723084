//! All shared state, and the step.

use alloc::boxed::Box;
use alloc::vec::Vec;

use log::error;

use crate::abi::{self, PartitionDescriptor, V1_2};
use crate::calls::Party;
use crate::calls::{self, Caller, Entry};
use crate::config::{Own, PartitionConfig, SpmcManifest};
use crate::endpoint::{PartitionIndex, VcpuId};
use crate::exit::{Exit, Frame, Lines, Next, TimerRegister};
use crate::hardware::Hardware;
use crate::manifest::{self, Error};
use crate::memory::ledger::Ledger;
use crate::memory::page::{Attributes, PageRange, Space};
use crate::memory::space::{MapError, Pool};
use crate::order::Holding;
use crate::state::Intid;
use crate::state::cpu::Errands;
use crate::state::normal::NormalWorld;
use crate::state::partition::Partition;
use crate::state::vcpu::Settlement;
use crate::sync::{AtomicU32, AtomicUsize, Ordering};

pub use crate::memory::spaces::{Roots, Translation};
pub use crate::state::cpu::Cpu;

/// What the image needs to know of a context's partition.
#[derive(Clone, Copy, Debug)]
pub struct View {
    /// For the MMU; whether it runs at S-EL1 or S-EL0.
    pub translation: Translation,
    /// Whether its WFI is a reason to come back ([`Exit::Idle`]); at S-EL0 it always is.
    pub idles: bool,
}

/// What the SPMC manifest says is the Normal world's memory, and what may be done with it.
fn normal_memory(manifest: &SpmcManifest) -> Box<[(PageRange, Attributes)]> {
    let plain = Attributes::READ | Attributes::WRITE;
    let normal = manifest.memory.iter().filter(|memory| memory.range.space() == Space::Normal);
    normal
        .map(|memory| (memory.range, if memory.device { plain | Attributes::DEVICE } else { plain }))
        .collect()
}

/// The Normal world's memory that a manifest gives a partition is the Normal world's no more.
fn assign(
    ledger: &mut Ledger,
    config: &PartitionConfig,
    hw: &mut dyn Hardware,
) -> Result<(), (PageRange, MapError)> {
    for range in config.grants().map(|region| region.range).filter(|range| range.space() == Space::Normal) {
        ledger.give_to_partition(range, hw).map_err(|error| (range, error))?;
    }
    Ok(())
}

/// The manager: what all PEs share. Nothing of it is allocated or moved after boot.
pub struct Spmc {
    /// By index; a place is empty where a partition was left out.
    partitions: Box<[Option<Box<Partition>>]>,
    /// Their indices, in the order in which they start.
    boot_order: Box<[PartitionIndex]>,
    normal: NormalWorld,
    logical: Box<[PartitionDescriptor]>,
    /// Which partition owns which interrupt, by interrupt.
    routes: Box<[(Intid, PartitionIndex)]>,
    unexpected_interrupts: AtomicU32,
    /// The place of the endpoint with which FFA_NOTIFICATION_INFO_GET begins.
    told_up_to: AtomicUsize,
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
        Ok(Self::of(manifest, manifest::load(manifest, own, hw)?, pool, hw))
    }

    /// With these partitions, which `manifest` lists.
    pub fn of(
        manifest: &SpmcManifest,
        configs: Vec<PartitionConfig>,
        pool: &Pool,
        hw: &mut dyn Hardware,
    ) -> Self {
        let mut partitions: Vec<Option<Box<Partition>>> = manifest.vms.iter().map(|_| None).collect();
        let mut ledger = Ledger::new(normal_memory(manifest), pool).expect("there are frames for two tables");
        let mut slots = 0;
        for config in configs {
            let (index, contexts) = (config.index.get(), config.contexts.count());
            let version = abi::version_word(config.version).min(V1_2);
            let name = config.name.clone();
            let partition = assign(&mut ledger, &config, hw)
                .and_then(|()| Partition::new(config, version, slots, pool, hw));
            match (partition, partitions.get_mut(index)) {
                (Ok(partition), Some(place)) => {
                    *place = Some(Box::new(partition));
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
        let mut routes: Vec<_> = partitions.iter().filter_map(Option::as_deref).flat_map(owned).collect();
        routes.sort_unstable();
        Self {
            partitions: partitions.into(),
            boot_order: boot_order.into(),
            normal: NormalWorld::new(V1_2, manifest.cpus.len(), ledger, manifest.normal_quota),
            logical: calls::discover(hw).into(),
            routes: routes.into(),
            unexpected_interrupts: AtomicU32::new(0),
            told_up_to: AtomicUsize::new(0),
        }
    }

    /// All execution contexts, in the order of their slots, and what the image needs to run them.
    pub fn contexts(&self) -> impl Iterator<Item = (VcpuId, View)> + '_ {
        self.partitions().flat_map(|partition| {
            let view = View { translation: partition.translation(), idles: partition.config().wfi_yields };
            partition.contexts().iter().map(move |context| (context.id(), view))
        })
    }

    /// The partitions that are there, by index.
    pub fn partitions(&self) -> impl Iterator<Item = &Partition> {
        self.partitions.iter().filter_map(Option::as_deref)
    }

    /// The partition of this index.
    #[inline]
    pub(crate) fn partition(&self, index: PartitionIndex) -> Option<&Partition> {
        self.partitions.get(index.get())?.as_deref()
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

    /// How many places there are for endpoints: partitions first, then those of the Normal world.
    pub(crate) fn places(&self) -> usize {
        self.partitions.len() + self.normal.endpoints().len()
    }

    /// The endpoint at this place, if one has it.
    pub(crate) fn party_at(&self, place: usize) -> Option<Party<'_>> {
        match place.checked_sub(self.partitions.len()) {
            None => self.partitions.get(place)?.as_deref().map(Party::Partition),
            Some(place) => {
                let endpoint = self.normal.endpoints().get(place)?;
                endpoint.id().map(|id| Party::Normal(endpoint, id))
            }
        }
    }

    /// The place at which the scheduler is told next what waits.
    pub(crate) fn told_up_to(&self) -> usize {
        self.told_up_to.load(Ordering::Relaxed).min(self.places())
    }

    /// The scheduler is told of what waits from this place on next.
    pub(crate) fn tell_from(&self, place: usize) {
        self.told_up_to.store(place, Ordering::Relaxed);
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
            Exit::Call(_) | Exit::Interrupt | Exit::Idle | Exit::Fault(_) => {
                let vcpu = cpu.current().expect("an exit of a partition comes from one that runs");
                Caller::Partition(self.partition_of(vcpu), vcpu)
            }
        };
        let at = &mut Entry { spmc: self, cpu, hw, frame, caller, version: V1_2, held: Holding::nothing() };
        match exit {
            Exit::Normal => calls::normal(at),
            Exit::Booted => calls::booted(at),
            Exit::Call(conduit) => calls::partition(at, conduit),
            Exit::Interrupt => calls::interrupted(at),
            Exit::Idle => calls::idle(at),
            Exit::Fault(fault) => calls::fault(at, fault),
        }
    }

    /// The partition on this PE reads a register of its timer.
    ///
    /// # Panics
    /// If none is on it.
    pub fn read_timer(&self, cpu: &Cpu, hw: &mut dyn Hardware, register: TimerRegister) -> u64 {
        calls::timers::read(self, cpu.current().expect("a partition reads"), hw, register)
    }

    /// The partition on this PE writes a register of its timer: its virtual interrupt lines from now on.
    ///
    /// # Panics
    /// If none is on it.
    pub fn write_timer(
        &self,
        cpu: &mut Cpu,
        hw: &mut dyn Hardware,
        register: TimerRegister,
        value: u64,
    ) -> Lines {
        let vcpu = cpu.current().expect("a partition writes");
        calls::timers::write(self, cpu, vcpu, hw, (register, value))
    }

    /// The image has saved the registers of the context that the last step left. An interrupt that became pending for it
    /// meanwhile is not lost: somebody is told, or this PE comes back at once.
    #[inline]
    pub fn settled(&self, cpu: &mut Cpu, hw: &mut dyn Hardware, left: VcpuId) {
        let partition = self.partition_of(left);
        let settlement =
            partition.vcpu(left).lock(&mut Holding::nothing()).0.settle(partition.config().sri_policy);
        match settlement {
            Settlement::Nothing => {}
            Settlement::Run => {
                cpu.add_errand(Errands::LOOK);
                hw.kick(cpu.id());
            }
            Settlement::Tell => calls::schedule::note(partition, cpu.id(), hw),
        }
    }
}

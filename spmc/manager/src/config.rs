//! What the manifests said, validated: fixed at boot and only read afterwards.

use alloc::string::String;
use alloc::vec::Vec;

use arm_ffa::Version;
use bitflags::bitflags;
use uuid::Uuid;

use crate::endpoint::{EndpointId, PartitionIndex};
use crate::memory::page::{Attributes, PageRange};

bitflags! {
    /// How a partition may be talked to under one of its UUIDs (manifest property `messaging-method`).
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Methods: u16 {
        /// Receives FFA_MSG_SEND_DIRECT_REQ.
        const RECEIVE_DIRECT = 1 << 0;
        /// Sends FFA_MSG_SEND_DIRECT_REQ.
        const SEND_DIRECT = 1 << 1;
        /// Sends and receives indirect messages.
        const INDIRECT = 1 << 2;
        /// Receives FFA_MSG_SEND_DIRECT_REQ2.
        const RECEIVE_DIRECT2 = 1 << 9;
        /// Sends FFA_MSG_SEND_DIRECT_REQ2.
        const SEND_DIRECT2 = 1 << 10;
    }
}

/// One service that a partition offers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// Its protocol UUID; several partitions may offer the same.
    pub uuid: Uuid,
    /// How it may be talked to.
    pub methods: Methods,
}

/// One rule about who may send to a partition (node `allowed-senders`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AllowedSender {
    /// Who.
    pub sender: EndpointId,
    /// The service that the messages must name, if the rule is for one only.
    pub uuid: Option<Uuid>,
}

/// Pages that the manifest gives to a partition beside its image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Region {
    /// The manifest node's name, for messages.
    pub name: String,
    /// Where.
    pub range: PageRange,
    /// What the partition may do with it.
    pub attributes: Attributes,
}

/// DMA streams, as one SMMU knows them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Streams {
    /// Which SMMU (`smmu-id`).
    pub smmu: u32,
    /// Their ids there (`stream-ids`).
    pub ids: Vec<u32>,
}

/// A memory region of a partition's manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Memory {
    /// The pages.
    pub region: Region,
    /// Streams of the partition's devices that have access too, and what they may do.
    pub streams: Option<(Streams, Attributes)>,
}

/// How an interrupt line tells that it wants service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trigger {
    /// By a change.
    Edge,
    /// For as long as it is asserted.
    Level,
}

/// One entry of a device region's `interrupts`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeviceInterrupt {
    /// The INTID: a PPI, an SPI, or an extended one.
    pub id: u32,
    /// The priority of the GIC; lower is more urgent.
    pub priority: u8,
    /// Whether it is a secure interrupt.
    pub secure: bool,
    /// Edge or level.
    pub trigger: Trigger,
    /// The affinity of the PE that it is routed to (`interrupts-target`), if the manifest says so.
    pub target: Option<u64>,
}

/// A device region of a partition's manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// Its registers.
    pub region: Region,
    /// Its interrupts; no id stands twice in one partition.
    pub interrupts: Vec<DeviceInterrupt>,
    /// The streams of its DMA.
    pub streams: Option<Streams>,
    /// `exclusive-access`. Every device is its partition's alone, with or without it.
    pub exclusive: bool,
}

/// Where a partition runs (`exception-level`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExceptionLevel {
    /// S-EL0.
    El0,
    /// S-EL1.
    El1,
}

/// What a Normal-world interrupt does while the partition runs (`ns-interrupts-action`; FF-A 1.2, 9.3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NormalInterrupts {
    /// It waits until the partition leaves.
    Queued,
    /// The partition is told, and leaves by itself.
    ManagedExit {
        /// It is told by a virtual IRQ instead of a virtual FIQ (`managed-exit-virq`).
        virq: bool,
    },
    /// It preempts the partition.
    Signalled,
}

/// What a secure interrupt of another partition does while the partition runs (`other-s-interrupts-action`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OtherSecureInterrupts {
    /// It waits until the partition leaves.
    Queued,
    /// It preempts the partition.
    Signalled,
}

bitflags! {
    /// When the Normal world's scheduler, told by the SRI, gives a partition the time to handle its own interrupts
    /// (`sri-interrupts-policy`, FF-A 1.3). Without a bit the SPMC runs it at once.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct SriPolicy: u8 {
        /// For an interrupt that comes while it waits.
        const WHILE_WAITING = 1 << 0;
        /// For an interrupt that is pending when it goes to wait.
        const WHEN_GOING_TO_WAIT = 1 << 1;
    }
}

bitflags! {
    /// Which messages about VMs a partition wants (`vm-availability-messages`; FF-A 1.2, 18.3).
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct AvailabilityMessages: u8 {
        /// A VM was created.
        const CREATED = 1 << 0;
        /// A VM was destroyed.
        const DESTROYED = 1 << 1;
    }
}

bitflags! {
    /// Which messages about power a partition wants (`power-management-messages`; FF-A 1.2, 18.2.4).
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct PowerMessages: u8 {
        /// CPU_OFF.
        const OFF = 1 << 0;
        /// CPU_SUSPEND.
        const SUSPEND = 1 << 1;
        /// CPU_SUSPEND_RESUME.
        const SUSPEND_RESUME = 1 << 2;
    }
}

/// What the manifest wants done with a partition that has failed (`abort-action`, FF-A 1.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AbortAction {
    /// It stays, and never runs again: the default.
    Stop,
    /// It goes, and nobody finds it any more.
    Destroy,
    /// It starts anew.
    Restart,
    /// EL3 decides about the whole machine.
    Propagate,
}

/// What a partition can do about being replaced while the machine runs (`live-activation-support`, FF-A 1.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LiveActivation {
    /// The general register that tells it that it starts as a replacement.
    pub register: u8,
    /// The memory region that its state is handed over in.
    pub buffer: PageRange,
}

/// That a partition knows the states of a partition's life (`lifecycle-support`, FF-A 1.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lifecycle {
    /// What to do when it fails.
    pub abort_action: AbortAction,
    /// Whether, and how, it can be replaced.
    pub live_activation: Option<LiveActivation>,
}

/// How a partition's contexts lie on PEs (FF-A 1.2, 4.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Contexts {
    /// One context that may run on any PE, one at a time.
    Migratable,
    /// As many contexts as there are PEs; context i runs on PE i only.
    Pinned(u16),
}

impl Contexts {
    /// How many contexts there are.
    #[must_use]
    pub const fn count(self) -> u16 {
        match self {
            Self::Migratable => 1,
            Self::Pinned(count) => count,
        }
    }
}

/// What the boot information of a partition holds (FF-A 1.2, 5.4).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BootInfo {
    /// The general register that gives the primary vCPU its address.
    pub register: u8,
    /// Whether a descriptor names the partition's own manifest.
    pub manifest: bool,
    /// Whether a descriptor names a hand-off block list.
    pub hob_list: bool,
}

/// A partition's identity and rights.
#[derive(Clone, Debug)]
pub struct PartitionConfig {
    /// Its place among the partitions, which gives its id.
    pub index: PartitionIndex,
    /// `debug_name` of the SPMC manifest.
    pub name: String,
    /// The FF-A version it asks for.
    pub version: Version,
    /// What it offers; at least one.
    pub services: Vec<Service>,
    /// The UUID of its image; no other partition has it.
    pub image_uuid: Option<Uuid>,
    /// Where it runs.
    pub exception_level: ExceptionLevel,
    /// Its execution contexts.
    pub contexts: Contexts,
    /// Its package and the memory behind it, from the load address on.
    pub memory: PageRange,
    /// The address of its first instruction.
    pub entry: u64,
    /// Its place in the boot; lower goes first, equal ones by index.
    pub boot_order: u16,
    /// The boot information it asks for.
    pub boot_info: Option<BootInfo>,
    /// Where in `memory` its FF-A manifest lies, and its size in bytes: `(address, size)`.
    pub manifest: (u64, u64),
    /// Memory regions.
    pub regions: Vec<Memory>,
    /// Device regions.
    pub devices: Vec<Device>,
    /// RX and TX buffers that the manifest sets up, in this order.
    pub buffers: Option<(PageRange, PageRange)>,
    /// What interrupts of the Normal world do while it runs.
    pub normal_interrupts: NormalInterrupts,
    /// What secure interrupts of others do while it runs.
    pub other_secure_interrupts: OtherSecureInterrupts,
    /// How it gets time for its own interrupts.
    pub sri_policy: SriPolicy,
    /// Whether its WFI with nothing pending gives the PE back, as FFA_YIELD (`wfi-yields`).
    pub wfi_yields: bool,
    /// The messages about VMs that it wants.
    pub availability: AvailabilityMessages,
    /// The messages about power that it wants.
    pub power: PowerMessages,
    /// Whether it receives notifications (`notification-support`).
    pub notifications: bool,
    /// Whether a notification of the framework tells it that an RX buffer became free for which its FFA_MSG_SEND2 got
    /// BUSY (`rx-free-notification`). Only with `notifications`.
    pub rx_free: bool,
    /// Who may send to it: nobody else, if there are rules. Without them FF-A's defaults hold.
    pub allowed_senders: Option<Vec<AllowedSender>>,
    /// Whether it knows the states of a partition's life.
    pub lifecycle: Option<Lifecycle>,
    /// The SMCs that are not FF-A calls and that it may make.
    pub smcs: SmcAccess,
    /// Its memory transactions.
    pub quota: Quota,
}

impl PartitionConfig {
    /// Its FF-A id.
    #[must_use]
    pub const fn id(&self) -> EndpointId {
        self.index.id()
    }

    /// The pages of its memory and of its devices.
    pub fn grants(&self) -> impl Iterator<Item = &Region> {
        let memory = self.regions.iter().map(|memory| &memory.region);
        memory.chain(self.devices.iter().map(|device| &device.region))
    }

    /// What it may do under any of its UUIDs.
    #[must_use]
    pub fn methods(&self) -> Methods {
        self.services.iter().fold(Methods::empty(), |all, s| all | s.methods)
    }

    /// Whether its manifest lets `sender` send to the service `uuid`; nil where the message names none, which a rule
    /// for one service does not admit.
    #[must_use]
    pub fn admits(&self, sender: EndpointId, uuid: Uuid) -> bool {
        let Some(rules) = &self.allowed_senders else { return true };
        rules.iter().any(|rule| rule.sender == sender && rule.uuid.is_none_or(|named| named == uuid))
    }
}

/// What the SPMC has for itself: nobody else gets any of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Own {
    /// All memory that it lies in.
    pub memory: PageRange,
    /// The registers of the devices that it drives.
    pub devices: Vec<PageRange>,
}

/// A range of the SPMC manifest's memory nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryRange {
    /// Where, and in which world.
    pub range: PageRange,
    /// Whether it is device memory.
    pub device: bool,
}

/// Which SMCs that are not FF-A calls a partition may make (`smc_whitelist`, `smc_whitelist_permissive`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SmcAccess {
    /// Function ids that go to EL3.
    pub allowed: Vec<u32>,
    /// Whether every other function id goes there too.
    pub permissive: bool,
}

/// What is set aside at boot for the memory transactions of one owner of memory (`mem_transactions`, `mem_ranges`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    /// How many it may have at a time. Each has room for two borrowers and seven ranges of pages.
    pub transactions: u16,
    /// How many more ranges they may consist of together; a borrower takes the room of three.
    pub ranges: u32,
}

impl Quota {
    /// Of a partition, where the manifest says nothing.
    pub const PARTITION: Self = Self { transactions: 128, ranges: 128 };
    /// Of the Normal world, where the manifest says nothing: 64 MB in single pages, for example.
    pub const NORMAL: Self = Self { transactions: 1024, ranges: 16384 };
}

/// One `vmN` node of the SPMC manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VmEntry {
    /// Its place: N - 1.
    pub index: PartitionIndex,
    /// `debug_name`.
    pub name: String,
    /// Where TF-A put the package, and how much memory the partition has from there on.
    pub memory: PageRange,
    /// `vcpu_count`.
    pub vcpus: u16,
    /// The SMCs it may make.
    pub smcs: SmcAccess,
    /// Its memory transactions.
    pub quota: Quota,
}

/// The SPMC manifest (TOS_FW_CONFIG).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpmcManifest {
    /// `load_address` and `binary_size` of the attribute node, as `(address, bytes)`.
    pub image: (u64, u64),
    /// MPIDR affinity values of the PEs, in the order of the `cpus` node.
    pub cpus: Vec<u64>,
    /// The partitions to start.
    pub vms: Vec<VmEntry>,
    /// Memory transactions of the Normal world.
    pub normal_quota: Quota,
    /// What regions of partitions may lie in, and what the Normal world may map and share.
    pub memory: Vec<MemoryRange>,
}

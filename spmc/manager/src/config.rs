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

/// Memory or a device that the manifest gives to a partition beside its image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Region {
    /// The manifest node's name, for messages.
    pub name: String,
    /// Where.
    pub range: PageRange,
    /// What the partition may do with it.
    pub attributes: Attributes,
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
    pub regions: Vec<Region>,
    /// Device regions.
    pub devices: Vec<Region>,
    /// RX and TX buffers that the manifest sets up, in this order.
    pub buffers: Option<(PageRange, PageRange)>,
}

impl PartitionConfig {
    /// Its FF-A id.
    #[must_use]
    pub const fn id(&self) -> EndpointId {
        self.index.id()
    }

    /// What it may do under any of its UUIDs.
    #[must_use]
    pub fn methods(&self) -> Methods {
        self.services.iter().fold(Methods::empty(), |all, s| all | s.methods)
    }
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
    /// What regions of partitions may lie in, and what the Normal world may map and share.
    pub memory: Vec<MemoryRange>,
}

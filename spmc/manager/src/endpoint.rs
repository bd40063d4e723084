//! Who takes part: endpoints, partitions, execution contexts and PEs, parsed once and never a bare number again.

use core::fmt;

/// An FF-A endpoint or framework component, by its 16-bit id (FF-A 1.2, 6.1).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EndpointId(u16);

impl EndpointId {
    /// The Normal world's hypervisor, or its OS kernel where there is none.
    pub const NORMAL: Self = Self(0);
    /// This SPMC.
    pub const SPMC: Self = Self(0x8000);
    /// The dispatcher at EL3.
    pub const SPMD: Self = Self(0xFFFF);

    /// The endpoint of this id.
    #[must_use]
    pub const fn new(id: u16) -> Self {
        Self(id)
    }

    /// The id as it stands in registers and descriptors.
    #[must_use]
    pub const fn get(self) -> u16 {
        self.0
    }

    /// Whether it lives in the secure world: bit 15 of the id says so.
    #[must_use]
    pub const fn is_secure(self) -> bool {
        self.0 & 0x8000 != 0
    }
}

impl fmt::Debug for EndpointId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#06x}", self.0)
    }
}

impl fmt::Display for EndpointId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// The number of partitions that ids leave room for: 0x8001 up to the EL3 logical partitions at 0xFFC0.
pub const MAX_PARTITIONS: usize = 0xFF;

/// A partition, by its place in the SPMC manifest: `vm1` has index 0 and id 0x8001.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct PartitionIndex(u8);

impl PartitionIndex {
    /// The partition at this place; none beyond [`MAX_PARTITIONS`].
    #[must_use]
    pub fn new(index: usize) -> Option<Self> {
        u8::try_from(index).ok().filter(|i| usize::from(*i) < MAX_PARTITIONS).map(Self)
    }

    /// Its place, counted from 0.
    #[must_use]
    pub fn get(self) -> usize {
        usize::from(self.0)
    }

    /// The partition's FF-A id.
    #[must_use]
    pub const fn id(self) -> EndpointId {
        EndpointId(0x8001 + self.0 as u16)
    }

    /// The partition of this id, if the id is one that a partition can have.
    #[must_use]
    pub fn from_id(id: EndpointId) -> Option<Self> {
        Self::new(usize::from(id.0.checked_sub(0x8001)?))
    }
}

/// A PE, by its linear index: what TF-A passes in x4 and what pins a multi-context partition's vCPU.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct CpuId(u16);

impl CpuId {
    /// The PE of this linear index.
    #[must_use]
    pub const fn new(index: u16) -> Self {
        Self(index)
    }

    /// Its linear index.
    #[must_use]
    pub const fn get(self) -> u16 {
        self.0
    }
}

/// One execution context of one partition.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct VcpuId {
    partition: PartitionIndex,
    index: u8,
    slot: u16,
}

impl VcpuId {
    /// Context `index` of `partition`, which is number `slot` among all contexts of all partitions.
    #[must_use]
    pub const fn new(partition: PartitionIndex, index: u8, slot: u16) -> Self {
        Self { partition, index, slot }
    }

    /// Its partition.
    #[must_use]
    pub const fn partition(self) -> PartitionIndex {
        self.partition
    }

    /// Its number within the partition.
    #[must_use]
    pub const fn index(self) -> u8 {
        self.index
    }

    /// Its number among all contexts of all partitions: where the image keeps its registers.
    #[must_use]
    pub fn slot(self) -> usize {
        usize::from(self.slot)
    }

    /// As FFA_RUN, FFA_INTERRUPT and FFA_YIELD name it: endpoint id in bits 31:16, vCPU in bits 15:0.
    #[must_use]
    pub const fn target_information(self) -> u64 {
        ((self.partition.id().get() as u64) << 16) | self.index as u64
    }
}

impl fmt::Display for VcpuId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.partition.id(), self.index)
    }
}

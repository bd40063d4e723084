//! Who takes part: endpoints, partitions, execution contexts and PEs, parsed once and never a bare number again.

use core::fmt;
use core::num::NonZeroU32;

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

    /// Whether it is a logical partition at EL3: TF-A's SPMD numbers them from the top, below itself.
    #[must_use]
    pub const fn is_logical(self) -> bool {
        matches!(self.0, 0xFFC0..=0xFFFE)
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

    /// The place before: `VcpuId` keeps places counted from 1.
    const fn before(self) -> Self {
        Self(self.0.wrapping_sub(1))
    }

    /// Its place, counted from 0.
    #[must_use]
    pub fn get(self) -> usize {
        usize::from(self.0)
    }

    /// The same as a byte.
    #[must_use]
    pub const fn number(self) -> u8 {
        self.0
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
///
/// One word, because it is compared and passed on with every message: the slot in bits 31:16, the partition's index
/// plus one in bits 15:8 (so that `Option` needs no word of its own), the number within it in bits 7:0.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct VcpuId(NonZeroU32);

impl VcpuId {
    /// Context `index` of `partition`, which is number `slot` among all contexts of all partitions.
    #[must_use]
    pub const fn new(partition: PartitionIndex, index: u8, slot: u16) -> Self {
        // An index is below MAX_PARTITIONS, so one more fits its eight bits and is not zero.
        let partition = NonZeroU32::MIN.saturating_add(partition.0 as u32);
        let word = (slot as u32) << 16 | partition.get() << 8 | index as u32;
        match NonZeroU32::new(word) {
            Some(word) => Self(word),
            None => Self(partition),
        }
    }

    /// Its partition.
    #[inline]
    #[must_use]
    pub const fn partition(self) -> PartitionIndex {
        PartitionIndex((self.0.get() >> 8) as u8).before()
    }

    /// Its number within the partition.
    #[inline]
    #[must_use]
    pub const fn index(self) -> u8 {
        self.0.get() as u8
    }

    /// Its number among all contexts of all partitions: where the image keeps its registers.
    #[inline]
    #[must_use]
    pub const fn slot(self) -> usize {
        (self.0.get() >> 16) as usize
    }

    /// As FFA_RUN, FFA_INTERRUPT and FFA_YIELD name it: endpoint id in bits 31:16, vCPU in bits 15:0.
    #[must_use]
    pub const fn target_information(self) -> u64 {
        ((self.partition().id().get() as u64) << 16) | self.index() as u64
    }
}

impl fmt::Debug for VcpuId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for VcpuId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.partition().id(), self.index())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_context_is_its_partition_its_number_and_its_slot() {
        for (partition, index, slot) in [(0, 0, 0), (0, 0xFF, 0xFFFF), (MAX_PARTITIONS - 1, 7, 9)] {
            let partition = PartitionIndex::new(partition).unwrap();
            let vcpu = VcpuId::new(partition, index, slot);
            assert_eq!((vcpu.partition(), vcpu.index(), vcpu.slot()), (partition, index, usize::from(slot)));
        }
        assert_eq!(size_of::<Option<VcpuId>>(), 4);
    }

    #[test]
    fn ids_beyond_the_partitions_are_nobodys() {
        assert_eq!(PartitionIndex::from_id(EndpointId::SPMC), None);
        assert_eq!(PartitionIndex::from_id(EndpointId::NORMAL), None);
        assert_eq!(PartitionIndex::from_id(EndpointId::SPMD), None);
        assert_eq!(PartitionIndex::from_id(EndpointId::new(0x8001)).map(PartitionIndex::get), Some(0));
    }
}

//! Entries of FFA_PARTITION_INFO_GET and FFA_PARTITION_INFO_GET_REGS (FF-A 1.2, 6.2 and 13.9).

use arm_ffa::FuncId;
use uuid::Uuid;

use crate::endpoint::EndpointId;
use crate::exit::Frame;

/// One entry of FFA_PARTITION_INFO_GET (FF-A 1.2, 6.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PartitionDescriptor {
    /// The partition.
    pub id: EndpointId,
    /// Its number of execution contexts.
    pub contexts: u16,
    /// Its properties.
    pub properties: u32,
    /// Its protocol UUID; nil where the caller named one.
    pub uuid: Uuid,
}

impl PartitionDescriptor {
    /// Bytes of an entry for a caller of FF-A 1.0.
    pub const SIZE_1_0: usize = 8;
    /// Bytes of an entry for a caller of FF-A 1.1 or 1.2.
    pub const SIZE: usize = 24;

    /// As it lies in memory; a caller of FF-A 1.0 gets the first [`Self::SIZE_1_0`] bytes.
    #[must_use]
    pub fn to_bytes(self) -> [u8; Self::SIZE] {
        let mut bytes = [0; Self::SIZE];
        bytes[..2].copy_from_slice(&self.id.get().to_le_bytes());
        bytes[2..4].copy_from_slice(&self.contexts.to_le_bytes());
        bytes[4..8].copy_from_slice(&self.properties.to_le_bytes());
        bytes[8..].copy_from_slice(self.uuid.as_bytes());
        bytes
    }

    /// From the first three words of an entry in registers.
    fn from_words(words: &[u64]) -> Option<Self> {
        let [first, low, high, ..] = *words else { return None };
        let mut uuid = [0; 16];
        uuid[..8].copy_from_slice(&low.to_le_bytes());
        uuid[8..].copy_from_slice(&high.to_le_bytes());
        Some(Self {
            id: EndpointId::new(first as u16),
            contexts: (first >> 16) as u16,
            properties: (first >> 32) as u32,
            uuid: Uuid::from_bytes(uuid),
        })
    }
}

/// Entries that FFA_PARTITION_INFO_GET_REGS returns at a time: three registers each, in x3-x17.
pub const DESCRIPTORS_IN_REGISTERS: usize = 5;

/// The answer of FFA_PARTITION_INFO_GET_REGS: entries `start..=end` of `count` (FF-A 1.2, 13.9.2).
pub fn partition_registers(
    frame: &mut Frame,
    count: usize,
    start: usize,
    descriptors: &[PartitionDescriptor],
) {
    let end = start + descriptors.len() - 1;
    let metadata = (PartitionDescriptor::SIZE << 48 | end << 16 | (count - 1)) as u64;
    frame.x = [0; 18];
    frame.x[0] = FuncId::Success64 as u64;
    frame.x[2] = metadata;
    for (registers, descriptor) in frame.x[3..].chunks_exact_mut(3).zip(descriptors) {
        for (register, bytes) in registers.iter_mut().zip(descriptor.to_bytes().chunks_exact(8)) {
            let mut word = [0; 8];
            word.copy_from_slice(bytes);
            *register = u64::from_le_bytes(word);
        }
    }
}

/// FFA_PARTITION_INFO_GET_REGS to the SPMD, for entries from `start` on of all its partitions.
pub fn ask_for_partitions(frame: &mut Frame, start: usize) {
    frame.x = [0; 18];
    frame.x[0] = FuncId::PartitionInfoGetRegs as u64;
    frame.x[3] = start as u64;
}

/// What the SPMD answers to [`ask_for_partitions`]: the index of its last entry, and the entries from `start` on that
/// this answer holds. Nothing where it has none, or gives something else.
pub fn partitions_told(
    frame: &Frame,
    start: usize,
) -> Option<(usize, impl Iterator<Item = PartitionDescriptor> + '_)> {
    let metadata = frame.x[2];
    let (last, current) = (metadata as u16, (metadata >> 16) as u16);
    let words = usize::from((metadata >> 48) as u16) / 8;
    let count = usize::from(current).checked_sub(start)? + 1;
    let is_answer = frame.x[0] == FuncId::Success64 as u64
        && words >= PartitionDescriptor::SIZE / 8
        && count * words <= frame.x.len() - 3;
    let entries = frame.x[3..].chunks_exact(words.max(1)).take(count);
    is_answer.then(|| (usize::from(last), entries.filter_map(PartitionDescriptor::from_words)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn info_registers_say_size_position_and_last_index() {
        let one = PartitionDescriptor {
            id: EndpointId::new(0x8001),
            contexts: 4,
            properties: 0x703,
            uuid: Uuid::from_u128(1),
        };
        let mut frame = Frame::default();
        partition_registers(&mut frame, 7, 5, &[one, one]);
        assert_eq!(frame.x[0], 0xC400_0061);
        assert_eq!(frame.x[2], 24 << 48 | 6 << 16 | 6);
        assert_eq!(frame.x[3], 0x0000_0703_0004_8001);
        assert_eq!(frame.x[3], frame.x[6]);
        assert_eq!(frame.x[9..], [0; 9]);
    }

    #[test]
    fn entries_that_are_told_are_those_that_were_given() {
        let entry = |id| PartitionDescriptor {
            id: EndpointId::new(id),
            contexts: 1,
            properties: 2,
            uuid: Uuid::from_u128(id.into()),
        };
        let mut frame = Frame::default();
        partition_registers(&mut frame, 3, 1, &[entry(0xFFC1), entry(0xFFC2)]);
        let (last, entries) = partitions_told(&frame, 1).unwrap();
        assert_eq!((last, entries.collect::<Vec<_>>()), (2, vec![entry(0xFFC1), entry(0xFFC2)]));
        frame.x[2] |= 9 << 16;
        assert!(partitions_told(&frame, 1).is_none(), "more than there are registers for");
        frame.x[2] = 0;
        assert!(partitions_told(&frame, 0).is_none(), "entries without a size");
    }
}

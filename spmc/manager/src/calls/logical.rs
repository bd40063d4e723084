//! The logical partitions at EL3: the SPMD says at boot which there are.

use alloc::vec::Vec;

use crate::abi::{self, PartitionDescriptor};
use crate::exit::Frame;
use crate::hardware::Hardware;

/// As many as there are ids for them.
const MAX: usize = 0x3F;

/// Asks the SPMD for its logical partitions; they are built into EL3, so one time is enough.
pub fn discover(hw: &mut dyn Hardware) -> Vec<PartitionDescriptor> {
    let mut found = Vec::new();
    let mut start = 0;
    while start < MAX {
        let mut frame = Frame::default();
        abi::ask_for_partitions(&mut frame, start);
        hw.call(&mut frame);
        let Some((last, entries)) = abi::partitions_told(&frame, start) else { break };
        for entry in entries {
            start += 1;
            if entry.id.is_logical() {
                found.push(entry);
            }
        }
        if start > last {
            break;
        }
    }
    found
}

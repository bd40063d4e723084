//! FFA_CONSOLE_LOG: characters gathered to lines (FF-A 1.2, 13.12).

use arm_ffa::FfaError;

use super::{Caller, Entry, Outcome};
use crate::abi::{self, V1_2};
use crate::endpoint::VcpuId;
use crate::state::partition::Partition;

/// FFA_CONSOLE_LOG of a 32-bit caller: w1 the number of characters, w2-w7 the characters.
pub fn log32(at: &mut Entry<'_>) -> Outcome {
    log(at, 7, 4)
}

/// FFA_CONSOLE_LOG of a 64-bit caller: x1 the number of characters, x2-x7 (x2-x17 from FF-A 1.2 on) the characters.
pub fn log64(at: &mut Entry<'_>) -> Outcome {
    let last = if at.version >= V1_2 { 17 } else { 7 };
    log(at, last, 8)
}

fn log(at: &mut Entry<'_>, last: usize, width: usize) -> Outcome {
    let Caller::Partition(partition, vcpu) = at.caller else { return Err(FfaError::NotSupported) };
    let length = usize::from(at.frame.x[1] as u8);
    let is_too_wide = u64::from(abi::word(at.frame, 1)) != length as u64;
    if is_too_wide || length == 0 || length > (last - 1) * width {
        return Err(FfaError::InvalidParameters);
    }
    let (mut line, _held) = partition.line(vcpu).lock(&mut at.held);
    for character in abi::characters(at.frame, 2..=last, width, length) {
        if let Some(full) = line.push(character) {
            at.hw.partition_line(vcpu, partition.name(), &full);
        }
    }
    drop((line, _held));
    at.done()
}

/// Shows what a context has logged of a line that it will not end.
pub fn flush(at: &mut Entry<'_>, partition: &Partition, vcpu: VcpuId) {
    let (mut line, _held) = partition.line(vcpu).lock(&mut at.held);
    if let Some(rest) = line.take() {
        at.hw.partition_line(vcpu, partition.name(), &rest);
    }
}

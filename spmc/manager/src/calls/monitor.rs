//! Calls of partitions that are not of FF-A: EL3 gets those that the SPMC manifest allows (`smc_whitelist`).

use super::Entry;
use crate::abi;
use crate::exit::{Conduit, Deliver, Next};
use crate::state::partition::Partition;

/// An SMC goes to EL3 if the partition may make it, with the partition's id in bits 15:0 of x7 (SMCCC 1.2, 3.2), and
/// comes back with EL3's x0-x17. An HVC or SVC is for nobody but this SPMC, which has none that is not of FF-A.
#[cold]
pub fn forward(at: &mut Entry<'_>, partition: &Partition, function: u32, conduit: Conduit) -> Next {
    let smcs = &partition.config().smcs;
    let is_allowed = smcs.permissive || smcs.allowed.contains(&function);
    if conduit != Conduit::Smc || !is_allowed {
        abi::answer(at.frame, [abi::SMCCC_NOT_SUPPORTED]);
        return at.back();
    }
    let own = abi::set_client(at.frame, partition.id());
    at.hw.call(at.frame);
    abi::restore_client(at.frame, partition.id(), own);
    match at.back() {
        Next::Partition { target, lines, .. } => {
            Next::Partition { target, deliver: Deliver::Extended, lines }
        }
        other => other,
    }
}

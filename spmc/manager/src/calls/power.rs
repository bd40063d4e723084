//! Power management: what the SPMD tells, and where a partition's further contexts begin (FF-A 1.2, chapter 18).

use arm_ffa::FfaError;

use super::{Caller, Entry, Outcome, discovery, interrupts, timers};
use crate::abi::{self, SpmdMessage, V1_2};
use crate::config::Contexts;
use crate::exit::{Deliver, Next};
use crate::hardware::NEVER;

/// PSCI_CPU_OFF.
const PSCI_CPU_OFF: u32 = 0x8400_0002;
/// PSCI_SUCCESS.
const PSCI_SUCCESS: u64 = 0;
/// PSCI_NOT_SUPPORTED, in a 32-bit register.
const PSCI_NOT_SUPPORTED: u64 = 0xFFFF_FFFF;

/// A framework message of the SPMD. It is answered in the same exchange.
pub fn spmd_message(at: &mut Entry<'_>) -> Next {
    match abi::spmd_message(at.frame) {
        SpmdMessage::Version(wanted) => {
            let answer = discovery::negotiate(&at.spmc.normal().version, wanted, V1_2);
            abi::spmd_answer(at.frame, abi::SPMD_VERSION_ANSWER, answer);
        }
        SpmdMessage::Psci(PSCI_CPU_OFF) => {
            turn_off(at);
            abi::spmd_answer(at.frame, abi::SPMD_PSCI_ANSWER, PSCI_SUCCESS);
            return Next::Off;
        }
        SpmdMessage::Psci(_) => abi::spmd_answer(at.frame, abi::SPMD_PSCI_ANSWER, PSCI_NOT_SUPPORTED),
        SpmdMessage::Unknown(_) => abi::error(at.frame, FfaError::InvalidParameters),
    }
    at.to_normal(Deliver::Message)
}

/// This PE goes off: contexts that are pinned to it end, and start anew when it comes back.
#[cold]
fn turn_off(at: &mut Entry<'_>) {
    for partition in at.spmc.partitions() {
        if partition.config().contexts == Contexts::Migratable {
            continue;
        }
        let Some(context) = partition.context_on(at.cpu.id()) else { continue };
        let ended = context.vcpu().lock(&mut at.held).0.turn_off();
        if ended {
            interrupts::end(at, partition, context.id());
            context.keep_deadline(NEVER, at.cpu.id());
        }
    }
    timers::leave(at);
}

/// FFA_SECONDARY_EP_REGISTER: x1 where contexts other than the first begin.
pub fn secondary_entry(at: &mut Entry<'_>) -> Outcome {
    let Caller::Partition(partition, _) = at.caller else { return Err(FfaError::NotSupported) };
    if partition.config().contexts == Contexts::Migratable {
        return Err(FfaError::NotSupported);
    }
    let entry = at.frame.x[1];
    let memory = partition.config().memory;
    if !entry.is_multiple_of(4) || !(memory.start()..memory.end()).contains(&entry) {
        return Err(FfaError::InvalidParameters);
    }
    partition.set_secondary_entry(entry);
    at.done()
}

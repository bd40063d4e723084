//! What the Normal world's scheduler is told: that something waits, where, and for whom. Whom it then runs is its own
//! choice (FF-A 1.2, 10.5 and 16.7).

use arm_ffa::FfaError;

use super::party::Party;
use super::{Entry, Outcome, interrupts};
use crate::abi::Waiting;
use crate::config::Contexts;
use crate::endpoint::CpuId;
use crate::hardware::Hardware;
use crate::state::notifications::{Changed, Scope};
use crate::state::partition::Partition;

/// When the scheduler is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// At once.
    Now,
    /// When the PE next goes to the Normal world.
    Later,
}

/// w2 of FFA_MSG_SEND2 and of FFA_NOTIFICATION_SET: [`When::Later`].
pub const DELAY: u32 = 1 << 1;

impl When {
    /// As a flag of a call says whether to delay it.
    pub const fn of(delay: bool) -> Self {
        if delay { Self::Later } else { Self::Now }
    }
}

/// Something has changed in a receiver's inbox: contexts of it that are at work get the notification pending
/// interrupt, and the scheduler is told.
pub fn announce(at: &mut Entry<'_>, receiver: Party<'_>, scope: Scope, changed: Changed, when: When) {
    let here = at.cpu.id();
    let on = match receiver {
        Party::Partition(partition) => {
            if changed.is_new {
                interrupt_those_at_work(at, partition, scope);
            }
            // Context i of a partition with pinned contexts runs on PE i only.
            match (partition.config().contexts, scope) {
                (Contexts::Pinned(_), Scope::Vcpu(vcpu)) => CpuId::new(vcpu),
                _ => here,
            }
        }
        Party::Normal(..) => here,
    };
    match when {
        _ if !changed.is_untold => {}
        When::Now => at.hw.raise_schedule_receiver(on),
        When::Later => at.cpu.tell_later(on),
    }
}

/// Contexts that wait find the interrupt when they are entered ([`super::cycles::entered`]): their state is looked at
/// here after the inbox has changed, and there before it is looked at.
fn interrupt_those_at_work(at: &mut Entry<'_>, partition: &Partition, scope: Scope) {
    let here = at.cpu.id();
    let contexts = partition.contexts();
    let concerned = match scope {
        Scope::Global => contexts,
        Scope::Vcpu(vcpu) => contexts.get(usize::from(vcpu)).map_or(&[][..], core::slice::from_ref),
    };
    for context in concerned {
        let pended = context.vcpu().lock(&mut at.held).0.notify(here);
        interrupts::act(at, partition, pended);
    }
}

/// A context of this partition has an interrupt for which the scheduler is to give it a PE: this one, where its
/// contexts are pinned.
pub fn tell(at: &mut Entry<'_>, partition: &Partition) {
    note(partition, at.cpu.id(), at.hw);
}

/// As [`tell`], on PE `here`.
pub fn note(partition: &Partition, here: CpuId, hw: &mut dyn Hardware) {
    partition.add_news();
    hw.raise_schedule_receiver(here);
}

/// FFA_NOTIFICATION_INFO_GET, 32-bit.
pub fn info_get32(at: &mut Entry<'_>) -> Outcome {
    info_get(at, &mut Waiting::of_32_bits())
}

/// FFA_NOTIFICATION_INFO_GET, 64-bit.
pub fn info_get64(at: &mut Entry<'_>) -> Outcome {
    info_get(at, &mut Waiting::of_64_bits())
}

/// Endpoint after endpoint, beginning with the one that the last call ended at: what the scheduler has not been told of
/// goes into the answer, and exactly that counts as told.
fn info_get(at: &mut Entry<'_>, waiting: &mut Waiting) -> Outcome {
    let spmc = at.spmc;
    let count = spmc.places();
    let first = spmc.told_up_to();
    let mut more = false;
    for place in (first..count).chain(0..first) {
        let Some(party) = spmc.party_at(place).filter(Party::is_there) else { continue };
        if !list(at, party, waiting) {
            spmc.tell_from(place);
            more = true;
            break;
        }
    }
    if waiting.is_empty() {
        return Err(FfaError::NoData);
    }
    waiting.answer(at.frame, more);
    Ok(at.back())
}

/// Adds what waits for an endpoint. Whether there was room for all of it.
fn list(at: &mut Entry<'_>, party: Party<'_>, waiting: &mut Waiting) -> bool {
    let id = party.id();
    let is_listed = !party.receiver().is_untold()
        || party.receiver().change(&mut at.held, |inbox| {
            if inbox.is_untold_for_all() {
                if !waiting.add(id) {
                    return false;
                }
                inbox.tell_for_all();
            }
            while let Some(vcpu) = inbox.notifications.untold_context() {
                if !waiting.add_context(id, vcpu) {
                    return false;
                }
                inbox.notifications.tell_context(vcpu);
            }
            true
        });
    match party {
        Party::Partition(partition) if is_listed && partition.take_news() => {
            let is_listed = list_interrupts(at, partition, waiting);
            if !is_listed {
                partition.add_news();
            }
            is_listed
        }
        _ => is_listed,
    }
}

/// Adds the contexts of a partition that need a PE for an interrupt.
fn list_interrupts(at: &mut Entry<'_>, partition: &Partition, waiting: &mut Waiting) -> bool {
    partition.contexts().iter().all(|context| {
        let (mut vcpu, _held) = context.vcpu().lock(&mut at.held);
        if vcpu.is_untold() {
            if !waiting.add_context(partition.id(), context.id().index().into()) {
                return false;
            }
            vcpu.tell();
        }
        true
    })
}

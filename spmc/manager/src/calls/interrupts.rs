//! Physical interrupts: whose each is, who handles it, and who goes on afterwards (FF-A 1.2, chapter 9).

use log::warn;

use super::{Caller, Entry, cycles, lifecycle};
use crate::abi;
use crate::endpoint::VcpuId;
use crate::exit::{Deliver, Next};
use crate::hardware::Acknowledged;
use crate::state::partition::Partition;
use crate::state::vcpu::Handler;
use crate::state::{Interrupted, Intid};

/// A physical interrupt took the PE from the partition that ran.
pub fn interrupted(at: &mut Entry<'_>) -> Next {
    let Caller::Partition(partition, vcpu) = at.caller else { return at.back() };
    let acknowledged = at.hw.acknowledge();
    if let Acknowledged::Secure(id) = acknowledged
        && let Some(next) = deliver(at, id, Some(vcpu))
    {
        return next;
    }
    if partition.is_aborted() {
        return lifecycle::abandon(at, vcpu);
    }
    // Where interrupts of the Normal world are held, this one has gone away.
    if acknowledged == Acknowledged::Normal && !at.cpu.holds_normal() {
        let requester = partition.vcpu(vcpu).lock(&mut at.held).0.preempt();
        if let Some(requester) = requester {
            abi::interrupt(at.frame, vcpu);
            return cycles::give_back(at, vcpu, requester, Deliver::Message);
        }
    }
    Next::Partition { target: vcpu, deliver: Deliver::Resume }
}

/// FFA_INTERRUPT from the SPMD: a secure interrupt took the PE from the Normal world.
pub fn in_normal_world(at: &mut Entry<'_>) -> Next {
    if let Acknowledged::Secure(id) = at.hw.acknowledge()
        && let Some(next) = deliver(at, id, None)
    {
        return next;
    }
    abi::normal_world_resume(at.frame);
    at.to_normal(Deliver::Message)
}

/// Has the owner of `id` handle it on this PE, which it took from a partition's context or from the Normal world.
/// Nothing where nobody owns it or its owner cannot take it: it is masked so that it cannot come again.
fn deliver(at: &mut Entry<'_>, id: u32, from: Option<VcpuId>) -> Option<Next> {
    let owner = Intid::try_from(id).ok().and_then(|id| Some((id, at.spmc.owner_of(id)?)));
    let Some((intid, owner)) = owner.filter(|(_, owner)| !owner.is_aborted()) else {
        return unexpected(at, id, "belongs to nobody");
    };
    if at.cpu.handles() {
        return unexpected(at, id, "comes while another one is handled");
    }
    let interrupted =
        from.map_or(Interrupted::Normal(intid), |preempted| Interrupted::Partition(intid, preempted));
    let found = owner.context_on(at.cpu.id()).and_then(|target| {
        let (how, model) = target.vcpu().lock(&mut at.held).0.handle(at.cpu.id(), interrupted)?;
        Some((target.id(), how, model))
    });
    let Some((target, how, model)) = found else {
        return unexpected(at, id, "comes while its owner cannot take it");
    };
    at.cpu.begin_handling();
    if let Some(displaced) = from {
        at.spmc.partition_of(displaced).vcpu(displaced).lock(&mut at.held).0.displace(target);
    }
    // FF-A 1.2, 9.3: interrupts are handled in SPMC-scheduled mode, in which the Normal world's wait.
    match (how, from) {
        (Handler::Waited, _) | (_, None) => {
            at.hold_normal_for(target);
            abi::handle_interrupt(at.frame, id);
        }
        // It goes on by its own model, and runs whom the interrupt took the PE from when it has handled it.
        (Handler::Blocked, Some(displaced)) => {
            at.hold_normal_for_debt(target);
            at.hw.finish(id);
            abi::interrupt(at.frame, displaced);
        }
    }
    Some(at.to_partition(target, model, Deliver::Message))
}

/// FFA_MSG_WAIT of a context that runs to handle an interrupt: whom it took the PE from goes on.
#[cold]
pub fn handled(at: &mut Entry<'_>, partition: &Partition, handler: VcpuId) -> Next {
    let interrupted = done(at, partition, handler);
    resume(at, interrupted.expect("the PE and its context agree on the model"))
}

/// The context that runs to handle an interrupt has ended: whom it took the PE from goes on.
#[cold]
pub fn give_up(at: &mut Entry<'_>, handler: VcpuId, interrupted: Interrupted) -> Next {
    let (Interrupted::Normal(id) | Interrupted::Partition(id, _)) = interrupted;
    at.cpu.end_handling();
    at.hw.finish(id.into());
    at.let_go_of(handler);
    resume(at, interrupted)
}

/// Whom an interrupt took the PE from goes on.
fn resume(at: &mut Entry<'_>, interrupted: Interrupted) -> Next {
    let displaced = match interrupted {
        Interrupted::Partition(_, vcpu) => vcpu,
        Interrupted::Normal(_) => {
            abi::normal_world_resume(at.frame);
            return at.to_normal(Deliver::Message);
        }
    };
    let partition = at.spmc.partition_of(displaced);
    let model = partition.vcpu(displaced).lock(&mut at.held).0.handled();
    let model = model.expect("a displaced context waits for the handler");
    if partition.is_aborted() {
        return lifecycle::abandon(at, displaced);
    }
    at.to_partition(displaced, model, Deliver::Resume)
}

/// `handler`, which runs to handle an interrupt, has done so and waits again (FF-A 1.2, 8.2.4): whom it displaced.
pub fn done(at: &mut Entry<'_>, partition: &Partition, handler: VcpuId) -> Option<Interrupted> {
    let interrupted = partition.vcpu(handler).lock(&mut at.held).0.handling();
    at.cpu.end_handling();
    at.let_go_of(handler);
    if let Some(Interrupted::Normal(id) | Interrupted::Partition(id, _)) = interrupted {
        at.hw.finish(id.into());
    }
    interrupted
}

/// An interrupt that cannot be delivered is masked, counted and reported.
#[cold]
fn unexpected(at: &mut Entry<'_>, id: u32, why: &str) -> Option<Next> {
    at.hw.mask(id);
    at.hw.finish(id);
    let count = at.spmc.count_unexpected_interrupt();
    warn!("interrupt {id} on PE {} {why}: masked ({count} so far)", at.cpu.id().get());
    None
}

//! Physical interrupts: who handles them, and who goes on afterwards (FF-A 1.2, chapter 9).
//!
//! An interrupt becomes pending for a context; what follows from that depends on what the context does. One that waits,
//! or is blocked in this PE's chain, is given this PE: it *handles* interrupts, in SPMC-scheduled mode, one context
//! after the other. What cannot be given the PE yet is an errand of the PE, for when whoever is on it leaves.

use log::warn;

use super::{Caller, Entry, buffers, cycles, lifecycle, schedule, timers};
use crate::abi;
use crate::config::{OtherSecureInterrupts, SriPolicy};
use crate::endpoint::VcpuId;
use crate::exit::{Deliver, Next};
use crate::hardware::Acknowledged;
use crate::state::cpu::Errands;
use crate::state::interrupts::Slot;
use crate::state::partition::Partition;
use crate::state::vcpu::{Handler, Handling, Pended, Vcpu};
use crate::state::{Interrupted, Intid};

/// A physical interrupt took the PE from the partition that ran.
#[inline(never)]
pub fn interrupted(at: &mut Entry<'_>) -> Next {
    let Caller::Partition(partition, vcpu) = at.caller else { return at.back() };
    let acknowledged = at.hw.acknowledge();
    take(at, acknowledged);
    if partition.is_aborted() {
        return lifecycle::abandon(at, vcpu);
    }
    if let Some(next) = look(at, Some((partition, vcpu))) {
        return next;
    }
    // Where interrupts of the Normal world are held, this one has gone away.
    if acknowledged == Acknowledged::Normal && !at.cpu.holds_normal() {
        let requester = partition.vcpu(vcpu).lock(&mut at.held).0.preempt();
        if let Some(requester) = requester {
            abi::interrupt(at.frame, vcpu);
            return cycles::give_back(at, vcpu, requester, Deliver::Message);
        }
    }
    // Another PE may have made something pending.
    let lines = partition.vcpu(vcpu).lock(&mut at.held).0.lines();
    at.cpu.set_lines(lines);
    at.resume(vcpu, Deliver::Resume)
}

/// FFA_INTERRUPT from the SPMD: a secure interrupt took the PE from the Normal world.
pub fn in_normal_world(at: &mut Entry<'_>) -> Next {
    let acknowledged = at.hw.acknowledge();
    take(at, acknowledged);
    look(at, None).unwrap_or_else(|| {
        abi::normal_world_resume(at.frame);
        at.to_normal(Deliver::Message)
    })
}

/// What is behind an interrupt becomes pending.
fn take(at: &mut Entry<'_>, acknowledged: Acknowledged) {
    match acknowledged {
        Acknowledged::Secure(id) => device(at, id),
        Acknowledged::Timer => timers::expired(at),
        Acknowledged::Kick => {
            timers::adopt(at);
            at.cpu.add_errand(Errands::LOOK);
        }
        Acknowledged::Normal => {}
    }
}

/// The interrupt of a device becomes pending for its owner's context on this PE. Where there is none, it is masked so
/// that it cannot come again.
fn device(at: &mut Entry<'_>, id: u32) {
    let owner = Intid::try_from(id).ok().and_then(|id| at.spmc.owner_of(id));
    let Some(owner) = owner.filter(|owner| !owner.is_aborted()) else {
        return unexpected(at, id, "belongs to nobody");
    };
    let (Some(slot), Some(context)) = (owner.owned().slot(id.into()), owner.context_on(at.cpu.id())) else {
        return unexpected(at, id, "has no context here");
    };
    let policy = owner.config().sri_policy;
    let pended = context.vcpu().lock(&mut at.held).0.pend(slot, true, at.cpu.id(), policy);
    if pended == Pended::Refused {
        return unexpected(at, id, "comes while its owner has not started or has ended");
    }
    act(at, owner, pended);
}

/// An interrupt that cannot be delivered is masked, counted and reported.
#[cold]
fn unexpected(at: &mut Entry<'_>, id: u32, why: &str) {
    at.hw.mask(id);
    at.hw.deactivate(id);
    let count = at.spmc.count_unexpected_interrupt();
    warn!("interrupt {id} on PE {} {why}: masked ({count} so far)", at.cpu.id().get());
}

/// An interrupt has become pending for a context of this partition.
pub fn act(at: &mut Entry<'_>, partition: &Partition, pended: Pended) {
    match pended {
        Pended::Nothing | Pended::Refused => {}
        Pended::Here(lines) => at.cpu.set_lines(lines),
        Pended::On(cpu) => at.hw.kick(cpu),
        Pended::Waits | Pended::Blocked => at.cpu.add_errand(Errands::LOOK),
        Pended::Tell => schedule::tell(at, partition),
    }
}

/// If contexts on this PE may have interrupts to handle, and one of them can be given the PE now, it is; `from` is who
/// has the PE, if not the Normal world.
fn look(at: &mut Entry<'_>, from: Option<(&Partition, VcpuId)>) -> Option<Next> {
    // Interrupts are handled one after the other (FF-A 1.2, 9.3.1), and some partitions do not give way.
    let is_queued = |(partition, _): (&Partition, VcpuId)| {
        partition.config().other_secure_interrupts == OtherSecureInterrupts::Queued
    };
    if !at.cpu.errands().contains(Errands::LOOK) || at.cpu.handles() || from.is_some_and(is_queued) {
        return None;
    }
    let from = from.map(|(_, vcpu)| vcpu);
    let interrupted = from.map_or(Interrupted::Normal, Interrupted::Partition);
    let (partition, target, handling) = find(at, interrupted)?;
    if let Some(displaced) = from {
        at.spmc.partition_of(displaced).vcpu(displaced).lock(&mut at.held).0.displace(target);
    }
    Some(begin(at, partition, target, handling, from))
}

/// A context that can handle an interrupt on this PE, and does from now on; `interrupted` goes on afterwards.
fn find<'a>(at: &mut Entry<'a>, interrupted: Interrupted) -> Option<(&'a Partition, VcpuId, Handling)> {
    let here = at.cpu.id();
    for partition in at.spmc.partitions().filter(|partition| !partition.is_aborted()) {
        let Some(context) = partition.context_on(here) else { continue };
        let found = context.vcpu().lock(&mut at.held).0.handler(here);
        match found {
            None => continue,
            // At S-EL0 it learns of an interrupt only when it waits.
            Some(Handler::Blocked)
                if partition.is_at_el0() || !is_in_chain(at, context.id(), interrupted) =>
            {
                continue;
            }
            Some(Handler::Blocked | Handler::Waited) => {}
        }
        let handling = context.vcpu().lock(&mut at.held).0.handle(here, interrupted);
        if let Some(handling) = handling {
            return Some((partition, context.id(), handling));
        }
    }
    at.cpu.end_errand(Errands::LOOK);
    None
}

/// Whether `vcpu` waits, in the end, for the one that the interrupt takes the PE from. Another one that is blocked here
/// is in a chain that an abort has left behind.
fn is_in_chain(at: &mut Entry<'_>, vcpu: VcpuId, interrupted: Interrupted) -> bool {
    let Interrupted::Partition(lowest) = interrupted else { return false };
    let requester = at.spmc.partition_of(lowest).vcpu(lowest).lock(&mut at.held).0.requester();
    cycles::is_in_chain(at, vcpu, requester)
}

/// `target` handles interrupts on this PE, which `displaced` lost to it.
fn begin(
    at: &mut Entry<'_>,
    partition: &Partition,
    target: VcpuId,
    Handling { found, model, first }: Handling,
    displaced: Option<VcpuId>,
) -> Next {
    at.cpu.begin_handling();
    // FF-A 1.2, 9.3: interrupts are handled in SPMC-scheduled mode, in which the Normal world's wait.
    match (found, displaced) {
        (Handler::Waited, _) | (_, None) => {
            at.hold_normal_for(target);
            tell(at, partition, target, first);
        }
        // It goes on by its own model, and runs whom the interrupt took the PE from when it has handled it.
        (Handler::Blocked, Some(displaced)) => {
            at.hold_normal_for_debt(target);
            abi::interrupt(at.frame, displaced);
        }
    }
    let lines = cycles::entered(at, partition, partition.context(target), false);
    at.to_partition(target, model, lines, Deliver::Message)
}

/// A context calls to end what it does, and has an interrupt to handle first: its call comes back with that, and has
/// not happened.
#[cold]
pub fn intercept(at: &mut Entry<'_>, partition: &Partition, slot: Slot) -> Next {
    let Caller::Partition(_, vcpu) = at.caller else { return at.back() };
    tell(at, partition, vcpu, slot);
    at.back()
}

/// A context is told which interrupt it is to handle. At S-EL0 it takes it by that, having no other way.
fn tell(at: &mut Entry<'_>, partition: &Partition, vcpu: VcpuId, slot: Slot) {
    let taken = if partition.is_at_el0() {
        partition.vcpu(vcpu).lock(&mut at.held).0.take_interrupt().0
    } else {
        None
    };
    abi::handle_interrupt(at.frame, partition.owned().id(taken.unwrap_or(slot)).into());
}

/// A context at S-EL0 starts: it lets all interrupts of its devices through, as it cannot say which.
#[cold]
pub fn let_all_through(at: &mut Entry<'_>, partition: &Partition, vcpu: VcpuId) {
    let (mut life, _held) = partition.vcpu(vcpu).lock(&mut at.held);
    for slot in partition.owned().devices() {
        life.enable(slot, true, false).expect("nothing is pending from reset");
    }
}

/// FFA_MSG_WAIT of a context that runs to handle interrupts: whom they took the PE from goes on. Its RX buffer is given
/// back by that, or not.
#[cold]
pub fn handled(at: &mut Entry<'_>, partition: &Partition, handler: VcpuId, releases_rx: bool) -> Next {
    match done(at, partition, handler, partition.config().sri_policy) {
        Ok(interrupted) => {
            if releases_rx {
                buffers::release_rx(at);
            }
            go_on(at, interrupted)
        }
        Err(slot) => intercept(at, partition, slot),
    }
}

/// `handler`, which runs to handle interrupts, waits again (FF-A 1.2, 8.2.4): whom they took the PE from.
///
/// # Errors
/// The interrupt that it has to handle first.
pub fn done(
    at: &mut Entry<'_>,
    partition: &Partition,
    handler: VcpuId,
    policy: SriPolicy,
) -> Result<Interrupted, Slot> {
    let interrupted = {
        let (mut life, _held) = partition.vcpu(handler).lock(&mut at.held);
        life.may_wait(policy)?;
        life.handling()
    };
    let interrupted = interrupted.expect("the PE and its context agree on the model");
    release(at, partition, handler);
    at.cpu.end_handling();
    at.let_go_of(handler);
    Ok(interrupted)
}

/// The context that ran to handle interrupts has ended: whom they took the PE from goes on.
#[cold]
pub fn give_up(at: &mut Entry<'_>, handler: VcpuId, interrupted: Interrupted) -> Next {
    at.cpu.end_handling();
    at.let_go_of(handler);
    go_on(at, interrupted)
}

/// Another context handles its interrupts, or whom the first one took the PE from goes on.
fn go_on(at: &mut Entry<'_>, interrupted: Interrupted) -> Next {
    if at.cpu.errands().contains(Errands::LOOK)
        && let Some((partition, target, handling)) = find(at, interrupted)
    {
        let displaced = match interrupted {
            Interrupted::Normal => None,
            Interrupted::Partition(displaced) => {
                let life = at.spmc.partition_of(displaced).vcpu(displaced);
                life.lock(&mut at.held).0.displaced_by(target);
                Some(displaced)
            }
        };
        return begin(at, partition, target, handling, displaced);
    }
    let Interrupted::Partition(displaced) = interrupted else {
        abi::normal_world_resume(at.frame);
        return at.to_normal(Deliver::Message);
    };
    let partition = at.spmc.partition_of(displaced);
    let handled = partition.vcpu(displaced).lock(&mut at.held).0.handled();
    let (model, lines) = handled.expect("a displaced context waits for the handler");
    if partition.is_aborted() {
        return lifecycle::abandon(at, displaced);
    }
    at.to_partition(displaced, model, lines, Deliver::Resume)
}

/// A context has ended: its interrupts are nobody's, and are masked when they come again.
pub fn end(at: &mut Entry<'_>, partition: &Partition, vcpu: VcpuId) {
    deactivate_each(at, partition, vcpu, Vcpu::ended);
}

/// A context about whose interrupts there is something to do has completed what it did, and waits.
///
/// # Errors
/// The interrupt that it has to handle first; it does not wait.
#[cold]
pub fn wait(at: &mut Entry<'_>, partition: &Partition, vcpu: VcpuId) -> Result<(), Slot> {
    {
        let (mut life, _held) = partition.vcpu(vcpu).lock(&mut at.held);
        life.may_wait(partition.config().sri_policy)?;
        life.wait();
    }
    release(at, partition, vcpu);
    Ok(())
}

/// A context has completed what it did: interrupts that it took can come again, whether it said so or not.
#[cold]
pub fn release(at: &mut Entry<'_>, partition: &Partition, vcpu: VcpuId) {
    deactivate_each(at, partition, vcpu, Vcpu::completed);
}

/// Deactivates the interrupts that a context gives up one by one, the GIC's registers being none of its lock's.
fn deactivate_each(
    at: &mut Entry<'_>,
    partition: &Partition,
    vcpu: VcpuId,
    given_up: fn(&mut Vcpu) -> Option<Slot>,
) {
    while let Some(slot) = {
        let (mut life, _held) = partition.vcpu(vcpu).lock(&mut at.held);
        given_up(&mut life)
    } {
        at.hw.deactivate(partition.owned().id(slot).into());
    }
}

//! CPU cycles: who gets the PE, and to whom it goes back (FF-A 1.2, chapters 8, 9 and 14).

use arm_ffa::FfaError;

use super::{Caller, Entry, Outcome, buffers, interrupts, lifecycle, timers};
use crate::abi::{self, V1_2};
use crate::config::SriPolicy;
use crate::endpoint::{EndpointId, VcpuId};
use crate::exit::{Deliver, Lines, Next};
use crate::hardware::NEVER;
use crate::state::partition::{Context, Partition};
use crate::state::vcpu::{Found, Owes, Resumed};
use crate::state::{ModelKind, Requester};

/// FFA_RUN: w1 the vCPU that is to run on this PE.
pub fn run(at: &mut Entry<'_>) -> Outcome {
    let (partition, context) = target(at)?;
    if let Caller::Partition(own, caller) = at.caller {
        return run_by(at, (own, caller), partition, context);
    }
    if partition.is_aborted() {
        return Err(FfaError::Aborted);
    }
    let is_gone = |vcpu| at.spmc.partition_of(vcpu).is_aborted();
    let resumed = context.vcpu().lock(&mut at.held).0.run(at.cpu.id(), is_gone)?;
    if resumed.found == Found::Displaced {
        orphan(at, context.id());
    }
    Ok(enter(at, partition, context, resumed))
}

/// Who displaced `vcpu` has ended, and may have been further up in its chain: the one there that was called by it works
/// for it no more.
#[cold]
fn orphan(at: &mut Entry<'_>, mut vcpu: VcpuId) {
    let spmc = at.spmc;
    loop {
        let context = spmc.partition_of(vcpu).vcpu(vcpu);
        let requester = context.lock(&mut at.held).0.requester();
        let Some(Requester::Partition(caller)) = requester else { return };
        if spmc.partition_of(caller).vcpu(caller).lock(&mut at.held).0.has_ended() {
            // One further up may have got an interrupt while the chain was nobody's.
            at.look_again();
            return context.lock(&mut at.held).0.orphan();
        }
        vcpu = caller;
    }
}

/// FFA_RUN of a partition's context, `caller`: it resumes whom it called, or whom its interrupt displaced.
fn run_by(
    at: &mut Entry<'_>,
    (own, caller): (&Partition, VcpuId),
    partition: &Partition,
    context: &Context,
) -> Outcome {
    let owes = at.cpu.model() == ModelKind::Owing;
    let handling = at.cpu.handles() && own.vcpu(caller).lock(&mut at.held).0.has_interrupt();
    if partition.is_aborted() && !owes {
        return Err(FfaError::Aborted);
    }
    let resumed =
        context.vcpu().lock(&mut at.held).0.run_by(caller, at.cpu.id(), Owes { pe: owes, handling })?;
    if resumed.found == Found::Displaced && at.cpu.model() == ModelKind::Interrupt {
        // It has none to handle first, and may wait.
        let _ = interrupts::done(at, own, caller, SriPolicy::all());
        at.look_again();
    } else {
        own.vcpu(caller).lock(&mut at.held).0.call();
    }
    if owes {
        interrupts::release(at, own, caller);
        at.end_debt();
        at.look_again();
    }
    if partition.is_aborted() {
        // The debt is paid, and whom it was owed to ends: who called that gets to know.
        return Ok(lifecycle::abandon(at, context.id()));
    }
    Ok(enter(at, partition, context, resumed))
}

fn enter(
    at: &mut Entry<'_>,
    partition: &Partition,
    context: &Context,
    Resumed { found, model, is_quiet }: Resumed,
) -> Next {
    let target = context.id();
    let lines = entered(at, partition, context, is_quiet);
    if partition.queues_normal_interrupts() {
        at.hold_normal_for(target);
    }
    let deliver = match found {
        Found::Waiting => {
            abi::run(at.frame);
            Deliver::Message
        }
        Found::Yielded => {
            abi::success(at.frame);
            Deliver::Message
        }
        Found::Preempted | Found::Displaced => Deliver::Resume,
    };
    at.to_partition(target, model, lines, deliver)
}

/// A context of this partition has just got this PE: its virtual interrupt lines. A notification that waits for it
/// becomes pending, and its timer's deadline is this PE's to keep. `is_quiet` says that there is nothing about its
/// interrupts and its timer.
///
/// Whoever notifies changes the inbox and then looks at the context; here it is the other way round, so that one of the
/// two sees the other.
#[inline]
pub fn entered(at: &mut Entry<'_>, partition: &Partition, context: &Context, is_quiet: bool) -> Lines {
    if is_quiet && !partition.receiver().is_pending() {
        return Lines::empty();
    }
    entered_with(at, partition, context)
}

#[cold]
fn entered_with(at: &mut Entry<'_>, partition: &Partition, context: &Context) -> Lines {
    let here = at.cpu.id();
    let number = context.id().index().into();
    let is_notified =
        partition.receiver().is_pending() && partition.receiver().lock(&mut at.held).0.is_pending_for(number);
    let now = at.hw.now();
    let (lines, deadline) = {
        let (mut life, _held) = context.vcpu().lock(&mut at.held);
        let lines = life.found(is_notified, now);
        context.keep_deadline(life.deadline(), here);
        (lines, life.deadline())
    };
    timers::arm_at_most(at.cpu, at.hw, deadline);
    lines
}

/// The vCPU that FFA_RUN names: one that exists, is not the caller's own, and may run on this PE.
fn target<'a>(at: &Entry<'a>) -> Result<(&'a Partition, &'a Context), FfaError> {
    let (id, index) = abi::halves(at.frame);
    let id = EndpointId::new(id);
    if id == at.caller.id() {
        return Err(FfaError::InvalidParameters);
    }
    let partition = at.partition(id).ok_or(FfaError::InvalidParameters)?;
    let here = partition.context_on(at.cpu.id()).ok_or(FfaError::InvalidParameters)?;
    if u16::from(here.id().index()) != index {
        return Err(FfaError::InvalidParameters);
    }
    Ok((partition, here))
}

/// Bit 0 of w2 in FFA_MSG_WAIT: the caller keeps its RX buffer.
const RETAIN_RX: u32 = 1;

/// FFA_MSG_WAIT: the caller has nothing more to do; its RX buffer is released unless w2 retains it.
pub fn msg_wait(at: &mut Entry<'_>) -> Outcome {
    let flags = abi::word(at.frame, 2);
    let known = if at.version >= V1_2 { RETAIN_RX } else { 0 };
    if flags & !known != 0 {
        return Err(FfaError::InvalidParameters);
    }
    let Caller::Partition(partition, vcpu) = at.caller else { return Err(FfaError::NotSupported) };
    if at.cpu.model() == ModelKind::Interrupt {
        return Ok(interrupts::handled(at, partition, vcpu, flags & RETAIN_RX == 0));
    }
    let waits = partition.vcpu(vcpu).lock(&mut at.held).0.wait_if_quiet();
    if !waits && let Err(slot) = interrupts::wait(at, partition, vcpu) {
        return Ok(interrupts::intercept(at, partition, slot));
    }
    if flags & RETAIN_RX == 0 {
        buffers::release_rx(at);
    }
    if at.cpu.model() == ModelKind::Init {
        return Ok(lifecycle::initialised(at, vcpu));
    }
    abi::msg_wait(at.frame);
    Ok(at.to_normal(Deliver::Message))
}

/// FFA_YIELD: w2-w3 the time after which the caller wants to be run again, in nanoseconds; 0 for any.
pub fn give_up(at: &mut Entry<'_>) -> Outcome {
    let timeout = abi::timeout(at.frame);
    let Caller::Partition(partition, vcpu) = at.caller else { return Err(FfaError::NotSupported) };
    let Some(requester) = partition.vcpu(vcpu).lock(&mut at.held).0.give_up() else {
        // In SPMC-scheduled mode there is nobody else to run: it goes on at once (FF-A 1.2, 14.3).
        return at.done();
    };
    abi::yielded(at.frame, vcpu, timeout);
    Ok(give_back(at, vcpu, requester, Deliver::Message))
}

/// WFI of a partition whose manifest lets it yield by that: whom it works for gets FFA_YIELD, with the time until its
/// timer's interrupt; 0 where none will come.
#[inline(never)]
pub fn idle(at: &mut Entry<'_>) -> Next {
    let Caller::Partition(partition, vcpu) = at.caller else { return at.back() };
    if partition.is_aborted() {
        return lifecycle::abandon(at, vcpu);
    }
    let context = partition.context(vcpu);
    let owes = at.cpu.model() == ModelKind::Owing;
    let requester = if owes { None } else { context.vcpu().lock(&mut at.held).0.idle() };
    let Some(requester) = requester else { return at.resume(vcpu, Deliver::Resume) };
    let timeout = match context.deadline() {
        NEVER => 0,
        deadline => nanoseconds(deadline.saturating_sub(at.hw.now()), at.hw.frequency()),
    };
    abi::yielded(at.frame, vcpu, timeout);
    give_back(at, vcpu, requester, Deliver::Message)
}

/// This many counts of the system counter, as a timeout: at least one nanosecond, since 0 has another meaning.
fn nanoseconds(counts: u64, frequency: u32) -> u64 {
    const SECOND: u64 = 1_000_000_000;
    let frequency = u64::from(frequency.max(1));
    let (seconds, rest) = (counts / frequency, counts % frequency);
    // The rest is below a frequency of 32 bits.
    seconds.saturating_mul(SECOND).saturating_add(rest * SECOND / frequency).max(1)
}

/// FFA_INTERRUPT as a call: the SPMD says that a secure interrupt took the PE from the Normal world. It is not for a
/// partition to say.
pub fn interrupt(at: &mut Entry<'_>) -> Outcome {
    match at.caller {
        Caller::Normal => Ok(interrupts::in_normal_world(at)),
        Caller::Partition(..) => Err(FfaError::Denied),
    }
}

/// Whether `vcpu` is in the call chain that ends with one that works for `requester`: it waits for that one, or for
/// one that does.
pub fn is_in_chain(at: &mut Entry<'_>, vcpu: VcpuId, mut requester: Option<Requester>) -> bool {
    while let Some(Requester::Partition(caller)) = requester {
        if caller == vcpu {
            return true;
        }
        requester = at.spmc.partition_of(caller).vcpu(caller).lock(&mut at.held).0.requester();
    }
    false
}

/// The PE goes back from the context `left`, which just left it, to whoever waits for that.
pub fn give_back(at: &mut Entry<'_>, left: VcpuId, to: Requester, deliver: Deliver) -> Next {
    let vcpu = match to {
        Requester::Normal(_) | Requester::Logical(_) | Requester::Gone(_) => return at.to_normal(deliver),
        Requester::Partition(vcpu) => vcpu,
    };
    at.let_go_of(left);
    at.look_again();
    let partition = at.spmc.partition_of(vcpu);
    if partition.is_aborted() {
        // It was aborted through another of its contexts while this one was blocked here.
        return lifecycle::abandon(at, vcpu);
    }
    let called_back = partition.vcpu(vcpu).lock(&mut at.held).0.called_back();
    let (model, lines) = called_back.expect("a context that is owed an answer waits for it");
    at.to_partition(vcpu, model, lines, deliver)
}

//! CPU cycles: who gets the PE, and to whom it goes back (FF-A 1.2, chapters 8, 9 and 14).

use arm_ffa::FfaError;

use super::{Caller, Entry, Outcome, buffers, interrupts, lifecycle};
use crate::abi::{self, V1_2};
use crate::endpoint::VcpuId;
use crate::exit::{Deliver, Next};
use crate::state::partition::{Context, Partition};
use crate::state::vcpu::{Found, Resumed};
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
    Ok(enter(at, partition, context.id(), resumed))
}

/// FFA_RUN of a partition's context, `caller`: it resumes whom it called, or whom its interrupt displaced.
fn run_by(
    at: &mut Entry<'_>,
    (own, caller): (&Partition, VcpuId),
    partition: &Partition,
    context: &Context,
) -> Outcome {
    let owes = at.cpu.model() == ModelKind::Owing;
    if partition.is_aborted() && !owes {
        return Err(FfaError::Aborted);
    }
    let resumed = context.vcpu().lock(&mut at.held).0.run_by(caller, at.cpu.id(), owes)?;
    if resumed.found == Found::Displaced && at.cpu.model() == ModelKind::Interrupt {
        interrupts::done(at, own, caller);
    } else {
        own.vcpu(caller).lock(&mut at.held).0.call();
    }
    if owes {
        at.end_debt();
    }
    if partition.is_aborted() {
        // The debt is paid, and whom it was owed to ends: who called that gets to know.
        return Ok(lifecycle::abandon(at, context.id()));
    }
    Ok(enter(at, partition, context.id(), resumed))
}

fn enter(
    at: &mut Entry<'_>,
    partition: &Partition,
    target: VcpuId,
    Resumed { found, model }: Resumed,
) -> Next {
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
    at.to_partition(target, model, deliver)
}

/// The vCPU that FFA_RUN names: one that exists, is not the caller's own, and may run on this PE.
fn target<'a>(at: &Entry<'a>) -> Result<(&'a Partition, &'a Context), FfaError> {
    let (id, index) = abi::run_target(at.frame);
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
    if flags & RETAIN_RX == 0 {
        // An RX buffer that is empty or was never mapped needs no release.
        let _ = buffers::release_rx(at);
    }
    if at.cpu.model() == ModelKind::Interrupt {
        return Ok(interrupts::handled(at, partition, vcpu));
    }
    partition.vcpu(vcpu).lock(&mut at.held).0.wait();
    if at.cpu.model() == ModelKind::Init {
        return Ok(lifecycle::initialised(at, vcpu));
    }
    abi::msg_wait(at.frame);
    Ok(at.to_normal(Deliver::Message))
}

/// FFA_YIELD: w2-w3 the time after which the caller wants to be run again, in nanoseconds; 0 for any.
pub fn give_up(at: &mut Entry<'_>) -> Outcome {
    let timeout = [abi::word(at.frame, 2).into(), abi::word(at.frame, 3).into()];
    let Caller::Partition(partition, vcpu) = at.caller else { return Err(FfaError::NotSupported) };
    let Some(requester) = partition.vcpu(vcpu).lock(&mut at.held).0.give_up() else {
        // In SPMC-scheduled mode there is nobody else to run: it goes on at once (FF-A 1.2, 14.3).
        return at.done();
    };
    abi::yielded(at.frame, vcpu, timeout);
    Ok(give_back(at, vcpu, requester, Deliver::Message))
}

/// FFA_INTERRUPT as a call: the SPMD says that a secure interrupt took the PE from the Normal world. It is not for a
/// partition to say.
pub fn interrupt(at: &mut Entry<'_>) -> Outcome {
    match at.caller {
        Caller::Normal => Ok(interrupts::in_normal_world(at)),
        Caller::Partition(..) => Err(FfaError::Denied),
    }
}

/// The PE goes back from the context `left`, which just left it, to whoever waits for that.
pub fn give_back(at: &mut Entry<'_>, left: VcpuId, to: Requester, deliver: Deliver) -> Next {
    let vcpu = match to {
        Requester::Normal(_) | Requester::Logical(_) | Requester::Gone(_) => return at.to_normal(deliver),
        Requester::Partition(vcpu) => vcpu,
    };
    at.let_go_of(left);
    let partition = at.spmc.partition_of(vcpu);
    if partition.is_aborted() {
        // It was aborted through another of its contexts while this one was blocked here.
        return lifecycle::abandon(at, vcpu);
    }
    let model = partition.vcpu(vcpu).lock(&mut at.held).0.called_back();
    let model = model.expect("a context that is owed an answer waits for it");
    at.to_partition(vcpu, model, deliver)
}

//! CPU cycles: who gets the PE, and to whom it goes back (FF-A 1.2, chapters 8, 9 and 14).

use arm_ffa::FfaError;
use log::warn;

use super::{Caller, Entry, Outcome, buffers, lifecycle};
use crate::abi::{self, V1_2};
use crate::endpoint::VcpuId;
use crate::exit::{Deliver, Next};
use crate::hardware::Acknowledged;
use crate::state::ModelKind;
use crate::state::partition::Partition;
use crate::state::vcpu::{Found, Requester};

/// FFA_RUN: w1 the vCPU that is to run on this PE.
pub fn run(at: &mut Entry<'_>) -> Outcome {
    let (partition, target) = target(at)?;
    if partition.is_aborted() {
        return Err(FfaError::Aborted);
    }
    let on = at.cpu.id();
    let vcpu = partition.vcpu(target);
    let (found, model) = match at.caller {
        Caller::Normal => vcpu.lock(&mut at.held).0.run(on)?,
        Caller::Partition(own, caller) => {
            let found = vcpu.lock(&mut at.held).0.run_by(caller, on)?;
            own.vcpu(caller).lock(&mut at.held).0.call();
            found
        }
    };
    let deliver = match found {
        Found::Waiting => {
            abi::run(at.frame);
            Deliver::Message
        }
        Found::Yielded => {
            abi::success(at.frame);
            Deliver::Message
        }
        Found::Preempted => Deliver::Resume,
    };
    Ok(at.to_partition(target, model, deliver))
}

/// The vCPU that FFA_RUN names: one that exists, is not the caller's own, and may run on this PE.
fn target<'a>(at: &Entry<'a>) -> Result<(&'a Partition, VcpuId), FfaError> {
    let (id, index) = abi::run_target(at.frame);
    if id == at.caller.id() {
        return Err(FfaError::InvalidParameters);
    }
    let partition = at.partition(id).ok_or(FfaError::InvalidParameters)?;
    let here = partition.vcpu_on(at.cpu.id()).ok_or(FfaError::InvalidParameters)?;
    if u16::from(here.index()) != index {
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
    let requester = partition.vcpu(vcpu).lock(&mut at.held).0.give_up().ok_or(FfaError::Denied)?;
    abi::yielded(at.frame, vcpu, timeout);
    Ok(give_back(at, requester, Deliver::Message))
}

/// FFA_INTERRUPT as a call of a partition: it is the SPMC's to say.
pub fn interrupt(_: &mut Entry<'_>) -> Outcome {
    Err(FfaError::Denied)
}

/// The PE goes back to whoever waits for the context that just left it.
pub fn give_back(at: &mut Entry<'_>, to: Requester, deliver: Deliver) -> Next {
    let vcpu = match to {
        Requester::Normal(_) => return at.to_normal(deliver),
        Requester::Partition(vcpu) => vcpu,
    };
    let partition = at.spmc.partition_of(vcpu);
    if partition.is_aborted() {
        // It was aborted through another of its contexts while this one was blocked here.
        return lifecycle::abandon(at, vcpu);
    }
    let model = partition.vcpu(vcpu).lock(&mut at.held).0.called_back();
    let model = model.expect("a context that is owed an answer waits for it");
    at.to_partition(vcpu, model, deliver)
}

/// A physical interrupt took the PE from the partition that ran.
pub fn interrupted(at: &mut Entry<'_>) -> Next {
    let Caller::Partition(partition, vcpu) = at.caller else { return at.back() };
    let acknowledged = at.hw.acknowledge();
    if partition.is_aborted() {
        if let Acknowledged::Secure(id) = acknowledged {
            unowned(at, id);
        }
        return lifecycle::abandon(at, vcpu);
    }
    match acknowledged {
        Acknowledged::Secure(id) => unowned(at, id),
        Acknowledged::Normal if at.cpu.model() != ModelKind::Init => {
            let requester = partition.vcpu(vcpu).lock(&mut at.held).0.preempt();
            if let Some(requester) = requester {
                abi::interrupt(at.frame, vcpu);
                return give_back(at, requester, Deliver::Message);
            }
        }
        // Interrupts of the Normal world are held during initialisation: this one has gone away.
        Acknowledged::Kick | Acknowledged::Normal => {}
    }
    Next::Partition { target: vcpu, deliver: Deliver::Resume }
}

/// FFA_INTERRUPT from the SPMD: a secure interrupt took the PE from the Normal world.
pub fn interrupt_in_normal_world(at: &mut Entry<'_>) -> Next {
    if let Acknowledged::Secure(id) = at.hw.acknowledge() {
        unowned(at, id);
    }
    abi::normal_world_resume(at.frame);
    at.to_normal(Deliver::Message)
}

/// No partition owns this interrupt: it is masked so that it cannot come again, counted and reported.
fn unowned(at: &mut Entry<'_>, id: u32) {
    at.hw.mask(id);
    at.hw.finish(id);
    let count = at.spmc.count_unowned_interrupt();
    warn!("interrupt {id} on PE {} belongs to nobody: masked ({count} so far)", at.cpu.id().get());
}

//! Direct messages: a request takes the PE to the receiver, its response brings it back (FF-A 1.2, chapter 15).
//!
//! Payload registers are not looked at: they stay in the frame from the sender's exit to the receiver's entry. The
//! exception are the framework messages about VMs (FF-A 1.2, 18.3), which the hypervisor sends to subscribers.

use arm_ffa::FfaError;
use uuid::Uuid;

use super::{Caller, Entry, Outcome, cycles, interrupts};
use crate::abi::{self, V1_2};
use crate::config::{AvailabilityMessages, Methods};
use crate::endpoint::EndpointId;
use crate::exit::Deliver;
use crate::state::partition::Partition;
use crate::state::{ModelKind, Request, RequestKind, Requester};

/// FFA_MSG_SEND_DIRECT_REQ, 32-bit: w1 source and destination, w3-w7 the payload; w2 is zero, or says which framework
/// message it is.
pub fn request32(at: &mut Entry<'_>) -> Outcome {
    if abi::word(at.frame, 2) == 0 { request(at) } else { vm_message(at) }
}

/// FFA_MSG_SEND_DIRECT_REQ, 64-bit: w1 source and destination, w2 zero, x3-x7 the payload.
pub fn request64(at: &mut Entry<'_>) -> Outcome {
    if abi::word(at.frame, 2) == 0 { request(at) } else { Err(FfaError::InvalidParameters) }
}

#[inline(always)]
fn request(at: &mut Entry<'_>) -> Outcome {
    let (source, receiver) = parties(at)?;
    permitted(at, receiver.methods(), Methods::RECEIVE_DIRECT, Methods::SEND_DIRECT)?;
    admitted(receiver, source, Uuid::nil())?;
    enter(at, source, receiver, RequestKind::Direct, Deliver::Message)
}

/// FFA_MSG_SEND_DIRECT_REQ2: x1 source and destination, x2-x3 the service's UUID (nil: any), x4-x17 the payload.
pub fn request2(at: &mut Entry<'_>) -> Outcome {
    let (source, receiver) = parties(at)?;
    let uuid = abi::uuid64(at.frame, 2);
    let offered = receiver.offers(uuid).ok_or(FfaError::InvalidParameters)?;
    permitted(at, offered, Methods::RECEIVE_DIRECT2, Methods::SEND_DIRECT2)?;
    admitted(receiver, source, uuid)?;
    if receiver.version().get() < V1_2 {
        return Err(FfaError::Denied);
    }
    enter(at, source, receiver, RequestKind::Direct2, Deliver::Extended)
}

/// A framework message that a VM was created or destroyed: w3-w4 a handle, w5 the VM. Only the hypervisor has VMs, and
/// only subscribers are told.
#[cold]
fn vm_message(at: &mut Entry<'_>) -> Outcome {
    let (source, receiver) = parties(at)?;
    let (wanted, kind) = match abi::vm_message(at.frame) {
        Some(abi::VmMessage::Created) => (AvailabilityMessages::CREATED, RequestKind::VmCreated),
        Some(abi::VmMessage::Destroyed) => (AvailabilityMessages::DESTROYED, RequestKind::VmDestroyed),
        None => return Err(FfaError::InvalidParameters),
    };
    let is_hypervisor = source == EndpointId::NORMAL && matches!(at.caller, Caller::Normal);
    let is_wanted = receiver.config().availability.contains(wanted);
    if !is_hypervisor || !is_wanted || abi::message_vm(at.frame).is_secure() {
        return Err(FfaError::InvalidParameters);
    }
    enter(at, source, receiver, kind, Deliver::Message)
}

/// The source, which must be the caller itself or somebody who calls through it, and the partition it wants.
fn parties<'a>(at: &Entry<'a>) -> Result<(EndpointId, &'a Partition), FfaError> {
    let (source, destination) = abi::endpoints(at.frame);
    let is_its_own = match at.caller {
        // The SPMD hands over what logical partitions at EL3 send, and lets nobody else use their ids.
        Caller::Normal => !source.is_secure() || source.is_logical(),
        Caller::Partition(partition, _) => source == partition.id(),
    };
    if !is_its_own || source == destination {
        return Err(FfaError::InvalidParameters);
    }
    at.partition(destination).map(|receiver| (source, receiver)).ok_or(FfaError::InvalidParameters)
}

/// Whether the manifests of both sides allow this kind of request.
fn permitted(at: &Entry<'_>, offered: Methods, receive: Methods, send: Methods) -> Result<(), FfaError> {
    let may_send = match at.caller {
        Caller::Normal => true,
        Caller::Partition(partition, _) => partition.methods().contains(send),
    };
    if may_send && offered.contains(receive) { Ok(()) } else { Err(FfaError::Denied) }
}

/// Whether the receiver's manifest admits this sender's messages to this service; framework messages are not its to
/// refuse.
#[inline]
fn admitted(receiver: &Partition, source: EndpointId, uuid: Uuid) -> Result<(), FfaError> {
    if receiver.admits(source, uuid) { Ok(()) } else { Err(FfaError::Denied) }
}

/// Claims the receiver's context for this PE (may be refused), then blocks the caller (cannot fail).
fn enter(
    at: &mut Entry<'_>,
    source: EndpointId,
    receiver: &Partition,
    kind: RequestKind,
    deliver: Deliver,
) -> Outcome {
    // A pinned partition has no context on a PE beyond its last one.
    let context = receiver.context_on(at.cpu.id()).ok_or(FfaError::Denied)?;
    let target = context.id();
    if receiver.is_aborted() {
        return Err(FfaError::Aborted);
    }
    let from = match at.caller {
        Caller::Normal if source.is_secure() => Requester::Logical(source),
        Caller::Normal => Requester::Normal(source),
        Caller::Partition(_, vcpu) => Requester::Partition(vcpu),
    };
    let on = at.cpu.id();
    let is_quiet = context.vcpu().lock(&mut at.held).0.claim(on, Request { from, kind })?;
    match at.caller {
        Caller::Partition(partition, vcpu) => partition.vcpu(vcpu).lock(&mut at.held).0.call(),
        // What EL3 asks for runs in SPMC-scheduled mode: the Normal world's interrupts wait (FF-A 1.2, 9.3).
        Caller::Normal if source.is_secure() => at.hold_normal_for(target),
        Caller::Normal => {}
    }
    if receiver.queues_normal_interrupts() {
        at.hold_normal_for(target);
    }
    let lines = cycles::entered(at, receiver, context, is_quiet);
    Ok(at.to_partition(target, ModelKind::Direct, lines, deliver))
}

/// FFA_MSG_SEND_DIRECT_RESP, 32-bit: w1 source and destination, w3-w7 the payload; w2 is zero, or says which framework
/// message it answers.
pub fn respond32(at: &mut Entry<'_>) -> Outcome {
    let kind = match abi::word(at.frame, 2) {
        0 => RequestKind::Direct,
        _ => match abi::vm_answer(at.frame) {
            Some(abi::VmMessage::Created) => RequestKind::VmCreated,
            Some(abi::VmMessage::Destroyed) => RequestKind::VmDestroyed,
            None => return Err(FfaError::InvalidParameters),
        },
    };
    answer(at, kind, Deliver::Message)
}

/// FFA_MSG_SEND_DIRECT_RESP, 64-bit: w1 source and destination, w2 zero, x3-x7 the payload.
pub fn respond64(at: &mut Entry<'_>) -> Outcome {
    if abi::word(at.frame, 2) != 0 {
        return Err(FfaError::InvalidParameters);
    }
    answer(at, RequestKind::Direct, Deliver::Message)
}

/// FFA_MSG_SEND_DIRECT_RESP2: x1 source and destination, x2-x3 zero, x4-x17 the payload.
pub fn respond2(at: &mut Entry<'_>) -> Outcome {
    if at.frame.x[2] | at.frame.x[3] != 0 {
        return Err(FfaError::InvalidParameters);
    }
    answer(at, RequestKind::Direct2, Deliver::Extended)
}

fn answer(at: &mut Entry<'_>, kind: RequestKind, deliver: Deliver) -> Outcome {
    let (source, destination) = abi::endpoints(at.frame);
    let Caller::Partition(partition, vcpu) = at.caller else { return Err(FfaError::NotSupported) };
    if source != partition.id() {
        return Err(FfaError::InvalidParameters);
    }
    let (request, waits) = {
        let (mut life, _held) = partition.vcpu(vcpu).lock(&mut at.held);
        let request = life.request(kind, destination).ok_or(FfaError::Denied)?;
        (request, life.wait_if_quiet())
    };
    if !waits && let Err(slot) = interrupts::wait(at, partition, vcpu) {
        return Ok(interrupts::intercept(at, partition, slot));
    }
    let requester = request.from;
    if let Requester::Gone(_) = requester {
        // The Normal world ran the context to its end, and gets to know just that.
        abi::msg_wait(at.frame);
        return Ok(at.to_normal(Deliver::Message));
    }
    Ok(cycles::give_back(at, vcpu, requester, deliver))
}

//! Notifications: who may send which, sending and taking them (FF-A 1.2, chapters 10 and 16).

use arm_ffa::FfaError;

use super::party::Party;
use super::schedule::{self, DELAY, When};
use super::{Caller, Entry, Outcome};
use crate::abi;
use crate::endpoint::EndpointId;
use crate::state::inbox::{Inbox, Sources};
use crate::state::notifications::{Refused, Scope};

/// Flag of BIND and SET: for one context of the receiver.
const PER_VCPU: u32 = 1 << 0;

/// FFA_NOTIFICATION_BITMAP_CREATE: w1 the endpoint of the Normal world that is to be notified, w2 its contexts.
pub fn bitmap_create(at: &mut Entry<'_>) -> Outcome {
    let vm = vm(at)?;
    let contexts = abi::word(at.frame, 2);
    if contexts == 0 {
        return Err(FfaError::InvalidParameters);
    }
    let normal = at.spmc.normal();
    {
        let (mut registry, mut held) = normal.registry().lock(&mut at.held);
        let endpoint = normal.enter(&mut registry, vm).ok_or(FfaError::NoMemory)?;
        let (mut inbox, _held) = endpoint.receiver.lock(&mut held);
        let notifications = &mut inbox.notifications;
        let opened = match u16::try_from(contexts) {
            _ if notifications.contexts() != 0 => Err(FfaError::Denied),
            Ok(contexts) if contexts <= notifications.capacity() => {
                notifications.open(contexts);
                Ok(())
            }
            _ => Err(FfaError::NoMemory),
        };
        normal.leave(&mut registry, endpoint, &inbox);
        opened?;
    }
    at.done()
}

/// FFA_NOTIFICATION_BITMAP_DESTROY: w1 the endpoint of the Normal world.
pub fn bitmap_destroy(at: &mut Entry<'_>) -> Outcome {
    let vm = vm(at)?;
    let normal = at.spmc.normal();
    {
        let (mut registry, mut held) = normal.registry().lock(&mut at.held);
        let endpoint = normal.get(vm).ok_or(FfaError::Denied)?;
        let (mut inbox, _held) = endpoint.receiver.lock(&mut held);
        inbox.close()?;
        normal.leave(&mut registry, endpoint, &inbox);
    }
    at.done()
}

/// The endpoint of the Normal world in w1.
fn vm(at: &Entry<'_>) -> Result<EndpointId, FfaError> {
    let (reserved, vm) = abi::endpoints(at.frame);
    if reserved != EndpointId::NORMAL || vm.is_secure() {
        return Err(FfaError::InvalidParameters);
    }
    Ok(vm)
}

/// FFA_NOTIFICATION_BIND: w1 sender and receiver, w2 flags, w3-w4 the notifications that the sender may send.
pub fn bind(at: &mut Entry<'_>) -> Outcome {
    let flags = abi::word(at.frame, 2);
    if flags & !PER_VCPU != 0 {
        return Err(FfaError::InvalidParameters);
    }
    let (sender, receiver, bits) = bindings(at)?;
    change(at, receiver, |inbox| Ok(inbox.notifications.bind(sender, flags & PER_VCPU != 0, bits)?))?;
    at.done()
}

/// FFA_NOTIFICATION_UNBIND: w1 sender and receiver, w3-w4 the notifications that the sender may not send any more.
pub fn unbind(at: &mut Entry<'_>) -> Outcome {
    let (sender, receiver, bits) = bindings(at)?;
    change(at, receiver, |inbox| Ok(inbox.notifications.unbind(sender, bits)?))?;
    at.done()
}

/// Sender, receiver and notifications of BIND and UNBIND, which are the receiver's calls.
fn bindings<'a>(at: &mut Entry<'a>) -> Result<(EndpointId, Party<'a>, u64), FfaError> {
    let (sender, receiver) = abi::endpoints(at.frame);
    let bits = abi::bitmap(at.frame, 3);
    let is_somebody = match at.caller {
        // Between its own VMs the hypervisor does it by itself.
        Caller::Normal => sender.is_secure() && at.partition(sender).is_some(),
        Caller::Partition(..) => !sender.is_secure() || at.partition(sender).is_some(),
    };
    let speaks = match at.caller {
        Caller::Normal => !receiver.is_secure(),
        Caller::Partition(partition, _) => receiver == partition.id(),
    };
    if bits == 0 || !is_somebody || !speaks || sender == receiver {
        return Err(FfaError::InvalidParameters);
    }
    // A VM for which no bitmap was created takes none.
    let receiver = Party::spoken_for(at, receiver).ok_or(FfaError::Denied)?;
    Ok((sender, receiver, bits))
}

/// Has `change` change the notifications of a receiver that takes any.
fn change<R>(
    at: &mut Entry<'_>,
    receiver: Party<'_>,
    change: impl FnOnce(&mut Inbox) -> Result<R, FfaError>,
) -> Result<R, FfaError> {
    receiver.receiver().change(&mut at.held, |inbox| match receiver {
        _ if inbox.notifications.contexts() != 0 => change(inbox),
        Party::Partition(_) => Err(FfaError::NotSupported),
        Party::Normal(..) => Err(FfaError::Denied),
    })
}

/// FFA_NOTIFICATION_SET: w1 sender and receiver, w2 flags and in bits 31:16 the receiver's context, w3-w4 which.
pub fn set(at: &mut Entry<'_>) -> Outcome {
    let (sender, receiver) = abi::endpoints(at.frame);
    let (flags, vcpu) = (abi::word(at.frame, 2) & 0xFFFF, (abi::word(at.frame, 2) >> 16) as u16);
    let bits = abi::bitmap(at.frame, 3);
    let (known, speaks) = match at.caller {
        Caller::Normal => (PER_VCPU, !sender.is_secure() && receiver.is_secure()),
        Caller::Partition(partition, _) => (PER_VCPU | DELAY, sender == partition.id()),
    };
    let scope = if flags & PER_VCPU != 0 { Scope::Vcpu(vcpu) } else { Scope::Global };
    let is_odd = scope == Scope::Global && vcpu != 0;
    if bits == 0 || flags & !known != 0 || !speaks || is_odd || sender == receiver {
        return Err(FfaError::InvalidParameters);
    }
    let receiver = match Party::find(at, receiver) {
        Some(receiver) => receiver,
        None if receiver.is_secure() => return Err(FfaError::InvalidParameters),
        None => return Err(FfaError::Denied),
    };
    let changed = receiver.receiver().change(&mut at.held, |inbox| {
        let contexts = inbox.notifications.contexts();
        match scope {
            _ if contexts == 0 || !receiver.is_there() => Err(FfaError::Denied),
            Scope::Vcpu(vcpu) if vcpu >= contexts => Err(FfaError::InvalidParameters),
            _ => Ok(inbox.notifications.set(sender, scope, bits)?),
        }
    })?;
    schedule::announce(at, receiver, scope, changed, When::of(flags & DELAY != 0));
    at.done()
}

/// FFA_NOTIFICATION_GET: w1 the receiver's context and the receiver, w2 whose notifications.
pub fn get(at: &mut Entry<'_>) -> Outcome {
    let (vcpu, receiver) = abi::halves(at.frame);
    let sources = Sources::from_bits(abi::word(at.frame, 2)).ok_or(FfaError::InvalidParameters)?;
    let receiver = Party::spoken_for(at, EndpointId::new(receiver)).ok_or(FfaError::InvalidParameters)?;
    let notified = change(at, receiver, |inbox| {
        if vcpu < inbox.notifications.contexts() {
            Ok(inbox.get(vcpu, sources))
        } else {
            Err(FfaError::InvalidParameters)
        }
    })?;
    abi::notified(at.frame, &notified);
    Ok(at.back())
}

impl From<Refused> for FfaError {
    fn from(Refused: Refused) -> Self {
        Self::Denied
    }
}

//! What interrupts that are not the partition's own do while it runs, and how it gets time for its own.

use super::error::Error;
use super::tree::Node;
use crate::config::{ExceptionLevel, NormalInterrupts, OtherSecureInterrupts, SriPolicy};

const NORMAL: &str = "ns-interrupts-action";
const MANAGED_EXIT: &str = "managed-exit";
const VIRTUAL_IRQ: &str = "managed-exit-virq";
const OTHERS: &str = "other-s-interrupts-action";
const SRI: &str = "sri-interrupts-policy";

/// What interrupts of the Normal world do. `managed-exit` is the older form, and wins.
pub fn normal(root: &Node<'_, '_>, level: ExceptionLevel) -> Result<NormalInterrupts, Error> {
    let name = root.owner();
    let action = root.optional_number(NORMAL, 0..=2_u8)?;
    let property = if root.flag(MANAGED_EXIT)? { MANAGED_EXIT } else { NORMAL };
    let virq = root.flag(VIRTUAL_IRQ)?;
    let managed_exit = property == MANAGED_EXIT || action == Some(1);
    if !managed_exit {
        if virq {
            log::warn!("{name}: `{VIRTUAL_IRQ}` has no effect without managed exit");
        }
        return Ok(match action {
            Some(0) => NormalInterrupts::Queued,
            _ => NormalInterrupts::Signalled,
        });
    }
    if level == ExceptionLevel::El0 {
        let value = if property == MANAGED_EXIT { "set" } else { "1" };
        return Err(root.value(property, value, "without managed exit, as `exception-level` is 1 (S-EL0)"));
    }
    if let Some(other) = action.filter(|action| *action != 1) {
        log::warn!("{name}: `{NORMAL}` {other} is ignored: `{MANAGED_EXIT}` wins");
    }
    log::warn!("{name}: managed exit is not there: interrupts of the Normal world preempt the partition");
    Ok(NormalInterrupts::ManagedExit { virq })
}

/// What secure interrupts of others do: they cannot wait where those of the Normal world do not.
pub fn other_secure(root: &Node<'_, '_>, normal: NormalInterrupts) -> Result<OtherSecureInterrupts, Error> {
    match root.optional_number(OTHERS, 0..=1_u8)? {
        Some(0) if normal != NormalInterrupts::Queued => {
            let limit = "1 (signalled), as `ns-interrupts-action` is not 0 (queued)";
            Err(root.value(OTHERS, "0", limit))
        }
        Some(0) => Ok(OtherSecureInterrupts::Queued),
        _ => Ok(OtherSecureInterrupts::Signalled),
    }
}

/// How it gets time for its own interrupts.
pub fn sri_policy(root: &Node<'_, '_>, level: ExceptionLevel) -> Result<SriPolicy, Error> {
    let bits = root.optional_number(SRI, 0..=SriPolicy::all().bits())?.unwrap_or(0);
    if bits != 0 && level == ExceptionLevel::El0 {
        return Err(root.value(SRI, format_args!("{bits:#x}"), "0, as `exception-level` is 1 (S-EL0)"));
    }
    Ok(SriPolicy::from_bits_truncate(bits))
}

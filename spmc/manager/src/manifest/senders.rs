//! Who may send to a partition, where its manifest says so: a node of ours, which no binding of FF-A has.

use alloc::format;
use alloc::vec::Vec;

use super::error::Error;
use super::messages;
use super::tree::Node;
use crate::config::{AllowedSender, Service};
use crate::endpoint::{EndpointId, PartitionIndex};

/// The node of the rules.
pub const NODE: &str = "allowed-senders";

/// The most rules of one partition: each message may look at all of them.
pub const MAX_RULES: usize = 64;

const SENDER: &str = "sender";
const UUID: &str = "uuid";

/// The rules of the partition `own`, which offers `services`; none where FF-A's defaults hold.
pub fn allowed(
    root: &Node<'_, '_>,
    own: EndpointId,
    services: &[Service],
) -> Result<Option<Vec<AllowedSender>>, Error> {
    let Some(node) = root.child(NODE) else { return Ok(None) };
    node.compatible(&["hafnia,manifest-allowed-senders"])?;
    let children: Vec<_> = node.children().collect();
    node.limit("rules", children.len(), MAX_RULES)?;
    let mut rules: Vec<AllowedSender> = Vec::new();
    for (place, child) in children.iter().enumerate() {
        let rule = rule(child, own, services)?;
        if let Some((first, _)) = children.iter().take(place).zip(&rules).find(|(_, other)| **other == rule) {
            let uuid = rule.uuid.map_or_else(|| "no UUID".into(), |uuid| format!("UUID {uuid}"));
            let value = format!("{} with {uuid}", rule.sender);
            return Err(child.duplicate(SENDER, value, format_args!("rule {}", first.name())));
        }
        rules.push(rule);
        child.report_unused(&[SENDER, UUID], &[]);
    }
    let names: Vec<_> = core::iter::once("compatible").chain(node.names()).collect();
    node.report_unused(&names, &[]);
    Ok(Some(rules))
}

/// One rule: a sender that can exist and is another one, and a service that can be named.
fn rule(node: &Node<'_, '_>, own: EndpointId, services: &[Service]) -> Result<AllowedSender, Error> {
    let sender = EndpointId::new(node.number(SENDER, 0..=u16::MAX)?);
    let exists = !sender.is_secure() || sender.is_logical() || PartitionIndex::from_id(sender).is_some();
    if !exists || sender == own {
        let limit = format!("0 to 0x7fff, 0x8001 to 0x80ff or 0xffc0 to 0xfffe, and not its own id {own}");
        return Err(node.value(SENDER, sender, limit));
    }
    let uuid = messages::uuid(node, UUID)?;
    if let Some(uuid) = uuid.filter(|uuid| services.iter().all(|service| service.uuid != *uuid)) {
        return Err(node.value(UUID, uuid, "a UUID that the partition offers as a service"));
    }
    Ok(AllowedSender { sender, uuid })
}

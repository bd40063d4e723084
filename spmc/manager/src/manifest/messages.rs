//! What a partition offers, and which messages it wants to have.

use alloc::format;
use alloc::string::ToString;
use alloc::vec::Vec;

use arm_ffa::Version;
use uuid::Uuid;

use super::error::Error;
use super::tree::Node;
use crate::config::{AvailabilityMessages, Contexts, Methods, PowerMessages, Service};

/// The most UUIDs of one partition.
pub const MAX_SERVICES: usize = 16;

const METHOD: &str = "messaging-method";
const AVAILABILITY: &str = "vm-availability-messages";
const POWER: &str = "power-management-messages";
/// Whether the partition receives notifications.
pub const NOTIFICATIONS: &str = "notification-support";
/// Whether one of the framework tells it that it can send again.
pub const RX_FREE: &str = "rx-free-notification";

/// Binding 1.0: a list of UUIDs of four words, and a method for each or one for all.
pub fn flat(root: &Node<'_, '_>, version: Version) -> Result<Vec<Service>, Error> {
    let words: Vec<u32> = root.required("uuid")?;
    let (uuids, rest) = words.as_chunks::<4>();
    if !rest.is_empty() {
        return Err(root.value("uuid", format_args!("{} cells", words.len()), "four cells for each UUID"));
    }
    let values: Vec<u32> = root.required(METHOD)?;
    if values.len() != 1 && values.len() != uuids.len() {
        let limit = format!("one for all UUIDs, or one for each of the {}", uuids.len());
        return Err(root.value(METHOD, format_args!("{} values", values.len()), limit));
    }
    let mut services = Vec::new();
    for (place, words) in uuids.iter().enumerate() {
        let value = values.get(place).or(values.first()).copied().unwrap_or_default();
        add(&mut services, root, of_words(words), value, version)?;
    }
    Ok(services)
}

/// Binding 1.1: a node for each UUID, which is a string.
pub fn nodes(root: &Node<'_, '_>, version: Version) -> Result<Vec<Service>, Error> {
    let node = root.required_child("services")?;
    node.compatible(&["arm,ffa-manifest-services"])?;
    let mut services = Vec::new();
    for child in node.children() {
        let text: &str = child.required("uuid")?;
        let uuid = of_text(&child, "uuid", text)?;
        let value = child.number(METHOD, 0..=u32::MAX)?;
        add(&mut services, &child, uuid, value, version)?;
        child.report_unused(&["uuid", METHOD], &[]);
    }
    if services.is_empty() {
        return Err(Error::MissingNode { node: node.path().to_string(), child: "at least one service" });
    }
    Ok(services)
}

/// One UUID, or none where there is no such property: four cells or, as in binding 1.1, a string.
pub fn uuid(node: &Node<'_, '_>, property: &'static str) -> Result<Option<Uuid>, Error> {
    if let Ok(Some(text)) = node.optional::<&str>(property) {
        return of_text(node, property, text).map(Some);
    }
    let Some(cells) = node.optional::<Vec<u32>>(property)? else { return Ok(None) };
    match cells.as_array() {
        Some(words) => Ok(Some(of_words(words))),
        None => Err(node.value(property, format_args!("{} cells", cells.len()), "four cells: one UUID")),
    }
}

/// The words as SMCCC 5.3 puts a UUID in registers: each holds four bytes, the first one lowest.
fn of_words(words: &[u32; 4]) -> Uuid {
    let mut bytes = [0; 16];
    bytes.chunks_exact_mut(4).zip(words).for_each(|(to, word)| to.copy_from_slice(&word.to_le_bytes()));
    Uuid::from_bytes(bytes)
}

/// The canonical form of RFC 9562, the only one with this length.
fn of_text(node: &Node<'_, '_>, property: &'static str, text: &str) -> Result<Uuid, Error> {
    let uuid = Some(text).filter(|text| text.len() == 36).and_then(|text| Uuid::try_parse(text).ok());
    let limit = "like \"01234567-89ab-cdef-0123-456789abcdef\"";
    uuid.ok_or_else(|| node.value(property, format_args!("{text:?}"), limit))
}

fn add(
    services: &mut Vec<Service>,
    node: &Node<'_, '_>,
    uuid: Uuid,
    methods: u32,
    version: Version,
) -> Result<(), Error> {
    if uuid.is_nil() {
        return Err(node.value("uuid", uuid, "not nil, which means every partition"));
    }
    if services.iter().any(|service| service.uuid == uuid) {
        return Err(node.duplicate("uuid", uuid, "another service of this partition"));
    }
    node.limit("UUIDs", services.len() + 1, MAX_SERVICES)?;
    services.push(Service { uuid, methods: messaging(node, methods, version)? });
    Ok(())
}

/// The bits of `messaging-method`.
fn messaging(node: &Node<'_, '_>, value: u32, version: Version) -> Result<Methods, Error> {
    let bad = |limit: &str| Err(node.value(METHOD, format_args!("{value:#x}"), limit));
    let Some(methods) = u16::try_from(value).ok().and_then(Methods::from_bits) else {
        return bad("of bits 0, 1, 2, 9 and 10 only");
    };
    if methods.is_empty() {
        return bad("at least one of bits 0, 1, 2, 9 and 10");
    }
    let second = Methods::RECEIVE_DIRECT2 | Methods::SEND_DIRECT2;
    if version < Version(1, 2) && methods.intersects(second) {
        return bad("without bits 9 and 10, as `ffa-version` is below 1.2");
    }
    Ok(methods)
}

/// Messages about VMs: they are direct requests, so that the partition must be able to receive one.
pub fn availability(root: &Node<'_, '_>, services: &[Service]) -> Result<AvailabilityMessages, Error> {
    let bits = root.optional_number(AVAILABILITY, 0..=AvailabilityMessages::all().bits())?.unwrap_or(0);
    let receives = services.iter().any(|service| service.methods.contains(Methods::RECEIVE_DIRECT));
    if bits != 0 && !receives {
        let limit = "0, as `messaging-method` has no bit 0 (receives direct requests)";
        return Err(root.value(AVAILABILITY, format_args!("{bits:#x}"), limit));
    }
    Ok(AvailabilityMessages::from_bits_truncate(bits))
}

/// Messages about power: none for a partition that runs on any PE, as no PE's power is its own.
pub fn power(root: &Node<'_, '_>, contexts: Contexts) -> Result<PowerMessages, Error> {
    let bits = root.optional_number(POWER, 0..=PowerMessages::all().bits())?.unwrap_or(0);
    if bits != 0 && contexts == Contexts::Migratable {
        log::info!("{}: `{POWER}` is {bits:#x}: a partition of one context gets none", root.owner());
        return Ok(PowerMessages::empty());
    }
    Ok(PowerMessages::from_bits_truncate(bits))
}

/// Whether the partition is told that an RX buffer became free: by a notification, so that it must receive them.
pub fn rx_free(root: &Node<'_, '_>, notifications: bool) -> Result<bool, Error> {
    let wanted = root.flag(RX_FREE)?;
    if wanted && !notifications {
        return Err(root.value(RX_FREE, "set", format!("absent, or come with `{NOTIFICATIONS}`")));
    }
    Ok(wanted)
}

//! Rules that no manifest can keep alone: memory is declared and nobody else's, and what must be unique is.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::error::{Error, Place};
use super::partition::LAST_IN_BOOT_ORDER;
use super::senders;
use crate::config::{MemoryRange, Own, PartitionConfig, Region, SpmcManifest, Streams, VmEntry};
use crate::endpoint::PartitionIndex;
use crate::memory::page::{Attributes, PageRange, Space};

const OWN_DEVICE: &str = "a device of the SPMC,";

/// That nothing which the SPMC manifest gives away is the SPMC's own.
///
/// Secure `memory` nodes may cover its memory, and device nodes its devices: they say where regions may lie, and are
/// no pool. But no device is memory.
///
/// # Errors
/// [`Error::OwnMemory`]: the SPMC cannot start.
pub fn own_memory(manifest: &SpmcManifest, own: &Own) -> Result<(), Error> {
    for vm in &manifest.vms {
        not_own(&memory_of(&vm.name), &vm.memory, &own.memory)?;
    }
    for MemoryRange { range, device } in &manifest.memory {
        let kind = kind(range.space(), *device);
        if range.space() == Space::Normal {
            not_own(kind, range, &own.memory)?;
        }
        if let Some(own) = own.devices.iter().find(|own| !device && own.overlaps(range)) {
            return Err(overlap(kind, range, OWN_DEVICE, own));
        }
    }
    Ok(())
}

/// That a `vmN` entry's memory is secure memory that is declared.
///
/// # Errors
/// [`Error::Outside`].
pub fn declared(vm: &VmEntry, declared: &[MemoryRange]) -> Result<(), Error> {
    covered(&memory_of(&vm.name), &vm.memory, false, declared)
}

/// That a partition's regions are declared, are none of `own_devices`, and do not overlap one another. A memory region
/// may lie in the partition's own memory, as a part of it that has a name.
///
/// # Errors
/// [`Error::Outside`] or [`Error::Overlap`].
pub fn alone(
    config: &PartitionConfig,
    declared: &[MemoryRange],
    own_devices: &[PageRange],
) -> Result<(), Error> {
    for region in config.regions.iter().map(|memory| &memory.region) {
        covered(&region.name, &region.range, false, declared)?;
    }
    for region in config.devices.iter().map(|device| &device.region) {
        device_declared(&region.name, &region.range, declared)?;
    }
    for (what, range) in ranges(config) {
        if let Some(own) = own_devices.iter().find(|own| own.overlaps(&range)) {
            return Err(overlap(&what, &range, OWN_DEVICE, own));
        }
    }
    let grants: Vec<_> = config.grants().collect();
    for (place, Region { name, range, attributes }) in grants.iter().enumerate() {
        let what = format!("region {name}");
        let part = config.memory.contains(range) && !attributes.contains(Attributes::DEVICE);
        if config.memory.overlaps(range) && !part {
            return Err(overlap(&what, range, &memory_of(&config.name), &config.memory));
        }
        if let Some(other) = grants.iter().take(place).find(|other| other.range.overlaps(range)) {
            return Err(overlap(&what, range, &format!("region {}", other.name), &other.range));
        }
    }
    Ok(())
}

/// Says which allowed senders of a partition are none of the `vms` that the SPMC manifest lists. That is no error: the
/// same package may be one of several machines, with other partitions beside it.
pub fn report_absent_senders(config: &PartitionConfig, vms: &[VmEntry]) {
    for sender in config.allowed_senders.iter().flatten().map(|rule| rule.sender) {
        if PartitionIndex::from_id(sender).is_some_and(|index| vms.iter().all(|vm| vm.index != index)) {
            log::warn!(
                "{}: `{}` admits {sender}, which is no partition of the SPMC manifest",
                config.name,
                senders::NODE
            );
        }
    }
}

/// That a partition can start beside those that are `accepted`.
///
/// # Errors
/// [`Error::Duplicate`] or [`Error::Overlap`].
pub fn beside(config: &PartitionConfig, accepted: &[PartitionConfig]) -> Result<(), Error> {
    for other in accepted {
        unique(config, other)?;
        for (what, range) in ranges(config) {
            if let Some((whose, with)) = ranges(other).find(|(_, with)| with.overlaps(&range)) {
                return Err(overlap(&what, &range, &format!("{whose} of {}", other.name), &with));
            }
        }
    }
    Ok(())
}

/// That a partition has nothing of another one which only one can have. A protocol UUID may be offered by several.
fn unique(config: &PartitionConfig, other: &PartitionConfig) -> Result<(), Error> {
    let first = format!("the manifest of {}", other.name);
    let duplicate = |node: &str, property, value: String| {
        let at = Place { node: node.to_string(), property };
        Err(Error::Duplicate { at, value, first: first.clone() })
    };
    if config.name == other.name {
        let at = Place { node: vm_node(config), property: "debug_name" };
        return Err(Error::Duplicate { at, value: format!("{:?}", config.name), first: vm_node(other) });
    }
    if config.boot_order == other.boot_order && config.boot_order != LAST_IN_BOOT_ORDER {
        return duplicate("/", "boot-order", config.boot_order.to_string());
    }
    if let Some(uuid) = config.image_uuid.filter(|uuid| other.image_uuid == Some(*uuid)) {
        return duplicate("/", "image-uuid", uuid.to_string());
    }
    for device in &config.devices {
        let node = format!("/device-regions/{}", device.region.name);
        let owned =
            |id| other.devices.iter().any(|device| device.interrupts.iter().any(|theirs| theirs.id == id));
        if let Some(interrupt) = device.interrupts.iter().find(|interrupt| owned(interrupt.id)) {
            return duplicate(&node, "interrupts", format!("id {}", interrupt.id));
        }
        let Some(Streams { smmu, ids }) = &device.streams else { continue };
        let theirs = other.devices.iter().filter_map(|device| device.streams.as_ref());
        let shared = theirs
            .filter(|theirs| theirs.smmu == *smmu)
            .find_map(|theirs| ids.iter().find(|id| theirs.ids.contains(id)));
        if let Some(id) = shared {
            return duplicate(&node, "stream-ids", format!("stream {id:#x} of SMMU {smmu}"));
        }
    }
    Ok(())
}

/// Those partitions that can start together, by their index. Of two that clash, the later one in boot order is
/// left out, with a message.
///
/// # Errors
/// [`Error::OwnMemory`]: one asks for memory of the SPMC itself, which cannot start then.
pub fn all(mut configs: Vec<PartitionConfig>, own: &PageRange) -> Result<Vec<PartitionConfig>, Error> {
    for config in &configs {
        for (what, range) in ranges(config) {
            not_own(&format!("{}: {what}", config.name), &range, own)?;
        }
    }
    configs.sort_by_key(|config| (config.boot_order, config.index));
    let mut accepted = Vec::new();
    for config in configs {
        match beside(&config, &accepted) {
            Ok(()) => accepted.push(config),
            Err(error) => log::error!("{} ({}) is left out: {error}", config.name, config.id()),
        }
    }
    accepted.sort_by_key(|config| config.index);
    Ok(accepted)
}

/// All that a partition has: what it is called, and where it lies.
fn ranges(config: &PartitionConfig) -> impl Iterator<Item = (String, PageRange)> + '_ {
    let own = (memory_of(&config.name), config.memory);
    core::iter::once(own)
        .chain(config.grants().map(|region| (format!("region {}", region.name), region.range)))
}

/// The node of the SPMC manifest that lists a partition.
fn vm_node(config: &PartitionConfig) -> String {
    format!("/hypervisor/vm{}", config.index.get() + 1)
}

fn memory_of(name: &str) -> String {
    format!("memory of {name}")
}

fn overlap(what: &str, range: &PageRange, other: &str, with: &PageRange) -> Error {
    Error::Overlap { what: what.to_string(), range: range.to_string(), with: format!("{other} {with}") }
}

fn not_own(what: &str, range: &PageRange, own: &PageRange) -> Result<(), Error> {
    if range.overlaps(own) {
        return Err(Error::OwnMemory {
            what: what.to_string(),
            range: range.to_string(),
            own: own.to_string(),
        });
    }
    Ok(())
}

/// That every page of a range is declared; several declared ranges may cover it together.
fn covered(what: &str, range: &PageRange, device: bool, declared: &[MemoryRange]) -> Result<(), Error> {
    let suitable: Vec<&PageRange> = declared
        .iter()
        .filter(|d| d.device == device && d.range.space() == range.space())
        .map(|d| &d.range)
        .collect();
    let mut at = range.start();
    while at < range.end() {
        match suitable.iter().find(|known| known.start() <= at && at < known.end()) {
            Some(known) => at = known.end(),
            None => {
                return Err(Error::Outside {
                    what: what.to_string(),
                    range: range.to_string(),
                    declared: kind(range.space(), device),
                });
            }
        }
    }
    Ok(())
}

/// That a device is declared. A manifest that declares no device at all leaves them all to the partitions' manifests,
/// but what it declares as memory is no device.
fn device_declared(what: &str, range: &PageRange, declared: &[MemoryRange]) -> Result<(), Error> {
    if declared.iter().any(|declared| declared.device) {
        return covered(what, range, true, declared);
    }
    match declared.iter().find(|memory| memory.range.overlaps(range)) {
        None => Ok(()),
        Some(memory) => Err(overlap(what, range, kind(memory.range.space(), false), &memory.range)),
    }
}

/// The `device_type` of a memory node.
const fn kind(space: Space, device: bool) -> &'static str {
    match (space, device) {
        (Space::Secure, false) => "memory",
        (Space::Normal, false) => "ns-memory",
        (Space::Secure, true) => "device-memory",
        (Space::Normal, true) => "ns-device-memory",
    }
}

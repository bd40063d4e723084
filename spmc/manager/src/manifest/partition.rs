//! A partition's FF-A manifest: bindings 1.0 (flat `uuid`) and 1.1 (node `services`).

use alloc::format;
use alloc::string::ToString;
use alloc::vec::Vec;

use arm_ffa::Version;
use uuid::Uuid;

use super::error::Error;
use super::package::Package;
use super::regions;
use super::spmc::NEWEST_MINOR;
use super::tree::{Node, Tree};
use crate::config::{BootInfo, Contexts, Methods, PartitionConfig, Service, VmEntry};

/// The most UUIDs of one partition.
pub const MAX_SERVICES: usize = 16;
/// `boot-order` of a partition that gives none: after all that do.
pub const LAST_IN_BOOT_ORDER: u16 = 0xFFFF;

const BINDING_1_0: &str = "arm,ffa-manifest-1.0";
const BINDING_1_1: &str = "arm,ffa-manifest-1.1";

/// Properties and nodes that have a meaning here.
const USED: &[&str] = &[
    "compatible",
    "ffa-version",
    "uuid",
    "messaging-method",
    "services",
    "id",
    "execution-ctx-count",
    "exception-level",
    "execution-state",
    "load-address",
    "entrypoint-offset",
    "xlat-granule",
    "boot-order",
    "gp-register-num",
    "boot-info",
    "memory-regions",
    "device-regions",
    "rx_tx-info",
];

/// Properties and nodes of the bindings, and of partitions for themselves, whose feature is not there.
const KNOWN: &[&str] = &[
    "auxiliary-id",
    "managed-exit",
    "managed-exit-virq",
    "ns-interrupts-action",
    "other-s-interrupts-action",
    "sri-interrupts-policy",
    "has-primary-scheduler",
    "run-time-model",
    "time-slice-mem",
    "power-management-messages",
    "vm-availability-messages",
    "notification-support",
    "lifecycle-support",
    "abort-action",
    "live-activation-support",
    "live-activation-register",
    "live-state-buffer-info",
    "image-uuid",
    "mem-size",
];

/// Reads the manifest of the partition `vm`, whose package is `package`, on a machine of `pes` PEs.
///
/// # Errors
/// The first rule that it breaks: the partition cannot start with it.
pub fn parse(bytes: &[u8], vm: &VmEntry, package: &Package, pes: usize) -> Result<PartitionConfig, Error> {
    let tree = Tree::new(bytes)?;
    let root = tree.root();
    let binding = root.compatible(&[BINDING_1_0, BINDING_1_1])?;
    let version = version(&root)?;
    let services =
        if binding == BINDING_1_1 { service_nodes(&root, version)? } else { flat(&root, version)? };
    levels(&root)?;
    let contexts = contexts(&root, vm, pes)?;
    let entry = entry(&root, vm, package)?;
    let boot_order = root.optional_number("boot-order", 0..=LAST_IN_BOOT_ORDER - 1)?;
    let boot_info = boot_info(&root)?;
    let memory = regions::memory(&root, vm)?;
    let buffers = regions::buffers(&root, &memory)?;
    let devices = regions::devices(&root)?;
    identity(&root, vm)?;
    root.report_unused(USED, KNOWN);
    Ok(PartitionConfig {
        index: vm.index,
        name: vm.name.clone(),
        version,
        services,
        contexts,
        memory: vm.memory,
        entry,
        boot_order: boot_order.unwrap_or(LAST_IN_BOOT_ORDER),
        boot_info,
        manifest: (vm.memory.start() + package.manifest.0, package.manifest.1),
        regions: memory.into_iter().map(|memory| memory.region).collect(),
        devices,
        buffers,
    })
}

/// `ffa-version`: what the partition speaks until it asks for another.
fn version(root: &Node<'_, '_>) -> Result<Version, Error> {
    let newest = u32::from(Version(1, NEWEST_MINOR));
    let value = root.number("ffa-version", u32::from(Version(1, 0))..=newest)?;
    Version::try_from(value)
        .map_err(|_| root.value("ffa-version", format_args!("{value:#x}"), format!("0x10000 to {newest:#x}")))
}

/// Binding 1.0: a list of UUIDs of four words, and a method for each or one for all.
fn flat(root: &Node<'_, '_>, version: Version) -> Result<Vec<Service>, Error> {
    let words: Vec<u32> = root.required("uuid")?;
    let (uuids, rest) = words.as_chunks::<4>();
    if !rest.is_empty() {
        return Err(root.value("uuid", format_args!("{} cells", words.len()), "four cells for each UUID"));
    }
    let values: Vec<u32> = root.required("messaging-method")?;
    if values.len() != 1 && values.len() != uuids.len() {
        let limit = format!("one for all UUIDs, or one for each of the {}", uuids.len());
        return Err(root.value("messaging-method", format_args!("{} values", values.len()), limit));
    }
    let mut services = Vec::new();
    for (place, words) in uuids.iter().enumerate() {
        // The words as SMCCC 5.3 puts a UUID in registers: each holds four bytes, the first one lowest.
        let mut bytes = [0; 16];
        bytes.chunks_exact_mut(4).zip(words).for_each(|(to, word)| to.copy_from_slice(&word.to_le_bytes()));
        let value = values.get(place).or(values.first()).copied().unwrap_or_default();
        add(&mut services, root, Uuid::from_bytes(bytes), value, version)?;
    }
    Ok(services)
}

/// Binding 1.1: a node for each UUID, which is a string.
fn service_nodes(root: &Node<'_, '_>, version: Version) -> Result<Vec<Service>, Error> {
    let node = child(root, "services")?;
    node.compatible(&["arm,ffa-manifest-services"])?;
    let mut services = Vec::new();
    for child in node.children() {
        let text: &str = child.required("uuid")?;
        // Only the canonical form of RFC 9562 has this length.
        let uuid = Some(text).filter(|text| text.len() == 36).and_then(|text| Uuid::try_parse(text).ok());
        let uuid = uuid.ok_or_else(|| {
            child.value("uuid", format_args!("{text:?}"), "like \"01234567-89ab-cdef-0123-456789abcdef\"")
        })?;
        let value = child.number("messaging-method", 0..=u32::MAX)?;
        add(&mut services, &child, uuid, value, version)?;
        child.report_unused(&["uuid", "messaging-method"], &[]);
    }
    if services.is_empty() {
        return Err(Error::MissingNode { node: node.path().to_string(), child: "at least one service" });
    }
    Ok(services)
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
        let first = "another service of this partition".to_string();
        return Err(Error::Duplicate { at: node.at("uuid"), value: uuid.to_string(), first });
    }
    if services.len() == MAX_SERVICES {
        let (node, count) = (node.path().to_string(), services.len() + 1);
        return Err(Error::TooMany { node, what: "UUIDs", count, limit: MAX_SERVICES });
    }
    services.push(Service { uuid, methods: messaging(node, methods, version)? });
    Ok(())
}

/// The bits of `messaging-method`.
fn messaging(node: &Node<'_, '_>, value: u32, version: Version) -> Result<Methods, Error> {
    let bad = |limit: &str| Err(node.value("messaging-method", format_args!("{value:#x}"), limit));
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

/// Exception level, execution state and translation granule: each has one value that is there.
fn levels(root: &Node<'_, '_>) -> Result<(), Error> {
    let unsupported = |property, value: u8, why| {
        Err(Error::Unsupported { at: root.at(property), value: value.to_string(), why })
    };
    match root.number("exception-level", 1..=2_u8)? {
        2 => {}
        level => return unsupported("exception-level", level, "S-EL0 is not there; it must be 2 (S-EL1)"),
    }
    match root.number("execution-state", 0..=1_u8)? {
        0 => {}
        state => {
            return unsupported("execution-state", state, "AArch32 is not there; it must be 0 (AArch64)");
        }
    }
    match root.optional_number("xlat-granule", 0..=2_u8)? {
        None | Some(0) => Ok(()),
        Some(granule) => unsupported("xlat-granule", granule, "only 4 KB pages are there; it must be 0"),
    }
}

/// How many contexts: the `vcpu_count` of the SPMC manifest wins, and pinned ones are no more than PEs.
fn contexts(root: &Node<'_, '_>, vm: &VmEntry, pes: usize) -> Result<Contexts, Error> {
    let count: u16 = root.number("execution-ctx-count", 1..=u16::MAX)?;
    let name = &vm.name;
    if count != vm.vcpus {
        log::warn!(
            "{name}: `execution-ctx-count` is {count}; `vcpu_count` of the SPMC manifest, {}, wins",
            vm.vcpus
        );
    }
    let pes = u16::try_from(pes).unwrap_or(u16::MAX).max(1);
    match vm.vcpus {
        1 => Ok(Contexts::Migratable),
        count if count > pes => {
            log::warn!("{name}: {count} execution contexts are cut to the {pes} PEs");
            Ok(Contexts::Pinned(pes))
        }
        count => {
            if count < pes {
                log::warn!(
                    "{name}: {count} execution contexts on {pes} PEs: it can be called on the first ones only"
                );
            }
            Ok(Contexts::Pinned(count))
        }
    }
}

/// The first instruction: `entrypoint-offset` counts from the load address and lies in the image.
fn entry(root: &Node<'_, '_>, vm: &VmEntry, package: &Package) -> Result<u64, Error> {
    let offset: u64 = root.optional_number("entrypoint-offset", 0..=u64::MAX)?.unwrap_or(0);
    let (start, size) = package.image;
    if !offset.is_multiple_of(4) || !(start..start + size).contains(&offset) {
        let limit =
            format!("a multiple of 4 within the image of the package, {start:#x} to {:#x}", start + size - 1);
        return Err(root.value("entrypoint-offset", format_args!("{offset:#x}"), limit));
    }
    Ok(vm.memory.start() + offset)
}

/// What of the boot information is asked for, and by which register it arrives.
fn boot_info(root: &Node<'_, '_>) -> Result<Option<BootInfo>, Error> {
    let register = root.optional_number("gp-register-num", 0..=3_u8)?;
    let Some(node) = root.child("boot-info") else { return Ok(None) };
    node.compatible(&["arm,ffa-manifest-boot-info"])?;
    let manifest = node.flag("ffa_manifest")?;
    let hob_list = node.flag("hob_list")?;
    node.report_unused(&["compatible", "ffa_manifest", "hob_list"], &[]);
    let Some(register) = register else {
        log::warn!("{}: without `gp-register-num` there is no register to hand it over in", node.path());
        return Ok(None);
    };
    Ok(Some(BootInfo { register, manifest, hob_list }))
}

/// `id` and `load-address`, which the SPMC manifest decides: only said when they differ.
fn identity(root: &Node<'_, '_>, vm: &VmEntry) -> Result<(), Error> {
    let name = &vm.name;
    if let Some(id) = root.optional::<u64>("id")? {
        log::info!(
            "{name}: `id` {id:#x} is ignored: its place in the SPMC manifest makes it {}",
            vm.index.id()
        );
    }
    match root.optional::<u64>("load-address")? {
        Some(address) if address != vm.memory.start() => {
            log::warn!(
                "{name}: `load-address` {address:#x} is ignored: it is loaded at {:#x}",
                vm.memory.start()
            );
        }
        _ => {}
    }
    Ok(())
}

fn child<'b, 'a>(node: &Node<'b, 'a>, name: &'static str) -> Result<Node<'b, 'a>, Error> {
    node.child(name).ok_or_else(|| Error::MissingNode { node: node.path().to_string(), child: name })
}

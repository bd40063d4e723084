//! A partition's FF-A manifest: bindings 1.0 (flat `uuid`) and 1.1 (node `services`).

use alloc::format;
use alloc::string::ToString;

use arm_ffa::Version;

use super::error::Error;
use super::package::Package;
use super::spmc::NEWEST_MINOR;
use super::tree::{Node, Tree};
use super::{actions, lifecycle, messages, regions, senders};
use crate::config::{BootInfo, Contexts, ExceptionLevel, PartitionConfig, VmEntry};

/// `boot-order` of a partition that gives none: after all that do.
pub const LAST_IN_BOOT_ORDER: u16 = 0xFFFF;

const BINDING_1_0: &str = "arm,ffa-manifest-1.0";
const BINDING_1_1: &str = "arm,ffa-manifest-1.1";
const LEVEL: &str = "exception-level";
const COUNT: &str = "execution-ctx-count";

/// Properties and nodes that have a meaning here.
pub const USED: &[&str] = &[
    "compatible",
    "ffa-version",
    "uuid",
    "messaging-method",
    "services",
    "image-uuid",
    "id",
    "auxiliary-id",
    COUNT,
    LEVEL,
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
    "managed-exit",
    "managed-exit-virq",
    "ns-interrupts-action",
    "other-s-interrupts-action",
    "sri-interrupts-policy",
    "wfi-yields",
    "has-primary-scheduler",
    "power-management-messages",
    "vm-availability-messages",
    messages::NOTIFICATIONS,
    messages::RX_FREE,
    senders::NODE,
    "lifecycle-support",
    "abort-action",
    "live-activation-support",
    "live-activation-register",
    "live-state-buffer-info",
];

/// What is true of every partition here, what older bindings had, and what partitions keep for themselves.
const KNOWN: &[&str] =
    &["time-slice-mem", "run-time-model", "stream-endpoint-ids", "debug_name", "mem-size", "image-size"];

/// Reads the manifest of the partition `vm`, whose package is `package`, on a machine whose PEs have the affinities
/// `cpus`.
///
/// # Errors
/// The first rule that it breaks: the partition cannot start with it.
pub fn parse(bytes: &[u8], vm: &VmEntry, package: &Package, cpus: &[u64]) -> Result<PartitionConfig, Error> {
    let tree = Tree::new(bytes, &vm.name)?;
    let root = tree.root();
    let binding = root.compatible(&[BINDING_1_0, BINDING_1_1])?;
    let version = version(&root)?;
    let services = match binding {
        BINDING_1_1 => messages::nodes(&root, version)?,
        _ => messages::flat(&root, version)?,
    };
    let image_uuid = lifecycle::image_uuid(&root, &services)?;
    let exception_level = levels(&root)?;
    let contexts = contexts(&root, vm, exception_level, cpus.len())?;
    let entry = entry(&root, vm, package)?;
    let boot_order = root.optional_number("boot-order", 0..=LAST_IN_BOOT_ORDER - 1)?;
    let register = root.optional_number("gp-register-num", 0..=3_u8)?;
    let boot_info = boot_info(&root, register)?;
    let (memory, devices) = regions::regions(&root, vm, exception_level, cpus)?;
    let buffers = regions::buffers(&root, &memory)?;
    let normal_interrupts = actions::normal(&root, exception_level)?;
    let other_secure_interrupts = actions::other_secure(&root, normal_interrupts)?;
    let sri_policy = actions::sri_policy(&root, exception_level)?;
    let wfi_yields = root.flag("wfi-yields")?;
    let availability = messages::availability(&root, &services)?;
    let power = messages::power(&root, contexts)?;
    let notifications = root.flag(messages::NOTIFICATIONS)?;
    let rx_free = messages::rx_free(&root, notifications)?;
    let allowed_senders = senders::allowed(&root, vm.index.id(), &services)?;
    let lifecycle = lifecycle::lifecycle(&root, contexts, register, image_uuid, &memory)?;
    identity(&root, vm)?;
    root.report_unused(USED, KNOWN);
    Ok(PartitionConfig {
        index: vm.index,
        name: vm.name.clone(),
        version,
        services,
        image_uuid,
        exception_level,
        contexts,
        memory: vm.memory,
        entry,
        boot_order: boot_order.unwrap_or(LAST_IN_BOOT_ORDER),
        boot_info,
        manifest: (vm.memory.start() + package.manifest.0, package.manifest.1),
        regions: memory.into_iter().map(|found| found.memory).collect(),
        devices,
        buffers,
        normal_interrupts,
        other_secure_interrupts,
        sri_policy,
        wfi_yields,
        availability,
        power,
        notifications,
        rx_free,
        allowed_senders,
        lifecycle,
        smcs: vm.smcs.clone(),
        quota: vm.quota,
    })
}

/// `ffa-version`: what the partition speaks until it asks for another.
fn version(root: &Node<'_, '_>) -> Result<Version, Error> {
    let newest = u32::from(Version(1, NEWEST_MINOR));
    let value = root.number("ffa-version", u32::from(Version(1, 0))..=newest)?;
    Version::try_from(value)
        .map_err(|_| root.value("ffa-version", format_args!("{value:#x}"), format!("0x10000 to {newest:#x}")))
}

/// Exception level, execution state and translation granule; the latter two have one value that is there.
fn levels(root: &Node<'_, '_>) -> Result<ExceptionLevel, Error> {
    let unsupported = |property, value: u8, why| {
        Err(Error::Unsupported { at: root.at(property), value: value.to_string(), why })
    };
    let level = match root.number(LEVEL, 1..=2_u8)? {
        1 => ExceptionLevel::El0,
        _ => ExceptionLevel::El1,
    };
    match root.number("execution-state", 0..=1_u8)? {
        0 => {}
        state => {
            return unsupported("execution-state", state, "AArch32 is not there; it must be 0 (AArch64)");
        }
    }
    match root.optional_number("xlat-granule", 0..=2_u8)? {
        None | Some(0) => Ok(level),
        Some(granule) => unsupported("xlat-granule", granule, "only 4 KB pages are there; it must be 0"),
    }
}

/// How many contexts: the `vcpu_count` of the SPMC manifest wins, and pinned ones are no more than PEs.
fn contexts(root: &Node<'_, '_>, vm: &VmEntry, level: ExceptionLevel, pes: usize) -> Result<Contexts, Error> {
    let count: u16 = root.number(COUNT, 1..=u16::MAX)?;
    if level == ExceptionLevel::El0 && count != 1 {
        return Err(root.value(COUNT, count, "1, as `exception-level` is 1 (S-EL0)"));
    }
    let name = &vm.name;
    if level == ExceptionLevel::El0 {
        if vm.vcpus != 1 {
            log::warn!("{name}: `vcpu_count` {} is ignored: at S-EL0 there is one", vm.vcpus);
        }
        return Ok(Contexts::Migratable);
    }
    if count != vm.vcpus {
        log::warn!("{name}: `{COUNT}` is {count}; `vcpu_count` of the SPMC manifest, {}, wins", vm.vcpus);
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
fn boot_info(root: &Node<'_, '_>, register: Option<u8>) -> Result<Option<BootInfo>, Error> {
    let Some(node) = root.child("boot-info") else { return Ok(None) };
    node.compatible(&["arm,ffa-manifest-boot-info"])?;
    let manifest = node.flag("ffa_manifest")?;
    let hob_list = node.flag("hob_list")?;
    node.report_unused(&["compatible", "ffa_manifest", "hob_list"], &[]);
    let Some(register) = register else {
        log::warn!(
            "{}: {}: without `gp-register-num` there is no register to hand it over in",
            node.owner(),
            node.path()
        );
        return Ok(None);
    };
    Ok(Some(BootInfo { register, manifest, hob_list }))
}

/// What the SPMC manifest decides, or this SPMC: only said where the manifest wants something else.
fn identity(root: &Node<'_, '_>, vm: &VmEntry) -> Result<(), Error> {
    let name = &vm.name;
    if let Some(id) = root.optional::<u64>("id")? {
        log::info!(
            "{name}: `id` {id:#x} is ignored: its place in the SPMC manifest makes it {}",
            vm.index.id()
        );
    }
    // A string as any: the name is the SPMC manifest's `debug_name`.
    root.optional::<&str>("description")?;
    if let Some(id) = root.optional_number("auxiliary-id", 0..=u16::MAX)? {
        log::warn!("{name}: `auxiliary-id` {id:#x} is ignored: a partition has one id");
    }
    if root.flag("has-primary-scheduler")? {
        log::warn!("{name}: `has-primary-scheduler` is ignored: the Normal world schedules");
    }
    // No memory call pauses here, as the partition wants it.
    root.flag("time-slice-mem")?;
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

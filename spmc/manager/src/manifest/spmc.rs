//! The SPMC manifest (TOS_FW_CONFIG): what the SPMD needs to know of us, the partitions to start, PEs, memory.

use alloc::format;
use alloc::string::ToString;
use alloc::vec::Vec;

use super::error::Error;
use super::ranges;
use super::tree::{Node, Tree};
use crate::config::{Quota, SmcAccess, SpmcManifest, VmEntry};
use crate::endpoint::{EndpointId, MAX_PARTITIONS, PartitionIndex};
use crate::memory::page::{ADDRESS_LIMIT, PAGE_SIZE, PageRange, Space};

/// The most PEs; a context's number within its partition has 8 bits.
pub const MAX_CPUS: usize = 256;
/// The most entries of a `smc_whitelist`.
pub const MAX_SMCS: usize = 32;
/// The longest `debug_name`, in bytes.
pub const MAX_DEBUG_NAME: usize = 31;
/// The most ranges of pages in the memory transactions of one owner.
pub const MAX_RANGES: u32 = 1 << 20;
/// The newest minor version of FF-A 1 that a manifest may name; what is above 2 is served as 1.2.
pub const NEWEST_MINOR: u16 = 3;

/// The affinity fields of MPIDR_EL1: Aff3 in bits 39:32, Aff2, Aff1 and Aff0 in bits 23:0.
const AFFINITY: u64 = 0xFF_00FF_FFFF;

/// Reads an SPMC manifest.
///
/// # Errors
/// The first rule that it breaks: the SPMC cannot start with it.
pub fn parse(bytes: &[u8]) -> Result<SpmcManifest, Error> {
    let tree = Tree::new(bytes, "SPMC manifest")?;
    let root = tree.root();
    root.compatible(&["arm,ffa-core-manifest-1.0"])?;
    let image = attribute(&root.required_child("attribute")?)?;
    let cpus = cpus(&root.required_child("cpus")?)?;
    let hypervisor = root.required_child("hypervisor")?;
    let (vms, normal_quota) = (vms(&hypervisor)?, quota(&hypervisor, Quota::NORMAL)?);
    let memory = ranges::memory(&root)?;
    let mut used = ranges::names(&root);
    used.extend(["compatible", "attribute", "hypervisor", "cpus"]);
    root.report_unused(&used, &["chosen", "tpm_event_log", "sp_packages"]);
    Ok(SpmcManifest { image, cpus, vms, normal_quota, memory })
}

/// What the SPMD reads before it starts us: `(load_address, binary_size)`.
fn attribute(node: &Node<'_, '_>) -> Result<(u64, u64), Error> {
    let id = EndpointId::SPMC.get();
    node.number("spmc_id", id..=id)?;
    node.number("maj_ver", 1..=1_u16)?;
    node.number("min_ver", 0..=NEWEST_MINOR)?;
    // 0 is AArch64, the only state at S-EL2.
    node.number("exec_state", 0..=0_u8)?;
    let load: u64 = node.number("load_address", 0..=ADDRESS_LIMIT - 1)?;
    let size = node.number("binary_size", 1..=ADDRESS_LIMIT - load)?;
    node.number("entrypoint", load..=load + size - 1)?;
    const USED: &[&str] =
        &["spmc_id", "maj_ver", "min_ver", "exec_state", "load_address", "binary_size", "entrypoint"];
    node.report_unused(USED, &[]);
    Ok((load, size))
}

/// The PEs, by the affinity values of their `reg`, in any order.
fn cpus(node: &Node<'_, '_>) -> Result<Vec<u64>, Error> {
    let cells = node.optional_number("#address-cells", 1..=2_u8)?.unwrap_or(2);
    let mut found: Vec<u64> = Vec::new();
    let mut nodes: Vec<(u64, &str)> = Vec::new();
    for cpu in node.children() {
        let named_cpu = cpu.name() == "cpu" || cpu.name().starts_with("cpu@");
        match cpu.optional::<&str>("device_type")? {
            Some("cpu") => {}
            // A node that looks like a PE and does not say so would be lost without a word.
            None if named_cpu => {
                return Err(Error::Missing { at: cpu.at("device_type"), expected: "\"cpu\"" });
            }
            Some(other) if named_cpu => {
                return Err(cpu.value("device_type", format_args!("{other:?}"), "\"cpu\""));
            }
            _ => continue,
        }
        for affinity in numbers(&cpu, "reg", cells)? {
            if affinity & !AFFINITY != 0 {
                return Err(cpu.value("reg", format_args!("{affinity:#x}"), format!("within {AFFINITY:#x}")));
            }
            if let Some((_, first)) = nodes.iter().find(|(known, _)| *known == affinity) {
                let value = format!("{affinity:#x}");
                return Err(Error::Duplicate { at: cpu.at("reg"), value, first: (*first).to_string() });
            }
            nodes.push((affinity, cpu.name()));
            found.push(affinity);
        }
    }
    match found.len() {
        0 => Err(Error::MissingNode {
            node: node.path().to_string(),
            child: "cpu@... with device_type \"cpu\"",
        }),
        1..=MAX_CPUS => Ok(found),
        count => {
            let node = node.path().to_string();
            Err(Error::TooMany { node, what: "PEs", count, limit: MAX_CPUS })
        }
    }
}

/// A list of numbers of one or two cells each.
fn numbers(node: &Node<'_, '_>, property: &'static str, cells: u8) -> Result<Vec<u64>, Error> {
    let list: Vec<u32> = node.required(property)?;
    let chunks = list.chunks_exact(usize::from(cells));
    if !chunks.remainder().is_empty() {
        let limit = format!("a list of numbers of {cells} cells each");
        return Err(node.value(property, format_args!("{} cells", list.len()), limit));
    }
    Ok(chunks.map(join).collect())
}

/// The number that cells hold together, the most significant first.
pub fn join(cells: &[u32]) -> u64 {
    cells.iter().fold(0, |high, low| high << 32 | u64::from(*low))
}

/// The partitions `vm1` to `vmN`, by their number.
fn vms(node: &Node<'_, '_>) -> Result<Vec<VmEntry>, Error> {
    node.compatible(&["hafnium,hafnium"])?;
    let mut vms = Vec::new();
    for child in node.children() {
        let number = child.name().strip_prefix("vm");
        let Some(number) = number.filter(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit())) else {
            continue;
        };
        // Number 0 would be the SPMC itself; "vm01" would be a second vm1.
        let index = Some(number).filter(|number| !number.starts_with('0'));
        let index = index.and_then(|number| PartitionIndex::new(number.parse::<usize>().ok()? - 1));
        let index = index.ok_or_else(|| Error::Name {
            node: child.path().to_string(),
            limit: format!("\"vm1\" to \"vm{MAX_PARTITIONS}\""),
        })?;
        vms.push(vm(&child, index)?);
    }
    vms.sort_by_key(|vm| vm.index);
    // No number stands twice, because no node name does.
    if let Some((expected, vm)) = vms.iter().enumerate().find(|(place, vm)| vm.index.get() != *place) {
        return Err(Error::Name {
            node: format!("{}/vm{}", node.path(), vm.index.get() + 1),
            limit: format!("without gaps; \"vm{}\" is missing", expected + 1),
        });
    }
    let names: Vec<_> = vms.iter().map(|vm| format!("vm{}", vm.index.get() + 1)).collect();
    let mut used: Vec<&str> = names.iter().map(|name| name.as_str()).collect();
    used.extend(["compatible", "mem_transactions", "mem_ranges"]);
    node.report_unused(&used, &["ffa_tee_enabled"]);
    if vms.is_empty() {
        log::warn!("{}: {}: no vm1: there is no partition to start", node.owner(), node.path());
    }
    Ok(vms)
}

/// One `vmN` node.
fn vm(node: &Node<'_, '_>, index: PartitionIndex) -> Result<VmEntry, Error> {
    if !node.flag("is_ffa_partition")? {
        return Err(Error::Missing { at: node.at("is_ffa_partition"), expected: "there, without a value" });
    }
    if node.flag("hyp_loaded")? {
        let why = "partitions are loaded from their packages only; leave it out";
        return Err(Error::Unsupported { at: node.at("hyp_loaded"), value: "set".to_string(), why });
    }
    let name: &str = node.required("debug_name")?;
    if !(1..=MAX_DEBUG_NAME).contains(&name.len()) {
        let limit = format!("a string of 1 to {MAX_DEBUG_NAME} characters");
        return Err(node.value("debug_name", format_args!("{name:?}"), limit));
    }
    let start = page_aligned(node, "load_address", 0..=ADDRESS_LIMIT - PAGE_SIZE)?;
    let size = page_aligned(node, "mem_size", PAGE_SIZE..=ADDRESS_LIMIT - start)?;
    let memory = PageRange::from_bytes(Space::Secure, start, size)
        .map_err(|error| node.value("mem_size", format_args!("{size:#x}"), error.to_string()))?;
    let vcpus = node.number("vcpu_count", 1..=MAX_CPUS as u16)?;
    let allowed = node.optional::<Vec<u32>>("smc_whitelist")?.unwrap_or_default();
    if allowed.len() > MAX_SMCS {
        let (node, count) = (node.path().to_string(), allowed.len());
        return Err(Error::TooMany { node, what: "entries in `smc_whitelist`", count, limit: MAX_SMCS });
    }
    let smcs = SmcAccess { allowed, permissive: node.flag("smc_whitelist_permissive")? };
    let quota = quota(node, Quota::PARTITION)?;
    const USED: &[&str] = &[
        "is_ffa_partition",
        "hyp_loaded",
        "debug_name",
        "load_address",
        "mem_size",
        "vcpu_count",
        "smc_whitelist",
        "smc_whitelist_permissive",
        "mem_transactions",
        "mem_ranges",
    ];
    // Of use to a hypervisor of the Normal world only.
    const KNOWN: &[&str] = &["kernel_filename", "ramdisk_filename", "fdt_filename", "boot_address"];
    node.report_unused(USED, KNOWN);
    Ok(VmEntry { index, name: name.to_string(), memory, vcpus, smcs, quota })
}

/// What is set aside for an owner's memory transactions.
fn quota(node: &Node<'_, '_>, otherwise: Quota) -> Result<Quota, Error> {
    let transactions = node.optional_number("mem_transactions", 0..=u16::MAX)?;
    let ranges = node.optional_number("mem_ranges", 0..=MAX_RANGES)?;
    Ok(Quota {
        transactions: transactions.unwrap_or(otherwise.transactions),
        ranges: ranges.unwrap_or(otherwise.ranges),
    })
}

/// A number that is a multiple of the page size.
fn page_aligned(
    node: &Node<'_, '_>,
    property: &'static str,
    limit: core::ops::RangeInclusive<u64>,
) -> Result<u64, Error> {
    let value = node.number(property, limit)?;
    if value.is_multiple_of(PAGE_SIZE) {
        Ok(value)
    } else {
        Err(node.value(property, format_args!("{value:#x}"), format!("a multiple of {PAGE_SIZE:#x}")))
    }
}

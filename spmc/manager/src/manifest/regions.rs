//! Memory and devices that a partition's manifest asks for beside its image.

use alloc::format;
use alloc::string::ToString;
use alloc::vec::Vec;

use super::error::Error;
use super::tree::Node;
use super::{interrupts, streams};
use crate::config::{Device, ExceptionLevel, Memory, Region, VmEntry};
use crate::memory::page::{ADDRESS_LIMIT, Attributes, PAGE_SIZE, PageRange, Space};

/// The most memory regions, and the most device regions, of one partition.
pub const MAX_REGIONS: usize = 32;

/// Bits of `attributes`: what the partition may do, and whose memory it is.
const READ: u32 = 1 << 0;
const WRITE: u32 = 1 << 1;
const EXECUTE: u32 = 1 << 2;
const NON_SECURE: u32 = 1 << 3;

const ATTRIBUTES: &str = "attributes";
const BASE: &str = "base-address";
const RELATIVE: &str = "load-address-relative-offset";
const PAGES: &str = "pages-count";

/// A memory region, and the number by which other nodes name it.
pub struct Found {
    /// The region.
    pub memory: Memory,
    phandle: Option<u32>,
}

/// The memory and the device regions of a partition at this exception level. `cpus` are the affinities of the PEs.
pub fn regions(
    root: &Node<'_, '_>,
    vm: &VmEntry,
    level: ExceptionLevel,
    cpus: &[u64],
) -> Result<(Vec<Found>, Vec<Device>), Error> {
    let nodes = list(root, "memory-regions", "arm,ffa-manifest-memory-regions")?;
    let regions = nodes.iter().map(|node| memory_region(node, vm, level));
    let memory: Vec<Found> = regions.collect::<Result<_, _>>()?;
    let mut devices = Vec::new();
    for node in list(root, "device-regions", "arm,ffa-manifest-device-regions")? {
        devices.push(device_region(&node, &devices, cpus)?);
    }
    for (node, found) in nodes.iter().zip(&memory) {
        streams::have_devices(node, &found.memory, &devices)?;
    }
    Ok((memory, devices))
}

/// The nodes of a list of regions, which must hold at least one.
fn list<'b, 'a>(
    root: &Node<'b, 'a>,
    name: &str,
    compatible: &'static str,
) -> Result<Vec<Node<'b, 'a>>, Error> {
    let Some(node) = root.child(name) else { return Ok(Vec::new()) };
    node.compatible(&[compatible])?;
    let children: Vec<_> = node.children().collect();
    if children.is_empty() {
        return Err(Error::MissingNode { node: node.path().to_string(), child: "at least one region" });
    }
    node.limit("regions", children.len(), MAX_REGIONS)?;
    Ok(children)
}

fn memory_region(node: &Node<'_, '_>, vm: &VmEntry, level: ExceptionLevel) -> Result<Found, Error> {
    let (property, start) = match (node.optional::<u64>(BASE)?, node.optional::<u64>(RELATIVE)?) {
        (Some(_), Some(_)) => return Err(Error::Exclusive { at: node.at(BASE), other: RELATIVE }),
        (Some(base), None) => (BASE, base),
        (None, Some(offset)) => {
            let start = vm.memory.start().checked_add(offset).ok_or_else(|| {
                let limit = format!("at most {:#x}", u64::MAX - vm.memory.start());
                node.value(RELATIVE, format_args!("{offset:#x}"), limit)
            })?;
            (RELATIVE, start)
        }
        (None, None) => {
            let expected = "given, or `load-address-relative-offset`: no address is chosen for it";
            return Err(Error::Missing { at: node.at(BASE), expected });
        }
    };
    let bits = node.number(ATTRIBUTES, 0..=u32::MAX)?;
    let all = Attributes::READ | Attributes::WRITE | Attributes::EXECUTE;
    let (attributes, space) = attributes(bits, all).ok_or_else(|| {
        let limit = "R (1), RW (3), RX (5) or RWX (7), and 8 for the Normal world's memory";
        node.value(ATTRIBUTES, format_args!("{bits:#x}"), limit)
    })?;
    // SCTLR_EL2.WXN: what S-EL0 may write it does not execute.
    if level == ExceptionLevel::El0 && attributes.contains(Attributes::WRITE | Attributes::EXECUTE) {
        let limit =
            "R (1), RW (3) or RX (5), as `exception-level` is 1 (S-EL0), and 8 for the Normal world's memory";
        return Err(node.value(ATTRIBUTES, format_args!("{bits:#x}"), limit));
    }
    let region =
        Region { name: node.name().to_string(), range: range(node, property, start, space)?, attributes };
    let streams = streams::streams(node)?;
    let permissions = streams::permissions(node, streams.as_ref(), attributes)?;
    let phandle = match node.optional_number("phandle", 0..=u32::MAX)? {
        None => node.optional_number("linux,phandle", 0..=u32::MAX)?,
        phandle => phandle,
    };
    node.optional::<&str>("description")?;
    node.report_unused(&[BASE, RELATIVE, PAGES, ATTRIBUTES], streams::PROPERTIES);
    let streams = streams.map(|streams| (streams, permissions));
    Ok(Found { memory: Memory { region, streams }, phandle })
}

/// A device, beside those of the nodes before it.
fn device_region(node: &Node<'_, '_>, others: &[Device], cpus: &[u64]) -> Result<Device, Error> {
    let start = node.required(BASE)?;
    let bits = node.number(ATTRIBUTES, 0..=u32::MAX)?;
    let (attributes, space) = attributes(bits, Attributes::READ | Attributes::WRITE).ok_or_else(|| {
        let limit = "R (1) or RW (3), and 8 for a device of the Normal world";
        node.value(ATTRIBUTES, format_args!("{bits:#x}"), limit)
    })?;
    let region = Region {
        name: node.name().to_string(),
        range: range(node, BASE, start, space)?,
        attributes: attributes | Attributes::DEVICE,
    };
    let interrupts = interrupts::interrupts(node, others, cpus)?;
    let streams = streams::streams(node)?;
    if let Some(streams) = &streams {
        streams::belong_to_one_device(node, streams, others)?;
    }
    let exclusive = node.flag("exclusive-access")?;
    node.optional::<&str>("description")?;
    let used = [BASE, PAGES, ATTRIBUTES, "interrupts", "interrupts-target", "exclusive-access"];
    node.report_unused(&used, streams::PROPERTIES);
    Ok(Device { region, interrupts, streams, exclusive })
}

/// The pages of a region that begins at `start`, which `property` gave.
fn range(node: &Node<'_, '_>, property: &'static str, start: u64, space: Space) -> Result<PageRange, Error> {
    let pages = node.number(PAGES, 1..=ADDRESS_LIMIT / PAGE_SIZE)?;
    PageRange::new(space, start, pages).map_err(|error| {
        let value = format!("{start:#x} ({pages:#x} pages)");
        node.value(property, value, format!("a range below 48 bits, aligned to 4 KB, and this {error}"))
    })
}

/// What `attributes` says, if it says nothing but `allowed` rights; memory that cannot be read is no use.
pub fn attributes(bits: u32, allowed: Attributes) -> Option<(Attributes, Space)> {
    if bits & READ == 0 || bits & !(READ | WRITE | EXECUTE | NON_SECURE) != 0 {
        return None;
    }
    let mut attributes = Attributes::READ;
    attributes.set(Attributes::WRITE, bits & WRITE != 0);
    attributes.set(Attributes::EXECUTE, bits & EXECUTE != 0);
    let space = if bits & NON_SECURE == 0 { Space::Secure } else { Space::Normal };
    allowed.contains(attributes).then_some((attributes, space))
}

/// The RX and TX buffers that `rx_tx-info` names among the memory regions, in this order.
pub fn buffers(root: &Node<'_, '_>, memory: &[Found]) -> Result<Option<(PageRange, PageRange)>, Error> {
    let Some(node) = root.child("rx_tx-info") else { return Ok(None) };
    node.compatible(&["arm,ffa-manifest-rx_tx-buffer"])?;
    // The SPMC alone writes into an RX buffer.
    let rx = named(&node, "rx-buffer", Attributes::READ, memory)?;
    let tx = named(&node, "tx-buffer", Attributes::READ | Attributes::WRITE, memory)?;
    if rx.overlaps(&tx) {
        return Err(node.value("tx-buffer", tx, "another region than `rx-buffer`"));
    }
    if rx.pages() != tx.pages() {
        let value = format!("{} pages", tx.pages());
        return Err(node.value("tx-buffer", value, format!("as large as `rx-buffer`: {} pages", rx.pages())));
    }
    node.report_unused(&["compatible", "rx-buffer", "tx-buffer"], &[]);
    Ok(Some((rx, tx)))
}

/// The memory region that a property names by its phandle, in which the partition must have `rights`.
pub fn named(
    node: &Node<'_, '_>,
    property: &'static str,
    rights: Attributes,
    memory: &[Found],
) -> Result<PageRange, Error> {
    let phandle = node.number(property, 0..=u32::MAX)?;
    let found = memory.iter().find(|found| found.phandle == Some(phandle));
    let region = found.map(|found| &found.memory.region).ok_or_else(|| {
        node.value(property, format_args!("{phandle:#x}"), "the phandle of one of /memory-regions")
    })?;
    if !region.attributes.contains(rights) || region.range.space() != Space::Secure {
        let writable = if rights.contains(Attributes::WRITE) { " and writable" } else { "" };
        let limit = format!("a region that is secure and readable{writable}");
        return Err(node.value(property, &region.name, limit));
    }
    Ok(region.range)
}

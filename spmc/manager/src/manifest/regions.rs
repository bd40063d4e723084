//! Memory and devices that a partition's manifest asks for beside its image.

use alloc::format;
use alloc::string::ToString;
use alloc::vec::Vec;

use super::error::Error;
use super::tree::Node;
use crate::config::{Region, VmEntry};
use crate::memory::page::{ADDRESS_LIMIT, Attributes, PAGE_SIZE, PageRange, Space};

/// The most memory regions, and the most device regions, of one partition.
pub const MAX_REGIONS: usize = 32;
/// The most interrupts of one device.
pub const MAX_INTERRUPTS: usize = 32;

/// Bits of `attributes`: what the partition may do, and whose memory it is.
const READ: u32 = 1 << 0;
const WRITE: u32 = 1 << 1;
const EXECUTE: u32 = 1 << 2;
const NON_SECURE: u32 = 1 << 3;

/// Bits of an interrupt's attributes: priority 7:0, security state 8, trigger 9, type 11:10.
const INTERRUPT_ATTRIBUTES: u32 = 0xFFF;

/// What no feature uses yet, of memory and of device regions.
const KNOWN: &[&str] =
    &["stream-ids", "smmu-id", "stream-ids-access-permissions", "interrupts-target", "exclusive-access"];

/// A memory region, and the number by which other nodes name it.
pub struct Memory {
    /// The region.
    pub region: Region,
    phandle: Option<u32>,
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
    let path = node.path().to_string();
    match children.len() {
        0 => Err(Error::MissingNode { node: path, child: "at least one region" }),
        1..=MAX_REGIONS => Ok(children),
        count => Err(Error::TooMany { node: path, what: "regions", count, limit: MAX_REGIONS }),
    }
}

/// The pages of a region that begins at `start`, which `property` gave.
fn range(node: &Node<'_, '_>, property: &'static str, start: u64, space: Space) -> Result<PageRange, Error> {
    let pages = node.number("pages-count", 1..=ADDRESS_LIMIT / PAGE_SIZE)?;
    PageRange::new(space, start, pages).map_err(|error| {
        let value = format!("{start:#x} ({pages:#x} pages)");
        node.value(property, value, format!("a range below 48 bits, aligned to 4 KB, and this {error}"))
    })
}

/// The memory regions.
pub fn memory(root: &Node<'_, '_>, vm: &VmEntry) -> Result<Vec<Memory>, Error> {
    let nodes = list(root, "memory-regions", "arm,ffa-manifest-memory-regions")?;
    nodes.iter().map(|node| memory_region(node, vm)).collect()
}

fn memory_region(node: &Node<'_, '_>, vm: &VmEntry) -> Result<Memory, Error> {
    const BASE: &str = "base-address";
    const RELATIVE: &str = "load-address-relative-offset";
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
    let bits = node.number("attributes", 0..=u32::MAX)?;
    let (attributes, space) = attributes(bits, READ | WRITE | EXECUTE).ok_or_else(|| {
        let limit = "R (1), RW (3), RX (5) or RWX (7), and 8 for the Normal world's memory";
        node.value("attributes", format_args!("{bits:#x}"), limit)
    })?;
    let range = range(node, property, start, space)?;
    let phandle = match node.optional_number("phandle", 0..=u32::MAX)? {
        None => node.optional_number("linux,phandle", 0..=u32::MAX)?,
        phandle => phandle,
    };
    node.report_unused(&[BASE, RELATIVE, "pages-count", "attributes"], KNOWN);
    Ok(Memory { region: Region { name: node.name().to_string(), range, attributes }, phandle })
}

/// The device regions.
pub fn devices(root: &Node<'_, '_>) -> Result<Vec<Region>, Error> {
    let mut interrupts: Vec<u32> = Vec::new();
    let nodes = list(root, "device-regions", "arm,ffa-manifest-device-regions")?;
    nodes.iter().map(|node| device_region(node, &mut interrupts)).collect()
}

fn device_region(node: &Node<'_, '_>, interrupts: &mut Vec<u32>) -> Result<Region, Error> {
    let start = node.required("base-address")?;
    let bits = node.number("attributes", 0..=u32::MAX)?;
    let (attributes, space) = attributes(bits, READ | WRITE).ok_or_else(|| {
        let limit = "R (1) or RW (3), and 8 for a device of the Normal world";
        node.value("attributes", format_args!("{bits:#x}"), limit)
    })?;
    let range = range(node, "base-address", start, space)?;
    check_interrupts(node, interrupts)?;
    node.report_unused(&["base-address", "pages-count", "attributes", "interrupts"], KNOWN);
    Ok(Region { name: node.name().to_string(), range, attributes: attributes | Attributes::DEVICE })
}

/// What `attributes` says, if it says nothing but `allowed` rights; memory that cannot be read is no use.
fn attributes(bits: u32, allowed: u32) -> Option<(Attributes, Space)> {
    if bits & READ == 0 || bits & !(allowed | NON_SECURE) != 0 {
        return None;
    }
    let mut attributes = Attributes::READ;
    attributes.set(Attributes::WRITE, bits & WRITE != 0);
    attributes.set(Attributes::EXECUTE, bits & EXECUTE != 0);
    Some((attributes, if bits & NON_SECURE == 0 { Space::Secure } else { Space::Normal }))
}

/// The (id, attributes) pairs of a device's interrupts: well-formed, and none twice in the partition.
fn check_interrupts(node: &Node<'_, '_>, known: &mut Vec<u32>) -> Result<(), Error> {
    const PROPERTY: &str = "interrupts";
    let Some(cells) = node.optional::<Vec<u32>>(PROPERTY)? else { return Ok(()) };
    let (pairs, rest) = cells.as_chunks::<2>();
    if !rest.is_empty() {
        let limit = "pairs of an id and its attributes";
        return Err(node.value(PROPERTY, format_args!("{} cells", cells.len()), limit));
    }
    if pairs.len() > MAX_INTERRUPTS {
        let (node, count) = (node.path().to_string(), pairs.len());
        return Err(Error::TooMany { node, what: "interrupts", count, limit: MAX_INTERRUPTS });
    }
    for [id, attributes] in pairs {
        // PPIs, SPIs, extended PPIs, extended SPIs (GICv3, 2.2.1). The SGIs are the SPMC's.
        if !matches!(id, 16..=1019 | 1056..=1119 | 4096..=5119) {
            let limit = "16 to 1019, 1056 to 1119, or 4096 to 5119";
            return Err(node.value(PROPERTY, format_args!("id {id}"), limit));
        }
        if attributes & !INTERRUPT_ATTRIBUTES != 0 {
            let limit = format!("within {INTERRUPT_ATTRIBUTES:#x}");
            return Err(node.value(PROPERTY, format_args!("{attributes:#x} for id {id}"), limit));
        }
        if known.contains(id) {
            let first = "another device of this partition, or twice here".to_string();
            return Err(Error::Duplicate { at: node.at(PROPERTY), value: format!("id {id}"), first });
        }
        known.push(*id);
    }
    Ok(())
}

/// The RX and TX buffers that `rx_tx-info` names among the memory regions, in this order.
pub fn buffers(root: &Node<'_, '_>, memory: &[Memory]) -> Result<Option<(PageRange, PageRange)>, Error> {
    let Some(node) = root.child("rx_tx-info") else { return Ok(None) };
    node.compatible(&["arm,ffa-manifest-rx_tx-buffer"])?;
    let (rx, tx) = (buffer(&node, "rx-buffer", memory)?, buffer(&node, "tx-buffer", memory)?);
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

fn buffer(node: &Node<'_, '_>, property: &'static str, memory: &[Memory]) -> Result<PageRange, Error> {
    let phandle = node.number(property, 0..=u32::MAX)?;
    let found = memory.iter().find(|memory| memory.phandle == Some(phandle));
    let region = found.map(|memory| &memory.region).ok_or_else(|| {
        node.value(property, format_args!("{phandle:#x}"), "the phandle of one of /memory-regions")
    })?;
    let rights = region.attributes.contains(Attributes::READ | Attributes::WRITE);
    if !rights || region.range.space() != Space::Secure {
        return Err(node.value(property, &region.name, "a region that is secure, readable and writable"));
    }
    Ok(region.range)
}

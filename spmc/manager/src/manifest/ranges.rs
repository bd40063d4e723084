//! The memory nodes of the SPMC manifest: where regions may lie, and what the Normal world may map and share.

use alloc::format;
use alloc::string::ToString;
use alloc::vec::Vec;

use super::error::Error;
use super::spmc::join;
use super::tree::Node;
use crate::config::MemoryRange;
use crate::memory::page::{PageRange, Space};

/// The most ranges in all memory nodes together.
pub const MAX_RANGES: usize = 64;

const TYPE: &str = "device_type";
const KINDS: &str = "\"memory\", \"ns-memory\", \"device-memory\" or \"ns-device-memory\"";

/// The ranges of all nodes whose `device_type` is one of the four kinds.
pub fn memory(root: &Node<'_, '_>) -> Result<Vec<MemoryRange>, Error> {
    // Defaults as Devicetree 0.4, 2.3.5, gives them.
    let address_cells = root.optional_number("#address-cells", 1..=2_u8)?.unwrap_or(2);
    let size_cells = root.optional_number("#size-cells", 1..=2_u8)?.unwrap_or(1);
    let mut ranges: Vec<MemoryRange> = Vec::new();
    for node in root.children() {
        let Some((space, device)) = kind(&node)? else { continue };
        let cells: Vec<u32> = node.required("reg")?;
        let entries = cells.chunks_exact(usize::from(address_cells + size_cells));
        if !entries.remainder().is_empty() {
            let limit = format!("pairs of {address_cells} cells of address and {size_cells} of size");
            return Err(node.value("reg", format_args!("{} cells", cells.len()), limit));
        }
        for entry in entries {
            let (address, size) = entry.split_at(usize::from(address_cells));
            let (address, size) = (join(address), join(size));
            let range = PageRange::from_bytes(space, address, size).map_err(|error| {
                let value = format_args!("{address:#x}, {size:#x} bytes").to_string();
                node.value("reg", value, format!("a range of whole pages below 48 bits, and this {error}"))
            })?;
            distinct(&node, &range, device, &ranges)?;
            ranges.push(MemoryRange { range, device });
        }
        node.report_unused(&[TYPE, "reg"], &[]);
    }
    root.limit("ranges in memory nodes", ranges.len(), MAX_RANGES)?;
    report_absent(&ranges);
    Ok(ranges)
}

/// Whose memory a node declares, and whether it is device memory; none if it declares none.
fn kind(node: &Node<'_, '_>) -> Result<Option<(Space, bool)>, Error> {
    let found = node.optional::<&str>(TYPE)?;
    Ok(match found {
        Some("memory") => Some((Space::Secure, false)),
        Some("ns-memory") => Some((Space::Normal, false)),
        Some("device-memory") => Some((Space::Secure, true)),
        Some("ns-device-memory") => Some((Space::Normal, true)),
        // A node that looks like memory and does not say whose would be lost without a word.
        _ if node.name() == "memory" || node.name().starts_with("memory@") => {
            return Err(match found {
                None => Error::Missing { at: node.at(TYPE), expected: KINDS },
                Some(other) => node.value(TYPE, format_args!("{other:?}"), KINDS),
            });
        }
        _ => None,
    })
}

/// The names of the nodes that declare memory.
pub fn names<'a>(root: &Node<'_, 'a>) -> Vec<&'a str> {
    root.children()
        .filter(|node| kind(node).is_ok_and(|kind| kind.is_some()))
        .map(|node| node.name())
        .collect()
}

/// Says what it means that a kind of memory is not declared.
fn report_absent(memory: &[MemoryRange]) {
    if !memory.iter().any(|declared| declared.device) {
        log::warn!(
            "SPMC manifest: no device memory is declared: partitions may have any device but the SPMC's own"
        );
    }
    if !memory.iter().any(|declared| !declared.device && declared.range.space() == Space::Normal) {
        log::warn!("SPMC manifest: no ns-memory is declared: the Normal world can map no buffers");
    }
}

/// That no page is declared as memory of both worlds.
fn distinct(node: &Node<'_, '_>, new: &PageRange, device: bool, known: &[MemoryRange]) -> Result<(), Error> {
    let clash = known.iter().find(|other| {
        !device && !other.device && other.range.space() != new.space() && other.range.overlaps(new)
    });
    clash.map_or(Ok(()), |other| {
        let what = format!("{}: `reg`", node.path());
        let with = format!("the other world's memory {}", other.range);
        Err(Error::Overlap { what, range: new.to_string(), with })
    })
}

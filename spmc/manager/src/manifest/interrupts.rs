//! Interrupts of a partition's devices.

use alloc::format;
use alloc::vec::Vec;

use super::error::Error;
use super::tree::Node;
use crate::config::{Device, DeviceInterrupt, Trigger};

/// The most interrupts of one partition: with its virtual ones - timer (3), managed exit (4), notification pending (5) -
/// they are one set of 64 bits.
pub const MAX_INTERRUPTS: usize = 61;

const INTERRUPTS: &str = "interrupts";
const TARGETS: &str = "interrupts-target";

/// Bits of an interrupt's attributes: priority 7:0, security state 8, trigger 9, type 11:10.
const PRIORITY: u32 = 0xFF;
const SECURE: u32 = 1 << 8;
const LEVEL: u32 = 1 << 9;
const TYPE_SHIFT: u32 = 10;
const ATTRIBUTES: u32 = 0xFFF;

/// The interrupts of a device, which none of `others` may have. `cpus` are the affinities of the PEs.
pub fn interrupts(
    node: &Node<'_, '_>,
    others: &[Device],
    cpus: &[u64],
) -> Result<Vec<DeviceInterrupt>, Error> {
    let mut found: Vec<DeviceInterrupt> = Vec::new();
    let cells = node.optional::<Vec<u32>>(INTERRUPTS)?.unwrap_or_default();
    let (pairs, rest) = cells.as_chunks::<2>();
    if !rest.is_empty() {
        let limit = "pairs of an id and its attributes";
        return Err(node.value(INTERRUPTS, format_args!("{} cells", cells.len()), limit));
    }
    let before: usize = others.iter().map(|device| device.interrupts.len()).sum();
    node.limit("interrupts of the partition so far", before + pairs.len(), MAX_INTERRUPTS)?;
    for [id, attributes] in pairs {
        let interrupt = interrupt(node, *id, *attributes)?;
        let device = others.iter().find(|device| device.interrupts.iter().any(|other| other.id == *id));
        if let Some(device) = device {
            let first = format_args!("device {}", device.region.name);
            return Err(node.duplicate(INTERRUPTS, format_args!("id {id}"), first));
        }
        if found.iter().any(|other| other.id == *id) {
            return Err(node.duplicate(INTERRUPTS, format_args!("id {id}"), "the same list"));
        }
        found.push(interrupt);
    }
    targets(node, &mut found, cpus)?;
    Ok(found)
}

/// One pair of an id and its attributes.
fn interrupt(node: &Node<'_, '_>, id: u32, attributes: u32) -> Result<DeviceInterrupt, Error> {
    // PPIs, SPIs, extended PPIs, extended SPIs (GICv3, 2.2.1). The SGIs are the SPMC's.
    let kind = match id {
        16..=31 | 1056..=1119 => 0b01,
        32..=1019 | 4096..=5119 => 0b10,
        _ => {
            let limit = "16 to 1019, 1056 to 1119, or 4096 to 5119";
            return Err(node.value(INTERRUPTS, format_args!("id {id}"), limit));
        }
    };
    if attributes & !ATTRIBUTES != 0 {
        let limit = format!("within {ATTRIBUTES:#x}");
        return Err(node.value(INTERRUPTS, format_args!("{attributes:#x} for id {id}"), limit));
    }
    let said = attributes >> TYPE_SHIFT;
    if said != kind {
        log::warn!(
            "{}: {}: `interrupts` gives id {id} the type {said}; its number makes it {kind}",
            node.owner(),
            node.path()
        );
    }
    Ok(DeviceInterrupt {
        id,
        priority: (attributes & PRIORITY) as u8,
        secure: attributes & SECURE != 0,
        trigger: if attributes & LEVEL == 0 { Trigger::Edge } else { Trigger::Level },
        target: None,
    })
}

/// The (id, upper word, lower word) triples that route interrupts to PEs.
fn targets(node: &Node<'_, '_>, interrupts: &mut [DeviceInterrupt], cpus: &[u64]) -> Result<(), Error> {
    let cells = node.optional::<Vec<u32>>(TARGETS)?.unwrap_or_default();
    let (triples, rest) = cells.as_chunks::<3>();
    if !rest.is_empty() {
        let limit = "triples of an id and the two words of an MPIDR";
        return Err(node.value(TARGETS, format_args!("{} cells", cells.len()), limit));
    }
    for [id, upper, lower] in triples {
        let Some(interrupt) = interrupts.iter_mut().find(|interrupt| interrupt.id == *id) else {
            return Err(node.value(
                TARGETS,
                format_args!("id {id}"),
                "one of the ids in `interrupts` of this node",
            ));
        };
        let mpidr = u64::from(*upper) << 32 | u64::from(*lower);
        if !cpus.contains(&mpidr) {
            let limit = "the `reg` of a PE in /cpus of the SPMC manifest";
            return Err(node.value(TARGETS, format_args!("{mpidr:#x} for id {id}"), limit));
        }
        if interrupt.target.is_some() {
            return Err(node.duplicate(TARGETS, format_args!("id {id}"), "the same list"));
        }
        interrupt.target = Some(mpidr);
    }
    Ok(())
}

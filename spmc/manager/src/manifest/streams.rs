//! DMA streams of devices, and the memory regions that they have access to.

use alloc::format;
use alloc::vec::Vec;

use super::error::Error;
use super::regions::attributes;
use super::tree::Node;
use crate::config::{Device, Memory, Streams};
use crate::memory::page::Attributes;

/// The most stream ids of one region.
pub const MAX_STREAMS: usize = 32;

const STREAMS: &str = "stream-ids";
const SMMU: &str = "smmu-id";
const PERMISSIONS: &str = "stream-ids-access-permissions";

/// What this file reads; no SMMU is programmed by it.
pub const PROPERTIES: &[&str] = &[STREAMS, SMMU, PERMISSIONS];

/// The streams that a region names, and the SMMU that they come through.
pub fn streams(node: &Node<'_, '_>) -> Result<Option<Streams>, Error> {
    let smmu = node.optional_number(SMMU, 0..=u32::MAX)?;
    let ids = node.optional::<Vec<u32>>(STREAMS)?;
    let Some(ids) = ids else {
        return Ok(smmu.map(|smmu| Streams { smmu, ids: Vec::new() }));
    };
    let Some(smmu) = smmu else {
        return Err(Error::Missing {
            at: node.at(SMMU),
            expected: "the number of the SMMU behind `stream-ids`",
        });
    };
    node.limit("stream ids", ids.len(), MAX_STREAMS)?;
    if let Some(id) = repeated(&ids) {
        return Err(node.duplicate(STREAMS, format_args!("stream {id:#x}"), "the same list"));
    }
    Ok(Some(Streams { smmu, ids }))
}

/// What streams may do with a memory region: one value for all, and without one as much as the partition itself.
pub fn permissions(
    node: &Node<'_, '_>,
    streams: Option<&Streams>,
    own: Attributes,
) -> Result<Attributes, Error> {
    let Some(list) = node.optional::<Vec<u32>>(PERMISSIONS)? else { return Ok(own) };
    let count = streams.map_or(0, |streams| streams.ids.len());
    if list.len() != count {
        let value = format!("{} values", list.len());
        return Err(node.value(PERMISSIONS, value, format!("one for each of the {count} `stream-ids`")));
    }
    let first = list.first().copied().unwrap_or_default();
    if let Some(other) = list.iter().find(|value| **value != first) {
        let value = format!("{first:#x} and {other:#x}");
        return Err(node.value(PERMISSIONS, value, "the same for all streams of the region"));
    }
    let (rights, _) = attributes(first, Attributes::all()).ok_or_else(|| {
        node.value(PERMISSIONS, format_args!("{first:#x}"), "R (1), RW (3), RX (5) or RWX (7), and 8 at will")
    })?;
    Ok(rights)
}

/// That a stream belongs to one device of the partition.
pub fn belong_to_one_device(node: &Node<'_, '_>, streams: &Streams, others: &[Device]) -> Result<(), Error> {
    for device in others {
        let Some(theirs) = device.streams.as_ref().filter(|theirs| theirs.smmu == streams.smmu) else {
            continue;
        };
        if let Some(id) = streams.ids.iter().find(|id| theirs.ids.contains(id)) {
            return Err(node.duplicate(
                STREAMS,
                format_args!("stream {id:#x} of SMMU {}", streams.smmu),
                format_args!("device {}", device.region.name),
            ));
        }
    }
    Ok(())
}

/// That every stream with access to memory is one of the partition's devices.
pub fn have_devices(node: &Node<'_, '_>, memory: &Memory, devices: &[Device]) -> Result<(), Error> {
    let Some((streams, _)) = &memory.streams else { return Ok(()) };
    let of_device = |id: &u32| {
        let mut known = devices.iter().filter_map(|device| device.streams.as_ref());
        known.any(|known| known.smmu == streams.smmu && known.ids.contains(id))
    };
    match streams.ids.iter().find(|id| !of_device(id)) {
        None => Ok(()),
        Some(id) => {
            let value = format!("stream {id:#x} of SMMU {}", streams.smmu);
            Err(node.value(STREAMS, value, "a stream of one of the /device-regions"))
        }
    }
}

fn repeated(ids: &[u32]) -> Option<u32> {
    ids.iter()
        .enumerate()
        .find(|(place, id)| ids.iter().take(*place).any(|other| other == *id))
        .map(|(_, id)| *id)
}

//! Setup and discovery: versions, features, ids and the list of partitions (FF-A 1.2, chapter 13).

use arm_ffa::{FfaError, FuncId};
use uuid::Uuid;

use super::{Caller, Entry, Outcome, buffers, table};
use crate::abi::{self, PartitionDescriptor, V1_0, V1_1, V1_2};
use crate::config::{Methods, Service};
use crate::hardware;
use crate::memory::page::Pa;
use crate::state::interrupts;
use crate::state::partition::Partition;
use crate::state::version::Negotiation;

/// FFA_VERSION: w1 the version that the caller wants. w0 is this SPMC's version, or -1 where the two cannot talk.
pub fn version(at: &mut Entry<'_>) -> Outcome {
    let wanted = abi::word(at.frame, 1);
    let (negotiation, highest) = match at.caller {
        Caller::Normal => (&at.spmc.normal().version, V1_2),
        // A manifest may ask for a later version than ours; its partition is then served as 1.2.
        Caller::Partition(partition, _) => {
            (partition.version(), abi::version_word(partition.config().version).max(V1_2))
        }
    };
    let answer = negotiate(negotiation, wanted, highest);
    abi::answer(at.frame, [answer]);
    Ok(at.back())
}

/// Negotiates `wanted` and gives what FFA_VERSION answers in w0. A version above 1.2 but not above `highest` is
/// served as 1.2.
pub fn negotiate(negotiation: &Negotiation, wanted: u32, highest: u32) -> u64 {
    let served = abi::major(wanted) == abi::major(V1_0) && wanted <= highest;
    if served && negotiation.negotiate(wanted.min(V1_2)) { V1_2.into() } else { abi::VERSION_NOT_SUPPORTED }
}

/// Feature id: the notification pending interrupt.
const NOTIFICATION_PENDING: u32 = 1;
/// Feature id: the schedule receiver interrupt.
const SCHEDULE_RECEIVER: u32 = 2;
/// Feature id: notifications, and what of them is not there.
const NOTIFICATION: u32 = 4;

/// Function ids have this bit set, and feature ids have it clear.
const FUNCTION: u32 = 1 << 31;

/// FFA_FEATURES of an interrupt, w2 its id, or of notifications as a whole.
#[cold]
fn feature(at: &mut Entry<'_>, asked: u32) -> Outcome {
    let properties = match (asked, at.caller) {
        _ if at.version < V1_1 => return Err(FfaError::NotSupported),
        (NOTIFICATION_PENDING, Caller::Partition(partition, _))
            // At S-EL0 there are no virtual interrupts: a partition polls.
            if partition.config().notifications && !partition.is_at_el0() =>
        {
            interrupts::NOTIFICATION.into()
        }
        (SCHEDULE_RECEIVER, Caller::Normal) => hardware::SCHEDULE_RECEIVER,
        // Nothing about notifications is left out.
        (NOTIFICATION, _) => 0,
        _ => return Err(FfaError::NotSupported),
    };
    abi::success_with(at.frame, properties, 0);
    Ok(at.back())
}

/// FFA_FEATURES: w1 a function id (bit 31 set) or a feature id. The table answers.
pub fn features(at: &mut Entry<'_>) -> Outcome {
    let asked = abi::word(at.frame, 1);
    // NOT_SUPPORTED is the only refusal there is (FF-A 1.2, 13.3).
    if abi::word(at.frame, 2) != 0 && !takes_input(asked, abi::word(at.frame, 2)) {
        return Err(FfaError::NotSupported);
    }
    if asked & FUNCTION == 0 {
        return feature(at, asked);
    }
    let call = table::find(asked).ok_or(FfaError::NotSupported)?;
    if !call.is_known_to(&at.caller, at.version) {
        return Err(FfaError::NotSupported);
    }
    if has_properties(asked) {
        return properties(at, call.function, abi::word(at.frame, 2) == KNOWS_NS_BIT);
    }
    abi::success_with(at.frame, 0, 0);
    Ok(at.back())
}

/// Of FFA_MEM_RETRIEVE_REQ: the caller knows the bit that says whose memory it is.
const KNOWS_NS_BIT: u32 = 1 << 1;
/// Of memory transactions: a descriptor may lie in pages of its own (DEN0140, 2).
const OWN_PAGES: u32 = 1 << 0;
/// Of FFA_MEM_RETRIEVE_REQ: responses have the bit that says whose memory it is.
const HAS_NS_BIT: u32 = 1 << 1;

/// Whether a caller may say this in w2 of FFA_FEATURES.
#[cold]
const fn takes_input(asked: u32, properties: u32) -> bool {
    const RETRIEVE: u32 = FuncId::MemRetrieveReq32 as u32;
    asked & !abi::SMC64 == RETRIEVE && properties == KNOWS_NS_BIT
}

/// Whether the call is one of the few that have properties: FFA_RXTX_MAP, or what a descriptor of memory goes with.
const fn has_properties(asked: u32) -> bool {
    const MAP: u32 = FuncId::RxTxMap32 as u32;
    const FIRST: u32 = FuncId::MemDonate32 as u32;
    const LAST: u32 = FuncId::MemRetrieveReq32 as u32;
    matches!(asked & !abi::SMC64, MAP | FIRST..=LAST)
}

/// FFA_FEATURES of a call that has properties: apart, so that the others do not work them out. `knows_ns_bit`: the caller
/// has said so, and gets it from here on, of whatever version it is.
#[cold]
fn properties(at: &mut Entry<'_>, function: FuncId, knows_ns_bit: bool) -> Outcome {
    if knows_ns_bit && let Caller::Partition(partition, _) = at.caller {
        partition.learn_ns_bit();
    }
    let properties = match function {
        FuncId::RxTxMap32 | FuncId::RxTxMap64 => buffers::features(at.version),
        FuncId::MemRetrieveReq32 | FuncId::MemRetrieveReq64 if at.caller.knows_ns_bit(at.version) => {
            OWN_PAGES | HAS_NS_BIT
        }
        _ => OWN_PAGES,
    };
    abi::success_with(at.frame, properties, 0);
    Ok(at.back())
}

/// FFA_ID_GET: w2 the caller's own id.
pub fn id_get(at: &mut Entry<'_>) -> Outcome {
    abi::success_with(at.frame, at.caller.id().get().into(), 0);
    Ok(at.back())
}

/// FFA_SPM_ID_GET: w2 the id of this SPMC, which manages every partition.
pub fn spm_id_get(at: &mut Entry<'_>) -> Outcome {
    abi::success_with(at.frame, crate::endpoint::EndpointId::SPMC.get().into(), 0);
    Ok(at.back())
}

/// Bit 0 of w5 in FFA_PARTITION_INFO_GET: the count is enough.
const COUNT_ONLY: u32 = 1;

/// FFA_PARTITION_INFO_GET: w1-w4 a UUID (nil: all), w5 flags. Entries go to the caller's RX buffer; w2 their
/// number, w3 the size of each.
pub fn partition_info_get(at: &mut Entry<'_>) -> Outcome {
    let uuid = abi::uuid32(at.frame, 1);
    let flags = abi::word(at.frame, 5);
    if flags & !COUNT_ONLY != 0 {
        return Err(FfaError::InvalidParameters);
    }
    let count = entries(at, uuid).count();
    if count == 0 && !uuid.is_nil() {
        return Err(FfaError::InvalidParameters);
    }
    if flags & COUNT_ONLY != 0 {
        abi::success_with(at.frame, count as u32, 0);
        return Ok(at.back());
    }
    let size = if at.version >= V1_1 { PartitionDescriptor::SIZE } else { PartitionDescriptor::SIZE_1_0 };
    let mut list = entries(at, uuid);
    buffers::fill_rx(at, (count * size) as u64, |memory, rx| {
        let places = (rx.address..).step_by(size).map(|address| Pa { address, ..rx });
        places.zip(&mut list).try_for_each(|(place, entry)| {
            entry.to_bytes().get(..size).map_or(Ok(()), |bytes| memory.write(place, bytes))
        })
    })?;
    abi::success_with(at.frame, count as u32, size as u32);
    Ok(at.back())
}

/// FFA_PARTITION_INFO_GET_REGS: x1-x2 a UUID (nil: all), x3 the first entry in bits 15:0 and a tag in bits 31:16.
pub fn partition_info_get_regs(at: &mut Entry<'_>) -> Outcome {
    let uuid = abi::uuid64(at.frame, 1);
    let (start, tag) = (at.frame.x[3] as u16, (at.frame.x[3] >> 16) as u16);
    // Partitions are fixed at boot, so the tag of every list is 0 and no other one was ever handed out.
    if tag != 0 {
        return Err(FfaError::Retry);
    }
    let start = usize::from(start);
    let mut list = heapless::Vec::<_, { abi::DESCRIPTORS_IN_REGISTERS }>::new();
    let mut count = 0;
    for entry in entries(at, uuid) {
        if count >= start {
            // What does not fit is what the next call begins with.
            let _ = list.push(entry);
        }
        count += 1;
    }
    if list.is_empty() {
        return Err(FfaError::InvalidParameters);
    }
    abi::partition_registers(at.frame, count, start, &list);
    Ok(at.back())
}

/// Property bit 3: it takes notifications.
const NOTIFICATIONS: u32 = 1 << 3;
/// Property bits 7:6: told of VMs that are created and destroyed (FF-A 1.2, table 6.2).
const VM_MESSAGES: u32 = 6;
/// Property bit 8: AArch64.
const AARCH64: u32 = 1 << 8;

/// The property bits that a caller of this version knows.
const fn known_properties(version: u32) -> u32 {
    match version {
        ..V1_1 => 0b111,
        V1_1..V1_2 => !(0b11 << 9),
        V1_2.. => !0,
    }
}

/// The entries that this caller sees: one for each partition and UUID, and to partitions the logical partitions at EL3.
/// A caller of FF-A 1.0, whose entries have no UUID, sees each partition once.
fn entries<'a>(at: &Entry<'a>, uuid: Uuid) -> impl Iterator<Item = PartitionDescriptor> + use<'a> {
    let (version, to_normal) = (at.version, matches!(at.caller, Caller::Normal));
    let logical = at.spmc.logical().iter().filter(move |_| !to_normal);
    let logical = logical.filter(move |entry| uuid.is_nil() || entry.uuid == uuid);
    let logical = logical.map(move |entry| PartitionDescriptor {
        uuid: shown_uuid(uuid, entry.uuid),
        properties: entry.properties & known_properties(version),
        ..*entry
    });
    let partitions = at.spmc.partitions().flat_map(move |partition| {
        let services = &partition.config().services;
        let shown = if uuid.is_nil() && version < V1_1 { 1 } else { services.len() };
        services
            .iter()
            .filter(move |service| uuid.is_nil() || service.uuid == uuid)
            .take(shown)
            .map(move |service| entry(partition, service, uuid, version, to_normal))
    });
    partitions.chain(logical)
}

/// The UUID of an entry: who asked for one knows it (FF-A 1.2, 6.2.1).
const fn shown_uuid(asked: Uuid, own: Uuid) -> Uuid {
    if asked.is_nil() { own } else { Uuid::nil() }
}

fn entry(
    partition: &Partition,
    service: &Service,
    asked: Uuid,
    version: u32,
    to_normal: bool,
) -> PartitionDescriptor {
    // An entry without a UUID stands for the partition as a whole.
    let is_whole = version < V1_1 && asked.is_nil();
    let mut methods = if is_whole { partition.methods() } else { service.methods };
    if to_normal {
        // A partition sends direct requests to partitions only.
        methods -= Methods::SEND_DIRECT | Methods::SEND_DIRECT2;
    }
    let mut properties = u32::from(methods.bits()) | AARCH64;
    if partition.config().notifications {
        properties |= NOTIFICATIONS;
    }
    // Who sends these messages wants to know who gets them: a hypervisor.
    if to_normal && methods.contains(Methods::RECEIVE_DIRECT) {
        properties |= u32::from(partition.config().availability.bits()) << VM_MESSAGES;
    }
    PartitionDescriptor {
        id: partition.id(),
        contexts: partition.config().contexts.count(),
        properties: properties & known_properties(version),
        uuid: shown_uuid(asked, service.uuid),
    }
}

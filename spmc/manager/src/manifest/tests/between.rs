//! Rules between partitions: duplicates and overlaps, and memory that must be declared.

use super::super::check;
use super::*;
use crate::config::{Device, DeviceInterrupt, Memory, Region, Streams, Trigger};
use crate::memory::page::Attributes;

/// A partition of index `index` with 256 KB from `start` on.
fn config(index: usize, start: u64, boot_order: u16) -> PartitionConfig {
    let mut config = partition_of(ECHO, 4).unwrap();
    config.index = PartitionIndex::new(index).unwrap();
    config.name = std::format!("p{index}");
    config.memory = range(start, start + 0x4_0000);
    config.boot_order = boot_order;
    config
}

fn region(range: PageRange) -> Region {
    Region { name: "r".to_string(), range, attributes: Attributes::READ }
}

fn memory(range: PageRange) -> Memory {
    Memory { region: region(range), streams: None }
}

fn device(range: PageRange) -> Device {
    Device { region: region(range), interrupts: Vec::new(), streams: None, exclusive: false }
}

fn together(configs: Vec<PartitionConfig>) -> Vec<usize> {
    check::all(configs, &own().memory).unwrap().iter().map(|config| config.index.get()).collect()
}

#[test]
fn of_two_with_one_boot_order_the_later_is_left_out() {
    let (a, b) = (config(0, 0xe30_0000, 5), config(1, 0xe34_0000, 5));
    let message = check::beside(&b, std::slice::from_ref(&a)).unwrap_err().to_string();
    assert_eq!(message, "/: `boot-order` is 5, as in the manifest of p0; it must be unique");
    assert_eq!(together(Vec::from([a, b])), [0]);
}

#[test]
fn names_and_image_uuids_are_one_partitions_own() {
    let (a, mut b) = (config(0, 0xe30_0000, 1), config(1, 0xe34_0000, 2));
    b.name = a.name.clone();
    let message = check::beside(&b, std::slice::from_ref(&a)).unwrap_err().to_string();
    let expected = "/hypervisor/vm2: `debug_name` is \"p0\", as in /hypervisor/vm1; it must be unique";
    assert_eq!(message, expected);
    assert_eq!(together(Vec::from([a, b])), [0]);
    let (mut a, mut b) = (config(0, 0xe30_0000, 2), config(1, 0xe34_0000, 1));
    let uuid = uuid::uuid!("aff90eed-d653-4b9b-9cee-09c66c47ce3a");
    (a.image_uuid, b.image_uuid) = (Some(uuid), Some(uuid));
    let message = check::beside(&a, std::slice::from_ref(&b)).unwrap_err().to_string();
    let expected = "/: `image-uuid` is aff90eed-d653-4b9b-9cee-09c66c47ce3a, as in the manifest of p1; it must be unique";
    assert_eq!(message, expected);
    assert_eq!(together(Vec::from([a, b])), [1], "the later in boot order goes");
}

#[test]
fn interrupts_and_streams_are_one_partitions_own() {
    let interrupt =
        DeviceInterrupt { id: 40, priority: 0, secure: true, trigger: Trigger::Edge, target: None };
    let with = |index, start, streams: Option<Streams>, interrupts: &[DeviceInterrupt]| {
        let mut config = config(index, start, index as u16);
        let at = 0x904_0000 + 0x1000 * index as u64;
        let mut device = device(range(at, at + 0x1000));
        (device.streams, device.interrupts) = (streams, Vec::from(interrupts));
        config.devices.push(device);
        config
    };
    let (a, b) = (with(0, 0xe30_0000, None, &[interrupt]), with(1, 0xe34_0000, None, &[interrupt]));
    let message = check::beside(&b, std::slice::from_ref(&a)).unwrap_err().to_string();
    let expected = "/device-regions/r: `interrupts` is id 40, as in the manifest of p0; it must be unique";
    assert_eq!(message, expected);
    assert_eq!(together(Vec::from([a, b])), [0]);
    let streams = |smmu, ids: &[u32]| Some(Streams { smmu, ids: Vec::from(ids) });
    let (a, b) =
        (with(0, 0xe30_0000, streams(1, &[5, 6]), &[]), with(1, 0xe34_0000, streams(1, &[7, 6]), &[]));
    let message = check::beside(&b, std::slice::from_ref(&a)).unwrap_err().to_string();
    let expected = "/device-regions/r: `stream-ids` is stream 0x6 of SMMU 1, as in the manifest of p0; it must be unique";
    assert_eq!(message, expected);
    assert_eq!(together(Vec::from([a, b])), [0]);
    let (a, b) = (with(0, 0xe30_0000, streams(1, &[5]), &[]), with(1, 0xe34_0000, streams(2, &[5]), &[]));
    assert_eq!(together(Vec::from([a, b])), [0, 1], "behind another SMMU it is another stream");
}

#[test]
fn no_partition_gets_a_device_of_the_spmc() {
    let declared = spmc_of(OP_TEE_SPMC).unwrap().memory;
    let mut config = config(0, 0xe40_0000, 0);
    config.devices.push(device(range(0x800_f000, 0x801_1000)));
    let message = check::alone(&config, &declared, &own().devices).unwrap_err().to_string();
    let expected = "region r 0x800f000..0x8011000 overlaps a device of the SPMC, 0x8000000..0x8010000";
    assert_eq!(message, expected);
    let manifest =
        spmc_of(&changed(SPMC, "0x0 0x40000000 0x0 0xc0000000", "0x0 0x8000000 0x0 0x1000")).unwrap();
    let message = check::own_memory(&manifest, &own()).unwrap_err().to_string();
    assert!(message.starts_with("ns-memory 0x8000000..0x8001000 overlaps a device of the SPMC"), "{message}");
}

#[test]
fn where_no_device_is_declared_every_one_may_be_had_that_is_no_memory() {
    let declared = spmc_of(OP_TEE_SPMC_BARE).unwrap().memory;
    let with = |device_range| {
        let mut config = config(0, 0xe40_0000, 0);
        config.devices.push(device(device_range));
        check::alone(&config, &declared, &own().devices).map_err(|error| error.to_string())
    };
    assert_eq!(with(range(0x904_0000, 0x904_1000)), Ok(()));
    assert!(with(range(0x90b_0000, 0x90b_1000)).is_err(), "the SPMC's own");
    let message = "r 0xe000000..0xe001000 overlaps memory 0xe000000..0xf000000";
    assert_eq!(with(range(0xe00_0000, 0xe00_1000)).unwrap_err(), message);
}

#[test]
fn any_number_may_boot_last() {
    let last = partition::LAST_IN_BOOT_ORDER;
    assert_eq!(together(Vec::from([config(0, 0xe30_0000, last), config(1, 0xe34_0000, last)])), [0, 1]);
}

#[test]
fn of_two_that_overlap_the_later_in_boot_order_is_left_out() {
    assert_eq!(together(Vec::from([config(0, 0xe30_0000, 9), config(1, 0xe33_0000, 1)])), [1]);
    assert_eq!(together(Vec::from([config(0, 0xe30_0000, 1), config(1, 0xe33_0000, 9)])), [0]);
    let (mut a, mut b) = (config(0, 0xe30_0000, 1), config(1, 0xe34_0000, 2));
    a.regions.push(memory(range(0xe80_0000, 0xe80_2000)));
    b.devices.push(device(range(0xe80_1000, 0xe80_2000)));
    let message = check::beside(&b, std::slice::from_ref(&a)).unwrap_err().to_string();
    assert_eq!(message, "region r 0xe801000..0xe802000 overlaps region r of p0 0xe800000..0xe802000");
    assert_eq!(together(Vec::from([a, b])), [0]);
}

#[test]
fn who_clashes_with_one_left_out_may_start() {
    let (a, b, c) = (config(0, 0xe30_0000, 1), config(1, 0xe32_0000, 2), config(2, 0xe34_0000, 3));
    assert_eq!(together(Vec::from([c, b, a])), [0, 2]);
}

#[test]
fn two_may_offer_the_same_uuid() {
    let (a, b) = (config(0, 0xe30_0000, 1), config(1, 0xe34_0000, 2));
    assert_eq!(a.services, b.services);
    assert_eq!(together(Vec::from([a, b])), [0, 1]);
}

#[test]
fn a_clash_with_the_spmc_is_fatal() {
    let own = own();
    let manifest = spmc_of(SPMC).unwrap();
    assert_eq!(check::own_memory(&manifest, &own), Ok(()));
    let message =
        check::own_memory(&manifest, &Own { memory: range(0xe10_0000, 0xe30_1000), devices: Vec::new() })
            .unwrap_err()
            .to_string();
    let expected = "memory of echo 0xe300000..0xe340000 overlaps the SPMC's own memory 0xe100000..0xe301000";
    assert_eq!(message, expected);
    let mut bad = config(0, 0xe30_0000, 0);
    bad.regions.push(memory(range(0xe2f_f000, 0xe30_0000)));
    let message = check::all(Vec::from([bad]), &own.memory).unwrap_err().to_string();
    assert!(
        message.starts_with("p0: region r 0xe2ff000..0xe300000 overlaps the SPMC's own memory"),
        "{message}"
    );
    // The Normal world could share it away.
    let open =
        spmc_of(&changed(SPMC, "0x0 0x40000000 0x0 0xc0000000", "0x0 0xe000000 0x0 0x200000")).unwrap();
    let message = check::own_memory(&open, &own).unwrap_err().to_string();
    assert!(message.starts_with("ns-memory 0xe000000..0xe200000 overlaps"), "{message}");
    // Stock manifests declare all secure DRAM as memory, the SPMC's included.
    assert_eq!(check::own_memory(&spmc_of(OP_TEE_SPMC).unwrap(), &own), Ok(()));
}

#[test]
fn regions_lie_in_declared_memory_of_their_kind() {
    let declared = spmc_of(SPMC).unwrap().memory;
    let page = |space, start| PageRange::new(space, start, 1).unwrap();
    let with = |range, is_device: bool| {
        let mut config = config(0, 0xe30_0000, 0);
        if is_device {
            config.devices.push(device(range));
        } else {
            config.regions.push(memory(range));
        }
        check::alone(&config, &declared, &own().devices)
    };
    assert_eq!(with(page(Space::Secure, 0xe80_0000), false), Ok(()));
    assert_eq!(with(page(Space::Normal, 0x4000_0000), false), Ok(()));
    assert_eq!(with(page(Space::Secure, 0x904_0000), true), Ok(()));
    assert_eq!(with(page(Space::Normal, 0x900_0000), true), Ok(()));
    let all = [
        (page(Space::Secure, 0xf00_0000), false, "memory"),
        (page(Space::Normal, 0xe80_0000), false, "ns-memory"),
        (page(Space::Secure, 0x900_0000), true, "device-memory"),
        (page(Space::Normal, 0x904_0000), true, "ns-device-memory"),
        (PageRange::new(Space::Secure, 0xeff_f000, 2).unwrap(), false, "memory"),
    ];
    for (range, device, kind) in all {
        let message = with(range, device).unwrap_err().to_string();
        assert_eq!(message, std::format!("r {range} is outside the {kind} ranges of the SPMC manifest"));
    }
}

#[test]
fn ranges_that_touch_are_one_range() {
    let split = changed(
        SPMC,
        "reg = <0x0 0xe300000 0x0 0xd00000>",
        "reg = <0 0xe308000 0 0x100000>, <0 0xe300000 0 0x8000>",
    );
    let manifest = spmc_of(&split).unwrap();
    assert_eq!(check::declared(&manifest.vms[0], &manifest.memory), Ok(()));
    let hole = changed(
        SPMC,
        "reg = <0x0 0xe300000 0x0 0xd00000>",
        "reg = <0 0xe309000 0 0x100000>, <0 0xe300000 0 0x8000>",
    );
    let manifest = spmc_of(&hole).unwrap();
    assert!(check::declared(&manifest.vms[0], &manifest.memory).is_err());
}

#[test]
fn a_partition_does_not_overlap_itself() {
    let declared = spmc_of(SPMC).unwrap().memory;
    let refused = |regions: &[PageRange]| {
        let mut config = config(0, 0xe30_0000, 0);
        config.regions.extend(regions.iter().copied().map(memory));
        check::alone(&config, &declared, &[]).map_err(|error| error.to_string())
    };
    let message = "region r 0xe33f000..0xe341000 overlaps memory of p0 0xe300000..0xe340000";
    assert_eq!(refused(&[range(0xe33_f000, 0xe34_1000)]).unwrap_err(), message);
    let part = range(0xe33_f000, 0xe34_0000);
    assert_eq!(refused(&[part]), Ok(()), "a part of its own memory that has a name");
    let message = "region r 0xe33f000..0xe340000 overlaps region r 0xe33f000..0xe340000";
    assert_eq!(refused(&[part, part]).unwrap_err(), message);
}

//! Partition manifests: what is read.

use std::format;

use arm_ffa::Version;
use uuid::uuid;

use super::*;
use crate::config::{BootInfo, Contexts, Methods, Service};
use crate::memory::page::Attributes;

#[test]
fn the_manifests_of_qemu_virt_are_read_as_written() {
    let echo = partition_of(ECHO, 4).unwrap();
    let methods =
        Methods::RECEIVE_DIRECT | Methods::SEND_DIRECT | Methods::RECEIVE_DIRECT2 | Methods::SEND_DIRECT2;
    assert_eq!(echo.version, Version(1, 2));
    assert_eq!(echo.services, [Service { uuid: uuid!("5d7f1c2e-8a3b-4e60-9b1d-3c2f6a7e9d41"), methods }]);
    assert_eq!((echo.contexts, echo.entry, echo.boot_order), (Contexts::Pinned(4), 0xe30_4000, 0));
    assert_eq!(echo.boot_info, Some(BootInfo { register: 0, manifest: true, hob_list: false }));
    assert_eq!(echo.manifest, (0xe30_1000, 0x800));
    assert_eq!(echo.methods(), methods);
    let relay = partition_of(RELAY, 1).unwrap();
    assert_eq!(relay.services, [Service { uuid: uuid!("b3a0e4f6-27c9-4d85-8e12-90c4d1f7a6b8"), methods }]);
    assert_eq!((relay.contexts, relay.boot_order), (Contexts::Migratable, 1));
    assert!(echo.wfi_yields && relay.wfi_yields);
}

#[test]
fn binding_1_1_regions_and_buffers_are_read_as_written() {
    let config = partition_of(REGIONS, 1).unwrap();
    assert_eq!(config.version, Version(1, 3));
    assert_eq!(
        config.services[0].methods,
        Methods::RECEIVE_DIRECT | Methods::INDIRECT | Methods::RECEIVE_DIRECT2
    );
    assert_eq!(config.services[1].uuid, uuid!("5d7f1c2e-8a3b-4e60-9b1d-3c2f6a7e9d41"));
    assert_eq!(config.entry, 0xe30_4004);
    let rw = Attributes::READ | Attributes::WRITE;
    let (rx, tx) = (range(0xe80_0000, 0xe80_1000), range(0xe34_0000, 0xe34_1000));
    let shared = PageRange::new(Space::Normal, 0x5000_0000, 16).unwrap();
    let found: Vec<_> = config.grants().take(4).map(|r| (r.name.as_str(), r.range, r.attributes)).collect();
    let code = ("code", range(0xe90_0000, 0xe90_2000), rw | Attributes::EXECUTE);
    assert_eq!(found, [("rx-buffer", rx, rw), ("tx-buffer", tx, rw), ("shared", shared, rw), code]);
    assert_eq!(config.buffers, Some((rx, tx)));
    assert!(config.notifications && config.rx_free);
    assert_eq!(config.devices[0].region.attributes, Attributes::READ | Attributes::DEVICE);
    assert_eq!(config.devices[1].region.range.space(), Space::Normal);
    assert_eq!(config.boot_info, Some(BootInfo { register: 2, manifest: false, hob_list: true }));
}

#[test]
fn one_method_serves_all_uuids_and_several_one_each() {
    let uuids = "uuid = <1 2 3 4>, <5 6 7 8>";
    let two = changed(ECHO, "uuid = <0x2e1c7f5d 0x604e3b8a 0x2f3c1d9b 0x419d7e6a>", uuids);
    let methods = |source: &str| -> Vec<u16> {
        partition_of(source, 4).unwrap().services.iter().map(|service| service.methods.bits()).collect()
    };
    assert_eq!(methods(&two), [0x603, 0x603]);
    assert_eq!(methods(&changed(&two, "<0x603>", "<1>, <2>")), [1, 2]);
    assert_eq!(
        refused(&two, "<0x603>", "<1 2 3>"),
        "/: `messaging-method` is 3 values; it must be one for all UUIDs, or one for each of the 2"
    );
}

#[test]
fn versions_1_0_to_1_3_are_accepted_and_no_other() {
    for (version, accepted) in
        [("0x10000", true), ("0x10003", true), ("0x10004", false), ("0xffff", false), ("0x20000", false)]
    {
        let source = changed(ECHO, "0x603", "3");
        let source = changed(&source, "ffa-version = <0x00010002>", &format!("ffa-version = <{version}>"));
        assert_eq!(partition_of(&source, 4).is_ok(), accepted, "{version}");
    }
    assert_eq!(
        refused(ECHO, "0x00010002", "0x80010002"),
        "/: `ffa-version` is 0x80010002; it must be 0x10000 to 0x10003"
    );
}

#[test]
fn contexts_are_vcpu_count_cut_to_the_pes() {
    for (vcpus, contexts) in [
        (1, Contexts::Migratable),
        (2, Contexts::Pinned(2)),
        (4, Contexts::Pinned(4)),
        (8, Contexts::Pinned(4)),
    ] {
        assert_eq!(partition_of(ECHO, vcpus).unwrap().contexts, contexts);
    }
}

#[test]
fn without_boot_order_a_partition_boots_last() {
    let config = partition_of(&changed(ECHO, "boot-order = <0>;", ""), 4).unwrap();
    assert_eq!(config.boot_order, partition::LAST_IN_BOOT_ORDER);
}

#[test]
fn unknown_properties_and_nodes_are_accepted() {
    assert!(partition_of(&changed(ECHO, "boot-order", "vendor,secret = <1>; boot-order"), 4).is_ok());
    assert!(partition_of(&changed(ECHO, "boot-info {", "vendor { deep { er; }; }; boot-info {"), 4).is_ok());
}

#[test]
fn a_list_of_regions_has_one_to_32() {
    let list = |regions: &str| {
        let node =
            format!("memory-regions {{ compatible = \"arm,ffa-manifest-memory-regions\"; {regions} }};");
        partition_of(&changed(ECHO, "boot-info {", &format!("{node} boot-info {{")), 4)
    };
    let some = |count: u32| -> String {
        let region = |n| {
            format!("r{n} {{ base-address = <{:#x}>; pages-count = <1>; attributes = <1>; }};", n * 0x1000)
        };
        (1..=count).map(region).collect()
    };
    assert_eq!(list(&some(32)).unwrap().regions.len(), 32);
    assert_eq!(list(&some(33)).unwrap_err().to_string(), "/memory-regions: 33 regions; the limit is 32");
    let message = "/memory-regions: a node is missing there: at least one region";
    assert_eq!(list("").unwrap_err().to_string(), message);
    assert_eq!(
        refused(REGIONS, "arm,ffa-manifest-device-regions", "other"),
        "/device-regions: `compatible` is \"other\"; it must be \"arm,ffa-manifest-device-regions\""
    );
}

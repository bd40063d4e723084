//! Partition manifests: what is read, and one test for each rule that they may break.

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
    assert_eq!((echo.contexts, echo.entry, echo.boot_order), (Contexts::Pinned(4), 0xe20_4000, 0));
    assert_eq!(echo.boot_info, Some(BootInfo { register: 0, manifest: true, hob_list: false }));
    assert_eq!(echo.manifest, (0xe20_1000, 0x800));
    assert_eq!(echo.methods(), methods);
    let relay = partition_of(RELAY, 1).unwrap();
    assert_eq!(relay.services, [Service { uuid: uuid!("b3a0e4f6-27c9-4d85-8e12-90c4d1f7a6b8"), methods }]);
    assert_eq!((relay.contexts, relay.boot_order), (Contexts::Migratable, 1));
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
    assert_eq!(config.entry, 0xe20_4004);
    let rw = Attributes::READ | Attributes::WRITE;
    let (rx, tx) = (range(0xe80_0000, 0xe80_1000), range(0xe24_0000, 0xe24_1000));
    let shared = PageRange::new(Space::Normal, 0x5000_0000, 16).unwrap();
    let found: Vec<_> = config.grants().take(4).map(|r| (r.name.as_str(), r.range, r.attributes)).collect();
    let code = ("code", range(0xe90_0000, 0xe90_2000), rw | Attributes::EXECUTE);
    assert_eq!(found, [("rx-buffer", rx, rw), ("tx-buffer", tx, rw), ("shared", shared, rw), code]);
    assert_eq!(config.buffers, Some((rx, tx)));
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
fn mandatory_properties_must_be_there() {
    for property in [
        "compatible",
        "ffa-version",
        "uuid",
        "messaging-method",
        "execution-ctx-count",
        "exception-level",
        "execution-state",
    ] {
        let message = refused(ECHO, &format!("\t{property} = "), &format!("\tno-{property} = "));
        assert!(message.starts_with(&format!("/: `{property}` is missing; it must be ")), "{message}");
    }
}

#[test]
fn values_must_be_within_their_limits() {
    let all = [
        (
            "\"arm,ffa-manifest-1.0\"",
            "\"arm,ffa-manifest-1.2\"",
            "/: `compatible` is \"arm,ffa-manifest-1.2\"; it must be \"arm,ffa-manifest-1.0\" or \"arm,ffa-manifest-1.1\"",
        ),
        ("0x419d7e6a>", "0x419d7e6a 1>", "/: `uuid` is 5 cells; it must be four cells for each UUID"),
        (
            "0x2e1c7f5d 0x604e3b8a 0x2f3c1d9b 0x419d7e6a",
            "0 0 0 0",
            "/: `uuid` is 00000000-0000-0000-0000-000000000000; it must be not nil, which means every partition",
        ),
        (
            "0x2e1c7f5d 0x604e3b8a 0x2f3c1d9b 0x419d7e6a",
            "1 0 0 0 1 0 0 0",
            "/: `uuid` is 01000000-0000-0000-0000-000000000000, as in another service of this partition; it must be unique",
        ),
        (
            "<0x603>",
            "<0x10603>",
            "/: `messaging-method` is 0x10603; it must be of bits 0, 1, 2, 9 and 10 only",
        ),
        ("<0x603>", "<8>", "/: `messaging-method` is 0x8; it must be of bits 0, 1, 2, 9 and 10 only"),
        ("<0x603>", "<0>", "/: `messaging-method` is 0x0; it must be at least one of bits 0, 1, 2, 9 and 10"),
        (
            "<0x00010002>",
            "<0x00010001>",
            "/: `messaging-method` is 0x603; it must be without bits 9 and 10, as `ffa-version` is below 1.2",
        ),
        (
            "execution-ctx-count = <4>",
            "execution-ctx-count = <0>",
            "/: `execution-ctx-count` is 0x0; it must be 0x1 to 0xffff",
        ),
        (
            "execution-ctx-count = <4>",
            "execution-ctx-count = <0x10000>",
            "/: `execution-ctx-count` is 0x10000; it must be 0x1 to 0xffff",
        ),
        (
            "exception-level = <2>",
            "exception-level = <1>",
            "/: `execution-ctx-count` is 4; it must be 1, as `exception-level` is 1 (S-EL0)",
        ),
        (
            "exception-level = <2>",
            "exception-level = <6>",
            "/: `exception-level` is 0x6; it must be 0x1 to 0x2",
        ),
        (
            "execution-state = <0>",
            "execution-state = <1>",
            "/: `execution-state` is 1: AArch32 is not there; it must be 0 (AArch64)",
        ),
        (
            "xlat-granule = <0>",
            "xlat-granule = <2>",
            "/: `xlat-granule` is 2: only 4 KB pages are there; it must be 0",
        ),
        ("xlat-granule = <0>", "xlat-granule = <3>", "/: `xlat-granule` is 0x3; it must be 0x0 to 0x2"),
        ("boot-order = <0>", "boot-order = <0xffff>", "/: `boot-order` is 0xffff; it must be 0x0 to 0xfffe"),
        (
            "gp-register-num = <0>",
            "gp-register-num = <4>",
            "/: `gp-register-num` is 0x4; it must be 0x0 to 0x3",
        ),
        (
            "gp-register-num = <0>",
            "gp-register-num = \"x1y\"",
            "/: `gp-register-num` is 0x78317900; it must be 0x0 to 0x3",
        ),
        (
            "manifest-boot-info",
            "manifest-boot",
            "/boot-info: `compatible` is \"arm,ffa-manifest-boot\"; it must be \"arm,ffa-manifest-boot-info\"",
        ),
    ];
    for (old, new, message) in all {
        assert_eq!(refused(ECHO, old, new), message);
    }
}

#[test]
fn the_entry_lies_in_the_image_of_the_package() {
    let limit = "it must be a multiple of 4 within the image of the package, 0x4000 to 0x5fff";
    for offset in ["0x3ffc", "0x4002", "0x6000", "0xffffffff 0xfffffffc"] {
        let message =
            refused(ECHO, "entrypoint-offset = <0x4000>", &format!("entrypoint-offset = <{offset}>"));
        assert!(message.starts_with("/: `entrypoint-offset` is 0x") && message.ends_with(limit), "{message}");
    }
    let message = refused(ECHO, "entrypoint-offset = <0x4000>;", "");
    assert_eq!(message, format!("/: `entrypoint-offset` is 0x0; {limit}"), "the default is 0");
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
fn services_must_be_sound() {
    let all = [
        ("\tservices {", "\tserver {", "/: a node is missing there: services"),
        (
            "arm,ffa-manifest-services",
            "other",
            "/services: `compatible` is \"other\"; it must be \"arm,ffa-manifest-services\"",
        ),
        (
            "\"486178e0-e7f8-11e3-bc5e-0002a5d5c51b\"",
            "\"486178e0e7f811e3bc5e0002a5d5c51b\"",
            "/services/first: `uuid` is \"486178e0e7f811e3bc5e0002a5d5c51b\"; \
             it must be like \"01234567-89ab-cdef-0123-456789abcdef\"",
        ),
        (
            "\"486178e0-e7f8-11e3-bc5e-0002a5d5c51b\"",
            "\"5d7f1c2e-8a3b-4e60-9b1d-3c2f6a7e9d41\"",
            "/services/second: `uuid` is 5d7f1c2e-8a3b-4e60-9b1d-3c2f6a7e9d41, as in another service of this \
             partition; it must be unique",
        ),
        (
            "messaging-method = <2>;",
            "",
            "/services/second: `messaging-method` is missing; it must be a number of one or two cells",
        ),
    ];
    for (old, new, message) in all {
        assert_eq!(refused(REGIONS, old, new), message);
    }
    let (before, rest) = REGIONS.split_once("\t\tfirst").unwrap();
    let (_, behind) = rest.split_once("\tboot-info").unwrap();
    let empty = format!("{before}}}; boot-info{behind}");
    let message = partition_of(&empty, 4).unwrap_err().to_string();
    assert_eq!(message, "/services: a node is missing there: at least one service");
    let many: String = (1..=17).map(|n| format!("{n} 0 0 0 ")).collect();
    let message = refused(ECHO, "0x2e1c7f5d 0x604e3b8a 0x2f3c1d9b 0x419d7e6a", &many);
    assert_eq!(message, "/: 17 UUIDs; the limit is 16");
}

#[test]
fn memory_regions_must_be_sound() {
    let base = "base-address = <0x50000000>";
    let at = "/memory-regions/shared: ";
    let all = [
        (
            base,
            "base-address = <0x50000800>",
            "`base-address` is 0x50000800 (0x10 pages); it must be a range below 48 bits, aligned to 4 KB, and this \
             is not aligned to 4 KB",
        ),
        (
            base,
            "base-address = <0xffffffff 0xfffff000>",
            "`base-address` is 0xfffffffffffff000 (0x10 pages); it must be a range below 48 bits, aligned to 4 KB, \
             and this ends beyond 48 bits",
        ),
        (
            base,
            "load-address-relative-offset = <0xffffffff 0xfffff000>",
            "`load-address-relative-offset` is 0xfffffffffffff000; it must be at most 0xfffffffff1dfffff",
        ),
        (
            base,
            "base-address = <0x1000>; load-address-relative-offset = <0x1000>",
            "`base-address` and `load-address-relative-offset` exclude each other; one of them must go",
        ),
        (
            "base-address = <0x50000000>;",
            "",
            "`base-address` is missing; it must be given, or `load-address-relative-offset`: no address is chosen for \
             it",
        ),
        ("pages-count = <0x10>", "pages-count = <0>", "`pages-count` is 0x0; it must be 0x1 to 0x1000000000"),
        (
            "attributes = <0xb>",
            "attributes = <2>",
            "`attributes` is 0x2; it must be R (1), RW (3), RX (5) or RWX (7), and 8 for the Normal world's memory",
        ),
        (
            "attributes = <0xb>",
            "attributes = <0x13>",
            "`attributes` is 0x13; it must be R (1), RW (3), RX (5) or RWX (7), and 8 for the Normal world's memory",
        ),
        ("attributes = <0xb>;", "", "`attributes` is missing; it must be a number of one or two cells"),
    ];
    for (old, new, message) in all {
        assert_eq!(refused(REGIONS, old, new), format!("{at}{message}"));
    }
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

#[test]
fn device_regions_and_their_interrupts_must_be_sound() {
    let at = "/device-regions/uart: ";
    let rights = "it must be R (1) or RW (3), and 8 for a device of the Normal world";
    let all = [
        (
            "attributes = <1>; interrupts",
            "attributes = <5>; interrupts",
            format!("`attributes` is 0x5; {rights}"),
        ),
        (
            "base-address = <0x9040000>;",
            "",
            "`base-address` is missing; it must be a number of one or two cells".into(),
        ),
        (
            "<41 0xb01>",
            "<41>",
            "`interrupts` is 3 cells; it must be pairs of an id and its attributes".into(),
        ),
        (
            "<41 0xb01>",
            "<1020 0xb01>",
            "`interrupts` is id 1020; it must be 16 to 1019, 1056 to 1119, or 4096 to 5119".into(),
        ),
        ("<41 0xb01>", "<41 0x1b01>", "`interrupts` is 0x1b01 for id 41; it must be within 0xfff".into()),
        ("<41 0xb01>", "<40 0xb01>", "`interrupts` is id 40, as in the same list; it must be unique".into()),
    ];
    for (old, new, message) in all {
        assert_eq!(refused(REGIONS, old, new), format!("{at}{message}"));
    }
    let many: String = (0..64).map(|n| format!("{} 1 ", 100 + n)).collect();
    let message = refused(REGIONS, "<41 0xb01>", &format!("<{many}>"));
    assert_eq!(message, format!("{at}65 interrupts of the partition so far; the limit is 64"));
    let message = refused(REGIONS, "exclusive-access;", "interrupts = <41 1>;");
    assert!(
        message.starts_with("/device-regions/other: `interrupts` is id 41, as in device uart"),
        "{message}"
    );
}

#[test]
fn rx_and_tx_buffers_are_two_regions_of_one_size() {
    let all = [
        ("<&rx>", "<0x77>", "`rx-buffer` is 0x77; it must be the phandle of one of /memory-regions"),
        ("<&tx>", "<&rx>", "`tx-buffer` is 0xe800000..0xe801000; it must be another region than `rx-buffer`"),
        (
            "offset = <0x40000>; pages-count = <1>",
            "offset = <0x40000>; pages-count = <2>",
            "`tx-buffer` is 2 pages; it must be as large as `rx-buffer`: 1 pages",
        ),
        (
            "<0x0 0xe800000>; pages-count = <1>; attributes = <3>",
            "<0x0 0xe800000>; pages-count = <1>; attributes = <0x9>",
            "`rx-buffer` is rx-buffer; it must be a region that is secure and readable",
        ),
        (
            "<0x0 0xe800000>; pages-count = <1>; attributes = <3>",
            "<0x0 0xe800000>; pages-count = <1>; attributes = <0xb>",
            "`rx-buffer` is rx-buffer; it must be a region that is secure and readable",
        ),
        (
            "<0x40000>; pages-count = <1>; attributes = <3>",
            "<0x40000>; pages-count = <1>; attributes = <1>",
            "`tx-buffer` is tx-buffer; it must be a region that is secure and readable and writable",
        ),
        ("tx-buffer = <&tx>;", "", "`tx-buffer` is missing; it must be a number of one or two cells"),
    ];
    for (old, new, message) in all {
        assert_eq!(refused(REGIONS, old, new), format!("/rx_tx-info: {message}"));
    }
}

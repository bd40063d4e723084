//! Rules between properties of one partition manifest: one test for each that it may break.

use std::format;

use super::said::logged;
use super::*;
use crate::config::{Contexts, ExceptionLevel, NormalInterrupts};

/// The message with which a manifest of the FVP is refused when one place is changed.
fn fvp_refused(source: &str, old: &str, new: &str) -> String {
    let source = changed(source, old, new);
    let vcpus = if source.contains("execution-ctx-count = <1>") { 1 } else { 4 };
    partition_of(&source, vcpus).expect_err(new).to_string()
}

/// The lines said while a changed manifest is read, which is accepted.
fn said(source: &str, old: &str, new: &str, vcpus: u16) -> Vec<String> {
    let (config, lines) = logged(|| partition_of(&changed(source, old, new), vcpus));
    config.expect(new);
    lines
}

#[test]
fn the_entry_lies_in_the_image_of_the_package() {
    let limit = "it must be a multiple of 4 within the image of the package, 0x4000 to 0x5fff";
    let message = refused(ECHO, "entrypoint-offset = <0x4000>;", "");
    assert_eq!(message, format!("/: `entrypoint-offset` is 0x0; {limit}"), "the default is 0");
    assert!(partition_of(&changed(ECHO, "<0x4000>", "<0x5ffc>"), 4).is_ok());
}

#[test]
fn services_must_be_sound() {
    let all = [
        ("\tservices {", "\tserver {", "/: a node is missing there: services"),
        (
            "\"486178e0-e7f8-11e3-bc5e-0002a5d5c51b\"",
            "\"5d7f1c2e-8a3b-4e60-9b1d-3c2f6a7e9d41\"",
            "/services/second: `uuid` is 5d7f1c2e-8a3b-4e60-9b1d-3c2f6a7e9d41, as in another service of this \
             partition; it must be unique",
        ),
        (
            "\"486178e0-e7f8-11e3-bc5e-0002a5d5c51b\"",
            "\"00000000-0000-0000-0000-000000000000\"",
            "/services/first: `uuid` is 00000000-0000-0000-0000-000000000000; it must be not nil, which means every \
             partition",
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
fn second_direct_messages_need_version_1_2() {
    let limit = "it must be without bits 9 and 10, as `ffa-version` is below 1.2";
    let message = refused(ECHO, "<0x00010002>", "<0x00010001>");
    assert_eq!(message, format!("/: `messaging-method` is 0x603; {limit}"));
    let message = fvp_refused(FVP_SERVICES, "ffa-version = <0x00010003>", "ffa-version = <0x00010001>");
    assert_eq!(message, format!("/services/service1: `messaging-method` is 0x607; {limit}"));
}

#[test]
fn messages_about_vms_need_a_receiver_of_direct_requests() {
    let message = fvp_refused(FVP_LIVE, "messaging-method = <0x7>", "messaging-method = <0x6>");
    let limit = "it must be 0, as `messaging-method` has no bit 0 (receives direct requests)";
    assert_eq!(message, format!("/: `vm-availability-messages` is 0x3; {limit}"));
}

#[test]
fn who_is_told_of_free_buffers_receives_notifications() {
    let message = refused(REGIONS, "notification-support;", "");
    let limit = "it must be absent, or come with `notification-support`";
    assert_eq!(message, format!("/: `rx-free-notification` is set; {limit}"));
}

#[test]
fn memory_regions_must_be_sound() {
    let message = refused(
        REGIONS,
        "base-address = <0x50000000>",
        "base-address = <0x1000>; load-address-relative-offset = <0x1000>",
    );
    let expected =
        "`base-address` and `load-address-relative-offset` exclude each other; one of them must go";
    assert_eq!(message, format!("/memory-regions/shared: {expected}"));
}

#[test]
fn device_regions_and_their_interrupts_must_be_sound() {
    let at = "/device-regions/other: `interrupts` is ";
    let message = refused(REGIONS, "exclusive-access;", "interrupts = <41 1>;");
    assert_eq!(message, format!("{at}id 41, as in device uart; it must be unique"));
}

#[test]
fn a_partition_has_up_to_61_interrupts() {
    let many = |count: u32| (0..count).map(|n| format!("{} 1 ", 100 + n)).collect::<String>();
    // Beside id 40 of the same device, and beside ids 40 and 41 of the other one.
    let one = |count| changed(REGIONS, "<41 0xb01>", &format!("<{}>", many(count)));
    let two = |count| changed(REGIONS, "exclusive-access;", &format!("interrupts = <{}>;", many(count)));
    assert_eq!(partition_of(&one(60), 1).unwrap().devices[0].interrupts.len(), 61);
    assert_eq!(partition_of(&two(59), 1).unwrap().devices[1].interrupts.len(), 59);
    for (source, device) in [(one(61), "uart"), (two(60), "other")] {
        let message = partition_of(&source, 1).unwrap_err().to_string();
        let expected = "62 interrupts of the partition so far; the limit is 61";
        assert_eq!(message, format!("/device-regions/{device}: {expected}"));
    }
}

#[test]
fn the_number_of_an_interrupt_gives_its_type() {
    let line =
        "WARN: echo: /device-regions/watchdog: `interrupts` gives id 56 the type 1; its number makes it 2";
    assert!(said(FVP_PRIMARY, "<56 0x900>", "<56 0x500>", 4).contains(&line.into()));
    assert!(said(FVP_PRIMARY, "<56 0x900>", "<30 0x500>", 4).iter().all(|line| !line.contains("the type")));
}

#[test]
fn a_stream_belongs_to_one_device_and_has_an_smmu() {
    let at = "/device-regions/watchdog: ";
    let stream = |text: &str| fvp_refused(FVP_PRIMARY, "interrupts = <56 0x900>;", text);
    assert_eq!(
        stream("smmu-id = <0>; stream-ids = <1>;"),
        format!("{at}`stream-ids` is stream 0x1 of SMMU 0, as in device dma-engine; it must be unique")
    );
    assert_eq!(
        stream("stream-ids = <1>;"),
        format!("{at}`smmu-id` is missing; it must be the number of the SMMU behind `stream-ids`")
    );
    let many: String = (0..33).map(|n| format!("{n} ")).collect();
    assert_eq!(
        stream(&format!("smmu-id = <1>; stream-ids = <{many}>;")),
        format!("{at}33 stream ids; the limit is 32")
    );
    // The same numbers behind another SMMU are other streams.
    let other = "smmu-id = <1>; stream-ids = <0 1>;";
    assert!(partition_of(&changed(FVP_PRIMARY, "interrupts = <56 0x900>;", other), 4).is_ok());
    let message = fvp_refused(FVP_PRIMARY, "smmu-id = <0>", "smmu-id = <1>");
    let expected = "`stream-ids` is stream 0x0 of SMMU 1; it must be a stream of one of the /device-regions";
    assert_eq!(message, format!("/memory-regions/dma-secure: {expected}"));
}

#[test]
fn streams_may_do_what_the_partition_may_unless_it_says_so() {
    let source = changed(FVP_PRIMARY, "stream-ids-access-permissions = <0x3 0x3>;", "");
    let own = partition_of(&source, 4).unwrap().regions[4].clone();
    assert_eq!(own.streams.unwrap().1, own.region.attributes);
    let source = changed(FVP_PRIMARY, "permissions = <0x3 0x3>;", "permissions = <0x1 0x1>;");
    let less = partition_of(&source, 4).unwrap().regions[4].clone();
    assert_eq!(less.streams.unwrap().1, crate::memory::page::Attributes::READ);
}

#[test]
fn rx_and_tx_buffers_are_two_regions_of_one_size() {
    let all = [
        ("<&tx>", "<&rx>", "`tx-buffer` is 0xe800000..0xe801000; it must be another region than `rx-buffer`"),
        (
            "offset = <0x40000>; pages-count = <1>",
            "offset = <0x40000>; pages-count = <2>",
            "`tx-buffer` is 2 pages; it must be as large as `rx-buffer`: 1 pages",
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
    ];
    for (old, new, message) in all {
        assert_eq!(refused(REGIONS, old, new), format!("/rx_tx-info: {message}"));
    }
    let read_only = changed(
        REGIONS,
        "<0x0 0xe800000>; pages-count = <1>; attributes = <3>",
        "<0x0 0xe800000>; pages-count = <1>; attributes = <1>",
    );
    assert!(partition_of(&read_only, 1).is_ok(), "the SPMC alone writes into an RX buffer");
}

#[test]
fn a_phandle_is_a_number() {
    let by = |property: &str, value: &str| {
        let source = changed(REGIONS, "rx-buffer = <&rx>;", "rx-buffer = <0x99>;");
        let region = format!("rx-buffer {{ {property} = {value};");
        partition_of(&changed(&source, "rx: rx-buffer {", &region), 1).map(|config| config.buffers.is_some())
    };
    assert_eq!(by("phandle", "<0x99>"), Ok(true));
    assert_eq!(by("linux,phandle", "<0x99>"), Ok(true));
    for property in ["phandle", "linux,phandle"] {
        assert_eq!(
            by(property, "[01 02 03]").unwrap_err().to_string(),
            format!(
                "/memory-regions/rx-buffer: `{property}` has 3 bytes (0x010203); it must be a number of one or two cells"
            )
        );
    }
}

#[test]
fn managed_exit_in_its_older_form_wins() {
    let source = changed(FVP_TERTIARY, "managed-exit;", "managed-exit; ns-interrupts-action = <0>;");
    let (config, lines) = logged(|| partition_of(&source, 1).unwrap());
    assert_eq!(config.normal_interrupts, NormalInterrupts::ManagedExit { virq: true });
    assert!(lines.contains(&"WARN: echo: `ns-interrupts-action` 0 is ignored: `managed-exit` wins".into()));
    let lines = said(FVP_TERTIARY, "managed-exit;", "ns-interrupts-action = <2>;", 1);
    assert!(lines.contains(&"WARN: echo: `managed-exit-virq` has no effect without managed exit".into()));
}

#[test]
fn secure_interrupts_of_others_wait_only_where_normal_ones_do() {
    let limit = "it must be 1 (signalled), as `ns-interrupts-action` is not 0 (queued)";
    for action in ["ns-interrupts-action = <1>;", "ns-interrupts-action = <2>;", ""] {
        let message = fvp_refused(FVP_SECONDARY, "ns-interrupts-action = <0>;", action);
        assert_eq!(message, format!("/: `other-s-interrupts-action` is 0; {limit}"));
    }
    let source = changed(FVP_SECONDARY, "other-s-interrupts-action = <0>", "other-s-interrupts-action = <1>");
    assert!(partition_of(&source, 4).is_ok());
}

#[test]
fn what_s_el0_cannot_have_is_refused() {
    let el0 = |text: &str| fvp_refused(FVP_EL0, "boot-order", &format!("{text} boot-order"));
    let level = "as `exception-level` is 1 (S-EL0)";
    assert_eq!(
        el0("managed-exit;"),
        format!("/: `managed-exit` is set; it must be without managed exit, {level}")
    );
    assert_eq!(
        el0("ns-interrupts-action = <1>;"),
        format!("/: `ns-interrupts-action` is 1; it must be without managed exit, {level}")
    );
    assert_eq!(
        el0("sri-interrupts-policy = <1>;"),
        format!("/: `sri-interrupts-policy` is 0x1; it must be 0, {level}")
    );
    let message = fvp_refused(FVP_EL0, "execution-ctx-count = <1>", "execution-ctx-count = <2>");
    assert_eq!(message, format!("/: `execution-ctx-count` is 2; it must be 1, {level}"));
    let region = "gp-register-num = <0x0>; memory-regions { compatible = \"arm,ffa-manifest-memory-regions\"; all { \
                  base-address = <0 0x7700000>; pages-count = <1>; attributes = <7>; }; };";
    let limit = format!("R (1), RW (3) or RX (5), {level}, and 8 for the Normal world's memory");
    assert_eq!(
        fvp_refused(FVP_EL0, "gp-register-num = <0x0>;", region),
        format!("/memory-regions/all: `attributes` is 0x7; it must be {limit}")
    );
}

#[test]
fn at_s_el0_there_is_one_context_whatever_the_spmc_manifest_says() {
    for vcpus in [1, 8] {
        let parsed = partition_of(FVP_EL0, vcpus).unwrap();
        assert_eq!((parsed.exception_level, parsed.contexts), (ExceptionLevel::El0, Contexts::Migratable));
    }
}

#[test]
fn the_life_of_a_partition_needs_one_context() {
    let message = partition_of(&changed(FVP_LIVE, "ctx-count = <1>", "ctx-count = <4>"), 4).unwrap_err();
    let limit = "it must be absent, or the partition have one context";
    assert_eq!(
        message.to_string(),
        format!("/: `lifecycle-support` is set, with 4 execution contexts; {limit}")
    );
}

#[test]
fn an_abort_action_and_live_activation_need_the_life_of_a_partition() {
    let limit = "it must be absent, or come with `lifecycle-support`";
    let message = fvp_refused(FVP_LIVE, "lifecycle-support;", "");
    assert_eq!(message, format!("/: `abort-action` is 1; {limit}"));
    let message = fvp_refused(FVP_LIVE, "lifecycle-support;\n\tabort-action = <1>;", "");
    assert_eq!(message, format!("/: `live-activation-support` is set; {limit}"));
}

#[test]
fn live_activation_needs_a_buffer_that_can_be_written() {
    let message = fvp_refused(FVP_LIVE, "\tlive-state-buffer-info {", "\tother {");
    assert_eq!(message, "/: a node is missing there: live-state-buffer-info");
    let message = fvp_refused(FVP_LIVE, "attributes = <0x3>", "attributes = <0x1>");
    let limit = "it must be a region that is secure and readable and writable";
    assert_eq!(
        message,
        format!("/live-state-buffer-info: `live-state-buffer` is live-state-buffer; {limit}")
    );
}

#[test]
fn an_image_is_no_service() {
    let source = changed(FVP_LIVE, "uuid = <", "uuid = <1 2 3 4>, <");
    let message = fvp_refused(&source, "image-uuid = <", "image-uuid = <1 2 3 4>; x = <");
    let expected = "it must be no UUID that the partition offers as a service";
    assert_eq!(message, format!("/: `image-uuid` is 01000000-0200-0000-0300-000004000000; {expected}"));
}

#[test]
fn a_partition_of_one_context_hears_of_no_power() {
    let line = "INFO: echo: `power-management-messages` is 0x1: a partition of one context gets none";
    assert!(said(FVP_TERTIARY, "boot-order", "boot-order", 1).contains(&line.into()));
}

#[test]
fn what_is_ignored_is_said() {
    let all = [
        (FVP_PRIMARY, "WARN: echo: `auxiliary-id` 0xae is ignored: a partition has one id"),
        (FVP_PRIMARY, "INFO: echo: `id` 0x1 is ignored: its place in the SPMC manifest makes it 0x8001"),
        (FVP_PRIMARY, "WARN: echo: `load-address` 0x7000000 is ignored: it is loaded at 0xe300000"),
        (FVP_PRIMARY, "WARN: echo: `execution-ctx-count` is 8; `vcpu_count` of the SPMC manifest, 4, wins"),
        (REGIONS, "WARN: echo: `has-primary-scheduler` is ignored: the Normal world schedules"),
    ];
    for (source, line) in all {
        assert!(said(source, "boot-order", "boot-order", 4).contains(&line.into()), "{line}");
    }
    let lines = said(ECHO, "boot-order", "vendor,secret = <1>; boot-order", 4);
    assert_eq!(lines, ["WARN: echo: /: unknown, without effect: vendor,secret"]);
    let lines = said(ECHO, "gp-register-num = <0>;", "", 4);
    assert_eq!(
        lines,
        ["WARN: echo: /boot-info: without `gp-register-num` there is no register to hand it over in"]
    );
}

#[test]
fn fewer_or_more_contexts_than_pes_are_said() {
    let (config, lines) = logged(|| partition_of(ECHO, 8).unwrap());
    assert_eq!(config.contexts, Contexts::Pinned(4));
    assert!(lines.contains(&"WARN: echo: 8 execution contexts are cut to the 4 PEs".into()));
    let (_, lines) = logged(|| partition_of(ECHO, 2).unwrap());
    let line = "WARN: echo: 2 execution contexts on 4 PEs: it can be called on the first ones only";
    assert!(lines.contains(&line.into()));
}

#[test]
fn a_long_value_is_cut_in_its_message() {
    let message = refused(ECHO, "arm,ffa-manifest-1.0", &"x".repeat(1000));
    assert!(message.starts_with("/: `compatible` is \"xxx") && message.contains("x...; it must be"));
    assert!(message.len() < 200, "{message}");
}

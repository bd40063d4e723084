//! Who may send to a partition: the rules as read, each way to get them wrong, and whom they admit.

use std::format;

use uuid::{Uuid, uuid};

use super::super::load;
use super::ram::Ram;
use super::said::logged;
use super::*;
use crate::config::AllowedSender;
use crate::endpoint::EndpointId;

const ECHO_SERVICE: Uuid = uuid!("5d7f1c2e-8a3b-4e60-9b1d-3c2f6a7e9d41");

/// The manifest of echo, binding 1.0, with these rules.
fn with(rules: &str) -> String {
    let node = format!("{COMPATIBLE} {rules} }}; boot-info {{");
    changed(ECHO, "boot-info {", &node)
}

const COMPATIBLE: &str = "allowed-senders { compatible = \"hafnia,manifest-allowed-senders\";";

fn rules_of(source: &str) -> Result<Option<Vec<AllowedSender>>, String> {
    partition_of(source, 4).map(|config| config.allowed_senders).map_err(|error| error.to_string())
}

fn allowed(sender: u16, uuid: Option<Uuid>) -> AllowedSender {
    AllowedSender { sender: EndpointId::new(sender), uuid }
}

#[test]
fn rules_are_read_as_written() {
    let service = Some(ECHO_SERVICE);
    assert_eq!(rules_of(REGIONS), Ok(Some(Vec::from([allowed(0, None), allowed(0x8002, service)]))));
    let cells = "a { sender = <0x8002>; uuid = <0x2e1c7f5d 0x604e3b8a 0x2f3c1d9b 0x419d7e6a>; };";
    assert_eq!(rules_of(&with(cells)), Ok(Some(Vec::from([allowed(0x8002, service)]))));
    assert_eq!(rules_of(&with("")), Ok(Some(Vec::new())), "nobody");
    assert_eq!(rules_of(ECHO), Ok(None), "the default");
}

#[test]
fn a_sender_is_an_endpoint_other_than_the_partition() {
    for sender in [0, 1, 0x7FFF, 0x8002, 0x80FF, 0xFFC0, 0xFFFE] {
        let source = with(&format!("a {{ sender = <{sender:#x}>; }};"));
        assert_eq!(rules_of(&source), Ok(Some(Vec::from([allowed(sender, None)]))));
    }
    let limit = "it must be 0 to 0x7fff, 0x8001 to 0x80ff or 0xffc0 to 0xfffe, and not its own id 0x8001";
    for sender in [0x8000_u16, 0x8001, 0x8100, 0xFFBF, 0xFFFF] {
        let message = rules_of(&with(&format!("a {{ sender = <{sender:#x}>; }};"))).unwrap_err();
        assert_eq!(message, format!("/allowed-senders/a: `sender` is {sender:#06x}; {limit}"));
    }
}

#[test]
fn a_rule_stands_once() {
    let service = "uuid = \"5d7f1c2e-8a3b-4e60-9b1d-3c2f6a7e9d41\";";
    let two = |a: &str, b: &str| rules_of(&with(&format!("a {{ sender = <2>; {a} }}; b {{ {b} }};")));
    let same = format!("sender = <2>; {service}");
    let all = [
        (two("", "sender = <2>;"), "no UUID".to_string()),
        (two(service, &same), format!("UUID {ECHO_SERVICE}")),
    ];
    for (result, uuid) in all {
        let expected = format!("`sender` is 0x0002 with {uuid}, as in rule a; it must be unique");
        assert_eq!(result.unwrap_err(), format!("/allowed-senders/b: {expected}"));
    }
    assert!(two("", &same).is_ok() && two("", "sender = <3>;").is_ok());
}

#[test]
fn there_are_up_to_64_rules() {
    let many = |count| (0..count).map(|n| format!("r{n} {{ sender = <{n}>; }}; ")).collect::<String>();
    assert_eq!(rules_of(&with(&many(64))).unwrap().unwrap().len(), 64);
    assert_eq!(rules_of(&with(&many(65))).unwrap_err(), "/allowed-senders: 65 rules; the limit is 64");
}

#[test]
fn what_a_rule_does_not_know_is_said() {
    let source = with("policy = <1>; a { sender = <0>; receiver = <1>; };");
    let (_, lines) = logged(|| rules_of(&source).unwrap());
    let expected = [
        "WARN: echo: /allowed-senders/a: unknown, without effect: receiver",
        "WARN: echo: /allowed-senders: unknown, without effect: policy",
    ];
    assert_eq!(lines, expected);
}

#[test]
fn a_rule_for_a_partition_that_is_not_listed_is_said() {
    let source = with("a { sender = <0x8003>; }; b { sender = <0x8002>; }; c { sender = <0xffc0>; };");
    let mut ram = Ram::with(&[(0xe30_0000, &source), (0xe34_0000, RELAY)]);
    let (configs, lines) = logged(|| load(&spmc_of(SPMC).unwrap(), &own(), &mut ram).unwrap());
    assert_eq!(configs.len(), 2);
    let line = "WARN: echo: `allowed-senders` admits 0x8003, which is no partition of the SPMC manifest";
    assert_eq!(lines, [line]);
}

#[test]
fn a_partition_admits_whom_its_rules_name() {
    let other = uuid!("486178e0-e7f8-11e3-bc5e-0002a5d5c51b");
    let admits =
        |source: &str, sender, uuid| partition_of(source, 4).unwrap().admits(EndpointId::new(sender), uuid);
    for uuid in [Uuid::nil(), ECHO_SERVICE, other] {
        assert!(admits(ECHO, 0, uuid) && admits(ECHO, 0x8002, uuid), "everybody without rules");
        assert!(!admits(&with(""), 0, uuid) && !admits(&with(""), 0x8002, uuid), "nobody by an empty node");
        // REGIONS: the Normal world's OS for any service, 0x8002 for one.
        assert!(admits(REGIONS, 0, uuid));
        assert_eq!(admits(REGIONS, 0x8002, uuid), uuid == ECHO_SERVICE);
        assert!(!admits(REGIONS, 1, uuid) && !admits(REGIONS, 0x8003, uuid));
    }
}

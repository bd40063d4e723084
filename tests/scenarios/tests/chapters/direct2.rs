//! FFA_MSG_SEND_DIRECT_REQ2 and FFA_MSG_SEND_DIRECT_RESP2: messages of 14 registers to a service.

use scenarios::{ECHO, Place, RELAY, Sources, V1_0, V1_1, V1_2, V1_3, World, code, id, pair};

use super::direct::{IN_ECHO, IN_RELAY, with_methods};

/// `echo`'s UUID, as two registers.
const UUID: [u64; 2] = [0x604e_3b8a_2e1c_7f5d, 0x419d_7e6a_2f3c_1d9b];

#[test]
fn a_request2_carries_14_registers() {
    for version in [V1_2, V1_3] {
        let mut pe = World::of(&Sources::speaking(version)).booted_pe(0);
        let mut sent: Vec<u64> = (100..118).collect();
        sent[..4].copy_from_slice(&[id::REQUEST2, pair(7, RELAY), 0, 0]);
        assert_eq!(pe.normal(&sent), IN_RELAY);
        assert_eq!(pe.frame.x[..], sent);
        let mut onwards: Vec<u64> = (300..318).collect();
        onwards[..4].copy_from_slice(&[id::REQUEST2, pair(RELAY, ECHO), UUID[0], UUID[1]]);
        assert_eq!(pe.call(&onwards), IN_ECHO);
        assert_eq!(pe.frame.x[..], onwards);
        for (from, to, home) in [(ECHO, RELAY, IN_RELAY), (RELAY, 7, Place::Normal)] {
            let mut answer: Vec<u64> = (200..218).collect();
            answer[..4].copy_from_slice(&[id::RESPONSE2, pair(from, to), 0, 0]);
            assert_eq!(pe.call(&answer), home);
            assert_eq!(pe.frame.x[..], answer);
        }
    }
}

#[test]
fn a_request2_names_a_service_of_the_receiver() {
    let [low, high] = UUID;
    let mut pe = World::booted();
    for relay_sends in [false, true] {
        let sender = if relay_sends {
            pe.normal(&[id::REQUEST, pair(0, RELAY)]);
            RELAY
        } else {
            pe.refused(&[id::REQUEST2, pair(0, RELAY), low, high], code::INVALID);
            0
        };
        for [low, high] in [[low ^ 1, high], [low, high ^ 1 << 63], [0, 1], [high, low], [u64::MAX; 2]] {
            pe.refused(&[id::REQUEST2, pair(sender, ECHO), low, high], code::INVALID);
        }
        for [low, high] in [UUID, [0, 0]] {
            assert_eq!(pe.act(&[id::REQUEST2, pair(sender, ECHO), low, high]), IN_ECHO);
            pe.call(&[id::RESPONSE2, pair(ECHO, sender)]);
        }
    }
}

#[test]
fn each_service_has_its_own_methods() {
    let mut sources = Sources::new();
    let own = "0x2e1c7f5d 0x604e3b8a 0x2f3c1d9b 0x419d7e6a";
    Sources::set(&mut sources.echo, "uuid", &format!("<{own} 0 0 0 1>"));
    Sources::set(&mut sources.echo, "messaging-method", "<0x1 0x200>");
    let mut pe = World::of(&sources).booted_pe(0);
    pe.refused(&[id::REQUEST2, pair(0, ECHO), UUID[0], UUID[1]], code::DENIED);
    assert_eq!(pe.normal(&[id::REQUEST2, pair(0, ECHO), 0, 1 << 32]), IN_ECHO);
    pe.call(&[id::RESPONSE2, pair(ECHO, 0)]);
    assert_eq!(pe.normal(&[id::REQUEST2, pair(0, ECHO)]), IN_ECHO, "nil: one of them takes it");
    pe.call(&[id::RESPONSE2, pair(ECHO, 0)]);
    assert_eq!(pe.normal(&[id::REQUEST, pair(0, ECHO)]), IN_ECHO);
}

#[test]
fn the_manifests_say_who_sends_and_receives_request2() {
    for (echo, relay) in [("0x403", "0x603"), ("0x3", "0x603"), ("0x404", "0x603")] {
        let mut pe = with_methods(V1_2, echo, relay);
        pe.refused(&[id::REQUEST2, pair(0, ECHO)], code::DENIED);
        pe.normal(&[id::REQUEST, pair(0, RELAY)]);
        pe.refused(&[id::REQUEST2, pair(RELAY, ECHO)], code::DENIED);
    }
    let mut pe = with_methods(V1_2, "0x603", "0x203");
    pe.normal(&[id::REQUEST, pair(0, RELAY)]);
    pe.refused(&[id::REQUEST2, pair(RELAY, ECHO)], code::DENIED);
    assert_eq!(pe.call(&[id::REQUEST, pair(RELAY, ECHO)]), IN_ECHO);

    let mut pe = with_methods(V1_2, "0x200", "0x401");
    pe.refused(&[id::REQUEST, pair(0, ECHO)], code::DENIED);
    pe.normal(&[id::REQUEST, pair(0, RELAY)]);
    pe.refused(&[id::REQUEST, pair(RELAY, ECHO)], code::DENIED);
    assert_eq!(pe.call(&[id::REQUEST2, pair(RELAY, ECHO)]), IN_ECHO);
}

#[test]
fn a_receiver_below_1_2_gets_no_request2() {
    for manifest in [V1_0, V1_1] {
        let mut sources = Sources::new();
        Sources::set_version(&mut sources.echo, manifest);
        let mut pe = World::of(&sources).booted_pe(0);
        pe.refused(&[id::REQUEST2, pair(0, ECHO)], code::DENIED);
        pe.normal(&[id::REQUEST, pair(0, RELAY)]);
        pe.refused(&[id::REQUEST2, pair(RELAY, ECHO)], code::DENIED);
    }
    // The same for one that negotiates less than its manifest says.
    let mut pe = World::new().pe(0);
    pe.turn_on();
    pe.call(&[id::VERSION, V1_1]);
    pe.call(&[id::MSG_WAIT]);
    pe.call(&[id::MSG_WAIT]);
    pe.refused(&[id::REQUEST2, pair(0, ECHO)], code::DENIED);
    assert_eq!(pe.normal(&[id::REQUEST, pair(0, ECHO)]), IN_ECHO);
}

#[test]
fn a_sender_below_1_2_does_not_know_request2() {
    for version in [V1_0, V1_1] {
        for mut pe in World::callers(version) {
            pe.refused(&[id::REQUEST2, pair(0, RELAY)], code::NOT_SUPPORTED);
            pe.refused(&[id::RESPONSE2, pair(ECHO, 0)], code::NOT_SUPPORTED);
        }
    }
}

#[test]
fn a_request2_has_the_errors_of_a_request() {
    for mut pe in World::callers(V1_2) {
        let sender = if pe.place() == Place::Normal { 0 } else { ECHO };
        for nobody in [0x8003, 0x8000, 0xFFC0, 0xFFFF, 1, sender] {
            pe.refused(&[id::REQUEST2, pair(sender, nobody)], code::INVALID);
        }
        for forged in [RELAY, 0x8000, 0x8003, 0xFFBF] {
            pe.refused(&[id::REQUEST2, pair(forged, RELAY)], code::INVALID);
        }
    }
}

#[test]
fn a_response2_goes_to_who_asked_and_in_kind() {
    let mut pe = World::booted();
    for relay_sends in [false, true] {
        let sender = if relay_sends {
            pe.normal(&[id::REQUEST, pair(0, RELAY)]);
            RELAY
        } else {
            5
        };
        pe.act(&[id::REQUEST2, pair(sender, ECHO)]);
        for response in [id::RESPONSE, 0xC400_0070] {
            pe.refused(&[response, pair(ECHO, sender)], code::DENIED);
        }
        for other in [0, 6, 0x8003, 0x8000] {
            pe.refused(&[id::RESPONSE2, pair(ECHO, other)], code::DENIED);
        }
        for forged in [0, RELAY, 0x8000] {
            pe.refused(&[id::RESPONSE2, pair(forged, sender)], code::INVALID);
        }
        for reserved in [[1, 0], [0, 1 << 63]] {
            pe.refused(&[id::RESPONSE2, pair(ECHO, sender), reserved[0], reserved[1]], code::INVALID);
        }
        assert_ne!(pe.call(&[id::RESPONSE2, pair(ECHO, sender)]), IN_ECHO);
    }
}

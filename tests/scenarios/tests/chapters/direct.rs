//! FFA_MSG_SEND_DIRECT_REQ and FFA_MSG_SEND_DIRECT_RESP, in both widths.

use manager::exit::Conduit;
use scenarios::{ECHO, Pe, Place, RELAY, Sources, V1_0, V1_1, V1_2, V1_3, VERSIONS, World, code, id, pair};

pub const IN_ECHO: Place = Place::Partition((ECHO, 0));
pub const IN_RELAY: Place = Place::Partition((RELAY, 0));
pub const REQUEST64: u64 = 0xC400_006F;
pub const RESPONSE64: u64 = 0xC400_0070;
const REQUESTS: [u64; 2] = [id::REQUEST, REQUEST64];
const RESPONSES: [u64; 2] = [id::RESPONSE, RESPONSE64];

/// Those who can send: the Normal world, and `relay` by either conduit, each speaking `version`, with its id.
fn senders(version: u64) -> Vec<(u64, Pe)> {
    let blobs = Sources::speaking(version).compile();
    let mut normal = World::loaded_with(&blobs).booted_pe(0);
    assert_eq!(normal.normal_version(version.min(V1_2)), V1_2);
    let partitions = [Conduit::Hvc, Conduit::Smc].map(|conduit| {
        let mut pe = World::loaded_with(&blobs).booted_pe(0);
        pe.conduit = conduit;
        assert_eq!(pe.normal(&[id::REQUEST, pair(0, RELAY)]), IN_RELAY);
        (RELAY, pe)
    });
    [(0, normal)].into_iter().chain(partitions).collect()
}

#[test]
fn a_random_value_comes_back_changed() {
    for version in VERSIONS.into_iter().chain([V1_3]) {
        for (sender, mut pe) in senders(version) {
            let home = pe.place();
            for (request, response) in REQUESTS.into_iter().zip(RESPONSES) {
                let sent = [request, pair(sender, ECHO), 0, 3, 4, 5, 6, 7];
                assert_eq!(pe.act(&sent), IN_ECHO);
                assert_eq!(pe.low(), sent, "the payload arrives as it was sent");
                let answer = [response, pair(ECHO, sender), 0, !3, !4, !5, !6, !7];
                assert_eq!(pe.call(&answer), home);
                assert_eq!(pe.low(), answer);
            }
        }
    }
}

#[test]
fn partitions_of_different_versions_talk() {
    for sender in VERSIONS {
        for receiver in VERSIONS {
            let mut sources = Sources::new();
            Sources::set_version(&mut sources.relay, sender);
            Sources::set_version(&mut sources.echo, receiver);
            let mut pe = World::of(&sources).booted_pe(0);
            assert_eq!(pe.normal(&[id::REQUEST, pair(0, RELAY)]), IN_RELAY);
            assert_eq!(pe.call(&[REQUEST64, pair(RELAY, ECHO), 0, 1 << 40]), IN_ECHO);
            assert_eq!(pe.call(&[RESPONSE64, pair(ECHO, RELAY), 0, 1 << 41]), IN_RELAY);
            assert_eq!(pe.frame.x[3], 1 << 41);
        }
    }
}

#[test]
fn a_value_travels_through_relay_to_echo() {
    let mut pe = World::booted();
    assert_eq!(pe.normal(&[id::REQUEST, pair(0, RELAY), 0, 1]), IN_RELAY);
    assert_eq!(pe.call(&[id::REQUEST, pair(RELAY, ECHO), 0, 2]), IN_ECHO);
    assert_eq!(pe.call(&[id::RESPONSE, pair(ECHO, RELAY), 0, 3]), IN_RELAY);
    assert_eq!(pe.low(), [id::RESPONSE, pair(ECHO, RELAY), 0, 3, 0, 0, 0, 0]);
    assert_eq!(pe.call(&[id::RESPONSE, pair(RELAY, 0), 0, 4]), Place::Normal);
    assert_eq!(pe.frame.x[3], 4);
}

#[test]
fn a_request_to_nobody_is_invalid() {
    for version in VERSIONS {
        for (sender, mut pe) in senders(version) {
            for request in REQUESTS {
                // No such partition, the SPMC, EL3's logical partitions, the SPMD, the Normal world, its VMs.
                for nobody in [0x8003, 0x8000, 0x80FF, 0x8100, 0xFFBF, 0xFFC0, 0xFFFE, 0xFFFF, 1, 0x7FFF] {
                    pe.refused(&[request, pair(sender, nobody)], code::INVALID);
                }
                pe.refused(&[request, pair(sender, sender)], code::INVALID);
            }
        }
    }
}

#[test]
fn a_partition_sends_no_request_to_the_normal_world() {
    for (_, mut pe) in senders(V1_2).into_iter().skip(1) {
        for request in REQUESTS {
            for vm in [0, 1, 5, 0x7FFF] {
                pe.refused(&[request, pair(RELAY, vm)], code::INVALID);
            }
        }
    }
}

#[test]
fn a_sender_speaks_for_itself_only() {
    for version in VERSIONS {
        for (sender, mut pe) in senders(version) {
            for forged in [0, ECHO, RELAY, 0x8000, 0x8003, 0xFFBF].into_iter().filter(|id| *id != sender) {
                for request in REQUESTS {
                    pe.refused(&[request, pair(forged, ECHO)], code::INVALID);
                }
                if sender != 0 {
                    for response in RESPONSES {
                        pe.refused(&[response, pair(forged, 0)], code::INVALID);
                    }
                }
            }
        }
    }
    // EL3 speaks to the SPMC by the Normal world's exit; a partition cannot speak for it.
    for (_, mut pe) in senders(V1_2).into_iter().skip(1) {
        for forged in [0xFFC0, 0xFFFE, 0xFFFF] {
            pe.refused(&[id::REQUEST, pair(forged, ECHO)], code::INVALID);
        }
    }
}

#[test]
fn the_normal_world_speaks_for_its_vms() {
    for vm in [1, 5, 0x7FFF] {
        let mut pe = World::booted();
        assert_eq!(pe.normal(&[id::REQUEST, pair(vm, ECHO)]), IN_ECHO);
        assert_eq!(pe.low()[1], pair(vm, ECHO));
        for other in [0, vm ^ 2] {
            pe.refused(&[id::RESPONSE, pair(ECHO, other)], code::DENIED);
        }
        assert_eq!(pe.call(&[id::RESPONSE, pair(ECHO, vm)]), Place::Normal);
    }
}

#[test]
fn a_request_with_reserved_w2_is_invalid() {
    for version in VERSIONS {
        for (sender, mut pe) in senders(version) {
            for request in REQUESTS {
                for w2 in [1, 0x100, 0x7FFF_FFFF, 0x4000_0000] {
                    pe.refused(&[request, pair(sender, ECHO), w2], code::INVALID);
                }
            }
            pe.act(&[id::REQUEST, pair(sender, ECHO)]);
            for response in RESPONSES {
                for w2 in [1, 0x7FFF_FFFF] {
                    pe.refused(&[response, pair(ECHO, sender), w2], code::INVALID);
                }
            }
            assert_ne!(pe.call(&[id::RESPONSE, pair(ECHO, sender)]), IN_ECHO, "a refusal changes nothing");
        }
    }
}

#[test]
fn a_response_goes_to_who_asked_and_in_kind() {
    for version in VERSIONS {
        for (sender, mut pe) in senders(version) {
            pe.act(&[id::REQUEST, pair(sender, ECHO)]);
            for response in RESPONSES {
                for other in [0, 5, RELAY, 0x8003, 0x8000, 0xFFFF].into_iter().filter(|id| *id != sender) {
                    pe.refused(&[response, pair(ECHO, other)], code::DENIED);
                }
            }
            if version == V1_2 {
                pe.refused(&[id::RESPONSE2, pair(ECHO, sender)], code::DENIED);
            }
            assert_ne!(pe.call(&[id::RESPONSE, pair(ECHO, sender)]), IN_ECHO);
        }
    }
}

#[test]
fn a_response_without_a_request_is_denied() {
    let mut running = World::booted();
    running.normal(&[id::RUN, pair(ECHO, 0)]);
    let mut initialising = World::new().pe(0);
    initialising.turn_on();
    for mut pe in [running, initialising] {
        for response in RESPONSES.into_iter().chain([id::RESPONSE2]) {
            for to in [0, RELAY] {
                pe.refused(&[response, pair(ECHO, to)], code::DENIED);
            }
        }
    }
}

#[test]
fn the_normal_world_answers_nobody() {
    for version in VERSIONS {
        let mut pe = World::booted();
        pe.normal_version(version);
        for response in RESPONSES.into_iter().chain([id::RESPONSE2]) {
            pe.refused(&[response, pair(0, ECHO)], code::NOT_SUPPORTED);
        }
    }
}

/// A world in whose manifests `echo` and `relay` have these messaging methods.
pub fn with_methods(version: u64, echo: &str, relay: &str) -> Pe {
    let mut sources = Sources::speaking(version);
    Sources::set(&mut sources.echo, "messaging-method", &format!("<{echo}>"));
    Sources::set(&mut sources.relay, "messaging-method", &format!("<{relay}>"));
    World::of(&sources).booted_pe(0)
}

#[test]
fn the_manifests_say_who_sends_and_receives() {
    for version in [V1_0, V1_1, V1_2, V1_3] {
        for request in REQUESTS {
            // `echo` sends only, or is for indirect messages only.
            for echo in ["0x2", "0x4"] {
                let mut pe = with_methods(version, echo, "0x3");
                pe.refused(&[request, pair(0, ECHO)], code::DENIED);
                pe.normal(&[request, pair(0, RELAY)]);
                pe.refused(&[request, pair(RELAY, ECHO)], code::DENIED);
            }
            // `relay` receives only.
            let mut pe = with_methods(version, "0x1", "0x1");
            pe.normal(&[request, pair(0, RELAY)]);
            pe.refused(&[request, pair(RELAY, ECHO)], code::DENIED);
            // What it takes, and no more.
            let mut pe = with_methods(version, "0x1", "0x3");
            pe.normal(&[request, pair(0, RELAY)]);
            assert_eq!(pe.call(&[request, pair(RELAY, ECHO)]), IN_ECHO);
        }
    }
}

#[test]
fn a_partition_without_a_context_on_the_pe_denies_requests() {
    let world = World::new();
    world.booted_pe(0);
    let mut pe = world.booted_pe(4);
    for request in [id::REQUEST, REQUEST64, id::REQUEST2] {
        pe.refused(&[request, pair(0, ECHO)], code::DENIED);
    }
    pe.normal(&[id::REQUEST, pair(0, RELAY)]);
    for request in [id::REQUEST, REQUEST64, id::REQUEST2] {
        pe.refused(&[request, pair(RELAY, ECHO)], code::DENIED);
    }
}

//! Framework messages: the hypervisor tells partitions that VMs were created and destroyed.

use manager::exit::Conduit;
use scenarios::{ECHO, Pe, Place, RELAY, Sources, V1_0, V1_1, V1_2, World, code, id, pair};

use super::direct::{IN_ECHO, IN_RELAY, REQUEST64, RESPONSE64};

const CREATED: u64 = 0x8000_0004;
const CREATED_ANSWER: u64 = 0x8000_0005;
const DESTROYED: u64 = 0x8000_0006;
const DESTROYED_ANSWER: u64 = 0x8000_0007;
const MESSAGES: [(u64, u64); 2] = [(CREATED, CREATED_ANSWER), (DESTROYED, DESTROYED_ANSWER)];
const VM: u64 = 7;

/// Manifests in which `echo` wants these messages: 1 for created, 2 for destroyed.
fn wanting(messages: u32, version: u64) -> Sources {
    let mut sources = Sources::speaking(version);
    Sources::set(&mut sources.echo, "vm-availability-messages", &format!("<{messages}>"));
    sources
}

fn booted(messages: u32) -> Pe {
    World::of(&wanting(messages, V1_2)).booted_pe(0)
}

/// The message that the hypervisor sends: a handle in w3 and w4, the VM in w5.
fn message(kind: u64, to: u64) -> [u64; 8] {
    [id::REQUEST, pair(0, to), kind, 0x1111, 0x2222, VM, 0, 0]
}

#[test]
fn a_subscriber_learns_of_vms_and_answers() {
    for version in [V1_0, V1_1, V1_2] {
        for conduit in [Conduit::Hvc, Conduit::Smc] {
            let mut pe = World::of(&wanting(3, version)).booted_pe(0);
            pe.conduit = conduit;
            for (kind, answer) in MESSAGES {
                let sent = message(kind, ECHO);
                assert_eq!(pe.normal(&sent), IN_ECHO);
                assert_eq!(pe.low(), sent, "handle and VM arrive as they were sent");
                let status = [id::RESPONSE, pair(ECHO, 0), answer, 0xFFFF_FFFD, 0, 0, 0, 0];
                assert_eq!(pe.call(&status), Place::Normal);
                assert_eq!(pe.low(), status);
            }
            assert_eq!(pe.normal(&[id::REQUEST, pair(0, ECHO)]), IN_ECHO, "it waits for messages again");
        }
    }
}

#[test]
fn who_has_not_subscribed_is_not_told() {
    for (messages, told, untold) in [(1, CREATED, DESTROYED), (2, DESTROYED, CREATED)] {
        let mut pe = booted(messages);
        pe.refused(&message(untold, ECHO), code::INVALID);
        assert_eq!(pe.normal(&message(told, ECHO)), IN_ECHO);
    }
    for kind in [CREATED, DESTROYED] {
        booted(3).refused(&message(kind, RELAY), code::INVALID);
        booted(0).refused(&message(kind, ECHO), code::INVALID);
        booted(3).refused(&message(kind, 0x8005), code::INVALID);
    }
}

#[test]
fn only_the_hypervisor_tells_of_vms() {
    let mut pe = booted(3);
    for kind in [CREATED, DESTROYED] {
        for other in [1, VM, 0x7FFF, 0x8000, RELAY, 0xFFC0] {
            let mut forged = message(kind, ECHO);
            forged[1] = pair(other, ECHO);
            pe.refused(&forged, code::INVALID);
        }
    }
    for conduit in [Conduit::Hvc, Conduit::Smc] {
        let mut pe = booted(3);
        pe.conduit = conduit;
        pe.normal(&[id::REQUEST, pair(0, RELAY)]);
        for (kind, answer) in MESSAGES {
            for source in [RELAY, 0] {
                for w2 in [kind, answer] {
                    pe.refused(&[id::REQUEST, pair(source, ECHO), w2, 0, 0, VM], code::INVALID);
                }
            }
        }
    }
}

#[test]
fn a_framework_message_is_a_known_one_of_32_bits() {
    let mut pe = booted(3);
    // PSCI, its answers, answers about VMs, versions, reserved numbers, reserved bits: none is for a partition.
    for kind in [0, 1, 2, 3, 5, 7, 8, 9, 10, 11, 12, 15, 0xFF, 0x104, 0x4000_0004, 0x0001_0006] {
        pe.refused(&message(0x8000_0000 | kind, ECHO), code::INVALID);
    }
    // Without bit 31 it is no framework message, and w2 is reserved.
    pe.refused(&message(4, ECHO), code::INVALID);
    for kind in [CREATED, DESTROYED] {
        let mut wide = message(kind, ECHO);
        wide[0] = REQUEST64;
        pe.refused(&wide, code::INVALID);
    }
    let mut secure = message(CREATED, ECHO);
    secure[5] = ECHO;
    pe.refused(&secure, code::INVALID);
    assert_eq!(pe.normal(&message(CREATED, ECHO)), IN_ECHO, "a refusal changes nothing");
}

#[test]
fn a_framework_message_is_answered_in_kind() {
    for (kind, answer) in MESSAGES {
        let mut pe = booted(3);
        pe.normal(&message(kind, ECHO));
        let other = CREATED_ANSWER ^ DESTROYED_ANSWER ^ answer;
        for wrong in [0, other] {
            pe.refused(&[id::RESPONSE, pair(ECHO, 0), wrong], code::DENIED);
        }
        for unknown in [kind, 0x8000_0000, 0x8000_0002, 0x8000_0009, 5, 0x8000_0105] {
            pe.refused(&[id::RESPONSE, pair(ECHO, 0), unknown], code::INVALID);
        }
        pe.refused(&[RESPONSE64, pair(ECHO, 0)], code::DENIED);
        pe.refused(&[RESPONSE64, pair(ECHO, 0), answer], code::INVALID);
        pe.refused(&[id::RESPONSE2, pair(ECHO, 0)], code::DENIED);
        pe.refused(&[id::RESPONSE, pair(ECHO, VM), answer], code::DENIED);
        pe.refused(&[id::RESPONSE, pair(RELAY, 0), answer], code::INVALID);
        assert_eq!(pe.call(&[id::RESPONSE, pair(ECHO, 0), answer]), Place::Normal);
    }
}

#[test]
fn a_message_without_a_framework_is_not_answered_as_one() {
    for (_, answer) in MESSAGES {
        for request in [id::REQUEST, REQUEST64, id::REQUEST2] {
            let mut pe = booted(3);
            pe.normal(&[request, pair(0, ECHO)]);
            pe.refused(&[id::RESPONSE, pair(ECHO, 0), answer], code::DENIED);
        }
    }
}

#[test]
fn a_framework_message_waits_for_its_receiver_like_a_request() {
    let mut pe = booted(3);
    pe.normal(&[id::REQUEST, pair(0, ECHO)]);
    pe.call(&[id::YIELD]);
    pe.refused(&message(CREATED, ECHO), code::BUSY);
    pe.normal(&[id::RUN, pair(ECHO, 0)]);
    pe.interrupt();
    pe.refused(&message(CREATED, ECHO), code::BUSY);
    pe.normal(&[id::RUN, pair(ECHO, 0)]);
    pe.fault();
    pe.refused(&message(CREATED, ECHO), code::ABORTED);
}

#[test]
fn work_on_a_framework_message_is_preempted_and_resumed() {
    let mut pe = booted(3);
    pe.normal(&message(DESTROYED, ECHO));
    assert_eq!(pe.interrupt(), Place::Normal);
    assert_eq!(pe.low()[..2], [id::INTERRUPT, pair(ECHO, 0)]);
    assert_eq!(pe.normal(&[id::RUN, pair(ECHO, 0)]), IN_ECHO);
    assert_eq!(pe.call(&[id::REQUEST, pair(ECHO, RELAY)]), IN_RELAY, "it may ask others meanwhile");
    pe.call(&[id::RESPONSE, pair(RELAY, ECHO)]);
    assert_eq!(pe.call(&[id::RESPONSE, pair(ECHO, 0), DESTROYED_ANSWER]), Place::Normal);
}

#[test]
fn the_hypervisor_finds_subscribers_in_the_list() {
    for version in [V1_0, V1_1, V1_2] {
        for messages in 0..4 {
            let mut pe = World::of(&wanting(messages, version)).booted_pe(0);
            pe.normal_version(version);
            pe.map(1);
            pe.done(&[0x8400_0068]);
            // Property bit 6: told of VMs that are created; bit 7: of those that are destroyed.
            let shown = if version == V1_0 { 0 } else { messages << 6 };
            assert_eq!(u32::from(pe.received(8)[4]) & 0xC0, shown);
            pe.normal(&[id::REQUEST, pair(0, RELAY)]);
            pe.map(1);
            pe.done(&[0x8400_0068]);
            assert_eq!(pe.received(8)[4] & 0xC0, 0, "partitions do not send these");
        }
    }
    // Nobody can tell a partition that receives no direct requests.
    let mut sources = wanting(3, V1_2);
    Sources::set(&mut sources.echo, "messaging-method", "<0x602>");
    let mut pe = World::of(&sources).booted_pe(0);
    pe.act(&[0xC400_008B]);
    assert_eq!(pe.frame.x[3] >> 32 & 0xC0, 0);
}

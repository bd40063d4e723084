//! Direct messages.

use scenarios::{ECHO, Pe, Place, RELAY, Sources, World, code, id, pair};

const IN_ECHO: Place = Place::Partition((ECHO, 0));
const IN_RELAY: Place = Place::Partition((RELAY, 0));
const REQUEST64: u64 = 0xC400_006F;
const RESPONSE64: u64 = 0xC400_0070;

#[test]
fn a_random_value_comes_back_changed() {
    let mut pe = World::booted();
    for (request, response) in [(id::REQUEST, id::RESPONSE), (REQUEST64, RESPONSE64)] {
        let sent = [request, pair(0, ECHO), 0, 3, 4, 5, 6, 7];
        assert_eq!(pe.normal(&sent), IN_ECHO);
        assert_eq!(pe.low(), sent, "the payload arrives as it was sent");
        let answer = [response, pair(ECHO, 0), 0, !3, !4, !5, !6, !7];
        assert_eq!(pe.call(&answer), Place::Normal);
        assert_eq!(pe.low(), answer);
    }
}

#[test]
fn a_request2_carries_14_registers() {
    let mut pe = World::booted();
    let mut sent: Vec<u64> = (100..118).collect();
    sent[..4].copy_from_slice(&[id::REQUEST2, pair(7, RELAY), 0, 0]);
    assert_eq!(pe.normal(&sent), IN_RELAY);
    assert_eq!(pe.frame.x[..], sent);
    let mut answer: Vec<u64> = (200..218).collect();
    answer[..4].copy_from_slice(&[id::RESPONSE2, pair(RELAY, 7), 0, 0]);
    assert_eq!(pe.call(&answer), Place::Normal);
    assert_eq!(pe.frame.x[..], answer);
}

#[test]
fn x8_to_x17_hold_no_foreign_values() {
    let mut pe = World::booted();
    let own: Vec<u64> = [REQUEST64, pair(0, ECHO), 0].into_iter().chain(503..518).collect();
    pe.normal(&own);
    assert_eq!(pe.frame.x[8..], [0; 10], "echo has never set any");
    let answer: Vec<u64> = [RESPONSE64, pair(ECHO, 0), 0].into_iter().chain(903..918).collect();
    pe.call(&answer);
    assert_eq!(pe.frame.x[8..], own[8..], "the Normal world has its own again");
    pe.normal(&own);
    assert_eq!(pe.frame.x[8..], answer[8..], "and so has echo");
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
    let mut pe = World::booted();
    for nobody in [0x8003, 0x8000, 0x80FF, 0xFFC0, 0xFFFF, 1, 0x7FFF] {
        pe.normal_refused(&[id::REQUEST, pair(0, nobody)], code::INVALID);
        pe.normal_refused(&[id::REQUEST2, pair(0, nobody)], code::INVALID);
    }
}

#[test]
fn a_sender_speaks_for_itself_only() {
    let mut pe = World::booted();
    for forged in [RELAY, 0x8000, 0x8001, 0xFFBF] {
        pe.normal_refused(&[id::REQUEST, pair(forged, ECHO)], code::INVALID);
    }
    pe.normal(&[id::REQUEST, pair(0, RELAY)]);
    for forged in [0, ECHO, 0x8000, 0xFFFF, 0x8003] {
        pe.call_refused(&[id::REQUEST, pair(forged, ECHO)], code::INVALID);
        pe.call_refused(&[id::RESPONSE, pair(forged, 0)], code::INVALID);
    }
    pe.call_refused(&[id::REQUEST, pair(RELAY, RELAY)], code::INVALID);
    pe.call_refused(&[id::REQUEST, pair(RELAY, 0)], code::INVALID);
}

#[test]
fn a_request_with_reserved_w2_is_invalid() {
    let mut pe = World::booted();
    for w2 in [1, 0x8000_0000, 0x8000_0004, 0x7FFF_FFFF] {
        pe.normal_refused(&[id::REQUEST, pair(0, ECHO), w2], code::INVALID);
    }
    pe.normal(&[id::REQUEST, pair(0, ECHO)]);
    pe.call_refused(&[id::RESPONSE, pair(ECHO, 0), 1], code::INVALID);
    pe.call_refused(&[id::RESPONSE, pair(ECHO, 0), 0x8000_0001], code::INVALID);
    assert_eq!(pe.call(&[id::RESPONSE, pair(ECHO, 0)]), Place::Normal, "a refusal changes nothing");
}

#[test]
fn a_response_goes_to_who_asked_and_in_kind() {
    let mut pe = World::booted();
    pe.normal(&[id::REQUEST, pair(5, ECHO)]);
    pe.call_refused(&[id::RESPONSE, pair(ECHO, 0)], code::DENIED);
    pe.call_refused(&[id::RESPONSE, pair(ECHO, RELAY)], code::DENIED);
    pe.call_refused(&[id::RESPONSE2, pair(ECHO, 5)], code::DENIED);
    assert_eq!(pe.call(&[id::RESPONSE, pair(ECHO, 5)]), Place::Normal);
    pe.normal(&[id::REQUEST2, pair(5, ECHO)]);
    pe.call_refused(&[id::RESPONSE, pair(ECHO, 5)], code::DENIED);
    pe.call_refused(&[id::RESPONSE2, pair(ECHO, 5), 1], code::INVALID);
    assert_eq!(pe.call(&[id::RESPONSE2, pair(ECHO, 5)]), Place::Normal);
}

#[test]
fn a_cycle_in_a_chain_is_denied() {
    let mut pe = World::booted();
    pe.normal(&[id::REQUEST, pair(0, RELAY)]);
    pe.call(&[id::REQUEST, pair(RELAY, ECHO)]);
    pe.call_refused(&[id::REQUEST, pair(ECHO, RELAY)], code::DENIED);
    pe.call_refused(&[id::RUN, pair(RELAY, 0)], code::DENIED);
}

/// A world in whose manifests `echo` and `relay` have these messaging methods.
fn with_methods(echo: &str, relay: &str) -> Pe {
    let mut sources = Sources::new();
    for (source, methods) in [(&mut sources.echo, echo), (&mut sources.relay, relay)] {
        Sources::change(source, "messaging-method = <0x603>", &format!("messaging-method = <{methods}>"));
    }
    World::of(&sources).booted_pe(0)
}

#[test]
fn the_manifests_say_who_sends_and_receives() {
    let mut pe = with_methods("0x602", "0x603");
    pe.normal_refused(&[id::REQUEST, pair(0, ECHO)], code::DENIED);
    assert_eq!(pe.normal(&[id::REQUEST2, pair(0, ECHO)]), IN_ECHO);

    let mut pe = with_methods("0x403", "0x603");
    pe.normal_refused(&[id::REQUEST2, pair(0, ECHO)], code::DENIED);
    assert_eq!(pe.normal(&[id::REQUEST, pair(0, ECHO)]), IN_ECHO);

    let mut pe = with_methods("0x603", "0x401");
    pe.normal(&[id::REQUEST, pair(0, RELAY)]);
    pe.call_refused(&[id::REQUEST, pair(RELAY, ECHO)], code::DENIED);
    assert_eq!(pe.call(&[id::REQUEST2, pair(RELAY, ECHO)]), IN_ECHO);
}

#[test]
fn a_request2_names_a_service_of_the_receiver() {
    let uuid: [u8; 16] = 0x5d7f_1c2e_8a3b_4e60_9b1d_3c2f_6a7e_9d41_u128.to_be_bytes();
    let low = u64::from_le_bytes(uuid[..8].try_into().unwrap());
    let high = u64::from_le_bytes(uuid[8..].try_into().unwrap());
    let mut pe = World::booted();
    pe.normal_refused(&[id::REQUEST2, pair(0, ECHO), low ^ 1, high], code::INVALID);
    pe.normal_refused(&[id::REQUEST2, pair(0, RELAY), low, high], code::INVALID);
    assert_eq!(pe.normal(&[id::REQUEST2, pair(0, ECHO), low, high]), IN_ECHO);
}

#[test]
fn a_receiver_below_1_2_gets_no_request2() {
    let mut pe = World::new().pe(0);
    pe.turn_on();
    pe.call(&[id::VERSION, 0x1_0001]);
    pe.call(&[id::MSG_WAIT]);
    pe.call(&[id::MSG_WAIT]);
    pe.normal_refused(&[id::REQUEST2, pair(0, ECHO)], code::DENIED);
    assert_eq!(pe.normal(&[id::REQUEST, pair(0, ECHO)]), IN_ECHO);
}

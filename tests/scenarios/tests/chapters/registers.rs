//! x0-x17 at every border: results or zero, and never what another endpoint left behind.

use scenarios::{ECHO, Place, RELAY, Sources, V1_2, VERSIONS, World, code, id, pair};

use super::direct::{IN_ECHO, REQUEST64, RESPONSE64};

/// A call whose other registers hold `tag` and their number.
fn tagged(first: &[u64], tag: u64) -> [u64; 18] {
    let mut x = core::array::from_fn(|register| tag << 8 | register as u64);
    x[..first.len()].copy_from_slice(first);
    x
}

#[test]
fn x8_to_x17_hold_no_foreign_values() {
    for version in VERSIONS {
        let mut pe = World::of(&Sources::speaking(version)).booted_pe(0);
        pe.normal_version(version);
        let own = tagged(&[REQUEST64, pair(0, ECHO), 0], 5);
        pe.normal(&own);
        assert_eq!(pe.frame.x[8..], [0; 10], "echo has never set any");
        let answer = tagged(&[RESPONSE64, pair(ECHO, 0), 0], 9);
        pe.call(&answer);
        assert_eq!(pe.frame.x[8..], own[8..], "the Normal world has its own again");
        pe.normal(&own);
        assert_eq!(pe.frame.x[8..], answer[8..], "and so has echo");
    }
}

#[test]
fn x8_to_x17_stay_when_the_next_context_starts() {
    let mut pe = World::new().pe(0);
    let mut own = Vec::new();
    let mut place = pe.turn_on();
    while let Place::Partition((id, _)) = place {
        assert_eq!(pe.frame.x[8..], [0; 10], "as after reset");
        own.push((id, tagged(&[id::MSG_WAIT, 0, 0, 0, 0, 0, 0, 0], id)));
        place = pe.call(&own.last().expect("one was added").1);
    }
    for (id, registers) in own {
        pe.normal(&[id::RUN, pair(id, 0)]);
        assert_eq!(pe.frame.x[8..], registers[8..]);
        pe.call(&registers);
    }
}

#[test]
fn x8_to_x17_of_a_request2_are_not_kept_for_others() {
    let mut pe = World::booted();
    let sent = tagged(&[id::REQUEST2, pair(0, ECHO), 0, 0], 5);
    pe.normal(&sent);
    assert_eq!(pe.frame.x[8..], sent[8..]);
    let own = tagged(&[id::YIELD, 0, 7, 0, 0, 0, 0, 0], 9);
    assert_eq!(pe.call(&own), Place::Normal);
    assert_eq!(pe.frame.x[8..], sent[8..], "an answer that is no message brings the Normal world its own");
    let run = tagged(&[id::RUN, pair(ECHO, 0), 0, 0, 0, 0, 0, 0], 6);
    assert_eq!(pe.normal(&run), IN_ECHO);
    assert_eq!(pe.frame.x[8..], own[8..]);
    pe.frame.x = tagged(&[], 10);
    assert_eq!(pe.interrupt(), Place::Normal);
    assert_eq!(pe.frame.x[8..], run[8..], "and so does a preemption");
    pe.normal(&[id::RUN, pair(ECHO, 0)]);
    assert_eq!(pe.frame.x, tagged(&[], 10));
    let answer = tagged(&[id::RESPONSE2, pair(ECHO, 0), 0, 0], 11);
    pe.call(&answer);
    assert_eq!(pe.frame.x, answer);
}

#[test]
fn x8_to_x17_of_a_chain_stay_with_their_owners() {
    let mut pe = World::booted();
    pe.normal(&tagged(&[id::REQUEST, pair(0, RELAY), 0], 1));
    let relay = tagged(&[id::REQUEST, pair(RELAY, ECHO), 0], 2);
    pe.call(&relay);
    let echo = tagged(&[id::RESPONSE, pair(ECHO, RELAY), 0], 3);
    pe.call(&echo);
    assert_eq!(pe.frame.x[8..], relay[8..]);
    pe.call(&tagged(&[id::RESPONSE, pair(RELAY, 0), 0], 4));
    assert_eq!(pe.frame.x[8..], tagged(&[], 1)[8..]);
}

#[test]
fn a_call_that_comes_back_leaves_x8_to_x17() {
    for version in VERSIONS {
        for mut pe in World::callers(version) {
            for call in [[0x8400_0069, 0], [id::FEATURES, id::RUN], [id::FEATURES, 3], [0x8400_0071, 0]] {
                let mut x = tagged(&call, 7);
                x[2..8].fill(0);
                let here = pe.place();
                assert_eq!(pe.act(&x), here);
                assert_eq!(pe.frame.x[8..], x[8..], "{call:x?}");
                assert_eq!(pe.frame.x[3..8], [0; 5]);
            }
        }
    }
}

#[test]
fn every_refusal_zeroes_what_is_no_result() {
    for mut pe in World::callers(V1_2) {
        // An unknown function, and one that the handler refuses, with every register in use.
        for (function, code) in [(0x8400_00FF, code::NOT_SUPPORTED), (id::RUN, code::INVALID)] {
            pe.refused(&tagged(&[function], 7), code);
        }
    }
}

#[test]
fn a_list_by_registers_overwrites_x8_to_x17() {
    for mut pe in World::callers(V1_2) {
        pe.act(&tagged(&[0xC400_008B, 0, 0, 0], 7));
        assert_eq!(pe.frame.x[9..], [0; 9], "two entries end in x8");
    }
}

#[test]
fn the_upper_halves_of_a_32_bit_call_do_not_matter() {
    for mut pe in World::callers(V1_2) {
        pe.done(&[0x8400_0069 | 0xABCD << 32, 1 << 32, 1 << 63, 0, 0, 0, 0, 0xFFFF_FFFF << 32]);
    }
    let mut pe = World::booted();
    assert_eq!(pe.normal(&[id::RUN, pair(ECHO, 0) | 1 << 40, 1 << 32]), IN_ECHO);
}

#[test]
fn the_sve_hint_is_masked() {
    for mut pe in World::callers(V1_2) {
        pe.done(&[0x8400_0069 | 1 << 16]);
        pe.done(&[id::FEATURES | 1 << 16, id::RUN]);
        // Bit 16 of FFA_FEATURES' argument is part of what is asked.
        pe.refused(&[id::FEATURES, id::RUN | 1 << 16], code::NOT_SUPPORTED);
    }
    let mut pe = World::booted();
    let place = pe.normal(&[id::REQUEST | 1 << 16, pair(0, RELAY)]);
    assert_eq!(place, Place::Partition((RELAY, 0)));
    assert_eq!(pe.call(&[id::RESPONSE | 1 << 16, pair(RELAY, 0)]), Place::Normal);
}

//! PEs that come and go.

use manager::exit::Conduit;
use scenarios::{
    ECHO, ECHO_MEMORY, Pe, Place, RELAY, RELAY_MEMORY, Sources, V1_0, V1_1, V1_2, World, code, id, pair,
};

const SECONDARY_EP: u64 = 0xC400_0087;
const CPU_OFF: u64 = 0x8400_0002;

fn turn_off(pe: &mut Pe) {
    assert_eq!(pe.normal(&[id::REQUEST, 0xFFFF_8000, 0x8000_0000, CPU_OFF]), Place::Normal);
    assert_eq!(pe.low(), [id::RESPONSE, 0x8000_FFFF, 0x8000_0002, 0, 0, 0, 0, 0]);
}

#[test]
fn each_pe_starts_its_own_context() {
    let world = World::new();
    world.booted_pe(0);
    for index in 1..4 {
        let mut pe = world.pe(index);
        assert_eq!(pe.turn_on(), Place::Partition((ECHO, index.into())));
        assert_eq!(pe.call(&[id::MSG_WAIT]), Place::Normal, "relay has one context, which has started");
    }
}

#[test]
fn a_pe_beyond_the_contexts_starts_none() {
    let world = World::new();
    world.booted_pe(0);
    let mut pe = world.pe(4);
    assert_eq!(pe.turn_on(), Place::Normal);
    pe.normal_refused(&[id::REQUEST, pair(0, ECHO)], code::DENIED);
    assert_eq!(pe.normal(&[id::REQUEST, pair(0, RELAY)]), Place::Partition((RELAY, 0)));
}

#[test]
fn pes_go_off_and_come_back() {
    let world = World::new();
    world.booted_pe(0);
    let mut pe = world.booted_pe(1);
    turn_off(&mut pe);
    let mut pe = world.pe(1);
    assert_eq!(pe.turn_on(), Place::Partition((ECHO, 1)), "it starts anew");
    pe.call(&[id::MSG_WAIT]);
    assert_eq!(pe.normal(&[id::REQUEST, pair(0, ECHO)]), Place::Partition((ECHO, 1)));
}

#[test]
fn work_that_a_pe_takes_down_with_it_is_kept() {
    let world = World::new();
    world.booted_pe(0);
    let mut pe = world.booted_pe(1);
    pe.normal(&[id::REQUEST, pair(0, ECHO)]);
    pe.interrupt();
    turn_off(&mut pe);
    let mut pe = world.pe(1);
    assert_eq!(pe.turn_on(), Place::Normal, "the preempted context does not start anew");
    assert_eq!(pe.normal(&[id::RUN, pair(ECHO, 1)]), Place::Partition((ECHO, 1)));
}

#[test]
fn a_migratable_context_outlives_its_pe() {
    let world = World::new();
    let mut first = world.booted_pe(0);
    turn_off(&mut first);
    let mut pe = world.booted_pe(1);
    assert_eq!(pe.normal(&[id::REQUEST, pair(0, RELAY)]), Place::Partition((RELAY, 0)));
}

#[test]
fn messages_of_the_spmd_are_answered() {
    let mut pe = World::booted();
    // Other PSCI calls than CPU_OFF.
    for call in [0x8400_0001, 0xC400_0001, 0x8400_0008, 0, 0xFFFF_FFFF] {
        pe.normal(&[id::REQUEST, 0xFFFF_8000, 0x8000_0000, call]);
        assert_eq!(pe.low(), [id::RESPONSE, 0x8000_FFFF, 0x8000_0002, 0xFFFF_FFFF, 0, 0, 0, 0]);
    }
    // Unknown framework messages, and answers; w2 without bit 31.
    for kind in [0x8000_0001, 0x8000_0002, 0x8000_0009, 0x8000_00FF, 0x8000_0108, 0x9000_0000, 0, 8] {
        pe.refused(&[id::REQUEST, 0xFFFF_8000, kind], code::INVALID);
    }
}

#[test]
fn nobody_else_speaks_for_the_spmd() {
    let mut pe = World::booted();
    pe.normal(&[id::RUN, pair(ECHO, 0)]);
    for kind in [0x8000_0000, 0x8000_0008] {
        pe.refused(&[id::REQUEST, 0xFFFF_8000, kind, CPU_OFF], code::INVALID);
        pe.refused(&[id::REQUEST, pair(ECHO, 0x8000), kind, CPU_OFF], code::INVALID);
    }
}

/// `echo` by either conduit, in its initialisation.
fn initialising() -> impl Iterator<Item = Pe> {
    [Conduit::Hvc, Conduit::Smc].into_iter().map(|conduit| {
        let mut pe = World::new().pe(0);
        pe.conduit = conduit;
        pe.turn_on();
        pe
    })
}

#[test]
fn a_secondary_entry_lies_in_the_partition() {
    for mut pe in initialising() {
        let bad =
            [ECHO_MEMORY - 4, ECHO_MEMORY + 0x4_0000, ECHO_MEMORY + 2, 0, 1, RELAY_MEMORY, u64::MAX, !3];
        for entry in bad.into_iter().chain([0x4000_0000, ECHO_MEMORY | 1 << 48]) {
            pe.refused(&[SECONDARY_EP, entry], code::INVALID);
        }
        pe.refused(&[SECONDARY_EP, ECHO_MEMORY, 1], code::INVALID);
        pe.refused(&[SECONDARY_EP, ECHO_MEMORY, 0, 0, 0, 0, 0, 1 << 63], code::INVALID);
        assert_eq!(pe.done(&[SECONDARY_EP, ECHO_MEMORY + 0x3_FFFC])[1..], [0; 7]);
    }
}

#[test]
fn further_contexts_begin_where_the_first_one_said() {
    for registered in [None, Some(ECHO_MEMORY + 0x5000)] {
        let world = World::new();
        let mut first = world.pe(0);
        first.turn_on();
        let entry = first.started_at.expect("it starts");
        if let Some(address) = registered {
            first.done(&[SECONDARY_EP, ECHO_MEMORY + 0x1000]);
            first.done(&[SECONDARY_EP, address]);
        }
        first.call(&[id::MSG_WAIT]);
        let mut second = world.pe(1);
        second.turn_on();
        assert_eq!(
            second.started_at,
            Some(registered.unwrap_or(entry)),
            "the last address, or the first's own"
        );
        // It starts there again each time that its PE comes on.
        assert_eq!(second.call(&[id::MSG_WAIT]), Place::Normal);
        turn_off(&mut second);
        let mut second = world.pe(1);
        second.turn_on();
        assert_eq!(second.started_at, Some(registered.unwrap_or(entry)));
    }
}

#[test]
fn a_partition_with_one_context_has_no_secondary_entry() {
    for mut pe in initialising() {
        assert_eq!(pe.call(&[id::MSG_WAIT]), Place::Partition((RELAY, 0)));
        pe.refused(&[SECONDARY_EP, RELAY_MEMORY], code::NOT_SUPPORTED);
    }
}

#[test]
fn a_secondary_entry_is_registered_in_initialisation() {
    for version in [V1_1, V1_2] {
        for mut pe in World::callers(version) {
            let is_normal = pe.place() == Place::Normal;
            let refusal = if is_normal { code::NOT_SUPPORTED } else { code::DENIED };
            pe.refused(&[SECONDARY_EP, ECHO_MEMORY], refusal);
        }
    }
    let mut pe = World::of(&Sources::speaking(V1_0)).pe(0);
    pe.turn_on();
    pe.refused(&[SECONDARY_EP, ECHO_MEMORY], code::NOT_SUPPORTED);
}

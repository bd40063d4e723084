//! PEs that come and go.

use scenarios::{ECHO, ECHO_MEMORY, Pe, Place, RELAY, RELAY_MEMORY, World, code, id, pair};

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
    // Another PSCI call than CPU_OFF; an unknown framework message.
    pe.normal(&[id::REQUEST, 0xFFFF_8000, 0x8000_0000, 0x8400_0001]);
    assert_eq!(pe.low()[..4], [id::RESPONSE, 0x8000_FFFF, 0x8000_0002, 0xFFFF_FFFF]);
    pe.normal_refused(&[id::REQUEST, 0xFFFF_8000, 0x8000_00FF], code::INVALID);
    pe.normal_refused(&[id::REQUEST, 0xFFFF_8000, 0], code::INVALID);
}

#[test]
fn a_secondary_entry_lies_in_the_partition() {
    let mut pe = World::new().pe(0);
    pe.turn_on();
    for entry in [ECHO_MEMORY - 4, ECHO_MEMORY + 0x4_0000, ECHO_MEMORY + 2, 0, RELAY_MEMORY, u64::MAX] {
        pe.call_refused(&[SECONDARY_EP, entry], code::INVALID);
    }
    pe.call_done(&[SECONDARY_EP, ECHO_MEMORY + 0x3_FFFC]);
    pe.call(&[id::MSG_WAIT]);
    // relay has one context only.
    pe.call_refused(&[SECONDARY_EP, RELAY_MEMORY], code::NOT_SUPPORTED);
}

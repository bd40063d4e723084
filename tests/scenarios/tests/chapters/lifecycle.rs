//! Starting, failing and faulting.

use manager::exit::Conduit;
use manager::hardware::Memory;
use manager::memory::page::Pa;
use scenarios::{ECHO, ECHO_MEMORY, Place, RELAY, Sources, V1_0, V1_1, V1_2, V1_3, World, code, id, pair};

use super::direct::{IN_ECHO, IN_RELAY};

#[test]
fn partitions_start_in_boot_order() {
    let mut pe = World::new().pe(0);
    assert_eq!(pe.turn_on(), IN_ECHO);
    assert_eq!(pe.call(&[id::MSG_WAIT]), IN_RELAY);
    assert_eq!(pe.call(&[id::MSG_WAIT]), Place::Normal);
    assert_eq!(pe.low(), [id::MSG_WAIT, 0, 0, 0, 0, 0, 0, 0], "the SPMD learns that the PE is ready");

    let mut sources = Sources::new();
    Sources::change(&mut sources.echo, "boot-order = <0>", "boot-order = <9>");
    assert_eq!(World::of(&sources).pe(0).turn_on(), IN_RELAY);
}

#[test]
fn only_the_primary_context_gets_boot_information() {
    let world = World::new();
    let mut pe = world.pe(0);
    pe.turn_on();
    assert_eq!(pe.frame.x[0], ECHO_MEMORY, "in the register that the manifest names");
    let mut header = [0; 4];
    pe.machine.read(Pa::secure(ECHO_MEMORY), &mut header).unwrap();
    assert_eq!(u32::from_le_bytes(header), 0xFFA);
    let mut second = world.pe(1);
    assert_eq!(second.turn_on(), Place::Partition((ECHO, 1)));
    assert_eq!(second.frame.x[0], 0);
    assert_eq!(second.frame.x[4], 1, "which PE it is on");
}

#[test]
fn normal_interrupts_are_held_while_partitions_initialise() {
    let mut pe = World::new().pe(0);
    pe.turn_on();
    assert!(pe.machine.holds_normal);
    assert_eq!(pe.interrupt(), IN_ECHO, "one that has gone away changes nothing");
    pe.call(&[id::MSG_WAIT]);
    pe.call(&[id::MSG_WAIT]);
    assert!(!pe.machine.holds_normal);
}

#[test]
fn a_partition_that_gives_up_is_left_out_and_the_others_start() {
    let mut pe = World::new().pe(0);
    pe.turn_on();
    pe.call_refused(&[id::ERROR, 0, code::DENIED], code::NOT_SUPPORTED);
    assert_eq!(pe.call(&[id::ERROR, 0, code::ABORTED]), IN_RELAY);
    assert_eq!(pe.call(&[id::MSG_WAIT]), Place::Normal);
    pe.normal_refused(&[id::REQUEST, pair(0, ECHO)], code::ABORTED);
    pe.normal_refused(&[id::RUN, pair(ECHO, 0)], code::ABORTED);
    assert_eq!(pe.normal(&[id::REQUEST, pair(0, RELAY)]), IN_RELAY);
    pe.call_refused(&[id::ERROR, 0, code::ABORTED], code::NOT_SUPPORTED);
}

#[test]
fn ffa_error_is_a_call_in_initialisation_only() {
    for version in [V1_0, V1_1, V1_2, V1_3] {
        for mut pe in World::callers(version) {
            for error in [code::ABORTED, code::DENIED, 0] {
                pe.refused(&[id::ERROR, 0, error], code::NOT_SUPPORTED);
            }
            pe.refused(&[0xC400_0060, 0, code::ABORTED], code::NOT_SUPPORTED);
        }
        for conduit in [Conduit::Hvc, Conduit::Smc] {
            let mut pe = World::of(&Sources::speaking(version)).pe(0);
            pe.conduit = conduit;
            pe.turn_on();
            for error in [code::DENIED, code::BUSY, 0, 8, 0xFFFF] {
                pe.refused(&[id::ERROR, 0, error], code::NOT_SUPPORTED);
            }
            pe.refused(&[0xC400_0060, 0, code::ABORTED], code::NOT_SUPPORTED);
            assert_eq!(pe.call(&[id::ERROR, 0, code::ABORTED]), IN_RELAY);
            pe.call(&[id::MSG_WAIT]);
            pe.refused(&[id::REQUEST, pair(0, ECHO)], code::ABORTED);
        }
    }
}

#[test]
fn error_codes_have_the_numbers_of_ffa() {
    use code::FfaError::{
        Aborted, Busy, Denied, Interrupted, InvalidParameters, NoData, NoMemory, NotSupported, Retry,
    };
    let codes =
        [NotSupported, InvalidParameters, NoMemory, Busy, Interrupted, Denied, Retry, Aborted, NoData];
    for (number, code) in (1..).zip(codes) {
        assert_eq!(code as i32, -number);
    }
    let words = [code::NOT_SUPPORTED, code::INVALID, code::NO_MEMORY, code::BUSY];
    assert_eq!(words, [0xFFFF_FFFF, 0xFFFF_FFFE, 0xFFFF_FFFD, 0xFFFF_FFFC]);
    assert_eq!([code::DENIED, code::RETRY, code::ABORTED], [0xFFFF_FFFA, 0xFFFF_FFF9, 0xFFFF_FFF8]);
}

#[test]
fn a_partition_that_initialises_may_ask_those_that_have() {
    for conduit in [Conduit::Hvc, Conduit::Smc] {
        let mut pe = World::new().pe(0);
        pe.conduit = conduit;
        pe.turn_on();
        pe.refused(&[id::REQUEST, pair(ECHO, RELAY)], code::BUSY);
        assert_eq!(pe.call(&[id::MSG_WAIT]), IN_RELAY);
        for (request, response) in [(id::REQUEST, id::RESPONSE), (id::REQUEST2, id::RESPONSE2)] {
            assert_eq!(pe.call(&[request, pair(RELAY, ECHO)]), IN_ECHO);
            assert_eq!(pe.call(&[response, pair(ECHO, RELAY)]), IN_RELAY);
        }
        assert_eq!(pe.call(&[id::REQUEST, pair(RELAY, ECHO)]), IN_ECHO);
        assert_eq!(pe.fault(), IN_RELAY, "whom it asked ends; it goes on");
        pe.expect_error(code::ABORTED);
        assert_eq!(pe.call(&[id::MSG_WAIT]), Place::Normal);
    }
}

#[test]
fn a_fault_in_initialisation_stops_that_partition_only() {
    let mut pe = World::new().pe(0);
    pe.turn_on();
    assert_eq!(pe.fault(), IN_RELAY);
    assert_eq!(pe.call(&[id::MSG_WAIT]), Place::Normal);
}

#[test]
fn a_partition_that_reads_anothers_memory_is_aborted() {
    let mut pe = World::booted();
    pe.normal(&[id::REQUEST, pair(0, RELAY)]);
    pe.fault();
    pe.expect_aborted();
    for call in [[id::REQUEST, pair(0, RELAY)], [id::RUN, pair(RELAY, 0)], [id::REQUEST2, pair(0, RELAY)]] {
        pe.normal_refused(&call, code::ABORTED);
    }
    assert_eq!(pe.normal(&[id::REQUEST, pair(0, ECHO)]), IN_ECHO, "echo lives on");
}

#[test]
fn a_fault_in_a_chain_goes_to_the_caller() {
    let mut pe = World::booted();
    pe.normal(&[id::REQUEST, pair(0, RELAY)]);
    pe.call(&[id::REQUEST, pair(RELAY, ECHO)]);
    assert_eq!(pe.fault(), IN_RELAY);
    pe.expect_error(code::ABORTED);
    assert_eq!(pe.call(&[id::RESPONSE, pair(RELAY, 0)]), Place::Normal);
}

#[test]
fn a_broken_package_is_left_out_and_the_others_start() {
    let mut sources = Sources::new();
    Sources::change(&mut sources.echo, "exception-level = <2>", "exception-level = <7>");
    let mut pe = World::of(&sources).pe(0);
    assert_eq!(pe.turn_on(), IN_RELAY);
    pe.call(&[id::MSG_WAIT]);
    pe.normal_refused(&[id::REQUEST, pair(0, ECHO)], code::INVALID);
    assert_eq!(pe.normal_done(&[0x8400_0068, 0, 0, 0, 0, 1])[2], 1);
}

//! Versions, features, ids and the list of partitions.

use scenarios::{ECHO, NORMAL_MEMORY, Pe, Place, RELAY, Sources, World, code, id, pair};

use manager::hardware::Memory;
use manager::memory::page::Pa;

const REFUSED: u64 = 0xFFFF_FFFF;
const V1_2: u64 = 0x1_0002;

/// The SPMD tells of the Normal world's FFA_VERSION: what it is to answer.
fn normal_version(pe: &mut Pe, version: u64) -> u64 {
    assert_eq!(pe.normal(&[id::REQUEST, 0xFFFF_8000, 0x8000_0008, version]), Place::Normal);
    assert_eq!(pe.frame.x[..3], [id::RESPONSE, 0x8000_FFFF, 0x8000_0009]);
    assert_eq!(pe.frame.x[4..8], [0; 4]);
    pe.frame.x[3]
}

fn echo_version(pe: &mut Pe, version: u64) -> u64 {
    pe.call(&[id::VERSION, version]);
    assert_eq!(pe.frame.x[1..8], [0; 7]);
    pe.frame.x[0]
}

#[test]
fn version_is_negotiated() {
    for good in [0x1_0000, 0x1_0001, V1_2] {
        assert_eq!(normal_version(&mut World::booted(), good), V1_2);
    }
    for bad in [0, 0x1_0003, 0x2_0000, 0x0_FFFF, 0x1_FFFF] {
        assert_eq!(normal_version(&mut World::booted(), bad), REFUSED, "{bad:#x}");
    }
}

#[test]
fn version_with_bit_31_is_refused() {
    assert_eq!(normal_version(&mut World::booted(), 0x8001_0002), REFUSED);
    let mut pe = World::new().pe(0);
    pe.turn_on();
    assert_eq!(echo_version(&mut pe, 0x8001_0002), REFUSED);
}

#[test]
fn a_version_stays_once_another_call_was_made() {
    let mut pe = World::booted();
    assert_eq!(normal_version(&mut pe, 0x1_0001), V1_2);
    pe.normal_done(&[0x8400_0069]);
    assert_eq!(normal_version(&mut pe, V1_2), REFUSED);
    assert_eq!(normal_version(&mut pe, 0x1_0001), V1_2, "the same again is no change");

    let mut pe = World::new().pe(0);
    pe.turn_on();
    assert_eq!(echo_version(&mut pe, 0x1_0001), V1_2);
    assert_eq!(echo_version(&mut pe, V1_2), V1_2, "nothing else was called yet");
    pe.call_done(&[0x8400_0069]);
    assert_eq!(echo_version(&mut pe, 0x1_0001), REFUSED);
}

#[test]
fn a_secure_interrupt_before_the_first_version_changes_nothing() {
    let mut pe = World::booted();
    pe.machine.pending.push_back(40);
    assert_eq!(pe.normal(&[id::INTERRUPT]), Place::Normal);
    assert_eq!(pe.low(), [id::NORMAL_WORLD_RESUME, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(normal_version(&mut pe, 0x1_0001), V1_2);
}

#[test]
fn a_manifest_of_1_3_is_served_as_1_2() {
    let mut sources = Sources::new();
    Sources::change(&mut sources.echo, "0x00010002", "0x00010003");
    let mut pe = World::of(&sources).pe(0);
    pe.turn_on();
    assert_eq!(echo_version(&mut pe, 0x1_0003), V1_2);
    assert_eq!(echo_version(&mut pe, 0x1_0004), REFUSED);
    // The calls of 1.2 are there.
    pe.call_done(&[0x8400_008A, 1, u64::from(b'\n')]);
}

#[test]
fn features_answer_from_the_table() {
    let mut pe = World::booted();
    for function in [0x8400_0060, 0x8400_0061, id::INTERRUPT, id::VERSION, id::MSG_WAIT, id::YIELD, id::RUN] {
        assert_eq!(pe.normal_done(&[id::FEATURES, function])[2..], [0; 6]);
    }
    let map = pe.normal_done(&[id::FEATURES, 0xC400_0066]);
    assert_eq!(map[2], 16 << 16, "4 KB to 64 KB");
    // An SGI for schedule receiver interrupts, notification pending, managed exit: none yet; 0 is nothing.
    for feature in [0, 1, 2, 3, 4, 0x63] {
        pe.normal_refused(&[id::FEATURES, feature], code::NOT_SUPPORTED);
    }
    pe.normal_refused(&[id::FEATURES, 0x8400_008A], code::NOT_SUPPORTED);
    assert_eq!(pe.normal(&[id::RUN, pair(ECHO, 0)]), Place::Partition((ECHO, 0)));
    pe.call_done(&[id::FEATURES, 0x8400_008A]);
}

#[test]
fn everybody_learns_its_id_and_the_spmcs() {
    let mut pe = World::booted();
    assert_eq!(pe.normal_done(&[0x8400_0069])[2], 0);
    assert_eq!(pe.normal_done(&[0x8400_0085])[2], 0x8000);
    pe.normal(&[id::REQUEST, pair(0, RELAY)]);
    assert_eq!(pe.call_done(&[0x8400_0069])[2], RELAY);
    assert_eq!(pe.call_done(&[0x8400_0085])[2], 0x8000);
}

const ECHO_UUID: [u8; 16] = 0x5d7f_1c2e_8a3b_4e60_9b1d_3c2f_6a7e_9d41_u128.to_be_bytes();
const RX: u64 = NORMAL_MEMORY + 0x1000;

fn words(uuid: [u8; 16]) -> [u64; 4] {
    [0, 4, 8, 12].map(|i| u32::from_le_bytes(uuid[i..i + 4].try_into().unwrap()).into())
}

fn doubles(uuid: [u8; 16]) -> [u64; 2] {
    [0, 8].map(|i| u64::from_le_bytes(uuid[i..i + 8].try_into().unwrap()))
}

fn mapped() -> Pe {
    let mut pe = World::booted();
    pe.normal_done(&[0xC400_0066, NORMAL_MEMORY, RX, 1]);
    pe
}

fn received(pe: &mut Pe, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    pe.machine.read(Pa::normal(RX), &mut bytes).unwrap();
    bytes
}

#[test]
fn partitions_are_listed_by_info_get() {
    let mut pe = mapped();
    let done = pe.normal_done(&[0x8400_0068]);
    assert_eq!(done[2..4], [2, 24]);
    let bytes = received(&mut pe, 49);
    assert_eq!(bytes[..8], [0x01, 0x80, 4, 0, 0x01, 0x03, 0, 0], "4 contexts; receives both; AArch64");
    assert_eq!(bytes[8..24], ECHO_UUID);
    assert_eq!(bytes[24..28], [0x02, 0x80, 1, 0]);
    assert_eq!(bytes[48], 0, "nothing behind the list");
}

#[test]
fn a_partition_sees_that_partitions_send() {
    let mut pe = World::booted();
    pe.normal(&[id::REQUEST, pair(0, RELAY)]);
    let list = pe.call(&[0xC400_008B]);
    assert_eq!(list, Place::Partition((RELAY, 0)));
    assert_eq!(pe.frame.x[3], 0x0000_0703_0004_8001);
}

#[test]
fn one_uuid_lists_its_partition_without_repeating_it() {
    let mut pe = mapped();
    let [a, b, c, d] = words(ECHO_UUID);
    assert_eq!(pe.normal_done(&[0x8400_0068, a, b, c, d])[2..4], [1, 24]);
    assert_eq!(received(&mut pe, 24)[8..], [0; 16]);
    pe.normal_done(&[0x8400_0065]);
    pe.normal_refused(&[0x8400_0068, a ^ 1, b, c, d], code::INVALID);
}

#[test]
fn a_caller_of_1_0_gets_entries_of_8_bytes() {
    let mut pe = World::booted();
    normal_version(&mut pe, 0x1_0000);
    pe.normal_done(&[0xC400_0066, NORMAL_MEMORY, RX, 1]);
    assert_eq!(pe.normal_done(&[0x8400_0068])[2..4], [2, 8]);
    let bytes = received(&mut pe, 17);
    assert_eq!(bytes[..8], [0x01, 0x80, 4, 0, 0x01, 0, 0, 0]);
    assert_eq!(bytes[8..], [0x02, 0x80, 1, 0, 0x01, 0, 0, 0, 0]);
}

#[test]
fn info_get_counts_only() {
    let mut pe = World::booted();
    assert_eq!(pe.normal_done(&[0x8400_0068, 0, 0, 0, 0, 1])[2..4], [2, 0], "needs no buffer");
    pe.normal_refused(&[0x8400_0068, 0, 0, 0, 0, 2], code::INVALID);
}

#[test]
fn info_get_needs_an_rx_buffer() {
    World::booted().normal_refused(&[0x8400_0068], code::INVALID);
}

#[test]
fn partitions_are_listed_by_registers() {
    let mut pe = World::booted();
    let list = |pe: &mut Pe, call: &[u64]| {
        pe.normal(call);
        assert_eq!(pe.frame.x[0], 0xC400_0061, "FFA_SUCCESS, 64-bit");
    };
    list(&mut pe, &[0xC400_008B]);
    let [low, high] = doubles(ECHO_UUID);
    assert_eq!(pe.frame.x[2..6], [24 << 48 | 1 << 16 | 1, 0x0000_0301_0004_8001, low, high]);
    assert_eq!(pe.frame.x[6], 0x0000_0301_0001_8002);
    assert_eq!(pe.frame.x[9..], [0; 9]);

    list(&mut pe, &[0xC400_008B, 0, 0, 1]);
    assert_eq!(pe.frame.x[2..4], [24 << 48 | 1 << 16 | 1, 0x0000_0301_0001_8002]);
    assert_eq!(pe.frame.x[6..], [0; 12]);

    list(&mut pe, &[0xC400_008B, low, high]);
    assert_eq!(pe.frame.x[2], 24 << 48);
    pe.normal_refused(&[0xC400_008B, low, high ^ 1], code::INVALID);
    pe.normal_refused(&[0xC400_008B, 0, 0, 2], code::INVALID);
    pe.normal_refused(&[0xC400_008B, 0, 0, 1 << 16], code::RETRY);
}

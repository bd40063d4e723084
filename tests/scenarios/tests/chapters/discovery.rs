//! FFA_PARTITION_INFO_GET and FFA_PARTITION_INFO_GET_REGS, byte for byte, against lists of their own.

use scenarios::{ECHO, Pe, Place, RELAY, Sources, V1_0, V1_1, V1_2, V1_3, VERSIONS, World, code, id, pair};

const INFO: u64 = 0x8400_0068;
const INFO_REGS: u64 = 0xC400_008B;
const RX_RELEASE: u64 = 0x8400_0065;
/// w5: the count is enough.
const COUNT: u64 = 1;
/// Property bits: receives direct requests, sends them, AArch64, and the same two for FFA_MSG_SEND_DIRECT_REQ2.
const RECEIVES: u32 = 1 << 0;
const SENDS: u32 = 1 << 1;
const AARCH64: u32 = 1 << 8;
const RECEIVES2: u32 = 1 << 9;
const SENDS2: u32 = 1 << 10;

const ECHO_UUID: u128 = 0x5d7f_1c2e_8a3b_4e60_9b1d_3c2f_6a7e_9d41;
const RELAY_UUID: u128 = 0xb3a0_e4f6_27c9_4d85_8e12_90c4_d1f7_a6b8;

/// A UUID in four 32-bit registers.
fn words(uuid: u128) -> [u64; 4] {
    let bytes = uuid.to_be_bytes();
    [0, 4, 8, 12].map(|i| u32::from_le_bytes(bytes[i..i + 4].try_into().unwrap()).into())
}

/// A UUID in two 64-bit registers.
fn doubles(uuid: u128) -> [u64; 2] {
    let bytes = uuid.to_be_bytes();
    [0, 8].map(|i| u64::from_le_bytes(bytes[i..i + 8].try_into().unwrap()))
}

/// FFA_PARTITION_INFO_GET for a UUID, nil for all.
fn info(uuid: u128, flags: u64) -> [u64; 6] {
    let [a, b, c, d] = words(uuid);
    [INFO, a, b, c, d, flags]
}

/// One entry as it lies in memory for a caller of `version`.
fn entry(version: u64, id: u64, contexts: u16, properties: u32, uuid: u128) -> Vec<u8> {
    let mut bytes = (id as u16).to_le_bytes().to_vec();
    bytes.extend(contexts.to_le_bytes());
    bytes.extend(properties.to_le_bytes());
    if version >= V1_1 {
        bytes.extend(uuid.to_be_bytes());
    }
    bytes
}

/// What a caller of `version` sees of a partition that sends and receives all that `partition`'s version has.
fn properties(version: u64, partition: u64, to_normal: bool) -> u32 {
    let mut bits = RECEIVES;
    if version >= V1_1 {
        bits |= AARCH64;
    }
    if !to_normal {
        // Partitions send requests to partitions only.
        bits |= SENDS;
    }
    if version >= V1_2 && partition >= V1_2 {
        bits |= if to_normal { RECEIVES2 } else { RECEIVES2 | SENDS2 };
    }
    bits
}

fn is_normal(pe: &Pe) -> bool {
    pe.place() == Place::Normal
}

/// Callers of each served version, where the partitions' manifests say the version too.
fn every_caller() -> impl Iterator<Item = (u64, Pe)> {
    let versions = VERSIONS.into_iter().chain([V1_3]);
    versions.flat_map(|version| World::callers(version).into_iter().map(move |pe| (version, pe)))
}

#[test]
fn partitions_are_listed_by_info_get() {
    for (version, mut pe) in every_caller() {
        pe.map(1);
        let size = if version == V1_0 { 8 } else { 24 };
        assert_eq!(pe.done(&info(0, 0))[1..], [0, 2, size, 0, 0, 0, 0]);
        let bits = properties(version, version, is_normal(&pe));
        let mut list = entry(version, ECHO, 4, bits, ECHO_UUID);
        list.extend(entry(version, RELAY, 1, bits, RELAY_UUID));
        list.extend([0; 16]);
        assert_eq!(pe.received(list.len()), list, "{version:#x}, and nothing behind the list");
    }
}

#[test]
fn a_caller_of_1_0_gets_entries_of_8_bytes() {
    let mut pe = World::booted();
    pe.normal_version(V1_0);
    pe.map(1);
    assert_eq!(pe.done(&info(0, 0))[2..4], [2, 8]);
    assert_eq!(pe.received(17), [0x01, 0x80, 4, 0, 1, 0, 0, 0, 0x02, 0x80, 1, 0, 1, 0, 0, 0, 0]);
}

#[test]
fn a_partition_sees_that_partitions_send() {
    for mut pe in World::callers(V1_2) {
        let sends = if is_normal(&pe) { 0 } else { 0x402 };
        pe.act(&[INFO_REGS]);
        assert_eq!(pe.frame.x[3], (0x301 | sends) << 32 | 0x4_8001);
    }
}

#[test]
fn one_uuid_lists_its_partition_without_repeating_it() {
    for (version, mut pe) in every_caller() {
        pe.map(1);
        let size = if version == V1_0 { 8 } else { 24 };
        assert_eq!(pe.done(&info(RELAY_UUID, 0))[2..4], [1, size]);
        let expected = entry(version, RELAY, 1, properties(version, version, is_normal(&pe)), 0);
        assert_eq!(pe.received(expected.len()), expected);
    }
}

#[test]
fn a_uuid_that_nobody_offers_is_invalid() {
    for (_, mut pe) in every_caller() {
        pe.map(1);
        for uuid in [ECHO_UUID ^ 1, ECHO_UUID ^ 1 << 127, 1, u128::MAX, ECHO_UUID.swap_bytes()] {
            pe.refused(&info(uuid, 0), code::INVALID);
            pe.refused(&info(uuid, COUNT), code::INVALID);
        }
    }
}

#[test]
fn info_get_counts_only() {
    for (_, mut pe) in every_caller() {
        assert_eq!(pe.done(&info(0, COUNT))[1..], [0, 2, 0, 0, 0, 0, 0], "needs no buffer");
        assert_eq!(pe.done(&info(ECHO_UUID, COUNT))[1..], [0, 1, 0, 0, 0, 0, 0]);
    }
}

#[test]
fn info_get_has_one_flag() {
    for (_, mut pe) in every_caller() {
        pe.map(1);
        for flags in [2, 3, 0x8000_0000, 0xFFFF_FFFF] {
            pe.refused(&info(0, flags), code::INVALID);
        }
        pe.refused(&[INFO, 0, 0, 0, 0, 0, 1], code::INVALID);
        pe.done(&info(0, 0));
    }
}

#[test]
fn info_get_needs_an_rx_buffer() {
    for (_, mut pe) in every_caller() {
        pe.refused(&info(0, 0), code::INVALID);
        pe.map(1);
        pe.done(&info(0, 0));
        pe.refused(&info(0, 0), code::BUSY);
        pe.refused(&info(ECHO_UUID, 0), code::BUSY);
        pe.done(&info(0, COUNT));
        pe.done(&[RX_RELEASE]);
        pe.done(&info(0, 0));
    }
}

/// Manifests of twelve partitions more, each with sixteen UUIDs.
fn crowded(version: u64) -> Sources {
    let mut sources = Sources::speaking(version);
    for partition in 0..12 {
        let mut manifest = sources.relay.clone();
        let uuids: Vec<String> = (0..16).map(|service| format!("{partition} 1 2 {}", service + 1)).collect();
        Sources::set(&mut manifest, "uuid", &format!("<{}>", uuids.join(" ")));
        sources.add(&format!("crowd{partition}"), manifest);
    }
    sources
}

#[test]
fn a_list_that_does_not_fit_has_no_memory_and_leaves_rx_free() {
    let entries = 2 + 12 * 16;
    for version in [V1_1, V1_2] {
        for mut pe in World::callers_of(&crowded(version), version) {
            pe.map(1);
            pe.refused(&info(0, 0), code::NO_MEMORY);
            pe.refused(&info(0, 0), code::NO_MEMORY);
            assert_eq!(pe.done(&info(0, COUNT))[2], entries);
            assert_eq!(pe.done(&info(ECHO_UUID, 0))[2], 1, "what fits is listed");
            pe.done(&[RX_RELEASE]);
            pe.done(&[0x8400_0067]);
            pe.map(2);
            assert_eq!(pe.done(&info(0, 0))[2..4], [entries, 24]);
        }
    }
    for mut pe in World::callers_of(&crowded(V1_0), V1_0) {
        pe.map(1);
        assert_eq!(pe.done(&info(0, 0))[2..4], [2 + 12, 8], "entries without UUIDs: one for each partition");
    }
}

#[test]
fn partitions_are_listed_by_registers() {
    for version in [V1_2, V1_3] {
        for mut pe in World::callers(version) {
            let bits = u64::from(properties(version, version, is_normal(&pe))) << 32;
            let ([a, b], [c, d]) = (doubles(ECHO_UUID), doubles(RELAY_UUID));
            let mut list = |call: &[u64], expected: &[u64]| {
                pe.act(call);
                assert_eq!(pe.frame.x[..2], [0xC400_0061, 0], "FFA_SUCCESS, 64-bit");
                let mut all = [0; 16];
                all[..expected.len()].copy_from_slice(expected);
                assert_eq!(pe.frame.x[2..], all);
            };
            let size = 24 << 48;
            let (echo, relay) = (bits | 0x4_8001, bits | 0x1_8002);
            list(&[INFO_REGS], &[size | 1 << 16 | 1, echo, a, b, relay, c, d]);
            list(&[INFO_REGS, 0, 0, 1], &[size | 1 << 16 | 1, relay, c, d]);
            list(&[INFO_REGS, a, b], &[size, echo]);
        }
    }
}

#[test]
fn a_list_by_registers_goes_on_where_it_was_left() {
    let total = 2 + 12 * 16;
    for mut pe in World::callers_of(&crowded(V1_2), V1_2) {
        let mut ids = Vec::new();
        while (ids.len() as u64) < total {
            let start = ids.len() as u64;
            pe.act(&[INFO_REGS, 0, 0, start]);
            assert_eq!(pe.frame.x[0], 0xC400_0061);
            let current = pe.frame.x[2] >> 16 & 0xFFFF;
            assert_eq!(pe.frame.x[2], 24 << 48 | current << 16 | (total - 1), "tag 0");
            assert!((start..start + 5).contains(&current));
            for entry in 0..=(current - start) as usize {
                ids.push(pe.frame.x[3 + 3 * entry] & 0xFFFF);
            }
        }
        let expected = [ECHO, RELAY].into_iter().chain((0x8003..0x800F).flat_map(|id| [id; 16]));
        assert!(ids.into_iter().eq(expected));
        pe.refused(&[INFO_REGS, 0, 0, total], code::INVALID);
    }
}

#[test]
fn a_list_by_registers_has_bounds_and_a_tag() {
    for mut pe in World::callers(V1_2) {
        let [low, high] = doubles(ECHO_UUID);
        for call in [[low, high ^ 1, 0], [low ^ 1, high, 0], [0, 0, 2], [0, 0, 0xFFFF], [low, high, 1]] {
            pe.refused(&[INFO_REGS, call[0], call[1], call[2]], code::INVALID);
        }
        for tag in [1, 0xFFFF] {
            pe.refused(&[INFO_REGS, 0, 0, tag << 16], code::RETRY);
        }
    }
}

#[test]
fn a_refused_list_by_registers_leaves_x8_to_x17() {
    for mut pe in World::callers(V1_2) {
        let mut call: Vec<u64> = (100..118).collect();
        call[..4].copy_from_slice(&[INFO_REGS, 1, 1, 0]);
        pe.refused(&call, code::INVALID);
        assert_eq!(pe.frame.x[8..], call[8..]);
    }
}

#[test]
fn an_older_partition_is_listed_to_newer_callers() {
    for partition in VERSIONS {
        let mut sources = Sources::new();
        Sources::set_version(&mut sources.relay, partition);
        for mut pe in World::callers_of(&sources, V1_2) {
            pe.map(1);
            pe.done(&info(RELAY_UUID, 0));
            let bits = properties(V1_2, partition, is_normal(&pe));
            assert_eq!(pe.received(8), entry(V1_0, RELAY, 1, bits, 0), "{partition:#x}");
        }
    }
}

#[test]
fn a_service_is_listed_with_its_own_methods() {
    let mut sources = Sources::new();
    let uuids = format!("<{} {}>", cells(RELAY_UUID), cells(7));
    Sources::set(&mut sources.relay, "uuid", &uuids);
    Sources::set(&mut sources.relay, "messaging-method", "<0x3 0x200>");
    let mut pe = World::of(&sources).booted_pe(0);
    pe.map(1);
    assert_eq!(pe.done(&info(0, 0))[2..4], [3, 24]);
    let expected = [
        entry(V1_2, RELAY, 1, RECEIVES | AARCH64, RELAY_UUID),
        entry(V1_2, RELAY, 1, RECEIVES2 | AARCH64, 7),
    ];
    assert_eq!(pe.received(72)[24..], expected.concat());
}

/// A UUID as four cells of a manifest.
fn cells(uuid: u128) -> String {
    words(uuid).map(|word| format!("{word:#x}")).join(" ")
}

#[test]
fn a_partition_that_was_left_out_is_not_listed() {
    let mut sources = Sources::new();
    Sources::set(&mut sources.echo, "exception-level", "<7>");
    let mut pe = World::of(&sources).pe(0);
    pe.turn_on();
    pe.call(&[id::MSG_WAIT]);
    pe.map(1);
    assert_eq!(pe.done(&info(0, 0))[2], 1);
    assert_eq!(pe.received(2), [0x02, 0x80]);
    pe.refused(&info(ECHO_UUID, 0), code::INVALID);
    pe.refused(&[id::REQUEST, pair(0, ECHO)], code::INVALID);
}

#[test]
fn a_caller_of_1_0_sees_what_a_partition_does_under_any_uuid() {
    let mut sources = Sources::speaking(V1_0);
    Sources::set(&mut sources.relay, "uuid", &format!("<{} {}>", cells(RELAY_UUID), cells(7)));
    Sources::set(&mut sources.relay, "messaging-method", "<0x2 0x1>");
    for mut pe in World::callers_of(&sources, V1_0) {
        pe.map(1);
        assert_eq!(pe.done(&info(0, 0))[2..4], [2, 8]);
        let bits = if is_normal(&pe) { RECEIVES } else { RECEIVES | SENDS };
        assert_eq!(pe.received(16)[8..], entry(V1_0, RELAY, 1, bits, 0));
    }
}

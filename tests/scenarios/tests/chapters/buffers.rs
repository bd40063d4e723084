//! RX/TX buffers of every caller: registering, filling and releasing them.

use scenarios::{
    ECHO, ECHO_MEMORY, NORMAL_MEMORY, Pe, Place, RELAY_MEMORY, Sources, V1_2, VERSIONS, World, code, id, pair,
};

const MAP: u64 = 0xC400_0066;
const MAP32: u64 = 0x8400_0066;
const UNMAP: u64 = 0x8400_0067;
const RELEASE: u64 = 0x8400_0065;
const INFO_GET: u64 = 0x8400_0068;
/// FFA_RUN of `echo`.
const RUN_ECHO: [u64; 2] = [id::RUN, pair(ECHO, 0)];

fn every_caller() -> impl Iterator<Item = (u64, Pe)> {
    VERSIONS.into_iter().flat_map(|version| World::callers(version).into_iter().map(move |pe| (version, pe)))
}

#[test]
fn rxtx_map_refuses_bad_buffers() {
    for (_, mut pe) in every_caller() {
        let (tx, rx) = (pe.tx().address, pe.rx().address);
        for function in [MAP, MAP32] {
            let bad = [
                (tx + 8, rx, 1),
                (tx, rx + 0x800, 1),
                (tx + 0xFFF, rx, 1),
                (tx, tx, 1),
                (tx, tx + 0x1000, 2),
                (tx + 0x1000, tx, 2),
                (tx, rx, 0),
                (tx, rx, 17),
                (tx, rx, 63),
                // Bits behind the count are reserved.
                (tx, rx, 0x40),
                (tx, rx, 0x41),
                (tx, rx, 0x8000_0001),
            ];
            for (tx, rx, pages) in bad {
                pe.refused(&[function, tx, rx, pages], code::INVALID);
            }
            for register in 4..8 {
                let mut x = [function, tx, rx, 1, 0, 0, 0, 0];
                x[register] = 1;
                pe.refused(&x, code::INVALID);
            }
        }
        for beyond in [u64::MAX << 12, 1 << 48, (1 << 48) - 0x1000, 1 << 63] {
            pe.refused(&[MAP, tx, beyond, 2], code::INVALID);
            pe.refused(&[MAP, beyond, rx, 2], code::INVALID);
        }
        pe.done(&[MAP, tx, rx, 16]);
    }
}

#[test]
fn rxtx_map_of_a_32_bit_caller_has_32_bit_registers() {
    for (_, mut pe) in every_caller() {
        let (tx, rx, junk) = (pe.tx().address, pe.rx().address, 0xABCD_0123 << 32);
        pe.done(&[MAP32, tx | junk, rx | junk, 1 | junk, junk, junk, junk, junk]);
        assert_eq!(pe.low()[1..], [0; 7]);
        pe.done(&[INFO_GET]);
        assert_eq!(pe.received(2), [0x01, 0x80], "the buffer is where the lower halves said");
    }
}

#[test]
fn rxtx_map_of_secure_memory_is_refused() {
    for version in VERSIONS {
        let mut pe = World::booted();
        pe.normal_version(version);
        let (tx, rx) = (pe.tx().address, pe.rx().address);
        // A partition's, the SPMC's, nobody's, devices of both worlds; and one that begins in declared memory and
        // ends outside.
        let outside = [ECHO_MEMORY, 0xe10_0000, 0, 0x1_0000_0000, 0x900_0000, 0x904_0000, 0xFFFF_F000];
        for address in outside {
            pe.refused(&[MAP, address, rx, 2], code::DENIED);
            pe.refused(&[MAP, tx, address, 2], code::DENIED);
        }
    }
}

#[test]
fn a_partition_offers_its_own_memory_only() {
    for (_, mut pe) in every_caller().filter(|(_, pe)| pe.place() != Place::Normal) {
        let (tx, rx) = (pe.tx().address, pe.rx().address);
        // Another's, the Normal world's, the SPMC's, a device; and one that begins in its own and ends outside.
        for foreign in [RELAY_MEMORY, NORMAL_MEMORY, 0xe10_0000, 0x904_0000, RELAY_MEMORY - 0x1000] {
            pe.refused(&[MAP, foreign, rx, 2], code::DENIED);
            pe.refused(&[MAP, tx, foreign, 2], code::DENIED);
        }
        pe.done(&[MAP, tx, rx, 2]);
    }
}

/// Manifests in which `echo` has regions: read only, the Normal world's, and a device.
fn with_regions() -> Sources {
    let mut sources = Sources::new();
    Sources::add_node(
        &mut sources.echo,
        r#"memory-regions {
            compatible = "arm,ffa-manifest-memory-regions";
            constant { base-address = <0xe800000>; pages-count = <4>; attributes = <1>; };
            normal { base-address = <0x50000000>; pages-count = <4>; attributes = <0xb>; };
        };
        device-regions {
            compatible = "arm,ffa-manifest-device-regions";
            uart { base-address = <0x9040000>; pages-count = <1>; attributes = <3>; };
        };"#,
    );
    sources
}

#[test]
fn a_partition_writes_to_its_tx_buffer_and_reads_memory_in_both() {
    let (constant, normal, device) = (0xe80_0000, 0x5000_0000, 0x904_0000);
    for mut pe in World::callers_of(&with_regions(), V1_2).into_iter().skip(1) {
        let (tx, rx) = (pe.tx().address, pe.rx().address);
        for (bad_tx, bad_rx) in [(constant, rx), (device, rx), (tx, device)] {
            pe.refused(&[MAP, bad_tx, bad_rx, 1], code::DENIED);
        }
        for (good_tx, good_rx) in [(tx, constant), (normal, rx), (normal, normal + 0x1000)] {
            pe.done(&[MAP, good_tx, good_rx, 1]);
            pe.done(&[UNMAP]);
        }
    }
}

#[test]
fn memory_that_a_manifest_gives_a_partition_is_not_the_normal_worlds() {
    let mut pe = World::of(&with_regions()).booted_pe(0);
    let (tx, given) = (pe.tx().address, 0x5000_0000);
    for (tx, rx, pages) in [(given, tx, 1), (tx, given + 0x3000, 1), (given - 0x1000, tx, 2)] {
        pe.refused(&[MAP, tx, rx, pages], code::DENIED);
    }
    pe.done(&[MAP, given - 0x1000, given + 0x4000, 1]);
}

#[test]
fn buffers_of_the_manifest_are_there_from_the_start() {
    let mut sources = Sources::new();
    Sources::add_node(
        &mut sources.echo,
        r#"rx_tx-info {
            compatible = "arm,ffa-manifest-rx_tx-buffer";
            rx-buffer = <&rx>;
            tx-buffer = <&tx>;
        };
        memory-regions {
            compatible = "arm,ffa-manifest-memory-regions";
            rx: rx { base-address = <0xe800000>; pages-count = <1>; attributes = <3>; };
            tx: tx { base-address = <0xe801000>; pages-count = <1>; attributes = <3>; };
        };"#,
    );
    for mut pe in World::callers_of(&sources, V1_2).into_iter().skip(1) {
        let (tx, rx) = (pe.tx().address, pe.rx().address);
        pe.done(&[INFO_GET]);
        pe.refused(&[MAP, tx, rx, 1], code::DENIED);
        pe.done(&[UNMAP]);
        pe.done(&[MAP, tx, rx, 1]);
    }
}

#[test]
fn rxtx_map_twice_is_denied() {
    for (_, mut pe) in every_caller() {
        let (tx, rx) = (pe.tx().address, pe.rx().address);
        pe.done(&[MAP, tx, rx, 1]);
        for function in [MAP, MAP32] {
            pe.refused(&[function, tx, rx, 1], code::DENIED);
            pe.refused(&[function, tx + 0x2000, rx + 0x2000, 1], code::DENIED);
        }
        pe.done(&[UNMAP]);
        pe.done(&[MAP32, tx + 0x2000, rx + 0x2000, 1]);
    }
}

#[test]
fn rxtx_unmap_without_map_is_invalid() {
    for (_, mut pe) in every_caller() {
        pe.refused(&[UNMAP], code::INVALID);
        pe.map(1);
        // An id that is not the caller's to speak for, bits that are reserved, registers that must be zero.
        for x in [[UNMAP, 1 << 16, 0], [UNMAP, ECHO << 16, 0], [UNMAP, 1, 0], [UNMAP, 0, 1]] {
            pe.refused(&x, code::INVALID);
        }
        pe.done(&[UNMAP]);
        pe.refused(&[UNMAP], code::INVALID);
    }
}

#[test]
fn rx_buffer_is_busy_until_released() {
    for (_, mut pe) in every_caller() {
        pe.map(1);
        pe.done(&[INFO_GET]);
        pe.refused(&[INFO_GET], code::BUSY);
        assert_eq!(pe.done(&[RELEASE])[1..], [0; 7]);
        pe.done(&[INFO_GET]);
        pe.done(&[UNMAP]);
        pe.refused(&[RELEASE], code::INVALID);
        pe.map(1);
        pe.done(&[INFO_GET]);
    }
}

#[test]
fn rx_release_of_an_empty_buffer_is_denied() {
    for (_, mut pe) in every_caller() {
        pe.refused(&[RELEASE], code::INVALID);
        pe.map(1);
        pe.refused(&[RELEASE], code::DENIED);
        pe.done(&[INFO_GET]);
        for x in [[RELEASE, 1, 0], [RELEASE, 1 << 16, 0], [RELEASE, 0, 1]] {
            pe.refused(&x, code::INVALID);
        }
        pe.done(&[RELEASE]);
        pe.refused(&[RELEASE], code::DENIED);
    }
}

#[test]
fn buffers_of_different_endpoints_are_their_own() {
    let mut pe = World::booted();
    pe.map(1);
    pe.done(&[INFO_GET]);
    pe.normal(&RUN_ECHO);
    pe.map(1);
    pe.refused(&[RELEASE], code::DENIED);
    pe.done(&[INFO_GET]);
    pe.done(&[UNMAP]);
    pe.call(&[id::MSG_WAIT]);
    pe.refused(&[INFO_GET], code::BUSY);
    pe.done(&[RELEASE]);
}

#[test]
fn msg_wait_releases_rx_unless_it_is_retained() {
    for (version, mut pe) in every_caller().filter(|(_, pe)| pe.place() != Place::Normal) {
        pe.map(1);
        pe.done(&[INFO_GET]);
        if version == V1_2 {
            assert_eq!(pe.call(&[id::MSG_WAIT, 0, 1]), Place::Normal);
            assert_eq!(pe.low(), [id::MSG_WAIT, 0, 0, 0, 0, 0, 0, 0]);
            pe.normal(&RUN_ECHO);
            pe.refused(&[INFO_GET], code::BUSY);
        }
        assert_eq!(pe.call(&[id::MSG_WAIT]), Place::Normal);
        pe.normal(&RUN_ECHO);
        pe.refused(&[RELEASE], code::DENIED);
        // With an empty buffer, and with none, there is nothing to release.
        assert_eq!(pe.call(&[id::MSG_WAIT]), Place::Normal);
        pe.normal(&RUN_ECHO);
        pe.done(&[UNMAP]);
        assert_eq!(pe.call(&[id::MSG_WAIT]), Place::Normal);
    }
}

#[test]
fn a_response_releases_no_rx() {
    let mut pe = World::booted();
    pe.normal(&[id::REQUEST, pair(0, ECHO)]);
    pe.map(1);
    pe.done(&[INFO_GET]);
    pe.call(&[id::RESPONSE, pair(ECHO, 0)]);
    pe.normal(&[id::REQUEST, pair(0, ECHO)]);
    pe.refused(&[INFO_GET], code::BUSY);
}

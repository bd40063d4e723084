//! RX/TX buffers.

use scenarios::{ECHO, ECHO_MEMORY, NORMAL_MEMORY, Pe, RELAY_MEMORY, World, code, id, pair};

const MAP: u64 = 0xC400_0066;
const MAP32: u64 = 0x8400_0066;
const UNMAP: u64 = 0x8400_0067;
const RELEASE: u64 = 0x8400_0065;
const INFO_GET: u64 = 0x8400_0068;
const TX: u64 = NORMAL_MEMORY;
const RX: u64 = NORMAL_MEMORY + 0x1_0000;

#[test]
fn rxtx_map_refuses_bad_buffers() {
    let mut pe = World::booted();
    let bad =
        [(TX + 8, RX, 1), (TX, RX + 0x800, 1), (TX, TX, 1), (TX, TX + 0x1000, 2), (TX, RX, 0), (TX, RX, 17)];
    for (tx, rx, pages) in bad {
        pe.normal_refused(&[MAP, tx, rx, pages], code::INVALID);
    }
    pe.normal_refused(&[MAP, u64::MAX << 12, RX, 1], code::INVALID);
    pe.normal_refused(&[MAP, TX, RX, 0x40 | 1], code::INVALID);
    pe.normal_done(&[MAP, TX, RX, 16]);
}

#[test]
fn rxtx_map_of_secure_memory_is_refused() {
    let mut pe = World::booted();
    for (tx, rx) in [(ECHO_MEMORY, RX), (TX, ECHO_MEMORY), (0xe10_0000, RX), (0, RX), (TX, 0x1_0000_0000)] {
        pe.normal_refused(&[MAP, tx, rx, 1], code::DENIED);
    }
    // A buffer that begins in declared memory and ends outside.
    pe.normal_refused(&[MAP, TX, 0xFFFF_F000, 2], code::DENIED);
}

#[test]
fn rxtx_map_twice_is_denied() {
    let mut pe = World::booted();
    pe.normal_done(&[MAP, TX, RX, 1]);
    pe.normal_refused(&[MAP, TX + 0x2000, RX + 0x2000, 1], code::DENIED);
    pe.normal_done(&[UNMAP]);
    pe.normal_done(&[MAP32, TX + 0x2000, RX + 0x2000, 1]);
}

#[test]
fn rxtx_unmap_without_map_is_invalid() {
    let mut pe = World::booted();
    pe.normal_refused(&[UNMAP], code::INVALID);
    pe.normal_done(&[MAP, TX, RX, 1]);
    pe.normal_refused(&[UNMAP, 1 << 16], code::INVALID);
    pe.normal_done(&[UNMAP]);
    pe.normal_refused(&[UNMAP], code::INVALID);
}

#[test]
fn rx_buffer_is_busy_until_released() {
    let mut pe = World::booted();
    pe.normal_done(&[MAP, TX, RX, 1]);
    pe.normal_done(&[INFO_GET]);
    pe.normal_refused(&[INFO_GET], code::BUSY);
    pe.normal_done(&[RELEASE]);
    pe.normal_done(&[INFO_GET]);
}

#[test]
fn rx_release_of_an_empty_buffer_is_denied() {
    let mut pe = World::booted();
    pe.normal_refused(&[RELEASE], code::INVALID);
    pe.normal_done(&[MAP, TX, RX, 1]);
    pe.normal_refused(&[RELEASE], code::DENIED);
    pe.normal_refused(&[RELEASE, 1], code::INVALID);
}

fn with_echo() -> Pe {
    let mut pe = World::booted();
    pe.normal(&[id::RUN, pair(ECHO, 0)]);
    pe
}

#[test]
fn a_partition_offers_its_own_memory_only() {
    let mut pe = with_echo();
    let own = ECHO_MEMORY + 0x2_0000;
    pe.call_refused(&[MAP, RELAY_MEMORY, own, 1], code::DENIED);
    pe.call_refused(&[MAP, own, RELAY_MEMORY, 1], code::DENIED);
    pe.call_refused(&[MAP, RELAY_MEMORY - 0x1000, own, 2], code::DENIED);
    pe.call_refused(&[MAP, TX, RX, 1], code::DENIED);
    pe.call_refused(&[MAP, 0xe10_0000, own, 1], code::DENIED);
    pe.call_done(&[MAP, own, own + 0x1000, 1]);
}

#[test]
fn msg_wait_releases_rx_unless_it_is_retained() {
    for (flags, then) in [(0, code::DENIED), (1, 0)] {
        let mut pe = with_echo();
        pe.call_done(&[MAP, ECHO_MEMORY + 0x2_0000, ECHO_MEMORY + 0x2_1000, 1]);
        pe.call_done(&[INFO_GET]);
        pe.call(&[id::MSG_WAIT, 0, flags]);
        pe.normal(&[id::RUN, pair(ECHO, 0)]);
        pe.call(&[RELEASE]);
        assert_eq!(pe.frame.x[2], then);
    }
}

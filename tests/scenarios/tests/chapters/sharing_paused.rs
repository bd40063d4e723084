//! What others do with memory while somebody's call about it is paused.

use manager::hardware::Memory;
use manager::memory::page::Pa;
use scenarios::sharing::{RW, Region, relinquishing};
use scenarios::{ECHO, Pe, RELAY, V1_2, code, id};

use crate::sharing::{NORMAL, leave, ready, run};

/// Flags of calls: what is there is zeroed, and that may be paused.
const ZERO: u32 = 1 << 0;
const SLICED: u32 = 1 << 1;
/// The last of pages that take two pieces.
const LAST: u64 = NORMAL + 19 * 0x1000;

/// Memory that takes two pieces to be zeroed.
fn much() -> Region {
    Region::new(0, ECHO, RW, &[(NORMAL, 20)])
}

fn contents(pe: &mut Pe) -> [u8; 1] {
    let mut bytes = [0];
    pe.machine.read(Pa::normal(LAST), &mut bytes).unwrap();
    bytes
}

/// FFA_MEM_OP_RESUME.
const fn resuming(handle: u64) -> [u64; 3] {
    [id::MEM_OP_RESUME, handle & 0xFFFF_FFFF, handle >> 32]
}

#[test]
fn a_reclaim_that_was_paused_is_over_when_the_memory_is_retrieved() {
    let mut pe = ready(V1_2);
    let handle = pe.offer(id::MEM_LEND, &much());
    pe.normal(&Pe::reclaiming(handle, (ZERO | SLICED).into()));
    assert_eq!(pe.low()[0], id::MEM_OP_PAUSE);
    run(&mut pe, ECHO);
    pe.retrieve(&much().request(handle));
    leave(&mut pe);
    pe.refused(&resuming(handle), code::INVALID);
    run(&mut pe, ECHO);
    pe.machine.write(Pa::normal(LAST), &[7]).unwrap();
    pe.relinquish(handle, 0);
    leave(&mut pe);
    // To go on as if nothing had happened would give it back as it is, although it was to be zeroed.
    pe.refused(&resuming(handle), code::INVALID);
    pe.done(&Pe::reclaiming(handle, ZERO.into()));
    assert_eq!(contents(&mut pe), [0]);
}

#[test]
fn what_is_given_back_to_be_zeroed_is_zeroed_before_the_next_one_has_it() {
    let mut pe = ready(V1_2);
    let mut lend = Region { attributes: 0x2F, ..much() };
    lend.receivers.push((RELAY, RW, [0; 2]));
    let handle = pe.offer(id::MEM_LEND, &lend);
    run(&mut pe, ECHO);
    pe.retrieve(&lend.request(handle));
    pe.machine.write(Pa::normal(LAST), &[7]).unwrap();
    pe.send(&relinquishing(handle, ZERO | SLICED, ECHO));
    pe.call(&[id::MEM_RELINQUISH]);
    assert_eq!(pe.low()[0], id::MEM_OP_PAUSE);
    run(&mut pe, RELAY);
    pe.retrieve(&lend.request(handle));
    assert_eq!(contents(&mut pe), [0], "what another one had is not for this one");
    // Nor does what it writes go away under it.
    pe.machine.write(Pa::normal(LAST), &[8]).unwrap();
    run(&mut pe, ECHO);
    pe.done(&resuming(handle));
    assert_eq!(contents(&mut pe), [8]);
}

#[test]
fn who_could_not_be_answered_in_the_end_has_nothing_zeroed() {
    let mut pe = ready(V1_2);
    let lend = Region { flags: ZERO, ..much() };
    let handle = pe.offer(id::MEM_LEND, &lend);
    pe.machine.write(Pa::normal(LAST), &[7]).unwrap();
    run(&mut pe, ECHO);
    let call = pe.with_region(id::MEM_RETRIEVE_REQ, &Region { flags: SLICED, ..lend.request(handle) });
    pe.call(&call);
    assert_eq!(pe.low()[0], id::MEM_OP_PAUSE);
    pe.done(&[id::RXTX_UNMAP]);
    pe.refused(&resuming(handle), code::INVALID);
    assert_eq!(contents(&mut pe), [7]);
    pe.map(1);
    pe.call(&resuming(handle));
    assert_eq!((pe.low()[0], contents(&mut pe)), (id::MEM_RETRIEVE_RESP, [0]));
}

#[test]
fn who_ends_while_it_gives_back_has_nothing_zeroed_that_is_another_ones() {
    const ZERO_AFTER: u32 = 1 << 2;
    let mut pe = ready(V1_2);
    let mut lend = Region { attributes: 0x2F, ..much() };
    lend.receivers.push((RELAY, RW, [0; 2]));
    let handle = pe.offer(id::MEM_LEND, &lend);
    run(&mut pe, ECHO);
    pe.retrieve(&Region { flags: ZERO_AFTER, ..lend.request(handle) });
    pe.send(&relinquishing(handle, SLICED, ECHO));
    pe.call(&[id::MEM_RELINQUISH]);
    assert_eq!(pe.low()[0], id::MEM_OP_PAUSE);
    run(&mut pe, RELAY);
    pe.retrieve(&lend.request(handle));
    run(&mut pe, ECHO);
    pe.fault();
    run(&mut pe, RELAY);
    pe.machine.write(Pa::normal(LAST), &[8]).unwrap();
    pe.relinquish(handle, 0);
    leave(&mut pe);
    pe.done(&Pe::reclaiming(handle, 0));
    assert_eq!(contents(&mut pe), [8]);
}

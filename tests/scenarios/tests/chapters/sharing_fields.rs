//! Fields of what is said of memory: counts that agree, what is reserved, and who gives back.

use scenarios::sharing::{RW, Region, relinquishing};
use scenarios::{ECHO, Pe, RELAY, V1_0, V1_1, V1_2, VERSIONS, code, id};

use crate::sharing::{NORMAL, ready, run};

#[test]
fn page_counts_of_a_descriptor_agree() {
    let mut pe = ready(V1_2);
    let region = Region::new(0, ECHO, RW, &[(NORMAL, 2), (NORMAL + 0x4000, 1)]);
    let composite = region.composite();
    for (offset, value) in [(0, 2_u32), (0, 4), (0, 0), (4, 1), (4, 3), (4, 0), (4, u32::MAX), (0, u32::MAX)]
    {
        let mut bytes = region.to_bytes();
        bytes[composite + offset..][..4].copy_from_slice(&value.to_le_bytes());
        pe.send(&bytes);
        pe.refused(&[id::MEM_LEND, bytes.len() as u64, bytes.len() as u64], code::INVALID);
    }
    let handle = pe.offer(id::MEM_LEND, &region);
    pe.done(&Pe::reclaiming(handle, 0));
}

/// Where a descriptor's version reserves bytes: before what is said of all ranges; and from there on, in the first and
/// the last range too.
fn reserved(region: &Region) -> [Vec<usize>; 2] {
    let first = match region.version {
        V1_0 => [3..4, 24..28],
        V1_1 => [36..40, 40..48],
        _ => [36..48, 48 + 24..48 + 32],
    };
    let composite = region.composite();
    let ranges = [composite + 16, composite + 16 * region.ranges.len()].map(|at| at + 12..at + 16);
    let behind = (composite + 8..composite + 16).chain(ranges.into_iter().flatten());
    [first.into_iter().flatten().collect(), behind.collect()]
}

#[test]
fn what_a_descriptor_reserves_is_zero() {
    let changed = |pe: &mut Pe, function, region: &Region, at: usize| {
        let mut bytes = region.to_bytes();
        bytes[at] = 1;
        pe.send(&bytes);
        [function, bytes.len() as u64, bytes.len() as u64]
    };
    for version in VERSIONS {
        let mut pe = ready(version);
        let ranges = [(NORMAL, 2), (NORMAL + 0x4000, 1)];
        let region = Region { version, ..Region::new(0, ECHO, RW, &ranges) };
        let [first, behind] = reserved(&region);
        for at in first.iter().chain(&behind) {
            let call = changed(&mut pe, id::MEM_LEND, &region, *at);
            pe.refused(&call, code::INVALID);
        }
        let handle = pe.offer(id::MEM_LEND, &region);
        let request = region.request(handle);
        run(&mut pe, ECHO);
        for at in first {
            let call = changed(&mut pe, id::MEM_RETRIEVE_REQ, &request, at);
            pe.refused(&call, code::INVALID);
        }
        pe.retrieve(&request);
    }
}

#[test]
fn what_linux_leaves_in_a_receiver_before_1_2_is_not_looked_at() {
    for (version, receiver) in [(V1_0, 32), (V1_1, 48)] {
        let mut pe = ready(version);
        let region = Region { version, ..Region::new(0, ECHO, RW, &[(NORMAL, 1)]) };
        let mut bytes = region.to_bytes();
        bytes[receiver + 8..receiver + 16].fill(0xA5);
        pe.send(&bytes);
        let length = bytes.len() as u64;
        let [_, _, low, high, ..] = pe.done(&[id::MEM_LEND, length, length]);
        run(&mut pe, ECHO);
        pe.retrieve(&region.request(high << 32 | low));
    }
}

#[test]
fn memory_is_given_back_in_ones_own_name_alone() {
    let mut pe = ready(V1_2);
    let mut region = Region::new(0, ECHO, RW, &[(NORMAL, 1)]).shared();
    region.receivers.push((RELAY, RW, [0; 2]));
    let handle = pe.offer(id::MEM_LEND, &region);
    for partition in [RELAY, ECHO] {
        run(&mut pe, partition);
        pe.retrieve(&region.request(handle));
    }
    let own = relinquishing(handle, 0, ECHO);
    let refuse = |pe: &mut Pe, at: usize, value: u8| {
        let mut bytes = own.clone();
        bytes.extend((RELAY as u16).to_le_bytes());
        bytes[at] = value;
        pe.send(&bytes);
        pe.refused(&[id::MEM_RELINQUISH], code::INVALID);
    };
    // Flags that there are not; nobody, two; another one that has it, and nobody.
    for (at, value) in [(8, 4), (11, 0x80), (12, 0), (12, 2), (15, 1), (16, RELAY as u8), (16, 9), (17, 0)] {
        refuse(&mut pe, at, value);
    }
    pe.relinquish(handle, 0);
    pe.relinquish_refused(handle, 0, code::INVALID);
    run(&mut pe, RELAY);
    pe.relinquish(handle, 0);
}

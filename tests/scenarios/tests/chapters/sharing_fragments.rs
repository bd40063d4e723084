//! Fragments of descriptors: where they may end, and what is said between them.

use scenarios::sharing::{RW, Region};
use scenarios::{ECHO, Pe, RELAY, V1_2, code, id, pair};

use crate::sharing::{NORMAL, SECURE, leave, ready, run};

/// Whoever is here lends two ranges in fragments that end at these places: the handle.
fn lend_in_fragments(pe: &mut Pe, region: &Region, ends: &[usize]) -> u64 {
    let bytes = region.to_bytes();
    let here = pe.place();
    let mut sent = ends[0];
    pe.send(&bytes[..sent]);
    assert_eq!(pe.act(&[id::MEM_LEND, bytes.len() as u64, sent as u64]), here);
    for end in ends[1..].iter().copied().chain([bytes.len()]) {
        let [function, low, high, received, sender, ..] = pe.low();
        assert_eq!((function, received), (id::MEM_FRAG_RX, sent as u64));
        assert_eq!(sender, 0, "only a hypervisor is told for whom it speaks");
        pe.send(&bytes[sent..end]);
        assert_eq!(pe.act(&[id::MEM_FRAG_TX, low, high, (end - sent) as u64, sender]), here);
        sent = end;
    }
    let [function, _, low, high, ..] = pe.low();
    assert_eq!(function, id::SUCCESS);
    high << 32 | low
}

#[test]
fn a_fragment_may_end_behind_any_range_and_before_the_first_one() {
    for (sender, receiver, memory) in [(0, ECHO, NORMAL), (ECHO, RELAY, SECURE)] {
        let mut pe = ready(V1_2);
        if sender != 0 {
            run(&mut pe, sender);
        }
        let region = Region::new(sender, receiver, RW, &[(memory, 1), (memory + 0x2000, 2)]);
        let behind = region.composite() + 16;
        for ends in [&[behind][..], &[behind + 16], &[behind, behind + 16]] {
            let handle = lend_in_fragments(&mut pe, &region, ends);
            run(&mut pe, receiver);
            pe.retrieve(&region.request(handle));
            pe.relinquish(handle, 0);
            if sender == 0 {
                leave(&mut pe);
            } else {
                run(&mut pe, sender);
            }
            pe.done(&Pe::reclaiming(handle, 0));
        }
    }
}

#[test]
fn what_arrives_before_the_first_range_can_be_dropped() {
    let mut pe = ready(V1_2);
    assert_eq!(pe.normal(&[id::RUN, pair(ECHO, 0)]), scenarios::Place::Partition((ECHO, 0)));
    let region = Region::new(ECHO, RELAY, RW, &[(SECURE, 1)]);
    let bytes = region.to_bytes();
    pe.send(&bytes);
    pe.call(&[id::MEM_LEND, bytes.len() as u64, bytes.len() as u64 - 16]);
    let [function, low, high, ..] = pe.low();
    assert_eq!(function, id::MEM_FRAG_RX);
    let handle = high << 32 | low;
    pe.done(&Pe::reclaiming(handle, 0));
    pe.refused(&[id::MEM_FRAG_TX, low, high, 16], code::INVALID);
    pe.offer(id::MEM_LEND, &region);
}

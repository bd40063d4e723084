//! Memory that endpoints share with, lend to and give to others: from end to end, and what is refused.

use manager::hardware::{Memory, Tag};
use manager::memory::page::{Attributes, Ownership, Pa};
use scenarios::sharing::{NX, RO, RW, Region, X};
use scenarios::{
    ECHO, ECHO_MEMORY, NORMAL_MEMORY, Pe, Place, RELAY, Sources, V1_0, V1_2, VERSIONS, World, code, id, pair,
};

/// Memory of the Normal world.
pub const NORMAL: u64 = NORMAL_MEMORY + 0x10_0000;
/// Memory of `echo`.
pub const SECURE: u64 = ECHO_MEMORY + 0x3_0000;
const READ: Attributes = Attributes::READ;
const READ_WRITE: Attributes = Attributes::READ.union(Attributes::WRITE);

/// A PE in the Normal world; it, `echo` and `relay` have buffers and speak this version.
pub fn ready(version: u64) -> Pe {
    World::of(&Sources::speaking(version)).booted_pe(0).ready_to_share(version)
}

/// `partition` runs.
pub fn run(pe: &mut Pe, partition: u64) {
    if pe.place() != Place::Normal {
        pe.call(&[id::MSG_WAIT, 0, 0]);
    }
    assert_eq!(pe.normal(&[id::RUN, pair(partition, 0)]), Place::Partition((partition, 0)));
}

pub fn leave(pe: &mut Pe) {
    assert_eq!(pe.call(&[id::MSG_WAIT]), Place::Normal);
}

#[test]
fn the_normal_world_shares_memory_in_every_version() {
    for version in VERSIONS {
        let mut pe = ready(version);
        let mut region = Region::new(0, ECHO, RW, &[(NORMAL, 2), (NORMAL + 0x4000, 1)]).shared();
        region.version = version;
        let handle = pe.offer(id::MEM_SHARE, &region);
        run(&mut pe, ECHO);
        let response = pe.retrieve(&region.request(handle));
        // Before FF-A 1.1 there is no bit for the Normal world's memory.
        let attributes = if version == V1_0 { 0x2F } else { 0x6F };
        let mut expected = Region { attributes, flags: 1 << 3, handle, ..region.clone() };
        expected.receivers[0].1 = RW | NX;
        assert_eq!(response, expected.to_bytes());
        for page in [NORMAL, NORMAL + 0x1000, NORMAL + 0x4000] {
            let found = pe.world.page(ECHO, Pa::normal(page));
            assert_eq!(found, Some((READ_WRITE, Ownership::Borrowed)));
        }
        assert_eq!(pe.world.page(ECHO, Pa::normal(NORMAL + 0x2000)), None);
        leave(&mut pe);
        pe.refused(&Pe::reclaiming(handle, 0), code::DENIED);
        run(&mut pe, ECHO);
        pe.relinquish(handle, 0);
        assert_eq!(pe.world.page(ECHO, Pa::normal(NORMAL)), None);
        leave(&mut pe);
        pe.done(&Pe::reclaiming(handle, 0));
        pe.refused(&Pe::reclaiming(handle, 0), code::INVALID);
        // All is as it was: it can be shared again.
        pe.offer(id::MEM_SHARE, &region);
    }
}

#[test]
fn what_is_sent_is_in_nobody_elses_transaction_and_in_no_buffer() {
    let mut pe = ready(V1_2);
    pe.offer(id::MEM_LEND, &Region::new(0, ECHO, RW, &[(NORMAL, 4)]));
    for range in [(NORMAL, 1), (NORMAL + 0x3000, 2), (NORMAL - 0x1000, 2), (NORMAL_MEMORY, 1)] {
        let region = Region::new(0, RELAY, RW, &[(NORMAL + 0x10_0000, 1), range]);
        pe.offer_refused(id::MEM_LEND, &region, code::DENIED);
        // The page before it is free again.
        let handle = pe.offer(id::MEM_LEND, &Region::new(0, RELAY, RW, &[(NORMAL + 0x10_0000, 1)]));
        pe.done(&Pe::reclaiming(handle, 0));
    }
    pe.done(&[id::RXTX_UNMAP]);
    pe.refused(&[id::RXTX_MAP, NORMAL, NORMAL_MEMORY, 1], code::DENIED);
}

#[test]
fn a_list_that_names_a_page_twice_is_refused() {
    let mut pe = ready(V1_2);
    for function in [id::MEM_SHARE, id::MEM_LEND] {
        let twice = [(NORMAL, 2), (NORMAL + 0x8000, 1), (NORMAL + 0x1000, 1)];
        let mut region = Region::new(0, ECHO, RW, &twice);
        if function == id::MEM_SHARE {
            region = region.shared();
        }
        pe.offer_refused(function, &region, code::DENIED);
        run(&mut pe, ECHO);
        let own = [(SECURE, 2), (SECURE + 0x8000, 1), (SECURE + 0x1000, 1)];
        let region =
            Region { sender: ECHO, receivers: vec![(RELAY, RW, [0; 2])], ranges: own.into(), ..region };
        pe.offer_refused(function, &region, code::DENIED);
        for page in [SECURE, SECURE + 0x1000, SECURE + 0x8000] {
            let (_, ownership) = pe.world.page(ECHO, Pa::secure(page)).unwrap();
            assert_eq!(ownership, Ownership::Owned);
        }
        leave(&mut pe);
    }
}

/// Whether the TLBs have just forgotten the three pages from `SECURE` on of this VMID.
fn is_forgotten(pe: &Pe, vmid: u16) -> bool {
    let forgotten = pe.machine.take_invalidated();
    forgotten
        .iter()
        .any(|(of, range)| *of == Tag::Vmid(vmid) && range.start() == SECURE && range.pages() == 3)
}

#[test]
fn a_partition_lends_memory_and_has_it_back() {
    let mut pe = ready(V1_2);
    run(&mut pe, ECHO);
    let before = pe.world.page(ECHO, Pa::secure(SECURE));
    let region = Region::new(ECHO, RELAY, RW, &[(SECURE, 3)]);
    let _ = pe.machine.take_invalidated();
    let handle = pe.offer(id::MEM_LEND, &region);
    assert!(is_forgotten(&pe, 1), "its lender has access no more");
    let (rights, _) = before.unwrap();
    assert_eq!(pe.world.page(ECHO, Pa::secure(SECURE)), Some((rights, Ownership::Lent)));
    run(&mut pe, RELAY);
    let mut request = region.request(handle);
    request.receivers[0].1 = RO | X;
    pe.retrieve(&request);
    let executable = READ | Attributes::EXECUTE;
    assert_eq!(pe.world.page(RELAY, Pa::secure(SECURE)), Some((executable, Ownership::Borrowed)));
    pe.relinquish_refused(handle, 1, code::DENIED);
    pe.relinquish(handle, 0);
    pe.relinquish_refused(handle, 0, code::INVALID);
    assert_eq!(pe.world.page(RELAY, Pa::secure(SECURE)), None);
    assert!(is_forgotten(&pe, 2), "its borrower has access no more");
    run(&mut pe, ECHO);
    pe.done(&Pe::reclaiming(handle, 0));
    assert_eq!(pe.world.page(ECHO, Pa::secure(SECURE)), before);
}

#[test]
fn memory_that_is_donated_is_the_receivers() {
    let mut pe = ready(V1_2);
    run(&mut pe, ECHO);
    let region = Region::new(ECHO, RELAY, 0, &[(SECURE, 1)]);
    let handle = pe.offer(id::MEM_DONATE, &region);
    run(&mut pe, RELAY);
    pe.retrieve(&region.request(handle));
    assert_eq!(pe.world.page(ECHO, Pa::secure(SECURE)), None);
    assert_eq!(pe.world.page(RELAY, Pa::secure(SECURE)), Some((READ_WRITE, Ownership::Owned)));
    pe.relinquish_refused(handle, 0, code::INVALID);
    run(&mut pe, ECHO);
    pe.refused(&Pe::reclaiming(handle, 0), code::INVALID);
    pe.offer_refused(id::MEM_DONATE, &region, code::DENIED);
    // The new owner gives it back.
    run(&mut pe, RELAY);
    let back = Region::new(RELAY, ECHO, 0, &[(SECURE, 1)]);
    let handle = pe.offer(id::MEM_DONATE, &back);
    run(&mut pe, ECHO);
    pe.retrieve(&back.request(handle));
    assert_eq!(pe.world.page(ECHO, Pa::secure(SECURE)), Some((READ_WRITE, Ownership::Owned)));
}

#[test]
fn memory_is_zeroed_where_sender_and_receiver_want_it() {
    let mut pe = ready(V1_2);
    let mut bytes = [0; 8];
    let fill = |pe: &mut Pe| pe.machine.write(Pa::normal(NORMAL + 0xFF8), &[7; 8]).unwrap();
    let region = Region { flags: 1, ..Region::new(0, ECHO, RW, &[(NORMAL, 1)]) };
    let handle = pe.offer(id::MEM_LEND, &region);
    fill(&mut pe);
    run(&mut pe, ECHO);
    pe.retrieve(&Region { flags: 1, ..region.request(handle) });
    pe.machine.read(Pa::normal(NORMAL + 0xFF8), &mut bytes).unwrap();
    assert_eq!(bytes, [0; 8], "before it is retrieved");
    for (request, relinquish) in [(0, 1), (4, 0)] {
        fill(&mut pe);
        pe.relinquish(handle, if request == 0 { relinquish } else { 0 });
        pe.machine.read(Pa::normal(NORMAL + 0xFF8), &mut bytes).unwrap();
        assert_eq!(bytes, [0; 8], "when it is given back");
        pe.retrieve(&Region { flags: 4, ..region.request(handle) });
    }
    pe.relinquish(handle, 0);
    leave(&mut pe);
    fill(&mut pe);
    pe.done(&Pe::reclaiming(handle, 1));
    pe.machine.read(Pa::normal(NORMAL + 0xFF8), &mut bytes).unwrap();
    assert_eq!(bytes, [0; 8], "when it is had back");
}

#[test]
fn a_sender_says_what_can_be() {
    let mut pe = ready(V1_2);
    let share = Region::new(0, ECHO, RW, &[(NORMAL, 1)]).shared();
    let lend = Region::new(0, ECHO, RW, &[(NORMAL, 1)]);
    let donate = Region::new(0, ECHO, 0, &[(NORMAL, 1)]);
    let to = |of: &Region, receivers: &[(u64, u8)]| Region {
        receivers: receivers.iter().map(|(id, permissions)| (*id, *permissions, [0; 2])).collect(),
        ..of.clone()
    };
    let at = |of: &Region, address, pages| Region { ranges: vec![(address, pages)], ..of.clone() };
    let refused = [
        (id::MEM_SHARE, Region { flags: 1, ..share.clone() }, code::INVALID),
        (id::MEM_SHARE, Region { flags: 1 << 3, ..share.clone() }, code::INVALID),
        (id::MEM_LEND, Region { flags: 4, ..lend.clone() }, code::INVALID),
        (id::MEM_SHARE, Region { handle: 1, ..share.clone() }, code::INVALID),
        (id::MEM_SHARE, Region { sender: ECHO, ..share.clone() }, code::DENIED),
        (id::MEM_SHARE, Region { attributes: 0, ..share.clone() }, code::INVALID),
        (id::MEM_SHARE, Region { attributes: 0x2E, ..share.clone() }, code::DENIED),
        (id::MEM_SHARE, Region { attributes: 0x6F, ..share.clone() }, code::INVALID),
        (id::MEM_LEND, Region { attributes: 0x2F, ..lend.clone() }, code::INVALID),
        (id::MEM_SHARE, to(&share, &[(ECHO, 0)]), code::INVALID),
        (id::MEM_SHARE, to(&share, &[(ECHO, 3)]), code::INVALID),
        (id::MEM_SHARE, to(&share, &[(ECHO, RW | NX)]), code::INVALID),
        (id::MEM_SHARE, to(&share, &[(ECHO, RW | 0x10)]), code::INVALID),
        (id::MEM_SHARE, to(&share, &[(ECHO, RW), (ECHO, RO)]), code::INVALID),
        (id::MEM_SHARE, to(&share, &[(0x8009, RW)]), code::INVALID),
        (id::MEM_SHARE, to(&share, &[(0, RW)]), code::INVALID),
        (id::MEM_SHARE, to(&share, &[(5, RW)]), code::DENIED),
        (id::MEM_DONATE, to(&donate, &[(ECHO, RW)]), code::INVALID),
        (id::MEM_DONATE, to(&donate, &[(ECHO, 0), (RELAY, 0)]), code::INVALID),
        (id::MEM_LEND, at(&lend, NORMAL + 0x800, 1), code::INVALID),
        (id::MEM_LEND, at(&lend, NORMAL, 0), code::INVALID),
        (id::MEM_LEND, at(&lend, u64::MAX << 12, 1), code::INVALID),
        (id::MEM_LEND, at(&lend, SECURE, 1), code::DENIED),
        (id::MEM_LEND, at(&lend, 0x1000, 1), code::DENIED),
    ];
    for (function, region, code) in refused {
        pe.offer_refused(function, &region, code);
    }
    let handle = pe.offer(id::MEM_SHARE, &to(&share, &[(5, RW), (ECHO, RO), (RELAY, RW)]));
    pe.done(&Pe::reclaiming(handle, 0));
}

#[test]
fn a_partition_sends_nothing_to_the_normal_world() {
    let mut pe = ready(V1_2);
    run(&mut pe, ECHO);
    for (function, permissions) in [(id::MEM_LEND, RW), (id::MEM_DONATE, 0)] {
        for receiver in [0, 5] {
            let region = Region::new(ECHO, receiver, permissions, &[(SECURE, 1)]);
            pe.offer_refused(function, &region, code::DENIED);
        }
    }
    // Nor beside a partition.
    let mut both = Region::new(ECHO, RELAY, RW, &[(SECURE, 1)]).shared();
    both.receivers.push((5, RW, [0; 2]));
    pe.offer_refused(id::MEM_LEND, &both, code::DENIED);
    let others = Region::new(ECHO, RELAY, RW, &[(SECURE + 0x4_0000, 1)]);
    pe.offer_refused(id::MEM_LEND, &others, code::DENIED);
    pe.offer_refused(id::MEM_LEND, &Region { sender: RELAY, ..others }, code::DENIED);
}

#[test]
fn a_receiver_asks_for_what_it_was_sent() {
    let mut pe = ready(V1_2);
    let mut region = Region::new(0, ECHO, RO, &[(NORMAL, 1)]);
    region.receivers[0].2 = [1, 2];
    let handle = pe.offer(id::MEM_LEND, &region);
    let request = region.request(handle);
    let asking = |permissions| Region { receivers: vec![(ECHO, permissions, [1, 2])], ..request.clone() };
    let both = vec![(ECHO, RO, [1, 2]), (RELAY, RO, [1, 2])];
    let refused = [
        (Region { handle: handle + 1, ..request.clone() }, code::INVALID),
        (Region { handle: u64::MAX, ..request.clone() }, code::INVALID),
        (Region { tag: 0, ..request.clone() }, code::INVALID),
        (Region { sender: 5, ..request.clone() }, code::DENIED),
        (Region { flags: 1 << 3, ..request.clone() }, code::INVALID),
        (Region { flags: 1 << 10, ..request.clone() }, code::INVALID),
        (Region { flags: 1 << 11, ..request.clone() }, code::INVALID),
        (Region { flags: 1, ..request.clone() }, code::DENIED),
        (Region { flags: 4, ..request.clone() }, code::DENIED),
        (Region { attributes: 0x40, ..request.clone() }, code::INVALID),
        (Region { attributes: 0x2E, ..request.clone() }, code::DENIED),
        (Region { receivers: vec![(ECHO, RO, [1, 3])], ..request.clone() }, code::INVALID),
        (Region { receivers: both, ..request.clone() }, code::INVALID),
        (Region { receivers: vec![(RELAY, RO, [1, 2])], ..request.clone() }, code::INVALID),
        (Region { ranges: vec![(NORMAL, 1)], ..request.clone() }, code::INVALID),
        (asking(RW), code::DENIED),
        (asking(RO | X), code::DENIED),
        (asking(3), code::INVALID),
    ];
    run(&mut pe, ECHO);
    for (request, code) in refused {
        let call = pe.with_region(id::MEM_RETRIEVE_REQ, &request);
        pe.refused(&call, code);
    }
    run(&mut pe, RELAY);
    let call = pe.with_region(id::MEM_RETRIEVE_REQ, &request);
    pe.refused(&call, code::INVALID);
    run(&mut pe, ECHO);
    pe.retrieve(&asking(0));
    assert_eq!(pe.world.page(ECHO, Pa::normal(NORMAL)), Some((READ, Ownership::Borrowed)));
    let call = pe.with_region(id::MEM_RETRIEVE_REQ, &request);
    pe.refused(&call, code::DENIED);
}

#[test]
fn a_list_that_is_too_long_for_a_buffer_comes_and_goes_in_fragments() {
    let mut pe = ready(V1_2);
    let ranges: Vec<_> = (0..600).map(|page| (NORMAL + page * 0x2000, 1)).collect();
    let region = Region::new(0, ECHO, RW, &ranges);
    let bytes = region.to_bytes();
    let total = bytes.len() as u64;
    let mut sent = 4096;
    pe.send(&bytes[..sent]);
    pe.normal(&[id::MEM_LEND, total, sent as u64]);
    let handle = loop {
        let [function, low, high, w3, ..] = pe.low();
        if function == id::SUCCESS {
            break w3 << 32 | high;
        }
        assert_eq!((function, w3), (id::MEM_FRAG_RX, sent as u64));
        pe.refused(&Pe::reclaiming(u64::MAX, 0), code::INVALID);
        run(&mut pe, ECHO);
        let request = region.request(high << 32 | low);
        let call = pe.with_region(id::MEM_RETRIEVE_REQ, &request);
        pe.refused(&call, code::INVALID);
        leave(&mut pe);
        let next = bytes.len().min(sent + 2048);
        pe.send(&bytes[sent..next]);
        pe.refused(&[id::MEM_FRAG_TX, low, high, (next - sent) as u64, 5 << 16], code::INVALID);
        pe.normal(&[id::MEM_FRAG_TX, low, high, (next - sent) as u64]);
        sent = next;
    };
    run(&mut pe, ECHO);
    let call = pe.with_region(id::MEM_RETRIEVE_REQ, &region.request(handle));
    pe.act(&call);
    let [_, total, length, ..] = pe.low();
    let mut response = pe.received(length as usize);
    let [low, high] = [handle & 0xFFFF_FFFF, handle >> 32];
    pe.refused(&[id::MEM_FRAG_RX, low, high, length], code::BUSY);
    while (response.len() as u64) < total {
        pe.relinquish_refused(handle, 0, code::INVALID);
        pe.done(&[id::RX_RELEASE]);
        pe.refused(&[id::MEM_FRAG_RX, low, high, response.len() as u64 + 16], code::INVALID);
        let here = pe.place();
        assert_eq!(pe.act(&[id::MEM_FRAG_RX, low, high, response.len() as u64]), here);
        let [function, _, _, length, ..] = pe.low();
        assert_eq!(function, id::MEM_FRAG_TX);
        response.extend(pe.received(length as usize));
    }
    let mut expected = Region { attributes: 0x6F, flags: 2 << 3, handle, ..region };
    expected.receivers[0].1 = RW | NX;
    assert_eq!(response, expected.to_bytes());
    pe.done(&[id::RX_RELEASE]);
    pe.refused(&[id::MEM_FRAG_RX, low, high, total], code::INVALID);
    pe.relinquish(handle, 0);
    leave(&mut pe);
    pe.done(&Pe::reclaiming(handle, 0));
}

#[test]
fn half_a_transaction_is_dropped_by_its_sender() {
    let mut pe = ready(V1_2);
    let bytes = Region::new(0, ECHO, RW, &[(NORMAL, 1), (NORMAL + 0x2000, 1)]).to_bytes();
    pe.send(&bytes);
    pe.normal(&[id::MEM_LEND, bytes.len() as u64, bytes.len() as u64 - 16]);
    let [_, low, high, ..] = pe.low();
    let once_more = Region::new(0, RELAY, RW, &[(NORMAL, 1)]);
    pe.offer_refused(id::MEM_LEND, &once_more, code::DENIED);
    pe.done(&Pe::reclaiming(high << 32 | low, 0));
    pe.offer(id::MEM_LEND, &once_more);
    // A fragment that is refused ends it as well.
    pe.send(&bytes);
    pe.normal(&[id::MEM_LEND, bytes.len() as u64, bytes.len() as u64 - 16]);
    pe.expect_error(code::DENIED);
}

#[test]
fn a_transaction_too_many_has_no_memory_and_is_nobody_elses_trouble() {
    let mut pe = ready(V1_2);
    let mut handles = Vec::new();
    loop {
        let page = NORMAL + handles.len() as u64 * 0x1000;
        let call = pe.with_region(id::MEM_LEND, &Region::new(0, ECHO, RW, &[(page, 1)]));
        pe.normal(&call);
        let [function, _, low, high, ..] = pe.low();
        if function != id::SUCCESS {
            break;
        }
        handles.push(high << 32 | low);
    }
    pe.expect_error(code::NO_MEMORY);
    run(&mut pe, ECHO);
    pe.offer(id::MEM_LEND, &Region::new(ECHO, RELAY, RW, &[(SECURE, 1)]));
    leave(&mut pe);
    for handle in handles {
        pe.done(&Pe::reclaiming(handle, 0));
    }
    pe.offer(id::MEM_LEND, &Region::new(0, ECHO, RW, &[(NORMAL, 64)]));
}

#[test]
fn a_borrower_that_ends_has_given_everything_back() {
    let mut pe = ready(V1_2);
    let region = Region::new(0, ECHO, RW, &[(NORMAL, 1)]);
    let handle = pe.offer(id::MEM_LEND, &region);
    run(&mut pe, ECHO);
    pe.retrieve(&Region { flags: 4, ..region.request(handle) });
    pe.machine.write(Pa::normal(NORMAL), &[7; 8]).unwrap();
    assert_eq!(pe.fault(), Place::Normal);
    assert_eq!(pe.world.page(ECHO, Pa::normal(NORMAL)), None);
    pe.done(&Pe::reclaiming(handle, 0));
    let mut bytes = [7; 8];
    pe.machine.read(Pa::normal(NORMAL), &mut bytes).unwrap();
    assert_eq!(bytes, [0; 8], "before its owner has it");
    pe.offer_refused(id::MEM_LEND, &region, code::ABORTED);
}

#[test]
fn memory_of_an_owner_that_ends_stays_its_borrowers_until_they_give_it_back() {
    let mut pe = ready(V1_2);
    run(&mut pe, ECHO);
    let region = Region::new(ECHO, RELAY, RW, &[(SECURE, 1)]);
    let [kept, dropped] = [SECURE, SECURE + 0x1000]
        .map(|page| pe.offer(id::MEM_LEND, &Region { ranges: vec![(page, 1)], ..region.clone() }));
    run(&mut pe, RELAY);
    pe.retrieve(&region.request(kept));
    run(&mut pe, ECHO);
    pe.fault();
    let owners = |pe: &Pe, page| pe.world.page(ECHO, Pa::secure(page)).map(|(_, ownership)| ownership);
    assert_eq!(owners(&pe, SECURE), Some(Ownership::Lent));
    assert_eq!(owners(&pe, SECURE + 0x1000), Some(Ownership::Owned));
    run(&mut pe, RELAY);
    assert!(pe.world.page(RELAY, Pa::secure(SECURE)).is_some());
    let call = pe.with_region(id::MEM_RETRIEVE_REQ, &region.request(dropped));
    pe.refused(&call, code::INVALID);
    pe.relinquish(kept, 0);
    assert_eq!(owners(&pe, SECURE), Some(Ownership::Owned));
    pe.relinquish_refused(kept, 0, code::INVALID);
}

#[test]
fn a_fault_where_nothing_is_amiss_is_none() {
    let mut pe = ready(V1_2);
    run(&mut pe, ECHO);
    let here = pe.place();
    pe.frame.x = core::array::from_fn(|register| 900 + register as u64);
    let registers = pe.frame.x;
    assert_eq!((pe.touch(Pa::secure(SECURE)), pe.frame.x), (here, registers));
    let lend = Region::new(ECHO, RELAY, RW, &[(SECURE, 1)]);
    let handle = pe.offer(id::MEM_LEND, &lend);
    pe.done(&Pe::reclaiming(handle, 0));
    assert_eq!(pe.touch(Pa::secure(SECURE)), here, "once more, for its pages have changed once more");
    assert_eq!(pe.touch(Pa::secure(SECURE)), Place::Normal, "without a change it is one");
    let mut pe = ready(V1_2);
    run(&mut pe, ECHO);
    pe.offer(id::MEM_LEND, &lend);
    assert_eq!(pe.touch(Pa::secure(SECURE)), Place::Normal, "and one at a page that it has lent");
}

//! Memory transactions beside the plain ones: zeroing in pieces, alignment, hypervisors, descriptors in pages of their own.

use manager::fakes::Machine;
use manager::hardware::Memory;
use manager::memory::page::{Attributes, Ownership, Pa};
use scenarios::sharing::{NX, RO, RW, Region, X, relinquishing};
use scenarios::{ECHO, Pe, Place, RELAY, RELAY_MEMORY, Sources, V1_0, V1_2, VERSIONS, World, code, id, pair};

use crate::sharing::{NORMAL, SECURE, leave, ready, run};

/// The last bytes of a page are not zero.
fn fill(pe: &mut Pe, page: u64) {
    pe.machine.write(Pa::normal(page + 0xFF8), &[7; 8]).unwrap();
}

fn is_zero(pe: &mut Pe, page: u64) -> bool {
    let mut bytes = [7; 8];
    pe.machine.read(Pa::normal(page + 0xFF8), &mut bytes).unwrap();
    bytes == [0; 8]
}

/// A descriptor that says nothing.
fn nothing(version: u64) -> Region {
    Region { version, tag: 0, receivers: Vec::new(), ..Region::new(0, 0, 0, &[]) }
}

#[test]
fn a_sender_that_wants_memory_zeroed_need_not_rely_on_its_receiver() {
    let mut pe = ready(V1_2);
    let region = Region { flags: 1, ..Region::new(0, ECHO, RW, &[(NORMAL, 1)]) };
    let handle = pe.offer(id::MEM_LEND, &region);
    fill(&mut pe, NORMAL);
    run(&mut pe, ECHO);
    pe.retrieve(&region.request(handle));
    assert!(is_zero(&mut pe, NORMAL));
    // Once: what its receiver writes is the receiver's.
    fill(&mut pe, NORMAL);
    pe.relinquish(handle, 0);
    let call = pe.with_region(id::MEM_RETRIEVE_REQ, &Region { flags: 1, ..region.request(handle) });
    pe.refused(&call, code::INVALID);
    pe.retrieve(&region.request(handle));
    assert!(!is_zero(&mut pe, NORMAL));
}

#[test]
fn much_memory_is_zeroed_in_pieces_of_64_kb() {
    let mut pe = ready(V1_2);
    // 16 pages in a piece, across ranges.
    let ranges = [(NORMAL, 10), (NORMAL + 0x10_0000, 7), (NORMAL + 0x20_0000, 31)];
    let lasts = ranges.map(|(start, pages)| start + (u64::from(pages) - 1) * 0x1000);
    let region = Region { flags: 1, ..Region::new(0, ECHO, RW, &ranges) };
    let handle = pe.offer(id::MEM_LEND, &region);
    let all_zero = |pe: &mut Pe| lasts.into_iter().all(|page| is_zero(pe, page));
    lasts.into_iter().for_each(|page| fill(&mut pe, page));
    run(&mut pe, ECHO);
    pe.retrieve(&region.request(handle));
    assert_eq!((all_zero(&mut pe), core::mem::take(&mut pe.repeats)), (true, 2));
    lasts.into_iter().for_each(|page| fill(&mut pe, page));
    pe.relinquish(handle, 1);
    assert_eq!((all_zero(&mut pe), core::mem::take(&mut pe.repeats)), (true, 2));
    leave(&mut pe);
    lasts.into_iter().for_each(|page| fill(&mut pe, page));
    pe.done(&Pe::reclaiming(handle, 1));
    assert_eq!((all_zero(&mut pe), pe.repeats), (true, 0), "the Normal world's in one go");
}

#[test]
fn an_interrupt_comes_between_pieces_and_the_call_goes_on_behind_it() {
    let mut pe = ready(V1_2);
    let region = Region { flags: 1, ..Region::new(0, ECHO, RW, &[(NORMAL, 64)]) };
    let handle = pe.offer(id::MEM_LEND, &region);
    fill(&mut pe, NORMAL + 63 * 0x1000);
    run(&mut pe, ECHO);
    pe.interrupt_at_repeat = Some(2);
    let call = pe.with_region(id::MEM_RETRIEVE_REQ, &region.request(handle));
    assert_eq!(pe.act(&call), Place::Normal);
    assert_eq!((pe.repeats, pe.world.page(ECHO, Pa::normal(NORMAL))), (2, None));
    // Others are not told that it is under way, and nothing is lost by what they do.
    pe.done(&Pe::reclaiming(handle, 0));
    assert_eq!(pe.normal(&[id::RUN, pair(ECHO, 0)]), Place::Partition((ECHO, 0)));
    let registers = pe.low();
    assert_eq!(registers[..3], call, "it makes the call again");
    pe.refused(&registers, code::INVALID);
}

#[test]
fn memory_of_several_is_zeroed_when_the_last_gives_it_back() {
    let mut pe = ready(V1_2);
    let mut region = Region::new(0, ECHO, RW, &[(NORMAL, 1)]).shared();
    region.receivers.push((RELAY, RW, [0; 2]));
    let handle = pe.offer(id::MEM_LEND, &region);
    for partition in [ECHO, RELAY] {
        run(&mut pe, partition);
        pe.retrieve(&region.request(handle));
    }
    fill(&mut pe, NORMAL);
    run(&mut pe, ECHO);
    pe.relinquish(handle, 1);
    assert!(!is_zero(&mut pe, NORMAL), "another one uses it");
    run(&mut pe, RELAY);
    pe.relinquish(handle, 0);
    assert!(is_zero(&mut pe, NORMAL));
}

#[test]
fn a_receiver_may_ask_how_memory_is_aligned() {
    let mut pe = ready(V1_2);
    // Aligned to 16 KB.
    let region = Region::new(0, ECHO, RW, &[(NORMAL, 1), (NORMAL + 0x4000, 1)]);
    let handle = pe.offer(id::MEM_LEND, &region);
    run(&mut pe, ECHO);
    let hint = |n: u32| n << 5;
    let valid = 1 << 9;
    for (flags, code) in [
        (hint(1), code::INVALID),
        (hint(15), code::INVALID),
        (valid | hint(3), code::DENIED),
        (valid | hint(15), code::DENIED),
    ] {
        let call = pe.with_region(id::MEM_RETRIEVE_REQ, &Region { flags, ..region.request(handle) });
        pe.refused(&call, code);
    }
    for n in 0..=2 {
        pe.retrieve(&Region { flags: valid | hint(n), ..region.request(handle) });
        pe.relinquish(handle, 0);
    }
}

#[test]
fn a_hypervisor_is_shown_what_a_vm_has_sent() {
    for version in VERSIONS {
        let mut pe = ready(version);
        let ranges: Vec<_> = (0..300).map(|page| (NORMAL + page * 0x2000, 1)).collect();
        let mut region = Region { version, ..Region::new(7, ECHO, RO, &ranges).shared() };
        region.receivers.extend([(RELAY, RW, [0; 2]), (9, RO, [0; 2])]);
        let bytes = region.to_bytes();
        pe.send(&bytes[..4096]);
        pe.normal(&[id::MEM_SHARE, bytes.len() as u64, 4096]);
        let [_, low, high, ..] = pe.low();
        let request = Region { handle: high << 32 | low, ..nothing(version) };
        let call = pe.with_region(id::MEM_RETRIEVE_REQ, &request);
        pe.refused(&call, code::INVALID);
        pe.send(&bytes[4096..]);
        let rest = (bytes.len() - 4096) as u64;
        pe.refused(&[id::MEM_FRAG_TX, low, high, rest], code::INVALID);
        pe.done(&[id::MEM_FRAG_TX, low, high, rest, 7 << 16]);

        let call = pe.with_region(id::MEM_RETRIEVE_REQ, &request);
        pe.normal(&call);
        let [function, total, length, ..] = pe.low();
        assert_eq!((function, length), (id::MEM_RETRIEVE_RESP, 4096));
        let mut response = pe.received(length as usize);
        let more = |at| [id::MEM_FRAG_RX, low, high, at, 7 << 16];
        pe.refused(&more(length), code::BUSY);
        pe.done(&[id::RX_RELEASE]);
        pe.refused(&[id::MEM_FRAG_RX, low, high, length], code::INVALID);
        pe.refused(&more(length - 16), code::INVALID);
        pe.normal(&more(length));
        let [function, _, _, rest, sender, ..] = pe.low();
        assert_eq!((function, rest + length, sender), (id::MEM_FRAG_TX, total, 7 << 16));
        response.extend(pe.received(rest as usize));
        let expected = Region { flags: 1 << 3, handle: request.handle, ..region.clone() };
        assert_eq!(response, expected.to_bytes());
        pe.done(&[id::RX_RELEASE]);
        pe.refused(&more(total), code::INVALID);

        for odd in [
            Region { tag: 1, ..request.clone() },
            Region { sender: 7, ..request.clone() },
            Region { flags: 1, ..request.clone() },
            Region { attributes: 0x2F, ..request.clone() },
            Region { handle: request.handle + 1, ..request.clone() },
        ] {
            let call = pe.with_region(id::MEM_RETRIEVE_REQ, &odd);
            pe.refused(&call, code::INVALID);
        }
        // It has retrieved nothing by that.
        pe.done(&Pe::reclaiming(request.handle, 0));
    }
}

#[test]
fn a_hypervisor_is_not_shown_what_partitions_send() {
    let mut pe = ready(V1_2);
    run(&mut pe, ECHO);
    let handle = pe.offer(id::MEM_LEND, &Region::new(ECHO, RELAY, RW, &[(SECURE, 1)]));
    leave(&mut pe);
    let call = pe.with_region(id::MEM_RETRIEVE_REQ, &Region { handle, ..nothing(V1_2) });
    pe.refused(&call, code::INVALID);
}

#[test]
fn a_descriptor_may_lie_in_pages_of_its_own() {
    let mut pe = ready(V1_2);
    for (sender, receiver, memory) in [(0, ECHO, NORMAL), (ECHO, RELAY, SECURE)] {
        if sender != 0 {
            run(&mut pe, sender);
        }
        let own = memory + 0x8000;
        let pa = if sender == 0 { Pa::normal(own) } else { Pa::secure(own) };
        let ranges: Vec<_> = (0..2).map(|page| (memory + page * 0x2000, 1)).collect();
        let region = Region::new(sender, receiver, RW, &ranges);
        let write = |pe: &mut Pe, region: &Region| {
            pe.machine.write(pa, &region.to_bytes()).unwrap();
            region.to_bytes().len() as u64
        };
        let length = write(&mut pe, &region);
        let call = |pages| [id::MEM_LEND, length, length, own, pages];
        pe.refused(&call(0), code::INVALID);
        pe.refused(&[id::MEM_LEND, length, length, own + 8, 1], code::INVALID);
        pe.refused(&[id::MEM_LEND, length, length, 0x1000, 1], code::DENIED);
        // It is there as a whole, and nobody else's.
        pe.refused(&[id::MEM_LEND, length, length - 16, own, 1], code::INVALID);
        pe.refused(&[id::MEM_LEND, 0x1001, 0x1001, own, 1], code::INVALID);
        let [_, _, low, high, ..] = pe.done(&call(1));
        let handle = high << 32 | low;
        pe.done(&Pe::reclaiming(handle, 0));
        // It cannot send itself, and is its owner's alone again afterwards.
        let itself = Region { ranges: vec![(own, 1)], ..region.clone() };
        let length = write(&mut pe, &itself);
        pe.refused(&[id::MEM_LEND, length, length, own, 1], code::DENIED);
        let handle = pe.offer(id::MEM_LEND, &itself);
        pe.refused(&[id::MEM_LEND, length, length, own, 1], code::DENIED);
        run(&mut pe, receiver);
        let there = if receiver == ECHO { SECURE } else { RELAY_MEMORY + 0x3_0000 };
        pe.machine.write(Pa::secure(there), &itself.request(handle).to_bytes()).unwrap();
        let length = itself.request(handle).to_bytes().len() as u64;
        let here = pe.place();
        assert_eq!(pe.act(&[id::MEM_RETRIEVE_REQ, length, length, there, 1]), here);
        assert_eq!(pe.low()[0], id::MEM_RETRIEVE_RESP);
        pe.done(&[id::RX_RELEASE]);
        pe.relinquish(handle, 0);
        if sender == 0 {
            leave(&mut pe)
        } else {
            run(&mut pe, sender)
        }
        pe.done(&Pe::reclaiming(handle, 0));
        if sender != 0 {
            leave(&mut pe);
        }
    }
}

#[test]
fn a_receiver_among_several_need_not_name_the_others() {
    const BYPASS: u32 = 1 << 10;
    let mut pe = ready(V1_2);
    let mut region = Region::new(0, ECHO, RW, &[(NORMAL, 1)]).shared();
    region.receivers.push((RELAY, RO, [0; 2]));
    let handle = pe.offer(id::MEM_SHARE, &region);
    let own = |receiver, permissions, flags| Region {
        flags,
        receivers: vec![(receiver, permissions, [0; 2])],
        ..region.request(handle)
    };
    run(&mut pe, ECHO);
    for (request, code) in [
        (own(ECHO, RW, 0), code::INVALID),
        (own(RELAY, RO, BYPASS), code::INVALID),
        (Region { flags: BYPASS, ..region.request(handle) }, code::INVALID),
    ] {
        let call = pe.with_region(id::MEM_RETRIEVE_REQ, &request);
        pe.refused(&call, code);
    }
    pe.retrieve(&own(ECHO, RW, BYPASS));
    run(&mut pe, RELAY);
    let call = pe.with_region(id::MEM_RETRIEVE_REQ, &own(RELAY, RW, BYPASS));
    pe.refused(&call, code::DENIED);
    pe.retrieve(&own(RELAY, RO, BYPASS));
    pe.relinquish(handle, 0);
    leave(&mut pe);
    pe.refused(&Pe::reclaiming(handle, 0), code::DENIED);
}

#[test]
fn a_retrieve_request_is_there_as_a_whole() {
    let mut pe = ready(V1_2);
    let region = Region::new(0, ECHO, RW, &[(NORMAL, 1)]);
    let handle = pe.offer(id::MEM_LEND, &region);
    run(&mut pe, ECHO);
    let [function, length, _] = pe.with_region(id::MEM_RETRIEVE_REQ, &region.request(handle));
    for (total, here) in [(length + 16, length), (length, length - 16), (length, 0), (8, 8), (0x1001, 0x1001)]
    {
        pe.refused(&[function, total, here], code::INVALID);
    }
    pe.retrieve(&region.request(handle));
}

#[test]
fn a_half_sent_transaction_dies_with_its_sender() {
    let mut pe = ready(V1_2);
    run(&mut pe, ECHO);
    let region = Region::new(ECHO, RELAY, RW, &[(SECURE, 1), (SECURE + 0x2000, 1)]);
    let bytes = region.to_bytes();
    pe.send(&bytes);
    pe.call(&[id::MEM_LEND, bytes.len() as u64, bytes.len() as u64 - 16]);
    let [_, low, high, ..] = pe.low();
    let state = |pe: &Pe| pe.world.page(ECHO, Pa::secure(SECURE)).map(|(_, ownership)| ownership);
    assert_eq!(state(&pe), Some(Ownership::Shared), "its sender keeps its access until all has arrived");
    pe.fault();
    assert_eq!(state(&pe), Some(Ownership::Owned));
    run(&mut pe, RELAY);
    let call = pe.with_region(id::MEM_RETRIEVE_REQ, &region.request(high << 32 | low));
    pe.refused(&call, code::INVALID);
}

#[test]
fn a_receiver_of_ff_a_1_0_is_told_whose_memory_it_is_when_it_says_that_it_knows() {
    const KNOWS_NS_BIT: u64 = 1 << 1;
    let mut pe = ready(V1_0);
    let mut region = Region::new(0, ECHO, RW, &[(NORMAL, 1)]).shared();
    region.version = V1_0;
    for (says, properties, attributes) in [(false, 1, 0x2F), (true, 3, 0x6F)] {
        let handle = pe.offer(id::MEM_SHARE, &region);
        run(&mut pe, ECHO);
        if says {
            assert_eq!(pe.done(&[id::FEATURES, id::MEM_RETRIEVE_REQ, KNOWS_NS_BIT])[2], properties);
        }
        assert_eq!(pe.done(&[id::FEATURES, id::MEM_RETRIEVE_REQ])[2], properties);
        assert_eq!(pe.retrieve(&region.request(handle))[2], attributes);
        pe.relinquish(handle, 0);
        leave(&mut pe);
        pe.done(&Pe::reclaiming(handle, 0));
    }
}

#[test]
fn endpoints_of_different_versions_share_memory() {
    for (senders, receivers) in VERSIONS.into_iter().flat_map(|one| VERSIONS.map(|other| (one, other))) {
        let mut sources = Sources::speaking(senders);
        Sources::set_version(&mut sources.relay, receivers);
        let mut pe = World::of(&sources).booted_pe(0);
        for partition in [ECHO, RELAY] {
            run(&mut pe, partition);
            pe.map(1);
            leave(&mut pe);
        }
        run(&mut pe, ECHO);
        let region = Region { version: senders, ..Region::new(ECHO, RELAY, RW, &[(SECURE, 2)]) };
        let handle = pe.offer(id::MEM_LEND, &region);
        run(&mut pe, RELAY);
        let region = Region { version: receivers, ..region };
        let response = pe.retrieve(&region.request(handle));
        let mut expected = Region { attributes: 0x2F, flags: 2 << 3, handle, ..region };
        expected.receivers[0].1 = RW | NX;
        assert_eq!(response, expected.to_bytes(), "{senders:#x} to {receivers:#x}");
    }
}

#[test]
fn device_memory_is_lent_to_one_borrower() {
    const UART: u64 = 0x900_0000;
    let mut pe = ready(V1_2);
    let lend = Region::new(0, ECHO, RW, &[(UART, 1)]);
    let several =
        Region { attributes: 0x2F, receivers: vec![(ECHO, RW, [0; 2]), (RELAY, RW, [0; 2])], ..lend.clone() };
    let donate = Region { receivers: vec![(ECHO, 0, [0; 2])], ..lend.clone() };
    let mixed = Region { ranges: vec![(UART, 1), (NORMAL, 1)], ..lend.clone() };
    for (function, region) in [
        (id::MEM_SHARE, lend.clone().shared()),
        (id::MEM_DONATE, donate),
        (id::MEM_LEND, several),
        (id::MEM_LEND, mixed),
        (id::MEM_LEND, Region { flags: 1, ..lend.clone() }),
    ] {
        pe.offer_refused(function, &region, code::DENIED);
    }
    let handle = pe.offer(id::MEM_LEND, &lend);
    run(&mut pe, ECHO);
    let request = lend.request(handle);
    for request in [
        Region { attributes: 0x2F, ..request.clone() },
        Region { receivers: vec![(ECHO, RW | X, [0; 2])], ..request.clone() },
    ] {
        let call = pe.with_region(id::MEM_RETRIEVE_REQ, &request);
        pe.refused(&call, code::DENIED);
    }
    let response = pe.retrieve(&Region { attributes: 0x10, ..request });
    let mut expected = Region { attributes: 0x50, flags: 2 << 3, handle, ..lend };
    expected.receivers[0].1 = RW | NX;
    assert_eq!(response, expected.to_bytes());
    let device = Attributes::READ | Attributes::WRITE | Attributes::DEVICE;
    assert_eq!(pe.world.page(ECHO, Pa::normal(UART)), Some((device, Ownership::Borrowed)));
    pe.relinquish(handle, 0);
}

#[test]
fn a_descriptor_that_cannot_be_read_is_aborted() {
    let mut pe = ready(V1_2);
    let region = Region::new(0, ECHO, RW, &[(NORMAL, 1)]);
    let call = pe.with_region(id::MEM_LEND, &region);
    // A machine whose memory faults.
    let whole = core::mem::replace(&mut pe.machine, Machine::new(&[]));
    pe.refused(&call, code::ABORTED);
    pe.machine = whole;
    pe.offer(id::MEM_LEND, &region);
}

/// The call is paused, and is resumed until it is done; how often it was paused. The answer is in the frame.
fn resume_to_the_end(pe: &mut Pe, handle: u64) -> u32 {
    let [low, high] = [handle & 0xFFFF_FFFF, handle >> 32];
    let mut pauses = 0;
    while pe.low() == [id::MEM_OP_PAUSE, low, high, 0, 0, 0, 0, 0] {
        pauses += 1;
        let here = pe.place();
        assert_eq!(pe.act(&[id::MEM_OP_RESUME, low, high]), here);
    }
    pauses
}

#[test]
fn what_takes_long_is_paused_where_its_caller_allows_that() {
    const SLICED: u32 = 1 << 1;
    let mut pe = ready(V1_2);
    let region = Region { flags: 1, ..Region::new(0, ECHO, RW, &[(NORMAL, 40)]) };
    let handle = pe.offer(id::MEM_LEND, &region);
    let resume = [id::MEM_OP_RESUME, handle & 0xFFFF_FFFF, handle >> 32];
    let last = NORMAL + 39 * 0x1000;
    fill(&mut pe, last);
    pe.refused(&resume, code::INVALID);
    run(&mut pe, ECHO);
    pe.refused(&resume, code::INVALID);
    let request = Region { flags: SLICED, ..region.request(handle) };
    let call = pe.with_region(id::MEM_RETRIEVE_REQ, &request);
    pe.act(&call);
    assert_eq!(pe.world.page(ECHO, Pa::normal(NORMAL)), None, "while it is paused nothing is mapped");
    pe.relinquish_refused(handle, 0, code::INVALID);
    // It may ask anew meanwhile.
    let call = pe.with_region(id::MEM_RETRIEVE_REQ, &request);
    pe.act(&call);
    assert_eq!(resume_to_the_end(&mut pe, handle), 1);
    assert_eq!((pe.low()[0], is_zero(&mut pe, last)), (id::MEM_RETRIEVE_RESP, true));
    pe.done(&[id::RX_RELEASE]);
    pe.refused(&resume, code::INVALID);
    fill(&mut pe, last);
    pe.send(&relinquishing(handle, 1 | SLICED, ECHO));
    pe.act(&[id::MEM_RELINQUISH]);
    assert_eq!(pe.world.page(ECHO, Pa::normal(NORMAL)), None);
    assert_eq!(resume_to_the_end(&mut pe, handle), 2);
    assert_eq!((pe.low()[0], is_zero(&mut pe, last)), (id::SUCCESS, true));
    pe.refused(&resume, code::INVALID);
    leave(&mut pe);
    fill(&mut pe, last);
    pe.normal(&Pe::reclaiming(handle, 1 | u64::from(SLICED)));
    assert_eq!(resume_to_the_end(&mut pe, handle), 2);
    assert_eq!((pe.low()[0], is_zero(&mut pe, last)), (id::SUCCESS, true));
    pe.refused(&resume, code::INVALID);
    assert_eq!(pe.repeats, 0, "no call was made again unseen");
}

#[test]
fn what_is_paused_is_another_ones_as_soon_as_it_is_had_back() {
    let mut pe = ready(V1_2);
    let region = Region { flags: 1, ..Region::new(0, ECHO, RW, &[(NORMAL, 40)]) };
    let handle = pe.offer(id::MEM_LEND, &region);
    run(&mut pe, ECHO);
    let call = pe.with_region(id::MEM_RETRIEVE_REQ, &Region { flags: 2, ..region.request(handle) });
    pe.act(&call);
    assert_eq!(pe.low()[0], id::MEM_OP_PAUSE);
    leave(&mut pe);
    pe.done(&Pe::reclaiming(handle, 0));
    run(&mut pe, ECHO);
    pe.refused(&[id::MEM_OP_RESUME, handle & 0xFFFF_FFFF, handle >> 32], code::INVALID);
}

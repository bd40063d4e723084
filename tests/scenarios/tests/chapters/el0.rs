//! Partitions at S-EL0: messages, interrupts, notifications and memory, by SVC and without virtual interrupts.

use manager::endpoint::CpuId;
use manager::exit::Conduit;
use manager::hardware::Tag;
use manager::memory::page::{Attributes, Ownership, Pa};
use scenarios::notifications::{FRAMEWORK, SENT, bind, set};
use scenarios::sharing::{RO, RW, Region};
use scenarios::{
    ECHO, PARTITION_MEMORY, Pe, Place, RELAY, RELAY_MEMORY, Sources, V1_2, WRITABLE_AT_EL0, World, code,
    hypercall, id, pair,
};

use super::direct::{IN_ECHO, IN_RELAY};
use super::interrupts::{IN_THIRD, OTHERS, OWN, comes, expect_handled, with_devices};
use super::sharing::{NORMAL, leave, run};

const READ: Attributes = Attributes::READ;
const READ_WRITE: Attributes = Attributes::READ.union(Attributes::WRITE);
fn sources() -> Sources {
    let mut sources = Sources::talking(V1_2);
    sources.relay_at_el0();
    sources
}

/// In the Normal world; it, `echo` and `relay` have buffers.
fn ready() -> Pe {
    let mut pe = World::of(&sources()).booted_pe(0);
    pe.conduit = Conduit::Svc;
    pe.ready_to_share(V1_2)
}

/// As [`interrupts::booted`](super::interrupts::booted), with `relay` at S-EL0.
fn with_interrupts() -> Pe {
    let mut sources = with_devices();
    sources.relay_at_el0();
    let mut pe = World::of(&sources).pe(0);
    let mut place = pe.turn_on();
    while let Place::Partition((partition, _)) = place {
        // It cannot say which interrupts it lets through.
        if partition != RELAY {
            pe.enable_devices();
        }
        place = pe.call(&[id::MSG_WAIT]);
    }
    pe.conduit = Conduit::Svc;
    pe
}

#[test]
fn a_partition_at_s_el0_answers_on_any_pe() {
    let world = World::of(&sources());
    for index in [0, 1] {
        let mut pe = world.booted_pe(index);
        pe.conduit = Conduit::Svc;
        for (request, response) in [(id::REQUEST, id::RESPONSE), (id::REQUEST2, id::RESPONSE2)] {
            let words: [u64; 3] = [request, pair(0, RELAY), 0];
            assert_eq!(pe.normal(&words), IN_RELAY);
            assert_eq!(pe.low()[..2], words[..2]);
            assert_eq!(pe.call(&[response, pair(RELAY, 0)]), Place::Normal);
            assert_eq!(pe.low()[0], response);
        }
        assert_eq!(pe.index(), u64::from(CpuId::new(index).get()));
    }
}

#[test]
fn it_asks_others_and_runs_whom_it_asked() {
    let mut pe = ready();
    run(&mut pe, RELAY);
    assert_eq!(pe.call(&[id::REQUEST, pair(RELAY, ECHO)]), IN_ECHO);
    assert_eq!(pe.call(&[id::YIELD]), IN_RELAY);
    assert_eq!(pe.call(&[id::RUN, pair(ECHO, 0)]), IN_ECHO);
    assert_eq!(pe.call(&[id::RESPONSE, pair(ECHO, RELAY)]), IN_RELAY);
    leave(&mut pe);
}

#[test]
fn what_is_not_of_ff_a_ends_at_the_spmc() {
    let mut sources = sources();
    Sources::change(
        &mut sources.spmc,
        "debug_name = \"relay\";",
        "debug_name = \"relay\"; smc_whitelist_permissive;",
    );
    let mut pe = World::of(&sources).booted_pe(0);
    pe.conduit = Conduit::Svc;
    run(&mut pe, RELAY);
    // SMCs of EL3 and of a vendor, and hypercalls.
    for function in [0x8000_0000, 0xC200_0001, hypercall::GET, hypercall::ENABLE] {
        assert_eq!(pe.call(&[function, 3, 1]), IN_RELAY);
        assert_eq!(pe.low()[0], u64::MAX, "{function:#x}");
    }
    assert_eq!(pe.machine.monitor_calls(), [[0; 18]; 0]);
}

#[test]
fn wfi_gives_the_pe_back_whatever_its_manifest_says() {
    let mut pe = ready();
    run(&mut pe, RELAY);
    assert_eq!(pe.idle(), Place::Normal);
    assert_eq!(pe.low()[..4], [id::YIELD, pair(RELAY, 0), 0, 0]);
    assert_eq!(pe.normal(&[id::RUN, pair(RELAY, 0)]), IN_RELAY);
}

#[test]
fn it_takes_an_interrupt_by_being_told_of_it() {
    let mut pe = with_interrupts();
    for _ in 0..2 {
        assert_eq!(comes(&mut pe, OWN), IN_RELAY);
        assert_eq!(pe.low(), [id::INTERRUPT, 0, OWN.into(), 0, 0, 0, 0, 0]);
        assert_eq!(pe.machine.active(), [OWN], "a level does not come again while it is at work");
        assert_eq!(pe.call(&[id::MSG_WAIT]), Place::Normal);
        assert_eq!(pe.low()[0], id::NORMAL_WORLD_RESUME);
        expect_handled(&pe);
    }
}

#[test]
fn an_interrupt_at_work_is_told_when_it_ends_that() {
    for (start, end) in [
        ([id::RUN, pair(RELAY, 0)], [id::MSG_WAIT, 0]),
        ([id::REQUEST, pair(0, RELAY)], [id::RESPONSE, pair(RELAY, 0)]),
        ([id::REQUEST2, pair(0, RELAY)], [id::RESPONSE2, pair(RELAY, 0)]),
    ] {
        let mut pe = with_interrupts();
        assert_eq!(pe.normal(&start), IN_RELAY);
        assert_eq!(comes(&mut pe, OWN), IN_RELAY, "nothing stops it");
        assert_eq!(pe.call(&end), IN_RELAY);
        assert_eq!(pe.low(), [id::INTERRUPT, 0, OWN.into(), 0, 0, 0, 0, 0]);
        assert_eq!(pe.machine.active(), [OWN]);
        assert_eq!(pe.call(&end), Place::Normal);
        assert_eq!(pe.low()[0], end[0]);
        expect_handled(&pe);
    }
}

#[test]
fn an_interrupt_of_one_that_is_blocked_waits_until_it_waits() {
    let mut pe = with_interrupts();
    run(&mut pe, RELAY);
    assert_eq!(pe.call(&[id::REQUEST, pair(RELAY, ECHO)]), IN_ECHO);
    assert_eq!(comes(&mut pe, OWN), IN_ECHO, "it could not say what it was for");
    assert_eq!(pe.call(&[id::RESPONSE, pair(ECHO, RELAY)]), IN_RELAY);
    assert_eq!(pe.low()[0], id::RESPONSE);
    assert_eq!(pe.call(&[id::MSG_WAIT]), IN_RELAY);
    assert_eq!(pe.low(), [id::INTERRUPT, 0, OWN.into(), 0, 0, 0, 0, 0]);
    leave(&mut pe);
    expect_handled(&pe);
}

#[test]
fn an_interrupt_of_one_that_is_preempted_waits_until_it_waits() {
    let mut pe = with_interrupts();
    run(&mut pe, RELAY);
    assert_eq!(pe.come(), Place::Normal);
    assert_eq!(pe.low()[..2], [id::INTERRUPT, pair(RELAY, 0)]);
    assert_eq!(comes(&mut pe, OWN), Place::Normal);
    assert_eq!(pe.normal(&[id::RUN, pair(RELAY, 0)]), IN_RELAY);
    assert_eq!(pe.call(&[id::MSG_WAIT]), IN_RELAY);
    assert_eq!(pe.low()[2], OWN.into());
    leave(&mut pe);
    expect_handled(&pe);
}

#[test]
fn interrupts_of_others_displace_it() {
    let mut pe = with_interrupts();
    run(&mut pe, RELAY);
    assert_eq!(comes(&mut pe, OTHERS), IN_THIRD);
    pe.handle(OTHERS.into());
    assert_eq!(pe.call(&[id::MSG_WAIT]), IN_RELAY);
    leave(&mut pe);
    expect_handled(&pe);
}

#[test]
fn notifications_are_polled() {
    const NPI: u64 = 1;
    let mut pe = ready();
    pe.done(&[id::BITMAP_CREATE, 0, 1]);
    run(&mut pe, RELAY);
    pe.refused(&[id::FEATURES, NPI], code::NOT_SUPPORTED);
    pe.done(&bind(0, RELAY, 0, 0b101));
    leave(&mut pe);
    pe.done(&set(0, RELAY, 0, 0b100));
    assert_eq!(pe.told(), [[RELAY]]);
    run(&mut pe, RELAY);
    assert!(pe.lines().is_empty());
    assert_eq!(pe.take_notifications(SENT), [0, 0b100, 0, 0]);
    leave(&mut pe);
    // A message is one, too.
    pe.post(RELAY, b"there");
    run(&mut pe, RELAY);
    assert_eq!(pe.take_notifications(FRAMEWORK)[2..], [0, 1], "of the Normal world's buffer");
    pe.done(&[id::RX_RELEASE]);
    leave(&mut pe);
}

#[test]
fn its_memory_is_readable_and_executable_and_what_its_manifest_says() {
    let world = World::of(&sources());
    assert_eq!(
        world.page(RELAY, Pa::secure(RELAY_MEMORY)),
        Some((READ | Attributes::EXECUTE, Ownership::Owned))
    );
    assert_eq!(world.page(RELAY, Pa::secure(WRITABLE_AT_EL0)), Some((READ_WRITE, Ownership::Owned)));
    assert_eq!(world.page(RELAY, Pa::secure(RELAY_MEMORY - 0x1000)), None);
}

#[test]
fn it_lends_and_borrows_memory_of_both_worlds() {
    let own = WRITABLE_AT_EL0 + 0x2_0000;
    let mut pe = ready();
    run(&mut pe, RELAY);
    let _ = pe.machine.take_invalidated();
    let region = Region::new(RELAY, ECHO, RW, &[(own, 3)]);
    let handle = pe.offer(id::MEM_LEND, &region);
    let forgotten = pe.machine.take_invalidated();
    assert!(forgotten.iter().any(|(whose, range)| *whose == Tag::Asid(2) && range.start() == own));
    assert_eq!(pe.world.page(RELAY, Pa::secure(own)), Some((READ_WRITE, Ownership::Lent)));
    run(&mut pe, ECHO);
    pe.retrieve(&region.request(handle));
    pe.relinquish(handle, 0);
    run(&mut pe, RELAY);
    pe.done(&Pe::reclaiming(handle, 0));
    assert_eq!(pe.world.page(RELAY, Pa::secure(own)), Some((READ_WRITE, Ownership::Owned)));
    // What it may only execute it cannot let others write.
    let code = Region::new(RELAY, ECHO, RW, &[(RELAY_MEMORY, 1)]);
    pe.offer_refused(id::MEM_LEND, &code, code::DENIED);
    leave(&mut pe);

    let mut region = Region::new(0, RELAY, RW, &[(NORMAL, 2)]).shared();
    let handle = pe.offer(id::MEM_SHARE, &region);
    run(&mut pe, RELAY);
    region.receivers[0].1 = RO;
    pe.retrieve(&region.request(handle));
    assert_eq!(pe.world.page(RELAY, Pa::normal(NORMAL)), Some((READ, Ownership::Borrowed)));
    pe.relinquish(handle, 0);
    assert_eq!(pe.world.page(RELAY, Pa::normal(NORMAL)), None);
    leave(&mut pe);
    pe.done(&Pe::reclaiming(handle, 0));
}

#[test]
fn what_the_normal_world_has_donated_to_it_it_lends() {
    let mut pe = ready();
    let handle = pe.offer(id::MEM_DONATE, &Region::new(0, RELAY, 0, &[(NORMAL, 1)]));
    run(&mut pe, RELAY);
    pe.retrieve(&Region::new(0, RELAY, 0, &[]).request(handle));
    let region = Region::new(RELAY, ECHO, RW, &[(NORMAL, 1)]);
    let handle = pe.offer(id::MEM_LEND, &region);
    run(&mut pe, ECHO);
    pe.retrieve(&region.request(handle));
    assert_eq!(pe.world.page(ECHO, Pa::normal(NORMAL)), Some((READ_WRITE, Ownership::Borrowed)));
    assert_eq!(pe.world.page(ECHO, Pa::secure(NORMAL)), None);
}

#[test]
fn its_buffers_may_be_what_the_normal_world_has_donated_to_it() {
    let mut pe = ready();
    let handle = pe.offer(id::MEM_DONATE, &Region::new(0, RELAY, 0, &[(NORMAL, 2)]));
    run(&mut pe, RELAY);
    pe.retrieve(&Region::new(0, RELAY, 0, &[]).request(handle));
    pe.done(&[id::RXTX_UNMAP]);
    // Either may lie in either world's memory.
    for pair in [(NORMAL, NORMAL + 0x1000), (NORMAL, WRITABLE_AT_EL0), (WRITABLE_AT_EL0, NORMAL)] {
        pe.done(&[id::RXTX_MAP, pair.0, pair.1, 1]);
        pe.done(&[id::RXTX_UNMAP]);
    }
    // What was not donated is not its own.
    pe.refused(&[id::RXTX_MAP, NORMAL, NORMAL + 0x2000, 1], code::DENIED);
}

#[test]
fn a_fault_at_s_el0_ends_it_and_nobody_else() {
    let mut pe = ready();
    pe.normal(&[id::REQUEST, pair(0, RELAY)]);
    pe.fault();
    pe.expect_aborted();
    assert_eq!(pe.normal(&[id::REQUEST, pair(0, ECHO)]), IN_ECHO);
}

#[test]
fn a_fault_where_its_pages_have_changed_meanwhile_is_none() {
    let mut pe = ready();
    let at = WRITABLE_AT_EL0 + 0x2_0000;
    run(&mut pe, RELAY);
    assert_eq!(pe.touch(Pa::secure(at)), IN_RELAY, "it has access");
    let region = Region::new(RELAY, ECHO, RW, &[(at, 1)]);
    pe.offer(id::MEM_LEND, &region);
    assert_eq!(pe.touch(Pa::secure(at)), Place::Normal, "it has none");
}

#[test]
fn it_sees_nothing_but_its_own() {
    let world = World::of(&sources());
    let [root, same] = world.roots(RELAY);
    assert_eq!(root, same, "one tree for both worlds");
    let mut pages = Vec::new();
    scenarios::ownership::walk::each_page(&world, root, &mut |page| pages.push(page));
    let own = |page: &u64| (RELAY_MEMORY..RELAY_MEMORY + PARTITION_MEMORY).contains(page);
    assert!(pages.iter().all(own), "{pages:x?}");
    assert_eq!(pages.len() as u64 * 0x1000, PARTITION_MEMORY);
}

//! Indirect messages, from the sender's TX buffer to the receiver's RX buffer: FFA_MSG_SEND2, FFA_RX_RELEASE and
//! FFA_RX_ACQUIRE.

use scenarios::messages::HEADER;
use scenarios::notifications::{DELAY, FRAMEWORK};
use scenarios::{ECHO, Pe, Place, RELAY, Sources, V1_2, World, code, id, pair};

use super::direct::{IN_ECHO, IN_RELAY};

/// FFA_PARTITION_INFO_GET.
const INFO: u64 = 0x8400_0068;

/// PE 0 of a machine with these manifests, on which the Normal world, `echo` and `relay` have buffers of so many pages.
pub fn with_buffers(sources: &Sources, pages: [u64; 3]) -> Pe {
    let mut pe = World::of(sources).booted_pe(0);
    map_all(&mut pe, pages);
    pe
}

/// The Normal world, `echo` and `relay` register buffers of so many pages.
pub fn map_all(pe: &mut Pe, [normal, echo, relay]: [u64; 3]) {
    pe.map(normal);
    for (partition, pages) in [(ECHO, echo), (RELAY, relay)] {
        run(pe, partition);
        pe.map(pages);
        pe.call(&[id::MSG_WAIT]);
    }
}

/// The same with one page each, and the Normal world's kernel takes notifications.
pub fn talking() -> Pe {
    let mut pe = with_buffers(&Sources::talking(V1_2), [1; 3]);
    pe.done(&[id::BITMAP_CREATE, 0, 1]);
    pe
}

/// The scheduler runs the first context of a partition.
#[track_caller]
pub fn run(pe: &mut Pe, partition: u64) {
    assert_eq!(pe.normal(&[id::RUN, pair(partition, 0)]), Place::Partition((partition, 0)));
    assert_eq!(pe.low(), [id::RUN, 0, 0, 0, 0, 0, 0, 0], "the message is no argument of it");
}

/// The partition on the PE waits.
#[track_caller]
fn waits(pe: &mut Pe) {
    assert_eq!(pe.call(&[id::MSG_WAIT]), Place::Normal);
    assert_eq!(pe.low(), [id::MSG_WAIT, 0, 0, 0, 0, 0, 0, 0]);
}

#[test]
fn a_message_comes_back() {
    let mut pe = talking();
    // The sender goes on; the scheduler is told that something waits for `echo`, once.
    pe.post(ECHO, b"there");
    assert_eq!(pe.machine.take_raised(), [0]);
    assert_eq!(pe.told(), [[ECHO]]);
    assert_eq!(pe.told(), [[0; 0]; 0]);
    // It runs whom it wants; that one asks what there is, and finds it in its buffer.
    run(&mut pe, ECHO);
    assert_eq!(pe.take_notifications(FRAMEWORK), [0, 0, 0, 1], "from the Normal world");
    pe.expect_message(0, b"there");
    pe.done(&[id::RX_RELEASE]);
    // The way back is the same; the scheduler is told when `echo` has left the PE.
    let header = scenarios::messages::Header::new(ECHO, 0, 4);
    pe.write(&header, b"back");
    pe.done(&[id::SEND2, 0, DELAY]);
    assert_eq!(pe.machine.take_raised(), []);
    waits(&mut pe);
    assert_eq!(pe.machine.take_raised(), [0]);
    assert_eq!(pe.told(), [[0]]);
    assert_eq!(pe.take_notifications(FRAMEWORK), [0, 0, 1, 0], "from a partition");
    pe.expect_message(ECHO, b"back");
    pe.done(&[id::RX_RELEASE]);
    assert_eq!((pe.told().len(), pe.machine.take_raised().len()), (0, 0));
}

#[test]
fn a_partition_sends_to_a_partition() {
    let mut pe = talking();
    for _ in 0..3 {
        run(&mut pe, ECHO);
        pe.post(RELAY, b"one");
        assert_eq!(pe.place(), IN_ECHO, "nobody takes the PE from the sender");
        waits(&mut pe);
        assert_eq!(pe.machine.take_raised(), [0]);
        assert_eq!(pe.told(), [[RELAY]]);
        run(&mut pe, RELAY);
        pe.receive(ECHO, b"one");
        pe.post(ECHO, b"another");
        waits(&mut pe);
        assert_eq!(pe.told(), [[ECHO]]);
        run(&mut pe, ECHO);
        pe.receive(RELAY, b"another");
        waits(&mut pe);
        let _ = pe.machine.take_raised();
    }
}

#[test]
fn messages_go_out_in_every_model() {
    let mut pe = talking();
    pe.normal(&[id::REQUEST, pair(0, RELAY)]);
    pe.call(&[id::REQUEST, pair(RELAY, ECHO)]);
    pe.post(RELAY, b"to its caller");
    assert_eq!(pe.call(&[id::RESPONSE, pair(ECHO, RELAY)]), IN_RELAY);
    pe.receive(ECHO, b"to its caller");
    pe.post(0, b"to the kernel");
    assert_eq!(pe.call(&[id::RESPONSE, pair(RELAY, 0)]), Place::Normal);
    pe.receive(RELAY, b"to the kernel");
}

#[test]
fn an_rx_buffer_is_empty_announced_and_read_in_turn() {
    let mut pe = talking();
    run(&mut pe, ECHO);
    for _ in 0..2 {
        // Empty.
        pe.refused(&[id::RX_RELEASE], code::DENIED);
        assert_eq!(pe.take_notifications(FRAMEWORK), [0; 4]);
        waits(&mut pe);
        pe.post(ECHO, b"first");
        pe.post_refused(ECHO, b"second", code::BUSY);
        run(&mut pe, ECHO);
        // Announced: it has not asked yet, and knows of no message.
        pe.refused(&[id::RX_RELEASE], code::DENIED);
        pe.refused(&[INFO], code::BUSY);
        assert_eq!(pe.take_notifications(0b0111), [0; 4], "not from there");
        pe.refused(&[id::RX_RELEASE], code::DENIED);
        waits(&mut pe);
        pe.post_refused(ECHO, b"second", code::BUSY);
        run(&mut pe, ECHO);
        // Read.
        assert_eq!(pe.take_notifications(0b1000), [0, 0, 0, 1]);
        assert_eq!(pe.take_notifications(FRAMEWORK), [0; 4], "once");
        pe.refused(&[INFO], code::BUSY);
        assert_eq!(pe.call(&[id::MSG_WAIT, 0, 1]), Place::Normal, "it keeps the buffer");
        pe.post_refused(ECHO, b"second", code::BUSY);
        run(&mut pe, ECHO);
        pe.expect_message(0, b"first");
        pe.done(&[id::RX_RELEASE]);
    }
}

#[test]
fn a_message_that_nobody_has_seen_cannot_be_released() {
    let mut pe = talking();
    pe.post(RELAY, b"unseen");
    for _ in 0..2 {
        run(&mut pe, RELAY);
        pe.refused(&[id::RX_RELEASE], code::DENIED);
        pe.refused(&[id::RX_RELEASE], code::DENIED);
        waits(&mut pe);
    }
    run(&mut pe, RELAY);
    pe.receive(0, b"unseen");
}

#[test]
fn waiting_releases_what_was_read() {
    let mut pe = talking();
    for _ in 0..2 {
        pe.post(ECHO, b"read");
        run(&mut pe, ECHO);
        assert_eq!(pe.take_notifications(FRAMEWORK)[3], 1);
        waits(&mut pe);
    }
}

#[test]
fn what_the_receiver_asked_for_is_announced_by_nothing() {
    let mut pe = talking();
    assert_eq!(pe.machine.take_raised(), [], "nor are buffers that were registered");
    assert_eq!(pe.told().len(), 0);
    run(&mut pe, ECHO);
    pe.done(&[INFO]);
    assert_eq!(pe.take_notifications(FRAMEWORK), [0; 4]);
    pe.post_refused(ECHO, b"", code::INVALID);
    assert_eq!(pe.call(&[id::MSG_WAIT, 0, 1]), Place::Normal);
    assert_eq!((pe.told().len(), pe.machine.take_raised().len()), (0, 0));
    pe.post_refused(ECHO, b"not over it", code::BUSY);
    run(&mut pe, ECHO);
    pe.done(&[id::RX_RELEASE]);
    waits(&mut pe);
    pe.post(ECHO, b"now");
}

#[test]
fn a_busy_receiver_keeps_the_earlier_message() {
    let mut pe = talking();
    pe.post(ECHO, b"the first");
    let _ = pe.machine.take_raised();
    for _ in 0..3 {
        pe.post_refused(ECHO, b"a second, longer one", code::BUSY);
        run(&mut pe, RELAY);
        pe.post_refused(ECHO, b"a third", code::BUSY);
        waits(&mut pe);
    }
    assert_eq!(pe.machine.take_raised(), [], "nothing new waits");
    assert_eq!(pe.told(), [[ECHO]]);
    run(&mut pe, ECHO);
    pe.receive(0, b"the first");
    waits(&mut pe);
    run(&mut pe, RELAY);
    pe.post(ECHO, b"a third");
    waits(&mut pe);
    run(&mut pe, ECHO);
    pe.receive(RELAY, b"a third");
}

#[test]
fn a_receiver_without_notifications_gets_its_messages_untold() {
    let mut sources = Sources::talking(V1_2);
    sources.relay = sources.relay.replace("\tnotification-support;\n", "");
    let mut pe = with_buffers(&sources, [1; 3]);
    for release in [id::RX_RELEASE, id::MSG_WAIT] {
        pe.post(RELAY, b"silently");
        assert_eq!((pe.told().len(), pe.machine.take_raised().len()), (0, 0));
        pe.post_refused(RELAY, b"another", code::BUSY);
        run(&mut pe, RELAY);
        pe.refused(&[id::GET, RELAY, FRAMEWORK], code::NOT_SUPPORTED);
        pe.expect_message(0, b"silently");
        pe.act(&[release]);
        if release == id::RX_RELEASE {
            // Nor does the Normal world's kernel take any yet.
            pe.post(0, b"back");
            waits(&mut pe);
            assert_eq!((pe.told().len(), pe.machine.take_raised().len()), (0, 0));
            pe.expect_message(RELAY, b"back");
            pe.done(&[id::RX_RELEASE]);
        }
        assert_eq!(pe.place(), Place::Normal);
    }
}

/// A VM, and its messages' destination where the hypervisor speaks for it.
const VM: u64 = 7;

/// As [`talking`], with a VM that has buffers, and takes notifications if it says so.
pub fn with_vm(notified: bool) -> Pe {
    let mut pe = talking();
    pe.map_vm(VM, 1);
    if notified {
        pe.done(&[id::BITMAP_CREATE, VM, 2]);
    }
    pe
}

/// The hypervisor sends for its VM.
fn post_for_vm(pe: &mut Pe, receiver: u64, payload: &[u8]) {
    let header = scenarios::messages::Header::new(VM, receiver, payload.len() as u32);
    pe.write_at(scenarios::vm_tx(VM), &header, payload);
    pe.normal(&[id::SEND2, VM << 16]);
}

#[test]
fn a_hypervisor_sends_for_its_vms() {
    let mut pe = with_vm(true);
    for _ in 0..2 {
        post_for_vm(&mut pe, ECHO, b"of a VM");
        assert_eq!(pe.low()[0], id::SUCCESS);
        assert_eq!(pe.told(), [[ECHO]]);
        run(&mut pe, ECHO);
        pe.receive(VM, b"of a VM");
        waits(&mut pe);
    }
    // Not as somebody else, and not from one VM to another: the hypervisor does that itself.
    for receiver in [0, VM, 8] {
        post_for_vm(&mut pe, receiver, b"no");
        pe.expect_error(code::INVALID);
    }
    let header = scenarios::messages::Header::new(0, ECHO, 0);
    pe.write_at(scenarios::vm_tx(VM), &header, &[]);
    pe.refused(&[id::SEND2, VM << 16], code::INVALID);
    pe.refused(&[id::SEND2, 8 << 16], code::DENIED);
    pe.refused(&[id::SEND2, ECHO << 16], code::INVALID);
}

#[test]
fn a_partition_sends_to_a_vm() {
    for notified in [true, false] {
        let mut pe = with_vm(notified);
        for _ in 0..2 {
            run(&mut pe, ECHO);
            pe.post(VM, b"to a VM");
            pe.post_refused(VM, b"once more", code::BUSY);
            waits(&mut pe);
            if notified {
                assert_eq!((pe.machine.take_raised(), pe.told()), (vec![0], vec![vec![VM]]));
                pe.refused(&[id::RX_RELEASE, VM], code::DENIED);
                assert_eq!(pe.take_notifications_of(1, VM, FRAMEWORK), [0, 0, 1, 0]);
            }
            assert_eq!((pe.told().len(), pe.machine.take_raised().len()), (0, 0));
            assert_eq!(&pe.received_by_vm(VM, HEADER as usize + 7)[HEADER as usize..], b"to a VM");
            pe.refused(&[id::RX_RELEASE], code::DENIED);
            pe.done(&[id::RX_RELEASE, VM]);
            pe.refused(&[id::RX_RELEASE, VM], code::DENIED);
        }
    }
}

#[test]
fn an_rx_buffer_that_the_hypervisor_acquired_is_not_the_spmcs() {
    let mut pe = with_vm(true);
    pe.done(&[id::RX_ACQUIRE, VM]);
    pe.refused(&[id::RX_ACQUIRE, VM], code::DENIED);
    run(&mut pe, ECHO);
    pe.post_refused(VM, b"busy", code::BUSY);
    waits(&mut pe);
    pe.done(&[id::RX_RELEASE, VM]);
    run(&mut pe, ECHO);
    pe.post(VM, b"free");
    waits(&mut pe);
    pe.refused(&[id::RX_ACQUIRE, VM], code::DENIED);
    assert_eq!(pe.take_notifications_of(0, VM, FRAMEWORK), [0, 0, 1, 0]);
    pe.refused(&[id::RX_ACQUIRE, VM], code::DENIED);
    pe.done(&[id::RX_RELEASE, VM]);
    pe.done(&[id::RX_ACQUIRE, VM]);
}

/// `relay` wants to know when a receiver's buffer is free.
fn with_hint() -> Pe {
    let mut sources = Sources::talking(V1_2);
    Sources::set(&mut sources.relay, "rx-free-notification", "");
    let mut pe = with_buffers(&sources, [1; 3]);
    pe.map_vm(VM, 1);
    pe
}

/// Bit 31 of the SPMC's notifications: RX is free.
const RX_FREE: u64 = 1 << 31;

#[test]
fn a_sender_learns_that_a_full_buffer_has_room_again() {
    let mut pe = with_hint();
    // However the buffer becomes free.
    let frees: [fn(&mut Pe); 3] = [
        |pe| {
            pe.receive(0, b"first");
            waits(pe);
        },
        |pe| {
            let _ = pe.take_notifications(FRAMEWORK);
            waits(pe);
        },
        |pe| {
            pe.done(&[id::RXTX_UNMAP]);
            pe.map(1);
            waits(pe);
        },
    ];
    for free in frees {
        pe.post(ECHO, b"first");
        assert_eq!(pe.told(), [[ECHO]]);
        run(&mut pe, RELAY);
        pe.post_refused(ECHO, b"second", code::BUSY);
        pe.post_refused(ECHO, b"second", code::BUSY);
        assert_eq!(pe.take_notifications(FRAMEWORK), [0; 4]);
        waits(&mut pe);
        assert_eq!(pe.told().len(), 0);
        let _ = pe.machine.take_raised();
        run(&mut pe, ECHO);
        free(&mut pe);
        assert_eq!((pe.machine.take_raised(), pe.told()), (vec![0], vec![vec![RELAY]]));
        run(&mut pe, RELAY);
        assert_eq!(pe.take_notifications(FRAMEWORK), [0, 0, RX_FREE, 0]);
        assert_eq!(pe.take_notifications(FRAMEWORK), [0; 4]);
        pe.post(ECHO, b"second");
        waits(&mut pe);
        assert_eq!(pe.told(), [[ECHO]]);
        run(&mut pe, ECHO);
        pe.receive(RELAY, b"second");
        waits(&mut pe);
        assert_eq!(pe.told().len(), 0, "who is told once asked once");
    }
}

#[test]
fn a_sender_learns_that_the_receiver_has_ended() {
    let mut pe = with_hint();
    pe.post(ECHO, b"first");
    assert_eq!(pe.told(), [[ECHO]]);
    run(&mut pe, RELAY);
    pe.post_refused(ECHO, b"second", code::BUSY);
    waits(&mut pe);
    let _ = pe.machine.take_raised();
    run(&mut pe, ECHO);
    assert_eq!(pe.fault(), Place::Normal);
    assert_eq!((pe.machine.take_raised(), pe.told()), (vec![0], vec![vec![RELAY]]));
    run(&mut pe, RELAY);
    assert_eq!(pe.take_notifications(FRAMEWORK), [0, 0, RX_FREE, 0]);
    pe.post_refused(ECHO, b"second", code::ABORTED);
}

#[test]
fn a_sender_learns_that_a_vms_buffer_has_room_again() {
    let mut pe = with_hint();
    pe.done(&[id::RX_ACQUIRE, VM]);
    run(&mut pe, RELAY);
    pe.post_refused(VM, b"busy", code::BUSY);
    waits(&mut pe);
    pe.done(&[id::RX_RELEASE, VM]);
    assert_eq!(pe.told(), [[RELAY]]);
    run(&mut pe, RELAY);
    assert_eq!(pe.take_notifications(FRAMEWORK), [0, 0, RX_FREE, 0]);
}

#[test]
fn only_who_asked_for_it_learns_that_a_buffer_is_free() {
    let mut pe = with_hint();
    pe.post(RELAY, b"first");
    run(&mut pe, ECHO);
    pe.post_refused(RELAY, b"second", code::BUSY);
    waits(&mut pe);
    pe.post_refused(RELAY, b"third", code::BUSY);
    run(&mut pe, RELAY);
    pe.receive(0, b"first");
    waits(&mut pe);
    run(&mut pe, ECHO);
    assert_eq!(pe.take_notifications(FRAMEWORK), [0; 4]);
}

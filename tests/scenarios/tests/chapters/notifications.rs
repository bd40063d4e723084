//! Notifications: whom they are for, who may send them, and what their receiver gets.

use scenarios::notifications::{DELAY, FRAMEWORK, PER_VCPU, SENT, bind, for_vcpu, set, unbind};
use scenarios::{ECHO, Pe, Place, RELAY, Sources, V1_0, V1_1, V1_2, World, code, id, pair};

use super::indirect::{run, talking, with_buffers};

/// A VM.
const VM: u64 = 7;
/// Bits at both ends of both words.
const BITS: u64 = 0x8000_0001_8000_0001;

/// The Normal world on PE 0, whose kernel and whose VM take notifications, and partitions that do.
fn booted() -> Pe {
    let mut pe = World::of(&Sources::talking(V1_2)).booted_pe(0);
    pe.done(&[id::BITMAP_CREATE, 0, 4]);
    pe.done(&[id::BITMAP_CREATE, VM, 2]);
    pe
}

/// Receivers and who may be a sender to each: on the PE is who speaks for the receiver.
fn receivers() -> Vec<(Pe, u64, Vec<u64>)> {
    let mut list = vec![(booted(), 0, vec![ECHO, RELAY]), (booted(), VM, vec![ECHO, RELAY])];
    for partition in [ECHO, RELAY] {
        let mut pe = booted();
        run(&mut pe, partition);
        list.push((pe, partition, vec![ECHO + RELAY - partition, 0, VM, 8]));
    }
    list
}

#[test]
fn notifications_are_of_1_1() {
    let calls = [id::BITMAP_CREATE, id::BITMAP_DESTROY, id::BIND, id::UNBIND, id::SET, id::GET, id::INFO_GET];
    for version in [V1_0, V1_1, V1_2] {
        for mut pe in World::callers_of(&Sources::talking(version), version) {
            let is_normal = pe.place() == Place::Normal;
            for function in calls.into_iter().chain([id::INFO_GET64]) {
                let is_everybodys = [id::BIND, id::UNBIND, id::SET, id::GET].contains(&function);
                pe.act(&[function]);
                let is_known = pe.low()[..3] != [id::ERROR, 0, code::NOT_SUPPORTED];
                assert_eq!(is_known, version > V1_0 && (is_normal || is_everybodys), "{function:#x}");
            }
        }
    }
}

#[test]
fn bitmaps_of_vms_are_created_and_destroyed_once() {
    let mut pe = World::of(&Sources::talking(V1_2)).booted_pe(0);
    for (vm, contexts) in [(0, 64), (VM, 16), (0x7FFF, 1)] {
        pe.refused(&[id::BITMAP_DESTROY, vm], code::DENIED);
        for _ in 0..2 {
            assert_eq!(pe.done(&[id::BITMAP_CREATE, vm, contexts])[1..], [0; 7]);
            pe.refused(&[id::BITMAP_CREATE, vm, contexts], code::DENIED);
            assert_eq!(pe.done(&[id::BITMAP_DESTROY, vm])[1..], [0; 7]);
            pe.refused(&[id::BITMAP_DESTROY, vm], code::DENIED);
        }
    }
    for nobody in [0x8000, ECHO, RELAY, 0xFFFF, VM | 1 << 16, VM | ECHO << 16] {
        pe.refused(&[id::BITMAP_CREATE, nobody, 1], code::INVALID);
        pe.refused(&[id::BITMAP_DESTROY, nobody], code::INVALID);
    }
    pe.refused(&[id::BITMAP_CREATE, VM, 0], code::INVALID);
    for register in 2..8 {
        let mut x = [id::BITMAP_DESTROY, VM, 0, 0, 0, 0, 0, 0];
        x[register] = 1;
        pe.refused(&x, code::INVALID);
        if register > 2 {
            x[..3].copy_from_slice(&[id::BITMAP_CREATE, VM, 1]);
            pe.refused(&x, code::INVALID);
        }
    }
    for (vm, contexts) in [(0, 65), (VM, 17), (VM, 0x1_0001), (VM, 0xFFFF_FFFF)] {
        pe.refused(&[id::BITMAP_CREATE, vm, contexts], code::NO_MEMORY);
    }
}

#[test]
fn there_is_room_for_so_many_vms() {
    let mut pe = World::of(&Sources::talking(V1_2)).booted_pe(0);
    // What is refused takes none of it.
    for vm in 1..200 {
        pe.refused(&[id::BITMAP_CREATE, vm, 17], code::NO_MEMORY);
    }
    for vm in 1..=64 {
        pe.done(&[id::BITMAP_CREATE, vm, 16]);
    }
    pe.refused(&[id::BITMAP_CREATE, 65, 1], code::NO_MEMORY);
    pe.done(&[id::BITMAP_CREATE, 0, 1]);
    pe.done(&[id::BITMAP_DESTROY, 30]);
    pe.done(&[id::BITMAP_CREATE, 65, 1]);
    // A VM that has buffers has its place already.
    pe.map(1);
    pe.map_vm(64, 1);
    pe.done(&[id::BITMAP_DESTROY, 64]);
    pe.refused(&[id::BITMAP_CREATE, 66, 1], code::NO_MEMORY);
    pe.done(&[id::BITMAP_CREATE, 64, 1]);
}

#[test]
fn a_bitmap_with_something_pending_is_not_destroyed() {
    let mut pe = talking();
    pe.done(&bind(ECHO, 0, 0, BITS));
    run(&mut pe, ECHO);
    pe.done(&set(ECHO, 0, 0, 1));
    pe.call(&[id::MSG_WAIT]);
    pe.refused(&[id::BITMAP_DESTROY, 0], code::DENIED);
    assert_eq!(pe.take_notifications(SENT), [1, 0, 0, 0]);
    // A message is announced by one, too.
    run(&mut pe, ECHO);
    pe.post(0, b"pending");
    pe.call(&[id::MSG_WAIT]);
    pe.refused(&[id::BITMAP_DESTROY, 0], code::DENIED);
    assert_eq!(pe.take_notifications(FRAMEWORK), [0, 0, 1, 0]);
    pe.done(&[id::BITMAP_DESTROY, 0]);
    // What was bound is bound no more.
    pe.done(&[id::BITMAP_CREATE, 0, 1]);
    pe.refused(&unbind(ECHO, 0, 1), code::DENIED);
    run(&mut pe, ECHO);
    pe.refused(&set(ECHO, 0, 0, 1), code::DENIED);
}

#[test]
fn a_receiver_binds_and_unbinds_its_notifications() {
    for (mut pe, receiver, senders) in receivers() {
        for (sender, flags) in senders.into_iter().zip([0, PER_VCPU, PER_VCPU, 0]) {
            assert_eq!(pe.done(&bind(sender, receiver, flags, BITS))[1..], [0; 7]);
            // Not once more, not in another way, and not one of them with others.
            for flags in [0, PER_VCPU] {
                pe.refused(&bind(sender, receiver, flags, BITS), code::DENIED);
                pe.refused(&bind(sender, receiver, flags, 0b11), code::DENIED);
            }
            pe.refused(&unbind(sender, receiver, BITS | 2), code::DENIED);
            pe.done(&bind(sender, receiver, 0, 2));
            pe.done(&unbind(sender, receiver, BITS | 2));
            pe.refused(&unbind(sender, receiver, 2), code::DENIED);
        }
    }
}

#[test]
fn a_notification_has_one_sender_of_each_world() {
    let mut sources = Sources::talking(V1_2);
    let more = sources.relay.clone();
    let third = sources.add("third", more);
    let mut pe = World::of(&sources).booted_pe(0);
    run(&mut pe, ECHO);
    pe.done(&bind(RELAY, ECHO, 0, 0b111));
    pe.done(&bind(VM, ECHO, 0, 0b111));
    for sender in [third, 0, 8] {
        pe.refused(&bind(sender, ECHO, 0, 0b1100), code::DENIED);
        pe.refused(&unbind(sender, ECHO, 0b1), code::DENIED);
    }
    pe.done(&unbind(RELAY, ECHO, 0b100));
    pe.done(&bind(third, ECHO, PER_VCPU, 0b1100));
    pe.refused(&unbind(third, ECHO, 0b110), code::DENIED);
}

#[test]
fn binding_is_judged() {
    for (mut pe, receiver, senders) in receivers() {
        let sender = senders[0];
        for flags in [2, 4, 0x1_0000, 1 << 31, 3] {
            pe.refused(&bind(sender, receiver, flags, 1), code::INVALID);
        }
        pe.refused(&bind(sender, receiver, 0, 0), code::INVALID);
        pe.refused(&unbind(sender, receiver, 0), code::INVALID);
        let mut x = [0; 8];
        for (call, registers) in [(bind(sender, receiver, 0, 1), 5..8), (unbind(sender, receiver, 1), 5..8)] {
            for register in registers {
                x[..5].copy_from_slice(&call);
                x[5..].fill(0);
                x[register] = 1;
                pe.refused(&x, code::INVALID);
            }
        }
        let [function, parties, _, low, high] = unbind(sender, receiver, 1);
        pe.refused(&[function, parties, 1, low, high], code::INVALID);
        // The receiver is who calls, or somebody it speaks for; the sender is somebody else.
        let others = [0, VM, ECHO, RELAY, 0x8000, 0xFFFF];
        let is_normal = pe.place() == Place::Normal;
        for other in others.into_iter().filter(|id| *id != receiver && (!is_normal || *id > VM)) {
            pe.refused(&bind(sender, other, 0, 1), code::INVALID);
            pe.refused(&unbind(sender, other, 1), code::INVALID);
        }
        for nobody in [receiver, 0x8000, 0x8003, 0x80FF, 0xFFC0, 0xFFFF] {
            pe.refused(&bind(nobody, receiver, 0, 1), code::INVALID);
            pe.refused(&unbind(nobody, receiver, 1), code::INVALID);
        }
        if is_normal {
            // Between its own VMs the hypervisor does it by itself.
            for vm in [0, VM, 8] {
                pe.refused(&bind(vm, receiver, 0, 1), code::INVALID);
            }
            pe.refused(&bind(sender, 8, 0, 1), code::DENIED);
            pe.refused(&unbind(sender, 8, 1), code::DENIED);
        }
        pe.done(&bind(sender, receiver, 0, 1));
    }
}

#[test]
fn a_partition_that_takes_no_notifications_has_none() {
    let mut pe = World::booted();
    run(&mut pe, ECHO);
    for call in [bind(RELAY, ECHO, 0, 1), unbind(RELAY, ECHO, 1), [id::GET, ECHO, SENT, 0, 0]] {
        pe.refused(&call, code::NOT_SUPPORTED);
    }
    pe.call(&[id::MSG_WAIT]);
    pe.refused(&set(0, ECHO, 0, 1), code::DENIED);
    run(&mut pe, RELAY);
    pe.refused(&set(RELAY, ECHO, 0, 1), code::DENIED);
}

/// `echo` takes notifications from `relay`, the kernel and the VM: global ones by bit 0, for a context by bit 1.
fn bound() -> Pe {
    let mut pe = booted();
    run(&mut pe, ECHO);
    for sender in [RELAY, 0] {
        pe.done(&bind(sender, ECHO, 0, 0b01));
        pe.done(&bind(sender, ECHO, PER_VCPU, 0b10));
    }
    pe.call(&[id::MSG_WAIT]);
    pe
}

#[test]
fn only_what_is_bound_can_be_set() {
    for sender in [0, RELAY] {
        let mut pe = bound();
        if sender == RELAY {
            run(&mut pe, RELAY);
        }
        // The other way, others with it, and others.
        for (flags, bits) in [
            (0, 0b10),
            (0, 0b11),
            (0, 0b101),
            (for_vcpu(0), 0b01),
            (for_vcpu(3), 0b11),
            (for_vcpu(3), 1 << 63),
        ] {
            pe.refused(&set(sender, ECHO, flags, bits), code::DENIED);
        }
        pe.refused(&set(sender, ECHO, 0, 0), code::INVALID);
        for vcpu in [4, 5, 0xFFFF] {
            pe.refused(&set(sender, ECHO, for_vcpu(vcpu), 0b10), code::INVALID);
        }
        // A context of what is for all; reserved flags; and delay, which is a partition's.
        let delay = if sender == 0 { DELAY } else { 4 };
        for flags in [1 << 16, 4, 8, 0x8000, delay] {
            pe.refused(&set(sender, ECHO, flags, 0b01), code::INVALID);
        }
        for register in 5..8 {
            let mut x = [0; 8];
            x[..5].copy_from_slice(&set(sender, ECHO, 0, 1));
            x[register] = 1;
            pe.refused(&x, code::INVALID);
        }
        for receiver in [0x8000, 0x8003, 0xFFC0, 0xFFFF] {
            pe.refused(&set(sender, receiver, 0, 1), code::INVALID);
        }
        assert_eq!(pe.machine.take_raised(), []);
        assert_eq!(pe.done(&set(sender, ECHO, 0, 0b01))[1..], [0; 7]);
        pe.done(&set(sender, ECHO, for_vcpu(3), 0b10));
    }
}

#[test]
fn a_sender_sets_in_its_own_name() {
    let mut pe = bound();
    // VMs are different senders; nobody speaks for partitions.
    for sender in [VM, 8] {
        pe.refused(&set(sender, ECHO, 0, 1), code::DENIED);
    }
    for (sender, receiver) in [(RELAY, ECHO), (0, 0), (0, VM), (VM, 0), (0xFFFF, ECHO), (0x8000, ECHO)] {
        pe.refused(&set(sender, receiver, 0, 1), code::INVALID);
    }
    run(&mut pe, RELAY);
    for sender in [0, VM, ECHO, 0x8000, 0xFFFF] {
        pe.refused(&set(sender, ECHO, 0, 1), code::INVALID);
    }
    pe.refused(&set(RELAY, RELAY, 0, 1), code::INVALID);
    // To VMs that take none.
    pe.refused(&set(RELAY, 8, 0, 1), code::DENIED);
    pe.refused(&set(RELAY, VM, 0, 1), code::DENIED);
}

#[test]
fn get_is_judged() {
    for (mut pe, receiver, _) in receivers() {
        let contexts = [(0, 4), (VM, 2), (ECHO, 4), (RELAY, 1)];
        let contexts =
            contexts.into_iter().find(|(id, _)| *id == receiver).map_or(0, |(_, contexts)| contexts);
        for vcpu in 0..contexts {
            for flags in 0..16 {
                assert_eq!(pe.take_notifications_of(vcpu, receiver, flags), [0; 4]);
            }
        }
        for vcpu in [contexts, contexts + 1, 0xFFFF] {
            pe.refused(&[id::GET, pair(vcpu, receiver), SENT], code::INVALID);
        }
        for flags in [0x10, 0x100, 1 << 31, 0x1F] {
            pe.refused(&[id::GET, receiver, flags], code::INVALID);
        }
        for register in 3..8 {
            let mut x = [id::GET, receiver, SENT, 0, 0, 0, 0, 0];
            x[register] = 1;
            pe.refused(&x, code::INVALID);
        }
        let is_normal = pe.place() == Place::Normal;
        let others = [0, VM, ECHO, RELAY, 0x8000, 0xFFFF];
        for other in others.into_iter().filter(|id| *id != receiver && (!is_normal || *id > VM)) {
            pe.refused(&[id::GET, other, SENT], code::INVALID);
        }
    }
    let mut pe = with_buffers(&Sources::talking(V1_2), [1; 3]);
    pe.map_vm(VM, 1);
    pe.refused(&[id::GET, VM, SENT], code::DENIED);
    pe.refused(&[id::GET, 0, SENT], code::DENIED);
    pe.refused(&[id::GET, 8, SENT], code::INVALID);
}

#[test]
fn a_notification_that_is_set_is_announced_and_got_once() {
    for (mut pe, receiver, senders) in receivers() {
        let is_normal = pe.place() == Place::Normal;
        for sender in senders.into_iter().filter(|sender| *sender != 8) {
            pe.done(&bind(sender, receiver, 0, BITS));
            let enter = |pe: &mut Pe, partition: u64| {
                if partition >= ECHO {
                    run(pe, partition);
                }
            };
            let leave = |pe: &mut Pe| {
                if pe.place() != Place::Normal {
                    pe.call(&[id::MSG_WAIT]);
                }
            };
            leave(&mut pe);
            enter(&mut pe, sender);
            pe.done(&set(sender, receiver, 0, BITS));
            leave(&mut pe);
            assert_eq!((pe.machine.take_raised(), pe.told()), (vec![0], vec![vec![receiver]]));
            enter(&mut pe, receiver);
            // Pending, they stay bound.
            pe.refused(&unbind(sender, receiver, 1), code::DENIED);
            pe.refused(&bind(sender, receiver, 0, 1), code::DENIED);
            let own_world = if sender >= ECHO { [BITS, 0, 0, 0] } else { [0, BITS, 0, 0] };
            let (mine, others) = if sender >= ECHO { (0b0001, 0b1110) } else { (0b0010, 0b1101) };
            assert_eq!(pe.take_notifications_of(0, receiver, others), [0; 4]);
            assert_eq!(pe.take_notifications_of(0, receiver, mine), own_world);
            assert_eq!(pe.take_notifications_of(0, receiver, 0b1111), [0; 4]);
            pe.done(&unbind(sender, receiver, BITS));
        }
        assert_eq!(pe.place() == Place::Normal, is_normal);
    }
}

#[test]
fn what_is_for_a_context_is_got_by_that_context() {
    let mut pe = bound();
    pe.done(&set(0, ECHO, for_vcpu(2), 0b10));
    pe.done(&set(0, ECHO, 0, 0b01));
    run(&mut pe, RELAY);
    pe.done(&set(RELAY, ECHO, for_vcpu(2), 0b10));
    pe.done(&set(RELAY, ECHO, for_vcpu(1), 0b10));
    pe.call(&[id::MSG_WAIT]);
    run(&mut pe, ECHO);
    assert_eq!(pe.take_notifications_of(0, ECHO, SENT), [0, 0b01, 0, 0], "and what is for any, by any");
    assert_eq!(pe.take_notifications_of(2, ECHO, 0b01), [0b10, 0, 0, 0]);
    assert_eq!(pe.take_notifications_of(2, ECHO, SENT), [0, 0b10, 0, 0]);
    pe.refused(&unbind(RELAY, ECHO, 0b10), code::DENIED);
    assert_eq!(pe.take_notifications_of(1, ECHO, SENT), [0b10, 0, 0, 0]);
    assert_eq!(pe.take_notifications_of(2, ECHO, SENT), [0; 4]);
    pe.done(&unbind(RELAY, ECHO, 0b11));
    pe.done(&unbind(0, ECHO, 0b11));
}

#[test]
fn an_aborted_receiver_gets_no_notification() {
    let mut pe = bound();
    pe.normal(&[id::REQUEST, pair(0, ECHO)]);
    pe.fault();
    pe.refused(&set(0, ECHO, 0, 0b01), code::DENIED);
    pe.refused(&set(0, ECHO, for_vcpu(1), 0b10), code::DENIED);
    run(&mut pe, RELAY);
    pe.refused(&set(RELAY, ECHO, 0, 0b01), code::DENIED);
    assert_eq!(pe.machine.take_raised(), []);
}

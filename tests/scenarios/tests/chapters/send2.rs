//! FFA_MSG_SEND2 as it is judged: who may send what to whom, and how much of it fits.

use scenarios::messages::{HEADER, HEADER_1_1, Header};
use scenarios::notifications::{DELAY, FRAMEWORK};
use scenarios::{ECHO, Pe, Place, RELAY, Sources, V1_0, V1_1, V1_2, World, code, id, pair};

use super::indirect::{map_all, run, talking, with_buffers, with_vm};

/// `echo`'s UUID.
const ECHO_UUID: u128 = 0x5d7f_1c2e_8a3b_4e60_9b1d_3c2f_6a7e_9d41;

/// A sender of each instance that speaks this version and has a buffer of one page, and its receiver, which has one too.
fn senders(version: u64) -> impl Iterator<Item = (Pe, u64)> {
    [0, 1, 2].into_iter().map(move |instance| {
        let mut pe = World::of(&Sources::talking(version)).booted_pe(0);
        assert_eq!(pe.normal_version(version), V1_2);
        map_all(&mut pe, [1; 3]);
        let receiver = if instance == 0 {
            ECHO
        } else {
            run(&mut pe, ECHO);
            pe.conduit = [manager::exit::Conduit::Hvc, manager::exit::Conduit::Smc][instance - 1];
            RELAY
        };
        (pe, receiver)
    })
}

/// Whoever is on the PE sends what is in its buffer.
const SEND: [u64; 1] = [id::SEND2];

#[test]
fn msg_send2_is_of_1_1() {
    for version in [V1_0, V1_1, V1_2] {
        for mut pe in World::callers_of(&Sources::speaking(version), version) {
            let refusal = if version == V1_0 { code::NOT_SUPPORTED } else { code::DENIED };
            pe.refused(&SEND, refusal);
        }
    }
}

#[test]
fn msg_send2_is_judged() {
    for (version, length) in [(V1_1, HEADER_1_1), (V1_2, HEADER)] {
        for (mut pe, receiver) in senders(version) {
            let is_normal = pe.place() == Place::Normal;
            let good = Header { offset: length, ..Header::new(pe.own_id(), receiver, 8) };
            pe.write(&good, b"12345678");
            // Registers: who is spoken for, reserved halves, flags, registers that must be zero.
            let own = pe.own_id() << 16;
            let delay = if is_normal { DELAY } else { 1 };
            for (w1, w2) in [(1, 0), (receiver, 0), (own | 1, 0), (0, delay), (0, 1), (0, 4), (0, 1 << 31)] {
                pe.refused(&[id::SEND2, w1, w2], code::INVALID);
            }
            if !is_normal {
                for vm in [own, 1 << 16, RELAY << 16, 0xFFFF << 16] {
                    pe.refused(&[id::SEND2, vm], code::INVALID);
                }
            }
            for register in 3..8 {
                let mut x = [id::SEND2, 0, 0, 0, 0, 0, 0, 0];
                x[register] = 1;
                pe.refused(&x, code::INVALID);
            }
            // The header: whom it names, where the payload lies.
            let bad = [
                Header { sender: receiver, ..good },
                Header { sender: 1, ..good },
                Header { sender: 0xFFFF, ..good },
                Header { receiver: good.sender, ..good },
                Header { receiver: 0x8000, ..good },
                Header { receiver: 0x8003, ..good },
                Header { receiver: 0x80FF, ..good },
                Header { receiver: 0xFFC0, ..good },
                Header { receiver: 0xFFFF, ..good },
                Header { offset: 0, ..good },
                Header { offset: length - 1, ..good },
                Header { offset: length, size: 0x1000 - length + 1, ..good },
                Header { offset: 0xFFC, size: 5, ..good },
                Header { offset: 0x1001, size: 0, ..good },
                Header { offset: u32::MAX, size: u32::MAX, ..good },
                Header { offset: length, size: u32::MAX, ..good },
                Header { offset: length, size: u32::MAX - length + 1, ..good },
            ];
            for header in bad {
                pe.send(&header.to_bytes());
                pe.refused(&SEND, code::INVALID);
                assert_eq!(pe.machine.take_raised(), []);
            }
            // Its flags are reserved, and say nothing.
            pe.send(&Header { flags: u32::MAX, ..good }.to_bytes()[..length as usize]);
            pe.done(&SEND);
        }
    }
}

#[test]
fn the_world_of_a_receiver_decides_who_sends_to_it() {
    // The Normal world sends to no VM and to no kernel of its own; a VM without buffers receives nothing.
    let mut pe = with_vm(true);
    for (receiver, refusal) in [(0, code::INVALID), (7, code::INVALID), (8, code::INVALID)] {
        pe.post_refused(receiver, b"", refusal);
    }
    run(&mut pe, ECHO);
    for receiver in [8, 0x7FFF] {
        pe.post_refused(receiver, b"", code::DENIED);
    }
    pe.post(7, b"");
}

#[test]
fn a_message_keeps_the_form_of_its_senders_version() {
    for (version, length) in [(V1_1, HEADER_1_1), (V1_2, HEADER)] {
        for (mut pe, receiver) in senders(version) {
            let header = Header { offset: length, uuid: u128::MAX, ..Header::new(pe.own_id(), receiver, 3) };
            pe.write(&header, b"abc");
            if version == V1_2 {
                // It names a service, which nobody offers.
                pe.refused(&SEND, code::INVALID);
                pe.write(&Header { uuid: 0, ..header }, b"abc");
            }
            pe.done(&SEND);
            pe.settle();
            if pe.place() != Place::Normal {
                pe.call(&[id::MSG_WAIT]);
            }
            run(&mut pe, receiver);
            let found = pe.received(length as usize + 3);
            assert_eq!(found[..20], header.to_bytes()[..20]);
            assert_eq!(&found[length as usize..], b"abc");
        }
    }
}

#[test]
fn a_message_may_fill_the_buffers_and_no_more() {
    for pages in [1, 2, 15, 16] {
        let mut pe = with_buffers(&Sources::talking(V1_2), [pages; 3]);
        let room = (pages as u32) << 12;
        let payload: Vec<u8> = (0..room - HEADER).map(|byte| (byte % 251) as u8).collect();
        // All of it; one byte at its end; nothing behind its end.
        let limits = [(HEADER, room - HEADER), (room - 1, 1), (room, 0), (HEADER + 3, room - HEADER - 3)];
        for (offset, size) in limits {
            let header = Header { offset, ..Header::new(0, ECHO, size) };
            let inside = (offset - HEADER) as usize;
            pe.write(&header, &payload[inside..]);
            pe.done(&SEND);
            run(&mut pe, ECHO);
            assert_eq!(pe.take_notifications(FRAMEWORK)[3], 1);
            let found = pe.received(room as usize);
            assert_eq!(found[..HEADER as usize], header.to_bytes());
            assert!(found[offset as usize..] == payload[inside..], "as it was, and where it was");
            pe.done(&[id::RX_RELEASE]);
            pe.call(&[id::MSG_WAIT]);
            for (offset, size) in [(offset, size + 1), (offset + 1, size)] {
                pe.send(&Header { offset, ..Header::new(0, ECHO, size) }.to_bytes());
                pe.refused(&SEND, code::INVALID);
            }
        }
    }
}

#[test]
fn a_message_that_does_not_fit_the_receiver_is_refused() {
    // A kernel with pages of 64 KB, and a partition with some of 4 KB; and the other way round.
    for (normal, echo) in [(16, 1), (2, 1), (16, 15), (1, 16), (1, 2)] {
        let mut pe = with_buffers(&Sources::talking(V1_2), [normal, echo, 1]);
        let (own, other) = ((normal as u32) << 12, (echo as u32) << 12);
        let most = own.min(other);
        let fits = Header::new(0, ECHO, most - HEADER);
        let refusal = if own > other { code::NO_MEMORY } else { code::INVALID };
        for header in [Header { size: fits.size + 1, ..fits }, Header { offset: most + 1, size: 0, ..fits }] {
            pe.send(&header.to_bytes());
            pe.refused(&SEND, refusal);
        }
        assert_eq!((pe.machine.take_raised(), pe.told().len()), (vec![], 0));
        // The buffer is still free.
        pe.write(&fits, &vec![9; fits.size as usize]);
        pe.done(&SEND);
        run(&mut pe, ECHO);
        assert_eq!(pe.received(most as usize)[HEADER as usize..], vec![9; fits.size as usize]);
    }
}

#[test]
fn a_message_leaves_the_rest_of_the_receivers_buffer_alone() {
    let mut pe = with_buffers(&Sources::talking(V1_2), [2, 2, 1]);
    run(&mut pe, ECHO);
    let rx = pe.rx();
    manager::hardware::Memory::write(&mut pe.machine, rx, &[0xEE; 0x2000]).expect("a buffer lies in memory");
    pe.call(&[id::MSG_WAIT]);
    let header = Header { offset: 0x1000, ..Header::new(0, ECHO, 4) };
    pe.write(&header, b"four");
    pe.done(&SEND);
    run(&mut pe, ECHO);
    let found = pe.received(0x2000);
    assert_eq!(found[..HEADER as usize], header.to_bytes());
    assert_eq!(&found[0x1000..0x1004], b"four");
    let others = found[HEADER as usize..0x1000].iter().chain(&found[0x1004..]);
    assert!(others.clone().all(|byte| *byte == 0xEE), "nothing of the sender's but its message");
}

#[test]
fn a_message_needs_the_buffers_of_both() {
    for mapped in [0, ECHO] {
        let mut pe = World::of(&Sources::talking(V1_2)).booted_pe(0);
        if mapped == 0 {
            pe.map(1);
        }
        run(&mut pe, ECHO);
        if mapped == ECHO {
            pe.map(1);
        }
        for receiver in [0, RELAY] {
            pe.post_refused(receiver, b"no", code::DENIED);
        }
        pe.call(&[id::MSG_WAIT]);
        pe.post_refused(ECHO, b"no", code::DENIED);
    }
    // Buffers that went away are none.
    let mut pe = talking();
    run(&mut pe, RELAY);
    pe.done(&[id::RXTX_UNMAP]);
    pe.post_refused(ECHO, b"no", code::DENIED);
    pe.call(&[id::MSG_WAIT]);
    pe.post_refused(RELAY, b"no", code::DENIED);
    pe.done(&[id::RXTX_UNMAP]);
    pe.post_refused(ECHO, b"no", code::DENIED);
}

#[test]
fn a_message_for_a_service_needs_that_service() {
    let mut sources = Sources::talking(V1_2);
    // A second service of `echo`, which takes no indirect messages, and one of `relay` that does.
    let silent = "0x11111111 0x22222222 0x33333333 0x44444444";
    let own = "<0x2e1c7f5d 0x604e3b8a 0x2f3c1d9b 0x419d7e6a";
    Sources::set(&mut sources.echo, "uuid", &format!("{own} {silent}>"));
    Sources::set(&mut sources.echo, "messaging-method", "<0x607 0x603>");
    let mut pe = with_buffers(&sources, [1; 3]);
    let silent = 0x1111_1111_2222_2222_3333_3333_4444_4444;
    let plain = Header::new(0, ECHO, 0);
    let unknown = [ECHO_UUID ^ 1, ECHO_UUID.swap_bytes(), 1, u128::MAX];
    for (uuid, refusal) in
        unknown.map(|uuid| (uuid, code::INVALID)).into_iter().chain([(silent, code::DENIED)])
    {
        pe.send(&Header { uuid, ..plain }.to_bytes());
        pe.refused(&SEND, refusal);
    }
    for uuid in [ECHO_UUID, 0] {
        let header = Header { uuid, ..plain };
        pe.send(&header.to_bytes());
        pe.done(&SEND);
        run(&mut pe, ECHO);
        let _ = pe.take_notifications(FRAMEWORK);
        assert_eq!(pe.received(HEADER as usize), header.to_bytes(), "it learns for which");
        pe.call(&[id::MSG_WAIT]);
    }
}

#[test]
fn messages_need_the_methods_of_both_sides() {
    let mut sources = Sources::talking(V1_2);
    Sources::set(&mut sources.relay, "messaging-method", "<0x603>");
    let mut pe = with_buffers(&sources, [1; 3]);
    pe.post_refused(RELAY, b"", code::DENIED);
    run(&mut pe, ECHO);
    pe.post_refused(RELAY, b"", code::DENIED);
    pe.call(&[id::MSG_WAIT]);
    run(&mut pe, RELAY);
    for receiver in [0, ECHO] {
        pe.post_refused(receiver, b"", code::DENIED);
    }
}

#[test]
fn a_receiver_admits_whom_its_manifest_lists() {
    let uuid = "5d7f1c2e-8a3b-4e60-9b1d-3c2f6a7e9d41";
    let rules = [
        // Nobody; the kernel; `relay` for one service; both.
        (String::new(), [false, false, false, false]),
        ("one { sender = <0>; };".to_owned(), [true, true, false, false]),
        (format!("one {{ sender = <{RELAY}>; uuid = \"{uuid}\"; }};"), [false, false, false, true]),
        (format!("one {{ sender = <{RELAY}>; }}; two {{ sender = <0>; }};"), [true; 4]),
        // A VM is not the kernel.
        ("one { sender = <7>; };".to_owned(), [false; 4]),
    ];
    for (rules, admitted) in rules {
        let mut sources = Sources::talking(V1_2);
        let node =
            format!("allowed-senders {{ compatible = \"hafnia,manifest-allowed-senders\"; {rules} }};");
        Sources::add_node(&mut sources.echo, &node);
        let mut pe = with_buffers(&sources, [1; 3]);
        for (sender, uuid, admitted) in [
            (0, 0, admitted[0]),
            (0, ECHO_UUID, admitted[1]),
            (RELAY, 0, admitted[2]),
            (RELAY, ECHO_UUID, admitted[3]),
        ] {
            if sender == RELAY {
                run(&mut pe, RELAY);
            }
            pe.send(&Header { uuid, ..Header::new(sender, ECHO, 0) }.to_bytes());
            if !admitted {
                pe.refused(&SEND, code::DENIED);
            } else {
                pe.done(&SEND);
            }
            if sender == RELAY {
                pe.call(&[id::MSG_WAIT]);
            }
            run(&mut pe, ECHO);
            assert_eq!(pe.take_notifications(FRAMEWORK) != [0; 4], admitted, "{rules} {sender:#x} {uuid:x}");
            pe.call(&[id::MSG_WAIT]);
        }
    }
}

#[test]
fn a_receiver_below_1_1_gets_no_message() {
    let mut sources = Sources::talking(V1_2);
    Sources::set_version(&mut sources.echo, V1_0);
    Sources::set(&mut sources.echo, "messaging-method", "<0x7>");
    let mut pe = with_buffers(&sources, [1; 3]);
    // It could not ask for the notification, nor release the buffer.
    pe.post_refused(ECHO, b"", code::DENIED);
    run(&mut pe, RELAY);
    pe.post_refused(ECHO, b"", code::DENIED);
}

#[test]
fn an_aborted_receiver_gets_no_message() {
    let mut pe = talking();
    pe.normal(&[id::REQUEST, pair(0, ECHO)]);
    pe.fault();
    pe.expect_aborted();
    pe.post_refused(ECHO, b"", code::ABORTED);
    run(&mut pe, RELAY);
    pe.post_refused(ECHO, b"", code::ABORTED);
}

#[test]
fn a_refused_message_leaves_everything_as_it_was() {
    let mut pe = with_buffers(&Sources::talking(V1_2), [2, 1, 1]);
    run(&mut pe, ECHO);
    let rx = pe.rx();
    manager::hardware::Memory::write(&mut pe.machine, rx, &[0xEE; 0x1000]).expect("a buffer lies in memory");
    pe.call(&[id::MSG_WAIT]);
    for header in [
        Header::new(0, ECHO, 0x1000),
        Header { sender: 9, ..Header::new(0, ECHO, 4) },
        Header { uuid: 1, ..Header::new(0, ECHO, 4) },
    ] {
        pe.send(&header.to_bytes());
        pe.normal(&SEND);
        assert_eq!(pe.low()[0], id::ERROR);
    }
    assert_eq!((pe.machine.take_raised(), pe.told().len()), (vec![], 0));
    run(&mut pe, ECHO);
    assert_eq!(pe.take_notifications(FRAMEWORK), [0; 4]);
    assert!(pe.received(0x1000).iter().all(|byte| *byte == 0xEE));
    pe.refused(&[id::RX_RELEASE], code::DENIED);
    // The sender's buffers are its own again.
    pe.call(&[id::MSG_WAIT]);
    pe.done(&[id::RXTX_UNMAP]);
}

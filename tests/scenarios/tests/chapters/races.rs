//! Messages against what other PEs do at the same moment.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Barrier};
use std::thread;

use manager::hardware::Memory;
use scenarios::messages::{HEADER, Header};
use scenarios::notifications::{FRAMEWORK, SENT, bind, set};
use scenarios::{ECHO, Pe, Place, RELAY, Sources, V1_2, World, code, hypercall, id, pair};

use super::indirect::{map_all, run, with_buffers};
use super::interrupts::{OWN, comes, expect_handled, with_devices};

/// The accesses of memory that FFA_MSG_SEND2 makes: it reads the header, writes it, and reads and writes the payload.
const ACCESSES: u32 = 4;

/// Two PEs in the Normal world, on a machine on which all have buffers of one page.
fn two() -> (Pe, Pe) {
    let world = World::of(&Sources::talking(V1_2));
    let (mut first, second) = (world.booted_pe(0), world.booted_pe(1));
    map_all(&mut first, [1; 3]);
    (first, second)
}

/// A message from the Normal world on `first` to `echo`, while `meanwhile` happens on `second` after so many accesses.
fn post_meanwhile(
    first: &mut Pe,
    mut second: Pe,
    accesses: u32,
    meanwhile: impl FnOnce(&mut Pe) + Send + Sync + 'static,
) {
    first.write(&Header::new(0, ECHO, 8), b"12345678");
    let happened = Arc::new(AtomicBool::new(false));
    let happens = happened.clone();
    first.machine.meanwhile(accesses, move || {
        meanwhile(&mut second);
        happens.store(true, Ordering::Relaxed);
    });
    first.normal(&[id::SEND2]);
    assert!(happened.load(Ordering::Relaxed), "there is no access {accesses}");
}

#[test]
fn a_header_that_is_rewritten_meanwhile_never_reaches_the_receiver() {
    for accesses in 1..=ACCESSES {
        for forged in [
            Header::new(9, ECHO, 8),
            Header::new(0, RELAY, 8),
            Header::new(0, ECHO, 0xFFFF_FFFF),
            Header { offset: 0xFFFF_F000, ..Header::new(0, ECHO, 0x2000) },
            Header { uuid: 1, ..Header::new(0, ECHO, 8) },
        ] {
            let (mut first, second) = two();
            post_meanwhile(&mut first, second, accesses, move |second| {
                let tx = second.tx();
                second.machine.write(tx, &forged.to_bytes()).expect("a buffer lies in memory");
            });
            assert_eq!(first.low()[0], id::SUCCESS);
            assert_eq!(first.told(), [[ECHO]]);
            run(&mut first, ECHO);
            first.receive(0, b"12345678");
        }
    }
}

#[test]
fn buffers_that_are_unmapped_meanwhile_harm_nobody() {
    for accesses in 1..=ACCESSES {
        let (mut first, second) = two();
        post_meanwhile(&mut first, second, accesses, move |second| {
            second.refused(&[id::RXTX_UNMAP], code::BUSY);
            second.refused(&[id::SEND2], code::BUSY);
            // The receiver's are in use once the header has been judged.
            assert_eq!(second.normal(&[id::REQUEST, pair(0, ECHO)]), Place::Partition((ECHO, 1)));
            if accesses > 1 {
                second.refused(&[id::RXTX_UNMAP], code::BUSY);
                second.refused(&[id::RX_RELEASE], code::BUSY);
                second.refused(&[0x8400_0068], code::BUSY);
            } else {
                second.done(&[id::RXTX_UNMAP]);
            }
            assert_eq!(second.take_notifications(FRAMEWORK), [0; 4], "nothing is there yet");
        });
        if accesses == 1 {
            first.expect_error(code::DENIED);
        } else {
            assert_eq!(first.low()[0], id::SUCCESS);
            run(&mut first, ECHO);
            first.receive(0, b"12345678");
            first.done(&[id::RXTX_UNMAP]);
            first.call(&[id::MSG_WAIT]);
        }
        first.done(&[id::RXTX_UNMAP]);
    }
}

#[test]
fn a_message_is_on_its_way_to_one_receiver_at_a_time() {
    for accesses in 1..=ACCESSES {
        let (mut first, second) = two();
        post_meanwhile(&mut first, second, accesses, move |second| {
            assert_eq!(second.normal(&[id::RUN, pair(RELAY, 0)]), Place::Partition((RELAY, 0)));
            second.write(&Header::new(RELAY, ECHO, 5), b"other");
            second.call(&[id::SEND2]);
            let (low, is_first) = (second.low(), accesses == 1);
            assert_eq!(low[0], if is_first { id::SUCCESS } else { id::ERROR }, "who claims the buffer first");
            assert_eq!(low[2], if is_first { 0 } else { code::BUSY });
        });
        let (sender, payload) = if accesses == 1 { (RELAY, &b"other"[..]) } else { (0, &b"12345678"[..]) };
        if accesses == 1 {
            first.expect_error(code::BUSY);
        }
        run(&mut first, ECHO);
        first.receive(sender, payload);
    }
}

#[test]
fn a_receiver_that_is_aborted_meanwhile_harms_nobody() {
    for accesses in 1..=ACCESSES {
        let (mut first, second) = two();
        post_meanwhile(&mut first, second, accesses, move |second| {
            second.normal(&[id::REQUEST, pair(0, ECHO)]);
            second.fault();
        });
        if accesses == 1 {
            assert_eq!(first.low()[0], id::ERROR);
        }
        first.post_refused(ECHO, b"again", code::ABORTED);
        first.post(RELAY, b"others go on");
    }
}

/// Runs `partition` on this PE for one visit: it takes what is there, and `act` follows.
fn visit(pe: &mut Pe, partition: u64, act: impl FnOnce(&mut Pe)) {
    pe.normal(&[id::RUN, pair(partition, 0)]);
    if pe.own_id() == partition {
        act(pe);
        pe.call(&[id::MSG_WAIT]);
    } else {
        pe.expect_error(code::BUSY);
    }
}

#[test]
fn two_that_send_to_each_other_at_the_same_moment_are_delivered_or_busy() {
    let mut sources = Sources::talking(V1_2);
    Sources::set(&mut sources.echo, "execution-ctx-count", "<1>");
    sources.spmc = sources.spmc.replacen("vcpu_count = <4>", "vcpu_count = <1>", 1);
    let world = World::of(&sources);
    let (mut first, mut second) = (world.booted_pe(0), world.booted_pe(1));
    map_all(&mut first, [1; 3]);
    run(&mut first, ECHO);
    run(&mut second, RELAY);
    let start = Barrier::new(2);
    let play = |mut pe: Pe, other: u64| {
        let (mut sent, mut received) = (0_u32, 0_u32);
        for round in 0..400_u32 {
            start.wait();
            let payload = [pe.own_id() as u32, sent].map(u32::to_le_bytes).concat();
            pe.write(&Header::new(pe.own_id(), other, 8), &payload);
            pe.call(&[id::SEND2]);
            if pe.low()[0] == id::SUCCESS {
                sent += 1;
            } else {
                pe.expect_error(code::BUSY);
            }
            // Not each time, so that the other one finds it busy.
            if round % 3 != 0 && pe.take_notifications(FRAMEWORK)[2] == 1 {
                let found = pe.received(HEADER as usize + 8);
                let expected = [other as u32, received].map(u32::to_le_bytes).concat();
                assert_eq!(found[HEADER as usize..], expected, "none is lost, and none comes twice");
                received += 1;
                pe.done(&[id::RX_RELEASE]);
            }
        }
        (sent, received)
    };
    let (one, other) = thread::scope(|scope| {
        let one = scope.spawn(|| play(first, RELAY));
        let other = scope.spawn(|| play(second, ECHO));
        (one.join().unwrap(), other.join().unwrap())
    });
    assert!(one.0 - other.1 <= 1 && other.0 - one.1 <= 1, "{one:?} {other:?}");
    assert!(one.1 > 100 && other.1 > 100, "{one:?} {other:?}");
}

#[test]
fn busy_under_load_never_loses_the_earlier_message() {
    const EACH: u32 = 300;
    let mut sources = Sources::talking(V1_2);
    let single = sources.relay.clone();
    let third = sources.add("third", single);
    let world = World::of(&sources);
    let mut pes: Vec<Pe> = (0..3).map(|index| world.booted_pe(index)).collect();
    map_all(&mut pes[0], [1; 3]);
    run(&mut pes[0], third);
    pes[0].map(1);
    pes[0].call(&[id::MSG_WAIT]);
    // `relay` and `third` send to `echo`, which is on the third PE and reads as fast as it can.
    let mut receiver = pes.pop().expect("three PEs");
    receiver.normal(&[id::RUN, pair(ECHO, 2)]);
    let senders: Vec<(Pe, u64)> = pes.into_iter().zip([RELAY, third]).collect();
    let sent = AtomicU32::new(0);
    thread::scope(|scope| {
        for (mut pe, own) in senders {
            let sent = &sent;
            scope.spawn(move || {
                run(&mut pe, own);
                let mut number = 0;
                while number < EACH {
                    pe.write(&Header::new(own, ECHO, 4), &number.to_le_bytes());
                    pe.call(&[id::SEND2]);
                    if pe.low()[0] == id::SUCCESS {
                        number += 1;
                        sent.fetch_add(1, Ordering::Relaxed);
                    } else {
                        pe.expect_error(code::BUSY);
                        thread::yield_now();
                    }
                }
            });
        }
        let mut expected = [0_u32; 2];
        while expected != [EACH; 2] {
            if receiver.take_notifications_of(2, ECHO, FRAMEWORK)[2] != 1 {
                thread::yield_now();
                continue;
            }
            let bytes = receiver.received(HEADER as usize + 4);
            let sender = u64::from(u16::from_le_bytes([bytes[14], bytes[15]]));
            let expected = &mut expected[usize::from(sender == third)];
            assert_eq!(bytes[HEADER as usize..], expected.to_le_bytes(), "of {sender:#x}");
            *expected += 1;
            receiver.done(&[id::RX_RELEASE]);
        }
    });
    assert_eq!(sent.load(Ordering::Relaxed), 2 * EACH);
}

#[test]
fn n_contexts_run_for_one_message_and_exactly_one_sees_it() {
    let world = World::of(&Sources::talking(V1_2));
    let mut pes: Vec<Pe> = (0..4).map(|index| world.booted_pe(index)).collect();
    map_all(&mut pes[0], [1; 3]);
    let start = Barrier::new(4);
    let seen = AtomicU32::new(0);
    thread::scope(|scope| {
        for (index, mut pe) in (0..).zip(pes) {
            let (start, seen) = (&start, &seen);
            scope.spawn(move || {
                for round in 0..200_u64 {
                    if index == 0 {
                        pe.post(ECHO, &round.to_le_bytes());
                    }
                    start.wait();
                    assert_eq!(pe.normal(&[id::RUN, pair(ECHO, index)]), Place::Partition((ECHO, index)));
                    if pe.take_notifications_of(index, ECHO, FRAMEWORK)[3] == 1 {
                        seen.fetch_add(1, Ordering::Relaxed);
                        pe.expect_message(0, &round.to_le_bytes());
                        pe.done(&[id::RX_RELEASE]);
                    }
                    // The buffer is another context's to release.
                    assert_eq!(pe.call(&[id::MSG_WAIT, 0, 1]), Place::Normal);
                    start.wait();
                }
            });
        }
    });
    assert_eq!(seen.load(Ordering::Relaxed), 200, "each message once");
}

#[test]
fn of_two_pes_that_run_one_context_one_finds_its_message() {
    let world = World::of(&Sources::talking(V1_2));
    let mut pes: Vec<Pe> = (0..2).map(|index| world.booted_pe(index)).collect();
    map_all(&mut pes[0], [1; 3]);
    let start = Barrier::new(2);
    let seen = AtomicU32::new(0);
    thread::scope(|scope| {
        for (index, mut pe) in (0..).zip(pes) {
            let (start, seen) = (&start, &seen);
            scope.spawn(move || {
                for round in 0..300_u64 {
                    if index == round % 2 {
                        pe.post(RELAY, &round.to_le_bytes());
                    }
                    start.wait();
                    visit(&mut pe, RELAY, |pe| {
                        if pe.take_notifications(FRAMEWORK)[3] == 1 {
                            seen.fetch_add(1, Ordering::Relaxed);
                            pe.expect_message(0, &round.to_le_bytes());
                            pe.done(&[id::RX_RELEASE]);
                        }
                    });
                    start.wait();
                }
            });
        }
    });
    assert_eq!(seen.load(Ordering::Relaxed), 300);
}

#[test]
fn a_message_to_a_partition_at_work_elsewhere_is_found_there() {
    let mut first = with_buffers(&Sources::talking(V1_2), [1; 3]);
    let mut second = first.world.clone().booted_pe(1);
    assert_eq!(second.normal(&[id::REQUEST, pair(0, RELAY)]), Place::Partition((RELAY, 0)));
    first.post(RELAY, b"at work");
    second.receive(0, b"at work");
    assert_eq!(second.call(&[id::RESPONSE, pair(RELAY, 0)]), Place::Normal);
}

#[test]
fn notifications_of_several_pes_are_all_got_and_told() {
    const ROUNDS: u64 = 200;
    let world = World::of(&Sources::talking(V1_2));
    let mut pes: Vec<Pe> = (0..4).map(|index| world.booted_pe(index)).collect();
    let mut receiver = pes.pop().expect("four PEs");
    run(&mut receiver, RELAY);
    // The kernel and two VMs, each from a PE of its own.
    for sender in 0..3 {
        receiver.done(&bind(sender, RELAY, 0, 1 << sender));
    }
    let start = Barrier::new(4);
    let told = AtomicU32::new(0);
    thread::scope(|scope| {
        for (sender, mut pe) in (0..).zip(pes) {
            let (start, told) = (&start, &told);
            scope.spawn(move || {
                for _ in 0..ROUNDS {
                    start.wait();
                    pe.done(&set(sender, RELAY, 0, 1 << sender));
                    told.fetch_add(pe.told().len() as u32, Ordering::Relaxed);
                    start.wait();
                }
            });
        }
        for _ in 0..ROUNDS {
            start.wait();
            let mut got = 0;
            while got != 0b111 {
                let new = receiver.take_notifications(SENT)[1];
                assert_eq!(got & new, 0, "none twice");
                got |= new;
            }
            start.wait();
            assert_eq!(receiver.take_notifications(SENT), [0; 4]);
        }
    });
    assert!(told.load(Ordering::Relaxed) <= 3 * ROUNDS as u32, "each is news once");
}

#[test]
fn a_receiver_that_is_entered_while_it_is_notified_has_the_interrupt() {
    let world = World::of(&Sources::talking(V1_2));
    let (mut first, mut second) = (world.booted_pe(0), world.booted_pe(1));
    run(&mut second, RELAY);
    second.done(&bind(0, RELAY, 0, 1));
    assert_eq!(second.hypercall(&[hypercall::ENABLE, 5, 1, 0]), 0);
    second.call(&[id::MSG_WAIT]);
    let start = Barrier::new(2);
    thread::scope(|scope| {
        scope.spawn(|| {
            for _ in 0..500 {
                start.wait();
                first.done(&set(0, RELAY, 0, 1));
                start.wait();
                start.wait();
            }
        });
        for _ in 0..500 {
            start.wait();
            run(&mut second, RELAY);
            start.wait();
            // When it was entered, or by a kick.
            second.take_kick();
            second.handle(5);
            assert_eq!(second.take_notifications(SENT), [0, 1, 0, 0]);
            assert_eq!(second.call(&[id::MSG_WAIT]), Place::Normal);
            start.wait();
        }
    });
}

#[test]
fn an_interrupt_that_comes_while_its_owner_ends_its_work_is_handled_once() {
    // With threads.
    let world = World::of(&with_devices());
    let (mut first, mut second) = (world.booted_pe(0), world.booted_pe(1));
    for round in 0..500 {
        run(&mut second, RELAY);
        thread::scope(|scope| {
            scope.spawn(|| comes(&mut first, OWN));
            second.call(&[id::MSG_WAIT]);
        });
        for pe in [&mut first, &mut second] {
            pe.take_kick();
        }
        let there = [&first, &second].map(|pe| pe.own_id() == RELAY);
        assert!(there[0] != there[1], "lost, or on both, in round {round}: {there:?}");
        let handler = if there[0] { &mut first } else { &mut second };
        handler.handle(OWN.into());
        assert_eq!(handler.call(&[id::MSG_WAIT]), Place::Normal);
        expect_handled(handler);
        for pe in [&mut first, &mut second] {
            pe.take_kick();
            assert_eq!(pe.place(), Place::Normal);
        }
    }
}

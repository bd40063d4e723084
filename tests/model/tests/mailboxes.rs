//! Mailboxes: of several messages for one receiver one is delivered and the others are refused, nothing is written to a
//! buffer that is not the SPMC's, and who was refused is told when there is room.
#![cfg(model)]

use manager::hardware::Memory;
use model::{Act, ECHO, RELAY, code, enter, everybody_has_buffers, explore, id, pair, sources};
use scenarios::{Notified, Pe};

/// What an act tells when its call was done.
const DONE: u64 = 0;
/// Framework notification: an RX buffer became free.
const RX_FREE: u64 = 1 << 31;

/// What a call came to: [`DONE`], or the code of its refusal.
fn result([function, w2]: [u64; 2]) -> u64 {
    if function == id::SUCCESS { DONE } else { w2 }
}

/// Whoever is on the PE sends a message that says who it is.
fn send_to(pe: &mut Pe, receiver: u64) -> u64 {
    let payload = pe.own_id().to_le_bytes();
    result(pe.message(receiver, &payload))
}

const TO_ECHO: Act = |pe| send_to(pe, ECHO);
const TO_RELAY: Act = |pe| send_to(pe, RELAY);

const OF_SPMC: fn(&Notified) -> u64 = |one| one.spmc;

/// The partition on the PE gives RX back.
const RELEASE: Act = |pe| result(pe.outcome(&[id::RX_RELEASE]));

/// The partition on the PE has no buffers any more, and uses the pages for something else if that is so.
const UNMAP: Act = |pe| {
    let unmapped = result(pe.outcome(&[id::RXTX_UNMAP]));
    if unmapped == DONE {
        let (tx, rx) = (pe.tx(), pe.rx());
        for page in [tx, rx] {
            pe.machine.write(page, &[7; 64]).expect("it is still its memory");
        }
    }
    unmapped
};

#[test]
fn of_two_senders_one_is_delivered() {
    let before: fn(&mut [Pe; 2]) = |[one, _]| {
        everybody_has_buffers(one);
        enter(one, RELAY);
    };
    explore(&sources(), before, [TO_ECHO, TO_ECHO], |end| {
        assert_eq!((end.count(DONE), end.count(code::BUSY)), (1, 1));
        let winner = if end.told[0] == DONE { RELAY } else { 0 };
        let was_refused = winner == 0;
        end.drain();
        assert_eq!(end.seen.payloads(), [winner.to_le_bytes()]);
        assert_eq!(end.seen.times(RELAY, RX_FREE, OF_SPMC), usize::from(was_refused));
    });
}

#[test]
fn of_three_senders_one_is_delivered() {
    let before: fn(&mut [Pe; 3]) = |[one, two, _]| {
        everybody_has_buffers(one);
        enter(one, ECHO);
        enter(two, ECHO);
        // Contexts of a partition share its buffers: the message is there already.
        one.write_message(RELAY, b"echo");
    };
    let send: Act = |pe| result(pe.outcome(&[id::SEND2]));
    explore(&sources(), before, [send, send, TO_RELAY], |end| {
        assert_eq!((end.count(DONE), end.count(code::BUSY)), (1, 2));
        let winner = if end.told[2] == DONE { 0_u64.to_le_bytes().to_vec() } else { b"echo".to_vec() };
        end.drain();
        assert_eq!(end.seen.payloads(), [winner]);
    });
}

/// `relay` is on the first PE, `echo` on the second, which has read a message and not given RX back.
const ECHO_READS: fn(&mut Pe, &mut Pe) = |one, two| {
    everybody_has_buffers(one);
    enter(one, RELAY);
    one.message(ECHO, b"first");
    enter(two, ECHO);
    two.done(&[id::GET, pair(1, ECHO), 0xF]);
    let _ = two.received(64);
};

#[test]
fn whoever_is_refused_is_told_when_there_is_room() {
    explore(
        &sources(),
        |[one, two]| ECHO_READS(one, two),
        [TO_ECHO, RELEASE],
        |end| {
            assert_eq!(end.told[1], DONE);
            assert!([DONE, code::BUSY].contains(&end.told[0]));
            let was_refused = end.told[0] == code::BUSY;
            end.drain();
            assert_eq!(end.seen.messages.len(), usize::from(!was_refused));
            assert_eq!(end.seen.times(RELAY, RX_FREE, OF_SPMC), usize::from(was_refused));
        },
    );
}

#[test]
fn whoever_is_refused_is_told_though_another_one_is_faster() {
    let before: fn(&mut [Pe; 3]) = |[one, two, _]| ECHO_READS(one, two);
    explore(&sources(), before, [TO_ECHO, RELEASE, TO_ECHO], |end| {
        assert!(end.count(DONE) <= 2, "the release, and one message");
        let was_refused = end.told[0] == code::BUSY;
        let delivered = end.count(DONE) - 1;
        end.drain();
        assert_eq!(end.seen.messages.len(), delivered);
        assert_eq!(end.seen.times(RELAY, RX_FREE, OF_SPMC), usize::from(was_refused));
    });
}

#[test]
fn two_that_send_to_each_other_both_do() {
    let before: fn(&mut [Pe; 2]) = |[one, two]| {
        everybody_has_buffers(one);
        enter(one, RELAY);
        enter(two, ECHO);
    };
    explore(&sources(), before, [TO_ECHO, TO_RELAY], |end| {
        assert_eq!(end.told, [DONE; 2]);
        end.drain();
        assert_eq!(end.seen.payloads(), [ECHO.to_le_bytes(), RELAY.to_le_bytes()]);
    });
}

#[test]
fn nothing_is_written_to_a_buffer_that_is_gone() {
    let before: fn(&mut [Pe; 2]) = |[one, two]| {
        everybody_has_buffers(one);
        enter(two, ECHO);
    };
    explore(&sources(), before, [TO_ECHO, UNMAP], |end| {
        let ways = [[DONE, DONE], [DONE, code::BUSY], [code::DENIED, DONE]];
        assert!(ways.iter().any(|way| *way == end.told[..]), "{:x?}", end.told);
        let delivered = usize::from(end.told[1] != DONE);
        end.drain();
        assert_eq!(end.seen.messages.len(), delivered);
    });
}

#[test]
fn nothing_is_read_from_a_buffer_that_is_gone() {
    let before: fn(&mut [Pe; 2]) = |[one, two]| {
        everybody_has_buffers(one);
        enter(one, ECHO);
        enter(two, ECHO);
        one.write_message(RELAY, b"echo");
    };
    let send: Act = |pe| result(pe.outcome(&[id::SEND2]));
    explore(&sources(), before, [send, UNMAP], |end| {
        let ways = [[DONE, DONE], [DONE, code::BUSY], [code::DENIED, DONE]];
        assert!(ways.iter().any(|way| *way == end.told[..]), "{:x?}", end.told);
        let delivered = usize::from(end.told[0] == DONE);
        end.drain();
        assert_eq!(end.seen.payloads(), vec![b"echo".to_vec(); delivered]);
    });
}

#[test]
fn a_message_and_its_reader_meet() {
    let read: Act = |pe| {
        let mut seen = scenarios::Seen::default();
        seen.get(pe);
        seen.messages.len() as u64
    };
    let before: fn(&mut [Pe; 2]) = |[one, two]| {
        everybody_has_buffers(one);
        enter(two, ECHO);
    };
    explore(&sources(), before, [TO_ECHO, read], |end| {
        assert_eq!(end.told[0], DONE);
        let read = end.told[1] as usize;
        end.drain();
        assert_eq!(end.seen.messages.len() + read, 1);
    });
}

#[test]
fn a_message_for_a_vm_that_is_gone_reaches_no_other() {
    let replace: Act = |pe| {
        let unmapped = result(pe.outcome(&[id::RXTX_UNMAP, pair(1, 0)]));
        if unmapped == DONE {
            // There is one place for VMs.
            pe.map_vm(2, 1);
        }
        unmapped
    };
    let before: fn(&mut [Pe; 2]) = |[one, _]| {
        everybody_has_buffers(one);
        one.map_vm(1, 1);
        enter(one, RELAY);
    };
    let send: Act = |pe| send_to(pe, 1);
    explore(&sources(), before, [send, replace], |end| {
        let ways = [[DONE, DONE], [DONE, code::BUSY], [code::DENIED, DONE]];
        assert!(ways.iter().any(|way| *way == end.told[..]), "{:x?}", end.told);
        if end.told[1] == DONE {
            assert_eq!(end.pes[1].received_by_vm(2, 64), [0; 64]);
            end.pes[1].done(&[id::RX_ACQUIRE, 2]);
        }
        end.drain();
    });
}

#[test]
fn a_message_meets_the_end_of_its_receiver() {
    let fault: Act = |pe| {
        pe.fault();
        DONE
    };
    let before: fn(&mut [Pe; 2]) = |[one, two]| {
        everybody_has_buffers(one);
        enter(one, RELAY);
        enter(two, ECHO);
    };
    explore(&sources(), before, [TO_ECHO, fault], |end| {
        assert!([DONE, code::ABORTED, code::DENIED].contains(&end.told[0]), "{:x}", end.told[0]);
        end.drain();
        assert!(end.seen.messages.is_empty(), "nobody is there to read it");
    });
}

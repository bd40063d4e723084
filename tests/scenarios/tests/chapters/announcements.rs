//! How a notification is announced: the schedule receiver interrupt to the Normal world, the notification pending
//! interrupt to its receiver.

use manager::exit::Lines;
use scenarios::notifications::{DELAY, PER_VCPU, SENT, bind, for_vcpu, set};
use scenarios::{ECHO, Pe, Place, RELAY, Sources, V1_2, World, code, hypercall, id, pair};

use super::direct::{IN_ECHO, IN_RELAY};
use super::indirect::run;

/// The notification pending interrupt.
const NPI: u64 = 5;

/// PEs of a machine on which `echo` and `relay` have let the notification pending interrupt through, take each other's
/// notification 0 and the kernel's, and 1 for a context; and the kernel takes theirs.
fn booted<const PES: usize>() -> [Pe; PES] {
    let world = World::of(&Sources::talking(V1_2));
    let mut pes: [Pe; PES] = core::array::from_fn(|index| world.booted_pe(index as u16));
    for (index, pe) in (0..).zip(&mut pes) {
        for (partition, vcpu) in [(ECHO, index), (RELAY, 0)] {
            pe.normal(&[id::RUN, pair(partition, vcpu)]);
            assert_eq!(pe.hypercall(&[hypercall::ENABLE, NPI, 1, 0]), 0);
            for sender in [0, ECHO + RELAY - partition] {
                if index == 0 {
                    pe.done(&bind(sender, partition, 0, 0b01));
                    pe.done(&bind(sender, partition, PER_VCPU, 0b10));
                }
            }
            pe.call(&[id::MSG_WAIT]);
        }
    }
    pes[0].done(&[id::BITMAP_CREATE, 0, PES as u64]);
    for sender in [ECHO, RELAY] {
        pes[0].done(&bind(sender, 0, 0, 1 << (sender & 3)));
    }
    pes
}

/// The partition on the PE has the notification pending interrupt, and takes it.
#[track_caller]
fn expect_pending(pe: &mut Pe) {
    assert_eq!(pe.lines(), Lines::IRQ);
    pe.handle(NPI);
    assert_eq!(pe.lines(), Lines::empty());
}

#[test]
fn an_sri_comes_at_once_where_it_is_not_delayed() {
    let [mut first, mut second] = booted();
    first.done(&set(0, ECHO, 0, 1));
    assert_eq!(first.machine.take_raised(), [0]);
    second.normal(&[id::RUN, pair(RELAY, 0)]);
    for receiver in [ECHO, 0] {
        second.done(&set(RELAY, receiver, 0, if receiver == 0 { 4 } else { 1 }));
        assert_eq!(second.machine.take_raised(), [1], "on the sender's PE, before it leaves that");
    }
    second.call(&[id::MSG_WAIT]);
    assert_eq!(second.machine.take_raised(), []);
    assert_eq!(first.told(), [[ECHO], [0]]);
}

#[test]
fn a_delayed_sri_comes_when_the_partition_has_left() {
    let leaves: [fn(&mut Pe) -> Place; 5] = [
        |pe| pe.call(&[id::MSG_WAIT]),
        |pe| pe.call(&[id::YIELD]),
        |pe| pe.call(&[id::RESPONSE, pair(RELAY, 0)]),
        Pe::interrupt,
        Pe::fault,
    ];
    let told = [id::MSG_WAIT, id::YIELD, id::RESPONSE, id::INTERRUPT, id::ERROR];
    for (told, leave) in told.into_iter().zip(leaves) {
        let [_, mut pe] = booted();
        let start = if told == id::RESPONSE { pair(0, RELAY) } else { pair(RELAY, 0) };
        pe.normal(&[if told == id::RESPONSE { id::REQUEST } else { id::RUN }, start]);
        pe.done(&set(RELAY, ECHO, DELAY, 0b01));
        pe.done(&set(RELAY, 0, DELAY, 4));
        // Whom it calls does not make it leave.
        pe.call(&[id::REQUEST, pair(RELAY, ECHO)]);
        pe.handle(NPI);
        pe.call(&[id::RESPONSE, pair(ECHO, RELAY)]);
        assert_eq!((pe.place(), pe.machine.take_raised()), (IN_RELAY, vec![]));
        leave(&mut pe);
        assert_eq!((pe.place(), pe.low()[0]), (Place::Normal, told));
        assert_eq!(pe.machine.take_raised(), [1], "once for all");
        assert_eq!(pe.told(), [[ECHO], [0]]);
        pe.normal(&[id::RUN, pair(ECHO, 1)]);
        pe.interrupt();
        assert_eq!(pe.machine.take_raised(), [], "and not again");
    }
}

#[test]
fn a_delayed_sri_for_a_pinned_vcpu_comes_on_its_pe() {
    let [mut pe, _, _, _] = booted();
    run(&mut pe, RELAY);
    for vcpu in [3, 1] {
        pe.done(&set(RELAY, ECHO, DELAY | for_vcpu(vcpu), 0b10));
    }
    assert_eq!(pe.machine.take_raised(), []);
    pe.call(&[id::MSG_WAIT]);
    assert_eq!(pe.machine.take_raised(), [1, 3]);
    run(&mut pe, RELAY);
    pe.done(&set(RELAY, ECHO, DELAY, 0b01));
    pe.call(&[id::MSG_WAIT]);
    assert_eq!(pe.machine.take_raised(), [0], "one for the partition as a whole on the sender's");
}

#[test]
fn a_set_notification_that_is_set_again_raises_no_sri() {
    for flags in [0, for_vcpu(0)] {
        let bit = if flags == 0 { 0b01 } else { 0b10 };
        let [mut pe] = booted();
        pe.done(&set(0, ECHO, flags, bit));
        let told = pe.told();
        assert_eq!((pe.machine.take_raised().len(), told.len()), (1, 1));
        for _ in 0..100 {
            pe.done(&set(0, ECHO, flags, bit));
        }
        run(&mut pe, RELAY);
        pe.done(&set(RELAY, ECHO, flags, bit));
        assert_eq!(pe.machine.take_raised().len(), 1, "that of another sender's world is another one");
        pe.call(&[id::MSG_WAIT]);
        assert_eq!(pe.told(), told);
        pe.done(&set(0, ECHO, flags, bit));
        assert_eq!((pe.machine.take_raised(), pe.told()), (vec![], vec![]));
        run(&mut pe, ECHO);
        assert_eq!(pe.take_notifications(SENT), [bit, bit, 0, 0]);
        pe.handle(NPI);
        pe.call(&[id::MSG_WAIT]);
        pe.done(&set(0, ECHO, flags, bit));
        assert_eq!((pe.machine.take_raised().len(), pe.told()), (1, told), "news when it was got");
    }
}

#[test]
fn an_sri_for_a_pinned_vcpu_comes_on_its_pe() {
    let [mut first, mut second] = booted();
    for vcpu in [3, 1, 0] {
        first.done(&set(0, ECHO, for_vcpu(vcpu), 0b10));
        assert_eq!(first.machine.take_raised(), [vcpu as u16]);
    }
    // `relay`'s context may run on any PE, and so may any of `echo`'s take what is for all.
    second.done(&set(0, RELAY, for_vcpu(0), 0b10));
    second.done(&set(0, ECHO, 0, 0b01));
    assert_eq!(second.machine.take_raised(), [1, 1]);
    assert_eq!(first.told(), [vec![ECHO], vec![ECHO, 0, 1, 3], vec![RELAY, 0]]);
}

#[test]
fn a_notification_takes_the_pe_from_nobody() {
    let [mut pe] = booted();
    pe.done(&set(0, ECHO, 0, 1));
    assert_eq!(pe.come(), Place::Normal);
    assert_eq!(pe.low()[0], id::NORMAL_WORLD_RESUME);
    run(&mut pe, RELAY);
    pe.done(&set(RELAY, ECHO, 0, 1));
    assert_eq!(pe.interrupt(), Place::Normal, "it is the scheduler that gives its receiver time");
}

#[test]
fn a_receiver_that_is_entered_has_the_interrupt() {
    let [mut pe] = booted();
    for enter in [[id::RUN, pair(ECHO, 0)], [id::REQUEST, pair(0, ECHO)], [id::REQUEST2, pair(0, ECHO)]] {
        pe.done(&set(0, ECHO, 0, 1));
        assert_eq!(pe.normal(&enter), IN_ECHO);
        assert_eq!(pe.low()[0], enter[0], "behind what it is entered for");
        expect_pending(&mut pe);
        assert_eq!(pe.take_notifications(SENT), [0, 1, 0, 0]);
        // It yielded, or was preempted.
        for stop in [Pe::interrupt as fn(&mut Pe) -> Place, |pe| pe.call(&[id::YIELD])] {
            assert_eq!(stop(&mut pe), Place::Normal);
            pe.done(&set(0, ECHO, 0, 1));
            pe.normal(&[id::RUN, pair(ECHO, 0)]);
            expect_pending(&mut pe);
            let _ = pe.take_notifications(SENT);
        }
        pe.call(&[
            match enter[0] {
                id::RUN => id::MSG_WAIT,
                id::REQUEST => id::RESPONSE,
                _ => id::RESPONSE2,
            },
            if enter[0] == id::RUN { 0 } else { pair(ECHO, 0) },
        ]);
        assert_eq!(pe.place(), Place::Normal);
        assert_eq!(pe.normal(&enter), IN_ECHO);
        assert_eq!(pe.lines(), Lines::empty(), "nothing is pending any more");
        pe.fault();
        [pe] = booted();
    }
}

#[test]
fn a_receiver_that_was_asked_by_a_partition_has_the_interrupt() {
    let [mut pe] = booted();
    run(&mut pe, RELAY);
    pe.done(&set(RELAY, ECHO, 0, 1));
    assert_eq!(pe.call(&[id::REQUEST, pair(RELAY, ECHO)]), IN_ECHO);
    expect_pending(&mut pe);
    assert_eq!(pe.take_notifications(SENT), [1, 0, 0, 0]);
}

#[test]
fn a_running_partition_is_interrupted_by_its_notifications() {
    let [mut first, mut second] = booted();
    second.normal(&[id::RUN, pair(RELAY, 0)]);
    second.frame.x[9] = 99;
    first.done(&set(0, RELAY, 0, 1));
    assert_eq!(second.lines(), Lines::empty(), "it does not know yet");
    assert!(second.take_kick(), "and is made to");
    assert_eq!((second.place(), second.frame.x[9]), (IN_RELAY, 99));
    expect_pending(&mut second);
    assert_eq!(second.take_notifications(SENT), [0, 1, 0, 0]);
    assert_eq!(first.machine.take_raised(), [0], "the scheduler is told all the same");
    // What it has not got is no news.
    first.done(&set(0, RELAY, 0, 1));
    assert_eq!(first.machine.take_kicked(), [1]);
    first.done(&set(0, RELAY, 0, 1));
    assert_eq!(first.machine.take_kicked(), []);
}

#[test]
fn a_partition_that_masks_the_interrupt_is_not_interrupted() {
    let [mut first, mut second] = booted();
    second.normal(&[id::RUN, pair(RELAY, 0)]);
    assert_eq!(second.hypercall(&[hypercall::ENABLE, NPI, 0, 0]), 0);
    first.done(&set(0, RELAY, 0, 1));
    assert_eq!(first.machine.take_kicked(), []);
    assert_eq!((second.lines(), second.take()), (Lines::empty(), None));
    assert_eq!(second.call(&[id::MSG_WAIT]), Place::Normal);
    second.normal(&[id::RUN, pair(RELAY, 0)]);
    assert_eq!(second.lines(), Lines::empty());
    // It is there when it is let through, by the line that is asked for.
    assert_eq!(second.hypercall(&[hypercall::ENABLE, NPI, 1, 0]), 0);
    expect_pending(&mut second);
}

#[test]
fn every_context_at_work_is_interrupted_and_one_gets_the_notification() {
    let [mut first, mut second, mut third] = booted();
    for (vcpu, pe) in [(0, &mut first), (1, &mut second)] {
        pe.normal(&[id::RUN, pair(ECHO, vcpu)]);
    }
    third.done(&set(0, ECHO, 0, 1));
    assert!(first.take_kick() && second.take_kick());
    let mut got = Vec::new();
    for (vcpu, pe) in [(0, &mut first), (1, &mut second)] {
        expect_pending(pe);
        got.push(pe.take_notifications_of(vcpu, ECHO, SENT)[1]);
    }
    assert_eq!(got, [1, 0]);
    // One for a context is for that one.
    third.done(&set(0, ECHO, for_vcpu(1), 0b10));
    assert_eq!(third.machine.take_kicked(), [1]);
    assert_eq!(first.lines(), Lines::empty());
    third.done(&set(0, ECHO, for_vcpu(2), 0b10));
    assert_eq!(third.machine.take_kicked(), [], "who waits is not kicked");
    first.call(&[id::MSG_WAIT]);
    first.normal(&[id::RUN, pair(ECHO, 0)]);
    assert_eq!(first.lines(), Lines::empty());
    third.normal(&[id::RUN, pair(ECHO, 2)]);
    expect_pending(&mut third);
}

#[test]
fn a_receiver_that_is_blocked_in_a_chain_is_interrupted_when_it_goes_on() {
    let [mut first, mut second] = booted();
    for elsewhere in [false, true] {
        first.normal(&[id::REQUEST, pair(0, RELAY)]);
        first.call(&[id::REQUEST, pair(RELAY, ECHO)]);
        if elsewhere {
            second.done(&set(0, RELAY, 0, 1));
        } else {
            first.done(&set(ECHO, RELAY, 0, 1));
        }
        assert_eq!((first.place(), first.machine.take_kicked()), (IN_ECHO, vec![]));
        assert_eq!(first.call(&[id::RESPONSE, pair(ECHO, RELAY)]), IN_RELAY);
        expect_pending(&mut first);
        assert_eq!(first.take_notifications(SENT), [u64::from(!elsewhere), u64::from(elsewhere), 0, 0]);
        assert_eq!(first.call(&[id::RESPONSE, pair(RELAY, 0)]), Place::Normal);
    }
}

#[test]
fn a_receiver_that_is_blocked_takes_the_pe_from_nobody_whatever_interrupts_it() {
    let [mut first, mut second] = booted();
    first.normal(&[id::REQUEST, pair(0, RELAY)]);
    first.call(&[id::REQUEST, pair(RELAY, ECHO)]);
    second.done(&set(0, RELAY, 0, 1));
    second.done(&set(0, ECHO, 0, 1));
    assert!(first.take_kick(), "for the one that runs");
    assert_eq!(first.place(), IN_ECHO);
    expect_pending(&mut first);
    assert_eq!(first.call(&[id::RESPONSE, pair(ECHO, RELAY)]), IN_RELAY);
    expect_pending(&mut first);
    assert_eq!(first.call(&[id::RESPONSE, pair(RELAY, 0)]), Place::Normal);
}

#[test]
fn a_receiver_does_not_wait_with_the_interrupt_pending() {
    let [mut pe] = booted();
    pe.done(&set(0, ECHO, 0, 1));
    run(&mut pe, ECHO);
    // It has the notification, but has not taken the interrupt.
    assert_eq!(pe.take_notifications(SENT), [0, 1, 0, 0]);
    assert_eq!(pe.call(&[id::MSG_WAIT]), IN_ECHO);
    assert_eq!(pe.low(), [id::INTERRUPT, 0, NPI, 0, 0, 0, 0, 0]);
    expect_pending(&mut pe);
    assert_eq!(pe.call(&[id::MSG_WAIT]), Place::Normal);
}

#[test]
fn a_notification_that_comes_while_its_receiver_leaves_is_found_when_it_is_entered() {
    let [mut first, mut second] = booted();
    first.normal(&[id::RUN, pair(RELAY, 0)]);
    assert_eq!(first.call_unsettled(&[id::MSG_WAIT]), Place::Normal);
    second.done(&set(0, RELAY, 0, 1));
    second.refused(&[id::RUN, pair(RELAY, 0)], code::BUSY);
    first.settle();
    assert_eq!(second.told(), [[RELAY]]);
    second.normal(&[id::RUN, pair(RELAY, 0)]);
    expect_pending(&mut second);
    assert_eq!(second.take_notifications(SENT), [0, 1, 0, 0]);
}

#[test]
fn a_message_is_announced_as_other_notifications_are() {
    let [mut first, mut second] = booted();
    super::indirect::map_all(&mut first, [1; 3]);
    second.normal(&[id::RUN, pair(RELAY, 0)]);
    first.post(RELAY, b"kicked");
    assert!(second.take_kick());
    expect_pending(&mut second);
    second.receive(0, b"kicked");
    second.post(ECHO, b"entered");
    first.normal(&[id::REQUEST, pair(0, ECHO)]);
    expect_pending(&mut first);
    first.receive(RELAY, b"entered");
}

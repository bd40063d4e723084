//! FFA_NOTIFICATION_INFO_GET: all that waits is told, once, over as many calls as it takes.

use scenarios::notifications::{PER_VCPU, SENT, Told, bind, for_vcpu, set};
use scenarios::{ECHO, Pe, Place, RELAY, Sources, V1_1, V1_2, World, code, id, pair};

use super::indirect::run;
use super::interrupts::{OWN, comes};

/// Bits for all contexts and for one.
const GLOBAL: u64 = 0b01;
const ONE: u64 = 0b10;

/// PE 0 of a machine on which `echo` may notify these VMs, and all partitions take notifications from the kernel.
fn with_vms(vms: u64) -> Pe {
    of(&Sources::talking(V1_2), vms)
}

fn of(sources: &Sources, vms: u64) -> Pe {
    let mut pe = World::of(sources).booted_pe(0);
    for partition in [ECHO, RELAY] {
        run(&mut pe, partition);
        pe.done(&bind(0, partition, 0, GLOBAL));
        pe.done(&bind(0, partition, PER_VCPU, ONE));
        pe.call(&[id::MSG_WAIT]);
    }
    for vm in 1..=vms {
        pe.done(&[id::BITMAP_CREATE, vm, 16]);
        pe.done(&bind(ECHO, vm, 0, GLOBAL));
        pe.done(&bind(ECHO, vm, PER_VCPU, ONE));
    }
    pe
}

/// `echo` notifies VMs: each as a whole or one of its contexts.
fn notify(pe: &mut Pe, receivers: impl IntoIterator<Item = (u64, Option<u64>)>) {
    run(pe, ECHO);
    for (vm, context) in receivers {
        match context {
            None => pe.done(&set(ECHO, vm, 0, GLOBAL)),
            Some(vcpu) => pe.done(&set(ECHO, vm, for_vcpu(vcpu), ONE)),
        };
    }
    pe.call(&[id::MSG_WAIT]);
}

/// The answers of one call after the other, until one says that there is no more.
#[track_caller]
fn answers(pe: &mut Pe, function: u64) -> Vec<Vec<Vec<u64>>> {
    let mut all = Vec::new();
    loop {
        let (lists, more): Told = pe.told_by(function).expect("there is more");
        all.push(lists);
        if !more {
            break;
        }
    }
    assert_eq!(pe.told_by(function), None, "then there is none");
    all
}

const FUNCTIONS: [(u64, usize); 2] = [(id::INFO_GET, 10), (id::INFO_GET64, 20)];

#[test]
fn where_nothing_waits_there_is_no_data() {
    for version in [V1_1, V1_2] {
        for mut pe in World::callers_of(&Sources::talking(version), version) {
            for (function, _) in FUNCTIONS {
                let refusal = if pe.place() == Place::Normal { code::NO_DATA } else { code::NOT_SUPPORTED };
                pe.refused(&[function], refusal);
                if pe.place() == Place::Normal {
                    for register in 1..8 {
                        let mut x = [function, 0, 0, 0, 0, 0, 0, 0];
                        x[register] = 1;
                        pe.refused(&x, code::INVALID);
                    }
                }
            }
        }
    }
}

#[test]
fn an_endpoint_is_told_as_a_whole_and_by_its_contexts() {
    for (function, _) in FUNCTIONS {
        let mut pe = with_vms(1);
        // Whole, and one context.
        pe.done(&set(0, ECHO, 0, GLOBAL));
        pe.done(&set(0, ECHO, for_vcpu(2), ONE));
        pe.done(&set(0, RELAY, for_vcpu(0), ONE));
        assert_eq!(answers(&mut pe, function), [[vec![ECHO], vec![ECHO, 2], vec![RELAY, 0]]]);
        // Three contexts to a list.
        notify(&mut pe, [1, 3, 5, 7, 15].map(|vcpu| (1, Some(vcpu))));
        notify(&mut pe, [(1, None)]);
        assert_eq!(answers(&mut pe, function), [[vec![1], vec![1, 1, 3, 5], vec![1, 7, 15]]]);
    }
}

#[test]
fn what_was_told_is_told_again_when_there_is_news() {
    let mut pe = with_vms(0);
    run(&mut pe, ECHO);
    pe.done(&bind(0, ECHO, 0, 0b100));
    pe.call(&[id::MSG_WAIT]);
    pe.done(&set(0, ECHO, 0, GLOBAL));
    assert_eq!(pe.told(), [[ECHO]]);
    pe.done(&set(0, ECHO, 0, 0b101));
    assert_eq!(pe.told(), [[ECHO]], "another one is news");
    pe.done(&set(0, ECHO, for_vcpu(0), ONE));
    assert_eq!(pe.told(), [[ECHO, 0]]);
    run(&mut pe, ECHO);
    assert_eq!(pe.take_notifications(SENT)[1], 0b111);
    pe.call(&[id::MSG_WAIT]);
    assert_eq!(pe.told().len(), 0);
    pe.done(&set(0, ECHO, 0, GLOBAL));
    pe.done(&set(0, ECHO, for_vcpu(0), ONE));
    assert_eq!(pe.told(), [vec![ECHO], vec![ECHO, 0]]);
}

#[test]
fn what_was_got_before_is_not_told() {
    let mut pe = with_vms(0);
    pe.done(&set(0, ECHO, 0, GLOBAL));
    pe.done(&set(0, ECHO, for_vcpu(0), ONE));
    pe.done(&set(0, ECHO, for_vcpu(1), ONE));
    run(&mut pe, ECHO);
    assert_eq!(pe.take_notifications(SENT), [0, GLOBAL | ONE, 0, 0]);
    pe.call(&[id::MSG_WAIT]);
    assert_eq!(pe.told(), [[ECHO, 1]]);
}

/// `count` VMs are notified as a whole: the answers hold so many each.
fn continued(function: u64, room: usize) {
    for count in [1, room - 1, room, room + 1, 2 * room, 2 * room + 1, 64] {
        let mut pe = with_vms(64);
        notify(&mut pe, (1..=count as u64).map(|vm| (vm, None)));
        let answers = answers(&mut pe, function);
        assert_eq!(answers.len(), count.div_ceil(room), "{count}");
        assert!(answers.iter().rev().skip(1).all(|lists| lists.len() == room), "no room is left unused");
        let all: Vec<u64> = answers.concat().concat();
        assert_eq!(all, (1..=count as u64).collect::<Vec<_>>(), "each once");
        // Those that were told before and those that were not.
        notify(&mut pe, [(1, None), (1, Some(4)), (count as u64, None)]);
        assert_eq!(pe.told(), [[1, 4]]);
    }
}

#[test]
fn info_get_in_32_bits_is_continued_until_all_are_listed() {
    let [(function, room), _] = FUNCTIONS;
    continued(function, room);
}

#[test]
fn info_get_in_64_bits_is_continued_until_all_are_listed() {
    let [_, (function, room)] = FUNCTIONS;
    continued(function, room);
}

#[test]
fn a_list_that_does_not_fit_is_continued_in_the_next_answer() {
    for (function, room) in FUNCTIONS {
        // So many VMs as leave room for none, one, two, three or four ids more, and then one with many contexts.
        for left in 0..5 {
            let before = (room - left) as u64;
            let mut pe = with_vms(before + 1);
            notify(&mut pe, (1..=before).map(|vm| (vm, None)));
            notify(&mut pe, (0..8).map(|vcpu| (before + 1, Some(vcpu))));
            let mut answers = answers(&mut pe, function);
            let first = answers.remove(0).split_off(before as usize);
            let fitted = left.saturating_sub(1).min(3);
            let listed = |lists: &[Vec<u64>]| -> Vec<u64> {
                assert!(lists.iter().all(|list| list[0] == before + 1 && (2..=4).contains(&list.len())));
                lists.iter().flat_map(|list| list[1..].iter().copied()).collect()
            };
            assert_eq!(listed(&first), (0..fitted as u64).collect::<Vec<_>>(), "{left}");
            assert_eq!(listed(&answers.concat()), (fitted as u64..8).collect::<Vec<_>>(), "{left}");
        }
    }
}

#[test]
fn everybodys_turn_comes() {
    // The first ones are notified again and again; the last one is told all the same.
    let mut pe = with_vms(40);
    notify(&mut pe, (1..=40).map(|vm| (vm, None)));
    let mut told = Vec::new();
    for _ in 0..4 {
        let (lists, more) = pe.told_by(id::INFO_GET).expect("there is something");
        assert!(more);
        told.extend(lists.concat());
        for vm in 1..=10 {
            assert_ne!(pe.take_notifications_of(0, vm, SENT), [0; 4]);
        }
        notify(&mut pe, (1..=10).map(|vm| (vm, None)));
        assert!(pe.machine.take_raised().len() >= 10);
    }
    assert_eq!(told, (1..=40).collect::<Vec<_>>());
}

#[test]
fn what_comes_between_two_calls_is_not_lost() {
    let mut pe = with_vms(30);
    notify(&mut pe, (1..=30).map(|vm| (vm, None)));
    let (mut told, more) = pe.told_by(id::INFO_GET64).expect("there is something");
    assert!(more);
    // One that was told has another, and one that was not yet.
    notify(&mut pe, [(3, Some(9)), (27, Some(8))]);
    told.extend(pe.told());
    let expected = (1..=30).map(|vm| vec![vm]).chain([vec![3, 9], vec![27, 8]]);
    let mut expected: Vec<Vec<u64>> = expected.collect();
    expected.sort();
    told.sort();
    assert_eq!(told, expected);
}

#[test]
fn contexts_that_need_a_pe_for_an_interrupt_are_told_among_the_others() {
    let mut sources = Sources::talking(V1_2);
    Sources::set(&mut sources.relay, "sri-interrupts-policy", "<1>");
    Sources::add_device(&mut sources.relay, 0, OWN);
    for (function, room) in FUNCTIONS {
        let mut pe = of(&sources, 64);
        assert_eq!(comes(&mut pe, OWN), Place::Normal);
        assert_eq!(pe.machine.take_raised(), [0]);
        let others = room as u64 - 1;
        notify(&mut pe, (1..=others).map(|vm| (vm, None)));
        // The partition comes first, and takes two ids: one of the others is told of later.
        let answers = answers(&mut pe, function);
        assert_eq!(answers[0][0], [RELAY, 0]);
        assert_eq!(answers.len(), 2);
        assert_eq!(answers.concat()[1..].concat(), (1..=others).collect::<Vec<_>>());
        // It does not fit: the rest follows.
        run(&mut pe, RELAY);
        pe.handle(OWN.into());
        pe.call(&[id::MSG_WAIT]);
        assert_eq!(pe.told().len(), 0);
    }
}

#[test]
fn an_interrupt_that_does_not_fit_is_told_in_the_next_answer() {
    // Partitions that need a PE each: two ids for each.
    let mut sources = Sources::talking(V1_2);
    Sources::set(&mut sources.relay, "sri-interrupts-policy", "<1>");
    let more = sources.relay.clone();
    Sources::add_device(&mut sources.relay, 0, OWN);
    let mut owners = vec![(RELAY, OWN)];
    for place in 1..12 {
        let mut manifest = more.clone();
        let interrupt = OWN + place as u32;
        Sources::add_device(&mut manifest, place, interrupt);
        owners.push((sources.add(&format!("more{place}"), manifest), interrupt));
    }
    for (function, room) in FUNCTIONS {
        let mut pe = World::of(&sources).booted_pe(0);
        for (_, interrupt) in &owners {
            assert_eq!(comes(&mut pe, *interrupt), Place::Normal);
        }
        let answers = answers(&mut pe, function);
        assert_eq!(answers.len(), (2 * owners.len()).div_ceil(room));
        let expected: Vec<Vec<u64>> = owners.iter().map(|(owner, _)| vec![*owner, 0]).collect();
        assert_eq!(answers.concat(), expected);
        for (owner, interrupt) in &owners {
            assert_eq!(pe.normal(&[id::RUN, pair(*owner, 0)]), Place::Partition((*owner, 0)));
            pe.handle((*interrupt).into());
            pe.call(&[id::MSG_WAIT]);
        }
    }
}

//! What several PEs do at once.

use std::sync::Barrier;
use std::thread;

use scenarios::{ECHO, Place, RELAY, World, code, id, pair};

#[test]
fn a_blocked_partition_is_busy() {
    let world = World::new();
    let mut first = world.booted_pe(0);
    let mut second = world.booted_pe(1);
    first.normal(&[id::REQUEST, pair(0, RELAY)]);
    second.normal_refused(&[id::REQUEST, pair(0, RELAY)], code::BUSY);
    second.normal_refused(&[id::RUN, pair(RELAY, 0)], code::BUSY);
    first.call(&[id::REQUEST, pair(RELAY, ECHO)]);
    second.normal_refused(&[id::REQUEST, pair(0, RELAY)], code::BUSY);
    second.normal_refused(&[id::RUN, pair(RELAY, 0)], code::DENIED);
}

#[test]
fn a_pinned_context_stays_on_its_pe() {
    let world = World::new();
    world.booted_pe(0);
    let mut second = world.booted_pe(1);
    assert_eq!(second.normal(&[id::REQUEST, pair(0, ECHO)]), Place::Partition((ECHO, 1)));
    second.call(&[id::RESPONSE, pair(ECHO, 0)]);
    second.normal_refused(&[id::RUN, pair(ECHO, 0)], code::INVALID);
}

#[test]
fn one_of_two_pes_gets_busy() {
    let world = World::new();
    let pes: Vec<_> = (0..4).map(|index| world.booted_pe(index)).collect();
    let (start, end) = (Barrier::new(4), Barrier::new(4));
    let run = |mut pe: scenarios::Pe, call: [u64; 2]| {
        let (mut entered, mut others) = (0, Vec::new());
        for _ in 0..200 {
            start.wait();
            let is_in = pe.normal(&call) != Place::Normal;
            end.wait();
            if is_in {
                entered += 1;
                pe.call(&[id::MSG_WAIT]);
                if pe.place() != Place::Normal {
                    pe.call(&[id::RESPONSE, pair(RELAY, 0)]);
                }
            } else {
                // Judged in the end: who panics here is waited for by the others without end.
                others.push(pe.low());
            }
        }
        (entered, others)
    };
    let ends: Vec<(u32, _)> = thread::scope(|scope| {
        let calls = [[id::REQUEST, pair(0, RELAY)], [id::RUN, pair(RELAY, 0)]];
        let threads: Vec<_> = pes
            .into_iter()
            .zip(calls.into_iter().cycle())
            .map(|(pe, call)| scope.spawn(move || run(pe, call)))
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let entered: u32 = ends.iter().map(|(entered, _)| entered).sum();
    assert_eq!(entered, 200, "exactly one in each round");
    for answer in ends.iter().flat_map(|(_, others)| others) {
        assert_eq!(*answer, [id::ERROR, 0, code::BUSY, 0, 0, 0, 0, 0]);
    }
}

#[test]
fn an_abort_reaches_contexts_on_other_pes() {
    let world = World::new();
    let mut first = world.booted_pe(0);
    let mut second = world.booted_pe(1);
    second.normal(&[id::REQUEST, pair(0, ECHO)]);
    first.normal(&[id::REQUEST, pair(0, ECHO)]);
    first.fault();
    second.call(&[0x8400_0069]);
    second.expect_aborted();
    second.normal_refused(&[id::REQUEST, pair(0, ECHO)], code::ABORTED);

    // The same for one that is blocked in a chain when its callee answers.
    let world = World::new();
    let mut first = world.booted_pe(0);
    let mut second = world.booted_pe(1);
    second.normal(&[id::REQUEST, pair(0, ECHO)]);
    second.call(&[id::REQUEST, pair(ECHO, RELAY)]);
    first.normal(&[id::REQUEST, pair(0, ECHO)]);
    first.fault();
    second.call(&[id::RESPONSE, pair(RELAY, ECHO)]);
    second.expect_aborted();
}

//! PEs as threads: whatever the timing, a context is on one PE at a time, and no step panics.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;
use scenarios::{Pe, Place, World};

use super::chains::{Act, Context, PES, act, happen, sources};

/// Where the registers of each context are, as the threads say themselves: taken after a step, given up before the next.
type Taken = Mutex<BTreeMap<Context, usize>>;

/// The acts of one PE. Where all goes well no partition is aborted, and there is something to meet to the end.
fn acts(all_goes_well: bool) -> impl Iterator<Item = Act> {
    let (strategy, mut runner) = (act(), TestRunner::default());
    let acts =
        (0..1500).map(move |_| strategy.new_tree(&mut runner).expect("every act can be made").current());
    acts.filter(move |act| !all_goes_well || !matches!(act, Act::Fault))
}

fn run(mut pe: Pe, index: usize, world: &Arc<World>, taken: &Taken, acts: impl Iterator<Item = Act>) {
    let lock = || taken.lock().unwrap_or_else(PoisonError::into_inner);
    // Who is on the PE, and whose registers it has not saved yet.
    let on = |pe: &Pe| {
        let here = if let Place::Partition(context) = pe.place() { Some(context) } else { None };
        here.into_iter().chain(pe.unsettled())
    };
    pe.saves_late = true;
    for act in acts.flat_map(|act| [act, Act::Kick]) {
        for context in on(&pe) {
            lock().remove(&context);
        }
        happen(&mut pe, &act, world, index);
        for context in on(&pe) {
            let other = lock().insert(context, index);
            assert_eq!(other, None, "{context:x?} is on PE {index} too, by {act:x?}");
        }
        if pe.place() == Place::Normal {
            assert!(!pe.machine.holds_normal, "after {act:x?}");
        }
    }
}

#[test]
fn a_context_is_on_one_pe_whatever_the_timing() {
    for round in 0..6 {
        let world = World::of(&sources());
        let pes: Vec<Pe> = (0..PES).map(|index| world.booted_pe(index as u16)).collect();
        let taken = Taken::default();
        thread::scope(|scope| {
            for (index, pe) in pes.into_iter().enumerate() {
                let (world, taken) = (&world, &taken);
                scope.spawn(move || run(pe, index, world, taken, acts(round % 3 != 0)));
            }
        });
    }
}

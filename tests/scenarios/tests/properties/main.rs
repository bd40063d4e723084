//! Random calls on several PEs: no panic, and a refused call leaves everything as it was.

mod chains;
mod crowd;
mod ledger;
mod ownership;
mod threads;
mod traffic;

use proptest::prelude::*;
use scenarios::{ECHO, ECHO_MEMORY, NORMAL_MEMORY, Pe, Place, RELAY, Sources, V1_2, World, id, pair};

/// What happens next on a PE.
#[derive(Clone, Debug)]
enum Event {
    Call([u64; 18]),
    Interrupt(Option<u32>),
    Fault,
}

fn function() -> impl Strategy<Value = u64> {
    let known = manager::calls::CALLS.iter().map(|call| call.function as u64).collect::<Vec<_>>();
    prop_oneof![8 => proptest::sample::select(known), 1 => any::<u64>(), 1 => 0x8400_0060..0x8400_00A0_u64]
}

fn parties() -> impl Strategy<Value = u64> {
    let ids = || proptest::sample::select(vec![0, 1, 0x8000, ECHO, RELAY, 0x8003, 0xFFFF]);
    (ids(), ids()).prop_map(|(a, b)| pair(a, b))
}

fn argument() -> impl Strategy<Value = u64> {
    let addresses = vec![NORMAL_MEMORY, NORMAL_MEMORY + 0x1000, ECHO_MEMORY, ECHO_MEMORY + 0x3000];
    prop_oneof![
        4 => Just(0),
        2 => 0..4_u64,
        1 => proptest::sample::select(addresses),
        1 => any::<u64>(),
    ]
}

fn event() -> impl Strategy<Value = Event> {
    let first = prop_oneof![3 => parties(), 1 => argument(), 1 => (0..2_u64).prop_map(|v| pair(ECHO, v))];
    let call =
        (function(), first, proptest::array::uniform16(argument())).prop_map(|(function, w1, rest)| {
            let mut x = [0; 18];
            x[0] = function;
            x[1] = w1;
            x[2..].copy_from_slice(&rest);
            Event::Call(x)
        });
    prop_oneof![
        20 => call,
        2 => Just(Event::Interrupt(None)),
        1 => (16..64_u32).prop_map(|id| Event::Interrupt(Some(id))),
        1 => Just(Event::Fault),
    ]
}

fn happen(pe: &mut Pe, event: &Event) -> Place {
    let in_normal = pe.place() == Place::Normal;
    match event {
        Event::Call(x) if in_normal => pe.normal(x),
        Event::Call(x) => pe.call(x),
        Event::Interrupt(id) => {
            pe.machine.pending.extend(*id);
            if in_normal { pe.normal(&[id::INTERRUPT]) } else { pe.interrupt() }
        }
        Event::Fault if in_normal => Place::Normal,
        Event::Fault => pe.fault(),
    }
}

/// What a caller can learn without changing anything: who can be asked, by FFA_RUN's and the count's answers.
fn observe(pe: &mut Pe) -> [u64; 8] {
    pe.normal(&[0x8400_0068, 0, 0, 0, 0, 1]);
    pe.low()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    #[test]
    fn no_sequence_of_calls_panics(events in proptest::collection::vec((0..2_usize, event()), 1..120)) {
        let world = World::of(&Sources::talking(V1_2));
        let mut pes = [world.booted_pe(0), world.booted_pe(1)];
        for (pe, event) in &events {
            happen(&mut pes[*pe], event);
        }
    }

    #[test]
    fn a_refused_call_leaves_everything_as_it_was(
        before in proptest::collection::vec(event(), 0..40),
        event in event(),
    ) {
        let mut pe = World::of(&Sources::talking(V1_2)).booted_pe(0);
        for event in &before {
            happen(&mut pe, event);
        }
        let Event::Call(x) = event else { return Ok(()) };
        let (place, lines) = (pe.place(), pe.machine.lines());
        happen(&mut pe, &Event::Call(x));
        prop_assume!(pe.frame.x[0] == id::ERROR && pe.place() == place);
        prop_assert_eq!(pe.machine.lines(), lines);
        let refused = pe.frame.clone();
        happen(&mut pe, &Event::Call(x));
        // The same refusal again: had the first one changed anything, the second would be another.
        prop_assert_eq!(pe.frame.x, refused.x);
        if place == Place::Normal {
            prop_assert_eq!(observe(&mut pe)[2], 2);
        }
    }
}

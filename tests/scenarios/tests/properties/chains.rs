//! Who is where, by a simple account of its own: a stack of contexts for each PE, and who works for whom.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use proptest::sample::select;
use scenarios::{ECHO, Pe, Place, RELAY, Sources, World, hypercall, id, pair};

/// A context: its partition and its number.
pub type Context = (u64, u64);

/// `echo` has a context for each PE, `relay` and `QUEUEING` one; `PATIENT` one for each PE. The last two queue the Normal
/// world's interrupts. `relay` and `QUEUEING` have a device.
const QUEUEING: u64 = 0x8003;
const PATIENT: u64 = 0x8004;
const PARTITIONS: [u64; 4] = [ECHO, RELAY, QUEUEING, PATIENT];
const LOGICAL: u64 = 0xFFC0;
/// The interrupt of `relay`'s device, that of `QUEUEING`'s, and one that nobody owns.
const INTERRUPTS: [(u32, u64); 3] = [(40, RELAY), (41, QUEUEING), (42, 0)];
pub const PES: usize = 3;

pub fn sources() -> Sources {
    let mut sources = Sources::new();
    let (mut queueing, mut patient) = (sources.relay.clone(), sources.echo.clone());
    Sources::add_device(&mut sources.relay, 0, INTERRUPTS[0].0);
    Sources::add_device(&mut queueing, 1, INTERRUPTS[1].0);
    Sources::set(&mut patient, "vm-availability-messages", "<3>");
    for (name, source, id) in [("queueing", &mut queueing, QUEUEING), ("patient", &mut patient, PATIENT)] {
        Sources::set(source, "ns-interrupts-action", "<0>");
        assert_eq!(sources.add(name, source.clone()), id);
    }
    sources
}

/// What whoever is on a PE does, or what happens to it.
#[derive(Clone, Debug)]
pub enum Act {
    /// A request by this function to this partition; the Normal world's is EL3's if it says so.
    Request(u64, u64, bool),
    /// The hypervisor tells of a VM.
    Message,
    /// An answer to whoever asked, whatever kind that needs.
    Respond,
    Run(u64, u64),
    Wait,
    Yield,
    /// A secure interrupt, by its place in [`INTERRUPTS`].
    Interrupt(usize),
    /// It takes its interrupt, and has handled it.
    Handle,
    /// One of the Normal world.
    Preempt,
    /// A kick: contexts that wait may have interrupts to handle.
    Kick,
    Fault,
    /// The PE goes off and comes back.
    Off,
}

pub fn act() -> impl Strategy<Value = Act> {
    let function = || select(vec![id::REQUEST, id::REQUEST2]);
    let partition = || select(PARTITIONS.to_vec());
    prop_oneof![
        12 => (function(), partition(), any::<bool>()).prop_map(|(f, to, el3)| Act::Request(f, to, el3)),
        1 => Just(Act::Message),
        8 => Just(Act::Respond),
        8 => (partition(), 0..PES as u64).prop_map(|(to, vcpu)| Act::Run(to, vcpu)),
        3 => Just(Act::Wait),
        4 => Just(Act::Yield),
        5 => (0..INTERRUPTS.len()).prop_map(Act::Interrupt),
        6 => Just(Act::Handle),
        5 => Just(Act::Preempt),
        1 => Just(Act::Fault),
        1 => Just(Act::Off),
    ]
}

/// The account of one PE.
#[derive(Debug, Default)]
struct Account {
    /// Its call chain, with whoever displaced somebody on top of that one; and who is there by the SPMC's schedule.
    stack: Vec<(Context, bool)>,
    /// Somebody further down has the PE, because its interrupt came.
    owing: Option<Context>,
}

/// The account of all.
#[derive(Default)]
struct Accounts {
    pes: [Account; PES],
    /// Who works for which partition's context.
    works_for: BTreeMap<Context, Context>,
    aborted: BTreeSet<u64>,
}

impl Accounts {
    /// PE `index` was at `before`, `act` happened there, and now it is where `pe` says.
    fn note(&mut self, index: usize, before: Place, act: &Act, pe: &Pe) {
        let account = &mut self.pes[index];
        if let (Act::Fault, Place::Partition((partition, _))) = (act, before) {
            self.aborted.insert(partition);
        }
        if let (Act::Respond | Act::Wait, Place::Partition(who)) = (act, before)
            && pe.place() != before
        {
            self.works_for.remove(&who);
        }
        let Place::Partition(now) = pe.place() else {
            account.stack.clear();
            account.owing = None;
            return;
        };
        if pe.place() == before {
            // Whoever cannot run whom it owes the PE to, because that one is gone, owes nothing; the other has ended.
            if let Act::Run(partition, vcpu) = act
                && account.owing.is_some()
                // It was refused where an interrupt is to be handled first.
                && !pe.owes()
                && account.stack.last().is_some_and(|(owed, _)| *owed == (*partition, *vcpu))
                && self.aborted.contains(partition)
            {
                account.owing = None;
                account.stack.pop();
            }
            return;
        }
        account.owing = None;
        let ends = matches!(act, Act::Wait | Act::Fault);
        match account.stack.iter().position(|(context, _)| *context == now) {
            Some(_) if pe.owes() => {
                account.owing = Some(now);
                if ends {
                    account.stack.pop();
                }
            }
            Some(place) => account.stack.truncate(place + 1),
            None => {
                if ends {
                    // The next one handles interrupts in its place.
                    account.stack.pop();
                }
                let by_spmc = match act {
                    Act::Request(_, _, el3) => *el3 && before == Place::Normal,
                    // Whoever left before and had its registers saved late may have got an interrupt since: any interrupt
                    // of the PE brings it to that.
                    Act::Interrupt(_) | Act::Kick | Act::Preempt => true,
                    _ => ends,
                };
                if let (Act::Request(..), Place::Partition(caller)) = (act, before) {
                    self.works_for.insert(now, caller);
                }
                account.stack.push((now, by_spmc));
            }
        }
    }

    /// What must hold on PE `index`, which is `pe`.
    fn check(&self, index: usize, pe: &Pe) {
        let account = &self.pes[index];
        let queues =
            |(context, by_spmc): &(Context, bool)| *by_spmc || [QUEUEING, PATIENT].contains(&context.0);
        let held = account.owing.is_some() || account.stack.iter().any(queues);
        assert_eq!(pe.machine.holds_normal, held, "PE {index}: {account:?}");
        let Place::Partition(now) = pe.place() else { return };
        assert!(!self.aborted.contains(&now.0) || account.stack.len() < 9, "it may not have noticed yet");
        if let Some(caller) = self.works_for.get(&now)
            && !self.aborted.contains(&caller.0)
            && account.owing.is_none()
        {
            assert!(
                account.stack.iter().any(|(c, _)| c == caller),
                "{now:?} runs without its caller {caller:?}"
            );
        }
    }
}

/// Answers whoever asked: each kind to each endpoint, until one is taken.
fn respond(pe: &mut Pe, own: u64) {
    let here = pe.place();
    let ids = || [0, LOGICAL].into_iter().chain(PARTITIONS);
    let kinds = [(id::RESPONSE, 0), (id::RESPONSE2, 0), (id::RESPONSE, 0x8000_0005)];
    for (to, (function, w2)) in ids().flat_map(|to| kinds.map(|kind| (to, kind))) {
        if pe.call(&[function, pair(own, to), w2]) != here {
            return;
        }
    }
}

/// Takes an interrupt, if there is one, and says that it has handled it.
fn handle(pe: &mut Pe) {
    // It may have been aborted meanwhile, and learn that now.
    let here = pe.place();
    if pe.call(&[hypercall::GET]) == here && pe.frame.x[0] != hypercall::NONE {
        let id = pe.frame.x[0];
        pe.call(&[hypercall::DEACTIVATE, id, id]);
        assert!(pe.place() != here || pe.frame.x[0] == 0);
    }
}

pub fn happen(pe: &mut Pe, act: &Act, world: &std::sync::Arc<World>, index: usize) {
    let place = pe.place();
    let own = match place {
        Place::Normal => 0,
        Place::Partition((partition, _)) => partition,
    };
    match act {
        Act::Request(function, to, el3) => {
            let source = if *el3 && own == 0 { LOGICAL } else { own };
            pe.act(&[*function, pair(source, *to)]);
        }
        Act::Run(to, vcpu) => {
            pe.act(&[id::RUN, pair(*to, *vcpu)]);
        }
        Act::Interrupt(which) => {
            pe.machine.pending.push_back(INTERRUPTS[*which].0);
            pe.come();
        }
        Act::Message if own == 0 => {
            pe.normal(&[id::REQUEST, pair(0, PATIENT), 0x8000_0004, 0, 0, 5]);
        }
        Act::Off if own == 0 => {
            pe.normal(&[id::REQUEST, 0xFFFF_8000, 0x8000_0000, 0x8400_0002]);
            pe.settle();
            let late = pe.saves_late;
            *pe = world.booted_pe(index as u16);
            pe.saves_late = late;
        }
        Act::Handle if own != 0 => handle(pe),
        Act::Kick => {
            pe.take_kick();
        }
        Act::Respond if own != 0 => respond(pe, own),
        Act::Wait if own != 0 => {
            pe.call(&[id::MSG_WAIT]);
        }
        Act::Yield if own != 0 => {
            pe.call(&[id::YIELD]);
        }
        // Held interrupts do not take the PE.
        Act::Preempt if own != 0 && !pe.machine.holds_normal => {
            pe.interrupt();
        }
        Act::Fault if own != 0 => {
            pe.fault();
        }
        _ => {}
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 160, ..ProptestConfig::default() })]

    #[test]
    fn everybody_is_where_a_simple_account_says(
        acts in proptest::collection::vec((0..PES, act()), 1..150),
        late in any::<[bool; PES]>(),
    ) {
        let world = World::of(&sources());
        let mut pes: [Pe; PES] = std::array::from_fn(|index| world.booted_pe(index as u16));
        for (pe, late) in pes.iter_mut().zip(late) {
            pe.saves_late = late;
        }
        let mut accounts = Accounts::default();
        for (index, act) in &acts {
            // What becomes of those that it cuts off is not accounted for.
            if matches!(act, Act::Fault) && accounts.pes[*index].owing.is_some() {
                continue;
            }
            let before = pes[*index].place();
            happen(&mut pes[*index], act, &world, *index);
            accounts.note(*index, before, act, &pes[*index]);
            look(&accounts, *index, &pes);
            for index in 0..PES {
                let before = pes[index].place();
                if pes[index].take_kick() {
                    accounts.note(index, before, &Act::Kick, &pes[index]);
                    look(&accounts, index, &pes);
                }
            }
        }
        wind_down(&mut pes);
        let left = pes[0].machine.active();
        let lost = INTERRUPTS.iter().filter(|(id, _)| left.contains(id));
        prop_assert_eq!(lost.count(), 0, "interrupts that nobody got: {:?}", left);
    }
}

/// PE `index` has just come to where it is: what must hold.
fn look(accounts: &Accounts, index: usize, pes: &[Pe; PES]) {
    accounts.check(index, &pes[index]);
    if let Place::Partition(context) = pes[index].place() {
        for (other, pe) in pes.iter().enumerate().filter(|(other, _)| *other != index) {
            assert_ne!(pe.place(), Place::Partition(context), "on PE {other} too");
            assert_ne!(pe.unsettled(), Some(context), "before PE {other} has saved it");
        }
    }
}

/// Everybody does what there is to do and ends it, until nobody has anything more.
fn wind_down(pes: &mut [Pe; PES]) {
    for _ in 0..3 {
        for pe in pes.iter_mut() {
            let pinned = pe.index();
            for (partition, vcpu) in PARTITIONS.into_iter().flat_map(|id| [(id, 0), (id, pinned)]) {
                end(pe);
                pe.normal(&[id::RUN, pair(partition, vcpu)]);
            }
            end(pe);
            pe.settle();
            while pe.take_kick() {
                end(pe);
                pe.settle();
            }
        }
    }
}

/// Whoever is on the PE takes its interrupts and ends what it does, and so does everybody that is there then.
fn end(pe: &mut Pe) {
    for _ in 0..100 {
        let here = pe.place();
        let Place::Partition((own, _)) = here else { return };
        handle(pe);
        for context in PARTITIONS.into_iter().flat_map(|id| (0..PES as u64).map(move |vcpu| (id, vcpu))) {
            // It owes somebody the PE, or called somebody who yielded.
            if pe.place() == here {
                pe.call(&[id::RUN, pair(context.0, context.1)]);
            }
        }
        if pe.place() == here {
            respond(pe, own);
        }
        if pe.place() == here {
            pe.call(&[id::MSG_WAIT]);
        }
    }
    panic!("there is no end: {:x?}", pe.low());
}

//! Messages, notifications, interrupts and timers between everybody, while contexts are run, call each other, yield
//! and are preempted: each is delivered once, none is lost, and the scheduler knows of all that waits.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use manager::exit::TimerRegister;
use proptest::prelude::*;
use proptest::sample::select;
use scenarios::{
    ECHO, Message, Pe, Place, RELAY, Scheduler, Seen, Sources, World, code, hypercall, id, pair, wait,
};

use super::ledger::{Account, Ledger};

/// `echo` has a context for each PE, the others one. `relay` and `PATIENT` have a device. Interrupts of `PATIENT` are
/// the scheduler's business while it waits; `LAZY` may go to wait with one, and looks for notifications without being
/// interrupted.
const PATIENT: u64 = 0x8003;
const LAZY: u64 = 0x8004;
const PARTITIONS: [u64; 4] = [ECHO, RELAY, PATIENT, LAZY];
/// Everybody who can send and receive.
const EVERYBODY: [u64; 5] = [0, ECHO, RELAY, PATIENT, LAZY];
const DEVICES: [u64; 2] = [40, 41];
/// PEs.
pub const PES: usize = 4;
/// The longest time for which a timer is set.
const LONGEST: u64 = 200;
/// w2 of FFA_MSG_SEND2 and FFA_NOTIFICATION_SET: the scheduler is told later.
const DELAY: u64 = 1 << 1;
/// The first notification that is for one context.
pub const OF_ONE: u32 = 16;

fn sources() -> Sources {
    let mut sources = Sources::new();
    for source in [&mut sources.echo, &mut sources.relay] {
        Sources::set(source, "messaging-method", "<0x607>");
        Sources::set(source, "notification-support", "");
        Sources::set(source, "rx-free-notification", "");
    }
    let (mut patient, mut lazy) = (sources.relay.clone(), sources.relay.clone());
    Sources::add_device(&mut sources.relay, 0, DEVICES[0] as u32);
    Sources::add_device(&mut patient, 1, DEVICES[1] as u32);
    Sources::set(&mut patient, "ns-interrupts-action", "<0>");
    Sources::set(&mut patient, "sri-interrupts-policy", "<1>");
    Sources::set(&mut lazy, "sri-interrupts-policy", "<2>");
    assert_eq!((sources.add("patient", patient), sources.add("lazy", lazy)), (PATIENT, LAZY));
    sources
}

/// What whoever is on a PE does, or what happens to it.
#[derive(Clone, Debug)]
pub enum Act {
    /// A message, with so many bytes; perhaps with the scheduler told later.
    Send {
        to: u64,
        size: u16,
        delay: bool,
    },
    /// A notification for all contexts of the receiver, or for one.
    Set {
        to: u64,
        vcpu: Option<u64>,
        delay: bool,
    },
    /// It takes what waits for it.
    Take,
    /// It takes what waits for it and ends what it does.
    Work,
    Wait,
    Yield,
    Idle,
    Request(u64),
    /// Its timer is to interrupt after so many counts.
    Timer(u64),
    Run(u64, u64),
    /// The scheduler asks what waits.
    Ask,
    /// The scheduler runs somebody whom it knows to wait.
    Schedule,
    /// A device interrupts.
    Device(usize),
    /// What is pending for the PE arrives: kicks, its timer.
    Come,
    /// An interrupt of the Normal world.
    Preempt,
    /// Time passes.
    Advance(u64),
}

pub fn act() -> impl Strategy<Value = Act> {
    let anybody = || select(EVERYBODY.to_vec());
    let partition = || select(PARTITIONS.to_vec());
    let vcpu = || proptest::option::of(0..PES as u64);
    prop_oneof![
        12 => (anybody(), 0..3000_u16, any::<bool>()).prop_map(|(to, size, delay)| Act::Send { to, size, delay }),
        12 => (anybody(), vcpu(), any::<bool>()).prop_map(|(to, vcpu, delay)| Act::Set { to, vcpu, delay }),
        4 => Just(Act::Take),
        10 => Just(Act::Work),
        4 => Just(Act::Wait),
        4 => Just(Act::Yield),
        4 => Just(Act::Idle),
        8 => partition().prop_map(Act::Request),
        5 => (0..LONGEST).prop_map(Act::Timer),
        8 => (partition(), 0..PES as u64).prop_map(|(to, vcpu)| Act::Run(to, vcpu)),
        3 => Just(Act::Ask),
        6 => Just(Act::Schedule),
        5 => (0..DEVICES.len()).prop_map(Act::Device),
        10 => Just(Act::Come),
        4 => Just(Act::Preempt),
        3 => (0..100_u64).prop_map(Act::Advance),
    ]
}

/// What all PEs share beside the manager.
#[derive(Default)]
pub struct Common {
    now: Mutex<u64>,
    /// Messages so far.
    number: AtomicU32,
    /// Devices that wait to be served.
    asserted: Mutex<BTreeSet<u64>>,
    /// An endpoint writes one message at a time.
    writing: [Mutex<()>; EVERYBODY.len()],
}

/// PEs that take turns, and what is known of them.
pub struct Traffic<A> {
    /// The PEs.
    pub pes: Vec<Pe>,
    common: Arc<Common>,
    /// What was sent.
    pub account: A,
    /// What was got.
    pub seen: Seen,
    /// Who is to run.
    pub scheduler: Scheduler,
}

/// The PEs of a machine on which everybody has buffers, and may notify everybody else.
pub fn pes(late: [bool; PES]) -> Vec<Pe> {
    let world = World::of(&sources());
    let mut pes: Vec<Pe> = (0..PES).map(|index| world.booted_pe(index as u16)).collect();
    for pe in &mut pes {
        for partition in PARTITIONS {
            begin(pe, partition);
        }
    }
    let normal = &mut pes[0];
    normal.map(1);
    normal.done(&[id::BITMAP_CREATE, 0, PES as u64]);
    bind_everybody(normal, 0);
    for (pe, late) in pes.iter_mut().zip(late) {
        pe.saves_late = late;
    }
    pes
}

/// The bit by which this endpoint's notifications are bound.
fn bit_of(sender: u64) -> u32 {
    EVERYBODY.iter().position(|id| *id == sender).expect("it is somebody") as u32
}

impl<A: Account> Traffic<A> {
    /// Of these PEs.
    pub fn new(pes: Vec<Pe>, common: Arc<Common>) -> Self {
        let (seen, scheduler) = (Seen::default(), Scheduler::default());
        Self { pes, common, account: A::default(), seen, scheduler }
    }

    fn now(&self) -> u64 {
        *lock(&self.common.now)
    }

    /// Something happens on a PE.
    pub fn happen(&mut self, index: usize, act: &Act) {
        let now = self.now();
        let pe = &mut self.pes[index];
        let before = pe.place();
        let own = pe.own_id();
        let handled = self.seen.interrupts.len();
        let owes = matches!(before, Place::Partition(context) if self.seen.owes(context));
        if own == LAZY && matches!(act, Act::Wait | Act::Idle) {
            self.seen.take(pe);
        }
        match *act {
            Act::Send { to, size, delay } => self.send(index, to, size, delay),
            Act::Set { to, vcpu, delay } => self.set(index, to, vcpu, delay),
            Act::Take => {
                self.seen.take(pe);
                self.account.got(&self.seen, now);
                let vcpu = if let Place::Partition((_, vcpu)) = before { vcpu } else { index as u64 };
                self.account.has_nothing(own, vcpu);
            }
            Act::Work if own != 0 => self.seen.work(pe),
            Act::Wait if !owes => {
                if let Place::Partition(context) = before {
                    pe.call(&wait(context));
                }
            }
            Act::Yield if own != 0 => {
                pe.call(&[id::YIELD]);
            }
            Act::Idle if own != 0 && !owes => {
                pe.idle();
            }
            Act::Request(to) => {
                pe.act(&[id::REQUEST, pair(own, to)]);
            }
            Act::Timer(delay) => {
                if let Place::Partition(context) = before {
                    pe.write_timer(TimerRegister::CompareValue, now + delay);
                    pe.write_timer(TimerRegister::Control, 1);
                    self.account.timer(context, now + delay);
                }
            }
            // Nobody leaves whom it has called behind, for it may not find them where it goes on.
            Act::Run(to, vcpu) if !owes && (own != 0 || self.scheduler.may_run(pe, (to, vcpu))) => {
                pe.act(&[id::RUN, pair(to, vcpu)]);
            }
            Act::Ask if own == 0 => self.scheduler.hear(pe),
            Act::Schedule if own == 0 => self.scheduler.begin(pe),
            Act::Device(which) => self.interrupt(index, DEVICES[which]),
            Act::Come if pe.machine.is_due() => {
                pe.come();
            }
            Act::Come => {
                pe.take_kick();
            }
            // Held interrupts do not take the PE.
            Act::Preempt if own != 0 && !pe.machine.holds_normal => {
                pe.interrupt();
            }
            Act::Advance(counts) => {
                let mut now = lock(&self.common.now);
                *now += counts;
                pe.machine.set_count(*now);
            }
            _ => {}
        }
        // One that is idle is run again when there is something for it.
        if matches!(act, Act::Idle) {
            self.scheduler.note_idle(&self.pes[index]);
        } else {
            self.scheduler.note(&self.pes[index]);
        }
        for (_, id) in &self.seen.interrupts[handled..] {
            lock(&self.common.asserted).remove(id);
        }
        self.account.got(&self.seen, self.now());
        self.seen.note(&self.pes[index], before);
        self.check(index);
    }

    fn send(&mut self, index: usize, to: u64, size: u16, delay: bool) {
        let pe = &mut self.pes[index];
        let from = pe.own_id();
        let number = self.common.number.fetch_add(1, Ordering::Relaxed);
        let _writing = lock(&self.common.writing[bit_of(from) as usize]);
        let body =
            (0..u32::from(size)).map(|at| (number.wrapping_mul(0x9E37_79B1) >> (at % 24)) as u8 ^ at as u8);
        let payload: Vec<u8> = number.to_le_bytes().into_iter().chain(body).collect();
        pe.write_message(to, &payload);
        match pe.outcome(&[id::SEND2, 0, if delay && from != 0 { DELAY } else { 0 }]) {
            [id::SUCCESS, _] => self.account.sent(Message { from, to, payload }),
            [_, code::BUSY] if from != 0 => self.account.refused(from),
            [_, code::BUSY] => {}
            other => assert!(from == to || from | to == 0, "{from:#x} to {to:#x}: {other:x?}"),
        }
    }

    fn set(&mut self, index: usize, to: u64, vcpu: Option<u64>, delay: bool) {
        let pe = &mut self.pes[index];
        let from = pe.own_id();
        let vcpu = vcpu.filter(|vcpu| *vcpu == 0 || [0, ECHO].contains(&to));
        let bit = bit_of(from) + if vcpu.is_some() { OF_ONE } else { 0 };
        let delay = if delay && from != 0 { DELAY } else { 0 };
        let flags = vcpu.map_or(0, |vcpu| vcpu << 16 | 1) | delay;
        match pe.outcome(&[id::SET, pair(from, to), flags, 1 << bit, 0]) {
            [id::SUCCESS, _] => self.account.set((to, vcpu, from == 0, bit)),
            other => assert!(from == to || from | to == 0, "{from:#x} to {to:#x}: {other:x?}"),
        }
    }

    /// A device interrupts, if it does not wait to be served.
    fn interrupt(&mut self, index: usize, device: u64) {
        let is_new = lock(&self.common.asserted).insert(device);
        if is_new {
            self.account.interrupts(device);
            let pe = &mut self.pes[index];
            pe.machine.pending.push_back(device as u32);
            pe.come();
        }
    }

    /// What holds after each step on a PE.
    fn check(&self, index: usize) {
        let pe = &self.pes[index];
        match pe.place() {
            Place::Normal => {
                assert!(!pe.machine.holds_normal, "the Normal world gets none of its interrupts")
            }
            Place::Partition(context) => {
                for other in self.pes.iter().filter(|other| other.index() != pe.index()) {
                    assert_ne!(other.place(), pe.place(), "on PE {} too", other.index());
                    assert_ne!(other.unsettled(), Some(context), "before PE {} has saved it", other.index());
                }
            }
        }
    }

    /// Everything arrives, by a scheduler that does what it is told, the last deadline included.
    pub fn drain(&mut self) {
        self.scheduler.drain(&mut self.pes, &mut self.seen);
        self.account.got(&self.seen, self.now());
        let last = self.now() + LONGEST;
        self.pes[0].machine.set_count(last);
        self.scheduler.drain(&mut self.pes, &mut self.seen);
        self.account.got(&self.seen, last);
        for pe in &mut self.pes {
            assert!(pe.place() == Place::Normal && !pe.machine.holds_normal);
            pe.refused(&[id::INFO_GET64], code::NO_DATA);
        }
        assert_eq!(self.pes[0].machine.active(), [], "an interrupt is never finished");
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The context of a partition that runs on this PE lets its interrupts through; the first one has buffers and says who
/// may notify.
fn begin(pe: &mut Pe, partition: u64) {
    let vcpu = if partition == ECHO { pe.index() } else { 0 };
    assert_eq!(pe.normal(&[id::RUN, pair(partition, vcpu)]), Place::Partition((partition, vcpu)));
    let enabled = if partition == LAZY { &[3][..] } else { &[3, 5] };
    for id in enabled {
        assert_eq!(pe.hypercall(&[hypercall::ENABLE, *id, 1, 0]), 0);
    }
    if pe.index() == 0 {
        pe.map(1);
        bind_everybody(pe, partition);
    }
    assert_eq!(pe.call(&[id::MSG_WAIT]), Place::Normal);
}

/// The receiver on this PE takes a notification for all its contexts, and one for each, from everybody else.
fn bind_everybody(pe: &mut Pe, receiver: u64) {
    for sender in EVERYBODY.into_iter().filter(|sender| *sender != receiver) {
        for (per_vcpu, first) in [(0, 0), (1, OF_ONE)] {
            pe.done(&[id::BIND, pair(sender, receiver), per_vcpu, 1 << (first + bit_of(sender)), 0]);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 120, ..ProptestConfig::default() })]

    #[test]
    fn everything_is_delivered_once(
        acts in proptest::collection::vec((0..PES, act()), 1..250),
        late in any::<[bool; PES]>(),
    ) {
        let mut traffic = Traffic::<Ledger>::new(pes(late), Arc::default());
        for (index, act) in &acts {
            traffic.happen(*index, act);
        }
        traffic.drain();
        traffic.account.close();
    }
}

//! Partitions of good will: how they send, and what they do when they get a PE, with an account of what they got.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use manager::exit::TimerRegister;

use crate::messages::{HEADER_1_1, Header};
use crate::{ECHO, Pe, Place, code, hypercall, id, pair};

/// Everybody's notifications, in w2 of FFA_NOTIFICATION_GET.
const ALL: u64 = 0xF;
/// Framework notification: RX holds a message.
const RX_FULL: u64 = 1;

/// An indirect message.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Message {
    /// Who sent it.
    pub from: u64,
    /// Who received it.
    pub to: u64,
    /// What it says.
    pub payload: Vec<u8>,
}

impl fmt::Debug for Message {
    /// The beginning says which it is.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { from, to, payload } = self;
        let beginning = &payload[..payload.len().min(8)];
        write!(f, "{from:#x} to {to:#x}: {beginning:x?}, {} bytes", payload.len())
    }
}

/// What a context was notified of at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Notified {
    /// Who asked.
    pub receiver: u64,
    /// Which of its contexts.
    pub vcpu: u64,
    /// From partitions.
    pub partitions: u64,
    /// From the Normal world.
    pub normal: u64,
    /// From the SPMC.
    pub spmc: u64,
    /// From the hypervisor.
    pub hypervisor: u64,
}

/// What everybody has got so far.
#[derive(Debug, Default)]
pub struct Seen {
    /// Messages, in the order in which they were read.
    pub messages: Vec<Message>,
    /// Notifications.
    pub notified: Vec<Notified>,
    /// Interrupts: by which context, and which.
    pub interrupts: Vec<((u64, u64), u64)>,
    /// Whom each context has to run.
    called: BTreeMap<(u64, u64), BTreeSet<(u64, u64)>>,
}

impl Pe {
    /// Whoever is on this PE writes a message to its TX buffer.
    pub fn write_message(&mut self, to: u64, payload: &[u8]) {
        let header = Header::new(self.own_id(), to, payload.len() as u32);
        self.write(&header, payload);
    }

    /// Whoever is on this PE sends a message: x0 and w2 of what comes of it.
    pub fn message(&mut self, to: u64, payload: &[u8]) -> [u64; 2] {
        self.write_message(to, payload);
        self.outcome(&[id::SEND2])
    }

    /// A call of whoever is on this PE that comes back: x0 and w2.
    #[track_caller]
    pub fn outcome(&mut self, registers: &[u64]) -> [u64; 2] {
        let here = self.place();
        assert_eq!(self.act(registers), here, "{registers:x?}");
        [self.frame.x[0], self.frame.x[2]]
    }

    /// The message in the RX buffer of whoever is on this PE.
    fn read_message(&mut self) -> Message {
        let header = self.received(HEADER_1_1 as usize);
        let word = |at: usize| u64::from(u32::from_le_bytes(header[at..at + 4].try_into().expect("4 bytes")));
        let (offset, parties, size) = (word(8), word(12), word(16));
        let whole = self.received((offset + size) as usize);
        Message { from: parties >> 16, to: parties & 0xFFFF, payload: whole[offset as usize..].to_vec() }
    }

    /// The timer of the partition on this PE is off.
    fn stop_timer(&mut self) {
        self.write_timer(TimerRegister::Control, 0);
    }
}

/// FFA_MSG_WAIT of a context. Where another one of its partition may be reading a message, it keeps RX.
#[must_use]
pub const fn wait(context: (u64, u64)) -> [u64; 3] {
    [id::MSG_WAIT, 0, if context.0 == ECHO { 1 } else { 0 }]
}

impl Seen {
    /// What somebody else has seen is added.
    pub fn add(&mut self, other: Self) {
        self.messages.extend(other.messages);
        self.notified.extend(other.notified);
        self.interrupts.extend(other.interrupts);
        for (context, called) in other.called {
            self.called.entry(context).or_default().extend(called);
        }
    }

    /// Whoever is on this PE takes everything that waits for it.
    pub fn take(&mut self, pe: &mut Pe) {
        if let Place::Partition(context) = pe.place() {
            while let Some(interrupt) = pe.take() {
                self.interrupts.push((context, interrupt));
                if interrupt == 3 {
                    pe.stop_timer();
                }
                pe.hypercall(&[hypercall::DEACTIVATE, interrupt, interrupt]);
            }
        }
        self.get(pe);
    }

    /// Whoever is on this PE takes its notifications, and the message that they tell of.
    pub fn get(&mut self, pe: &mut Pe) {
        let vcpu = match pe.place() {
            Place::Normal => pe.index(),
            Place::Partition((_, vcpu)) => vcpu,
        };
        self.get_as(pe, vcpu);
    }

    /// As [`Seen::get`], by this context of its.
    pub fn get_as(&mut self, pe: &mut Pe, vcpu: u64) {
        let receiver = pe.own_id();
        if pe.outcome(&[id::GET, pair(vcpu, receiver), ALL])[0] != id::SUCCESS {
            return;
        }
        let [.., a, b, c, d, spmc, hypervisor] = pe.low();
        let notified =
            Notified { receiver, vcpu, partitions: a | b << 32, normal: c | d << 32, spmc, hypervisor };
        if a | b | c | d | spmc | hypervisor != 0 {
            self.notified.push(notified);
        }
        if (spmc | hypervisor) & RX_FULL != 0 {
            let message = pe.read_message();
            assert_eq!(message.to, receiver, "a message for somebody else");
            assert_eq!(message.from == 0, hypervisor & RX_FULL != 0, "the notification says who sent it");
            self.messages.push(message);
            pe.done(&[id::RX_RELEASE]);
        }
    }

    /// Whoever was at `before` on this PE is at its place now. A context that was told of another one has called that one,
    /// or lost the PE to it, and has to run it before it ends what it does.
    pub fn note(&mut self, pe: &Pe, before: Place) {
        let Place::Partition(context) = pe.place() else { return };
        if let Place::Partition(caller) = before
            && let Some(called) = self.called.get_mut(&caller)
        {
            called.remove(&context);
        }
        let [function, who, ..] = pe.low();
        if [id::YIELD, id::INTERRUPT].contains(&function) && who != 0 {
            self.called.entry(context).or_default().insert((who >> 16, who & 0xFFFF));
        }
    }

    /// Whether this context has to run another one before it ends what it does.
    #[must_use]
    pub fn owes(&self, context: (u64, u64)) -> bool {
        self.called.get(&context).is_some_and(|called| !called.is_empty())
    }

    /// The partition on this PE takes what waits for it and ends what it does: it runs whom it called or its interrupt
    /// took the PE from, waits, or answers.
    ///
    /// # Panics
    /// If nothing of that is possible.
    pub fn work(&mut self, pe: &mut Pe) {
        let here = pe.place();
        let Place::Partition(context) = here else { return };
        self.note(pe, here);
        let ids = [0, 0xFFC0].into_iter().chain(ECHO..ECHO + 8);
        let answers = ids.flat_map(|to| {
            [(id::RESPONSE, 0), (id::RESPONSE2, 0), (id::RESPONSE, 0x8000_0005), (id::RESPONSE, 0x8000_0007)]
                .map(|(function, w2)| [function, pair(context.0, to), w2])
        });
        let ends: Vec<[u64; 3]> = [wait(context)].into_iter().chain(answers).collect();
        for _ in 0..100 {
            self.take(pe);
            let called = self.called.get(&context).cloned().unwrap_or_default();
            let runs = called.iter().map(|(id, vcpu)| [id::RUN, pair(*id, *vcpu), 0]);
            for way in runs.chain(ends.iter().copied()) {
                if pe.call(&way) != here {
                    return self.note(pe, here);
                }
                match pe.frame.x[0] {
                    // It has an interrupt to handle first.
                    id::INTERRUPT => break,
                    // That one is there no more.
                    _ if way[0] == id::RUN && pe.frame.x[2] == code::ABORTED => self.called.clear(),
                    _ => {}
                }
            }
        }
        panic!("{here:x?} cannot end what it does: {self:x?}");
    }

    /// What came with these messages, in the order of their payloads.
    #[must_use]
    pub fn payloads(&self) -> Vec<Vec<u8>> {
        let mut payloads: Vec<_> = self.messages.iter().map(|message| message.payload.clone()).collect();
        payloads.sort();
        payloads
    }

    /// How often this endpoint was notified of that by partitions, by the Normal world, by the SPMC.
    #[must_use]
    pub fn times(&self, receiver: u64, bit: u64, of: fn(&Notified) -> u64) -> usize {
        self.notified.iter().filter(|one| one.receiver == receiver && of(one) & bit != 0).count()
    }
}

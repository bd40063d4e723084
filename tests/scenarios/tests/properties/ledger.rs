//! An account of everything that was sent, and of everything that was got: the two are equal in the end.

use std::collections::{BTreeMap, BTreeSet};

use scenarios::{Message, Notified, Seen};

use super::chains::Context;
use super::traffic::OF_ONE;

/// A notification: its receiver, the context that it is for if it is not for all, whether it is from the Normal world,
/// and its bit.
pub type Notification = (u64, Option<u64>, bool, u32);

/// Framework notification: an RX buffer became free.
pub const RX_FREE: u64 = 1 << 31;
/// The interrupt of a context's timer.
pub const TIMER: u64 = 3;
/// Notification pending, which stands for nothing by itself.
pub const PENDING: u64 = 5;

/// Takes down what is sent, and what is got.
pub trait Account: Default {
    /// A message was sent.
    fn sent(&mut self, message: Message);
    /// A message of this partition's was refused because RX is not empty.
    fn refused(&mut self, sender: u64);
    /// A notification was set.
    fn set(&mut self, notification: Notification);
    /// A device interrupts.
    fn interrupts(&mut self, id: u64);
    /// A context's timer is to interrupt at this count.
    fn timer(&mut self, context: Context, deadline: u64);
    /// All this has been got at `now`.
    fn got(&mut self, seen: &Seen, now: u64);
    /// This context of a receiver's has just got everything.
    fn has_nothing(&self, receiver: u64, vcpu: u64);
}

/// The notifications that somebody got.
pub fn notifications(one: &Notified) -> impl Iterator<Item = Notification> {
    [(false, one.partitions), (true, one.normal)].into_iter().flat_map(move |(from_normal, bits)| {
        let bits = (0..64_u32).filter(move |bit| bits >> bit & 1 != 0);
        bits.map(move |bit| (one.receiver, (bit >= OF_ONE).then_some(one.vcpu), from_normal, bit))
    })
}

/// The account of PEs that take turns: it is exact.
#[derive(Debug, Default)]
pub struct Ledger {
    /// Messages that have not been read.
    messages: Vec<Message>,
    /// Notifications that have not been got.
    pending: BTreeSet<Notification>,
    /// How often each partition was refused because RX was not empty, less how often it was told that one is.
    refused: BTreeMap<u64, u32>,
    /// Partitions that have been refused since they were last told.
    owed: BTreeSet<u64>,
    /// Interrupts of devices that have not been taken.
    devices: BTreeSet<u64>,
    /// When the timers of contexts interrupt that have not yet.
    timers: BTreeMap<Context, u64>,
    /// What of [`Seen`] has been accounted for: messages, notifications, interrupts.
    read: [usize; 3],
}

impl Account for Ledger {
    fn sent(&mut self, message: Message) {
        self.messages.push(message);
    }

    fn refused(&mut self, sender: u64) {
        *self.refused.entry(sender).or_default() += 1;
        self.owed.insert(sender);
    }

    fn set(&mut self, notification: Notification) {
        self.pending.insert(notification);
    }

    fn interrupts(&mut self, id: u64) {
        self.devices.insert(id);
    }

    fn timer(&mut self, context: Context, deadline: u64) {
        self.timers.insert(context, deadline);
    }

    fn got(&mut self, seen: &Seen, now: u64) {
        let [messages, notified, interrupts] = self.read;
        for message in &seen.messages[messages..] {
            let place = self.messages.iter().position(|sent| sent == message);
            let place = place.unwrap_or_else(|| panic!("nobody sent this, or it came before: {message:x?}"));
            self.messages.swap_remove(place);
        }
        for one in &seen.notified[notified..] {
            for notification in notifications(one) {
                assert!(self.pending.remove(&notification), "it was not set: {notification:x?}");
            }
            if one.spmc & RX_FREE != 0 {
                let refused = self.refused.get_mut(&one.receiver).filter(|times| **times > 0);
                *refused.unwrap_or_else(|| panic!("{:#x} was never refused", one.receiver)) -= 1;
                self.owed.remove(&one.receiver);
            }
        }
        for (context, id) in &seen.interrupts[interrupts..] {
            match *id {
                PENDING => {}
                TIMER => {
                    let deadline = self.timers.remove(context);
                    assert!(deadline.is_some_and(|deadline| deadline <= now), "{context:x?}: {deadline:?}");
                }
                device => assert!(self.devices.remove(&device), "{device} did not interrupt"),
            }
        }
        self.read = [seen.messages.len(), seen.notified.len(), seen.interrupts.len()];
    }

    fn has_nothing(&self, receiver: u64, vcpu: u64) {
        let left = self.pending.iter().find(|(id, of, ..)| *id == receiver && of.is_none_or(|of| of == vcpu));
        assert_eq!(left, None, "{receiver:#x}.{vcpu} did not get it");
        let message = self.messages.iter().find(|message| message.to == receiver);
        assert_eq!(message, None, "{receiver:#x} did not get it");
    }
}

impl Ledger {
    /// Everything that was sent has been got.
    pub fn close(&self) {
        assert_eq!(self.messages, [], "not delivered");
        assert!(self.pending.is_empty(), "not got: {:x?}", self.pending);
        assert!(self.owed.is_empty(), "not told that there is room: {:x?}", self.owed);
        assert!(self.devices.is_empty(), "not handled: {:?}", self.devices);
        assert!(self.timers.is_empty(), "did not interrupt: {:x?}", self.timers);
    }
}

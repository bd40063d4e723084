//! The same traffic as in [`super::traffic`], by PEs that are threads: whatever the timing, everything is delivered once.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::thread;

use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;
use scenarios::{ECHO, Message, Pe, Place, Seen};

use super::chains::Context;
use super::ledger::{Account, Notification, PENDING, RX_FREE, TIMER, notifications};
use super::traffic::{Act, Common, PES, Traffic, act, pes};

/// How often something was asked for and how often it came.
type Counts<K> = BTreeMap<K, [usize; 2]>;

/// The account of PEs that do not take turns: nobody knows which of two steps was the first, so that it counts.
#[derive(Debug, Default)]
struct Count {
    sent: Vec<Message>,
    notifications: Counts<Notification>,
    refused: Counts<u64>,
    devices: Counts<u64>,
    timers: Counts<Context>,
}

impl Account for Count {
    fn sent(&mut self, message: Message) {
        self.sent.push(message);
    }

    fn refused(&mut self, sender: u64) {
        self.refused.entry(sender).or_default()[0] += 1;
    }

    fn set(&mut self, notification: Notification) {
        self.notifications.entry(notification).or_default()[0] += 1;
    }

    fn interrupts(&mut self, id: u64) {
        self.devices.entry(id).or_default()[0] += 1;
    }

    fn timer(&mut self, context: Context, _: u64) {
        self.timers.entry(context).or_default()[0] += 1;
    }

    fn got(&mut self, _: &Seen, _: u64) {}

    fn has_nothing(&self, _: u64, _: u64) {}
}

fn add<K: Ord>(all: &mut Counts<K>, counts: Counts<K>) {
    for (key, [asked, came]) in counts {
        let count = all.entry(key).or_default();
        *count = [count[0] + asked, count[1] + came];
    }
}

/// What is set again before it comes comes once.
fn came_at_least_once<K: std::fmt::Debug>(counts: &Counts<K>) {
    for (what, [asked, came]) in counts {
        assert!(came <= asked && *came > 0, "{what:x?}: {asked} times, and came {came} times");
    }
}

impl Count {
    fn add(&mut self, other: Self) {
        self.sent.extend(other.sent);
        add(&mut self.notifications, other.notifications);
        add(&mut self.refused, other.refused);
        add(&mut self.devices, other.devices);
        add(&mut self.timers, other.timers);
    }

    /// Everything that was sent has been got.
    fn close(mut self, mut seen: Seen) {
        for one in seen.notified {
            for notification in notifications(&one) {
                self.notifications.entry(notification).or_default()[1] += 1;
            }
            if one.spmc & RX_FREE != 0 {
                self.refused.entry(one.receiver).or_default()[1] += 1;
            }
        }
        for (context, id) in seen.interrupts {
            match id {
                PENDING => {}
                TIMER => self.timers.entry(context).or_default()[1] += 1,
                device => self.devices.entry(device).or_default()[1] += 1,
            }
        }
        self.sent.sort();
        seen.messages.sort();
        assert_eq!(self.sent, seen.messages);
        came_at_least_once(&self.notifications);
        came_at_least_once(&self.refused);
        came_at_least_once(&self.timers);
        assert!(self.devices.values().all(|[asked, came]| asked == came), "{:?}", self.devices);
    }
}

/// What happens on one PE. Contexts that go from PE to PE call nobody, for nobody could say where they have to go on.
fn acts() -> impl Iterator<Item = Act> {
    let (strategy, mut runner) = (act(), TestRunner::default());
    (0..2000).map(move |_| strategy.new_tree(&mut runner).expect("every act can be made").current())
}

fn run(pe: Pe, common: Arc<Common>) -> Traffic<Count> {
    let mut traffic = Traffic::new(vec![pe], common);
    for act in acts() {
        let may_call = match traffic.pes[0].place() {
            Place::Normal => true,
            Place::Partition((partition, _)) => partition == ECHO,
        };
        if may_call || !matches!(act, Act::Request(_)) {
            traffic.happen(0, &act);
        }
    }
    traffic
}

#[test]
fn everything_is_delivered_once_whatever_the_timing() {
    for _ in 0..8 {
        let common = Arc::<Common>::default();
        let traffic: Vec<Traffic<Count>> = thread::scope(|scope| {
            let pes = pes([true; PES]).into_iter();
            let threads: Vec<_> = pes.map(|pe| scope.spawn(|| run(pe, common.clone()))).collect();
            threads.into_iter().map(|thread| thread.join().expect("no PE panics")).collect()
        });
        let mut end = Traffic::<Count>::new(Vec::new(), common);
        for one in traffic {
            end.pes.extend(one.pes);
            end.seen.add(one.seen);
            end.scheduler.add(one.scheduler);
            end.account.add(one.account);
        }
        end.drain();
        end.account.close(end.seen);
    }
}

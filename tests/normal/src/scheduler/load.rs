//! The same messages under every policy: so many to each partition, in an order that follows from a seed; and the
//! proof that each comes back once.

use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use spin::mutex::SpinMutex;

use super::policy::Policy;
use super::{Figures, PARTITIONS, Scheduler};
use crate::demo::{self, command, is_busy};
use crate::ffa::{self, expect_success};
use crate::mail::{self, Echo, WORDS, YIELDS};
use crate::notifications::OWN;
use crate::outcome::{Failure, Outcome, expect, fail};
use crate::{pe, random, timer};

/// How long nothing may come back, in microseconds.
const PATIENCE: u64 = 20_000_000;
/// How many messages a PE tries to send before it runs somebody: more than one, so that there is a choice.
const SENT_AT_ONCE: usize = 2;
/// The most that passes before a partition is preempted, in microseconds.
const SLICE: u64 = 300;

static SCHEDULER: Scheduler = Scheduler::new();
static ROUTES: [SpinMutex<Route>; PARTITIONS.len()] =
    [const { SpinMutex::new(Route::new(0)) }; PARTITIONS.len()];
/// Held by the PE that sends: there is one TX buffer.
static SENDING: SpinMutex<()> = SpinMutex::new(());
/// Chooses who gets the next message.
static RANDOM: AtomicU64 = AtomicU64::new(0);
/// Whether all is done, or somebody has failed.
static IS_OVER: AtomicBool = AtomicBool::new(false);
/// Whether partitions are preempted at random.
static PREEMPTS: AtomicBool = AtomicBool::new(false);
/// When the last message came back.
static PROGRESS: AtomicU64 = AtomicU64::new(0);

/// What was sent to one partition, and what came back.
struct Route {
    /// Messages that are to be sent.
    quota: u64,
    /// The last one's number, as they count from 1.
    sent: u64,
    /// All of these and earlier ones have come back.
    returned: u64,
    /// Which of the 64 behind have come back, too.
    window: u64,
    /// As the receiver's log has it.
    digest: u64,
}

impl Route {
    const fn new(quota: u64) -> Self {
        Self { quota, sent: 0, returned: 0, window: 0, digest: 0 }
    }

    /// The number of the next message, which counts as sent from now on; `None` if all are.
    fn next(&mut self) -> Option<u64> {
        if self.sent == self.quota {
            return None;
        }
        self.sent += 1;
        Some(self.sent)
    }

    /// A message has come back: it must be one that was sent, and has not come back before.
    fn returned(&mut self, sequence: u64) -> Outcome {
        let is_out = sequence > self.returned && sequence <= self.sent;
        expect("a message that is out", u64::from(is_out), 1)?;
        let ahead = sequence - self.returned - 1;
        expect("messages that overtook it", u64::from(ahead < 64), 1)?;
        expect("a message that has not come back before", self.window >> ahead & 1, 0)?;
        self.window |= 1 << ahead;
        while self.window & 1 != 0 {
            self.window >>= 1;
            self.returned += 1;
        }
        Ok(())
    }
}

/// Whether messages are to be sent, or to come back.
fn is_open() -> bool {
    ROUTES.iter().any(|route| {
        let route = route.lock();
        route.returned < route.quota
    })
}

/// Sends the next message to one of the partitions; nothing where that is busy or has got all, or another PE is sending.
fn send() -> Outcome {
    let Some(_sending) = SENDING.try_lock() else { return Ok(()) };
    let next = |random: u64| random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
    let random = RANDOM.fetch_update(Ordering::AcqRel, Ordering::Acquire, |random| Some(next(random)));
    let place = (random.unwrap_or_default() >> 33) as usize % PARTITIONS.len();
    let route = &ROUTES[place];
    // It may come back before this PE knows that it was sent.
    let Some(sequence) = route.lock().next() else { return Ok(()) };
    let words = WORDS + (sequence % 29) as usize;
    let what = if sequence.is_multiple_of(4) { YIELDS } else { 0 };
    let answer = mail::send(PARTITIONS[place].id, words, sequence, what);
    let mut route = route.lock();
    if is_busy(&answer) {
        route.sent -= 1;
        return Ok(());
    }
    expect_success("FFA_MSG_SEND2", &answer)?;
    route.digest = mail::mixed(route.digest, mail::checksum(words, sequence, what));
    Ok(())
}

/// A message has come back.
fn returned(echo: &Echo) -> Outcome {
    let place = PARTITIONS.iter().position(|partition| partition.id == echo.from);
    let Some(place) = place else { return fail("who sends a message back", echo.from, PARTITIONS[0].id) };
    ROUTES[place].lock().returned(echo.sequence)
}

/// What is wanted of a load.
pub struct Wanted {
    /// Who schedules.
    pub policy: Policy,
    /// Messages to all partitions together.
    pub messages: u64,
    /// Whether all PEs take part, and partitions are preempted at random.
    pub hard: bool,
}

/// Carries a load out, with buffers mapped, and compares the logs of sender and receivers.
pub fn carry(wanted: &Wanted) -> Result<Figures, Failure> {
    let quota = wanted.messages / PARTITIONS.len() as u64;
    ROUTES.iter().for_each(|route| *route.lock() = Route::new(quota));
    RANDOM.store(0, Ordering::Release);
    for partition in PARTITIONS {
        demo::told("the log is emptied", partition, &[command::LOG, OWN, 1])?;
    }
    SCHEDULER.begin(wanted.policy);
    IS_OVER.store(false, Ordering::Release);
    PREEMPTS.store(wanted.hard, Ordering::Release);
    PROGRESS.store(timer::now().0, Ordering::Release);
    if wanted.hard { pe::on_all(take_part) } else { take_part() }?;
    for (partition, route) in PARTITIONS.into_iter().zip(&ROUTES) {
        let [count, last, digest, wrong] = demo::told("the log", partition, &[command::LOG, OWN, 0])?;
        expect("messages that the receiver has seen", count, quota)?;
        expect("the last one", last, quota)?;
        expect("the digest of all", digest, route.lock().digest)?;
        expect("messages that were not as they had to be", wrong, 0)?;
    }
    Ok(SCHEDULER.figures())
}

/// One PE's part: until all messages have come back, or somebody has failed.
fn take_part() -> Outcome {
    let end = turn_by_turn();
    timer::disarm();
    IS_OVER.store(true, Ordering::Release);
    end
}

fn turn_by_turn() -> Outcome {
    while !IS_OVER.load(Ordering::Acquire) {
        SCHEDULER.attend()?;
        while let Some(echo) = mail::receive()? {
            returned(&echo)?;
            PROGRESS.store(timer::now().0, Ordering::Release);
        }
        for _ in 0..SENT_AT_ONCE {
            send()?;
            SCHEDULER.attend()?;
        }
        if PREEMPTS.load(Ordering::Acquire) {
            timer::arm(random::next() % SLICE);
        }
        let ran = SCHEDULER.run_next()?;
        if !ran {
            if !is_open() && SCHEDULER.is_idle() {
                return Ok(());
            }
            if PREEMPTS.load(Ordering::Acquire) {
                // The timer is armed: until then the others go on.
                timer::sleep();
            }
        }
        let idle = timer::now().0.saturating_sub(PROGRESS.load(Ordering::Acquire));
        expect("a message comes back in time", u64::from(idle < timer::ticks(PATIENCE)), 1)?;
    }
    Ok(())
}

/// Nobody must have anything left for anybody.
pub fn expect_silence() -> Outcome {
    mail::expect_none("a message behind the last")?;
    for partition in PARTITIONS {
        let more = demo::told("messages behind the last", partition, &[command::TAKE])?;
        expect("messages behind the last", more[0], 0)?;
    }
    let version = ffa::call(arm_ffa::FuncId::Version, [ffa::VERSION]);
    expect("the SPMC lives", version[0], ffa::VERSION)
}

//! How the model checker runs the manager: a machine is set up, PEs meet, and what has come of it is judged.
//!
//! Each exploration has three parts. *Before*, by one thread: the partitions start, buffers are registered. *Meeting*:
//! each PE is a thread, and loom tries every order of what they do to each other, up to a number of preemptions, and
//! every value that a weakly ordered load may see. *After*, by one thread again: kicks arrive, the scheduler does what
//! it was told, and what must hold is asserted.
#![cfg(model)]

use std::env;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use loom::thread::{Builder, JoinHandle};
use manager::hardware::Memory;
use manager::memory::page::PAGE_SIZE;
use scenarios::{Pe, Place, Plan, Scheduler, Seen, Sources};

pub use scenarios::{ECHO, RELAY, code, hypercall, id, pair};

/// How often a PE may be stopped in the middle of what it does for another one, where more than two meet.
const PREEMPTIONS: usize = 4;
/// Set by `cargo xtask test --long`: two preemptions more.
const LONG: &str = "MODEL_LONG";
/// Bytes of a thread's stack.
const STACK: usize = 1 << 17;
/// Steps of one execution at which threads could be switched; more would be a loop without end.
const MOST_SWITCHES: usize = 20_000;

/// `echo` and `relay` as all explorations have them: both take notifications and indirect messages.
#[must_use]
pub fn sources() -> Sources {
    let mut sources = Sources::new();
    for source in [&mut sources.echo, &mut sources.relay] {
        Sources::set(source, "messaging-method", "<0x607>");
        Sources::set(source, "notification-support", "");
        Sources::set(source, "rx-free-notification", "");
    }
    sources
}

/// FFA_RUN takes a PE to the context of a partition that may run there.
///
/// # Panics
/// If it does not.
pub fn enter(pe: &mut Pe, partition: u64) {
    let vcpu = if partition == RELAY { 0 } else { pe.index() };
    assert_eq!(pe.normal(&[id::RUN, pair(partition, vcpu)]), Place::Partition((partition, vcpu)));
}

/// The partition on a PE waits.
pub fn wait(pe: &mut Pe) -> u64 {
    let here = pe.place();
    pe.call(&[id::MSG_WAIT]);
    u64::from(pe.place() == here)
}

/// Everybody has buffers of a page, and the Normal world takes notifications of partitions, too.
///
/// # Panics
/// If that cannot be.
pub fn everybody_has_buffers(pe: &mut Pe) {
    map(pe);
    pe.done(&[id::BITMAP_CREATE, 0, 4]);
    for partition in [ECHO, RELAY] {
        enter(pe, partition);
        map(pe);
        wait(pe);
    }
}

fn map(pe: &mut Pe) {
    pe.map(1);
    // Used by nobody until the PEs meet.
    let (tx, rx) = (pe.tx(), pe.rx());
    for page in [tx, rx] {
        pe.machine.zero(page, PAGE_SIZE).expect("a buffer lies in memory");
    }
}

/// What a PE does while it meets the others, and what it has to tell of that.
pub type Act = fn(&mut Pe) -> u64;

/// What has come of a meeting.
pub struct End {
    /// The PEs.
    pub pes: Vec<Pe>,
    /// What they had to tell.
    pub told: Vec<u64>,
    /// What partitions have got, and the Normal world.
    pub seen: Seen,
    /// The scheduler.
    pub scheduler: Scheduler,
}

impl End {
    /// Everything that waits arrives, and everybody ends what it does.
    pub fn drain(&mut self) {
        self.scheduler.drain(&mut self.pes, &mut self.seen);
        for pe in &self.pes {
            assert_eq!(pe.place(), Place::Normal);
            assert!(!pe.machine.holds_normal && pe.machine.active().is_empty());
        }
    }

    /// How many PEs told this.
    #[must_use]
    pub fn count(&self, told: u64) -> usize {
        self.told.iter().filter(|one| **one == told).count()
    }
}

/// Explores every way in which PEs can meet that `before` has brought there. Two PEs meet in every way that there is,
/// more with a bound on preemptions.
///
/// # Panics
/// If anything goes wrong in one of them.
pub fn explore<const PES: usize>(
    sources: &Sources,
    before: fn(&mut [Pe; PES]),
    acts: [Act; PES],
    after: fn(&mut End),
) {
    let plan = Arc::new(plan(sources));
    let ways = Arc::new(AtomicUsize::new(0));
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = (PES > 2).then(|| PREEMPTIONS + 2 * usize::from(env::var_os(LONG).is_some()));
    builder.max_branches = MOST_SWITCHES;
    let counted = ways.clone();
    builder.check(move || {
        counted.fetch_add(1, Ordering::Relaxed);
        let plan = plan.clone();
        wait_for(thread(move || {
            loom::stop_exploring();
            let world = plan.world();
            let mut pes = std::array::from_fn(|index| world.booted_pe(index as u16));
            before(&mut pes);
            // What the way there had come to is not what is asked about.
            let _ = (pes[0].machine.take_raised(), pes[0].machine.take_kicked());
            loom::explore();
            let mut index = 0;
            let threads = pes.map(|mut pe| {
                let act = acts[index];
                index += 1;
                thread(move || {
                    let told = act(&mut pe);
                    (pe, told)
                })
            });
            let ends = threads.map(wait_for);
            loom::stop_exploring();
            let (pes, told) = ends.into_iter().unzip();
            let mut end = End { pes, told, seen: Seen::default(), scheduler: Scheduler::default() };
            for pe in &end.pes {
                end.scheduler.note(pe);
            }
            after(&mut end);
        }));
    });
    let ways = ways.load(Ordering::Relaxed);
    println!("{PES} PEs meet in {ways} ways");
    assert!(ways > 1, "they do not meet");
}

/// What worlds are made of. Even that needs an execution of the model checker: the memory that it reads is watched.
fn plan(sources: &Sources) -> Plan {
    let (sources, made) = (sources.clone(), Arc::new(Mutex::new(None)));
    let result = made.clone();
    loom::model(move || {
        let (sources, made) = (sources.clone(), made.clone());
        wait_for(thread(move || *made.lock().expect("nobody panics") = Some(Plan::new(&sources))));
    });
    result.lock().expect("nobody panics").take().expect("it was made")
}

fn thread<T: Send + 'static>(act: impl FnOnce() -> T + Send + 'static) -> JoinHandle<T> {
    Builder::new().stack_size(STACK).spawn(act).expect("there are threads enough")
}

fn wait_for<T>(thread: JoinHandle<T>) -> T {
    thread.join().expect("a PE that panics ends the run")
}

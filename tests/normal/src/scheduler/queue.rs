//! The run queue: what each vCPU can be run for, since when, and what the policy made of it.

use super::policy::{Candidate, Policy};
use super::{Figures, PARTITIONS};
use crate::demo::Partition;
use crate::mail::mixed;
use crate::notifications::Listed;
use crate::pe;

/// The most vCPUs: one of `mailman` for each PE, and one of each of the others.
const TASKS: usize = pe::MAX + PARTITIONS.len() - 1;

/// Since when something can be run.
#[derive(Clone, Copy)]
struct Since {
    /// The later, the higher; no two are the same.
    ticket: u64,
    /// How many were run before.
    runs: u64,
}

#[derive(Clone, Copy)]
enum State {
    /// It waits for messages; it can be run if something was announced for it.
    Waiting(Option<Since>),
    /// It was preempted, or gave its cycles away.
    Ready(Since),
    /// A PE runs it: whether it waited before, and since when something more was announced for it.
    Running { waited: bool, announced: Option<Since> },
}

#[derive(Clone, Copy)]
struct Task {
    /// The place of its partition in [`PARTITIONS`].
    partition: usize,
    vcpu: u64,
    state: State,
    /// Since when it is in this state.
    left: Since,
}

impl Task {
    const NONE: Self =
        Self { partition: 0, vcpu: 0, state: State::Waiting(None), left: Since { ticket: 0, runs: 0 } };

    fn partition(&self) -> &'static Partition {
        PARTITIONS[self.partition]
    }

    /// Whether it can be run on this PE at all.
    fn may_run_on(&self, pe: u64) -> bool {
        self.partition().contexts() == 1 || self.vcpu == pe
    }
}

/// How FFA_RUN left a vCPU.
#[derive(Clone, Copy)]
pub enum Left {
    /// It waits.
    Waiting,
    /// It was preempted, or gave its cycles away.
    Ready,
    /// It was not run, as it runs elsewhere.
    Busy,
}

/// The queue.
pub struct Queue {
    policy: Policy,
    tasks: [Task; TASKS],
    count: usize,
    /// What was announced for a partition as a whole: any of its vCPUs will do.
    announced: [Option<Since>; PARTITIONS.len()],
    tickets: u64,
    last: u64,
    figures: Figures,
}

impl Queue {
    pub const fn new() -> Self {
        Self {
            policy: Policy::FirstCome,
            tasks: [Task::NONE; TASKS],
            count: 0,
            announced: [None; PARTITIONS.len()],
            tickets: 0,
            last: 0,
            figures: Figures { runs: 0, waited: 0, longest: 0, order: 0 },
        }
    }

    /// Begins anew, on so many PEs.
    pub fn begin(&mut self, policy: Policy, pes: usize) {
        *self = Self { policy, ..Self::new() };
        for (partition, known) in PARTITIONS.iter().enumerate() {
            for vcpu in 0..known.contexts().min(pes as u64) {
                self.tasks[self.count] = Task { partition, vcpu, ..Task::NONE };
                self.count += 1;
            }
        }
    }

    fn now(&mut self) -> Since {
        self.tickets += 1;
        Since { ticket: self.tickets, runs: self.figures.runs }
    }

    /// The SPMC has something for a partition, or for some of its vCPUs: whether that is one to be run here.
    pub fn announce(&mut self, listed: &Listed) -> bool {
        let Some(place) = PARTITIONS.iter().position(|partition| partition.id == listed.endpoint) else {
            return false;
        };
        let now = self.now();
        if listed.vcpus().is_empty() {
            self.announced[place].get_or_insert(now);
        }
        for task in &mut self.tasks[..self.count] {
            if task.partition != place || !listed.vcpus().contains(&task.vcpu) {
                continue;
            }
            // Who is ready finds it when it runs on; who runs may just have looked for the last time.
            if let State::Waiting(since) | State::Running { announced: since, .. } = &mut task.state {
                since.get_or_insert(now);
            }
        }
        true
    }

    /// Since when a task can be run, and whether it waits.
    fn can_run(&self, task: &Task) -> Option<(Since, bool)> {
        match task.state {
            State::Ready(since) => Some((since, false)),
            // What was announced while it ran can be waited for only from then on.
            State::Waiting(since) => {
                let since = since.or(self.announced[task.partition])?;
                Some((if since.ticket > task.left.ticket { since } else { task.left }, true))
            }
            State::Running { .. } => None,
        }
    }

    /// Takes the task of the policy's choice for this PE, and its vCPU as FFA_RUN names it.
    pub fn pick(&mut self, pe: u64) -> Option<(usize, u64)> {
        let candidates = (0..self.count).filter_map(|place| {
            let task = &self.tasks[place];
            let (since, waits) = self.can_run(task).filter(|_| task.may_run_on(pe))?;
            let candidate = Candidate {
                place: place as u64,
                places: self.count as u64,
                importance: task.partition as u64,
                since: since.ticket,
                waits,
            };
            Some((self.policy.rank(&candidate, self.last), place, since, waits))
        });
        let (_, place, since, waited) = candidates.min_by_key(|(rank, ..)| *rank)?;
        let task = &mut self.tasks[place];
        if waited && matches!(task.state, State::Waiting(None)) {
            self.announced[task.partition] = None;
        }
        task.state = State::Running { waited, announced: None };
        let target = task.partition().id << 16 | task.vcpu;
        self.last = place as u64;
        let waited = self.figures.runs - since.runs;
        self.figures = Figures {
            runs: self.figures.runs + 1,
            waited: self.figures.waited + waited,
            longest: self.figures.longest.max(waited),
            order: mixed(self.figures.order, target),
        };
        Some((place, target))
    }

    /// The task that a PE has run is left like this.
    pub fn put_back(&mut self, place: usize, left: Left) {
        let now = self.now();
        let task = &mut self.tasks[place];
        let State::Running { waited, announced } = task.state else { return };
        task.left = now;
        task.state = match left {
            Left::Waiting => State::Waiting(announced),
            Left::Busy if waited => State::Waiting(Some(now)),
            Left::Busy | Left::Ready => State::Ready(now),
        };
    }

    /// Whether all wait, and nothing was announced for them.
    pub fn is_idle(&self) -> bool {
        let waits = |task: &Task| matches!(task.state, State::Waiting(None));
        self.tasks[..self.count].iter().all(waits) && self.announced.iter().all(Option::is_none)
    }

    pub fn figures(&self) -> Figures {
        self.figures
    }
}

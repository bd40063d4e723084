//! Who is run next: a policy is an order of those that can be run.

/// A vCPU that can be run.
pub struct Candidate {
    /// Its place among all vCPUs.
    pub place: u64,
    /// How many places there are.
    pub places: u64,
    /// How important its partition is.
    pub importance: u64,
    /// Since when it can be run: the lower, the longer.
    pub since: u64,
    /// Whether it waits for messages: the others were preempted, or gave their cycles away.
    pub waits: bool,
}

/// The policies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    /// Whoever can be run for the longest time.
    FirstCome,
    /// Each in turn, by its place.
    RoundRobin,
    /// The most important one.
    Priority,
    /// A vCPU that waits for messages before one that has begun with something: the founding idea's own example.
    MessageFirst,
}

impl Policy {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::FirstCome, Self::RoundRobin, Self::Priority, Self::MessageFirst];

    /// Its name in the table.
    pub fn name(self) -> &'static str {
        match self {
            Self::FirstCome => "first come",
            Self::RoundRobin => "round robin",
            Self::Priority => "priority",
            Self::MessageFirst => "message first",
        }
    }

    /// What the candidates are ordered by, the first one to be run; `last` is the place of whoever ran last.
    pub fn rank(self, candidate: &Candidate, last: u64) -> (u64, u64) {
        let Candidate { place, places, importance, since, waits } = *candidate;
        match self {
            Self::FirstCome => (0, since),
            Self::RoundRobin => ((place + places - last - 1) % places, since),
            Self::Priority => (u64::MAX - importance, since),
            Self::MessageFirst => (u64::from(!waits), since),
        }
    }
}

//! A scheduler of the Normal world that does what it is told and nothing else: it runs whom
//! FFA_NOTIFICATION_INFO_GET names when the schedule receiver interrupt has come, and goes on with whom it was told
//! that they yielded or were interrupted.

use std::collections::{BTreeMap, BTreeSet};

use crate::{Pe, Place, Seen, code, id, pair};

/// It.
#[derive(Debug, Default)]
pub struct Scheduler {
    /// PEs on which the schedule receiver interrupt is pending.
    told: BTreeSet<u16>,
    /// Contexts that have something left to do.
    unfinished: BTreeSet<(u64, u64)>,
    /// PEs on which contexts have stopped in the middle of what they do. They go on there: whom they have called must
    /// stay on the same PE.
    stopped: BTreeMap<(u64, u64), u64>,
    /// What FFA_NOTIFICATION_INFO_GET has named: endpoints, and contexts of theirs where it named some.
    pub named: Vec<(u64, Option<u64>)>,
}

impl Scheduler {
    /// It knows what another one knew, of contexts that have called nobody.
    pub fn add(&mut self, other: Self) {
        self.told.extend(other.told);
        self.unfinished.extend(other.unfinished);
        self.named.extend(other.named);
    }

    /// Takes down what the Normal world on this PE was told by the last answer.
    pub fn note(&mut self, pe: &Pe) {
        let stopped = self.note_idle(pe);
        self.unfinished.extend(stopped);
    }

    /// As [`Scheduler::note`]; whom it tells of is not run before there is something for that context. Who that is.
    pub fn note_idle(&mut self, pe: &Pe) -> Option<(u64, u64)> {
        let [function, who, ..] = pe.low();
        let tells = pe.place() == Place::Normal && [id::YIELD, id::INTERRUPT].contains(&function);
        let context = tells.then_some((who >> 16, who & 0xFFFF));
        self.stopped.extend(context.map(|context| (context, pe.index())));
        context
    }

    /// Whether it would run this context on this PE.
    #[must_use]
    pub fn may_run(&self, pe: &Pe, context: (u64, u64)) -> bool {
        let stopped = self.stopped.get(&context);
        pe.may_run(context.0, context.1) && stopped.is_none_or(|on| *on == pe.index())
    }

    /// It asks, on this PE, what waits, and runs that later.
    pub fn hear(&mut self, pe: &mut Pe) {
        if pe.outcome(&[id::INFO_GET64])[0] == id::ERROR {
            return;
        }
        for (endpoint, vcpu) in pe.named() {
            self.named.push((endpoint, vcpu));
            self.unfinished.insert((endpoint, vcpu.unwrap_or_else(|| pe.context_of(endpoint))));
        }
    }

    /// It runs one whom it knows to wait, and that may run on this PE.
    pub fn begin(&mut self, pe: &mut Pe) {
        if let Some(context) = self.next_on(pe)
            && context.0 != 0
        {
            self.give(pe, context);
        }
    }

    fn next_on(&self, pe: &Pe) -> Option<(u64, u64)> {
        self.unfinished.iter().find(|context| self.may_run(pe, **context)).copied()
    }

    /// It gives the PE to a context. Whoever is busy has its turn later.
    fn give(&mut self, pe: &mut Pe, context: (u64, u64)) {
        self.unfinished.remove(&context);
        self.stopped.remove(&context);
        pe.normal(&[id::RUN, pair(context.0, context.1)]);
        if pe.place() == Place::Normal && pe.frame.x[2] == code::BUSY {
            self.unfinished.insert(context);
        }
    }

    /// Interrupts arrive and everybody goes on until nobody has anything left to do. PEs that are not among these are off.
    ///
    /// # Panics
    /// If that does not come to an end.
    pub fn drain(&mut self, pes: &mut [Pe], seen: &mut Seen) {
        for pe in pes.iter_mut() {
            pe.saves_late = false;
            pe.settle();
            pe.machine.kicked |= pe.machine.kicks() > 0;
        }
        for _ in 0..1000 {
            let rounds: Vec<bool> = (0..pes.len()).map(|index| self.go_on(pes, index, seen)).collect();
            if !rounds.contains(&true) {
                return;
            }
        }
        panic!("it does not end: {self:x?}");
    }

    /// One thing happens on a PE. Whether there was one.
    fn go_on(&mut self, pes: &mut [Pe], index: usize, seen: &mut Seen) -> bool {
        self.told.extend(pes[index].machine.take_raised());
        let pe = &mut pes[index];
        pe.machine.kicked |= pe.machine.take_kick(pe.cpu());
        let is_due = pe.machine.kicked || pe.machine.is_due() || !pe.machine.pending.is_empty();
        match pe.place() {
            _ if is_due => {
                pe.come();
            }
            Place::Partition(_) => {
                seen.work(pe);
                self.note(pe);
            }
            Place::Normal if self.told.remove(&pe.cpu().get()) => self.ask(pes, index, seen),
            Place::Normal => {
                let Some(unfinished) = self.next_on(pe) else { return false };
                self.run(pe, unfinished, seen);
            }
        }
        true
    }

    /// The schedule receiver interrupt has come on a PE.
    fn ask(&mut self, pes: &mut [Pe], index: usize, seen: &mut Seen) {
        while pes[index].outcome(&[id::INFO_GET64])[0] != id::ERROR {
            for (endpoint, vcpu) in pes[index].named() {
                self.named.push((endpoint, vcpu));
                let vcpu = vcpu.unwrap_or_else(|| pes[index].context_of(endpoint));
                let context = (endpoint, vcpu);
                let on = if self.may_run(&pes[index], context) {
                    index
                } else {
                    pes.iter().position(|pe| self.may_run(pe, context)).expect("its PE is on")
                };
                self.run(&mut pes[on], context, seen);
            }
        }
        pes[index].expect_error(code::NO_DATA);
    }

    /// Gives a context the PE until it is finished, or cannot go on here.
    fn run(&mut self, pe: &mut Pe, context: (u64, u64), seen: &mut Seen) {
        if context.0 == 0 {
            // That is the Normal world itself.
            self.unfinished.remove(&context);
            return seen.get_as(pe, context.1);
        }
        if pe.place() != Place::Normal {
            // It is at work there; the rest waits.
            self.unfinished.insert(context);
            return;
        }
        self.give(pe, context);
        while pe.place() != Place::Normal {
            seen.work(pe);
        }
        self.note(pe);
    }
}

impl Pe {
    /// What FFA_NOTIFICATION_INFO_GET has just answered, 64-bit: endpoints, and contexts of theirs.
    #[must_use]
    pub fn named(&self) -> Vec<(u64, Option<u64>)> {
        let [_, _, counts, ids @ ..] = self.low();
        let mut ids = ids.iter().flat_map(|word| (0..4).map(move |place| word >> (16 * place) & 0xFFFF));
        let mut named = Vec::new();
        for list in 0..counts >> 7 & 0x1F {
            let endpoint = ids.next().expect("a list begins with an endpoint");
            match counts >> (12 + 2 * list) & 3 {
                0 => named.push((endpoint, None)),
                count => named.extend(ids.by_ref().take(count as usize).map(|vcpu| (endpoint, Some(vcpu)))),
            }
        }
        named
    }

    /// The context of a partition that may run on this PE.
    fn context_of(&self, partition: u64) -> u64 {
        if partition == 0 {
            return 0;
        }
        let one = self.world.spmc.partitions().find(|one| u64::from(one.id().get()) == partition);
        let context = one.and_then(|one| one.context_on(self.cpu())).expect("it has a context here");
        context.id().index().into()
    }

    fn may_run(&self, partition: u64, vcpu: u64) -> bool {
        partition == 0 || self.context_of(partition) == vcpu
    }
}

//! The life of one execution context: its state, its runtime model, and whom it owes an answer.

mod interrupts;
mod outcome;
mod signals;

use super::{Interrupted, Model, ModelKind, Request, RequestKind, Requester};
use crate::config::SriPolicy;
use crate::endpoint::{CpuId, EndpointId, VcpuId};
use crate::exit::Lines;

pub use interrupts::{Pended, Settlement};
use signals::Signals;

pub use outcome::{Found, Handler, Handling, Owes, Refusal, Resumed};

/// Where an execution context is in its life (FF-A 1.2, 4.10).
///
/// Fields lie in the order in which they are written here, so that a change of state does not move them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u16)]
pub enum State {
    /// Never started.
    Created,
    /// Its PE was turned off while it waited; it starts anew when the PE comes back.
    Off,
    /// Ready for a message, FFA_RUN or an interrupt.
    Waiting,
    /// On a PE.
    Running {
        /// The PE.
        on: CpuId,
        /// By which rules.
        model: Model,
    },
    /// Gave up its cycles by FFA_YIELD; FFA_RUN of whoever it works for resumes it.
    Yielded {
        /// The PE it ran on.
        on: CpuId,
        /// By which rules.
        model: Model,
    },
    /// Waits for an interrupt in the middle of its work (WFI), without the PE; FFA_RUN of whoever it works for resumes
    /// it.
    Idle {
        /// The PE it ran on.
        on: CpuId,
        /// By which rules.
        model: Model,
    },
    /// Blocked in a call chain until the context that it called answers, yields or is preempted.
    Calling {
        /// The chain's PE.
        on: CpuId,
        /// By which rules.
        model: Model,
    },
    /// A Normal-world interrupt took its PE; FFA_RUN of whoever it works for resumes it.
    Preempted {
        /// The PE it ran on.
        on: CpuId,
        /// By which rules.
        model: Model,
    },
    /// A secure interrupt took its PE for another context; it goes on when that one has handled it.
    Displaced {
        /// The PE it ran on.
        on: CpuId,
        /// By which rules.
        model: Model,
        /// Who handles the interrupt, on the same PE: it is entered when the registers of this one are saved.
        by: VcpuId,
    },
    /// Decided, but its registers are not saved yet: nobody may enter it.
    Leaving {
        /// The PE it ran on.
        on: CpuId,
        /// By which rules.
        model: Model,
        /// What it becomes once they are.
        then: Settled,
    },
    /// It broke a rule or gave up; it never runs again.
    Aborted,
}

/// What a context becomes when its registers are saved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settled {
    /// [`State::Waiting`].
    Waiting,
    /// [`State::Yielded`].
    Yielded,
    /// [`State::Idle`].
    Idle,
    /// [`State::Preempted`].
    Preempted,
}

/// One execution context.
#[derive(Debug)]
pub struct Vcpu {
    state: State,
    signals: Signals,
    scheduler: Scheduler,
}

/// What the Normal world's scheduler has to do with an interrupt of a context.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scheduler {
    /// Nothing.
    Uninvolved,
    /// It is to be told, and to give the context a PE.
    ToBeTold,
    /// It has been told.
    Told,
}

impl Vcpu {
    /// A context that has never run.
    #[must_use]
    pub fn new() -> Self {
        Self { state: State::Created, signals: Signals::new(), scheduler: Scheduler::Uninvolved }
    }

    /// Starts it from reset, if it has not run or its PE came back. Whether it did.
    #[must_use]
    pub fn start(&mut self, on: CpuId) -> bool {
        let startable = matches!(self.state, State::Created | State::Off);
        if startable {
            *self = Self { state: State::Running { on, model: Model::Init }, ..Self::new() };
        }
        startable
    }

    /// Takes a waiting context for a direct request on PE `on`. Whether there is nothing about interrupts and timer.
    pub fn claim(&mut self, on: CpuId, request: Request) -> Result<bool, Refusal> {
        if let State::Waiting = self.state {
            self.go(on, Model::Direct(request));
            return Ok(self.signals.is_quiet());
        }
        Err(self.refusal(on, request))
    }

    /// Why a context that does not wait cannot be claimed.
    #[cold]
    fn refusal(&self, on: CpuId, request: Request) -> Refusal {
        match self.state {
            // FF-A 1.2, 8.3: a request to a context that is blocked in the caller's own chain is a cycle.
            State::Calling { on: chain, .. } if chain == on => match request.from {
                Requester::Partition(_) => Refusal::Denied,
                Requester::Normal(_) | Requester::Logical(_) | Requester::Gone(_) => Refusal::Busy,
            },
            State::Aborted => Refusal::Aborted,
            State::Created
            | State::Off
            | State::Waiting
            | State::Running { .. }
            | State::Yielded { .. }
            | State::Idle { .. }
            | State::Calling { .. }
            | State::Preempted { .. }
            | State::Displaced { .. }
            | State::Leaving { .. } => Refusal::Busy,
        }
    }

    /// FFA_RUN by the Normal world on PE `on`. `is_gone` says of another context whether its partition has been aborted.
    pub fn run(&mut self, on: CpuId, is_gone: impl Fn(VcpuId) -> bool) -> Result<Resumed, Refusal> {
        let (found, model) = match self.state {
            State::Waiting => (Found::Waiting, Model::Run),
            State::Yielded { model, .. } => (Found::Yielded, Self::for_normal(model, is_gone)?),
            State::Preempted { model, .. } | State::Idle { model, .. } => {
                (Found::Preempted, Self::for_normal(model, is_gone)?)
            }
            // Nobody else can say any more that the interrupt is handled.
            State::Displaced { on: chain, model, by } if chain == on && is_gone(by) => {
                (Found::Displaced, model)
            }
            State::Calling { .. } => return Err(Refusal::Denied),
            State::Running { .. }
            | State::Leaving { .. }
            | State::Displaced { .. }
            | State::Created
            | State::Off => {
                return Err(Refusal::Busy);
            }
            State::Aborted => return Err(Refusal::Aborted),
        };
        Ok(self.resume(on, found, model))
    }

    fn resume(&mut self, on: CpuId, found: Found, model: Model) -> Resumed {
        self.go(on, model);
        Resumed { found, model: model.kind(), is_quiet: self.signals.is_quiet() }
    }

    /// It goes on PE `on`.
    #[inline]
    fn go(&mut self, on: CpuId, model: Model) {
        self.state = State::Running { on, model };
        self.scheduler = Scheduler::Uninvolved;
    }

    /// The model by which the Normal world may run a context: one that works for it, or for a partition that has been
    /// aborted and cannot run it any more.
    fn for_normal(model: Model, is_gone: impl Fn(VcpuId) -> bool) -> Result<Model, Refusal> {
        match model {
            Model::Direct(Request { from: Requester::Partition(caller), kind }) => {
                let from = Requester::Gone(caller.partition().id());
                if is_gone(caller) { Ok(Model::Direct(Request { from, kind })) } else { Err(Refusal::Denied) }
            }
            Model::Direct(Request { from: Requester::Logical(_), .. }) => Err(Refusal::Denied),
            Model::Direct(_) | Model::Init | Model::Run | Model::Interrupt(_) => Ok(model),
        }
    }

    /// Whether it has ended with its partition.
    #[must_use]
    pub const fn has_ended(&self) -> bool {
        matches!(self.state, State::Aborted)
    }

    /// The context that it works for has ended: who runs it from here on is the Normal world.
    pub fn orphan(&mut self) {
        if let State::Running { model, .. } | State::Calling { model, .. } = &mut self.state
            && let Ok(orphan) = Self::for_normal(*model, |_| true)
        {
            *model = orphan;
        }
    }

    /// FFA_RUN by a partition's context, on the chain's PE: one that this context works for, or that handles the
    /// interrupt which displaced it and has no other one to handle; only the latter for a caller that `owes` it that.
    pub fn run_by(&mut self, caller: VcpuId, on: CpuId, owes: Owes) -> Result<Resumed, Refusal> {
        let Owes { pe: owes, handling } = owes;
        let works_for = |model: Model| !owes && model.requester() == Requester::Partition(caller);
        let (found, chain, model) = match self.state {
            State::Yielded { on, model } if works_for(model) => (Found::Yielded, on, model),
            State::Preempted { on, model } | State::Idle { on, model } if works_for(model) => {
                (Found::Preempted, on, model)
            }
            State::Displaced { on, model, by } if by == caller && !handling => (Found::Displaced, on, model),
            State::Aborted => return Err(Refusal::Aborted),
            State::Leaving { .. } => return Err(Refusal::Busy),
            State::Created
            | State::Off
            | State::Waiting
            | State::Running { .. }
            | State::Yielded { .. }
            | State::Idle { .. }
            | State::Preempted { .. }
            | State::Displaced { .. }
            | State::Calling { .. } => {
                return Err(Refusal::Denied);
            }
        };
        // FF-A 1.2, 8.3: a call chain stays on one PE.
        if chain != on {
            return Err(Refusal::Denied);
        }
        Ok(self.resume(on, found, model))
    }

    /// Whom it works for while it is in a call chain.
    #[must_use]
    pub const fn requester(&self) -> Option<Requester> {
        match self.state {
            State::Running { model, .. } | State::Calling { model, .. } | State::Displaced { model, .. } => {
                Some(model.requester())
            }
            _ => None,
        }
    }

    /// It called another context and blocks.
    pub fn call(&mut self) {
        if let State::Running { on, model } = self.state {
            self.state = State::Calling { on, model };
        }
    }

    /// The context it called gives the PE back. The model by which it goes on and its virtual interrupt lines, if it
    /// was waiting for that.
    pub fn called_back(&mut self) -> Option<(ModelKind, Lines)> {
        let State::Calling { on, model } = self.state else { return None };
        self.state = State::Running { on, model };
        Some((model.kind(), self.lines()))
    }

    /// The direct request that it works on, if it is of this family and from `asker`.
    #[inline]
    #[must_use]
    pub fn request(&self, kind: RequestKind, asker: EndpointId) -> Option<Request> {
        let State::Running { model: Model::Direct(request), .. } = self.state else { return None };
        let from = match request.from {
            Requester::Normal(id) | Requester::Logical(id) | Requester::Gone(id) => id,
            Requester::Partition(vcpu) => vcpu.partition().id(),
        };
        (request.kind == kind && from == asker).then_some(request)
    }

    /// FFA_MSG_WAIT, or an answer: it has nothing more to do.
    #[inline]
    pub fn wait(&mut self) {
        self.leave(Settled::Waiting);
    }

    /// As [`Vcpu::wait`], if nothing about interrupts is to be done first. Whether it waits.
    #[inline]
    pub fn wait_if_quiet(&mut self) -> bool {
        let is_quiet = self.signals.is_quiet();
        if is_quiet {
            self.wait();
        }
        is_quiet
    }

    /// It has handled the interrupts for which it runs, and waits: whom the first took the PE from.
    pub fn handling(&mut self) -> Option<Interrupted> {
        let State::Running { model: Model::Interrupt(interrupted), .. } = self.state else { return None };
        self.wait();
        Some(interrupted)
    }

    /// WFI: whom it gives the PE back to, where that is the Normal world or a partition and it has no interrupt.
    pub fn idle(&mut self) -> Option<Requester> {
        let State::Running { model, .. } = self.state else { return None };
        let may_leave = match model {
            Model::Run => true,
            Model::Direct(request) => !matches!(request.from, Requester::Logical(_)),
            Model::Init | Model::Interrupt(_) => false,
        };
        if may_leave && !self.has_interrupt() { self.leave(Settled::Idle) } else { None }
    }

    /// FFA_YIELD: whom it gives the PE back to. Nobody where the SPMC scheduled it, for EL3 or for an interrupt: it
    /// goes on.
    pub fn give_up(&mut self) -> Option<Requester> {
        let State::Running { model, .. } = self.state else { return None };
        match model {
            Model::Interrupt(_) | Model::Direct(Request { from: Requester::Logical(_), .. }) => None,
            Model::Init | Model::Run | Model::Direct(_) => self.leave(Settled::Yielded),
        }
    }

    /// A Normal-world interrupt takes the PE: whom it goes back to.
    pub fn preempt(&mut self) -> Option<Requester> {
        self.leave(Settled::Preempted)
    }

    /// A secure interrupt takes the PE, for `by` to handle.
    pub fn displace(&mut self, by: VcpuId) {
        if let State::Running { on, model } = self.state {
            self.state = State::Displaced { on, model, by };
        }
    }

    /// As what it can be given PE `on` for a secure interrupt, if it has one for that and is not elsewhere.
    #[must_use]
    pub fn handler(&self, on: CpuId) -> Option<Handler> {
        match self.state {
            _ if self.signals.is_quiet() || !self.signals.interrupts().takes_the_pe() => None,
            // One that is left to the scheduler is not the SPMC's to run.
            State::Waiting if self.scheduler == Scheduler::Uninvolved => Some(Handler::Waited),
            State::Calling { on: chain, .. } if chain == on => Some(Handler::Blocked),
            _ => None,
        }
    }

    /// It handles a secure interrupt on PE `on`, if it still is a [`Vcpu::handler`]: one that waits begins by the model
    /// for that, with `interrupted` to go on afterwards; one that is blocked, in the chain of that, goes on by its own.
    pub fn handle(&mut self, on: CpuId, interrupted: Interrupted) -> Option<Handling> {
        let first = self.signals.interrupts().deliverable()?;
        let found = self.handler(on)?;
        let model = match (found, self.state) {
            (Handler::Blocked, State::Calling { model, .. }) => model,
            _ => Model::Interrupt(interrupted),
        };
        self.go(on, model);
        let kind = match found {
            Handler::Waited => ModelKind::Interrupt,
            Handler::Blocked => ModelKind::Owing,
        };
        Some(Handling { found, model: kind, first })
    }

    /// The interrupt that displaced it is handled: the model by which it goes on, and its virtual interrupt lines.
    pub fn handled(&mut self) -> Option<(ModelKind, Lines)> {
        let State::Displaced { on, model, .. } = self.state else { return None };
        self.state = State::Running { on, model };
        Some((model.kind(), self.lines()))
    }

    /// Another context handles interrupts on behalf of which this one is displaced.
    pub fn displaced_by(&mut self, other: VcpuId) {
        if let State::Displaced { by, .. } = &mut self.state {
            *by = other;
        }
    }

    /// It leaves the PE it runs on: whom the PE goes back to.
    fn leave(&mut self, then: Settled) -> Option<Requester> {
        let State::Running { on, model } = self.state else { return None };
        self.state = State::Leaving { on, model, then };
        Some(model.requester())
    }

    /// It never runs again. Its model, if it was on a PE or in the call chain there.
    pub fn abort(&mut self) -> Option<Model> {
        let was = core::mem::replace(&mut self.state, State::Aborted);
        match was {
            State::Running { model, .. } | State::Calling { model, .. } => Some(model),
            _ => None,
        }
    }

    /// Its PE is being turned off. A waiting context ends here; one that is interrupted in its work is kept as
    /// it is and can go on when the PE is back. Whether it ended.
    pub fn turn_off(&mut self) -> bool {
        let ends = self.state == State::Waiting;
        if ends {
            self.state = State::Off;
        }
        ends
    }

    /// Its registers are saved. What is to be done about an interrupt that became pending meanwhile.
    #[inline]
    pub fn settle(&mut self, policy: SriPolicy) -> Settlement {
        match self.state {
            State::Leaving { then: Settled::Waiting, .. } => self.state = State::Waiting,
            State::Leaving { on, model, then: Settled::Yielded } => self.state = State::Yielded { on, model },
            State::Leaving { on, model, then: Settled::Idle } => self.state = State::Idle { on, model },
            State::Leaving { on, model, then: Settled::Preempted } => {
                self.state = State::Preempted { on, model };
            }
            _ => return Settlement::Nothing,
        }
        if self.signals.is_quiet() { Settlement::Nothing } else { self.look_again(policy) }
    }
}

impl Default for Vcpu {
    fn default() -> Self {
        Self::new()
    }
}

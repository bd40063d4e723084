//! The life of one execution context: its state, its runtime model, and whom it owes an answer.

use super::{Interrupted, Model, ModelKind, Request, RequestKind, Requester};
use crate::endpoint::{CpuId, EndpointId, VcpuId};

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
    /// [`State::Preempted`].
    Preempted,
}

/// Why a context cannot be entered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It is on a PE, being saved, not started, or works for somebody else.
    Busy,
    /// It belongs to a call chain that the caller has no part in, or is not in a state that allows it.
    Denied,
    /// It never runs again.
    Aborted,
}

/// What [`Vcpu::run`] and [`Vcpu::run_by`] resumed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resumed {
    /// How the context was found.
    pub found: Found,
    /// The model by which it runs now.
    pub model: ModelKind,
}

/// How a context that runs now was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// It waited: it finds FFA_RUN in w0.
    Waiting,
    /// It yielded: its FFA_YIELD completes.
    Yielded,
    /// It was preempted: it goes on as if nothing had happened.
    Preempted,
    /// It was displaced by a secure interrupt, which is handled now: it goes on as if nothing had happened.
    Displaced,
}

/// How [`Vcpu::handle`] found the context.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Handler {
    /// It waited.
    Waited,
    /// It was blocked in a call chain.
    Blocked,
}

/// One execution context.
#[derive(Debug)]
pub struct Vcpu {
    state: State,
}

impl Vcpu {
    /// A context that has never run.
    #[must_use]
    pub const fn new() -> Self {
        Self { state: State::Created }
    }

    /// Starts it from reset, if it has not run or its PE came back. Whether it did.
    #[must_use]
    pub fn start(&mut self, on: CpuId) -> bool {
        let startable = matches!(self.state, State::Created | State::Off);
        if startable {
            self.state = State::Running { on, model: Model::Init };
        }
        startable
    }

    /// Takes a waiting context for a direct request on PE `on`.
    pub fn claim(&mut self, on: CpuId, request: Request) -> Result<(), Refusal> {
        if let State::Waiting = self.state {
            self.state = State::Running { on, model: Model::Direct(request) };
            return Ok(());
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
            State::Preempted { model, .. } => (Found::Preempted, Self::for_normal(model, is_gone)?),
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
        self.state = State::Running { on, model };
        Ok(Resumed { found, model: model.kind() })
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

    /// FFA_RUN by a partition's context, on the chain's PE: one that this context works for, or that handles the
    /// interrupt which displaced it; only the latter for a caller that `owes` it that.
    pub fn run_by(&mut self, caller: VcpuId, on: CpuId, owes: bool) -> Result<Resumed, Refusal> {
        let works_for = |model: Model| !owes && model.requester() == Requester::Partition(caller);
        let (found, chain, model) = match self.state {
            State::Yielded { on, model } if works_for(model) => (Found::Yielded, on, model),
            State::Preempted { on, model } if works_for(model) => (Found::Preempted, on, model),
            State::Displaced { on, model, by } if by == caller => (Found::Displaced, on, model),
            State::Aborted => return Err(Refusal::Aborted),
            State::Leaving { .. } => return Err(Refusal::Busy),
            State::Created
            | State::Off
            | State::Waiting
            | State::Running { .. }
            | State::Yielded { .. }
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
        self.state = State::Running { on, model };
        Ok(Resumed { found, model: model.kind() })
    }

    /// Whom it works for while it is in a call chain.
    #[must_use]
    pub const fn requester(&self) -> Option<Requester> {
        match self.state {
            State::Running { model, .. } | State::Calling { model, .. } => Some(model.requester()),
            _ => None,
        }
    }

    /// It called another context and blocks.
    pub fn call(&mut self) {
        if let State::Running { on, model } = self.state {
            self.state = State::Calling { on, model };
        }
    }

    /// The context it called gives the PE back. The model by which it goes on, if it was waiting for that.
    pub fn called_back(&mut self) -> Option<ModelKind> {
        let State::Calling { on, model } = self.state else { return None };
        self.state = State::Running { on, model };
        Some(model.kind())
    }

    /// Answers the direct request it works on, if `kind` is its family: who asked.
    pub fn answer(&mut self, kind: RequestKind, to: EndpointId) -> Option<Requester> {
        match self.state {
            State::Running { on, model: model @ Model::Direct(request) } if request.kind == kind => {
                let asked = match request.from {
                    Requester::Normal(id) | Requester::Logical(id) | Requester::Gone(id) => id,
                    Requester::Partition(vcpu) => vcpu.partition().id(),
                };
                if asked != to {
                    return None;
                }
                self.state = State::Leaving { on, model, then: Settled::Waiting };
                Some(request.from)
            }
            _ => None,
        }
    }

    /// FFA_MSG_WAIT: it has nothing more to do.
    #[inline]
    pub fn wait(&mut self) {
        self.leave(Settled::Waiting);
    }

    /// It has handled the interrupt for which it runs, and waits: whom that took the PE from.
    pub fn handling(&mut self) -> Option<Interrupted> {
        let State::Running { model: Model::Interrupt(interrupted), .. } = self.state else { return None };
        self.wait();
        Some(interrupted)
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

    /// It is to handle a secure interrupt on PE `on`: one that waits begins by the model for that, with `interrupted`
    /// to go on afterwards; one that is blocked in the PE's call chain goes on by its own. How it was found.
    pub fn handle(&mut self, on: CpuId, interrupted: Interrupted) -> Option<(Handler, ModelKind)> {
        match self.state {
            State::Waiting => {
                self.state = State::Running { on, model: Model::Interrupt(interrupted) };
                Some((Handler::Waited, ModelKind::Interrupt))
            }
            // Under the Normal world there is no chain: this one lost its upper end by an abort.
            State::Calling { on: chain, model }
                if chain == on && matches!(interrupted, Interrupted::Partition(..)) =>
            {
                self.state = State::Running { on, model };
                Some((Handler::Blocked, ModelKind::Owing))
            }
            _ => None,
        }
    }

    /// The interrupt that displaced it is handled: the model by which it goes on.
    pub fn handled(&mut self) -> Option<ModelKind> {
        let State::Displaced { on, model, .. } = self.state else { return None };
        self.state = State::Running { on, model };
        Some(model.kind())
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
    /// it is and can go on when the PE is back.
    pub fn turn_off(&mut self) {
        if self.state == State::Waiting {
            self.state = State::Off;
        }
    }

    /// Its registers are saved.
    #[inline]
    pub fn settle(&mut self) {
        match self.state {
            State::Leaving { then: Settled::Waiting, .. } => self.state = State::Waiting,
            State::Leaving { on, model, then: Settled::Yielded } => {
                self.state = State::Yielded { on, model };
            }
            State::Leaving { on, model, then: Settled::Preempted } => {
                self.state = State::Preempted { on, model };
            }
            _ => {}
        }
    }
}

impl Default for Vcpu {
    fn default() -> Self {
        Self::new()
    }
}

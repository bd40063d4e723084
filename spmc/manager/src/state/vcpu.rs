//! The life of one execution context: its state, its runtime model, and whom it owes an answer.

use super::ModelKind;
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

/// A partition runtime model (FF-A 1.2, 8.2): what a running context may do, and whom it answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Model {
    /// Initialisation, until the first FFA_MSG_WAIT.
    Init,
    /// Cycles from the Normal-world scheduler by FFA_RUN.
    Run,
    /// A direct request.
    Direct(Request),
}

/// A direct request under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request {
    /// Who waits for the answer.
    pub from: Requester,
    /// How it must be answered.
    pub kind: RequestKind,
}

/// Who waits for an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Requester {
    /// A Normal-world endpoint, by this id.
    Normal(EndpointId),
    /// A partition's context, which is [`State::Calling`].
    Partition(VcpuId),
}

/// The two families of direct messages; a request is answered by its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestKind {
    /// FFA_MSG_SEND_DIRECT_REQ.
    Direct,
    /// FFA_MSG_SEND_DIRECT_REQ2.
    Direct2,
}

impl Model {
    /// Which of the models it is.
    #[must_use]
    pub const fn kind(self) -> ModelKind {
        match self {
            Self::Init => ModelKind::Init,
            Self::Run => ModelKind::Run,
            Self::Direct(_) => ModelKind::Direct,
        }
    }

    /// Whom the context gives the PE back to when it yields or is preempted.
    #[must_use]
    pub const fn requester(self) -> Requester {
        match self {
            Self::Direct(Request { from, .. }) => from,
            Self::Init | Self::Run => Requester::Normal(EndpointId::NORMAL),
        }
    }
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

/// How [`Vcpu::run`] found the context.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// It waited: it finds FFA_RUN in w0.
    Waiting,
    /// It yielded: its FFA_YIELD completes.
    Yielded,
    /// It was preempted: it goes on as if nothing had happened.
    Preempted,
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
        match self.state {
            State::Waiting => {
                self.state = State::Running { on, model: Model::Direct(request) };
                Ok(())
            }
            // FF-A 1.2, 8.3: a request to a context that is blocked in the caller's own chain is a cycle.
            State::Calling { on: chain, .. } if chain == on => match request.from {
                Requester::Partition(_) => Err(Refusal::Denied),
                Requester::Normal(_) => Err(Refusal::Busy),
            },
            State::Aborted => Err(Refusal::Aborted),
            State::Created
            | State::Off
            | State::Running { .. }
            | State::Yielded { .. }
            | State::Calling { .. }
            | State::Preempted { .. }
            | State::Leaving { .. } => Err(Refusal::Busy),
        }
    }

    /// FFA_RUN by the Normal world on PE `on`: how the context was found, and the model by which it runs now.
    pub fn run(&mut self, on: CpuId) -> Result<(Found, ModelKind), Refusal> {
        let (found, model) = match self.state {
            State::Waiting => (Found::Waiting, Model::Run),
            State::Yielded { model, .. } => (Found::Yielded, Self::for_normal(model)?),
            State::Preempted { model, .. } => (Found::Preempted, Self::for_normal(model)?),
            State::Calling { .. } => return Err(Refusal::Denied),
            State::Running { .. } | State::Leaving { .. } | State::Created | State::Off => {
                return Err(Refusal::Busy);
            }
            State::Aborted => return Err(Refusal::Aborted),
        };
        self.state = State::Running { on, model };
        Ok((found, model.kind()))
    }

    fn for_normal(model: Model) -> Result<Model, Refusal> {
        match model.requester() {
            Requester::Normal(_) => Ok(model),
            Requester::Partition(_) => Err(Refusal::Denied),
        }
    }

    /// FFA_RUN by the partition context that this one works for, on the chain's PE.
    pub fn run_by(&mut self, caller: VcpuId, on: CpuId) -> Result<(Found, ModelKind), Refusal> {
        let (found, chain, model) = match self.state {
            State::Yielded { on, model } => (Found::Yielded, on, model),
            State::Preempted { on, model } => (Found::Preempted, on, model),
            State::Aborted => return Err(Refusal::Aborted),
            State::Leaving { .. } => return Err(Refusal::Busy),
            State::Created | State::Off | State::Waiting | State::Running { .. } | State::Calling { .. } => {
                return Err(Refusal::Denied);
            }
        };
        // FF-A 1.2, 8.3: a call chain stays on one PE.
        if chain != on || model.requester() != Requester::Partition(caller) {
            return Err(Refusal::Denied);
        }
        self.state = State::Running { on, model };
        Ok((found, model.kind()))
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
                    Requester::Normal(id) => id,
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
    pub fn wait(&mut self) {
        self.leave(Settled::Waiting);
    }

    /// FFA_YIELD: whom it gives the PE back to.
    pub fn give_up(&mut self) -> Option<Requester> {
        self.leave(Settled::Yielded)
    }

    /// A Normal-world interrupt takes the PE: whom it goes back to.
    pub fn preempt(&mut self) -> Option<Requester> {
        self.leave(Settled::Preempted)
    }

    /// It leaves the PE it runs on: whom the PE goes back to.
    fn leave(&mut self, then: Settled) -> Option<Requester> {
        let State::Running { on, model } = self.state else { return None };
        self.state = State::Leaving { on, model, then };
        Some(model.requester())
    }

    /// It never runs again. Its model, if it was on a PE.
    pub fn abort(&mut self) -> Option<Model> {
        let was = core::mem::replace(&mut self.state, State::Aborted);
        match was {
            State::Running { model, .. } => Some(model),
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
        if let State::Leaving { on, model, then } = self.state {
            self.state = match then {
                Settled::Waiting => State::Waiting,
                Settled::Yielded => State::Yielded { on, model },
                Settled::Preempted => State::Preempted { on, model },
            };
        }
    }
}

impl Default for Vcpu {
    fn default() -> Self {
        Self::new()
    }
}

//! Runtime models: by which rules a context runs, and whom it works for (FF-A 1.2, 8.2).

use crate::endpoint::{EndpointId, VcpuId};

/// A runtime model without whom it is for: what a context and the PE that it runs on both know. One bit each, for
/// sets of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum ModelKind {
    /// [`Model::Init`].
    Init = 1 << 0,
    /// [`Model::Run`].
    Run = 1 << 1,
    /// [`Model::Direct`].
    Direct = 1 << 2,
    /// [`Model::Interrupt`].
    Interrupt = 1 << 3,
    /// Its own model, but it was blocked in a call chain and got its interrupt: first it has to run whom that
    /// displaced.
    Owing = 1 << 4,
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
    /// Secure interrupts, the first of which took the PE from somebody.
    Interrupt(Interrupted),
}

/// Who goes on when the interrupts have been handled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interrupted {
    /// The Normal world.
    Normal,
    /// A partition's context, which is [`super::vcpu::State::Displaced`] by the handler.
    Partition(VcpuId),
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
    /// A partition's context, which is [`super::vcpu::State::Calling`].
    Partition(VcpuId),
    /// A logical partition at EL3, through the SPMD.
    Logical(EndpointId),
    /// A partition that was aborted meanwhile: the context works to its end, and nobody gets the answer.
    Gone(EndpointId),
}

/// The families of direct messages; a request is answered by its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestKind {
    /// FFA_MSG_SEND_DIRECT_REQ.
    Direct,
    /// FFA_MSG_SEND_DIRECT_REQ2.
    Direct2,
    /// The framework message that a VM was created.
    VmCreated,
    /// The framework message that a VM was destroyed.
    VmDestroyed,
}

/// A physical interrupt that a partition can own: SPIs and PPIs, extended ones included, have at most 13 bits.
pub type Intid = u16;

impl Model {
    /// Which of the models it is.
    #[must_use]
    pub const fn kind(self) -> ModelKind {
        match self {
            Self::Init => ModelKind::Init,
            Self::Run => ModelKind::Run,
            Self::Direct(_) => ModelKind::Direct,
            Self::Interrupt(_) => ModelKind::Interrupt,
        }
    }

    /// Whom the context gives the PE back to when it yields or is preempted.
    #[must_use]
    pub const fn requester(self) -> Requester {
        match self {
            Self::Direct(Request { from, .. }) => from,
            Self::Init | Self::Run | Self::Interrupt(_) => Requester::Normal(EndpointId::NORMAL),
        }
    }
}

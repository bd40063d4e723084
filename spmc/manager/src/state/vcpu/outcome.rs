//! What the transitions of an execution context answer.

use crate::state::ModelKind;
use crate::state::interrupts::Slot;

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

/// What a context that calls FFA_RUN has to do first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Owes {
    /// To run whom its interrupt displaced.
    pub pe: bool,
    /// To handle an interrupt.
    pub handling: bool,
}

/// What [`super::Vcpu::run`] and [`super::Vcpu::run_by`] resumed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resumed {
    /// How the context was found.
    pub found: Found,
    /// The model by which it runs now.
    pub model: ModelKind,
    /// Whether there is nothing about its interrupts and its timer.
    pub is_quiet: bool,
}

/// How a context that runs now was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// It waited: it finds FFA_RUN in w0.
    Waiting,
    /// It yielded: its FFA_YIELD completes.
    Yielded,
    /// It was preempted, or idle: it goes on as if nothing had happened.
    Preempted,
    /// It was displaced by a secure interrupt, which is handled now: it goes on as if nothing had happened.
    Displaced,
}

/// A context that runs now to handle an interrupt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Handling {
    /// How it was found.
    pub found: Handler,
    /// The model by which it runs now.
    pub model: ModelKind,
    /// The first of its interrupts.
    pub first: Slot,
}

/// How [`super::Vcpu::handle`] found the context.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Handler {
    /// It waited.
    Waited,
    /// It was blocked in a call chain.
    Blocked,
}

//! Nouns: what is remembered between steps. Fields are private; every transition is a method.

pub mod cpu;
pub mod inbox;
pub mod interrupts;
pub mod line;
pub mod mailbox;
mod model;
pub mod normal;
pub mod notifications;
pub mod partition;
mod set;
pub mod timer;
pub mod vcpu;
pub mod version;

pub use model::{Interrupted, Intid, Model, ModelKind, Request, RequestKind, Requester};
pub use set::Set;

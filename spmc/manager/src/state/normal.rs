//! The Normal world as an endpoint: its version and its buffers.

use super::mailbox::Mailbox;
use super::version::Negotiation;
use crate::order::{self, Lock};

/// The Normal world's OS kernel or hypervisor, endpoint 0.
pub struct NormalEndpoint {
    /// What it negotiated, as the SPMD reports it.
    pub version: Negotiation,
    /// Its buffers.
    pub mailbox: Lock<order::Partition, Mailbox>,
}

impl NormalEndpoint {
    /// An endpoint that has said nothing yet and is taken to speak `version`.
    #[must_use]
    pub const fn new(version: u32) -> Self {
        Self { version: Negotiation::new(version), mailbox: Lock::new(Mailbox::Unmapped) }
    }
}

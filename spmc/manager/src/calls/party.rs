//! Who receives: a partition, or an endpoint of the Normal world.

use super::{Caller, Entry};
use crate::endpoint::EndpointId;
use crate::state::inbox::Receiver;
use crate::state::normal::NormalEndpoint;
use crate::state::partition::Partition;

/// An endpoint that can receive.
#[derive(Clone, Copy)]
pub enum Party<'a> {
    /// A partition.
    Partition(&'a Partition),
    /// An endpoint of the Normal world, by this id.
    Normal(&'a NormalEndpoint, EndpointId),
}

impl<'a> Party<'a> {
    /// The endpoint of this id, if there is one that can receive.
    pub fn find(at: &Entry<'a>, id: EndpointId) -> Option<Self> {
        if id.is_secure() {
            return at.partition(id).map(Self::Partition);
        }
        at.spmc.normal().get(id).map(|endpoint| Self::Normal(endpoint, id))
    }

    /// The caller itself.
    #[inline]
    pub fn caller(at: &Entry<'a>) -> Self {
        match at.caller {
            Caller::Normal => Self::Normal(at.spmc.normal().os(), EndpointId::NORMAL),
            Caller::Partition(partition, _) => Self::Partition(partition),
        }
    }

    /// The party that the caller speaks for by this id: itself, or a VM of which it is the hypervisor.
    pub fn spoken_for(at: &Entry<'a>, id: EndpointId) -> Option<Self> {
        match at.caller {
            Caller::Normal if !id.is_secure() => Self::find(at, id),
            Caller::Partition(partition, _) if partition.id() == id => Some(Self::Partition(partition)),
            Caller::Normal | Caller::Partition(..) => None,
        }
    }

    /// Its id.
    #[must_use]
    pub fn id(&self) -> EndpointId {
        match self {
            Self::Partition(partition) => partition.id(),
            Self::Normal(_, id) => *id,
        }
    }

    /// What it can receive.
    #[inline]
    #[must_use]
    pub fn receiver(&self) -> &'a Receiver {
        match self {
            Self::Partition(partition) => partition.receiver(),
            Self::Normal(endpoint, _) => &endpoint.receiver,
        }
    }

    /// Whether it is still there: with its inbox locked, a VM cannot give its place to another one.
    #[must_use]
    pub fn is_there(&self) -> bool {
        match self {
            Self::Partition(partition) => !partition.is_aborted(),
            Self::Normal(endpoint, id) => endpoint.id() == Some(*id),
        }
    }
}

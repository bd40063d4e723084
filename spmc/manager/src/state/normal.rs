//! The Normal world: its version, and its endpoints: the OS kernel or hypervisor, and the VMs that it speaks for.

use alloc::boxed::Box;

use super::inbox::{Inbox, Receiver};
use super::mailbox::Mailbox;
use super::notifications::Notifications;
use super::version::Negotiation;
use crate::config::Quota;
use crate::endpoint::EndpointId;
use crate::memory::ledger::Ledger;
use crate::memory::transactions::Transactions;
use crate::order::{self, Lock};
use crate::sync::{self, AtomicU32, AtomicUsize, Ordering};

/// The most VMs that have buffers or take notifications at a time.
pub const MAX_VMS: usize = sync::count(64, 1);
/// The most contexts of a VM that can be notified.
const VM_CONTEXTS: u16 = 16;
/// The least number of contexts of the OS kernel that can be notified: it counts PEs that could be there.
const OS_CONTEXTS: usize = 64;

/// The id of no endpoint.
const NOBODY: u32 = u32::MAX;

/// An endpoint of the Normal world, or a place for one.
pub struct NormalEndpoint {
    id: AtomicU32,
    /// What it can receive.
    pub receiver: Receiver,
}

impl NormalEndpoint {
    fn new(id: u32, contexts: u16) -> Self {
        let inbox = Inbox::new(Mailbox::Unmapped, Notifications::new(contexts));
        Self { id: AtomicU32::new(id), receiver: Receiver::new(inbox) }
    }

    /// Who has the place, if anybody does.
    #[must_use]
    pub fn id(&self) -> Option<EndpointId> {
        u16::try_from(self.id.load(Ordering::Acquire)).ok().map(EndpointId::new)
    }

    fn is(&self, id: EndpointId) -> bool {
        self.id.load(Ordering::Acquire) == u32::from(id.get())
    }
}

/// That a place is taken or given back: one PE at a time does that.
pub struct Registry(());

/// The Normal world.
pub struct NormalWorld {
    /// What it negotiated, as the SPMD reports it.
    pub version: Negotiation,
    /// Its memory.
    pub memory: Lock<order::Space, Ledger>,
    /// What of it its endpoints have sent to others.
    pub sent: Transactions,
    registry: Lock<order::Registry, Registry>,
    /// The first is endpoint 0 and always there.
    endpoints: Box<[NormalEndpoint]>,
    /// How many of the places have ever been taken: those behind them are not looked at.
    known: AtomicUsize,
}

impl NormalWorld {
    /// A Normal world on this many PEs with this memory and quota of transactions that has said nothing yet and is taken to speak `version`.
    #[must_use]
    pub fn new(version: u32, cpus: usize, memory: Ledger, quota: Quota) -> Self {
        let contexts = u16::try_from(cpus.max(OS_CONTEXTS)).unwrap_or(u16::MAX);
        let os = NormalEndpoint::new(EndpointId::NORMAL.get().into(), contexts);
        let vms = (0..MAX_VMS).map(|_| NormalEndpoint::new(NOBODY, VM_CONTEXTS));
        Self {
            version: Negotiation::new(version),
            memory: Lock::new(memory),
            sent: Transactions::new(0, quota),
            registry: Lock::new(Registry(())),
            endpoints: core::iter::once(os).chain(vms).collect(),
            known: AtomicUsize::new(1),
        }
    }

    /// The OS kernel or hypervisor: endpoint 0.
    #[inline]
    #[must_use]
    pub fn os(&self) -> &NormalEndpoint {
        &self.endpoints[0]
    }

    /// All places that have ever been taken.
    #[must_use]
    pub fn endpoints(&self) -> &[NormalEndpoint] {
        self.endpoints.get(..self.known.load(Ordering::Acquire)).unwrap_or(&self.endpoints)
    }

    /// The endpoint of this id, if it has buffers or takes notifications, or is endpoint 0.
    ///
    /// A VM can be gone when its inbox is locked, and the place another's: only the hypervisor, which must not
    /// destroy a VM that it speaks for at the same time, can bring that about, and harms none but its own VMs.
    #[must_use]
    pub fn get(&self, id: EndpointId) -> Option<&NormalEndpoint> {
        self.endpoints().iter().find(|endpoint| endpoint.is(id))
    }

    /// The lock with which places are taken and given back.
    #[must_use]
    pub const fn registry(&self) -> &Lock<order::Registry, Registry> {
        &self.registry
    }

    /// The endpoint of this id, which gets a place if it has none; nothing where none is left.
    #[must_use]
    pub fn enter(&self, _: &mut Registry, id: EndpointId) -> Option<&NormalEndpoint> {
        self.get(id).or_else(|| {
            let place = self.endpoints.iter().position(|endpoint| endpoint.id().is_none())?;
            let free = &self.endpoints[place];
            self.known.fetch_max(place + 1, Ordering::AcqRel);
            free.id.store(id.get().into(), Ordering::Release);
            Some(free)
        })
    }

    /// The endpoint gives its place back if nothing is left in its `inbox`.
    pub fn leave(&self, _: &mut Registry, endpoint: &NormalEndpoint, inbox: &Inbox) {
        let is_empty = inbox.mailbox.tx().is_none() && inbox.notifications.contexts() == 0;
        if is_empty && !endpoint.is(EndpointId::NORMAL) {
            endpoint.id.store(NOBODY, Ordering::Release);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::page::{PageRange, Space};
    use crate::memory::space::Pool;
    use crate::memory::table::TableFrame;
    use crate::order::Holding;

    #[test]
    fn a_vm_has_one_place_and_gives_it_back() {
        let page = |at| PageRange::new(Space::Normal, at, 1).unwrap();
        let frames = std::vec::Vec::from_iter((0..2).map(|_| TableFrame::new())).leak();
        let memory = Ledger::new(Box::new([]), &Pool::new(frames, 0)).unwrap();
        let normal = NormalWorld::new(0x1_0002, 4, memory, Quota { transactions: 0, ranges: 0 });
        let mut held = Holding::nothing();
        let (mut registry, mut held) = normal.registry().lock(&mut held);
        for vm in 1..=MAX_VMS as u16 {
            assert!(normal.enter(&mut registry, EndpointId::new(vm)).is_some());
            assert!(normal.enter(&mut registry, EndpointId::new(vm)).is_some(), "the same");
        }
        assert!(normal.enter(&mut registry, EndpointId::new(100)).is_none());
        assert!(normal.get(EndpointId::new(100)).is_none());

        let seventh = normal.get(EndpointId::new(7)).unwrap();
        let (mut inbox, _held) = seventh.receiver.lock(&mut held);
        assert!(inbox.mailbox.map(page(0x4000_0000), page(0x4000_1000)));
        normal.leave(&mut registry, seventh, &inbox);
        assert!(normal.get(EndpointId::new(7)).is_some(), "it has buffers");
        inbox.mailbox.unmap().unwrap();
        normal.leave(&mut registry, seventh, &inbox);
        assert!(normal.get(EndpointId::new(7)).is_none());
        assert!(normal.enter(&mut registry, EndpointId::new(100)).is_some());
    }
}

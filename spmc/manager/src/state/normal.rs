//! The Normal world: its version, its buffers, and those of the VMs that its hypervisor speaks for.

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::mailbox::{Mailbox, RxError};
use super::version::Negotiation;
use crate::endpoint::EndpointId;
use crate::memory::page::PageRange;
use crate::order::{self, Lock};

/// The most VMs that have buffers at a time.
pub const MAX_VMS: usize = 64;

/// The Normal world's OS kernel or hypervisor, endpoint 0, and its VMs.
pub struct NormalWorld {
    /// What it negotiated, as the SPMD reports it.
    pub version: Negotiation,
    /// The buffers of endpoint 0.
    pub mailbox: Lock<order::Partition, Mailbox>,
    /// The buffers of the VMs.
    pub vms: Lock<order::Partition, Vms>,
}

impl NormalWorld {
    /// A Normal world that has said nothing yet and is taken to speak `version`.
    #[must_use]
    pub fn new(version: u32) -> Self {
        Self {
            version: Negotiation::new(version),
            mailbox: Lock::new(Mailbox::Unmapped),
            vms: Lock::new(Vms::new()),
        }
    }
}

/// The VMs that have buffers.
pub struct Vms(Box<[Option<(EndpointId, Mailbox)>]>);

/// Why a VM gets no buffers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VmError {
    /// It has some.
    Mapped,
    /// There is no place for one more VM.
    Full,
}

impl Vms {
    fn new() -> Self {
        let places: Vec<_> = (0..MAX_VMS).map(|_| None).collect();
        Self(places.into())
    }

    /// The buffers of this VM, if it has some.
    pub fn get(&mut self, vm: EndpointId) -> Option<&mut Mailbox> {
        self.0.iter_mut().flatten().find(|(id, _)| *id == vm).map(|(_, mailbox)| mailbox)
    }

    /// Registers a pair for a VM that has none.
    pub fn map(&mut self, vm: EndpointId, tx: PageRange, rx: PageRange) -> Result<(), VmError> {
        if self.get(vm).is_some() {
            return Err(VmError::Mapped);
        }
        let place = self.0.iter_mut().find(|place| place.is_none()).ok_or(VmError::Full)?;
        *place = Some((vm, Mailbox::mapped(tx, rx)));
        Ok(())
    }

    /// Forgets the pair of a VM.
    pub fn unmap(&mut self, vm: EndpointId) -> Result<(), RxError> {
        let place = self.0.iter_mut().find(|place| place.as_ref().is_some_and(|(id, _)| *id == vm));
        let place = place.ok_or(RxError::Unmapped)?;
        place.as_mut().map_or(Ok(()), |(_, mailbox)| mailbox.unmap())?;
        *place = None;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::page::Space;

    #[test]
    fn a_vm_has_one_pair_and_gives_its_place_back() {
        let page = |at| PageRange::new(Space::Normal, at, 1).unwrap();
        let (tx, rx) = (page(0x4000_0000), page(0x4000_1000));
        let mut vms = Vms::new();
        for vm in 1..=MAX_VMS as u16 {
            assert_eq!(vms.map(EndpointId::new(vm), tx, rx), Ok(()));
        }
        assert_eq!(vms.map(EndpointId::new(1), tx, rx), Err(VmError::Mapped));
        assert_eq!(vms.map(EndpointId::new(100), tx, rx), Err(VmError::Full));
        assert_eq!(vms.unmap(EndpointId::new(100)), Err(RxError::Unmapped));
        assert_eq!(vms.unmap(EndpointId::new(7)), Ok(()));
        assert!(vms.get(EndpointId::new(7)).is_none());
        assert_eq!(vms.map(EndpointId::new(100), tx, rx), Ok(()));
    }
}

//! The GIC on this PE: acknowledges, finishes and masks. EL3 has set the distributor up.
#![expect(unsafe_code, reason = "makes the drivers of the GIC at addresses that platform/ states")]

use core::ptr::NonNull;

use arm_gic::gicv3::registers::{Gicd, GicrSgi};
use arm_gic::gicv3::{
    GicCpuInterface, GicDistributor, GicRedistributor, GicRedistributorIterator, Group, SecureIntGroup,
    SgiTarget, SgiTargetGroup,
};
use arm_gic::{IntId, InterruptGroup, UniqueMmioPointer};
use manager::hardware::Acknowledged;
use spin::Mutex;

use crate::platform::Platform;
use crate::{layout, sysregs};

/// Interrupt numbers from here on are not interrupts (Arm IHI 0069, 2.2.1): none is pending, or none of ours.
const SPECIAL: core::ops::RangeInclusive<u32> = 1020..=1023;

/// The SGI by which PEs kick each other. TF-A leaves 8 to 15 to the secure world; 8 and 9 are what partition managers
/// use for schedule receiver and inter-processor interrupts.
const KICK: IntId = IntId::sgi(10);

/// One PE's access to the GIC; the lock covers its memory-mapped part.
#[derive(Clone, Copy)]
pub struct Gic {
    platform: &'static Platform,
}

static REGISTERS: Mutex<()> = Mutex::new(());

fn pointer<T>(address: u64) -> NonNull<T> {
    let address = layout::virtual_address(address);
    NonNull::new(core::ptr::with_exposed_provenance_mut(address)).expect("an address of the upper half")
}

impl Gic {
    /// The GIC of `platform`, ready on this PE: secure Group 1 enabled. EL3 has opened the priority mask.
    #[must_use]
    pub fn start(platform: &'static Platform) -> Self {
        GicCpuInterface::enable_system_register_el1();
        GicCpuInterface::enable_group1(true);
        sysregs::set_ich_hcr(sysregs::ICH_HCR);
        let gic = Self { platform };
        let kick = gic.with_own_redistributor(|own| {
            own.set_group(KICK, Group::Secure(SecureIntGroup::Group1S))?;
            own.set_interrupt_priority(KICK, 0)?;
            own.enable_interrupt(KICK, true)
        });
        assert!(matches!(kick, Some(Ok(()))), "the PE's redistributor takes no SGI");
        gic
    }

    /// Takes the highest-priority pending interrupt.
    #[must_use]
    pub fn acknowledge(self) -> Acknowledged {
        match GicCpuInterface::get_and_acknowledge_interrupt(InterruptGroup::Group1).map(u32::from) {
            Some(id) if id == u32::from(KICK) => {
                self.finish(id);
                Acknowledged::Kick
            }
            Some(id) if !SPECIAL.contains(&id) => Acknowledged::Secure(id),
            _ => Acknowledged::Normal,
        }
    }

    /// Interrupts every other PE.
    pub fn kick_others(self) {
        if GicCpuInterface::send_sgi(KICK, SgiTarget::All, SgiTargetGroup::CurrentGroup1).is_err() {
            log::warn!("the other PEs cannot be interrupted");
        }
    }

    /// Drops the priority of `id` and deactivates it.
    pub fn finish(self, id: u32) {
        if let Ok(id) = IntId::try_from(id) {
            GicCpuInterface::end_interrupt(id, InterruptGroup::Group1);
        }
    }

    /// Lets only interrupts of the secure half of the priorities (below 0x80) through. The mask until now, which
    /// both worlds share: [`Gic::release_normal`] wants it back.
    #[must_use]
    pub fn hold_normal(self) -> u8 {
        let before = GicCpuInterface::get_priority_mask();
        GicCpuInterface::set_priority_mask(before.min(0x80));
        before
    }

    /// The mask is again what it was.
    pub fn release_normal(self, before: u8) {
        GicCpuInterface::set_priority_mask(before);
    }

    /// Disables `id`: for an SGI or PPI on this PE.
    pub fn mask(self, id: u32) {
        let Ok(id) = IntId::try_from(id) else { return };
        let done = if id.is_private() {
            self.with_own_redistributor(|own| own.enable_interrupt(id, false))
        } else {
            let _lock = REGISTERS.lock();
            // SAFETY: the final tables map the distributor; the lock makes this the only driver.
            let registers = unsafe { UniqueMmioPointer::new(pointer::<Gicd>(self.platform.distributor)) };
            Some(GicDistributor::new(registers).enable_interrupt(id, false))
        };
        if !matches!(done, Some(Ok(()))) {
            log::warn!("interrupt {id:?} cannot be masked");
        }
    }

    /// Has `work` done with the redistributor of this PE, if it is found.
    fn with_own_redistributor<T>(self, work: impl FnOnce(&mut GicRedistributor<'_>) -> T) -> Option<T> {
        let _lock = REGISTERS.lock();
        let first = pointer::<GicrSgi>(self.platform.redistributors.start);
        // SAFETY: the final tables map all redistributors; the lock makes this the only driver.
        let mut all = unsafe { GicRedistributorIterator::new(first) }.ok()?;
        let affinity = affinity(sysregs::mpidr());
        all.find(|one| one.typer().core_mpidr() == affinity).map(|mut own| work(&mut own))
    }
}

/// Aff3.Aff2.Aff1.Aff0 as GICR_TYPER shows them.
const fn affinity(mpidr: u64) -> u64 {
    mpidr >> 8 & 0xff00_0000 | mpidr & 0x00ff_ffff
}

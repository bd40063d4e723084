//! The GIC on this PE: acknowledges, deactivates, masks and generates interrupts. EL3 has set the distributor up.
#![expect(unsafe_code, reason = "makes the drivers of the GIC at addresses that platform/ states")]

use core::ptr::{NonNull, write_volatile};

use arm_gic::gicv3::registers::{Gicd, GicrSgi};
use arm_gic::gicv3::{
    GicCpuInterface, GicDistributor, GicError, GicRedistributor, GicRedistributorIterator, Group,
    HIGHEST_NS_PRIORITY, HIGHEST_S_PRIORITY, SecureIntGroup,
};
use arm_gic::{IntId, InterruptGroup, Trigger, UniqueMmioPointer};
use manager::endpoint::CpuId;
use manager::hardware::SCHEDULE_RECEIVER;
use spin::Mutex;

use crate::pes::Pes;
use crate::platform::Platform;
use crate::{layout, sysregs, timer};

/// Interrupt numbers from here on are not interrupts (Arm IHI 0069, 2.2.1): none is pending, or none of ours.
const SPECIAL: core::ops::RangeInclusive<u32> = 1020..=1023;

/// The SGI by which PEs kick each other. TF-A leaves 8 to 15 to the secure world; 8 and 9 are what partition managers
/// use for schedule receiver and inter-processor interrupts.
pub const KICK: u32 = 10;
/// ICC_SGI1R_EL1.IRM: every PE but this one.
const ALL_OTHERS: u64 = 1 << 40;

/// GICR_ICACTIVER0, and for SPIs and extended SPIs GICD_ICACTIVER0 and GICD_ICACTIVER0E: writing 1 deactivates an
/// interrupt. ICC_DIR_EL1 would do the same (Arm IHI 0069, 4.1.1), but QEMU ignores it at S-EL2 for secure interrupts.
const GICR_ICACTIVER: u64 = 0x1_0380;
/// See [`GICR_ICACTIVER`].
const GICD_ICACTIVER: u64 = 0x380;
/// See [`GICR_ICACTIVER`].
const GICD_ICACTIVER_E: u64 = 0x1c00;

/// Of secure interrupts, which have the priorities below [`HIGHEST_NS_PRIORITY`], the timer's is in the middle.
const TIMER_PRIORITY: u8 = 0x40;

/// One PE's access to the GIC; the lock covers its memory-mapped part.
#[derive(Clone, Copy)]
pub struct Gic {
    platform: &'static Platform,
    pes: &'static Pes,
    cpu: CpuId,
    /// The physical address of this PE's redistributor.
    redistributor: u64,
}

static REGISTERS: Mutex<()> = Mutex::new(());

fn pointer<T>(address: u64) -> NonNull<T> {
    let address = layout::virtual_address(address);
    NonNull::new(core::ptr::with_exposed_provenance_mut(address)).expect("an address of the upper half")
}

impl Gic {
    /// The GIC of `platform`, ready on this PE, which is `cpu` and can be kicked from here on: secure Group 1 enabled,
    /// with the kick and the timer in it. EL3 has opened the priority mask.
    #[must_use]
    pub fn start(platform: &'static Platform, pes: &'static Pes, cpu: CpuId) -> Self {
        GicCpuInterface::enable_system_register_el1();
        sysregs::set_icc_ctlr(sysregs::icc_ctlr() | sysregs::ICC_CTLR_EOIMODE);
        GicCpuInterface::enable_group1(true);
        sysregs::set_ich_hcr(sysregs::ICH_HCR);
        let redistributor = own_redistributor(platform).expect("the GIC has a redistributor for each PE");
        let gic = Self { platform, pes, cpu, redistributor };
        gic.with_redistributor(set_up_private).expect("each PE has these SGIs and PPIs");
        pes.came_on(cpu);
        gic
    }

    /// The PE goes off: it is not kicked any more.
    pub fn stop(self) {
        self.pes.goes_off(self.cpu);
    }

    /// Takes the pending secure interrupt of the highest priority, if there is one, and drops that priority. It is
    /// active and does not come again before [`Gic::deactivate`].
    #[must_use]
    pub fn acknowledge(self) -> Option<u32> {
        let id = GicCpuInterface::get_and_acknowledge_interrupt(InterruptGroup::Group1)?;
        // That the interrupt is active is otherwise not ordered before a write by which `deactivate` ends it.
        sysregs::complete_accesses();
        if SPECIAL.contains(&id.into()) {
            return None;
        }
        GicCpuInterface::end_interrupt(id, InterruptGroup::Group1);
        Some(id.into())
    }

    /// Lets an acknowledged interrupt come again: an SGI or PPI on this PE.
    pub fn deactivate(self, id: u32) {
        let Ok(id) = IntId::try_from(id) else { return };
        let (registers, index) = if let Some(index) = id.private_index() {
            (self.redistributor + GICR_ICACTIVER, index)
        } else if let Some(index) = id.espi_index() {
            (self.platform.distributor + GICD_ICACTIVER_E, index)
        } else if id.is_spi() {
            (self.platform.distributor + GICD_ICACTIVER, id.raw_value() as usize)
        } else {
            return;
        };
        let register = pointer::<u32>(registers).as_ptr().wrapping_add(index / 32);
        // SAFETY: the final tables map it; each 1 written ends one interrupt's being active, and a 0 does nothing.
        unsafe { write_volatile(register, 1 << (index % 32)) };
    }

    /// Interrupts every other PE.
    pub fn kick_others(self) {
        sysregs::complete_stores();
        sysregs::generate_sgi(sgi(KICK) | ALL_OTHERS);
    }

    /// Interrupts `cpu`, if it is on.
    pub fn kick(self, cpu: CpuId) {
        if let Some(target) = self.pes.target(cpu) {
            sysregs::complete_stores();
            sysregs::generate_sgi(sgi(KICK) | target);
        }
    }

    /// Raises the schedule receiver interrupt on `cpu`, or here if that is off.
    pub fn raise_schedule_receiver(self, cpu: CpuId) {
        if let Some(target) = self.pes.target(cpu).or_else(|| self.pes.target(self.cpu)) {
            sysregs::complete_stores();
            sysregs::generate_other_sgi(sgi(SCHEDULE_RECEIVER) | target);
        }
    }

    /// Lets only interrupts of the secure half of the priorities through. The mask until now, which both worlds share:
    /// [`Gic::release_normal`] wants it back.
    #[must_use]
    pub fn hold_normal(self) -> u8 {
        let before = GicCpuInterface::get_priority_mask();
        GicCpuInterface::set_priority_mask(before.min(HIGHEST_NS_PRIORITY));
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
            self.with_redistributor(|own| own.enable_interrupt(id, false))
        } else {
            let _lock = REGISTERS.lock();
            // SAFETY: the final tables map the distributor; the lock makes this the only driver.
            let registers = unsafe { UniqueMmioPointer::new(pointer::<Gicd>(self.platform.distributor)) };
            GicDistributor::new(registers).enable_interrupt(id, false)
        };
        if done.is_err() {
            log::warn!("interrupt {id:?} cannot be masked");
        }
    }

    /// Has `work` done with the redistributor of this PE.
    fn with_redistributor<T>(self, work: impl FnOnce(&mut GicRedistributor<'_>) -> T) -> T {
        let _lock = REGISTERS.lock();
        // SAFETY: the final tables map all redistributors; the lock makes this the only driver.
        let registers = unsafe { UniqueMmioPointer::new(pointer::<GicrSgi>(self.redistributor)) };
        work(&mut GicRedistributor::new(registers))
    }
}

/// The physical address of this PE's redistributor.
fn own_redistributor(platform: &Platform) -> Option<u64> {
    let own = sysregs::mpidr() & sysregs::MPIDR_AFFINITY;
    let _lock = REGISTERS.lock();
    let first = pointer::<GicrSgi>(platform.redistributors.start);
    // SAFETY: the final tables map all redistributors; the lock makes this the only driver.
    let all = unsafe { GicRedistributorIterator::new(first) }.ok()?;
    let mut address = platform.redistributors.start;
    for one in all {
        let typer = one.typer();
        if typer.core_mpidr() == own {
            return Some(address);
        }
        // Two frames, and two more for virtual LPIs.
        let frames = if typer.virtual_lpis_supported() { 2 } else { 1 };
        address += frames * size_of::<GicrSgi>() as u64;
    }
    None
}

/// Sets a PE's private interrupts up.
fn set_up_private(own: &mut GicRedistributor<'_>) -> Result<(), GicError> {
    let secure = Group::Secure(SecureIntGroup::Group1S);
    let timer = IntId::ppi(timer::PPI);
    let interrupts = [
        (IntId::sgi(KICK), secure, HIGHEST_S_PRIORITY),
        (timer, secure, TIMER_PRIORITY),
        // EL3 has enabled it for us. The Normal world does so for itself, with a priority of its choice.
        (IntId::sgi(SCHEDULE_RECEIVER), Group::Group1NS, HIGHEST_NS_PRIORITY),
    ];
    own.set_trigger(timer, Trigger::Level)?;
    for (id, group, priority) in interrupts {
        own.enable_interrupt(id, false)?;
        own.set_group(id, group)?;
        own.set_interrupt_priority(id, priority)?;
        own.enable_interrupt(id, group == secure)?;
    }
    Ok(())
}

/// The number of an SGI as ICC_SGI1R_EL1 has it.
const fn sgi(id: u32) -> u64 {
    (id as u64) << 24
}

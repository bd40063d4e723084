//! The GIC as the Normal world sees it: two interrupts on every PE, the timer's and FF-A's SRI.

use core::arch::asm;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicU64, Ordering};

use arm_gic::gicv3::registers::{Gicd, GicrSgi};
use arm_gic::gicv3::{GicCpuInterface, GicV3};
use arm_gic::{IntId, InterruptGroup, UniqueMmioPointer};
use spin::mutex::SpinMutex;

use crate::{level, machine, pe, timer};

/// The interrupt of the physical timer of this level: INTID 30 or 26 (Arm BSA).
const TIMER: IntId = IntId::ppi(if level::EL1 { 14 } else { 10 });
/// The schedule receiver interrupt (FF-A 1.2, 10.4): the SPMC says the same in FFA_FEATURES.
pub const SRI: u32 = 8;

static GIC: SpinMutex<Option<GicV3<'static>>> = SpinMutex::new(None);
/// How many SRIs each PE took.
static SRIS: [AtomicU64; pe::MAX] = [const { AtomicU64::new(0) }; pe::MAX];

/// Sets up the GIC for the Normal world, once.
pub fn start(pes: usize) {
    let machine = machine::here();
    let distributor = NonNull::new(machine.distributor as *mut Gicd).expect("not null");
    let redistributors = NonNull::new(machine.redistributors as *mut GicrSgi).expect("not null");
    // SAFETY: these are the GIC's registers, mapped as device memory, and no other driver of them exists here.
    let gic = unsafe { GicV3::new(UniqueMmioPointer::new(distributor), redistributors, pes) };
    let mut gic = gic.expect("a GICv3");
    gic.distributor().enable_group1_non_secure(true);
    *GIC.lock() = Some(gic);
}

/// Lets the interrupts come to this PE.
pub fn start_pe() {
    let pe = pe::index();
    if level::EL1 {
        GicCpuInterface::enable_system_register_el1();
    } else {
        GicCpuInterface::enable_system_register_el2(true);
    }
    let mut gic = GIC.lock();
    let gic = gic.as_mut().expect("started");
    gic.init_cpu(pe);
    for interrupt in [TIMER, IntId::sgi(SRI)] {
        gic.set_interrupt_priority(interrupt, Some(pe), 0x80).expect("a private interrupt of this PE");
        gic.enable_interrupt(interrupt, Some(pe), true).expect("a private interrupt of this PE");
    }
    GicCpuInterface::set_priority_mask(0xff);
    GicCpuInterface::enable_group1(true);
}

/// Takes the interrupts that pend.
pub fn take() {
    // SAFETY: the vectors handle what comes; the memory that the handler changes is atomic.
    unsafe { asm!("msr daifclr, #2", "isb", "msr daifset, #2", options(nostack)) };
}

/// How many SRIs a PE has taken.
pub fn sris(pe: usize) -> u64 {
    SRIS[pe].load(Ordering::Acquire)
}

/// The vectors' way to handle an IRQ.
pub fn interrupted() {
    while let Some(id) = GicCpuInterface::get_and_acknowledge_interrupt(InterruptGroup::Group1) {
        if id == TIMER {
            // The interrupt is a level, and goes away with this.
            timer::expired();
        } else {
            assert!(id == IntId::sgi(SRI), "only two interrupts are enabled");
            SRIS[pe::index()].fetch_add(1, Ordering::AcqRel);
        }
        GicCpuInterface::end_interrupt(id, InterruptGroup::Group1);
    }
}

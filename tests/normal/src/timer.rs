//! A Normal-world interrupt to preempt partitions with: this PE's EL2 physical timer.

use core::arch::asm;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicU64, Ordering};

use arm_gic::gicv3::registers::{Gicd, GicrSgi};
use arm_gic::gicv3::{GicCpuInterface, GicV3};
use arm_gic::{IntId, InterruptGroup, UniqueMmioPointer};
use spin::mutex::SpinMutex;

use crate::pe;

/// QEMU virt's GICv3.
const DISTRIBUTOR: usize = 0x800_0000;
const REDISTRIBUTORS: usize = 0x80a_0000;
/// The EL2 physical timer's interrupt: INTID 26 (Arm BSA).
const INTERRUPT: IntId = IntId::ppi(10);

static GIC: SpinMutex<Option<GicV3<'static>>> = SpinMutex::new(None);
/// How many timer interrupts each PE took.
static TAKEN: [AtomicU64; pe::MAX] = [const { AtomicU64::new(0) }; pe::MAX];

/// Sets up the GIC for the Normal world, once.
pub fn start(pes: usize) {
    let distributor = NonNull::new(DISTRIBUTOR as *mut Gicd).expect("not null");
    let redistributors = NonNull::new(REDISTRIBUTORS as *mut GicrSgi).expect("not null");
    // SAFETY: these are the GIC's registers, mapped as device memory, and no other driver of them exists here.
    let gic = unsafe { GicV3::new(UniqueMmioPointer::new(distributor), redistributors, pes) };
    let mut gic = gic.expect("a GICv3");
    gic.distributor().enable_group1_non_secure(true);
    *GIC.lock() = Some(gic);
}

/// Lets the timer interrupt this PE.
pub fn start_pe() {
    let pe = pe::index();
    GicCpuInterface::enable_system_register_el2(true);
    let mut gic = GIC.lock();
    let gic = gic.as_mut().expect("started");
    gic.init_cpu(pe);
    gic.set_interrupt_priority(INTERRUPT, Some(pe), 0x80).expect("a private interrupt of this PE");
    gic.enable_interrupt(INTERRUPT, Some(pe), true).expect("a private interrupt of this PE");
    GicCpuInterface::set_priority_mask(0xff);
    GicCpuInterface::enable_group1(true);
}

/// The virtual count, and its frequency in Hz.
pub fn now() -> (u64, u64) {
    let (count, frequency);
    // SAFETY: reads two registers and changes nothing.
    unsafe {
        asm!("isb", "mrs {}, cntpct_el0", "mrs {}, cntfrq_el0", out(reg) count, out(reg) frequency,
            options(nomem, nostack));
    }
    (count, frequency)
}

/// Makes the interrupt pending after `microseconds`.
pub fn arm(microseconds: u64) {
    let ticks = now().1 / 1_000_000 * microseconds;
    // SAFETY: the EL2 timer is this image's; its interrupt is handled.
    unsafe {
        asm!("msr cnthp_tval_el2, {}", "msr cnthp_ctl_el2, {}", "isb", in(reg) ticks, in(reg) 1_u64,
            options(nomem, nostack));
    }
}

/// Turns the timer off.
pub fn disarm() {
    // SAFETY: the EL2 timer is this image's.
    unsafe { asm!("msr cnthp_ctl_el2, xzr", "isb", options(nomem, nostack)) };
}

/// Takes a pending interrupt, if there is one: whether there was.
pub fn take() -> bool {
    let before = TAKEN[pe::index()].load(Ordering::Relaxed);
    // SAFETY: the vectors handle what comes; the memory that the handler changes is atomic.
    unsafe { asm!("msr daifclr, #2", "isb", "msr daifset, #2", options(nostack)) };
    TAKEN[pe::index()].load(Ordering::Relaxed) != before
}

/// The vectors' way to handle an IRQ.
pub fn interrupted() {
    // Before the timer is off: its interrupt is a level, and goes away with it.
    let acknowledged = GicCpuInterface::get_and_acknowledge_interrupt(InterruptGroup::Group1);
    disarm();
    if let Some(id) = acknowledged {
        assert!(id == INTERRUPT, "only the timer's interrupt is enabled");
        GicCpuInterface::end_interrupt(id, InterruptGroup::Group1);
        TAKEN[pe::index()].fetch_add(1, Ordering::Relaxed);
    }
}

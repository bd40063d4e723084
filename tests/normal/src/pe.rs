//! The PEs: counting them, turning them on and off, and having all of them do one thing at once.

use core::arch::asm;
use core::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use fdt::Fdt;
use smccc::Smc;
use smccc::psci::{self, AffinityState, LowestAffinityLevel};
use spin::mutex::SpinMutex;
use spin::once::Once;

use crate::level::own;
use crate::outcome::Outcome;
use crate::{gic, image, machine, timer};

/// The most PEs that the image has stacks for.
pub const MAX: usize = 8;

/// MPIDR affinity values of the PEs that are there, in the order of their numbers.
static AFFINITIES: Once<([u64; MAX], usize)> = Once::new();
/// What each PE is to do, and whether it still is to.
static WORK: [SpinMutex<Work>; MAX] = [const { SpinMutex::new(Work::Nothing) }; MAX];
/// PEs that have met at the gate.
static GATE: AtomicUsize = AtomicUsize::new(0);
/// Times that a PE has come up.
static STARTS: [AtomicU64; MAX] = [const { AtomicU64::new(0) }; MAX];

#[derive(Clone, Copy)]
enum Work {
    Nothing,
    Do(fn() -> Outcome, usize),
    Leave,
    Done(Outcome),
}

/// This PE's number.
pub fn index() -> usize {
    let index: usize;
    // SAFETY: the entry put the number there; reading it changes nothing.
    unsafe { asm!(concat!("mrs {}, ", own!("tpidr")), out(reg) index, options(nomem, nostack)) };
    index
}

/// How many PEs there are.
pub fn count() -> usize {
    affinities().len()
}

/// Reads the PEs from the device tree.
fn affinities() -> &'static [u64] {
    let (affinities, count) = AFFINITIES.call_once(|| {
        // SAFETY: a device tree was put there before this image began, and nothing writes it.
        let tree = unsafe { Fdt::from_ptr(machine::here().device_tree as *const u8) }.expect("a device tree");
        let mut affinities = [0; MAX];
        let mut count = 0;
        for (place, cpu) in affinities.iter_mut().zip(tree.cpus()) {
            *place = cpu.ids().first() as u64;
            count += 1;
        }
        (affinities, count)
    });
    &affinities[..*count]
}

/// Turns PE `pe` on and waits until it is up.
pub fn turn_on(pe: usize) {
    let starts = STARTS[pe].load(Ordering::Acquire);
    psci::cpu_on::<Smc>(affinities()[pe], image::secondary_address(), pe as u64).expect("PSCI CPU_ON");
    while STARTS[pe].load(Ordering::Acquire) == starts {
        core::hint::spin_loop();
    }
}

/// Turns PE `pe` off and waits until PSCI says it is.
pub fn turn_off(pe: usize) {
    *WORK[pe].lock() = Work::Leave;
    while psci::affinity_info::<Smc>(affinities()[pe], LowestAffinityLevel::All) != Ok(AffinityState::Off) {
        core::hint::spin_loop();
    }
}

/// Has all PEs do `work`, beginning together; the first failure by number is what comes back.
pub fn on_all(work: fn() -> Outcome) -> Outcome {
    let count = count();
    GATE.store(0, Ordering::Release);
    for other in &WORK[1..count] {
        *other.lock() = Work::Do(work, count);
    }
    let mut end = run(work, count);
    for other in 1..count {
        end = end.and(self::end(other));
    }
    end
}

/// Has each PE but the first do `work`, one after the other; the first failure is what comes back.
pub fn on_each_other(work: fn() -> Outcome) -> Outcome {
    (1..count()).try_for_each(|pe| {
        start(pe, work);
        end(pe)
    })
}

/// Has another PE begin with `work`; [`end`] must follow.
pub fn start(pe: usize, work: fn() -> Outcome) {
    GATE.store(0, Ordering::Release);
    *WORK[pe].lock() = Work::Do(work, 1);
}

/// Waits until another PE has done its work.
pub fn end(pe: usize) -> Outcome {
    loop {
        let mut work = WORK[pe].lock();
        if let Work::Done(outcome) = *work {
            *work = Work::Nothing;
            return outcome;
        }
        drop(work);
        timer::doze();
    }
}

/// Waits for the others at the gate, and works. What has come to this PE before is not for this work.
fn run(work: fn() -> Outcome, count: usize) -> Outcome {
    gic::take();
    GATE.fetch_add(1, Ordering::AcqRel);
    while GATE.load(Ordering::Acquire) < count {
        core::hint::spin_loop();
    }
    work()
}

/// Where every PE but the first starts.
pub extern "C" fn secondary(pe: usize) -> ! {
    gic::start_pe();
    STARTS[pe].fetch_add(1, Ordering::AcqRel);
    loop {
        let work = *WORK[pe].lock();
        match work {
            Work::Do(work, count) => {
                let outcome = run(work, count);
                *WORK[pe].lock() = Work::Done(outcome);
            }
            Work::Leave => {
                *WORK[pe].lock() = Work::Nothing;
                let refused = psci::cpu_off::<Smc>();
                panic!("PSCI CPU_OFF of PE {pe} came back: {refused:?}");
            }
            Work::Nothing | Work::Done(_) => timer::doze(),
        }
    }
}

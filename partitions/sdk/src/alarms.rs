//! Commands about virtual interrupts and the timer, for partitions that have either: their [`Service::interrupt`] is
//! [`interrupt`]. Words are as in [`crate::demo`].
//!
//! [`Service::interrupt`]: crate::service::Service::interrupt

use core::sync::atomic::{AtomicU64, Ordering};

use arm_ffa::FfaError;

use crate::demo::results;
use crate::image::MAX_VCPUS;
use crate::interrupts::{self, Line};
use crate::service::{Vcpu, Words};
use crate::timer;

/// "ENAB": lets the interrupt of word 1 come, at once, on the line of word 3 (0 IRQ, 1 FIQ), or not, where word 2 is 0.
pub const ENABLE: u64 = 0x454e_4142;
/// "CAME": how many interrupts of the id in word 1 have come, and the count when the last one did; then the deadline
/// of the timer, and the count now.
pub const CAME: u64 = 0x4341_4d45;
/// "ARM!": the timer is to come in word 1 nanoseconds, and so often as word 2 says, always after the same time; 0
/// turns it off. Gives the deadline.
pub const ARM: u64 = 0x4152_4d21;
/// "REST": arms the timer once for word 1 nanoseconds, if that is not 0, and waits for an interrupt by WFI; gives how
/// many of the timer have come before and after.
pub const REST: u64 = 0x5245_5354;

/// "HEED": works until an interrupt of the id in word 1 comes, for word 2 nanoseconds at most; gives how many have come
/// before and after.
pub const HEED: u64 = 0x4845_4544;

/// Ids that are counted.
const IDS: usize = 8;

/// What has come.
struct Counter {
    count: AtomicU64,
    last: AtomicU64,
}

/// What the timer of a vCPU is still to do.
struct Plan {
    left: AtomicU64,
    period: AtomicU64,
}

static COUNTERS: [[Counter; IDS]; MAX_VCPUS] =
    [const { [const { Counter { count: AtomicU64::new(0), last: AtomicU64::new(0) } }; IDS] }; MAX_VCPUS];
static PLANS: [Plan; MAX_VCPUS] =
    [const { Plan { left: AtomicU64::new(0), period: AtomicU64::new(0) } }; MAX_VCPUS];

/// Counts an interrupt, and has the timer's come again where it is to.
pub fn interrupt(vcpu: &Vcpu, id: u32) {
    let vcpu = usize::from(vcpu.index);
    if let Some(counter) = COUNTERS[vcpu].get(id as usize) {
        counter.last.store(timer::now(), Ordering::Relaxed);
        counter.count.fetch_add(1, Ordering::Release);
    }
    if id == interrupts::TIMER {
        let Plan { left, period } = &PLANS[vcpu];
        let again = left.load(Ordering::Relaxed).saturating_sub(1);
        left.store(again, Ordering::Relaxed);
        if again == 0 {
            timer::disarm();
        } else {
            timer::arm(timer::deadline().wrapping_add(period.load(Ordering::Relaxed)));
        }
    }
}

/// The results of one of these commands; nothing if it is none.
pub fn answer(vcpu: &Vcpu, words: &Words) -> Option<Result<Words, FfaError>> {
    let [command, first, second, third, ..] = *words;
    Some(match command {
        ENABLE => {
            let line = if third == 0 { Line::Irq } else { Line::Fiq };
            enable(first as u32, second != 0, line).map(|()| results([]))
        }
        CAME => came(vcpu, first),
        ARM => arm(vcpu, first, second).map(|deadline| results([deadline])),
        REST => rest(vcpu, first),
        HEED => heed(vcpu, first, second),
        _ => return None,
    })
}

/// Lets an interrupt come, or not.
///
/// # Errors
/// [`FfaError::Denied`] if it is not this partition's.
pub fn enable(id: u32, enable: bool, line: Line) -> Result<(), FfaError> {
    if !interrupts::enable(id, enable, line) {
        return Err(FfaError::Denied);
    }
    interrupts::unmask();
    Ok(())
}

fn count(vcpu: &Vcpu, id: u32) -> u64 {
    COUNTERS[usize::from(vcpu.index)][id as usize].count.load(Ordering::Acquire)
}

fn came(vcpu: &Vcpu, id: u64) -> Result<Words, FfaError> {
    let counters = &COUNTERS[usize::from(vcpu.index)];
    let counter = counters.get(id as usize).ok_or(FfaError::InvalidParameters)?;
    let [count, last] = [&counter.count, &counter.last].map(|word| word.load(Ordering::Acquire));
    Ok(results([count, last, timer::deadline(), timer::now()]))
}

/// The timer comes in so many nanoseconds, and so often as `times` says; 0 turns it off. Gives the deadline.
///
/// # Errors
/// [`FfaError::Denied`] if the partition has no timer.
pub fn arm(vcpu: &Vcpu, nanoseconds: u64, times: u64) -> Result<u64, FfaError> {
    enable(interrupts::TIMER, true, Line::Irq)?;
    let Plan { left, period } = &PLANS[usize::from(vcpu.index)];
    timer::disarm();
    let ticks = timer::ticks(nanoseconds);
    period.store(ticks, Ordering::Relaxed);
    left.store(times, Ordering::Relaxed);
    if times != 0 {
        timer::arm(timer::now().wrapping_add(ticks));
    }
    Ok(timer::deadline())
}

fn heed(vcpu: &Vcpu, id: u64, nanoseconds: u64) -> Result<Words, FfaError> {
    if id >= IDS as u64 {
        return Err(FfaError::InvalidParameters);
    }
    let (before, begin, ticks) = (count(vcpu, id as u32), timer::now(), timer::ticks(nanoseconds));
    while count(vcpu, id as u32) == before && timer::now().wrapping_sub(begin) < ticks {
        core::hint::spin_loop();
    }
    Ok(results([before, count(vcpu, id as u32)]))
}

fn rest(vcpu: &Vcpu, nanoseconds: u64) -> Result<Words, FfaError> {
    let before = count(vcpu, interrupts::TIMER);
    if nanoseconds != 0 {
        // Armed and enabled first: the interrupt may come from here on, and then there is nothing to wait for.
        arm(vcpu, nanoseconds, 1)?;
    }
    // An interrupt that comes now ends the wait, but is taken only behind it.
    interrupts::mask();
    if nanoseconds == 0 || count(vcpu, interrupts::TIMER) == before {
        interrupts::wait();
    }
    interrupts::unmask();
    Ok(results([before, count(vcpu, interrupts::TIMER)]))
}

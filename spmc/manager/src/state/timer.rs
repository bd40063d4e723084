//! The EL1 physical timer as an execution context sees it (Arm DDI 0487, D12.2).

use crate::exit::TimerRegister;
use crate::hardware::NEVER;

/// CNTP_CTL_EL0: the timer runs.
const ENABLE: u64 = 1 << 0;
/// CNTP_CTL_EL0: it does not interrupt.
const MASKED: u64 = 1 << 1;
/// CNTP_CTL_EL0: its condition holds.
const STATUS: u64 = 1 << 2;

/// A timer. Times are counts of the system counter.
#[derive(Debug, Default)]
pub struct Timer {
    control: u64,
    compare: u64,
    /// Its interrupt has become pending since a register was written, or since the last one was handled.
    has_fired: bool,
}

impl Timer {
    /// What a register holds at `now`.
    #[must_use]
    pub const fn read(&self, register: TimerRegister, now: u64) -> u64 {
        match register {
            TimerRegister::Control => {
                let holds = self.control & ENABLE != 0 && self.compare <= now;
                self.control | if holds { STATUS } else { 0 }
            }
            TimerRegister::CompareValue => self.compare,
            // 32 bits, sign and all; the upper half reads as zero.
            TimerRegister::TimerValue => self.compare.wrapping_sub(now) & 0xFFFF_FFFF,
        }
    }

    /// The context writes a register at `now`.
    pub const fn write(&mut self, register: TimerRegister, value: u64, now: u64) {
        self.has_fired = false;
        match register {
            TimerRegister::Control => self.control = value & (ENABLE | MASKED),
            TimerRegister::CompareValue => self.compare = value,
            TimerRegister::TimerValue => self.compare = now.wrapping_add_signed(value as i32 as i64),
        }
    }

    /// When its interrupt becomes pending next.
    #[inline]
    #[must_use]
    pub const fn deadline(&self) -> u64 {
        if self.control & (ENABLE | MASKED) == ENABLE && !self.has_fired { self.compare } else { NEVER }
    }

    /// Whether its interrupt becomes pending by `now`; it has fired by that.
    pub const fn fires(&mut self, now: u64) -> bool {
        let is_due = self.deadline() <= now;
        self.has_fired |= is_due;
        is_due
    }

    /// The last interrupt has been handled: another one comes if the condition still holds.
    pub const fn handled(&mut self) {
        self.has_fired = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timer_fires_when_it_is_enabled_and_not_masked() {
        let mut timer = Timer::default();
        timer.write(TimerRegister::CompareValue, 100, 0);
        assert_eq!(timer.deadline(), NEVER);
        timer.write(TimerRegister::Control, ENABLE, 0);
        assert_eq!(timer.deadline(), 100);
        assert_eq!(timer.read(TimerRegister::Control, 99), ENABLE);
        assert_eq!(timer.read(TimerRegister::Control, 100), ENABLE | STATUS);
        timer.write(TimerRegister::Control, u64::MAX, 0);
        assert_eq!(timer.deadline(), NEVER);
        assert_eq!(timer.read(TimerRegister::Control, 100), ENABLE | MASKED | STATUS, "its status shows");
        timer.write(TimerRegister::Control, 0, 0);
        assert_eq!(timer.read(TimerRegister::Control, 100), 0);
    }

    #[test]
    fn a_timer_fires_once_until_it_is_written_or_handled() {
        let mut timer = Timer::default();
        timer.write(TimerRegister::Control, ENABLE, 0);
        timer.write(TimerRegister::CompareValue, 100, 0);
        assert_eq!((timer.fires(99), timer.fires(100), timer.fires(101)), (false, true, false));
        assert_eq!(timer.deadline(), NEVER);
        timer.handled();
        assert!(timer.fires(101), "its condition still holds");
        timer.write(TimerRegister::CompareValue, 200, 101);
        assert_eq!((timer.deadline(), timer.fires(199), timer.fires(200)), (200, false, true));
    }

    #[test]
    fn a_timer_value_counts_down_and_has_a_sign() {
        let mut timer = Timer::default();
        timer.write(TimerRegister::TimerValue, 50, 1000);
        assert_eq!(timer.read(TimerRegister::CompareValue, 0), 1050);
        assert_eq!(timer.read(TimerRegister::TimerValue, 1020), 30);
        assert_eq!(timer.read(TimerRegister::TimerValue, 1051), 0xFFFF_FFFF);
        timer.write(TimerRegister::TimerValue, 0xFFFF_FFFF, 1000);
        assert_eq!(timer.read(TimerRegister::CompareValue, 0), 999);
    }
}

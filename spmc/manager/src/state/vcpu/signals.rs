//! The interrupts and the timer of one execution context, and whether there is anything about them.

use crate::hardware::NEVER;
use crate::state::interrupts::Interrupts;
use crate::state::timer::Timer;

/// Interrupts and timer. Messages pass contexts that have nothing of either, and look at one word only.
#[derive(Debug)]
pub struct Signals {
    interrupts: Interrupts,
    timer: Timer,
    is_quiet: bool,
}

impl Signals {
    /// From reset: nothing is pending, nothing is enabled, the timer is off.
    #[must_use]
    pub fn new() -> Self {
        Self { interrupts: Interrupts::default(), timer: Timer::default(), is_quiet: true }
    }

    /// Whether nothing is pending that the context lets through, no physical interrupt of its own is active, and its
    /// timer does not run.
    #[inline]
    #[must_use]
    pub const fn is_quiet(&self) -> bool {
        self.is_quiet
    }

    /// Its interrupts.
    #[inline]
    #[must_use]
    pub const fn interrupts(&self) -> &Interrupts {
        &self.interrupts
    }

    /// Its timer.
    #[must_use]
    pub const fn timer(&self) -> &Timer {
        &self.timer
    }

    /// Has `change` change them.
    pub fn change<R>(&mut self, change: impl FnOnce(&mut Interrupts, &mut Timer) -> R) -> R {
        let result = change(&mut self.interrupts, &mut self.timer);
        self.is_quiet = self.interrupts.is_quiet() && self.timer.deadline() == NEVER;
        result
    }
}

//! The virtual interrupts and the timer of an execution context: who has to do what when one becomes pending.

use super::{Scheduler, State, Vcpu};
use crate::config::SriPolicy;
use crate::endpoint::CpuId;
use crate::exit::{Lines, TimerRegister};
use crate::state::interrupts::{KindIsFixed, Slot};
use crate::state::{Model, Requester};

/// What is to be done now that an interrupt is pending for a context.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pended {
    /// Nothing: it does not let the interrupt through, or finds it when it goes on.
    Nothing,
    /// It has not started, and would start from reset, or never runs again: nothing is pending.
    Refused,
    /// It runs on this PE, and these are its lines now.
    Here(Lines),
    /// It runs on this other PE, and has to come back to see it.
    On(CpuId),
    /// It waits, and the SPMC gives it a PE.
    Waits,
    /// It is blocked in the call chain of this PE, and goes on.
    Blocked,
    /// The Normal world's scheduler gives it a PE when it has been told.
    Tell,
}

/// What is to be done for a context whose registers have been saved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settlement {
    /// Nothing.
    Nothing,
    /// It has an interrupt, and the SPMC gives it a PE.
    Run,
    /// It has an interrupt, and the scheduler is to be told.
    Tell,
}

impl Vcpu {
    /// An interrupt becomes pending for it, as PE `here` says; `physical` as in
    /// [`Interrupts::pend`](crate::state::interrupts::Interrupts::pend).
    pub fn pend(&mut self, slot: Slot, physical: bool, here: CpuId, policy: SriPolicy) -> Pended {
        if matches!(self.state, State::Created | State::Off | State::Aborted) {
            return Pended::Refused;
        }
        let is_deliverable = self.signals.change(|interrupts, _| {
            interrupts.pend(slot, physical);
            interrupts.is_deliverable(slot)
        });
        if !is_deliverable {
            return Pended::Nothing;
        }
        match self.state {
            State::Running { on, .. } if on == here => Pended::Here(self.lines()),
            State::Running { on, .. } => Pended::On(on),
            State::Waiting if policy.contains(SriPolicy::WHILE_WAITING) => self.leave_to_scheduler(Pended::Tell),
            State::Waiting => {
                self.scheduler = Scheduler::Uninvolved;
                Pended::Waits
            }
            State::Calling { on, .. } if on == here => Pended::Blocked,
            State::Yielded { model, .. } | State::Idle { model, .. } if works_for_normal(model) => {
                self.leave_to_scheduler(Pended::Tell)
            }
            State::Created
            | State::Off
            | State::Yielded { .. }
            | State::Idle { .. }
            | State::Calling { .. }
            | State::Preempted { .. }
            | State::Displaced { .. }
            // `settle` looks again.
            | State::Leaving { .. }
            | State::Aborted => Pended::Nothing,
        }
    }

    const fn leave_to_scheduler<T>(&mut self, told: T) -> T
    where
        T: Copy,
    {
        self.scheduler = Scheduler::ToBeTold;
        told
    }

    /// It has just left its PE, with an interrupt.
    #[cold]
    pub(super) fn look_again(&mut self, policy: SriPolicy) -> Settlement {
        match self.state {
            _ if !self.has_interrupt() => Settlement::Nothing,
            State::Waiting if policy.is_empty() => Settlement::Run,
            State::Waiting => self.leave_to_scheduler(Settlement::Tell),
            State::Yielded { model, .. } | State::Idle { model, .. } if works_for_normal(model) => {
                self.leave_to_scheduler(Settlement::Tell)
            }
            _ => Settlement::Nothing,
        }
    }

    /// A notification is pending for it, as PE `here` says. One that is at work gets the interrupt; others find it when
    /// they are entered.
    pub fn notify(&mut self, here: CpuId) -> Pended {
        let is_at_work =
            matches!(self.state, State::Running { .. } | State::Calling { .. } | State::Displaced { .. });
        if !is_at_work {
            return Pended::Nothing;
        }
        self.signals.change(|interrupts, _| interrupts.pend(Slot::NOTIFICATION, false));
        match self.state {
            State::Running { on, .. } if on == here => Pended::Here(self.lines()),
            State::Running { on, .. } if self.has_interrupt() => Pended::On(on),
            _ => Pended::Nothing,
        }
    }

    /// It is entered at `now`, and finds what is pending for it: a notification, or that its timer is due, whether the
    /// PE that keeps its deadline has seen that or not. Its lines.
    pub fn found(&mut self, is_notified: bool, now: u64) -> Lines {
        self.signals.change(|interrupts, timer| {
            if is_notified {
                interrupts.pend(Slot::NOTIFICATION, false);
            }
            if timer.fires(now) {
                interrupts.pend(Slot::TIMER, false);
            }
        });
        self.lines()
    }

    /// Its virtual interrupt lines.
    #[inline]
    #[must_use]
    pub const fn lines(&self) -> Lines {
        if self.signals.is_quiet() { Lines::empty() } else { self.signals.interrupts().lines() }
    }

    /// Whether it can go to wait: with an interrupt pending only where its manifest says so.
    ///
    /// # Errors
    /// The interrupt that it has to handle first.
    pub fn may_wait(&self, policy: SriPolicy) -> Result<(), Slot> {
        match self.signals.interrupts().deliverable() {
            Some(slot) if !policy.contains(SriPolicy::WHEN_GOING_TO_WAIT) => Err(slot),
            _ => Ok(()),
        }
    }

    /// Whether an interrupt is pending that it lets through.
    #[must_use]
    pub fn has_interrupt(&self) -> bool {
        self.signals.interrupts().deliverable().is_some()
    }

    /// Whether the scheduler is to be told of an interrupt that it still needs a PE for.
    #[must_use]
    pub fn is_untold(&self) -> bool {
        let needs_pe = matches!(self.state, State::Waiting | State::Yielded { .. } | State::Idle { .. });
        self.scheduler == Scheduler::ToBeTold && needs_pe && self.has_interrupt()
    }

    /// The scheduler is told of it.
    pub const fn tell(&mut self) {
        self.scheduler = Scheduler::Told;
    }

    /// HF_INTERRUPT_ENABLE of the context itself. Its lines.
    ///
    /// # Errors
    /// If the interrupt is pending as the other kind.
    pub fn enable(&mut self, slot: Slot, enable: bool, fiq: bool) -> Result<Lines, KindIsFixed> {
        self.signals.change(|interrupts, _| interrupts.enable(slot, enable, fiq)).map(|()| self.lines())
    }

    /// HF_INTERRUPT_GET of the context itself: the interrupt that it takes, and its lines.
    pub fn take_interrupt(&mut self) -> (Option<Slot>, Lines) {
        let taken = self.signals.change(|interrupts, _| interrupts.take());
        (taken, self.lines())
    }

    /// HF_INTERRUPT_DEACTIVATE of the context itself at `now`: whether the physical interrupt behind it is active.
    /// Nothing where it has not taken that interrupt.
    pub fn deactivate(&mut self, slot: Slot, now: u64) -> Option<(bool, Lines)> {
        let physical = self.signals.change(|interrupts, timer| {
            let physical = interrupts.deactivate(slot)?;
            if slot == Slot::TIMER {
                timer.handled();
                if timer.fires(now) {
                    interrupts.pend(Slot::TIMER, false);
                }
            }
            Some(physical)
        })?;
        Some((physical, self.lines()))
    }

    /// It has completed what it was doing: interrupts that it took and did not deactivate, and whose physical
    /// interrupts are active, one at a time.
    pub fn completed(&mut self) -> Option<Slot> {
        self.signals.change(|interrupts, _| interrupts.completed())
    }

    /// It has ended: interrupts whose physical interrupts are active, one at a time.
    pub fn ended(&mut self) -> Option<Slot> {
        self.signals.change(|interrupts, _| interrupts.ended())
    }

    /// What a register of its timer holds at `now`.
    #[must_use]
    pub const fn read_timer(&self, register: TimerRegister, now: u64) -> u64 {
        self.signals.timer().read(register, now)
    }

    /// It writes a register of its timer at `now`: the interrupt follows the timer's condition. Its lines.
    pub fn write_timer(&mut self, register: TimerRegister, value: u64, now: u64) -> Lines {
        self.signals.change(|interrupts, timer| {
            timer.write(register, value, now);
            interrupts.withdraw(Slot::TIMER);
            if timer.fires(now) {
                interrupts.pend(Slot::TIMER, false);
            }
        });
        self.lines()
    }

    /// When its timer's interrupt becomes pending next.
    #[must_use]
    pub const fn deadline(&self) -> u64 {
        self.signals.timer().deadline()
    }

    /// Its timer's interrupt becomes pending if it is due at `now`; as [`Vcpu::pend`].
    pub fn expire(&mut self, now: u64, here: CpuId, policy: SriPolicy) -> Pended {
        if self.signals.change(|_, timer| timer.fires(now)) {
            self.pend(Slot::TIMER, false, here, policy)
        } else {
            Pended::Nothing
        }
    }
}

/// Whether the Normal world's scheduler is who runs a context that works by this model.
const fn works_for_normal(model: Model) -> bool {
    matches!(model.requester(), Requester::Normal(_) | Requester::Gone(_))
}

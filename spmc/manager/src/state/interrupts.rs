//! The virtual interrupts of an execution context: none is ever lost, and none changes its kind while it is pending.

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::Intid;
use crate::exit::Lines;

/// The timer of a context.
pub const TIMER: Intid = 3;
/// Managed exit: the context is to leave the PE. It is never raised yet.
pub const MANAGED_EXIT: Intid = 4;
/// Notification pending.
pub const NOTIFICATION: Intid = 5;

/// The interrupts that the contexts of one partition can get, by their places in the sets of [`Interrupts`].
#[derive(Debug)]
pub struct Owned(Box<[Intid]>);

/// An interrupt's place in the sets of [`Interrupts`]: lower ones come first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot(u8);

impl Slot {
    /// That of [`TIMER`].
    pub const TIMER: Self = Self(0);
    /// That of [`NOTIFICATION`].
    pub const NOTIFICATION: Self = Self(2);

    const fn bit(self) -> u64 {
        1 << (self.0 & 63)
    }

    /// The first of a set.
    const fn first(set: u64) -> Option<Self> {
        if set == 0 { None } else { Some(Self(set.trailing_zeros() as u8)) }
    }
}

impl Owned {
    /// Those that every context has, and those of the partition's `devices`: at most 61.
    #[must_use]
    pub fn new(devices: impl Iterator<Item = Intid>) -> Self {
        let mut ids: Vec<Intid> = [TIMER, MANAGED_EXIT, NOTIFICATION].into_iter().chain(devices).collect();
        ids.sort_unstable();
        ids.truncate(64);
        Self(ids.into())
    }

    /// The place of an interrupt, if the partition has it.
    #[must_use]
    pub fn slot(&self, id: u64) -> Option<Slot> {
        let id = Intid::try_from(id).ok()?;
        self.0.binary_search(&id).ok().map(|place| Slot(place as u8))
    }

    /// The places of its devices' interrupts.
    pub fn devices(&self) -> impl Iterator<Item = Slot> + '_ {
        let all = (0..).map(Slot).zip(&self.0);
        all.filter(|(_, id)| ![TIMER, MANAGED_EXIT, NOTIFICATION].contains(id)).map(|(slot, _)| slot)
    }

    /// The interrupt at this place.
    #[must_use]
    pub fn id(&self, slot: Slot) -> Intid {
        self.0.get(usize::from(slot.0)).copied().unwrap_or(Intid::MAX)
    }
}

/// Sets of interrupts, by [`Slot`].
#[derive(Debug, Default)]
pub struct Interrupts {
    pending: u64,
    enabled: u64,
    /// Those that are signalled by virtual FIQ; the others are by virtual IRQ.
    fiq: u64,
    /// Taken by [`Interrupts::take`], and not deactivated.
    active: u64,
    /// Those whose physical interrupt is active since it was acknowledged.
    physical: u64,
}

/// Why an interrupt cannot be enabled as the context wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KindIsFixed;

impl Interrupts {
    /// It becomes pending; `physical` says that a physical interrupt stands behind it, which is active.
    pub const fn pend(&mut self, slot: Slot, physical: bool) {
        self.pending |= slot.bit();
        if physical {
            self.physical |= slot.bit();
        }
    }

    /// Whether nothing is pending that the context lets through, and no physical interrupt of its own is active.
    #[inline]
    #[must_use]
    pub const fn is_quiet(&self) -> bool {
        self.pending & self.enabled | self.physical == 0
    }

    /// The reason for it has gone away: it is not pending any more.
    pub const fn withdraw(&mut self, slot: Slot) {
        self.pending &= !slot.bit();
    }

    /// The context lets it through or not, by this kind of line.
    ///
    /// # Errors
    /// If it is pending as the other kind.
    pub const fn enable(&mut self, slot: Slot, enable: bool, fiq: bool) -> Result<(), KindIsFixed> {
        let bit = slot.bit();
        if self.pending & bit != 0 && (self.fiq & bit != 0) != fiq {
            return Err(KindIsFixed);
        }
        self.enabled = if enable { self.enabled | bit } else { self.enabled & !bit };
        self.fiq = if fiq { self.fiq | bit } else { self.fiq & !bit };
        Ok(())
    }

    /// The first that is pending and let through.
    #[inline]
    #[must_use]
    pub const fn deliverable(&self) -> Option<Slot> {
        Slot::first(self.pending & self.enabled)
    }

    /// Whether this one is pending and let through.
    #[must_use]
    pub const fn is_deliverable(&self, slot: Slot) -> bool {
        self.pending & self.enabled & slot.bit() != 0
    }

    /// Whether one is pending and let through for which the SPMC takes the PE from somebody: that is any but a
    /// notification's, whose receiver gets a PE from the scheduler (FF-A 1.2, 10.5).
    #[must_use]
    pub const fn takes_the_pe(&self) -> bool {
        self.pending & self.enabled & !Slot::NOTIFICATION.bit() != 0
    }

    /// The context takes the first one: it is active, and pending no more.
    pub const fn take(&mut self) -> Option<Slot> {
        let first = self.deliverable();
        if let Some(slot) = first {
            self.pending &= !slot.bit();
            self.active |= slot.bit();
        }
        first
    }

    /// The context has handled it. Whether its physical interrupt is active; nothing where it was not taken.
    #[must_use]
    pub const fn deactivate(&mut self, slot: Slot) -> Option<bool> {
        let bit = slot.bit();
        if self.active & bit == 0 {
            return None;
        }
        self.active &= !bit;
        // It can be pending again only because the physical one came again.
        Some(self.release(bit & !self.pending) != 0)
    }

    /// The context has completed what it was doing: those that it took and did not deactivate, if their physical
    /// interrupts are active, one at a time.
    pub const fn completed(&mut self) -> Option<Slot> {
        let left = Slot::first(self.physical & !self.pending);
        if let Some(slot) = left {
            self.active &= !slot.bit();
            self.release(slot.bit());
        }
        left
    }

    /// The context ends: as [`Interrupts::completed`], and what is pending is so no more.
    pub const fn ended(&mut self) -> Option<Slot> {
        self.pending = 0;
        self.completed()
    }

    const fn release(&mut self, set: u64) -> u64 {
        let released = self.physical & set;
        self.physical &= !released;
        released
    }

    /// The lines that are up.
    #[inline]
    #[must_use]
    pub const fn lines(&self) -> Lines {
        let through = self.pending & self.enabled;
        let irq = if through & !self.fiq != 0 { Lines::IRQ } else { Lines::empty() };
        if through & self.fiq != 0 { irq.union(Lines::FIQ) } else { irq }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owned() -> Owned {
        Owned::new([4100, 40, 41].into_iter())
    }

    #[test]
    fn ids_have_places_in_their_order() {
        let owned = owned();
        assert_eq!(owned.slot(3), Some(Slot::TIMER));
        assert_eq!(owned.slot(5), Some(Slot::NOTIFICATION));
        for id in [3, 4, 5, 40, 41, 4100] {
            assert_eq!(u64::from(owned.id(owned.slot(id).unwrap())), id);
        }
        assert_eq!([0, 6, 39, 42, 4101, 1 << 16 | 40].map(|id| owned.slot(id)), [None; 6]);
    }

    #[test]
    fn none_is_lost_whatever_the_order() {
        let owned = owned();
        let slots = [3, 4, 5, 40, 41, 4100].map(|id| owned.slot(id).unwrap());
        let mut interrupts = Interrupts::default();
        for slot in slots {
            interrupts.pend(slot, false);
            interrupts.pend(slot, false);
        }
        assert_eq!((interrupts.lines(), interrupts.take()), (Lines::empty(), None), "none is enabled");
        for slot in slots.into_iter().rev() {
            interrupts.enable(slot, true, false).unwrap();
        }
        assert_eq!(interrupts.lines(), Lines::IRQ);
        assert_eq!(slots.map(|_| interrupts.take()), slots.map(Some));
        assert_eq!((interrupts.lines(), interrupts.take()), (Lines::empty(), None));
    }

    #[test]
    fn a_kind_does_not_change_while_one_is_pending() {
        let mut interrupts = Interrupts::default();
        interrupts.pend(Slot::TIMER, false);
        assert_eq!(interrupts.enable(Slot::TIMER, true, true), Err(KindIsFixed));
        assert_eq!(interrupts.lines(), Lines::empty());
        interrupts.enable(Slot::TIMER, true, false).unwrap();
        interrupts.take();
        interrupts.enable(Slot::TIMER, true, true).unwrap();
        interrupts.pend(Slot::TIMER, false);
        assert_eq!(interrupts.lines(), Lines::FIQ);
        interrupts.pend(Slot::NOTIFICATION, false);
        interrupts.enable(Slot::NOTIFICATION, true, false).unwrap();
        assert_eq!(interrupts.lines(), Lines::all());
    }

    #[test]
    fn only_what_was_taken_is_deactivated() {
        let slot = owned().slot(40).unwrap();
        let mut interrupts = Interrupts::default();
        interrupts.enable(slot, true, false).unwrap();
        interrupts.pend(slot, true);
        assert_eq!(interrupts.deactivate(slot), None);
        interrupts.take();
        assert_eq!(interrupts.deactivate(slot), Some(true));
        assert_eq!(interrupts.deactivate(slot), None, "once");
        interrupts.pend(slot, false);
        interrupts.take();
        assert_eq!(interrupts.deactivate(slot), Some(false));
    }

    #[test]
    fn what_was_taken_is_released_when_its_handler_completes() {
        let owned = owned();
        let (one, other) = (owned.slot(40).unwrap(), owned.slot(41).unwrap());
        let mut interrupts = Interrupts::default();
        interrupts.enable(one, true, false).unwrap();
        interrupts.pend(one, true);
        interrupts.pend(other, true);
        interrupts.take();
        assert_eq!(
            (interrupts.completed(), interrupts.completed()),
            (Some(one), None),
            "one is still pending"
        );
        assert_eq!((interrupts.ended(), interrupts.ended()), (Some(other), None));
    }
}

//! What belongs to one PE alone: who runs on it, and how far its boot has come.

use bitflags::bitflags;

use super::{ModelKind, Set};
use crate::endpoint::{CpuId, VcpuId};
use crate::exit::Lines;
use crate::hardware::NEVER;

bitflags! {
    /// What a PE has to do when whoever is on it leaves.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Errands: u8 {
        /// Raise the schedule receiver interrupt on the PEs of [`Cpu::take_told`], when the PE goes to the Normal world.
        const TELL = 1 << 0;
        /// Look for contexts that wait and have an interrupt.
        const LOOK = 1 << 1;
    }
}

/// One PE. Only the PE itself has it, so it needs no lock.
#[derive(Debug)]
pub struct Cpu {
    id: CpuId,
    current: Option<VcpuId>,
    /// The model by which `current` runs. It is the context's own, and only this PE changes that while it runs; here
    /// it is at hand for every call without the context's lock.
    model: ModelKind,
    /// Its virtual interrupt lines, at hand for the same reason.
    lines: Lines,
    boot: Option<usize>,
    holder: Option<VcpuId>,
    /// Whether `holder` is one because it owes somebody the PE ([`ModelKind::Owing`]), and for no other reason.
    holds_for_debt: bool,
    /// Whether a context in the PE's chain handles an interrupt.
    handles: bool,
    errands: Errands,
    /// The PEs on which the schedule receiver interrupt is to be raised.
    told: Set,
    /// The deadline that the PE's timer is armed for.
    armed: u64,
}

impl Cpu {
    /// A PE that has just been turned on.
    #[must_use]
    pub const fn new(id: CpuId) -> Self {
        Self {
            id,
            current: None,
            model: ModelKind::Init,
            lines: Lines::empty(),
            boot: None,
            holder: None,
            holds_for_debt: false,
            handles: false,
            errands: Errands::empty(),
            told: Set::EMPTY,
            armed: NEVER,
        }
    }

    /// Its linear index.
    #[must_use]
    pub const fn id(&self) -> CpuId {
        self.id
    }

    /// The vCPU that runs on it; none while the Normal world does.
    #[must_use]
    pub const fn current(&self) -> Option<VcpuId> {
        self.current
    }

    /// The runtime model of the vCPU that runs on it.
    #[must_use]
    pub const fn model(&self) -> ModelKind {
        self.model
    }

    /// The virtual interrupt lines of the vCPU that runs on it.
    #[inline]
    #[must_use]
    pub const fn lines(&self) -> Lines {
        self.lines
    }

    /// The vCPU that runs on it has these lines now.
    pub(crate) const fn set_lines(&mut self, lines: Lines) {
        self.lines = lines;
    }

    /// What it has to do when whoever is on it leaves.
    #[inline]
    pub(crate) const fn errands(&self) -> Errands {
        self.errands
    }

    /// It has that to do.
    pub(crate) fn add_errand(&mut self, errand: Errands) {
        self.errands |= errand;
    }

    /// It has done that.
    pub(crate) fn end_errand(&mut self, errand: Errands) {
        self.errands -= errand;
    }

    /// It has to raise the schedule receiver interrupt on PE `on` when it goes to the Normal world.
    pub(crate) fn tell_later(&mut self, on: CpuId) {
        self.told.insert(on.get() as u8);
        self.add_errand(Errands::TELL);
    }

    /// The PEs of [`Cpu::tell_later`]; it has done that.
    pub(crate) fn take_told(&mut self) -> impl Iterator<Item = CpuId> + use<> {
        self.end_errand(Errands::TELL);
        core::mem::take(&mut self.told).map(|number| CpuId::new(number.into()))
    }

    /// The deadline that its timer is armed for, [`NEVER`] if for none.
    #[inline]
    pub(crate) const fn armed(&self) -> u64 {
        self.armed
    }

    /// Its timer is armed for `deadline`, or has fired.
    pub(crate) const fn set_armed(&mut self, deadline: u64) {
        self.armed = deadline;
    }

    /// The PE is given to this vCPU, which runs by this model and with these virtual interrupt lines.
    pub(crate) const fn give_to(&mut self, vcpu: VcpuId, model: ModelKind, lines: Lines) {
        self.current = Some(vcpu);
        self.model = model;
        self.lines = lines;
    }

    /// The PE is given back to the Normal world. Whether its interrupts were held for somebody.
    pub(crate) const fn give_to_normal(&mut self) -> bool {
        self.current = None;
        self.holder.take().is_some()
    }

    /// The PE begins to start its partitions' contexts, in boot order.
    pub(crate) const fn begin_boot(&mut self) {
        self.boot = Some(0);
    }

    /// The place in the boot order to go on with, if the PE is booting.
    pub(crate) const fn next_in_boot(&mut self) -> Option<usize> {
        let place = self.boot;
        if let Some(place) = place {
            self.boot = Some(place + 1);
        }
        place
    }

    /// Every context of this PE has been started.
    pub(crate) const fn end_boot(&mut self) {
        self.boot = None;
    }

    /// Whether interrupts of the Normal world are held: while the PE boots, and for a holder.
    pub(crate) const fn holds_normal(&self) -> bool {
        self.boot.is_some() || self.holder.is_some()
    }

    /// For whom interrupts of the Normal world are held, if not for the boot.
    pub(crate) const fn holder(&self) -> Option<VcpuId> {
        self.holder
    }

    /// `vcpu` wants interrupts of the Normal world held until it leaves the PE. Whether it is the first: what it calls
    /// leaves before it does.
    pub(crate) const fn hold_for(&mut self, vcpu: VcpuId) -> bool {
        let first = !self.holds_normal();
        if first {
            self.holder = Some(vcpu);
        }
        first
    }

    /// Whether a context in the PE's chain handles an interrupt: they are handled one after the other (FF-A 1.2, 9.3.1).
    pub(crate) const fn handles(&self) -> bool {
        self.handles
    }

    /// A context begins to handle an interrupt.
    pub(crate) const fn begin_handling(&mut self) {
        self.handles = true;
    }

    /// It has handled it, or has ended.
    pub(crate) const fn end_handling(&mut self) {
        self.handles = false;
    }

    /// As [`Cpu::hold_for`], until `vcpu` has run whom it owes the PE.
    pub(crate) const fn hold_for_debt(&mut self, vcpu: VcpuId) -> bool {
        self.holds_for_debt = self.hold_for(vcpu);
        self.holds_for_debt
    }

    /// The vCPU that owed the PE has given it. Whether interrupts of the Normal world were held for that.
    pub(crate) fn end_debt(&mut self) -> bool {
        self.end_handling();
        let held = core::mem::take(&mut self.holds_for_debt);
        if held {
            self.holder = None;
        }
        held
    }

    /// `vcpu` leaves the PE. Whether interrupts of the Normal world were held for it.
    #[inline]
    pub(crate) fn let_go_of(&mut self, vcpu: VcpuId) -> bool {
        let held = self.holder == Some(vcpu);
        if held {
            self.holder = None;
        }
        held
    }
}

//! One PE of a scenario: steps of the manager, and the part that the image plays around them.

use std::sync::Arc;

use manager::endpoint::{CpuId, VcpuId};
use manager::exit::{Conduit, Deliver, Exit, Fault, Frame, Lines, Next, TimerRegister};
use manager::fakes::Machine;
use manager::memory::page::Pa;
use manager::spmc::Cpu;
use manager::state::ModelKind;

use crate::{World, code, hypercall, id};

/// Where a PE is after a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// In the Normal world.
    Normal,
    /// In a partition: its id and the number of the vCPU.
    Partition((u64, u64)),
}

/// One PE.
pub struct Pe {
    /// What all PEs share.
    pub world: Arc<World>,
    /// This PE's view of the machine.
    pub machine: Machine,
    /// x0-x17 of whoever is on the PE.
    pub frame: Frame,
    /// Where the context that was started last on this PE begins.
    pub started_at: Option<u64>,
    /// The instruction by which partitions call on this PE.
    pub conduit: Conduit,
    /// Whether the image saves the registers of a context that left no earlier than it must: before the PE's next step.
    pub saves_late: bool,
    /// How often a partition made a call again because the manager said so.
    pub repeats: u32,
    /// An interrupt takes the PE before this repeat.
    pub interrupt_at_repeat: Option<u32>,
    cpu: Cpu,
    current: Option<VcpuId>,
    /// x8-x17 of the Normal world while a partition is on the PE.
    normal: [u64; 18],
    /// Whose registers the manager has not been told of yet.
    unsettled: Option<VcpuId>,
}

impl Pe {
    pub(crate) fn new(world: Arc<World>, index: CpuId, machine: Machine) -> Self {
        Self {
            world,
            machine,
            frame: Frame::default(),
            started_at: None,
            conduit: Conduit::Hvc,
            saves_late: false,
            repeats: 0,
            interrupt_at_repeat: None,
            cpu: Cpu::new(index),
            current: None,
            normal: [0; 18],
            unsettled: None,
        }
    }

    /// The PE comes on.
    pub fn turn_on(&mut self) -> Place {
        self.go(Exit::Booted)
    }

    /// The Normal world calls with these registers, x0 first; the others that a 32-bit call has are zero.
    pub fn normal(&mut self, registers: &[u64]) -> Place {
        assert_eq!(self.current, None, "the Normal world is not on this PE");
        self.set(registers);
        self.go(Exit::Normal)
    }

    /// The partition on this PE calls.
    pub fn call(&mut self, registers: &[u64]) -> Place {
        assert!(self.current.is_some(), "no partition is on this PE");
        self.set(registers);
        self.go(Exit::Call(self.conduit))
    }

    /// Whoever is on this PE calls.
    pub fn act(&mut self, registers: &[u64]) -> Place {
        if self.current.is_some() { self.call(registers) } else { self.normal(registers) }
    }

    /// As [`Pe::call`], but the image has not saved the registers of the partition yet when it returns.
    pub fn call_unsettled(&mut self, registers: &[u64]) -> Place {
        self.set(registers);
        self.go_unsettled(Exit::Call(self.conduit))
    }

    /// The partition on this PE makes a hypercall: x0.
    pub fn hypercall(&mut self, registers: &[u64]) -> u64 {
        let (here, conduit) = (self.place(), self.conduit);
        self.conduit = Conduit::Hvc;
        assert_eq!(self.call(registers), here);
        self.conduit = conduit;
        self.frame.x[0]
    }

    /// The partition on this PE lets the interrupts of its devices through, by virtual IRQ.
    pub fn enable_devices(&mut self) {
        let Some(vcpu) = self.current else { return };
        let world = self.world.clone();
        let partition = world.spmc.partitions().find(|one| one.config().index == vcpu.partition());
        let devices = partition.into_iter().flat_map(|partition| &partition.config().devices);
        for interrupt in devices.flat_map(|device| &device.interrupts) {
            assert_eq!(self.hypercall(&[hypercall::ENABLE, interrupt.id.into(), 1, 0]), 0);
        }
    }

    /// The partition on this PE takes the first of its interrupts, if it has one.
    pub fn take(&mut self) -> Option<u64> {
        Some(self.hypercall(&[hypercall::GET])).filter(|id| *id != hypercall::NONE)
    }

    /// The partition on this PE takes this interrupt, which is the first of its, and has handled it.
    ///
    /// # Panics
    /// If another one is the first.
    #[track_caller]
    pub fn handle(&mut self, interrupt: u64) {
        assert_eq!(self.take(), Some(interrupt));
        assert_eq!(self.hypercall(&[hypercall::DEACTIVATE, interrupt, interrupt]), 0);
    }

    /// The virtual interrupt lines of the partition on this PE.
    #[must_use]
    pub const fn lines(&self) -> Lines {
        self.cpu.lines()
    }

    /// A physical interrupt takes the PE, wherever it is.
    pub fn come(&mut self) -> Place {
        if self.current.is_some() { self.interrupt() } else { self.normal(&[id::INTERRUPT]) }
    }

    /// The kick that this PE was given comes, if it was. Whether it was.
    pub fn take_kick(&mut self) -> bool {
        let is_kicked = self.machine.take_kick(self.cpu.id());
        if is_kicked {
            self.machine.kicked = true;
            self.come();
        }
        is_kicked
    }

    /// The counter goes on to `count`; if the timer of this PE is due by then, it interrupts.
    pub fn advance(&mut self, count: u64) -> Place {
        self.machine.set_count(count);
        if self.machine.deadline <= count { self.come() } else { self.place() }
    }

    /// Whether the partition on this PE has to run whom its interrupt displaced.
    #[must_use]
    pub fn owes(&self) -> bool {
        self.current.is_some() && self.cpu.model() == ModelKind::Owing
    }

    /// The context that has left this PE and whose registers are not saved yet.
    #[must_use]
    pub fn unsettled(&self) -> Option<(u64, u64)> {
        self.unsettled.map(name)
    }

    /// The image has saved the registers.
    pub fn settle(&mut self) {
        if let Some(left) = self.unsettled.take() {
            self.touch_registers(left);
            self.world.spmc.settled(&mut self.cpu, &mut self.machine, left);
        }
    }

    /// A physical interrupt takes the PE from the partition on it.
    pub fn interrupt(&mut self) -> Place {
        let vcpu = self.current.expect("a partition is on this PE");
        self.keep(vcpu, 0..8);
        self.go(Exit::Interrupt)
    }

    /// The partition on this PE touches memory that it must not touch.
    pub fn fault(&mut self) -> Place {
        self.touch(Pa::secure(0x1234))
    }

    /// The partition on this PE touches memory that is not mapped there, as the MMU finds.
    pub fn touch(&mut self, at: Pa) -> Place {
        let vcpu = self.current.expect("a partition is on this PE");
        self.keep(vcpu, 0..8);
        let fault =
            Fault { syndrome: 0x9200_0007, address: at.address, ipa: Some(at.address), pc: 0xe30_4000 };
        self.go(Exit::Fault(&fault))
    }

    /// The partition on this PE waits for an interrupt by WFI, where that is a reason to come back.
    pub fn idle(&mut self) -> Place {
        let vcpu = self.current.expect("a partition is on this PE");
        self.keep(vcpu, 0..8);
        self.go(Exit::Idle)
    }

    /// The partition on this PE reads a register of its timer.
    #[must_use]
    pub fn read_timer(&mut self, register: TimerRegister) -> u64 {
        self.world.spmc.read_timer(&self.cpu, &mut self.machine, register)
    }

    /// The partition on this PE writes a register of its timer: its virtual interrupt lines.
    pub fn write_timer(&mut self, register: TimerRegister, value: u64) -> Lines {
        self.world.spmc.write_timer(&mut self.cpu, &mut self.machine, register, value)
    }

    /// The partition on this PE has its timer interrupt at this count.
    pub fn set_timer(&mut self, count: u64) {
        self.write_timer(TimerRegister::CompareValue, count);
        self.write_timer(TimerRegister::Control, 1);
    }

    /// Registers x0-x7.
    #[must_use]
    pub fn low(&self) -> [u64; 8] {
        self.frame.x[..8].try_into().expect("8 registers")
    }

    /// Asserts that x0-x7 are FFA_ERROR with this code.
    #[track_caller]
    pub fn expect_error(&self, code: u64) {
        assert_eq!(self.low(), [id::ERROR, 0, code, 0, 0, 0, 0, 0]);
    }

    /// Asserts that a call of whoever is on this PE is refused with this code.
    #[track_caller]
    pub fn refused(&mut self, registers: &[u64], code: u64) {
        let here = self.place();
        assert_eq!(self.act(registers), here, "{registers:x?}");
        let (found, by) = (self.low(), self.conduit);
        assert_eq!(found, [id::ERROR, 0, code, 0, 0, 0, 0, 0], "{registers:x?} of {here:x?} by {by:?}");
    }

    /// Asserts that a call of whoever is on this PE succeeds and comes back, and gives x0-x7.
    #[track_caller]
    pub fn done(&mut self, registers: &[u64]) -> [u64; 8] {
        let here = self.place();
        assert_eq!(self.act(registers), here, "{registers:x?}");
        let found = self.low();
        assert_eq!(found[0], id::SUCCESS, "{registers:x?} of {here:x?}: {found:x?}");
        found
    }

    /// As [`Pe::refused`], for the Normal world.
    #[track_caller]
    pub fn normal_refused(&mut self, registers: &[u64], code: u64) {
        assert_eq!(self.place(), Place::Normal);
        self.refused(registers, code);
    }

    /// As [`Pe::refused`], for a partition.
    #[track_caller]
    pub fn call_refused(&mut self, registers: &[u64], code: u64) {
        assert_ne!(self.place(), Place::Normal);
        self.refused(registers, code);
    }

    /// As [`Pe::done`], for the Normal world.
    #[track_caller]
    pub fn normal_done(&mut self, registers: &[u64]) -> [u64; 8] {
        assert_eq!(self.place(), Place::Normal);
        self.done(registers)
    }

    /// As [`Pe::done`], for a partition.
    #[track_caller]
    pub fn call_done(&mut self, registers: &[u64]) -> [u64; 8] {
        assert_ne!(self.place(), Place::Normal);
        self.done(registers)
    }

    /// The SPMD tells of the Normal world's FFA_VERSION; what it is to answer.
    #[track_caller]
    pub fn normal_version(&mut self, version: u64) -> u64 {
        assert_eq!(self.normal(&[id::REQUEST, 0xFFFF_8000, 0x8000_0008, version]), Place::Normal);
        let [function, parties, kind, answer, rest @ ..] = self.low();
        assert_eq!([function, parties, kind], [id::RESPONSE, 0x8000_FFFF, 0x8000_0009]);
        assert_eq!(rest, [0; 4]);
        answer
    }

    /// Asserts that the partition that was asked has ended and the Normal world knows.
    #[track_caller]
    pub fn expect_aborted(&self) {
        assert_eq!(self.place(), Place::Normal);
        self.expect_error(code::ABORTED);
    }

    pub(crate) const fn cpu(&self) -> CpuId {
        self.cpu.id()
    }

    /// Which PE it is.
    #[must_use]
    pub const fn index(&self) -> u64 {
        self.cpu.id().get() as u64
    }

    /// Where the PE is.
    #[must_use]
    pub fn place(&self) -> Place {
        self.current.map_or(Place::Normal, |vcpu| Place::Partition(name(vcpu)))
    }

    fn set(&mut self, registers: &[u64]) {
        let width = registers.len().max(8);
        self.frame.x[..width].fill(0);
        self.frame.x[..registers.len()].copy_from_slice(registers);
    }

    fn go(&mut self, exit: Exit<'_>) -> Place {
        self.settle();
        let place = self.go_unsettled(exit);
        if !self.saves_late {
            self.settle();
        }
        place
    }

    fn go_unsettled(&mut self, exit: Exit<'_>) -> Place {
        let next = self.world.spmc.step(&mut self.cpu, &mut self.machine, &mut self.frame, exit);
        if let Next::Partition { target, deliver: Deliver::Again, .. } = next {
            assert_eq!(Some(target), self.current, "who called makes the same call again");
            self.repeats += 1;
            if self.interrupt_at_repeat == Some(self.repeats) {
                self.keep(target, 0..8);
                return self.go_unsettled(Exit::Interrupt);
            }
            return self.go_unsettled(Exit::Call(self.conduit));
        }
        let (target, deliver) = match next {
            Next::Normal(deliver) => (None, deliver),
            Next::Off => (None, Deliver::Message),
            Next::Partition { target, deliver, .. } => (Some(target), deliver),
            Next::Start { target, pc } => {
                self.started_at = Some(pc);
                self.reset(target);
                (Some(target), Deliver::Message)
            }
        };
        if target != self.current {
            if let Some(entered) = target {
                self.touch_registers(entered);
            }
            match self.current {
                Some(left) => {
                    self.keep(left, 8..18);
                    self.unsettled = Some(left);
                }
                None => self.normal = self.frame.x,
            }
            if deliver != Deliver::Extended {
                let kept = target.map_or(self.normal, |vcpu| self.kept(vcpu));
                self.frame.x[8..].copy_from_slice(&kept[8..]);
            }
        }
        if let (Some(vcpu), Deliver::Resume) = (target, deliver) {
            let kept = self.kept(vcpu);
            self.frame.x[..8].copy_from_slice(&kept[..8]);
        }
        self.current = target;
        self.place()
    }

    /// The registers of a context go into the PE, or have been saved.
    fn touch_registers(&self, vcpu: VcpuId) {
        let registers = self.world.registers.iter().find(|(id, _)| *id == vcpu);
        registers.expect("every context has registers").1.touch();
    }

    /// A context from reset has nothing.
    fn reset(&self, vcpu: VcpuId) {
        let mut contexts = self.world.contexts.lock().expect("no test panics while it holds this");
        contexts.retain(|(id, _)| *id != vcpu);
    }

    fn kept(&self, vcpu: VcpuId) -> [u64; 18] {
        let contexts = self.world.contexts.lock().expect("no test panics while it holds this");
        contexts.iter().find(|(id, _)| *id == vcpu).map_or([0; 18], |(_, x)| *x)
    }

    /// Keeps these registers of `vcpu`: x0-x7 when an interrupt or WFI takes it off, before the step, and the others
    /// when it leaves the PE.
    fn keep(&self, vcpu: VcpuId, registers: core::ops::Range<usize>) {
        let mut kept = self.kept(vcpu);
        kept[registers.clone()].copy_from_slice(&self.frame.x[registers]);
        self.reset(vcpu);
        let mut contexts = self.world.contexts.lock().expect("no test panics while it holds this");
        contexts.push((vcpu, kept));
    }
}

/// A context by its partition's id and its number.
fn name(vcpu: VcpuId) -> (u64, u64) {
    (vcpu.partition().id().get().into(), vcpu.index().into())
}

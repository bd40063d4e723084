//! Verbs: the table of calls, and the gates in front of every handler.
//!
//! A call is one row of [`CALLS`] and one handler in the file of its chapter. The row answers FFA_FEATURES and is
//! what a call is judged by before its handler sees it. Handlers have one shape: `fn(&mut Entry) -> Outcome`.

mod buffers;
mod console;
mod cycles;
mod direct;
mod discovery;
mod hypercalls;
mod indirect;
mod interrupts;
mod lifecycle;
mod logical;
mod monitor;
mod notifications;
mod party;
mod permissions;
mod power;
pub mod schedule;
mod sharing;
mod table;
pub mod timers;

use arm_ffa::{FfaError, FuncId};

use crate::abi;
use crate::endpoint::{EndpointId, PartitionIndex, VcpuId};
use crate::exit::{Conduit, Deliver, Frame, Lines, Next};
use crate::hardware::Hardware;
use crate::order::{Holding, Nothing};
use crate::spmc::Spmc;
use crate::state::ModelKind;
use crate::state::cpu::{Cpu, Errands};
use crate::state::partition::Partition;
use crate::state::vcpu::Refusal;

pub use table::{CALLS, Call, Instances, Models};

/// Where a call goes on, or the code that its caller gets.
pub type Outcome = Result<Next, FfaError>;

/// Who made a call.
#[derive(Clone, Copy)]
pub enum Caller<'a> {
    /// The Normal world's OS kernel or hypervisor, through the SPMD.
    Normal,
    /// A partition's context on this PE.
    Partition(&'a Partition, VcpuId),
}

impl Caller<'_> {
    /// The caller's own id.
    #[must_use]
    pub fn id(&self) -> EndpointId {
        match self {
            Self::Normal => EndpointId::NORMAL,
            Self::Partition(partition, _) => partition.id(),
        }
    }

    /// Whether the caller, who speaks this version, knows the bit that says whose memory it borrows: from FF-A 1.1 on it has
    /// a meaning, before that for a partition that has said so (FF-A 1.2, 13.3).
    fn knows_ns_bit(&self, version: u32) -> bool {
        version >= abi::V1_1
            || matches!(self, Self::Partition(partition, _) if partition.has_learned_ns_bit())
    }
}

/// One call on its way through the manager.
pub struct Entry<'a> {
    /// All shared state.
    pub spmc: &'a Spmc,
    /// This PE.
    pub cpu: &'a mut Cpu,
    /// The machine.
    pub hw: &'a mut dyn Hardware,
    /// The call's registers, and then its results'.
    pub frame: &'a mut Frame,
    /// Who calls.
    pub caller: Caller<'a>,
    /// The FF-A version by which the caller calls.
    pub version: u32,
    /// The locks that this step holds.
    pub held: Holding<'static, Nothing>,
}

impl<'a> Entry<'a> {
    /// Back to the caller, with what the frame holds.
    pub fn back(&self) -> Next {
        match self.caller {
            Caller::Normal => Next::Normal(Deliver::Message),
            Caller::Partition(_, target) => self.resume(target, Deliver::Message),
        }
    }

    /// Back to the caller with FFA_SUCCESS and no results.
    pub fn done(&mut self) -> Outcome {
        abi::success(self.frame);
        Ok(self.back())
    }

    /// The PE goes to the Normal world, whose interrupts no longer wait.
    pub fn to_normal(&mut self, deliver: Deliver) -> Next {
        if !self.cpu.errands().is_empty() {
            self.run_errands();
        }
        if self.cpu.give_to_normal() {
            self.hw.release_normal();
        }
        Next::Normal(deliver)
    }

    /// The PE goes to a partition's context that was entered before, and that runs by this model now.
    pub fn to_partition(&mut self, target: VcpuId, model: ModelKind, lines: Lines, deliver: Deliver) -> Next {
        self.cpu.give_to(target, model, lines);
        self.resume(target, deliver)
    }

    /// The PE stays with the context that has it.
    pub fn resume(&self, target: VcpuId, deliver: Deliver) -> Next {
        Next::Partition { target, deliver, lines: self.cpu.lines() }
    }

    /// The PE leaves whoever was on it, for the Normal world: what it had to do then, it does now.
    #[cold]
    fn run_errands(&mut self) {
        if self.cpu.errands().contains(Errands::TELL) {
            self.cpu.take_told().for_each(|cpu| self.hw.raise_schedule_receiver(cpu));
        }
        self.look_again();
    }

    /// The PE leaves whoever was on it: if contexts may have interrupts to handle here, and no other one does, it comes
    /// back at once.
    #[inline]
    pub fn look_again(&mut self) {
        if self.cpu.errands().contains(Errands::LOOK) && !self.cpu.handles() {
            self.hw.kick(self.cpu.id());
        }
    }

    /// Interrupts of the Normal world wait until `vcpu`, which is entered now, leaves the PE.
    #[cold]
    pub fn hold_normal_for(&mut self, vcpu: VcpuId) {
        if self.cpu.hold_for(vcpu) {
            self.hw.hold_normal();
        }
    }

    /// As [`Entry::hold_normal_for`], until [`Entry::end_debt`].
    pub fn hold_normal_for_debt(&mut self, vcpu: VcpuId) {
        if self.cpu.hold_for_debt(vcpu) {
            self.hw.hold_normal();
        }
    }

    /// Who owed the PE runs whom it owed it to.
    pub fn end_debt(&mut self) {
        if self.cpu.end_debt() {
            self.hw.release_normal();
        }
    }

    /// `vcpu` leaves the PE: interrupts of the Normal world that waited for that come now.
    #[inline]
    pub fn let_go_of(&mut self, vcpu: VcpuId) {
        if self.cpu.let_go_of(vcpu) {
            self.hw.release_normal();
        }
    }

    /// The partition of this id.
    pub fn partition(&self, id: EndpointId) -> Option<&'a Partition> {
        self.spmc.partition(PartitionIndex::from_id(id)?)
    }
}

impl From<Refusal> for FfaError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Busy => Self::Busy,
            Refusal::Denied => Self::Denied,
            Refusal::Aborted => Self::Aborted,
        }
    }
}

/// A call of the Normal world, handed over by the SPMD.
pub fn normal(at: &mut Entry<'_>) -> Next {
    let function = abi::function(at.frame);
    // The SPMD lets nobody in the Normal world use its id.
    if abi::endpoints(at.frame).0 == EndpointId::SPMD && function == FuncId::MsgSendDirectReq32 as u32 {
        return power::spmd_message(at);
    }
    at.version = at.spmc.normal().version.used(|| uses_version(at.caller, function));
    dispatch(at, function, None)
}

/// A call of the partition that ran on this PE, by `conduit`.
pub fn partition(at: &mut Entry<'_>, conduit: Conduit) -> Next {
    let Caller::Partition(partition, vcpu) = at.caller else { return at.back() };
    // Another context of it was aborted meanwhile: this one honours that now.
    if partition.is_aborted() {
        return lifecycle::abandon(at, vcpu);
    }
    let function = abi::function(at.frame);
    at.version = partition.version().used(|| uses_version(at.caller, function));
    dispatch(at, function, Some(conduit))
}

/// Whether a call settles its caller's version: any but FFA_VERSION itself (FF-A 1.2, 13.2), and but the SPMD's
/// FFA_INTERRUPT, which may come before the Normal world's first call.
#[cold]
fn uses_version(caller: Caller<'_>, function: u32) -> bool {
    let is_from_spmd = matches!(caller, Caller::Normal) && function == FuncId::Interrupt32 as u32;
    function != FuncId::Version as u32 && abi::is_ffa(function) && !is_from_spmd
}

#[inline(always)]
fn dispatch(at: &mut Entry<'_>, function: u32, conduit: Option<Conduit>) -> Next {
    let outcome = match table::find(function) {
        Some(call) => call.admit(at).and_then(|()| (call.handler)(at)),
        None => match (at.caller, conduit) {
            (Caller::Partition(partition, vcpu), Some(conduit)) if !abi::is_ffa(function) => {
                if conduit == Conduit::Hvc
                    && let Some(next) = hypercalls::make(at, partition, vcpu, function)
                {
                    return next;
                }
                return monitor::forward(at, partition, function, conduit);
            }
            _ => Err(FfaError::NotSupported),
        },
    };
    outcome.unwrap_or_else(|code| {
        abi::error(at.frame, code);
        at.back()
    })
}

pub use cycles::idle;
pub use interrupts::interrupted;
pub use lifecycle::{booted, fault};
pub use logical::discover;
pub use party::Party;

//! The loop of one PE: enters what the manager's step says, comes back with the reason, tells `settled`, steps again.
#![expect(unsafe_code, reason = "asks for the context that the manager's last step named")]

use manager::endpoint::{CpuId, VcpuId};
use manager::exit::{Deliver, Exit, Fault, Frame, Next};
use manager::spmc::Cpu;

use crate::boot::Shared;
use crate::context::Context;
use crate::enter::{Left, enter, left_behind};
use crate::loaded::Loaded;
use crate::memory::Machine;
use crate::normal;
use crate::secondary::Area;

/// Runs this PE for as long as it is on.
pub fn run(shared: &'static Shared, id: CpuId, mut machine: Machine, area: &'static mut Area) -> ! {
    let mut cpu = Cpu::new(id);
    let mut frame = Frame::default();
    let mut fault = Fault { syndrome: 0, address: 0, ipa: None, pc: 0 };
    // Whose registers are in the PE: those of a vCPU, or the Normal world's.
    let mut current: Option<VcpuId> = None;
    let mut exit = Exit::Booted;
    let loaded = &mut area.loaded;
    loaded.reset();
    // SAFETY (of each use): `id` is what the manager's last step named on this PE, not yet settled.
    let context = |id: VcpuId| -> &mut Context {
        // SAFETY: see above.
        unsafe { shared.contexts.lend(id) }
    };

    loop {
        let next = shared.spmc.step(&mut cpu, &mut machine, &mut frame, exit);
        let target = match next {
            Next::Normal(_) => None,
            Next::Partition { target, .. } | Next::Start { target, .. } => Some(target),
        };
        if target != current {
            match current {
                Some(left) => {
                    loaded.leave(context(left), &frame);
                    shared.spmc.settled(left);
                }
                None => loaded.leave_normal(&frame),
            }
        }
        exit = match next {
            Next::Normal(deliver) => {
                if current.is_some() {
                    loaded.enter_normal(&mut frame, deliver == Deliver::Extended);
                }
                current = None;
                normal::leave(&mut frame, id);
                Exit::Normal
            }
            Next::Partition { target, deliver } => {
                let context = context(target);
                if current != Some(target) {
                    loaded.enter(context, &mut frame, deliver == Deliver::Extended);
                }
                if deliver == Deliver::Resume {
                    frame.x[..8].copy_from_slice(&context.low);
                    frame.x[8..].copy_from_slice(&context.banked.high);
                }
                current = Some(target);
                visit(shared, loaded, context, &mut frame, &mut fault)
            }
            Next::Start { target, pc } => {
                let context = context(target);
                context.reset(pc);
                loaded.enter(context, &mut frame, false);
                current = Some(target);
                visit(shared, loaded, context, &mut frame, &mut fault)
            }
        };
    }
}

/// One visit to a context.
#[inline(always)]
fn visit<'a>(
    shared: &Shared,
    loaded: &mut Loaded,
    context: &mut Context,
    frame: &mut Frame,
    fault: &'a mut Fault,
) -> Exit<'a> {
    if context.error != 0 {
        *fault = left_behind(context);
        return Exit::Fault(fault);
    }
    match enter(loaded, &shared.features, context, frame, fault) {
        Left::Call(conduit) => Exit::Call(conduit),
        Left::Interrupt => {
            context.low.copy_from_slice(&frame.x[..8]);
            context.banked.high.copy_from_slice(&frame.x[8..]);
            Exit::Interrupt
        }
        Left::Fault => Exit::Fault(fault),
    }
}

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
use crate::sysregs;

/// Runs this PE for as long as it is on.
pub fn run(shared: &'static Shared, id: CpuId, mut machine: Machine, area: &'static mut Area) -> ! {
    let mut cpu = Cpu::new(id);
    let mut frame = Frame::default();
    let mut fault = Fault { syndrome: 0, address: 0, ipa: None, pc: 0 };
    // Whose registers are in the PE: those of a vCPU, or the Normal world's.
    let mut current: Option<(VcpuId, &mut Context)> = None;
    let mut exit = Exit::Booted;
    let loaded = &mut area.loaded;
    loaded.reset();
    let context = |id: VcpuId| -> &mut Context {
        // SAFETY: `id` is what the manager's last step named on this PE, and not yet settled; the one reference here is
        // `current`, which has been given up, and its context settled, wherever this is called.
        unsafe { shared.contexts.lend(id) }
    };

    loop {
        let next = shared.spmc.step(&mut cpu, &mut machine, &mut frame, exit);
        exit = match next {
            Next::Normal(deliver) => {
                if let Some((left, context)) = current.take() {
                    loaded.leave(context, &frame);
                    shared.spmc.settled(&mut cpu, &mut machine, left);
                    loaded.enter_normal(&mut frame, deliver == Deliver::Extended);
                }
                normal::exchange(&mut frame);
                Exit::Normal
            }
            Next::Off => {
                machine.stop();
                normal::leave_off(&frame, id)
            }
            Next::Partition { target, deliver, lines } => {
                let context = match current.take() {
                    Some((same, context)) if same == target => {
                        if context.set_lines(lines) {
                            sysregs::set_hcr(context.hcr);
                        }
                        context
                    }
                    other => {
                        set_aside(shared, &mut cpu, &mut machine, loaded, &frame, other);
                        let context = context(target);
                        let _ = context.set_lines(lines);
                        loaded.enter(context, &mut frame, deliver == Deliver::Extended);
                        context
                    }
                };
                match deliver {
                    Deliver::Message | Deliver::Extended => {}
                    Deliver::Resume => context.give_low(&mut frame),
                    Deliver::Again => context.general.elr = context.general.elr.wrapping_sub(4),
                }
                let exit = visit(shared, &mut cpu, &mut machine, loaded, context, &mut frame, &mut fault);
                current = Some((target, context));
                exit
            }
            Next::Start { target, pc } => {
                set_aside(shared, &mut cpu, &mut machine, loaded, &frame, current.take());
                let context = context(target);
                context.reset(pc);
                loaded.enter(context, &mut frame, false);
                let exit = visit(shared, &mut cpu, &mut machine, loaded, context, &mut frame, &mut fault);
                current = Some((target, context));
                exit
            }
        };
    }
}

/// Takes the registers of whoever is `current` out of the PE, for a context that is entered next.
#[inline(always)]
fn set_aside(
    shared: &Shared,
    cpu: &mut Cpu,
    machine: &mut Machine,
    loaded: &mut Loaded,
    frame: &Frame,
    current: Option<(VcpuId, &mut Context)>,
) {
    match current {
        Some((left, context)) => {
            loaded.leave(context, frame);
            shared.spmc.settled(cpu, machine, left);
        }
        None => loaded.leave_normal(frame),
    }
}

/// One visit to a context.
#[inline(always)]
fn visit<'a>(
    shared: &Shared,
    cpu: &mut Cpu,
    machine: &mut Machine,
    loaded: &mut Loaded,
    context: &mut Context,
    frame: &mut Frame,
    fault: &'a mut Fault,
) -> Exit<'a> {
    if context.error != 0 {
        *fault = left_behind(context);
        return Exit::Fault(fault);
    }
    loop {
        return match enter(loaded, &shared.features, context, frame, fault) {
            Left::Call(conduit) => Exit::Call(conduit),
            Left::Interrupt => {
                context.keep_low(frame);
                Exit::Interrupt
            }
            Left::Idle => {
                context.keep_low(frame);
                Exit::Idle
            }
            Left::Timer(access) => {
                access.emulate(&shared.spmc, cpu, machine, context, frame);
                continue;
            }
            Left::Fault => {
                context.keep_low(frame);
                Exit::Fault(fault)
            }
        };
    }
}

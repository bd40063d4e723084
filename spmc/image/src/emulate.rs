//! A partition's EL1 physical timer, which the manager keeps for it: its accesses trap (CNTHCTL_EL2.EL1PTEN is 0).

use manager::exit::{Frame, TimerRegister};
use manager::spmc::{Cpu, Spmc};

use crate::context::Context;
use crate::memory::Machine;
use crate::sysregs;

/// An MRS or MSR of a timer register.
#[derive(Clone, Copy)]
pub struct TimerAccess {
    timer: TimerRegister,
    /// The number of the general register.
    general: u8,
    /// Whether the timer register is written.
    writes: bool,
}

impl TimerAccess {
    /// The access that trapped, if it is one, from the syndrome of an MRS or MSR (Arm DDI 0487, ESR_EL2, EC 0x18).
    #[must_use]
    pub const fn decode(syndrome: u64) -> Option<Self> {
        let timer = match sysregs::trapped(syndrome) {
            (3, 3, 14, 2, 0) => TimerRegister::TimerValue,
            (3, 3, 14, 2, 1) => TimerRegister::Control,
            (3, 3, 14, 2, 2) => TimerRegister::CompareValue,
            _ => return None,
        };
        Some(Self { timer, general: (syndrome >> 5 & 0x1f) as u8, writes: syndrome & 1 == 0 })
    }

    /// Does it for the context that runs, which then is behind the instruction.
    #[cold]
    #[inline(never)]
    pub fn emulate(
        self,
        spmc: &Spmc,
        cpu: &mut Cpu,
        machine: &mut Machine,
        context: &mut Context,
        frame: &mut Frame,
    ) {
        // Number 31 is XZR, of which nothing is kept.
        let general = match usize::from(self.general) {
            number @ 0..18 => Some(&mut frame.x[number]),
            number => context.general.x18.get_mut(number - 18),
        };
        if self.writes {
            let value = general.map_or(0, |general| *general);
            let lines = spmc.write_timer(cpu, machine, self.timer, value);
            if context.set_lines(lines) {
                sysregs::set_hcr(context.hcr);
            }
        } else {
            let value = spmc.read_timer(cpu, machine, self.timer);
            if let Some(general) = general {
                *general = value;
            }
        }
        context.step_over();
    }
}

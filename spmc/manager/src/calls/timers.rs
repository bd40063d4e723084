//! Partitions' timers: one timer of S-EL2 on each PE is armed for the earliest deadline that the PE keeps, whoever
//! runs on it.
//!
//! A deadline is kept by the PE on which its context was last. It moves with the context; the PE that kept it before
//! comes back once in vain. A PE that goes off leaves its deadlines to whichever of the others takes them first.

use super::{Entry, interrupts};
use crate::endpoint::VcpuId;
use crate::exit::{Lines, TimerRegister};
use crate::hardware::{Hardware, NEVER};
use crate::order::Holding;
use crate::spmc::Spmc;
use crate::state::cpu::Cpu;
use crate::state::partition::Context;

/// The partition on this PE reads a register of its timer.
pub fn read(spmc: &Spmc, vcpu: VcpuId, hw: &mut dyn Hardware, register: TimerRegister) -> u64 {
    let now = hw.now();
    spmc.partition_of(vcpu).vcpu(vcpu).lock(&mut Holding::nothing()).0.read_timer(register, now)
}

/// The partition on this PE writes a register of its timer: its virtual interrupt lines from now on.
pub fn write(
    spmc: &Spmc,
    cpu: &mut Cpu,
    vcpu: VcpuId,
    hw: &mut dyn Hardware,
    (register, value): (TimerRegister, u64),
) -> Lines {
    let context = spmc.partition_of(vcpu).context(vcpu);
    let (now, before) = (hw.now(), context.deadline());
    let lines = {
        let mut nothing = Holding::nothing();
        let (mut life, _held) = context.vcpu().lock(&mut nothing);
        let lines = life.write_timer(register, value, now);
        context.keep_deadline(life.deadline(), cpu.id());
        lines
    };
    cpu.set_lines(lines);
    if before == cpu.armed() && before != NEVER {
        arm_next(spmc, cpu, hw);
    } else {
        arm_at_most(cpu, hw, context.deadline());
    }
    lines
}

/// The PE's timer is to fire at `deadline`, if not before.
pub fn arm_at_most(cpu: &mut Cpu, hw: &mut dyn Hardware, deadline: u64) {
    if deadline < cpu.armed() {
        arm(cpu, hw, deadline);
    }
}

fn arm(cpu: &mut Cpu, hw: &mut dyn Hardware, deadline: u64) {
    cpu.set_armed(deadline);
    hw.arm(deadline);
}

/// The PE's timer is to fire at the earliest deadline that it keeps.
fn arm_next(spmc: &Spmc, cpu: &mut Cpu, hw: &mut dyn Hardware) {
    let here = cpu.id();
    let contexts = spmc.partitions().filter_map(|partition| partition.context_on(here));
    let next = contexts.filter(|context| context.is_kept_by(here)).map(Context::deadline).min();
    let next = next.unwrap_or(NEVER);
    if next != cpu.armed() {
        arm(cpu, hw, next);
    }
}

/// The PE's timer has fired: what is due becomes pending.
pub fn expired(at: &mut Entry<'_>) {
    at.cpu.set_armed(NEVER);
    let (now, here) = (at.hw.now(), at.cpu.id());
    for partition in at.spmc.partitions() {
        let Some(context) = partition.context_on(here) else { continue };
        if context.deadline() > now || !context.is_kept_by(here) {
            continue;
        }
        let pended = {
            let (mut life, _held) = context.vcpu().lock(&mut at.held);
            // It may have gone to another PE, or its partition have set it anew.
            if !context.is_kept_by(here) || life.deadline() > now {
                continue;
            }
            let pended = life.expire(now, here, partition.config().sri_policy);
            context.keep_deadline(life.deadline(), here);
            pended
        };
        interrupts::act(at, partition, pended);
    }
    arm_next(at.spmc, at.cpu, at.hw);
}

/// The PE has come on, or was asked to look at the shared state: deadlines that nobody keeps are its own now.
pub fn adopt(at: &mut Entry<'_>) {
    let here = at.cpu.id();
    for context in at.spmc.partitions().filter_map(|partition| partition.context_on(here)) {
        if context.adopt_deadline(here) {
            arm_at_most(at.cpu, at.hw, context.deadline());
        }
    }
}

/// The PE goes off: others keep its deadlines.
pub fn leave(at: &mut Entry<'_>) {
    let here = at.cpu.id();
    arm(at.cpu, at.hw, NEVER);
    let contexts = at.spmc.partitions().filter_map(|partition| partition.context_on(here));
    if contexts.filter(|context| context.abandon_deadline(here)).count() > 0 {
        at.hw.kick_others();
    }
}

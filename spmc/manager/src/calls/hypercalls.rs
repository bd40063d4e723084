//! Hypercalls by which a partition handles its virtual interrupts, as partition managers of this kind have them.

use super::Entry;
use crate::abi;
use crate::endpoint::VcpuId;
use crate::exit::Next;
use crate::state::interrupts::Slot;
use crate::state::partition::Partition;

/// HF_INTERRUPT_ENABLE.
const ENABLE: u32 = 0xFF03;
/// HF_INTERRUPT_GET.
const GET: u32 = 0xFF04;
/// HF_INTERRUPT_DEACTIVATE.
const DEACTIVATE: u32 = 0xFF08;

/// What HF_INTERRUPT_GET answers where none is pending.
const NONE: u64 = 0xFFFF_FFFF;
/// What the others answer where they refuse.
const REFUSED: u64 = u64::MAX;

/// Makes the hypercall, if `function` is one.
pub fn make(at: &mut Entry<'_>, partition: &Partition, vcpu: VcpuId, function: u32) -> Option<Next> {
    let result = match function {
        ENABLE => enable(at, partition, vcpu).map(|()| 0),
        GET => Some(get(at, partition, vcpu)),
        DEACTIVATE => deactivate(at, partition, vcpu).map(|()| 0),
        _ => return None,
    };
    abi::answer(at.frame, [result.unwrap_or(REFUSED)]);
    Some(at.back())
}

/// x1 an interrupt of the partition's own, x2 whether it lets it through, x3 by which line: 0 IRQ, 1 FIQ.
fn enable(at: &mut Entry<'_>, partition: &Partition, vcpu: VcpuId) -> Option<()> {
    let [_, id, enable, kind, ..] = at.frame.x;
    let slot = partition.owned().slot(id)?;
    if kind > 1 {
        return None;
    }
    let lines = partition.vcpu(vcpu).lock(&mut at.held).0.enable(slot, enable != 0, kind == 1).ok()?;
    at.cpu.set_lines(lines);
    Some(())
}

/// The first interrupt that is pending and let through, which is taken by this.
fn get(at: &mut Entry<'_>, partition: &Partition, vcpu: VcpuId) -> u64 {
    let (taken, lines) = partition.vcpu(vcpu).lock(&mut at.held).0.take_interrupt();
    at.cpu.set_lines(lines);
    taken.map_or(NONE, |slot| partition.owned().id(slot).into())
}

/// x1 the physical and x2 the virtual interrupt, which are the same: it has been handled.
fn deactivate(at: &mut Entry<'_>, partition: &Partition, vcpu: VcpuId) -> Option<()> {
    let [_, physical, id, ..] = at.frame.x;
    let slot = partition.owned().slot(id).filter(|_| physical == id)?;
    let context = partition.context(vcpu);
    let now = if slot == Slot::TIMER { at.hw.now() } else { 0 };
    let is_active = {
        let (mut life, _held) = context.vcpu().lock(&mut at.held);
        let (is_active, lines) = life.deactivate(slot, now)?;
        at.cpu.set_lines(lines);
        context.keep_deadline(life.deadline(), at.cpu.id());
        is_active
    };
    if slot == Slot::TIMER {
        super::timers::arm_at_most(at.cpu, at.hw, context.deadline());
    }
    if is_active {
        at.hw.deactivate(partition.owned().id(slot).into());
    }
    Some(())
}

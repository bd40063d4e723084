//! From the start of a partition to its abort (FF-A 1.2, chapter 5 and 8.2.4).

use arm_ffa::FfaError;
use log::{error, info};

use super::{Caller, Entry, Outcome, buffers, console, cycles, interrupts, sharing, timers};
use crate::abi;
use crate::endpoint::VcpuId;
use crate::exit::{Deliver, Fault, Lines, Next};
use crate::hardware::NEVER;
use crate::memory::page::Space;
use crate::state::partition::Partition;
use crate::state::{Model, ModelKind};

/// A PE was turned on: its contexts start one after the other, in boot order.
#[cold]
pub fn booted(at: &mut Entry<'_>) -> Next {
    at.cpu.begin_boot();
    at.hw.hold_normal();
    timers::adopt(at);
    start_next(at)
}

/// A context's first FFA_MSG_WAIT: it has initialised.
pub fn initialised(at: &mut Entry<'_>, vcpu: VcpuId) -> Next {
    info!("{} has started vCPU {}", at.spmc.partition_of(vcpu).name(), vcpu.index());
    start_next(at)
}

/// Starts the next context of this PE, or tells the SPMD that the secure world is ready on it.
fn start_next(at: &mut Entry<'_>) -> Next {
    while let Some(place) = at.cpu.next_in_boot() {
        let Some(partition) = at.spmc.in_boot_order(place) else { break };
        let Some(context) = partition.context_on(at.cpu.id()) else { continue };
        let vcpu = context.id();
        if partition.is_aborted() || !context.vcpu().lock(&mut at.held).0.start(at.cpu.id()) {
            continue;
        }
        if partition.is_at_el0() {
            interrupts::let_all_through(at, partition, vcpu);
        }
        let is_primary = partition.begin();
        // FF-A 1.2, 5.4.1: only the primary context gets the address of the boot information.
        let boot_info = partition.config().boot_info.filter(|_| is_primary);
        let boot_info = boot_info.map(|info| (info.register, partition.config().memory.start()));
        abi::start(at.frame, at.cpu.id(), boot_info);
        at.cpu.give_to(vcpu, ModelKind::Init, Lines::empty());
        let pc = if is_primary { partition.config().entry } else { partition.secondary_entry() };
        return Next::Start { target: vcpu, pc };
    }
    at.cpu.end_boot();
    at.hw.release_normal();
    abi::msg_wait(at.frame);
    at.to_normal(Deliver::Message)
}

/// FFA_ERROR as a call: a partition gives up its initialisation with ABORTED in w2.
pub fn error(at: &mut Entry<'_>) -> Outcome {
    let Caller::Partition(_, vcpu) = at.caller else { return Err(FfaError::NotSupported) };
    let gives_up = abi::word(at.frame, 2) == FfaError::Aborted as i32 as u32;
    if !gives_up || at.cpu.model() != ModelKind::Init {
        return Err(FfaError::NotSupported);
    }
    error!("{} failed to initialise on vCPU {}", at.spmc.partition_of(vcpu).name(), vcpu.index());
    Ok(abort(at, vcpu))
}

/// The partition that ran did what it must not do.
#[cold]
pub fn fault(at: &mut Entry<'_>, fault: &Fault) -> Next {
    let Caller::Partition(partition, vcpu) = at.caller else { return at.back() };
    let Fault { syndrome, address, ipa, pc } = *fault;
    if ipa.is_some_and(|ipa| fault.is_translation() && is_excused(at, partition, vcpu, ipa)) {
        return at.resume(vcpu, Deliver::Resume);
    }
    let (name, index) = (partition.name(), vcpu.index());
    if fault.is_asynchronous() {
        error!("{name} is aborted: vCPU {index} at pc {pc:#x} got an SError, syndrome {syndrome:#x}");
    } else if !fault.is_access() {
        error!("{name} is aborted: vCPU {index} at pc {pc:#x} may not do that, syndrome {syndrome:#x}");
    } else {
        let ipa = ipa.unwrap_or(address);
        error!(
            "{name} is aborted: vCPU {index} at pc {pc:#x} touched {address:#x} (IPA {ipa:#x}), \
             syndrome {syndrome:#x}"
        );
    }
    abort(at, vcpu)
}

/// Whether the partition has access to this address, and only seemed not to while another PE changed how its pages are
/// mapped (DDI 0487, D8.16, break-before-make).
///
/// In which of its two spaces is not asked: QEMU 10 sets HPFAR_EL2.NS for the secure one. Without a change it is none in
/// either.
fn is_excused(at: &mut Entry<'_>, partition: &Partition, vcpu: VcpuId, ipa: u64) -> bool {
    let (spaces, _held) = partition.spaces().lock(&mut at.held);
    let has_access = |space| spaces.of(space).walk(ipa).is_some_and(|mapping| mapping.ownership.has_access());
    [Space::Secure, Space::Normal].into_iter().any(has_access)
        && partition.context(vcpu).excuses(spaces.changes())
}

/// The partition ends, with everything its contexts are doing: here now, on other PEs as soon as they have come back.
fn abort(at: &mut Entry<'_>, vcpu: VcpuId) -> Next {
    let partition = at.spmc.partition_of(vcpu);
    partition.abort();
    at.hw.kick_others();
    // Whoever waits for its buffer to be free tries again, and learns what has become of it.
    buffers::tell_free(at, partition.receiver());
    sharing::forget(at, partition);
    abandon(at, vcpu)
}

/// This context of an aborted partition ends: whoever waits for it gets ABORTED.
#[cold]
pub fn abandon(at: &mut Entry<'_>, vcpu: VcpuId) -> Next {
    let partition = at.spmc.partition_of(vcpu);
    console::flush(at, partition, vcpu);
    let model = partition.vcpu(vcpu).lock(&mut at.held).0.abort();
    interrupts::end(at, partition, vcpu);
    partition.context(vcpu).keep_deadline(NEVER, at.cpu.id());
    if at.cpu.model() == ModelKind::Owing {
        at.end_debt();
        cut_off(at, model);
    }
    abi::error(at.frame, FfaError::Aborted);
    match model {
        Some(Model::Init) => start_next(at),
        Some(Model::Interrupt(interrupted)) => interrupts::give_up(at, vcpu, interrupted),
        Some(model) => cycles::give_back(at, vcpu, model.requester(), Deliver::Message),
        None => at.to_normal(Deliver::Message),
    }
}

/// A context that worked by `model` ends and leaves those whom it called behind, displaced: they are in this PE's chain
/// no more, and interrupts of the Normal world wait for none of them.
fn cut_off(at: &mut Entry<'_>, model: Option<Model>) {
    let Some(holder) = at.cpu.holder() else { return };
    if !cycles::is_in_chain(at, holder, model.map(Model::requester)) {
        at.let_go_of(holder);
    }
}

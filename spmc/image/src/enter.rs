//! The only way into a partition: comes back with the reason for which the PE left it.
#![expect(unsafe_code, reason = "calls the world switch of enter.S on a context that this PE holds")]

use manager::exit::{Conduit, Fault, Frame};

use crate::context::{Context, General};
use crate::emulate::TimerAccess;
use crate::features::Features;
use crate::loaded::Loaded;
use crate::{inject, sysregs};

/// What `enter_partition` returns: the vector that was taken.
pub const REASON_SYNC: u32 = 0;
/// IRQ or FIQ.
pub const REASON_INTERRUPT: u32 = 1;
/// SError.
pub const REASON_SERROR: u32 = 2;

unsafe extern "C" {
    /// See enter.S.
    fn enter_partition(general: *mut General, frame: *mut Frame) -> u32;
}

/// Why a partition was left.
#[derive(Clone, Copy)]
pub enum Left {
    /// It called; the registers are in the frame.
    Call(Conduit),
    /// A physical interrupt; x0-x17 are in the frame.
    Interrupt,
    /// WFI, where that traps: it goes on behind it; x0-x17 are in the frame.
    Idle,
    /// An access to its timer, by the instruction that it is at; x0-x17 are in the frame.
    Timer(TimerAccess),
    /// What is in the [`Fault`] that was passed.
    Fault,
}

/// Exception classes (Arm DDI 0487, ESR_EL2.EC).
mod class {
    pub const WFI: u64 = 0x01;
    pub const FP: u64 = 0x07;
    pub const PAUTH: u64 = 0x09;
    pub const SVC64: u64 = 0x15;
    pub const HVC64: u64 = 0x16;
    pub const SMC64: u64 = 0x17;
    pub const SYSREG: u64 = 0x18;
    pub const INSTRUCTION_ABORT: u64 = 0x20;
    pub const PC_ALIGNMENT: u64 = 0x22;
    pub const DATA_ABORT: u64 = 0x24;
    pub const SP_ALIGNMENT: u64 = 0x26;
    pub const SERROR: u64 = 0x2f;
}

/// ESR_EL2.ISS.TI of a trapped WFI or WFIT: set for the latter.
const WFI_WITH_TIMEOUT: u64 = 1 << 1;

/// Runs the context, whose registers `loaded` has put into the PE, until something is left for the manager to decide.
pub fn enter(
    loaded: &mut Loaded,
    features: &Features,
    context: &mut Context,
    frame: &mut Frame,
    fault: &mut Fault,
) -> Left {
    loop {
        // SAFETY: the context is lent to this PE and loaded; both structures have the layout that enter.S asserts.
        let reason = unsafe { enter_partition(&raw mut context.general, frame) };
        if reason == REASON_INTERRUPT {
            return Left::Interrupt;
        }
        let syndrome = sysregs::esr();
        if reason == REASON_SYNC {
            match syndrome >> 26 & 0x3f {
                class::SMC64 => {
                    // A trapped SMC has not been stepped over; an HVC has. The next address after the last one is 0.
                    context.general.elr = context.general.elr.wrapping_add(4);
                    return Left::Call(Conduit::Smc);
                }
                class::HVC64 => return Left::Call(Conduit::Hvc),
                class::INSTRUCTION_ABORT
                | class::DATA_ABORT
                | class::PC_ALIGNMENT
                | class::SP_ALIGNMENT
                | class::SERROR => {}
                other => match trapped(loaded, features, context, other, syndrome) {
                    Some(Left::Fault) => {}
                    Some(left) => return left,
                    None => continue,
                },
            }
        }
        *fault = offence(syndrome, context);
        return Left::Fault;
    }
}

/// Settles a trap so that the context goes on; else why it was left. S-EL0 has no vectors to go on in.
#[cold]
fn trapped(
    loaded: &mut Loaded,
    features: &Features,
    context: &mut Context,
    class: u64,
    syndrome: u64,
) -> Option<Left> {
    match class {
        class::SVC64 => return Some(Left::Call(Conduit::Svc)),
        // WFE does not trap. WFIT may end at any time (Arm DDI 0487, WFIT); who has its own deadline goes on at once.
        class::WFI => {
            context.step_over();
            return (syndrome & WFI_WITH_TIMEOUT == 0).then_some(Left::Idle);
        }
        class::SYSREG if !context.view.is_el0() => {
            if let Some(access) = TimerAccess::decode(syndrome) {
                return Some(Left::Timer(access));
            }
        }
        _ => {}
    }
    if !claim(loaded, context, class, syndrome) {
        if context.view.is_el0() {
            return Some(Left::Fault);
        }
        inject::undefined(context, features);
    }
    None
}

/// Gives the context what it touched for the first time; false if it may not have it.
fn claim(loaded: &mut Loaded, context: &mut Context, class: u64, syndrome: u64) -> bool {
    match class {
        class::FP => loaded.simd.claim(&context.vectors),
        class::PAUTH => loaded.claim_keys(context),
        class::SYSREG if is_key(syndrome) => loaded.claim_keys(context),
        class::SYSREG if is_tag(syndrome) => loaded.claim_tags(context),
        _ => false,
    }
}

/// Whether a PAuth key register was accessed: S3_0_C2_C1_x to S3_0_C2_C3_x.
const fn is_key(syndrome: u64) -> bool {
    matches!(sysregs::trapped(syndrome), (3, 0, 2, 1..=3, _))
}

/// Whether RGSR_EL1, GCR_EL1, TFSR_EL1 or TFSRE0_EL1 was accessed.
const fn is_tag(syndrome: u64) -> bool {
    matches!(sysregs::trapped(syndrome), (3, 0, 1, 0, 5 | 6) | (3, 0, 5, 6, 0 | 1))
}

/// The SError that the context left behind when it was left last, as if it had been taken then.
#[cold]
pub fn left_behind(context: &mut Context) -> Fault {
    let syndrome = class::SERROR << 26 | 1 << 25 | core::mem::take(&mut context.error) & 0x01ff_ffff;
    offence(syndrome, context)
}

/// What the fault registers say of the context that was left.
#[cold]
fn offence(syndrome: u64, context: &Context) -> Fault {
    let pc = context.general.elr;
    let status = syndrome & 0x3f;
    let abort = matches!(syndrome >> 26 & 0x3f, class::INSTRUCTION_ABORT | class::DATA_ABORT);
    // HPFAR_EL2 holds for translation and access flag faults, and for every fault on a stage-1 walk.
    let known = abort && (syndrome & 1 << 7 != 0 || matches!(status >> 2, 0b0001 | 0b0010));
    let address = sysregs::far();
    let ipa = if context.view.is_el0() {
        address
    } else {
        sysregs::hpfar() << 8 & 0x000f_ffff_ffff_f000 | address & 0xfff
    };
    Fault { syndrome, address, ipa: known.then_some(ipa), pc }
}

//! Calls that are well-formed, and not for this partition to make while it works on a direct request.

use arm_ffa::{FfaError, FuncId};
use partition::ffa::registers;
use partition::service::{Request, Vcpu};

use crate::call::{Conduit, Garbage, attempt};
use crate::place::{foreign, own_memory};
use crate::verdict::{Verdict, Wanted};

/// Other endpoints: partitions, the SPMC, the SPMD, the Normal world, a high id of VMs, and nobody.
pub const ECHO: u64 = 0x8001;
pub const PATIENT: u64 = 0x8004;
pub const SPMC: u64 = 0x8000;
pub const SPMD: u64 = 0xffff;
pub const NORMAL: u64 = 0;
pub const HIGH_VM: u64 = 0x7fc0;
pub const NOBODY: u64 = 0x8011;
/// One that takes messages and notifications, and a VM.
pub const MAILMAN: u64 = 0x8005;
pub const VM: u64 = 5;
/// A logical partition of EL3 that only sends to the SPMC.
pub const LOGICAL_AT_EL3: u64 = 0xffc0;
/// A vCPU that no partition has.
const NO_VCPU: u64 = 0xff;

/// A framework message: bit 31 of w2 (FF-A 1.2, 18.2).
const FRAMEWORK: u64 = 1 << 31;

/// Makes them all, by both conduits. The numbers of the attempts are their order.
pub fn all(vcpu: &Vcpu, request: &Request) -> Verdict {
    let (own, peer) = (u64::from(vcpu.endpoint), u64::from(request.from));
    let here = u64::from(vcpu.index);
    let mut verdict = Verdict::default();
    let mut garbage = Garbage(here);
    for conduit in Conduit::ALL {
        let mut number = 0;
        let mut call = |registers, wanted| {
            number += 1;
            attempt(&mut verdict, conduit, number, &registers, wanted, &mut garbage);
        };
        let invalid = Wanted::Error(FfaError::InvalidParameters);
        let denied = Wanted::Error(FfaError::Denied);
        let unknown = Wanted::Error(FfaError::NotSupported);

        let requests = [FuncId::MsgSendDirectReq32, FuncId::MsgSendDirectReq64, FuncId::MsgSendDirectReq64_2];
        for function in requests {
            // 1 to 12, and again for each form: in the name of others, and to those who take none.
            for source in [ECHO, PATIENT, SPMC, SPMD, NORMAL, NOBODY] {
                call(registers(function, [source << 16 | ECHO]), invalid);
            }
            for destination in [own, SPMC, SPMD, NORMAL, HIGH_VM, NOBODY] {
                call(registers(function, [own << 16 | destination]), invalid);
            }
        }
        // 37 to 41: framework messages are not a partition's to send, neither the SPMD's nor a hypervisor's.
        for message in [0, 1, 4, 6, 8] {
            let function = FuncId::MsgSendDirectReq32;
            call(registers(function, [own << 16 | PATIENT, FRAMEWORK | message]), invalid);
        }
        // 42 to 48: answers in the name of another, to another, of another kind.
        let [answer, wide, answer2] =
            [FuncId::MsgSendDirectResp32, FuncId::MsgSendDirectResp64, FuncId::MsgSendDirectResp64_2];
        call(registers(answer, [ECHO << 16 | peer]), invalid);
        call(registers(wide, [NORMAL << 16 | peer]), invalid);
        call(registers(answer2, [SPMC << 16 | peer]), invalid);
        for destination in [ECHO, SPMC, NOBODY] {
            call(registers(wide, [own << 16 | destination]), denied);
        }
        call(registers(answer2, [own << 16 | peer]), denied);
        // 49 to 54: cycles of others, its own, those of a PE where it is not.
        call(registers(FuncId::Run32, [ECHO << 16 | here]), denied);
        call(registers(FuncId::Run32, [PATIENT << 16 | here]), denied);
        call(registers(FuncId::Run32, [ECHO << 16 | (here ^ 1)]), invalid);
        call(registers(FuncId::Run32, [own << 16 | here]), invalid);
        call(registers(FuncId::Run32, [NORMAL << 16]), invalid);
        call(registers(FuncId::Run32, [NOBODY << 16]), invalid);
        // 55 to 59: what the SPMC says to others.
        call(registers(FuncId::MsgWait32, []), denied);
        call(registers(FuncId::Interrupt32, [ECHO << 16 | here]), denied);
        call(registers(FuncId::NormalWorldResume32, []), unknown);
        call(registers(FuncId::Success32, []), unknown);
        call(registers(FuncId::Error32, [0, u64::from(i32::from(FfaError::Aborted) as u32)]), unknown);
        // 60 to 61: what is over when initialisation is over.
        call(registers(FuncId::SecondaryEpRegister64, [own_memory(0x4000)]), denied);
        call(registers(FuncId::Version, [0x1_0001]), Wanted::NoVersion);
        // 62 to 72: buffers in foreign memory, and buffers that are not there.
        for memory in foreign() {
            call(registers(FuncId::RxTxMap64, [memory, own_memory(0x8000), 1]), denied);
            call(registers(FuncId::RxTxMap64, [own_memory(0x8000), memory, 1]), denied);
        }
        call(registers(FuncId::RxTxUnmap, []), invalid);
        // 73 and 74: the buffers of a VM are the Normal world's.
        call(registers(FuncId::RxRelease, []), invalid);
        call(registers(FuncId::RxAcquire, [ECHO]), unknown);
        // 75 to 78: what the scheduler asks, and what a hypervisor does for its VMs.
        call(registers(FuncId::NotificationInfoGet32, []), unknown);
        call(registers(FuncId::NotificationInfoGet64, []), unknown);
        call(registers(FuncId::NotificationBitmapCreate, [VM, 1]), unknown);
        call(registers(FuncId::NotificationBitmapDestroy, [VM]), unknown);
        // 79 to 90: notifications of others, of itself, of nobody, of no bit, with flags that there are not.
        for function in [FuncId::NotificationBind, FuncId::NotificationUnbind] {
            call(registers(function, [ECHO << 16 | MAILMAN, 0, 1]), invalid);
            call(registers(function, [own << 16 | own, 0, 1]), invalid);
            call(registers(function, [ECHO << 16 | own, 0, 0]), invalid);
        }
        for sender in [SPMC, LOGICAL_AT_EL3, NOBODY] {
            call(registers(FuncId::NotificationBind, [sender << 16 | own, 0, 1]), invalid);
        }
        call(registers(FuncId::NotificationBind, [ECHO << 16 | own, 2, 1]), invalid);
        call(registers(FuncId::NotificationUnbind, [ECHO << 16 | own, 2, 1]), invalid);
        call(registers(FuncId::NotificationUnbind, [ECHO << 16 | own, 0, 1]), denied);
        // 91 to 98: signals in the name of others, to itself, of no bit, of no kind, and of what nobody has bound.
        call(registers(FuncId::NotificationSet, [ECHO << 16 | MAILMAN, 0, 1]), invalid);
        call(registers(FuncId::NotificationSet, [NORMAL << 16 | MAILMAN, 0, 1]), invalid);
        call(registers(FuncId::NotificationSet, [own << 16 | own, 0, 1]), invalid);
        call(registers(FuncId::NotificationSet, [own << 16 | MAILMAN, 0, 0]), invalid);
        call(registers(FuncId::NotificationSet, [own << 16 | MAILMAN, 4, 1]), invalid);
        call(registers(FuncId::NotificationSet, [own << 16 | MAILMAN, 1 << 16, 1]), invalid);
        call(registers(FuncId::NotificationSet, [own << 16 | MAILMAN, 0, 1]), denied);
        call(registers(FuncId::NotificationSet, [own << 16 | ECHO, 0, 1]), denied);
        // 99 to 101: to look at those of others, of a vCPU that it does not have, of a kind that there is not.
        call(registers(FuncId::NotificationGet, [ECHO, 1]), invalid);
        call(registers(FuncId::NotificationGet, [NO_VCPU << 16 | own, 1]), invalid);
        call(registers(FuncId::NotificationGet, [own, 1 << 4]), invalid);
        // 102 and 103: a message without a TX buffer, and one for a VM.
        call(registers(FuncId::MsgSend2, []), denied);
        call(registers(FuncId::MsgSend2, [VM << 16]), invalid);
    }
    interrupts(&mut verdict, &mut garbage);
    verdict
}

/// Virtual interrupts that are not its own, by the SPMC's hypercalls: 0x201 and more.
fn interrupts(verdict: &mut Verdict, garbage: &mut Garbage) {
    const ENABLE: u64 = 0xff03;
    const GET: u64 = 0xff04;
    const DEACTIVATE: u64 = 0xff08;
    let mut number = 0x200;
    let mut call = |arguments: [u64; 4], wanted| {
        number += 1;
        let mut registers = [0; 18];
        registers[..4].copy_from_slice(&arguments);
        attempt(verdict, Conduit::Hvc, number, &registers, wanted, garbage);
    };
    // SGIs, the physical timers, a device's, ids that there are not.
    for id in [0, 2, 8, 26, 30, 40, 1023, 1 << 16, 0xffff_ffff] {
        call([ENABLE, id, 1, 0], Wanted::Unknown);
        call([ENABLE, id, 0, 0], Wanted::Unknown);
        call([DEACTIVATE, id, id, 0], Wanted::Unknown);
    }
    call([GET, 0, 0, 0], Wanted::NoInterrupt);
}

/// What is not for it while it runs by FFA_RUN: answers to nobody, and what is not for it at any time.
pub fn without_request(vcpu: &Vcpu) -> Verdict {
    let own = u64::from(vcpu.endpoint);
    let mut verdict = Verdict::default();
    let mut garbage = Garbage(own);
    for conduit in Conduit::ALL {
        let mut number = 0x100;
        let mut call = |registers, code| {
            number += 1;
            attempt(&mut verdict, conduit, number, &registers, Wanted::Error(code), &mut garbage);
        };
        let answers =
            [FuncId::MsgSendDirectResp32, FuncId::MsgSendDirectResp64, FuncId::MsgSendDirectResp64_2];
        for function in answers {
            for destination in [NORMAL, ECHO, SPMC, NOBODY] {
                call(registers(function, [own << 16 | destination]), FfaError::Denied);
            }
        }
        call(registers(FuncId::MsgWait32, [1]), FfaError::InvalidParameters);
        call(registers(FuncId::MsgWait32, [0, 2]), FfaError::InvalidParameters);
        call(registers(FuncId::Yield32, [0, 0, 0, 1]), FfaError::InvalidParameters);
        call(registers(FuncId::Run32, [ECHO << 16 | u64::from(vcpu.index)]), FfaError::Denied);
        call(registers(FuncId::SecondaryEpRegister64, [own_memory(0x4000)]), FfaError::Denied);
        call(registers(FuncId::Interrupt32, []), FfaError::Denied);
    }
    verdict
}

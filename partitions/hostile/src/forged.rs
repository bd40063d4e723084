//! Calls that are well-formed, and not for this partition to make while it works on a direct request.

use arm_ffa::{FfaError, FuncId};
use partition::ffa::registers;
use partition::service::{Request, Vcpu};

use crate::call::{Conduit, Garbage, attempt};
use crate::verdict::{Verdict, Wanted};

/// Other endpoints: partitions, the SPMC, the SPMD, the Normal world, a logical partition of EL3, and nobody.
const ECHO: u64 = 0x8001;
const PATIENT: u64 = 0x8004;
const SPMC: u64 = 0x8000;
const SPMD: u64 = 0xffff;
const NORMAL: u64 = 0;
const LOGICAL: u64 = 0x7fc0;
const NOBODY: u64 = 0x8011;

/// Memory of others: the SPMC's, echo's, a device's (the GIC), the Normal world's, nobody's.
const FOREIGN: [u64; 5] = [0xe10_0000, 0xe20_0000, 0x800_0000, 0x6000_0000, 0xe30_0000];

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
            for destination in [own, SPMC, SPMD, NORMAL, LOGICAL, NOBODY] {
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
        call(registers(FuncId::SecondaryEpRegister64, [0xe28_4000]), denied);
        call(registers(FuncId::Version, [0x1_0001]), Wanted::NoVersion);
        // 62 to 72: buffers in foreign memory, and buffers that are not there.
        for memory in FOREIGN {
            call(registers(FuncId::RxTxMap64, [memory, 0xe28_8000, 1]), denied);
            call(registers(FuncId::RxTxMap64, [0xe28_8000, memory, 1]), denied);
        }
        call(registers(FuncId::RxTxUnmap, []), invalid);
        // 73 and 74: the buffers of a VM are the Normal world's.
        call(registers(FuncId::RxRelease, []), invalid);
        call(registers(FuncId::RxAcquire, [ECHO]), unknown);
    }
    verdict
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
        call(registers(FuncId::SecondaryEpRegister64, [0xe28_4000]), FfaError::Denied);
        call(registers(FuncId::Interrupt32, []), FfaError::Denied);
    }
    verdict
}

//! Every function id of FF-A and of the ranges around it, in both widths and by both conduits, with garbage.

use arm_ffa::{FfaError, FuncId};
use partition::ffa::Registers;

use crate::call::{Conduit, Garbage, attempt};
use crate::verdict::{Verdict, Wanted};

/// The width bit of a function id: 64-bit.
const WIDE: u32 = 1 << 30;

/// Calls them all; `seed` makes the garbage.
pub fn all(seed: u64) -> Verdict {
    let mut verdict = Verdict::default();
    let mut garbage = Garbage(seed);
    for conduit in Conduit::ALL {
        for number in 0x60..=0xff {
            for function in [0x8400_0000 | number, 0x8400_0000 | WIDE | number] {
                try_one(&mut verdict, conduit, function, ffa(function), &mut garbage);
            }
        }
        for function in OTHERS.into_iter().flatten() {
            let wanted = match (conduit, function) {
                (Conduit::Hvc, HF_INTERRUPT_GET) => Wanted::NoInterrupt,
                _ => Wanted::Unknown,
            };
            try_one(&mut verdict, conduit, function, wanted, &mut garbage);
        }
    }
    verdict
}

/// The hypercall of the SPMC that takes an interrupt, by HVC; those that name one are refused for any that is garbage.
const HF_INTERRUPT_GET: u32 = 0xff04;

/// Functions that are not FF-A's (SMCCC 1.2, 6): PSCI, TRNG and the standard services around FF-A; the architecture's,
/// the CPU's, the SiP's, the OEM's, a hypervisor's; those of trusted applications and OSs; yielding calls.
const OTHERS: [core::ops::Range<u32>; 12] = [
    0x8400_0000..0x8400_0020,
    0xc400_0000..0xc400_0020,
    0x8400_0050..0x8400_0060,
    0x8400_0100..0x8400_0120,
    0x8000_0000..0x8000_0004,
    0x8000_7fff..0x8000_8001,
    0x8100_0000..0x8100_0004,
    0x8200_0000..0x8200_0010,
    0xc600_0000..0xc600_0010,
    0x3200_0000..0x3200_0004,
    0xff00..0xff0a,
    0..4,
];

/// What a call of FF-A comes to that is made of garbage while this partition works on a direct request.
fn ffa(function: u32) -> Wanted {
    let code = match FuncId::try_from(function) {
        Ok(FuncId::Version) => return Wanted::NoVersion,
        Ok(FuncId::Interrupt32 | FuncId::MsgWait32 | FuncId::SecondaryEpRegister64) => FfaError::Denied,
        Ok(FuncId::PartitionInfoGetRegs) => FfaError::Retry,
        Ok(
            FuncId::IdGet
            | FuncId::SpmIdGet
            | FuncId::PartitionInfoGet
            | FuncId::RxTxMap32
            | FuncId::RxTxMap64
            | FuncId::RxTxUnmap
            | FuncId::RxRelease
            | FuncId::MsgSendDirectReq32
            | FuncId::MsgSendDirectReq64
            | FuncId::MsgSendDirectReq64_2
            | FuncId::MsgSendDirectResp32
            | FuncId::MsgSendDirectResp64
            | FuncId::MsgSendDirectResp64_2
            | FuncId::Run32
            | FuncId::Yield32
            | FuncId::MsgSend2
            | FuncId::NotificationBind
            | FuncId::NotificationUnbind
            | FuncId::NotificationSet
            | FuncId::NotificationGet
            | FuncId::ConsoleLog32
            | FuncId::ConsoleLog64
            | FuncId::MemDonate32
            | FuncId::MemDonate64
            | FuncId::MemLend32
            | FuncId::MemLend64
            | FuncId::MemShare32
            | FuncId::MemShare64
            | FuncId::MemRetrieveReq32
            | FuncId::MemRetrieveReq64
            | FuncId::MemRelinquish
            | FuncId::MemReclaim
            | FuncId::MemFragRx
            | FuncId::MemFragTx
            | FuncId::MemOpResume,
        ) => FfaError::InvalidParameters,
        _ => FfaError::NotSupported,
    };
    Wanted::Error(code)
}

fn try_one(verdict: &mut Verdict, conduit: Conduit, function: u32, wanted: Wanted, garbage: &mut Garbage) {
    let mut registers: Registers = [0; 18];
    registers.fill_with(|| garbage.next());
    registers[0] = function.into();
    // No endpoint has a number like this, no version, and no list of partitions has a tag.
    registers[1] |= 0xb000_0000;
    registers[3] |= 1 << 16;
    attempt(verdict, conduit, function.into(), &registers, wanted, garbage);
}

//! Indirect messages that are not this partition's to send: every field of the header at and over its limit.

use arm_ffa::{FfaError, FuncId};
use partition::buffers::{Buffers, ENDPOINTS, HEADER, OFFSET, PAGE, SIZE, UUID};
use partition::ffa::registers;
use partition::service::Vcpu;

use crate::call::{Conduit, Garbage, attempt};
use crate::forged::{ECHO, MAILMAN, NOBODY, NORMAL, PATIENT, SPMC};
use crate::verdict::{Verdict, Wanted};

static BUFFERS: Buffers<1> = Buffers::new();

/// Bytes of the payloads.
const LENGTH: usize = 24;

/// Tries them all, by both conduits, with buffers that are mapped meanwhile.
pub fn all(vcpu: &Vcpu) -> Verdict {
    BUFFERS.map(1).expect("buffers are the partition's own memory");
    let own = u64::from(vcpu.endpoint);
    let mut verdict = Verdict::default();
    let mut garbage = Garbage(own);
    for conduit in Conduit::ALL {
        let mut number = 0x300;
        let mut call = |changes: &[(usize, u64)], arguments: [u64; 2], code| {
            number += 1;
            let message = BUFFERS.claim();
            message.address(vcpu.endpoint, MAILMAN as u16, LENGTH);
            changes.iter().for_each(|(offset, word)| message.put(*offset, *word as u32));
            let registers = registers(FuncId::MsgSend2, arguments);
            attempt(&mut verdict, conduit, number, &registers, Wanted::Error(code), &mut garbage);
        };
        let invalid = FfaError::InvalidParameters;
        let (own, none) = (own << 16, [0; 2]);

        // 0x301 to 0x308: in the name of others, to itself, to those who take none.
        for from in [ECHO, NORMAL, SPMC, NOBODY] {
            call(&[(ENDPOINTS, from << 16 | MAILMAN)], none, invalid);
        }
        for to in [own >> 16, SPMC, NOBODY] {
            call(&[(ENDPOINTS, own | to)], none, invalid);
        }
        call(&[(UUID, 0x1234_5678)], none, invalid);
        // 0x309 and 0x30a: to those who take direct messages only.
        for to in [ECHO, PATIENT] {
            call(&[(ENDPOINTS, own | to)], none, FfaError::Denied);
        }
        // 0x30b to 0x314: payloads that begin in the header, or end behind the buffer.
        for (offset, size) in [
            (0, LENGTH),
            (20, LENGTH),
            (HEADER - 1, LENGTH),
            (HEADER, PAGE - HEADER + 1),
            (HEADER, PAGE),
            (PAGE - LENGTH + 1, LENGTH),
            (PAGE, 1),
            (HEADER, 0xffff_ffff),
            (0xffff_fff0, 0x20),
            (0xffff_ffff, 0xffff_ffff),
        ] {
            call(&[(OFFSET, offset as u64), (SIZE, size as u64)], none, invalid);
        }
        // 0x315 to 0x318: for a VM, and with flags that there are not.
        for arguments in [[5 << 16, 0], [1, 0], [0, 1], [0, 4]] {
            call(&[], arguments, invalid);
        }
    }
    BUFFERS.unmap().expect("they are mapped");
    verdict
}

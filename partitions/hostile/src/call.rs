//! Calls by SMC and by HVC with all general registers filled, and garbage to fill them with.

use core::arch::global_asm;

use partition::ffa::Registers;

use crate::verdict::{Verdict, Wanted};

global_asm!(include_str!("call.S"));

/// x0-x30.
type General = [u64; 31];

unsafe extern "C" {
    unsafe fn hostile_smc(before: *const General, after: *mut General);
    unsafe fn hostile_hvc(before: *const General, after: *mut General);
}

/// How a partition calls the SPMC.
#[derive(Clone, Copy)]
pub enum Conduit {
    /// The SMC instruction.
    Smc,
    /// The HVC instruction.
    Hvc,
}

impl Conduit {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Smc, Self::Hvc];
}

/// A generator of garbage (splitmix64).
pub struct Garbage(pub u64);

impl Garbage {
    /// The next word.
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

/// What x8-x30 come to when they do not hold the caller's own values any more.
const LOST: u64 = 0x1057;

/// Makes a call whose x8-x30 are garbage too: it must come to `wanted`, and leave these registers alone.
pub fn attempt(
    verdict: &mut Verdict,
    conduit: Conduit,
    what: u64,
    registers: &Registers,
    wanted: Wanted,
    garbage: &mut Garbage,
) {
    let mut before: General = [0; 31];
    before[..8].copy_from_slice(&registers[..8]);
    before[8..].fill_with(|| garbage.next());
    let mut after = [0; 31];
    // SAFETY: both have 31 words; a call that is refused changes no memory of this partition.
    unsafe {
        match conduit {
            Conduit::Smc => hostile_smc(&before, &mut after),
            Conduit::Hvc => hostile_hvc(&before, &mut after),
        }
    }
    let mut answer = *registers;
    answer.copy_from_slice(&after[..18]);
    verdict.call(what, &answer, wanted);
    for (register, (after, before)) in after[8..].iter().zip(&before[8..]).enumerate() {
        if after != before {
            verdict.judge(what << 8 | (register as u64 + 8), LOST, 0);
        }
    }
}

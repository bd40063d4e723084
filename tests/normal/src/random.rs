//! Numbers that tests fill registers and choose moments with. Each PE has a sequence of its own; all follow from one
//! seed, which is printed and can be given.

use core::sync::atomic::{AtomicU64, Ordering};

use crate::{machine, pe, timer};

/// Where a debugger or loader can put a seed, from the image's first byte on.
const GIVEN: u64 = 0xf0_0008;

/// Where each PE is in its sequence.
static STATES: [AtomicU64; pe::MAX] = [const { AtomicU64::new(0) }; pe::MAX];

/// Begins all sequences; the seed is the one that was given, or new.
pub fn begin() -> u64 {
    // SAFETY: it is aligned memory that nothing else uses.
    let given = unsafe { ((machine::here().normal + GIVEN) as *const u64).read_volatile() };
    let seed = if given == 0 { timer::now().0 } else { given };
    for (pe, state) in STATES.iter().enumerate() {
        state.store(mixed(seed.wrapping_add(pe as u64)), Ordering::Relaxed);
    }
    seed
}

/// The next number of this PE.
pub fn next() -> u64 {
    mixed(STATES[pe::index()].fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed))
}

/// The output function of splitmix64.
fn mixed(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

//! What this run is for: a word in memory that a debugger or loader puts there says so.

/// Where the word is, from the image's first byte on: ordinary memory behind the image.
const PLACE: u64 = 0xf0_0000;
/// "BENCHFNI".
const BENCH: u64 = 0x4245_4e43_4846_4e49;
/// "BENCHTST".
const BENCH_OF_TESTS: u64 = 0x4245_4e43_4854_5354;
/// "ALON" in the upper half; the lower half is a number.
const ALONE: u64 = 0x414c_4f4e;

/// "ONLYECHO".
const ONLY: u64 = 0x4f4e_4c59_4543_484f;

/// "LONGSOAK".
const LONG: u64 = 0x4c4f_4e47_534f_414b;

/// "MEMO" in the upper half; the lower half is a number, or all ones.
const MEMORY: u64 = 0x4d45_4d4f;

/// "BENCHMEM".
const BENCH_OF_MEMORY: u64 = 0x4245_4e43_484d_454d;

use crate::machine;

/// What is to be done.
pub enum Request {
    /// All scenarios that leave a working machine behind, one after the other.
    Scenarios,
    /// The one scenario of this number, of those that need a machine of their own.
    Alone(usize),
    /// What there is to try where the manifests have one partition only, with echo's image.
    Only,
    /// The soaks, for long.
    Long,
    /// The scenarios of memory transactions, with partitions of their own; or the one of this number that needs a machine
    /// of its own.
    Memory(Option<usize>),
    /// The calls of the bench that need no partitions but the product's.
    Bench,
    /// The others.
    BenchOfTests,
    /// Those about memory.
    BenchOfMemory,
}

/// Reads the word.
pub fn read() -> Request {
    // SAFETY: it is aligned memory that nothing else uses.
    match unsafe { ((machine::here().normal + PLACE) as *const u64).read_volatile() } {
        BENCH => Request::Bench,
        BENCH_OF_MEMORY => Request::BenchOfMemory,
        BENCH_OF_TESTS => Request::BenchOfTests,
        ONLY => Request::Only,
        LONG => Request::Long,
        word if word >> 32 == MEMORY => Request::Memory(
            Some(word as u32).filter(|number| *number != u32::MAX).map(|number| number as usize),
        ),
        word if word >> 32 == ALONE => Request::Alone(word as u32 as usize),
        _ => Request::Scenarios,
    }
}

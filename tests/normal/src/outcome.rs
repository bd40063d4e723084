//! How a test ends.

use core::fmt;

use crate::pe;

/// What was not as it must be.
#[derive(Clone, Copy, Debug)]
pub struct Failure {
    /// The PE that looked.
    pe: usize,
    /// What was looked at.
    what: &'static str,
    /// What it was.
    got: u64,
    /// What it must be.
    wanted: u64,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PE {}: {}: {:#x}, not {:#x}", self.pe, self.what, self.got, self.wanted)
    }
}

/// A test's end.
pub type Outcome = Result<(), Failure>;

/// The test has failed.
pub fn fail(what: &'static str, got: u64, wanted: u64) -> Outcome {
    Err(Failure { pe: pe::index(), what, got, wanted })
}

/// Looks at one value.
pub fn expect(what: &'static str, got: u64, wanted: u64) -> Outcome {
    if got == wanted { Ok(()) } else { fail(what, got, wanted) }
}

//! How a test ends.

use core::fmt;

/// What was not as it must be.
#[derive(Clone, Copy, Debug)]
pub struct Failure {
    /// What was looked at.
    pub what: &'static str,
    /// What it was.
    pub got: u64,
    /// What it must be.
    pub wanted: u64,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {:#x}, not {:#x}", self.what, self.got, self.wanted)
    }
}

/// A test's end.
pub type Outcome = Result<(), Failure>;

/// Looks at one value.
pub fn expect(what: &'static str, got: u64, wanted: u64) -> Outcome {
    if got == wanted { Ok(()) } else { Err(Failure { what, got, wanted }) }
}

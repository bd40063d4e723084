//! The FF-A version that one endpoint negotiated (FF-A 1.2, 13.2).

use crate::sync::{AtomicU32, Ordering};

/// Set once the endpoint has made another call than FFA_VERSION: from then on the version stays.
const LOCKED: u32 = 1 << 31;

/// A version, and whether it can still change.
#[derive(Debug)]
pub struct Negotiation(AtomicU32);

impl Negotiation {
    /// The version that holds until the endpoint asks for another one.
    #[must_use]
    pub fn new(version: u32) -> Self {
        Self(AtomicU32::new(version & !LOCKED))
    }

    /// The version now: major in bits 30:16, minor in bits 15:0.
    #[must_use]
    pub fn get(&self) -> u32 {
        self.0.load(Ordering::Relaxed) & !LOCKED
    }

    /// The endpoint calls by this version: it stays from now on if `locks` says that the call is one for it.
    /// Returns the version.
    #[inline]
    pub fn used(&self, locks: impl FnOnce() -> bool) -> u32 {
        let word = self.0.load(Ordering::Relaxed);
        if word & LOCKED == 0 && locks() {
            return self.0.fetch_or(LOCKED, Ordering::Relaxed) & !LOCKED;
        }
        word & !LOCKED
    }

    /// The endpoint asks for `version`. Whether it has it now: a version that is locked does not change.
    #[must_use]
    pub fn negotiate(&self, version: u32) -> bool {
        self.0
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |word| {
                (word & LOCKED == 0 || word & !LOCKED == version).then_some(word & LOCKED | version)
            })
            .is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_locked_by_the_first_other_call() {
        let version = Negotiation::new(0x1_0000);
        assert_eq!(version.used(|| false), 0x1_0000);
        assert!(version.negotiate(0x1_0001) && version.negotiate(0x1_0002));
        assert_eq!(version.used(|| true), 0x1_0002);
        assert!(!version.negotiate(0x1_0001));
        assert_eq!(version.get(), 0x1_0002);
        assert!(version.negotiate(0x1_0002), "asking for the same again is no change");
        assert!(!version.negotiate(0x1_0000), "it is still locked");
    }
}

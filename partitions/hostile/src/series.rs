//! Attempts in a row by one conduit, some of which are about a descriptor in the TX buffer.

use arm_ffa::{FfaError, FuncId};
use partition::buffers::{Buffers, PAGE, Pages};
use partition::ffa::registers;
use partition::memory::{self, Descriptor, Kind, NORMAL_MEMORY};

use crate::call::{Conduit, Garbage, attempt};
use crate::forged::{ECHO, PATIENT};
use crate::verdict::{Verdict, Wanted};

/// The codes of most refusals.
pub const INVALID: FfaError = FfaError::InvalidParameters;
/// See [`INVALID`].
pub const DENIED: FfaError = FfaError::Denied;

/// A partition that can be sent memory, and another one.
pub const TO: u16 = ECHO as u16;
/// See [`TO`].
pub const OTHER: u16 = PATIENT as u16;

/// What attempts about memory are made with: a page for each buffer.
pub static BUFFERS: Buffers<1> = Buffers::new();
/// How many pages there are that nothing else is in.
pub const SPARES: usize = 4;
/// These pages, which the partition sends, or tries to.
pub static SPARE: Pages<SPARES> = Pages::new();

/// The address of a spare page.
pub fn spare(page: usize) -> u64 {
    SPARE.address() + (page * PAGE) as u64
}

/// The series.
pub struct Series {
    /// Who makes it.
    pub own: u16,
    /// What came of it.
    pub verdict: Verdict,
    conduit: Conduit,
    garbage: Garbage,
    number: u64,
}

impl Series {
    /// One in which nothing was tried yet.
    pub fn new(own: u16, conduit: Conduit) -> Self {
        let verdict = Verdict::default();
        Self { own, verdict, conduit, garbage: Garbage(own.into()), number: 0 }
    }

    /// The attempts from here on have the numbers from `first` on.
    pub const fn chapter(&mut self, first: u64) {
        self.number = first;
    }

    /// A call that must be refused with this code.
    pub fn call<const N: usize>(&mut self, function: FuncId, arguments: [u64; N], code: FfaError) {
        let registers = registers(function, arguments);
        let Self { verdict, conduit, garbage, number, .. } = self;
        attempt(verdict, *conduit, *number, &registers, Wanted::Error(code), garbage);
        self.number += 1;
    }

    /// The same about a descriptor in TX, in which words of four bytes are changed.
    pub fn describe(
        &mut self,
        function: FuncId,
        descriptor: &Descriptor<'_>,
        changes: &[(u64, u32)],
        code: FfaError,
    ) {
        let tx = BUFFERS.claim();
        let length = descriptor.write(|at, word| tx.fill(at, &[word]));
        changes.iter().for_each(|(at, word)| tx.put(*at as usize, *word));
        self.call(function, [length, length], code);
    }

    /// The same about ranges that are sent to `to`, of which everything else is as it may be.
    pub fn send(&mut self, kind: Kind, to: u16, ranges: &[(u64, u64)], code: FfaError) {
        let receivers = [(to, kind.permissions())];
        self.describe(kind.function(), &self.sound(kind, &receivers, ranges), &[], code);
    }

    /// What a sender may say of ranges, if they are its own, to these receivers.
    pub fn sound<'a>(
        &self,
        kind: Kind,
        receivers: &'a [(u16, u8)],
        ranges: &'a [(u64, u64)],
    ) -> Descriptor<'a> {
        let attributes = if receivers.len() > 1 { NORMAL_MEMORY } else { kind.attributes() };
        Descriptor { sender: self.own, attributes, flags: 0, handle: 0, receivers, ranges }
    }

    /// What the descriptor says must be sent, and can be had back.
    pub fn admit(&mut self, kind: Kind, descriptor: &Descriptor<'_>) {
        if let Some(handle) = self.done(memory::offer(&BUFFERS, kind, descriptor)) {
            self.done(memory::reclaim(handle, 0));
        }
    }

    /// Something that is allowed, and must have been done.
    pub fn done<T>(&mut self, end: Result<T, FfaError>) -> Option<T> {
        let code = end.as_ref().err().map_or(0, |error| u64::from(i32::from(*error) as u32));
        self.verdict.judge(self.number, code, 0);
        self.number += 1;
        end.ok()
    }
}

//! What came of the attempts.

use arm_ffa::{FfaError, FuncId};
use partition::demo::results;
use partition::ffa::Registers;
use partition::println;
use partition::service::Words;

/// What an attempt must come to.
#[derive(Clone, Copy)]
pub enum Wanted {
    /// FFA_ERROR with this code, and nothing else in x0-x7.
    Error(FfaError),
    /// -1 in w0, as FFA_VERSION answers.
    NoVersion,
    /// -1 in x0, as an SMC or HVC that nobody knows answers (SMCCC 1.2, 5.2), and a refused hypercall of the SPMC.
    Unknown,
    /// 0xffffffff in x0, as HF_INTERRUPT_GET answers when nothing pends.
    NoInterrupt,
}

/// An error code, among other outcomes: x0 of FFA_ERROR above it.
fn error(code: u32) -> u64 {
    u64::from(u32::from(FuncId::Error32)) << 32 | u64::from(code)
}

impl Wanted {
    fn outcome(self) -> u64 {
        match self {
            Self::Error(code) => error(i32::from(code) as u32),
            Self::NoVersion | Self::NoInterrupt => 0xffff_ffff,
            Self::Unknown => u64::MAX,
        }
    }
}

/// What a call came to: x0, or FFA_ERROR and its code.
fn outcome(answer: &Registers) -> u64 {
    let [x0, x1, x2, rest @ ..] = answer;
    let is_error = *x0 == u64::from(u32::from(FuncId::Error32));
    if is_error && x1 | rest[..5].iter().fold(0, |all, x| all | x) == 0 { error(*x2 as u32) } else { *x0 }
}

/// How many attempts were made, how many came to something else than they must, and the first of these.
#[derive(Default)]
pub struct Verdict {
    made: u64,
    wrong: u64,
    first: (u64, u64),
}

impl Verdict {
    /// Judges the call `what`.
    pub fn call(&mut self, what: u64, answer: &Registers, wanted: Wanted) {
        self.judge(what, outcome(answer), wanted.outcome());
    }

    /// Judges an attempt by one value.
    pub fn judge(&mut self, what: u64, got: u64, wanted: u64) {
        self.made += 1;
        if got == wanted {
            return;
        }
        println!("attempt {what:#x} came to {got:#x}, not {wanted:#x}");
        if self.wrong == 0 {
            self.first = (what, got);
        }
        self.wrong += 1;
    }

    /// As the words of an answer.
    pub fn words(&self) -> Words {
        results([self.made, self.wrong, self.first.0, self.first.1])
    }
}

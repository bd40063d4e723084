//! The commands that our partitions have in common.
//!
//! Word 0 of a request is the command, word 0 of the answer 0 or an FF-A error code; the other words are arguments
//! and results.

use core::arch::{asm, global_asm};

use arm_ffa::{FfaError, FuncId};

use crate::ffa::{self, Notifications};
use crate::service::{self, Form, Request, Vcpu, Words};

/// "ECHO": every word comes back with all its bits inverted.
pub const ECHO: u64 = 0x4543_484f;
/// "SPIN": counts down from word 1 and gives it back.
pub const SPIN: u64 = 0x5350_494e;
/// "YIEL": gives its cycles away once, for word 1 nanoseconds.
pub const YIELD: u64 = 0x5949_454c;
/// "SCRB": writes over every register it can, holds that while it counts down from word 1; gives how many it wrote, and
/// how many did not hold their value to the end.
pub const SCRIBBLE: u64 = 0x5343_5242;
/// "HOLD": writes word 1 to registers, waits for an interrupt, and gives how many do not hold it any more.
pub const HOLD: u64 = 0x484f_4c44;
/// "PEEK": reads the 8 bytes at address word 1.
pub const PEEK: u64 = 0x5045_454b;
/// "WHO?": endpoint id, vCPU and how many requests this vCPU has served.
pub const WHO: u64 = 0x5748_4f3f;
/// "CALL": makes the call whose x0-x7 are in words 1-8, and gives the x0-x7 that came of it.
pub const CALL: u64 = 0x4341_4c4c;
/// "ASK!": sends the words from word 2 on to the partition of word 1, and gives its answer.
pub const ASK: u64 = 0x4153_4b21;
/// "FORS": asks the partition of word 1 for the command of word 2 with the argument in word 3, and when that is
/// interrupted or yields, reads the 8 bytes at word 4 instead of running it on.
pub const FORSAKE: u64 = 0x464f_5253;
/// "BENC": word 1 says what to do word 3 times: 0 FFA_ID_GET, 1 a 32-bit ECHO to the partition of word 2, 2
/// FFA_NOTIFICATION_GET.
pub const BENCH: u64 = 0x4245_4e43;

global_asm!(include_str!("scribble.S"));

/// What `demo_scribble` leaves in x0 and x1.
#[repr(C)]
struct Scribbled {
    written: u64,
    lost: u64,
}

unsafe extern "C" {
    /// Writes over the registers and counts down from `iterations` (at least 1).
    safe fn demo_scribble(iterations: u64) -> Scribbled;
    /// See scribble.S.
    safe fn demo_hold(pattern: u64) -> u64;
}

/// What one vCPU remembers.
#[derive(Default)]
pub struct Demo {
    served: u64,
}

impl Demo {
    /// Answers a request with one of the common commands.
    pub fn answer(&mut self, vcpu: &Vcpu, request: &Request) -> Words {
        self.served = self.served.wrapping_add(1);
        let [command, first, second, third, ..] = request.words;
        let results = match command {
            ECHO => Ok(request.words.map(|word| !word)),
            SPIN => {
                spin(first);
                Ok(results([first]))
            }
            YIELD => {
                ffa::yield_cycles(first);
                Ok(results([1]))
            }
            SCRIBBLE => {
                let Scribbled { written, lost } = demo_scribble(first.max(1));
                Ok(results([written, lost]))
            }
            HOLD => Ok(results([demo_hold(first)])),
            PEEK => Ok(results([peek(first)])),
            WHO => Ok(results([vcpu.endpoint.into(), vcpu.index.into(), self.served])),
            CALL => Ok(call(&request.words)),
            ASK => ask(vcpu, request),
            FORSAKE => forsake(vcpu, &request.words),
            BENCH => bench(vcpu, first, second as u16, third).map(|()| results([first, second, third])),
            _ => Err(FfaError::InvalidParameters),
        };
        answer(results)
    }
}

/// The words of an answer: `values` behind word 0.
#[must_use]
pub fn results<const N: usize>(values: [u64; N]) -> Words {
    let mut words = [0; 14];
    words[1..=N].copy_from_slice(&values);
    words
}

/// An answer with its status in word 0.
#[must_use]
pub fn answer(results: Result<Words, FfaError>) -> Words {
    match results {
        Ok([_, values @ ..]) => {
            let mut words = [0; 14];
            words[1..].copy_from_slice(&values);
            words
        }
        Err(error) => {
            let mut words = [0; 14];
            words[0] = u64::from(i32::from(error) as u32);
            words
        }
    }
}

fn call(words: &Words) -> Words {
    let mut registers = [0; 18];
    registers[..8].copy_from_slice(&words[1..9]);
    let answer = ffa::call(registers);
    let mut words = [0; 14];
    words[1..9].copy_from_slice(&answer[..8]);
    words
}

fn ask(vcpu: &Vcpu, request: &Request) -> Result<Words, FfaError> {
    let mut words = [0; 14];
    words[..12].copy_from_slice(&request.words[2..]);
    let answer = service::send(request.form, vcpu.endpoint, request.words[1] as u16, &words)?;
    match answer[0] as u32 as i32 {
        0 => Ok(answer),
        code => Err(FfaError::try_from(code).unwrap_or(FfaError::Aborted)),
    }
}

fn forsake(vcpu: &Vcpu, words: &Words) -> Result<Words, FfaError> {
    let [_, target, command, argument, address, ..] = *words;
    let endpoints = u64::from(vcpu.endpoint) << 16 | target;
    let request = ffa::registers(FuncId::MsgSendDirectReq64, [endpoints, 0, command, argument]);
    let answer = ffa::checked(ffa::call(request))?;
    match ffa::function(&answer) {
        Some(FuncId::Interrupt32 | FuncId::Yield32) => Ok(results([peek(address)])),
        _ => Err(FfaError::Retry),
    }
}

fn spin(iterations: u64) {
    // SAFETY: counts a register down to zero and touches nothing else.
    unsafe {
        asm!("1: cbz {n}, 2f", "sub {n}, {n}, #1", "b 1b", "2:", n = inout(reg) iterations => _,
            options(nomem, nostack));
    }
}

fn peek(address: u64) -> u64 {
    let value;
    // SAFETY: a load changes nothing; stage 2 judges the address.
    unsafe { asm!("ldr {}, [{}]", out(reg) value, in(reg) address, options(readonly, nostack)) };
    value
}

fn bench(vcpu: &Vcpu, what: u64, target: u16, count: u64) -> Result<(), FfaError> {
    let mut words = [0; 14];
    words[0] = ECHO;
    for _ in 0..count {
        match what {
            0 => ffa::id_get().map(drop)?,
            2 => ffa::notification_get(vcpu.endpoint, vcpu.index, Notifications::ALL).map(drop)?,
            1 => service::send(Form::Direct32, vcpu.endpoint, target, &words).map(drop)?,
            _ => return Err(FfaError::InvalidParameters),
        }
    }
    Ok(())
}

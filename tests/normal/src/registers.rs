//! All that the Normal world has in registers: filled, and looked at after a call.

use core::arch::global_asm;

use spin::mutex::SpinMutex;

use crate::ffa::Registers;
use crate::outcome::{Failure, Outcome, expect, fail};
use crate::{pe, random, system, timer};

global_asm!(include_str!("state.S"));

/// The longest vector that the architecture has, in bytes.
const LONGEST: usize = 256;

unsafe extern "C" {
    unsafe fn simd_load(from: *const u8);
    unsafe fn simd_store(to: *mut u8);
    unsafe fn sve_load(vectors: *const u8, predicates: *const u8);
    unsafe fn sve_store(vectors: *mut u8, predicates: *mut u8);
    unsafe fn streaming_load(vectors: *const u8, predicates: *const u8);
    unsafe fn streaming_store(vectors: *mut u8, predicates: *mut u8);
    unsafe fn za_load(from: *const u8);
    unsafe fn za_store(to: *mut u8);
    unsafe fn za_off();
    unsafe fn sve_length() -> usize;
    unsafe fn sme_length() -> usize;
    unsafe fn smc_filled(before: *const General, after: *mut General);
}

/// x0-x30.
type General = [u64; 31];

/// Vector state, at any length.
#[repr(C, align(16))]
struct Vectors {
    z: [u8; 32 * LONGEST],
    p: [u8; 17 * LONGEST / 8],
    za: [u8; LONGEST * LONGEST],
}

impl Vectors {
    const ZERO: Self = Self { z: [0; 32 * LONGEST], p: [0; 17 * LONGEST / 8], za: [0; LONGEST * LONGEST] };

    fn fill(&mut self) {
        let mut value = random::next();
        for part in [&mut self.z[..], &mut self.p[..], &mut self.za[..]] {
            for bytes in part.chunks_mut(8) {
                // A full-period generator: no two of these are equal (Knuth's MMIX constants).
                value = value.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                bytes.copy_from_slice(&value.to_le_bytes()[..bytes.len()]);
            }
        }
        // FFR holds no arbitrary value (Arm ARM, FFR): the first lanes are true.
        let length = lengths().0 / 8;
        let ffr = &mut self.p[16 * length..17 * length];
        ffr.fill(0);
        ffr[0] = 0x7f;
    }

    fn load(&self, streaming: bool) {
        // SAFETY: the buffers have the size of the longest vectors; compiled code uses none of these registers.
        unsafe {
            if streaming {
                streaming_load(self.z.as_ptr(), self.p.as_ptr());
            } else if system::sve() {
                sve_load(self.z.as_ptr(), self.p.as_ptr());
            } else {
                simd_load(self.z.as_ptr());
            }
            if system::sme() {
                za_load(self.za.as_ptr());
            }
        }
    }

    fn store(&mut self, streaming: bool) {
        // SAFETY: as in `load`.
        unsafe {
            if streaming {
                streaming_store(self.z.as_mut_ptr(), self.p.as_mut_ptr());
            } else if system::sve() {
                sve_store(self.z.as_mut_ptr(), self.p.as_mut_ptr());
            } else {
                simd_store(self.z.as_mut_ptr());
            }
            if system::sme() {
                za_store(self.za.as_mut_ptr());
            }
        }
    }

    fn expect_same(&self, before: &Self, streaming: bool) -> Outcome {
        let (vector, matrix) = lengths();
        if streaming {
            same("streaming z register", &before.z[..32 * matrix], &self.z)?;
            same("streaming predicate", &before.p[..16 * matrix / 8], &self.p)?;
        } else {
            same("z or v register", &before.z[..32 * vector], &self.z)?;
            if system::sve() {
                same("predicate or ffr", &before.p[..17 * vector / 8], &self.p)?;
            }
        }
        same("za", &before.za[..matrix * matrix], &self.za)
    }
}

fn same(what: &'static str, before: &[u8], after: &[u8]) -> Outcome {
    match before.iter().zip(after).position(|(before, after)| before != after) {
        None => Ok(()),
        // The place of the first byte that differs, and how far it should have come.
        Some(place) => fail(what, place as u64, before.len() as u64),
    }
}

/// Bytes of a vector, and of a streaming vector (0 without SME).
fn lengths() -> (usize, usize) {
    // SAFETY: reads the lengths where the instructions exist.
    unsafe { (if system::sve() { sve_length() } else { 16 }, if system::sme() { sme_length() } else { 0 }) }
}

static VECTORS: [SpinMutex<[Vectors; 2]>; pe::MAX] =
    [const { SpinMutex::new([const { Vectors::ZERO }; 2]) }; pe::MAX];

/// Makes a call with everything filled that the call does not define, and looks at it afterwards: x8-x30 (where
/// `extended` says that x8-x17 are results, x18-x30), the system registers, the vectors, in `streaming` mode or not. The
/// timer's interrupt pends so many microseconds after the call, if `alarm` says so.
pub fn call_filled(
    registers: &Registers,
    extended: bool,
    streaming: bool,
    alarm: Option<u64>,
) -> Result<Registers, Failure> {
    let mut before: General = [0; 31];
    before[..18].copy_from_slice(registers);
    let kept = if extended { 18 } else { 8 };
    for register in &mut before[kept..] {
        *register = random::next();
    }
    let mut after: General = [0; 31];

    let mut vectors = VECTORS[pe::index()].lock();
    let [filled, found] = &mut *vectors;
    system::longest_vectors();
    filled.fill();
    filled.load(streaming);
    // Not before, as the partition is to get on as well.
    if let Some(microseconds) = alarm {
        timer::arm(microseconds);
    }
    let held = system::fill();
    // SAFETY: both have 31 words; the call changes no memory of this image.
    unsafe { smc_filled(&before, &mut after) };
    system::expect_held(&held)?;
    system::expect_za_on(streaming)?;
    found.store(streaming);
    if system::sme() {
        // SAFETY: turns ZA off, which compiled code does not use.
        unsafe { za_off() };
    }
    for (after, before) in after[kept..].iter().zip(&before[kept..]) {
        expect("a register of x8-x30", *after, *before)?;
    }
    found.expect_same(filled, streaming)?;
    let mut results = [0; 18];
    results.copy_from_slice(&after[..18]);
    Ok(results)
}

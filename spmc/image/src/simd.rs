//! FP, SIMD, SVE and SME: trapped on a partition's first use in each visit, given back at the visit's end (D3).
//!
//! A partition has FP and SIMD alone. Of the Normal world it can change the Z registers (writing a V register zeroes
//! the rest of its Z), FPCR and FPSR; P, FFR, ZA and ZT0 stay in place, because SVE and SME trap. Only where the Normal
//! world is in streaming mode, P and FFR are saved too: leaving that mode zeroes them.
#![expect(unsafe_code, reason = "calls the routines of simd.S on areas of the size they need")]

use crate::context::Vectors;
use crate::features::Features;
use crate::sysregs;

unsafe extern "C" {
    fn save_vectors(set: *mut Vectors);
    fn load_vectors(set: *const Vectors);
    fn vector_length() -> u64;
    fn streaming_vector_length() -> u64;
    fn save_z(to: *mut u8);
    fn load_z(from: *const u8);
    fn save_p(to: *mut u8);
    fn load_p(from: *const u8);
    fn save_ffr(to: *mut u8);
    fn load_ffr(from: *const u8);
    fn leave_streaming();
    fn enter_streaming();
}

/// The longest vector of the architecture, in bytes.
const MAX_LENGTH: usize = 256;
/// ZCR_EL2.LEN and SMCR_EL2.LEN: as long as EL3 allows.
const LONGEST: u64 = 0xf;
/// SMCR_EL2.FA64.
const FA64: u64 = 1 << 31;
/// SVCR.SM.
const STREAMING: u64 = 1;

/// Z, P and FFR at the greatest length.
#[repr(C, align(16))]
struct Scalable {
    z: [u8; 32 * MAX_LENGTH],
    p: [u8; 16 * MAX_LENGTH / 8],
    ffr: [u8; MAX_LENGTH / 8],
}

/// Whose values the FP registers of this PE hold.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Holder {
    /// The Normal world's; a partition's first use traps.
    Normal,
    /// Nobody's: the Normal world's are saved here, those of the partition that used them last are saved in its
    /// context; the next use traps.
    Nobody,
    /// Those of the partition that runs; nothing traps but SVE and SME.
    Partition,
}

/// The Normal world's registers of one PE while partitions use theirs.
pub struct NormalSimd {
    holder: Holder,
    streaming: bool,
    sve: bool,
    sme: bool,
    fa64: bool,
    vectors: Vectors,
    scalable: Scalable,
}

impl NormalSimd {
    /// The Normal world's registers are in the PE.
    #[must_use]
    pub fn new(features: &Features) -> Self {
        Self {
            holder: Holder::Normal,
            streaming: false,
            sve: features.sve,
            sme: features.sme,
            fa64: features.sme_fa64,
            vectors: Vectors::default(),
            scalable: Scalable {
                z: [0; 32 * MAX_LENGTH],
                p: [0; 16 * MAX_LENGTH / 8],
                ffr: [0; MAX_LENGTH / 8],
            },
        }
    }

    /// The PE came on: the Normal world's registers are in it.
    pub fn reset(&mut self) {
        self.holder = Holder::Normal;
    }

    /// Opens everything the CPU has to EL2.
    fn open(&self) {
        let sve = if self.sve { sysregs::CPTR_SVE } else { 0 };
        let sme = if self.sme { sysregs::CPTR_SME } else { 0 };
        sysregs::set_cptr(sysregs::CPTR | sysregs::CPTR_FP | sve | sme);
        sysregs::isb();
    }

    /// The partition that runs touched FP for the first time in this visit: gives it its registers.
    /// False if it has them already: then it was something else.
    #[must_use]
    pub fn claim(&mut self, vectors: &Vectors) -> bool {
        match self.holder {
            Holder::Partition => return false,
            Holder::Normal => {
                self.open();
                self.save_normal();
            }
            Holder::Nobody => {
                sysregs::set_cptr(sysregs::CPTR | sysregs::CPTR_FP);
                sysregs::isb();
            }
        }
        // SAFETY: FP is open to EL2; the context is the one that runs.
        unsafe { load_vectors(vectors) };
        sysregs::set_cptr(sysregs::CPTR | sysregs::CPTR_FP);
        self.holder = Holder::Partition;
        true
    }

    /// The partition that ran leaves the PE.
    #[inline(always)]
    pub fn leave(&mut self, vectors: &mut Vectors) {
        if self.holder == Holder::Partition {
            // SAFETY: FP is open since `claim`; the context is the one that ran.
            unsafe { save_vectors(vectors) };
            sysregs::set_cptr(sysregs::CPTR);
            self.holder = Holder::Nobody;
        }
    }

    /// The PE goes to the Normal world.
    #[inline(always)]
    pub fn restore_normal(&mut self) {
        if self.holder == Holder::Nobody {
            self.load_normal();
            self.holder = Holder::Normal;
        }
    }

    /// SMCR_EL2 for saving and loading: its other bits as they are.
    fn longest_streaming(&self, smcr: u64) -> u64 {
        smcr | LONGEST | if self.fa64 { FA64 } else { 0 }
    }

    fn save_normal(&mut self) {
        self.streaming = self.sme && sysregs::svcr() & STREAMING != 0;
        // SAFETY: everything is open. The first routine saves FPCR and FPSR besides the low parts. The others write at
        // most `MAX_LENGTH` bytes for each register, the greatest length of the architecture.
        unsafe {
            save_vectors(&raw mut self.vectors);
            if self.streaming {
                let smcr = sysregs::smcr();
                sysregs::set_smcr(self.longest_streaming(smcr));
                sysregs::isb();
                self.save_scalable(self.fa64);
                sysregs::set_smcr(smcr);
                leave_streaming();
            } else if self.sve {
                let zcr = sysregs::zcr();
                sysregs::set_zcr(zcr | LONGEST);
                sysregs::isb();
                save_z(self.scalable.z.as_mut_ptr());
                sysregs::set_zcr(zcr);
            }
        }
    }

    fn load_normal(&mut self) {
        self.open();
        // SAFETY: as in `save_normal`; the lengths are the same, because EL3's limits do not change.
        unsafe {
            load_vectors(&raw const self.vectors);
            if self.streaming {
                let smcr = sysregs::smcr();
                enter_streaming();
                sysregs::set_smcr(self.longest_streaming(smcr));
                sysregs::isb();
                self.load_scalable(self.fa64);
                sysregs::set_smcr(smcr);
                // Entering the mode has changed FPSR.
                sysregs::set_fpsr(self.vectors.fpsr());
            } else if self.sve {
                let zcr = sysregs::zcr();
                sysregs::set_zcr(zcr | LONGEST);
                sysregs::isb();
                load_z(self.scalable.z.as_ptr());
                sysregs::set_zcr(zcr);
            }
        }
        sysregs::set_cptr(sysregs::CPTR);
    }

    /// # Safety
    /// The PE is in streaming mode, and SVE's instructions that routine uses are open.
    unsafe fn save_scalable(&mut self, ffr: bool) {
        // SAFETY: the caller's promise; the areas have room for the greatest length.
        unsafe {
            save_z(self.scalable.z.as_mut_ptr());
            save_p(self.scalable.p.as_mut_ptr());
            if ffr {
                save_ffr(self.scalable.ffr.as_mut_ptr());
            }
        }
    }

    /// # Safety
    /// As for `save_scalable`.
    unsafe fn load_scalable(&self, ffr: bool) {
        // SAFETY: the caller's promise; FFR goes first, because its routine uses a P register.
        unsafe {
            if ffr {
                load_ffr(self.scalable.ffr.as_ptr());
            }
            load_z(self.scalable.z.as_ptr());
            load_p(self.scalable.p.as_ptr());
        }
    }
}

/// The greatest lengths in bytes outside and in streaming mode, 0 where the CPU has no such thing: for the boot log.
#[must_use]
pub fn lengths(features: &Features) -> (u64, u64) {
    let mut found = (0, 0);
    let sve = if features.sve { sysregs::CPTR_SVE } else { 0 };
    let sme = if features.sme { sysregs::CPTR_SME } else { 0 };
    sysregs::set_cptr(sysregs::CPTR | sysregs::CPTR_FP | sve | sme);
    sysregs::isb();
    // SAFETY: reads a length that the CPU has; the lengths chosen before are put back.
    unsafe {
        if features.sve {
            let zcr = sysregs::zcr();
            sysregs::set_zcr(zcr | LONGEST);
            sysregs::isb();
            found.0 = vector_length();
            sysregs::set_zcr(zcr);
        }
        if features.sme {
            let smcr = sysregs::smcr();
            sysregs::set_smcr(smcr | LONGEST);
            sysregs::isb();
            found.1 = streaming_vector_length();
            sysregs::set_smcr(smcr);
        }
    }
    sysregs::set_cptr(sysregs::CPTR);
    sysregs::isb();
    found
}

//! What is kept of an execution context, and of the Normal world, while it is away from its PE.
//!
//! The assembler files address these structures by the offsets that are asserted here.

use core::cell::UnsafeCell;
use core::mem::offset_of;

use manager::endpoint::VcpuId;
use manager::exit::{Frame, Lines};
use manager::spmc::{self, Roots, Translation};

use crate::features::Features;
use crate::{sysregs, tlb};

/// SPSR of a context from reset: EL1 with its own stack pointer, all interrupts masked.
const RESET_SPSR: u64 = 0x3c5;
/// SPSR of a context at S-EL0 from reset: EL0, debug exceptions masked. Under TGE its masks would hold interrupts off, which
/// it cannot change itself (SCTLR_EL2.UMA is 0).
const RESET_SPSR_EL0: u64 = 0x200;
/// SPSR_EL2.BTYPE.
const SPSR_BTYPE: u64 = 3 << 10;
/// SCTLR_EL1 from reset, with the bits set that mean "as before the feature existed" (LSMAOE, nTLSMD, SPAN, EIS,
/// TSCXT, EOS).
const RESET_SCTLR: u64 = 0x30d0_0800;

/// General registers that the frame does not carry.
#[repr(C)]
#[derive(Default)]
pub struct General {
    /// x18 to x30.
    pub x18: [u64; 13],
    /// 1 of a context at S-EL0, else 0.
    is_el0: u64,
    /// ELR_EL2.
    pub elr: u64,
    /// SPSR_EL2.
    pub spsr: u64,
}

/// The EL1 and EL0 system registers, in the order of state.S.
#[repr(C)]
#[derive(Default)]
pub struct El1 {
    /// SCTLR_EL1.
    pub sctlr: u64,
    tcr: u64,
    /// TTBR0_EL1 and TTBR1_EL1; what a context at S-EL0 has in those of EL2 (see trampoline.S).
    tables: [u64; 2],
    others: [u64; 20],
}

/// V0-V31, FPCR and FPSR, in the order of simd.S.
#[repr(C, align(16))]
#[derive(Default)]
pub struct Vectors {
    v: [u128; 32],
    fpcr: u64,
    fpsr: u64,
}

impl Vectors {
    /// FPSR.
    #[must_use]
    pub fn fpsr(&self) -> u64 {
        self.fpsr
    }
}

/// Pointer authentication keys: low and high half of APIA, APIB, APDA, APDB, APGA.
pub type Keys = [u64; 10];
/// Memory tagging: GCR, RGSR, TFSR, TFSRE0.
pub type Tags = [u64; 4];
/// The virtual timer: CNTV_CTL, CNTV_CVAL.
pub type VirtualTimer = [u64; 2];

/// Registers that both an execution context and the Normal world have.
#[repr(C, align(16))]
#[derive(Default)]
pub struct Banked {
    /// The EL1 set.
    pub el1: El1,
    /// x8-x17.
    pub high: [u64; 10],
    /// PAuth keys.
    pub keys: Keys,
    /// MTE.
    pub tags: Tags,
    /// The virtual timer, where it cannot be trapped.
    pub virtual_timer: VirtualTimer,
}

/// What the MMU and the identification registers show to a context, and what traps.
pub struct View {
    /// VTTBR_EL2: VMID and the non-secure IPA space.
    pub vttbr: u64,
    /// VSTTBR_EL2: the secure IPA space.
    pub vsttbr: u64,
    /// VMPIDR_EL2.
    pub vmpidr: u64,
    /// HCR_EL2 from reset.
    hcr: u64,
    /// TTBR0_EL2 and TTBR1_EL2, of a context at S-EL0; 0 of one at S-EL1.
    tables: [u64; 2],
}

impl View {
    fn new(id: VcpuId, view: spmc::View, features: &Features, trampoline: u64) -> Self {
        // Affinity 0 is the context's number; bit 31 is RES1.
        let vmpidr = 1 << 31 | u64::from(id.index());
        match view.translation {
            Translation::Stage2 { secure, normal, vmid } => {
                let root = |roots: Roots| if features.has_level_0() { roots.level_0 } else { roots.level_1 };
                Self {
                    vttbr: root(normal) | u64::from(vmid & features.vmid_mask) << 48,
                    vsttbr: root(secure),
                    vmpidr,
                    hcr: sysregs::HCR | if view.idles { sysregs::HCR_TWI } else { 0 },
                    tables: [0; 2],
                }
            }
            Translation::Stage1 { root, asid } => Self {
                // There is no stage 2, and no VMID.
                vttbr: tlb::empty(),
                vsttbr: tlb::empty(),
                vmpidr,
                // Under TGE nothing traps PAuth; so it never has the Normal world's keys.
                hcr: sysregs::HCR | if features.pauth { sysregs::HCR_PAUTH } else { 0 },
                tables: [root, trampoline | u64::from(asid) << 48],
            },
        }
    }

    /// Whether it is a context's at S-EL0.
    #[inline(always)]
    #[must_use]
    pub fn is_el0(&self) -> bool {
        self.tables[0] != 0
    }
}

/// The registers of one execution context.
#[repr(C, align(16))]
pub struct Context {
    /// x18-x30, ELR, SPSR.
    pub general: General,
    /// The sets that are switched when it is entered and left.
    pub banked: Banked,
    /// FP and SIMD.
    pub vectors: Vectors,
    /// x0-x7, kept only while an interrupt holds it off, or it waits for one.
    low: [u64; 8],
    /// HCR_EL2: what it is allowed to use by now, and its virtual interrupts.
    pub hcr: u64,
    /// Its virtual interrupts as `hcr` has them.
    lines: Lines,
    /// DISR_EL1 of an SError that it left behind, else 0: it goes no further.
    pub error: u64,
    /// Its view.
    pub view: View,
}

const _: () = assert!(offset_of!(Context, general) == 0);
const _: () = assert!(offset_of!(General, x18) == 0 && offset_of!(General, elr) == 112);
// enter.S loads x30 and this one together.
const _: () = assert!(offset_of!(General, is_el0) == 13 * 8);
const _: () = assert!(offset_of!(General, spsr) == offset_of!(General, elr) + 8);
const _: () =
    assert!(offset_of!(El1, sctlr) == 0 && offset_of!(El1, tables) == 16 && size_of::<El1>() == 24 * 8);
const _: () = assert!(offset_of!(Vectors, v) == 0 && offset_of!(Vectors, fpcr) == 512);
const _: () = assert!(offset_of!(Vectors, fpsr) == 520);

impl Context {
    /// The context `id`, from reset; `trampoline` is the root of the tables that map the trampoline alone.
    #[must_use]
    pub fn new(id: VcpuId, view: spmc::View, features: &Features, trampoline: u64) -> Self {
        let mut context = Self {
            general: General::default(),
            banked: Banked::default(),
            vectors: Vectors::default(),
            low: [0; 8],
            hcr: 0,
            lines: Lines::empty(),
            error: 0,
            view: View::new(id, view, features, trampoline),
        };
        context.reset(0);
        context
    }

    /// Sets every register as after reset, with the first instruction at `pc`.
    pub fn reset(&mut self, pc: u64) {
        let is_el0 = self.view.is_el0();
        let spsr = if is_el0 { RESET_SPSR_EL0 } else { RESET_SPSR };
        self.general = General { elr: pc, spsr, is_el0: is_el0.into(), ..General::default() };
        self.banked = Banked::default();
        self.banked.el1.sctlr = RESET_SCTLR;
        self.banked.el1.tables = self.view.tables;
        self.vectors = Vectors::default();
        self.low = [0; 8];
        self.hcr = self.view.hcr;
        self.lines = Lines::empty();
        self.error = 0;
    }

    /// Sets its virtual interrupts. Whether they, and with them `hcr`, have changed.
    #[must_use]
    #[inline(always)]
    pub fn set_lines(&mut self, lines: Lines) -> bool {
        let change = lines != self.lines;
        if change {
            self.change_lines(lines);
        }
        change
    }

    #[cold]
    fn change_lines(&mut self, lines: Lines) {
        self.lines = lines;
        self.hcr &= !(sysregs::HCR_VI | sysregs::HCR_VF);
        if lines.contains(Lines::IRQ) {
            self.hcr |= sysregs::HCR_VI;
        }
        if lines.contains(Lines::FIQ) {
            self.hcr |= sysregs::HCR_VF;
        }
    }

    /// Keeps x0-x7, for [`Context::give_low`]: a step changes those of the frame, and no others without saying so.
    pub fn keep_low(&mut self, frame: &Frame) {
        self.low.copy_from_slice(&frame.x[..8]);
    }

    /// Gives x0-x7 back.
    pub fn give_low(&self, frame: &mut Frame) {
        frame.x[..8].copy_from_slice(&self.low);
    }

    /// Goes on behind an instruction that trapped, which takes the mark of an indirect branch to it away.
    pub fn step_over(&mut self) {
        // The next address after the last one is 0.
        self.general.elr = self.general.elr.wrapping_add(4);
        self.general.spsr &= !SPSR_BTYPE;
    }
}

/// All contexts, by slot.
pub struct Contexts(&'static [UnsafeCell<Context>]);

#[expect(unsafe_code, reason = "lends contexts to the PE that the manager's state names as their holder")]
mod lend {
    use super::{Context, Contexts, UnsafeCell, VcpuId};

    // SAFETY: a context is touched through `lend` only, whose caller vouches for exclusiveness.
    unsafe impl Sync for Contexts {}
    // SAFETY: as above; nothing in it belongs to a PE.
    unsafe impl Send for Contexts {}

    impl Contexts {
        /// The contexts that lie in `cells`.
        #[must_use]
        pub fn new(cells: &'static [UnsafeCell<Context>]) -> Self {
            Self(cells)
        }

        /// The registers of `id`.
        ///
        /// # Safety
        /// The manager's last step on this PE named `id` as the context to run, and the image has not yet told it
        /// `settled`: until then the vCPU's state refuses it to all others, by Running, Calling, Displaced or Leaving
        /// on this PE, or by Aborted, in which it is named by no step again. No other reference that was made here for
        /// `id` is alive.
        #[expect(clippy::mut_from_ref, reason = "the vCPU's state is the lock")]
        pub unsafe fn lend(&self, id: VcpuId) -> &mut Context {
            // SAFETY: exclusive by the caller's promise, among PEs and on this one.
            unsafe { &mut *self.0[id.slot()].get() }
        }
    }
}

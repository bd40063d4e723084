//! Whose EL1 set, keys, tags, timer and stage 2 are in the registers of this PE; switches them on a change only.
#![expect(
    unsafe_code,
    reason = "calls the routines of state.S, and copies, on the sets of contexts that this PE holds"
)]

use core::arch::asm;
use core::mem::offset_of;

use bitflags::bitflags;
use manager::exit::Frame;

use crate::context::{Banked, Context, El1, Keys, Tags, VirtualTimer};
use crate::features::Features;
use crate::simd::NormalSimd;
use crate::sysregs;

unsafe extern "C" {
    fn save_el1(set: *mut El1);
    fn load_el1(set: *const El1);
    fn save_keys(set: *mut Keys);
    fn load_keys(set: *const Keys);
    fn save_tags(set: *mut Tags);
    fn load_tags(set: *const Tags);
    fn save_virtual_timer(set: *mut VirtualTimer);
    fn load_virtual_timer(set: *const VirtualTimer);
}

bitflags! {
    /// What is in `Loaded::normal` and not in the PE while a partition runs, beside the EL1 set.
    #[derive(Clone, Copy)]
    struct Away: u8 {
        /// PAuth keys.
        const KEYS = 1 << 0;
        /// The registers of MTE.
        const TAGS = 1 << 1;
        /// The virtual timer, always, where it cannot be trapped.
        const TIMER = 1 << 2;
    }
}

/// The registers of one PE that contexts share with the Normal world.
pub struct Loaded {
    normal: Banked,
    /// FP and what is around it.
    pub simd: NormalSimd,
    features: Features,
    away: Away,
    /// VSTTBR_EL2 and VMPIDR_EL2 as they are now.
    view: (u64, u64),
}

impl Loaded {
    /// A PE on which the Normal world's registers are loaded.
    #[must_use]
    pub fn new(features: Features) -> Self {
        Self {
            normal: Banked::default(),
            simd: NormalSimd::new(&features),
            away: Self::always_away(&features),
            features,
            view: (0, 0),
        }
    }

    fn always_away(features: &Features) -> Away {
        if features.timer_traps { Away::empty() } else { Away::TIMER }
    }

    /// The PE came on: the Normal world's registers are in it, and stage 2 is nobody's.
    pub fn reset(&mut self) {
        self.simd.reset();
        self.away = Self::always_away(&self.features);
        self.view = (0, 0);
    }

    /// Takes the Normal world's registers out of the PE.
    pub fn leave_normal(&mut self, frame: &Frame) {
        keep_high(frame, &mut self.normal);
        // SAFETY: the set is this PE's alone.
        unsafe { save_el1(&raw mut self.normal.el1) };
        if self.away.contains(Away::TIMER) {
            // SAFETY: as above. The timer must not fire for the partition.
            unsafe { save_virtual_timer(&raw mut self.normal.virtual_timer) };
            sysregs::set_cntv_ctl(0);
        }
    }

    /// Puts the Normal world's registers back into the PE; x8-x17 unless the frame has its own for it.
    pub fn enter_normal(&mut self, frame: &mut Frame, extended: bool) {
        // SAFETY: the set is this PE's alone, and was saved when it was taken out.
        unsafe { load_el1(&raw const self.normal.el1) };
        if !self.away.is_empty() {
            self.restore_normal();
        }
        self.simd.restore_normal();
        if !extended {
            set_high(frame, &self.normal);
        }
    }

    /// Puts what else is away of the Normal world's registers back into the PE.
    #[cold]
    fn restore_normal(&mut self) {
        // SAFETY: the sets are this PE's alone, and were saved when they were taken out.
        unsafe {
            if self.away.contains(Away::KEYS) {
                load_keys(&raw const self.normal.keys);
            }
            if self.away.contains(Away::TAGS) {
                load_tags(&raw const self.normal.tags);
            }
            if self.away.contains(Away::TIMER) {
                load_virtual_timer(&raw const self.normal.virtual_timer);
            }
        }
        self.away &= Away::TIMER;
    }

    /// Whether a context has more than the EL1 set to be switched.
    #[inline(always)]
    fn has_more(&self, context: &Context) -> bool {
        context.hcr & (sysregs::HCR_PAUTH | sysregs::HCR_MTE) != 0 || self.away.contains(Away::TIMER)
    }

    /// Takes the rest of the registers of the context that ran out of the PE.
    #[cold]
    fn leave_more(&self, context: &mut Context) {
        // SAFETY: the context is lent to this PE.
        unsafe {
            if context.hcr & sysregs::HCR_PAUTH != 0 {
                save_keys(&raw mut context.banked.keys);
            }
            if context.hcr & sysregs::HCR_MTE != 0 {
                save_tags(&raw mut context.banked.tags);
            }
            if self.away.contains(Away::TIMER) {
                save_virtual_timer(&raw mut context.banked.virtual_timer);
                sysregs::set_cntv_ctl(0);
            }
        }
    }

    /// Puts the rest of the registers of a context into the PE.
    #[cold]
    fn enter_more(&mut self, context: &Context) {
        // SAFETY: the context is lent to this PE, and was saved when it was taken out, or is as from reset.
        unsafe {
            if context.hcr & sysregs::HCR_PAUTH != 0 {
                self.keep_normal_keys();
                load_keys(&raw const context.banked.keys);
            }
            if context.hcr & sysregs::HCR_MTE != 0 {
                self.keep_normal_tags();
                load_tags(&raw const context.banked.tags);
            }
            if self.away.contains(Away::TIMER) {
                load_virtual_timer(&raw const context.banked.virtual_timer);
            }
        }
    }

    /// Takes the registers of the context that ran out of the PE.
    pub fn leave(&mut self, context: &mut Context, frame: &Frame) {
        keep_high(frame, &mut context.banked);
        // SAFETY: the context is lent to this PE.
        unsafe { save_el1(&raw mut context.banked.el1) };
        if self.has_more(context) {
            self.leave_more(context);
        }
        self.simd.leave(&mut context.vectors);
        // A context that is preempted between its TLB or cache maintenance and the DSB behind it may go on on another
        // PE; a DSB completes only what was begun on its own PE (DDI 0487, DSB). An SError that it caused must not hit
        // somebody else, and least of all EL3, which panics where it finds one that S-EL2 masks.
        let deferred = sysregs::complete();
        if deferred & sysregs::DISR_A != 0 {
            sysregs::set_disr(0);
            context.error = deferred;
        }
    }

    /// Puts the registers of a context into the PE; x8-x17 unless the frame has its own for it.
    pub fn enter(&mut self, context: &Context, frame: &mut Frame, extended: bool) {
        let view = (context.view.vsttbr, context.view.vmpidr);
        if self.view != view {
            sysregs::set_vttbr(context.view.vttbr);
            sysregs::set_vsttbr(context.view.vsttbr);
            sysregs::set_vmpidr(context.view.vmpidr);
            self.view = view;
        }
        sysregs::set_hcr(context.hcr);
        // SAFETY: the context is lent to this PE, and was saved when it was taken out, or is as from reset.
        unsafe { load_el1(&raw const context.banked.el1) };
        if self.has_more(context) {
            self.enter_more(context);
        }
        if !extended {
            set_high(frame, &context.banked);
        }
    }

    /// The context that runs uses PAuth for the first time. False if there is none, or if it has it already.
    #[must_use]
    pub fn claim_keys(&mut self, context: &mut Context) -> bool {
        if !self.features.pauth || context.hcr & sysregs::HCR_PAUTH != 0 {
            return false;
        }
        self.keep_normal_keys();
        // SAFETY: the context is lent to this PE.
        unsafe { load_keys(&raw const context.banked.keys) };
        context.hcr |= sysregs::HCR_PAUTH;
        sysregs::set_hcr(context.hcr);
        true
    }

    /// The context that runs uses MTE's registers for the first time. False if there is none, or if it has it already.
    #[must_use]
    pub fn claim_tags(&mut self, context: &mut Context) -> bool {
        if !self.features.mte || context.hcr & sysregs::HCR_MTE != 0 {
            return false;
        }
        self.keep_normal_tags();
        // SAFETY: the context is lent to this PE.
        unsafe { load_tags(&raw const context.banked.tags) };
        context.hcr |= sysregs::HCR_MTE;
        sysregs::set_hcr(context.hcr);
        true
    }

    fn keep_normal_keys(&mut self) {
        if !self.away.contains(Away::KEYS) {
            // SAFETY: the set is this PE's alone, and the Normal world's keys are in the PE.
            unsafe { save_keys(&raw mut self.normal.keys) };
            self.away |= Away::KEYS;
        }
    }

    fn keep_normal_tags(&mut self) {
        if !self.away.contains(Away::TAGS) {
            // SAFETY: the set is this PE's alone, and the Normal world's tags are in the PE.
            unsafe { save_tags(&raw mut self.normal.tags) };
            self.away |= Away::TAGS;
        }
    }
}

/// Where x8 is in a frame, and in a banked set.
const FRAME_HIGH: usize = offset_of!(Frame, x) + 8 * 8;
const BANKED_HIGH: usize = offset_of!(Banked, high);

/// Ten words from one place to another: compiled code would call `memcpy`, once for each switch of each message.
macro_rules! copy_high {
    ($from:expr, $at:ident, $to:expr, $into:ident) => {
        asm!(
            "ldp {a}, {b}, [{from}, #{at}]",
            "ldp {c}, {d}, [{from}, #{at} + 16]",
            "stp {a}, {b}, [{to}, #{into}]",
            "stp {c}, {d}, [{to}, #{into} + 16]",
            "ldp {a}, {b}, [{from}, #{at} + 32]",
            "ldp {c}, {d}, [{from}, #{at} + 48]",
            "stp {a}, {b}, [{to}, #{into} + 32]",
            "stp {c}, {d}, [{to}, #{into} + 48]",
            "ldp {a}, {b}, [{from}, #{at} + 64]",
            "stp {a}, {b}, [{to}, #{into} + 64]",
            from = in(reg) $from,
            to = in(reg) $to,
            at = const $at,
            into = const $into,
            a = out(reg) _,
            b = out(reg) _,
            c = out(reg) _,
            d = out(reg) _,
            options(nostack, preserves_flags),
        )
    };
}

/// Keeps x8-x17 of the frame.
#[inline(always)]
fn keep_high(frame: &Frame, banked: &mut Banked) {
    // SAFETY: both references hold ten words at these offsets.
    unsafe { copy_high!(frame, FRAME_HIGH, banked, BANKED_HIGH) };
}

/// Sets x8-x17 of the frame.
#[inline(always)]
fn set_high(frame: &mut Frame, banked: &Banked) {
    // SAFETY: as in `keep_high`.
    unsafe { copy_high!(banked, BANKED_HIGH, frame, FRAME_HIGH) };
}

//! Whose EL1 set, keys, tags, timer and stage 2 are in the registers of this PE; switches them on a change only.
#![expect(unsafe_code, reason = "calls the routines of state.S on the sets of contexts that this PE holds")]

use manager::exit::Frame;

use crate::context::{Banked, Context, El1, Keys, Tags, VirtualTimer};
use crate::features::Features;
use crate::simd::NormalSimd;
use crate::sysregs;

unsafe extern "C" {
    fn copy_high(to: *mut u64, from: *const u64);
    fn save_el1(set: *mut El1);
    fn load_el1(set: *const El1);
    fn save_keys(set: *mut Keys);
    fn load_keys(set: *const Keys);
    fn save_tags(set: *mut Tags);
    fn load_tags(set: *const Tags);
    fn save_virtual_timer(set: *mut VirtualTimer);
    fn load_virtual_timer(set: *const VirtualTimer);
}

/// The registers of one PE that contexts share with the Normal world.
pub struct Loaded {
    normal: Banked,
    /// FP and what is around it.
    pub simd: NormalSimd,
    features: Features,
    /// The Normal world's keys are in `normal`, not in the PE.
    keys_away: bool,
    /// The Normal world's MTE registers are in `normal`, not in the PE.
    tags_away: bool,
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
            features,
            keys_away: false,
            tags_away: false,
            view: (0, 0),
        }
    }

    /// The PE came on: the Normal world's registers are in it, and stage 2 is nobody's.
    pub fn reset(&mut self) {
        self.simd.reset();
        self.keys_away = false;
        self.tags_away = false;
        self.view = (0, 0);
    }

    /// Takes the Normal world's registers out of the PE.
    pub fn leave_normal(&mut self, frame: &Frame) {
        keep_high(frame, &mut self.normal.high);
        // SAFETY: the set is this PE's alone.
        unsafe { save_el1(&raw mut self.normal.el1) };
        if !self.features.timer_traps {
            // SAFETY: as above. The timer must not fire for the partition.
            unsafe { save_virtual_timer(&raw mut self.normal.virtual_timer) };
            sysregs::set_cntv_ctl(0);
        }
    }

    /// Puts the Normal world's registers back into the PE; x8-x17 unless the frame has its own for it.
    pub fn enter_normal(&mut self, frame: &mut Frame, extended: bool) {
        // SAFETY: the sets are this PE's alone, and were saved when they were taken out.
        unsafe {
            load_el1(&raw const self.normal.el1);
            if self.keys_away {
                load_keys(&raw const self.normal.keys);
                self.keys_away = false;
            }
            if self.tags_away {
                load_tags(&raw const self.normal.tags);
                self.tags_away = false;
            }
            if !self.features.timer_traps {
                load_virtual_timer(&raw const self.normal.virtual_timer);
            }
        }
        self.simd.restore_normal();
        if !extended {
            set_high(frame, &self.normal.high);
        }
    }

    /// Takes the registers of the context that ran out of the PE.
    pub fn leave(&mut self, context: &mut Context, frame: &Frame) {
        keep_high(frame, &mut context.banked.high);
        // SAFETY: the context is lent to this PE.
        unsafe {
            save_el1(&raw mut context.banked.el1);
            if context.hcr & sysregs::HCR_PAUTH != 0 {
                save_keys(&raw mut context.banked.keys);
            }
            if context.hcr & sysregs::HCR_MTE != 0 {
                save_tags(&raw mut context.banked.tags);
            }
            if !self.features.timer_traps {
                save_virtual_timer(&raw mut context.banked.virtual_timer);
                sysregs::set_cntv_ctl(0);
            }
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
        unsafe {
            load_el1(&raw const context.banked.el1);
            if context.hcr & sysregs::HCR_PAUTH != 0 {
                self.keep_normal_keys();
                load_keys(&raw const context.banked.keys);
            }
            if context.hcr & sysregs::HCR_MTE != 0 {
                self.keep_normal_tags();
                load_tags(&raw const context.banked.tags);
            }
            if !self.features.timer_traps {
                load_virtual_timer(&raw const context.banked.virtual_timer);
            }
        }
        if !extended {
            set_high(frame, &context.banked.high);
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
        if !self.keys_away {
            // SAFETY: the set is this PE's alone, and the Normal world's keys are in the PE.
            unsafe { save_keys(&raw mut self.normal.keys) };
            self.keys_away = true;
        }
    }

    fn keep_normal_tags(&mut self) {
        if !self.tags_away {
            // SAFETY: the set is this PE's alone, and the Normal world's tags are in the PE.
            unsafe { save_tags(&raw mut self.normal.tags) };
            self.tags_away = true;
        }
    }
}

/// Keeps x8-x17 of the frame.
#[inline(always)]
fn keep_high(frame: &Frame, high: &mut [u64; 10]) {
    // SAFETY: both hold ten words. The routine is there because compiled code would call `memcpy`.
    unsafe { copy_high(high.as_mut_ptr(), frame.x[8..].as_ptr()) };
}

/// Sets x8-x17 of the frame.
#[inline(always)]
fn set_high(frame: &mut Frame, high: &[u64; 10]) {
    // SAFETY: as in `keep_high`.
    unsafe { copy_high(frame.x[8..].as_mut_ptr(), high.as_ptr()) };
}

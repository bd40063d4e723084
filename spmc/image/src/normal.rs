//! To EL3, and by it to the Normal world: the only SMC of the image.
#![expect(unsafe_code, reason = "calls the SMC routine of enter.S, which touches nothing but the frame")]

use manager::exit::Frame;

unsafe extern "C" {
    /// SMC with x0-x17 of the frame; see enter.S.
    fn monitor_call(frame: *mut Frame);
}

/// Leaves with the registers of the frame; comes back with those of whoever calls next.
#[inline(always)]
pub fn exchange(frame: &mut Frame) {
    // SAFETY: the frame is valid for reads and writes; EL3 preserves all other registers of this PE's secure context.
    unsafe { monitor_call(frame) };
}

//! To EL3, and by it to the Normal world: the only SMC of the image.
#![expect(unsafe_code, reason = "calls the SMC routine of enter.S, which touches nothing but the frame")]

use manager::endpoint::CpuId;
use manager::exit::Frame;

unsafe extern "C" {
    /// SMC with x0-x17 of the frame; see enter.S.
    fn monitor_call(frame: *mut Frame);
    /// SMC with the MMU off; see entry.S.
    fn go_off(x0: u64, x1: u64, x2: u64, x3: u64, linear: u64) -> !;
}

/// Off, with the registers of the frame, on a PE, `cpu`, that is ready to lose its state.
#[cold]
pub fn leave_off(frame: &Frame, cpu: CpuId) -> ! {
    let [x0, x1, x2, x3, ..] = frame.x;
    // SAFETY: nothing of this PE is needed again: it comes on through `secondary_entry`.
    unsafe { go_off(x0, x1, x2, x3, cpu.get().into()) };
}

/// Leaves with the registers of the frame; comes back with those of whoever calls next.
#[inline(always)]
pub fn exchange(frame: &mut Frame) {
    // SAFETY: the frame is valid for reads and writes; EL3 preserves all other registers of this PE's secure context.
    unsafe { monitor_call(frame) };
}

//! The timer of S-EL2 on this PE: the secure EL2 physical timer (Arm DDI 0487, D12.2).

use manager::hardware::NEVER;

use crate::sysregs;

/// The number of its interrupt (Arm BSA, PPI assignments), among the PPIs.
pub const PPI: u32 = 4;
/// The same, among all interrupts.
pub const INTERRUPT: u32 = 16 + PPI;

/// CNTHPS_CTL_EL2.ENABLE, with IMASK 0.
const ENABLE: u64 = 1;

/// The timer of one PE.
pub struct SecureTimer {
    /// What it is set to.
    deadline: u64,
}

impl SecureTimer {
    /// The timer of this PE, off.
    #[must_use]
    pub fn start() -> Self {
        sysregs::set_cnthps_ctl(0);
        Self { deadline: NEVER }
    }

    /// Has its interrupt come when the counter has reached `deadline`; [`NEVER`] turns it off.
    pub fn arm(&mut self, deadline: u64) {
        if deadline == self.deadline {
            return;
        }
        if deadline == NEVER {
            sysregs::set_cnthps_ctl(0);
        } else {
            sysregs::set_cnthps_cval(deadline);
            if self.deadline == NEVER {
                sysregs::set_cnthps_ctl(ENABLE);
            }
        }
        self.deadline = deadline;
    }

    /// Turns it off so that its interrupt, which is level-sensitive, has gone away when this returns.
    pub fn silence(&mut self) {
        self.arm(NEVER);
        sysregs::isb();
    }
}

/// The system counter, read here and not earlier.
#[must_use]
pub fn now() -> u64 {
    sysregs::isb();
    sysregs::cntpct()
}

/// Counts in a second: CNTFRQ_EL0, of which the upper half is RES0.
#[must_use]
pub fn frequency() -> u32 {
    sysregs::cntfrq() as u32
}

//! The reference scheduler: takes SRIs, asks the SPMC who is to be run (FFA_NOTIFICATION_INFO_GET), and runs vCPUs with
//! FFA_RUN in the order that a policy chooses. All PEs work on one queue.
//!
//! What it owes the partitions: a preempted vCPU is run again; one that has given its cycles away is run again some
//! time; one that waits is run when it, or its partition, is announced; one that is busy elsewhere is tried later.

pub mod load;
pub mod policy;
mod queue;
pub mod table;

use core::sync::atomic::{AtomicU64, Ordering};

use arm_ffa::{FfaError, FuncId};
use spin::mutex::SpinMutex;

use crate::demo::{COURIER, MAILMAN, PORTER, Partition};
use crate::ffa::{self, expect_error};
use crate::notifications::{self, OWN, Width};
use crate::outcome::{Failure, Outcome, fail};
use crate::{gic, pe};
use policy::Policy;
use queue::{Left, Queue};

/// The partitions that it runs, the most important one last.
pub const PARTITIONS: [&Partition; 3] = [&MAILMAN, &COURIER, &PORTER];

/// A scheduler with its policy.
pub struct Scheduler {
    queue: SpinMutex<Queue>,
    /// How many SRIs the PEs had taken when the SPMC was asked last.
    asked_after: AtomicU64,
}

/// What a policy came to.
#[derive(Clone, Copy, Default)]
pub struct Figures {
    /// FFA_RUNs that ran something.
    pub runs: u64,
    /// Of each vCPU that was run: how many others were run before it, since it could be.
    pub waited: u64,
    /// The most of these.
    pub longest: u64,
    /// A digest of the vCPUs in the order in which they were run.
    pub order: u64,
}

impl Scheduler {
    /// One that has nothing to run.
    pub const fn new() -> Self {
        Self { queue: SpinMutex::new(Queue::new()), asked_after: AtomicU64::new(0) }
    }

    /// Begins anew, with all vCPUs waiting.
    pub fn begin(&self, policy: Policy) {
        self.queue.lock().begin(policy, pe::count());
        self.asked_after.store(sris(), Ordering::Release);
    }

    /// Takes pending interrupts of this PE; when one of them, or one of another PE, was an SRI, asks who is to be run.
    pub fn attend(&self) -> Outcome {
        gic::take();
        let taken = sris();
        // One PE asks, of those that know of the same.
        if self.asked_after.fetch_max(taken, Ordering::AcqRel) >= taken {
            return Ok(());
        }
        notifications::collect(Width::Wide, |listed| {
            if listed.endpoint == OWN || self.queue.lock().announce(listed) {
                return Ok(());
            }
            fail("an endpoint that is to be run", listed.endpoint, MAILMAN.id)
        })?;
        Ok(())
    }

    /// Runs the vCPU of the policy's choice on this PE: whether there was one.
    pub fn run_next(&self) -> Result<bool, Failure> {
        let Some((task, target)) = self.queue.lock().pick(pe::index() as u64) else { return Ok(false) };
        let answer = ffa::call(FuncId::Run32, [target]);
        let left = match FuncId::try_from(answer[0] as u32) {
            Ok(FuncId::MsgWait32) => Left::Waiting,
            Ok(FuncId::Interrupt32) if answer[1] == target => Left::Ready,
            Ok(FuncId::Yield32) if answer[1] == target => Left::Ready,
            _ => {
                expect_error("what FFA_RUN comes back with", &answer, FfaError::Busy)?;
                Left::Busy
            }
        };
        self.queue.lock().put_back(task, left);
        Ok(true)
    }

    /// Whether all vCPUs wait, as far as it knows.
    pub fn is_idle(&self) -> bool {
        self.queue.lock().is_idle()
    }

    /// What it came to so far.
    pub fn figures(&self) -> Figures {
        self.queue.lock().figures()
    }
}

/// How many SRIs all PEs have taken.
fn sris() -> u64 {
    (0..pe::count()).map(gic::sris).sum()
}

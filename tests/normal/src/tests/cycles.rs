//! CPU cycles: FFA_RUN, FFA_YIELD, and preemption by a Normal-world interrupt (FF-A 1.2, chapters 8, 9 and 14).

use core::sync::atomic::{AtomicU64, Ordering};

use arm_ffa::{FfaError, FuncId};

use crate::demo::{self, ECHO, FORWARD_CHANGE, Form, HOSTILE, RELAY, command, expect_answer};
use crate::ffa::{self, Registers, expect_error, expect_function};
use crate::outcome::{Outcome, expect, fail};
use crate::{pe, random, timer};

/// Long enough to be interrupted in.
const LONG: u64 = 100_000_000;
/// When the interrupt comes, in microseconds.
const SOON: u64 = 2_000;

/// FFA_RUN of what FFA_INTERRUPT or FFA_YIELD named.
pub fn run(target: u64) -> Registers {
    ffa::call(FuncId::Run32, [target])
}

/// It must be FFA_INTERRUPT that names `target`, and the interrupt must be there to take.
fn expect_preempted(registers: &Registers, target: u64) -> Outcome {
    let taken = timer::take();
    timer::disarm();
    expect_function("FFA_INTERRUPT", registers, FuncId::Interrupt32)?;
    expect("the vCPU that FFA_INTERRUPT names", registers[1], target)?;
    expect("w2 of FFA_INTERRUPT", registers[2], 0)?;
    expect("the interrupt was pending", u64::from(taken), 1)
}

pub fn ffa_run_of_a_waiting_partition_returns_msg_wait() -> Outcome {
    for target in [ECHO.here(), RELAY.here()] {
        let answer = run(target);
        expect_function("FFA_MSG_WAIT", &answer, FuncId::MsgWait32)?;
        for register in &answer[1..8] {
            expect("a register of FFA_MSG_WAIT", *register, 0)?;
        }
    }
    Ok(())
}

pub fn ffa_run_of_a_foreign_vcpu_is_invalid() -> Outcome {
    for (what, target) in [
        ("a vCPU that is pinned to another PE", ECHO.here() ^ 1),
        ("a vCPU that a partition does not have", (RELAY.here()) | 1),
        ("a partition that is not there", 0x8011 << 16),
        ("the Normal world", 0),
    ] {
        expect_error(what, &run(target), FfaError::InvalidParameters)?;
    }
    Ok(())
}

pub fn yield_returns_to_the_normal_world_and_run_resumes() -> Outcome {
    /// In nanoseconds, with something in both halves.
    const TIMEOUT: u64 = 0x1_0000_1000;
    let form = Form::Direct64;
    for (partition, target) in [(ECHO, ECHO.here()), (RELAY, RELAY.here())] {
        let yielded = demo::ask(form, partition.id, &[command::YIELD, TIMEOUT]);
        expect_function("FFA_YIELD", &yielded, FuncId::Yield32)?;
        expect("the vCPU that FFA_YIELD names", yielded[1], target)?;
        expect("the timeout", yielded[2] | (yielded[3] << 32), TIMEOUT)?;
        expect_answer("the answer in the end", form, partition.id, &run(yielded[1]), 1)?;
    }
    Ok(())
}

pub fn a_normal_interrupt_preempts_and_run_resumes() -> Outcome {
    let form = Form::Direct64;
    timer::arm(SOON);
    let preempted = demo::ask(form, ECHO.id, &[command::SPIN, LONG]);
    expect_preempted(&preempted, ECHO.here())?;
    expect_answer("iterations", form, ECHO.id, &run(preempted[1]), LONG)
}

pub fn a_preempted_partition_is_busy_for_requests() -> Outcome {
    let form = Form::Direct32;
    timer::arm(SOON);
    let preempted = demo::ask(form, RELAY.id, &[command::SPIN, LONG]);
    expect_preempted(&preempted, RELAY.here())?;
    let refused = demo::ask(form, RELAY.id, &[command::ECHO]);
    let resumed = run(preempted[1]);
    expect_error("a request meanwhile", &refused, FfaError::Busy)?;
    expect_answer("iterations", form, RELAY.id, &resumed, LONG)
}

pub fn a_chain_unwinds_when_preempted() -> Outcome {
    /// In microseconds. Where the machine is slow, the first ones may come before relay has asked echo.
    const LATER: [u64; 3] = [2_000, 10_000, 30_000];
    let form = Form::Direct64;
    let mut echo_was_found = false;
    for soon in LATER {
        let value = random::next();
        timer::arm(soon);
        // The Normal world hears of relay, whom it asked, also where the interrupt finds echo.
        let preempted = demo::ask(form, RELAY.id, &[command::FORWARD, ECHO.id, value, LONG]);
        expect_preempted(&preempted, RELAY.here())?;
        let meanwhile = demo::ask(form, ECHO.id, &[command::ECHO]);
        let resumed = run(preempted[1]);
        expect_answer("the value in the end", form, RELAY.id, &resumed, !value ^ FORWARD_CHANGE)?;
        echo_was_found |= demo::is_busy(&meanwhile);
    }
    expect("echo is busy while it is preempted in the chain", u64::from(echo_was_found), 1)
}

pub fn a_chain_of_three_unwinds_when_preempted() -> Outcome {
    /// In microseconds. Where the machine is slow, the first ones may come before relay has asked echo.
    const LATER: [u64; 3] = [10_000, 30_000, 90_000];
    let form = Form::Direct2;
    for soon in LATER {
        let value = random::next();
        timer::arm(soon);
        // hostile asks relay, relay asks echo.
        let words = [command::ASK, RELAY.id, command::FORWARD, ECHO.id, value, 4 * LONG];
        let preempted = demo::ask(form, HOSTILE.id, &words);
        expect_preempted(&preempted, HOSTILE.here())?;
        let middle = demo::ask(form, RELAY.id, &[command::ECHO]);
        let last = demo::ask(form, ECHO.id, &[command::ECHO]);
        // Those in the chain are resumed by their callers only.
        let past = run(ECHO.here());
        let resumed = run(preempted[1]);
        expect_answer("the value in the end", form, HOSTILE.id, &resumed, !value ^ FORWARD_CHANGE)?;
        if demo::is_busy(&last) {
            expect_error("relay meanwhile", &middle, FfaError::Busy)?;
            return expect_error("FFA_RUN of echo meanwhile", &past, FfaError::Denied);
        }
    }
    fail("echo is busy while it is preempted in the chain", 0, 1)
}

/// How many PEs ran relay to its end, and how many were told that it is busy.
static RAN: AtomicU64 = AtomicU64::new(0);
static BUSY: AtomicU64 = AtomicU64::new(0);

pub fn one_of_all_pes_runs_a_single_context() -> Outcome {
    fn run_it() -> Outcome {
        let form = Form::Direct64;
        let answer = run(RELAY.here());
        if demo::is_busy(&answer) {
            BUSY.fetch_add(1, Ordering::AcqRel);
            return Ok(());
        }
        RAN.fetch_add(1, Ordering::AcqRel);
        expect_answer("iterations", form, RELAY.id, &answer, 4 * LONG)
    }
    RAN.store(0, Ordering::Release);
    BUSY.store(0, Ordering::Release);
    // Preempted on the first PE, it may go on on any.
    timer::arm(SOON);
    let preempted = demo::ask(Form::Direct64, RELAY.id, &[command::SPIN, 4 * LONG]);
    expect_preempted(&preempted, RELAY.here())?;
    pe::on_all(run_it)?;
    expect("PEs that ran it", RAN.load(Ordering::Acquire), 1)?;
    expect("PEs that were told it is busy", BUSY.load(Ordering::Acquire), pe::count() as u64 - 1)
}

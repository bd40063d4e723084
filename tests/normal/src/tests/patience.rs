//! A partition that lets the Normal world's interrupts wait until it has answered (`ns-interrupts-action` 0), alone and
//! in chains (FF-A 1.2, 9.2 and 9.3).

use arm_ffa::FuncId;

use crate::demo::{self, ECHO, FORWARD_CHANGE, Form, PATIENT, RELAY, command, expect_answer};
use crate::ffa::{self, expect_function};
use crate::outcome::{Outcome, expect};
use crate::random;
use crate::timer;

/// Long enough for an interrupt to come.
const LONG: u64 = 100_000_000;
/// When it comes, in microseconds.
const SOON: u64 = 2_000;

/// The interrupt must have waited, and be taken now.
fn expect_waiting() -> Outcome {
    let taken = timer::take();
    timer::disarm();
    expect("the interrupt has waited", u64::from(taken), 1)
}

pub fn a_patient_partition_is_not_preempted() -> Outcome {
    let form = Form::Direct64;
    timer::arm(SOON);
    let answer = demo::ask(form, PATIENT.id, &[command::SPIN, LONG]);
    expect_waiting()?;
    expect_answer("iterations", form, PATIENT.id, &answer, LONG)?;
    // The next partition is preempted as ever.
    timer::arm(SOON);
    let preempted = demo::ask(form, ECHO.id, &[command::SPIN, LONG]);
    expect_waiting()?;
    expect_function("FFA_INTERRUPT", &preempted, FuncId::Interrupt32)?;
    let resumed = ffa::call(FuncId::Run32, [preempted[1]]);
    expect_answer("iterations of echo", form, ECHO.id, &resumed, LONG)
}

pub fn a_callee_of_a_patient_partition_is_not_preempted() -> Outcome {
    let form = Form::Direct64;
    timer::arm(SOON);
    let answer = demo::ask(form, PATIENT.id, &[command::ASK, ECHO.id, command::SPIN, LONG]);
    expect_waiting()?;
    expect_answer("iterations of echo", form, PATIENT.id, &answer, LONG)
}

pub fn a_caller_of_a_patient_partition_is_preempted_when_it_runs_again() -> Outcome {
    let form = Form::Direct64;
    let value = random::next();
    // Where the machine is slow, the interrupt may come before relay has asked: it is preempted in either case.
    timer::arm(SOON);
    let preempted = demo::ask(form, RELAY.id, &[command::FORWARD, PATIENT.id, value, LONG]);
    expect_waiting()?;
    expect_function("FFA_INTERRUPT", &preempted, FuncId::Interrupt32)?;
    expect("the vCPU that FFA_INTERRUPT names", preempted[1], RELAY.here())?;
    let meanwhile = demo::ask(form, PATIENT.id, &[command::WHO]);
    let resumed = ffa::call(FuncId::Run32, [preempted[1]]);
    expect_answer("the value in the end", form, RELAY.id, &resumed, !value ^ FORWARD_CHANGE)?;
    expect_answer("patient has answered before", form, PATIENT.id, &meanwhile, PATIENT.id)
}

//! Scenarios for manifests that were written for another SPMC: one partition with a context for each PE, in whose place
//! stands echo's image.

use arm_ffa::{FfaError, FuncId};

use crate::demo::{self, ECHO, Form, command, expect_answer};
use crate::ffa::{self, expect_error, expect_function};
use crate::outcome::{Outcome, expect};
use crate::{pe, random, timer};

const FORM: Form = Form::Direct64;

pub fn the_partition_answers_on_every_pe() -> Outcome {
    let value = random::next();
    let answer = demo::ask(FORM, ECHO.id, &[command::ECHO, value]);
    expect_answer("word 1", FORM, ECHO.id, &answer, !value)?;
    let answer = demo::ask(FORM, ECHO.id, &[command::WHO]);
    expect_answer("id", FORM, ECHO.id, &answer, ECHO.id)?;
    expect("vCPU", answer[5], pe::index() as u64)
}

pub fn the_partition_is_preempted_and_resumed() -> Outcome {
    const LONG: u64 = 100_000_000;
    timer::arm(2_000);
    let preempted = demo::ask(FORM, ECHO.id, &[command::SPIN, LONG]);
    let taken = timer::take();
    timer::disarm();
    expect("the interrupt was pending", u64::from(taken), 1)?;
    expect_function("FFA_INTERRUPT", &preempted, FuncId::Interrupt32)?;
    let resumed = ffa::call(FuncId::Run32, [preempted[1]]);
    expect_answer("iterations", FORM, ECHO.id, &resumed, LONG)
}

pub fn the_partition_takes_only_what_its_manifest_says() -> Outcome {
    // Its messaging-method has no requests of the second kind.
    let answer = demo::ask(Form::Direct2, ECHO.id, &[command::ECHO]);
    expect_error("FFA_MSG_SEND_DIRECT_REQ2", &answer, FfaError::Denied)?;
    let answer = demo::ask(FORM, ECHO.id + 1, &[command::ECHO]);
    expect_error("a partition that is not there", &answer, FfaError::InvalidParameters)
}

//! The partition `hostile` tries what is forbidden, on all PEs at once, and everybody goes on.

use arm_ffa::FuncId;

use crate::demo::{self, ECHO, Form, HOSTILE, command, expect_answer};
use crate::ffa::{self, expect_function};
use crate::outcome::{Outcome, expect};
use crate::random;
use crate::timer;

/// Has it make a series of attempts; all must be refused as they must be. Details are on the SPMC's console.
fn attempts(command: u64, argument: u64) -> Outcome {
    let form = Form::Direct64;
    let answer = demo::ask(form, HOSTILE.id, &[command, argument]);
    expect_function("the answer", &answer, form.functions().1)?;
    let [_, _, _, status, made, wrong, what, got, ..] = answer;
    expect("status of the answer", status, 0)?;
    expect("attempts", u64::from(made > 40), 1)?;
    expect("what came of the attempt", got, 0)?;
    expect("the first attempt that was not refused as it must be", what, 0)?;
    expect("attempts that were not refused as they must be", wrong, 0)?;
    // Nobody else has noticed.
    let value = random::next();
    let answer = demo::ask(form, ECHO.id, &[command::ECHO, value]);
    expect_answer("echo lives on", form, ECHO.id, &answer, !value)
}

pub fn a_partition_that_calls_every_function_with_garbage_is_refused() -> Outcome {
    attempts(command::SWEEP, random::next())
}

pub fn a_partition_cannot_forge_calls() -> Outcome {
    attempts(command::FORGE, 0)
}

pub fn a_partition_cannot_forge_messages() -> Outcome {
    attempts(command::FORGE_MESSAGES, 0)
}

pub fn registers_and_instructions_of_others_are_undefined_in_a_partition() -> Outcome {
    attempts(command::SYSTEM, 0)
}

pub fn a_partition_that_waits_for_an_interrupt_is_preempted() -> Outcome {
    let form = Form::Direct64;
    timer::arm(2_000);
    let mut answer = demo::ask(form, HOSTILE.id, &[command::IDLE]);
    expect_function("FFA_INTERRUPT", &answer, FuncId::Interrupt32)?;
    // The first may have come before it waits, and nothing else would wake it then.
    while expect_function("", &answer, FuncId::Interrupt32).is_ok() {
        let taken = timer::take();
        expect("the interrupt was pending", u64::from(taken), 1)?;
        timer::arm(2_000);
        answer = ffa::call(FuncId::Run32, [answer[1]]);
    }
    timer::disarm();
    expect_function("the answer in the end", &answer, form.functions().1)
}

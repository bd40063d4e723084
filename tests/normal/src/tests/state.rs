//! What the Normal world has in registers outlives every partition's run, and shows nothing of it.

use arm_ffa::{FfaError, FuncId};

use crate::demo::{self, ECHO, Form, HOSTILE, PATIENT, RELAY, command, expect_answer};
use crate::ffa::{self, Registers, expect_error, expect_function, expect_success};
use crate::outcome::{Outcome, expect};
use crate::registers::call_filled;
use crate::{pe, random, system, timer};

pub fn x8_to_x17_hold_no_foreign_values() -> Outcome {
    const ITERATIONS: u64 = 3;
    let filler = random::next();
    let call = |registers: Registers| {
        let answer = ffa::call_registers(registers);
        for register in &answer[8..] {
            expect("a register of x8-x17", *register, filler)?;
        }
        Ok(answer)
    };
    let plain = |function: FuncId, argument| {
        let mut registers = [0; 18];
        registers[8..].fill(filler);
        registers[0] = u32::from(function).into();
        registers[1] = argument;
        registers
    };
    for form in [Form::Direct32, Form::Direct64] {
        let answer = call(demo::request(form, ECHO.id, &[command::ECHO, filler], filler))?;
        expect_answer("word 1", form, ECHO.id, &answer, !filler)?;
        let refused = call(demo::request(form, 0x8011, &[command::ECHO], filler))?;
        expect_error("a request to nobody", &refused, FfaError::InvalidParameters)?;
    }
    let here = (ECHO.id << 16) | pe::index() as u64;
    let waits = call(plain(FuncId::Run32, here))?;
    expect_function("FFA_MSG_WAIT", &waits, FuncId::MsgWait32)?;
    let features = call(plain(FuncId::Features, u32::from(FuncId::Run32).into()))?;
    expect_success("FFA_FEATURES", &features)?;
    expect_success("FFA_ID_GET", &call(plain(FuncId::IdGet, 0))?)?;

    // Where x8-x17 are results, they are those of this call.
    let answer = demo::ask(Form::Direct2, ECHO.id, &[command::SPIN, ITERATIONS]);
    expect_answer("iterations", Form::Direct2, ECHO.id, &answer, ITERATIONS)?;
    for register in &answer[6..] {
        expect("a result that echo left empty", *register, 0)?;
    }
    Ok(())
}

pub fn registers_of_the_normal_world_survive() -> Outcome {
    survive(false)
}

pub fn streaming_mode_of_the_normal_world_survives() -> Outcome {
    if system::sme() { survive(true) } else { Ok(()) }
}

/// The partition must have written over its registers, and have found all of that in them afterwards.
fn expect_scribbled(form: Form, answer: &Registers) -> Outcome {
    // General-purpose SIMD alone makes 32.
    expect("the partition wrote registers", u64::from(answer[form.first() + 1] > 32), 1)?;
    expect("registers that the partition lost", answer[form.first() + 2], 0)
}

pub fn registers_survive_preemption_at_random_points() -> Outcome {
    /// How often, and the most that a partition counts and that passes until an interrupt, in microseconds.
    const ROUNDS: usize = 40;
    const ITERATIONS: u64 = 2_000_000;
    const DELAY: u64 = 1_500;
    let form = Form::Direct64;
    let mut preempted = 0;
    for round in 0..ROUNDS {
        // Patient's context is interrupted only after it has answered, relay's is another PE's each time.
        let partition = [ECHO, RELAY, HOSTILE, PATIENT][round % 4].id;
        let words = [command::SCRIBBLE, random::next() % ITERATIONS];
        let mut call = demo::request(form, partition, &words, 0);
        loop {
            let streaming = system::sme() && round % 3 == 0;
            let answer = call_filled(&call, false, streaming, Some(random::next() % DELAY))?;
            timer::take();
            timer::disarm();
            if expect_function("", &answer, FuncId::Interrupt32).is_ok() {
                preempted += 1;
                call = [0; 18];
                call[..2].copy_from_slice(&[u32::from(FuncId::Run32).into(), answer[1]]);
            } else if demo::is_busy(&answer) {
                // Another PE has relay, or it was run on before this one asked.
                break;
            } else {
                expect_function("the answer", &answer, form.functions().1)?;
                expect_scribbled(form, &answer)?;
                break;
            }
        }
    }
    expect("some were preempted", u64::from(preempted > 0), 1)
}

/// Calls partitions that write over everything, with the PE in `streaming` mode or not.
fn survive(streaming: bool) -> Outcome {
    /// How long a partition holds its own values: hardly, and long enough to be interrupted.
    const HARDLY: u64 = 1;
    const LONG: u64 = 100_000_000;
    for form in Form::ALL {
        let request = demo::request(form, ECHO.id, &[command::SCRIBBLE, HARDLY], 0);
        let answer = call_filled(&request, form == Form::Direct2, streaming, None)?;
        expect_function("the answer", &answer, form.functions().1)?;
        expect_scribbled(form, &answer)?;
    }

    let form = Form::Direct64;
    let request = demo::request(form, ECHO.id, &[command::SCRIBBLE, LONG], 0);
    let preempted = call_filled(&request, false, streaming, Some(2_000))?;
    expect_function("FFA_INTERRUPT", &preempted, FuncId::Interrupt32)?;
    timer::take();
    let mut run = [0; 18];
    run[0] = u32::from(FuncId::Run32).into();
    run[1] = preempted[1];
    let answer = call_filled(&run, false, streaming, None)?;
    expect_function("the answer in the end", &answer, form.functions().1)?;
    expect_scribbled(form, &answer)?;

    // A partition with one context comes from another PE's registers each time; here it may be busy there.
    let relays = demo::request(form, RELAY.id, &[command::SCRIBBLE, HARDLY], 0);
    loop {
        let answer = call_filled(&relays, false, streaming, None)?;
        if !demo::is_busy(&answer) {
            return expect_function("relay's answer", &answer, form.functions().1);
        }
    }
}

//! A partition that does what it must not do ends, on all its PEs and with all that it was doing; nobody else does.

use core::sync::atomic::{AtomicU64, Ordering};

use arm_ffa::{FfaError, FuncId};

use crate::demo::{self, ECHO, Form, HOSTILE, PATIENT, Partition, RELAY, command, expect_answer};
use crate::ffa::{self, expect_error, expect_function};
use crate::outcome::{Outcome, expect, fail};
use crate::{pe, random, timer};

const FORM: Form = Form::Direct64;

/// The code in the status of an answer.
fn code(error: FfaError) -> u64 {
    u64::from(i32::from(error) as u32)
}

/// A partition must answer.
fn lives(what: &'static str, partition: &Partition) -> Outcome {
    let value = random::next();
    let answer = demo::ask_until_free(FORM, partition.id, &[command::ECHO, value]);
    expect_answer(what, FORM, partition.id, &answer, !value)
}

/// Nothing that is asked of it comes to anything but ABORTED.
fn has_ended(partition: &Partition) -> Outcome {
    for &form in partition.forms() {
        let answer = demo::ask(form, partition.id, &[command::ECHO]);
        expect_error("a request afterwards", &answer, FfaError::Aborted)?;
    }
    let run = ffa::call(FuncId::Run32, [partition.here()]);
    expect_error("FFA_RUN afterwards", &run, FfaError::Aborted)?;
    // A partition that asks it hears the same.
    let asked = demo::ask(FORM, ECHO.id, &[command::ASK, partition.id, command::ECHO]);
    expect_function("echo's answer", &asked, FORM.functions().1)?;
    expect("what echo was told", asked[3], code(FfaError::Aborted))
}

pub fn a_partition_that_reads_anothers_memory_is_aborted() -> Outcome {
    // What is its own it can read.
    let own = demo::ask(FORM, RELAY.id, &[command::PEEK, RELAY.memory() + 0x4000]);
    expect("status of a look at its own memory", own[FORM.first()], 0)?;
    let fatal = demo::ask(FORM, RELAY.id, &[command::PEEK, ECHO.memory() + 0x4000]);
    expect_error("the request that was fatal", &fatal, FfaError::Aborted)?;
    has_ended(&RELAY)?;
    lives("echo lives on", &ECHO)
}

pub fn a_partition_that_aborts_on_all_pes_at_once_leaves_the_others_alone() -> Outcome {
    fn abort() -> Outcome {
        // While echo, which hostile has asked, has given its cycles away.
        let words = [command::FORSAKE, ECHO.id, command::YIELD, 0, RELAY.memory()];
        let fatal = demo::ask(FORM, HOSTILE.id, &words);
        expect_error("the request that was fatal", &fatal, FfaError::Aborted)?;
        finish(&ECHO)?;
        has_ended(&HOSTILE)?;
        lives("patient lives on", &PATIENT)
    }
    pe::on_all(abort)?;
    pe::on_all(|| has_ended(&HOSTILE))
}

/// The context of `callee` here may have been left behind by a caller that has ended: the Normal world runs it to its
/// end, and has no answer from that.
fn finish(callee: &Partition) -> Outcome {
    let refused = demo::ask(FORM, callee.id, &[command::ECHO]);
    if demo::is_busy(&refused) {
        let end = ffa::call(FuncId::Run32, [callee.here()]);
        expect_function("FFA_MSG_WAIT", &end, FuncId::MsgWait32)?;
    }
    lives("it takes requests again", callee)
}

pub fn a_callee_that_its_caller_left_preempted_can_be_run_to_its_end() -> Outcome {
    const LONG: u64 = 1_000_000_000;
    /// In microseconds. Where the machine is slow, the first ones may come before relay has asked echo.
    const LATER: [u64; 3] = [10_000, 30_000, 90_000];
    for soon in LATER {
        timer::arm(soon);
        let words = [command::FORSAKE, ECHO.id, command::SPIN, LONG, HOSTILE.memory()];
        let preempted = demo::ask(FORM, RELAY.id, &words);
        let taken = timer::take();
        expect("the interrupt was pending", u64::from(taken), 1)?;
        expect_function("FFA_INTERRUPT", &preempted, FuncId::Interrupt32)?;
        expect("the vCPU that FFA_INTERRUPT names", preempted[1], RELAY.here())?;
        let end = ffa::call(FuncId::Run32, [preempted[1]]);
        if expect_function("", &end, FORM.functions().1).is_ok() {
            continue;
        }
        expect_error("the FFA_RUN that was fatal", &end, FfaError::Aborted)?;
        let busy = demo::ask(FORM, ECHO.id, &[command::ECHO]);
        expect_error("echo meanwhile", &busy, FfaError::Busy)?;
        finish(&ECHO)?;
        return has_ended(&RELAY);
    }
    fail("relay leaves echo while it is preempted", 0, 1)
}

/// What `hostile` does in the scenario that is run, and where.
static DEED: [AtomicU64; 2] = [const { AtomicU64::new(0) }; 2];

/// Has `hostile` do it on the first PE, while the others ask everybody else.
pub fn deed(what: u64, address: u64) -> Outcome {
    fn commit() -> Outcome {
        if pe::index() == 0 {
            let [what, address] = [&DEED[0], &DEED[1]].map(|word| word.load(Ordering::Acquire));
            let fatal = demo::ask(FORM, HOSTILE.id, &[command::DIE, what, address]);
            return expect_error("the request that was fatal", &fatal, FfaError::Aborted);
        }
        for _ in 0..50 {
            lives("echo lives on", &ECHO)?;
            lives("relay lives on", &RELAY)?;
        }
        Ok(())
    }
    DEED[0].store(what, Ordering::Release);
    DEED[1].store(address, Ordering::Release);
    pe::on_all(commit)?;
    pe::on_all(|| has_ended(&HOSTILE))
}

//! Direct messages from the Normal world to partitions, and from one partition to another (FF-A 1.2, chapter 15).

use core::sync::atomic::{AtomicU64, Ordering};

use arm_ffa::{FfaError, FuncId};

use crate::demo::{
    self, ECHO, FORWARD_CHANGE, Form, MAILMAN, PARTITIONS, Partition, RELAY, TICKER, command, expect_answer,
};
use crate::ffa::{self, expect_error, expect_function};
use crate::outcome::{Outcome, expect};
use crate::pe;
use crate::random;

/// A random value comes back from this partition changed, in each form of message that it takes.
pub fn comes_back_changed(partition: &Partition) -> Outcome {
    for &form in partition.forms() {
        let mut words = [0; 14];
        words.fill_with(random::next);
        words[0] = command::ECHO;
        let answer = demo::ask_until_free(form, partition.id, &words);
        expect_answer("word 1", form, partition.id, &answer, !words[1])?;
        for (register, word) in answer[form.first()..].iter().zip(&words).take(form.words()).skip(1) {
            expect("a word of the answer", *register, !word & form.mask())?;
        }
    }
    Ok(())
}

pub fn a_random_value_comes_back_changed() -> Outcome {
    PARTITIONS.iter().try_for_each(comes_back_changed)
}

pub fn a_value_travels_through_relay_to_echo() -> Outcome {
    for form in Form::ALL {
        let value = random::next() & form.mask();
        let answer = demo::ask_until_free(form, RELAY.id, &[command::FORWARD, ECHO.id, value]);
        expect_answer("word 1", form, RELAY.id, &answer, !value ^ FORWARD_CHANGE)?;
    }
    Ok(())
}

pub fn each_pe_has_its_own_context_of_echo() -> Outcome {
    let form = Form::Direct64;
    let first = demo::ask(form, ECHO.id, &[command::WHO]);
    expect_answer("id", form, ECHO.id, &first, ECHO.id)?;
    expect("vCPU", first[form.first() + 2], pe::index() as u64)?;
    // Nobody else is served by this context in between.
    let second = demo::ask(form, ECHO.id, &[command::WHO]);
    expect("requests served", second[form.first() + 3], first[form.first() + 3] + 1)
}

pub fn a_request_to_nobody_is_invalid() -> Outcome {
    for form in Form::ALL {
        let answer = demo::ask(form, 0x8011, &[command::ECHO]);
        expect_error("no partition of this id", &answer, FfaError::InvalidParameters)?;
    }
    Ok(())
}

pub fn a_request_with_reserved_w2_is_invalid() -> Outcome {
    for form in [Form::Direct32, Form::Direct64] {
        let mut registers = demo::request(form, ECHO.id, &[command::ECHO], 0);
        registers[2] = 1;
        expect_error("w2", &ffa::call_registers(registers), FfaError::InvalidParameters)?;
    }
    Ok(())
}

pub fn a_blocked_partition_is_busy() -> Outcome {
    let form = Form::Direct32;
    let yielded = demo::ask(form, RELAY.id, &[command::YIELD, 0]);
    expect_function("FFA_YIELD", &yielded, FuncId::Yield32)?;
    let refused = demo::ask(form, RELAY.id, &[command::ECHO]);
    let resumed = ffa::call(FuncId::Run32, [RELAY.id << 16]);
    expect_error("a request meanwhile", &refused, FfaError::Busy)?;
    expect_answer("the answer in the end", form, RELAY.id, &resumed, 1)
}

static SERVED: AtomicU64 = AtomicU64::new(0);
static REFUSED: AtomicU64 = AtomicU64::new(0);

pub fn one_of_two_pes_gets_busy() -> Outcome {
    /// Long enough for every PE to ask before the first is answered.
    const ITERATIONS: u64 = 20_000_000;
    fn ask_once() -> Outcome {
        let form = Form::Direct64;
        let answer = demo::ask(form, RELAY.id, &[command::SPIN, ITERATIONS]);
        if demo::is_busy(&answer) {
            REFUSED.fetch_add(1, Ordering::AcqRel);
            return Ok(());
        }
        SERVED.fetch_add(1, Ordering::AcqRel);
        expect_answer("iterations", form, RELAY.id, &answer, ITERATIONS)
    }
    SERVED.store(0, Ordering::Release);
    REFUSED.store(0, Ordering::Release);
    pe::on_all(ask_once)?;
    let (served, refused) = (SERVED.load(Ordering::Acquire), REFUSED.load(Ordering::Acquire));
    expect("served or refused", served + refused, pe::count() as u64)?;
    expect("anybody served", u64::from(served > 0), 1)?;
    expect("anybody refused", u64::from(refused > 0), u64::from(pe::count() > 1))
}

pub fn a_receiver_admits_whom_its_manifest_lists() -> Outcome {
    // That of `ticker` lists the Normal world, which asks it all the time.
    let form = Form::Direct64;
    let answer = demo::ask_until_free(form, TICKER.id, &[command::ECHO, 7]);
    expect_answer("word 1", form, TICKER.id, &answer, !7)?;
    for function in [FuncId::MsgSendDirectReq32, FuncId::MsgSendDirectReq64, FuncId::MsgSendDirectReq64_2] {
        let call = [u32::from(function).into(), MAILMAN.id << 16 | TICKER.id];
        let mut registers = [0; 18];
        registers[..8].copy_from_slice(&demo::call_of(&MAILMAN, &call)?);
        expect_error("a partition's request", &registers, FfaError::Denied)?;
    }
    Ok(())
}

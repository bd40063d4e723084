//! A partition at S-EL0: messages, notifications and memory, by SVC, on any PE.

use arm_ffa::{FfaError, FuncId};

use super::memory::{give, have, lend, lenders, peek, poke, reads_and_writes, retrieve, status};
use super::messages::comes_back_changed;
use crate::demo::{self, BORROWER, Form, LENDER, SANDBOX, command, expect_answer};
use crate::ffa::{self, expect_function, expect_success};
use crate::mail;
use crate::memory::{READ, WRITE};
use crate::notifications;
use crate::outcome::{Outcome, expect};
use crate::random;
use crate::timer;

/// A region of its manifest that it may write.
pub fn scratch() -> u64 {
    SANDBOX.memory() + 0x3_8000
}

pub fn a_partition_at_s_el0_answers_on_any_pe() -> Outcome {
    comes_back_changed(&SANDBOX)?;
    // It asks others, too.
    let value = random::next();
    let asked = demo::told("it asks", &SANDBOX, &[command::ASK, BORROWER.id, command::ECHO, value])?;
    expect("what it was answered", asked[0], !value)
}

pub fn a_partition_at_s_el0_says_what_it_may_do_with_its_pages() -> Outcome {
    let [attempts, wrong, first, _] = demo::told("it says", &SANDBOX, &[command::PERMISSIONS])?;
    expect("the first attempt that went wrong", first, 0)?;
    expect("attempts that went wrong", wrong, 0)?;
    expect("attempts", u64::from(attempts > 40), 1)?;
    // When it has initialised it is over.
    for (function, arguments) in [(FuncId::MemPermSet64, [1, 7]), (FuncId::MemPermGet64, [0, 0])] {
        let [pages, permissions] = arguments;
        let call = [u64::from(u32::from(function)), scratch(), pages, permissions];
        let answer = demo::call_of(&SANDBOX, &call)?;
        expect("afterwards", answer[2], status(FfaError::Denied))?;
    }
    let call = [u64::from(u32::from(FuncId::MemPermGet64)), lenders()];
    expect("at S-EL1", demo::call_of(&LENDER, &call)?[2], status(FfaError::NotSupported))
}

pub fn what_is_not_of_ff_a_ends_at_the_spmc() -> Outcome {
    // SMCCC_VERSION, PSCI_VERSION, a vendor's call, and hypercalls for interrupts.
    for function in [0x8000_0000, 0x8400_0000, 0xc200_0001, 0xff03, 0xff04] {
        expect("the answer", demo::call_of(&SANDBOX, &[function, 1, 1])?[0], u64::MAX)?;
    }
    Ok(())
}

pub fn wfi_at_s_el0_gives_the_pe_back() -> Outcome {
    for form in Form::ALL {
        let answer = demo::ask_until_free(form, SANDBOX.id, &[command::WAIT]);
        expect_function("it waits", &answer, FuncId::Yield32)?;
        expect("who waits", answer[1], SANDBOX.here())?;
        expect("for how long", answer[2] | answer[3], 0)?;
        let answer = ffa::call(FuncId::Run32, [answer[1]]);
        expect_function("it goes on", &answer, form.functions().1)?;
    }
    Ok(())
}

pub fn a_partition_at_s_el0_is_preempted() -> Outcome {
    const LONG: u64 = 20_000_000;
    let form = Form::Direct64;
    timer::arm(2_000);
    let mut answer = demo::ask_until_free(form, SANDBOX.id, &[command::SPIN, LONG]);
    expect_function("FFA_INTERRUPT", &answer, FuncId::Interrupt32)?;
    while expect_function("", &answer, FuncId::Interrupt32).is_ok() {
        expect("the interrupt was pending", u64::from(timer::take()), 1)?;
        answer = ffa::call(FuncId::Run32, [answer[1]]);
    }
    timer::disarm();
    expect_answer("what it counted", form, SANDBOX.id, &answer, LONG)
}

pub fn registers_at_s_el0_survive() -> Outcome {
    let form = Form::Direct64;
    let answer = demo::ask_until_free(form, SANDBOX.id, &[command::HOLD, random::next()]);
    expect_function("it waits", &answer, FuncId::Yield32)?;
    let run = answer[1];
    // Meanwhile another partition writes over all that it can.
    let answer = demo::ask(form, BORROWER.id, &[command::SCRIBBLE, 1]);
    expect_function("its answer", &answer, form.functions().1)?;
    let answer = ffa::call(FuncId::Run32, [run]);
    expect_answer("registers that were lost", form, SANDBOX.id, &answer, 0)
}

pub fn notifications_are_polled_at_s_el0() -> Outcome {
    const BITS: u64 = 1 << 40 | 1 << 3;
    /// The notification pending interrupt, as FFA_FEATURES has it.
    const NPI: u64 = 1;
    let named = |function: FuncId| u64::from(u32::from(function));
    let features = demo::call_of(&SANDBOX, &[named(FuncId::Features), NPI])?;
    expect("there is no interrupt", features[2], status(FfaError::NotSupported))?;
    let [w1, w2, w3, w4] = notifications::arguments(0, SANDBOX.id, 0, BITS);
    let bound = demo::call_of(&SANDBOX, &[named(FuncId::NotificationBind), w1, w2, w3, w4])?;
    expect("FFA_NOTIFICATION_BIND", bound[0], named(FuncId::Success32))?;
    expect_success("FFA_NOTIFICATION_SET", &notifications::set(0, SANDBOX.id, 0, BITS))?;
    notifications::expect_listed("who has one", SANDBOX.id, &[])?;
    let got = demo::call_of(&SANDBOX, &[named(FuncId::NotificationGet), SANDBOX.id, 0b11])?;
    expect("of VMs, low", got[4], BITS & 0xffff_ffff)?;
    expect("of VMs, high", got[5], BITS >> 32)?;
    let unbound = demo::call_of(&SANDBOX, &[named(FuncId::NotificationUnbind), w1, 0, w3, w4])?;
    expect("FFA_NOTIFICATION_UNBIND", unbound[0], named(FuncId::Success32))
}

pub fn messages_come_back_from_s_el0() -> Outcome {
    mail::mapped(1, || {
        for sequence in 1..4 {
            expect_success("FFA_MSG_SEND2", &mail::send(SANDBOX.id, 7, sequence, 0))?;
            notifications::expect_listed("who has a message", SANDBOX.id, &[])?;
            demo::run_until_it_waits(&SANDBOX)?;
            mail::expect_echo("the message comes back", SANDBOX.id, 7, sequence)?;
        }
        Ok(())
    })
}

pub fn a_partition_at_s_el0_borrows_memory_of_the_normal_world() -> Outcome {
    // At its own address: there is one address space.
    reads_and_writes(&SANDBOX, 0)
}

pub fn a_partition_at_s_el0_lends_memory_and_has_it_back() -> Outcome {
    for kind in [0, 1] {
        poke(&SANDBOX, scratch() + 16, 0xabc + kind)?;
        let handle = lend(&SANDBOX, BORROWER.id, kind, scratch(), 2)?;
        let [first, pages, _] = retrieve(&BORROWER, handle, SANDBOX.id, WRITE)?;
        expect("where it is", first, scratch())?;
        expect("pages", pages, 2)?;
        expect("what the borrower reads", peek(&BORROWER, scratch() + 16)?, 0xabc + kind)?;
        poke(&BORROWER, scratch() + 24, 0xdef + kind)?;
        give(&BORROWER, handle, 0)?;
        have(&SANDBOX, handle)?;
        expect("what it finds", peek(&SANDBOX, scratch() + 24)?, 0xdef + kind)?;
    }
    // And of another partition it borrows.
    poke(&LENDER, lenders(), 0x77)?;
    let handle = lend(&LENDER, SANDBOX.id, 0, lenders(), 1)?;
    retrieve(&SANDBOX, handle, LENDER.id, READ)?;
    expect("what it reads", peek(&SANDBOX, lenders())?, 0x77)?;
    give(&SANDBOX, handle, 0)?;
    have(&LENDER, handle)
}

pub fn all_pes_ask_s_el0_at_once() -> Outcome {
    for _ in 0..100 {
        let value = random::next();
        let answer = demo::ask_until_free(Form::Direct2, SANDBOX.id, &[command::ECHO, value]);
        expect_answer("its answer", Form::Direct2, SANDBOX.id, &answer, !value)?;
    }
    Ok(())
}

//! The reference scheduler at work: policies, contexts of one partition, and FFA_RUN of what runs already.

use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use arm_ffa::FuncId;

use crate::demo::{self, COURIER, Form, MAILMAN, command, expect_answer, is_busy, told};
use crate::ffa::{self, expect_function, expect_success};
use crate::mail::{self, mapped};
use crate::notifications::{OWN, Width, collect};
use crate::outcome::{Outcome, expect};
use crate::request::{self, Request};
use crate::scheduler::load::{self, Wanted, expect_silence};
use crate::scheduler::policy::Policy;
use crate::scheduler::{PARTITIONS, table};
use crate::{gic, pe};

/// Long enough to be met while it works.
const LONG: u64 = 10_000_000;

pub fn each_policy_runs_partitions_in_its_own_order() -> Outcome {
    const MESSAGES: u64 = 300;
    mapped(1, || {
        let mut orders = [0; Policy::ALL.len()];
        table::head();
        for (policy, order) in Policy::ALL.into_iter().zip(&mut orders) {
            let figures = load::carry(&Wanted { policy, messages: MESSAGES, hard: false })?;
            table::row(policy, MESSAGES, &figures);
            *order = figures.order;
            expect_silence()?;
        }
        for (place, order) in orders.iter().enumerate() {
            let others = &orders[place + 1..];
            expect("a policy that runs in another's order", u64::from(others.contains(order)), 0)?;
        }
        Ok(())
    })
}

pub fn messages_survive_all_policies_all_pes_and_preemption() -> Outcome {
    /// To all partitions, under all policies.
    const SHORT: u64 = 5000;
    const LONG: u64 = 100_000;
    let all = if matches!(request::read(), Request::Long) { LONG } else { SHORT };
    let share = (Policy::ALL.len() * PARTITIONS.len()) as u64;
    let messages = all.next_multiple_of(share) / Policy::ALL.len() as u64;
    mapped(1, || {
        table::head();
        for policy in Policy::ALL {
            let figures = load::carry(&Wanted { policy, messages, hard: true })?;
            table::row(policy, messages, &figures);
            expect_silence()?;
        }
        Ok(())
    })
}

/// How many contexts have seen the message of the test below.
static SEEN: AtomicU64 = AtomicU64::new(0);

pub fn one_of_all_contexts_that_are_run_for_a_message_sees_it() -> Outcome {
    const ROUNDS: u64 = 50;
    fn run() -> Outcome {
        let seen = || {
            let answer = demo::ask_to_the_end(Form::Direct2, MAILMAN.id, &[command::LOG, OWN]);
            // Behind what the log says of the sender: the messages of this vCPU.
            answer[Form::Direct2.first() + 5]
        };
        let before = seen();
        demo::run_until_it_waits(&MAILMAN)?;
        SEEN.fetch_add(seen() - before, Ordering::AcqRel);
        Ok(())
    }
    mapped(1, || {
        told("the log is emptied", &MAILMAN, &[command::LOG, OWN, 1])?;
        for sequence in 1..=ROUNDS {
            SEEN.store(0, Ordering::Release);
            expect_success("FFA_MSG_SEND2", &mail::send(MAILMAN.id, 5, sequence, 0))?;
            pe::on_all(run)?;
            expect("contexts that have seen it", SEEN.load(Ordering::Acquire), 1)?;
            mail::expect_echo("the message comes back", MAILMAN.id, 5, sequence)?;
            mail::expect_none("and once only")?;
        }
        gic::take();
        collect(Width::Wide, |_| Ok(())).map(drop)
    })
}

/// Whether the partition of the test below is about to work.
static IS_WORKING: AtomicBool = AtomicBool::new(false);

pub fn ffa_run_of_a_running_vcpu_is_busy() -> Outcome {
    fn work() -> Outcome {
        let form = Form::Direct64;
        while IS_WORKING.load(Ordering::Acquire) {
            let answer = demo::ask_until_free(form, COURIER.id, &[command::SPIN, LONG]);
            expect_answer("iterations", form, COURIER.id, &answer, LONG)?;
        }
        Ok(())
    }
    if pe::count() == 1 {
        return Ok(());
    }
    IS_WORKING.store(true, Ordering::Release);
    pe::start(1, work);
    let end = until_both_were_busy();
    IS_WORKING.store(false, Ordering::Release);
    pe::end(1).and(end)
}

/// Runs `courier`, and asks it, until it was busy at both: it is where it works on another PE, and else it waits.
fn until_both_were_busy() -> Outcome {
    let (mut runs, mut requests) = (0, 0);
    while runs < 100 || requests < 10 {
        let answer = ffa::call(FuncId::Run32, [COURIER.here()]);
        if is_busy(&answer) {
            runs += 1;
        } else {
            expect_function("FFA_RUN", &answer, FuncId::MsgWait32)?;
        }
        let answer = demo::ask(Form::Direct64, COURIER.id, &[command::ECHO]);
        if is_busy(&answer) {
            requests += 1;
        } else {
            expect_function("a request", &answer, Form::Direct64.functions().1)?;
        }
    }
    Ok(())
}

//! The partition `hostile` tries what is forbidden, on all PEs at once, and everybody goes on.

use arm_ffa::FuncId;

use super::memory::{self, free};
use crate::demo::{self, ECHO, Form, HOSTILE, command, expect_answer};
use crate::ffa::{self, expect_function, expect_success};
use crate::memory::{Offer, READ, WRITE, reclaim};
use crate::outcome::{Outcome, expect};
use crate::random;
use crate::timer;

/// Bytes of a page.
const PAGE: u64 = crate::mail::PAGE as u64;

/// Has it make a series of attempts, by a command with arguments; all must be refused as they must be. Details are on the
/// SPMC's console.
fn attempts(words: &[u64]) -> Outcome {
    let form = Form::Direct64;
    let answer = demo::ask(form, HOSTILE.id, words);
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
    attempts(&[command::SWEEP, random::next()])
}

pub fn a_partition_cannot_forge_calls() -> Outcome {
    attempts(&[command::FORGE])
}

pub fn a_partition_cannot_forge_messages() -> Outcome {
    attempts(&[command::FORGE_MESSAGES])
}

pub fn a_partition_cannot_send_or_take_what_is_not_its_to() -> Outcome {
    /// Pages whose list does not fit into a buffer of one page; and one for each of the other transactions.
    const MANY: u64 = 300;
    let lent_page = free() + 2 * MANY * PAGE;
    let elsewhere_page = lent_page + PAGE;
    let own = (0..MANY).map(|page| free() + 2 * page * PAGE).chain([lent_page, elsewhere_page]);
    memory::mapped(|| {
        for conduit in 0..2 {
            own.clone().for_each(|page| memory::write(page, page));
            let many = (0..MANY as u32).map(|page| (free() + 2 * u64::from(page) * PAGE, 1));
            let shared = memory::sent(Offer::share(&[(HOSTILE.id, READ)]).send(many))?;
            let lent = Offer::lend(&[(HOSTILE.id, WRITE)]).send([(lent_page, 1)].into_iter());
            let elsewhere = Offer::lend(&[(ECHO.id, WRITE)]).send([(elsewhere_page, 1)].into_iter());
            let (lent, elsewhere) = (memory::sent(lent)?, memory::sent(elsewhere)?);
            attempts(&[command::FORGE_TRANSACTIONS, shared, lent, elsewhere, conduit])?;
            for handle in [shared, lent, elsewhere] {
                expect_success("FFA_MEM_RECLAIM", &reclaim(handle, 0))?;
            }
            expect(
                "pages that changed",
                own.clone().filter(|page| memory::read(*page) != *page).count() as u64,
                0,
            )?;
        }
        Ok(())
    })
}

pub fn registers_and_instructions_of_others_are_undefined_in_a_partition() -> Outcome {
    attempts(&[command::SYSTEM])
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

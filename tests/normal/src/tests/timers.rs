//! Time for partitions: their EL1 physical timer, whoever has the PE when it comes, and WFI.

use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use arm_ffa::{FfaError, FuncId};

use crate::demo::{self, ECHO, Form, MAILMAN, PORTER, Partition, TICKER, command, expect_answer, told};
use crate::ffa::{self, Registers, expect_error, expect_function};
use crate::notifications::{expect_listed, expect_nothing_listed};
use crate::outcome::{Failure, Outcome, expect, fail};
use crate::{gic, pe, timer};

/// The timer's virtual interrupt.
const TIMER: u64 = 3;
/// When it comes, in nanoseconds, and the same in microseconds.
const SOON: u64 = 3_000_000;
const SOON_US: u64 = SOON / 1000;
/// Long enough for it to come meanwhile.
const LONG: u64 = 100_000_000;

/// How many interrupts of the timer a partition has had, and when the last one came.
fn came(partition: &Partition) -> Result<(u64, u64), Failure> {
    let [count, last, ..] = told("interrupts", partition, &[command::CAME, TIMER])?;
    Ok((count, last))
}

/// Has it come in so many nanoseconds, and so often: its deadline.
fn armed(partition: &Partition, nanoseconds: u64, times: u64) -> Result<u64, Failure> {
    told("the timer is armed", partition, &[command::ARM, nanoseconds, times]).map(|words| words[0])
}

/// So many interrupts must come, one after the other, while the Normal world does nothing. Where the machine is slow
/// they come late, and the partition may be asked first: then once more, with more time.
fn come_by_themselves(partition: &Partition, times: u64) -> Outcome {
    /// The last one has 2^10 times the time that it needs.
    const TRIES: u32 = 10;
    for tries in 0..TRIES {
        let (before, _) = came(partition)?;
        let deadline = armed(partition, SOON, times)?;
        timer::wait(((times + 1) * SOON_US) << tries);
        let asked = timer::now().0;
        let (count, last) = came(partition)?;
        if count == before + times && last < asked {
            return expect("the first did not come before its time", u64::from(last >= deadline), 1);
        }
        armed(partition, 0, 0)?;
    }
    fail("tries", u64::from(TRIES), 0)
}

/// One more SRI than before must come to this PE.
fn sri_comes(before: u64) -> Outcome {
    /// How often it is looked for: it comes late where the machine is slow.
    const PATIENCE: usize = 500;
    for _ in 0..PATIENCE {
        timer::wait(3 * SOON_US);
        gic::take();
        if gic::sris(pe::index()) != before {
            break;
        }
    }
    expect("SRIs", gic::sris(pe::index()), before + 1)
}

/// One more interrupt must have come than before: after its deadline, and before `end`.
fn expect_one_more(partition: &Partition, before: u64, deadline: u64, end: u64) -> Outcome {
    let (count, last) = came(partition)?;
    expect("interrupts of the timer", count, before + 1)?;
    expect("it did not come before its time", u64::from(last >= deadline), 1)?;
    expect("it came in the midst of that", u64::from(last < end), 1)
}

pub fn a_partitions_timer_interrupts_the_normal_world() -> Outcome {
    come_by_themselves(&TICKER, 1)?;
    // As often as it is to come, without a call from the Normal world in between.
    come_by_themselves(&TICKER, 5)
}

pub fn a_partitions_timer_interrupts_another_partition() -> Outcome {
    for partition in [&ECHO, &MAILMAN] {
        let form = Form::Direct64;
        let (before, _) = came(&TICKER)?;
        let deadline = armed(&TICKER, SOON, 1)?;
        let answer = demo::ask(form, partition.id, &[command::SPIN, LONG]);
        let end = timer::now().0;
        expect_answer("iterations", form, partition.id, &answer, LONG)?;
        expect("it has worked for so long", u64::from(end > deadline), 1)?;
        expect_one_more(&TICKER, before, deadline, end)?;
    }
    Ok(())
}

pub fn a_partitions_timer_interrupts_itself() -> Outcome {
    for partition in [&TICKER, &MAILMAN] {
        let (before, _) = came(partition)?;
        let deadline = armed(partition, SOON, 1)?;
        told("it works", partition, &[command::SPIN, LONG])?;
        expect_one_more(partition, before, deadline, timer::now().0)?;
    }
    Ok(())
}

/// How often the timer had come, how long to wait for it, and whether it came meanwhile.
static BEFORE: AtomicU64 = AtomicU64::new(0);
static WAIT: AtomicU64 = AtomicU64::new(0);
static HAS_COME: AtomicBool = AtomicBool::new(false);

pub fn a_deadline_holds_when_the_vcpu_has_gone_to_another_pe() -> Outcome {
    /// As in [`come_by_themselves`].
    const TRIES: u32 = 6;
    fn elsewhere() -> Outcome {
        // It is here now; when it waits again, so does its deadline.
        let form = Form::Direct64;
        let answer = demo::ask(form, TICKER.id, &[command::ECHO, 7]);
        expect_answer("word 1", form, TICKER.id, &answer, !7)?;
        timer::wait(WAIT.load(Ordering::Acquire));
        let asked = timer::now().0;
        let (count, last) = came(&TICKER)?;
        let has_come = count == BEFORE.load(Ordering::Acquire) + 1 && last < asked;
        HAS_COME.store(has_come, Ordering::Release);
        Ok(())
    }
    if pe::count() == 1 {
        return Ok(());
    }
    for tries in 0..TRIES {
        BEFORE.store(came(&TICKER)?.0, Ordering::Release);
        WAIT.store((40 * SOON_US) << tries, Ordering::Release);
        armed(&TICKER, 20 * SOON, 1)?;
        pe::start(1, elsewhere);
        pe::end(1)?;
        if HAS_COME.load(Ordering::Acquire) {
            return Ok(());
        }
        armed(&TICKER, 0, 0)?;
    }
    fail("tries", u64::from(TRIES), 0)
}

/// It must be FFA_YIELD of this partition; the time in it.
fn yielded(partition: &Partition, registers: &Registers) -> Result<u64, Failure> {
    expect_function("FFA_YIELD", registers, FuncId::Yield32)?;
    expect("the vCPU that FFA_YIELD names", registers[1], partition.here())?;
    Ok(registers[2] & 0xffff_ffff | registers[3] << 32)
}

pub fn wfi_yields_with_the_time_to_the_deadline() -> Outcome {
    /// In nanoseconds.
    const LATER: u64 = 200_000_000;
    let form = Form::Direct64;
    let (before, _) = came(&TICKER)?;
    let left = demo::ask(form, TICKER.id, &[command::REST, LATER]);
    let time = yielded(&TICKER, &left)?;
    expect("a time up to the deadline", u64::from(time > 0 && time <= LATER), 1)?;
    // Run before that it goes on behind its WFI.
    let answer = ffa::call(FuncId::Run32, [left[1]]);
    expect_answer("interrupts before the rest", form, TICKER.id, &answer, before)?;
    expect("interrupts behind the rest", answer[5], before)?;
    armed(&TICKER, 0, 0)?;
    let sris = gic::sris(pe::index());
    let left = demo::ask(form, TICKER.id, &[command::REST, LATER]);
    yielded(&TICKER, &left)?;
    timer::wait(LATER / 1000);
    sri_comes(sris)?;
    expect_listed("who is to be run", TICKER.id, &[0])?;
    let answer = ffa::call(FuncId::Run32, [TICKER.here()]);
    expect_answer("interrupts before the rest", form, TICKER.id, &answer, before)?;
    expect("interrupts behind the rest", answer[5], before + 1)?;
    expect_nothing_listed("behind it")
}

pub fn wfi_without_a_deadline_yields_without_a_time() -> Outcome {
    let form = Form::Direct64;
    let left = demo::ask(form, MAILMAN.id, &[command::REST, 0]);
    expect("no time", yielded(&MAILMAN, &left)?, 0)?;
    let refused = demo::ask(form, MAILMAN.id, &[command::ECHO]);
    expect_error("a request meanwhile", &refused, FfaError::Busy)?;
    let answer = ffa::call(FuncId::Run32, [left[1]]);
    expect_function("the answer", &answer, form.functions().1)
}

pub fn the_scheduler_is_told_of_an_interrupt_where_the_manifest_asks_for_it() -> Outcome {
    /// The last one has 2^5 times the time that it needs.
    const TRIES: u32 = 5;
    for tries in 0..TRIES {
        let (before, _) = came(&PORTER)?;
        let sris = gic::sris(pe::index());
        let deadline = armed(&PORTER, SOON << tries, 1)?;
        let told = sri_comes(sris);
        if told.is_err() && came(&PORTER)?.0 == before + 1 {
            // On a slow machine it came before the request was answered, and was handled then.
            continue;
        }
        told?;
        expect_listed("who is to be run", PORTER.id, &[0])?;
        let run = timer::now().0;
        demo::run_until_it_waits(&PORTER)?;
        let (count, last) = came(&PORTER)?;
        expect("interrupts of the timer", count, before + 1)?;
        expect("it has waited for its vCPU to be run", u64::from(last >= run && last >= deadline), 1)?;
        return expect_nothing_listed("behind it");
    }
    fail("tries", u64::from(TRIES), 0)
}

//! Calls to be counted: each row runs between two functions whose addresses a counter of instructions looks for.

use core::arch::asm;

use arm_ffa::FuncId;

use crate::demo::{self, ECHO, Form, MAILMAN, RELAY, TICKER, command};
use crate::ffa::{self, Registers, VERSION};
use crate::mail::{self, Tx};
use crate::notifications::{self, OWN};
use crate::{gic, timer};

/// Calls in a row.
const CALLS: u64 = 1000;
macro_rules! row {
    ($number:literal, $begin:ident, $end:ident, $function:expr, $run:expr) => {{
        #[unsafe(no_mangle)]
        #[inline(never)]
        extern "C" fn $begin() {
            // SAFETY: writes a register that the calling convention lets it write; keeps the function its own.
            unsafe { asm!("mov x9, #{}", const 2 * $number, out("x9") _, options(nomem, nostack)) };
        }
        #[unsafe(no_mangle)]
        #[inline(never)]
        extern "C" fn $end() {
            // SAFETY: as above.
            unsafe { asm!("mov x9, #{}", const 2 * $number + 1, out("x9") _, options(nomem, nostack)) };
        }
        $begin();
        let last: Registers = $run;
        $end();
        // Refusals are not what is to be counted.
        assert!(last[0] == u64::from(u32::from($function)), "row {}: {last:x?}", $number);
    }};
}

pub mod memory;

/// Makes a call again and again; what the last one gave.
fn repeat(registers: Registers) -> Registers {
    again(|| ffa::call_registers(registers))
}

/// Does it again and again; what the last time gave.
fn again(work: impl Fn() -> Registers) -> Registers {
    times(CALLS, work)
}

/// Does it so many times; what the last time gave.
fn times(count: u64, work: impl Fn() -> Registers) -> Registers {
    for _ in 1..count {
        work();
    }
    work()
}

fn named<const N: usize>(function: FuncId, arguments: [u64; N]) -> Registers {
    let mut registers = [0; 18];
    registers[0] = u32::from(function).into();
    registers[1..=N].copy_from_slice(&arguments);
    registers
}

/// Has a partition make calls.
fn inside(to: u64, what: u64) -> Registers {
    let answer = demo::ask(Form::Direct64, to, &[command::BENCH, what, ECHO.id, CALLS]);
    assert!(answer[3] == 0, "the partition was refused: {answer:x?}");
    answer
}

/// Runs the rows for the product's manifests.
pub fn run() {
    let echo = |form| demo::request(form, ECHO.id, &[command::ECHO, 1], 0);
    // Features are asked for by function id; this one the SPMC answers.
    let feature = u64::from(u32::from(FuncId::MsgSendDirectReq32));

    row!(0, bench_row_0_begin, bench_row_0_end, FuncId::MsgSendDirectResp32, repeat(echo(Form::Direct32)));
    row!(1, bench_row_1_begin, bench_row_1_end, FuncId::MsgSendDirectResp64, repeat(echo(Form::Direct64)));
    row!(
        2,
        bench_row_2_begin,
        bench_row_2_end,
        FuncId::MsgWait32,
        repeat(named(FuncId::Run32, [ECHO.id << 16, 0]))
    );
    row!(3, bench_row_3_begin, bench_row_3_end, FuncId::MsgSendDirectResp64, inside(RELAY.id, 1));
    row!(4, bench_row_4_begin, bench_row_4_end, VERSION as u32, repeat(named(FuncId::Version, [VERSION, 0])));
    row!(
        5,
        bench_row_5_begin,
        bench_row_5_end,
        FuncId::Success32,
        repeat(named(FuncId::Features, [feature, 0]))
    );
    row!(6, bench_row_6_begin, bench_row_6_end, FuncId::MsgSendDirectResp64, inside(ECHO.id, 0));
}

/// Runs the rows for the manifests of the tests.
pub fn run_of_tests() {
    /// Word 2 of a payload that the receiver does not send back.
    const IS_ECHO: u64 = 1 << 63;
    const WORDS: usize = 8;
    const BIT: u64 = 1;
    /// When a timer's interrupt comes, in microseconds: when its partition waits.
    const SOON: u64 = 100;

    // Messages and notifications are of FF-A 1.1 and later.
    ffa::call(FuncId::Version, [VERSION]);
    let done = |answer: Registers| assert!(ffa::expect_success("", &answer).is_ok(), "{answer:x?}");
    done(mail::map(1));
    let bind = u32::from(FuncId::NotificationBind).into();
    let [endpoints, flags, low, high] = notifications::arguments(OWN, MAILMAN.id, 0, BIT);
    let bound = demo::call_of(&MAILMAN, &[bind, endpoints, flags, low, high]);
    assert!(bound.is_ok_and(|answer| answer[0] == u32::from(FuncId::Success32).into()), "not bound");
    drop(Tx::write(MAILMAN.id, WORDS, 0, IS_ECHO));

    // What the scheduler does from the SRI on.
    let announced = || {
        gic::take();
        done(ffa::call(FuncId::NotificationInfoGet64, []));
        ffa::call(FuncId::Run32, [MAILMAN.here()])
    };
    let set = || notifications::set(OWN, MAILMAN.id, 0, BIT);
    row!(
        7,
        bench_row_7_begin,
        bench_row_7_end,
        FuncId::MsgWait32,
        again(|| {
            done(ffa::call(FuncId::MsgSend2, []));
            announced()
        })
    );
    row!(
        8,
        bench_row_8_begin,
        bench_row_8_end,
        FuncId::MsgWait32,
        again(|| {
            done(set());
            announced()
        })
    );
    // Set and told: nothing is raised any more.
    done(set());
    gic::take();
    done(ffa::call(FuncId::NotificationInfoGet64, []));
    row!(9, bench_row_9_begin, bench_row_9_end, FuncId::Success32, again(set));
    row!(10, bench_row_10_begin, bench_row_10_end, FuncId::MsgSendDirectResp64, inside(MAILMAN.id, 2));
    row!(
        11,
        bench_row_11_begin,
        bench_row_11_end,
        FuncId::MsgSendDirectResp64,
        again(|| {
            let answer = demo::ask(Form::Direct64, TICKER.id, &[command::ARM, 1000 * SOON, 1]);
            timer::wait(2 * SOON);
            answer
        })
    );
    let came = demo::told("interrupts", &TICKER, &[command::CAME, 3]);
    assert!(came.is_ok_and(|came| came[0] == CALLS), "not every interrupt has come");
}

//! Calls to be counted: each row runs between two functions whose addresses a counter of instructions looks for.

use core::arch::asm;

use arm_ffa::FuncId;

use crate::demo::{self, ECHO, Form, RELAY, command};
use crate::ffa::{self, Registers, VERSION};

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

/// Makes a call again and again; what the last one gave.
fn repeat(registers: Registers) -> Registers {
    for _ in 1..CALLS {
        ffa::call_registers(registers);
    }
    ffa::call_registers(registers)
}

/// Runs all rows.
pub fn run() {
    let named = |function: FuncId, arguments: [u64; 2]| {
        let mut registers = [0; 18];
        registers[0] = u32::from(function).into();
        registers[1..3].copy_from_slice(&arguments);
        registers
    };
    let echo = |form| demo::request(form, ECHO.id, &[command::ECHO, 1], 0);
    let inside = |to, what| {
        let answer = demo::ask(Form::Direct64, to, &[command::BENCH, what, ECHO.id, CALLS]);
        assert!(answer[3] == 0, "the partition was refused: {answer:x?}");
        answer
    };
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

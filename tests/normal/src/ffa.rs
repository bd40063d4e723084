//! FF-A calls of the Normal world by SMC, in raw registers, and what may be expected of an answer.

use arm_ffa::{FfaError, FuncId};

use crate::outcome::{Outcome, expect};

/// x0-x17, as they go into a call and come out of it.
pub type Registers = [u64; 18];

/// FF-A 1.2, as FFA_VERSION encodes it.
pub const VERSION: u64 = 0x1_0002;
/// The SPMC's endpoint id.
pub const SPMC: u64 = 0x8000;

/// Makes a call with exactly these registers.
pub fn call_registers(registers: Registers) -> Registers {
    let [function, arguments @ ..] = registers;
    smccc::smc64(function as u32, arguments)
}

/// Makes a call with arguments from x1 on; the other registers are zero.
pub fn call<const N: usize>(function: FuncId, arguments: [u64; N]) -> Registers {
    call_id(u32::from(function), arguments)
}

/// As [`call`], for functions that have no name.
pub fn call_id<const N: usize>(function: u32, arguments: [u64; N]) -> Registers {
    let mut registers = [0; 18];
    registers[0] = function.into();
    registers[1..=N].copy_from_slice(&arguments);
    call_registers(registers)
}

/// w0 must name `function`. Where it names FFA_ERROR, the code in w2 is what a failure shows.
pub fn expect_function(what: &'static str, registers: &Registers, function: FuncId) -> Outcome {
    let refused = registers[0] == u64::from(u32::from(FuncId::Error32)) && function != FuncId::Error32;
    expect(what, registers[if refused { 2 } else { 0 }], u32::from(function).into())
}

/// It must be FFA_ERROR with this code in w2.
pub fn expect_error(what: &'static str, registers: &Registers, error: FfaError) -> Outcome {
    expect_function(what, registers, FuncId::Error32)?;
    expect(what, registers[2] & 0xffff_ffff, u64::from(i32::from(error) as u32))
}

/// It must be FFA_SUCCESS, of either width.
pub fn expect_success(what: &'static str, registers: &Registers) -> Outcome {
    if registers[0] == u64::from(u32::from(FuncId::Success64)) {
        return Ok(());
    }
    expect_function(what, registers, FuncId::Success32)
}

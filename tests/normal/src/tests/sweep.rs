//! Every function id of FF-A with garbage, from the Normal world: refused or harmless, and with the caller's own
//! values in x8-x17 afterwards.

use arm_ffa::{FfaError, FuncId};

use crate::demo::{self, ECHO, Form, command, expect_answer};
use crate::ffa::{self, Registers};
use crate::outcome::{Outcome, expect};
use crate::random;

/// How often each function is called.
const ROUNDS: u64 = 4;

/// What a call must come to.
enum Wanted {
    Error(FfaError),
    /// -1 in w0.
    NoVersion,
    /// FFA_SUCCESS with this in w2: EL3 answers, and looks at no argument.
    Id(u64),
}

/// What a call of this function that is made of garbage comes to.
fn wanted(function: u32) -> Wanted {
    Wanted::Error(match FuncId::try_from(function) {
        Ok(FuncId::Version) => return Wanted::NoVersion,
        Ok(FuncId::IdGet) => return Wanted::Id(0),
        Ok(FuncId::SpmIdGet) => return Wanted::Id(ffa::SPMC),
        Ok(FuncId::PartitionInfoGetRegs) => FfaError::Retry,
        // EL3 answers.
        Ok(FuncId::NormalWorldResume32) => FfaError::Denied,
        Ok(
            FuncId::PartitionInfoGet
            | FuncId::RxTxMap32
            | FuncId::RxTxMap64
            | FuncId::RxTxUnmap
            | FuncId::RxRelease
            | FuncId::RxAcquire
            | FuncId::MsgSendDirectReq32
            | FuncId::MsgSendDirectReq64
            | FuncId::MsgSendDirectReq64_2
            | FuncId::Run32
            | FuncId::MsgSend2
            | FuncId::NotificationBitmapCreate
            | FuncId::NotificationBitmapDestroy
            | FuncId::NotificationBind
            | FuncId::NotificationUnbind
            | FuncId::NotificationSet
            | FuncId::NotificationGet
            | FuncId::NotificationInfoGet32
            | FuncId::NotificationInfoGet64
            | FuncId::MemDonate32
            | FuncId::MemDonate64
            | FuncId::MemLend32
            | FuncId::MemLend64
            | FuncId::MemShare32
            | FuncId::MemShare64
            | FuncId::MemRetrieveReq32
            | FuncId::MemRetrieveReq64
            | FuncId::MemReclaim
            | FuncId::MemFragRx
            | FuncId::MemFragTx,
        ) => FfaError::InvalidParameters,
        _ => FfaError::NotSupported,
    })
}

pub fn every_function_with_garbage_is_refused() -> Outcome {
    for _ in 0..ROUNDS {
        for number in 0x60..=0xff_u32 {
            for function in [0x8400_0000 | number, 0xc400_0000 | number] {
                call_one(function)?;
            }
        }
    }
    let value = random::next();
    let answer = demo::ask(Form::Direct64, ECHO.id, &[command::ECHO, value]);
    expect_answer("echo lives on", Form::Direct64, ECHO.id, &answer, !value)
}

fn call_one(function: u32) -> Outcome {
    let mut registers: Registers = [0; 18];
    registers.fill_with(random::next);
    registers[0] = function.into();
    // No endpoint has a number like this, no version, and no list of partitions has a tag.
    registers[1] |= 0xb000_b000;
    registers[3] |= 1 << 16;
    let mut answer = ffa::call_registers(registers);
    if answer[0] == u64::MAX && FuncId::try_from(function).is_err() {
        // EL3 passes on what it knows of FF-A only; to the rest it answers as SMCCC has it.
        answer[..3].copy_from_slice(&[u32::from(FuncId::Error32).into(), 0, 0xffff_ffff]);
        answer[3..8].fill(0);
    }
    let [x0, x1, x2, ..] = answer;
    let (function_of_answer, code) = match wanted(function) {
        Wanted::Error(code) => (FuncId::Error32.into(), u64::from(i32::from(code) as u32)),
        Wanted::NoVersion => (u32::MAX, x2),
        Wanted::Id(id) => (FuncId::Success32.into(), id),
    };
    let function = u64::from(function) << 32;
    expect("a function, and w0 of its answer", function | x0, function | u64::from(function_of_answer))?;
    expect("a function, and w2 of its answer", function | x2, function | code)?;
    if x0 == u64::from(u32::from(FuncId::Error32)) {
        let rest = answer[3..8].iter().fold(x1, |all, register| all | register);
        expect("x1 and x3-x7 of FFA_ERROR", rest, 0)?;
    }
    for (register, own) in answer[8..].iter().zip(&registers[8..]) {
        expect("a register of x8-x17", *register, *own)?;
    }
    Ok(())
}

pub fn calls_of_the_secure_instance_are_not_the_normal_worlds() -> Outcome {
    let here = ECHO.here();
    for (function, arguments) in [
        (FuncId::MsgWait32, [0; 4]),
        (FuncId::Yield32, [0; 4]),
        (FuncId::Interrupt32, [here, 0, 0, 0]),
        (FuncId::SecondaryEpRegister64, [crate::machine::here().normal, 0, 0, 0]),
        (FuncId::ConsoleLog32, [1, 0x41, 0, 0]),
        (FuncId::ConsoleLog64, [1, 0x41, 0, 0]),
        (FuncId::MsgSendDirectResp32, [ECHO.id << 16, 0, 0, 0]),
        (FuncId::MsgSendDirectResp64, [ECHO.id << 16, 0, 0, 0]),
        (FuncId::MsgSendDirectResp64_2, [ECHO.id << 16, 0, 0, 0]),
        (FuncId::Error32, [0, u64::from(i32::from(FfaError::Aborted) as u32), 0, 0]),
        (FuncId::Success32, [0; 4]),
        (FuncId::Success64, [0; 4]),
    ] {
        let answer = ffa::call(function, arguments);
        ffa::expect_error("a call of the secure instance", &answer, FfaError::NotSupported)?;
    }
    Ok(())
}

pub fn nobody_speaks_for_the_secure_world() -> Outcome {
    for form in Form::ALL {
        for source in [0x8000, ECHO.id, 0x8002, 0xffff] {
            let mut registers = demo::request(form, ECHO.id, &[command::ECHO], 0);
            registers[1] = source << 16 | ECHO.id;
            let answer = ffa::call_registers(registers);
            ffa::expect_error("a secure source", &answer, FfaError::InvalidParameters)?;
        }
        for destination in [ffa::SPMC, 0xffff, 0, 5] {
            let answer = demo::ask(form, destination, &[command::ECHO]);
            ffa::expect_error("a receiver that is no partition", &answer, FfaError::InvalidParameters)?;
        }
    }
    Ok(())
}

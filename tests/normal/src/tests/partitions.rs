//! Calls that partitions make, at the secure virtual instance, and what they come to (FF-A 1.2, chapters 13 to 15).

use arm_ffa::{FfaError, FuncId};

use crate::demo::{self, ECHO, Form, HOSTILE, PATIENT, Partition, RELAY, call_of, command, expect_answer};
use crate::ffa::{self, SPMC, VERSION, expect_error, expect_function};
use crate::outcome::{Failure, Outcome, expect};
use crate::random;

/// Two pages at the end of echo's memory, which its image leaves free.
fn buffers() -> [u64; 2] {
    [ECHO.memory() + 0x3_e000, ECHO.memory() + 0x3_f000]
}
/// FFA_SUCCESS, 32-bit.
const SUCCESS: u64 = 0x8400_0061;

/// The partition's call must come to FFA_ERROR with this code.
fn refused(what: &'static str, partition: &Partition, call: (FuncId, &[u64]), code: FfaError) -> Outcome {
    let answer = made(partition, call)?;
    let mut registers = [0; 18];
    registers[..8].copy_from_slice(&answer);
    expect_error(what, &registers, code)
}

/// The partition's call must come to FFA_SUCCESS with this in w2.
fn granted(what: &'static str, partition: &Partition, call: (FuncId, &[u64]), w2: u64) -> Outcome {
    let answer = made(partition, call)?;
    expect(what, answer[0], SUCCESS)?;
    expect(what, answer[2], w2)
}

fn made(partition: &Partition, (function, arguments): (FuncId, &[u64])) -> Result<[u64; 8], Failure> {
    let mut registers = [0; 8];
    registers[0] = u32::from(function).into();
    registers[1..=arguments.len()].copy_from_slice(arguments);
    call_of(partition, &registers)
}

pub fn a_partition_finds_itself_and_the_spmc() -> Outcome {
    for partition in [&ECHO, &RELAY, &HOSTILE, &PATIENT] {
        granted("FFA_ID_GET", partition, (FuncId::IdGet, &[]), partition.id)?;
        granted("FFA_SPM_ID_GET", partition, (FuncId::SpmIdGet, &[]), SPMC)?;
    }
    let features = |function: FuncId| [u64::from(u32::from(function))];
    granted("FFA_FEATURES", &ECHO, (FuncId::Features, &features(FuncId::Yield32)), 0)?;
    let unknown = (FuncId::Features, &[0x8400_00ff][..]);
    refused("FFA_FEATURES of nothing", &ECHO, unknown, FfaError::NotSupported)?;
    let normal_only = features(FuncId::RxAcquire);
    refused(
        "FFA_FEATURES of a hypervisor's call",
        &ECHO,
        (FuncId::Features, &normal_only),
        FfaError::NotSupported,
    )
}

pub fn a_partitions_version_stays() -> Outcome {
    let version =
        |partition, wanted: u64| made(partition, (FuncId::Version, &[wanted])).map(|answer| answer[0]);
    for (partition, own) in [(&ECHO, VERSION), (&PATIENT, 0x1_0001)] {
        expect("the same again", version(partition, own)?, VERSION)?;
        for other in [0x1_0000, 0x1_0001, 0x1_0002, 0x1_0003, 0x2_0000, 0x8001_0002] {
            if other != own {
                expect("another version", version(partition, other)?, 0xffff_ffff)?;
            }
        }
    }
    Ok(())
}

pub fn a_partition_of_ffa_1_1_has_no_calls_of_1_2() -> Outcome {
    for function in
        [FuncId::PartitionInfoGetRegs, FuncId::MsgSendDirectReq64_2, FuncId::MsgSendDirectResp64_2]
    {
        refused("a call of FF-A 1.2", &PATIENT, (function, &[]), FfaError::NotSupported)?;
        let asked = [u64::from(u32::from(function))];
        refused("FFA_FEATURES of it", &PATIENT, (FuncId::Features, &asked), FfaError::NotSupported)?;
    }
    // Nor is it sent what it would not understand.
    let answer = demo::ask(Form::Direct2, PATIENT.id, &[command::ECHO]);
    expect_error("FFA_MSG_SEND_DIRECT_REQ2 to it", &answer, FfaError::Denied)
}

pub fn a_partitions_buffers_are_judged() -> Outcome {
    let [tx, rx] = buffers();
    let map = |tx, rx, pages| [tx, rx, pages];
    let invalid = FfaError::InvalidParameters;
    refused("FFA_RXTX_UNMAP of none", &ECHO, (FuncId::RxTxUnmap, &[]), invalid)?;
    refused("FFA_RX_RELEASE of none", &ECHO, (FuncId::RxRelease, &[]), invalid)?;
    refused("FFA_PARTITION_INFO_GET without one", &ECHO, (FuncId::PartitionInfoGet, &[]), invalid)?;
    refused("unaligned", &ECHO, (FuncId::RxTxMap64, &map(tx + 8, rx, 1)), invalid)?;
    refused("one page for both", &ECHO, (FuncId::RxTxMap64, &map(tx, tx, 1)), invalid)?;
    refused("no pages", &ECHO, (FuncId::RxTxMap64, &map(tx, rx, 0)), invalid)?;
    refused("memory of relay", &ECHO, (FuncId::RxTxMap64, &map(RELAY.memory(), rx, 1)), FfaError::Denied)?;
    refused(
        "over the end of its memory",
        &ECHO,
        (FuncId::RxTxMap64, &map(tx, rx + 0x1000, 1)),
        FfaError::Denied,
    )?;

    granted("FFA_RXTX_MAP", &ECHO, (FuncId::RxTxMap64, &map(tx, rx, 1)), 0)?;
    let end = buffers_are_used();
    granted("FFA_RXTX_UNMAP", &ECHO, (FuncId::RxTxUnmap, &[]), 0)?;
    granted("FFA_RXTX_MAP, 32-bit", &ECHO, (FuncId::RxTxMap32, &map(tx, rx, 1)), 0)?;
    granted("FFA_RXTX_UNMAP", &ECHO, (FuncId::RxTxUnmap, &[]), 0)?;
    end
}

/// With echo's buffers mapped.
fn buffers_are_used() -> Outcome {
    let [tx, rx] = buffers();
    let list = (FuncId::PartitionInfoGet, &[][..]);
    refused("FFA_RXTX_MAP again", &ECHO, (FuncId::RxTxMap64, &[tx, rx, 1]), FfaError::Denied)?;
    refused("FFA_RX_RELEASE of an empty one", &ECHO, (FuncId::RxRelease, &[]), FfaError::Denied)?;
    granted("FFA_PARTITION_INFO_GET", &ECHO, list, demo::PARTITIONS.len() as u64)?;
    let first = demo::ask(Form::Direct64, ECHO.id, &[command::PEEK, rx]);
    expect("the first partition in the list", first[4] & 0xffff, ECHO.id)?;
    refused("FFA_PARTITION_INFO_GET again", &ECHO, list, FfaError::Busy)?;
    granted("FFA_RX_RELEASE", &ECHO, (FuncId::RxRelease, &[]), 0)?;
    let unknown = (FuncId::PartitionInfoGet, &[1, 2, 3, 4][..]);
    refused("a UUID of nobody", &ECHO, unknown, FfaError::InvalidParameters)?;
    let reserved = (FuncId::PartitionInfoGet, &[0, 0, 0, 0, 2][..]);
    refused("a reserved flag", &ECHO, reserved, FfaError::InvalidParameters)?;
    // FFA_RUN and FFA_MSG_WAIT: waiting releases the RX buffer.
    granted("FFA_PARTITION_INFO_GET", &ECHO, list, demo::PARTITIONS.len() as u64)?;
    let waits = ffa::call(FuncId::Run32, [ECHO.here()]);
    expect_function("FFA_MSG_WAIT", &waits, FuncId::MsgWait32)?;
    refused("FFA_RX_RELEASE of a released one", &ECHO, (FuncId::RxRelease, &[]), FfaError::Denied)
}

pub fn a_partitions_discovery_in_registers_is_judged() -> Outcome {
    let listed = |start, tag: u64| [0, 0, start | tag << 16];
    let regs = FuncId::PartitionInfoGetRegs;
    let behind = listed(demo::PARTITIONS.len() as u64, 0);
    refused("behind the last", &ECHO, (regs, &behind), FfaError::InvalidParameters)?;
    refused("a list that has gone", &ECHO, (regs, &listed(0, 1)), FfaError::Retry)?;
    let answer = made(&ECHO, (regs, &listed(0, 0)))?;
    expect("FFA_SUCCESS", answer[0], 0xc400_0061)?;
    expect("the first entry", answer[3] & 0xffff, ECHO.id)
}

pub fn a_partitions_log_is_judged() -> Outcome {
    let invalid = FfaError::InvalidParameters;
    for (function, length) in [
        (FuncId::ConsoleLog32, 0),
        (FuncId::ConsoleLog32, 25),
        (FuncId::ConsoleLog64, 0),
        (FuncId::ConsoleLog64, 129),
    ] {
        refused("a length", &ECHO, (function, &[length]), invalid)?;
    }
    refused("more than FF-A 1.1 has", &PATIENT, (FuncId::ConsoleLog64, &[49]), invalid)?;
    let text = u64::from(u32::from_le_bytes(*b"log\n"));
    granted("FFA_CONSOLE_LOG", &ECHO, (FuncId::ConsoleLog32, &[4, text]), 0)
}

pub fn a_partition_sends_direct_requests_to_partitions() -> Outcome {
    let value = random::next();
    for form in Form::ALL {
        let words = [command::ASK, ECHO.id, command::ECHO, value];
        let answer = demo::ask_until_free(form, RELAY.id, &words);
        expect_answer("word 1", form, RELAY.id, &answer, !value)?;
    }
    Ok(())
}

pub fn a_cycle_of_requests_is_refused() -> Outcome {
    // relay asks echo, which asks relay.
    let words = [command::ASK, ECHO.id, command::ASK, RELAY.id, command::ECHO];
    let answer = demo::ask_until_free(Form::Direct2, RELAY.id, &words);
    expect_function("the answer", &answer, FuncId::MsgSendDirectResp64_2)?;
    let denied = u64::from(i32::from(FfaError::Denied) as u32);
    expect("status of the answer", answer[4], denied)
}

pub fn what_a_partition_must_not_do_when_it_is_run_is_refused() -> Outcome {
    let waits = ffa::call(FuncId::Run32, [HOSTILE.here()]);
    expect_function("FFA_MSG_WAIT", &waits, FuncId::MsgWait32)?;
    let answer = demo::ask(Form::Direct64, HOSTILE.id, &[command::RUN]);
    let [_, _, _, status, made, wrong, what, got, ..] = answer;
    expect("status of the answer", status, 0)?;
    expect("attempts", u64::from(made > 30), 1)?;
    expect("what came of the attempt", got, 0)?;
    expect("the first attempt that was not refused as it must be", what, 0)?;
    expect("attempts that were not refused as they must be", wrong, 0)
}

pub fn smcs_reach_el3_only_where_the_manifest_allows_it() -> Outcome {
    /// SMCCC_VERSION, which `patient` may, PSCI_VERSION, SMCCC_ARCH_FEATURES.
    const SMCCC_VERSION: u64 = 0x8000_0000;
    const PSCI_VERSION: u64 = 0x8400_0000;
    const ARCH_FEATURES: u64 = 0x8000_0001;
    let call = |partition, function| call_of(partition, &[function]).map(|answer| answer[0]);
    let version = call(&PATIENT, SMCCC_VERSION)?;
    expect("SMCCC_VERSION, from 1.2 on", u64::from((0x1_0002..0x2_0000).contains(&version)), 1)?;
    for function in [PSCI_VERSION, ARCH_FEATURES] {
        expect("what patient's manifest does not list", call(&PATIENT, function)?, u64::MAX)?;
    }
    for partition in [&ECHO, &RELAY, &HOSTILE] {
        for function in [SMCCC_VERSION, PSCI_VERSION, ARCH_FEATURES] {
            expect("what no list allows", call(partition, function)?, u64::MAX)?;
        }
    }
    Ok(())
}

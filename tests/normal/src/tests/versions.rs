//! A Normal world that speaks an earlier version of FF-A: what it gets, and what is not there for it.

use arm_ffa::{FfaError, FuncId};

use super::buffers::{mapped, received};
use crate::demo::{self, ECHO, Form, PARTITIONS, command, expect_answer};
use crate::ffa::{self, VERSION, expect_error, expect_success};
use crate::outcome::{Outcome, expect};
use crate::random;

/// FF-A 1.0 and 1.1.
pub const V1_0: u64 = 0x1_0000;
pub const V1_1: u64 = 0x1_0001;

/// What holds for both.
fn earlier(own: u64) -> Outcome {
    let value = random::next();
    for form in [Form::Direct32, Form::Direct64] {
        let answer = demo::ask(form, ECHO.id, &[command::ECHO, value]);
        expect_answer("word 1", form, ECHO.id, &answer, !value)?;
    }
    for function in [FuncId::PartitionInfoGetRegs, FuncId::MsgSendDirectReq64_2] {
        expect_error("a call of FF-A 1.2", &ffa::call(function, [0]), FfaError::NotSupported)?;
        let asked = ffa::call(FuncId::Features, [u32::from(function).into()]);
        expect_error("FFA_FEATURES of it", &asked, FfaError::NotSupported)?;
    }
    let map = ffa::call(FuncId::Features, [u32::from(FuncId::RxTxMap64).into()]);
    expect_success("FFA_FEATURES of FFA_RXTX_MAP", &map)?;
    expect("no largest size of buffers, which is of FF-A 1.2", map[2], 0)?;
    expect("the version again", ffa::call(FuncId::Version, [own])[0], VERSION)?;
    for other in [V1_0, V1_1, VERSION].into_iter().filter(|other| *other != own) {
        expect("another version", ffa::call(FuncId::Version, [other])[0] & 0xffff_ffff, 0xffff_ffff)?;
    }
    Ok(())
}

pub fn a_normal_world_of_ffa_1_0_gets_what_that_has() -> Outcome {
    earlier(V1_0)?;
    expect_error("FFA_RX_ACQUIRE", &ffa::call(FuncId::RxAcquire, [5]), FfaError::NotSupported)?;
    mapped(|| {
        let answer = ffa::call(FuncId::PartitionInfoGet, []);
        expect_success("FFA_PARTITION_INFO_GET", &answer)?;
        expect("count", answer[2], PARTITIONS.len() as u64)?;
        for (place, partition) in PARTITIONS.iter().enumerate() {
            // Id, contexts, and of the properties just those of messages: direct ones, and indirect ones.
            let entry = partition.id | partition.contexts() << 16 | (partition.properties & 0b111) << 32;
            expect("an entry of 8 bytes", received(8 * place), entry)?;
        }
        expect_success("FFA_RX_RELEASE", &ffa::call(FuncId::RxRelease, []))
    })
}

pub fn a_normal_world_of_ffa_1_1_gets_what_that_has() -> Outcome {
    earlier(V1_1)?;
    expect_error("FFA_RX_ACQUIRE", &ffa::call(FuncId::RxAcquire, [5]), FfaError::InvalidParameters)?;
    mapped(|| {
        let answer = ffa::call(FuncId::PartitionInfoGet, []);
        expect_success("FFA_PARTITION_INFO_GET", &answer)?;
        expect("count", answer[2], PARTITIONS.len() as u64)?;
        expect("size of an entry", answer[3], 24)?;
        for (place, partition) in PARTITIONS.iter().enumerate() {
            // Requests of the second kind are of FF-A 1.2.
            let entry = partition.id | partition.contexts() << 16 | (partition.properties & !(1 << 9)) << 32;
            expect("id, contexts and properties", received(24 * place), entry)?;
            expect("first half of the UUID", received(24 * place + 8), partition.uuid[0])?;
        }
        expect_success("FFA_RX_RELEASE", &ffa::call(FuncId::RxRelease, []))
    })
}

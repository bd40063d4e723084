//! Versions, features, ids and the list of partitions in registers (FF-A 1.2, chapter 13).

use arm_ffa::{FfaError, FuncId};

use crate::demo::{self, ECHO, MAILMAN, PARTITIONS};
use crate::ffa::{self, SPMC, VERSION, expect_error, expect_success};
use crate::gic;
use crate::outcome::{Outcome, expect};

/// FFA_VERSION's refusal: NOT_SUPPORTED in w0, as it is 32 bits wide.
const NO_VERSION: u64 = 0xffff_ffff;

pub fn version_is_negotiated() -> Outcome {
    expect("w0", ffa::call(FuncId::Version, [VERSION])[0], VERSION)?;
    // What is negotiated stays (FF-A 1.2, 13.2.1), and can be asked for again.
    expect(
        "w0 of another major version",
        ffa::call(FuncId::Version, [0x2_0000])[0] & NO_VERSION,
        NO_VERSION,
    )?;
    expect("w0, asked again", ffa::call(FuncId::Version, [VERSION])[0], VERSION)
}

pub fn version_with_bit_31_is_refused() -> Outcome {
    let answer = ffa::call(FuncId::Version, [VERSION | 1 << 31])[0];
    expect("w0", answer & NO_VERSION, NO_VERSION)
}

pub fn features_answer_from_the_table() -> Outcome {
    let features = |function: FuncId| ffa::call(FuncId::Features, [u64::from(u32::from(function))]);
    for function in [
        FuncId::Version,
        FuncId::Features,
        FuncId::IdGet,
        FuncId::SpmIdGet,
        FuncId::PartitionInfoGet,
        FuncId::PartitionInfoGetRegs,
        FuncId::RxTxUnmap,
        FuncId::RxRelease,
        FuncId::MsgSendDirectReq32,
        FuncId::MsgSendDirectReq64,
        FuncId::MsgSendDirectReq64_2,
        FuncId::Run32,
        FuncId::MsgSend2,
        FuncId::NotificationBitmapCreate,
        FuncId::NotificationBitmapDestroy,
        FuncId::NotificationBind,
        FuncId::NotificationUnbind,
        FuncId::NotificationSet,
        FuncId::NotificationGet,
        FuncId::NotificationInfoGet32,
        FuncId::NotificationInfoGet64,
    ] {
        expect_success("w0 for a call that is there", &features(function))?;
    }
    // FFA_RXTX_MAP: w2 bits 1:0 the smallest size and alignment of a buffer, 0 for 4 KB.
    let map = features(FuncId::RxTxMap64);
    expect_success("w0 for FFA_RXTX_MAP", &map)?;
    expect("size of buffers", map[2] & 3, 0)?;
    expect_error("a feature nobody has", &ffa::call(FuncId::Features, [0x7f]), FfaError::NotSupported)
}

pub fn unknown_function_is_not_supported() -> Outcome {
    // FFA_PARTITION_INFO_GET_REGS, which has no 32-bit form.
    const NOBODYS: u32 = 0x8400_008b;
    let asked = ffa::call(FuncId::Features, [NOBODYS.into()]);
    expect_error("FFA_FEATURES", &asked, FfaError::NotSupported)?;
    expect_error("the call", &ffa::call_id(NOBODYS, []), FfaError::NotSupported)
}

pub fn calls_of_later_features_are_not_supported() -> Outcome {
    for function in [FuncId::MemPermGet32, FuncId::MemPermSet64, FuncId::MemPermGet64] {
        let asked = ffa::call(FuncId::Features, [u64::from(u32::from(function))]);
        expect_error("FFA_FEATURES", &asked, FfaError::NotSupported)?;
        expect_error("the call", &ffa::call(function, []), FfaError::NotSupported)?;
    }
    Ok(())
}

pub fn features_say_which_interrupts_there_are() -> Outcome {
    /// Feature ids (FF-A 1.2, table 13.14): what interrupts a partition, what interrupts the scheduler, managed exit,
    /// and notifications.
    const NPI: u64 = 1;
    const SRI: u64 = 2;
    const MEI: u64 = 3;
    const NOTIFICATIONS: u64 = 4;
    let sri = ffa::call(FuncId::Features, [SRI]);
    expect_success("SRI", &sri)?;
    expect("the SGI", sri[2], gic::SRI.into())?;
    let notifications = ffa::call(FuncId::Features, [NOTIFICATIONS]);
    expect_success("notifications", &notifications)?;
    expect("w2: nothing of them is missing", notifications[2], 0)?;
    for id in [NPI, MEI] {
        let none = ffa::call(FuncId::Features, [id]);
        expect_error("an interrupt of partitions", &none, FfaError::NotSupported)?;
    }
    let features = u32::from(FuncId::Features).into();
    let npi = demo::call_of(&MAILMAN, &[features, NPI])?;
    expect("NPI, to a partition that takes notifications", npi[2], 5)?;
    for (partition, id) in [(&ECHO, NPI), (&MAILMAN, SRI), (&MAILMAN, MEI)] {
        let answer = demo::call_of(partition, &[features, id])?;
        let code = u64::from(i32::from(FfaError::NotSupported) as u32);
        expect("what is not a partition's", answer[2], code)?;
    }
    Ok(())
}

pub fn id_is_zero_for_the_normal_world() -> Outcome {
    let answer = ffa::call(FuncId::IdGet, []);
    expect_success("w0", &answer)?;
    expect("w2", answer[2], 0)
}

pub fn spm_id_is_the_spmc() -> Outcome {
    let answer = ffa::call(FuncId::SpmIdGet, []);
    expect_success("w0", &answer)?;
    expect("w2", answer[2], SPMC)
}

pub fn partitions_are_listed_by_registers() -> Outcome {
    let mut listed = 0;
    while listed < PARTITIONS.len() {
        let answer = ffa::call(FuncId::PartitionInfoGetRegs, [0, 0, listed as u64]);
        expect_success("x0", &answer)?;
        let (last, current, size) = (answer[2] & 0xffff, (answer[2] >> 16) & 0xffff, answer[2] >> 48);
        expect("last index", last, PARTITIONS.len() as u64 - 1)?;
        expect("size of a descriptor", size, 24)?;
        for (partition, descriptor) in PARTITIONS[listed..=current as usize].iter().zip(answer[3..].chunks(3))
        {
            let first = partition.id | (partition.contexts() << 16) | (partition.properties << 32);
            expect("id, contexts and properties", descriptor[0], first)?;
            expect("first half of the UUID", descriptor[1], partition.uuid[0])?;
            expect("second half of the UUID", descriptor[2], partition.uuid[1])?;
        }
        listed = current as usize + 1;
    }
    let behind = ffa::call(FuncId::PartitionInfoGetRegs, [0, 0, listed as u64]);
    expect_error("behind the last", &behind, FfaError::InvalidParameters)
}

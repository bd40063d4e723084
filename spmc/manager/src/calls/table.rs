//! The table of calls: who may make each, from which version on, and what must be zero.

use arm_ffa::{FfaError, FuncId};
use bitflags::bitflags;

use super::{
    Caller, Entry, Outcome, buffers, console, cycles, direct, discovery, indirect, lifecycle, notifications,
    permissions, power, schedule, sharing,
};
use crate::abi::{V1_0, V1_1, V1_2};
use crate::state::ModelKind;

bitflags! {
    /// At which FF-A instances a function exists (FF-A 1.2, 2.2).
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Instances: u8 {
        /// The Normal world may call it: the non-secure physical instance.
        const NORMAL = 1 << 0;
        /// Partitions may call it: the secure virtual instance.
        const PARTITION = 1 << 1;
        /// The Normal world gets it as the answer to a call.
        const NORMAL_ANSWER = 1 << 2;
        /// Partitions get it as the answer to a call.
        const PARTITION_ANSWER = 1 << 3;
        /// Partitions at S-EL0 may call it.
        const EL0 = 1 << 4;
    }
}

bitflags! {
    /// In which runtime models a partition may make a call (FF-A 1.2, 8.2).
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Models: u8 {
        /// While it initialises.
        const INIT = ModelKind::Init as u8;
        /// While it runs by FFA_RUN.
        const RUN = ModelKind::Run as u8;
        /// While it works on a direct request.
        const DIRECT = ModelKind::Direct as u8;
        /// While it handles a secure interrupt.
        const INTERRUPT = ModelKind::Interrupt as u8;
        /// While it has to run whom its interrupt displaced.
        const OWING = ModelKind::Owing as u8;
    }
}

impl Models {
    /// The set that holds just this model.
    const fn of(model: ModelKind) -> Self {
        Self::from_bits_retain(model as u8)
    }
}

/// One row of the table.
pub struct Call {
    /// The function id.
    pub function: FuncId,
    /// The first FF-A version that has it.
    pub since: u32,
    /// Who knows it.
    pub instances: Instances,
    /// When a partition may call it; [`FfaError::Denied`] otherwise.
    pub models: Models,
    /// The bits of x0-x7 that must be zero, if any must be.
    pub zero: Option<[u64; 8]>,
    /// What does it.
    pub handler: fn(&mut Entry<'_>) -> Outcome,
}

const BOTH: Instances = Instances::NORMAL.union(Instances::PARTITION);
const ANSWERS: Instances = Instances::NORMAL_ANSWER.union(Instances::PARTITION_ANSWER);
const NORMAL: Instances = Instances::NORMAL;
const PARTITION: Instances = Instances::PARTITION;
const EL0: Instances = Instances::EL0;
/// Partitions call it, and the Normal world gets it as an answer.
const UPWARDS: Instances = Instances::PARTITION.union(Instances::NORMAL_ANSWER);
const ANY: Models = Models::all();
/// All but [`Models::OWING`].
const FREE: Models = Models::OWING.complement();
/// It has somebody's cycles: not while it initialises.
const WORKING: Models = Models::INIT.complement();

/// Registers `first..=7`.
const fn from(first: u32) -> u8 {
    0xFF << first
}

const fn call(
    function: FuncId,
    since: u32,
    instances: Instances,
    models: Models,
    zero: u8,
    handler: fn(&mut Entry<'_>) -> Outcome,
) -> Call {
    // A 32-bit call does not see the upper halves (SMCCC 1.2, 3.1).
    let bits = if (function as u32) >> 30 & 1 == 0 { 0xFFFF_FFFF } else { u64::MAX };
    let mut masks = [0; 8];
    let mut register = 0;
    while register < 8 {
        masks[register] = if zero >> register & 1 != 0 { bits } else { 0 };
        register += 1;
    }
    let zero = if zero == 0 { None } else { Some(masks) };
    Call { function, since, instances, models, zero, handler }
}

/// Every call that this SPMC knows. What is not here answers NOT_SUPPORTED.
#[rustfmt::skip]
pub static CALLS: &[Call] = &[
    //   function                        since instances                models       must be zero     handler
    call(FuncId::Error32,                V1_0, PARTITION.union(ANSWERS), ANY,        0,               lifecycle::error),
    call(FuncId::Success32,              V1_0, ANSWERS,                 ANY,         0,               refused),
    call(FuncId::Success64,              V1_0, ANSWERS,                 ANY,         0,               refused),
    call(FuncId::Interrupt32,            V1_0, Instances::all(),        ANY,         0,               cycles::interrupt),
    call(FuncId::Version,                V1_0, BOTH,                    ANY,         0,               discovery::version),
    call(FuncId::Features,               V1_0, BOTH,                    ANY,         0,               discovery::features),
    call(FuncId::IdGet,                  V1_0, BOTH,                    ANY,         from(1),         discovery::id_get),
    call(FuncId::SpmIdGet,               V1_1, BOTH,                    ANY,         from(1),         discovery::spm_id_get),
    call(FuncId::PartitionInfoGet,       V1_0, BOTH,                    ANY,         from(6),         discovery::partition_info_get),
    call(FuncId::PartitionInfoGetRegs,   V1_2, BOTH,                    ANY,         0,               discovery::partition_info_get_regs),
    call(FuncId::RxTxMap32,              V1_0, BOTH,                    ANY,         from(4),         buffers::map32),
    call(FuncId::RxTxMap64,              V1_0, BOTH,                    ANY,         from(4),         buffers::map64),
    call(FuncId::RxTxUnmap,              V1_0, BOTH,                    ANY,         from(2),         buffers::unmap),
    call(FuncId::RxRelease,              V1_0, BOTH,                    ANY,         from(2),         buffers::rx_release),
    call(FuncId::RxAcquire,              V1_1, NORMAL,                  ANY,         from(2),         buffers::rx_acquire),
    call(FuncId::MsgSendDirectReq32,     V1_0, BOTH,                    FREE,        0,               direct::request32),
    call(FuncId::MsgSendDirectReq64,     V1_0, BOTH,                    FREE,        0,               direct::request64),
    call(FuncId::MsgSendDirectReq64_2,   V1_2, BOTH,                    FREE,        0,               direct::request2),
    call(FuncId::MsgSendDirectResp32,    V1_0, UPWARDS,                 Models::DIRECT, 0,            direct::respond32),
    call(FuncId::MsgSendDirectResp64,    V1_0, UPWARDS,                 Models::DIRECT, 0,            direct::respond64),
    call(FuncId::MsgSendDirectResp64_2,  V1_2, UPWARDS,                 Models::DIRECT, 0,            direct::respond2),
    call(FuncId::MsgSend2,               V1_1, BOTH,                    ANY,         from(3),         indirect::send),
    call(FuncId::NotificationBitmapCreate,  V1_1, NORMAL,               ANY,         from(3),         notifications::bitmap_create),
    call(FuncId::NotificationBitmapDestroy, V1_1, NORMAL,               ANY,         from(2),         notifications::bitmap_destroy),
    call(FuncId::NotificationBind,       V1_1, BOTH,                    ANY,         from(5),         notifications::bind),
    call(FuncId::NotificationUnbind,     V1_1, BOTH,                    ANY,         from(5) | 1 << 2, notifications::unbind),
    call(FuncId::NotificationSet,        V1_1, BOTH,                    ANY,         from(5),         notifications::set),
    call(FuncId::NotificationGet,        V1_1, BOTH,                    ANY,         from(3),         notifications::get),
    call(FuncId::NotificationInfoGet32,  V1_1, NORMAL,                  ANY,         from(1),         schedule::info_get32),
    call(FuncId::NotificationInfoGet64,  V1_1, NORMAL,                  ANY,         from(1),         schedule::info_get64),
    call(FuncId::MemDonate32,            V1_0, BOTH,                    ANY,         from(5),         sharing::donate),
    call(FuncId::MemDonate64,            V1_0, BOTH,                    ANY,         from(5),         sharing::donate),
    call(FuncId::MemLend32,              V1_0, BOTH,                    ANY,         from(5),         sharing::lend),
    call(FuncId::MemLend64,              V1_0, BOTH,                    ANY,         from(5),         sharing::lend),
    call(FuncId::MemShare32,             V1_0, BOTH,                    ANY,         from(5),         sharing::share),
    call(FuncId::MemShare64,             V1_0, BOTH,                    ANY,         from(5),         sharing::share),
    call(FuncId::MemRetrieveReq32,       V1_0, BOTH,                    ANY,         from(5),         sharing::retrieve),
    call(FuncId::MemRetrieveReq64,       V1_0, BOTH,                    ANY,         from(5),         sharing::retrieve),
    call(FuncId::MemRetrieveResp,        V1_0, ANSWERS.union(Instances::PARTITION_ANSWER), ANY, 0,               refused),
    call(FuncId::MemRelinquish,          V1_0, PARTITION,               ANY,         from(1),         sharing::relinquish),
    call(FuncId::MemReclaim,             V1_0, BOTH,                    ANY,         from(4),         sharing::reclaim),
    call(FuncId::MemOpPause,             V1_0, ANSWERS,                 ANY,         0,               refused),
    call(FuncId::MemOpResume,            V1_0, BOTH,                    ANY,         from(3),         sharing::resume),
    call(FuncId::MemFragTx,              V1_0, BOTH.union(ANSWERS).union(Instances::PARTITION_ANSWER), ANY, from(5), sharing::fragment),
    call(FuncId::MemFragRx,              V1_0, BOTH.union(ANSWERS).union(Instances::PARTITION_ANSWER), ANY,        from(5),         sharing::more),
    call(FuncId::MemPermGet32,           V1_0, EL0,                     Models::INIT, from(3),        permissions::get),
    call(FuncId::MemPermGet64,           V1_0, EL0,                     Models::INIT, from(3),        permissions::get),
    call(FuncId::MemPermSet32,           V1_0, EL0,                     Models::INIT, from(4),        permissions::set),
    call(FuncId::MemPermSet64,           V1_0, EL0,                     Models::INIT, from(4),        permissions::set),
    call(FuncId::Run32,                  V1_0, BOTH,                    WORKING,     from(2),         cycles::run),
    call(FuncId::MsgWait32,              V1_0, UPWARDS,                 FREE.difference(Models::DIRECT), from(3) | 1 << 1, cycles::msg_wait),
    call(FuncId::Yield32,                V1_0, UPWARDS,                 WORKING.intersection(FREE), from(4),         cycles::give_up),
    call(FuncId::SecondaryEpRegister64,  V1_1, PARTITION,               Models::INIT, from(2),        power::secondary_entry),
    call(FuncId::ConsoleLog32,           V1_0, PARTITION,               ANY,         0,               console::log32),
    call(FuncId::ConsoleLog64,           V1_0, PARTITION,               ANY,         0,               console::log64),
];

/// An answer is not a call.
fn refused(_: &mut Entry<'_>) -> Outcome {
    Err(FfaError::NotSupported)
}

/// Each function's row: by its low 7 bits, 64-bit calls behind the 32-bit ones.
static ROWS: [Option<&Call>; 256] = {
    let mut rows = [None; 256];
    let mut row = 0;
    while row < CALLS.len() {
        let place = place(CALLS[row].function as u32);
        assert!(rows[place].is_none(), "two rows for one place");
        rows[place] = Some(&CALLS[row]);
        row += 1;
    }
    rows
};

const fn place(function: u32) -> usize {
    (function & 0x7F | (function >> 30 & 1) << 7) as usize
}

/// The row of a function id.
#[inline]
#[must_use]
pub fn find(function: u32) -> Option<&'static Call> {
    let row = ROWS[place(function)]?;
    (row.function as u32 == function).then_some(row)
}

impl Call {
    /// Whether FFA_FEATURES answers yes to this caller.
    #[must_use]
    pub fn is_known_to(&self, caller: &Caller<'_>, version: u32) -> bool {
        let side = match caller {
            Caller::Normal => Instances::NORMAL.union(Instances::NORMAL_ANSWER),
            Caller::Partition(..) => Instances::PARTITION.union(Instances::PARTITION_ANSWER),
        };
        (self.instances.intersects(side) || self.is_for_el0(caller)) && version >= self.since
    }

    /// Whether it is for partitions at S-EL0 alone, and this is one.
    #[cold]
    fn is_for_el0(&self, caller: &Caller<'_>) -> bool {
        let is_el0 = matches!(caller, Caller::Partition(partition, _) if partition.is_at_el0());
        is_el0 && self.instances.contains(Instances::EL0)
    }

    /// The first gate of a call that is for partitions at S-EL0 alone.
    #[cold]
    #[inline(never)]
    fn admit_at_el0(&self, at: &Entry<'_>) -> Result<(), FfaError> {
        let is_its = self.is_for_el0(&at.caller) && at.version >= self.since;
        if is_its { Ok(()) } else { Err(FfaError::NotSupported) }
    }

    /// The gates in front of the handler: version and instance, runtime model, registers that must be zero.
    #[inline]
    pub(super) fn admit(&self, at: &mut Entry<'_>) -> Result<(), FfaError> {
        let side = match at.caller {
            Caller::Normal => Instances::NORMAL,
            Caller::Partition(..) => Instances::PARTITION,
        };
        if !self.instances.contains(side) || at.version < self.since {
            self.admit_at_el0(at)?;
        }
        if side == Instances::PARTITION && !self.models.contains(Models::of(at.cpu.model())) {
            return Err(FfaError::Denied);
        }
        if let Some(masks) = &self.zero {
            let x = &at.frame.x;
            let seen = masks.iter().zip(x).fold(0, |seen, (mask, x)| seen | x & mask);
            if seen != 0 {
                return Err(FfaError::InvalidParameters);
            }
        }
        Ok(())
    }
}

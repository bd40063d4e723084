//! The partitions of the manifests, and their commands, seen from the Normal world.

use arm_ffa::{FfaError, FuncId};

use crate::ffa::{self, Registers};
use crate::outcome::{Failure, Outcome, expect};
use crate::{gic, machine, pe};

/// The multi-context partition.
pub const ECHO: Partition = Partition {
    id: 0x8001,
    uuid: [0x604e_3b8a_2e1c_7f5d, 0x419d_7e6a_2f3c_1d9b],
    on_each_pe: true,
    properties: 0x301,
    place: 0,
};
/// The single-context partition, which forwards.
pub const RELAY: Partition = Partition {
    id: 0x8002,
    uuid: [0x854d_c927_f6e4_a0b3, 0xb8a6_f7d1_c490_128e],
    on_each_pe: false,
    properties: 0x301,
    place: 0x4_0000,
};
/// The partition that tries what is forbidden.
pub const HOSTILE: Partition = Partition {
    id: 0x8003,
    uuid: [0x7f4a_73f4_ce1e_d55d, 0x86f0_2dfd_f927_109f],
    on_each_pe: true,
    properties: 0x30d,
    place: 0x8_0000,
};
/// The partition that speaks FF-A 1.1, is told of VMs, and lets interrupts of the Normal world wait.
pub const PATIENT: Partition = Partition {
    id: 0x8004,
    uuid: [0xd342_4db9_deed_95af, 0x920b_970a_bd1c_87bf],
    on_each_pe: true,
    properties: 0x1c1,
    place: 0xc_0000,
};
/// The multi-context partition that sends messages back.
pub const MAILMAN: Partition = Partition {
    id: 0x8005,
    uuid: [0x7c45_857d_1618_cbb1, 0x170e_d022_142a_329f],
    on_each_pe: true,
    properties: 0x30d,
    place: 0x10_0000,
};
/// As `mailman`, with one context; it is told when a receiver has room again.
pub const COURIER: Partition = Partition {
    id: 0x8006,
    uuid: [0x5b41_d9d8_0ffb_b75b, 0xdb04_e58c_0b46_2587],
    on_each_pe: false,
    properties: 0x30d,
    place: 0x18_0000,
};
/// As `mailman`, with one context; the scheduler is told of its interrupts.
pub const PORTER: Partition = Partition {
    id: 0x8007,
    uuid: [0x6240_fbaa_e402_9cce, 0x9059_a0ec_aabb_ff97],
    on_each_pe: false,
    properties: 0x30d,
    place: 0x20_0000,
};
/// The partition that the timer drives.
pub const TICKER: Partition = Partition {
    id: 0x8008,
    uuid: [0x3d41_d54c_2f54_8305, 0xa9e5_3bc6_3834_6e8c],
    on_each_pe: false,
    properties: 0x301,
    place: 0x28_0000,
};
/// Where the manifests are those for memory transactions: the partition that borrows.
pub const BORROWER: Partition = Partition {
    id: 0x8001,
    uuid: [0x49e2_a716_5f0c_8d3b, 0x2760_f5a3_8bd4_c19e],
    on_each_pe: true,
    properties: 0x301,
    place: 0x10_0000,
};
/// And the one that lends.
pub const LENDER: Partition = Partition {
    id: 0x8002,
    uuid: [0x4d05_c8fa_91b7_e264, 0xd819_4b0c_36ae_7f82],
    on_each_pe: false,
    properties: 0x301,
    place: 0x4_0000,
};
/// And the one at S-EL0.
pub const SANDBOX: Partition = Partition {
    id: 0x8003,
    uuid: [0x4f82_c605_7b3a_9d14, 0xb25f_6a41_9cd1_07e8],
    on_each_pe: false,
    properties: 0x30d,
    place: 0xc_0000,
};
/// All partitions, in the order of their ids.
pub const PARTITIONS: [Partition; 8] = [ECHO, RELAY, HOSTILE, PATIENT, MAILMAN, COURIER, PORTER, TICKER];

/// What its manifest says of a partition.
pub struct Partition {
    /// Endpoint id.
    pub id: u64,
    /// UUID: bytes 0-7 and 8-15, lowest byte first.
    pub uuid: [u64; 2],
    /// Whether it has an execution context for each PE, and not only one.
    pub on_each_pe: bool,
    /// Properties as the Normal world is to see them (FF-A 1.2, table 6.2): receives direct requests (bit 0) and those
    /// of the second kind (bit 9), indirect messages (bit 2), notifications (bit 3), is told of VMs that come (bit 6)
    /// and go (bit 7), AArch64 (bit 8).
    pub properties: u64,
    /// Where its memory lies, from the first partition's on.
    pub place: u64,
}

impl Partition {
    /// Address of its memory.
    pub fn memory(&self) -> u64 {
        machine::here().partition(self.place)
    }

    /// How many execution contexts it has.
    pub fn contexts(&self) -> u64 {
        if self.on_each_pe { machine::here().contexts } else { 1 }
    }

    /// The forms of direct messages that it takes.
    pub fn forms(&self) -> &'static [Form] {
        const DIRECT2: u64 = 1 << 9;
        if self.properties & DIRECT2 != 0 { &Form::ALL } else { &[Form::Direct32, Form::Direct64] }
    }

    /// Its context on this PE, as FFA_RUN names it.
    pub fn here(&self) -> u64 {
        self.id << 16 | if self.on_each_pe { pe::index() as u64 } else { 0 }
    }
}

/// Commands: word 0 of a request. The SDK's `demo` says what they do, `FORWARD` is relay's; those from `SWEEP` on are
/// hostile's, those from `LOG` on `mailman`'s, those from `ENABLE` on the SDK's `alarms`', those from `RETRIEVE` on
/// its `lending`'s, and those from `PERMISSIONS` on `sandbox`'s.
pub mod command {
    pub const ECHO: u64 = 0x4543_484f;
    pub const FORWARD: u64 = 0x4657_4421;
    pub const SPIN: u64 = 0x5350_494e;
    pub const YIELD: u64 = 0x5949_454c;
    pub const SCRIBBLE: u64 = 0x5343_5242;
    pub const HOLD: u64 = 0x484f_4c44;
    pub const PEEK: u64 = 0x5045_454b;
    pub const WHO: u64 = 0x5748_4f3f;
    pub const BENCH: u64 = 0x4245_4e43;
    pub const CALL: u64 = 0x4341_4c4c;
    pub const ASK: u64 = 0x4153_4b21;
    pub const FORSAKE: u64 = 0x464f_5253;
    pub const SWEEP: u64 = 0x5357_4545;
    pub const FORGE: u64 = 0x464f_5247;
    pub const SYSTEM: u64 = 0x5359_5354;
    pub const RUN: u64 = 0x5255_4e3f;
    pub const IDLE: u64 = 0x4944_4c45;
    pub const DIE: u64 = 0x4449_4521;
    pub const FORGE_MESSAGES: u64 = 0x464d_5347;
    pub const FORGE_TRANSACTIONS: u64 = 0x464d_454d;
    pub const LOG: u64 = 0x4d41_494c;
    pub const SEND: u64 = 0x5345_4e44;
    pub const PAGES: u64 = 0x5041_4745;
    pub const TAKE: u64 = 0x5441_4b45;
    pub const ENABLE: u64 = 0x454e_4142;
    pub const CAME: u64 = 0x4341_4d45;
    pub const ARM: u64 = 0x4152_4d21;
    pub const REST: u64 = 0x5245_5354;
    pub const HEED: u64 = 0x4845_4544;
    pub const RETRIEVE: u64 = 0x5245_5452;
    pub const GIVE: u64 = 0x4749_5645;
    pub const BORROW: u64 = 0x424f_5252;
    pub const LEND: u64 = 0x4c45_4e44;
    pub const HAVE: u64 = 0x4841_5645;
    pub const CLING: u64 = 0x434c_494e;
    pub const KEEP: u64 = 0x4b45_4550;
    pub const CYCLE: u64 = 0x4359_434c;
    pub const POKE: u64 = 0x504f_4b45;
    pub const WALK: u64 = 0x5741_4c4b;
    pub const PERMISSIONS: u64 = 0x5045_524d;
    pub const WAIT: u64 = 0x5741_4954;
}

/// What `FORWARD` changes the target's answer by.
pub const FORWARD_CHANGE: u64 = 0x5a5a_5a5a;

/// The three forms of direct messages.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Five words in w3-w7.
    Direct32,
    /// Five words in x3-x7.
    Direct64,
    /// Fourteen words in x4-x17.
    Direct2,
}

impl Form {
    /// All three.
    pub const ALL: [Self; 3] = [Self::Direct32, Self::Direct64, Self::Direct2];

    /// The request's and the response's function.
    pub fn functions(self) -> (FuncId, FuncId) {
        match self {
            Self::Direct32 => (FuncId::MsgSendDirectReq32, FuncId::MsgSendDirectResp32),
            Self::Direct64 => (FuncId::MsgSendDirectReq64, FuncId::MsgSendDirectResp64),
            Self::Direct2 => (FuncId::MsgSendDirectReq64_2, FuncId::MsgSendDirectResp64_2),
        }
    }

    /// The register of word 0.
    pub fn first(self) -> usize {
        if self == Self::Direct2 { 4 } else { 3 }
    }

    /// How many words it carries.
    pub fn words(self) -> usize {
        if self == Self::Direct2 { 14 } else { 5 }
    }

    /// The bits that a word carries.
    pub fn mask(self) -> u64 {
        if self == Self::Direct32 { 0xffff_ffff } else { u64::MAX }
    }
}

/// The registers of a request to `to` with these words; those that it does not define hold `filler`.
pub fn request(form: Form, to: u64, words: &[u64], filler: u64) -> Registers {
    let mut registers = [0; 18];
    registers[8..].fill(filler);
    registers[0] = u32::from(form.functions().0).into();
    registers[1] = to;
    for (register, word) in registers[form.first()..].iter_mut().zip(words) {
        *register = word & form.mask();
    }
    registers
}

/// Sends a request and gives what the call came back with.
pub fn ask(form: Form, to: u64, words: &[u64]) -> Registers {
    ffa::call_registers(request(form, to, words, 0))
}

/// It must be the answer of `from` with status 0; word 1 is `wanted`.
pub fn expect_answer(
    what: &'static str,
    form: Form,
    from: u64,
    registers: &Registers,
    wanted: u64,
) -> Outcome {
    ffa::expect_function(what, registers, form.functions().1)?;
    expect("endpoints of the answer", registers[1], from << 16)?;
    expect("status of the answer", registers[form.first()], 0)?;
    expect(what, registers[form.first() + 1], wanted & form.mask())
}

/// Whether it is FFA_ERROR with BUSY.
pub fn is_busy(registers: &Registers) -> bool {
    ffa::expect_error("", registers, FfaError::Busy).is_ok()
}

/// As [`ask`], again for as long as another PE has the partition.
pub fn ask_until_free(form: Form, to: u64, words: &[u64]) -> Registers {
    loop {
        let registers = ask(form, to, words);
        if !is_busy(&registers) {
            return registers;
        }
    }
}

/// Goes on with a partition when it is interrupted or has given its cycles away, until something else comes of it.
fn to_the_end(mut registers: Registers) -> Registers {
    /// More than anything takes that ends at all.
    const TURNS: usize = 100_000;
    for _ in 0..TURNS {
        let Ok(FuncId::Interrupt32 | FuncId::Yield32) = FuncId::try_from(registers[0] as u32) else { break };
        gic::take();
        registers = ffa::call(FuncId::Run32, [registers[1]]);
    }
    registers
}

/// As [`ask`], and goes on with the partition to the end.
pub fn ask_to_the_end(form: Form, to: u64, words: &[u64]) -> Registers {
    to_the_end(ask(form, to, words))
}

/// Words 1 to 4 of the answer to a command, which must be done in the end.
pub fn told(what: &'static str, partition: &Partition, words: &[u64]) -> Result<[u64; 4], Failure> {
    let form = Form::Direct64;
    let answer = ask_to_the_end(form, partition.id, words);
    ffa::expect_function(what, &answer, form.functions().1)?;
    expect(what, answer[form.first()], 0)?;
    Ok([answer[4], answer[5], answer[6], answer[7]])
}

/// Runs a partition's context here until it waits for messages.
pub fn run_until_it_waits(partition: &Partition) -> Outcome {
    let left = to_the_end(ffa::call(FuncId::Run32, [partition.here()]));
    ffa::expect_function("FFA_MSG_WAIT", &left, FuncId::MsgWait32)
}

/// Has a partition make a call with these registers from x0 on; x0-x7 of what came of it.
pub fn call_of(partition: &Partition, registers: &[u64]) -> Result<[u64; 8], Failure> {
    let mut words = [0; 14];
    words[0] = command::CALL;
    words[1..=registers.len()].copy_from_slice(registers);
    let form = *partition.forms().last().expect("each takes one form at least");
    let answer = ask_to_the_end(form, partition.id, &words);
    ffa::expect_function("the answer about the call", &answer, form.functions().1)?;
    let mut results = [0; 8];
    let words = &answer[form.first() + 1..18];
    let shown = form.words() - 1;
    results[..shown.min(8)].copy_from_slice(&words[..shown.min(8)]);
    Ok(results)
}

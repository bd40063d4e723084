//! A partition as a service: direct requests come in, answers go out.

use arm_ffa::{FfaError, FuncId};

use crate::boot::BootInformation;
use crate::ffa::{self, Registers};
use crate::interrupts;

/// The execution context that runs.
pub struct Vcpu {
    /// The partition's endpoint id.
    pub endpoint: u16,
    /// Its number within the partition; that of its PE where the partition has one for each.
    pub index: u16,
}

/// What a partition does with direct requests. Each vCPU has an instance of its own.
pub trait Service {
    /// The partition's name, for its messages.
    const NAME: &'static str;

    /// Whether a message stays in the RX buffer when one of the vCPUs waits (from FF-A 1.2 on): another one may be
    /// reading it.
    const KEEPS_RX: bool = false;

    /// Starts on a vCPU; only the primary one has the boot information.
    fn new(vcpu: &Vcpu, boot: Option<&BootInformation>) -> Self;

    /// Answers a direct request.
    fn answer(&mut self, vcpu: &Vcpu, request: &Request) -> Words;

    /// The scheduler gives it cycles by FFA_RUN, not for a request; it waits again when it comes back.
    fn run(&mut self, _: &Vcpu) {}

    /// The SPMC gives it cycles by FFA_INTERRUPT, for the virtual interrupt `id`, which [`Self::interrupt`] has taken.
    fn interrupted(&mut self, _: &Vcpu, _id: u32) {}

    /// A virtual interrupt has come, if the service has enabled it (see [`interrupts`]). It has no `self`, as it may
    /// come in the midst of everything else where the service has unmasked interrupts. At S-EL0 those of its devices
    /// are all enabled, and one comes when it ends a turn.
    fn interrupt(_: &Vcpu, _id: u32) {}

    /// The hypervisor has created or destroyed a VM; only partitions whose manifests ask for it are told.
    ///
    /// # Errors
    /// What the hypervisor is to know: [`FfaError::InvalidParameters`] or [`FfaError::Denied`] if the VM's life cannot
    /// have come to this, [`FfaError::NoMemory`] if the partition cannot know one more.
    fn availability(&mut self, _: &Availability) -> Result<(), FfaError> {
        Ok(())
    }
}

/// A VM has come or gone (FF-A 1.2, 18.3).
pub struct Availability {
    /// The VM's endpoint id.
    pub vm: u16,
    /// The hypervisor's own handle of it.
    pub handle: u64,
    /// Whether it was created, not destroyed.
    pub is_created: bool,
}

impl Availability {
    /// Functions of framework messages, in w2 (FF-A 1.2, 18.3): bit 31 says that it is one.
    const CREATED: u64 = 0x8000_0004;
    const DESTROYED: u64 = 0x8000_0006;

    /// The message that a call brought, if it brought one.
    fn of(registers: &Registers) -> Option<Self> {
        let [_, _, message, low, high, vm, ..] = *registers;
        let is_created = match message {
            Self::CREATED => true,
            Self::DESTROYED => false,
            _ => return None,
        };
        let is_request = ffa::function(registers)? == FuncId::MsgSendDirectReq32;
        is_request.then_some(Self { vm: vm as u16, handle: low & 0xffff_ffff | high << 32, is_created })
    }

    /// The answer with a status, to the sender of the message in `registers`.
    fn answer(registers: &Registers, status: Result<(), FfaError>) -> Registers {
        let [_, endpoints, message, ..] = *registers;
        let status = status.map_or_else(|error| u64::from(i32::from(error) as u32), |()| 0);
        let endpoints = endpoints >> 16 & 0xffff | (endpoints & 0xffff) << 16;
        // Each answer's number is one above its request's.
        ffa::registers(FuncId::MsgSendDirectResp32, [endpoints, message + 1, status])
    }
}

/// The payload of a message: as many of these as its [`Form`] carries.
pub type Words = [u64; 14];

/// The three forms of direct messages (FF-A 1.2, 15).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// FFA_MSG_SEND_DIRECT_REQ and RESP, 32-bit: five words in w3-w7.
    Direct32,
    /// FFA_MSG_SEND_DIRECT_REQ and RESP, 64-bit: five words in x3-x7.
    Direct64,
    /// FFA_MSG_SEND_DIRECT_REQ2 and RESP2: fourteen words in x4-x17.
    Direct2,
}

impl Form {
    const fn functions(self) -> (FuncId, FuncId) {
        match self {
            Self::Direct32 => (FuncId::MsgSendDirectReq32, FuncId::MsgSendDirectResp32),
            Self::Direct64 => (FuncId::MsgSendDirectReq64, FuncId::MsgSendDirectResp64),
            Self::Direct2 => (FuncId::MsgSendDirectReq64_2, FuncId::MsgSendDirectResp64_2),
        }
    }

    /// The first payload register, the one behind the last, and the bits that each of them carries.
    const fn payload(self) -> (usize, usize, u64) {
        match self {
            Self::Direct32 => (3, 8, 0xffff_ffff),
            Self::Direct64 => (3, 8, u64::MAX),
            Self::Direct2 => (4, 18, u64::MAX),
        }
    }

    /// The words that a message of this form brought.
    #[must_use]
    pub fn words(self, registers: &Registers) -> Words {
        let (first, end, mask) = self.payload();
        let mut words = [0; 14];
        for (word, register) in words.iter_mut().zip(&registers[first..end]) {
            *word = register & mask;
        }
        words
    }

    fn message(self, function: FuncId, from: u16, to: u16, words: &Words) -> Registers {
        let (first, end, mask) = self.payload();
        let mut registers = ffa::registers(function, [(u64::from(from) << 16) | u64::from(to)]);
        for (register, word) in registers[first..end].iter_mut().zip(words) {
            *register = word & mask;
        }
        registers
    }
}

/// A direct request.
pub struct Request {
    /// Its form, which its answer must have too.
    pub form: Form,
    /// Who asks.
    pub from: u16,
    /// Who is asked: this partition.
    pub to: u16,
    /// The payload.
    pub words: Words,
}

impl Request {
    /// The request that a call brought, if it brought one.
    fn of(registers: &Registers) -> Option<Self> {
        let function = ffa::function(registers)?;
        let form = [Form::Direct32, Form::Direct64, Form::Direct2]
            .into_iter()
            .find(|form| form.functions().0 == function)?;
        let (from, to) = ((registers[1] >> 16) as u16, registers[1] as u16);
        Some(Self { form, from, to, words: form.words(registers) })
    }

    /// The answer with `words`.
    fn answer(&self, words: &Words) -> Registers {
        self.form.message(self.form.functions().1, self.to, self.from, words)
    }
}

/// Sends a direct request to another partition, running it again when it is interrupted or yields.
pub fn send(form: Form, from: u16, to: u16, words: &Words) -> Result<Words, FfaError> {
    let mut answer = ffa::call(form.message(form.functions().0, from, to, words));
    while let Some(FuncId::Interrupt32 | FuncId::Yield32) = ffa::function(&answer) {
        answer = ffa::run(answer[1]);
    }
    ffa::checked(answer).map(|registers| form.words(&registers))
}

/// Takes the virtual interrupts that pend.
pub fn take_interrupts<S: Service>(vcpu: &Vcpu) {
    while let Some(id) = interrupts::get() {
        S::interrupt(vcpu, id);
        interrupts::deactivate(id);
    }
}

/// Takes requests and answers them, for ever.
pub(crate) fn serve<S: Service>(vcpu: &Vcpu, mut service: S) -> ! {
    let wait = ffa::msg_wait(S::KEEPS_RX);
    let mut event = end_turn(vcpu, &mut service, wait);
    loop {
        let end = if let Some(message) = Availability::of(&event) {
            Availability::answer(&event, service.availability(&message))
        } else if let Some(request) = Request::of(&event) {
            request.answer(&service.answer(vcpu, &request))
        } else {
            // FFA_RUN.
            service.run(vcpu);
            wait
        };
        event = end_turn(vcpu, &mut service, end);
    }
}

/// Ends a turn with this call, an answer or FFA_MSG_WAIT: what comes next, when all interrupts are handled.
fn end_turn<S: Service>(vcpu: &Vcpu, service: &mut S, mut end: Registers) -> Registers {
    loop {
        let event = ffa::call(end);
        match ffa::checked(event) {
            Ok(_) if ffa::function(&event) == Some(FuncId::Interrupt32) => {
                if ffa::is_at_el0() {
                    S::interrupt(vcpu, event[2] as u32);
                } else {
                    take_interrupts::<S>(vcpu);
                }
                service.interrupted(vcpu, event[2] as u32);
            }
            Ok(_) => return event,
            // The interrupt has not kept the answer back, as those do that pend before it; it has come after it.
            Err(FfaError::Denied) if ffa::function(&end) != Some(FuncId::MsgWait32) => {
                end = ffa::msg_wait(S::KEEPS_RX);
            }
            Err(error) => panic!("the SPMC refuses an answer, or to wait: {error:?}"),
        }
    }
}

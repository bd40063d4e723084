//! From bytes to what happens on a PE: calls as a caller of good will would make them, calls with any registers, and
//! what is no call at all.

use manager::calls::CALLS;
use manager::exit::TimerRegister;
use scenarios::id::{self, Named};
use scenarios::messages::Header;
use scenarios::{ECHO, ECHO_MEMORY, NORMAL_MEMORY, PARTITION_MEMORY, Place, RELAY, hypercall, pair};

/// Partitions: their ids follow each other.
pub const PARTITIONS: usize = 4;
/// Who else may be named: the Normal world, a VM, the SPMC, EL3's partitions, the SPMD.
const OTHERS: [u64; 6] = [0, 1, 0x8000, 0xFFC0, 0xFFFE, 0xFFFF];
/// An SMC that is not of FF-A, which `echo` may make.
pub const SMC: u64 = 0x8200_0100;
/// FFA_MSG_SEND_DIRECT_REQ, 64-bit.
const REQUEST64: u64 = Named::MsgSendDirectReq64 as u64;
/// w2 of a framework message.
const FRAMEWORK: u64 = 1 << 31;

/// Values that get past the first checks.
const WORDS: &[u64] = &[
    0,
    1,
    ECHO,
    RELAY,
    pair(ECHO, 0),
    pair(RELAY, 0),
    pair(ECHO, RELAY),
    pair(RELAY, ECHO),
    pair(ECHO, 1),
    pair(1, ECHO + 2),
    pair(0xFFC0, ECHO),
    pair(0xFFFF, 0x8000),
    FRAMEWORK,
    FRAMEWORK | 4,
    FRAMEWORK | 8,
    0x1_0001,
    0x8400_0002,
    NORMAL_MEMORY,
    NORMAL_MEMORY + 0x1000,
    ECHO_MEMORY,
    ECHO_MEMORY + 0x2000,
    u64::MAX,
];

/// A program of events, read again and again.
pub struct Program<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Program<'a> {
    /// The program that these bytes are, if there are any.
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Option<Self> {
        (!bytes.is_empty()).then_some(Self { bytes, at: 0 })
    }

    /// The next byte; the first one again behind the last.
    pub fn byte(&mut self) -> u8 {
        let byte = self.bytes[self.at % self.bytes.len()];
        self.at += 1;
        byte
    }

    /// One of these.
    fn of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[usize::from(self.byte()) % choices.len()]
    }

    fn party(&mut self) -> u64 {
        match self.byte() {
            // A partition, or the id behind the last.
            byte @ ..200 => ECHO + u64::from(byte) % (PARTITIONS as u64 + 1),
            byte => OTHERS[usize::from(byte) % OTHERS.len()],
        }
    }

    fn word(&mut self) -> u64 {
        let byte = self.byte();
        WORDS.get(usize::from(byte)).copied().unwrap_or(u64::from(byte) << (byte & 31))
    }

    /// Any call that there is, and any registers.
    fn any_call(&mut self) -> [u64; 18] {
        let mut x = [0; 18];
        x[0] = match self.byte() {
            byte @ ..240 => CALLS[usize::from(byte) % CALLS.len()].function as u64,
            _ => 0x8400_0060 + u64::from(self.byte()) + (u64::from(self.byte()) << 24),
        };
        let used = self.byte();
        for (register, value) in x.iter_mut().enumerate().take(8).skip(1) {
            if used >> register & 1 != 0 {
                *value = self.word();
            }
        }
        // Registers behind x7 are rare: few calls look at them.
        if used & 1 != 0 {
            x[8 + usize::from(self.byte() % 10)] = self.word();
        }
        x
    }

    /// A call as the Normal world, a hypervisor, EL3 or the SPMD makes it.
    fn normal_call(&mut self) -> [u64; 18] {
        let (kind, to) = (self.byte(), self.party());
        let request = self.of(&[id::REQUEST, id::REQUEST, REQUEST64, id::REQUEST2]);
        let map = self.of(&[Named::RxTxMap64 as u64, Named::RxTxMap32 as u64]);
        let page = NORMAL_MEMORY + Self::page_of(kind);
        match kind % 30 {
            0..6 => call([request, pair(0, to)]),
            6..9 => call([id::RUN, pair(to, u64::from(kind >> 6))]),
            9 => call([request, pair(0xFFC0 + u64::from(kind >> 6), to)]),
            10 => self.spmd_message(),
            // VM created, VM destroyed.
            11 => call([id::REQUEST, pair(0, to), FRAMEWORK | 4, 0, 0, 1 + u64::from(kind >> 6)]),
            12 => call([id::REQUEST, pair(0, to), FRAMEWORK | 6, 0, 0, 1 + u64::from(kind >> 6)]),
            13 => call([map, page, page + 0x1000, 1 + u64::from(kind >> 7)]),
            14 => call([Named::RxTxUnmap as u64]),
            15 => call([Named::PartitionInfoGet as u64, 0, 0, 0, 0, u64::from(kind >> 7)]),
            16 => call([Named::RxRelease as u64]),
            17 => call([Named::RxAcquire as u64]),
            18 => call([Named::PartitionInfoGetRegs as u64, 0, 0, u64::from(kind >> 6)]),
            19 => call([id::BITMAP_CREATE, u64::from(kind >> 6), 1 + u64::from(self.byte() & 7)]),
            20 => call([id::BITMAP_DESTROY, u64::from(kind >> 6)]),
            21 => call([id::SEND2, pair(u64::from(kind >> 7), 0)]),
            22 => call([self.of(&[id::INFO_GET, id::INFO_GET64])]),
            23..28 => self.notification(u64::from(kind >> 7)),
            28 => call([id::SEND2]),
            _ => self.any_call(),
        }
    }

    /// A call about notifications, as `own` makes it.
    fn notification(&mut self, own: u64) -> [u64; 18] {
        let (kind, other) = (self.byte(), self.party());
        // Few, so that what is set is bound.
        let bits = 1 << (kind >> 4 & 3);
        let (vcpu, per_vcpu) = (u64::from(self.byte() & 3), u64::from(kind >> 6 & 1));
        match kind % 8 {
            0 | 1 => call([id::BIND, pair(other, own), per_vcpu, bits]),
            2 => call([id::UNBIND, pair(other, own), 0, bits]),
            3 | 4 => call([id::GET, pair(vcpu, own), u64::from(self.byte() & 15)]),
            _ => call([
                id::SET,
                pair(own, other),
                (vcpu * per_vcpu) << 16 | u64::from(kind >> 7) << 1 | per_vcpu,
                bits,
            ]),
        }
    }

    /// A hypercall about virtual interrupts.
    fn hypercall(&mut self) -> [u64; 18] {
        let id = self.of(&[3, 4, 5, 40, 41, 42]);
        let function = self.of(&[hypercall::ENABLE, hypercall::GET, hypercall::GET, hypercall::DEACTIVATE]);
        match function {
            hypercall::ENABLE => {
                call([function, id, u64::from(self.byte() & 3 != 0), u64::from(self.byte() & 1)])
            }
            _ => call([function, id, id]),
        }
    }

    /// A message of `own` to somebody, perhaps with one byte changed.
    pub fn message(&mut self, own: u64) -> Vec<u8> {
        let (to, size) = (self.party(), u32::from(self.byte()) << (self.byte() & 7));
        let mut bytes = Header::new(own, to, size).to_bytes();
        if self.byte() & 3 == 0 {
            let at = usize::from(self.byte()) % bytes.len();
            bytes[at] = self.byte();
        }
        bytes
    }

    /// The offset of one of the pages that may be a buffer.
    pub fn page(&mut self) -> u64 {
        Self::page_of(self.byte())
    }

    /// Mostly the first.
    const fn page_of(byte: u8) -> u64 {
        0x1000 * (byte >> 6).saturating_sub(2) as u64
    }

    /// What a partition does to its timer, at some time near `now`.
    pub fn timer(&mut self, now: u64) -> (TimerRegister, u64) {
        match self.byte() & 3 {
            0 => (TimerRegister::Control, u64::from(self.byte() & 3)),
            1 => (TimerRegister::CompareValue, now.wrapping_add(u64::from(self.byte()))),
            2 => (TimerRegister::CompareValue, u64::from(self.byte()) << 3),
            _ => (TimerRegister::TimerValue, u64::from(self.byte()).wrapping_sub(64)),
        }
    }

    /// A framework message of the SPMD: a version, or a PSCI call.
    fn spmd_message(&mut self) -> [u64; 18] {
        let to = pair(0xFFFF, 0x8000);
        let version = self.of(&[0x1_0000, 0x1_0001, 0x1_0002, 0x1_0003, 0x2_0000, 1 << 31]);
        match self.byte() & 3 {
            0 => call([id::REQUEST, to, FRAMEWORK, self.of(&[0x8400_0001, 0xC400_0003, 0])]),
            _ => call([id::REQUEST, to, FRAMEWORK | 8, version]),
        }
    }

    /// A call as the partition `own` makes it, which works for `asker`.
    fn partition_call(&mut self, own: u64, asker: Asker) -> [u64; 18] {
        let (kind, to) = (self.byte(), self.party());
        let request = self.of(&[id::REQUEST, id::REQUEST, REQUEST64, id::REQUEST2]);
        let map = self.of(&[Named::RxTxMap64 as u64, Named::RxTxMap32 as u64]);
        let page = ECHO_MEMORY + PARTITION_MEMORY * (own - ECHO) + 0x1_0000 + Self::page_of(kind);
        match kind % 34 {
            // The answer that is due: a response, or a wait.
            0..8 if asker.request != 0 => asker.response(own),
            0..8 => call([id::MSG_WAIT]),
            8..12 => call([request, pair(own, to)]),
            12 => call([id::RUN, pair(to, u64::from(kind >> 6))]),
            13 => call([id::YIELD, 0, u64::from(kind >> 6)]),
            14 => call([id::MSG_WAIT, 0, u64::from(kind >> 7)]),
            15 => call([id::RESPONSE, pair(own, to)]),
            16 => call([map, page, page + 0x1000, 1]),
            17 => call([Named::RxTxUnmap as u64]),
            18 => call([Named::RxRelease as u64]),
            19 => call([Named::PartitionInfoGet as u64, 0, 0, 0, 0, u64::from(kind >> 7)]),
            20 => call([Named::SecondaryEpRegister64 as u64, ECHO_MEMORY + PARTITION_MEMORY * (own - ECHO)]),
            21 => call([Named::ConsoleLog32 as u64, 4, 0x0a64_6362 ^ u64::from(kind >> 7)]),
            23..27 => self.notification(own),
            27..30 => self.hypercall(),
            30..32 => call([id::SEND2, 0, u64::from(kind >> 7) << 1]),
            // An SMC that is not of FF-A; the end of an initialisation.
            22 => call([SMC, u64::from(kind)]),
            _ if kind >> 7 == 0 => self.any_call(),
            _ => call([id::ERROR, 0, 0xFFFF_FFF8]),
        }
    }

    /// A descriptor of the buffers of a VM (FF-A 1.2, 13.5.2), perhaps with one byte changed.
    pub fn vm_buffers(&mut self) -> Vec<u8> {
        let vm = self.byte() & 3;
        let page = NORMAL_MEMORY + 0x1_0000 * u64::from(vm);
        let words =
            |pages: u32, address: u64| [pages, 1, 0, 0, address as u32, (address >> 32) as u32, pages, 0];
        let header = [u32::from(vm), 16, 48, 0];
        let all = header.into_iter().chain(words(1, page)).chain(words(1, page + 0x1000));
        let mut bytes: Vec<u8> = all.flat_map(u32::to_le_bytes).collect();
        if self.byte() & 3 == 0 {
            let at = usize::from(self.byte()) % bytes.len();
            bytes[at] = self.byte();
        }
        bytes
    }

    /// An interrupt, mostly one of these.
    pub fn interrupt(&mut self, owned: &[u32]) -> u32 {
        match self.byte() {
            byte @ ..64 => byte.into(),
            byte => owned[usize::from(byte) % owned.len()],
        }
    }

    /// What somebody at this place does.
    pub fn call(&mut self, place: Place, asker: Asker) -> [u64; 18] {
        match place {
            _ if self.byte() & 7 == 0 => self.any_call(),
            Place::Normal => self.normal_call(),
            Place::Partition((own, _)) => self.partition_call(own, asker),
        }
    }
}

/// x0 first; the others are zero.
fn call<const N: usize>(registers: [u64; N]) -> [u64; 18] {
    let mut x = [0; 18];
    x[..N].copy_from_slice(&registers);
    x
}

/// The request that a context works on; none has function 0.
#[derive(Clone, Copy, Default)]
pub struct Asker {
    request: u64,
    from: u64,
    framework: u64,
}

impl Asker {
    /// What a context that finds these registers works on from then on, if that changes.
    #[must_use]
    pub fn of(x: &[u64; 18]) -> Option<Self> {
        match x[0] {
            id::REQUEST | REQUEST64 | id::REQUEST2 => {
                // w2 is a message's flags, unless it begins the UUID of a service.
                let framework = if x[0] == id::REQUEST { x[2] } else { 0 };
                Some(Self { request: x[0], from: x[1] >> 16 & 0xFFFF, framework })
            }
            id::RUN => Some(Self::default()),
            _ => None,
        }
    }

    /// Its response, in kind.
    fn response(self, own: u64) -> [u64; 18] {
        let function = self.request + 1;
        // The answer to a framework message is the function behind it.
        let framework = if self.framework == 0 { 0 } else { self.framework + 1 };
        call([function, pair(own, self.from), framework])
    }
}

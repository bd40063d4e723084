//! The partition `mailman`: indirect echo. When it is run it takes its messages, and sends each back with all bits of
//! its payload inverted. Whatever runs it, and in whatever order: it keeps a log by which nothing is lost unseen.
//!
//! A payload is made of words of 8 bytes: its sequence number among those of its sender to this partition, a checksum
//! of all other words, what the receiver is to do (see [`YIELDS`]), and anything.
#![no_std]
#![no_main]

mod log;

use arm_ffa::FfaError;
use partition::boot::BootInformation;
use partition::buffers::{Buffers, Received, Way};
use partition::demo::{self, Demo, results};
use partition::ffa::{self, Notifications};
use partition::service::{Request, Service, Vcpu, Words};
use partition::{alarms, println};

/// "MAIL": what the log says of the messages of word 1, the sender: how many came, the last one's sequence number, a
/// digest of all their checksums, how many were not as they had to be; how many messages this vCPU took from anybody;
/// and how many of the sender's could not be sent back.
/// Where word 2 is not 0 the log of that sender begins anew.
const LOG: u64 = 0x4d41_494c;
/// "SEND": sends a message of its own to word 1: as many words as word 2 says, with the sequence number in word 3.
/// Word 4: bit 0, it tries again while the receiver is busy; bit 1, the SRI is delayed.
const SEND: u64 = 0x5345_4e44;
/// "PAGE": maps buffers of word 1 pages each, instead of those of one page that it begins with.
const PAGES: u64 = 0x5041_4745;
/// "TAKE": takes the messages that there are, as if it had been run; gives how many.
const TAKE: u64 = 0x5441_4b45;

/// Word 2 of a payload: the receiver gives its cycles away once before it takes the message.
const YIELDS: u64 = 1;
/// Word 2 of a payload that came back: its upper bits are never set in one that was sent first.
const IS_ECHO: u64 = 1 << 63;
/// The words that every payload has.
const WORDS: usize = 3;

/// The most pages that FFA_RXTX_MAP takes.
static BUFFERS: Buffers<16> = Buffers::new();

struct Mailman {
    demo: Demo,
    /// Messages that this vCPU took.
    taken: u64,
}

impl Service for Mailman {
    const NAME: &'static str = "mailman";
    const KEEPS_RX: bool = true;

    fn new(vcpu: &Vcpu, _: Option<&BootInformation>) -> Self {
        if vcpu.index == 0 {
            BUFFERS.map(1).expect("buffers are the partition's own memory");
        }
        Self { demo: Demo::default(), taken: 0 }
    }

    fn answer(&mut self, vcpu: &Vcpu, request: &Request) -> Words {
        let [command, first, second, third, fourth, ..] = request.words;
        if let Some(results) = alarms::answer(vcpu, &request.words) {
            return demo::answer(results);
        }
        match command {
            LOG => {
                let [count, last, digest, wrong, unanswered] = log::of(first as u16, second != 0);
                results([count, last, digest, wrong, self.taken, unanswered])
            }
            SEND => {
                let way = Way { waits: fourth & 1 != 0, delays_sri: fourth & 2 != 0 };
                demo::answer(send(vcpu, first as u16, second as usize, third, way).map(|()| results([])))
            }
            PAGES => demo::answer(BUFFERS.map(first as usize).map(|()| results([]))),
            TAKE => results([self.take_all(vcpu, Notifications::FRAMEWORK)]),
            _ => self.demo.answer(vcpu, request),
        }
    }

    fn run(&mut self, vcpu: &Vcpu) {
        self.take_all(vcpu, Notifications::ALL);
    }

    fn interrupt(vcpu: &Vcpu, id: u32) {
        alarms::interrupt(vcpu, id);
    }
}

impl Mailman {
    /// Gets notifications of these kinds, and takes messages, until there is none; how many messages.
    fn take_all(&mut self, vcpu: &Vcpu, kinds: u32) -> u64 {
        let before = self.taken;
        loop {
            match ffa::notification_get(vcpu.endpoint, vcpu.index, kinds) {
                Ok(got) if got.is_rx_full() => {}
                Ok(_) => return self.taken - before,
                Err(error) => {
                    println!("FFA_NOTIFICATION_GET: {error:?}");
                    return self.taken - before;
                }
            }
            self.taken += 1;
            take(vcpu);
        }
    }
}

/// Takes the message that is in the RX buffer, and sends it back.
fn take(vcpu: &Vcpu) {
    let message = BUFFERS.received();
    let words = message.size / 8;
    if words < WORDS {
        log::wrong(message.from);
        release();
        return;
    }
    let what = BUFFERS.word(&message, 2);
    if what & IS_ECHO != 0 {
        note(&message, |index| !BUFFERS.word(&message, index));
        release();
        return;
    }
    if what & YIELDS != 0 {
        ffa::yield_cycles(0);
    }
    let answer = BUFFERS.claim();
    (0..words).for_each(|index| answer.set(index, !BUFFERS.word(&message, index)));
    note(&message, |index| BUFFERS.word(&message, index));
    release();
    let way = Way { waits: true, delays_sri: false };
    if answer.send(vcpu.endpoint, message.from, 8 * words, way).is_err() {
        log::unanswered(message.from);
    }
}

/// Writes a message into the log, for as long as nobody else can have one.
fn note(message: &Received, word: impl Fn(usize) -> u64) {
    let sum = log::checksum((0..message.size / 8).filter(|index| *index != 1).map(&word));
    log::came(message.from, word(0), sum, sum == word(1) && message.size.is_multiple_of(8));
}

fn release() {
    if let Err(error) = ffa::rx_release() {
        println!("FFA_RX_RELEASE: {error:?}");
    }
}

fn send(vcpu: &Vcpu, to: u16, words: usize, sequence: u64, way: Way) -> Result<(), FfaError> {
    if !(WORDS..=BUFFERS.room()).contains(&words) {
        return Err(FfaError::InvalidParameters);
    }
    let message = BUFFERS.claim();
    let word = |index: usize| match index {
        0 => sequence,
        2 => 0,
        _ => sequence.wrapping_mul(index as u64),
    };
    let sum = log::checksum((0..words).filter(|index| *index != 1).map(word));
    (0..words).for_each(|index| message.set(index, if index == 1 { sum } else { word(index) }));
    message.send(vcpu.endpoint, to, 8 * words, way)
}

partition::entry!(Mailman);

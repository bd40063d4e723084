//! The partition `sandbox`, at S-EL0: the common commands, those by which partitions lend and borrow, indirect
//! echo, and what ends a partition there.
#![no_std]
#![no_main]

mod fatal;
mod permissions;

use arm_ffa::FfaError;
use partition::boot::BootInformation;
use partition::buffers::{Buffers, Way};
use partition::demo::{self, Demo, results};
use partition::ffa::{self, Notifications};
use partition::service::{Request, Service, Vcpu, Words};
use partition::{interrupts, lending, println};

use permissions::Verdict;

/// "PERM": what came of what it tried with the permissions of its pages while it initialised: how many attempts, how
/// many went wrong, and which of them was the first.
const PERMISSIONS: u64 = 0x5045_524d;
/// "WAIT": waits for an interrupt once.
const WAIT: u64 = 0x5741_4954;
/// "DIE!": does what ends this partition; see [`fatal::commit`].
const DIE: u64 = 0x4449_4521;

static BUFFERS: Buffers<1> = Buffers::new();

struct Sandbox {
    demo: Demo,
    /// Of its initialisation.
    verdict: Verdict,
}

impl Service for Sandbox {
    const NAME: &'static str = "sandbox";

    fn new(_: &Vcpu, _: Option<&BootInformation>) -> Self {
        BUFFERS.map(1).expect("buffers are the partition's own memory");
        Self { demo: Demo::default(), verdict: permissions::all() }
    }

    fn answer(&mut self, vcpu: &Vcpu, request: &Request) -> Words {
        let [command, first, second, ..] = request.words;
        if let Some(done) = lending::answer(&BUFFERS, vcpu.endpoint, &request.words) {
            return demo::answer(done);
        }
        match command {
            PERMISSIONS => results([self.verdict.attempts, self.verdict.wrong, self.verdict.first]),
            WAIT => {
                interrupts::wait();
                results([])
            }
            DIE => {
                fatal::commit(first, second);
                results([])
            }
            _ => self.demo.answer(vcpu, request),
        }
    }

    /// Sends the message that waits, if one does, back with all bits of its payload inverted.
    fn run(&mut self, vcpu: &Vcpu) {
        if let Err(error) = send_back(vcpu) {
            println!("a message does not come back: {error:?}");
        }
    }
}

fn send_back(vcpu: &Vcpu) -> Result<(), FfaError> {
    if !ffa::notification_get(vcpu.endpoint, vcpu.index, Notifications::FRAMEWORK)?.is_rx_full() {
        return Ok(());
    }
    let message = BUFFERS.received();
    let words = message.size / 8;
    let answer = BUFFERS.claim();
    (0..words).for_each(|index| answer.set(index, !BUFFERS.word(&message, index)));
    ffa::rx_release()?;
    answer.send(vcpu.endpoint, message.from, 8 * words, Way { waits: false, delays_sri: false })
}

partition::entry!(Sandbox);

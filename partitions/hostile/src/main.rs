//! The partition `hostile`: tries what is forbidden to partitions, and says what was not refused as it must be.
#![no_std]
#![no_main]

mod borrow;
mod call;
mod fatal;
mod forged;
mod lend;
mod mail;
mod malformed;
mod owned;
mod place;
mod series;
mod sweep;
mod system;
mod transactions;
mod verdict;

use partition::boot::BootInformation;
use partition::demo::Demo;
use partition::service::{Request, Service, Vcpu, Words};

use borrow::Sent;
use call::Conduit;
use verdict::Verdict;

/// "SWEE": every function id of FF-A, and many others, with garbage from the seed in word 1. The answer of this and
/// of the next four commands: how many attempts, how many were not refused as they must be, and of the first of these
/// what it was and what came of it.
const SWEEP: u64 = 0x5357_4545;
/// "FORG": calls that are well-formed and not this partition's to make.
const FORGE: u64 = 0x464f_5247;
/// "FMSG": messages that are not this partition's to send; only on one PE, as a partition has one TX buffer.
const FORGE_MESSAGES: u64 = 0x464d_5347;
/// "FMEM": memory that is not this partition's to send, to take, to give back or to have back, by SMC (word 4 is 0) or by
/// HVC; of the Normal world's transactions word 1 shares pages with this partition, to be read, so many that their list
/// does not fit into a page; word 2 lends a page to this partition, and word 3 one to echo. Only on one PE.
const FORGE_TRANSACTIONS: u64 = 0x464d_454d;
/// "SYST": system registers and instructions that are not a partition's.
const SYSTEM: u64 = 0x5359_5354;
/// "RUN?": what came of the attempts when it was last run by FFA_RUN, where it has no request to work on.
const RUN: u64 = 0x5255_4e3f;
/// "IDLE": waits for an interrupt, and an event.
const IDLE: u64 = 0x4944_4c45;
/// "DIE!": does what ends this partition; see [`fatal::commit`].
const DIE: u64 = 0x4449_4521;

struct Hostile {
    demo: Demo,
    /// Of its last FFA_RUN.
    verdict: Verdict,
}

impl Service for Hostile {
    const NAME: &'static str = "hostile";

    fn new(_: &Vcpu, _: Option<&BootInformation>) -> Self {
        Self { demo: Demo::default(), verdict: Verdict::default() }
    }

    fn answer(&mut self, vcpu: &Vcpu, request: &Request) -> Words {
        let [command, first, second, third, fourth, ..] = request.words;
        match command {
            SWEEP => sweep::all(first).words(),
            FORGE => forged::all(vcpu, request).words(),
            FORGE_MESSAGES => mail::all(vcpu).words(),
            FORGE_TRANSACTIONS => {
                let sent = Sent { shared: first, lent: second, elsewhere: third };
                transactions::all(vcpu, Conduit::ALL[usize::from(fourth != 0)], &sent).words()
            }
            SYSTEM => system::all().words(),
            RUN => self.verdict.words(),
            IDLE => system::idle(),
            DIE => fatal::commit(first, second),
            _ => self.demo.answer(vcpu, request),
        }
    }

    fn run(&mut self, vcpu: &Vcpu) {
        self.verdict = forged::without_request(vcpu);
    }
}

partition::entry!(Hostile);

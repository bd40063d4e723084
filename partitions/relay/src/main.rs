//! The partition `relay`: the common commands, and one that forwards to another partition.
#![no_std]
#![no_main]

use arm_ffa::FfaError;
use partition::boot::BootInformation;
use partition::demo::{self, Demo};
use partition::service::{self, Request, Service, Vcpu, Words};

/// "FW!": asks the partition of word 1 to echo word 2, and gives back what came, changed once more. If word 3 is not
/// 0, that partition is asked to spin so long first.
const FORWARD: u64 = 0x4657_4421;
/// What `FORWARD` changes the value by.
const CHANGE: u64 = 0x5a5a_5a5a;

struct Relay(Demo);

impl Service for Relay {
    const NAME: &'static str = "relay";

    fn new(_: &Vcpu, _: Option<&BootInformation>) -> Self {
        Self(Demo::default())
    }

    fn answer(&mut self, vcpu: &Vcpu, request: &Request) -> Words {
        match request.words[0] {
            FORWARD => demo::answer(forward(vcpu, request)),
            _ => self.0.answer(vcpu, request),
        }
    }
}

fn forward(vcpu: &Vcpu, request: &Request) -> Result<Words, FfaError> {
    let [_, target, value, spin, ..] = request.words;
    let ask = |command, argument| {
        let mut words = demo::results([argument]);
        words[0] = command;
        service::send(request.form, vcpu.endpoint, target as u16, &words)
    };
    if spin != 0 {
        ask(demo::SPIN, spin)?;
    }
    Ok(demo::results([ask(demo::ECHO, value)?[1] ^ CHANGE]))
}

partition::entry!(Relay);

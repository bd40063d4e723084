//! The partition `ticker`: the timer gives it cycles, whoever has the PE, and it counts how often that happens. Where
//! its manifest describes it as an alarm, the timer comes once, soon after the start.
#![no_std]
#![no_main]

use partition::alarms;
use partition::boot::BootInformation;
use partition::demo::{self, Demo};
use partition::interrupts::{Line, TIMER};
use partition::service::{Request, Service, Vcpu, Words};

struct Ticker(Demo);

/// When an alarm comes, in nanoseconds.
const SOON: u64 = 10_000_000;

impl Service for Ticker {
    const NAME: &'static str = "ticker";

    fn new(vcpu: &Vcpu, boot: Option<&BootInformation>) -> Self {
        if boot.and_then(BootInformation::description) == Some("alarm") {
            alarms::arm(vcpu, SOON, 1).expect("every partition has a timer");
        }
        alarms::enable(TIMER, true, Line::Irq).expect("every partition has a timer");
        Self(Demo::default())
    }

    fn answer(&mut self, vcpu: &Vcpu, request: &Request) -> Words {
        match alarms::answer(vcpu, &request.words) {
            Some(results) => demo::answer(results),
            None => self.0.answer(vcpu, request),
        }
    }

    fn interrupt(vcpu: &Vcpu, id: u32) {
        alarms::interrupt(vcpu, id);
    }
}

partition::entry!(Ticker);

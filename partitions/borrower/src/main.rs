//! The partition `borrower`: it borrows memory of others and lends its own, as it is told by direct messages.
#![no_std]
#![no_main]

use partition::boot::BootInformation;
use partition::buffers::Buffers;
use partition::demo::{self, Demo};
use partition::lending;
use partition::service::{Request, Service, Vcpu, Words};

static BUFFERS: Buffers<16> = Buffers::new();

struct Borrower {
    demo: Demo,
}

impl Service for Borrower {
    const NAME: &'static str = "borrower";
    const KEEPS_RX: bool = true;

    fn new(vcpu: &Vcpu, _: Option<&BootInformation>) -> Self {
        if vcpu.index == 0 {
            BUFFERS.map(16).expect("buffers are the partition's own memory");
        }
        Self { demo: Demo::default() }
    }

    fn answer(&mut self, vcpu: &Vcpu, request: &Request) -> Words {
        match lending::answer(&BUFFERS, vcpu.endpoint, &request.words) {
            Some(done) => demo::answer(done),
            None => self.demo.answer(vcpu, request),
        }
    }
}

partition::entry!(Borrower);

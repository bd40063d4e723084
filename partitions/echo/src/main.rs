//! The partition `echo`: the common commands, on every PE.
#![no_std]
#![no_main]

use partition::boot::BootInformation;
use partition::demo::Demo;
use partition::service::{Request, Service, Vcpu, Words};

struct Echo(Demo);

impl Service for Echo {
    const NAME: &'static str = "echo";

    fn new(_: &Vcpu, boot: Option<&BootInformation>) -> Self {
        if let Some(boot) = boot {
            assert!(boot.manifest().is_some(), "the boot information lacks the manifest that was asked for");
        }
        Self(Demo::default())
    }

    fn answer(&mut self, vcpu: &Vcpu, request: &Request) -> Words {
        self.0.answer(vcpu, request)
    }
}

partition::entry!(Echo);

//! The partition `echo`: the common commands, on every PE. Where its manifest asks to be told of VMs, it knows which
//! ones there are.
#![no_std]
#![no_main]

use arm_ffa::FfaError;
use partition::boot::BootInformation;
use partition::demo::Demo;
use partition::service::{Availability, Request, Service, Vcpu, Words};

/// As many VMs as one of its vCPUs can know.
const VMS: usize = 4;

struct Echo {
    demo: Demo,
    /// The VMs that this vCPU was told of.
    vms: [Option<u16>; VMS],
}

impl Service for Echo {
    const NAME: &'static str = "echo";

    fn new(_: &Vcpu, boot: Option<&BootInformation>) -> Self {
        if let Some(boot) = boot {
            assert!(boot.manifest().is_some(), "the boot information lacks the manifest that was asked for");
        }
        Self { demo: Demo::default(), vms: [None; VMS] }
    }

    fn answer(&mut self, vcpu: &Vcpu, request: &Request) -> Words {
        self.demo.answer(vcpu, request)
    }

    fn availability(&mut self, message: &Availability) -> Result<(), FfaError> {
        let known = self.vms.iter().position(|vm| *vm == Some(message.vm));
        let (place, vm) = if message.is_created {
            if known.is_some() {
                return Err(FfaError::Denied);
            }
            (self.vms.iter().position(Option::is_none).ok_or(FfaError::NoMemory)?, Some(message.vm))
        } else {
            (known.ok_or(FfaError::InvalidParameters)?, None)
        };
        self.vms[place] = vm;
        Ok(())
    }
}

partition::entry!(Echo);

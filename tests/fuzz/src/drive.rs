//! Four PEs of one machine, driven by a program: they come on and go off, call, are interrupted, and fault.

use std::sync::{Arc, LazyLock};

use manager::exit::Conduit;
use manager::hardware::Memory;
use manager::memory::page::Pa;
use scenarios::id::{self, Named};
use scenarios::{Blobs, ECHO, NORMAL_MEMORY, Pe, Place, Sources, V1_0, V1_1, World, pair};

use crate::events::{Asker, PARTITIONS, Program, SMC};

/// PEs, each with one context of a partition that has several.
const PES: usize = 4;
/// What happens on a PE and is no call: time passes, a kick arrives, a partition waits for an interrupt or sets its
/// timer.
const TIME: u8 = 57;
const KICK: u8 = 56;
const IDLE: u8 = 55;
const TIMER: u8 = 54;
/// PSCI_CPU_OFF.
const CPU_OFF: u64 = 0x8400_0002;

/// One partition at EL3: its id, one context, it sends requests; its UUID.
const LOGICAL: &[[u64; 3]] = &[[0x2_0001_FFC0, 1, 2]];
/// Interrupts of `echo` and of `old`; nobody has the others.
const INTERRUPTS: [u32; 2] = [40, 41];

/// What TF-A has loaded: four partitions that differ in what they want.
static BLOBS: LazyLock<Blobs> = LazyLock::new(|| {
    let mut sources = Sources::new();
    let echo = "debug_name = \"echo\";";
    Sources::change(&mut sources.spmc, echo, &format!("{echo} smc_whitelist = <{SMC:#x}>;"));
    for source in [&mut sources.echo, &mut sources.relay] {
        Sources::set(source, "messaging-method", "<0x607>");
        Sources::set(source, "notification-support", "");
        Sources::set(source, "rx-free-notification", "");
    }
    Sources::set(&mut sources.relay, "sri-interrupts-policy", "<1>");
    let mut patient = sources.echo.clone();
    Sources::set_version(&mut patient, V1_1);
    Sources::set(&mut patient, "messaging-method", "<0x7>");
    Sources::set(&mut patient, "sri-interrupts-policy", "<2>");
    Sources::set(&mut patient, "ns-interrupts-action", "<0>");
    Sources::set(&mut patient, "vm-availability-messages", "<3>");
    sources.add("patient", patient);
    let mut old = Sources::new().relay;
    Sources::set_version(&mut old, V1_0);
    Sources::add_device(&mut sources.echo, 0, INTERRUPTS[0]);
    Sources::add_device(&mut old, 1, INTERRUPTS[1]);
    sources.add("old", old);
    sources.compile()
});

/// The machine.
pub struct Machine {
    world: Arc<World>,
    /// None is off.
    pes: [Option<Pe>; PES],
    /// Whether all partitions had their turn to initialise: until then the Normal world has not started.
    booted: bool,
    /// What each context of each partition works on.
    askers: [[Asker; PES]; PARTITIONS],
    /// The system counter.
    count: u64,
}

impl Machine {
    /// A machine on which the first PE has just been turned on, or on which all PEs are in the Normal world.
    #[must_use]
    pub fn new(booted: bool) -> Self {
        let world = World::loaded_by(&BLOBS, LOGICAL);
        let pes = [0, 1, 2, 3].map(|index| booted.then(|| world.booted_pe(index)));
        Self { world, pes, booted, askers: Default::default(), count: 0 }
    }

    /// One step on the PE that the program names.
    ///
    /// # Panics
    /// If the manager does, or what it decides cannot be.
    pub fn step(&mut self, program: &mut Program<'_>) {
        let head = program.byte();
        let index = if self.booted { usize::from(head & 3) } else { 0 };
        match &mut self.pes[index] {
            None => {
                let mut pe = self.world.pe(index as u16);
                pe.turn_on();
                self.pes[index] = Some(pe);
            }
            Some(pe) => {
                // The image saves what it left before it comes back.
                pe.settle();
                let asker = match pe.place() {
                    Place::Normal => Asker::default(),
                    Place::Partition(context) => *asker_of(&mut self.askers, context),
                };
                if head >> 2 == TIME {
                    self.count += u64::from(program.byte());
                    pe.advance(self.count);
                } else if happen(pe, head >> 2, program, asker) {
                    self.pes[index] = None;
                }
            }
        }
        self.look(index);
    }

    /// Looks at where the PE is now.
    fn look(&mut self, index: usize) {
        let Some(pe) = &self.pes[index] else { return };
        let place = pe.place();
        match place {
            Place::Normal => {
                assert!(!pe.machine.holds_normal, "the Normal world gets none of its interrupts");
                self.booted = true;
            }
            Place::Partition(context) => {
                if let Some(asker) = Asker::of(&pe.frame.x) {
                    *asker_of(&mut self.askers, context) = asker;
                }
                let there = |pe: &&Option<Pe>| pe.as_ref().is_some_and(|pe| pe.place() == place);
                assert_eq!(self.pes.iter().filter(there).count(), 1, "{place:?} is on two PEs");
            }
        }
    }
}

/// What happens on a PE that is on; whether it goes off by that.
fn happen(pe: &mut Pe, what: u8, program: &mut Program<'_>, asker: Asker) -> bool {
    let place = pe.place();
    pe.conduit = if what & 1 == 0 { Conduit::Smc } else { Conduit::Hvc };
    match (what, place) {
        (KICK, _) => {
            pe.take_kick();
        }
        (IDLE, Place::Partition(_)) => {
            pe.idle();
        }
        (TIMER, Place::Partition(_)) => {
            let (register, value) = program.timer(pe.machine.deadline);
            pe.write_timer(register, value);
            let _ = pe.read_timer(register);
        }
        // The image is slow to save what it leaves.
        (..12, Place::Partition(_)) => {
            let call = program.call(place, asker);
            write_message(pe, program, &call);
            let _ = pe.call_unsettled(&call);
        }
        (12..58, Place::Partition(_)) => {
            let call = program.call(place, asker);
            write_message(pe, program, &call);
            let _ = pe.call(&call);
        }
        (53..55, Place::Normal) => {
            // A hypervisor tells of the buffers of a VM, in its own TX buffer if that is where they say.
            pe.machine.write(Pa::normal(NORMAL_MEMORY), &program.vm_buffers()).expect("this is memory");
            let _ = pe.normal(&[Named::RxTxMap64 as u64]);
        }
        (..60, Place::Normal) => {
            let call = program.call(place, asker);
            write_message(pe, program, &call);
            let _ = pe.normal(&call);
        }
        (58..60, Place::Partition(_)) => {
            let _ = pe.interrupt();
        }
        (60..63, _) => {
            pe.machine.pending.push_back(program.interrupt(&INTERRUPTS));
            let _ = if place == Place::Normal { pe.normal(&[id::INTERRUPT]) } else { pe.interrupt() };
        }
        (_, Place::Partition(_)) => {
            let _ = pe.fault();
        }
        (_, Place::Normal) => {
            let _ = pe.normal(&[id::REQUEST, pair(0xFFFF, 0x8000), 1 << 31, CPU_OFF]);
            return pe.frame.x[0] == id::RESPONSE && pe.frame.x[3] == 0;
        }
    }
    false
}

/// Before a message is sent, its sender writes it, mostly where it has its TX buffer.
fn write_message(pe: &mut Pe, program: &mut Program<'_>, call: &[u64; 18]) {
    if call[0] == id::SEND2 {
        let header = program.message(pe.own_id());
        let tx = pe.tx();
        let at = Pa { address: tx.address + program.page(), ..tx };
        pe.machine.write(at, &header).expect("this is memory");
    }
}

/// The entry of a context, `(partition's id, vCPU)`.
fn asker_of(askers: &mut [[Asker; PES]; PARTITIONS], (partition, vcpu): (u64, u64)) -> &mut Asker {
    &mut askers[(partition - ECHO) as usize][vcpu as usize]
}

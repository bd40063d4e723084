//! No allocator after boot: a step of the message path takes no memory.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use manager::exit::Conduit;
use scenarios::{ECHO, NORMAL_MEMORY, Pe, Place, RELAY, Sources, World, id, pair};

struct Counting;

thread_local! {
    static TAKEN: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: every request goes to the system's allocator as it came; counting touches no memory of it.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        TAKEN.with(|taken| taken.set(taken.get() + 1));
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise is passed on.
        unsafe { System.dealloc(memory, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// What happens on the PE.
#[derive(Debug)]
enum Event {
    /// Whoever is on it calls.
    Call(&'static [u64]),
    /// An interrupt of the Normal world takes it from a partition.
    Preempted,
    /// A secure interrupt comes.
    Interrupt(u32),
    /// The partition on it breaks a rule.
    Fault,
}
use Event::{Call, Fault, Interrupt, Preempted};

/// `relay`'s interrupt.
const OWN: u32 = 40;

const EVENTS: &[Event] = &[
    Call(&[id::FEATURES, id::REQUEST]),
    Call(&[id::VERSION, 0x1_0002]),
    Call(&[0xC400_0066, NORMAL_MEMORY, NORMAL_MEMORY + 0x1000, 1]),
    Call(&[0x8400_0068]),
    Call(&[0x8400_0065]),
    Call(&[0x8400_0067]),
    Call(&[0x8400_0068, 0, 0, 0, 0, 1]),
    Call(&[0xC400_008B]),
    // A chain, preempted, resumed, and answered.
    Call(&[id::REQUEST, pair(0, RELAY)]),
    Call(&[id::REQUEST2, pair(RELAY, ECHO)]),
    Preempted,
    Preempted,
    Call(&[id::RUN, pair(RELAY, 0)]),
    Call(&[id::RUN, pair(ECHO, 0)]),
    // Its interrupt finds `relay` blocked.
    Interrupt(OWN),
    Call(&[id::RUN, pair(ECHO, 0)]),
    Call(&[id::RESPONSE2, pair(ECHO, RELAY)]),
    // An SMC for EL3.
    Call(&[0x8200_0001, 1, 2, 3]),
    Call(&[id::RESPONSE, pair(RELAY, 0)]),
    Call(&[id::RUN, pair(ECHO, 0)]),
    Call(&[id::YIELD]),
    Call(&[id::RUN, pair(ECHO, 0)]),
    // It finds it waiting; and one that nobody owns.
    Interrupt(OWN),
    Call(&[id::MSG_WAIT]),
    Interrupt(99),
    Call(&[id::MSG_WAIT]),
    // EL3's logical partitions, and messages about VMs.
    Call(&[id::REQUEST, pair(0xFFC0, ECHO)]),
    Call(&[id::RESPONSE, pair(ECHO, 0xFFC0)]),
    Call(&[id::REQUEST, pair(0, ECHO), 0x8000_0004]),
    Call(&[id::RESPONSE, pair(ECHO, 0), 0x8000_0005]),
    Call(&[0x8400_0085]),
];

/// How often the event took memory, and where the fakes keep a record of it.
fn takes(pe: &mut Pe, event: &Event) -> usize {
    if let Interrupt(id) = event {
        pe.machine.pending.push_back(*id);
    }
    let in_normal = pe.place() == Place::Normal;
    let before = TAKEN.with(Cell::get);
    match event {
        Call(call) => pe.act(call),
        Interrupt(_) if in_normal => pe.normal(&[id::INTERRUPT]),
        Interrupt(_) | Preempted => pe.interrupt(),
        Fault => pe.fault(),
    };
    TAKEN.with(Cell::get) - before
}

#[test]
fn a_step_takes_no_memory() {
    let mut sources = Sources::new();
    Sources::add_device(&mut sources.relay, 0, OWN);
    Sources::set(&mut sources.echo, "vm-availability-messages", "<3>");
    let name = "debug_name = \"relay\";";
    Sources::change(&mut sources.spmc, name, &format!("{name} smc_whitelist_permissive;"));
    let mut pe = World::of(&sources).booted_pe(0);
    pe.conduit = Conduit::Smc;
    // The first round makes room in what the fakes keep.
    for event in EVENTS {
        takes(&mut pe, event);
    }
    for event in EVENTS {
        assert_eq!(takes(&mut pe, event), 0, "{event:x?}");
        assert_ne!(pe.low()[0], id::ERROR, "{event:x?}");
    }
    pe.normal(&[id::REQUEST, pair(0, ECHO)]);
    assert_eq!(takes(&mut pe, &Fault), 0);
    pe.expect_aborted();
}

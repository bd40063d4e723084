//! No allocator after boot: a step of the message path takes no memory.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use manager::exit::Conduit;
use scenarios::messages::Header;
use scenarios::notifications::{DELAY, FRAMEWORK, SENT, bind, set, unbind};
use scenarios::{ECHO, NORMAL_MEMORY, Pe, Place, RELAY, Sources, V1_2, World, hypercall, id, pair};

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
    /// The partition on it takes its interrupt, and has handled it.
    Handled(u32),
    /// The partition on it has its timer fire at this count, and it fires.
    Timer(u64),
    /// The partition on it waits for an interrupt.
    Idle,
    /// The partition on it breaks a rule.
    Fault,
}
use Event::{Call, Fault, Handled, Idle, Interrupt, Preempted, Timer};

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
    Handled(OWN),
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
    Handled(OWN),
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

/// Messages, notifications and timers; whoever sends has a message for `echo` or, if it is that, for `relay` in its buffer.
const MESSAGES: &[Event] = &[
    Call(&[id::SEND2]),
    Call(&set(0, ECHO, 0, 1)),
    Call(&[id::INFO_GET64]),
    Call(&[id::RUN, pair(ECHO, 0)]),
    Call(&[id::GET, ECHO, SENT | FRAMEWORK]),
    Call(&[id::RX_RELEASE]),
    Call(&[id::SEND2, 0, DELAY]),
    Call(&[id::MSG_WAIT]),
    Call(&[id::INFO_GET]),
    Call(&[id::REQUEST, pair(0, RELAY)]),
    Call(&[id::GET, RELAY, FRAMEWORK]),
    Call(&[id::RX_RELEASE]),
    Call(&unbind(0, RELAY, 1)),
    Call(&bind(0, RELAY, 0, 1)),
    Timer(100),
    Handled(3),
    Timer(u64::MAX),
    Idle,
    Call(&[id::RUN, pair(RELAY, 0)]),
    Call(&[id::RESPONSE, pair(RELAY, 0)]),
    Call(&[id::BITMAP_DESTROY, 7]),
    Call(&[id::BITMAP_CREATE, 7, 1]),
];

/// How often the event took memory, and where the fakes keep a record of it.
fn takes(pe: &mut Pe, event: &Event) -> usize {
    if let Interrupt(id) = event {
        pe.machine.pending.push_back(*id);
    }
    let in_normal = pe.place() == Place::Normal;
    let before = TAKEN.with(Cell::get);
    match event {
        Call(call) => {
            pe.act(call);
        }
        Interrupt(_) if in_normal => {
            pe.normal(&[id::INTERRUPT]);
        }
        Interrupt(_) | Preempted => {
            pe.interrupt();
        }
        Handled(id) => pe.handle((*id).into()),
        Timer(count) => {
            pe.set_timer(*count);
            if *count != u64::MAX {
                pe.advance(*count);
            }
        }
        Idle => {
            pe.idle();
        }
        Fault => {
            pe.fault();
        }
    }
    TAKEN.with(Cell::get) - before
}

/// None of these events takes memory, and each does what it is to do.
fn expect_none(pe: &mut Pe, events: &[Event]) {
    // The first round makes room in what the fakes keep.
    for event in events {
        takes(pe, event);
    }
    let _ = (pe.machine.take_kicked(), pe.machine.take_raised());
    for event in events {
        assert_eq!(takes(pe, event), 0, "{event:x?}");
        assert_ne!(pe.low()[0], id::ERROR, "{event:x?}");
    }
}

#[test]
fn a_message_and_its_notifications_take_no_memory() {
    let mut pe = World::of(&Sources::talking(V1_2)).booted_pe(0);
    pe.map(1);
    pe.write(&Header::new(0, ECHO, 8), b"12345678");
    pe.done(&[id::BITMAP_CREATE, 7, 1]);
    for (partition, receiver) in [(ECHO, RELAY), (RELAY, ECHO)] {
        pe.normal(&[id::RUN, pair(partition, 0)]);
        pe.map(1);
        pe.write(&Header::new(partition, receiver, 8), b"12345678");
        pe.done(&bind(0, partition, 0, 1));
        pe.hypercall(&[hypercall::ENABLE, 3, 1, 0]);
        pe.call(&[id::MSG_WAIT]);
    }
    expect_none(&mut pe, MESSAGES);
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
    expect_none(&mut pe, EVENTS);
    pe.normal(&[id::REQUEST, pair(0, ECHO)]);
    assert_eq!(takes(&mut pe, &Fault), 0);
    pe.expect_aborted();
}

//! No allocator after boot: a step of the message path takes no memory.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use scenarios::{ECHO, RELAY, World, id, pair};

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

#[test]
fn a_step_takes_no_memory() {
    let mut pe = World::booted();
    let calls: &[(bool, &[u64])] = &[
        (true, &[id::FEATURES, id::REQUEST]),
        (true, &[0x8400_0068, 0, 0, 0, 0, 1]),
        (true, &[0xC400_008B]),
        (true, &[id::REQUEST, pair(0, RELAY)]),
        (false, &[id::REQUEST, pair(RELAY, ECHO)]),
        (false, &[id::RESPONSE, pair(ECHO, RELAY)]),
        (false, &[id::RESPONSE, pair(RELAY, 0)]),
        (true, &[id::RUN, pair(ECHO, 0)]),
        (false, &[id::YIELD]),
        (true, &[id::RUN, pair(ECHO, 0)]),
        (false, &[id::MSG_WAIT]),
        (true, &[0x8400_0001]),
    ];
    for (in_normal, call) in calls {
        let before = TAKEN.with(Cell::get);
        if *in_normal {
            pe.normal(call)
        } else {
            pe.call(call)
        };
        let taken = TAKEN.with(Cell::get) - before;
        assert_eq!(taken, 0, "{call:x?}");
    }
}

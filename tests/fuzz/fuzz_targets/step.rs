//! Arbitrary calls, interrupts and faults on two PEs into the manager's step: it never panics.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use manager::calls::CALLS;
use scenarios::{Blobs, ECHO, ECHO_MEMORY, NORMAL_MEMORY, Pe, Place, RELAY, Sources, World, id};

static BLOBS: LazyLock<Blobs> = LazyLock::new(|| Sources::new().compile());

/// Values that get past the first checks.
const WORDS: &[u64] = &[
    0,
    1,
    ECHO,
    RELAY,
    ECHO << 16,
    RELAY << 16,
    ECHO << 16 | RELAY,
    RELAY << 16 | ECHO,
    ECHO << 16 | 1,
    0xFFFF_8000,
    0x8000_0000,
    0x8000_0008,
    0x1_0001,
    0x8400_0002,
    NORMAL_MEMORY,
    NORMAL_MEMORY + 0x1000,
    ECHO_MEMORY,
    ECHO_MEMORY + 0x2000,
    u64::MAX,
];

/// One event is a head (which PE, what happens), then for a call the function and as many arguments as there are.
fn happen(pe: &mut Pe, head: u8, rest: &[u8; 8]) {
    let in_normal = pe.place() == Place::Normal;
    match head >> 1 & 0xF {
        0 if !in_normal => {
            let _ = pe.fault();
        }
        1 if !in_normal => {
            let _ = pe.interrupt();
        }
        2 => {
            pe.machine.pending.push_back(u32::from(rest[0]));
            let _ = if in_normal { pe.normal(&[id::INTERRUPT]) } else { pe.interrupt() };
        }
        kind => {
            let function = if kind == 3 {
                u64::from_le_bytes(*rest)
            } else {
                CALLS[usize::from(rest[0]) % CALLS.len()].function as u64
            };
            let mut x = [0; 18];
            x[0] = function;
            for (register, byte) in x[1..].iter_mut().zip(&rest[1..]) {
                *register = WORDS.get(usize::from(*byte)).copied().unwrap_or(u64::from(*byte) << (byte & 31));
            }
            let _ = if in_normal { pe.normal(&x) } else { pe.call(&x) };
        }
    }
}

fuzz_target!(|input: &[u8]| {
    let world = World::loaded_with(&BLOBS);
    let mut pes = [world.booted_pe(0), world.booted_pe(1)];
    for [head, rest @ ..] in input.as_chunks::<9>().0 {
        happen(&mut pes[usize::from(head & 1)], *head, rest);
    }
});

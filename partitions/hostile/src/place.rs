//! Addresses that the attempts are about, on the machine that this partition finds itself on.

use machines::Machine;
use partition::image;

/// The machine.
pub fn here() -> &'static Machine {
    Machine::holding(image::load_address()).expect("the load address is that of a machine")
}

/// Memory of echo.
pub fn echos() -> u64 {
    here().partition(0)
}

/// A place in this partition's memory.
pub fn own_memory(place: u64) -> u64 {
    here().partition(0x8_0000) + place
}

/// The page of the Normal world's memory that it can only read.
pub fn constant() -> u64 {
    here().shared() + 0x1000
}

/// Memory of others: the SPMC's, echo's, a device's (the GIC), the Normal world's, nobody's.
pub fn foreign() -> [u64; 5] {
    let here = here();
    [here.spmc, echos(), here.distributor, here.normal, here.nobodys()]
}

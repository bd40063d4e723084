//! The machine that this image finds itself on.

use machines::Machine;

use crate::image;

/// The machine.
pub fn here() -> &'static Machine {
    Machine::holding(image::load_address()).expect("the load address is that of a machine")
}

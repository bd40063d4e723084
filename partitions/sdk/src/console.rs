//! Lines on the SPMC's console, by FFA_CONSOLE_LOG.

use core::fmt::{self, Write};
use core::sync::atomic::{AtomicUsize, Ordering};

use crate::ffa;

/// What one 64-bit FFA_CONSOLE_LOG takes from FF-A 1.2 on, and before.
const CAPACITY: usize = 128;
const CAPACITY_1_1: usize = 48;

/// What it takes by the version of this partition.
static ROOM: AtomicUsize = AtomicUsize::new(CAPACITY_1_1);

/// The partition speaks this version from now on.
pub(crate) fn speak(version: u32) {
    let room = if version >= ffa::VERSION { CAPACITY } else { CAPACITY_1_1 };
    ROOM.store(room, Ordering::Relaxed);
}

/// A line in the making; longer ones go out in pieces.
struct Line {
    text: [u8; CAPACITY],
    length: usize,
}

impl Line {
    fn send(&mut self) {
        // A console that refuses leaves nothing to complain on.
        let _ = ffa::console_log(&self.text[..self.length]);
        self.length = 0;
    }
}

impl Write for Line {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes() {
            self.text[self.length] = byte;
            self.length += 1;
            if self.length == ROOM.load(Ordering::Relaxed) || byte == b'\n' {
                self.send();
            }
        }
        Ok(())
    }
}

/// What [`println!`](crate::println) calls.
pub fn line(text: fmt::Arguments<'_>) {
    // `Line` never fails, and a `Display` that does has its line cut.
    let _ = writeln!(Line { text: [0; CAPACITY], length: 0 }, "{text}");
}

/// Prints a line on the SPMC's console.
#[macro_export]
macro_rules! println {
    ($($text:tt)*) => { $crate::console::line(format_args!($($text)*)) };
}

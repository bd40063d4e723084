//! Lines on the SPMC's console, by FFA_CONSOLE_LOG.

use core::fmt::{self, Write};

use crate::ffa;

/// What one 64-bit FFA_CONSOLE_LOG takes.
const CAPACITY: usize = 128;

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
            if self.length == CAPACITY || byte == b'\n' {
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

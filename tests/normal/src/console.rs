//! Lines on the first UART, which TF-A has set up and which all worlds share.

use core::fmt::{self, Write};
use core::ptr::NonNull;

use arm_pl011_uart::{PL011Registers, Uart, UniqueMmioPointer};
use spin::mutex::SpinMutex;

use crate::machine;

static BUSY: SpinMutex<()> = SpinMutex::new(());

/// What [`println!`](crate::println) calls.
pub fn line(text: fmt::Arguments<'_>) {
    let _alone = BUSY.lock();
    let registers = NonNull::new(machine::here().uart as *mut PL011Registers).expect("not null");
    // SAFETY: a PL011 is there, mapped as device memory; the lock keeps other PEs off.
    let mut uart = Uart::new(unsafe { UniqueMmioPointer::new(registers) });
    // Writing to this UART cannot fail.
    let _ = write!(uart, "{text}\r\n");
}

/// Prints a line.
#[macro_export]
macro_rules! println {
    ($($text:tt)*) => { $crate::console::line(format_args!($($text)*)) };
}

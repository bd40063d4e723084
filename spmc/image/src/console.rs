//! The console: a PL011 behind a lock, for the log of the SPMC and for the lines of partitions.
#![expect(unsafe_code, reason = "makes the drivers of the UARTs at addresses that platform/ states")]

use core::fmt::{self, Write};
use core::ptr::NonNull;

use arm_pl011_uart::{DataBits, LineConfig, PL011Registers, Parity, StopBits, Uart, UniqueMmioPointer};
use log::{Level, LevelFilter, Log, Metadata, Record};
use spin::Mutex;

use crate::layout;
use crate::platform::Platform;

static UART: Mutex<Option<Uart<'static>>> = Mutex::new(None);
static LOGGER: Logger = Logger;

struct Logger;

impl Log for Logger {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        let letter = match record.level() {
            Level::Error => 'E',
            Level::Warn => 'W',
            Level::Info => 'I',
            Level::Debug => 'D',
            Level::Trace => 'T',
        };
        line(format_args!("[{letter}] hafnia: {}", record.args()));
    }

    fn flush(&self) {}
}

/// The driver of the PL011 at physical address `base`.
fn driver(base: u64) -> Uart<'static> {
    let registers = core::ptr::with_exposed_provenance_mut::<PL011Registers>(layout::virtual_address(base));
    let registers = NonNull::new(registers).expect("an address of the upper half");
    // SAFETY: the boot tables and the final ones map the page as device memory; the only other driver of it is the
    // one that the crash path makes when no other PE will go on.
    Uart::new(unsafe { UniqueMmioPointer::new(registers) })
}

/// Sets up the SPMC's own UART and the log.
pub fn start(platform: &Platform) {
    let mut uart = driver(platform.own_uart);
    let config = LineConfig { data_bits: DataBits::Bits8, parity: Parity::None, stop_bits: StopBits::One };
    let enabled = uart.enable(config, 115_200, platform.uart_clock);
    *UART.lock() = Some(uart);
    log::set_logger(&LOGGER).expect("the console is started once");
    log::set_max_level(LevelFilter::Info);
    if let Err(error) = enabled {
        log::warn!("UART at {:#x}: {error}", platform.own_uart);
    }
}

/// Gives the own UART up to a partition and goes on on the shared one, as EL3 has set it up.
pub fn share(platform: &Platform) {
    log::info!("the console moves to the UART at {:#x}", platform.shared_uart);
    *UART.lock() = Some(driver(platform.shared_uart));
}

/// Takes the UART whoever holds it: for the crash path, when nobody else will go on.
pub fn seize(platform: &Platform) -> Uart<'static> {
    UART.try_lock().and_then(|mut uart| uart.take()).unwrap_or_else(|| driver(platform.own_uart))
}

/// Writes one whole line.
pub fn line(text: fmt::Arguments<'_>) {
    if let Some(uart) = UART.lock().as_mut() {
        // A PL011 takes every byte.
        let _ = write!(uart, "{text}\r\n");
    }
}

/// Bytes of a partition: what is not printable ASCII becomes a dot.
pub struct Printable<'a>(pub &'a [u8]);

impl fmt::Display for Printable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for &byte in self.0 {
            let shown = if byte == b' ' || byte.is_ascii_graphic() { char::from(byte) } else { '.' };
            f.write_char(shown)?;
        }
        Ok(())
    }
}

//! The crash path (R5): says what happened and where, keeps a record, ends the machine.
#![expect(unsafe_code, reason = "reads the record that vectors.S filled and walks this PE's frame pointers")]

use core::arch::asm;
use core::fmt::{self, Write};
use core::panic::PanicInfo;
use core::sync::atomic::{AtomicPtr, AtomicU32, Ordering};

use crate::{console, layout, platform, reset, sysregs};

/// The registers of a PE when it crashed, in the order of vectors.S.
#[repr(C)]
pub struct CrashRecord {
    x: [u64; 31],
    sp: u64,
    elr: u64,
    spsr: u64,
    esr: u64,
    far: u64,
}

impl CrashRecord {
    /// A record of nothing.
    #[must_use]
    pub const fn new() -> Self {
        Self { x: [0; 31], sp: 0, elr: 0, spsr: 0, esr: 0, far: 0 }
    }
}

/// The record of the PE that boots; the others have theirs in their areas.
pub static mut BOOT_RECORD: CrashRecord = CrashRecord::new();

unsafe extern "C" {
    /// Resets, after the PE that crashed first had time for its report; see vectors.S.
    fn crashed_too(record: *const CrashRecord) -> !;
}

/// Whether a PE is on the crash path, and the record of the first that came there.
#[repr(C)]
pub struct Crashing {
    taken: AtomicU32,
    record: AtomicPtr<CrashRecord>,
}

/// For all PEs.
pub static CRASHING: Crashing =
    Crashing { taken: AtomicU32::new(0), record: AtomicPtr::new(core::ptr::null_mut()) };

const _: () = assert!(core::mem::offset_of!(CrashRecord, sp) == 248);
const _: () = assert!(core::mem::offset_of!(CrashRecord, far) == 280);
const _: () = assert!(core::mem::offset_of!(Crashing, record) == 8);

/// A frame of compiled code: where x29 points.
#[repr(C)]
struct StackFrame {
    caller: u64,
    link: u64,
}

/// The 20 bytes behind the 16-byte header of the build id's note, in hexadecimal.
pub struct BuildId;

impl fmt::Display for BuildId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        layout::build_id_note().iter().skip(16).try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Writes an address of the image as an offset from its load address, others as they are.
fn place(out: &mut dyn Write, address: u64) -> fmt::Result {
    let base = layout::virtual_address(layout::load_address()) as u64;
    match address.checked_sub(base) {
        Some(offset) if offset < layout::image_end_address() - layout::load_address() => {
            write!(out, "+{offset:#x}")
        }
        _ => write!(out, "{address:#x}"),
    }
}

/// The return addresses from the frame at `frame` on.
fn backtrace(out: &mut dyn Write, mut frame: u64) -> fmt::Result {
    write!(out, "backtrace:")?;
    let stacks = layout::virtual_address(layout::load_address()) as u64;
    for _ in 0..32 {
        // All stacks lie behind the image, in the SPMC's own memory.
        if !frame.is_multiple_of(16) || !(stacks..stacks + layout::OWN_LIMIT - 16).contains(&frame) {
            break;
        }
        // SAFETY: an aligned address in the SPMC's own memory; a guard page ends in the second crash, which resets.
        let entry = unsafe { &*core::ptr::with_exposed_provenance::<StackFrame>(frame as usize) };
        if entry.link == 0 {
            break;
        }
        write!(out, " ")?;
        place(out, entry.link.wrapping_sub(4))?;
        // Callers' frames lie higher.
        if entry.caller <= frame {
            break;
        }
        frame = entry.caller;
    }
    write!(out, "\r\n")
}

/// Writes the report: `what`, the registers if an exception left some, and the backtrace.
fn report(what: fmt::Arguments<'_>, record: Option<&CrashRecord>, frame: u64) {
    let Some(platform) = platform::loaded_at(layout::load_address()) else { return };
    let mut uart = console::seize(platform);
    // A PL011 takes every byte.
    let _ = write_report(&mut uart, what, record, frame);
    while uart.is_busy() {}
}

fn write_report(
    out: &mut dyn Write,
    what: fmt::Arguments<'_>,
    record: Option<&CrashRecord>,
    frame: u64,
) -> fmt::Result {
    write!(out, "\r\n[E] hafnia: crash on PE {:#x}: {what}\r\n", sysregs::mpidr() & 0xff_00ff_ffff)?;
    write!(out, "build {BuildId}, loaded at {:#x}\r\n", layout::load_address())?;
    if let Some(record) = record {
        write!(out, "ESR {:#x} SPSR {:#x} FAR ", record.esr, record.spsr)?;
        place(out, record.far)?;
        write!(out, " ELR ")?;
        place(out, record.elr)?;
        write!(out, " SP ")?;
        place(out, record.sp)?;
        for (number, value) in record.x.iter().enumerate() {
            write!(out, "{}x{number:<2} {value:016x}", if number % 4 == 0 { "\r\n" } else { "  " })?;
        }
        write!(out, "\r\n")?;
    }
    backtrace(out, frame)
}

/// From vectors.S, on the crash stack: an exception in the SPMC itself.
pub extern "C" fn crashed(record: *const CrashRecord) -> ! {
    // SAFETY: vectors.S passes this PE's record, which nothing writes any more.
    let record = unsafe { &*record };
    report(format_args!("exception at EL2"), Some(record), record.x[29]);
    reset::reset()
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    let frame: u64;
    let this: *mut CrashRecord;
    // SAFETY: reads the frame pointer, and the pointer to this PE's record.
    unsafe {
        asm!("mov {}, x29", "mrs {}, tpidr_el2", out(reg) frame, out(reg) this, options(nomem, nostack))
    };
    if CRASHING.taken.swap(1, Ordering::AcqRel) != 0 {
        // SAFETY: comes back to nobody, so that it may take a stack.
        unsafe { crashed_too(this) };
    }
    CRASHING.record.store(this, Ordering::Release);
    report(format_args!("{info}"), None, frame);
    reset::reset()
}

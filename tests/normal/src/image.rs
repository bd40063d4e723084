//! From the first instruction to Rust: stacks, stage 1, vectors, and what exceptions do.

use core::arch::global_asm;
use core::cell::UnsafeCell;

use crate::level::{EL1, level, own};
use crate::{gic, pe};

/// Where the image is linked (image.ld).
const LINKED: u64 = 0x6000_0000;
/// log2 of the bytes of a stack.
const STACK_SHIFT: usize = 15;

#[repr(C, align(16))]
struct Stacks(UnsafeCell<[[u8; 1 << STACK_SHIFT]; pe::MAX]>);

// SAFETY: only the entry takes its address, and gives each PE a slot of its own.
unsafe impl Sync for Stacks {}

static STACKS: Stacks = Stacks(UnsafeCell::new([[0; 1 << STACK_SHIFT]; pe::MAX]));

/// A translation table. Every address maps to itself.
#[repr(C, align(4096))]
struct Table(UnsafeCell<[u64; 512]>);

// SAFETY: the entry writes the table of level 0 before translation is on; nobody writes the others.
unsafe impl Sync for Table {}

/// Level 0: the entry has it lead to one of the next three for the first 512 GB, and to `HIGH` from 1 TB on.
// Not with what the entry zeroes, when translation is on.
#[unsafe(link_section = ".data")]
static ROOT: Table = Table(UnsafeCell::new([0; 512]));
/// Level 1 for machines with their devices in the first gigabyte, and the image in the second.
static LOW: Table = blocks(0, 1);
/// Level 1 for machines with their devices in the first two, and the image in the third.
static LOW_ABOVE_DEVICES: Table = blocks(0, 2);
/// Level 1 for the devices of machines with their memory from 1 TB on.
static DEVICES: Table = blocks(0, 512);
/// Level 1 for that memory.
static HIGH: Table = blocks(1024, 0);

/// Blocks of 1 GB from one on, of which the first ones are device memory and the others Normal memory.
const fn blocks(from: u64, devices: usize) -> Table {
    /// AP[1]: RES1 at EL2; at EL1 it would let EL0 write, and nothing that EL0 can write is executed.
    const AP1: u64 = if EL1 { 0 } else { 1 << 6 };
    /// Block descriptor: valid, inner shareable, access flag.
    const BLOCK: u64 = 1 | AP1 | (3 << 8) | (1 << 10);
    /// AttrIndx 1, never executable.
    const DEVICE: u64 = (1 << 2) | (1 << 53) | (1 << 54);
    let mut blocks = [0; 512];
    let mut index = 0;
    while index < 512 {
        let attributes = if index < devices { BLOCK | DEVICE } else { BLOCK };
        blocks[index] = ((from + index as u64) << 30) | attributes;
        index += 1;
    }
    Table(UnsafeCell::new(blocks))
}

/// HCR_EL2: physical interrupts and SErrors come to this level, EL1 is AArch64, no traps of PAuth, SCXTNUM and MTE.
const HCR: u64 = TO_EL2 | (1 << 31) | (1 << 40) | (1 << 41) | (1 << 53) | (1 << 56);
/// FMO, IMO, AMO.
const TO_EL2: u64 = if EL1 { 0 } else { (1 << 3) | (1 << 4) | (1 << 5) };
/// CPTR_EL2: its RES1 bits; TFP, TZ and TSM clear.
const CPTR: u64 = 0x22ff;
/// CPACR_EL1: FP, SVE and SME without traps.
const CPACR: u64 = 0x0333_0000;
/// MAIR: attribute 0 is Normal write-back, 1 is Device-nGnRnE.
const MAIR: u64 = 0xff;
/// TCR: 48 bits (T0SZ 16), write-back inner-shareable walks, 4 KB granule; the RES1 bits of TCR_EL2, or no upper half
/// (EPD1).
const TCR: u64 = 16 | (1 << 8) | (1 << 10) | (3 << 12) | (1 << 23) | if EL1 { 0 } else { 1 << 31 };
/// The output size's place in it: IPS, or PS.
const TCR_SIZE: u32 = if EL1 { 32 } else { 16 };
/// SCTLR: M, C, SA, I and the level's RES1 bits.
const SCTLR: u64 = if EL1 { 0x30d0_180d } else { 0x30c5_183d };
/// SCTLR_EL1 without translation: its RES1 bits.
const SCTLR_OFF: u64 = 0x30d0_0800;
/// SPSR_EL2 for EL1h with everything masked.
const SPSR: u64 = 0x3c5;

global_asm!(
    include_str!("../../../partitions/sdk/src/frame.S"),
    concat!(".equ LEVEL, ", level!()),
    include_str!("start.S"),
    primary = sym crate::primary,
    secondary = sym pe::secondary,
    exception = sym exception,
    stacks = sym STACKS,
    stack_shift = const STACK_SHIFT,
    linked = const LINKED,
    root = sym ROOT,
    low = sym LOW,
    low_above_devices = sym LOW_ABOVE_DEVICES,
    devices = sym DEVICES,
    high = sym HIGH,
    hcr = const HCR,
    cptr = const CPTR,
    mair = const MAIR,
    cpacr = const CPACR,
    tcr = const TCR,
    tcr_size = const TCR_SIZE,
    sctlr = const SCTLR,
    sctlr_off = const SCTLR_OFF,
    spsr = const SPSR,
);

unsafe extern "C" {
    fn _start();
    fn secondary_entry();
    fn probe_read(address: u64) -> Probed;
    fn probe_load();
}

/// The address of the image's first byte.
pub fn load_address() -> u64 {
    _start as *const () as u64
}

/// Where PSCI CPU_ON is to enter a PE.
pub fn secondary_address() -> u64 {
    secondary_entry as *const () as u64
}

/// What `probe_read` leaves in x0 and x1.
#[repr(C)]
struct Probed {
    value: u64,
    syndrome: u64,
}

/// Reads the 8 bytes at `address`, or gives ESR of the fault.
pub fn probe(address: u64) -> Result<u64, u64> {
    // SAFETY: the vectors know this load and turn its fault into a syndrome.
    let Probed { value, syndrome } = unsafe { probe_read(address) };
    if syndrome == 0 { Ok(value) } else { Err(syndrome) }
}

/// What the vectors save, and restore from.
#[repr(C)]
struct Interrupted {
    /// x0 to x18, and x30.
    x: [u64; 20],
    elr: u64,
    spsr: u64,
}

/// Where the vectors lead; `kind` is the number of the vector.
extern "C" fn exception(kind: u64, interrupted: &mut Interrupted) {
    /// Synchronous, and IRQ, from the current exception level with its own stack pointer.
    const SYNCHRONOUS: u64 = 4;
    const IRQ: u64 = 5;
    let (syndrome, address): (u64, u64);
    // SAFETY: reads two registers and changes nothing.
    unsafe {
        core::arch::asm!(concat!("mrs {}, ", own!("esr")), concat!("mrs {}, ", own!("far")), out(reg) syndrome,
            out(reg) address, options(nomem, nostack));
    }
    match kind {
        SYNCHRONOUS if interrupted.elr == probe_load as *const () as u64 => {
            interrupted.x[1] = syndrome;
            interrupted.elr += 4;
        }
        IRQ => gic::interrupted(),
        _ => panic!(
            "exception {kind} on PE {}: ESR {syndrome:#x}, FAR {address:#x}, ELR {:#x}",
            pe::index(),
            interrupted.elr
        ),
    }
}

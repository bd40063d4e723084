//! From the first instruction to the service: stacks, stage 1, vectors, registration, and the end of a broken vCPU.
//!
//! Stage 1 is turned on with tables that map every address to itself as Normal write-back memory, in the first 512 GB and
//! from 1 TB on: atomics and caches work as Rust code expects, and stage 2 decides what is really there, devices
//! included (the stricter attribute of the two stages holds; Arm ARM, D8.6). The tables are constant but for where they
//! lie, and no relocation runs with the MMU off. The same addresses from [`NORMAL`](crate::memory::NORMAL) on are the
//! Normal world's memory.
//!
//! An image for S-EL0, of which the build script says so to the linker, has neither: the SPMC maps its memory, and the
//! image says what it writes.

use core::arch::global_asm;
use core::cell::UnsafeCell;
use core::panic::PanicInfo;
use core::sync::atomic::{AtomicU16, Ordering};

use arm_ffa::{FfaError, FuncId};

use crate::boot::BootInformation;
use crate::service::{self, Service, Vcpu};
use crate::{console, ffa, memory, println};

/// The most vCPUs that an image has stacks for.
pub const MAX_VCPUS: usize = 8;
/// log2 of the bytes of a stack.
const STACK_SHIFT: usize = 13;

#[repr(C, align(16))]
struct Stacks(UnsafeCell<[[u8; 1 << STACK_SHIFT]; MAX_VCPUS]>);

// SAFETY: only the entry takes its address, and gives each vCPU a slot of its own.
unsafe impl Sync for Stacks {}

static STACKS: Stacks = Stacks(UnsafeCell::new([[0; 1 << STACK_SHIFT]; MAX_VCPUS]));

/// A translation table.
#[repr(C, align(4096))]
struct Table(UnsafeCell<[u64; 512]>);

// SAFETY: the entry of the primary vCPU writes the table of level 0 before translation is on; nobody writes the others.
unsafe impl Sync for Table {}

/// Level 0: the entry has it lead to the next four. Their places are those of [`NORMAL`](crate::memory::NORMAL).
// Not with what the entry zeroes, when translation is on.
#[unsafe(link_section = ".data")]
static ROOT: Table = Table(UnsafeCell::new([0; 512]));
/// Level 1: secure memory and devices in the first 512 GB.
static SECURE: Table = blocks(0, false);
/// Level 1: what is there from 1 TB on as secure memory, which stage 2 does not have.
static SECURE_HIGH: Table = blocks(1024, false);
/// Level 1: the Normal world's memory in the first 512 GB.
static NORMAL_LOW: Table = blocks(0, true);
/// Level 1: the Normal world's memory from 1 TB on.
static NORMAL_HIGH: Table = blocks(1024, true);

/// Blocks of 1 GB from one on.
const fn blocks(from: u64, normal: bool) -> Table {
    /// Block descriptor: valid, AttrIndx 0, read-write at EL1 only, inner shareable, access flag.
    const BLOCK: u64 = 1 | (3 << 8) | (1 << 10);
    /// NS: what it leads to is a non-secure address.
    const NON_SECURE: u64 = 1 << 5;
    let world = if normal { NON_SECURE } else { 0 };
    let mut blocks = [0; 512];
    let mut index = 0;
    while index < 512 {
        blocks[index] = ((from + index as u64) << 30) | BLOCK | world;
        index += 1;
    }
    Table(UnsafeCell::new(blocks))
}

/// log2 of what an entry of level 0 covers.
const LEVEL_0_SHIFT: u32 = 39;
/// MAIR_EL1: attribute 0 is Normal, write-back, read and write allocate.
const MAIR: u64 = 0xff;
/// TCR_EL1: 48 bits (T0SZ 16), write-back inner-shareable walks, 4 KB granule, nothing above (EPD1).
const TCR: u64 = 16 | (1 << 8) | (1 << 10) | (3 << 12) | (1 << 23);
/// SCTLR_EL1: M, C, SA, I and the bits that are RES1 without later extensions.
const SCTLR: u64 = 0x30d0_180d;

global_asm!(
    include_str!("frame.S"),
    include_str!("start.S"),
    max_vcpus = const MAX_VCPUS,
    stack_shift = const STACK_SHIFT,
    stacks = sym STACKS,
    interrupt = sym interrupt,
    root = sym ROOT,
    secure = sym SECURE,
    secure_high = sym SECURE_HIGH,
    secure_high_at = const (1_u64 << 40) >> LEVEL_0_SHIFT << 3,
    normal_low = sym NORMAL_LOW,
    normal_high = sym NORMAL_HIGH,
    normal_at = const memory::NORMAL >> LEVEL_0_SHIFT << 3,
    normal_high_at = const (memory::NORMAL + (1 << 40)) >> LEVEL_0_SHIFT << 3,
    mair = const MAIR,
    tcr = const TCR,
    sctlr = const SCTLR,
    mem_perm_set = const FuncId::MemPermSet64 as u32,
    success = const FuncId::Success32 as u32,
    error = const FuncId::Error32 as u32,
    aborted = const FfaError::Aborted as i32,
    read_only = const ffa::READ_ONLY,
    read_write = const ffa::READ_WRITE,
);

unsafe extern "C" {
    fn _start();
    fn partition_secondary_entry();
}

unsafe extern "Rust" {
    /// What [`entry!`](crate::entry!) makes for the service's interrupts.
    safe fn partition_interrupt(vcpu: &Vcpu);
}

/// The address of the image's first byte.
pub fn load_address() -> u64 {
    _start as *const () as u64
}

/// This partition's endpoint id, once it is known.
static ENDPOINT: AtomicU16 = AtomicU16::new(0);

/// Where the vectors lead interrupts, on the stack of the vCPU that they came to. No register of a partition tells
/// which one that is: tests write over them all.
extern "C" fn interrupt(stack: usize) {
    let index = (stack - STACKS.0.get() as usize) >> STACK_SHIFT;
    partition_interrupt(&Vcpu { endpoint: ENDPOINT.load(Ordering::Relaxed), index: index as u16 });
}

/// The vCPU of this number, of the partition that this is.
fn vcpu(index: u16) -> Vcpu {
    let endpoint = ffa::id_get().expect("every endpoint has an id");
    ENDPOINT.store(endpoint, Ordering::Relaxed);
    Vcpu { endpoint, index }
}

/// Makes a type that implements [`Service`] the partition: `partition::entry!(Echo);`
#[macro_export]
macro_rules! entry {
    ($service:ty) => {
        #[unsafe(no_mangle)]
        extern "C" fn partition_primary(boot_information: u64) -> ! {
            $crate::image::primary::<$service>(boot_information)
        }

        #[unsafe(no_mangle)]
        extern "C" fn partition_secondary(vcpu: u64) -> ! {
            $crate::image::secondary::<$service>(vcpu)
        }

        #[unsafe(no_mangle)]
        extern "Rust" fn partition_interrupt(vcpu: &$crate::service::Vcpu) {
            $crate::service::take_interrupts::<$service>(vcpu)
        }
    };
}

/// Where [`entry!`](crate::entry!) leads the primary vCPU.
pub fn primary<S: Service>(boot_information: u64) -> ! {
    // SAFETY: the SPMC passes 0 or the address of the boot information it wrote into this partition's memory.
    let boot = unsafe { BootInformation::at(boot_information) };
    let wanted = boot.as_ref().and_then(BootInformation::version).unwrap_or(ffa::VERSION).min(ffa::VERSION);
    ffa::version(wanted).expect("the SPMC speaks the version of the manifest");
    console::speak(wanted);
    let vcpu = vcpu(0);
    // NOT_SUPPORTED is the answer to a partition with a single execution context (FF-A 1.2, 18.2.1), and to one that
    // speaks FF-A 1.0, whose contexts all enter at the image's first byte.
    match ffa::secondary_ep_register(partition_secondary_entry as *const () as u64) {
        Ok(()) | Err(FfaError::NotSupported) => {}
        Err(error) => panic!("the secondary entry is refused: {error:?}"),
    }
    let service = S::new(&vcpu, boot.as_ref());
    let name = boot.as_ref().and_then(BootInformation::description).unwrap_or(S::NAME);
    let (major, minor) = (wanted >> 16, wanted & 0xffff);
    println!("ready: {name} {:#06x}, FF-A {major}.{minor}, vCPU 0", vcpu.endpoint);
    service::serve(&vcpu, service)
}

/// Where [`entry!`](crate::entry!) leads every other vCPU.
pub fn secondary<S: Service>(index: u64) -> ! {
    // The entry has refused indices beyond the stacks.
    let vcpu = vcpu(index as u16);
    let service = S::new(&vcpu, None);
    service::serve(&vcpu, service)
}

/// Ends this vCPU: initialisation fails (FF-A 1.2, 5.5.1); later, the vCPU gives its cycles away for ever.
fn park() -> ! {
    ffa::error(FfaError::Aborted);
    loop {
        ffa::yield_cycles(0);
    }
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    println!("{info}");
    park()
}

/// Where the vectors lead: `kind` is the number of the vector.
#[unsafe(no_mangle)]
extern "C" fn partition_exception(kind: u64) -> ! {
    let (syndrome, address, pc): (u64, u64, u64);
    // SAFETY: reads three registers and changes nothing.
    unsafe {
        core::arch::asm!(
            "mrs {}, esr_el1", "mrs {}, far_el1", "mrs {}, elr_el1",
            out(reg) syndrome, out(reg) address, out(reg) pc, options(nomem, nostack),
        );
    }
    println!("exception {kind}: ESR {syndrome:#x}, FAR {address:#x}, ELR {pc:#x}");
    park()
}

//! What a partition at S-EL0 says of its pages while it initialises (FFA_MEM_PERM_GET and SET).

use core::arch::asm;
use core::cell::UnsafeCell;

use arm_ffa::FfaError;
use machines::Machine;
use partition::ffa::{EXECUTE, READ_ONLY, READ_WRITE, mem_perm_get, mem_perm_set};
use partition::image;

use crate::BUFFERS;

const PAGE: u64 = 4096;
/// Pages to try with.
const PAGES: usize = 4;
/// `mov x0, #42; ret`.
const CODE: [u32; 2] = [0xd280_0540, 0xd65f_03c0];
const CODE_GIVES: u64 = 42;

/// What is not the partition's: the SPMC's memory, another partition's, a device's (the GIC).
fn foreign(here: &Machine) -> [u64; 3] {
    [here.spmc, here.partition(0x10_0000), here.distributor]
}

#[repr(C, align(4096))]
struct Pages(UnsafeCell<[[u64; PAGE as usize / 8]; PAGES]>);

// SAFETY: there is one vCPU, and it takes the address here only.
unsafe impl Sync for Pages {}

static AREA: Pages = Pages(UnsafeCell::new([[0; PAGE as usize / 8]; PAGES]));

/// What came of the attempts.
#[derive(Default)]
pub struct Verdict {
    /// How many there were.
    pub attempts: u64,
    /// How many went wrong.
    pub wrong: u64,
    /// The first of them, from 1 on.
    pub first: u64,
}

impl Verdict {
    fn judge(&mut self, is_right: bool) {
        self.attempts += 1;
        if !is_right {
            self.wrong += 1;
            if self.first == 0 {
                self.first = self.attempts;
            }
        }
    }
}

/// Tries it all.
pub fn all() -> Verdict {
    let mut verdict = Verdict::default();
    let area = AREA.0.get() as u64;
    let here = Machine::holding(image::load_address()).expect("the load address is that of a machine");
    changes(&mut verdict, area);
    refusals(&mut verdict, here, area);
    given(&mut verdict, here);
    verdict
}

/// 1 to 12: what it may say of pages of its image.
fn changes(verdict: &mut Verdict, area: u64) {
    verdict.judge(mem_perm_get(area, 3) == Ok((READ_WRITE, 3)));
    verdict.judge(mem_perm_set(area, 1, READ_ONLY) == Ok(()));
    verdict.judge(mem_perm_get(area, 3) == Ok((READ_ONLY, 0)));
    verdict.judge(load(area) == 0);
    verdict.judge(mem_perm_set(area, 1, READ_WRITE) == Ok(()));
    store(area, u64::from(CODE[0]) | u64::from(CODE[1]) << 32);
    verdict.judge(load(area) >> 32 == u64::from(CODE[1]));
    verdict.judge(mem_perm_set(area, 2, EXECUTE) == Ok(()));
    verdict.judge(mem_perm_get(area, 3) == Ok((EXECUTE, 1)));
    verdict.judge(execute(area) == CODE_GIVES);
    verdict.judge(mem_perm_set(area, 2, READ_WRITE) == Ok(()));
    verdict.judge(mem_perm_get(area, 2) == Ok((READ_WRITE, 2)));
    store(area + PAGE, 7);
    verdict.judge(load(area + PAGE) == 7);
}

/// 13 and more: what is refused, and changes nothing.
fn refusals(verdict: &mut Verdict, here: &Machine, area: u64) {
    let invalid = Err(FfaError::InvalidParameters);
    // Nothing is writable and executable; there is no other permission, and no memory without one.
    for permissions in [0, 1, 2, 4, 6, 8, READ_ONLY | 8, 0xffff_ffff] {
        verdict.judge(mem_perm_set(area, 1, permissions) == invalid);
    }
    verdict.judge(mem_perm_set(area + 8, 1, READ_ONLY) == invalid);
    verdict.judge(mem_perm_set(area, 0, READ_ONLY) == invalid);
    verdict.judge(mem_perm_set(area, 0xffff_ffff, READ_ONLY) == invalid);
    verdict.judge(mem_perm_set(0xffff_ffff_ffff_f000, 1, READ_ONLY) == invalid);
    verdict.judge(mem_perm_get(area + 8, 0) == Err(FfaError::InvalidParameters));
    for foreign in foreign(here) {
        verdict.judge(mem_perm_set(foreign, 1, READ_ONLY) == invalid);
        verdict.judge(mem_perm_get(foreign, 0) == Err(FfaError::InvalidParameters));
    }
    // Pages that are not alike.
    verdict.judge(mem_perm_set(area + PAGE, 1, READ_ONLY) == Ok(()));
    verdict.judge(mem_perm_set(area, 2, READ_ONLY) == invalid);
    verdict.judge(mem_perm_set(area + PAGE, 1, READ_WRITE) == Ok(()));
    // Pages of a buffer are the SPMC's too.
    verdict.judge(mem_perm_set(BUFFERS.addresses()[0], 1, READ_ONLY) == Err(FfaError::Denied));
    verdict.judge(mem_perm_get(area, 3) == Ok((READ_WRITE, 3)));
}

/// What its manifest gives it, with the permissions that stand there: a region in the image's memory that may be read
/// and written; one of the Normal world's memory that may be read; and a device's.
fn given(verdict: &mut Verdict, here: &Machine) {
    let (scratch, normal, device) = (here.partition(0xf_8000), here.given(), here.clock);
    verdict.judge(mem_perm_get(scratch, 3) == Ok((READ_WRITE, 3)));
    store(scratch + PAGE, 9);
    verdict.judge(load(scratch + PAGE) == 9);
    verdict.judge(mem_perm_get(normal, 0) == Ok((READ_ONLY, 0)));
    verdict.judge(mem_perm_set(normal, 1, READ_WRITE) == Err(FfaError::Denied));
    verdict.judge(mem_perm_set(normal, 1, EXECUTE) == Err(FfaError::Denied));
    load(normal);
    verdict.judge(mem_perm_get(device, 0) == Ok((READ_ONLY, 0)));
    verdict.judge(mem_perm_set(device, 1, EXECUTE) == Err(FfaError::InvalidParameters));
    // A clock that shows the seconds since 1970.
    verdict.judge(load(device) as u32 != 0);
}

fn load(address: u64) -> u64 {
    let value;
    // SAFETY: a load changes nothing; stage 1 judges the address. No compiled code reads these places.
    unsafe {
        // By words: what a device has is 32 bits wide.
        asm!(
            "ldr {low:w}, [{at}]", "ldr {high:w}, [{at}, #4]", "orr {low}, {low}, {high}, lsl #32",
            at = in(reg) address, low = out(reg) value, high = out(reg) _, options(nostack),
        );
    }
    value
}

fn store(address: u64, value: u64) {
    // SAFETY: no compiled code uses these places.
    unsafe { asm!("str {}, [{}]", in(reg) value, in(reg) address, options(nostack)) };
}

/// What the function gives that was written at this address.
fn execute(address: u64) -> u64 {
    let result;
    // SAFETY: the function changes x0 alone.
    unsafe {
        asm!(
            "dc cvau, {0}", "dsb ish", "ic ivau, {0}", "dsb ish", "isb", "blr {0}",
            in(reg) address, lateout("x0") result, lateout("x30") _, options(nostack),
        );
    }
    result
}

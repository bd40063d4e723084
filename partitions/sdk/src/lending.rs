//! The commands by which our partitions lend and borrow memory.

use arm_ffa::FfaError;

use crate::buffers::Buffers;
use crate::demo::results;
use crate::memory::{self, Kind};
use crate::service::Words;

/// "RETR": retrieves the memory of handle word 1 from the sender in bits 15:0 of word 2, with the permissions in bits
/// 23:16; bit 24: it does not name other receivers. Gives the first address, the pages, the ranges, and attributes
/// with permissions above.
const RETRIEVE: u64 = 0x5245_5452;
/// "GIVE": gives the memory of handle word 1 back, with the flags of word 2.
const GIVE: u64 = 0x4749_5645;
/// "BORR": both of these in one, of what the sender in word 2 has sent.
const BORROW: u64 = 0x424f_5252;
/// "LEND": sends memory: word 1 bits 15:0 to whom, bits 17:16 how (0 share, 1 lend, 2 donate); word 2 the address, word
/// 3 the pages. Gives the handle.
const LEND: u64 = 0x4c45_4e44;
/// "HAVE": has the memory of handle word 1 back, with the flags of word 2.
const HAVE: u64 = 0x4841_5645;
/// "CLIN": reads the 8 bytes at address word 2, gives the memory of handle word 1 back, and reads them again.
const CLING: u64 = 0x434c_494e;
/// "KEEP": as LEND, and reads the 8 bytes at the address before and afterwards.
const KEEP: u64 = 0x4b45_4550;
/// "CYCL": lends one page of its own at word 2 to the partition of word 1 and has it back, word 3 times.
const CYCLE: u64 = 0x4359_434c;
/// "POKE": writes word 2 to the 8 bytes at address word 1.
const POKE: u64 = 0x504f_4b45;
/// "WALK": reads the first 8 bytes of each of word 2 pages from address word 1 on, word 3 times; gives all of them,
/// added up.
const WALK: u64 = 0x5741_4c4b;

/// Answers a request, of a partition with these buffers and this id, if it is one of these commands.
pub fn answer<const N: usize>(
    buffers: &Buffers<N>,
    own: u16,
    words: &Words,
) -> Option<Result<Words, FfaError>> {
    let [command, first, second, third, ..] = *words;
    Some(match command {
        RETRIEVE => retrieve(buffers, own, first, second),
        GIVE => memory::relinquish(buffers, own, first, second as u32).map(|()| results([])),
        BORROW => borrow(buffers, own, first, second as u16),
        LEND => lend(buffers, own, first, (second, third)),
        HAVE => memory::reclaim(first, second as u32).map(|()| results([])),
        CLING => cling(buffers, own, first, second),
        KEEP => keep(buffers, own, first, (second, third)),
        CYCLE => cycle(buffers, (own, first as u16), second, third),
        POKE => {
            poke(first, second);
            Ok(results([]))
        }
        WALK => Ok(results([walk(first, second, third)])),
        _ => return None,
    })
}

const fn kind(number: u64) -> Kind {
    match number & 3 {
        0 => Kind::Share,
        1 => Kind::Lend,
        _ => Kind::Donate,
    }
}

fn retrieve<const N: usize>(
    buffers: &Buffers<N>,
    own: u16,
    handle: u64,
    how: u64,
) -> Result<Words, FfaError> {
    let permissions = ((how >> 16) as u8, how & 1 << 24 != 0);
    let got = memory::retrieve(buffers, (own, how as u16), handle, permissions)?;
    let rights = u64::from(got.attributes) | u64::from(got.permissions) << 16;
    Ok(results([got.first, got.pages, got.ranges << 32 | rights]))
}

fn borrow<const N: usize>(
    buffers: &Buffers<N>,
    own: u16,
    handle: u64,
    sender: u16,
) -> Result<Words, FfaError> {
    let got = memory::retrieve(buffers, (own, sender), handle, (memory::WRITE, false))?;
    memory::relinquish(buffers, own, handle, 0)?;
    Ok(results([got.first, got.pages]))
}

fn lend<const N: usize>(
    buffers: &Buffers<N>,
    own: u16,
    how: u64,
    pages: (u64, u64),
) -> Result<Words, FfaError> {
    let handle = memory::send(buffers, kind(how >> 16), (own, how as u16), pages)?;
    Ok(results([handle]))
}

/// In one visit to this partition, so that what its PE has kept of the translation is still there.
fn cling<const N: usize>(
    buffers: &Buffers<N>,
    own: u16,
    handle: u64,
    address: u64,
) -> Result<Words, FfaError> {
    let before = walk(address, 1, 1);
    memory::relinquish(buffers, own, handle, 0)?;
    Ok(results([before, walk(address, 1, 1)]))
}

/// As [`cling`].
fn keep<const N: usize>(
    buffers: &Buffers<N>,
    own: u16,
    how: u64,
    pages: (u64, u64),
) -> Result<Words, FfaError> {
    walk(pages.0, 1, 1);
    let lent = lend(buffers, own, how, pages);
    walk(pages.0, 1, 1);
    lent
}

fn cycle<const N: usize>(
    buffers: &Buffers<N>,
    parties: (u16, u16),
    address: u64,
    rounds: u64,
) -> Result<Words, FfaError> {
    for _ in 0..rounds {
        let handle = memory::send(buffers, Kind::Lend, parties, (address, 1))?;
        memory::reclaim(handle, 0)?;
    }
    Ok(results([rounds]))
}

fn poke(address: u64, value: u64) {
    // SAFETY: the caller answers for what is there; stage 2 judges the address.
    unsafe { (address as *mut u64).write_volatile(value) };
}

fn walk(address: u64, pages: u64, rounds: u64) -> u64 {
    let each = (0..rounds).flat_map(|_| (0..pages).map(|page| address + page * 4096));
    // SAFETY: a load changes nothing; stage 2 judges the address.
    each.fold(0, |sum, page| sum.wrapping_add(unsafe { (page as *const u64).read_volatile() }))
}

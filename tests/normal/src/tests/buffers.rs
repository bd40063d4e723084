//! RX and TX buffers, and what comes through the RX buffer (FF-A 1.2, chapters 7 and 13).

use core::cell::UnsafeCell;

use arm_ffa::{FfaError, FuncId};

use crate::demo::{ECHO, PARTITIONS, RELAY};
use crate::ffa::{self, Registers, expect_error, expect_success};
use crate::outcome::{Outcome, expect};

/// Bytes of a page, and of a buffer.
pub const PAGE: usize = 4096;

#[repr(C, align(4096))]
struct Buffer<const PAGES: usize>(UnsafeCell<[[u8; PAGE]; PAGES]>);

// SAFETY: only the first PE reads it, after the SPMC wrote it.
unsafe impl<const PAGES: usize> Sync for Buffer<PAGES> {}

static TX: Buffer<1> = Buffer(UnsafeCell::new([[0; PAGE]; 1]));
static RX: Buffer<1> = Buffer(UnsafeCell::new([[0; PAGE]; 1]));
static POOL: Buffer<2> = Buffer(UnsafeCell::new([[0; PAGE]; 2]));

/// The address of two pages for the buffers of a VM.
pub fn pool() -> u64 {
    POOL.0.get() as u64
}

/// Sets a word of the TX buffer.
pub fn write_tx(index: usize, word: u64) {
    assert!(index < PAGE / 8);
    // SAFETY: aligned and inside the buffer, which only the first PE writes; volatile, as another world reads it.
    unsafe { TX.0.get().cast::<u64>().add(index).write_volatile(word) };
}

fn tx() -> u64 {
    TX.0.get() as u64
}

fn rx() -> u64 {
    RX.0.get() as u64
}

fn map(tx: u64, rx: u64, pages: u64) -> Registers {
    ffa::call(FuncId::RxTxMap64, [tx, rx, pages])
}

fn unmap() -> Registers {
    ffa::call(FuncId::RxTxUnmap, [])
}

/// Does `test` with both buffers mapped, and unmaps them.
pub fn mapped(test: fn() -> Outcome) -> Outcome {
    expect_success("FFA_RXTX_MAP", &map(tx(), rx(), 1))?;
    let end = test();
    end.and(expect_success("FFA_RXTX_UNMAP", &unmap()))
}

fn info_get(uuid: [u64; 2], flags: u64) -> Registers {
    let half = |word: u64| [word & 0xffff_ffff, word >> 32];
    let ([a, b], [c, d]) = (half(uuid[0]), half(uuid[1]));
    ffa::call(FuncId::PartitionInfoGet, [a, b, c, d, flags])
}

fn release() -> Registers {
    ffa::call(FuncId::RxRelease, [])
}

/// The 8 bytes of the RX buffer at `offset`.
pub fn received(offset: usize) -> u64 {
    assert!(offset.is_multiple_of(8) && offset < PAGE);
    // SAFETY: aligned and inside the buffer; volatile, as another world wrote it.
    unsafe { RX.0.get().cast::<u64>().add(offset / 8).read_volatile() }
}

pub fn rxtx_unmap_without_map_is_invalid() -> Outcome {
    expect_error("FFA_RXTX_UNMAP", &unmap(), FfaError::InvalidParameters)
}

pub fn info_get_needs_an_rx_buffer() -> Outcome {
    let answer = info_get([0, 0], 0);
    expect_error("FFA_PARTITION_INFO_GET", &answer, FfaError::InvalidParameters)
}

pub fn rxtx_map_refuses_bad_buffers() -> Outcome {
    for (what, tx, rx, pages) in [
        ("unaligned TX", tx() + 8, rx(), 1),
        ("unaligned RX", tx(), rx() + 0x800, 1),
        ("no pages", tx(), rx(), 0),
        ("too many pages", tx(), rx(), 0x3f),
        ("the same page twice", tx(), tx(), 1),
    ] {
        expect_error(what, &map(tx, rx, pages), FfaError::InvalidParameters)?;
    }
    expect_error("nothing is mapped", &unmap(), FfaError::InvalidParameters)
}

pub fn rxtx_map_of_secure_memory_is_refused() -> Outcome {
    expect_error("TX in a partition", &map(ECHO.memory(), rx(), 1), FfaError::Denied)?;
    expect_error("RX in a partition", &map(tx(), RELAY.memory(), 1), FfaError::Denied)?;
    expect_error("nothing is mapped", &unmap(), FfaError::InvalidParameters)
}

pub fn rxtx_map_twice_is_denied() -> Outcome {
    mapped(|| expect_error("again", &map(tx(), rx(), 1), FfaError::Denied))?;
    mapped(|| Ok(()))
}

pub fn partitions_are_listed_by_info_get() -> Outcome {
    /// Bytes of a descriptor since FF-A 1.1: id, contexts, properties, UUID.
    const SIZE: usize = 24;
    mapped(|| {
        let answer = info_get([0, 0], 0);
        expect_success("FFA_PARTITION_INFO_GET", &answer)?;
        expect("count", answer[2], PARTITIONS.len() as u64)?;
        expect("size of a descriptor", answer[3], SIZE as u64)?;
        for (place, partition) in PARTITIONS.iter().enumerate() {
            let offset = place * SIZE;
            let first = partition.id | (partition.contexts() << 16) | (partition.properties << 32);
            expect("id, contexts and properties", received(offset), first)?;
            expect("first half of the UUID", received(offset + 8), partition.uuid[0])?;
            expect("second half of the UUID", received(offset + 16), partition.uuid[1])?;
        }
        expect_success("FFA_RX_RELEASE", &release())?;
        for partition in PARTITIONS {
            let answer = info_get(partition.uuid, 0);
            expect_success("by UUID", &answer)?;
            expect("count by UUID", answer[2], 1)?;
            expect("id by UUID", received(0) & 0xffff, partition.id)?;
            expect_success("FFA_RX_RELEASE", &release())?;
        }
        expect_error("a UUID of nobody", &info_get([1, 2], 0), FfaError::InvalidParameters)
    })
}

pub fn info_get_counts_only() -> Outcome {
    const COUNT_ONLY: u64 = 1;
    let all = info_get([0, 0], COUNT_ONLY);
    expect_success("all", &all)?;
    expect("count", all[2], PARTITIONS.len() as u64)?;
    let one = info_get(ECHO.uuid, COUNT_ONLY);
    expect_success("one UUID", &one)?;
    expect("count of one UUID", one[2], 1)?;
    expect_error("a reserved flag", &info_get([0, 0], COUNT_ONLY | 2), FfaError::InvalidParameters)
}

pub fn rx_buffer_is_busy_until_released() -> Outcome {
    mapped(|| {
        expect_success("the first", &info_get([0, 0], 0))?;
        expect_error("the second", &info_get([0, 0], 0), FfaError::Busy)?;
        expect_success("FFA_RX_RELEASE", &release())?;
        expect_success("the third", &info_get([0, 0], 0))?;
        expect_success("FFA_RX_RELEASE", &release())
    })
}

pub fn rx_release_of_an_empty_buffer_is_denied() -> Outcome {
    mapped(|| expect_error("FFA_RX_RELEASE", &release(), FfaError::Denied))
}

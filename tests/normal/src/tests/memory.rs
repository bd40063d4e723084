//! Memory that is sent to partitions and comes back (FF-A, DEN0140).

use core::sync::atomic::{AtomicUsize, Ordering};

use arm_ffa::{FfaError, FuncId};

use crate::demo::{self, BORROWER, LENDER, command};
use crate::ffa::{expect_error, expect_function, expect_success};
use crate::mail::{self, PAGE};
use crate::memory::{Offer, READ, Refusal, WRITE, expect_refused, reclaim, show, shown};
use crate::outcome::{Failure, Outcome, expect, fail};
use crate::{machine, pe};

/// Partitions have memory of the Normal world at its own address above this one.
pub const NORMAL: u64 = 1 << 47;
/// As much memory as a stage-2 block of level 2 maps.
const BLOCK: u64 = 2 << 20;
/// Bit 6 of attributes: it is the Normal world's memory.
const NON_SECURE: u64 = 0x6f;

/// Memory that nothing else uses: half a gigabyte and more.
pub fn free() -> u64 {
    machine::here().free()
}

/// Where 8 bytes of memory of the Normal world are.
fn place(address: u64) -> *mut u64 {
    address as *mut u64
}

/// Writes 8 bytes of memory that nothing else uses.
pub fn write(address: u64, value: u64) {
    // SAFETY: it is ordinary memory from `free` on, in which no object lies; partitions may write it meanwhile.
    unsafe { place(address).write_volatile(value) };
}

/// Reads them.
pub fn read(address: u64) -> u64 {
    // SAFETY: as in `write`.
    unsafe { place(address).read_volatile() }
}

/// A page for this PE.
fn page() -> u64 {
    free() + pe::index() as u64 * PAGE as u64
}

/// Does `test` with buffers of 16 pages.
pub fn mapped(test: impl FnOnce() -> Outcome) -> Outcome {
    expect_success("FFA_RXTX_MAP", &mail::map(mail::PAGES))?;
    let end = test();
    end.and(expect_success("FFA_RXTX_UNMAP", &mail::unmap()))
}

/// The handle of what was sent, which must have been taken.
pub fn sent(sent: Result<u64, Refusal>) -> Result<u64, Failure> {
    sent.or_else(|refusal| {
        let answer = refusal.registers();
        expect_function("memory is sent", &answer, FuncId::Success32)?;
        fail("memory is sent", answer[0], 0).map(|()| 0)
    })
}

/// Has the partition retrieve what the Normal world has sent: the first address, the pages, the rest.
pub fn retrieve(
    by: &demo::Partition,
    handle: u64,
    sender: u64,
    permissions: u64,
) -> Result<[u64; 3], Failure> {
    let [first, pages, rest, _] =
        demo::told("it retrieves", by, &[command::RETRIEVE, handle, sender | permissions << 16])?;
    Ok([first, pages, rest])
}

pub fn give(by: &demo::Partition, handle: u64, flags: u64) -> Outcome {
    demo::told("it gives back", by, &[command::GIVE, handle, flags]).map(drop)
}

pub fn peek(by: &demo::Partition, address: u64) -> Result<u64, Failure> {
    demo::told("it reads", by, &[command::PEEK, address]).map(|[value, ..]| value)
}

pub fn poke(by: &demo::Partition, address: u64, value: u64) -> Outcome {
    demo::told("it writes", by, &[command::POKE, address, value]).map(drop)
}

/// Has a partition send pages of its own; `kind` 0 share, 1 lend, 2 donate.
pub fn lend(by: &demo::Partition, to: u64, kind: u64, address: u64, pages: u64) -> Result<u64, Failure> {
    demo::told("it sends", by, &[command::LEND, to | kind << 16, address, pages]).map(|[handle, ..]| handle)
}

/// What an answer begins with where the partition's call was refused.
pub fn status(error: FfaError) -> u64 {
    u64::from(i32::from(error) as u32)
}

/// Has it have them back.
pub fn have(by: &demo::Partition, handle: u64) -> Outcome {
    demo::told("it has them back", by, &[command::HAVE, handle, 0]).map(drop)
}

/// What it is sent a partition reads and writes, at addresses that begin at `view`.
pub fn reads_and_writes(by: &demo::Partition, view: u64) -> Outcome {
    mapped(|| {
        let page = page();
        for offer in [Offer::share(&[(by.id, WRITE)]), Offer::lend(&[(by.id, WRITE)])] {
            write(page + 8, 0x1234);
            let handle = sent(offer.send([(page, 1)].into_iter()))?;
            let [first, pages, rest] = retrieve(by, handle, 0, WRITE)?;
            expect("where it is", first, page)?;
            expect("pages and ranges", rest >> 32 << 32 | pages, 1 << 32 | 1)?;
            expect("attributes", rest & 0xffff, NON_SECURE)?;
            // Data read and write, instructions never.
            expect("permissions", rest >> 16 & 0xff, WRITE | 1 << 2)?;
            expect("what it reads", peek(by, view + page + 8)?, 0x1234)?;
            poke(by, view + page + 8, 0x5678)?;
            give(by, handle, 0)?;
            expect_success("FFA_MEM_RECLAIM", &reclaim(handle, 0))?;
            expect("what it wrote", read(page + 8), 0x5678)?;
        }
        Ok(())
    })
}

pub fn a_borrower_reads_and_writes_what_it_was_sent() -> Outcome {
    reads_and_writes(&BORROWER, NORMAL)
}

pub fn memory_that_a_borrower_has_is_not_had_back() -> Outcome {
    mapped(|| {
        let page = page();
        let handle = sent(Offer::lend(&[(BORROWER.id, READ)]).send([(page, 1)].into_iter()))?;
        let refused = demo::ask_to_the_end(
            demo::Form::Direct64,
            BORROWER.id,
            &[command::RETRIEVE, handle, WRITE << 16],
        );
        expect("more than it was granted", refused[3], status(FfaError::Denied))?;
        retrieve(&BORROWER, handle, 0, READ)?;
        expect_error("while it has it", &reclaim(handle, 0), FfaError::Denied)?;
        give(&BORROWER, handle, 0)?;
        expect_success("afterwards", &reclaim(handle, 0))?;
        expect_error("again", &reclaim(handle, 0), FfaError::InvalidParameters)
    })
}

/// Pages of `lender` that it does not use itself.
pub fn lenders() -> u64 {
    LENDER.memory() + 0x6_0000
}

pub fn a_partition_lends_to_a_partition_and_has_it_back() -> Outcome {
    for kind in [0, 1] {
        poke(&LENDER, lenders() + 16, 0xabc + kind)?;
        let handle = lend(&LENDER, BORROWER.id, kind, lenders(), 3)?;
        let [first, pages, rest] = retrieve(&BORROWER, handle, LENDER.id, WRITE)?;
        expect("where it is", first, lenders())?;
        expect("pages", pages, 3)?;
        expect("attributes of secure memory", rest & 0xffff, 0x2f)?;
        expect("what it reads", peek(&BORROWER, lenders() + 16)?, 0xabc + kind)?;
        poke(&BORROWER, lenders() + 0x2008, 0xdef)?;
        give(&BORROWER, handle, 0)?;
        have(&LENDER, handle)?;
        expect("what it wrote", peek(&LENDER, lenders() + 0x2008)?, 0xdef)?;
    }
    Ok(())
}

pub fn what_is_donated_is_the_receivers_to_send() -> Outcome {
    poke(&LENDER, lenders(), 0x77)?;
    let mut parties = [&LENDER, &BORROWER];
    for _ in 0..4 {
        let [from, to] = parties;
        let handle = lend(from, to.id, 2, lenders(), 1)?;
        retrieve(to, handle, from.id, WRITE)?;
        expect("what it reads", peek(to, lenders())?, 0x77)?;
        parties.swap(0, 1);
    }
    Ok(())
}

pub fn memory_is_sent_to_several_at_once() -> Outcome {
    const VM: u64 = 9;
    /// It does not name the others.
    const BYPASS: u64 = 1 << 24;
    mapped(|| {
        let page = page();
        write(page, 0x42);
        let receivers = [(BORROWER.id, WRITE), (LENDER.id, READ), (VM, READ)];
        let handle = sent(Offer::share(&receivers).send([(page, 1)].into_iter()))?;
        for (by, permissions) in [(&BORROWER, WRITE), (&LENDER, READ)] {
            let how = permissions << 16 | BYPASS;
            demo::told("it retrieves", by, &[command::RETRIEVE, handle, how])?;
            expect("what it reads", peek(by, NORMAL + page)?, 0x42)?;
        }
        give(&BORROWER, handle, 0)?;
        expect_error("one has it", &reclaim(handle, 0), FfaError::Denied)?;
        expect("and reads it", peek(&LENDER, NORMAL + page)?, 0x42)?;
        give(&LENDER, handle, 0)?;
        expect_success("FFA_MEM_RECLAIM", &reclaim(handle, 0))
    })
}

pub fn much_memory_is_zeroed_before_its_borrower_has_it() -> Outcome {
    const MUCH: u64 = 300;
    mapped(|| {
        let pages = (0..MUCH).map(|page| free() + page * PAGE as u64);
        let fill = || pages.clone().for_each(|page| write(page, page));
        fill();
        let offer = Offer { flags: 1, ..Offer::lend(&[(BORROWER.id, WRITE)]) };
        let handle = sent(offer.send([(free(), MUCH)].into_iter()))?;
        retrieve(&BORROWER, handle, 0, WRITE)?;
        let walk = [command::WALK, NORMAL + free(), MUCH, 1];
        expect("what it finds", demo::told("it reads", &BORROWER, &walk)?[0], 0)?;
        poke(&BORROWER, NORMAL + free() + (MUCH - 1) * PAGE as u64, 1)?;
        give(&BORROWER, handle, 1)?;
        expect_success("FFA_MEM_RECLAIM", &reclaim(handle, 0))?;
        expect("what it left", pages.clone().map(read).fold(0, u64::wrapping_add), 0)
    })
}

pub fn memory_of_partitions_is_not_the_normal_worlds_to_send() -> Outcome {
    let here = machine::here();
    mapped(|| {
        for address in [BORROWER.memory(), lenders(), here.spmc, here.uart, 0x1000, mail::addresses()[0]] {
            let offer = Offer::lend(&[(BORROWER.id, READ)]);
            expect_refused(
                "not its own",
                offer.send([(free(), 1), (address, 1)].into_iter()),
                FfaError::Denied,
            )?;
        }
        // What was named before is free again.
        let handle = sent(Offer::lend(&[(BORROWER.id, READ)]).send([(free(), 1)].into_iter()))?;
        expect_success("FFA_MEM_RECLAIM", &reclaim(handle, 0))
    })
}

pub fn a_hypervisor_sends_for_a_vm_and_is_shown_what() -> Outcome {
    const VM: u64 = 7;
    mapped(|| {
        let offer = Offer { sender: VM, ..Offer::lend(&[(BORROWER.id, WRITE)]) };
        let handle = sent(offer.send([(free(), 2), (free() + BLOCK, 1)].into_iter()))?;
        let answer = show(handle);
        expect_function("FFA_MEM_RETRIEVE_RESP", &answer, FuncId::MemRetrieveResp)?;
        expect("bytes", answer[1], 48 + 32 + 16 + 32)?;
        expect("the sender", shown(0) & 0xffff, VM)?;
        expect("the receiver", shown(48) & 0xffff, BORROWER.id)?;
        expect("pages and ranges", shown(80), 2 << 32 | 3)?;
        expect("the second range", shown(112), free() + BLOCK)?;
        expect_success("FFA_RX_RELEASE", &crate::ffa::call(FuncId::RxRelease, []))?;
        retrieve(&BORROWER, handle, VM, WRITE)?;
        give(&BORROWER, handle, 0)?;
        expect_success("FFA_MEM_RECLAIM", &reclaim(handle, 0))
    })
}

/// Lends ranges, and has `borrower` touch the first and the last page.
fn lent(ranges: impl ExactSizeIterator<Item = (u64, u64)> + Clone) -> Outcome {
    let handle = sent(Offer::lend(&[(BORROWER.id, WRITE)]).send(ranges.clone()))?;
    let [first, pages, rest] = retrieve(&BORROWER, handle, 0, WRITE)?;
    let last = ranges.clone().last().map_or(0, |(address, pages)| address + (pages - 1) * PAGE as u64);
    expect("where it begins", first, ranges.clone().next().map_or(0, |(address, _)| address))?;
    expect("how many pages", pages, ranges.clone().map(|(_, pages)| pages).sum())?;
    expect("in how many ranges", rest >> 32, ranges.len() as u64)?;
    for address in [first, last] {
        poke(&BORROWER, NORMAL + address, address)?;
        expect("what it wrote", peek(&BORROWER, NORMAL + address)?, address)?;
    }
    give(&BORROWER, handle, 0)?;
    expect_success("FFA_MEM_RECLAIM", &reclaim(handle, 0))?;
    expect("what the Normal world finds", read(last), last)
}

pub fn sixty_four_megabytes_in_single_pages_are_one_transaction() -> Outcome {
    mapped(|| lent((0..16384).map(|page: u32| (free() + u64::from(page) * 2 * PAGE as u64, 1))))
}

pub fn half_a_gigabyte_in_one_piece_is_one_transaction() -> Outcome {
    mapped(|| lent([(free() + PAGE as u64, (512 << 20) / PAGE as u64)].into_iter()))
}

pub fn what_tables_or_quota_do_not_hold_is_refused_as_a_whole() -> Outcome {
    mapped(|| {
        let offer = Offer::lend(&[(BORROWER.id, WRITE)]);
        // Each page needs a table of its own, and all of them more than there are.
        let apart = (0..500).map(|page: u32| (free() + u64::from(page) * BLOCK, 1));
        expect_refused("too many tables", offer.send(apart.clone()), FfaError::NoMemory)?;
        let long = (0..40_000).map(|page: u32| (free() + u64::from(page) * 2 * PAGE as u64, 1));
        expect_refused("too many ranges", offer.send(long), FfaError::NoMemory)?;
        // Nothing is left of either, and others' transactions go on.
        lent([(free(), 4096)].into_iter())
    })?;
    let handle = lend(&LENDER, BORROWER.id, 1, lenders(), 1)?;
    have(&LENDER, handle)
}

pub fn a_thousand_transactions_live_at_a_time() -> Outcome {
    const MANY: usize = 1000;
    static HANDLES: [core::sync::atomic::AtomicU64; MANY] =
        [const { core::sync::atomic::AtomicU64::new(0) }; MANY];
    mapped(|| {
        for (place, page) in HANDLES.iter().zip(0_u64..) {
            let range = (free() + page * PAGE as u64, 1);
            let handle = sent(Offer::lend(&[(BORROWER.id, WRITE)]).send([range].into_iter()))?;
            place.store(handle, Ordering::Relaxed);
        }
        for handle in &HANDLES {
            expect_success("FFA_MEM_RECLAIM", &reclaim(handle.load(Ordering::Relaxed), 0))?;
        }
        Ok(())
    })
}

/// PEs that use the buffers.
static USERS: AtomicUsize = AtomicUsize::new(0);

/// As [`mapped`], for PEs that come here at once.
fn mapped_together(test: impl FnOnce() -> Outcome) -> Outcome {
    static MAPPED: spin::mutex::SpinMutex<()> = spin::mutex::SpinMutex::new(());
    {
        let _mapping = MAPPED.lock();
        if USERS.fetch_add(1, Ordering::AcqRel) == 0 {
            expect_success("FFA_RXTX_MAP", &mail::map(mail::PAGES))?;
        }
    }
    let end = test();
    let _unmapping = MAPPED.lock();
    if USERS.fetch_sub(1, Ordering::AcqRel) == 1 {
        return end.and(expect_success("FFA_RXTX_UNMAP", &mail::unmap()));
    }
    end
}

pub fn all_pes_share_and_reclaim_at_once() -> Outcome {
    mapped_together(|| {
        let page = page();
        for round in 0..50 {
            write(page, round);
            let handle = sent(Offer::share(&[(BORROWER.id, WRITE)]).send([(page, 1)].into_iter()))?;
            retrieve(&BORROWER, handle, 0, WRITE)?;
            expect("what it reads", peek(&BORROWER, NORMAL + page)?, round)?;
            poke(&BORROWER, NORMAL + page, !round)?;
            give(&BORROWER, handle, 0)?;
            expect_success("FFA_MEM_RECLAIM", &reclaim(handle, 0))?;
            expect("what it wrote", read(page), !round)?;
        }
        Ok(())
    })
}

pub fn pages_beside_those_that_are_lent_meanwhile_can_be_touched() -> Outcome {
    // A block of the partition's memory, which is split and joined while another of its contexts reads the rest.
    let block = BORROWER.memory() + BLOCK;
    let words = match pe::index() as u64 {
        0 => [command::WALK, block, 256, 200],
        index => [command::CYCLE, LENDER.id, block + (300 + index) * PAGE as u64, 100],
    };
    demo::told("it works", &BORROWER, &words).map(drop)
}

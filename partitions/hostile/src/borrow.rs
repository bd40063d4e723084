//! Memory that is not this partition's to take, to be told of, or to give back.

use arm_ffa::{FfaError, FuncId};
use partition::ffa;
use partition::memory::{
    self, BYPASS, Descriptor, HEADER, Kind, NORMAL_MEMORY, READ, RECEIVER, WRITE, halves,
};

use crate::forged::{ECHO, NOBODY, NORMAL, SPMC, SPMD, VM};
use crate::series::{BUFFERS, DENIED, INVALID, Series, TO, spare};

/// What the Normal world has sent.
pub struct Sent {
    /// Pages that it shares with this partition, to be read; their list does not fit into a page.
    pub shared: u64,
    /// A page that it lends to this partition.
    pub lent: u64,
    /// A page that it lends to echo.
    pub elsewhere: u64,
}

/// Flag of a request: the memory is zeroed before; of [`relinquish`] too, but afterwards.
const ZERO: u32 = 1;
/// Flag of a request: the memory is zeroed when it is given back.
const ZERO_AFTER: u32 = 1 << 2;
/// Flags of a request, bits 4:3: it is of memory that is shared; lent; donated.
const SHARED: u32 = 1 << 3;
const LENT: u32 = 2 << 3;
const DONATED: u32 = 3 << 3;
/// Flags of a request: it says how the ranges are to be aligned, and to so many bits of a page number.
const ALIGNED: u32 = 1 << 9;
const MOST: u32 = 0xf << 5;

/// Bytes of a request of one receiver.
const LENGTH: u64 = HEADER + RECEIVER;

/// Makes them all: 0xb00 and more by handles, 0xc00 in requests, 0xd00 of what it has retrieved.
pub fn all(series: &mut Series, sent: &Sent) {
    let Sent { shared, lent, elsewhere } = *sent;
    series.chapter(0xb00);
    let kept = memory::send(&BUFFERS, Kind::Share, (series.own, TO), (spare(0), 1));
    let Some(kept) = series.done(kept) else { return };
    // No handle; another one's place, number and owner.
    let none = [0, u64::MAX, 1 << 63 | shared, shared + (1 << 32), shared + 0x8000, shared | 0xffff_0000];
    for handle in none.into_iter().chain([elsewhere, kept, kept + (1 << 32), kept + 0x1_0000]) {
        not_retrieved(series, handle);
        series.describe(FuncId::MemRetrieveReq32, &request(handle, &[(series.own, READ)]), &[], INVALID);
    }
    for handle in none.into_iter().chain([shared, lent, elsewhere]) {
        not_sent(series, handle);
    }
    [shared, lent].into_iter().for_each(|handle| not_retrieved(series, handle));
    series.done(memory::reclaim(kept, 0));
    not_sent(series, kept);
    series.chapter(0xc00);
    ask(series, shared);
    fields(series, shared);
    ask_of_lent(series, lent);
    series.chapter(0xd00);
    retrieve(series, shared, lent);
    give_back(series, shared);
    series.done(memory::retrieve(&BUFFERS, (series.own, NORMAL as u16), lent, (READ, false)));
    relinquish(series, [lent, u64::from(ZERO) | 1 << 32, series.own.into()], DENIED);
    series.done(memory::relinquish(&BUFFERS, series.own, lent, 0));
    not_retrieved(series, lent);
}

/// What a receiver asks for of the Normal world.
const fn request<'a>(handle: u64, receivers: &'a [(u16, u8)]) -> Descriptor<'a> {
    Descriptor { sender: NORMAL as u16, attributes: 0, flags: 0, handle, receivers, ranges: &[] }
}

/// FFA_MEM_RELINQUISH with these words in TX: the handle, flags and how many endpoints, the endpoints.
fn relinquish(series: &mut Series, words: [u64; 3], code: FfaError) {
    BUFFERS.claim().fill(0, &words);
    series.call(FuncId::MemRelinquish, [], code);
}

/// It has not retrieved this, or all of it is told.
pub fn not_retrieved(series: &mut Series, handle: u64) {
    let [low, high] = halves(handle);
    for offset in [0, LENGTH + 32, 4096] {
        series.call(FuncId::MemFragRx, [low, high, offset], INVALID);
    }
    series.call(FuncId::MemOpResume, [low, high], INVALID);
    relinquish(series, [handle, 1 << 32, series.own.into()], INVALID);
}

/// It has not sent this, or all of it has arrived.
pub fn not_sent(series: &mut Series, handle: u64) {
    let [low, high] = halves(handle);
    BUFFERS.claim().fill(0, &[spare(1), 1]);
    series.call(FuncId::MemFragTx, [low, high, 16], INVALID);
    series.call(FuncId::MemReclaim, [low, high], INVALID);
    series.call(FuncId::MemReclaim, [low, high, ZERO.into()], INVALID);
    series.call(FuncId::MemOpResume, [low, high], INVALID);
}

/// Requests in another one's name, for others, with more rights than are offered, of memory that is not like that.
fn ask(series: &mut Series, handle: u64) {
    let own = series.own;
    let readers = [(own, READ)];
    let sound = request(handle, &readers);
    let mut ask = |descriptor: Descriptor<'_>, code| {
        series.describe(FuncId::MemRetrieveReq32, &descriptor, &[], code);
    };
    for sender in [own.into(), ECHO, SPMC, SPMD, VM, NOBODY] {
        ask(Descriptor { sender: sender as u16, ..sound }, DENIED);
    }
    for other in [ECHO, NORMAL, SPMC, NOBODY] {
        let other = (other as u16, READ);
        ask(Descriptor { receivers: &[other], ..sound }, INVALID);
        ask(Descriptor { receivers: &[other, (own, READ)], ..sound }, INVALID);
        ask(Descriptor { receivers: &[(own, READ), other], ..sound }, INVALID);
    }
    ask(Descriptor { receivers: &[(own, READ), (own, READ)], ..sound }, INVALID);
    ask(Descriptor { receivers: &[], ..sound }, INVALID);
    for (permissions, code) in [
        (WRITE, DENIED),
        (READ | 8, DENIED),
        (WRITE | 8, DENIED),
        (3, INVALID),
        (READ | 0xc, INVALID),
        (READ | 0x10, INVALID),
        (READ | 0x80, INVALID),
    ] {
        ask(Descriptor { receivers: &[(own, permissions)], ..sound }, code);
    }
    // Device memory; neither write-back nor inner shareable; the Normal world's, which it is told and does not say.
    for (attributes, code) in [
        (0x10, DENIED),
        (0x27, DENIED),
        (0x2c, DENIED),
        (0x2e, DENIED),
        (0x40, INVALID),
        (NORMAL_MEMORY | 0x40, INVALID),
        (NORMAL_MEMORY | 0x8000, INVALID),
    ] {
        ask(Descriptor { attributes, ..sound }, code);
    }
    for flags in [ZERO, ZERO_AFTER, LENT, DONATED, BYPASS, SHARED | BYPASS, 1 << 5, MOST] {
        ask(Descriptor { flags, ..sound }, INVALID);
    }
    (11..32).for_each(|bit| ask(Descriptor { flags: 1 << bit, ..sound }, INVALID));
    ask(Descriptor { flags: ALIGNED | MOST, ..sound }, DENIED);
    // Where it is mapped is not for the receiver to say.
    ask(Descriptor { ranges: &[(spare(1), 1)], ..sound }, INVALID);
}

/// Requests whose fields do not fit each other or what was sent; those of a hypervisor; fragments.
fn fields(series: &mut Series, handle: u64) {
    let readers = [(series.own, READ)];
    let sound = request(handle, &readers);
    let access = u32::from(series.own) | u32::from(READ) << 16;
    let mut change = |changes: &[(u64, u32)]| {
        series.describe(FuncId::MemRetrieveReq32, &sound, changes, INVALID);
    };
    for (at, words) in [
        // The tag; bytes of each receiver, how many, where the first is; flags of it, and a list of ranges.
        (16, &[1, 1 << 31][..]),
        (20, &[1, 1 << 31]),
        (24, &[0, 8, 24, 31, 64, u32::MAX]),
        (28, &[0, 2, 512, u32::MAX]),
        (32, &[0, 32, 40, 56, 64, 4096, 0xffff_fff0, u32::MAX]),
        (HEADER, &[access | 2 << 24, access | 0x80 << 24]),
        (HEADER + 4, &[8, LENGTH as u32, 4096, u32::MAX]),
    ] {
        words.iter().for_each(|word| change(&[(at, *word)]));
    }
    // Reserved, and what sender and receiver would have had to agree on.
    for at in [36, 40, 44, HEADER + 8, HEADER + 12, HEADER + 16, HEADER + 20, HEADER + 24, HEADER + 28] {
        change(&[(at, 1)]);
    }
    let nobodys = Descriptor { receivers: &[], ..sound };
    series.describe(FuncId::MemRetrieveReq32, &nobodys, &[(24, 0), (32, 0)], INVALID);
    for (total, here) in [
        (LENGTH + 16, LENGTH),
        (LENGTH, LENGTH - 16),
        (LENGTH, LENGTH + 16),
        (LENGTH, 0),
        (0, 0),
        (LENGTH - 16, LENGTH - 16),
        (HEADER, HEADER),
        (8, 8),
        (4097, 4097),
    ] {
        let tx = BUFFERS.claim();
        sound.write(|at, word| tx.fill(at, &[word]));
        series.call(FuncId::MemRetrieveReq32, [total, here], INVALID);
    }
}

/// Requests of what is lent to it: its sender did not have it zeroed, and nothing of the Normal world's is executed.
fn ask_of_lent(series: &mut Series, handle: u64) {
    for (permissions, flags, code) in [
        (WRITE, ZERO, DENIED),
        (READ, ZERO_AFTER, DENIED),
        (WRITE | 8, 0, DENIED),
        (READ | 8, 0, DENIED),
        (WRITE, SHARED, INVALID),
        (WRITE, DONATED, INVALID),
        (WRITE, BYPASS, INVALID),
    ] {
        let receivers = [(series.own, permissions)];
        let asked = Descriptor { flags, ..request(handle, &receivers) };
        series.describe(FuncId::MemRetrieveReq32, &asked, &[], code);
    }
}

/// Retrieves what is shared, of which it is told in two fragments, and tries to be told otherwise; then to use it as if
/// it were its own.
fn retrieve(series: &mut Series, shared: u64, lent: u64) {
    let own = series.own;
    let [low, high] = halves(shared);
    let readers = [(own, READ)];
    let asked = request(shared, &readers);
    let Some((total, here)) = series.done(memory::ask(&BUFFERS, &asked)) else { return };
    let first = BUFFERS.answer(LENGTH as usize + 16);
    // What is there is not read yet.
    series.call(FuncId::MemFragRx, [low, high, here], FfaError::Busy);
    series.describe(FuncId::MemRetrieveReq32, &request(lent, &readers), &[], FfaError::Busy);
    series.done(ffa::rx_release());
    for offset in [0, here - 16, here + 1, here + 16, total, u32::MAX.into()] {
        series.call(FuncId::MemFragRx, [low, high, offset], INVALID);
    }
    for sender in [u64::from(own) << 16, ECHO << 16, NOBODY << 16, own.into(), 1] {
        series.call(FuncId::MemFragRx, [low, high, here, sender], INVALID);
    }
    relinquish(series, [shared, 1 << 32, own.into()], INVALID);
    series.describe(FuncId::MemRetrieveReq32, &asked, &[], DENIED);
    let rest = series.done(memory::more(shared, here));
    series.verdict.judge(0xd80, rest.unwrap_or(0) + here, total);
    series.done(ffa::rx_release());
    series.describe(FuncId::MemRetrieveReq32, &asked, &[], DENIED);
    series.call(FuncId::MemFragRx, [low, high, here], INVALID);
    series.call(FuncId::MemFragRx, [low, high, total], INVALID);
    not_sent(series, shared);
    for kind in Kind::ALL {
        series.send(kind, TO, &[(first, 1)], DENIED);
        series.send(kind, TO, &[(spare(1), 1), (first, 1)], DENIED);
    }
    series.call(FuncId::MemLend32, [LENGTH + 32, LENGTH + 32, first, 1], DENIED);
}

/// Gives back what it has retrieved in another one's name, for two, with flags that are not for it; and then as it may.
fn give_back(series: &mut Series, handle: u64) {
    const ONE: u64 = 1 << 32;
    let own = u64::from(series.own);
    for endpoint in [ECHO, NORMAL, SPMC, NOBODY] {
        relinquish(series, [handle, ONE, endpoint], INVALID);
        relinquish(series, [handle, 2 << 32, own | endpoint << 16], INVALID);
    }
    for count in [0, 2, u64::from(u32::MAX)] {
        relinquish(series, [handle, count << 32, own], INVALID);
    }
    for bit in (0..32).filter(|bit| *bit != 1) {
        relinquish(series, [handle, ONE | 1 << bit, own], INVALID);
    }
    for reserved in 0..7 {
        let mut arguments = [0; 7];
        arguments[reserved] = 1;
        BUFFERS.claim().fill(0, &[handle, ONE, own]);
        series.call(FuncId::MemRelinquish, arguments, INVALID);
    }
    series.done(memory::relinquish(&BUFFERS, series.own, handle, 0));
    not_retrieved(series, handle);
}

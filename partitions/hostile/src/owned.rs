//! What this partition has sent: further fragments that are not as they must be, and having it back as it may not be.

use arm_ffa::{FfaError, FuncId};
use partition::ffa;
use partition::memory::{self, HEADER, Kind, READ, RECEIVER, WRITE, halves};

use crate::borrow::{not_retrieved, not_sent};
use crate::forged::{ECHO, NOBODY};
use crate::place::echos;
use crate::series::{BUFFERS, DENIED, INVALID, SPARE, Series, TO, spare};

/// Bytes of a descriptor of two ranges, and of one of them.
const WHOLE: u64 = HEADER + RECEIVER + 16 + 2 * 16;
const HALF: u64 = WHOLE - 16;

/// Makes them all: 0xe00 and more.
pub fn all(series: &mut Series) {
    series.chapter(0xe00);
    whole(series);
    half(series);
    for answer in [FuncId::MemRetrieveResp, FuncId::MemOpPause] {
        series.call(answer, [WHOLE, WHOLE], FfaError::NotSupported);
    }
}

/// A page that is shared is in no other transaction, and had back without anything else.
fn whole(series: &mut Series) {
    let sent = memory::send(&BUFFERS, Kind::Share, (series.own, TO), (spare(0), 1));
    let Some(handle) = series.done(sent) else { return };
    let [low, high] = halves(handle);
    for kind in Kind::ALL {
        series.send(kind, TO, &[(spare(0), 1)], DENIED);
        series.send(kind, TO, &[(spare(1), 1), (spare(0), 1)], DENIED);
    }
    // Nor does a descriptor lie there.
    let (receivers, ranges) = ([(TO, WRITE)], [(spare(1), 1)]);
    let length = series.sound(Kind::Lend, &receivers, &ranges).write(|at, word| SPARE.set_word(at, word));
    series.call(FuncId::MemLend32, [length, length, spare(0), 1], DENIED);
    for bit in (0..32).filter(|bit| *bit != 1) {
        series.call(FuncId::MemReclaim, [low, high, 1 << bit], INVALID);
    }
    for reserved in 3..7 {
        let mut arguments = [low, high, 0, 0, 0, 0, 0];
        arguments[reserved] = 1;
        series.call(FuncId::MemReclaim, arguments, INVALID);
    }
    not_retrieved(series, handle);
    series.done(memory::reclaim(handle, 0));
    not_retrieved(series, handle);
    not_sent(series, handle);
}

/// Begins to lend two pages: the handle.
fn begin(series: &mut Series) -> Option<u64> {
    let (receivers, ranges) = ([(TO, READ)], [(spare(0), 1), (spare(2), 1)]);
    let tx = BUFFERS.claim();
    series.sound(Kind::Lend, &receivers, &ranges).write(|at, word| tx.fill(at, &[word]));
    let answer = series.done(ffa::request(FuncId::MemLend32, [WHOLE, HALF]))?;
    Some(answer[1] & 0xffff_ffff | answer[2] << 32)
}

/// The next fragment: a range.
fn go_on(handle: u64, (address, pages): (u64, u64)) -> [u64; 3] {
    let [low, high] = halves(handle);
    BUFFERS.claim().fill(0, &[address, pages]);
    [low, high, 16]
}

/// Half of a transaction.
fn half(series: &mut Series) {
    let (own, next) = (u64::from(series.own), (spare(2), 1));
    let Some(handle) = begin(series) else { return };
    let [low, high, all] = go_on(handle, next);
    for length in [0, all + 1, 2 * all, 4096, 4097, u32::MAX.into()] {
        series.call(FuncId::MemFragTx, [low, high, length], INVALID);
    }
    for sender in [own << 16, ECHO << 16, NOBODY << 16, own, 1] {
        series.call(FuncId::MemFragTx, [low, high, all, sender], INVALID);
    }
    for reserved in 4..7 {
        let mut arguments = [low, high, all, 0, 0, 0, 0];
        arguments[reserved] = 1;
        series.call(FuncId::MemFragTx, arguments, INVALID);
    }
    not_retrieved(series, handle);
    series.send(Kind::Lend, TO, &[(spare(0), 1)], DENIED);
    series.done(memory::reclaim(handle, 0));
    not_sent(series, handle);
    // A fragment that is refused ends the transaction.
    for (range, length, code) in [
        ((echos(), 1), all, DENIED),
        ((spare(0), 1), all, DENIED),
        ((spare(2), 2), all, INVALID),
        ((spare(2), 0), all, INVALID),
        ((spare(2) + 8, 1), all, INVALID),
        ((spare(2), 1 << 32 | 1), all, INVALID),
        (next, all - 8, INVALID),
    ] {
        let Some(handle) = begin(series) else { return };
        let [low, high, _] = go_on(handle, range);
        series.call(FuncId::MemFragTx, [low, high, length], code);
        not_sent(series, handle);
    }
    if let Some(handle) = begin(series) {
        series.done(ffa::request(FuncId::MemFragTx, go_on(handle, next)));
        series.done(memory::reclaim(handle, 0));
    }
}

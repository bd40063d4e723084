//! Descriptors of memory that this partition may send, which say what cannot be, or lie where they cannot.

use arm_ffa::{FfaError, FuncId};
use partition::memory::{COMPOSITE, HEADER, Kind, RANGE, RECEIVER, WRITE};

use crate::place::{foreign, here};
use crate::series::{BUFFERS, DENIED, INVALID, SPARE, Series, TO, spare};

/// The first address that there is not.
const LIMIT: u64 = 1 << 48;
/// The most receivers.
const MOST: u32 = 512;

/// Where the receiver, what is said of all ranges, and the range are, in the descriptor of one range for one receiver;
/// and where it ends.
const FIRST: u64 = HEADER;
const ALL: u64 = FIRST + RECEIVER;
const ONLY: u64 = ALL + COMPOSITE;
const END: u64 = ONLY + RANGE;

/// Makes them all: 0x800 and more about ranges, 0x900 about fields, 0xa00 about lengths and places.
pub fn all(series: &mut Series) {
    series.chapter(0x800);
    Kind::ALL.into_iter().for_each(|kind| ranges(series, kind));
    series.chapter(0x900);
    layout(series);
    series.chapter(0xa00);
    lengths(series);
    places(series);
}

/// Ranges of its own that are none, or come twice.
fn ranges(series: &mut Series, kind: Kind) {
    let (to, first) = (TO, spare(0));
    for none in [
        (first, 0),
        (first + 1, 1),
        (first + 8, 1),
        (first + 0x800, 1),
        (LIMIT, 1),
        (LIMIT - 0x1000, 2),
        (1 << 63 | first, 1),
        (u64::MAX << 12, 1),
        (u64::MAX << 12, 2),
        (u64::MAX, 1),
    ] {
        series.send(kind, to, &[none], INVALID);
        series.send(kind, to, &[(spare(2), 1), none], INVALID);
    }
    series.send(kind, to, &[(LIMIT - 0x1000, 1)], DENIED);
    // As many pages as 32 bits can say, and so many more that the sum is what was announced.
    series.send(kind, to, &[(first, u64::from(u32::MAX)), (spare(2), 2)], INVALID);
    for twice in [
        [(first, 1), (spare(2), 1), (first, 1)],
        [(first, 2), (spare(3), 1), (spare(1), 1)],
        [(spare(1), 1), (spare(3), 1), (first, 2)],
        [(spare(1), 2), (spare(3), 1), (first, 4)],
    ] {
        series.send(kind, to, &twice, DENIED);
        series.send(kind, to, &[twice[0], twice[2]], DENIED);
    }
}

/// Numbers, sizes and offsets that do not fit each other, and reserved fields.
fn layout(series: &mut Series) {
    let (receivers, ranges) = ([(TO, WRITE)], [(spare(0), 1)]);
    let sound = series.sound(Kind::Lend, &receivers, &ranges);
    let mut change = |at: u64, words: &[u32], code| {
        for word in words {
            series.describe(FuncId::MemLend32, &sound, &[(at, *word)], code);
        }
    };
    // Bytes of each receiver, how many there are, where the first is.
    change(24, &[0, 8, 15, 17, 24, 31, 33, 48, 64, u32::MAX], INVALID);
    change(28, &[0, 2, 3, MOST], INVALID);
    change(28, &[MOST + 1, 1 << 27, u32::MAX], FfaError::NoMemory);
    change(32, &[0, 16, 32, 40, 47, 49, 56, 64, 80, 112, 4096, 0xffff_ffd0, 0xffff_fff0, u32::MAX], INVALID);
    // Where what is said of all ranges is: in the header, among the receivers, unaligned, elsewhere, beyond the buffer.
    change(FIRST + 4, &[0, 8, 40, 48, 72, 79, 81, 82, 84, 88, 96, 104, 112, 4088, 4096], INVALID);
    change(FIRST + 4, &[1 << 16, 1 << 31, 0xffff_fff0, 0xffff_fff8, u32::MAX], INVALID);
    // Pages and ranges.
    change(ALL, &[0, 2, 1 << 31, u32::MAX], INVALID);
    change(ALL + 4, &[0, 2, 1 << 28, (1 << 28) + 1, u32::MAX], INVALID);
    change(ONLY + 8, &[0, 2, 1 << 31, u32::MAX], INVALID);
    for reserved in [36, 40, 44, FIRST + 24, FIRST + 28, ALL + 8, ALL + 12, ONLY + 12] {
        change(reserved, &[1, 1 << 31], INVALID);
    }
}

/// Bytes in all, and in the buffer, that are not those of the descriptor there.
fn lengths(series: &mut Series) {
    let (receivers, ranges) = ([(TO, WRITE)], [(spare(0), 1)]);
    let tx = BUFFERS.claim();
    series.sound(Kind::Lend, &receivers, &ranges).write(|at, word| tx.fill(at, &[word]));
    for (total, here) in [
        (0, 0),
        (END, 0),
        (0, END),
        (END - 1, END),
        (END, END + 1),
        (END, 4096),
        // More than all, and less.
        (END + 16, END),
        (END + 8, END + 8),
        (ONLY, ONLY),
        (ALL, ALL),
        (HEADER, HEADER),
        (1, 1),
        (u64::from(u32::MAX), END),
        // More than the buffer has.
        (4097, 4097),
        (8192, 8192),
        (u64::from(u32::MAX), u64::from(u32::MAX)),
        // Fragments that end before all is said but the ranges, or in a range.
        (END, 1),
        (END, HEADER - 8),
        (END, HEADER),
        (END, ALL - 8),
        (END, ALL),
        (END, ALL + 8),
        (END, ONLY + 8),
        (END, END - 1),
    ] {
        series.call(FuncId::MemLend32, [total, here], INVALID);
    }
    for reserved in 4..7 {
        let mut arguments = [END, END, 0, 0, 0, 0, 0];
        arguments[reserved] = 1;
        series.call(FuncId::MemLend32, arguments, INVALID);
    }
}

/// Descriptors in pages that are not its own, that there are not, or that the descriptor sends.
fn places(series: &mut Series) {
    let [tx, rx] = BUFFERS.addresses();
    let (receivers, ranges) = ([(TO, WRITE)], [(spare(0), 1)]);
    series.sound(Kind::Lend, &receivers, &ranges).write(|at, word| SPARE.set_word(at, word));
    for function in [FuncId::MemLend32, FuncId::MemLend64, FuncId::MemRetrieveReq32, FuncId::MemRetrieveReq64]
    {
        for memory in foreign().into_iter().chain([tx, rx, 0, here().clock]) {
            series.call(function, [END, END, memory, 1], DENIED);
        }
        series.call(function, [END, END, spare(0), u64::from(u32::MAX)], DENIED);
        series.call(function, [END, END, spare(0), 0], INVALID);
        series.call(function, [END, END, spare(0) + 8, 1], INVALID);
        series.call(function, [END, END - 16, spare(0), 1], INVALID);
        series.call(function, [4097, 4097, spare(0), 1], INVALID);
    }
    series.call(FuncId::MemLend64, [END, END, LIMIT, 1], INVALID);
    series.call(FuncId::MemLend64, [END, END, 1 << 32 | spare(0), 1], DENIED);
    series.call(FuncId::MemLend32, [END, END, spare(0), 1], DENIED);
}

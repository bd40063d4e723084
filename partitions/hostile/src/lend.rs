//! Memory that is not this partition's to send: of others, to those who cannot have it, or with what it cannot give.

use arm_ffa::{FfaError, FuncId};
use partition::memory::{Descriptor, HEADER, Kind, READ, RECEIVER, WRITE};

use crate::forged::{ECHO, HIGH_VM, LOGICAL_AT_EL3, MAILMAN, NOBODY, NORMAL, PATIENT, SPMC, SPMD, VM};
use crate::place::{constant, echos, foreign, here, own_memory};
use crate::series::{BUFFERS, DENIED, INVALID, OTHER, Series, TO, spare};

/// How much memory the partition has; another one's begins where it ends.
const SIZE: u64 = 0x4_0000;

/// Flag: the memory is zeroed before anybody has it.
const ZERO: u32 = 1;

/// Makes them all: 0x400 and more, 0x500 and 0x600 by kind, 0x700 about devices.
pub fn all(series: &mut Series) {
    for (number, kind) in (0..).zip(Kind::ALL) {
        series.chapter(0x400 + 0x100 * number);
        of_whom(series, kind);
        to_whom(series, kind);
        how(series, kind);
    }
    series.chapter(0x700);
    devices(series);
}

/// Memory of others, of buffers, with rights that it has not; in the name of others.
fn of_whom(series: &mut Series, kind: Kind) {
    let own = (spare(0), 1);
    let [tx, rx] = BUFFERS.addresses();
    let (begin, end) = (own_memory(0), own_memory(SIZE));
    for memory in foreign().into_iter().chain([tx, rx, 0]) {
        series.send(kind, TO, &[(memory, 1)], DENIED);
        series.send(kind, TO, &[(memory, 1), own], DENIED);
        series.send(kind, TO, &[own, (memory, 1)], DENIED);
    }
    for over in [(begin - 0x1000, 2), (end - 0x1000, 2), (begin, u64::from(u32::MAX))] {
        series.send(kind, TO, &[over], DENIED);
    }
    // In two worlds.
    series.send(kind, TO, &[own, (here().shared(), 1)], DENIED);
    series.send(kind, TO, &[(here().shared(), 1), own], DENIED);
    if kind == Kind::Donate {
        series.send(kind, TO, &[(constant(), 1)], DENIED);
    } else {
        for receivers in [&[(TO, WRITE)][..], &[(TO, READ), (OTHER, WRITE)]] {
            let ranges = [(constant(), 1)];
            let descriptor = series.sound(kind, receivers, &ranges);
            series.describe(kind.function(), &descriptor, &[], DENIED);
        }
    }
    for sender in [ECHO, PATIENT, MAILMAN, SPMC, SPMD, NORMAL, VM, NOBODY] {
        let receivers = [(OTHER, kind.permissions())];
        for memory in [spare(0), echos()] {
            let ranges = [(memory, 1)];
            let mut descriptor = series.sound(kind, &receivers, &ranges);
            descriptor.sender = sender as u16;
            series.describe(kind.function(), &descriptor, &[], DENIED);
        }
    }
}

/// To itself, to those who take none, to the Normal world; to the same one twice; to more than may have it.
fn to_whom(series: &mut Series, kind: Kind) {
    let own = u64::from(series.own);
    let ranges = [(spare(0), 1)];
    for to in [own, SPMC, SPMD, LOGICAL_AT_EL3, NOBODY] {
        series.send(kind, to as u16, &ranges, INVALID);
    }
    for to in [NORMAL, VM, HIGH_VM] {
        series.send(kind, to as u16, &ranges, DENIED);
    }
    let denied = if kind == Kind::Donate { INVALID } else { DENIED };
    for (pair, code) in [
        ([ECHO, ECHO], INVALID),
        ([ECHO, own], INVALID),
        ([NOBODY, ECHO], INVALID),
        ([ECHO, VM], denied),
        ([NORMAL, ECHO], denied),
    ] {
        let receivers = pair.map(|to| (to as u16, kind.permissions()));
        let descriptor = series.sound(kind, &receivers, &ranges);
        series.describe(kind.function(), &descriptor, &[], code);
    }
    let receivers = [ECHO, PATIENT].map(|to| (to as u16, kind.permissions()));
    let mut descriptor = series.sound(kind, &receivers, &ranges);
    // Each must say the same of the ranges, and several do not choose attributes for themselves.
    let second = [(HEADER + RECEIVER + 4, descriptor.composite() as u32 + 8)];
    series.describe(kind.function(), &descriptor, &second, INVALID);
    descriptor.attributes = 0;
    series.describe(kind.function(), &descriptor, &[], INVALID);
    if kind == Kind::Donate {
        series.describe(kind.function(), &series.sound(kind, &receivers, &ranges), &[], INVALID);
    }
}

/// Permissions, attributes, flags and a handle that are not for a sender of this kind to give.
fn how(series: &mut Series, kind: Kind) {
    let (to, ranges) = (TO, [(spare(0), 1)]);
    let permissions: &[u8] = match kind {
        Kind::Donate => &[READ, WRITE, 3, 4, 8, 0xc, 0x10, 0x80],
        // Of data nothing or both; of instructions anything; what is reserved.
        _ => &[0, 3, 4, WRITE | 4, WRITE | 8, READ | 8, READ | 0xc, WRITE | 0x10, READ | 0x80],
    };
    for permissions in permissions {
        let receivers = [(to, *permissions)];
        series.describe(kind.function(), &series.sound(kind, &receivers, &ranges), &[], INVALID);
    }
    let receivers = [(to, kind.permissions())];
    let sound = series.sound(kind, &receivers, &ranges);
    let access = u32::from(to) | u32::from(kind.permissions()) << 16;
    for flags in [1, 2, 0x80] {
        series.describe(kind.function(), &sound, &[(HEADER, access | flags << 24)], INVALID);
    }
    let attributes: &[(u16, FfaError)] = match kind {
        // None; device memory; of no type; neither write-back nor inner shareable; the Normal world's; reserved.
        Kind::Share => &[
            (0, INVALID),
            (0x10, DENIED),
            (0x1c, DENIED),
            (0x3f, DENIED),
            (0x23, DENIED),
            (0x27, DENIED),
            (0x2b, DENIED),
            (0x2c, DENIED),
            (0x2d, DENIED),
            (0x2e, DENIED),
            (0x6f, INVALID),
            (0xaf, INVALID),
            (0x802f, INVALID),
        ],
        _ => &[(0x2f, INVALID), (0x10, INVALID), (0x30, INVALID), (0x40, INVALID), (0x8000, INVALID)],
    };
    for &(attributes, code) in attributes {
        let descriptor = Descriptor { attributes, ..sound };
        series.describe(kind.function(), &descriptor, &[], code);
    }
    let least = if kind == Kind::Share { 0 } else { 2 };
    for bit in (0..32).filter(|bit| *bit != 1 && *bit >= least) {
        series.describe(kind.function(), &sound, &[(4, 1 << bit)], INVALID);
    }
    for handle in [(8, 1), (8, 1 << 31), (12, 1), (12, 1 << 31)] {
        series.describe(kind.function(), &sound, &[handle], INVALID);
    }
}

/// A device is lent as it is, to one partition; memory that can only be read is zeroed by nobody.
fn devices(series: &mut Series) {
    let device = here().clock;
    let (to, ranges) = (TO, [(device, 1)]);
    for kind in [Kind::Share, Kind::Donate] {
        series.send(kind, to, &ranges, DENIED);
    }
    series.send(Kind::Lend, to, &[(device, 1), (spare(0), 1)], DENIED);
    series.send(Kind::Lend, to, &[(spare(0), 1), (device, 1)], DENIED);
    let several = [(to, WRITE), (OTHER, WRITE)];
    series.describe(FuncId::MemLend32, &series.sound(Kind::Lend, &several, &ranges), &[], DENIED);
    for (memory, permissions) in [(device, WRITE), (constant(), READ)] {
        let (receivers, ranges) = ([(to, permissions)], [(memory, 1)]);
        let sound = series.sound(Kind::Lend, &receivers, &ranges);
        series.describe(FuncId::MemLend32, &sound, &[(4, ZERO)], DENIED);
        series.admit(Kind::Lend, &sound);
    }
}

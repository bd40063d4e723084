//! What happens next, as bytes stand for it.

use super::model::{Haste, Kind, Offer, Request};
use super::{EACH, MUCH, PLACES, VM};
use crate::{ECHO, RELAY};

/// What happens next. A transaction is one of those that there were.
#[derive(Clone, Debug)]
pub enum Step {
    /// Somebody sends memory; with `half`, all ranges but the last one.
    Offer {
        /// Who.
        by: u64,
        /// What it says.
        offer: Offer,
        /// Whether the last range does not arrive yet.
        half: bool,
    },
    /// It sends what it has not sent of its last transaction.
    Rest {
        /// Who.
        by: u64,
        /// What is wrong with it, if it is less than 3.
        odd: u8,
    },
    /// A partition retrieves a transaction.
    Retrieve {
        /// Who.
        by: u64,
        /// Which.
        which: u8,
        /// What it asks for.
        request: Request,
        /// Whether it names all receivers, and what is wrong with it, if that is less than [`Step::ODD`].
        said: (bool, u8),
        /// Whether it may be paused.
        haste: Haste,
    },
    /// It gives it back, perhaps zeroed.
    Relinquish {
        /// Who.
        by: u64,
        /// Which.
        which: u8,
        /// Whether it is zeroed.
        zero: bool,
        /// Whether that may be paused.
        haste: Haste,
    },
    /// Somebody has it back, perhaps zeroed.
    Reclaim {
        /// Who.
        by: u64,
        /// Which.
        which: u8,
        /// Whether it is zeroed.
        zero: bool,
        /// Whether that may be paused.
        haste: Haste,
    },
    /// Somebody goes on with what was paused.
    Resume {
        /// Who.
        by: u64,
        /// Which.
        which: u8,
        /// Whether it is left again.
        haste: Haste,
    },
    /// A hypervisor wants to know what was sent.
    Show {
        /// Which.
        which: u8,
    },
    /// Somebody has other buffers.
    Buffers {
        /// Who.
        by: u64,
        /// The page that is TX.
        tx: u64,
        /// The page that is RX.
        rx: u64,
        /// Whether it has none if these cannot be.
        keep: bool,
    },
    /// Somebody writes to a page, if it may.
    Write {
        /// Who.
        by: u64,
        /// Which page.
        page: u64,
    },
    /// A partition ends.
    Fault {
        /// Who.
        by: u64,
    },
}

/// Bytes of a step.
pub const SIZE: usize = 16;

/// An endpoint by its number.
const fn who(number: u8) -> u64 {
    [0, ECHO, RELAY][number as usize % 3]
}

/// A partition by its number.
const fn partition(number: u8) -> u64 {
    [ECHO, RELAY][number as usize % 2]
}

/// How a call that takes long is made.
const fn haste(number: u8) -> Haste {
    match number % 8 {
        0 => Haste::InSlices,
        1..5 => Haste::Left,
        _ => Haste::AtOnce,
    }
}

/// A page: mostly one that was this endpoint's at first.
const fn page(by: u8, number: u8) -> u64 {
    let place = if number < 192 { by % 3 } else { number % 3 };
    PLACES[place as usize] + number as u64 / 3 % EACH * 0x1000
}

/// A range that begins there, mostly a small one; now and then one that cannot be.
const fn range(by: u8, number: u8, size: u8) -> (u64, u32) {
    const SIZES: [u32; 32] =
        [1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 5, 6, 8, 12, 17, 20, 24, 0];
    let count = SIZES[size as usize % 32];
    match size {
        0xFC => (page(by, number) + 0x800, count),
        // The manager's own memory, and where there is none.
        0xFD => (0xe18_0000, count),
        0xFE => (0x1000, count),
        0xFF => (u64::MAX << 12, count),
        _ => (page(by, number), count),
    }
}

impl Step {
    /// How many things can be wrong with a request.
    pub const ODD: u8 = 8;

    /// The one that these bytes stand for.
    #[must_use]
    pub fn decode(bytes: [u8; SIZE]) -> Self {
        let [what, a, b, c, rest @ ..] = bytes;
        match what % 32 {
            0..10 => Self::sending(a, b, c, rest),
            10 | 11 => Self::Rest { by: who(a), odd: b >> 2 },
            12..19 => Self::Retrieve {
                by: partition(a),
                which: b,
                request: Request {
                    want: c % 3,
                    execute: c & 0xF0 == 0,
                    zero: rest[0] & 15 == 0,
                    zero_after: rest[0] & 0x30 == 0,
                },
                said: (rest[1] & 1 == 0, rest[2] >> 1),
                haste: haste(rest[3]),
            },
            19..22 => {
                Self::Relinquish { by: partition(a), which: b, zero: c & 1 == 0, haste: haste(rest[0]) }
            }
            22..25 => Self::Reclaim { by: who(a), which: b, zero: c & 3 == 0, haste: haste(rest[0]) },
            25 | 30 => Self::Resume {
                by: who(a),
                which: b,
                haste: if c & 1 == 0 { Haste::Left } else { Haste::InSlices },
            },
            26 => Self::Show { which: b },
            27 => Self::Buffers { by: who(a), tx: page(a, b), rx: page(a, c), keep: rest[0] & 15 == 0 },
            28 | 29 => Self::Write { by: who(a), page: page(a, b) },
            _ if b % 8 == 0 => Self::Fault { by: partition(a) },
            _ => Self::Write { by: partition(a), page: page(b, c) },
        }
    }

    fn sending(a: u8, b: u8, c: u8, rest: [u8; 12]) -> Self {
        let [first, first_size, second, second_size, third, third_size, count, odd, zero, half, kind, _] =
            rest;
        let sender = match (a % 3, odd) {
            (_, 0..4) => [ECHO, RELAY, 0, VM][usize::from(odd)],
            (0, 4..64) => VM,
            _ => who(a),
        };
        let receiver = |number: u8| match (number % 16, a % 3) {
            (0, _) => 0,
            (1, _) => VM,
            (2, _) => who(a),
            // A partition sends to the other one.
            (_, by @ (1 | 2)) => partition(by),
            (number, _) => partition(number),
        };
        let to = [(receiver(b), b & 0x80 != 0), (receiver(c), c & 0x80 != 0)];
        let receivers = if b & 0x30 == 0 { 2 } else { 1 };
        let ranges = [(first, first_size), (second, second_size), (third, third_size)];
        let ranges = ranges.map(|(number, size)| range(a, number, size));
        // Much memory takes long to be zeroed.
        let is_much = kind & 0xC0 == 0;
        let kind = [Kind::Share, Kind::Lend, Kind::Donate, Kind::Lend][usize::from(kind % 4)];
        let much = (if a.is_multiple_of(3) { MUCH } else { page(a, 0) }, 17 + u32::from(first_size % 8));
        let count = if is_much { 0 } else { count };
        let ranges = if is_much { [much, much, much] } else { ranges };
        // Mostly several have a share in it.
        let is_for_both = is_much && kind == Kind::Lend && a.is_multiple_of(3) && c & 0x40 == 0;
        let both = [(ECHO, true), (RELAY, true)];
        let to = if is_for_both { &both[..] } else { &to[..receivers] };
        let offer = Offer {
            sender,
            kind,
            zero: zero & 15 == 0 || kind != Kind::Share && zero & if is_much { 1 } else { 3 } == 0,
            to: to.to_vec(),
            ranges: ranges[..1 + usize::from(count % 3)].to_vec(),
        };
        Self::Offer { by: who(a), offer, half: half & 3 == 0 }
    }
}

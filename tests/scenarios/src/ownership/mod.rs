//! Who owns and has which page: random transactions on the manager, beside a simple account of its own ([`model`]), and a
//! walk of the real tables by code of its own ([`walk`]).

mod model;
mod walk;

use model::{Kind, Model, Offer};

use crate::sharing::{NX, RO, RW, Region, X, relinquishing};
use crate::{ECHO, ECHO_MEMORY, NORMAL_MEMORY, Pe, Place, RELAY, RELAY_MEMORY, code, id, pair};

/// A VM of the Normal world.
const VM: u64 = 7;
/// Pages of each owner.
const EACH: u64 = 8;
/// Where the Normal world's, `echo`'s and `relay`'s are.
const PLACES: [u64; 3] = [NORMAL_MEMORY + 0x10_0000, ECHO_MEMORY + 0x3_0000, RELAY_MEMORY + 0x3_0000];
/// Flag of a retrieve request: it does not name other receivers.
const BYPASS: u32 = 1 << 10;

/// What happens next. Numbers are taken modulo what there is.
#[derive(Clone, Copy, Debug)]
pub enum Step {
    /// Somebody sends pages; with `half`, all but the last one.
    Offer {
        /// The Normal world, `echo`, `relay`.
        by: u8,
        /// Share, lend, donate.
        kind: u8,
        /// Receivers: the Normal world, `echo`, `relay`, a VM; and whether each may write. One or two of them count.
        to: [(u8, bool); 2],
        /// Whether the second one counts.
        is_two: bool,
        /// Pages, of which `count` count.
        pages: [u8; 3],
        /// One to three.
        count: u8,
        /// Whether the hypervisor sends for a VM.
        vm: bool,
        /// Whether the last page does not arrive yet.
        half: bool,
    },
    /// It sends what it has not sent of its last transaction.
    Rest(u8),
    /// A partition retrieves a transaction: what it asks for, 0 nothing, 1 reads, 2 writes, and whether it executes.
    Retrieve(u8, u8, u8, bool),
    /// It gives it back.
    Relinquish(u8, u8),
    /// Somebody has it back.
    Reclaim(u8, u8),
    /// A partition ends.
    Fault(u8),
}

impl Step {
    /// The one that these bytes stand for.
    #[must_use]
    pub const fn decode(bytes: [u8; 8]) -> Self {
        let [what, a, b, c, d, e, f, g] = bytes;
        match what % 16 {
            0..6 => Self::Offer {
                by: a,
                kind: a >> 2,
                to: [(b, b & 4 != 0), (b >> 3, b & 0x40 != 0)],
                is_two: b & 0x80 != 0,
                pages: [c, d, e],
                count: f,
                vm: g & 1 != 0,
                half: g & 2 != 0,
            },
            6 => Self::Rest(a),
            7..11 => Self::Retrieve(a, b, c, d & 7 == 0),
            11..13 => Self::Relinquish(a, b),
            13..15 => Self::Reclaim(a, b),
            _ if b % 16 == 0 => Self::Fault(a),
            _ => Self::Retrieve(a, b, c, false),
        }
    }
}

/// The manager and the account.
pub struct Run {
    pe: Pe,
    model: Model,
    /// For each endpoint, what is left of its last half-sent transaction: which it is, and the bytes.
    rest: [Option<(usize, Vec<u8>)>; 3],
}

/// An endpoint by its number.
const fn who(number: u8) -> u64 {
    [0, ECHO, RELAY][number as usize % 3]
}

/// A partition by its number.
const fn partition(number: u8) -> u64 {
    [ECHO, RELAY][number as usize % 2]
}

/// The number of an endpoint.
const fn number(who: u64) -> usize {
    match who {
        ECHO => 1,
        RELAY => 2,
        _ => 0,
    }
}

/// The address of a page.
const fn address(page: usize) -> u64 {
    PLACES[page / EACH as usize] + (page as u64 % EACH) * 0x1000
}

impl Run {
    /// A machine on which nothing has been sent.
    #[must_use]
    pub fn new(mut pe: Pe) -> Self {
        pe.map(1);
        for partition in [ECHO, RELAY] {
            pe.normal(&[id::RUN, pair(partition, 0)]);
            pe.map(1);
            pe.call(&[id::MSG_WAIT]);
        }
        let mut run = Self { pe, model: Model::new(EACH as usize), rest: [const { None }; 3] };
        run.compare();
        run
    }

    /// One step, after which manager, account and tables agree.
    ///
    /// # Panics
    /// If they do not.
    pub fn step(&mut self, step: Step) {
        let before = self.seen();
        let is_done = match step {
            Step::Offer { by, kind, to, is_two, pages, count, vm, half } => {
                let sender = if vm && who(by) == 0 { VM } else { who(by) };
                let to: Vec<_> = to[..1 + usize::from(is_two)]
                    .iter()
                    .map(|(to, write)| ([0, ECHO, RELAY, VM][usize::from(to % 4)], *write))
                    .collect();
                let pages = pages[..1 + usize::from(count % 3)].iter();
                let pages: Vec<_> = pages.map(|page| usize::from(*page) % (3 * EACH as usize)).collect();
                let kind = [Kind::Share, Kind::Lend, Kind::Donate][usize::from(kind % 3)];
                let half = half && pages.len() > 1;
                self.offer(who(by), &Offer { sender, kind, to, pages }, half)
            }
            Step::Rest(by) => self.rest(who(by)),
            Step::Retrieve(by, which, want, execute) => {
                self.retrieve(partition(by), which, want % 3, execute)
            }
            Step::Relinquish(by, which) => self.relinquish(partition(by), which),
            Step::Reclaim(by, which) => self.reclaim(who(by), which),
            Step::Fault(by) => self.fault(partition(by)),
        };
        self.compare();
        assert!(is_done || self.seen() == before, "{step:?}: a refused step changes nothing");
    }

    /// Everybody gives back and has back what can be, and has all that it owns.
    ///
    /// # Panics
    /// If it has not.
    pub fn end(&mut self) {
        for which in 0..self.model.count() {
            for borrower in self.model.borrowers(which) {
                self.relinquish(borrower, which as u8);
            }
            if let Some(owner) = self.model.owner(which) {
                self.reclaim(owner, which as u8);
            }
        }
        self.compare();
        let kept = self.model.sent();
        assert_eq!(kept, 0, "transactions are left of those who have not ended");
    }

    /// The PE is with this endpoint; not if that has ended.
    fn be(&mut self, who: u64) -> bool {
        if self.model.has_ended(who) {
            return false;
        }
        if self.pe.own_id() != who {
            if self.pe.place() != Place::Normal {
                self.pe.call(&[id::MSG_WAIT]);
            }
            if who != 0 {
                self.pe.normal(&[id::RUN, pair(who, 0)]);
            }
        }
        assert_eq!(self.pe.own_id(), who);
        true
    }

    /// The call's answer is one of `function`, or a refusal that the account expects. Whether it was done.
    fn judge(&self, function: u64, refusals: &[u64]) -> bool {
        let [answer, _, code, ..] = self.pe.low();
        if refusals.is_empty() {
            assert_eq!(answer, function, "refused with {:x}", code as u32);
            return true;
        }
        assert_eq!(answer, id::ERROR, "done, where {refusals:x?} was expected");
        assert!(refusals.contains(&code), "refused with {:x}, not {refusals:x?}", code as u32);
        false
    }

    fn offer(&mut self, by: u64, offer: &Offer, half: bool) -> bool {
        if !self.be(by) {
            return false;
        }
        let shown = if half { offer.pages.len() - 1 } else { offer.pages.len() };
        let refusals = self.model.refusals(by, offer, shown);
        let says_attributes = offer.kind == Kind::Share || offer.to.len() > 1;
        let permissions = |write| match (offer.kind, write) {
            (Kind::Donate, _) => 0,
            (_, true) => RW,
            (_, false) => RO,
        };
        let region = Region {
            attributes: if says_attributes { 0x2F } else { 0 },
            receivers: offer.to.iter().map(|(to, write)| (*to, permissions(*write), [0; 2])).collect(),
            ranges: offer.pages.iter().map(|page| (address(*page), 1)).collect(),
            ..Region::new(offer.sender, 0, 0, &[])
        };
        let bytes = region.to_bytes();
        let here = if half { bytes.len() - 16 } else { bytes.len() };
        self.pe.send(&bytes[..here]);
        let function = match offer.kind {
            Kind::Share => id::MEM_SHARE,
            Kind::Lend => id::MEM_LEND,
            Kind::Donate => id::MEM_DONATE,
        };
        self.pe.act(&[function, bytes.len() as u64, here as u64]);
        let is_done = self.judge(if half { id::MEM_FRAG_RX } else { id::SUCCESS }, &refusals);
        if is_done {
            let [_, one, two, three, ..] = self.pe.low();
            let [low, high] = if half { [one, two] } else { [two, three] };
            let which = self.model.send(by, offer, shown, high << 32 | low);
            if half {
                self.rest[number(by)] = Some((which, bytes[here..].to_vec()));
            }
        }
        is_done
    }

    fn rest(&mut self, by: u64) -> bool {
        if !self.be(by) {
            return false;
        }
        let Some((which, bytes)) = self.rest[number(by)].take() else { return false };
        let handle = self.model.handle(which);
        let sender = self.model.sender(which).filter(|sender| *sender == VM).unwrap_or(0);
        self.pe.send(&bytes);
        let refusals = self.model.refusals_of_rest(which);
        self.pe.act(&[id::MEM_FRAG_TX, handle & 0xFFFF_FFFF, handle >> 32, bytes.len() as u64, sender << 16]);
        let is_there = self.model.sender(which).is_some();
        if self.judge(id::SUCCESS, &refusals) {
            self.model.complete(which);
            return true;
        }
        // What is refused as a whole is dropped.
        self.model.drop(which);
        is_there
    }

    fn retrieve(&mut self, by: u64, which: u8, want: u8, execute: bool) -> bool {
        let Some(which) = self.model.pick(which) else { return false };
        if !self.be(by) {
            return false;
        }
        let refusals = self.model.refusals_of_retrieval(by, which, want, execute);
        let instructions = if execute { X } else { NX };
        let flags = if self.model.has_several(which) { BYPASS } else { 0 };
        let request = Region {
            handle: self.model.handle(which),
            flags,
            ..Region::new(self.model.sender(which).unwrap_or(0), by, want | instructions, &[])
        };
        let call = self.pe.with_region(id::MEM_RETRIEVE_REQ, &request);
        self.pe.act(&call);
        let is_done = self.judge(id::MEM_RETRIEVE_RESP, &refusals);
        if is_done {
            self.pe.done(&[id::RX_RELEASE]);
            self.model.retrieve(by, which, want, execute);
        }
        is_done
    }

    fn relinquish(&mut self, by: u64, which: u8) -> bool {
        let Some(which) = self.model.pick(which) else { return false };
        if !self.be(by) {
            return false;
        }
        self.pe.send(&relinquishing(self.model.handle(which), 0, by));
        self.pe.act(&[id::MEM_RELINQUISH]);
        let refusals: &[u64] = if self.model.has(by, which) { &[] } else { &[code::INVALID] };
        let is_done = self.judge(id::SUCCESS, refusals);
        if is_done {
            self.model.relinquish(by, which);
        }
        is_done
    }

    fn reclaim(&mut self, by: u64, which: u8) -> bool {
        let Some(which) = self.model.pick(which) else { return false };
        if !self.be(by) {
            return false;
        }
        self.pe.act(&Pe::reclaiming(self.model.handle(which), 0));
        let is_done = self.judge(id::SUCCESS, &self.model.refusals_of_reclaim(by, which));
        if is_done {
            self.model.drop(which);
        }
        is_done
    }

    fn fault(&mut self, who: u64) -> bool {
        if !self.be(who) {
            return false;
        }
        self.pe.fault();
        self.model.end(who);
        self.rest[number(who)] = None;
        true
    }

    /// What the tables of both partitions say of every page, in both spaces.
    fn seen(&self) -> Vec<walk::Found> {
        let partitions = [ECHO, RELAY].into_iter();
        let pages = partitions.flat_map(|one| (0..3 * EACH as usize).map(move |page| (one, page)));
        pages.flat_map(|(one, page)| walk::both(&self.pe.world, one, address(page))).collect()
    }

    /// The tables say what the account does.
    fn compare(&mut self) {
        for one in [ECHO, RELAY] {
            for page in 0..3 * EACH as usize {
                let rights = self.model.rights(one, page);
                let is_normal = page < EACH as usize;
                let wanted = if is_normal { [None, rights] } else { [rights, None] };
                let found = walk::both(&self.pe.world, one, address(page));
                assert_eq!(found, wanted, "page {page} of {one:#x}: secure, non-secure");
            }
        }
    }
}

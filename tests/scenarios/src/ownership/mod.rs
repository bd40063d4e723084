//! Who owns and has which page: random transactions on the manager, beside a simple account of its own (`model`), and a
//! walk of the real tables by code of its own (`walk`).

mod act;
mod model;
mod step;
pub mod walk;

use manager::hardware::Memory;
use manager::memory::page::Pa;
use model::{Kind, Model, Offer, Request, is_normal};

use crate::buffers::buffers_of;
use crate::{
    ECHO, ECHO_MEMORY, NORMAL_MEMORY, PARTITION_MEMORY, Pe, RELAY, RELAY_MEMORY, V1_2, WRITABLE_AT_EL0,
};

pub use step::Step;

/// A VM of the Normal world.
const VM: u64 = 7;
/// Pages of each owner.
const EACH: u64 = 24;
/// Where the Normal world's, `echo`'s and `relay`'s are: the last ones of each.
const PLACES: [u64; 3] = [
    0x1_0000_0000 - EACH * 0x1000,
    ECHO_MEMORY + PARTITION_MEMORY - EACH * 0x1000,
    RELAY_MEMORY + PARTITION_MEMORY - EACH * 0x1000,
];
/// Where as much memory is of which the Normal world sends much at a time.
const MUCH: u64 = PLACES[0] - EACH * 0x1000;
/// Which byte of each page is looked at: behind what is in buffers.
const SAMPLE: u64 = 0xFF8;

/// The manager and the account.
pub struct Run {
    pe: Pe,
    model: Model,
    /// For each endpoint, what is left of its last half-sent transaction: which it is, and the bytes.
    rest: [Option<(usize, Vec<u8>)>; 3],
    /// What was written last.
    written: u8,
    /// The roots of the tables of `echo` and `relay`: secure, non-secure, or twice that of stage 1. They stay where they
    /// are.
    roots: [[u64; 2]; 2],
    /// What was seen of all pages after the last step.
    seen: Vec<Seen>,
}

/// The number of an endpoint.
const fn number(who: u64) -> usize {
    match who {
        ECHO => 1,
        RELAY => 2,
        _ => 0,
    }
}

/// All pages, and whose they are at first.
fn owned() -> impl Iterator<Item = (u64, u64)> {
    let owners = PLACES.into_iter().zip([0, ECHO, RELAY]).chain([(MUCH, 0)]);
    let pages = owners.flat_map(|(place, owner)| (0..EACH).map(move |page| (place + page * 0x1000, owner)));
    // What lies behind `echo`'s is `relay`'s, and goes into one range with them where those are donated to it.
    pages.chain((0..EACH).map(|page| (RELAY_MEMORY + page * 0x1000, RELAY)))
}

/// A byte of a page.
const fn sample(page: u64) -> Pa {
    let address = page + SAMPLE;
    if is_normal(page) { Pa::normal(address) } else { Pa::secure(address) }
}

/// What can be seen of a page: what both partitions find there in their secure and non-secure spaces, and what it contains.
type Seen = ([[walk::Found; 2]; 2], u8);

impl Run {
    /// A machine on which nothing has been sent.
    #[must_use]
    pub fn new(pe: Pe) -> Self {
        let pe = pe.ready_to_share(V1_2);
        let roots = [ECHO, RELAY].map(|one| pe.world.roots(one));
        let [_, [secure, normal]] = roots;
        let relay_is_at_el0 = secure == normal;
        let mut model = Model::new(owned(), |page, owner| match owner {
            // What it may write of its own it may not execute.
            RELAY if relay_is_at_el0 => (page >= WRITABLE_AT_EL0, page < WRITABLE_AT_EL0),
            owner => (true, owner != 0),
        });
        for who in [0, ECHO, RELAY] {
            let [tx, rx] = buffers_of(who);
            model.map(who, Some((tx.address, rx.address)));
        }
        let mut run = Self { pe, model, rest: [const { None }; 3], written: 0, roots, seen: Vec::new() };
        run.compare();
        run
    }

    /// One step, after which manager, account and tables agree.
    ///
    /// # Panics
    /// If they do not.
    pub fn step(&mut self, step: &Step) {
        let before = self.seen.clone();
        let is_done = match step {
            Step::Offer { by, offer, half } => self.offer(*by, offer, *half && offer.ranges.len() > 1),
            Step::Rest { by, odd } => self.rest(*by, *odd),
            Step::Retrieve { by, which, request, said, haste } => {
                self.retrieve(*by, *which, *request, *said, *haste)
            }
            Step::Relinquish { by, which, zero, haste } => self.relinquish(*by, *which, *zero, *haste),
            Step::Reclaim { by, which, zero, haste } => self.reclaim(*by, *which, *zero, *haste),
            Step::Resume { by, which, haste } => self.resume(*by, *which, *haste),
            Step::Show { which } => self.show(*which),
            Step::Buffers { by, tx, rx, keep } => self.buffers(*by, (*tx, *rx), *keep),
            Step::Write { by, page } => self.write(*by, *page),
            Step::Fault { by } => self.fault(*by),
        };
        self.compare();
        assert!(is_done || self.seen == before, "{step:x?}: a refused step changes nothing");
    }

    /// Everybody gives back and has back what can be, has all that it owns for itself, and can lend it.
    ///
    /// # Panics
    /// If it has not.
    pub fn end(&mut self) {
        for who in [0, ECHO, RELAY] {
            self.buffers_of_old(who);
        }
        for which in 0..self.model.count() {
            for borrower in self.model.borrowers(which) {
                assert!(self.relinquish_this(borrower, which), "what a borrower has it gives back");
            }
            if let Some(owner) = self.model.owner(which).filter(|owner| !self.model.has_ended(*owner)) {
                assert!(self.reclaim_this(owner, which), "what nobody has its owner has back");
            }
        }
        self.compare();
        assert_eq!(self.model.live(), 0, "transactions are left of those who have not ended");
        let all = [0, ECHO, RELAY].into_iter().flat_map(|owner| [false, true].map(|normal| (owner, normal)));
        let kinds = [(true, false), (true, true), (false, false), (false, true)];
        for ((owner, normal), rights) in all.flat_map(|of| kinds.map(|rights| (of, rights))) {
            self.lend_all(owner, normal, rights);
        }
    }

    /// An owner lends all of its pages that are alike to somebody, and has them back.
    fn lend_all(&mut self, owner: u64, normal: bool, rights: model::Rights) {
        assert!(self.model.has_ended(owner) || self.model.used(owner) == 0);
        let ranges: Vec<_> =
            self.model.free(owner, rights, normal).into_iter().map(|page| (page, 1)).collect();
        let to = [ECHO, RELAY].into_iter().find(|to| *to != owner && !self.model.has_ended(*to));
        let Some(to) = to.filter(|_| !ranges.is_empty() && !self.model.has_ended(owner)) else { return };
        let offer = Offer { sender: owner, kind: Kind::Lend, zero: false, to: vec![(to, false)], ranges };
        assert!(self.offer(owner, &offer, false), "all of it is lent");
        let which = self.model.count() - 1;
        let request = Request { want: 0, execute: false, zero: false, zero_after: false };
        assert!(self.retrieve_this(to, which, request), "all of it is retrieved");
        self.compare();
        assert!(self.relinquish_this(to, which) && self.reclaim_this(owner, which));
        self.compare();
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

    fn write(&mut self, who: u64, page: u64) -> bool {
        self.written = self.written % 255 + 1;
        let may = self.model.write(who, page, self.written);
        if may {
            self.pe.machine.write(sample(page), &[self.written]).expect("there is memory");
        }
        may
    }

    /// What a page contains.
    fn content(&mut self, page: u64) -> u8 {
        let mut byte = [0];
        self.pe.machine.read(sample(page), &mut byte).expect("there is memory");
        byte[0]
    }

    /// Looks at all pages: the tables and the memory say what the account does.
    fn compare(&mut self) {
        self.seen.clear();
        for (page, _) in owned() {
            let world = &self.pe.world;
            let in_each = |roots| [false, true].map(|is_normal| walk::page(world, roots, is_normal, page));
            let found = self.roots.map(in_each);
            let content = self.content(page);
            for (one, found) in [ECHO, RELAY].into_iter().zip(found) {
                let rights = self.model.rights(one, page);
                let wanted = if is_normal(page) { [None, rights] } else { [rights, None] };
                assert_eq!(found, wanted, "{page:#x} of {one:#x}: secure, non-secure");
            }
            let expected = self.model.content(page);
            let is_expected = expected.is_none_or(|byte| byte == content);
            assert!(is_expected, "{page:#x} contains {content}, not {expected:?}");
            self.seen.push((found, content));
        }
    }
}

const _: () = assert!(MUCH >= NORMAL_MEMORY);

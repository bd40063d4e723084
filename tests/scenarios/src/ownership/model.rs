//! A simple account of who owns and has which page, written from the specification of memory management (DEN0140): a map
//! of pages, a list of transactions, and who has which pages as buffers.

use std::collections::{BTreeMap, BTreeSet};

use super::VM;
use crate::{ECHO, NORMAL_MEMORY, RELAY, code};

/// How memory is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Share,
    Lend,
    Donate,
}

/// What somebody wants to send.
#[derive(Clone, Debug)]
pub struct Offer {
    pub sender: u64,
    pub kind: Kind,
    /// Whether it is to be zeroed before anybody else has it.
    pub zero: bool,
    /// Receivers, and whether they may write.
    pub to: Vec<(u64, bool)>,
    /// Ranges: address and number of pages.
    pub ranges: Vec<(u64, u32)>,
}

/// What a receiver asks for.
#[derive(Clone, Copy, Debug)]
pub struct Request {
    /// Data access: 0 whatever it is given, 1 reads, 2 writes.
    pub want: u8,
    pub execute: bool,
    /// Whether the memory is zeroed before, and when it is given back.
    pub zero: bool,
    pub zero_after: bool,
}

/// Whether a page may be written and executed.
pub type Rights = (bool, bool);

/// What its owner does with a page.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Used {
    Not,
    Buffer,
    /// It is in this transaction.
    Sent(usize),
}

struct Page {
    owner: u64,
    rights: Rights,
    used: Used,
    /// A byte of it.
    content: u8,
}

struct Transaction {
    owner: u64,
    offer: Offer,
    /// Ranges that have arrived.
    shown: usize,
    /// Who has it, what it may do, and whether it wants it zeroed when it gives it back.
    has: BTreeMap<u64, (Rights, bool)>,
    /// Who has it or had it.
    had: BTreeSet<u64>,
    /// Whether it is to be zeroed when nobody has it any more.
    zero_later: bool,
}

impl Transaction {
    fn is_complete(&self) -> bool {
        self.shown == self.offer.ranges.len()
    }

    fn pages(&self) -> Vec<u64> {
        self.offer.ranges[..self.shown].iter().flat_map(|range| pages(*range)).collect()
    }

    /// Somebody has it no more.
    fn leave(&mut self, who: u64, zero: bool) {
        let zero_after = self.has.remove(&who).is_some_and(|(_, zero_after)| zero_after);
        self.zero_later |= zero || zero_after;
    }
}

/// All of it.
pub struct Model {
    pages: BTreeMap<u64, Page>,
    /// Every transaction that there ever was, with its handle.
    sent: Vec<(u64, Option<Transaction>)>,
    /// TX and RX.
    buffers: BTreeMap<u64, (u64, u64)>,
    ended: Vec<u64>,
}

/// The pages of a range, if it is one.
pub fn pages((start, count): (u64, u32)) -> impl Iterator<Item = u64> {
    let count = if start.is_multiple_of(0x1000) { count } else { 0 };
    (0..u64::from(count)).map(move |page| start.saturating_add(page * 0x1000))
}

/// Whether a page is the Normal world's memory, whosever it is.
pub const fn is_normal(page: u64) -> bool {
    page >= NORMAL_MEMORY
}

fn is_partition(who: u64) -> bool {
    [ECHO, RELAY].contains(&who)
}

impl Model {
    /// These pages have these owners, and nothing has been sent.
    pub fn new(owners: impl Iterator<Item = (u64, u64)>) -> Self {
        let page = |(page, owner)| {
            let rights = (true, is_partition(owner));
            (page, Page { owner, rights, used: Used::Not, content: 0 })
        };
        let pages = owners.map(page).collect();
        Self { pages, sent: Vec::new(), buffers: BTreeMap::new(), ended: Vec::new() }
    }

    pub fn has_ended(&self, who: u64) -> bool {
        self.ended.contains(&who)
    }

    pub fn count(&self) -> usize {
        self.sent.len()
    }

    /// Transactions whose owner has not ended.
    pub fn live(&self) -> usize {
        let all = self.sent.iter().filter_map(|(_, one)| one.as_ref());
        all.filter(|one| !self.has_ended(one.owner)).count()
    }

    /// A transaction, mostly one that is not over.
    pub fn pick(&self, which: u8) -> Option<usize> {
        let live: Vec<_> = (0..self.sent.len()).filter(|which| self.get(*which).is_some()).collect();
        match usize::from(which).checked_rem(live.len()) {
            Some(place) if which < 224 => Some(live[place]),
            _ => usize::from(which).checked_rem(self.sent.len()),
        }
    }

    fn get(&self, which: usize) -> Option<&Transaction> {
        self.sent[which].1.as_ref()
    }

    pub fn handle(&self, which: usize) -> u64 {
        self.sent[which].0
    }

    pub fn offer(&self, which: usize) -> Option<&Offer> {
        self.get(which).map(|one| &one.offer)
    }

    pub fn owner(&self, which: usize) -> Option<u64> {
        self.get(which).map(|one| one.owner)
    }

    pub fn borrowers(&self, which: usize) -> Vec<u64> {
        self.get(which).map_or(Vec::new(), |one| one.has.keys().copied().collect())
    }

    /// What `who` may do with a page.
    pub fn rights(&self, who: u64, page: u64) -> Option<Rights> {
        let Page { owner, rights, used, .. } = self.pages[&page];
        let sent = if let Used::Sent(which) = used { self.get(which) } else { None };
        match sent {
            None => (owner == who).then_some(rights),
            // An owner keeps its access until all has arrived.
            Some(one) if owner == who => {
                (one.offer.kind == Kind::Share || !one.is_complete()).then_some(rights)
            }
            Some(one) => one.has.get(&who).map(|(rights, _)| *rights),
        }
    }

    /// What a page contains, if anybody may look.
    pub fn content(&self, page: u64) -> Option<u8> {
        let all = [0, ECHO, RELAY].into_iter().filter(|who| !self.has_ended(*who));
        let mut readers = all.filter(|who| self.rights(*who, page).is_some());
        readers.next().map(|_| self.pages[&page].content)
    }

    /// Somebody writes to a page, if it may.
    pub fn write(&mut self, who: u64, page: u64, content: u8) -> bool {
        let may = !self.has_ended(who) && self.rights(who, page).is_some_and(|(write, _)| write);
        if let Some(page) = self.pages.get_mut(&page).filter(|_| may) {
            page.content = content;
        }
        may
    }

    fn zero(&mut self, which: usize) {
        let all = self.get(which).map_or(Vec::new(), Transaction::pages);
        self.pages.iter_mut().filter(|(page, _)| all.contains(page)).for_each(|(_, page)| page.content = 0);
    }

    /// Why `by` may not send this, of which so many ranges are shown.
    pub fn refusals(&self, by: u64, offer: &Offer, shown: usize) -> Vec<u64> {
        let mut codes = Vec::new();
        let to: Vec<u64> = offer.to.iter().map(|(to, _)| *to).collect();
        let is_twice = to.len() == 2 && to[0] == to[1];
        let is_odd = is_twice || to.contains(&offer.sender) || offer.kind == Kind::Donate && to.len() != 1;
        if is_odd || offer.kind == Kind::Share && offer.zero {
            codes.push(code::INVALID);
        }
        if offer.ranges.iter().all(|(_, count)| *count == 0) {
            codes.push(code::INVALID);
        }
        if if by == 0 { is_partition(offer.sender) } else { offer.sender != by } {
            codes.push(code::DENIED);
        }
        if by != 0 && to.iter().any(|to| !is_partition(*to)) || !to.iter().any(|to| is_partition(*to)) {
            codes.push(code::DENIED);
        }
        if to.iter().any(|to| self.has_ended(*to)) {
            codes.push(code::ABORTED);
        }
        codes.extend(self.unfit(by, offer, 0..shown));
        codes
    }

    /// Why these of the offer's ranges cannot be sent: all pages must be the sender's, alike, and fit for all that is to
    /// be done with them.
    fn unfit(&self, by: u64, offer: &Offer, which: std::ops::Range<usize>) -> Vec<u64> {
        let is_written = offer.kind == Kind::Donate || offer.zero || offer.to.iter().any(|(_, write)| *write);
        let alike = |page: u64| self.pages.get(&page).map(|one| (one.rights, is_normal(page)));
        let first = pages(offer.ranges[0]).next().and_then(alike);
        let mut seen = BTreeSet::new();
        let mut codes = Vec::new();
        for range in &offer.ranges[which] {
            // Nothing, or where no address is.
            if pages(*range).next().is_none() || range.0 >> 48 != 0 {
                codes.push(code::INVALID);
            }
            let is_fit = |page: u64| {
                let is_free =
                    self.pages.get(&page).is_some_and(|one| one.owner == by && one.used == Used::Not);
                let is_enough = alike(page).is_some_and(|((write, _), _)| write || !is_written);
                is_free && is_enough && alike(page) == first && seen.insert(page)
            };
            if !pages(*range).all(is_fit) {
                codes.push(code::DENIED);
            }
        }
        codes
    }

    /// It is sent, as far as it is shown.
    pub fn send(&mut self, by: u64, offer: &Offer, shown: usize, handle: u64) -> usize {
        assert!(self.sent.iter().all(|(known, _)| *known != handle), "a handle is of one transaction");
        let offer = offer.clone();
        let (has, had) = (BTreeMap::new(), BTreeSet::new());
        self.sent.push((handle, Some(Transaction { owner: by, offer, shown, has, had, zero_later: false })));
        self.arrive(self.sent.len() - 1);
        self.sent.len() - 1
    }

    /// The pages of what is shown are in the transaction.
    fn arrive(&mut self, which: usize) {
        let Some(one) = self.get(which) else { return };
        let (all, is_zeroed) = (one.pages(), one.is_complete() && one.offer.zero);
        for (_, page) in self.pages.iter_mut().filter(|(page, _)| all.contains(page)) {
            page.used = Used::Sent(which);
        }
        if is_zeroed {
            self.zero(which);
        }
    }

    pub fn refusals_of_rest(&self, which: usize) -> Vec<u64> {
        let Some(one) = self.get(which) else { return vec![code::INVALID] };
        self.unfit(one.owner, &one.offer, one.shown..one.offer.ranges.len())
    }

    /// All of it has arrived.
    pub fn complete(&mut self, which: usize) {
        if let Some(one) = &mut self.sent[which].1 {
            one.shown = one.offer.ranges.len();
        }
        self.arrive(which);
    }

    /// It is over, and its pages are their owner's alone.
    pub fn drop(&mut self, which: usize) {
        self.sent[which].1 = None;
        for page in self.pages.values_mut().filter(|page| page.used == Used::Sent(which)) {
            page.used = Used::Not;
        }
    }

    /// What a receiver gets that asks for this; nothing if it asks for more than there is.
    fn granted(by: u64, one: &Transaction, request: Request) -> Option<Rights> {
        let Offer { kind, to, ranges, .. } = &one.offer;
        let write = to.iter().find(|(to, _)| *to == by)?.1 || *kind == Kind::Donate;
        let may_execute = *kind != Kind::Share && to.len() == 1 && !is_normal(ranges[0].0);
        if request.want == 2 && !write || request.execute && !may_execute {
            return None;
        }
        Some((write && request.want != 1, request.execute))
    }

    pub fn refusals_of_retrieval(&self, by: u64, which: usize, request: Request) -> Vec<u64> {
        let Some(one) = self.get(which) else { return vec![code::INVALID] };
        if !one.is_complete() || one.offer.to.iter().all(|(to, _)| *to != by) {
            return vec![code::INVALID];
        }
        let mut codes = Vec::new();
        let granted = Self::granted(by, one, request);
        if one.has.contains_key(&by) || self.has_ended(one.owner) || granted.is_none() {
            codes.push(code::DENIED);
        }
        let is_zeroed = request.zero || request.zero_after;
        if is_zeroed && one.offer.kind == Kind::Share || request.zero && one.had.contains(&by) {
            codes.push(code::INVALID);
        }
        let is_unknown = request.zero && !one.offer.zero;
        if is_unknown || is_zeroed && granted.is_some_and(|(write, _)| !write) {
            codes.push(code::DENIED);
        }
        codes
    }

    pub fn retrieve(&mut self, by: u64, which: usize, request: Request) {
        let Some(one) = &mut self.sent[which].1 else { return };
        let Some(rights) = Self::granted(by, one, request) else { return };
        one.has.insert(by, (rights, request.zero_after));
        one.had.insert(by);
        if one.offer.kind == Kind::Donate {
            let all = one.pages();
            self.drop(which);
            for (_, page) in self.pages.iter_mut().filter(|(page, _)| all.contains(page)) {
                (page.owner, page.rights) = (by, rights);
            }
        }
    }

    pub fn refusals_of_return(&self, by: u64, which: usize, zero: bool) -> Vec<u64> {
        let one = self.get(which);
        let Some((one, (rights, _))) = one.and_then(|one| Some((one, one.has.get(&by)?))) else {
            return vec![code::INVALID];
        };
        match zero {
            true if one.offer.kind == Kind::Share => vec![code::INVALID],
            true if !rights.0 => vec![code::DENIED],
            _ => Vec::new(),
        }
    }

    pub fn relinquish(&mut self, by: u64, which: usize, zero: bool) {
        if let Some(one) = &mut self.sent[which].1 {
            one.leave(by, zero);
        }
        self.settle();
    }

    pub fn refusals_of_reclaim(&self, by: u64, which: usize, zero: bool) -> Vec<u64> {
        let Some(one) = self.get(which).filter(|one| one.owner == by) else { return vec![code::INVALID] };
        let mut codes = Vec::new();
        if zero && one.offer.kind == Kind::Share {
            codes.push(code::INVALID);
        }
        let is_read_only = one.pages().iter().any(|page| !self.pages[page].rights.0);
        if !one.has.is_empty() || zero && is_read_only {
            codes.push(code::DENIED);
        }
        codes
    }

    pub fn reclaim(&mut self, which: usize, zero: bool) {
        if zero {
            self.zero(which);
        }
        self.drop(which);
    }

    /// Why a hypervisor is not shown a transaction.
    pub fn refusals_of_show(&self, which: usize) -> Vec<u64> {
        let shown = self.get(which).filter(|one| one.is_complete() && one.owner == 0);
        if shown.is_some() { Vec::new() } else { vec![code::INVALID] }
    }

    pub fn buffers(&self, who: u64) -> Option<(u64, u64)> {
        self.buffers.get(&who).copied()
    }

    /// Why these pages, one each, cannot be TX and RX.
    pub fn refusals_of_buffers(&self, who: u64, (tx, rx): (u64, u64)) -> Vec<u64> {
        let mut codes = Vec::new();
        if tx == rx {
            codes.push(code::INVALID);
        }
        let is_fit = |page: u64, is_written: bool| {
            let page: &Page = &self.pages[&page];
            page.owner == who && page.used == Used::Not && (page.rights.0 || !is_written)
        };
        if !is_fit(tx, true) || !is_fit(rx, false) {
            codes.push(code::DENIED);
        }
        codes
    }

    /// The buffers are there from now on, which may be none.
    pub fn map(&mut self, who: u64, buffers: Option<(u64, u64)>) {
        let old = self.buffers.remove(&who);
        self.buffers.extend(buffers.map(|pair| (who, pair)));
        for (pair, used) in [(old, Used::Not), (buffers, Used::Buffer)] {
            let all = pair.map_or(Vec::new(), |(tx, rx)| vec![tx, rx]);
            self.pages.iter_mut().filter(|(page, _)| all.contains(page)).for_each(|(_, one)| one.used = used);
        }
    }

    /// A partition ends.
    pub fn end(&mut self, who: u64) {
        self.ended.push(who);
        self.sent.iter_mut().filter_map(|(_, one)| one.as_mut()).for_each(|one| one.leave(who, false));
        self.settle();
    }

    /// What nobody has any more is zeroed, where somebody wanted that, and sent no more, if its owner has ended.
    fn settle(&mut self) {
        for which in 0..self.sent.len() {
            let Some(one) = self.sent[which].1.as_mut().filter(|one| one.has.is_empty()) else { continue };
            let (owner, is_zeroed) = (one.owner, std::mem::take(&mut one.zero_later));
            if is_zeroed {
                self.zero(which);
            }
            if self.has_ended(owner) {
                self.drop(which);
            }
        }
    }

    /// Pages that an owner has for itself, alike in one world.
    pub fn free(&self, owner: u64, rights: Rights, normal: bool) -> Vec<u64> {
        let is_free = |page: u64, one: &Page| {
            one.owner == owner && one.used == Used::Not && one.rights == rights && is_normal(page) == normal
        };
        self.pages.iter().filter(|(page, one)| is_free(**page, one)).map(|(page, _)| *page).collect()
    }

    /// Pages that an owner has sent, or has as buffers.
    pub fn used(&self, owner: u64) -> usize {
        self.pages.values().filter(|one| one.owner == owner && one.used != Used::Not).count()
    }
}

const _: () = assert!(VM < ECHO, "a VM is of the Normal world");

//! A simple account of who owns and has which page, written from the specification of memory management (DEN0140): a map
//! of pages, a list of transactions, and who has which pages as buffers.

mod rules;

use std::collections::{BTreeMap, BTreeSet};

use super::VM;
use crate::{ECHO, NORMAL_MEMORY, RELAY};

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

/// What somebody was told to go on with.
#[derive(Clone, Copy, Debug)]
pub enum Paused {
    Nothing,
    Retrieval(Request),
    Return,
    Reclaim,
}

/// How a call is made that takes long: whether it may be paused, and is left then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Haste {
    AtOnce,
    InSlices,
    Left,
}

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
    /// Who has it, what it may do, nothing while it gives it back, and whether it wants it zeroed then.
    has: BTreeMap<u64, (Option<Rights>, bool)>,
    /// Who has asked for it and was told to resume.
    asked: BTreeMap<u64, Request>,
    /// Whether its owner was told to resume having it back.
    awaited: bool,
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

    /// What `by` is to go on with.
    fn paused(&self, by: u64) -> Paused {
        match (self.has.get(&by), self.asked.get(&by)) {
            _ if self.owner == by && self.awaited => Paused::Reclaim,
            _ if self.owner == by => Paused::Nothing,
            (Some((None, _)), _) => Paused::Return,
            (_, Some(request)) => Paused::Retrieval(*request),
            _ => Paused::Nothing,
        }
    }

    /// Somebody has it no more.
    fn leave(&mut self, who: u64, zero: bool) {
        let had = self.has.remove(&who);
        self.asked.remove(&who);
        // Who is giving it back already has said so, and what is there by now may be another one's.
        let is_zeroed =
            |(rights, zero_after): (Option<Rights>, bool)| rights.is_some() && (zero || zero_after);
        self.zero_later |= had.is_some_and(is_zeroed);
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
    /// These pages have these owners, who may do this with them, and nothing has been sent.
    pub fn new(owners: impl Iterator<Item = (u64, u64)>, rights: impl Fn(u64, u64) -> Rights) -> Self {
        let page = |(page, owner)| {
            let rights = rights(page, owner);
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

    /// A transaction, mostly one of those that are meant.
    fn pick(&self, which: u8, is_meant: impl Fn(&Transaction) -> bool) -> Option<usize> {
        let is_live = |which: &usize| self.get(*which).is_some_and(&is_meant);
        let live: Vec<_> = (0..self.sent.len()).filter(is_live).collect();
        match usize::from(which).checked_rem(live.len()) {
            Some(place) if which < 208 => Some(live[place]),
            _ => usize::from(which).checked_rem(self.sent.len()),
        }
    }

    /// A transaction, mostly one that `by` may retrieve.
    pub fn pick_offered(&self, by: u64, which: u8) -> Option<usize> {
        let is_receiver = |one: &Transaction| one.offer.to.iter().any(|(to, _)| *to == by);
        self.pick(which, |one| is_receiver(one) && !one.has.contains_key(&by))
    }

    /// A transaction, mostly one that `by` has.
    pub fn pick_borrowed(&self, by: u64, which: u8) -> Option<usize> {
        self.pick(which, |one| one.has.contains_key(&by))
    }

    /// A transaction, mostly one of `by`.
    pub fn pick_own(&self, by: u64, which: u8) -> Option<usize> {
        self.pick(which, |one| one.owner == by)
    }

    /// A transaction, mostly one that `by` is to go on with.
    pub fn pick_paused(&self, by: u64, which: u8) -> Option<usize> {
        self.pick(which, |one| !matches!(one.paused(by), Paused::Nothing))
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
            Some(one) => one.has.get(&who)?.0,
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

    /// It is sent, as far as it is shown.
    pub fn send(&mut self, by: u64, offer: &Offer, shown: usize, handle: u64) -> usize {
        assert!(self.sent.iter().all(|(known, _)| *known != handle), "a handle is of one transaction");
        let offer = offer.clone();
        let one = Transaction {
            owner: by,
            offer,
            shown,
            has: BTreeMap::new(),
            asked: BTreeMap::new(),
            awaited: false,
            had: BTreeSet::new(),
            zero_later: false,
        };
        self.sent.push((handle, Some(one)));
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

    pub fn retrieve(&mut self, by: u64, which: usize, request: Request) {
        let Some(one) = &mut self.sent[which].1 else { return };
        let Some(rights) = Self::granted(by, one, request) else { return };
        one.has.insert(by, (Some(rights), request.zero_after));
        one.had.insert(by);
        one.asked.remove(&by);
        // Having it back was in vain.
        one.awaited = false;
        if one.offer.kind == Kind::Donate {
            let all = one.pages();
            self.drop(which);
            for (_, page) in self.pages.iter_mut().filter(|(page, _)| all.contains(page)) {
                (page.owner, page.rights) = (by, rights);
            }
        }
    }

    /// It is to go on with what it has asked for.
    pub fn pause_retrieval(&mut self, by: u64, which: usize, request: Request) {
        if let Some(one) = &mut self.sent[which].1 {
            one.asked.insert(by, request);
        }
    }

    /// It is to go on with giving it back; by now it has no access. Who gets it next finds nothing of what was there,
    /// unless somebody has it all the time.
    pub fn pause_return(&mut self, by: u64, which: usize, zero: bool) {
        let Some(one) = &mut self.sent[which].1 else { return };
        let zero_after = one.has.get(&by).is_some_and(|(_, zero_after)| *zero_after);
        one.zero_later |= zero || zero_after;
        one.has.insert(by, (None, false));
        self.settle();
    }

    /// Its owner is to go on with having it back.
    pub fn pause_reclaim(&mut self, which: usize, zero: bool) {
        if zero {
            self.zero(which);
        }
        if let Some(one) = &mut self.sent[which].1 {
            one.awaited = true;
        }
    }

    /// What `by` is to go on with.
    pub fn paused(&self, by: u64, which: usize) -> Paused {
        self.get(which).map_or(Paused::Nothing, |one| one.paused(by))
    }

    pub fn is_complete(&self, which: usize) -> bool {
        self.get(which).is_some_and(Transaction::is_complete)
    }

    pub fn relinquish(&mut self, by: u64, which: usize, zero: bool) {
        if let Some(one) = &mut self.sent[which].1 {
            one.leave(by, zero);
        }
        self.settle();
    }

    pub fn reclaim(&mut self, which: usize, zero: bool) {
        if zero {
            self.zero(which);
        }
        self.drop(which);
    }

    pub fn buffers(&self, who: u64) -> Option<(u64, u64)> {
        self.buffers.get(&who).copied()
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

    /// What nobody can use any more is zeroed, where somebody wanted that, and sent no more, if its owner has ended.
    fn settle(&mut self) {
        for which in 0..self.sent.len() {
            let Some(one) = self.sent[which].1.as_mut() else { continue };
            if one.has.values().any(|(rights, _)| rights.is_some()) {
                continue;
            }
            let (owner, is_left) = (one.owner, one.has.is_empty());
            if std::mem::take(&mut one.zero_later) {
                self.zero(which);
            }
            if is_left && self.has_ended(owner) {
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

    /// Pages that an owner has sent, or that count as a buffer's and are in none of its.
    pub fn used(&self, owner: u64) -> usize {
        let is_buffer = |page: u64| self.buffers(owner).is_some_and(|(tx, rx)| page == tx || page == rx);
        let is_used = |page: u64, one: &Page| one.used != Used::Not && !is_buffer(page);
        self.pages.iter().filter(|(page, one)| one.owner == owner && is_used(**page, one)).count()
    }
}

const _: () = assert!(VM < ECHO, "a VM is of the Normal world");

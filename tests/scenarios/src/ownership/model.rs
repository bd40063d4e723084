//! A simple account of who owns and has which page, written from the specification of memory management (DEN0140): a
//! list of pages and a list of transactions.

use std::collections::BTreeMap;

use super::VM;
use crate::{ECHO, RELAY, code};

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
    /// Receivers, and whether they may write.
    pub to: Vec<(u64, bool)>,
    pub pages: Vec<usize>,
}

/// Whether a page may be written and executed.
type Rights = (bool, bool);

struct Page {
    owner: u64,
    rights: Rights,
    /// The transaction that it is in.
    sent: Option<usize>,
}

struct Transaction {
    owner: u64,
    offer: Offer,
    /// Pages that have arrived.
    shown: usize,
    /// Who has it, and what it may do.
    has: BTreeMap<u64, Rights>,
}

/// All of it.
pub struct Model {
    pages: Vec<Page>,
    /// Every transaction that there ever was, with its handle.
    sent: Vec<(u64, Option<Transaction>)>,
    ended: Vec<u64>,
    each: usize,
}

impl Model {
    /// The Normal world, `echo` and `relay` have `each` pages.
    pub fn new(each: usize) -> Self {
        let owners = [(0, (true, false)), (ECHO, (true, true)), (RELAY, (true, true))];
        let pages = owners.into_iter().flat_map(|(owner, rights)| {
            std::iter::repeat_with(move || Page { owner, rights, sent: None }).take(each)
        });
        Self { pages: pages.collect(), sent: Vec::new(), ended: Vec::new(), each }
    }

    pub fn has_ended(&self, who: u64) -> bool {
        self.ended.contains(&who)
    }

    pub fn count(&self) -> usize {
        self.sent.len()
    }

    /// Transactions whose owner has not ended.
    pub fn sent(&self) -> usize {
        self.live().filter(|(_, one)| !self.has_ended(one.owner)).count()
    }

    fn live(&self) -> impl Iterator<Item = (usize, &Transaction)> {
        self.sent.iter().enumerate().filter_map(|(which, (_, one))| Some((which, one.as_ref()?)))
    }

    /// A transaction, past or present.
    pub fn pick(&self, which: u8) -> Option<usize> {
        usize::from(which).checked_rem(self.sent.len())
    }

    fn get(&self, which: usize) -> Option<&Transaction> {
        self.sent[which].1.as_ref()
    }

    pub fn handle(&self, which: usize) -> u64 {
        self.sent[which].0
    }

    pub fn sender(&self, which: usize) -> Option<u64> {
        self.get(which).map(|one| one.offer.sender)
    }

    pub fn owner(&self, which: usize) -> Option<u64> {
        self.get(which).map(|one| one.owner)
    }

    pub fn borrowers(&self, which: usize) -> Vec<u64> {
        self.get(which).map_or(Vec::new(), |one| one.has.keys().copied().collect())
    }

    pub fn has_several(&self, which: usize) -> bool {
        self.get(which).is_some_and(|one| one.offer.to.len() > 1)
    }

    pub fn has(&self, who: u64, which: usize) -> bool {
        self.get(which).is_some_and(|one| one.has.contains_key(&who))
    }

    /// What `who` may do with a page.
    pub fn rights(&self, who: u64, page: usize) -> Option<Rights> {
        let Page { owner, rights, sent } = self.pages[page];
        let sent = sent.and_then(|which| self.get(which));
        match sent {
            None => (owner == who).then_some(rights),
            Some(one) if owner == who => {
                // A partition keeps its access until all has arrived.
                let keeps = one.offer.kind == Kind::Share || one.shown < one.offer.pages.len();
                keeps.then_some(rights)
            }
            Some(one) => one.has.get(&who).copied(),
        }
    }

    /// Why `by` may not send this, of which so many pages are shown.
    pub fn refusals(&self, by: u64, offer: &Offer, shown: usize) -> Vec<u64> {
        let mut codes = Vec::new();
        let to: Vec<u64> = offer.to.iter().map(|(to, _)| *to).collect();
        let is_twice = to.len() == 2 && to[0] == to[1];
        if is_twice || to.contains(&offer.sender) || offer.kind == Kind::Donate && to.len() != 1 {
            codes.push(code::INVALID);
        }
        let is_partition = |who: &u64| [ECHO, RELAY].contains(who);
        if by != 0 && to.iter().any(|to| !is_partition(to)) || !to.iter().any(is_partition) {
            codes.push(code::DENIED);
        }
        if to.iter().any(|to| self.has_ended(*to)) {
            codes.push(code::ABORTED);
        }
        if !self.are_fit(by, offer, 0..shown) {
            codes.push(code::DENIED);
        }
        codes
    }

    /// Whether these of the offer's pages are the sender's, alike, and all that its receivers are to have.
    fn are_fit(&self, by: u64, offer: &Offer, which: std::ops::Range<usize>) -> bool {
        let (first, writes) = (offer.pages[0], offer.to.iter().any(|(_, write)| *write));
        let world = |page: usize| page < self.each;
        which.into_iter().all(|place| {
            let page = offer.pages[place];
            let Page { owner, rights, sent } = self.pages[page];
            let is_new = !offer.pages[..place].contains(&page);
            let is_alike = rights == self.pages[first].rights && world(page) == world(first);
            let is_enough = rights.0 || !writes && offer.kind != Kind::Donate;
            owner == by && sent.is_none() && is_new && is_alike && is_enough
        })
    }

    /// It is sent, as far as it is shown.
    pub fn send(&mut self, by: u64, offer: &Offer, shown: usize, handle: u64) -> usize {
        assert!(self.sent.iter().all(|(known, _)| *known != handle), "a handle is of one transaction");
        let which = self.sent.len();
        for page in &offer.pages[..shown] {
            self.pages[*page].sent = Some(which);
        }
        let one = Transaction { owner: by, offer: offer.clone(), shown, has: BTreeMap::new() };
        self.sent.push((handle, Some(one)));
        which
    }

    pub fn refusals_of_rest(&self, which: usize) -> Vec<u64> {
        let Some(one) = self.get(which) else { return vec![code::INVALID] };
        let (shown, all) = (one.shown, one.offer.pages.len());
        // Those that are shown are in this very transaction.
        let last = one.offer.pages[all - 1];
        let others = &one.offer.pages[..shown];
        let is_new = self.pages[last].sent.is_none() && !others.contains(&last);
        let Page { owner, rights, .. } = self.pages[last];
        let first = &self.pages[others[0]];
        let is_alike = rights == first.rights && (last < self.each) == (others[0] < self.each);
        if owner == one.owner && is_new && is_alike { Vec::new() } else { vec![code::DENIED] }
    }

    /// All of it has arrived.
    pub fn complete(&mut self, which: usize) {
        let Some(one) = &mut self.sent[which].1 else { return };
        one.shown = one.offer.pages.len();
        for page in one.offer.pages.clone() {
            self.pages[page].sent = Some(which);
        }
    }

    /// It is over, and its pages are their owner's alone.
    pub fn drop(&mut self, which: usize) {
        self.sent[which].1 = None;
        for page in self.pages.iter_mut().filter(|page| page.sent == Some(which)) {
            page.sent = None;
        }
    }

    /// What a receiver gets that asks for this; nothing if it asks for more than there is.
    fn granted(&self, by: u64, one: &Transaction, want: u8, execute: bool) -> Option<Rights> {
        let write = one.offer.to.iter().find(|(to, _)| *to == by)?.1 || one.offer.kind == Kind::Donate;
        let is_secure = one.offer.pages[0] >= self.each;
        let may_execute = one.offer.kind != Kind::Share && one.offer.to.len() == 1 && is_secure;
        if want == 2 && !write || execute && !may_execute {
            return None;
        }
        Some((write && want != 1, execute))
    }

    pub fn refusals_of_retrieval(&self, by: u64, which: usize, want: u8, execute: bool) -> Vec<u64> {
        let Some(one) = self.get(which) else { return vec![code::INVALID] };
        let is_complete = one.shown == one.offer.pages.len();
        if !is_complete || one.offer.to.iter().all(|(to, _)| *to != by) {
            return vec![code::INVALID];
        }
        let is_refused = one.has.contains_key(&by)
            || self.has_ended(one.owner)
            || self.granted(by, one, want, execute).is_none();
        if is_refused { vec![code::DENIED] } else { Vec::new() }
    }

    pub fn retrieve(&mut self, by: u64, which: usize, want: u8, execute: bool) {
        let granted = self.get(which).and_then(|one| self.granted(by, one, want, execute));
        let (Some(rights), Some(one)) = (granted, &mut self.sent[which].1) else { return };
        one.has.insert(by, rights);
        if one.offer.kind == Kind::Donate {
            for page in one.offer.pages.clone() {
                self.pages[page] = Page { owner: by, rights, sent: None };
            }
            self.sent[which].1 = None;
        }
    }

    pub fn relinquish(&mut self, by: u64, which: usize) {
        if let Some(one) = &mut self.sent[which].1 {
            one.has.remove(&by);
        }
        self.drop_orphans();
    }

    pub fn refusals_of_reclaim(&self, by: u64, which: usize) -> Vec<u64> {
        match self.get(which) {
            Some(one) if one.owner != by => vec![code::INVALID],
            Some(one) if !one.has.is_empty() => vec![code::DENIED],
            Some(_) => Vec::new(),
            None => vec![code::INVALID],
        }
    }

    /// A partition ends.
    pub fn end(&mut self, who: u64) {
        self.ended.push(who);
        for (_, one) in &mut self.sent {
            if let Some(one) = one {
                one.has.remove(&who);
            }
        }
        self.drop_orphans();
    }

    /// What an owner that has ended has sent, and nobody has, is sent no more.
    fn drop_orphans(&mut self) {
        let orphans = |(which, one): (usize, &Transaction)| {
            (self.has_ended(one.owner) && one.has.is_empty()).then_some(which)
        };
        for which in self.live().filter_map(orphans).collect::<Vec<_>>() {
            self.drop(which);
        }
    }
}

const _: () = assert!(VM < ECHO, "a VM is of the Normal world");

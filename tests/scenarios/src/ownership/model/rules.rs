//! What may be done, and what is refused with which codes. Where several rules are broken, any of their codes will do.

use std::collections::BTreeSet;
use std::ops::Range;

use super::{Kind, Model, Offer, Page, Request, Rights, Transaction, Used, is_normal, is_partition, pages};
use crate::code;

impl Model {
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
    fn unfit(&self, by: u64, offer: &Offer, which: Range<usize>) -> Vec<u64> {
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

    pub fn refusals_of_rest(&self, which: usize) -> Vec<u64> {
        let Some(one) = self.get(which) else { return vec![code::INVALID] };
        self.unfit(one.owner, &one.offer, one.shown..one.offer.ranges.len())
    }

    /// What a receiver gets that asks for this; nothing if it asks for more than there is.
    pub(super) fn granted(by: u64, one: &Transaction, request: Request) -> Option<Rights> {
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

    pub fn refusals_of_return(&self, by: u64, which: usize, zero: bool) -> Vec<u64> {
        let one = self.get(which);
        let Some((one, (rights, _))) = one.and_then(|one| Some((one, one.has.get(&by)?))) else {
            return vec![code::INVALID];
        };
        match (rights, zero) {
            (Some(_), true) if one.offer.kind == Kind::Share => vec![code::INVALID],
            (Some((false, _)), true) => vec![code::DENIED],
            _ => Vec::new(),
        }
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

    /// Why a hypervisor is not shown a transaction.
    pub fn refusals_of_show(&self, which: usize) -> Vec<u64> {
        let shown = self.get(which).filter(|one| one.is_complete() && one.owner == 0);
        if shown.is_some() { Vec::new() } else { vec![code::INVALID] }
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
}

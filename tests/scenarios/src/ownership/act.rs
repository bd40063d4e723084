//! The calls of a step: what the manager answers is what the account expects.

use manager::hardware::Memory;
use manager::memory::page::Pa;

use super::model::{Haste, Kind, Offer, Paused, Request, pages};
use super::step::Step;
use super::{Run, VM, is_normal, number};
use crate::sharing::{NX, RO, RW, Region, X, relinquishing};
use crate::{ECHO, Pe, Place, RELAY, code, id, pair};

/// Flag of a retrieve request: it does not name other receivers.
const BYPASS: u32 = 1 << 10;
/// Flags of a retrieve request: zeroed before, and when it is given back.
const ZERO: u32 = 1 << 0;
const ZERO_AFTER: u32 = 1 << 2;
/// Flag of calls that take long: it may be paused.
const TIME_SLICE: u32 = 1 << 1;
/// What a call that needs buffers may be refused with where there are none.
const NO_BUFFERS: [u64; 3] = [code::INVALID, code::DENIED, code::BUSY];

/// Where a byte of a buffer lies.
const fn place(address: u64) -> Pa {
    if is_normal(address) { Pa::normal(address) } else { Pa::secure(address) }
}

impl Run {
    /// The PE is with this endpoint; not if that has ended.
    pub(super) fn be(&mut self, who: u64) -> bool {
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

    /// What `by` says is in its TX buffer, if it has one; why the call is refused then, if it is not by what is said.
    fn say(&mut self, by: u64, bytes: &[u8], refusals: Vec<u64>) -> Vec<u64> {
        let Some((tx, _)) = self.model.buffers(by) else { return NO_BUFFERS.to_vec() };
        self.pe.machine.write(place(tx), bytes).expect("there is memory");
        refusals
    }

    /// The call's answer is `function`, or a refusal that the account expects. Whether it was done.
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

    pub(super) fn offer(&mut self, by: u64, offer: &Offer, half: bool) -> bool {
        if !self.be(by) {
            return false;
        }
        let shown = offer.ranges.len() - usize::from(half);
        let says_attributes = offer.kind == Kind::Share || offer.to.len() > 1;
        let permissions = |write| match (offer.kind, write) {
            (Kind::Donate, _) => 0,
            (_, true) => RW,
            (_, false) => RO,
        };
        let region = Region {
            attributes: if says_attributes { 0x2F } else { 0 },
            flags: if offer.zero { ZERO } else { 0 },
            receivers: offer.to.iter().map(|(to, write)| (*to, permissions(*write), [0; 2])).collect(),
            ..Region::new(offer.sender, 0, 0, &offer.ranges)
        };
        let bytes = region.to_bytes();
        let here = if half { bytes.len() - 16 } else { bytes.len() };
        let refusals = self.model.refusals(by, offer, shown);
        let refusals = self.say(by, &bytes[..here], refusals);
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

    /// The last fragment: from another sender (`odd` 0), too long (1), or not all of it (2), or as it has to be.
    pub(super) fn rest(&mut self, by: u64, odd: u8) -> bool {
        if !self.be(by) {
            return false;
        }
        let Some((which, bytes)) = self.rest[number(by)].clone() else { return false };
        let handle = self.model.handle(which);
        let sender = self.model.offer(which).map(|offer| offer.sender).filter(|sender| *sender == VM);
        let length = bytes.len() as u64;
        let (length, sender) = match odd {
            0 => (length, sender.unwrap_or(0) + 1),
            1 => (length + 16, sender.unwrap_or(0)),
            2 => (length - 8, sender.unwrap_or(0)),
            _ => (length, sender.unwrap_or(0)),
        };
        let refusals = if odd < 3 { vec![code::INVALID] } else { self.model.refusals_of_rest(which) };
        let refusals = self.say(by, &bytes, refusals);
        self.pe.act(&[id::MEM_FRAG_TX, handle & 0xFFFF_FFFF, handle >> 32, length, sender << 16]);
        let is_done = self.judge(id::SUCCESS, &refusals);
        if self.model.buffers(by).is_none() || odd < 2 {
            return is_done;
        }
        self.rest[number(by)] = None;
        if is_done {
            self.model.complete(which);
        } else {
            // What is refused as a whole is dropped; by that, nothing is anybody else's.
            self.model.drop(which);
        }
        is_done
    }

    /// The call about this transaction goes on until it is done, or is left. Whether it is left.
    fn go_on(&mut self, which: usize, haste: Haste) -> bool {
        let handle = self.model.handle(which);
        let [low, high] = [handle & 0xFFFF_FFFF, handle >> 32];
        while self.pe.low()[0] == id::MEM_OP_PAUSE {
            assert_ne!(haste, Haste::AtOnce, "nobody allowed it");
            assert_eq!(self.pe.low(), [id::MEM_OP_PAUSE, low, high, 0, 0, 0, 0, 0]);
            if haste == Haste::Left {
                return true;
            }
            self.pe.act(&[id::MEM_OP_RESUME, low, high]);
        }
        false
    }

    /// Somebody goes on with what it was told to resume.
    pub(super) fn resume(&mut self, by: u64, which: u8, haste: Haste) -> bool {
        let Some(which) = self.model.pick_paused(by, which).filter(|_| self.be(by)) else { return false };
        let handle = self.model.handle(which);
        self.pe.act(&[id::MEM_OP_RESUME, handle & 0xFFFF_FFFF, handle >> 32]);
        match self.model.paused(by, which) {
            Paused::Nothing => self.judge(id::SUCCESS, &[code::INVALID]),
            Paused::Retrieval(request) => {
                // What was agreed on then is not agreed on anew.
                let anew = Request { zero: false, zero_after: false, ..request };
                let mut refusals = self.model.refusals_of_retrieval(by, which, anew);
                if self.model.buffers(by).is_none() {
                    // Nothing can be answered.
                    refusals = vec![code::INVALID, code::DENIED];
                }
                self.retrieved(by, which, request, haste, &refusals)
            }
            Paused::Return => self.relinquished(by, which, false, haste, &[]),
            Paused::Reclaim => {
                let refusals = self.model.refusals_of_reclaim(by, which, false);
                self.reclaimed(which, false, haste, &refusals)
            }
        }
    }

    pub(super) fn retrieve(
        &mut self,
        by: u64,
        which: u8,
        mut request: Request,
        (all, odd): (bool, u8),
        haste: Haste,
    ) -> bool {
        let Some(which) = self.model.pick_offered(by, which) else { return false };
        if self.model.offer(which).is_some_and(|offer| offer.kind == Kind::Donate) {
            // It is not to be given back.
            request.zero_after = false;
        }
        self.ask(by, which, request, (all, odd), haste)
    }

    /// A sound request.
    pub(super) fn retrieve_this(&mut self, by: u64, which: usize, request: Request) -> bool {
        self.ask(by, which, request, (true, Step::ODD), Haste::AtOnce)
    }

    fn ask(&mut self, by: u64, which: usize, request: Request, (all, odd): (bool, u8), haste: Haste) -> bool {
        if !self.be(by) {
            return false;
        }
        let instructions = if request.execute { X } else { NX };
        let sender = self.model.offer(which).map_or(0, |offer| offer.sender);
        let own = (by, request.want | instructions, [0; 2]);
        let to = self.model.offer(which).map_or(Vec::new(), |offer| offer.to.clone());
        let several = to.len() > 1;
        let mut region = Region { handle: self.model.handle(which), ..Region::new(sender, by, own.1, &[]) };
        if several && all && to.iter().any(|(to, _)| *to == by) {
            let others = to.iter().map(|(to, _)| if *to == by { own } else { (*to, RO, [0; 2]) });
            region.receivers = others.collect();
        } else if several {
            region.flags |= BYPASS;
        }
        region.flags |= if request.zero { ZERO } else { 0 }
            | if request.zero_after { ZERO_AFTER } else { 0 }
            | slices(haste);
        let refusals = if odd < Step::ODD {
            spoil(&mut region, by, odd);
            vec![code::INVALID, code::DENIED]
        } else {
            self.model.refusals_of_retrieval(by, which, request)
        };
        let bytes = region.to_bytes();
        let refusals = self.say(by, &bytes, refusals);
        let length = bytes.len() as u64;
        self.pe.act(&[id::MEM_RETRIEVE_REQ, length, length]);
        self.retrieved(by, which, request, haste, &refusals)
    }

    fn retrieved(&mut self, by: u64, which: usize, request: Request, haste: Haste, refusals: &[u64]) -> bool {
        if self.go_on(which, haste) {
            assert_eq!(refusals, []);
            self.model.pause_retrieval(by, which, request);
            return true;
        }
        let is_done = self.judge(id::MEM_RETRIEVE_RESP, refusals);
        if is_done {
            self.read_response(by, which);
            let offer = self.model.offer(which).cloned();
            self.model.retrieve(by, which, request);
            // What it writes is to be seen by nobody who must not.
            let all = offer.iter().flat_map(|offer| offer.ranges.clone()).flat_map(pages);
            all.for_each(|page| {
                self.write(by, page);
            });
        }
        is_done
    }

    /// What is in RX names the ranges that were sent; it is released.
    fn read_response(&mut self, by: u64, which: usize) {
        let [_, total, length, ..] = self.pe.low();
        assert_eq!(total, length, "so few ranges are there at once");
        let (_, rx) = self.model.buffers(by).expect("it was told something");
        let sent = self.model.offer(which).map_or(Vec::new(), |offer| offer.ranges.clone());
        let mut found = Vec::new();
        for range in 0..sent.len() as u64 {
            let mut bytes = [0; 16];
            let behind = (sent.len() as u64 - range) * 16;
            self.pe.machine.read(place(rx + length - behind), &mut bytes).expect("there is memory");
            let value = u128::from_le_bytes(bytes);
            found.push((value as u64, (value >> 64) as u32));
        }
        assert_eq!(found, sent, "it is told of what was sent");
        self.pe.done(&[id::RX_RELEASE]);
    }

    pub(super) fn relinquish(&mut self, by: u64, which: u8, zero: bool, haste: Haste) -> bool {
        let Some(which) = self.model.pick_borrowed(by, which) else { return false };
        self.give_back(by, which, zero, haste)
    }

    pub(super) fn relinquish_this(&mut self, by: u64, which: usize) -> bool {
        self.give_back(by, which, false, Haste::AtOnce)
    }

    fn give_back(&mut self, by: u64, which: usize, zero: bool, haste: Haste) -> bool {
        if !self.be(by) {
            return false;
        }
        let refusals = self.model.refusals_of_return(by, which, zero);
        let said = relinquishing(self.model.handle(which), u32::from(zero) | slices(haste), by);
        let refusals = self.say(by, &said, refusals);
        self.pe.act(&[id::MEM_RELINQUISH]);
        self.relinquished(by, which, zero, haste, &refusals)
    }

    fn relinquished(&mut self, by: u64, which: usize, zero: bool, haste: Haste, refusals: &[u64]) -> bool {
        if self.go_on(which, haste) {
            assert_eq!(refusals, []);
            self.model.pause_return(by, which, zero);
            return true;
        }
        let is_done = self.judge(id::SUCCESS, refusals);
        if is_done {
            self.model.relinquish(by, which, zero);
        }
        is_done
    }

    pub(super) fn reclaim(&mut self, by: u64, which: u8, zero: bool, haste: Haste) -> bool {
        let Some(which) = self.model.pick_own(by, which) else { return false };
        // While it has access yet, nothing is to be seen of how it goes.
        let haste = if self.model.is_complete(which) { haste } else { Haste::AtOnce };
        self.have_back(by, which, zero, haste)
    }

    pub(super) fn reclaim_this(&mut self, by: u64, which: usize) -> bool {
        self.have_back(by, which, false, Haste::AtOnce)
    }

    fn have_back(&mut self, by: u64, which: usize, zero: bool, haste: Haste) -> bool {
        if !self.be(by) {
            return false;
        }
        let flags = u32::from(zero) | slices(haste);
        self.pe.act(&Pe::reclaiming(self.model.handle(which), flags.into()));
        let refusals = self.model.refusals_of_reclaim(by, which, zero);
        self.reclaimed(which, zero, haste, &refusals)
    }

    fn reclaimed(&mut self, which: usize, zero: bool, haste: Haste, refusals: &[u64]) -> bool {
        if self.go_on(which, haste) {
            assert_eq!(refusals, []);
            self.model.pause_reclaim(which, zero);
            return true;
        }
        let is_done = self.judge(id::SUCCESS, refusals);
        if is_done {
            self.model.reclaim(which, zero);
        }
        is_done
    }

    /// The hypervisor asks what was sent; nothing changes by that.
    pub(super) fn show(&mut self, which: u8) -> bool {
        let Some(which) = self.model.pick_own(0, which) else { return false };
        self.be(0);
        let handle = self.model.handle(which);
        let region = Region { handle, tag: 0, receivers: Vec::new(), ..Region::new(0, 0, 0, &[]) };
        let bytes = region.to_bytes();
        let refusals = self.model.refusals_of_show(which);
        let refusals = self.say(0, &bytes, refusals);
        let length = bytes.len() as u64;
        self.pe.act(&[id::MEM_RETRIEVE_REQ, length, length]);
        if self.judge(id::MEM_RETRIEVE_RESP, &refusals) {
            self.read_response(0, which);
        }
        false
    }

    /// It has other buffers, of a page each; those of the beginning, or none, if these cannot be.
    pub(super) fn buffers(&mut self, by: u64, pair: (u64, u64), keep: bool) -> bool {
        if !self.be(by) {
            return false;
        }
        if self.model.buffers(by).is_some() {
            self.pe.refused(&[id::RXTX_MAP, pair.0, pair.1, 1], code_of_second_map(pair));
            self.pe.done(&[id::RXTX_UNMAP]);
            self.model.map(by, None);
        }
        let refusals = self.model.refusals_of_buffers(by, pair);
        self.pe.act(&[id::RXTX_MAP, pair.0, pair.1, 1]);
        let is_done = self.judge(id::SUCCESS, &refusals);
        if is_done {
            self.model.map(by, Some(pair));
        } else if !keep {
            self.buffers_of_old(by);
        }
        is_done
    }

    /// It has the buffers of the beginning.
    pub(super) fn buffers_of_old(&mut self, by: u64) {
        if !self.be(by) {
            return;
        }
        if self.model.buffers(by).is_some() {
            self.pe.done(&[id::RXTX_UNMAP]);
        }
        self.pe.map(1);
        self.model.map(by, Some((self.pe.tx().address, self.pe.rx().address)));
    }
}

/// The flag of a call that may be paused.
fn slices(haste: Haste) -> u32 {
    if haste == Haste::AtOnce { 0 } else { TIME_SLICE }
}

/// Who has buffers can have no others; pages that overlap can never be buffers.
const fn code_of_second_map((tx, rx): (u64, u64)) -> u64 {
    if tx == rx { code::INVALID } else { code::DENIED }
}

/// Something is wrong with a request.
fn spoil(region: &mut Region, by: u64, odd: u8) {
    let own = region.receivers.iter().position(|(to, ..)| *to == by).unwrap_or(0);
    match odd % Step::ODD {
        0 => region.tag += 1,
        1 => region.sender = if region.sender == VM { 0 } else { VM },
        2 => region.handle ^= 1 << 40,
        3 => region.flags |= 1 << 11,
        4 => region.receivers[own].1 |= 0xF,
        5 => region.receivers.push((if region.receivers[0].0 == ECHO { RELAY } else { ECHO }, RO, [0; 2])),
        6 => region.receivers.push(region.receivers[own]),
        _ => region.attributes = 0x40,
    }
}

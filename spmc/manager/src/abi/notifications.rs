//! Registers of the notification calls (FF-A 1.2, chapter 16).

use arm_ffa::FuncId;

use super::{answer, word};
use crate::endpoint::EndpointId;
use crate::exit::Frame;

/// The bitmap in two 32-bit registers from `first` on, low word first.
#[must_use]
pub fn bitmap(frame: &Frame, first: usize) -> u64 {
    u64::from(word(frame, first)) | u64::from(word(frame, first + 1)) << 32
}

/// What FFA_NOTIFICATION_GET gives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Notified {
    /// From partitions.
    pub partitions: u64,
    /// From endpoints of the Normal world.
    pub normal: u64,
    /// RX holds a message from a partition.
    pub message_of_partition: bool,
    /// RX holds a message from the Normal world.
    pub message_of_normal: bool,
    /// An RX buffer is free for which a message was refused.
    pub rx_free: bool,
}

/// Framework notification: RX holds a message (FF-A 1.2, 10.8).
const RX_FULL: u64 = 1 << 0;
/// Framework notification of this SPMC: RX of a receiver that was busy is free. FF-A's own grow from bit 0.
const RX_FREE: u64 = 1 << 31;

/// The answer of FFA_NOTIFICATION_GET.
pub fn notified(frame: &mut Frame, notified: &Notified) {
    let halves = |bits: u64| [bits & 0xFFFF_FFFF, bits >> 32];
    let flag = |is_set: bool, bit: u64| if is_set { bit } else { 0 };
    let [w2, w3] = halves(notified.partitions);
    let [w4, w5] = halves(notified.normal);
    let w6 = flag(notified.message_of_partition, RX_FULL) | flag(notified.rx_free, RX_FREE);
    let w7 = flag(notified.message_of_normal, RX_FULL);
    answer(frame, [FuncId::Success32 as u64, 0, w2, w3, w4, w5, w6, w7]);
}

/// The answer of FFA_NOTIFICATION_INFO_GET in the making: lists of ids, each of an endpoint and of up to three of its
/// contexts (FF-A 1.2, 16.7.1).
#[derive(Debug)]
pub struct Waiting {
    function: FuncId,
    /// As many ids as the registers hold.
    ids: heapless::Vec<u16, 20>,
    capacity: usize,
    /// For each list, how many contexts it names.
    contexts: heapless::Vec<u8, 20>,
    /// Whose the last list is, while it can take another context.
    last: Option<EndpointId>,
}

/// The most contexts that a list names.
const LIST_CONTEXTS: u8 = 3;

impl Waiting {
    /// For the 32-bit call: two ids in each of w3-w7.
    #[must_use]
    pub const fn of_32_bits() -> Self {
        Self::new(FuncId::Success32, 10)
    }

    /// For the 64-bit call: four ids in each of x3-x7.
    #[must_use]
    pub const fn of_64_bits() -> Self {
        Self::new(FuncId::Success64, 20)
    }

    const fn new(function: FuncId, capacity: usize) -> Self {
        Self { function, ids: heapless::Vec::new(), capacity, contexts: heapless::Vec::new(), last: None }
    }

    /// Adds that something waits for an endpoint as a whole. Whether there was room.
    #[must_use]
    pub fn add(&mut self, endpoint: EndpointId) -> bool {
        self.last = None;
        self.begin(endpoint, 1)
    }

    /// Adds that something waits for a context of an endpoint. Whether there was room.
    #[must_use]
    pub fn add_context(&mut self, endpoint: EndpointId, context: u16) -> bool {
        let is_open = self.last == Some(endpoint)
            && self.contexts.last().is_some_and(|contexts| *contexts < LIST_CONTEXTS);
        if is_open && self.ids.len() == self.capacity || !is_open && !self.begin(endpoint, 2) {
            return false;
        }
        self.last = Some(endpoint);
        if let Some(contexts) = self.contexts.last_mut() {
            *contexts += 1;
        }
        self.ids.push(context).is_ok()
    }

    /// Begins a list of `length` ids.
    fn begin(&mut self, endpoint: EndpointId, length: usize) -> bool {
        self.ids.len() + length <= self.capacity
            && self.ids.push(endpoint.get()).is_ok()
            && self.contexts.push(0).is_ok()
    }

    /// Whether there is nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// Answers with it; `more` says that there was not room for everything.
    pub fn answer(&self, frame: &mut Frame, more: bool) {
        let counts = self.contexts.iter().zip(0..);
        let counts = counts.fold(0, |all, (contexts, list)| all | u64::from(*contexts) << (12 + 2 * list));
        answer(
            frame,
            [self.function as u64, 0, counts | (self.contexts.len() as u64) << 7 | u64::from(more)],
        );
        let in_register = self.capacity / 5;
        for (register, ids) in frame.x[3..8].iter_mut().zip(self.ids.chunks(in_register)) {
            *register = ids.iter().rev().fold(0, |all, id| all << 16 | u64::from(*id));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: EndpointId = EndpointId::new(0x8001);
    const B: EndpointId = EndpointId::new(0x8002);

    fn answered(waiting: &Waiting, more: bool) -> [u64; 8] {
        let mut frame = Frame { x: [9; 18] };
        waiting.answer(&mut frame, more);
        frame.x[..8].try_into().unwrap()
    }

    #[test]
    fn lists_name_an_endpoint_and_up_to_three_contexts() {
        let mut waiting = Waiting::of_64_bits();
        assert!(waiting.is_empty());
        assert!(waiting.add(A));
        assert!([0, 1, 2, 3].into_iter().all(|context| waiting.add_context(A, context)));
        assert!(waiting.add_context(B, 7));
        assert!(waiting.add(B));
        // Lists: A; A 0 1 2; A 3; B 7; B.
        let x2 = 3 << 14 | 1 << 16 | 1 << 18 | 5 << 7;
        let x3 = 0x0001_0000_8001_8001;
        let x4 = 0x8002_0003_8001_0002;
        assert_eq!(answered(&waiting, false), [0xC400_0061, 0, x2, x3, x4, 0x8002_0007, 0, 0]);
        assert_eq!(answered(&waiting, true)[2], x2 | 1);
    }

    #[test]
    fn a_32_bit_answer_has_ten_ids_and_a_list_is_not_cut() {
        let mut waiting = Waiting::of_32_bits();
        assert!((0..4).all(|_| waiting.add(A)));
        assert!([0, 1, 2].into_iter().all(|context| waiting.add_context(A, context)));
        assert!(waiting.add(B));
        assert!(!waiting.add_context(B, 1), "one id is left, and it needs two");
        assert!(waiting.add(B) && !waiting.add(B));
        let w3 = 0x8001_8001;
        assert_eq!(
            answered(&waiting, true),
            [0x8400_0061, 0, 3 << 20 | 7 << 7 | 1, w3, w3, 0x0000_8001, 0x0002_0001, 0x8002_8002]
        );
    }

    #[test]
    fn an_open_list_takes_no_context_beyond_the_last_id() {
        let mut waiting = Waiting::of_32_bits();
        assert!((0..8).all(|_| waiting.add(A)));
        assert!(waiting.add_context(B, 0));
        assert!(!waiting.add_context(B, 1));
    }
}

//! Indirect messages: what a sender puts into its TX buffer, and what lies in a receiver's RX buffer.

use manager::hardware::Memory;
use manager::memory::page::Pa;

use crate::{Pe, Place, id, pair};

/// Bytes of a header from FF-A 1.2 on.
pub const HEADER: u32 = 40;
/// Bytes of a header before FF-A 1.2.
pub const HEADER_1_1: u32 = 20;

/// A message's header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Flags: reserved.
    pub flags: u32,
    /// Where the payload begins.
    pub offset: u32,
    /// Who receives.
    pub receiver: u64,
    /// Who sends.
    pub sender: u64,
    /// Bytes of the payload.
    pub size: u32,
    /// The service that it is for.
    pub uuid: u128,
}

impl Header {
    /// Of a message with a payload of `size` bytes behind a header of FF-A 1.2.
    #[must_use]
    pub const fn new(sender: u64, receiver: u64, size: u32) -> Self {
        Self { flags: 0, offset: HEADER, receiver, sender, size, uuid: 0 }
    }

    /// As it lies in a buffer.
    #[must_use]
    pub fn to_bytes(self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for word in [self.flags, 0, self.offset, (self.sender << 16 | self.receiver) as u32, self.size, 0] {
            bytes.extend(word.to_le_bytes());
        }
        bytes.extend(self.uuid.to_be_bytes());
        bytes
    }
}

impl Pe {
    /// The id of whoever is on this PE.
    #[must_use]
    pub fn own_id(&self) -> u64 {
        match self.place() {
            Place::Normal => 0,
            Place::Partition((partition, _)) => partition,
        }
    }

    /// It puts a message into its TX buffer.
    pub fn write(&mut self, header: &Header, payload: &[u8]) {
        let tx = self.tx();
        self.write_at(tx, header, payload);
    }

    /// A message is put into the buffer at `tx`.
    ///
    /// # Panics
    /// If there is no memory.
    pub fn write_at(&mut self, tx: Pa, header: &Header, payload: &[u8]) {
        self.machine.write(tx, &header.to_bytes()).expect("a buffer lies in memory");
        let inside = Pa { address: tx.address + u64::from(header.offset), ..tx };
        self.machine.write(inside, payload).expect("a buffer lies in memory");
    }

    /// It sends a message to `receiver`.
    #[track_caller]
    pub fn post(&mut self, receiver: u64, payload: &[u8]) {
        let header = Header::new(self.own_id(), receiver, payload.len() as u32);
        self.write(&header, payload);
        assert_eq!(self.done(&[id::SEND2]), [id::SUCCESS, 0, 0, 0, 0, 0, 0, 0]);
    }

    /// As [`Pe::post`], but it is refused with this code.
    #[track_caller]
    pub fn post_refused(&mut self, receiver: u64, payload: &[u8], code: u64) {
        let header = Header::new(self.own_id(), receiver, payload.len() as u32);
        self.write(&header, payload);
        self.refused(&[id::SEND2], code);
    }

    /// It finds this message in its RX buffer.
    #[track_caller]
    pub fn expect_message(&mut self, sender: u64, payload: &[u8]) {
        let header = Header::new(sender, self.own_id(), payload.len() as u32);
        let found = self.received(HEADER as usize + payload.len());
        assert_eq!(found, [&header.to_bytes(), payload].concat());
    }

    /// It takes the notification that its RX buffer is full, of whichever kind, finds this message there, and gives the
    /// buffer back.
    #[track_caller]
    pub fn receive(&mut self, sender: u64, payload: &[u8]) {
        let from_partition = u64::from(sender >= 0x8000);
        let got = self.done(&[id::GET, pair(0, self.own_id()), 0b1100]);
        assert_eq!(got[2..], [0, 0, 0, 0, from_partition, 1 - from_partition]);
        self.expect_message(sender, payload);
        self.done(&[id::RX_RELEASE]);
    }
}

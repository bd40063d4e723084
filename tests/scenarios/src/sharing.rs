//! Memory transactions: what senders and retrievers put into their TX buffers, and what retrievers find.

use manager::memory::page::{Attributes, Ownership, Pa};
use manager::order::Holding;

use crate::{ECHO, Pe, RELAY, V1_1, V1_2, World, id, pair};

/// Data access: read-only.
pub const RO: u8 = 1;
/// Data access: read and write.
pub const RW: u8 = 2;
/// Instruction access: never.
pub const NX: u8 = 1 << 2;
/// Instruction access: allowed.
pub const X: u8 = 2 << 2;

/// A descriptor of a memory transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Region {
    /// The FF-A version whose layout it has.
    pub version: u64,
    /// Who owns the memory.
    pub sender: u64,
    /// Attributes.
    pub attributes: u16,
    /// Flags.
    pub flags: u32,
    /// Handle.
    pub handle: u64,
    /// Tag.
    pub tag: u64,
    /// Receivers: id, permissions, and the values that they agreed on with the sender.
    pub receivers: Vec<(u64, u8, [u64; 2])>,
    /// Ranges: address and pages. None in a request.
    pub ranges: Vec<(u64, u32)>,
}

impl Region {
    /// For one receiver, in the layout of FF-A 1.2.
    #[must_use]
    pub fn new(sender: u64, receiver: u64, permissions: u8, ranges: &[(u64, u32)]) -> Self {
        Self {
            version: V1_2,
            sender,
            attributes: 0,
            flags: 0,
            handle: 0,
            tag: 0x7A67,
            receivers: vec![(receiver, permissions, [0; 2])],
            ranges: ranges.to_vec(),
        }
    }

    /// The attributes that a sender who shares has to give.
    #[must_use]
    pub fn shared(self) -> Self {
        Self { attributes: 0x2F, ..self }
    }

    /// What a receiver asks for, of this handle.
    #[must_use]
    pub fn request(&self, handle: u64) -> Self {
        Self { attributes: 0, flags: 0, handle, ranges: Vec::new(), ..self.clone() }
    }

    /// Bytes of the header, and of an access descriptor.
    const fn sizes(&self) -> (usize, usize) {
        match self.version {
            V1_2 => (48, 32),
            V1_1 => (48, 16),
            _ => (32, 16),
        }
    }

    /// Where the composite memory region descriptor is.
    #[must_use]
    pub fn composite(&self) -> usize {
        let (header, access) = self.sizes();
        header + access * self.receivers.len()
    }

    /// As it lies in a buffer.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let (header, access) = self.sizes();
        let composite = self.composite();
        let mut bytes = Vec::new();
        bytes.extend((self.sender as u16).to_le_bytes());
        bytes.extend(self.attributes.to_le_bytes());
        bytes.extend(self.flags.to_le_bytes());
        bytes.extend(self.handle.to_le_bytes());
        bytes.extend(self.tag.to_le_bytes());
        let count = self.receivers.len() as u32;
        if self.version >= V1_1 {
            // Without receivers, nothing is said of them.
            let (size, offset) = if count == 0 { (0, 0) } else { (access as u32, header as u32) };
            for word in [size, count, offset, 0, 0, 0] {
                bytes.extend(word.to_le_bytes());
            }
        } else {
            bytes.extend(0_u32.to_le_bytes());
            bytes.extend(count.to_le_bytes());
        }
        for (receiver, permissions, private) in &self.receivers {
            let begin = bytes.len();
            bytes.extend((*receiver as u16).to_le_bytes());
            bytes.extend([*permissions, 0]);
            let offset = if self.ranges.is_empty() { 0 } else { composite as u32 };
            bytes.extend(offset.to_le_bytes());
            if self.version >= V1_2 {
                private.iter().for_each(|word| bytes.extend(word.to_le_bytes()));
            }
            bytes.resize(begin + access, 0);
        }
        if !self.ranges.is_empty() {
            let pages: u32 = self.ranges.iter().map(|(_, pages)| pages).sum();
            for word in [pages, self.ranges.len() as u32, 0, 0] {
                bytes.extend(word.to_le_bytes());
            }
        }
        for (address, pages) in &self.ranges {
            bytes.extend(address.to_le_bytes());
            bytes.extend(pages.to_le_bytes());
            bytes.extend([0; 4]);
        }
        bytes
    }
}

/// FFA_MEM_RELINQUISH by one endpoint, as it lies in a buffer.
#[must_use]
pub fn relinquishing(handle: u64, flags: u32, endpoint: u64) -> Vec<u8> {
    let mut bytes = handle.to_le_bytes().to_vec();
    bytes.extend(flags.to_le_bytes());
    bytes.extend(1_u32.to_le_bytes());
    bytes.extend((endpoint as u16).to_le_bytes());
    bytes
}

/// A handle as two registers have it.
const fn words(handle: u64) -> [u64; 2] {
    [handle & 0xFFFF_FFFF, handle >> 32]
}

impl Pe {
    /// In the Normal world, of this version, after the boot: it, `echo` and `relay` get buffers of a page.
    #[must_use]
    pub fn ready_to_share(mut self, version: u64) -> Self {
        self.normal_version(version);
        self.map(1);
        for partition in [ECHO, RELAY] {
            self.normal(&[id::RUN, pair(partition, 0)]);
            self.map(1);
            self.call(&[id::MSG_WAIT]);
        }
        self
    }

    /// Registers of a call of `function` with this descriptor, which is put into the TX buffer of whoever is here.
    pub fn with_region(&mut self, function: u64, region: &Region) -> [u64; 3] {
        let bytes = region.to_bytes();
        self.send(&bytes);
        [function, bytes.len() as u64, bytes.len() as u64]
    }

    /// It shares, lends or donates memory: the handle.
    #[track_caller]
    pub fn offer(&mut self, function: u64, region: &Region) -> u64 {
        let call = self.with_region(function, region);
        let [_, _, low, high, ..] = self.done(&call);
        high << 32 | low
    }

    /// As [`Pe::offer`], but it is refused with this code.
    #[track_caller]
    pub fn offer_refused(&mut self, function: u64, region: &Region, code: u64) {
        let call = self.with_region(function, region);
        self.refused(&call, code);
    }

    /// The partition here retrieves memory: the response, which is in its RX buffer as a whole. RX is released.
    #[track_caller]
    pub fn retrieve(&mut self, request: &Region) -> Vec<u8> {
        let call = self.with_region(id::MEM_RETRIEVE_REQ, request);
        let here = self.place();
        assert_eq!(self.act(&call), here);
        let [function, total, length, ..] = self.low();
        assert_eq!((function, total), (id::MEM_RETRIEVE_RESP, length), "{:x?}", self.low());
        let response = self.received(length as usize);
        self.done(&[id::RX_RELEASE]);
        response
    }

    /// It gives memory back.
    #[track_caller]
    pub fn relinquish(&mut self, handle: u64, flags: u32) {
        self.send(&relinquishing(handle, flags, self.own_id()));
        self.done(&[id::MEM_RELINQUISH]);
    }

    /// Its giving memory back is refused with this code.
    #[track_caller]
    pub fn relinquish_refused(&mut self, handle: u64, flags: u32, code: u64) {
        self.send(&relinquishing(handle, flags, self.own_id()));
        self.refused(&[id::MEM_RELINQUISH], code);
    }

    /// Registers of FFA_MEM_RECLAIM.
    #[must_use]
    pub const fn reclaiming(handle: u64, flags: u64) -> [u64; 4] {
        let [low, high] = words(handle);
        [id::MEM_RECLAIM, low, high, flags]
    }
}

impl World {
    /// What a page of a partition is to it.
    #[must_use]
    pub fn page(&self, partition: u64, address: Pa) -> Option<(Attributes, Ownership)> {
        let found = self.spmc.partitions().find(|one| u64::from(one.id().get()) == partition)?;
        let mut held = Holding::nothing();
        let (spaces, _held) = found.spaces().lock(&mut held);
        let mapping = spaces.of(address.space).walk(address.address)?;
        Some((mapping.attributes, mapping.ownership))
    }
}

//! The header of a message of FFA_MSG_SEND2 (FF-A 1.2, 7.4).

use uuid::Uuid;
use zerocopy::little_endian::{U16, U32};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::V1_2;
use crate::endpoint::EndpointId;

/// Table 7.2: partition message header. Before FF-A 1.2 it ends with the size.
#[derive(FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
struct Layout {
    flags: U32,
    reserved_0: U32,
    offset: U32,
    receiver: U16,
    sender: U16,
    size: U32,
    reserved_1: U32,
    uuid: [u8; 16],
}

/// Bytes of the longest header.
pub const MESSAGE_HEADER_SIZE: usize = size_of::<Layout>();

/// A message's header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MessageHeader {
    /// Who sends.
    pub sender: EndpointId,
    /// Who receives.
    pub receiver: EndpointId,
    /// The service that it is for; nil for none, as before FF-A 1.2.
    pub uuid: Uuid,
    /// Bytes of the header itself.
    pub length: u64,
    /// Where the payload begins, counted from the start of the buffer.
    pub offset: u64,
    /// Bytes of the payload.
    pub size: u64,
}

impl MessageHeader {
    /// The header that a sender of this version has written; `bytes` is nobody's to change.
    #[must_use]
    pub fn parse(bytes: &[u8; MESSAGE_HEADER_SIZE], version: u32) -> Self {
        let layout: &Layout = zerocopy::transmute_ref!(bytes);
        let knows_uuid = version >= V1_2;
        Self {
            sender: EndpointId::new(layout.sender.get()),
            receiver: EndpointId::new(layout.receiver.get()),
            uuid: if knows_uuid { Uuid::from_bytes(layout.uuid) } else { Uuid::nil() },
            length: if knows_uuid { size_of::<Layout>() } else { core::mem::offset_of!(Layout, reserved_1) }
                as u64,
            offset: layout.offset.get().into(),
            size: layout.size.get().into(),
        }
    }

    /// As it lies in the receiver's buffer, reserved fields being zero; only the first [`Self::length`] bytes count.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; MESSAGE_HEADER_SIZE] {
        zerocopy::transmute!(Layout {
            flags: U32::ZERO,
            reserved_0: U32::ZERO,
            offset: U32::new(self.offset as u32),
            receiver: U16::new(self.receiver.get()),
            sender: U16::new(self.sender.get()),
            size: U32::new(self.size as u32),
            reserved_1: U32::ZERO,
            uuid: self.uuid.into_bytes(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::abi::V1_1;

    #[test]
    fn a_header_has_the_form_of_its_senders_version() {
        let mut bytes = [0; MESSAGE_HEADER_SIZE];
        bytes[..4].copy_from_slice(&[1; 4]);
        bytes[8] = 40;
        bytes[12..16].copy_from_slice(&[0x02, 0x80, 0x01, 0x80]);
        bytes[16..20].copy_from_slice(&0x1234_u32.to_le_bytes());
        bytes[20..].copy_from_slice(&[7; 20]);
        let new = MessageHeader::parse(&bytes, V1_2);
        let old = MessageHeader::parse(&bytes, V1_1);
        let expected = MessageHeader {
            sender: EndpointId::new(0x8001),
            receiver: EndpointId::new(0x8002),
            uuid: Uuid::from_bytes([7; 16]),
            length: 40,
            offset: 40,
            size: 0x1234,
        };
        assert_eq!(new, expected);
        assert_eq!(old, MessageHeader { uuid: Uuid::nil(), length: 20, ..expected });
        bytes[..4].fill(0);
        bytes[20..24].fill(0);
        assert_eq!(new.to_bytes(), bytes);
    }
}

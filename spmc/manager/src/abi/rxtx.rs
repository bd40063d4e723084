//! The endpoint RX/TX descriptor: a hypervisor registers the buffers of a VM by it (FF-A 1.2, 13.5.2).

use zerocopy::little_endian::{U16, U32, U64};
use zerocopy::{FromBytes, Immutable, KnownLayout};

use crate::endpoint::EndpointId;

/// Table 13.27: endpoint RX/TX descriptor. The offsets of the two regions count from its start.
#[derive(FromBytes, Immutable, KnownLayout)]
#[repr(C)]
struct Header {
    endpoint: U16,
    reserved: U16,
    rx_offset: U32,
    tx_offset: U32,
    padding: U32,
}

/// Table 10.13: composite memory region descriptor, with the first of its constituents (table 10.14).
#[derive(FromBytes, Immutable, KnownLayout)]
#[repr(C)]
struct Region {
    pages: U32,
    constituents: U32,
    reserved: U64,
    address: U64,
    constituent_pages: U32,
    constituent_reserved: U32,
}

/// The most bytes of a descriptor that are looked at.
pub const BUFFERS_SIZE: usize = 256;

/// Why a descriptor is not understood: a length, an offset or a count is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BuffersError;

/// The buffers of a VM: address and number of 4 KB pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Buffers {
    /// The VM.
    pub vm: EndpointId,
    /// What it writes.
    pub tx: (u64, u64),
    /// What it reads.
    pub rx: (u64, u64),
}

impl Buffers {
    /// The descriptor that `bytes`, which nobody else can change, begin with.
    ///
    /// # Errors
    /// If it is cut short, an offset is not a multiple of 8, or a buffer has not exactly one constituent.
    pub fn parse(bytes: &[u8]) -> Result<Self, BuffersError> {
        let (header, _) = Header::ref_from_prefix(bytes).map_err(|_| BuffersError)?;
        let tx = region(bytes, header.tx_offset.get())?;
        let rx = region(bytes, header.rx_offset.get())?;
        Ok(Self { vm: EndpointId::new(header.endpoint.get()), tx, rx })
    }
}

fn region(bytes: &[u8], offset: u32) -> Result<(u64, u64), BuffersError> {
    let offset = usize::try_from(offset).map_err(|_| BuffersError)?;
    if !offset.is_multiple_of(8) || offset < size_of::<Header>() {
        return Err(BuffersError);
    }
    let bytes = bytes.get(offset..).ok_or(BuffersError)?;
    let (region, _) = Region::ref_from_prefix(bytes).map_err(|_| BuffersError)?;
    let pages = region.pages;
    // A buffer is contiguous (FF-A 1.2, 7.2.2).
    if region.constituents.get() != 1 || region.constituent_pages != pages {
        return Err(BuffersError);
    }
    Ok((region.address.get(), pages.get().into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn descriptor() -> Vec<u8> {
        let mut bytes = vec![0; 80];
        bytes[0] = 3;
        bytes[4] = 16;
        bytes[8] = 48;
        for (at, address) in [(16, 0x4000_0000_u64), (48, 0x4000_1000)] {
            bytes[at] = 1;
            bytes[at + 4] = 1;
            bytes[at + 16..at + 24].copy_from_slice(&address.to_le_bytes());
            bytes[at + 24] = 1;
        }
        bytes
    }

    #[test]
    fn a_descriptor_names_the_vm_and_its_buffers() {
        let expected = Buffers { vm: EndpointId::new(3), rx: (0x4000_0000, 1), tx: (0x4000_1000, 1) };
        assert_eq!(Buffers::parse(&descriptor()), Ok(expected));
    }

    #[test]
    fn a_damaged_descriptor_is_refused() {
        // The offsets, the counts of constituents and of pages.
        for (at, value) in [(4, 20), (4, 8), (5, 1), (8, 72), (20, 2), (20, 0), (40, 2), (16, 2), (52, 0)] {
            let mut bytes = descriptor();
            bytes[at] = value;
            assert_eq!(Buffers::parse(&bytes), Err(BuffersError), "byte {at} is {value}");
        }
        for length in 0..79 {
            assert_eq!(Buffers::parse(&descriptor()[..length]), Err(BuffersError), "{length} bytes");
        }
    }
}

//! Descriptors of memory transactions, in the layouts of FF-A 1.0, 1.1 and 1.2 (DEN0140, 1.11).

use core::mem::offset_of;

use zerocopy::little_endian::{U16, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::{V1_1, V1_2};
use crate::endpoint::EndpointId;
use crate::memory::page::{PAGE_SHIFT, PageRange};

/// Flag: the memory is zeroed before it is retrieved; of RELINQUISH and RECLAIM, afterwards.
pub const ZERO: u32 = 1 << 0;
/// Flag: the call may be paused.
pub const TIME_SLICE: u32 = 1 << 1;
/// Flag of a retrieve request: the memory is zeroed when it is relinquished.
pub const ZERO_AFTER: u32 = 1 << 2;
/// Bits 4:3 of a retrieve request and its response: share, lend, donate; 0 says nothing.
pub const KIND_SHIFT: u32 = 3;
/// Flags of a retrieve request: an n by which every range is to be aligned to 2^n pages.
pub const HINT: u32 = 0xF << ALIGNMENT_SHIFT;
/// Where [`HINT`] begins.
pub const ALIGNMENT_SHIFT: u32 = 5;
/// Flag of a retrieve request: the receiver says how the ranges are to be aligned.
pub const HINT_VALID: u32 = 1 << 9;
/// Flag of a retrieve request: the other receivers are not named.
pub const BYPASS: u32 = 1 << 10;

/// Memory attributes: bits 5:4 Normal memory, 3:2 write-back, 1:0 inner shareable.
pub const NORMAL_MEMORY: u16 = 0x2F;
/// Memory attributes: device memory, nGnRnE.
pub const DEVICE_MEMORY: u16 = 1 << 4;
/// Memory attributes, bits 5:4: the type.
pub const TYPE: u16 = 3 << 4;
/// Memory attributes: it is the Normal world's memory.
pub const NON_SECURE: u16 = 1 << 6;

/// Table 1.20: memory transaction descriptor, from FF-A 1.1 on.
#[derive(FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
struct Header {
    sender: U16,
    attributes: U16,
    flags: U32,
    handle: U64,
    tag: U64,
    access_size: U32,
    access_count: U32,
    access_offset: U32,
    reserved: [U32; 3],
}

/// The same in FF-A 1.0: what it says of the access descriptors is that they follow.
#[derive(FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
struct HeaderV1_0 {
    sender: U16,
    attributes: u8,
    reserved: u8,
    flags: U32,
    handle: U64,
    tag: U64,
    reserved_1: U32,
    access_count: U32,
}

/// Table 1.16: endpoint memory access descriptor. Before FF-A 1.2 it ends with eight reserved bytes instead of the last
/// three fields.
#[derive(FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
struct AccessLayout {
    endpoint: U16,
    permissions: u8,
    flags: u8,
    composite_offset: U32,
    private: [U64; 2],
    reserved: U64,
}

/// Bytes of an access descriptor before FF-A 1.2.
const OLD_ACCESS: usize = 16;
/// The most bytes of an access descriptor.
pub const ACCESS_SIZE: usize = size_of::<AccessLayout>();
/// The most bytes of a transaction descriptor without what follows it.
pub const HEADER_SIZE: usize = size_of::<Header>();
/// Bytes of a composite memory region descriptor without its ranges.
pub const COMPOSITE_SIZE: usize = 16;
/// Bytes of an address range.
pub const RANGE_SIZE: usize = 16;

/// What a descriptor says of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Descriptor {
    /// The owner of the memory.
    pub sender: EndpointId,
    /// Attributes of the memory.
    pub attributes: u16,
    /// Flags.
    pub flags: u32,
    /// The handle.
    pub handle: u64,
    /// The tag.
    pub tag: u64,
    /// Bytes of each access descriptor.
    pub access_size: usize,
    /// How many there are.
    pub access_count: u32,
    /// Where the first one is, from the start.
    pub access_offset: u32,
}

/// Bytes of a transaction descriptor's own part in this version.
const fn header_size(version: u32) -> usize {
    if version >= V1_1 { size_of::<Header>() } else { size_of::<HeaderV1_0>() }
}

impl Descriptor {
    /// What `bytes`, which nobody else can change, say in this version. Nothing where access descriptors are of no
    /// known size, or lie where they cannot, or where what is reserved is not zero.
    #[must_use]
    pub fn parse(bytes: &[u8; HEADER_SIZE], version: u32) -> Option<Self> {
        let header: &Header = zerocopy::transmute_ref!(bytes);
        let (sender, flags) = (EndpointId::new(header.sender.get()), header.flags.get());
        let (handle, tag, access_count) = (header.handle.get(), header.tag.get(), header.access_count.get());
        let attributes = header.attributes.get();
        if version < V1_1 {
            // A byte behind the attributes is reserved, and what is the size later.
            let is_zero = attributes >> 8 == 0 && header.access_size == 0;
            return is_zero.then_some(Self {
                sender,
                attributes,
                flags,
                handle,
                tag,
                access_size: OLD_ACCESS,
                access_count,
                access_offset: size_of::<HeaderV1_0>() as u32,
            });
        }
        let access_size = header.access_size.get() as usize;
        let is_known = access_size == OLD_ACCESS || access_size == ACCESS_SIZE && version >= V1_2;
        let access_offset = header.access_offset.get();
        let fits = access_offset.is_multiple_of(16) && access_offset as usize >= HEADER_SIZE;
        let is_zero = header.reserved == [U32::ZERO; 3];
        (is_known && fits && is_zero).then_some(Self {
            sender,
            attributes,
            flags,
            handle,
            tag,
            access_size,
            access_count,
            access_offset,
        })
    }

    /// With access descriptors of this version right behind it.
    #[must_use]
    pub const fn followed(self, version: u32) -> Self {
        let access_size = if version >= V1_2 { ACCESS_SIZE } else { OLD_ACCESS };
        Self { access_size, access_offset: header_size(version) as u32, ..self }
    }

    /// Where what follows the access descriptors begins; nothing where that is nowhere.
    #[must_use]
    pub fn end(&self) -> Option<u32> {
        let size = self.access_count.checked_mul(self.access_size as u32)?;
        self.access_offset.checked_add(size)
    }

    /// As it is written in this version, with how many of the bytes count.
    #[must_use]
    pub fn to_bytes(self, version: u32) -> ([u8; HEADER_SIZE], usize) {
        let mut header = Header {
            sender: U16::new(self.sender.get()),
            attributes: U16::new(self.attributes),
            flags: U32::new(self.flags),
            handle: U64::new(self.handle),
            tag: U64::new(self.tag),
            access_size: U32::new(self.access_size as u32),
            access_count: U32::new(self.access_count),
            access_offset: U32::new(self.access_offset),
            reserved: [U32::ZERO; 3],
        };
        if version < V1_1 {
            header.access_size = U32::ZERO;
        }
        (zerocopy::transmute!(header), header_size(version))
    }
}

/// The handle in a descriptor in which nothing else is set, whose layout is that of every version.
#[must_use]
pub fn sole_handle(bytes: &[u8; HEADER_SIZE]) -> Option<u64> {
    let handle = offset_of!(Header, handle)..offset_of!(Header, tag);
    let (value, _) = U64::read_from_prefix(bytes.get(handle.clone())?).ok()?;
    let is_sole = bytes.iter().enumerate().all(|(at, byte)| *byte == 0 || handle.contains(&at));
    is_sole.then_some(value.get())
}

/// What an access descriptor says of a receiver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Access {
    /// The receiver.
    pub endpoint: EndpointId,
    /// Bits 1:0 the data access, 3:2 the instruction access.
    pub permissions: u8,
    /// Flags: bit 0, it does not retrieve the memory itself.
    pub flags: u8,
    /// Where the composite memory region descriptor is; 0 for nowhere.
    pub composite_offset: u32,
    /// What sender and receiver have agreed on, from FF-A 1.2 on.
    pub private: [u64; 2],
}

impl Access {
    /// What `bytes` say, of which `size` are an access descriptor; nothing where what is reserved is not zero.
    #[must_use]
    pub fn parse(bytes: &[u8; ACCESS_SIZE], size: usize) -> Option<Self> {
        let layout: &AccessLayout = zerocopy::transmute_ref!(bytes);
        let is_new = size == ACCESS_SIZE;
        // Before FF-A 1.2 eight bytes are reserved in which Linux leaves what was in the buffer: nobody looks at them.
        let is_zero = !is_new || layout.reserved == U64::ZERO;
        is_zero.then_some(Self {
            endpoint: EndpointId::new(layout.endpoint.get()),
            permissions: layout.permissions,
            flags: layout.flags,
            composite_offset: layout.composite_offset.get(),
            private: if is_new { layout.private.map(U64::get) } else { [0; 2] },
        })
    }

    /// As it is written; fewer bytes count before FF-A 1.2.
    #[must_use]
    pub fn to_bytes(self, size: usize) -> [u8; ACCESS_SIZE] {
        let private = if size == ACCESS_SIZE { self.private } else { [0; 2] };
        zerocopy::transmute!(AccessLayout {
            endpoint: U16::new(self.endpoint.get()),
            permissions: self.permissions,
            flags: self.flags,
            composite_offset: U32::new(self.composite_offset),
            private: private.map(U64::new),
            reserved: U64::ZERO,
        })
    }
}

/// Table 1.13: the number of pages and of ranges in a composite memory region descriptor; nothing where what is reserved
/// is not zero.
#[must_use]
pub fn composite(bytes: &[u8; COMPOSITE_SIZE]) -> Option<(u32, u32)> {
    let [pages, ranges, reserved @ ..]: [U32; 4] = zerocopy::transmute!(*bytes);
    (reserved == [U32::ZERO; 2]).then_some((pages.get(), ranges.get()))
}

/// The same, as it is written.
#[must_use]
pub fn composite_bytes(pages: u32, ranges: u32) -> [u8; COMPOSITE_SIZE] {
    zerocopy::transmute!([U32::new(pages), U32::new(ranges), U32::ZERO, U32::ZERO])
}

/// Table 1.14: address and number of pages of an address range; nothing where what is reserved is not zero.
#[must_use]
pub fn range(bytes: &[u8; RANGE_SIZE]) -> Option<(u64, u32)> {
    let [low, high, pages, reserved]: [U32; 4] = zerocopy::transmute!(*bytes);
    (reserved == 0).then_some((u64::from(high.get()) << 32 | u64::from(low.get()), pages.get()))
}

/// The range at `offset` in a list, if all of it is there.
#[must_use]
pub fn range_at(bytes: &[u8], offset: usize) -> Option<(u64, u32)> {
    bytes.get(offset..)?.first_chunk().and_then(range)
}

/// The same, as it is written.
#[must_use]
pub fn range_bytes(range: PageRange) -> [u8; RANGE_SIZE] {
    let address = range.start();
    let words = [address as u32, (address >> 32) as u32, (range.bytes() >> PAGE_SHIFT) as u32, 0];
    zerocopy::transmute!(words.map(U32::new))
}

/// What FFA_MEM_RELINQUISH finds in its caller's buffer (table 2.25), with the first of the endpoints.
#[derive(FromBytes, Immutable, KnownLayout)]
#[repr(C)]
struct RelinquishLayout {
    handle: U64,
    flags: U32,
    count: U32,
    endpoint: U16,
    reserved: [U16; 3],
}

/// The most bytes of it that are looked at.
pub const RELINQUISH_SIZE: usize = size_of::<RelinquishLayout>();

/// What is relinquished, by how many endpoints, and who the first is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Relinquish {
    /// The handle.
    pub handle: u64,
    /// Flags.
    pub flags: u32,
    /// How many endpoints.
    pub count: u32,
    /// The first.
    pub endpoint: EndpointId,
}

impl Relinquish {
    /// What `bytes` say.
    #[must_use]
    pub fn parse(bytes: &[u8; RELINQUISH_SIZE]) -> Self {
        let layout: &RelinquishLayout = zerocopy::transmute_ref!(bytes);
        Self {
            handle: layout.handle.get(),
            flags: layout.flags.get(),
            count: layout.count.get(),
            endpoint: EndpointId::new(layout.endpoint.get()),
        }
    }
}

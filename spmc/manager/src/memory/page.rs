//! Physical addresses with their security state, and page ranges that cannot be malformed.

use core::fmt;

use bitflags::bitflags;

/// log2 of the page size. The granule is 4 KB everywhere (D5 of the architecture).
pub const PAGE_SHIFT: u32 = 12;
/// Bytes in a page.
pub const PAGE_SIZE: u64 = 1 << PAGE_SHIFT;
/// Physical and intermediate physical addresses have 48 bits.
pub const ADDRESS_LIMIT: u64 = 1 << 48;

/// A physical address space.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Space {
    /// Secure memory.
    Secure,
    /// The Normal world's memory.
    Normal,
}

/// A physical address with its security state.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pa {
    /// Which memory.
    pub space: Space,
    /// Where in it.
    pub address: u64,
}

impl Pa {
    /// An address in secure memory.
    #[must_use]
    pub const fn secure(address: u64) -> Self {
        Self { space: Space::Secure, address }
    }

    /// An address in the Normal world's memory.
    #[must_use]
    pub const fn normal(address: u64) -> Self {
        Self { space: Space::Normal, address }
    }
}

impl fmt::Debug for Pa {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}({:#x})", self.space, self.address)
    }
}

bitflags! {
    /// What may be done with a page, and what kind of memory it is.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Attributes: u8 {
        /// Read.
        const READ = 1 << 0;
        /// Write.
        const WRITE = 1 << 1;
        /// Execute.
        const EXECUTE = 1 << 2;
        /// Device-nGnRnE instead of Normal write-back inner-shareable memory.
        const DEVICE = 1 << 3;
    }
}

/// What a page is to an endpoint (DEN0140, ownership and access states). It stands in the page's descriptor and nowhere
/// else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ownership {
    /// The endpoint owns it and alone has access: Owner-EA.
    Owned,
    /// It owns it, and the SPMC has access: a page of an RX or TX buffer.
    Buffer,
    /// It owns it and has sent it to others, and keeps its access: Owner-SA.
    Shared,
    /// It owns it and has sent it to others, who alone may have access: Owner-NA.
    Lent,
    /// It has access to it, and another one owns it: !Owner-SA or !Owner-EA.
    Borrowed,
    /// It has neither, where that has to be said: !Owner-NA.
    Foreign,
}

impl Ownership {
    /// Whether the endpoint has access to the page.
    #[must_use]
    pub const fn has_access(self) -> bool {
        match self {
            Self::Owned | Self::Buffer | Self::Shared | Self::Borrowed => true,
            Self::Lent | Self::Foreign => false,
        }
    }

    /// The value of a descriptor's software field, four bits. 0 means no state: an entry that was never written.
    pub(super) const fn bits(self) -> u64 {
        match self {
            Self::Owned => 1,
            Self::Buffer => 2,
            Self::Shared => 3,
            Self::Lent => 4,
            Self::Borrowed => 5,
            Self::Foreign => 6,
        }
    }

    /// The state of a page; a value that is not written is read as the state with the fewest rights.
    pub(super) const fn from_bits(bits: u64) -> Self {
        match bits {
            1 => Self::Owned,
            2 => Self::Buffer,
            3 => Self::Shared,
            4 => Self::Lent,
            5 => Self::Borrowed,
            _ => Self::Foreign,
        }
    }
}

/// Whole pages in one space: aligned, not empty, below [`ADDRESS_LIMIT`].
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct PageRange {
    space: Space,
    start: u64,
    pages: u64,
}

/// Why a range of pages cannot be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RangeError {
    /// No pages.
    #[error("is empty")]
    Empty,
    /// The start is not a multiple of the page size.
    #[error("is not aligned to 4 KB")]
    Unaligned,
    /// It ends beyond the address limit.
    #[error("ends beyond 48 bits")]
    TooHigh,
}

impl PageRange {
    /// `pages` pages from `start` on.
    pub fn new(space: Space, start: u64, pages: u64) -> Result<Self, RangeError> {
        if pages == 0 {
            return Err(RangeError::Empty);
        }
        if !start.is_multiple_of(PAGE_SIZE) {
            return Err(RangeError::Unaligned);
        }
        let end = pages.checked_mul(PAGE_SIZE).and_then(|size| size.checked_add(start));
        match end {
            Some(end) if end <= ADDRESS_LIMIT => Ok(Self { space, start, pages }),
            _ => Err(RangeError::TooHigh),
        }
    }

    /// `pages` pages, at least one, from the page of this number on, which are known to lie below [`ADDRESS_LIMIT`].
    #[inline]
    pub(super) const fn of_pages(space: Space, first: u64, pages: u64) -> Self {
        Self { space, start: first << PAGE_SHIFT, pages }
    }

    /// `bytes` bytes from `start` on; both must be multiples of the page size.
    pub fn from_bytes(space: Space, start: u64, bytes: u64) -> Result<Self, RangeError> {
        if !bytes.is_multiple_of(PAGE_SIZE) {
            return Err(RangeError::Unaligned);
        }
        Self::new(space, start, bytes / PAGE_SIZE)
    }

    /// Which memory.
    #[must_use]
    pub const fn space(&self) -> Space {
        self.space
    }

    /// The first address.
    #[must_use]
    pub const fn start(&self) -> u64 {
        self.start
    }

    /// The number of pages.
    #[must_use]
    pub const fn pages(&self) -> u64 {
        self.pages
    }

    /// The number of bytes.
    #[must_use]
    pub const fn bytes(&self) -> u64 {
        self.pages * PAGE_SIZE
    }

    /// The first address behind it.
    #[must_use]
    pub const fn end(&self) -> u64 {
        self.start + self.bytes()
    }

    /// The first address, with its security state.
    #[must_use]
    pub const fn base(&self) -> Pa {
        Pa { space: self.space, address: self.start }
    }

    /// Whether the two have a page in common. Addresses of the two worlds count as the same memory:
    /// no platform here has both at one address.
    #[must_use]
    pub const fn overlaps(&self, other: &Self) -> bool {
        self.start < other.end() && other.start < self.end()
    }

    /// Whether it lies, with the first page of `next`, in what a single table of pages maps: 2 MB.
    #[inline]
    #[must_use]
    pub const fn shares_table(&self, next: &Self) -> bool {
        const SHIFT: u32 = PAGE_SHIFT + 9;
        self.start >> SHIFT == (self.end() - 1) >> SHIFT && self.start >> SHIFT == next.start >> SHIFT
    }

    /// Whether every page of `other` is in this range, in the same space.
    #[must_use]
    pub fn contains(&self, other: &Self) -> bool {
        self.space == other.space && self.start <= other.start && other.end() <= self.end()
    }
}

impl fmt::Debug for PageRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}({:#x}..{:#x})", self.space, self.start, self.end())
    }
}

impl fmt::Display for PageRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x}..{:#x}", self.start, self.end())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_range_cannot_be_malformed() {
        assert_eq!(PageRange::new(Space::Secure, 0x1000, 0), Err(RangeError::Empty));
        assert_eq!(PageRange::new(Space::Secure, 0x1001, 1), Err(RangeError::Unaligned));
        assert_eq!(PageRange::new(Space::Secure, ADDRESS_LIMIT, 1), Err(RangeError::TooHigh));
        assert_eq!(PageRange::new(Space::Secure, 0x1000, u64::MAX), Err(RangeError::TooHigh));
        assert_eq!(PageRange::from_bytes(Space::Secure, 0, 0x1800), Err(RangeError::Unaligned));
        assert!(PageRange::new(Space::Secure, ADDRESS_LIMIT - PAGE_SIZE, 1).is_ok());
    }

    #[test]
    fn ranges_that_touch_do_not_overlap() {
        let a = PageRange::new(Space::Secure, 0x1000, 2).unwrap();
        let b = PageRange::new(Space::Secure, 0x3000, 1).unwrap();
        let c = PageRange::new(Space::Normal, 0x2000, 1).unwrap();
        assert!(!a.overlaps(&b) && !b.overlaps(&a));
        assert!(a.overlaps(&c) && c.overlaps(&a));
        assert!(!a.contains(&c), "the other world's page is not contained");
    }
}

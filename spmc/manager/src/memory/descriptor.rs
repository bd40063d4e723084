//! Translation descriptors of VMSAv8-64: 4 KB granule, four levels, 48-bit addresses (Arm ARM, D8.3).
//!
//! Those of stage 1 and stage 2 differ in what the fields of a block or page are ([`Format`]), and in nothing else here.

mod stage_1;
mod stage_2;

use super::page::{ADDRESS_LIMIT, Attributes, Ownership, PAGE_SHIFT, PAGE_SIZE, Space};

/// Bit 0: the MMU may use the descriptor.
const VALID: u64 = 1 << 0;
/// Bit 1: a table at levels 0 to 2, a page at level 3; clear in a block.
const TABLE_OR_PAGE: u64 = 1 << 1;
/// `SH[1:0]`, bits 9:8: inner shareable. For Device memory the field has no effect.
const INNER_SHAREABLE: u64 = 0b11 << 8;
/// AF: the first access does not fault.
const ACCESSED: u64 = 1 << 10;
/// Bits 58:55 are for software: ownership.
const OWNERSHIP_SHIFT: u32 = 55;
/// The width of that field.
const OWNERSHIP_MASK: u64 = 0b1111;
/// Bits 47:12: the output address, or that of the next table.
const ADDRESS: u64 = (ADDRESS_LIMIT - 1) & !(PAGE_SIZE - 1);

/// What reads a tree's descriptors, and so what the fields of its blocks and pages are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Format {
    /// Stage 2 of the EL1&0 regime, for a partition at S-EL1: all of the tree maps memory of one world.
    Stage2(Space),
    /// Stage 1 of the EL2&0 regime, for a partition at S-EL0: each block or page says which world's it is.
    Stage1,
}

impl Format {
    /// The fields of a block or page.
    #[inline]
    const fn fields(self, attributes: Attributes, space: Space) -> u64 {
        match self {
            Self::Stage2(_) => stage_2::fields(attributes),
            Self::Stage1 => stage_1::fields(attributes, space),
        }
    }

    /// What they say.
    #[inline]
    fn read(self, raw: u64) -> (Attributes, Space) {
        match self {
            Self::Stage2(space) => (stage_2::read(raw), space),
            Self::Stage1 => stage_1::read(raw),
        }
    }
}

/// A level of the walk. It starts at [`Level::Zero`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Level {
    /// 512 GB for each entry; tables only.
    Zero,
    /// 1 GB for each entry.
    One,
    /// 2 MB for each entry.
    Two,
    /// Pages.
    Three,
}

impl Level {
    /// The level of the tables that entries of this one link to.
    #[must_use]
    pub const fn next(self) -> Option<Self> {
        match self {
            Self::Zero => Some(Self::One),
            Self::One => Some(Self::Two),
            Self::Two => Some(Self::Three),
            Self::Three => None,
        }
    }

    /// log2 of [`Level::size`].
    const fn shift(self) -> u32 {
        PAGE_SHIFT
            + match self {
                Self::Zero => 27,
                Self::One => 18,
                Self::Two => 9,
                Self::Three => 0,
            }
    }

    /// Bytes that one entry covers.
    #[must_use]
    pub const fn size(self) -> u64 {
        1 << self.shift()
    }

    /// Where `address` is found in a table of this level; the low nine bits count.
    #[must_use]
    pub const fn index(self, address: u64) -> usize {
        (address >> self.shift()) as usize & (super::table::ENTRIES - 1)
    }

    /// Whether this level has blocks or pages, and `bytes`, within one entry, are a whole one.
    #[must_use]
    pub const fn has_leaf_of(self, bytes: u64) -> bool {
        !matches!(self, Self::Zero) && bytes == self.size()
    }
}

/// A descriptor, read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Descriptor {
    /// Nothing is said of the address.
    Absent,
    /// The physical address of the next level's table.
    Table(u64),
    /// A block or a page. The MMU does not use it where its owner has no access.
    Leaf(Leaf),
}

/// What a block or page descriptor says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Leaf {
    /// The output address, aligned to the level's size.
    pub address: u64,
    /// Whose memory lies there.
    pub space: Space,
    /// Permissions and memory type.
    pub attributes: Attributes,
    /// What it is to its endpoint.
    pub ownership: Ownership,
}

impl Descriptor {
    /// Reads a descriptor of a table at `level`.
    #[inline]
    #[must_use]
    pub fn decode(raw: u64, level: Level, format: Format) -> Self {
        let is_known = raw & (VALID | OWNERSHIP_MASK << OWNERSHIP_SHIFT) != 0;
        match (raw & TABLE_OR_PAGE != 0, level) {
            (true, Level::Zero | Level::One | Level::Two) if raw & VALID != 0 => Self::Table(raw & ADDRESS),
            (true, Level::Three) | (false, Level::One | Level::Two) if is_known => {
                Self::Leaf(Leaf::decode(raw, level, format))
            }
            _ => Self::Absent,
        }
    }

    /// The table that a descriptor of a table at level 0, 1 or 2 leads to.
    #[inline]
    #[must_use]
    pub const fn table(raw: u64) -> Option<u64> {
        const LINK: u64 = VALID | TABLE_OR_PAGE;
        if raw & LINK == LINK { Some(raw & ADDRESS) } else { None }
    }

    /// A block's or page's descriptor, for somebody else: what it is to its endpoint, and whether the MMU may use it.
    #[inline]
    #[must_use]
    pub const fn owned(raw: u64, ownership: Ownership) -> u64 {
        let rest = raw & !(VALID | OWNERSHIP_MASK << OWNERSHIP_SHIFT);
        let valid = if ownership.has_access() { VALID } else { 0 };
        rest | valid | ownership.bits() << OWNERSHIP_SHIFT
    }

    /// Whether the MMU may use a block's or page's descriptor.
    #[inline]
    #[must_use]
    pub const fn is_valid(raw: u64) -> bool {
        raw & VALID != 0
    }

    /// Whether two descriptors of blocks or pages differ in their addresses at most.
    #[inline]
    #[must_use]
    pub const fn are_alike(one: u64, other: u64) -> bool {
        (one ^ other) & !ADDRESS == 0
    }

    /// A descriptor that leads to the table at this address.
    #[must_use]
    pub const fn link(address: u64) -> u64 {
        address & ADDRESS | TABLE_OR_PAGE | VALID
    }

    /// The descriptor as the MMU reads it at `level`.
    #[inline]
    #[must_use]
    pub fn encode(self, level: Level, format: Format) -> u64 {
        match self {
            Self::Absent => 0,
            Self::Table(address) => Self::link(address),
            Self::Leaf(leaf) => leaf.encode(level, format),
        }
    }
}

impl Leaf {
    #[inline]
    fn decode(raw: u64, level: Level, format: Format) -> Self {
        let (attributes, space) = format.read(raw);
        Self {
            address: raw & ADDRESS & !(level.size() - 1),
            space,
            attributes,
            ownership: Ownership::from_bits(raw >> OWNERSHIP_SHIFT & OWNERSHIP_MASK),
        }
    }

    #[inline]
    fn encode(self, level: Level, format: Format) -> u64 {
        let page = if level == Level::Three { TABLE_OR_PAGE } else { 0 };
        let valid = if self.ownership.has_access() { VALID } else { 0 };
        self.address & ADDRESS
            | valid
            | page
            | ACCESSED
            | INNER_SHAREABLE
            | format.fields(self.attributes, self.space)
            | self.ownership.bits() << OWNERSHIP_SHIFT
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RW: Attributes = Attributes::READ.union(Attributes::WRITE);
    const OWNERSHIPS: [Ownership; 6] = [
        Ownership::Owned,
        Ownership::Buffer,
        Ownership::Shared,
        Ownership::Lent,
        Ownership::Borrowed,
        Ownership::Foreign,
    ];

    const SECURE: Format = Format::Stage2(Space::Secure);
    const FORMATS: [(Format, Space); 4] = [
        (SECURE, Space::Secure),
        (Format::Stage2(Space::Normal), Space::Normal),
        (Format::Stage1, Space::Secure),
        (Format::Stage1, Space::Normal),
    ];

    fn leaf(address: u64, attributes: Attributes) -> Descriptor {
        Descriptor::Leaf(Leaf { address, space: Space::Secure, attributes, ownership: Ownership::Owned })
    }

    #[test]
    fn descriptors_have_the_bits_of_the_architecture() {
        // Software 0001, XN 10, AF, SH 11, S2AP 11, MemAttr 1111, page.
        assert_eq!(leaf(0xe20_0000, RW).encode(Level::Three, SECURE), 0x00c0_0000_0e20_07ff);
        // S2AP 01, XN 00, block.
        let code = Attributes::READ | Attributes::EXECUTE;
        assert_eq!(leaf(0x4000_0000, code).encode(Level::One, SECURE), 0x0080_0000_4000_077d);
        // MemAttr 0000.
        assert_eq!(
            leaf(0x900_0000, RW | Attributes::DEVICE).encode(Level::Three, SECURE),
            0x00c0_0000_0900_07c3
        );
        assert_eq!(Descriptor::Table(0xffff_ffff_f000).encode(Level::Zero, SECURE), 0xffff_ffff_f003);
        assert_eq!(Descriptor::Absent.encode(Level::Two, SECURE), 0);
    }

    #[test]
    fn descriptors_of_stage_1_have_the_bits_of_the_architecture() {
        let raw = |space, attributes| {
            let leaf = Leaf { address: 0xe20_0000, space, attributes, ownership: Ownership::Owned };
            Descriptor::Leaf(leaf).encode(Level::Three, Format::Stage1)
        };
        // Software 0001, UXN and PXN, nG, AF, SH 11, AP 01, NS 0, AttrIndx 1, page.
        assert_eq!(raw(Space::Secure, RW), 0x00e0_0000_0e20_0f47);
        // UXN 0, AP 11.
        assert_eq!(raw(Space::Secure, Attributes::READ | Attributes::EXECUTE), 0x00a0_0000_0e20_0fc7);
        // NS 1; AttrIndx 0.
        assert_eq!(raw(Space::Normal, RW | Attributes::DEVICE), 0x00e0_0000_0e20_0f63);
    }

    #[test]
    fn every_leaf_is_read_back_as_it_was_written() {
        for bits in 0..=Attributes::all().bits() {
            for ownership in OWNERSHIPS {
                for level in [Level::One, Level::Two, Level::Three] {
                    let attributes = Attributes::from_bits_truncate(bits);
                    let address = ADDRESS_LIMIT - level.size();
                    for (format, space) in FORMATS {
                        let written = Descriptor::Leaf(Leaf { address, space, attributes, ownership });
                        let raw = written.encode(level, format);
                        assert_eq!(Descriptor::decode(raw, level, format), written);
                    }
                }
            }
        }
    }

    #[test]
    fn the_mmu_uses_a_leaf_exactly_where_its_owner_has_access() {
        for ownership in OWNERSHIPS {
            for (format, space) in FORMATS {
                let leaf = Descriptor::Leaf(Leaf { address: 0xe20_0000, space, attributes: RW, ownership });
                let raw = leaf.encode(Level::Three, format);
                assert_eq!(raw & VALID != 0, ownership.has_access(), "{ownership:?}");
            }
        }
    }

    #[test]
    fn reserved_encodings_map_nothing() {
        assert_eq!(Descriptor::decode(VALID, Level::Zero, SECURE), Descriptor::Absent, "no 512 GB blocks");
        assert_eq!(Descriptor::decode(VALID, Level::Three, SECURE), Descriptor::Absent);
        assert_eq!(Descriptor::decode(!VALID, Level::Two, SECURE), Descriptor::Absent);
    }
}

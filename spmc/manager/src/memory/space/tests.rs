//! Address spaces, by walking the very tables as the MMU would, and against a map of pages.

use std::collections::BTreeMap;
use std::vec::Vec;

use proptest::prelude::*;

use super::*;
use crate::memory::page::{PAGE_SIZE, Space};

const BASE: u64 = 0xe18_0000;
const TAG: Tag = Tag::Vmid(7);
const RW: Attributes = Attributes::READ.union(Attributes::WRITE);
const RX: Attributes = Attributes::READ.union(Attributes::EXECUTE);
const DEVICE: Attributes = RW.union(Attributes::DEVICE);
const MB2: u64 = 2 << 20;
const GB: u64 = 1 << 30;

/// Frames, kept in sight so that a test reads what the MMU would read.
#[derive(Clone, Copy)]
struct Machine {
    frames: &'static [TableFrame],
    pool: Pool,
}

/// What the MMU makes of an address: output, S2AP, XN, MemAttr, software bits, bytes of the entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Translated {
    address: u64,
    access: u64,
    execute_never: u64,
    memory_type: u64,
    software: u64,
    size: u64,
}

impl Machine {
    fn new(count: usize) -> Self {
        let frames: &'static [TableFrame] = (0..count).map(|_| TableFrame::new()).collect::<Vec<_>>().leak();
        Self { frames, pool: Pool::new(frames, BASE) }
    }

    fn space(&self) -> AddressSpace {
        AddressSpace::new(&self.pool, Format::Stage2(Space::Secure), Some(TAG)).unwrap()
    }

    fn bytes(&self) -> Vec<u64> {
        self.frames.iter().flat_map(|frame| (0..512).map(|i| frame.get(i))).collect()
    }

    /// A walk written from the Arm ARM alone: it uses none of the manager's encodings.
    fn mmu(&self, root: u64, ipa: u64) -> Option<Translated> {
        self.mmu_from(0, root, ipa)
    }

    /// The same, by an MMU that begins at level `first`.
    fn mmu_from(&self, first: usize, mut table: u64, ipa: u64) -> Option<Translated> {
        for (level, shift) in [39, 30, 21, 12].into_iter().enumerate().skip(first) {
            let frame = &self.frames[((table - BASE) / 4096) as usize];
            let raw = frame.get((ipa >> shift & 511) as usize);
            match (level, raw & 3) {
                (0..=2, 3) => table = raw & 0x0000_ffff_ffff_f000,
                (1 | 2, 1) | (3, 3) => {
                    assert_eq!(raw >> 10 & 1, 1, "AF");
                    assert_eq!(raw >> 8 & 3, 3, "SH");
                    let size = 1 << shift;
                    let output = raw & 0x0000_ffff_ffff_f000;
                    assert_eq!(output % size, 0, "bits below the block's size are reserved");
                    return Some(Translated {
                        address: output + ipa % size,
                        access: raw >> 6 & 3,
                        execute_never: raw >> 53 & 3,
                        memory_type: raw >> 2 & 15,
                        software: raw >> 55 & 15,
                        size,
                    });
                }
                _ => return None,
            }
        }
        None
    }
}

fn range(start: u64, bytes: u64) -> PageRange {
    PageRange::from_bytes(Space::Secure, start, bytes).unwrap()
}

fn map(space: &mut AddressSpace, start: u64, bytes: u64, attributes: Attributes) {
    space.map(range(start, bytes), attributes, Ownership::Owned, &mut tlb()).unwrap();
}

/// TLBs that note what they are told to forget.
#[derive(Default)]
struct Tlbs {
    forgotten: Vec<PageRange>,
    /// Where to look whether an entry is broken before it is forgotten.
    watched: Option<(Machine, u64)>,
}

impl Tlb for Tlbs {
    fn publish(&mut self) {}

    fn invalidate(&mut self, tag: Tag, range: PageRange) {
        assert_eq!(tag, TAG);
        if let Some((machine, root)) = &self.watched {
            for ipa in [range.start(), range.end() - PAGE_SIZE] {
                assert_eq!(machine.mmu(*root, ipa), None, "{ipa:#x} could be cached again");
            }
        }
        self.forgotten.push(range);
    }
}

fn tlb() -> Tlbs {
    Tlbs::default()
}

#[test]
fn the_mmu_finds_what_was_mapped_and_nothing_beside_it() {
    let machine = Machine::new(16);
    let mut space = machine.space();
    map(&mut space, 0xe20_0000, 0x4_0000, RW | Attributes::EXECUTE);
    map(&mut space, 0x904_0000, 0x1000, DEVICE);
    let image = machine.mmu(space.root(), 0xe20_0123).unwrap();
    let expected = Translated {
        address: 0xe20_0123,
        access: 3,
        execute_never: 0,
        memory_type: 15,
        software: 1,
        size: 4096,
    };
    assert_eq!(image, expected);
    let device = machine.mmu(space.root(), 0x904_0ffc).unwrap();
    assert_eq!((device.memory_type, device.execute_never, device.access), (0, 2, 3));
    for outside in [0xe1f_fff8, 0xe24_0000, 0x903_fff8, 0x904_1000, 0] {
        assert_eq!(machine.mmu(space.root(), outside), None);
        assert_eq!(space.walk(outside), None);
    }
}

#[test]
fn aligned_memory_is_mapped_by_blocks() {
    let machine = Machine::new(8);
    let mut space = machine.space();
    // A page, 2 MB blocks up to 1 GB, a 1 GB block, a 2 MB block, a page: root, one level 1, two level 2, two level 3.
    map(&mut space, GB - MB2 - PAGE_SIZE, PAGE_SIZE + MB2 + GB + MB2 + PAGE_SIZE, RW);
    assert_eq!(8 - machine.pool.free(), 6);
    // There are no blocks of 512 GB: one more table of level 1, full of 1 GB blocks.
    map(&mut space, 512 * GB, 512 * GB, RW);
    assert_eq!(8 - machine.pool.free(), 7);
    let sizes = [
        (GB - MB2 - PAGE_SIZE, PAGE_SIZE),
        (GB - MB2, MB2),
        (GB, GB),
        (2 * GB - 1, GB),
        (2 * GB, MB2),
        (2 * GB + MB2, PAGE_SIZE),
        (1024 * GB - PAGE_SIZE, GB),
    ];
    for (ipa, size) in sizes {
        assert_eq!(machine.mmu(space.root(), ipa).map(|t| (t.address, t.size)), Some((ipa, size)));
        assert_eq!(space.walk(ipa).map(|m| (m.pa, m.size)), Some((Pa::secure(ipa), size)));
    }
}

#[test]
fn a_pe_without_level_0_walks_the_first_512_gb() {
    let machine = Machine::new(8);
    let mut space = machine.space();
    let unmapped = space.first_table();
    assert_eq!(machine.mmu_from(1, unmapped, 0xe20_0000), None, "an empty table, not a missing one");
    map(&mut space, 0xe20_0000, 0x4_0000, RX);
    let found = machine.mmu_from(1, space.first_table(), 0xe20_1000);
    assert_eq!(found, machine.mmu(space.root(), 0xe20_1000));
    assert_eq!(found.map(|page| page.address), Some(0xe20_1000));
    assert_eq!(machine.mmu_from(1, space.first_table(), 0xe24_0000), None);
}

#[test]
fn the_last_page_below_48_bits_can_be_mapped() {
    let machine = Machine::new(7);
    let mut space = machine.space();
    map(&mut space, ADDRESS_LIMIT - PAGE_SIZE, PAGE_SIZE, RX);
    map(&mut space, 0, PAGE_SIZE, RW);
    assert_eq!(machine.mmu(space.root(), ADDRESS_LIMIT - 8).unwrap().address, ADDRESS_LIMIT - 8);
    assert_eq!(machine.pool.free(), 0);
    assert!(space.lookup_range(range(ADDRESS_LIMIT - PAGE_SIZE, PAGE_SIZE)).is_ok());
    assert_eq!(space.walk(ADDRESS_LIMIT), None, "the walk must not wrap round to address 0");
    assert_eq!(space.walk(u64::MAX), None);
}

#[test]
fn a_refused_mapping_changes_nothing() {
    let machine = Machine::new(6);
    let mut space = machine.space();
    map(&mut space, 0xe20_0000, 0x4000, RW);
    map(&mut space, GB, GB, RW);
    let (tables, free) = (machine.bytes(), machine.pool.free());
    let normal = PageRange::new(Space::Normal, 0, 1).unwrap();
    let refused = [
        (range(0xe1f_f000, 0x3000), RW, MapError::Mapped { at: 0xe20_0000 }),
        (range(0xe20_3000, 0x1000), RW, MapError::Mapped { at: 0xe20_3000 }),
        (range(GB + 0x5000, 0x1000), RW, MapError::Mapped { at: GB + 0x5000 }),
        (range(0, 4 * GB), RW, MapError::Mapped { at: 0xe20_0000 }),
        (normal, RW, MapError::Space),
        (range(0, 0x1000), Attributes::DEVICE, MapError::Attributes),
        (range(0, 0x1000), DEVICE | Attributes::EXECUTE, MapError::Attributes),
        // A table of level 1, 2 and 3 each where two frames are left.
        (range(1 << 40, 0x1000), RW, MapError::NoTables(NoTables)),
    ];
    assert_eq!(free, 2);
    for (range, attributes, why) in refused {
        assert_eq!(space.map(range, attributes, Ownership::Owned, &mut tlb()), Err(why));
        assert_eq!((machine.bytes() == tables, machine.pool.free()), (true, free), "{range:?}");
    }
}

#[test]
fn a_division_changes_nothing_that_is_mapped() {
    let machine = Machine::new(8);
    let mut space = machine.space();
    map(&mut space, GB, GB, RW);
    let mut tlb = Tlbs { watched: Some((machine, space.root())), ..Tlbs::default() };
    let (block, free) = (machine.mmu(space.root(), GB + MB2).unwrap(), machine.pool.free());
    let page = range(GB + MB2 + PAGE_SIZE, PAGE_SIZE);
    space.divide(page, &mut tlb).unwrap();
    assert_eq!(tlb.forgotten, [range(GB, GB), range(GB + MB2, MB2)], "as large as the blocks that are split");
    assert_eq!(machine.pool.free(), free - 2);
    let small = Translated { size: PAGE_SIZE, ..block };
    assert_eq!(machine.mmu(space.root(), GB + MB2), Some(small));
    assert_eq!(machine.mmu(space.root(), GB).unwrap().size, MB2);
    space.join(page, &mut tlb);
    assert_eq!((machine.mmu(space.root(), GB + MB2), machine.pool.free()), (Some(block), free));
}

#[test]
fn a_division_for_which_frames_are_missing_leaves_no_trace() {
    let machine = Machine::new(4);
    let mut space = machine.space();
    map(&mut space, GB, GB, RW);
    let tables = machine.bytes();
    // The first page needs two tables, and the last one two more.
    assert_eq!(space.divide(range(GB + PAGE_SIZE, GB), &mut tlb()), Err(NoTables));
    assert_eq!((machine.bytes() == tables, machine.pool.free()), (true, 2));
}

#[test]
fn a_page_that_is_lent_is_out_of_the_mmus_sight_until_it_is_back() {
    let machine = Machine::new(8);
    let mut space = machine.space();
    map(&mut space, 0xe20_0000, 0x4000, RX);
    let mut tlb = Tlbs { watched: Some((machine, space.root())), ..Tlbs::default() };
    let (page, before) = (range(0xe20_1000, 0x1000), machine.mmu(space.root(), 0xe20_1000));
    space.divide(page, &mut tlb).unwrap();
    space.own(page, Ownership::Shared, &mut tlb);
    assert_eq!(machine.mmu(space.root(), 0xe20_1000), before.map(|page| Translated { software: 3, ..page }));
    assert_eq!(tlb.forgotten, [], "what is cached still holds");
    space.own(page, Ownership::Lent, &mut tlb);
    assert_eq!(tlb.forgotten, [page]);
    let lent =
        Mapping { pa: Pa::secure(0xe20_1000), attributes: RX, ownership: Ownership::Lent, size: PAGE_SIZE };
    assert_eq!(space.walk(0xe20_1000), Some(lent));
    space.own(page, Ownership::Owned, &mut tlb);
    assert_eq!(machine.mmu(space.root(), 0xe20_1000), before);
    assert_eq!(tlb.forgotten, [page], "nothing can be cached of what was not mapped");
}

#[test]
fn pages_that_are_sent_one_by_one_are_not_joined() {
    let machine = Machine::new(8);
    let mut space = machine.space();
    map(&mut space, MB2, MB2, RW);
    let (free, halves) = (machine.pool.free(), [range(MB2, MB2 / 2), range(MB2 + MB2 / 2, MB2 / 2)]);
    for half in halves {
        space.divide(half, &mut tlb()).unwrap();
        space.own(half, Ownership::Shared, &mut tlb());
        space.join(half, &mut tlb());
    }
    assert_eq!(machine.pool.free(), free - 1, "each half must be had back without a new table");
    for half in halves {
        space.own(half, Ownership::Owned, &mut tlb());
        space.join(half, &mut tlb());
    }
    assert_eq!((machine.pool.free(), space.walk(MB2).unwrap().size), (free, MB2));
}

#[test]
fn a_range_is_looked_up_as_a_whole() {
    let machine = Machine::new(8);
    let mut space = machine.space();
    map(&mut space, MB2 - PAGE_SIZE, PAGE_SIZE + MB2, RW);
    map(&mut space, 2 * MB2, PAGE_SIZE, RX);
    space.map(range(2 * MB2 + PAGE_SIZE, PAGE_SIZE), RX, Ownership::Borrowed, &mut tlb()).unwrap();
    let even = Stretch { attributes: RW, ownership: Ownership::Owned };
    assert_eq!(
        space.lookup_range(range(MB2 - PAGE_SIZE, MB2)),
        Ok(even),
        "across a page and a part of a block"
    );
    let offends = |start, bytes| space.lookup_range(range(start, bytes)).err().map(|offender| offender.at);
    assert_eq!(
        offends(MB2 - 2 * PAGE_SIZE, 2 * PAGE_SIZE),
        Some(MB2 - 2 * PAGE_SIZE),
        "not mapped at the start"
    );
    assert_eq!(offends(2 * MB2 - PAGE_SIZE, 2 * PAGE_SIZE), Some(2 * MB2), "other attributes");
    assert_eq!(offends(2 * MB2, 2 * PAGE_SIZE), Some(2 * MB2 + PAGE_SIZE), "another owner");
    assert_eq!(
        offends(2 * MB2 + PAGE_SIZE, 2 * PAGE_SIZE),
        Some(2 * MB2 + 2 * PAGE_SIZE),
        "not mapped at the end"
    );
    let normal = PageRange::new(Space::Normal, MB2, 1).unwrap();
    assert_eq!(space.lookup_range(normal), Err(Offender { at: MB2 }), "the other world's page");
}

/// Ranges that meet each other and the borders of blocks often: page counts round 1, 2 MB and 1 GB.
fn ranges() -> impl Strategy<Value = (u64, u64)> {
    let start = prop_oneof![0..1600_u64, (0..4_u64, 0..8_u64).prop_map(|(gb, page)| (gb << 18) + page)];
    let pages = prop_oneof![4 => 1..9_u64, 3 => 500..1040_u64, 1 => (1 << 18)..(1 << 18) + 600_u64];
    (start, pages)
}

fn kinds() -> impl Strategy<Value = (Attributes, Ownership)> {
    let attributes = prop_oneof![Just(RW), Just(RX), Just(DEVICE), Just(Attributes::READ)];
    let ownership = proptest::sample::select(vec![
        Ownership::Owned,
        Ownership::Buffer,
        Ownership::Shared,
        Ownership::Lent,
        Ownership::Borrowed,
    ]);
    (attributes, ownership)
}

/// The fields of a descriptor that stand for a kind of page, from the tables of the Arm ARM; nothing where the MMU must
/// not use it.
fn fields((attributes, ownership): (Attributes, Ownership)) -> Option<(u64, u64, u64, u64)> {
    let access = if attributes.contains(Attributes::WRITE) { 3 } else { 1 };
    let execute_never = if attributes.contains(Attributes::EXECUTE) { 0 } else { 2 };
    let memory_type = if attributes.contains(Attributes::DEVICE) { 0 } else { 15 };
    let software = match ownership {
        Ownership::Owned => 1,
        Ownership::Buffer => 2,
        Ownership::Shared => 3,
        Ownership::Borrowed => 5,
        Ownership::Lent | Ownership::Foreign => return None,
    };
    Some((access, execute_never, memory_type, software))
}

/// What is done with a range.
#[derive(Clone, Copy, Debug)]
enum Step {
    Map,
    Own,
    Clear,
}

type Model = BTreeMap<u64, (Attributes, Ownership)>;

/// Pages at and round the borders of blocks: what a step is likely to get wrong.
fn sample(model: &Model, (start, pages): (u64, u64)) -> Vec<u64> {
    let inside = (0..pages).step_by((pages / 16).max(1) as usize).map(|offset| start + offset);
    let edges = [start.wrapping_sub(1), start + pages - 1, start + pages];
    let known = model.keys().copied().step_by((model.len() / 64).max(1));
    inside.chain(edges).chain(known).filter(|page| *page < 1 << 36).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_tables_agree_with_a_map_of_pages(
        frames in 3..24_usize,
        steps in prop::collection::vec(
            (ranges(), kinds(), proptest::sample::select(vec![Step::Map, Step::Own, Step::Clear])),
            1..24,
        ),
    ) {
        let machine = Machine::new(frames);
        let mut space = machine.space();
        let mut model = Model::new();
        let begin = machine.pool.free();
        for ((start, pages), kind, step) in steps {
            let mut tlb = Tlbs { watched: Some((machine, space.root())), ..Tlbs::default() };
            let (tables, free) = (machine.bytes(), machine.pool.free());
            let range = range(start * PAGE_SIZE, pages * PAGE_SIZE);
            let known = model.range(start..start + pages).map(|(page, kind)| (*page, *kind)).collect::<Vec<_>>();
            let pages_seen = sample(&model, (start, pages));
            let before = pages_seen.iter().map(|page| machine.mmu(space.root(), page * PAGE_SIZE)).collect::<Vec<_>>();
            let done = match step {
                Step::Map => match space.map(range, kind.0, kind.1, &mut tlb) {
                    Ok(()) => {
                        prop_assert!(known.is_empty());
                        model.extend((start..start + pages).map(|page| (page, kind)));
                        true
                    }
                    Err(MapError::Mapped { at }) => {
                        prop_assert_eq!(known.first().map(|(page, _)| *page), Some(at / PAGE_SIZE));
                        false
                    }
                    Err(why) => {
                        prop_assert!(why == MapError::NoTables(NoTables) && known.is_empty());
                        false
                    }
                },
                Step::Own | Step::Clear if known.len() as u64 != pages => false,
                Step::Own => match space.divide(range, &mut tlb) {
                    Ok(()) => {
                        space.own(range, kind.1, &mut tlb);
                        space.join(range, &mut tlb);
                        model.extend(known.iter().map(|(page, (attributes, _))| (*page, (*attributes, kind.1))));
                        true
                    }
                    Err(NoTables) => false,
                },
                Step::Clear => match space.divide(range, &mut tlb) {
                    Ok(()) => {
                        space.clear(range, &mut tlb);
                        known.iter().for_each(|(page, _)| { model.remove(page); });
                        true
                    }
                    Err(NoTables) => false,
                },
            };
            if !done {
                prop_assert!(tables == machine.bytes() && free == machine.pool.free(), "a refusal changes nothing");
            }
            for (page, before) in pages_seen.into_iter().zip(before) {
                let ipa = page * PAGE_SIZE;
                let found = machine.mmu(space.root(), ipa);
                let kind_found = found.map(|found| (found.access, found.execute_never, found.memory_type, found.software));
                prop_assert_eq!(kind_found, model.get(&page).and_then(|kind| fields(*kind)));
                prop_assert!(found.is_none_or(|found| found.address == ipa));
                let walked = space.walk(ipa).map(|mapping| (mapping.pa, (mapping.attributes, mapping.ownership)));
                prop_assert_eq!(walked, model.get(&page).map(|kind| (Pa::secure(ipa), *kind)));
                // What a TLB may still hold is true, but for what software alone reads.
                let cached = |page: Option<Translated>| page.map(|page| Translated { software: 0, ..page });
                if before.is_some() && cached(before) != cached(found) {
                    prop_assert!(tlb.forgotten.iter().any(|range| range.start() <= ipa && ipa < range.end()), "{:#x}", ipa);
                }
            }
            let whole = model.get(&start).map(|kind| Stretch { attributes: kind.0, ownership: kind.1 });
            let is_even = (start..start + pages).all(|page| model.get(&page) == model.get(&start));
            prop_assert_eq!(space.lookup_range(range).ok(), whole.filter(|_| is_even));
        }
        // Everything is taken away, as far as frames allow: no table is left over.
        while let Some((&page, _)) = model.first_key_value() {
            let mut end = page;
            while model.remove(&end).is_some() {
                end += 1;
            }
            let range = range(page * PAGE_SIZE, (end - page) * PAGE_SIZE);
            space.divide(range, &mut tlb()).unwrap();
            space.clear(range, &mut tlb());
        }
        prop_assert_eq!(machine.pool.free(), begin);
    }
}

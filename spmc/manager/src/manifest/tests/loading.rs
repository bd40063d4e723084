//! Packages and boot information, and loading as a whole from memory.

use alloc::vec;

use arm_ffa::Version;
use arm_ffa::boot_info::{BootInfoContents, BootInfoIterator, BootInfoStdId, BootInfoType};

use super::super::package::PackageError;
use super::super::{boot_info, load};
use super::ram::{Ram, header};
use super::said::logged;
use super::*;

const BASE: u64 = 0xe30_0000;

fn ram(first: &str, second: &str) -> Ram {
    Ram::with(&[(BASE, first), (BASE + 0x4_0000, second)])
}

fn loaded(ram: &mut Ram) -> Vec<String> {
    let configs = load(&spmc_of(SPMC).unwrap(), &own(), ram).unwrap();
    configs.into_iter().map(|config| config.name).collect()
}

#[test]
fn a_package_of_version_1_or_2_is_read() {
    let memory = range(BASE, BASE + 0x4_0000);
    for version in [1, 2] {
        let found = Package::parse(&header(version, (0x1000, 0x800), (0x4000, 0x3_C000)), &memory);
        assert_eq!(found, Ok(Package { image: (0x4000, 0x3_C000), ..PACKAGE }));
    }
}

#[test]
fn a_package_must_be_sound_and_within_its_memory() {
    let memory = range(BASE, BASE + 0x4_0000);
    let parse =
        |version, manifest, image| Package::parse(&header(version, manifest, image), &memory).unwrap_err();
    let good = ((0x1000, 0x800), (0x4000, 0x1000));
    let offset = |field, offset, alignment| PackageError::Offset { field, offset, alignment };
    let size = |field, size, low, high| PackageError::Size { field, size, low, high };
    assert_eq!(parse(0, good.0, good.1), PackageError::Version { version: 0 });
    assert_eq!(parse(3, good.0, good.1), PackageError::Version { version: 3 });
    assert_eq!(parse(2, (0x10, 0x800), good.1), offset("pm_offset", 0x10, 8));
    assert_eq!(parse(2, (0x1004, 0x800), good.1), offset("pm_offset", 0x1004, 8));
    assert_eq!(parse(2, good.0, (0x4800, 0x1000)), offset("img_offset", 0x4800, 0x1000));
    assert_eq!(parse(2, good.0, (0, 0x1000)), offset("img_offset", 0, 0x1000));
    assert_eq!(parse(2, (0x1000, 39), good.1), size("pm_size", 39, 40, 0x1_0000));
    assert_eq!(parse(2, (0x1000, 0x1_0001), good.1), size("pm_size", 0x1_0001, 40, 0x1_0000));
    assert_eq!(parse(2, (0x3_F000, 0x1001), good.1), size("pm_size", 0x1001, 40, 0x1000));
    assert_eq!(parse(2, good.0, (0x4000, 0)), size("img_size", 0, 1, 0x3_C000));
    assert_eq!(parse(2, good.0, (0x4000, 0x3_C001)), size("img_size", 0x3_C001, 1, 0x3_C000));
    assert_eq!(parse(2, good.0, (0xFFFF_F000, u32::MAX)), size("img_size", u32::MAX, 1, 0));
    let overlap = PackageError::Overlap { manifest: (0x1000, 0x3001), image: (0x4000, 0x1000) };
    assert_eq!(parse(2, (0x1000, 0x3001), good.1), overlap);
    let magic = Package::parse(&[b'X'; 24], &memory).unwrap_err();
    let message = "it begins with [58, 58, 58, 58], neither with \"SPKG\" nor as a transfer list";
    assert_eq!(magic.to_string(), message);
}

#[test]
fn no_package_header_makes_the_parser_panic() {
    let memory = range(BASE, BASE + 0x4_0000);
    let good = header(2, (0x1000, 0x800), (0x4000, 0x1000));
    for bit in 0..good.len() * 8 {
        let mut bytes = good;
        bytes[bit / 8] ^= 1 << (bit % 8);
        if let Ok(package) = Package::parse(&bytes, &memory) {
            let ends = [package.manifest, package.image].map(|(offset, size)| offset + size);
            assert!(ends.iter().all(|end| *end <= memory.bytes()), "{package:?}");
        }
    }
}

#[test]
fn all_packages_of_the_manifest_are_loaded() {
    assert_eq!(loaded(&mut ram(ECHO, RELAY)), ["echo", "relay"]);
}

#[test]
fn one_bad_package_stops_that_partition_only() {
    let mut damaged = ram(ECHO, RELAY);
    damaged.bytes[0] = b'X';
    assert_eq!(loaded(&mut damaged), ["relay"]);
    assert_eq!(
        loaded(&mut ram(ECHO, &changed(RELAY, "execution-state = <0>", "execution-state = <1>"))),
        ["echo"]
    );
    assert_eq!(loaded(&mut ram(ECHO, &changed(RELAY, "boot-order = <1>", "boot-order = <0>"))), ["echo"]);
    assert_eq!(loaded(&mut Ram::with(&[(BASE, ECHO)])), ["echo"], "memory behind echo faults");
}

/// Damage to packages.
type Change<'a> = &'a dyn Fn(&mut Ram);

#[test]
fn each_reason_to_leave_a_partition_out_is_said() {
    let said = |change: Change<'_>| {
        let mut ram = ram(ECHO, &changed(RELAY, "ffa_manifest;", "hob_list;"));
        // An empty hand-off block list for relay, which is damaged or not.
        ram.bytes[0x4_2000..0x4_2004].copy_from_slice(&[1, 0, 56, 0]);
        ram.bytes[0x4_2038..0x4_203C].copy_from_slice(&[0xFF, 0xFF, 8, 0]);
        change(&mut ram);
        let (_, lines) = logged(|| loaded(&mut ram));
        let error = lines.into_iter().find_map(|line| Some(line.split_once("is left out: ")?.1.to_string()));
        error.unwrap_or_default()
    };
    let word = |at: usize, word: u32| {
        move |ram: &mut Ram| ram.bytes[at..at + 4].copy_from_slice(&word.to_le_bytes())
    };
    let list = "/boot-info: `hob_list` is given, but the package has no list at offset 0x2000: ";
    let all: [(Change<'_>, &str); 12] = [
        (&|_| {}, ""),
        (
            &word(0, 0),
            "package: it begins with [00, 00, 00, 00], neither with \"SPKG\" nor as a transfer list",
        ),
        (&word(4, 3), "package: `version` is 3; it must be 1 or 2"),
        (&word(8, 0x1004), "package: `pm_offset` is 0x1004; it must be a multiple of 0x8 behind the header"),
        (
            &word(16, 0x4800),
            "package: `img_offset` is 0x4800; it must be a multiple of 0x1000 behind the header",
        ),
        (&word(20, 0x4_0000), "package: `img_size` is 0x40000; it must be 0x1 to 0x3c000"),
        (
            &word(12, 0x4000),
            "package: the manifest (0x4000 bytes at 0x1000) and the image (0x1000 bytes at 0x4000) overlap",
        ),
        (&word(0x1000, 0), "not a device tree: it begins with 0x0, not with 0xd00dfeed"),
        (&|ram| ram.bytes.truncate(0x4_0000), "memory at 0xe340000 cannot be accessed"),
        (&word(0x4_2000, 0), &std::format!("{list}it does not begin with a hand-off information table")),
        (&word(0x4_2038, 9), &std::format!("{list}the length of a block is not a multiple of 8")),
        (&word(0x4_2038, 0x2000_FFFF), &std::format!("{list}it has no end before the image")),
    ];
    for (change, message) in all {
        assert_eq!(said(change), message);
    }
    let mut tight = ram(ECHO, RELAY);
    let manifest = dts::compile(ECHO);
    tight.bytes[..24].copy_from_slice(&header(2, (0x38, manifest.len() as u32), (0x4000, 0x1000)));
    tight.bytes[0x38..0x38 + manifest.len()].copy_from_slice(&manifest);
    let (_, lines) = logged(|| loaded(&mut tight));
    assert_eq!(
        lines.last().unwrap(),
        "ERROR: echo (0x8001) is left out: boot information has 0x40 bytes, and the package leaves 0x38 below \
             its manifest"
    );
}

#[test]
fn a_region_where_nothing_is_declared_stops_the_partition() {
    let node = "memory-regions { compatible = \"arm,ffa-manifest-memory-regions\"; \
                r { base-address = <0xf000000>; pages-count = <1>; attributes = <3>; }; }; boot-info {";
    assert_eq!(loaded(&mut ram(&changed(ECHO, "boot-info {", node), RELAY)), ["relay"]);
}

#[test]
fn a_partition_that_would_overwrite_the_spmc_stops_the_boot() {
    let own = Own { memory: range(0xe10_0000, 0xe30_1000), devices: Vec::new() };
    assert!(matches!(
        load(&spmc_of(SPMC).unwrap(), &own, &mut ram(ECHO, RELAY)),
        Err(Error::OwnMemory { .. })
    ));
}

#[test]
fn boot_information_points_to_the_manifest_in_the_package() {
    let mut ram = ram(ECHO, RELAY);
    loaded(&mut ram);
    let dtb = dts::compile(ECHO);
    let word = |at: usize| u32::from_le_bytes(*ram.bytes[at..].first_chunk().unwrap());
    let header: Vec<u32> = (0..8).map(|index| word(index * 4)).collect();
    // FF-A 1.2, table 5.8.
    assert_eq!(header, [0xFFA, 0x1_0002, 0x1000 + dtb.len() as u32, 32, 1, 32, 0, 0]);
    // Table 5.9: type 0 (FDT), flags 0, size, address.
    assert_eq!(&ram.bytes[32..48], b"ffa-manifest\0\0\0\0");
    let rest: Vec<u32> = (12..16).map(|index| word(index * 4)).collect();
    assert_eq!(rest, [0, dtb.len() as u32, BASE as u32 + 0x1000, 0]);
    assert_eq!(&ram.bytes[0x1000..0x1000 + dtb.len()], dtb, "the manifest itself stays as it is");
}

#[test]
fn boot_information_is_what_other_readers_expect() {
    for (version, told) in
        [(Version(1, 0), Version(1, 1)), (Version(1, 2), Version(1, 2)), (Version(1, 3), Version(1, 2))]
    {
        // A reader resolves addresses relative to its own: the contents follow the descriptors directly.
        let mut bytes = boot_info::blob(0, version, Some((96, 5)), Some((104, 3)));
        assert_eq!(bytes.len(), 96);
        bytes.extend(*b"helloxxxhob");
        let base = bytes.as_ptr() as u64;
        let mut bytes2 = boot_info::blob(base, version, Some((base + 96, 5)), Some((base + 104, 3)));
        bytes2.extend(&bytes[96..]);
        bytes.copy_from_slice(&bytes2);
        let found: Vec<_> = BootInfoIterator::new(told, &bytes).unwrap().map(Result::unwrap).collect();
        assert_eq!(found[0].typ, BootInfoType::Std(BootInfoStdId::Fdt));
        assert_eq!(found[0].contents, BootInfoContents::Address { content_buf: b"hello" });
        assert_eq!(found[1].typ, BootInfoType::Std(BootInfoStdId::Hob));
        assert_eq!(found[1].contents, BootInfoContents::Address { content_buf: b"hob" });
    }
}

#[test]
fn a_hob_list_is_measured_and_must_end() {
    let block = |kind: u16, length: u16| {
        let mut bytes = vec![0; usize::from(length.max(8))];
        bytes[..2].copy_from_slice(&kind.to_le_bytes());
        bytes[2..4].copy_from_slice(&length.to_le_bytes());
        bytes
    };
    let list = [block(1, 56), block(4, 24), block(0xFFFF, 8), vec![0; 100]].concat();
    assert_eq!(boot_info::hob_list_size(&list), Ok(88));
    assert!(boot_info::hob_list_size(&list[..87]).is_err());
    assert!(boot_info::hob_list_size(&list[56..]).is_err(), "it begins with the hand-off table");
    for length in [0, 7, 12] {
        assert!(boot_info::hob_list_size(&[block(1, 56), block(4, length)].concat()).is_err());
    }
    assert!(boot_info::hob_list_size(&[]).is_err());
    let long_end = [block(1, 56), block(0xFFFF, 16)].concat();
    assert_eq!(boot_info::hob_list_size(&long_end), Ok(72));
    assert!(boot_info::hob_list_size(&long_end[..64]).is_err(), "the last block is cut");
}

#[test]
fn a_hob_list_that_is_asked_for_must_be_in_the_package() {
    let asks = changed(ECHO, "ffa_manifest;", "hob_list;");
    assert_eq!(loaded(&mut ram(&asks, RELAY)), ["relay"]);
    let mut with_list = ram(&asks, RELAY);
    with_list.bytes[0x2000..0x2004].copy_from_slice(&[1, 0, 56, 0]);
    with_list.bytes[0x2038..0x203C].copy_from_slice(&[0xFF, 0xFF, 8, 0]);
    assert_eq!(loaded(&mut with_list), ["echo", "relay"]);
    let word = |at: usize| u32::from_le_bytes(*with_list.bytes[at..].first_chunk().unwrap());
    assert_eq!([word(48), word(52), word(56)], [1, 64, BASE as u32 + 0x2000]);
}

#[test]
fn boot_information_must_fit_below_the_manifest() {
    let mut tight = ram(ECHO, RELAY);
    let manifest = dts::compile(ECHO);
    tight.bytes[..24].copy_from_slice(&header(2, (0x38, manifest.len() as u32), (0x4000, 0x1000)));
    tight.bytes[0x38..0x38 + manifest.len()].copy_from_slice(&manifest);
    assert_eq!(loaded(&mut tight), ["relay"]);
}

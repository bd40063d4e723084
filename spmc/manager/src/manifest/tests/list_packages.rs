//! Packages that are transfer lists, as a whole from memory: what starts, and each reason to leave a partition out.

use alloc::vec;

use super::super::load;
use super::super::transfer_list::{FFA_MANIFEST, HOB_LIST, SP_BINARY};
use super::ram::{Ram, package};
use super::said::logged;
use super::transfer_lists::{Part, list, word};
use super::*;

const BASE: u64 = 0xe30_0000;
/// An image of two pages.
const IMAGE: &[u8] = &[0x1F; 0x2000];
/// A hand-off block list that holds nothing.
const HOBS: &[u8] = &{
    let mut hobs = [0; 64];
    (hobs[0], hobs[2]) = (1, 56);
    (hobs[56], hobs[57], hobs[58]) = (0xFF, 0xFF, 8);
    hobs
};

/// `echo` as Hafnium's tools have it: its entry is the image's first byte, a page behind the manifest.
fn echo() -> String {
    changed(ECHO, "entrypoint-offset = <0x4000>", "entrypoint-offset = <0x2000>")
}

/// `echo` from a list, `relay` from an "SPKG".
fn loaded(bytes: Vec<u8>) -> (Vec<PartitionConfig>, Ram) {
    let mut ram = Ram::with_packages(&[(BASE, bytes), (BASE + 0x4_0000, package(RELAY))]);
    (load(&spmc_of(SPMC).unwrap(), &own(), &mut ram).unwrap(), ram)
}

/// Why `echo` is left out; empty if it is not.
fn said(bytes: Vec<u8>) -> String {
    let (_, lines) = logged(|| loaded(bytes));
    let error =
        lines.into_iter().find_map(|line| Some(line.split_once("echo (0x8001) is left out: ")?.1.into()));
    error.unwrap_or_default()
}

#[test]
fn a_package_that_is_a_transfer_list_is_read() {
    let manifest = dts::compile(&echo());
    let (configs, ram) = loaded(list(&[(FFA_MANIFEST, 4096, &manifest), (SP_BINARY, 4096, IMAGE)]));
    assert_eq!(configs.iter().map(|config| &*config.name).collect::<Vec<_>>(), ["echo", "relay"]);
    assert_eq!(configs[0].manifest, (BASE + 0x1000, manifest.len() as u64));
    assert_eq!(configs[0].entry, BASE + 0x2000);
    assert_eq!(ram.bytes[0x1000..0x1000 + manifest.len()], manifest);
    assert_eq!(&ram.bytes[0x2000..0x4000], IMAGE);
}

#[test]
fn boot_information_has_the_first_page_of_a_transfer_list() {
    let manifest = dts::compile(&echo());
    let (_, ram) = loaded(list(&[(FFA_MANIFEST, 4096, &manifest), (SP_BINARY, 4096, IMAGE)]));
    let word = |at: usize| u32::from_le_bytes(*ram.bytes[at..].first_chunk().unwrap());
    assert_eq!([0, 4, 16].map(word), [0xFFA, 0x1_0002, 1], "signature, version, descriptors");
    assert_eq!([52, 56].map(word), [manifest.len() as u32, BASE as u32 + 0x1000]);
}

#[test]
fn a_hob_list_is_an_entry_of_the_transfer_list() {
    let asks = dts::compile(&changed(&echo(), "ffa_manifest;", "hob_list;").replace("0x2000", "0x3000"));
    let with = |hobs| list(&[(FFA_MANIFEST, 4096, &asks), (HOB_LIST, 4096, hobs), (SP_BINARY, 4096, IMAGE)]);
    let (configs, ram) = loaded(with(HOBS));
    assert_eq!(configs.len(), 2);
    let word = |at: usize| u32::from_le_bytes(*ram.bytes[at..].first_chunk().unwrap());
    assert_eq!([word(48), word(52), word(56)], [1, 64, BASE as u32 + 0x2000]);
    let given = "/boot-info: `hob_list` is given, but the package has no list";
    assert_eq!(
        said(with(&HOBS[..56])),
        std::format!("{given} at offset 0x2000: it has no end before the image")
    );
    let asks = dts::compile(&changed(&echo(), "ffa_manifest;", "hob_list;"));
    let without = list(&[(FFA_MANIFEST, 4096, &asks), (SP_BINARY, 4096, IMAGE)]);
    assert_eq!(said(without), std::format!("{given}: the transfer list has no entry with tag 0x3"));
}

#[test]
fn each_reason_to_refuse_a_transfer_list_as_a_package_is_said() {
    let manifest = dts::compile(&echo());
    let good: [Part<'_>; 2] = [(FFA_MANIFEST, 4096, &manifest), (SP_BINARY, 4096, IMAGE)];
    let [pm, image] = good;
    let large = vec![0; 0x1_0001];
    let of: [(&[Part<'_>], &str); 12] = [
        (&good, ""),
        (&[image], "there is no entry with tag 0x106, the FF-A manifest"),
        (&[pm], "there is no entry with tag 0x103, the image"),
        (
            &[(FFA_MANIFEST, 8, &manifest), image],
            "the FF-A manifest lies at 0x20; it must be a multiple of 0x1000",
        ),
        (&[pm, (SP_BINARY, 64, IMAGE)], "the image lies at 0x"),
        (&[pm, (HOB_LIST, 64, HOBS), image], "the hand-off block list lies at 0x"),
        (
            &[(FFA_MANIFEST, 4096, &[0; 39]), image],
            "the FF-A manifest has 0x27 bytes; it must be 0x28 to 0x10000",
        ),
        (
            &[(FFA_MANIFEST, 4096, &large), image],
            "the FF-A manifest has 0x10001 bytes; it must be 0x28 to 0x10000",
        ),
        (&[pm, (SP_BINARY, 4096, &[])], "the image has 0x0 bytes; it must be 0x1 to 0xffffffff"),
        (
            &[pm, image, (HOB_LIST, 4096, HOBS)],
            "an entry with tag 0x3 is behind the image, which must be the last",
        ),
        (&[pm, pm, image], "tag 0x106 has data at 0x1000 and at 0x2000; it must be unique"),
        (&[pm, image, image], "tag 0x103 has data at 0x2000 and at 0x5000; it must be unique"),
    ];
    for (parts, message) in of {
        let found = said(list(parts));
        let wanted = if message.is_empty() {
            String::new()
        } else {
            std::format!("package: transfer list: {message}")
        };
        assert!(found.starts_with(&wanted) && found.is_empty() == wanted.is_empty(), "{found}\n{wanted}");
    }
}

#[test]
fn a_damaged_transfer_list_stops_that_partition_only() {
    let manifest = dts::compile(&echo());
    let good = list(&[(FFA_MANIFEST, 4096, &manifest), (SP_BINARY, 4096, IMAGE)]);
    let mut sum = good.clone();
    sum[0x3000] ^= 0x80;
    let (configs, _) = loaded(sum.clone());
    assert_eq!(configs.iter().map(|config| &*config.name).collect::<Vec<_>>(), ["relay"]);
    assert!(said(sum).starts_with("package: transfer list: `checksum` is 0x"));
    // More than the partition's memory, which is 256 KB.
    let mut size = good.clone();
    word(&mut size, 8, 0x4_0008);
    assert_eq!(said(size), "package: transfer list: `size` is 0x40008; it must be 0x18 to 0x40000");
    let mut signature = good;
    word(&mut signature, 0, 0x4A0F_B10A);
    let message = "package: it begins with [0a, b1, 0f, 4a], neither with \"SPKG\" nor as a transfer list";
    assert_eq!(said(signature), message);
}

//! What EL3 hands over at entry: a transfer list in x1 to x3, and the SPMC manifest in it.

use core::ops::Range;

use super::super::handoff::{HandoffError, MAX_LIST_SIZE, manifest as manifest_in, transfer_list};
use super::super::transfer_list::{ListError, SPMC_MANIFEST, TransferList};
use super::transfer_lists::{Part, list};
use super::*;

/// x1 of the register convention.
const X1: u64 = 0x1_4A0F_B10B;
const OWN: Range<u64> = 0xe10_0000..0xe30_0000;

#[test]
fn without_the_signature_in_x1_there_is_no_transfer_list() {
    // As TF-A enters without TRANSFER_LIST: the manifest, and the machine's device tree or nothing.
    for x1 in [0, 0x4000_0000, 0x4A0F_B10C, 0x1_4A0F_B10A] {
        assert_eq!(transfer_list([0xe00_0000, x1, 1, 3], &OWN), Ok(None));
    }
}

#[test]
fn x1_to_x3_announce_a_transfer_list() {
    let found = |x3| transfer_list([0, X1, 0, x3], &OWN);
    assert_eq!(found(0xe05_c000), Ok(Some((0xe05_c000, 0xA_4000))), "up to the SPMC");
    assert_eq!(found(8), Ok(Some((8, MAX_LIST_SIZE))));
    assert_eq!(found(OWN.end), Ok(Some((OWN.end, MAX_LIST_SIZE))));
    assert_eq!(found((1 << 48) - 24), Ok(Some(((1 << 48) - 24, 24))));
}

#[test]
fn a_transfer_list_that_cannot_be_there_is_refused() {
    let error = |x1, x2, x3| transfer_list([0, x1, x2, x3], &OWN).unwrap_err();
    for x1 in [0x4A0F_B10B, 0x2_4A0F_B10B, 0x101_4A0F_B10B] {
        assert_eq!(error(x1, 0, 0xe05_c000), HandoffError::Convention { x1 });
    }
    assert_eq!(error(X1, 1, 0xe05_c000), HandoffError::Reserved { x2: 1 });
    for x3 in [0, 0xe05_c004, OWN.start, OWN.end - 8, OWN.start - 16, (1 << 48) - 16, 1 << 48, u64::MAX - 7] {
        assert_eq!(error(X1, 0, x3), HandoffError::Address { x3, own: OWN });
    }
    assert_eq!(
        error(X1, 0, 4).to_string(),
        "x3 is 0x4; a transfer list lies at a multiple of 8 below 48 bits, not at 0, and outside 0xe100000..0xe300000"
    );
    assert_eq!(
        error(0x2_4A0F_B10B, 0, 8).to_string(),
        "x1 is 0x24a0fb10b: a transfer list by version 0x2 of the register convention, and 1 is known"
    );
}

#[test]
fn the_spmc_manifest_is_an_entry_of_the_list_or_not_in_it() {
    let found = |parts: &[Part<'_>]| manifest_in(0x1000, &TransferList::of(&list(parts)).unwrap());
    let bytes = dts::compile(SPMC);
    assert_eq!(found(&[(1, 8, &[1; 100])]), Ok(None));
    assert_eq!(
        found(&[(1, 8, &[1; 100]), (SPMC_MANIFEST, 8, &bytes)]),
        Ok(Some((0x1000 + 24 + 8 + 104 + 8, bytes.len() as u64)))
    );
    let short = HandoffError::Manifest { address: 0x1020, size: 39 };
    assert_eq!(found(&[(SPMC_MANIFEST, 8, &[0; 39])]), Err(short.clone()));
    assert_eq!(
        short.to_string(),
        "transfer list: the SPMC manifest has 0x27 bytes at 0x1020; it must have 0x28 at least, and begin at a \
         multiple of 8"
    );
    let twice = found(&[(SPMC_MANIFEST, 8, &bytes), (SPMC_MANIFEST, 8, &bytes)]);
    assert!(matches!(twice, Err(HandoffError::List(ListError::Twice { tag: 0x101, .. }))));
    // A header of more than 8 bytes that leaves its data crooked.
    let mut crooked = list(&[(SPMC_MANIFEST, 8, &[0; 48])]);
    crooked[27] = 12;
    crooked[28] = 44;
    crooked[16] = 0;
    let crooked = manifest_in(0x1000, &TransferList::of(&crooked).unwrap());
    assert_eq!(crooked, Err(HandoffError::Manifest { address: 0x1024, size: 44 }));
}

//! Transfer lists: header, entries and checksum, from lists made by hand and from damaged ones.

use alloc::vec;

use super::super::transfer_list::{FFA_MANIFEST, HOB_LIST, ListError, MAX_ENTRIES, SP_BINARY, TransferList};
use super::*;

/// Tag, what the data is aligned to, and the data.
pub type Part<'a> = (u32, usize, &'a [u8]);

/// Offsets of the header's fields.
const CHECKSUM: usize = 4;
const VERSION: usize = 5;
const HDR_SIZE: usize = 6;
const ALIGNMENT: usize = 7;
const SIZE: usize = 8;
const MAX_SIZE: usize = 12;
const FLAGS: usize = 16;

/// A list of these parts that may grow to 1 MB, with an empty entry wherever data must be moved to its place.
pub fn list(parts: &[Part<'_>]) -> Vec<u8> {
    let mut bytes =
        vec![0x0B, 0xB1, 0x0F, 0x4A, 0, 1, 24, 12, 0, 0, 0, 0, 0, 0, 0x10, 0, 1, 0, 0, 0, 0, 0, 0, 0];
    for (tag, alignment, data) in parts {
        let gap = (bytes.len() + 8).next_multiple_of(*alignment) - (bytes.len() + 8);
        if gap != 0 {
            entry(&mut bytes, 0, &vec![0; gap - 8]);
        }
        entry(&mut bytes, *tag, data);
    }
    let size = bytes.len() as u32;
    word(&mut bytes, SIZE, size);
    bytes
}

fn entry(bytes: &mut Vec<u8>, tag: u32, data: &[u8]) {
    bytes.extend((tag | 8 << 24).to_le_bytes());
    bytes.extend((data.len() as u32).to_le_bytes());
    bytes.extend(data);
    bytes.resize(bytes.len().next_multiple_of(8), 0);
}

/// Puts a word into a list, and makes the checksum right.
pub fn word(bytes: &mut [u8], at: usize, word: u32) {
    bytes[at..at + 4].copy_from_slice(&word.to_le_bytes());
    seal(bytes);
}

fn byte(bytes: &mut [u8], at: usize, byte: u8) {
    bytes[at] = byte;
    seal(bytes);
}

/// Makes the checksum right.
fn seal(bytes: &mut [u8]) {
    let size = u32::from_le_bytes(*bytes[SIZE..].first_chunk().unwrap()) as usize;
    let end = size.min(bytes.len());
    bytes[CHECKSUM] = 0;
    bytes[CHECKSUM] = bytes[..end].iter().fold(0, |sum: u8, byte| sum.wrapping_sub(*byte));
}

/// Two entries.
fn two() -> Vec<u8> {
    list(&[(FFA_MANIFEST, 8, &[1, 2, 3]), (SP_BINARY, 8, &[4; 16])])
}

#[test]
fn a_list_made_by_hand_is_read() {
    #[rustfmt::skip]
    let bytes = [
        // Signature, checksum, version, size of the header, alignment.
        0x0B, 0xB1, 0x0F, 0x4A, 0x59, 1, 24, 3,
        // Size, largest size, flags, reserved.
        56, 0, 0, 0, 0, 0x10, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0,
        // An empty entry without data.
        0, 0, 0, 8, 0, 0, 0, 0,
        // Tag 0x106, a header of 16 bytes, 4 bytes of data.
        6, 1, 0, 16, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4, 0, 0, 0, 0,
    ];
    let found = TransferList::of(&bytes).unwrap();
    assert_eq!(found.find(FFA_MANIFEST), Ok(Some((48, 4))));
    assert_eq!((found.find(SP_BINARY), found.last()), (Ok(None), Some(FFA_MANIFEST)));
    assert_eq!(TransferList::of(&list(&[])).unwrap().last(), None);
}

#[test]
fn a_list_of_a_later_version_or_without_a_checksum_is_read() {
    let mut bytes = two();
    byte(&mut bytes, VERSION, 2);
    assert!(TransferList::of(&bytes).is_ok());
    word(&mut bytes, FLAGS, 0);
    bytes[CHECKSUM] = 0x55;
    assert!(TransferList::of(&bytes).is_ok());
}

#[test]
fn each_field_of_a_lists_header_is_checked() {
    let size = two().len() as u64;
    let byte_error = |at, value| {
        let mut bytes = two();
        byte(&mut bytes, at, value);
        TransferList::of(&bytes).unwrap_err()
    };
    let word_error = |at, value| {
        let mut bytes = two();
        word(&mut bytes, at, value);
        TransferList::of(&bytes).unwrap_err()
    };
    let field = |field, value, low, high| ListError::Field { field, value, low, high };
    assert_eq!(word_error(0, 0x4A0F_B10A), ListError::Signature { found: 0x4A0F_B10A });
    assert_eq!(byte_error(VERSION, 0), field("version", 0, 1, 0xFF));
    assert_eq!(byte_error(HDR_SIZE, 32), ListError::HeaderSize { size: 32 });
    assert_eq!(byte_error(ALIGNMENT, 2), field("alignment", 2, 3, 31));
    assert_eq!(byte_error(ALIGNMENT, 32), field("alignment", 32, 3, 31));
    assert_eq!(word_error(SIZE, 23), field("size", 23, 24, size));
    assert_eq!(word_error(SIZE, size as u32 + 1), field("size", size as u32 + 1, 24, size));
    assert_eq!(word_error(MAX_SIZE, 0), field("max_size", 0, 24, u32::MAX.into()));
    assert_eq!(word_error(MAX_SIZE, size as u32 - 1), field("size", size as u32, 24, size - 1));
    assert_eq!(TransferList::of(&two()[..size as usize - 1]), Err(field("size", size as u32, 24, size - 1)));
    assert_eq!(TransferList::of(&two()[..23]), Err(ListError::Unreadable { offset: 0 }));
}

#[test]
fn the_bytes_of_a_list_add_up() {
    let mut bytes = two();
    let right = bytes[CHECKSUM];
    for at in [CHECKSUM, 24 + 8, bytes.len() - 1] {
        bytes[at] = bytes[at].wrapping_add(1);
        let checksum = bytes[CHECKSUM];
        let expected = if at == CHECKSUM { right } else { right.wrapping_sub(1) };
        assert_eq!(TransferList::of(&bytes), Err(ListError::Checksum { checksum, right: expected }));
        bytes[at] = bytes[at].wrapping_sub(1);
    }
    // More than one piece of it.
    let mut long = list(&[(SP_BINARY, 4096, &[7; 2000])]);
    assert!(TransferList::of(&long).is_ok());
    *long.last_mut().unwrap() ^= 1;
    assert!(matches!(TransferList::of(&long), Err(ListError::Checksum { .. })));
}

#[test]
fn each_entry_lies_within_the_list() {
    let changed = |at, value| {
        let mut bytes = two();
        word(&mut bytes, at, value);
        TransferList::of(&bytes).unwrap_err()
    };
    let entry =
        |offset, tag, field, value, low, high| ListError::Entry { offset, tag, field, value, low, high };
    // The first entry has 8 + 3 bytes and 5 of padding, the second 8 + 16.
    assert_eq!(changed(24, 7 << 24 | FFA_MANIFEST), entry(24, FFA_MANIFEST, "hdr_size", 7, 8, 40));
    assert_eq!(changed(24, 41 << 24 | FFA_MANIFEST), entry(24, FFA_MANIFEST, "hdr_size", 41, 8, 40));
    assert_eq!(changed(28, 33), entry(24, FFA_MANIFEST, "data_size", 33, 0, 32));
    assert_eq!(changed(44, 17), entry(40, SP_BINARY, "data_size", 17, 0, 16));
    assert_eq!(changed(44, u32::MAX), entry(40, SP_BINARY, "data_size", u32::MAX, 0, 16));
    assert_eq!(changed(44, 8), entry(56, 0x04_0404, "hdr_size", 4, 8, 8), "data as a header");
    assert_eq!(changed(SIZE, 44), ListError::Cut { offset: 40, size: 44 });
    assert_eq!(changed(SIZE, 56), entry(40, SP_BINARY, "data_size", 16, 0, 8));
    assert_eq!(
        changed(44, 17).to_string(),
        "the entry at 0x28 with tag 0x103: `data_size` is 0x11; it must be 0x0 to 0x10"
    );
}

#[test]
fn entries_are_found_by_their_tag_and_once_only() {
    let bytes = list(&[(1, 4096, &[1; 40]), (FFA_MANIFEST, 4096, &[2]), (HOB_LIST, 8, &[]), (1, 8, &[3])]);
    let found = TransferList::of(&bytes).unwrap();
    assert_eq!(found.find(FFA_MANIFEST), Ok(Some((0x2000, 1))));
    assert_eq!(found.find(HOB_LIST), Ok(Some((0x2010, 0))));
    assert_eq!(found.find(1), Err(ListError::Twice { tag: 1, first: 0x1000, second: 0x2018 }));
    assert_eq!(found.find(0), Ok(None), "an empty entry is none");
    assert_eq!(
        found.find(1).unwrap_err().to_string(),
        "tag 0x1 has data at 0x1000 and at 0x2018; it must be unique"
    );
}

#[test]
fn a_list_has_as_many_entries_as_are_kept() {
    let of = |count| list(&vec![(9, 8, &[][..]); count]);
    assert!(TransferList::of(&of(MAX_ENTRIES)).is_ok());
    assert_eq!(TransferList::of(&of(MAX_ENTRIES + 1)), Err(ListError::TooMany));
    let empty = vec![(0, 8, &[][..]); 3 * MAX_ENTRIES];
    assert_eq!(TransferList::of(&list(&empty)).unwrap().last(), None, "empty ones do not count");
}

/// All data lies in the list, one behind the other.
fn is_sound(found: &TransferList, size: usize) -> bool {
    [1, 3, SP_BINARY, FFA_MANIFEST]
        .into_iter()
        .filter_map(|tag| found.find(tag).ok()?)
        .all(|(offset, length)| offset >= 32 && offset + length <= size as u64)
}

#[test]
fn no_bytes_make_the_reader_of_lists_panic() {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut random = move |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 11) as usize % below
    };
    let sound =
        list(&[(1, 64, &[1; 10]), (FFA_MANIFEST, 64, &[2; 20]), (3, 8, &[]), (SP_BINARY, 64, &[3; 9])]);
    let (mut refused, mut accepted) = (0, 0);
    for _ in 0..100_000 {
        let mut bytes = sound.clone();
        for _ in 0..=random(5) {
            let at = random(bytes.len());
            bytes[at] = match random(3) {
                0 => random(256) as u8,
                1 => bytes[at] ^ 1 << random(8),
                _ => [0, 8, 24, 0xFF][random(4)],
            };
        }
        if random(2) == 0 {
            bytes.truncate(24 + random(bytes.len() - 24));
        }
        if random(4) != 0 {
            seal(&mut bytes);
        }
        match TransferList::of(&bytes) {
            Ok(found) => {
                accepted += 1;
                assert!(is_sound(&found, bytes.len()), "{bytes:02x?}");
            }
            Err(_) => refused += 1,
        }
    }
    assert!(refused > 10_000 && accepted > 1_000, "{refused} refused, {accepted} accepted");
}

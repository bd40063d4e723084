//! The structure of blobs: each way to break it has its error.

use alloc::vec;

use super::super::blob::{self, BlobError, MAX_DEPTH, MAX_NAME, MAX_SIZE};
use super::super::tree::Tree;
use super::*;

/// Offsets of the header's words.
const TOTAL_SIZE: usize = 4;
const STRUCTURE_AT: usize = 8;
const STRINGS_AT: usize = 12;
const RESERVATIONS_AT: usize = 16;
const VERSION_AT: usize = 20;
const COMPATIBLE_AT: usize = 24;
const STRUCTURE_SIZE: usize = 36;

fn with_word(at: usize, word: u32) -> Vec<u8> {
    let mut bytes = dts::compile(ECHO);
    bytes[at..at + 4].copy_from_slice(&word.to_be_bytes());
    bytes
}

fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes(*bytes[at..].first_chunk().unwrap())
}

fn error(bytes: &[u8]) -> BlobError {
    blob::check(bytes).unwrap_err()
}

/// A blob with this structure block, whose strings are "a" at 0 and "b" at 2.
fn of_structure(words: &[u32]) -> Vec<u8> {
    let size = words.len() as u32 * 4;
    let header = [0xD00D_FEED, 60 + size, 56, 56 + size, 40, 17, 16, 0, 4, size, 0, 0, 0, 0];
    let bytes = header.iter().chain(words).flat_map(|word| word.to_be_bytes());
    bytes.chain(*b"a\0b\0").collect()
}

#[test]
fn every_committed_manifest_is_sound() {
    for bytes in blobs() {
        assert_eq!(blob::check(&bytes), Ok(&bytes[..]));
    }
}

#[test]
fn bytes_behind_the_blob_are_not_part_of_it() {
    let mut bytes = dts::compile(ECHO);
    let size = bytes.len();
    bytes.extend([0xFF; 100]);
    assert_eq!(blob::check(&bytes).map(<[u8]>::len), Ok(size));
}

#[test]
fn a_header_must_be_whole_and_known() {
    assert_eq!(error(&[0; 39]), BlobError::Short { length: 39 });
    assert_eq!(error(&[0; 40]), BlobError::Magic { found: 0 });
    assert_eq!(error(&with_word(VERSION_AT, 16)), BlobError::Version { version: 16, compatible: 16 });
    assert_eq!(error(&with_word(COMPATIBLE_AT, 18)), BlobError::Version { version: 17, compatible: 18 });
}

#[test]
fn the_size_must_be_there_and_within_the_limit() {
    let length = dts::compile(ECHO).len();
    for size in [0, 39, length as u32 + 1, u32::MAX] {
        let found = error(&with_word(TOTAL_SIZE, size));
        assert!(matches!(found, BlobError::Size { size: s, .. } if s == size), "{found}");
    }
    let mut large = with_word(TOTAL_SIZE, MAX_SIZE as u32 + 1);
    large.resize(MAX_SIZE + 1, 0);
    assert!(matches!(error(&large), BlobError::Size { .. }));
}

#[test]
fn blocks_must_be_inside_and_aligned() {
    for at in [STRUCTURE_AT, STRINGS_AT, RESERVATIONS_AT] {
        for offset in [0, 0x1_0000, u32::MAX] {
            let found = error(&with_word(at, offset));
            assert!(matches!(found, BlobError::Block { offset: o, .. } if o == offset), "{found}");
        }
    }
    let found = error(&with_word(STRUCTURE_AT, 57));
    assert_eq!(
        found,
        BlobError::Block { block: "structure", offset: 57, size: word(&dts::compile(ECHO), 36) }
    );
    assert!(matches!(error(&with_word(STRUCTURE_SIZE, 6)), BlobError::Block { size: 6, .. }));
}

#[test]
fn tokens_must_nest() {
    let token = |token, offset| BlobError::Token { token, offset };
    assert!(blob::check(&of_structure(&[1, 0, 2, 9])).is_ok());
    assert_eq!(error(&of_structure(&[9])), token(9, 56), "no root");
    assert_eq!(error(&of_structure(&[2, 9])), token(2, 56), "an end without a beginning");
    assert_eq!(error(&of_structure(&[1, 0, 9])), token(9, 64), "a node without an end");
    assert_eq!(error(&of_structure(&[1, 0, 2, 1, 0, 2, 9])), token(1, 68), "two roots");
    assert_eq!(error(&of_structure(&[3, 0, 0, 1, 0, 2, 9])), token(3, 56), "a property outside");
    assert_eq!(error(&of_structure(&[1, 0, 4, 2, 9])), token(4, 64), "NOP");
    assert_eq!(error(&of_structure(&[1, 0, 2, 9, 9])), token(9, 68), "text behind the end");
    assert_eq!(error(&of_structure(&[1, 0, 2])), BlobError::Truncated { offset: 68 });
    let late = [1, 0, 1, 0x6100_0000, 2, 3, 0, 0, 2, 9];
    assert_eq!(error(&of_structure(&late)), token(3, 76), "a property behind a child");
}

#[test]
fn a_property_lies_within_the_structure() {
    assert!(blob::check(&of_structure(&[1, 0, 3, 4, 0, 7, 2, 9])).is_ok());
    for length in [5_u32, 0x100, 0xFFFF_FFFF] {
        let found = error(&of_structure(&[1, 0, 3, length, 0, 7]));
        assert_eq!(found, BlobError::Truncated { offset: 64 }, "{length:#x}");
    }
}

#[test]
fn names_are_printable_and_end() {
    let name = |offset| BlobError::Name { offset };
    assert_eq!(error(&of_structure(&[1, 0x6100_0000, 2, 9])), name(56), "the root has no name");
    assert_eq!(error(&of_structure(&[1, 0, 1, 0, 2, 2, 9])), name(64), "every other node has one");
    assert_eq!(error(&of_structure(&[1, 0, 1, 0x6107_0000, 2, 2, 9])), name(64), "a bell");
    assert_eq!(error(&of_structure(&[1, 0, 1, 0x612F_0000, 2, 2, 9])), name(64), "a slash");
    assert_eq!(error(&of_structure(&[1, 0, 1, 0x6161_6161])), name(64), "no end");
    assert_eq!(error(&of_structure(&[1, 0, 3, 0, 4, 2, 9])), name(64), "outside the strings");
    assert_eq!(error(&of_structure(&[1, 0, 3, 0, 1, 2, 9])), name(64), "an empty property name");
    let long = |letters: usize| {
        let letters = vec![0x6161_6161; letters / 4];
        [&[1, 0, 1], &letters[..], &[0x6161_6100, 2, 2, 9]].concat()
    };
    assert!(blob::check(&of_structure(&long(MAX_NAME - 3))).is_ok());
    assert_eq!(error(&of_structure(&long(MAX_NAME + 1))), name(64));
}

#[test]
fn no_name_stands_twice_in_a_node() {
    let properties = [1, 0, 3, 0, 0, 3, 0, 2, 3, 0, 0, 2, 9];
    assert_eq!(error(&of_structure(&properties)), BlobError::Duplicate { offset: 88 });
    let child = [1, 0x6100_0000, 2];
    let children = [&[1, 0], &child[..], &child[..], &[2, 9]].concat();
    assert_eq!(error(&of_structure(&children)), BlobError::Duplicate { offset: 76 });
}

#[test]
fn nodes_nest_up_to_the_limit() {
    let nested = |depth: usize| {
        let open = [1, 0x6100_0000].repeat(depth - 1);
        [&[1, 0], &open[..], &vec![2; depth], &[9]].concat()
    };
    assert!(blob::check(&of_structure(&nested(MAX_DEPTH))).is_ok());
    let found = error(&of_structure(&nested(MAX_DEPTH + 1)));
    assert!(matches!(found, BlobError::Depth { .. }), "{found}");
}

#[test]
fn every_damage_has_its_message() {
    let all: [(Vec<u8>, &str); 10] = [
        (Vec::new(), "it has 0 bytes, and the header alone has 40"),
        (vec![0; 40], "it begins with 0x0, not with 0xd00dfeed"),
        (with_word(VERSION_AT, 16), "version 16 (compatible down to 16); it must be readable as 17"),
        (with_word(TOTAL_SIZE, 39), "`totalsize` is 0x27; there are "),
        (with_word(STRUCTURE_AT, 1), "the structure block, "),
        (of_structure(&[1, 0, 2]), "the structure ends inside the token at 0x44"),
        (of_structure(&[9]), "token 0x9 at 0x38 must not stand there"),
        (of_structure(&[1, 0x6100_0000]), "the name of the node or property at 0x38 is not 1 to "),
        (
            of_structure(&[1, 0, 3, 0, 0, 3, 0, 0, 2, 9]),
            "the node or property at 0x4c has the name of one before it",
        ),
        (of_structure(&[1, 0].repeat(2)), "the name of the node or property at 0x40"),
    ];
    for (bytes, message) in all {
        let error = manifest::parse(&bytes).unwrap_err().to_string();
        assert!(error.starts_with(&std::format!("not a device tree: {message}")), "{error}");
    }
    let open = [&[1, 0], &[1, 0x6100_0000].repeat(MAX_DEPTH)[..]].concat();
    let error = manifest::parse(&of_structure(&open)).unwrap_err().to_string();
    assert!(error.contains(&std::format!("is nested deeper than {MAX_DEPTH}")), "{error}");
}

#[test]
fn a_path_names_every_node_from_the_root() {
    let bytes = dts::compile("/dts-v1/; / { a { b@1 { c = <1>; }; }; };");
    let tree = Tree::new(&bytes, "a").unwrap();
    let inner = tree.root().child("a").unwrap().child("b@1").unwrap();
    assert_eq!((tree.root().path(), inner.path()), ("/", "/a/b@1"));
    assert_eq!(inner.required::<u64>("c"), Ok(1));
}

//! Damage: whatever the bytes are, the parsers return. The fuzz targets go on where these end.

use super::super::blob;
use super::*;

/// Reads bytes as every kind of manifest.
fn read(bytes: &[u8]) -> bool {
    let spmc = manifest::parse(bytes).is_ok();
    spmc | partition::parse(bytes, &vm(1), &PACKAGE, &CPUS).is_ok()
}

#[test]
fn no_flipped_bit_makes_a_parser_panic() {
    for mut bytes in blobs() {
        let mut refused = 0;
        for bit in 0..bytes.len() * 8 {
            bytes[bit / 8] ^= 1 << (bit % 8);
            refused += usize::from(!read(&bytes));
            bytes[bit / 8] ^= 1 << (bit % 8);
        }
        assert!(read(&bytes) && refused > bytes.len(), "{refused} of {} bits refused", bytes.len() * 8);
    }
}

#[test]
fn no_truncation_makes_a_parser_panic() {
    for bytes in blobs() {
        for length in 0..bytes.len() {
            let mut short = bytes[..length].to_vec();
            assert!(!read(&short));
            // And the same with a header that knows of it.
            if let Some(size) = short.get_mut(4..8) {
                size.copy_from_slice(&(length as u32).to_be_bytes());
                read(&short);
            }
        }
    }
}

#[test]
fn no_replaced_word_makes_a_parser_panic() {
    for bytes in blobs() {
        let length = bytes.len() as u32;
        for at in (0..bytes.len() - 3).step_by(4) {
            for word in
                [0, 1, 2, 3, 4, 9, 0x7FFF_FFFF, 0x8000_0000, u32::MAX, u32::MAX - 3, length, length - 4]
            {
                let mut damaged = bytes.clone();
                damaged[at..at + 4].copy_from_slice(&word.to_be_bytes());
                read(&damaged);
            }
        }
    }
}

#[test]
fn no_random_damage_makes_a_parser_panic() {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut random = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 11) as usize % below
    };
    let blobs = blobs();
    for _ in 0..20_000 {
        let mut bytes = blobs[random(blobs.len())].clone();
        for _ in 0..=random(6) {
            let (at, from, count) = (random(bytes.len()), random(bytes.len()), random(9));
            match random(3) {
                0 => bytes[at] = random(256) as u8,
                1 => bytes.truncate(at.max(blob::HEADER_SIZE)),
                _ => {
                    let count = count.min(bytes.len() - at.max(from));
                    bytes.copy_within(from..from + count, at);
                }
            }
        }
        read(&bytes);
    }
}

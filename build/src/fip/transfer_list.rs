//! The package of a partition as a transfer list (Firmware Handoff specification 0.9), as TF-A's tool `tlc` makes it.

use anyhow::{Result, ensure};

const SIGNATURE: u32 = 0x4a0f_b10b;
const VERSION: u8 = 1;
/// Signature; checksum, version, size of the header, alignment, 8 bits each; size, largest size, flags, reserved.
const HEADER: usize = 24;
const CHECKSUM_AT: usize = 4;
const SIZE_AT: usize = 8;
/// `flags`: there is a checksum.
const HAS_CHECKSUM: u32 = 1;

/// Tag, 24 bits; size of the header, 8 bits; size of the data.
const ENTRY: usize = 8;
/// What an entry's header is aligned to.
const GRANULE: usize = 8;
/// What the data of ours is aligned to, as a power of two.
const ALIGNMENT: u8 = 12;

const EMPTY: u32 = 0;
const SP_BINARY: u32 = 0x103;
const FFA_MANIFEST: u32 = 0x106;

/// The list of the manifest and the image, each at the start of a page, that may grow to `max_size` bytes.
///
/// # Errors
/// If the two need more; the message names the property of the layout.
pub fn pack(manifest: &[u8], image: &[u8], max_size: u64) -> Result<Vec<u8>> {
    let mut list = Vec::new();
    list.extend(SIGNATURE.to_le_bytes());
    list.extend([0, VERSION, HEADER as u8, ALIGNMENT]);
    list.extend([0; 4]);
    list.extend(u32::try_from(max_size)?.to_le_bytes());
    list.extend(HAS_CHECKSUM.to_le_bytes());
    list.resize(HEADER, 0);
    // The image is the last, as the partition's memory goes on behind it.
    add(&mut list, FFA_MANIFEST, manifest)?;
    add(&mut list, SP_BINARY, image)?;
    let size = list.len() as u64;
    ensure!(size <= max_size, "size: {max_size:#x} bytes are too few, the package has {size:#x}");
    list[SIZE_AT..SIZE_AT + 4].copy_from_slice(&u32::try_from(size)?.to_le_bytes());
    list[CHECKSUM_AT] = list.iter().fold(0, |sum: u8, byte| sum.wrapping_sub(*byte));
    Ok(list)
}

/// Adds an entry with aligned data, behind an empty one that fills the gap if there is one.
fn add(list: &mut Vec<u8>, tag: u32, data: &[u8]) -> Result<()> {
    let start = list.len() + ENTRY;
    let gap = start.next_multiple_of(1 << ALIGNMENT) - start;
    if gap > 0 {
        // A gap is a multiple of the granule, so that the header of the empty entry always fits.
        append(list, EMPTY, &vec![0; gap - ENTRY])?;
    }
    append(list, tag, data)
}

fn append(list: &mut Vec<u8>, tag: u32, data: &[u8]) -> Result<()> {
    list.extend((tag | (ENTRY as u32) << 24).to_le_bytes());
    list.extend(u32::try_from(data.len())?.to_le_bytes());
    list.extend(data);
    list.resize(list.len().next_multiple_of(GRANULE), 0);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transfer_list_has_its_parts_at_pages_and_adds_up() {
        let list = pack(&[1; 0x1001], b"image", 0x10_0000).unwrap();
        let word = |at: usize| u32::from_le_bytes(list[at..at + 4].try_into().unwrap());
        assert_eq!([word(0), word(8), word(12), word(16)], [0x4a0f_b10b, 0x3008, 0x10_0000, 1]);
        assert_eq!(list[5..8], [1, 24, 12]);
        assert_eq!(list.iter().fold(0, |sum: u8, byte| sum.wrapping_add(*byte)), 0);
        // From the header on: an empty entry, the manifest, an empty entry, the image.
        let mut entries = Vec::new();
        let mut at = 24;
        while at < list.len() {
            let size = word(at + 4) as usize;
            entries.push((word(at), at + 8, size));
            at = (at + 8 + size).next_multiple_of(8);
        }
        assert_eq!(
            entries,
            [
                (0x0800_0000, 0x20, 0xfd8),
                (0x0800_0106, 0x1000, 0x1001),
                (0x0800_0000, 0x2010, 0xfe8),
                (0x0800_0103, 0x3000, 5)
            ]
        );
        assert_eq!((&list[0x1000..0x2001], &list[0x3000..0x3005]), (&[1; 0x1001][..], &b"image"[..]));
    }

    #[test]
    fn parts_that_fill_their_pages_need_no_empty_entry_between() {
        let list = pack(&[1; 0xff8], &[2; 8], 0x2008).unwrap();
        assert_eq!((list.len(), &list[0x1ff8..0x2000]), (0x2008, &[3, 1, 0, 8, 8, 0, 0, 0][..]));
    }

    #[test]
    fn a_list_that_outgrows_its_size_is_refused() {
        let error = pack(&[1; 0xff8], &[2; 9], 0x2008).unwrap_err().to_string();
        assert_eq!(error, "size: 0x2008 bytes are too few, the package has 0x2010");
    }
}

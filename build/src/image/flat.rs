//! From an ELF file to the bytes that lie in memory.

use anyhow::{Context, Result, bail};
use object::elf::{FileHeader64, PT_LOAD};
use object::endian::LittleEndian;
use object::read::elf::{FileHeader, ProgramHeader};
use object::{File, Object};

/// No image of ours is larger; a larger one has segments that lie far apart by mistake.
const LIMIT: u64 = 16 << 20;

/// The loadable segments at their distances, from the first byte of the first to the last byte that is in the file.
///
/// # Errors
/// If it is not a little-endian 64-bit ELF file, nothing is loadable, or the segments lie too far apart.
pub fn flatten(elf: &[u8]) -> Result<Vec<u8>> {
    let header = FileHeader64::<LittleEndian>::parse(elf)?;
    let endian = header.endian()?;
    let mut segments = Vec::new();
    for segment in header.program_headers(endian, elf)? {
        if segment.p_type(endian) == PT_LOAD && segment.p_filesz(endian) != 0 {
            let data = segment.data(endian, elf).ok().context("a segment lies outside the file")?;
            segments.push((segment.p_vaddr(endian), data));
        }
    }
    place(&segments)
}

fn place(segments: &[(u64, &[u8])]) -> Result<Vec<u8>> {
    let base = segments.iter().map(|(address, _)| *address).min().context("nothing is loadable")?;
    let mut flat = Vec::new();
    for (address, data) in segments {
        let end = address - base + data.len() as u64;
        if end > LIMIT {
            bail!("the segments lie {end:#x} bytes apart");
        }
        let start = usize::try_from(address - base)?;
        flat.resize(flat.len().max(start + data.len()), 0);
        flat[start..start + data.len()].copy_from_slice(data);
    }
    Ok(flat)
}

/// The build id that the linker left.
///
/// # Errors
/// If there is none.
pub fn build_id(elf: &[u8]) -> Result<Vec<u8>> {
    Ok(File::parse(elf)?.build_id()?.context("no build id")?.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_keep_their_distance_and_gaps_are_zero() {
        let flat = place(&[(0x1008, &[3]), (0x1000, &[1, 2])]).unwrap();
        assert_eq!(flat, [1, 2, 0, 0, 0, 0, 0, 0, 3]);
    }

    #[test]
    fn segments_far_apart_are_a_mistake() {
        assert!(place(&[(0, &[1]), (LIMIT, &[1])]).is_err());
        assert!(place(&[]).is_err());
    }
}

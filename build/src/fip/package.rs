//! The package of a partition, "SPKG" version 2: a header, the manifest and the image.

use anyhow::{Result, ensure};

const MAGIC: &[u8; 4] = b"SPKG";
const VERSION: u32 = 2;
/// Magic, version, offset and size of the manifest, offset and size of the image: 32 bits each.
const HEADER: usize = 24;

/// The package with the manifest and the image at their offsets.
///
/// # Errors
/// If the parts overlap each other or the header; the message names the property of the layout.
pub fn pack(manifest: (u64, &[u8]), image: (u64, &[u8])) -> Result<Vec<u8>> {
    let end = |(offset, data): (u64, &[u8])| offset.saturating_add(data.len() as u64);
    ensure!(manifest.0 >= HEADER as u64, "pm: offset {:#x} lies in the package's header", manifest.0);
    ensure!(image.0 >= HEADER as u64, "image: offset {:#x} lies in the package's header", image.0);
    ensure!(
        end(manifest) <= image.0 || end(image) <= manifest.0,
        "pm: at {:#x}..{:#x} overlaps the image at {:#x}..{:#x}",
        manifest.0,
        end(manifest),
        image.0,
        end(image)
    );
    let mut package = vec![0; usize::try_from(end(manifest).max(end(image)))?];
    package[..4].copy_from_slice(MAGIC);
    package[4..8].copy_from_slice(&VERSION.to_le_bytes());
    for (at, (offset, data)) in [(8, manifest), (16, image)] {
        package[at..at + 4].copy_from_slice(&u32::try_from(offset)?.to_le_bytes());
        package[at + 4..at + 8].copy_from_slice(&u32::try_from(data.len())?.to_le_bytes());
        let start = usize::try_from(offset)?;
        package[start..start + data.len()].copy_from_slice(data);
    }
    Ok(package)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_says_where_its_parts_lie() {
        let package = pack((0x1000, b"manifest"), (0x4000, b"image")).unwrap();
        let word = |at: usize| u32::from_le_bytes(package[at..at + 4].try_into().unwrap());
        assert_eq!(&package[..4], b"SPKG");
        assert_eq!([4, 8, 12, 16, 20].map(word), [2, 0x1000, 8, 0x4000, 5]);
        assert_eq!((&package[0x1000..0x1008], &package[0x4000..]), (&b"manifest"[..], &b"image"[..]));
    }

    #[test]
    fn parts_that_overlap_are_refused() {
        assert!(pack((0x1000, &[0; 0x3001]), (0x4000, &[0])).unwrap_err().to_string().starts_with("pm:"));
        assert!(pack((0x10, &[0]), (0x4000, &[0])).is_err());
        assert!(pack((0x4000, &[0]), (0, &[0])).is_err());
    }
}

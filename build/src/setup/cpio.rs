//! Writes archives in the kernel's initramfs format: cpio, "newc" (Linux, Documentation/driver-api/early-userspace/buffer-format.rst).

/// Type bits of a file's mode.
const DIRECTORY: u32 = 0o040_000;
/// Type bits of a regular file.
const REGULAR: u32 = 0o100_000;
/// Type bits of a character device.
const CHARACTER: u32 = 0o020_000;

/// Name of the entry that ends an archive.
const TRAILER: &str = "TRAILER!!!";

/// An archive in the making. Owner, group and time of all entries are 0, so that equal inputs give equal archives.
#[derive(Default)]
pub struct Cpio {
    bytes: Vec<u8>,
    entries: u32,
}

impl Cpio {
    /// Adds a folder. Folders come before what lies in them.
    pub fn folder(&mut self, path: &str) {
        self.entry(path, DIRECTORY | 0o755, (0, 0), &[]);
    }

    /// Adds a file with its permissions.
    pub fn file(&mut self, path: &str, permissions: u32, contents: &[u8]) {
        self.entry(path, REGULAR | permissions, (0, 0), contents);
    }

    /// Adds a character device by its numbers, major and minor.
    pub fn device(&mut self, path: &str, permissions: u32, numbers: (u32, u32)) {
        self.entry(path, CHARACTER | permissions, numbers, &[]);
    }

    /// Ends the archive.
    #[must_use]
    pub fn finish(mut self) -> Vec<u8> {
        self.entries = 0;
        self.entry(TRAILER, 0, (0, 0), &[]);
        self.bytes
    }

    /// Adds an entry: 13 numbers of 8 hexadecimal digits, the name, the contents, the last two padded to 4 bytes.
    fn entry(&mut self, path: &str, mode: u32, device: (u32, u32), contents: &[u8]) {
        let links = if mode & DIRECTORY == DIRECTORY { 2 } else { 1 };
        let size = u32::try_from(contents.len()).expect("initramfs files are far below 4 GB");
        let name = u32::try_from(path.len() + 1).expect("paths are short");
        let inode = self.entries;
        self.entries += 1;
        self.bytes.extend(b"070701");
        for number in [inode, mode, 0, 0, links, 0, size, 0, 0, device.0, device.1, name, 0] {
            self.bytes.extend(format!("{number:08x}").bytes());
        }
        self.bytes.extend(path.bytes());
        self.bytes.push(0);
        self.pad();
        self.bytes.extend(contents);
        self.pad();
    }

    /// Fills up to a multiple of 4 bytes.
    fn pad(&mut self) {
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_archive_is_made_of_aligned_entries_and_ends_with_the_trailer() {
        let mut cpio = Cpio::default();
        cpio.folder("bin");
        cpio.file("bin/x", 0o755, b"abcde");
        let bytes = cpio.finish();
        assert_eq!(bytes.len() % 4, 0);
        // Header of 110 bytes, "bin" and its end: 114, padded to 116.
        assert_eq!(&bytes[..22], b"07070100000000000041ed");
        assert_eq!(&bytes[116..122], b"070701");
        // The second header, "bin/x" and its end: 116 + 116 = 232.
        assert_eq!(&bytes[232..240], b"abcde\0\0\0");
        assert_eq!(&bytes[240..246], b"070701");
        assert!(bytes[240..].windows(TRAILER.len()).any(|window| window == TRAILER.as_bytes()));
    }

    #[test]
    fn a_device_carries_its_numbers() {
        let mut cpio = Cpio::default();
        cpio.device("dev/console", 0o600, (5, 1));
        let bytes = cpio.finish();
        assert_eq!(&bytes[14..22], b"00002180");
        assert_eq!(&bytes[78..94], b"0000000500000001");
    }
}

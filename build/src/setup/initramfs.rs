//! The initial file system of the demonstration: busybox, the FF-A driver's modules and our init script.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use flate2::{Compression, GzBuilder};

use super::cpio::Cpio;
use super::kernel::Parts;
use crate::project;

/// Numbers of the console device (Linux, Documentation/admin-guide/devices.txt).
const CONSOLE: (u32, u32) = (5, 1);

/// Writes the archive, unless it is there and made of the same.
///
/// # Errors
/// If a part cannot be read or the archive not be written.
pub fn ensure(parts: &Parts) -> Result<PathBuf> {
    let read = |file: &Path| fs::read(file).with_context(|| format!("cannot read {}", file.display()));
    let init = read(&project::root().join("tfa-integration/linux/init"))?;
    let busybox = read(&parts.busybox)?;
    let mut modules = Vec::new();
    for (index, file) in parts.modules.iter().enumerate() {
        let name = file.file_name().context("a module without a name")?.to_string_lossy();
        // The script loads them in the order of their names.
        modules.push((format!("{index}-{name}"), read(file)?));
    }
    let packed = compress(&archive(&init, &busybox, &modules))?;
    let place = project::target().join("linux").join("initrd.cpio.gz");
    if !fs::read(&place).is_ok_and(|old| old == packed) {
        let new = place.with_extension("new");
        fs::write(&new, packed)?;
        fs::rename(&new, &place)?;
    }
    Ok(place)
}

/// The archive of the files.
fn archive(init: &[u8], busybox: &[u8], modules: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut cpio = Cpio::default();
    for folder in ["bin", "dev", "modules", "proc", "sys"] {
        cpio.folder(folder);
    }
    cpio.device("dev/console", 0o600, CONSOLE);
    cpio.file("init", 0o755, init);
    cpio.file("bin/busybox", 0o755, busybox);
    for (name, contents) in modules {
        cpio.file(&format!("modules/{name}"), 0o644, contents);
    }
    cpio.finish()
}

/// Compresses without a time or a name, so that equal archives stay equal.
fn compress(bytes: &[u8]) -> Result<Vec<u8>> {
    let mut encoder = GzBuilder::new().mtime(0).write(Vec::new(), Compression::default());
    encoder.write_all(bytes)?;
    Ok(encoder.finish()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_parts_give_equal_archives() {
        let modules = [("0-a.ko".to_owned(), b"elf".to_vec())];
        let make = || compress(&archive(b"#!/bin/busybox sh\n", b"elf", &modules)).unwrap();
        assert_eq!(make(), make());
        assert_eq!(&make()[..2], [0x1f, 0x8b]);
    }
}

//! Where things lie: the project's own folders and those under `target/`.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::platform::Platform;

/// The top folder of the project.
#[must_use]
pub fn root() -> &'static Path {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    own.parent().unwrap_or(own)
}

/// Everything that is built, fetched or written: `target/` of the project.
#[must_use]
pub fn target() -> PathBuf {
    root().join("target")
}

/// The firmware of a platform: `spmc.elf`, `spmc.bin`, `normal.bin`, `bl1.bin`, `fip.bin`, `flash.bin`.
#[must_use]
pub fn firmware(platform: Platform) -> PathBuf {
    target().join("firmware").join(platform.name())
}

/// The partitions' images: `echo.elf`, `echo.bin`, ...
#[must_use]
pub fn partitions() -> PathBuf {
    target().join("partitions")
}

/// What a run leaves behind: the consoles, one file each.
#[must_use]
pub fn runs(platform: Platform) -> PathBuf {
    target().join("run").join(platform.name())
}

/// The manifests and the layout of a platform.
#[must_use]
pub fn manifests(platform: Platform) -> PathBuf {
    root().join("manifests").join(platform.name())
}

/// Files that were fetched, as they came.
#[must_use]
pub fn downloads() -> PathBuf {
    target().join("downloads")
}

/// What long commands printed.
#[must_use]
pub fn logs() -> PathBuf {
    target().join("logs")
}

/// Own build folder of what runs on the target, so that it and xtask do not wait for each other's lock.
#[must_use]
pub fn bare() -> PathBuf {
    target().join("bare")
}

/// The Rust files of a folder and of those in it, in the order of their paths.
///
/// # Errors
/// If a folder cannot be read.
pub fn rust_files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(rust_files(&path)?);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

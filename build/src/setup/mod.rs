//! Set-up: everything that a build and a run need, fetched, built or installed once.

mod apt;
mod cpio;
mod deb;
mod initramfs;
mod install;
mod kernel;
mod mirror;
mod sources;
mod standard;
pub mod step;
mod sysroot;
mod tools;

use std::fs::{self, File};
use std::path::PathBuf;

use anyhow::{Context, Result};

use crate::project;

/// A Linux for the Normal world, as QEMU loads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Linux {
    /// The kernel: an uncompressed arm64 `Image`.
    pub kernel: PathBuf,
    /// The initial file system: a compressed cpio archive.
    pub initrd: PathBuf,
}

/// Does everything. What is done already is not done again.
///
/// # Errors
/// If a part fails; the error says which, and what can be done.
pub fn run() -> Result<()> {
    tools()?;
    let sysroot = sysroot()?;
    let tfa = tfa_source()?;
    let linux = linux()?;
    println!("QEMU, the cross compiler and dtc: installed");
    match sysroot {
        None => println!("core and alloc: the toolchain's own"),
        Some(folder) => println!("core and alloc: {}", folder.display()),
    }
    println!("Trusted Firmware-A: {}", tfa.display());
    println!("Linux: {} with {}", linux.kernel.display(), linux.initrd.display());
    Ok(())
}

/// Installs the programs that building and running take.
///
/// # Errors
/// If one is missing and cannot be installed; the error says what to do.
pub fn tools() -> Result<()> {
    alone(tools::ensure)
}

/// Where `core` and `alloc` for the target are: `None` if the toolchain has them, else a folder for
/// `--sysroot`.
///
/// # Errors
/// If they can neither be found, nor fetched, nor built.
pub fn sysroot() -> Result<Option<PathBuf>> {
    alone(sysroot::ensure)
}

/// The source of Trusted Firmware-A.
///
/// # Errors
/// If it cannot be fetched or unpacked.
pub fn tfa_source() -> Result<PathBuf> {
    alone(sources::tfa)
}

/// The source of Mbed TLS, which TF-A authenticates images with.
///
/// # Errors
/// If it cannot be fetched or unpacked.
pub fn mbedtls_source() -> Result<PathBuf> {
    alone(sources::mbedtls)
}

/// A Linux with the FF-A driver, and the initial file system that demonstrates it.
///
/// # Errors
/// If no kernel with the driver can be fetched.
pub fn linux() -> Result<Linux> {
    alone(|| {
        let parts = kernel::ensure()?;
        Ok(Linux { initrd: initramfs::ensure(&parts)?, kernel: parts.image })
    })
}

/// Runs a part while no other process runs one.
fn alone<T>(part: impl FnOnce() -> Result<T>) -> Result<T> {
    fs::create_dir_all(project::target())?;
    let path = project::target().join(".setup.lock");
    let lock = File::create(&path).with_context(|| format!("cannot write {}", path.display()))?;
    lock.lock()?;
    part()
}

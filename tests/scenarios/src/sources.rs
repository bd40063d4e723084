//! The project's manifests for QEMU virt, and packages made of them.

use std::fs;
use std::path::Path;

use crate::{ECHO_MEMORY, RELAY_MEMORY};

/// Sources of manifests, to be changed by a test before a world is made of them.
pub struct Sources {
    /// The SPMC manifest.
    pub spmc: String,
    /// The manifest of `echo`.
    pub echo: String,
    /// The manifest of `relay`.
    pub relay: String,
}

impl Sources {
    /// The files as they are.
    ///
    /// # Panics
    /// If they cannot be read.
    #[must_use]
    pub fn new() -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../manifests/qemu-virt");
        let read = |name: &str| fs::read_to_string(folder.join(name)).expect(name);
        Self { spmc: read("spmc.dts"), echo: read("echo.dts"), relay: read("relay.dts") }
    }

    /// Changes one place of a source, which must be there.
    ///
    /// # Panics
    /// If it is not there, or not once.
    pub fn change(source: &mut String, from: &str, to: &str) {
        assert_eq!(source.matches(from).count(), 1, "{from}");
        *source = source.replace(from, to);
    }

    /// What TF-A would load.
    #[must_use]
    pub fn compile(&self) -> Blobs {
        let packages = [(ECHO_MEMORY, package(&self.echo)), (RELAY_MEMORY, package(&self.relay))];
        Blobs { spmc: dts::compile(&self.spmc), packages }
    }
}

/// What TF-A loads for the SPMC.
pub struct Blobs {
    /// The SPMC manifest.
    pub spmc: Vec<u8>,
    /// The packages, and where they are loaded.
    pub packages: [(u64, Vec<u8>); 2],
}

impl Default for Sources {
    fn default() -> Self {
        Self::new()
    }
}

/// A package of format 2: header, manifest at 0x1000, image at 0x4000.
fn package(source: &str) -> Vec<u8> {
    let manifest = dts::compile(source);
    let words = [u32::from_le_bytes(*b"SPKG"), 2, 0x1000, manifest.len() as u32, 0x4000, 0x1000];
    let mut bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
    bytes.resize(0x1000, 0);
    bytes.extend(manifest);
    bytes.resize(0x5000, 0);
    bytes
}

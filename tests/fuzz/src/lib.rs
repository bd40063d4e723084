//! What the fuzz targets share: sound inputs, and damage to them that gets past the outermost checks.

pub mod drive;
pub mod events;

use manager::config::SpmcManifest;
use manager::manifest::spmc;

/// The SPMC manifest of QEMU virt.
pub const SPMC: &str = include_str!("../../../manifests/qemu-virt/spmc.dts");
/// The manifest of a partition there.
pub const ECHO: &str = include_str!("../../../manifests/qemu-virt/echo.dts");
/// A manifest with services, regions of all kinds, and buffers.
pub const REGIONS: &str = include_str!("../../../manifests/golden/regions.dts");

/// The bytes that a fuzzer's input stands for. An input that begins with 0 is what follows; any other one is a list
/// of changes to one of `sound`, three bytes each (where, twice; what), so that every value is reached behind checks
/// that random bytes do not pass.
#[must_use]
pub fn bytes(input: &[u8], sound: &[Vec<u8>]) -> Vec<u8> {
    match input.split_first() {
        None | Some((0, _)) => input.get(1..).unwrap_or_default().to_vec(),
        Some((which, changes)) => {
            let mut bytes = sound[usize::from(*which) % sound.len()].clone();
            for [low, high, value] in changes.as_chunks().0 {
                let at = usize::from(u16::from_le_bytes([*low, *high])) % bytes.len();
                bytes[at] = *value;
            }
            bytes
        }
    }
}

/// The SPMC manifest of QEMU virt, read.
///
/// # Panics
/// Never: the manager's own tests read it too.
#[must_use]
pub fn spmc() -> SpmcManifest {
    spmc::parse(&dts::compile(SPMC)).unwrap()
}

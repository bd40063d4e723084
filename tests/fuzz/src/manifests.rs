//! Sound manifests, and changes to them that get past the outermost checks.

use std::sync::LazyLock;

use crate::tree::Node;
use manager::config::SpmcManifest;
use manager::manifest::spmc;

/// SPMC manifests.
pub const SPMCS: [&str; 3] = [
    include_str!("../../../manifests/qemu-virt/spmc.dts"),
    include_str!("../../../manifests/golden/op-tee/spmc.dts"),
    include_str!("../../../manifests/golden/fvp/spmc.dts"),
];
/// Manifests of partitions, which together have every property.
pub const PARTITIONS: [&str; 6] = [
    include_str!("../../../manifests/qemu-virt/echo.dts"),
    include_str!("../../../manifests/golden/regions.dts"),
    include_str!("../../../manifests/golden/fvp/primary.dts"),
    include_str!("../../../manifests/golden/fvp/secondary.dts"),
    include_str!("../../../manifests/golden/fvp/live.dts"),
    include_str!("../../../manifests/golden/fvp/services.dts"),
];

/// The SPMC manifest of QEMU virt, read.
pub static SPMC: LazyLock<SpmcManifest> =
    LazyLock::new(|| spmc::parse(&dts::compile(SPMCS[0])).expect("the manager's own tests read it too"));

/// Trees to begin with.
pub struct Sound {
    trees: Vec<Node>,
    blobs: Vec<Vec<u8>>,
}

impl Sound {
    /// Those of these sources.
    #[must_use]
    pub fn new(sources: &[&str]) -> Self {
        let blobs: Vec<Vec<u8>> = sources.iter().map(|source| dts::compile(source)).collect();
        Self { trees: blobs.iter().map(|blob| Node::of(blob)).collect(), blobs }
    }

    /// The blob that a fuzzer's input stands for. The first byte says how: as it is; a sound blob with bytes
    /// changed, three input bytes each (where, twice; what); or a sound tree with edits, five bytes each.
    #[must_use]
    pub fn blob(&self, input: &[u8]) -> Vec<u8> {
        let Some((how, rest)) = input.split_first() else { return Vec::new() };
        let which = usize::from(*how >> 2) % self.trees.len();
        match how & 3 {
            0 => rest.to_vec(),
            1 => {
                let mut bytes = self.blobs[which].clone();
                for [low, high, value] in rest.as_chunks().0 {
                    let at = usize::from(u16::from_le_bytes([*low, *high])) % bytes.len();
                    bytes[at] = *value;
                }
                bytes
            }
            _ => {
                let mut tree = self.trees[which].clone();
                rest.as_chunks().0.iter().for_each(|edit| tree.edit(*edit, &self.trees));
                tree.blob()
            }
        }
    }
}

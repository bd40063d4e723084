//! Arbitrary bytes, damaged blobs and edited trees as a partition's FF-A manifest.
#![no_main]

use std::sync::LazyLock;

use fuzz::manifests::{self, SPMC, Sound};
use libfuzzer_sys::fuzz_target;
use manager::config::MemoryRange;
use manager::manifest::package::Package;
use manager::manifest::{check, partition, spmc};

/// What is declared as memory on any of the machines.
static MEMORY: LazyLock<Vec<MemoryRange>> = LazyLock::new(|| {
    let manifests = manifests::SPMCS.iter().map(|source| spmc::parse(&dts::compile(source)));
    manifests.flat_map(|manifest| manifest.expect("the manager's own tests read it too").memory).collect()
});
static SOUND: LazyLock<Sound> = LazyLock::new(|| Sound::new(&manifests::PARTITIONS));

const PACKAGE: Package = Package {
    manifest: (0x1000, 0x800),
    image: (0x4000, 0x2000),
    boot_info: 0x1000,
    hob_list: Ok((0x2000, 0x2000)),
};
/// One of them is the PE to which a manifest routes an interrupt.
const CPUS: [u64; 4] = [0, 1, 2, 0x1_0200];

fuzz_target!(|input: &[u8]| {
    // A partition with a context on each PE, and one with a single context.
    let Some((vm, input)) = input.split_first() else { return };
    let vm = &SPMC.vms[usize::from(vm & 1)];
    let found = partition::parse(&SOUND.blob(input), vm, &PACKAGE, &CPUS);
    let checked = found.and_then(|config| check::alone(&config, &MEMORY, &[]));
    let _ = checked.map_err(|error| error.to_string());
});

//! Arbitrary bytes as a partition's FF-A manifest.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use manager::config::SpmcManifest;
use manager::manifest::package::Package;
use manager::manifest::{check, partition};

static SOUND: LazyLock<Vec<Vec<u8>>> =
    LazyLock::new(|| [fuzz::ECHO, fuzz::REGIONS].map(dts::compile).to_vec());
static SPMC: LazyLock<SpmcManifest> = LazyLock::new(fuzz::spmc);

const PACKAGE: Package = Package { manifest: (0x1000, 0x800), image: (0x4000, 0x2000) };

fuzz_target!(|input: &[u8]| {
    let found = partition::parse(&fuzz::bytes(input, &SOUND), &SPMC.vms[0], &PACKAGE, &SPMC.cpus);
    let checked = found.and_then(|config| check::alone(&config, &SPMC.memory, &[]));
    let _ = checked.map_err(|error| error.to_string());
});

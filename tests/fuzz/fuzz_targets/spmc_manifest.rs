//! Arbitrary bytes, damaged blobs and edited trees as an SPMC manifest.
#![no_main]

use std::sync::LazyLock;

use fuzz::manifests::{self, Sound};
use libfuzzer_sys::fuzz_target;
use manager::manifest::spmc;

static SOUND: LazyLock<Sound> = LazyLock::new(|| Sound::new(&manifests::SPMCS));

fuzz_target!(|input: &[u8]| {
    // Every error has a message, too.
    let _ = spmc::parse(&SOUND.blob(input)).map_err(|error| error.to_string());
});

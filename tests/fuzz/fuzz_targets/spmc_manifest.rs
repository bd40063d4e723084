//! Arbitrary bytes as an SPMC manifest.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use manager::manifest::spmc;

static SOUND: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| vec![dts::compile(fuzz::SPMC)]);

fuzz_target!(|input: &[u8]| {
    // Every error has a message, too.
    let _ = spmc::parse(&fuzz::bytes(input, &SOUND)).map_err(|error| error.to_string());
});

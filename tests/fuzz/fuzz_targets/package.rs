//! Arbitrary bytes as the memory of the first partition, with its package at the start.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use manager::config::{Own, SpmcManifest};
use manager::hardware::{AccessFault, Memory};
use manager::manifest;
use manager::memory::page::{Pa, PageRange, Space};

static SPMC: LazyLock<SpmcManifest> = LazyLock::new(fuzz::spmc);
static SOUND: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let packages = [fuzz::ECHO, fuzz::REGIONS].map(|source| {
        let manifest = dts::compile(source);
        let words = [u32::from_le_bytes(*b"SPKG"), 2, 0x1000, manifest.len() as u32, 0x4000, 0x100];
        let mut bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        bytes.resize(0x1000, 0);
        bytes.extend(manifest);
        bytes.resize(0x4100, 0);
        // A hand-off block list with nothing in it.
        bytes[0x2000..0x2004].copy_from_slice(&[1, 0, 56, 0]);
        bytes[0x2038..0x203C].copy_from_slice(&[0xFF, 0xFF, 8, 0]);
        bytes
    });
    packages.to_vec()
});

/// What there is of the first partition's memory.
struct Ram(Vec<u8>);

impl Ram {
    fn at(&mut self, address: Pa, length: usize) -> Result<&mut [u8], AccessFault> {
        let offset = address.address.checked_sub(SPMC.vms[0].memory.start()).ok_or(AccessFault)?;
        let offset = usize::try_from(offset).map_err(|_| AccessFault)?;
        let end = offset.checked_add(length).ok_or(AccessFault)?;
        self.0.get_mut(offset..end).ok_or(AccessFault)
    }
}

impl Memory for Ram {
    fn read(&mut self, from: Pa, into: &mut [u8]) -> Result<(), AccessFault> {
        into.copy_from_slice(self.at(from, into.len())?);
        Ok(())
    }
    fn write(&mut self, to: Pa, bytes: &[u8]) -> Result<(), AccessFault> {
        self.at(to, bytes.len())?.copy_from_slice(bytes);
        Ok(())
    }
    fn zero(&mut self, to: Pa, length: u64) -> Result<(), AccessFault> {
        let length = usize::try_from(length).map_err(|_| AccessFault)?;
        self.at(to, length)?.fill(0);
        Ok(())
    }
}

fuzz_target!(|input: &[u8]| {
    let memory = PageRange::new(Space::Secure, 0xe10_0000, 0x100).expect("whole pages");
    let own = Own { memory, devices: Vec::new() };
    let mut ram = Ram(fuzz::bytes(input, &SOUND));
    // Nobody's memory is the SPMC's own here, except where the input's manifest asks for it.
    let _ = manifest::load(&SPMC, &own, &mut ram).map_err(|error| error.to_string());
});

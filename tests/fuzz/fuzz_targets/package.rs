//! Arbitrary bytes, and edited trees within sound packages, as the memory of two partitions.
#![no_main]

use std::sync::LazyLock;

use fuzz::manifests::{self, SPMC, Sound};
use libfuzzer_sys::fuzz_target;
use manager::config::Own;
use manager::hardware::{AccessFault, Memory, Side};
use manager::manifest;
use manager::memory::page::{Pa, PageRange, Space};

static SOUND: LazyLock<Sound> = LazyLock::new(|| Sound::new(&manifests::PARTITIONS));

/// What there is of the partitions' memory.
struct Ram([Vec<u8>; 2]);

impl Ram {
    fn at(&mut self, address: Pa, length: usize) -> Result<&mut [u8], AccessFault> {
        let find =
            |vm: &manager::config::VmEntry| (vm.memory.start()..vm.memory.end()).contains(&address.address);
        let which = SPMC.vms.iter().position(find).ok_or(AccessFault)?;
        let offset = address.address - SPMC.vms[which].memory.start();
        let offset = usize::try_from(offset).map_err(|_| AccessFault)?;
        let end = offset.checked_add(length).ok_or(AccessFault)?;
        self.0[which].get_mut(offset..end).ok_or(AccessFault)
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
    fn copy(&mut self, from: Pa, to: Pa, length: u64) -> Result<(), Side> {
        let length = usize::try_from(length).map_err(|_| Side::Source)?;
        let bytes = self.at(from, length).map_err(|AccessFault| Side::Source)?.to_vec();
        self.write(to, &bytes).map_err(|AccessFault| Side::Target)
    }
    fn zero(&mut self, to: Pa, length: u64) -> Result<(), AccessFault> {
        let length = usize::try_from(length).map_err(|_| AccessFault)?;
        self.at(to, length)?.fill(0);
        Ok(())
    }
}

/// A package: either the input as it is, or with a sound header and hand-off block list of which bytes are changed.
fn package(input: &[u8]) -> Vec<u8> {
    let Some(([raw, changes], rest)) = input.split_first_chunk() else { return Vec::new() };
    if *raw == 0 {
        return rest.to_vec();
    }
    let (changes, rest) = rest.split_at(rest.len().min(usize::from(*changes % 4) * 2));
    let manifest = SOUND.blob(rest);
    let words = [u32::from_le_bytes(*b"SPKG"), 2, 0x1000, manifest.len() as u32, 0x4000, 0x100];
    let mut bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
    bytes.resize(0x1000, 0);
    bytes.extend(manifest);
    bytes.resize(0x4100, 0);
    bytes[0x2000..0x2004].copy_from_slice(&[1, 0, 56, 0]);
    bytes[0x2038..0x203C].copy_from_slice(&[0xFF, 0xFF, 8, 0]);
    for [at, value] in changes.as_chunks().0 {
        // The header's bytes, then those of the list.
        let at = usize::from(*at);
        bytes[if at < 24 { at } else { 0x2000 + at - 24 }] = *value;
    }
    bytes
}

fuzz_target!(|input: &[u8]| {
    let memory = PageRange::new(Space::Secure, 0xe10_0000, 0x100).expect("whole pages");
    let own =
        Own { memory, devices: vec![PageRange::new(Space::Secure, 0x800_0000, 0x10).expect("whole pages")] };
    let Some((split, input)) = input.split_first() else { return };
    let (first, second) = input.split_at(usize::from(*split).min(input.len()));
    let mut ram = Ram([package(first), package(second)]);
    // Nobody's memory is the SPMC's own here, except where a manifest asks for it.
    let _ = manifest::load(&SPMC, &own, &mut ram).map_err(|error| error.to_string());
});

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

/// A hand-off block list that holds nothing.
const HOBS: [u8; 64] = {
    let mut hobs = [0; 64];
    [hobs[0], hobs[2]] = [1, 56];
    [hobs[56], hobs[57], hobs[58]] = [0xFF, 0xFF, 8];
    hobs
};
/// Bytes of a header, of either kind.
const HEADER: usize = 24;

/// A package: either the input as it is, or with a sound manifest, and headers and a hand-off block list of which bytes
/// are changed.
fn package(input: &[u8]) -> Vec<u8> {
    let Some(([kind, changes], rest)) = input.split_first_chunk() else { return Vec::new() };
    if *kind == 0 {
        return rest.to_vec();
    }
    let (changes, rest) = rest.split_at(rest.len().min(usize::from(*changes % 4) * 2));
    let manifest = SOUND.blob(rest);
    let (mut bytes, headers) = if *kind == 1 { list(&manifest) } else { (spkg(&manifest), vec![0, 0x2000]) };
    for [at, value] in changes.as_chunks().0 {
        // The header's bytes, then those of the entries, then those of the list.
        let at = usize::from(*at);
        let of = (at / HEADER).min(headers.len() - 1);
        if let Some(byte) = bytes.get_mut(headers[of] + at - of * HEADER) {
            *byte = *value;
        }
    }
    bytes
}

/// A package "SPKG".
fn spkg(manifest: &[u8]) -> Vec<u8> {
    let words = [u32::from_le_bytes(*b"SPKG"), 2, 0x1000, manifest.len() as u32, 0x4000, 0x100];
    let mut bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
    bytes.resize(0x1000, 0);
    bytes.extend(manifest);
    bytes.resize(0x4100, 0);
    bytes[0x2000..0x2000 + HOBS.len()].copy_from_slice(&HOBS);
    bytes
}

/// A transfer list without a checksum, with everything where a page begins; and where its headers and what is between
/// them are.
fn list(manifest: &[u8]) -> (Vec<u8>, Vec<usize>) {
    let mut bytes = vec![0; HEADER];
    let mut headers = vec![0];
    let mut entry = |tag: u32, data: &[u8]| {
        headers.push(bytes.len());
        bytes.extend((tag | 8 << 24).to_le_bytes());
        bytes.extend((data.len() as u32).to_le_bytes());
        bytes.extend(data);
        bytes.resize(bytes.len().next_multiple_of(8), 0);
        // The next one's data begins a page: what is before its header is an entry that is empty.
        0x1000 - (bytes.len() + 16) % 0x1000
    };
    let mut gap = 0x1000 - HEADER - 16;
    for (tag, data) in [(0x106, manifest), (3, &HOBS), (0x103, &[0; 0x1100])] {
        entry(0, &vec![0; gap]);
        gap = entry(tag, data);
    }
    let words = [0x4A0F_B10B, 0x0C18_0100, bytes.len() as u32, 0x10_0000];
    let words = words.iter().flat_map(|word: &u32| word.to_le_bytes());
    bytes.iter_mut().zip(words).for_each(|(to, from)| *to = from);
    (bytes, headers)
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

//! Secure memory in which packages lie.

use alloc::vec;

use super::*;
use crate::hardware::{AccessFault, Memory, Side};
use crate::memory::page::Pa;

/// Secure memory from `base` on; what is behind it faults.
pub struct Ram {
    pub base: u64,
    pub bytes: Vec<u8>,
}

impl Ram {
    /// Memory with the packages of these manifests, each at its address.
    pub fn with(packages: &[(u64, &str)]) -> Self {
        let packages: Vec<_> = packages.iter().map(|(address, source)| (*address, package(source))).collect();
        Self::with_packages(&packages)
    }

    /// Memory with these packages, each at its address.
    pub fn with_packages(packages: &[(u64, Vec<u8>)]) -> Self {
        let base = packages.iter().map(|(address, _)| *address).min().unwrap();
        let mut ram = Self { base, bytes: Vec::new() };
        for (address, package) in packages {
            let at = (address - base) as usize;
            ram.bytes.resize(ram.bytes.len().max(at + package.len()), 0);
            ram.bytes[at..at + package.len()].copy_from_slice(package);
        }
        ram
    }

    fn at(&mut self, address: Pa, length: usize) -> Result<&mut [u8], AccessFault> {
        let start = address
            .address
            .checked_sub(self.base)
            .filter(|_| address.space == Space::Secure)
            .ok_or(AccessFault)?;
        self.bytes.get_mut(start as usize..).and_then(|rest| rest.get_mut(..length)).ok_or(AccessFault)
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
        let bytes = self.at(from, length as usize).map_err(|AccessFault| Side::Source)?.to_vec();
        self.write(to, &bytes).map_err(|AccessFault| Side::Target)
    }
    fn zero(&mut self, to: Pa, length: u64) -> Result<(), AccessFault> {
        self.at(to, length as usize)?.fill(0);
        Ok(())
    }
}

/// The header of a package.
pub fn header(version: u32, manifest: (u32, u32), image: (u32, u32)) -> [u8; 24] {
    let words = [u32::from_le_bytes(*b"SPKG"), version, manifest.0, manifest.1, image.0, image.1];
    let mut bytes = [0; 24];
    bytes.chunks_exact_mut(4).zip(words).for_each(|(to, word)| to.copy_from_slice(&word.to_le_bytes()));
    bytes
}

/// A package of 256 KB, with a hand-off block list that holds nothing where the manifest leaves room.
pub fn package(source: &str) -> Vec<u8> {
    let manifest = dts::compile(source);
    let mut bytes = vec![0; 0x4_0000];
    bytes[..24].copy_from_slice(&header(2, (0x1000, manifest.len() as u32), (0x4000, 0x1000)));
    bytes[0x1000..0x1000 + manifest.len()].copy_from_slice(&manifest);
    bytes
}

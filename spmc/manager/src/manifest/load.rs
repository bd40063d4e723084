//! The partitions that an SPMC manifest lists, from the packages in memory to configurations that can start.

use alloc::vec;
use alloc::vec::Vec;

use super::boot_info;
use super::error::Error;
use super::package::{self, Package};
use super::transfer_list::{self, TransferList};
use super::{blob, check, partition};
use crate::config::{Own, PartitionConfig, SpmcManifest, VmEntry};
use crate::hardware::Memory;
use crate::memory::page::Pa;

/// Reads the package of each `vmN` and writes the boot information that the partition asks for. `own` is what the
/// SPMC has for itself.
///
/// The result is in the order of the partitions' indices. A partition that breaks a rule is left out, with a
/// message at error level that says which.
///
/// # Errors
/// What makes the machine unfit to start the SPMC at all: its own memory is given to somebody else.
pub fn load(
    manifest: &SpmcManifest,
    own: &Own,
    memory: &mut dyn Memory,
) -> Result<Vec<PartitionConfig>, Error> {
    check::own_memory(manifest, own)?;
    let mut packages = Vec::new();
    let mut configs = Vec::new();
    for vm in &manifest.vms {
        match read(vm, manifest, own, memory) {
            Ok((package, config)) => {
                packages.push((vm.index, package));
                configs.push(config);
            }
            Err(error) => log::error!("{} ({}) is left out: {error}", vm.name, vm.index.id()),
        }
    }
    let mut configs = check::all(configs, &own.memory)?;
    configs.retain(|config| {
        let package = packages.iter().find(|(index, _)| *index == config.index);
        let written = package.map_or(Ok(()), |(_, package)| write_boot_info(config, package, memory));
        written
            .inspect_err(|error| log::error!("{} ({}) is left out: {error}", config.name, config.id()))
            .is_ok()
    });
    Ok(configs)
}

/// Reads and checks one package; its manifest is copied in once.
fn read(
    vm: &VmEntry,
    manifest: &SpmcManifest,
    own: &Own,
    memory: &mut dyn Memory,
) -> Result<(Package, PartitionConfig), Error> {
    check::declared(vm, &manifest.memory)?;
    let package = package(vm, memory)?;
    let (offset, size) = package.manifest;
    let mut bytes = vec![0; size as usize];
    copy(memory, vm.memory.start() + offset, &mut bytes)?;
    let config = partition::parse(&bytes, vm, &package, &manifest.cpus)?;
    check::alone(&config, &manifest.memory, &own.devices)?;
    check::report_absent_senders(&config, &manifest.vms);
    Ok((package, config))
}

/// Reads and checks where things lie in the package, of whichever kind it is.
fn package(vm: &VmEntry, memory: &mut dyn Memory) -> Result<Package, Error> {
    let start = vm.memory.start();
    let mut header = [0; package::HEADER_SIZE];
    copy(memory, start, &mut header)?;
    if !transfer_list::is_list(&header) {
        return Ok(Package::parse(&header, &vm.memory)?);
    }
    let read = &mut |offset, into: &mut [u8]| copy(memory, start + offset, into).ok();
    Ok(Package::of_list(&TransferList::parse(vm.memory.bytes(), read)?)?)
}

fn copy(memory: &mut dyn Memory, address: u64, into: &mut [u8]) -> Result<(), Error> {
    memory.read(Pa::secure(address), into).map_err(|_| Error::Access { address })
}

/// Puts the boot information at the load address, over the package's header, as far as nothing else is there.
fn write_boot_info(
    config: &PartitionConfig,
    package: &Package,
    memory: &mut dyn Memory,
) -> Result<(), Error> {
    let Some(wanted) = config.boot_info else { return Ok(()) };
    let address = config.memory.start();
    let manifest = wanted.manifest.then_some(config.manifest);
    let hob_list = if wanted.hob_list { Some(hob_list(config, package, memory)?) } else { None };
    let blob = boot_info::blob(address, config.version, manifest, hob_list);
    let (size, room) = (blob.len() as u64, package.boot_info);
    if size > room {
        return Err(Error::BootInfoRoom { size, room });
    }
    memory.write(Pa::secure(address), &blob).map_err(|_| Error::Access { address })
}

/// The hand-off block list of a package: `(address, size)`.
fn hob_list(
    config: &PartitionConfig,
    package: &Package,
    memory: &mut dyn Memory,
) -> Result<boot_info::Contents, Error> {
    let (offset, room) = package.hob_list.map_err(|why| Error::NoHobList { why })?;
    let mut bytes = vec![0; room.min(blob::MAX_SIZE as u64) as usize];
    let address = config.memory.start() + offset;
    copy(memory, address, &mut bytes)?;
    let size = boot_info::hob_list_size(&bytes).map_err(|why| Error::HobList { offset, why })?;
    Ok((address, size))
}

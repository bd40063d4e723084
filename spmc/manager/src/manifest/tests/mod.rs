//! Each error fed, the golden inputs, and damage of every kind. Sources are compiled here: no `dtc` is needed.

mod between;
mod damage;
mod golden;
mod handoff;
mod list_packages;
mod loading;
mod partitions;
mod properties;
mod ram;
mod rules;
mod said;
mod senders;
mod spmc;
mod structure;
mod transfer_lists;

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::error::Error;
use super::package::Package;
use super::{partition, spmc as manifest};
use crate::config::{Own, PartitionConfig, Quota, SmcAccess, SpmcManifest, VmEntry};
use crate::endpoint::PartitionIndex;
use crate::memory::page::{PageRange, Space};

pub const SPMC: &str = include_str!("../../../../../manifests/qemu-virt/spmc.dts");
pub const ECHO: &str = include_str!("../../../../../manifests/qemu-virt/echo.dts");
pub const RELAY: &str = include_str!("../../../../../manifests/qemu-virt/relay.dts");
pub const OP_TEE: &str = include_str!("../../../../../manifests/golden/op-tee/op-tee.dts");
pub const OP_TEE_1_1: &str = include_str!("../../../../../manifests/golden/op-tee/op-tee-1.1.dts");
pub const OP_TEE_SPMC: &str = include_str!("../../../../../manifests/golden/op-tee/spmc.dts");
pub const OP_TEE_SPMC_ASCENDING: &str =
    include_str!("../../../../../manifests/golden/op-tee/spmc-ascending.dts");
pub const OP_TEE_SPMC_BARE: &str = include_str!("../../../../../manifests/golden/op-tee/spmc-bare.dts");
pub const FVP_SPMC: &str = include_str!("../../../../../manifests/golden/fvp/spmc.dts");
pub const FVP_PRIMARY: &str = include_str!("../../../../../manifests/golden/fvp/primary.dts");
pub const FVP_SECONDARY: &str = include_str!("../../../../../manifests/golden/fvp/secondary.dts");
pub const FVP_TERTIARY: &str = include_str!("../../../../../manifests/golden/fvp/tertiary.dts");
pub const FVP_LIVE: &str = include_str!("../../../../../manifests/golden/fvp/live.dts");
pub const FVP_SERVICES: &str = include_str!("../../../../../manifests/golden/fvp/services.dts");
pub const FVP_EL0: &str = include_str!("../../../../../manifests/golden/fvp/el0.dts");
pub const REGIONS: &str = include_str!("../../../../../manifests/golden/regions.dts");

/// What the SPMC has for itself on QEMU virt: memory, the GIC, and the GPIO that ends the machine.
pub fn own() -> Own {
    let devices =
        [range(0x800_0000, 0x801_0000), range(0x80a_0000, 0x812_0000), range(0x90b_0000, 0x90b_1000)];
    Own { memory: range(0xe10_0000, 0xe30_0000), devices: Vec::from(devices) }
}

/// A package whose manifest and image lie where TF-A's tools put them.
pub const PACKAGE: Package = Package {
    manifest: (0x1000, 0x800),
    image: (0x4000, 0x2000),
    boot_info: 0x1000,
    hob_list: Ok((0x2000, 0x2000)),
};

/// A source with one piece of text replaced.
pub fn changed(source: &str, old: &str, new: &str) -> String {
    assert!(source.contains(old), "the source has no {old:?}");
    source.replacen(old, new, 1)
}

/// The affinities of four PEs.
pub const CPUS: [u64; 4] = [0, 1, 0x100, 0x1_0200];

pub fn range(start: u64, end: u64) -> PageRange {
    PageRange::from_bytes(Space::Secure, start, end - start).unwrap()
}

/// A `vmN` entry of 256 KB at 0xe300000.
pub fn vm(vcpus: u16) -> VmEntry {
    VmEntry {
        index: PartitionIndex::new(0).unwrap(),
        name: "echo".to_string(),
        memory: range(0xe30_0000, 0xe34_0000),
        vcpus,
        smcs: SmcAccess::default(),
        quota: Quota::PARTITION,
    }
}

pub fn spmc_of(source: &str) -> Result<SpmcManifest, Error> {
    manifest::parse(&dts::compile(source))
}

/// The partition of a source, with as many contexts as `vcpus` says, on four PEs.
pub fn partition_of(source: &str, vcpus: u16) -> Result<PartitionConfig, Error> {
    partition::parse(&dts::compile(source), &vm(vcpus), &PACKAGE, &CPUS)
}

/// The message with which a changed SPMC manifest is refused.
pub fn spmc_refused(old: &str, new: &str) -> String {
    spmc_of(&changed(SPMC, old, new)).expect_err(new).to_string()
}

/// The message with which a changed partition manifest is refused.
pub fn refused(source: &str, old: &str, new: &str) -> String {
    partition_of(&changed(source, old, new), 4).expect_err(new).to_string()
}

/// All blobs that damage is done to.
pub fn blobs() -> Vec<Vec<u8>> {
    [SPMC, ECHO, RELAY, OP_TEE, OP_TEE_SPMC, FVP_PRIMARY, FVP_LIVE, REGIONS]
        .iter()
        .map(|source| dts::compile(source))
        .collect()
}

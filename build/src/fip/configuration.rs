//! What goes into the FIP beside the images: the layout, the manifests and the packages, and whether they agree.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};
use uuid::Uuid;

use super::layout::{self, Entry, Kind, Owner};
use super::place::{self, Place};
use super::tree::{self, Sources, Tree, Vm};
use super::{package, transfer_list};
use crate::cli::FipArgs;
use crate::platform::Description;
use crate::project;

/// The endpoint id of the SPMC; the partition `vmN` of the SPMC manifest has N more.
const SPMC_ID: u16 = 0x8000;

/// A partition as the manifests describe it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Partition {
    /// Its name in the layout.
    pub name: String,
    /// Its endpoint id.
    pub id: u16,
    /// The UUIDs of its manifest.
    pub uuids: Vec<Uuid>,
    /// Whether it is one of the project's, which say that they are ready.
    pub own: bool,
}

/// A partition on its way into the FIP.
pub struct Packed {
    /// What it is.
    pub partition: Partition,
    /// The file with its package.
    pub package: PathBuf,
    /// Names the package in the FIP and in TB_FW_CONFIG.
    pub uuid: Uuid,
    /// Where BL2 puts the package.
    pub address: u64,
    /// Who signs for it.
    pub owner: Owner,
}

/// The layout and the SPMC manifest, read.
pub struct Configuration {
    sources: Sources,
    layout_file: PathBuf,
    layout: Vec<Entry>,
    manifest_file: PathBuf,
    manifest: Tree,
}

impl Configuration {
    /// Reads them, or the project's own for the platform, and writes the manifest's blob into `folder`. The sources
    /// may use `SPMC_BASE`, where TF-A puts the SPMC.
    ///
    /// # Errors
    /// If one cannot be read; the message names the file.
    pub fn read(args: &FipArgs, spmc_base: u64, folder: &Path) -> Result<Self> {
        let own = project::manifests(args.platform);
        let sources = Sources { include: own.clone(), spmc_base };
        let layout_file = args.layout.clone().unwrap_or_else(|| own.join("sp_layout.json"));
        let manifest_file = args.spmc_manifest.clone().unwrap_or_else(|| own.join("spmc.dts"));
        let layout = layout::read(&layout_file)?;
        let manifest = sources.read(&manifest_file)?;
        manifest.write(&folder.join("spmc.dtb"))?;
        Ok(Self { sources, layout_file, layout, manifest_file, manifest })
    }

    /// How many PEs the SPMC manifest has.
    ///
    /// # Errors
    /// If that cannot be read.
    pub fn pes(&self) -> Result<usize> {
        self.manifest.pes()
    }

    /// Writes the packages and TB_FW_CONFIG into `folder`: the list of partitions, beside what TF-A has in `base`.
    ///
    /// # Errors
    /// If something does not fit where it is put, or the manifests and the layout do not agree.
    pub fn pack(
        &self,
        description: &Description,
        spmc_size: u64,
        base: Option<&Path>,
        folder: &Path,
    ) -> Result<Vec<Packed>> {
        let size = self.manifest.blob.len() as u64;
        place::fits(&self.manifest_file.display().to_string(), size, description.manifest_limit)?;
        if self.layout.len() > description.partition_limit {
            let most = description.partition_limit;
            bail!("{}: {} partitions; BL2 loads {most}", self.layout_file.display(), self.layout.len());
        }
        let entry = self.manifest.number("/attribute", "load_address")?;
        if entry != self.sources.spmc_base {
            let (file, base) = (self.manifest_file.display(), self.sources.spmc_base);
            bail!("{file}: /attribute/load_address: {entry:#x}, but TF-A loads the SPMC at {base:#x}");
        }
        let vms = self.manifest.vms()?;
        let mut places = vec![Place { what: "the SPMC's image".to_owned(), range: entry..entry + spmc_size }];
        let mut packed = Vec::new();
        for item in &self.layout {
            let context = || format!("{}: {}", self.layout_file.display(), item.name);
            packed.push(self.pack_one(item, &vms, description, &mut places, folder).with_context(context)?);
        }
        if let Some(vm) = vms.iter().find(|vm| !packed.iter().any(|packed| packed.address == vm.address)) {
            let (file, number, address) = (self.manifest_file.display(), vm.number, vm.address);
            let layout = self.layout_file.display();
            bail!("{file}: /hypervisor/vm{number}/load_address: {layout} has no partition at {address:#x}");
        }
        place::disjoint(description, &places)?;
        let source = folder.join("tb_fw_config.dts");
        let before = base.map_or(Ok("/dts-v1/;\n".to_owned()), tree::source)?;
        fs::write(&source, before + &tb_fw_config(&packed))?;
        let tree = self.sources.read(&source)?;
        place::fits("TB_FW_CONFIG", tree.blob.len() as u64, description.config_limit)?;
        tree.write(&folder.join("tb_fw_config.dtb"))?;
        Ok(packed)
    }

    fn pack_one(
        &self,
        entry: &Entry,
        vms: &[Vm],
        description: &Description,
        places: &mut Vec<Place>,
        folder: &Path,
    ) -> Result<Packed> {
        let read = |file: &Path| fs::read(file).with_context(|| file.display().to_string());
        // A blob is packed as it is: the SPMC has to cope with whatever it is given.
        let (blob, uuids, address) =
            if entry.manifest.file.extension().is_some_and(|extension| extension == "dtb") {
                let tree = self.sources.read(&entry.manifest.file);
                let known = tree.and_then(|tree| Ok((tree.uuids()?, tree.number("/", "load-address")?)));
                let (uuids, address) = match known {
                    Ok((uuids, address)) => (uuids, Some(address)),
                    Err(error) => {
                        eprintln!("warning: {error:#}; it is packed as it is");
                        (Vec::new(), None)
                    }
                };
                (read(&entry.manifest.file)?, uuids, address)
            } else {
                let tree = self.sources.read(&entry.manifest.file)?;
                let address = match entry.address {
                    Some(_) => None,
                    None => Some(tree.number("/", "load-address")?),
                };
                let uuids = tree.uuids()?;
                (tree.blob, uuids, address)
            };
        let uuid = entry.uuid.or(uuids.first().copied()).context("uuid: neither here nor in the manifest")?;
        let uuids = if uuids.is_empty() { vec![uuid] } else { uuids };
        let address = entry.address.or(address).context("physical-load-address: missing")?;
        // TB_FW_CONFIG holds one cell.
        u32::try_from(address)
            .map_err(|_| anyhow!("physical-load-address: {address:#x} has more than 32 bits"))?;
        let image = read(&entry.image.file)?;
        let package = match entry.kind {
            Kind::Spkg => package::pack((entry.manifest.offset, &blob), (entry.image.offset, &image))?,
            Kind::TransferList { max_size } => transfer_list::pack(&blob, &image, max_size)?,
        };
        place::fits("the package", package.len() as u64, description.package_limit)?;
        let vm = vms.iter().find(|vm| vm.address == address).with_context(|| {
            let manifest = self.manifest_file.display();
            format!("physical-load-address: no node of {manifest} has load_address {address:#x}")
        })?;
        let (file, number) = (self.manifest_file.display(), vm.number);
        place::fits(
            &format!("the package in {file}: /hypervisor/vm{number}/mem_size"),
            package.len() as u64,
            vm.size,
        )?;
        let what = format!("{file}: /hypervisor/vm{number}/mem_size ({})", entry.name);
        places.push(Place { what, range: address..address.saturating_add(vm.size) });
        let path = folder.join(format!("{}.pkg", entry.name));
        fs::write(&path, package)?;
        let own = is_own(&entry.image.file);
        let partition = Partition { name: entry.name.clone(), id: SPMC_ID + vm.number, uuids, own };
        Ok(Packed { partition, package: path, uuid, address, owner: entry.owner })
    }
}

fn is_own(image: &Path) -> bool {
    let folder = image.parent().and_then(|folder| fs::canonicalize(folder).ok());
    folder.is_some_and(|folder| fs::canonicalize(project::partitions()).is_ok_and(|own| own == folder))
}

/// The source of TB_FW_CONFIG: what BL2 loads, and where to (the binding `arm,sp` of TF-A).
fn tb_fw_config(packed: &[Packed]) -> String {
    let mut text = String::from("\n/ {\n\tsecure-partitions {\n\t\tcompatible = \"arm,sp\";\n");
    for Packed { partition, uuid, address, owner, .. } in packed {
        let (name, owner) = (&partition.name, owner.name());
        let node = format!(
            "\n\t\t{name} {{\n\t\t\tuuid = \"{uuid}\";\n\t\t\tload-address = <{address:#x}>;\n\t\t\towner = \"{owner}\";\n\t\t}};\n"
        );
        text.push_str(&node);
    }
    text.push_str("\t};\n};\n");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tb_fw_config_names_each_package_and_its_place() {
        let uuid = Uuid::try_parse("5d7f1c2e-8a3b-4e60-9b1d-3c2f6a7e9d41").unwrap();
        let partition = Partition { name: "echo".to_owned(), id: 0x8001, uuids: vec![uuid], own: true };
        let owner = Owner::Plat;
        let package = PathBuf::new();
        let text = tb_fw_config(&[Packed { partition, package, uuid, address: 0xe20_0000, owner }]);
        assert!(text.contains("\techo {\n\t\t\tuuid = \"5d7f1c2e-8a3b-4e60-9b1d-3c2f6a7e9d41\";"), "{text}");
        assert!(text.contains("load-address = <0xe200000>;"));
        assert!(text.contains("owner = \"Plat\";"));
    }
}

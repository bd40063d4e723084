//! `cargo xtask fip`: Trusted Firmware-A around the SPMC, and the flash that a machine starts from.

mod layout;
mod package;
mod place;
mod tfa;
mod tree;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, anyhow, bail};
use uuid::Uuid;

use crate::cli::FipArgs;
use crate::image::Image;
use crate::platform::{Description, Platform};
use crate::setup::{self, step};
use crate::{image, project};
use layout::Entry;
use place::Place;
use tree::{Tree, Vm};

/// The endpoint id of the SPMC; the partition `vmN` of the SPMC manifest has N more.
const SPMC_ID: u16 = 0x8000;

/// Who is started in the Normal world.
#[derive(Clone, Debug)]
pub enum Bl33 {
    /// An image that BL2 takes out of the FIP.
    Image(PathBuf),
    /// A kernel that QEMU puts into memory.
    Kernel,
}

/// What is in the flash.
pub struct Firmware {
    /// The flash's content: BL1 and the FIP.
    pub flash: PathBuf,
    /// The SPMC in it.
    pub spmc: Image,
    /// The partitions, by id.
    pub partitions: Vec<Partition>,
}

/// What makes a flash another one than the user's, so that it lies in a folder of its own.
#[derive(Clone, Copy, Debug, Default)]
pub struct Variant<'a> {
    /// Names the folder; empty for the user's.
    pub name: &'a str,
    /// Features of the SPMC; they are part of the folder's name.
    pub features: &'a [&'a str],
}

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
struct Packed {
    partition: Partition,
    /// The file with its package.
    package: PathBuf,
    /// Names the package in the FIP and in TB_FW_CONFIG.
    uuid: Uuid,
    /// Where BL2 puts the package.
    address: u64,
}

/// Builds everything and says where it is.
///
/// # Errors
/// If a part does not build or does not fit.
pub fn run(args: &FipArgs) -> Result<()> {
    let bl33 = match &args.bl33 {
        Some(file) => file.clone(),
        None => image::normal(args.platform)?.bin,
    };
    let firmware = build(args, &Bl33::Image(bl33), Variant::default())?;
    for name in ["bl1.bin", "fip.bin", "flash.bin"] {
        let file = firmware.flash.with_file_name(name);
        println!("{}: {} bytes", file.display(), fs::metadata(&file)?.len());
    }
    Ok(())
}

/// The options for the partitions of the test scenarios: those of the product, and some that only tests need.
#[must_use]
pub fn tests(platform: Platform) -> FipArgs {
    let folder = project::manifests(platform).join("tests");
    FipArgs {
        platform,
        layout: Some(folder.join("sp_layout.json")),
        spmc_manifest: Some(folder.join("spmc.dts")),
        ..FipArgs::default()
    }
}

/// The options for the partitions of the tests of memory transactions.
#[must_use]
pub fn memory(platform: Platform) -> FipArgs {
    let folder = project::manifests(platform).join("tests/memory");
    FipArgs {
        platform,
        layout: Some(folder.join("sp_layout.json")),
        spmc_manifest: Some(folder.join("spmc.dts")),
        ..FipArgs::default()
    }
}

/// Builds the SPMC, the partitions, TF-A and the flash. A flash for a kernel, or of another variant, lies in a
/// folder of its own beside the other: `linux`, or the variant's names.
///
/// # Errors
/// If a part does not build, a manifest or the layout is wrong, or something does not fit.
pub fn build(args: &FipArgs, bl33: &Bl33, variant: Variant<'_>) -> Result<Firmware> {
    setup::tools()?;
    let platform = args.platform;
    let spmc = image::spmc(platform, variant.features)?;
    image::partitions()?;
    let kernel = matches!(bl33, Bl33::Kernel);
    let named = [variant.name].into_iter().filter(|name| !name.is_empty());
    let parts: Vec<_> =
        kernel.then_some("linux").into_iter().chain(named).chain(variant.features.iter().copied()).collect();
    let mut folder = project::firmware(platform);
    if !parts.is_empty() {
        folder.push(parts.join("-"));
    }
    fs::create_dir_all(&folder)?;
    let tfa = tfa::build(platform, args.tfa.as_deref(), kernel)?;
    let configuration = Configuration::read(args, &folder)?;
    let spmc_size = fs::metadata(&spmc.bin)?.len();
    let packed = configuration.pack(platform.description(), spmc_size, &folder)?;
    let mut create = Command::new(&tfa.fiptool);
    create.arg("create").arg("--tb-fw").arg(&tfa.bl2).arg("--soc-fw").arg(&tfa.bl31);
    create.arg("--tos-fw").arg(&spmc.bin).arg("--tb-fw-config").arg(folder.join("tb_fw_config.dtb"));
    create.arg("--tos-fw-config").arg(folder.join("spmc.dtb"));
    if let Bl33::Image(file) = bl33 {
        fs::metadata(file).with_context(|| file.display().to_string())?;
        create.arg("--nt-fw").arg(file);
    }
    for partition in &packed {
        create.arg("--blob").arg(blob(partition)?);
    }
    let fip = folder.join("fip.bin");
    step::output(create.arg(&fip))?;
    fs::copy(&tfa.bl1, folder.join("bl1.bin"))?;
    let flash = folder.join("flash.bin");
    fs::write(&flash, flash_image(platform, fs::read(&tfa.bl1)?, &fs::read(&fip)?)?)?;
    let mut partitions: Vec<_> = packed.into_iter().map(|packed| packed.partition).collect();
    partitions.sort_by_key(|partition| partition.id);
    Ok(Firmware { flash, spmc, partitions })
}

/// The argument of `fiptool create --blob`; a comma in it would end the file's name.
fn blob(packed: &Packed) -> Result<String> {
    let file = packed.package.to_str().filter(|file| !file.contains(','));
    let file =
        file.with_context(|| format!("{}: fiptool cannot take this name", packed.package.display()))?;
    Ok(format!("uuid={},file={file}", packed.uuid))
}

fn flash_image(platform: Platform, mut bl1: Vec<u8>, fip: &[u8]) -> Result<Vec<u8>> {
    let description = platform.description();
    place::fits("bl1.bin", bl1.len() as u64, description.fip_offset)?;
    bl1.resize(usize::try_from(description.fip_offset)?, 0xff);
    bl1.extend_from_slice(fip);
    place::fits("flash.bin", bl1.len() as u64, description.flash_size)?;
    Ok(bl1)
}

/// The layout and the SPMC manifest, read.
struct Configuration {
    layout_file: PathBuf,
    layout: Vec<Entry>,
    manifest_file: PathBuf,
    manifest: Tree,
}

impl Configuration {
    fn read(args: &FipArgs, folder: &Path) -> Result<Self> {
        let own = project::manifests(args.platform);
        let layout_file = args.layout.clone().unwrap_or_else(|| own.join("sp_layout.json"));
        let manifest_file = args.spmc_manifest.clone().unwrap_or_else(|| own.join("spmc.dts"));
        let layout = layout::read(&layout_file)?;
        let manifest = Tree::read(&manifest_file)?;
        manifest.write(&folder.join("spmc.dtb"))?;
        Ok(Self { layout_file, layout, manifest_file, manifest })
    }

    /// Writes the packages and TB_FW_CONFIG into `folder`.
    fn pack(&self, description: &Description, spmc_size: u64, folder: &Path) -> Result<Vec<Packed>> {
        let limit = description.config_limit;
        place::fits(&self.manifest_file.display().to_string(), self.manifest.blob.len() as u64, limit)?;
        if self.layout.len() > description.partition_limit {
            let most = description.partition_limit;
            bail!("{}: {} partitions; BL2 loads {most}", self.layout_file.display(), self.layout.len());
        }
        let entry = self.manifest.number("/attribute", "load_address")?;
        if entry != description.spmc_base {
            let (file, base) = (self.manifest_file.display(), description.spmc_base);
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
        fs::write(&source, tb_fw_config(&packed))?;
        let tree = Tree::read(&source)?;
        place::fits("TB_FW_CONFIG", tree.blob.len() as u64, limit)?;
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
                let tree = Tree::read(&entry.manifest.file);
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
                let tree = Tree::read(&entry.manifest.file)?;
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
        let package =
            package::pack((entry.manifest.offset, &blob), (entry.image.offset, &read(&entry.image.file)?))?;
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
        Ok(Packed { partition, package: path, uuid, address })
    }
}

fn is_own(image: &Path) -> bool {
    let folder = image.parent().and_then(|folder| fs::canonicalize(folder).ok());
    folder.is_some_and(|folder| fs::canonicalize(project::partitions()).is_ok_and(|own| own == folder))
}

/// The source of TB_FW_CONFIG: what BL2 loads, and where to (the binding `arm,sp` of TF-A).
fn tb_fw_config(packed: &[Packed]) -> String {
    let mut text = String::from("/dts-v1/;\n\n/ {\n\tsecure-partitions {\n\t\tcompatible = \"arm,sp\";\n");
    for Packed { partition, uuid, address, .. } in packed {
        let name = &partition.name;
        let node = format!(
            "\n\t\t{name} {{\n\t\t\tuuid = \"{uuid}\";\n\t\t\tload-address = <{address:#x}>;\n\t\t}};\n"
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
        let text = tb_fw_config(&[Packed { partition, package: PathBuf::new(), uuid, address: 0xe20_0000 }]);
        assert!(text.contains("\techo {\n\t\t\tuuid = \"5d7f1c2e-8a3b-4e60-9b1d-3c2f6a7e9d41\";"), "{text}");
        assert!(text.contains("load-address = <0xe200000>;"));
    }

    #[test]
    fn the_fip_lies_where_tf_a_looks_for_it() {
        let flash = flash_image(Platform::QemuVirt, vec![1, 2], &[3, 4]).unwrap();
        assert_eq!((&flash[..3], &flash[0x4_0000..]), (&[1, 2, 0xff][..], &[3, 4][..]));
        assert!(flash_image(Platform::QemuVirt, vec![0; 0x4_0001], &[]).is_err());
    }
}

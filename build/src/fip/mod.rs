//! `cargo xtask fip`: Trusted Firmware-A around the SPMC, and the flash that a machine starts from.

mod base;
mod configuration;
pub mod flash;
mod layout;
mod package;
mod place;
pub mod secure_boot;
pub mod tfa;
mod transfer_list;
pub mod tree;

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};

use crate::cli::FipArgs;
use crate::image::Image;
use crate::platform::{Platform, Start};
use crate::setup::{self, step};
use crate::{image, project};
pub use configuration::Partition;
use configuration::{Configuration, Packed};
use flash::Flashes;
use secure_boot::Keys;
use tfa::Wanted;

/// Who is started in the Normal world.
#[derive(Clone, Debug)]
pub enum Bl33 {
    /// An image that BL2 takes out of the FIP, or that runs in place in the second flash.
    Image(PathBuf),
    /// The project's test image.
    Tests,
    /// A kernel that is put into memory: by QEMU, or by what is in the second flash, which is made later.
    Kernel,
}

/// What the machine starts from.
pub struct Firmware {
    /// The flashes, or the files for them.
    pub flashes: Flashes,
    /// The SPMC in them.
    pub spmc: Image,
    /// The partitions, by id.
    pub partitions: Vec<Partition>,
    /// On how many PEs the SPMC manifest lets the SPMC run.
    pub pes: usize,
}

/// What makes a flash another one than the user's, so that it lies in a folder of its own.
#[derive(Clone, Copy, Debug, Default)]
pub struct Variant<'a> {
    /// Names the folder; empty for the user's.
    pub name: &'a str,
    /// Features of the SPMC; they are part of the folder's name.
    pub features: &'a [&'a str],
    /// Features of the Normal-world test image.
    pub normal: &'a [&'a str],
    /// Make variables of TF-A that override those of the platform.
    pub tfa: &'a [&'a str],
    /// Keys that sign instead of those that TF-A trusts with secure boot.
    pub signers: Option<&'a Keys>,
}

/// Builds everything and says where it is.
///
/// # Errors
/// If a part does not build or does not fit.
pub fn run(args: &FipArgs) -> Result<()> {
    let bl33 = args.bl33.clone().map_or(Bl33::Tests, Bl33::Image);
    let firmware = build(args, &bl33, Variant::default())?;
    for file in firmware.flashes.files() {
        println!("{}: {} bytes", file.display(), fs::metadata(&file)?.len());
    }
    Ok(())
}

/// The options for the partitions of the test scenarios: those of the product, and some that only tests need.
#[must_use]
pub fn tests(platform: Platform) -> FipArgs {
    of_tests(platform, "")
}

/// The options for the partitions in this folder of the tests' manifests.
#[must_use]
pub fn of_tests(platform: Platform, folder: &str) -> FipArgs {
    let folder = project::root().join("manifests/tests").join(folder);
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
    let secure = args.secure_boot.then_some("secure-boot");
    let kernels = kernel.then_some("linux");
    let parts: Vec<_> =
        kernels.into_iter().chain(secure).chain(named).chain(variant.features.iter().copied()).collect();
    let mut folder = project::firmware(platform);
    if !parts.is_empty() {
        folder.push(parts.join("-"));
    }
    fs::create_dir_all(&folder)?;
    let description = platform.description();
    let one_flash = matches!(description.start, Start::OneFlash { .. });
    let by_bl31 = kernel && one_flash;
    let keys = args.secure_boot.then(|| Keys::ensure(args.keys.as_deref())).transpose()?;
    let tfa = tfa::build(Wanted {
        platform,
        tree: args.tfa.as_deref(),
        kernel: by_bl31,
        flags: variant.tfa,
        secure_boot: keys.as_ref(),
    })?;
    let configuration = Configuration::read(args, tfa.spmc_base, &folder)?;
    let spmc_size = fs::metadata(&spmc.bin)?.len();
    let base = description.trees.base.map(|tree| tfa.file(tree));
    let packed = configuration.pack(description, spmc_size, base.as_deref(), &folder)?;
    let mut images = vec![
        ("--tb-fw", tfa.file("bl2.bin")),
        ("--soc-fw", tfa.file("bl31.bin")),
        ("--tos-fw", spmc.bin.clone()),
        ("--tb-fw-config", folder.join("tb_fw_config.dtb")),
        ("--tos-fw-config", folder.join("spmc.dtb")),
    ];
    images.extend(description.trees.more.iter().map(|(option, tree)| (*option, tfa.file(tree))));
    let first = match bl33 {
        Bl33::Image(file) => Some(file.clone()),
        Bl33::Tests => Some(image::normal(platform, variant.normal)?.bin),
        Bl33::Kernel => None,
    };
    let in_place = matches!(description.start, Start::TwoFlashes { .. });
    if let Some(file) = first.as_ref().filter(|_| !in_place) {
        fs::metadata(file).with_context(|| file.display().to_string())?;
        images.push(("--nt-fw", file.clone()));
    }
    let mut create = Command::new(tfa.file("fiptool"));
    create.arg("create");
    for (option, file) in &images {
        create.arg(option).arg(file);
    }
    if let Some(keys) = &keys {
        let signers = variant.signers.unwrap_or(keys);
        for (option, file) in secure_boot::sign(&tfa, signers, &images, &packed, &folder)? {
            create.arg(option).arg(file);
        }
    }
    for partition in &packed {
        create.arg("--blob").arg(blob(partition)?);
    }
    let fip = folder.join("fip.bin");
    step::output(create.arg(&fip))?;
    let mut flashes = flash::first(platform, &tfa.file("bl1.bin"), &fip)?;
    if let Some(file) = first.filter(|_| in_place) {
        match bl33 {
            Bl33::Image(_) => flashes.run_in_place(platform, &file)?,
            _ => flashes.load(platform, &flash::Load::image(platform, &file))?,
        }
    }
    let mut partitions: Vec<_> = packed.into_iter().map(|packed| packed.partition).collect();
    partitions.sort_by_key(|partition| partition.id);
    Ok(Firmware { flashes, spmc, partitions, pes: configuration.pes()? })
}

/// The tool that takes the FIP of a platform apart.
///
/// # Errors
/// If TF-A does not build.
pub fn fiptool(platform: Platform) -> Result<PathBuf> {
    Ok(tfa::build(Wanted { platform, tree: None, kernel: false, flags: &[], secure_boot: None })?
        .file("fiptool"))
}

/// The argument of `fiptool create --blob`; a comma in it would end the file's name.
fn blob(packed: &Packed) -> Result<String> {
    let file = packed.package.to_str().filter(|file| !file.contains(','));
    let file =
        file.with_context(|| format!("{}: fiptool cannot take this name", packed.package.display()))?;
    Ok(format!("uuid={},file={file}", packed.uuid))
}

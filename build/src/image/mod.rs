//! `cargo xtask image`: the SPMC, the partitions and the Normal-world image, as ELF files and as they lie in memory.

mod flat;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::cli::ImageArgs;
use crate::platform::Platform;
use crate::{project, toolchain};

/// The folder in `partitions/` that is a library.
const SDK: &str = "sdk";

/// An image: with its symbols, and as it lies in memory.
#[derive(Clone, Debug)]
pub struct Image {
    /// The ELF file.
    pub elf: PathBuf,
    /// The bytes that are loaded.
    pub bin: PathBuf,
}

/// Builds the SPMC and the partitions and says what was built.
///
/// # Errors
/// If one of them does not build.
pub fn run(args: &ImageArgs) -> Result<()> {
    let spmc = spmc(args.platform, &[])?;
    let size = fs::metadata(&spmc.bin)?.len();
    println!("{}: {size} bytes, build id {}", spmc.bin.display(), build_id(&spmc.elf)?);
    for partition in partitions()? {
        println!("{}: {} bytes", partition.bin.display(), fs::metadata(&partition.bin)?.len());
    }
    Ok(())
}

/// Builds the SPMC into the platform's firmware folder. With features it is another image, `spmc-FEATURES`.
///
/// # Errors
/// If it does not build.
pub fn spmc(platform: Platform, features: &[&str]) -> Result<Image> {
    keep_as("spmc", features, platform)
}

/// Builds a package with these features, and keeps its image in the platform's firmware folder as `PACKAGE-FEATURES`.
fn keep_as(package: &str, features: &[&str], platform: Platform) -> Result<Image> {
    let output = build(&[package], features)?;
    let name: Vec<_> = [package].iter().chain(features).copied().collect();
    keep(&output.join(package), &project::firmware(platform), &name.join("-"))
}

/// Builds all partitions of the project.
///
/// # Errors
/// If one does not build.
pub fn partitions() -> Result<Vec<Image>> {
    let names = partition_names(&project::root().join("partitions"))?;
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    let output = build(&names, &[])?;
    names.iter().map(|name| keep(&output.join(name), &project::partitions(), name)).collect()
}

/// Builds the Normal-world test image. With features it is another image, `normal-FEATURES`.
///
/// # Errors
/// If it does not build.
pub fn normal(platform: Platform, features: &[&str]) -> Result<Image> {
    keep_as("normal", features, platform)
}

/// Builds the loader of the Normal world's flash.
///
/// # Errors
/// If it does not build.
pub fn loader() -> Result<Image> {
    keep(&build(&["loader"], &[])?.join("loader"), &project::target().join("loader"), "loader")
}

/// The build id of an ELF file, in hexadecimal.
///
/// # Errors
/// If the file is not ELF or has none.
pub fn build_id(elf: &Path) -> Result<String> {
    let id = flat::build_id(&fs::read(elf)?).with_context(|| elf.display().to_string())?;
    Ok(id.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Builds packages for the target and gives the folder with the results.
fn build(packages: &[&str], features: &[&str]) -> Result<PathBuf> {
    let mut command = toolchain::cargo_for_target("build")?;
    command.arg("--release").args(packages.iter().flat_map(|package| ["-p", package]));
    if !features.is_empty() {
        command.arg("--features").arg(features.join(","));
    }
    let status = command.status().context("cargo")?;
    if !status.success() {
        bail!("{} did not build for the target", packages.join(", "));
    }
    Ok(toolchain::output())
}

/// Copies an ELF file to `folder/name.elf` and writes `folder/name.bin` beside it.
fn keep(built: &Path, folder: &Path, name: &str) -> Result<Image> {
    fs::create_dir_all(folder)?;
    let image = Image { elf: folder.join(format!("{name}.elf")), bin: folder.join(format!("{name}.bin")) };
    let data = fs::read(built).with_context(|| built.display().to_string())?;
    fs::write(&image.bin, flat::flatten(&data).with_context(|| built.display().to_string())?)?;
    fs::write(&image.elf, data)?;
    Ok(image)
}

/// Every folder of `partitions/` that is a crate, but for the SDK, is a partition of that name.
fn partition_names(folder: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name != SDK && entry.path().join("Cargo.toml").exists() {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sdk_is_no_partition() {
        let names = partition_names(&project::root().join("partitions")).unwrap();
        assert!(names.contains(&"echo".to_owned()) && !names.contains(&SDK.to_owned()), "{names:?}");
    }
}

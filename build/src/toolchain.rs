//! Cargo for what runs on the target, not on the machine that builds.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use anyhow::{Context, Result};

use crate::{project, setup};

/// The target of the SPMC, the partitions and the Normal-world image: no FP or SIMD instruction is generated.
pub const TARGET: &str = "aarch64-unknown-none-softfloat";

/// Where cargo puts the release builds for the target.
#[must_use]
pub fn output() -> PathBuf {
    project::bare().join(TARGET).join("release")
}

/// `cargo SUBCOMMAND --target …` in the project's folder, with the flags of everything bare-metal:
/// position-independent, with frame pointers for the crash report, and with no path of this machine inside.
///
/// # Errors
/// If the target's standard library is neither there nor can be made.
pub fn cargo_for_target(subcommand: &str) -> Result<Command> {
    let mut command = Command::new("cargo");
    command.current_dir(project::root()).arg(subcommand).args(["--target", TARGET]);
    command.arg("--target-dir").arg(project::bare());
    // Separated by a byte that no path has. With --target, build scripts and macros do not get these flags.
    command.env("CARGO_ENCODED_RUSTFLAGS", flags(setup::sysroot()?)?.join("\u{1f}"));
    Ok(command)
}

fn flags(sysroot: Option<PathBuf>) -> Result<Vec<String>> {
    let text =
        |path: PathBuf| path.into_os_string().into_string().ok().context("a folder's name is not text");
    let mut flags = Vec::new();
    if let Some(sysroot) = sysroot {
        flags.extend(["--sysroot".to_owned(), text(sysroot)?]);
    }
    for flag in ["relocation-model=pie", "link-arg=-pie", "force-frame-pointers=yes"] {
        flags.extend(["-C".to_owned(), flag.to_owned()]);
    }
    let mut renamed = vec![(project::root().to_owned(), "hafnia")];
    // Each registry has a folder that is named after its address, which is no property of the sources.
    renamed.extend(registries(&cargo_home()?)?.into_iter().map(|folder| (folder, "registry")));
    for (from, to) in renamed {
        flags.push(format!("--remap-path-prefix={}={to}", text(from)?));
    }
    Ok(flags)
}

fn registries(cargo_home: &Path) -> Result<Vec<PathBuf>> {
    let folder = cargo_home.join("registry/src");
    if !folder.exists() {
        return Ok(Vec::new());
    }
    let mut folders = Vec::new();
    for entry in fs::read_dir(&folder).with_context(|| folder.display().to_string())? {
        folders.push(entry?.path());
    }
    folders.sort();
    Ok(folders)
}

fn cargo_home() -> Result<PathBuf> {
    if let Some(home) = env::var_os("CARGO_HOME") {
        return Ok(home.into());
    }
    Ok(env::home_dir().context("neither CARGO_HOME nor a home folder is known")?.join(".cargo"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_private_sysroot_is_one_argument_even_with_a_space() {
        let flags = flags(Some("a b".into())).unwrap();
        assert_eq!(flags[..2], ["--sysroot", "a b"]);
    }

    #[test]
    fn no_path_of_this_machine_is_left() {
        let own = format!("--remap-path-prefix={}=hafnia", project::root().display());
        assert!(flags(None).unwrap().contains(&own));
    }
}

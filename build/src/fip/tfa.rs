//! Trusted Firmware-A, compiled once for each platform, set of flags and state of its source.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, UNIX_EPOCH};

use anyhow::{Context, Result, ensure};
use sha2::{Digest, Sha256};

use crate::platform::Platform;
use crate::project;
use crate::setup::{self, step};

/// The longest that compiling may take.
const LIMIT: Duration = Duration::from_secs(600);

/// What else the make line gets: the partitions and the images are put into the FIP here, not by TF-A's make, and
/// nothing that changes from one build to the next gets into the images.
const ALWAYS: &[&str] = &[
    "CROSS_COMPILE=aarch64-linux-gnu-",
    "SP_LAYOUT_FILE=/dev/null",
    "PYTHON=true",
    "host-poetry=",
    "BL32=/dev/null",
    "BUILD_MESSAGE_TIMESTAMP=\"reproducible\"",
];

/// What TF-A's build gives.
pub struct Built {
    /// The first stage, for the flash's first byte.
    pub bl1: PathBuf,
    /// The stage that loads everything else.
    pub bl2: PathBuf,
    /// EL3's firmware.
    pub bl31: PathBuf,
    /// The tool that puts a FIP together.
    pub fiptool: PathBuf,
}

/// Compiles TF-A from `tree`, or from Debian's source. With `kernel`, BL31 starts a kernel that is in memory already
/// instead of an image of the FIP.
///
/// # Errors
/// If the tree is none of TF-A, or does not build; the message has the log's last lines.
pub fn build(platform: Platform, tree: Option<&Path>, kernel: bool) -> Result<Built> {
    let tree = match tree {
        Some(tree) => fs::canonicalize(tree).with_context(|| tree.display().to_string())?,
        None => setup::tfa_source()?,
    };
    ensure!(tree.join("bl31").is_dir(), "{} is no source tree of Trusted Firmware-A", tree.display());
    let flags = flags(platform, kernel)?;
    let key = key(&tree, &flags)?;
    let folder = project::target().join("tfa");
    fs::create_dir_all(&folder)?;
    // Another process may be compiling the same.
    let lock = File::create(folder.join(".lock"))?;
    lock.lock()?;
    let kept = folder.join(format!("{platform}-{key}"));
    if !kept.exists() {
        let work = kept.with_extension("partial");
        if work.exists() {
            fs::remove_dir_all(&work)?;
        }
        compile(platform, &tree, &flags, &work)?;
        // Only a complete build gets the name that is looked for.
        fs::rename(&work, &kept)?;
    }
    let file = |name: &str| kept.join(name);
    Ok(Built { bl1: file("bl1.bin"), bl2: file("bl2.bin"), bl31: file("bl31.bin"), fiptool: file("fiptool") })
}

/// The make variables: those of the platform's file in `tfa-integration/` and those that are always the same.
fn flags(platform: Platform, kernel: bool) -> Result<Vec<String>> {
    let path = project::root().join("tfa-integration").join(format!("{platform}.flags"));
    let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    let mut flags = variables(&text);
    flags.extend(ALWAYS.iter().map(|flag| (*flag).to_owned()));
    if kernel {
        flags.push("ARM_LINUX_KERNEL_AS_BL33=1".to_owned());
        flags.push(format!("PRELOADED_BL33_BASE={:#x}", platform.description().kernel_base));
    }
    Ok(flags)
}

fn variables(text: &str) -> Vec<String> {
    text.lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(str::to_owned)
        .collect()
}

fn compile(platform: Platform, tree: &Path, flags: &[String], work: &Path) -> Result<()> {
    setup::tools()?;
    fs::create_dir_all(work)?;
    let jobs = thread::available_parallelism()?.to_string();
    let make = || {
        let mut make = Command::new("make");
        // What a user's shell says of the host's compiler is not meant for the target; and a repository round the
        // tree is not TF-A's.
        for variable in ["CC", "CPP", "AS", "AR", "LD", "CFLAGS", "CPPFLAGS", "LDFLAGS", "MAKEFLAGS"] {
            make.env_remove(variable);
        }
        make.env("GIT_CEILING_DIRECTORIES", tree.parent().unwrap_or(tree)).arg("-j").arg(&jobs);
        make
    };
    let output = work.join("build");
    let mut firmware = make();
    firmware.arg("-C").arg(tree).args(flags).arg(format!("BUILD_BASE={}", output.display()));
    firmware.args(["bl1", "bl2", "bl31"]);
    step::run("tfa", "compiling Trusted Firmware-A", &mut firmware, LIMIT)?;
    for name in ["bl1.bin", "bl2.bin", "bl31.bin"] {
        let from = output.join(platform.description().tfa).join("release").join(name);
        fs::copy(&from, work.join(name)).with_context(|| from.display().to_string())?;
    }
    // Its makefile builds in place: in a copy, so that a user's tree stays as it is.
    let copy = work.join("source");
    for folder in ["tools/fiptool", "include", "make_helpers"] {
        copy_folder(&tree.join(folder), &copy.join(folder))?;
    }
    let mut fiptool = make();
    // STATIC: without the checksums of `fiptool info`, and so without OpenSSL.
    fiptool.arg("-C").arg(copy.join("tools/fiptool")).arg("STATIC=1");
    step::run("fiptool", "compiling fiptool", &mut fiptool, LIMIT)?;
    fs::copy(copy.join("tools/fiptool/fiptool"), work.join("fiptool")).context("fiptool")?;
    fs::remove_dir_all(&copy)?;
    fs::remove_dir_all(&output)?;
    Ok(())
}

/// Names a build: the flags and every file of the source with its size and time of change.
fn key(tree: &Path, flags: &[String]) -> Result<String> {
    let mut files = Vec::new();
    list(tree, tree, &mut files)?;
    files.sort();
    let mut hash = Sha256::new();
    for line in flags.iter().chain(&files) {
        hash.update(line);
        hash.update([0]);
    }
    Ok(hash.finalize()[..8].iter().map(|byte| format!("{byte:02x}")).collect())
}

fn list(tree: &Path, folder: &Path, files: &mut Vec<String>) -> Result<()> {
    for entry in fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let entry = entry?;
        let (path, data) = (entry.path(), entry.metadata()?);
        let name = path.strip_prefix(tree)?;
        if data.is_dir() {
            // What the user built in the tree, and what git keeps.
            if name != Path::new("build") && name != Path::new(".git") {
                list(tree, &path, files)?;
            }
        } else {
            let changed = data.modified()?.duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
            files.push(format!("{} {} {changed}", name.display(), data.len()));
        }
    }
    Ok(())
}

fn copy_folder(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from).with_context(|| from.display().to_string())? {
        let entry = entry?;
        let to = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy_folder(&entry.path(), &to)?;
        } else if entry.path().extension().is_none_or(|extension| extension != "o" && extension != "d") {
            fs::copy(entry.path(), to)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_empty_lines_are_no_variables() {
        assert_eq!(variables("# why\nPLAT=qemu\n\n  A=1\n"), ["PLAT=qemu", "A=1"]);
    }

    #[test]
    fn other_flags_and_a_changed_source_are_other_builds() {
        let tree = project::root().join("tfa-integration");
        let flag = |text: &str| vec![text.to_owned()];
        let first = key(&tree, &flag("A=1")).unwrap();
        assert_eq!(first, key(&tree, &flag("A=1")).unwrap());
        assert_ne!(first, key(&tree, &flag("A=2")).unwrap());
        assert_ne!(first, key(&project::root().join("manifests"), &flag("A=1")).unwrap());
    }

    #[test]
    fn every_platform_has_its_flags() {
        for platform in Platform::ALL {
            let flags = flags(*platform, false).unwrap();
            assert!(flags.contains(&format!("PLAT={}", platform.description().tfa)));
        }
    }
}

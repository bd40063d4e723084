//! Trusted Firmware-A, compiled once for each platform, set of flags and state of its source.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, UNIX_EPOCH};

use anyhow::{Context, Result, ensure};
use sha2::{Digest, Sha256};

use super::base;
use super::secure_boot::Keys;
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
    "ARM_BL2_SP_LIST_DTS=/dev/null",
    "PYTHON=true",
    "host-poetry=",
    "BL32=/dev/null",
    "BUILD_MESSAGE_TIMESTAMP=\"reproducible\"",
];

/// Our changes to 2.12 in the platform's folder: what it lacks for an SPMC, and for secure boot.
const CHANGES: &str = "tf-a-2.12.patch";
const SECURE_BOOT: &str = "secure-boot-2.12.patch";

/// The chain of trust: the silicon provider and the platform's owner sign for what is theirs.
const DUAL_ROOT: &str = "dualroot";
const DUAL_ROOT_FLAG: &str = "COT=dualroot";

/// The file that keeps the SPMC's load address beside the images.
const BASE: &str = "spmc_base";

/// Which build of TF-A.
#[derive(Clone, Copy)]
pub struct Wanted<'a> {
    /// The machine.
    pub platform: Platform,
    /// The source tree; Debian's source, with our changes for the platform, if absent.
    pub tree: Option<&'a Path>,
    /// Whether BL31 starts a kernel that is in memory already, instead of an image of the FIP.
    pub kernel: bool,
    /// Make variables that override those of the platform.
    pub flags: &'a [&'a str],
    /// The keys, if BL1 and BL2 authenticate what they load.
    pub secure_boot: Option<&'a Keys>,
}

/// What TF-A's build gives.
pub struct Built {
    folder: PathBuf,
    /// Where BL2 puts the SPMC.
    pub spmc_base: u64,
}

impl Built {
    /// A file of it: `bl1.bin`, `bl2.bin`, `bl31.bin`, the tool `fiptool` that puts a FIP together, `cert_create` if there
    /// is secure boot, or one of the platform's device trees.
    #[must_use]
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }
}

/// Compiles TF-A, unless that was done already.
///
/// # Errors
/// If the tree is none of TF-A, our changes do not fit it, or it does not build; the message has the log's last lines.
pub fn build(wanted: Wanted<'_>) -> Result<Built> {
    let Wanted { platform, tree, secure_boot, .. } = wanted;
    let changes = if tree.is_none() { changes(platform, secure_boot.is_some())? } else { Vec::new() };
    let tree = match tree {
        Some(tree) => fs::canonicalize(tree).with_context(|| tree.display().to_string())?,
        None => setup::tfa_source()?,
    };
    ensure!(tree.join("bl31").is_dir(), "{} is no source tree of Trusted Firmware-A", tree.display());
    if secure_boot.is_some() && changes.is_empty() {
        ensure!(
            makefile(platform, &tree).contains(DUAL_ROOT),
            "{} has no secure boot with two roots of trust on {platform}; to 2.12, {} adds it",
            tree.display(),
            integration(platform).join(SECURE_BOOT).display()
        );
    }
    let flags = flags(wanted)?;
    let keys = secure_boot.map(|keys| [&keys.rot, &keys.prot]);
    let contents: Vec<_> = changes.iter().chain(keys.into_iter().flatten()).collect();
    let key = key(&tree, &contents, &flags)?;
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
        fs::create_dir_all(&work)?;
        if changes.is_empty() {
            compile(platform, &tree, &flags, &work)?;
        } else {
            let changed = work.join("changed");
            copy_changed(&tree, &changes, &changed)?;
            compile(platform, &changed, &flags, &work)?;
            fs::remove_dir_all(&changed)?;
        }
        // Only a complete build gets the name that is looked for.
        fs::rename(&work, &kept)?;
    }
    let base = fs::read_to_string(kept.join(BASE)).context(BASE)?;
    Ok(Built { folder: kept, spmc_base: base.parse().context(BASE)? })
}

/// The platform's folder of what goes with TF-A.
fn integration(platform: Platform) -> PathBuf {
    project::root().join("tfa-integration").join(platform.name())
}

/// Our changes to the source that set-up fetches: what the platform needs, and what secure boot needs there.
///
/// # Errors
/// If there is no secure boot for the platform.
fn changes(platform: Platform, secure_boot: bool) -> Result<Vec<PathBuf>> {
    let folder = integration(platform);
    let mut changes = Vec::from_iter(Some(folder.join(CHANGES)).filter(|file| file.exists()));
    if secure_boot {
        let file = folder.join(SECURE_BOOT);
        ensure!(file.exists(), "secure boot is not prepared for {platform}: there is no {}", file.display());
        changes.push(file);
    }
    Ok(changes)
}

/// A copy of the source that set-up fetches, with our changes for the platform.
///
/// # Errors
/// If they do not fit it, or the platform needs none.
pub fn changed_source(platform: Platform, to: &Path) -> Result<()> {
    let changes = changes(platform, false)?;
    ensure!(!changes.is_empty(), "{platform} needs no changes");
    copy_changed(&setup::tfa_source()?, &changes, to)
}

fn copy_changed(tree: &Path, changes: &[PathBuf], to: &Path) -> Result<()> {
    copy_folder(tree, to)?;
    changes.iter().try_for_each(|changes| change(to, changes))
}

fn change(tree: &Path, changes: &Path) -> Result<()> {
    setup::tools()?;
    let mut patch = Command::new("patch");
    patch
        .args(["--strip=1", "--forward", "--batch", "--fuzz=0", "--directory"])
        .arg(tree)
        .arg("-i")
        .arg(changes);
    step::output(&mut patch).with_context(|| format!("{} does not fit this source", changes.display()))?;
    Ok(())
}

/// The make variables: those of the platform's file in `tfa-integration/`, those that are always the same, and those
/// of this build.
fn flags(wanted: Wanted<'_>) -> Result<Vec<String>> {
    let path = integration(wanted.platform).join("flags");
    let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    let mut flags = variables(&text);
    flags.extend(ALWAYS.iter().map(|flag| (*flag).to_owned()));
    if wanted.kernel {
        flags.push("ARM_LINUX_KERNEL_AS_BL33=1".to_owned());
        flags.push(format!("PRELOADED_BL33_BASE={:#x}", wanted.platform.description().normal.kernel));
    }
    if let Some(keys) = wanted.secure_boot {
        // E=0: Mbed TLS declares some functions twice, which TF-A's warnings would make an error.
        flags.extend(["TRUSTED_BOARD_BOOT=1", DUAL_ROOT_FLAG, "E=0"].map(str::to_owned));
        let files =
            [("MBEDTLS_DIR", &setup::mbedtls_source()?), ("ROT_KEY", &keys.rot), ("PROT_KEY", &keys.prot)];
        flags.extend(files.map(|(name, file)| format!("{name}={}", file.display())));
    }
    flags.extend(wanted.flags.iter().map(|flag| (*flag).to_owned()));
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
    let description = platform.description();
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
    let trees: Vec<_> = description
        .trees
        .base
        .into_iter()
        .chain(description.trees.more.iter().map(|(_, tree)| *tree))
        .collect();
    if !trees.is_empty() {
        firmware.arg("dtbs");
    }
    let named = format!("compiling Trusted Firmware-A for {platform}");
    step::run("tfa", &named, &mut firmware, LIMIT).with_context(|| lacking(platform, tree))?;
    let built = output.join(description.tfa).join("release");
    let images = ["bl1.bin", "bl2.bin", "bl31.bin"].map(|name| built.join(name));
    for from in images.into_iter().chain(trees.into_iter().map(|tree| built.join("fdts").join(tree))) {
        let name = from.file_name().unwrap_or_default();
        fs::copy(&from, work.join(name)).with_context(|| from.display().to_string())?;
    }
    let base = match description.spmc_base {
        Some(base) => base,
        None => base::of(description.tfa, tree, &work.join("base"))?,
    };
    fs::write(work.join(BASE), base.to_string())?;
    // Their makefiles build in place: in a copy, so that a user's tree stays as it is.
    let copy = work.join("source");
    for folder in ["tools", "include", "make_helpers"] {
        copy_folder(&tree.join(folder), &copy.join(folder))?;
    }
    // STATIC: without the checksums of `fiptool info`, and so without OpenSSL.
    let mut tools = vec![("fiptool", "STATIC=1")];
    if flags.iter().any(|flag| flag == DUAL_ROOT_FLAG) {
        tools.push(("cert_create", DUAL_ROOT_FLAG));
    }
    for (name, flag) in tools {
        let folder = copy.join("tools").join(name);
        let mut tool = make();
        tool.arg("-C").arg(&folder).arg(flag);
        step::run(name, &format!("compiling {name}"), &mut tool, LIMIT)?;
        fs::copy(folder.join(name), work.join(name)).context(name)?;
    }
    fs::remove_dir_all(&copy)?;
    fs::remove_dir_all(&output)?;
    Ok(())
}

/// What to say beside the log when a tree does not build.
fn lacking(platform: Platform, tree: &Path) -> String {
    let changes = integration(platform).join(CHANGES);
    // What the SPMD takes to read the SPMC manifest.
    if changes.exists() && !makefile(platform, tree).contains("plat_spmd_manifest.c") {
        return format!(
            "this source cannot have an SPMC at S-EL2 on {platform}; to 2.12, {} adds it",
            changes.display()
        );
    }
    "Trusted Firmware-A does not build".to_owned()
}

/// What the platform's makefile says; nothing, if there is none where those of QEMU's platforms are.
fn makefile(platform: Platform, tree: &Path) -> String {
    let makefile = tree.join("plat/qemu").join(platform.description().tfa).join("platform.mk");
    fs::read_to_string(makefile).unwrap_or_default()
}

/// Names a build: the flags, the contents of these files, and every file of the source with its size and time of change.
fn key(tree: &Path, contents: &[&PathBuf], flags: &[String]) -> Result<String> {
    let mut files = Vec::new();
    list(tree, tree, &mut files)?;
    files.sort();
    let mut hash = Sha256::new();
    for file in contents {
        hash.update(fs::read(file).with_context(|| file.display().to_string())?);
    }
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
        let first = key(&tree, &[], &flag("A=1")).unwrap();
        assert_eq!(first, key(&tree, &[], &flag("A=1")).unwrap());
        assert_ne!(first, key(&tree, &[], &flag("A=2")).unwrap());
        assert_ne!(first, key(&tree, &[&tree.join("README.md")], &flag("A=1")).unwrap());
        assert_ne!(first, key(&project::root().join("manifests"), &[], &flag("A=1")).unwrap());
    }

    #[test]
    fn every_platform_has_its_flags() {
        for platform in Platform::ALL {
            let wanted =
                Wanted { platform: *platform, tree: None, kernel: false, flags: &["A=1"], secure_boot: None };
            let flags = flags(wanted).unwrap();
            assert_eq!(flags.last().unwrap(), "A=1");
            assert!(flags.contains(&format!("PLAT={}", platform.description().tfa)));
        }
    }
}

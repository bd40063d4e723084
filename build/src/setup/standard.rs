//! Builds `core` and `alloc` for the target from the compiler's own source into a private sysroot.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use std::{env, ffi::OsString};

use anyhow::{Context, Result, bail};
use toml::{Table, Value};

use super::sources::{self, Source};
use super::step::{self, Progress};
use super::sysroot::Compiler;
use crate::project;
use crate::toolchain::TARGET;

/// The compiler's source, as Debian has it.
const SOURCE: Source = Source {
    package: "rustc",
    version: "1.95.0+dfsg1-2",
    file: "rustc_1.95.0+dfsg1.orig.tar.xz",
    sha256: "fee0a232c32b6f919b2166efc441a7c37884905bdcc2170163579eeed5feee6b",
};

/// What of it is needed: the three crates, and what `core` includes from elsewhere.
const PARTS: &[&str] = &[
    "git-commit-hash",
    "library/Cargo.toml",
    "library/alloc",
    "library/core",
    "library/compiler-builtins/compiler-builtins",
    "library/compiler-builtins/libm",
    "library/portable-simd/crates/core_simd",
    "library/stdarch/crates/core_arch",
];

/// The libraries that the sysroot gets.
const LIBRARIES: &[&str] = &["libcore-", "liballoc-", "libcompiler_builtins-"];

/// Grows with each change to how the sysroot is built.
const RECIPE: u32 = 1;

/// How long building may take.
const LIMIT: Duration = Duration::from_secs(1800);

/// Whether `sysroot` was built from this compiler's source, in today's way.
pub fn is_built(sysroot: &Path, compiler: &Compiler) -> bool {
    fs::read_to_string(sysroot.join("stamp")).is_ok_and(|text| text == stamp(compiler))
}

/// Builds `sysroot`.
///
/// # Errors
/// If the compiler's source cannot be had, is of another compiler, or does not compile.
pub fn build(sysroot: &Path, compiler: &Compiler) -> Result<()> {
    if !SOURCE.version.starts_with(&format!("{}+", compiler.release)) {
        bail!("the compiler is {}, but the source that is known is {}", compiler.release, SOURCE.version);
    }
    let tarball = SOURCE.fetch()?;
    let source = project::target().join("sources").join("rustc-library");
    let progress = Progress::start(&format!("unpacking {}", SOURCE.file));
    sources::remove(&source)?;
    sources::unpack(&tarball, &source, |path| PARTS.iter().any(|part| path.starts_with(part)))?;
    progress.done();
    let commit = fs::read_to_string(source.join("git-commit-hash"))?;
    if commit.trim() != compiler.commit {
        bail!("the source is of commit {}, but the compiler of {}", commit.trim(), compiler.commit);
    }
    edit(&source.join("library/Cargo.toml"), only_alloc)?;
    edit(&source.join("library/compiler-builtins/compiler-builtins/Cargo.toml"), without_c)?;
    compile(&source, compiler)?;
    let new = sysroot.with_extension("new");
    sources::remove(&new)?;
    let place = new.join("lib/rustlib").join(TARGET).join("lib");
    fs::create_dir_all(&place)?;
    collect(&source.join("library/target").join(TARGET).join("dist/deps"), &place)?;
    fs::write(new.join("stamp"), stamp(compiler))?;
    sources::remove(sysroot)?;
    fs::rename(&new, sysroot)?;
    sources::remove(&source)
}

/// What the sysroot was made of.
fn stamp(compiler: &Compiler) -> String {
    format!("{} {TARGET} {} recipe {RECIPE}\n", compiler.commit, SOURCE.sha256)
}

/// Compiles `alloc` and what it needs, as the toolchain's makers do for targets without std.
fn compile(source: &Path, compiler: &Compiler) -> Result<()> {
    let library = source.join("library");
    let flags = format!(
        "-Zforce-unstable-if-unmarked --remap-path-prefix={}=/rustc/{}/library",
        library.display(),
        compiler.commit
    );
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    // What was set for building this project must not reach this build.
    for (name, _) in env::vars_os().filter(|(name, _)| is_builds_own(name)) {
        command.env_remove(name);
    }
    command
        .args(["build", "--offline", "--manifest-path", "alloc/Cargo.toml", "-p", "alloc"])
        .args(["--profile", "dist", "--features", "compiler-builtins-mem", "--target", TARGET])
        .arg("--target-dir")
        .arg(library.join("target"))
        .current_dir(&library)
        .env("RUSTC_BOOTSTRAP", "1")
        .env("RUSTFLAGS", flags);
    step::run("sysroot", &format!("building core and alloc for {TARGET}"), &mut command, LIMIT)
}

/// Whether an environment variable changes how cargo compiles.
fn is_builds_own(name: &OsString) -> bool {
    let name = name.to_string_lossy();
    let of_cargo = ["CARGO_BUILD_", "CARGO_TARGET_", "CARGO_PROFILE_", "CARGO_ENCODED_RUSTFLAGS"];
    of_cargo.iter().any(|start| name.starts_with(start))
        || ["RUSTC_WRAPPER", "RUSTC_WORKSPACE_WRAPPER"].contains(&&*name)
}

/// Copies the libraries, one of each.
fn collect(from: &Path, to: &Path) -> Result<()> {
    for library in LIBRARIES {
        let found = find(from, library)?;
        let [file] = found.as_slice() else {
            bail!("{} has {} of {library}*.rlib, not one", from.display(), found.len());
        };
        let name = file.file_name().context("a file without a name")?;
        fs::copy(file, to.join(name))?;
    }
    Ok(())
}

/// The `.rlib` files of a folder whose names begin with `start`.
fn find(folder: &Path, start: &str) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for file in fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))? {
        let file = file?;
        let name = file.file_name().to_string_lossy().into_owned();
        if name.starts_with(start) && name.ends_with(".rlib") {
            found.push(file.path());
        }
    }
    Ok(found)
}

/// Rewrites a manifest.
fn edit(file: &Path, change: impl Fn(&mut Table)) -> Result<()> {
    let mut manifest: Table =
        fs::read_to_string(file)?.parse().with_context(|| format!("cannot read {}", file.display()))?;
    change(&mut manifest);
    fs::write(file, manifest.to_string())?;
    Ok(())
}

/// Leaves `alloc` as the workspace's only member, and nothing that a registry would be asked for.
fn only_alloc(manifest: &mut Table) {
    if let Some(Value::Table(workspace)) = manifest.get_mut("workspace") {
        workspace.insert("members".to_owned(), Value::Array(vec!["alloc".into()]));
        workspace.remove("exclude");
    }
    manifest.remove("patch");
}

/// Drops the optional C parts of `compiler_builtins`, with the crate that would compile them.
fn without_c(manifest: &mut Table) {
    manifest.remove("build-dependencies");
    if let Some(Value::Table(features)) = manifest.get_mut("features") {
        features.insert("c".to_owned(), Value::Array(Vec::new()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_workspace_is_reduced_to_alloc() {
        let text = "[workspace]\nresolver = \"1\"\nmembers = [\n  \"std\",\n  \"sysroot\",\n]\n\
                    exclude = [\"x\"]\n[profile.dist]\ncodegen-units = 1\n[patch.crates-io]\na = { path = 'a' }\n";
        let mut manifest: Table = text.parse().unwrap();
        only_alloc(&mut manifest);
        let text = manifest.to_string();
        assert!(text.contains("members = [\"alloc\"]") && text.contains("[profile.dist]"), "{text}");
        assert!(!text.contains("exclude") && !text.contains("patch") && !text.contains("std"), "{text}");
    }

    #[test]
    fn compiler_builtins_loses_its_c_parts() {
        let text = "[build-dependencies]\ncc = { optional = true, version = \"1\" }\n\
                    [features]\nc = [\"dep:cc\"]\nmem = []\n";
        let mut manifest: Table = text.parse().unwrap();
        without_c(&mut manifest);
        assert_eq!(manifest.to_string().trim(), "[features]\nc = []\nmem = []");
    }

    #[test]
    fn the_projects_own_flags_do_not_reach_the_build() {
        for name in ["CARGO_TARGET_DIR", "CARGO_BUILD_TARGET", "CARGO_ENCODED_RUSTFLAGS", "RUSTC_WRAPPER"] {
            assert!(is_builds_own(&name.into()), "{name}");
        }
        for name in ["PATH", "CARGO_HOME", "RUSTUP_HOME", "RUSTUP_TOOLCHAIN"] {
            assert!(!is_builds_own(&name.into()), "{name}");
        }
    }
}

//! Where `core` and `alloc` for the target come from: the toolchain, rustup, or a private sysroot.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};

use super::{standard, step};
use crate::project;
use crate::toolchain::TARGET;

/// How long rustup may take; where its server cannot be reached it tries for long.
const RUSTUP_LIMIT: Duration = Duration::from_secs(180);

/// The compiler that cargo uses.
pub struct Compiler {
    /// Its version, such as 1.95.0.
    pub release: String,
    /// The commit that it was built from.
    pub commit: String,
}

/// The folder to give to `--sysroot`, or `None` if the toolchain has the target's `core`.
///
/// # Errors
/// If the toolchain has no `core` for the target, none can be fetched and none can be built.
pub fn ensure() -> Result<Option<PathBuf>> {
    let toolchain = PathBuf::from(step::output(rustc().args(["--print", "sysroot"]))?.trim());
    if has_core(&toolchain) {
        return Ok(None);
    }
    let compiler = Compiler::ask()?;
    let private = project::target().join("sysroot");
    if standard::is_built(&private, &compiler) {
        return Ok(Some(private));
    }
    if may_install() && rustup_adds_the_target() && has_core(&toolchain) {
        return Ok(None);
    }
    standard::build(&private, &compiler).with_context(|| {
        format!(
            "the toolchain has no core for {TARGET}, and none could be built; where installing is allowed, \
             `rustup target add {TARGET}` is enough"
        )
    })?;
    Ok(Some(private))
}

impl Compiler {
    /// Asks the compiler.
    fn ask() -> Result<Self> {
        let text = step::output(rustc().arg("-vV"))?;
        Self::read(&text).context("rustc -vV does not say its commit and release")
    }

    /// Reads `rustc -vV`.
    fn read(text: &str) -> Option<Self> {
        let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)).map(str::to_owned);
        Some(Self { release: field("release: ")?, commit: field("commit-hash: ")? })
    }
}

/// The compiler that cargo would take in this project.
fn rustc() -> Command {
    let mut command = Command::new(env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
    command.current_dir(project::root());
    command
}

/// Whether a sysroot has `core` for the target.
fn has_core(sysroot: &Path) -> bool {
    let Ok(files) = fs::read_dir(sysroot.join("lib/rustlib").join(TARGET).join("lib")) else { return false };
    files.flatten().any(|file| {
        let name = file.file_name();
        let name = name.to_string_lossy();
        name.starts_with("libcore-") && name.ends_with(".rlib")
    })
}

/// Whether rustup may install: it may unless the user has told it not to.
fn may_install() -> bool {
    env::var_os("RUSTUP_AUTO_INSTALL").is_none_or(|value| value != "0")
        && step::output(Command::new("rustup").arg("--version")).is_ok()
}

/// Lets rustup fetch the target; a failure is told, as there is another way.
fn rustup_adds_the_target() -> bool {
    let mut command = Command::new("rustup");
    command.args(["target", "add", TARGET]).current_dir(project::root());
    match step::run("rustup", &format!("rustup target add {TARGET}"), &mut command, RUSTUP_LIMIT) {
        Ok(()) => true,
        Err(error) => {
            eprintln!("setup: {error:#}\nsetup: building core from the compiler's source instead");
            false
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_compiler_says_its_release_and_commit() {
        let text = "rustc 1.95.0 (5980 2026)\nbinary: rustc\ncommit-hash: 5980\nhost: x\nrelease: 1.95.0\n";
        let compiler = Compiler::read(text).unwrap();
        assert_eq!((compiler.release.as_str(), compiler.commit.as_str()), ("1.95.0", "5980"));
        assert!(Compiler::read("rustc 1.95.0 (Debian)\nrelease: 1.95.0\n").is_none());
    }

    #[test]
    fn a_sysroot_without_the_target_has_no_core() {
        assert!(!has_core(Path::new("no-such-folder")));
    }
}

//! `cargo xtask check`: everything that can be judged without running the product. All failures are shown, not
//! only the first.

mod files;
mod imports;
mod licences;
mod source;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use anyhow::{Context, Result, bail};

use crate::test::model;
use crate::{project, rows, setup, toolchain};
use source::Source;

/// The crates that run on the machine that is built, not on the machine that builds.
pub const BARE_METAL: &[&str] = &[
    "spmc",
    "partition",
    "echo",
    "relay",
    "hostile",
    "mailman",
    "borrower",
    "sandbox",
    "ticker",
    "normal",
    "loader",
];

/// A step of the check; it gives back its failures.
type Step = fn() -> Result<Vec<String>>;

/// A rule for a file, from its path inside its crate and its text; it gives back the violations.
type Rule = fn(&Path, &str) -> Result<Vec<String>>;

const STEPS: &[(&str, Step)] = &[
    ("import rules", import_rules),
    ("files", tracked_files),
    ("rows of the inventory", rows::violations),
    ("formatting", formatting),
    ("licences of dependencies", dependencies),
    ("clippy, host", || cargo_succeeds(host_clippy())),
    ("clippy, model checker", || cargo_succeeds(model_clippy())),
    ("clippy, fuzz targets", || cargo_succeeds(fuzz_clippy()?)),
    ("clippy, target", || cargo_succeeds(target_clippy()?)),
    ("documentation, host", || cargo_succeeds(host_documentation())),
    ("documentation, target", || cargo_succeeds(target_documentation()?)),
];

/// Runs every step and prints the modules of the image that hold `unsafe` code.
///
/// # Errors
/// If a step found something, or could not look.
pub fn run() -> Result<()> {
    let mut failed = 0;
    for (name, step) in STEPS {
        let failures = step().unwrap_or_else(|error| vec![format!("{error:#}")]);
        println!("check {name} ... {}", if failures.is_empty() { "ok" } else { "FAILED" });
        for failure in &failures {
            println!("    {}", failure.replace('\n', "\n    "));
        }
        failed += usize::from(!failures.is_empty());
    }
    println!("modules of the image with `unsafe`: {}", unsafe_modules()?.join(" "));
    if failed != 0 {
        bail!("{failed} of {} checks failed", STEPS.len());
    }
    Ok(())
}

fn import_rules() -> Result<Vec<String>> {
    let rooms: [(&str, Rule); 2] =
        [("spmc/manager/src", imports::manager), ("spmc/image/src", imports::image)];
    let mut found = Vec::new();
    for (folder, rule) in rooms {
        for path in project::rust_files(&project::root().join(folder))? {
            let relative = path.strip_prefix(project::root().join(folder))?;
            found.extend(rule(relative, &fs::read_to_string(&path)?)?);
        }
    }
    Ok(found)
}

fn tracked_files() -> Result<Vec<String>> {
    let machine: Vec<String> = [fs::read_to_string("/etc/hostname").ok(), env::var("HOME").ok()]
        .into_iter()
        .flatten()
        .map(|word| word.trim().to_owned())
        // Shorter names (`debian`, `/root`) are words of other things too.
        .filter(|word| word.len() > 6)
        .collect();
    let mut found = Vec::new();
    for path in tracked()? {
        // Files that are not text have neither lines nor words; a tracked file may be deleted in the work tree.
        if let Ok(text) = fs::read_to_string(project::root().join(&path)) {
            found.extend(files::check(&path, &text, &machine));
        }
    }
    Ok(found)
}

fn formatting() -> Result<Vec<String>> {
    let mut found = cargo_succeeds(cargo(&["fmt", "--all", "--", "--check", "-l"]))?;
    found.extend(cargo_succeeds(cargo(&["fmt", "--manifest-path", FUZZ, "--", "--check", "-l"]))?);
    Ok(found)
}

/// The fuzz targets are a workspace of their own: they are built with other flags.
const FUZZ: &str = "tests/fuzz/Cargo.toml";

fn dependencies() -> Result<Vec<String>> {
    let mut found = Vec::new();
    for manifest in ["Cargo.toml", FUZZ] {
        let mut command =
            cargo(&["metadata", "--format-version", "1", "--locked", "--manifest-path", manifest]);
        let output = command.output().context("cargo metadata")?;
        if output.status.success() {
            found.extend(licences::violations(&String::from_utf8(output.stdout)?)?);
        } else {
            found.push(String::from_utf8_lossy(&output.stderr).into_owned());
        }
    }
    Ok(found)
}

fn host_clippy() -> Command {
    let mut command = cargo(&["clippy", "--quiet", "--workspace", "--all-targets", "--all-features"]);
    command.args(BARE_METAL.iter().flat_map(|name| ["--exclude", name])).args(["--", "-D", "warnings"]);
    command
}

fn model_clippy() -> Command {
    let mut command = model::cargo("clippy", &project::target());
    command.args(["--all-targets", "--", "-D", "warnings"]).current_dir(project::root());
    command
}

fn fuzz_clippy() -> Result<Command> {
    // libFuzzer is C++.
    setup::tools()?;
    Ok(cargo(&["clippy", "--quiet", "--locked", "--manifest-path", FUZZ, "--", "-D", "warnings"]))
}

fn target_clippy() -> Result<Command> {
    let mut command = toolchain::cargo_for_target("clippy")?;
    command
        .args(["--quiet", "--release", "--all-features"])
        .args(BARE_METAL.iter().flat_map(|name| ["-p", name]));
    command.args(["--", "-D", "warnings"]);
    Ok(command)
}

fn host_documentation() -> Command {
    let mut command = cargo(&["doc", "--quiet", "--no-deps", "--workspace", "--document-private-items"]);
    command.args(BARE_METAL.iter().flat_map(|name| ["--exclude", name])).env("RUSTDOCFLAGS", "-D warnings");
    command
}

fn target_documentation() -> Result<Command> {
    let mut command = toolchain::cargo_for_target("doc")?;
    command.args(["--quiet", "--release", "--no-deps", "--document-private-items"]);
    command.args(BARE_METAL.iter().flat_map(|name| ["-p", name]));
    let mut flags = vec!["-D".to_owned(), "warnings".to_owned()];
    if let Some(sysroot) = setup::sysroot()? {
        flags.extend(["--sysroot".to_owned(), sysroot.display().to_string()]);
    }
    command.env("CARGO_ENCODED_RUSTDOCFLAGS", flags.join("\u{1f}"));
    Ok(command)
}

fn cargo(arguments: &[&str]) -> Command {
    let mut command = Command::new("cargo");
    command.args(arguments).current_dir(project::root());
    command
}

/// Runs a command; what it printed is the failure if it did not succeed.
fn cargo_succeeds(mut command: Command) -> Result<Vec<String>> {
    let output = command.output().with_context(|| format!("{command:?}"))?;
    let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).trim().to_owned();
    Ok(if output.status.success() { Vec::new() } else { vec![text] })
}

fn tracked() -> Result<Vec<PathBuf>> {
    let output = Command::new("git").arg("ls-files").current_dir(project::root()).output().context("git")?;
    if !output.status.success() {
        bail!("git ls-files: {}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(String::from_utf8(output.stdout)?.lines().map(PathBuf::from).collect())
}

fn unsafe_modules() -> Result<Vec<String>> {
    let folder = project::root().join("spmc/image/src");
    let mut found = Vec::new();
    for path in project::rust_files(&folder)? {
        if Source::parse(&fs::read_to_string(&path)?)?.words.contains_key("unsafe") {
            found.push(path.strip_prefix(&folder)?.with_extension("").display().to_string());
        }
    }
    Ok(found)
}

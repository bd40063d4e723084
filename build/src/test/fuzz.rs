//! The fuzz targets: a short run each time, minutes with `--long`.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

use super::tally::Tally;
use crate::project;

/// Seconds for each target, in a short run and in a soak.
const SMOKE: u32 = 5;
const SOAK: u32 = 180;

/// What libFuzzer needs of the compiler: a counter on every edge.
const INSTRUMENTATION: &str = "--cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares -Cdebug-assertions -Coverflow-checks";

/// Seconds enough to meet every kind of input.
pub fn smoke(tally: &mut Tally) {
    run(tally, "fuzz smoke", SMOKE);
}

/// Minutes for each target.
pub fn soak(tally: &mut Tally) {
    run(tally, "fuzz soak", SOAK);
}

fn run(tally: &mut Tally, kind: &str, seconds: u32) {
    let targets = match targets() {
        Ok(targets) => targets,
        Err(error) => return tally.broken(kind, &error),
    };
    tally.part(kind);
    for target in targets {
        tally.run(&format!("{kind} {target}"), || fuzz(&target, seconds));
    }
}

#[derive(Deserialize)]
struct Manifest {
    bin: Vec<Binary>,
}

#[derive(Deserialize)]
struct Binary {
    name: String,
}

fn folder() -> PathBuf {
    project::root().join("tests/fuzz")
}

fn targets() -> Result<Vec<String>> {
    let path = folder().join("Cargo.toml");
    let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    let manifest: Manifest = toml::from_str(&text)?;
    Ok(manifest.bin.into_iter().map(|binary| binary.name).collect())
}

/// Feeds a target for so many seconds; what it found before is kept under `target/fuzz/`.
fn fuzz(target: &str, seconds: u32) -> Result<()> {
    let work = project::target().join("fuzz");
    let corpus = work.join("corpus").join(target);
    fs::create_dir_all(&corpus)?;
    let mut command = Command::new("cargo");
    command.args([
        "run",
        "--quiet",
        "--release",
        "--locked",
        "--bin",
        target,
        "--target",
        "x86_64-unknown-linux-gnu",
    ]);
    command.args(["--"]).arg(&corpus).arg(format!("-max_total_time={seconds}"));
    command.arg(format!("-artifact_prefix={}/{target}-", work.display()));
    // With `--target` the flags are for the fuzzed code alone, not for build scripts.
    command.env("RUSTFLAGS", INSTRUMENTATION).env("CARGO_TARGET_DIR", work.join("build"));
    let output = command.current_dir(folder()).output().context("cargo run")?;
    let text = String::from_utf8_lossy(&output.stderr);
    let tail: Vec<&str> = text.lines().rev().take(30).collect();
    ensure!(output.status.success(), "{}", tail.into_iter().rev().collect::<Vec<_>>().join("\n"));
    Ok(())
}

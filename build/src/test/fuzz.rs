//! The fuzz targets: some seconds of each every time, ten million executions and more with `--long`.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::thread;
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;

use super::tally::Tally;
use crate::{project, setup};

/// How much a target is fed.
#[derive(Clone, Copy)]
enum Extent {
    /// So many seconds.
    Seconds(u64),
    /// So many executions; of a target of [`COUNTED`], as many steps as stand there.
    Amount { executions: u64 },
}

/// Seconds enough to meet every kind of input.
const SMOKE: Extent = Extent::Seconds(15);
/// Minutes for each target.
const SOAK: Extent = Extent::Amount { executions: 10_000_000 };

/// Targets that make many steps of the manager in one execution, and count them themselves; and how many are enough.
const COUNTED: [(&str, u64); 2] = [("step", 200_000_000), ("memory", 10_000_000)];
/// Bytes of the longest input: a list of changes to a manifest, a program of events. Longer ones only take longer.
const LONGEST: usize = 512;
const LONGEST_PROGRAM: usize = 2048;
/// Targets that are fed at the same time.
const AT_ONCE: usize = 2;

/// What libFuzzer needs of the compiler: a counter on every edge.
const INSTRUMENTATION: &str = "--cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares -Cdebug-assertions -Coverflow-checks";
/// With a target named, the flags are for the fuzzed code alone, not for build scripts.
const HOST: &str = "x86_64-unknown-linux-gnu";

/// Feeds each target for some seconds.
pub fn smoke(tally: &mut Tally) {
    run(tally, "fuzz smoke", SMOKE);
}

/// Feeds each target for minutes.
pub fn soak(tally: &mut Tally) {
    run(tally, "fuzz soak", SOAK);
}

fn run(tally: &mut Tally, kind: &str, extent: Extent) {
    let name = |target: &str| format!("{kind} {target}");
    let mut targets = match targets() {
        Ok(targets) => targets,
        Err(error) => return tally.broken(kind, &error),
    };
    targets.retain(|target| tally.wants(&name(target)));
    if targets.is_empty() {
        return;
    }
    tally.part(kind);
    if let Err(error) = build() {
        return tally.broken(kind, &error);
    }
    for together in targets.chunks(AT_ONCE) {
        let ends: Vec<Result<String>> = thread::scope(|scope| {
            let running: Vec<_> =
                together.iter().map(|target| scope.spawn(|| feed(target, extent))).collect();
            let end = |thread: thread::ScopedJoinHandle<'_, _>| {
                thread.join().unwrap_or_else(|_| bail!("the thread that waits for it panicked"))
            };
            running.into_iter().map(end).collect()
        });
        for (target, end) in together.iter().zip(ends) {
            tally.run(&name(target), || {
                println!("{target}: {}", end?);
                Ok(())
            });
        }
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

/// Where what is built and found is kept.
fn work() -> PathBuf {
    project::target().join("fuzz")
}

fn targets() -> Result<Vec<String>> {
    let path = folder().join("Cargo.toml");
    let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    let manifest: Manifest = toml::from_str(&text)?;
    Ok(manifest.bin.into_iter().map(|binary| binary.name).collect())
}

fn build() -> Result<()> {
    setup::tools()?;
    let mut command = Command::new("cargo");
    command.args(["build", "--quiet", "--release", "--locked", "--target", HOST]).current_dir(folder());
    command.env("RUSTFLAGS", INSTRUMENTATION).env("CARGO_TARGET_DIR", work().join("build"));
    let output = command.output().context("cargo build")?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}

/// Feeds a target; how much it was, in words. What it found before, and the committed seeds, are where it begins.
fn feed(target: &str, extent: Extent) -> Result<String> {
    let corpus = work().join("corpus").join(target);
    let goal = COUNTED.iter().find(|(counted, _)| *counted == target).map(|(_, goal)| *goal);
    fs::create_dir_all(&corpus)?;
    let mut command = Command::new(work().join("build").join(HOST).join("release").join(target));
    command.arg(&corpus).args(Some(folder().join("seeds").join(target)).filter(|seeds| seeds.exists()));
    command.arg(format!("-max_len={}", if goal.is_some() { LONGEST_PROGRAM } else { LONGEST }));
    command.arg(format!("-artifact_prefix={}/{target}-", work().display()));
    // Written by the target when it has made as many steps as it was asked for; libFuzzer ends then.
    let steps = work().join(format!("steps-{target}"));
    match (extent, goal) {
        (Extent::Seconds(seconds), _) => command.arg(format!("-max_total_time={seconds}")),
        (Extent::Amount { .. }, Some(goal)) => {
            remove(&steps)?;
            command.env("STEPS_GOAL", goal.to_string()).env("STEPS_FILE", &steps);
            command.arg(format!("-stop_file={}", steps.display()))
        }
        (Extent::Amount { executions }, None) => command.arg(format!("-runs={executions}")),
    };
    let start = Instant::now();
    let output = command.output().with_context(|| target.to_owned())?;
    let text = String::from_utf8_lossy(&output.stderr);
    let tail: Vec<&str> = text.lines().rev().take(30).collect();
    ensure!(output.status.success(), "{}", tail.into_iter().rev().collect::<Vec<_>>().join("\n"));
    let seconds = start.elapsed().as_secs().max(1);
    let executions = text.lines().find_map(executions).context("libFuzzer does not say what it did")?;
    match (extent, goal) {
        (Extent::Seconds(_), _) => {}
        (Extent::Amount { .. }, Some(goal)) => {
            let made: u64 = fs::read_to_string(&steps).context("it did not come to its end")?.parse()?;
            ensure!(made >= goal, "{made} steps, not {goal}");
            return Ok(format!("{made} steps, {} a second", made / seconds));
        }
        (Extent::Amount { executions: goal }, None) => {
            ensure!(executions >= goal, "{executions} executions, not {goal}");
        }
    }
    Ok(format!("{executions} executions, {} a second", executions / seconds))
}

/// The number in libFuzzer's last line, `Done N runs in S second(s)`.
fn executions(line: &str) -> Option<u64> {
    line.strip_prefix("Done ")?.split_once(" runs")?.0.parse().ok()
}

fn remove(file: &PathBuf) -> Result<()> {
    if file.exists() {
        fs::remove_file(file)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_libfuzzer_did_is_read() {
        assert_eq!(executions("Done 10179 runs in 3 second(s)"), Some(10_179));
        assert_eq!(executions("#8192\tpulse  cov: 2120"), None);
    }

    #[test]
    fn what_counts_its_steps_is_a_target() {
        let targets = targets().unwrap();
        assert!(COUNTED.iter().all(|(counted, _)| targets.iter().any(|target| target == counted)));
    }
}

//! The tests that Cargo runs on the host.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use anyhow::{Context, Result};

use super::lines::{End, Line};
use super::tally::Tally;
use crate::check::BARE_METAL;
use crate::project;

/// Runs the unit tests, the scenarios and the documentation's examples.
pub fn run(tally: &mut Tally, filter: Option<&str>) {
    tally.part("host");
    if let Err(error) = cargo_test(tally, filter) {
        tally.broken("host tests", &error);
    }
}

fn cargo_test(tally: &mut Tally, filter: Option<&str>) -> Result<()> {
    let mut command = Command::new("cargo");
    command.args(["test", "--quiet", "--no-fail-fast", "--workspace", "--all-features"]);
    command.args(BARE_METAL.iter().flat_map(|name| ["--exclude", name]));
    // Not `--quiet` for the tests themselves: their lines are what is read here.
    command.args(["--", "--format=pretty"]).args(filter).current_dir(project::root());
    count(tally, command)
}

/// Runs `cargo test` and takes down how its tests end.
///
/// # Errors
/// If it cannot run, or fails without a failing test.
pub fn count(tally: &mut Tally, mut command: Command) -> Result<()> {
    let mut child = command.stdout(Stdio::piped()).spawn().context("cargo test")?;
    let (mut failed, mut other) = (false, Vec::new());
    for line in BufReader::new(child.stdout.take().context("a pipe was asked for")?).lines() {
        let line = line?;
        match Line::parse(&line) {
            Some(Line { name, end: End::Passed }) => tally.note(name, None),
            Some(Line { name, end: End::Failed(why) }) => {
                failed = true;
                tally.note(name, Some(why.to_owned()));
            }
            Some(Line { end: End::Ignored, .. }) => {}
            None => other.push(line),
        }
    }
    if !child.wait()?.success() {
        println!("{}", other.join("\n"));
        anyhow::ensure!(failed, "cargo test failed without a failing test");
    }
    Ok(())
}

//! The model checker: the manager with other primitives, and every way in which PEs can meet.

use std::path::Path;
use std::process::Command;

use super::{host, tally::Tally};
use crate::project;

/// Explores with bounds that keep to some seconds, or with `long` further ones.
pub fn run(tally: &mut Tally, filter: Option<&str>, long: bool) {
    tally.part("model checker");
    let mut command = tests(&project::target(), filter);
    command.current_dir(project::root());
    if long {
        command.env("MODEL_LONG", "1");
    }
    if let Err(error) = host::count(tally, command) {
        tally.broken("model checker", &error);
    }
}

/// Cargo's `command` for the model checker. What it builds is kept apart: it is built with a flag of its own.
pub fn cargo(command: &str, target: &Path) -> Command {
    let mut cargo = Command::new("cargo");
    cargo.args([command, "--quiet", "--profile", "model", "-p", "model"]);
    cargo.env("RUSTFLAGS", "--cfg model").env("CARGO_TARGET_DIR", target.join("model"));
    cargo
}

/// Its tests whose names contain `filter`.
pub fn tests(target: &Path, filter: Option<&str>) -> Command {
    let mut command = cargo("test", target);
    command.args(["--no-fail-fast", "--", "--format=pretty"]).args(filter);
    command
}

//! `cargo xtask`: builds, runs, tests and measures Hafnia.

mod bench;
mod check;
mod cli;
mod console;
mod fip;
mod image;
mod machine;
mod model;
mod mutations;
mod platform;
mod project;
mod qemu;
mod rows;
mod run;
mod setup;
mod symbolize;
mod test;
mod toolchain;

use std::process::ExitCode;

use clap::Parser;
use cli::{Cli, Command};

fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Setup => setup::run(),
        Command::Image(args) => image::run(&args),
        Command::Fip(args) => fip::run(&args),
        Command::Run(args) => run::run(&args),
        Command::Test(args) => test::run(&args),
        Command::Bench(args) => bench::run(&args),
        Command::Check => check::run(),
        Command::Rows => rows::run(),
        Command::Symbolize(args) => symbolize::run(&args),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

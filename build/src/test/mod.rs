//! `cargo xtask test`: every test of the project, on the host and on QEMU, closing with `N passed, N failed`.

mod boots;
mod cores;
mod fuzz;
mod fvp;
mod golden;
mod handoff;
mod host;
mod later;
pub mod lines;
mod long;
pub mod model;
mod secure_boot;
mod tally;
mod target;

use anyhow::Result;

use crate::cli::TestArgs;
use crate::platform::Platform;
use tally::Tally;

/// Runs the tests that were asked for. All run, whatever fails before.
///
/// # Errors
/// If a test failed, or none matched.
pub fn run(args: &TestArgs) -> Result<()> {
    let mut tally = Tally::new(args.filter.as_deref());
    host::run(&mut tally, args.filter.as_deref());
    model::run(&mut tally, args.filter.as_deref(), args.long);
    fuzz::smoke(&mut tally);
    if !args.host {
        for platform in
            Platform::ALL.iter().filter(|platform| args.platform.is_none_or(|only| only == **platform))
        {
            match platform {
                Platform::QemuVirt => {
                    target::run(&mut tally, *platform, args.long);
                    target::run_of_virt(&mut tally);
                    secure_boot::run(&mut tally, *platform);
                }
                Platform::SbsaRef => {
                    target::run(&mut tally, *platform, args.long);
                    later::run(&mut tally);
                }
                Platform::Fvp => fvp::run(&mut tally),
            }
        }
    }
    if args.long {
        fuzz::soak(&mut tally);
        long::broken_rules(&mut tally, !args.host);
    }
    tally.close()
}

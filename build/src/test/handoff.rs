//! Firmware handoff: a partition whose package is a transfer list, and TF-A that enters the SPMC with one.

use anyhow::{Context, Result, ensure};

use super::lines::closing;
use super::tally::Tally;
use crate::fip::{self, Variant};
use crate::machine::{Consoles, Stack};
use crate::platform::Platform;

/// "ONLYECHO": the Normal-world image finds one partition only.
const REQUEST: u64 = 0x4f4e_4c59_4543_484f;
const PES: u32 = 2;

/// Boots the partition alone.
pub fn run(tally: &mut Tally, platform: Platform) {
    tally.run("a partition starts from a package that is a transfer list", || {
        answered(platform, Variant { name: "handoff", ..Variant::default() }).map(drop)
    });
}

/// TF-A as Debian has it: with TRANSFER_LIST=1 it hands a list over, in which the SPMC manifest is not. The SPMC finds the
/// list sound, and takes the manifest that x0 leads to.
pub fn run_by_list(tally: &mut Tally, platform: Platform) {
    tally.run("TF-A with TRANSFER_LIST=1 hands a transfer list over", || {
        let tfa = &["TRANSFER_LIST=1"];
        let console = answered(platform, Variant { name: "handoff-by-list", tfa, ..Variant::default() })?;
        let line = console.secure.lines().find(|line| line.contains("transfer list")).unwrap_or_default();
        let said = line.contains("transfer list at 0x") && line.ends_with("no SPMC manifest in it");
        ensure!(said, "the SPMC does not say that it has the list:\n{}", console.secure);
        Ok(())
    });
}

/// The partition has read its manifest, by the boot information, and answers; gives what was printed.
fn answered(platform: Platform, variant: Variant<'_>) -> Result<Consoles> {
    let stack = Stack::build(&fip::of_tests(platform, "handoff"), variant)?;
    let console = stack.boot(PES, &["-device", &stack.request(REQUEST)])?;
    let all = console.all();
    ensure!(all.contains("ready: echo 0x8001, FF-A 1.2, vCPU 0"), "the partition is not ready:\n{all}");
    let (passed, failed) =
        console.normal.lines().find_map(closing).context("the image did not come to its end")?;
    ensure!(passed > 0 && failed == 0, "{passed} tests passed, {failed} failed:\n{all}");
    Ok(console)
}

//! The tests that boot the whole stack on QEMU under TF-A.

use anyhow::{Context, Result, bail, ensure};

use super::lines::{End, Line, closing};
use super::tally::Tally;
use crate::cli::FipArgs;
use crate::fip::{self, Variant};
use crate::machine::{self, Consoles, Stack};
use crate::platform::Platform;
use crate::{bench, symbolize};

/// Numbers of PEs that the scenarios run on.
const PES: [u32; 3] = [1, 2, 4];

/// Runs everything that boots.
pub fn run(tally: &mut Tally, platform: Platform) {
    tally.part(&format!("{platform}: scenarios under TF-A"));
    match Stack::build(&fip::tests(platform), Variant { name: "tests", features: &[] }) {
        Ok(stack) => {
            for pes in PES {
                scenarios(tally, &stack, pes);
            }
            tally.part(&format!("{platform}: a corrupted package"));
            tally.run("a partition with a corrupted package is left out, the others start", || {
                corrupted_package(&stack)
            });
        }
        Err(error) => tally.broken(&format!("{platform}: the stack builds"), &error),
    }
    tally.part(&format!("{platform}: the crash path"));
    tally.run("a crash on each PE is reported and ends the machine", || crash(platform));
    tally.part(&format!("{platform}: instructions"));
    if tally.wants("bench") {
        match bench::guard(platform) {
            Ok(figures) => {
                figures
                    .into_iter()
                    .for_each(|(name, failure)| tally.note(&format!("bench: {name}"), failure));
            }
            Err(error) => tally.broken("bench", &error),
        }
    }
    tally.part(&format!("{platform}: Linux"));
    tally.run("Linux finds exactly the partitions of the manifests", || machine::linux(platform));
}

/// Boots the Normal-world test image and takes over its tests.
fn scenarios(tally: &mut Tally, stack: &Stack, pes: u32) {
    let whole = format!("{pes} PEs: the image reports and powers off");
    let console = match stack.boot(pes, &[]) {
        Ok(console) => console,
        Err(error) => return tally.broken(&whole, &error),
    };
    for line in console.normal.lines().filter_map(Line::parse) {
        let failure = match line.end {
            End::Failed(why) => Some(why.to_owned()),
            End::Passed | End::Ignored => None,
        };
        tally.note(&format!("{pes} PEs: {}", line.name), failure);
    }
    tally.note(&whole, complete(&console, pes).err().map(|error| format!("{error:#}")));
}

/// That the image saw all PEs, counted as many tests as it reported, and ended the machine.
fn complete(console: &Consoles, pes: u32) -> Result<()> {
    ensure!(console.normal.contains(&format!("normal: {pes} PEs")), "the image did not see {pes} PEs");
    let (passed, failed) =
        console.normal.lines().find_map(closing).context("the image did not come to its end")?;
    let lines = console.normal.lines().filter_map(Line::parse).count();
    ensure!(passed + failed == lines && passed > 0, "{lines} tests reported, {passed} + {failed} counted");
    ensure!(console.ended, "the machine went on");
    Ok(())
}

/// A build in which one PE asserts when it has come on says where and ends QEMU (R5), whichever PE it is.
fn crash(platform: Platform) -> Result<()> {
    let features = &["fail-on-purpose"];
    let args = FipArgs { platform, ..FipArgs::default() };
    let stack = Stack::build(&args, Variant { name: "", features })?;
    for pe in 0..PES[PES.len() - 1] {
        let console = stack.boot_damaged(pe + 1, |flash| {
            let text = b"fails on purpose: PE 0";
            let [place] = places(flash, text)[..] else { bail!("the flash does not hold the text once") };
            flash[place + text.len() - 1] += pe as u8;
            Ok(())
        })?;
        let report = console.all();
        ensure!(console.ended, "the machine went on after PE {pe} crashed:\n{report}");
        ensure!(report.contains(&format!("crash on PE {pe:#x}: ")), "no report of PE {pe}:\n{report}");
        let named = symbolize::annotate(&report, &stack.spmc.elf)?;
        let function = if pe == 0 { "boot" } else { "secondary_main" };
        let name = format!(" is spmc::boot::{function} at ");
        ensure!(named.contains(&name), "{function} is not named:\n{named}");
    }
    Ok(())
}

/// Where a flash holds these bytes.
fn places(flash: &[u8], bytes: &[u8]) -> Vec<usize> {
    flash.windows(bytes.len()).enumerate().filter(|(_, at)| *at == bytes).map(|(at, _)| at).collect()
}

/// One package is damaged in the flash: the SPMC says so, and starts the other partition (R7).
fn corrupted_package(stack: &Stack) -> Result<()> {
    let console = stack.boot_damaged(1, |flash| {
        // The magic and the version; the SPMC's own code holds the magic alone.
        let places = places(flash, b"SPKG\x02\0\0\0");
        match places[..] {
            [_, second, _, _] => flash[second..second + 4].copy_from_slice(b"XXXX"),
            _ => bail!("the flash holds {} packages, not four", places.len()),
        }
        Ok(())
    })?;
    let all = console.all();
    let ready = all.matches("ready: ").count();
    ensure!(ready == 3, "{ready} partitions are ready, not three:\n{all}");
    ensure!(all.contains("left out"), "no word of the one that is left out:\n{all}");
    Ok(())
}

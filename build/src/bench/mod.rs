//! `cargo xtask bench`: executed instructions for each call, counted exactly by a QEMU plugin on one PE.

mod counts;
mod record;
mod report;
mod rows;

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use crate::cli::{BenchArgs, FipArgs};
use crate::fip::{self, Variant};
use crate::machine::{Consoles, Stack};
use crate::platform::Platform;
use crate::project;
use counts::{Counts, Plan};
use record::Record;
use rows::Manifests;

/// What tells the Normal-world image to run the bench instead of the tests: "BENCHFNI".
const REQUEST: u64 = 0x4245_4e43_4846_4e49;
/// The same for the rows that need the manifests of the tests: "BENCHTST".
const REQUEST_OF_TESTS: u64 = 0x4245_4e43_4854_5354;

/// And for those about memory: "BENCHMEM".
const REQUEST_OF_MEMORY: u64 = 0x4245_4e43_484d_454d;

/// The recorded figures, committed.
const RECORD: &str = "tests/bench.json";

/// What a run measured.
pub struct Figures {
    counts: Counts,
    /// `spmc.bin` in bytes.
    image: u64,
    /// All memory that is the SPMC's own: image, stacks, heap and tables, in bytes.
    ram: u64,
}

/// Measures, prints the table beside the reference's figures and writes it under `target/bench/`; with
/// `--record` no later change may exceed these figures.
///
/// # Errors
/// If the stack cannot be built or run, or the counts do not add up.
pub fn run(args: &BenchArgs) -> Result<()> {
    let figures = measure(args.platform)?;
    println!("{}\n{}", report::symbols(&figures), report::markdown(&figures));
    for (row, copies) in copying(&figures) {
        println!("{row}: {copies} runs on the path of the message");
    }
    if args.record {
        fs::write(project::root().join(RECORD), Record::of(&figures).text()?)?;
    }
    Ok(())
}

/// Measures and compares with the record: one line for each figure, with its failure.
///
/// # Errors
/// As [`run`]; and if there is no record.
pub fn guard(platform: Platform) -> Result<Vec<(String, Option<String>)>> {
    let record = fs::read_to_string(project::root().join(RECORD)).context(RECORD)?;
    let figures = measure(platform)?;
    let mut lines = Record::parse(&record)?.regressions(&Record::of(&figures));
    for (row, copies) in copying(&figures) {
        lines.push((format!("{row}, copying"), Some(format!("{copies} runs on the path of the message"))));
    }
    Ok(lines)
}

/// The message rows on whose path something is copied or cleared, with what does it.
fn copying(figures: &Figures) -> Vec<(&'static str, String)> {
    let rows = rows::ROWS.iter().zip(&figures.counts.rows);
    rows.filter(|(row, _)| !row.copies)
        .map(|(row, cost)| (row.name, cost.copying().join(", ")))
        .filter(|(_, copies)| !copies.is_empty())
        .collect()
}

fn measure(platform: Platform) -> Result<Figures> {
    // The counter knows EL3, the SPMC and the partitions by the addresses that they have there.
    ensure!(platform == Platform::QemuVirt, "instructions are counted on {} only", Platform::QemuVirt);
    let folder = project::target().join("bench");
    let product = Stack::build(&FipArgs { platform, ..FipArgs::default() }, Variant::default())?;
    let (mut counts, console) = count(&product, Manifests::Product)?;
    let (image, ram) = (fs::metadata(&product.spmc.bin)?.len(), own_memory(&console.secure)?);
    let tests = Stack::build(&fip::tests(platform), Variant { name: "tests", ..Variant::default() })?;
    counts.rows.extend(count(&tests, Manifests::Tests)?.0.rows);
    let memory =
        Stack::build(&fip::of_tests(platform, "memory"), Variant { name: "memory", ..Variant::default() })?;
    counts.rows.extend(count(&memory, Manifests::Memory)?.0.rows);
    let figures = Figures { counts, image, ram };
    fs::write(folder.join("bench.md"), report::markdown(&figures))?;
    fs::write(folder.join("bench.json"), format!("{:#}\n", report::json(&figures)))?;
    Ok(figures)
}

/// Runs the rows for these manifests on the stack that has them, and counts; gives what was printed, too.
fn count(stack: &Stack, manifests: Manifests) -> Result<(Counts, Consoles)> {
    let (plugin, folder) = (plugin()?, project::target().join("bench"));
    fs::create_dir_all(&folder)?;
    let plan = Plan::new(&fs::read(&stack.spmc.elf)?, &fs::read(&stack.normal.elf)?, manifests)?;
    let (plan_file, out_file) = (folder.join("plan.txt"), folder.join("counts.txt"));
    fs::write(&plan_file, &plan.text)?;
    let counter = format!("{},plan={},out={}", plugin.display(), plan_file.display(), out_file.display());
    let request = match manifests {
        Manifests::Product => REQUEST,
        Manifests::Tests => REQUEST_OF_TESTS,
        Manifests::Memory => REQUEST_OF_MEMORY,
    };
    // Time goes by instructions: an interrupt of a timer comes where it came the last time.
    let time = ["-icount", "shift=0,sleep=off"];
    let arguments = ["-device", &stack.request(request), "-plugin", &counter, time[0], time[1]];
    let console = stack.boot(1, &arguments)?;
    ensure!(console.ended, "the bench did not end; the Normal world said:\n{}", console.normal);
    let output = fs::read_to_string(&out_file).context("the counter's output")?;
    let counts =
        plan.counts(&output).with_context(|| format!("the Normal world said:\n{}", console.normal))?;
    Ok((counts, console))
}

/// The size of what the SPMC says is its own memory: image, stacks, heap and all tables.
fn own_memory(console: &str) -> Result<u64> {
    let range = console
        .lines()
        .find_map(|line| line.split_once("own memory ")?.1.split(',').next()?.split_once(".."));
    let (start, end) = range.context("the SPMC does not say which memory is its own")?;
    let number =
        |text: &str| Ok::<_, anyhow::Error>(u64::from_str_radix(text.trim().trim_start_matches("0x"), 16)?);
    Ok(number(end)? - number(start)?)
}

/// Builds the plugin and says where it is.
fn plugin() -> Result<PathBuf> {
    let mut command = Command::new("cargo");
    command.args([
        "build",
        "--quiet",
        "--release",
        "--package",
        "counter",
        "--message-format=json-render-diagnostics",
    ]);
    let output = command.current_dir(project::root()).stderr(std::process::Stdio::inherit()).output()?;
    if !output.status.success() {
        bail!("the counter does not build");
    }
    let messages = String::from_utf8(output.stdout)?;
    let library = messages.lines().find_map(|line| {
        let message: serde_json::Value = serde_json::from_str(line).ok()?;
        let name = message["target"]["name"].as_str()?;
        (name == "counter").then(|| message["filenames"][0].as_str().map(PathBuf::from))?
    });
    library.context("cargo names no library of the counter")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_memory_of_the_spmc_is_what_it_says() {
        let console = "x\n[I] hafnia: own memory 0xe100000..0xe200000, 120 table frames\n";
        assert_eq!(own_memory(console).unwrap(), 1 << 20);
        assert!(own_memory("").is_err());
    }
}

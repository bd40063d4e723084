//! Manifests that were written for another SPMC, with the image of `echo` in the place of their partition.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use serde_json::json;

use super::tally::Tally;
use super::target;
use crate::cli::FipArgs;
use crate::fip::Variant;
use crate::machine::{Consoles, Stack};
use crate::platform::Platform;
use crate::project;

/// "ONLYECHO": the Normal-world image finds one partition only.
const REQUEST: u64 = 0x4f4e_4c59_4543_484f;
/// As many PEs as these manifests name.
const PES: u32 = 4;

/// Two manifests that start together.
struct Pair {
    spmc: &'static str,
    partition: &'static str,
    /// The minor version of FF-A that is put into the partition's manifest.
    minor: u32,
}

/// Each form of the manifests, and each version.
const PAIRS: [Pair; 3] = [
    Pair { spmc: "spmc.dts", partition: "op-tee.dts", minor: 2 },
    Pair { spmc: "spmc-ascending.dts", partition: "op-tee-1.1.dts", minor: 1 },
    Pair { spmc: "spmc-bare.dts", partition: "op-tee.dts", minor: 0 },
];

/// Boots each pair on all PEs.
pub fn run(tally: &mut Tally, platform: Platform) {
    for (number, pair) in PAIRS.iter().enumerate() {
        let Pair { spmc, partition, minor } = pair;
        let name = format!("{spmc} and {partition} of OP-TEE's build start a partition of FF-A 1.{minor}");
        if !tally.wants(&name) {
            continue;
        }
        match boot(platform, number, pair) {
            Ok(console) => {
                target::report(tally, &console, PES);
                let failure = started(&console.all(), *minor).err();
                tally.note(&name, failure.map(|error| format!("{error:#}")));
            }
            Err(error) => tally.broken(&name, &error),
        }
    }
}

fn boot(platform: Platform, number: usize, pair: &Pair) -> Result<Consoles> {
    let golden = project::root().join("manifests/golden/op-tee");
    let name = format!("golden-{number}");
    let folder = project::firmware(platform).join(&name);
    fs::create_dir_all(&folder)?;
    let source = golden.join(pair.partition);
    let text = fs::read_to_string(&source).with_context(|| source.display().to_string())?;
    let manifest = folder.join("partition.dts");
    fs::write(&manifest, with_version(&text, pair.minor).context(pair.partition)?)?;
    let args = FipArgs {
        platform,
        layout: Some(layout(&golden.join("sp_layout.json"), &manifest, &folder)?),
        spmc_manifest: Some(golden.join(pair.spmc)),
        ..FipArgs::default()
    };
    let stack = Stack::build(&args, Variant { name: &name, ..Variant::default() })?;
    stack.boot(PES, &["-device", &stack.request(REQUEST)])
}

/// A partition manifest with another minor version in it.
fn with_version(text: &str, minor: u32) -> Result<String> {
    let (before, behind) = text.split_once("ffa-version = <0x0001000").context("ffa-version: missing")?;
    Ok(format!("{before}ffa-version = <0x0001000{minor}{}", &behind[1..]))
}

/// The layout beside the manifests, with another partition manifest in it.
fn layout(source: &Path, manifest: &Path, folder: &Path) -> Result<PathBuf> {
    let text = fs::read_to_string(source).with_context(|| source.display().to_string())?;
    let mut layout: serde_json::Value = serde_json::from_str(&text)?;
    let partition = layout.get_mut("op-tee").context("op-tee: missing")?;
    partition["pm"]["file"] = json!(manifest);
    partition["image"]["file"] = json!(project::partitions().join("echo.bin"));
    let path = folder.join("sp_layout.json");
    fs::write(&path, serde_json::to_string(&layout)?)?;
    Ok(path)
}

/// The partition's own line, and a context on each PE.
fn started(all: &str, minor: u32) -> Result<()> {
    let ready = format!("ready: op-tee 0x8001, FF-A 1.{minor}, vCPU 0");
    ensure!(all.contains(&ready), "the partition is not ready:\n{all}");
    for pe in 0..PES {
        let line = format!("op-tee has started vCPU {pe}");
        ensure!(all.contains(&line), "vCPU {pe} has not started:\n{all}");
    }
    Ok(())
}

//! Linux in the Normal world: kernel, initial file system and device tree in memory, put there by QEMU, or by the
//! loader in the second flash.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};

use crate::cli::RunArgs;
use crate::fip::Firmware;
use crate::fip::flash::Load;
use crate::fip::tree::Sources;
use crate::platform::{NormalMemory, Start};
use crate::project;
use crate::qemu::{Machine, escaped};
use crate::setup::{self, Linux};

/// The console is the one that the device tree names; after a panic nothing is waited for.
const ARGUMENTS: &str = "console=ttyAMA0 earlycon panic=-1";

/// Read by the initial file system: a shell instead of the demonstration.
const SHELL: &str = "hafnia.shell";

/// Where the kernel has the word of an arm64 `Image`, and the word.
const MAGIC: (usize, &[u8]) = (0x38, b"ARM\x64");

/// Adds a kernel to a machine: the one that the user named, or Debian's.
///
/// # Errors
/// If there is no such file, it is no arm64 `Image`, or there is no device tree.
pub fn load(machine: Machine, firmware: &Firmware, args: &RunArgs, shell: bool) -> Result<Machine> {
    let linux = match (&args.kernel, &args.initrd) {
        (Some(kernel), Some(initrd)) => Linux { kernel: kernel.clone(), initrd: initrd.clone() },
        (kernel, initrd) => {
            let linux = setup::linux()?;
            Linux {
                kernel: kernel.clone().unwrap_or(linux.kernel),
                initrd: initrd.clone().unwrap_or(linux.initrd),
            }
        }
    };
    check_kernel(&linux.kernel)?;
    let description = args.fip.platform.description();
    let memory = &description.normal;
    match description.start {
        Start::OneFlash { .. } => {
            let tree = machines_tree(&machine, args)?;
            tell(&tree, &linux, memory, shell)?;
            Ok(machine
                .arguments(["-dtb".into(), tree.into_os_string()])
                .arguments(loader(&linux.kernel, memory.kernel))
                .arguments(loader(&linux.initrd, memory.initrd)))
        }
        Start::TwoFlashes { .. } => {
            let tree = own_tree(args)?;
            tell(&tree, &linux, memory, shell)?;
            let files =
                vec![(linux.kernel, memory.kernel), (linux.initrd, memory.initrd), (tree, memory.tree)];
            let mut flashes = firmware.flashes.clone();
            let load = Load { files, entry: memory.kernel, argument: memory.tree };
            flashes.load(args.fip.platform, &load)?;
            Ok(machine.flashes(flashes))
        }
        Start::Model { .. } => bail!("a model starts no kernel by itself; give it a boot loader with --bl33"),
    }
}

/// Writes into the device tree how the kernel is to start.
fn tell(tree: &Path, linux: &Linux, memory: &NormalMemory, shell: bool) -> Result<()> {
    let size = fs::metadata(&linux.initrd).with_context(|| linux.initrd.display().to_string())?.len();
    let arguments = if shell { format!("{ARGUMENTS} {SHELL}") } else { ARGUMENTS.to_owned() };
    let cells = |address: u64| format!("{:x} {:x}", address >> 32, address & 0xffff_ffff);
    for (property, kind, values) in [
        ("bootargs", "s", arguments),
        ("linux,initrd-start", "x", cells(memory.initrd)),
        ("linux,initrd-end", "x", cells(memory.initrd + size)),
    ] {
        let mut put = Command::new("fdtput");
        put.args(["-t", kind]).arg(tree).args(["/chosen", property]);
        match kind {
            "s" => put.arg(values),
            _ => put.args(values.split(' ')),
        };
        setup::step::output(&mut put)?;
    }
    Ok(())
}

fn loader(file: &Path, address: u64) -> [std::ffi::OsString; 2] {
    let mut option = std::ffi::OsString::from("loader,file=");
    option.push(escaped(file));
    option.push(format!(",addr={address:#x},force-raw=on"));
    ["-device".into(), option]
}

/// Where a run's device tree is kept.
fn tree_file(args: &RunArgs) -> Result<PathBuf> {
    let folder = project::runs(args.fip.platform);
    fs::create_dir_all(&folder)?;
    Ok(folder.join("linux.dtb"))
}

/// The device tree that QEMU makes for this machine.
fn machines_tree(machine: &Machine, args: &RunArgs) -> Result<PathBuf> {
    let tree = tree_file(args)?;
    let mut option = std::ffi::OsString::from("dumpdtb=");
    option.push(escaped(&tree));
    let mut dump = machine.command()?;
    dump.arg("-machine").arg(option).stdin(Stdio::null());
    setup::step::output(&mut dump)?;
    ensure!(tree.exists(), "QEMU wrote no device tree");
    Ok(tree)
}

/// The project's device tree for this platform, with as many PEs as the machine has.
fn own_tree(args: &RunArgs) -> Result<PathBuf> {
    let tree = tree_file(args)?;
    let folder = project::root().join("tfa-integration").join(args.fip.platform.name());
    let sources = Sources { include: folder.clone(), spmc_base: 0 };
    sources.read(&folder.join("linux.dts"))?.write(&tree)?;
    let mut list = Command::new("fdtget");
    let cpus = setup::step::output(list.arg("-l").arg(&tree).arg("/cpus"))?;
    let cpus: Vec<_> = cpus.lines().filter(|name| name.starts_with("cpu@")).collect();
    let (pes, most) = (args.pes() as usize, cpus.len());
    ensure!(pes <= most, "--smp {pes}: {} knows {most} PEs", folder.join("linux.dts").display());
    for cpu in &cpus[pes..] {
        setup::step::output(Command::new("fdtput").arg("-r").arg(&tree).arg(format!("/cpus/{cpu}")))?;
    }
    Ok(tree)
}

fn check_kernel(kernel: &Path) -> Result<()> {
    let data = fs::read(kernel).with_context(|| kernel.display().to_string())?;
    let (at, word) = MAGIC;
    if data.get(at..at + word.len()) != Some(word) {
        bail!("{}: no uncompressed arm64 Image", kernel.display());
    }
    Ok(())
}

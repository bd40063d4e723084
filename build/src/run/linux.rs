//! Linux in the Normal world, started by BL31 itself: kernel, initial file system and device tree in memory.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};

use crate::cli::RunArgs;
use crate::qemu::{Machine, escaped};
use crate::{project, setup};

/// The console is UART0; after a panic nothing is waited for.
const ARGUMENTS: &str = "console=ttyAMA0 earlycon=pl011,0x9000000 panic=-1";

/// Read by the initial file system: a shell instead of the demonstration.
const SHELL: &str = "hafnia.shell";

/// Where the kernel has the word of an arm64 `Image`, and the word.
const MAGIC: (usize, &[u8]) = (0x38, b"ARM\x64");

/// Adds a kernel to a machine: the one that the user named, or Debian's.
///
/// # Errors
/// If there is no such file, it is no arm64 `Image`, or QEMU does not give its device tree.
pub fn load(machine: Machine, args: &RunArgs, shell: bool) -> Result<Machine> {
    let (kernel, initrd) = match (&args.kernel, &args.initrd) {
        (Some(kernel), Some(initrd)) => (kernel.clone(), initrd.clone()),
        (kernel, initrd) => {
            let linux = setup::linux()?;
            (kernel.clone().unwrap_or(linux.kernel), initrd.clone().unwrap_or(linux.initrd))
        }
    };
    check_kernel(&kernel)?;
    let description = args.fip.platform.description();
    let size = fs::metadata(&initrd).with_context(|| initrd.display().to_string())?.len();
    let initrd_end = description.initrd_base + size;
    let arguments = if shell { format!("{ARGUMENTS} {SHELL}") } else { ARGUMENTS.to_owned() };
    let tree = device_tree(&machine, args)?;
    for (property, kind, value) in [
        ("bootargs", "s", arguments),
        ("linux,initrd-start", "x", format!("{:x}", description.initrd_base)),
        ("linux,initrd-end", "x", format!("{initrd_end:x}")),
    ] {
        let mut put = Command::new("fdtput");
        put.args(["-t", kind]).arg(&tree).args(["/chosen", property, &value]);
        setup::step::output(&mut put)?;
    }
    Ok(machine
        .arguments(["-dtb".into(), tree.into_os_string()])
        .arguments(loader(&kernel, description.kernel_base))
        .arguments(loader(&initrd, description.initrd_base)))
}

fn loader(file: &Path, address: u64) -> [std::ffi::OsString; 2] {
    let mut option = std::ffi::OsString::from("loader,file=");
    option.push(escaped(file));
    option.push(format!(",addr={address:#x},force-raw=on"));
    ["-device".into(), option]
}

/// The device tree that QEMU makes for this machine.
fn device_tree(machine: &Machine, args: &RunArgs) -> Result<PathBuf> {
    let folder = project::runs(args.fip.platform);
    fs::create_dir_all(&folder)?;
    let tree = folder.join("linux.dtb");
    let mut option = std::ffi::OsString::from("dumpdtb=");
    option.push(escaped(&tree));
    let mut dump = machine.command();
    dump.arg("-machine").arg(option).stdin(Stdio::null());
    setup::step::output(&mut dump)?;
    ensure!(tree.exists(), "QEMU wrote no device tree");
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

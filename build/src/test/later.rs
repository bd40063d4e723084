//! The SPMC at the address at which later versions of TF-A load it on sbsa-ref: a copy of the source of 2.12 stands for
//! their trees, which differ in the size of the pens that lie below.

use std::fs;

use anyhow::{Context, Result, ensure};

use super::tally::Tally;
use super::target;
use crate::cli::FipArgs;
use crate::fip::{self, Variant, tfa};
use crate::machine::Stack;
use crate::platform::Platform;
use crate::{image, project};

/// How large the pens are, and what the header of 2.12 says of them.
const PENS: [&str; 2] =
    ["#define SHARED_RAM_SIZE\t\t\t0x00002000", "#define SHARED_RAM_SIZE\t\t\t0x00008000"];
/// Where the SPMC then lies.
const BASE: &str = "loaded at 0x20008000";

/// Boots the scenarios of memory transactions there, from the bytes that boot on QEMU virt, too.
pub fn run(tally: &mut Tally) {
    tally.run("the same SPMC runs where later versions of TF-A load it", || {
        let stack = build()?;
        let here = fs::read(&stack.spmc.bin)?;
        ensure!(here == fs::read(image::spmc(Platform::QemuVirt, &[])?.bin)?, "it is not the same SPMC");
        let console = stack.boot(2, &["-device", &stack.request(target::MEMORY_ALL)])?;
        ensure!(console.secure.contains(BASE), "no word of {BASE}:\n{}", console.all());
        target::complete(&console, 2)?;
        ensure!(console.normal.contains(" passed, 0 failed"), "{}", console.normal);
        Ok(())
    });
}

fn build() -> Result<Stack> {
    let platform = Platform::SbsaRef;
    let tree = project::target().join("tfa-later");
    if !tree.exists() {
        let new = tree.with_extension("new");
        if new.exists() {
            fs::remove_dir_all(&new)?;
        }
        tfa::changed_source(platform, &new)?;
        let header = new.join("plat/qemu/qemu_sbsa/include/platform_def.h");
        let text = fs::read_to_string(&header).with_context(|| header.display().to_string())?;
        ensure!(text.contains(PENS[0]), "{}: no word of the pens", header.display());
        fs::write(&header, text.replace(PENS[0], PENS[1]))?;
        fs::rename(&new, &tree)?;
    }
    let args = FipArgs { tfa: Some(tree), ..fip::of_tests(platform, "memory") };
    Stack::build(&args, Variant { name: "later", ..Variant::default() })
}

//! Where a tree of TF-A for QEMU has the SPMC loaded: what the platform's own header says, asked from the compiler.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};
use object::{Object, ObjectSection, ObjectSymbol};

use crate::setup::step;

/// The folders of a tree in which the header and those that it includes lie; the platform's own comes first.
const INCLUDES: &[&str] = &[
    "plat/qemu/common/include",
    "include",
    "include/arch/aarch64",
    "include/lib/libc",
    "include/lib/libc/aarch64",
    "include/common/tbbr",
    "include/plat/arm/common",
];

/// The object that says it; the number is in memory as the target has it.
const SOURCE: &str = "#include <platform_def.h>\nunsigned long long spmc_base = BL32_BASE;\n";

/// The load address of BL32 on the platform of this name; `work` is where files may be written.
///
/// # Errors
/// If the header does not compile on its own, or says no number.
pub fn of(platform: &str, tree: &Path, work: &Path) -> Result<u64> {
    let (source, output) = (work.with_extension("c"), work.with_extension("o"));
    fs::write(&source, SOURCE)?;
    let mut compile = Command::new("aarch64-linux-gnu-gcc");
    compile.args(["-c", "-nostdinc", "-ffreestanding", "-D__aarch64__", "-DSPMD_SPM_AT_SEL2=1"]);
    compile.arg("-I").arg(tree.join("plat/qemu").join(platform).join("include"));
    INCLUDES.iter().for_each(|folder| {
        compile.arg("-I").arg(tree.join(folder));
    });
    step::output(compile.arg("-o").arg(&output).arg(&source))
        .with_context(|| format!("{}: where the SPMC is loaded cannot be found out", tree.display()))?;
    let base = number(&fs::read(&output)?).context("BL32_BASE is no number")?;
    fs::remove_file(source)?;
    fs::remove_file(output)?;
    Ok(base)
}

/// The value of the only variable.
fn number(object: &[u8]) -> Option<u64> {
    let file = object::File::parse(object).ok()?;
    let symbol = file.symbols().find(|symbol| symbol.name() == Ok("spmc_base"))?;
    let section = file.section_by_index(symbol.section_index()?).ok()?;
    let data = section.data_range(symbol.address(), 8).ok()??;
    Some(u64::from_le_bytes(data.try_into().ok()?))
}

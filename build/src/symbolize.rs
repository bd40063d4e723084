//! `cargo xtask symbolize`: the addresses of a crash report as functions and lines.

use std::collections::HashSet;
use std::fs;
use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};

use addr2line::Loader;
use anyhow::{Context, Result, anyhow, bail};
use object::{Object, ObjectSection, SectionKind};

use crate::cli::SymbolizeArgs;
use crate::platform::Platform;
use crate::{image, project};

/// The upper half of the SPMC's address space: a virtual address is a physical one with these bits set.
const UPPER_HALF: u64 = 0xffff_0000_0000_0000;

/// Reads a report from the file named, from the standard input, or (at a terminal) from the consoles of the last run,
/// and prints it with names.
///
/// # Errors
/// If a file cannot be read, no image is of the report's build, or no address of it lies in the image.
pub fn run(args: &SymbolizeArgs) -> Result<()> {
    let text = match &args.report {
        Some(path) => read(path)?,
        None if io::stdin().is_terminal() => {
            let folder = project::runs(args.platform);
            read(&folder.join("secure.log"))? + &read(&folder.join("normal.log"))?
        }
        None => io::read_to_string(io::stdin())?,
    };
    let report = last_report(&text);
    print!("{}", annotate(report, &image_of(report, args.platform)?)?);
    Ok(())
}

/// A console from its last crash on; all of it where there is none.
fn last_report(console: &str) -> &str {
    let crash = console.rfind("crash on PE").unwrap_or(0);
    let start = console[..crash].rfind('\n').map_or(0, |end| end + 1);
    &console[start..]
}

fn read(path: &Path) -> Result<String> {
    let bytes = fs::read(path).with_context(|| path.display().to_string())?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The image that was built last, or the one with other features that is of the report's build.
fn image_of(report: &str, platform: Platform) -> Result<PathBuf> {
    let folder = project::firmware(platform);
    let usual = folder.join("spmc.elf");
    let Some(id) = report.lines().find_map(build_id) else { return Ok(usual) };
    for entry in fs::read_dir(&folder).with_context(|| folder.display().to_string())? {
        let path = entry?.path();
        let is_image = path.extension().is_some_and(|extension| extension == "elf");
        if is_image && image::build_id(&path).is_ok_and(|own| own == id) {
            return Ok(path);
        }
    }
    Ok(usual)
}

/// The report's lines, each followed by what its addresses are.
///
/// # Errors
/// As [`run`].
pub fn annotate(report: &str, elf: &Path) -> Result<String> {
    let image = Image::load(elf)?;
    if let Some(id) = report.lines().find_map(build_id)
        && id != image.build_id
    {
        bail!("the report is of build {id}, {} is build {}", elf.display(), image.build_id);
    }
    let base = report.lines().find_map(base);
    let (mut out, mut found) = (String::new(), false);
    for line in report.lines() {
        out += line;
        out.push('\n');
        let mut seen = HashSet::new();
        for offset in places(line, base).filter(|offset| image.is_code(*offset) && seen.insert(*offset)) {
            for frame in image.frames(offset)? {
                out += &format!("        +{offset:#x} is {frame}\n");
                found = true;
            }
        }
    }
    if !found {
        bail!("no address of the report lies in the code of {}", elf.display());
    }
    Ok(out)
}

/// The code and the debugging information of an image that is linked at 0.
struct Image {
    loader: Loader,
    build_id: String,
    /// The ranges of its code.
    code: Vec<std::ops::Range<u64>>,
}

impl Image {
    fn load(elf: &Path) -> Result<Self> {
        let data =
            fs::read(elf).with_context(|| format!("{} (cargo xtask image builds it)", elf.display()))?;
        let file = object::File::parse(&*data)?;
        let build_id = file.build_id()?.unwrap_or_default();
        let code = file
            .sections()
            .filter(|section| section.kind() == SectionKind::Text)
            .map(|section| section.address()..section.address() + section.size())
            .collect();
        let loader = Loader::new(elf).map_err(|error| anyhow!("{}: {error}", elf.display()))?;
        Ok(Self { loader, build_id: build_id.iter().map(|byte| format!("{byte:02x}")).collect(), code })
    }

    fn is_code(&self, offset: u64) -> bool {
        self.code.iter().any(|code| code.contains(&offset))
    }

    /// The function at an offset with its line, and those that it was inlined into.
    fn frames(&self, offset: u64) -> Result<Vec<String>> {
        let mut found = Vec::new();
        let mut frames = self.loader.find_frames(offset).map_err(|error| anyhow!("{error}"))?;
        while let Some(frame) = frames.next()? {
            let Some(name) = &frame.function else { continue };
            let place = frame.location.as_ref().and_then(|at| Some(format!("{}:{}", at.file?, at.line?)));
            found.push(format!("{} at {}", name.demangle()?, place.as_deref().unwrap_or("?")));
        }
        if found.is_empty()
            && let Some(name) = self.loader.find_symbol(offset)
        {
            found.push(addr2line::demangle_auto(name.into(), None).into_owned());
        }
        Ok(found)
    }
}

/// The build id that a line names: the word behind "build".
fn build_id(line: &str) -> Option<String> {
    let (_, rest) = line.split_once("build ")?;
    let id: String = rest.chars().take_while(char::is_ascii_hexdigit).collect();
    (id.len() >= 8).then_some(id)
}

/// Where the image lies in memory: the number behind "loaded at".
fn base(line: &str) -> Option<u64> {
    hexadecimal(line.split_once("loaded at 0x")?.1)
}

/// The offsets in the image that a line names: `+0x...`, or addresses (`0x...` or the 16 digits of a register) behind
/// where the image lies.
fn places(line: &str, base: Option<u64>) -> impl Iterator<Item = u64> + '_ {
    line.split(|between: char| between.is_whitespace() || ",;()".contains(between)).filter_map(move |word| {
        if let Some(digits) = word.strip_prefix("+0x") {
            return hexadecimal(digits);
        }
        let digits = word.strip_prefix("0x").or(Some(word).filter(|word| word.len() == 16))?;
        let offset = (hexadecimal(digits)? & !UPPER_HALF).checked_sub(base? & !UPPER_HALF);
        // The load address itself says where the image is, not what ran.
        offset.filter(|offset| *offset != 0)
    })
}

fn hexadecimal(text: &str) -> Option<u64> {
    let end = text.find(|digit: char| !digit.is_ascii_hexdigit()).unwrap_or(text.len());
    u64::from_str_radix(&text[..end], 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_report_s_own_words_are_found() {
        assert_eq!(build_id("build 0123456789abcdef, loaded"), Some("0123456789abcdef".to_owned()));
        assert_eq!(build_id("building the tables"), None);
        let base = base("build 00, loaded at 0xe100000");
        assert_eq!(base, Some(0xe10_0000));
        let line = "ESR 0x10 ELR +0x20 x0  ffff00000e100030  x1  0000000000000001 FAR 0xffff00000e100040";
        assert_eq!(places(line, base).collect::<Vec<_>>(), [0x20, 0x30, 0x40]);
    }

    #[test]
    fn the_last_crash_is_the_report() {
        let console =
            "build 1\n[E] hafnia: crash on PE 0x0: a\nbuild 2\n[E] hafnia: crash on PE 0x1: b\nbuild 3\n";
        assert_eq!(last_report(console), "[E] hafnia: crash on PE 0x1: b\nbuild 3\n");
        assert_eq!(last_report("+0x10"), "+0x10");
    }

    /// This test program itself stands for the image: it has code, lines and names.
    #[test]
    fn an_address_becomes_a_function_and_a_line() {
        let program = std::env::current_exe().unwrap();
        let data = fs::read(&program).unwrap();
        let file = object::File::parse(&*data).unwrap();
        let symbol = {
            use object::ObjectSymbol;
            let named =
                |symbol: &object::Symbol<'_, '_>| symbol.name().is_ok_and(|name| name.contains("annotate"));
            file.symbols().find(|symbol| named(symbol) && symbol.is_definition()).unwrap().address()
        };
        let base = 0xe10_0000;
        let report = format!("panic\nloaded at {base:#x}\nELR {:#x}\n", UPPER_HALF + base + symbol);
        let text = annotate(&report, &program).unwrap();
        assert!(text.contains("annotate") && text.contains("symbolize.rs:"), "{text}");
    }

    #[test]
    fn a_report_of_another_build_is_refused() {
        let program = std::env::current_exe().unwrap();
        assert!(annotate("build 00000000000000000000, loaded at 0x0\nELR +0x1000", &program).is_err());
    }
}

//! The tests that boot the whole stack on QEMU under TF-A.

use std::collections::BTreeSet;
use std::fs;

use anyhow::{Context, Result, anyhow, bail, ensure};
use object::{Object, ObjectSymbol};

use super::boots::{self, Boot};
use super::lines::{End, Line, closing};
use super::tally::Tally;
use super::{cores, golden, handoff};
use crate::cli::FipArgs;
use crate::fip::{self, Variant};
use crate::machine::{self, Consoles, Stack};
use crate::platform::Platform;
use crate::run::demonstration::schedule_receiver;
use crate::{bench, project, symbolize};

/// Numbers of PEs that the scenarios run on, as far as the platform has them.
const PES: [u32; 4] = [1, 2, 4, 8];
/// Number of PEs of the soak, and of the crashes.
const SOME: u32 = 4;

/// Runs everything that boots; with `long`, also what takes long.
pub fn run(tally: &mut Tally, platform: Platform, long: bool) {
    tally.part(&format!("{platform}: scenarios under TF-A"));
    match Stack::build(&fip::tests(platform), Variant { name: "tests", ..Variant::default() }) {
        Ok(stack) => {
            scenarios(tally, &stack, None);
            if long {
                tally.part(&format!("{platform}: soaks under TF-A"));
                soak(tally, &stack);
            }
            tally.part(&format!("{platform}: scenarios with a machine of their own"));
            alone(tally, &stack, ALONE);
            tally.part(&format!("{platform}: a corrupted package"));
            tally.run("a partition with a corrupted package is left out, the others start", || {
                corrupted_package(&stack)
            });
            tally.run("an SPMC manifest of another binding is refused with a message", || {
                refused_manifest(&stack)
            });
        }
        Err(error) => tally.broken(&format!("{platform}: the stack builds"), &error),
    }
    tally.part(&format!("{platform}: memory transactions"));
    match Stack::build(&fip::of_tests(platform, "memory"), Variant { name: "memory", ..Variant::default() }) {
        Ok(stack) => {
            let console = scenarios(tally, &stack, Some(MEMORY_ALL));
            tally.run("the trampoline is one page and all that S-EL0 sees of the SPMC", || {
                let console = console.context("the machine did not run")?;
                trampoline(&stack, &console.secure)
            });
            tally.run("a crash under the tables of a partition at S-EL0 is reported", || {
                crash_in_trampoline(&stack)
            });
            alone(tally, &stack, MEMORY);
        }
        Err(error) => tally.broken(&format!("{platform}: the stack for memory builds"), &error),
    }
    cores::run(tally, platform);
    tally.part(&format!("{platform}: a package that is a transfer list"));
    handoff::run(tally, platform);
    tally.part(&format!("{platform}: the crash path"));
    tally.run("a crash on each PE is reported and ends the machine", || crash(platform));
    tally.part(&format!("{platform}: Linux"));
    tally.run("Linux finds exactly the partitions of the manifests on all PEs", || {
        let pes = platform.description().pes.to_string();
        machine::linux(platform, &["--smp".as_ref(), pes.as_ref()]).map(drop)
    });
    tally.run("Linux is told once of a partition that needs a PE, and asks until it knows all", || {
        told(platform)
    });
}

/// What was measured or written for QEMU virt: the instructions of each call, and manifests of others with its addresses.
pub fn run_of_virt(tally: &mut Tally) {
    let platform = Platform::QemuVirt;
    tally.part(&format!("{platform}: manifests of others"));
    golden::run(tally, platform);
    tally.part(&format!("{platform}: TF-A with a transfer list"));
    handoff::run_by_list(tally, platform);
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
}

/// Linux with a partition whose timer comes: it takes the schedule receiver interrupt, and what it asks then comes to an
/// end, since the demonstration does.
fn told(platform: Platform) -> Result<()> {
    let folder = project::root().join("manifests/tests/alarm");
    let (layout, manifest) = (folder.join("sp_layout.json"), folder.join("spmc.dts"));
    let arguments =
        ["--layout".as_ref(), layout.as_os_str(), "--spmc-manifest".as_ref(), manifest.as_os_str()];
    let text = machine::linux(platform, &arguments)?;
    // Whose line it is stands before it.
    let mut lines = text.lines().filter_map(|line| Some(line.split_once(" | ")?.1));
    let taken = lines.find_map(schedule_receiver).map(|(_, _, taken)| taken);
    ensure!(taken == Some(1), "the schedule receiver interrupt did not come once: {taken:?}");
    Ok(())
}

/// What the SPMC found in the tables that are there while a partition at S-EL0 runs is one page, that of the trampoline, and
/// the image has nothing else in it.
fn trampoline(stack: &Stack, console: &str) -> Result<()> {
    let data = fs::read(&stack.spmc.elf)?;
    let image = object::File::parse(&*data)?;
    let symbol = image.symbols().find(|symbol| symbol.name() == Ok("trampoline_begin"));
    let begin = symbol.context("the image has no trampoline")?.address();
    let of_page = image.symbols().filter(|symbol| (begin..begin + 0x1000).contains(&symbol.address()));
    let names = of_page.filter_map(|symbol| symbol.name().ok().map(str::to_owned));
    // Marks of the assembler's ($x) are no names.
    let names: BTreeSet<_> = names.filter(|name| !name.starts_with('$')).collect();
    let own = ["enter_trampoline", "trampoline_begin", "trampoline_end", "trampoline_vectors"];
    ensure!(names.iter().eq(own), "the trampoline's page holds {names:?}");
    let load = console.split_once("loaded at 0x").and_then(|(_, rest)| rest.split_whitespace().next());
    let load = u64::from_str_radix(load.context("the SPMC does not say where it is loaded")?, 16)?;
    let page = 0xffff_0000_0000_0000 + load + begin;
    let said = format!("S-EL0 sees [{page:x}..{:x}] of the SPMC", page + 0x1000);
    ensure!(console.contains(&said), "the SPMC does not say: {said}\n{console}");
    Ok(())
}

/// The SPMC's last instruction before a partition at S-EL0 is made one that is none: the exception comes when the SPMC's
/// own tables are not there, and is reported with the place all the same.
fn crash_in_trampoline(stack: &Stack) -> Result<()> {
    const ERET: [u8; 4] = 0xd69f_03e0_u32.to_le_bytes();
    let data = fs::read(&stack.spmc.elf)?;
    let image = object::File::parse(&*data)?;
    let symbol = image.symbols().find(|symbol| symbol.name() == Ok("enter_trampoline"));
    let begin = usize::try_from(symbol.context("the image has no trampoline")?.address())?;
    let spmc = fs::read(&stack.spmc.bin)?;
    let code = spmc.get(begin..).context("the trampoline lies behind the image")?;
    let eret = code.chunks(4).position(|word| word == ERET).context("the trampoline has no end")?;
    let code = &code[..4 * (eret + 1)];
    let stack = stack.damaged(|flash| {
        let [place] = places(flash, code)[..] else { bail!("the flash does not hold the trampoline once") };
        flash[place + 4 * eret..][..4].fill(0);
        Ok(())
    })?;
    let console = stack.boot(1, &[])?;
    let report = console.all();
    ensure!(console.ended, "the machine went on:\n{report}");
    ensure!(report.contains("crash on PE 0x0: exception at EL2"), "no report:\n{report}");
    let named = symbolize::annotate(&report, &stack.spmc.elf)?;
    ensure!(named.contains(" is enter_trampoline"), "the place is not named:\n{named}");
    Ok(())
}

/// Boots what takes long, on all PEs.
fn soak(tally: &mut Tally, stack: &Stack) {
    /// "LONGSOAK".
    const REQUEST: u64 = 0x4c4f_4e47_534f_414b;
    let pes = SOME;
    match stack.boot_for_long(pes, &["-device", &stack.request(REQUEST)]) {
        Ok(console) => {
            report(tally, &console, pes);
            console.normal.lines().filter(|line| line.contains(" | ")).for_each(|row| println!("{row}"));
        }
        Err(error) => tally.broken("soaks: QEMU runs", &error),
    }
}

/// "ALON" in the upper half of the request, a scenario's number in the lower one.
pub const ALONE: u64 = 0x414c_4f4e << 32;
/// "MEMO": the same for memory transactions; all ones are those that need no machine of their own.
const MEMORY: u64 = 0x4d45_4d4f << 32;
/// Those that need no machine of their own.
pub const MEMORY_ALL: u64 = MEMORY | u32::MAX as u64;

/// Boots the scenarios of a request on each number of PEs; gives what one of the machines printed.
fn scenarios(tally: &mut Tally, stack: &Stack, request: Option<u64>) -> Option<Consoles> {
    let mut one = None;
    let numbers = PES.into_iter().filter(|pes| *pes <= stack.platform.description().pes);
    let boots: Vec<_> = numbers.map(|pes| Boot { stack, pes, request }).collect();
    boots::all(&boots, |place, console| one = booted(tally, boots[place].pes, console).or(one.take()));
    one
}

/// Boots each scenario that needs a machine of its own; the first one says how many there are.
fn alone(tally: &mut Tally, stack: &Stack, request: u64) {
    const PES: u32 = 2;
    let boot = |number: u64| Boot { stack, pes: PES, request: Some(request | number) };
    let count = own_machine(tally, PES, 0, boot(0).run()).unwrap_or(1);
    let others: Vec<_> = (1..count).map(boot).collect();
    boots::all(&others, |place, console| {
        own_machine(tally, PES, place as u64 + 1, console);
    });
}

/// Takes over what a scenario with a machine of its own reports: of how many it is one.
fn own_machine(tally: &mut Tally, pes: u32, number: u64, console: Result<Consoles>) -> Option<u64> {
    let console = booted(tally, pes, console)?;
    let ends = |line: &Line<'_>| line.name.ends_with("is_aborted");
    if let Some(line) = console.normal.lines().filter_map(Line::parse).find(ends) {
        let told = console.secure.contains(" is aborted: vCPU 0 at pc 0x");
        let failure = (!told).then(|| format!("no word of it:\n{}", console.secure));
        tally.note(&format!("{} and reported", line.name), failure);
    }
    let named = format!("normal: alone, {number} of ");
    let said = console.normal.lines().find_map(|line| line.trim().strip_prefix(&named)?.parse().ok());
    if said.is_none() {
        tally.broken(&named, &anyhow!("the image did not say so"));
    }
    said
}

/// Takes over the tests of a machine that was booted; gives what was printed.
fn booted(tally: &mut Tally, pes: u32, console: Result<Consoles>) -> Option<Consoles> {
    let console = console.map_err(|error| tally.broken(&format!("{pes} PEs: QEMU runs"), &error)).ok()?;
    report(tally, &console, pes);
    Some(console)
}

/// Takes over the tests that the image reports.
pub fn report(tally: &mut Tally, console: &Consoles, pes: u32) {
    report_as(tally, console, pes, "");
}

/// As [`report`], with words before each test's name.
pub fn report_as(tally: &mut Tally, console: &Consoles, pes: u32, prefix: &str) {
    let mut last = "none";
    for line in console.normal.lines().filter_map(Line::parse) {
        let failure = match line.end {
            End::Failed(why) => Some(why.to_owned()),
            End::Passed | End::Ignored => None,
        };
        tally.note(&format!("{prefix}{pes} PEs: {}", line.name), failure);
        last = line.name;
    }
    let whole = format!("{prefix}{pes} PEs: the image reports and powers off, after {last}");
    tally.note(&whole, complete(console, pes).err().map(|error| format!("{error:#}")));
}

/// That the image saw all PEs, counted as many tests as it reported, and ended the machine.
///
/// # Errors
/// If one of it is not so.
pub fn complete(console: &Consoles, pes: u32) -> Result<()> {
    ensure!(console.normal.contains(&format!("normal: {pes} PEs")), "the image did not see {pes} PEs");
    let (passed, failed) =
        console.normal.lines().find_map(closing).context("the image did not come to its end")?;
    let lines = console.normal.lines().filter_map(Line::parse).count();
    ensure!(passed + failed == lines && passed > 0, "{lines} tests reported, {passed} + {failed} counted");
    ensure!(console.ended, "the machine went on");
    Ok(())
}

/// A build in which one PE asserts when it has come on says where and ends QEMU, whichever PE it is.
fn crash(platform: Platform) -> Result<()> {
    let features = &["fail-on-purpose"];
    let args = FipArgs { platform, ..FipArgs::default() };
    let stack = Stack::build(&args, Variant { features, ..Variant::default() })?;
    for pe in 0..SOME {
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
pub fn places(flash: &[u8], bytes: &[u8]) -> Vec<usize> {
    flash.windows(bytes.len()).enumerate().filter(|(_, at)| *at == bytes).map(|(at, _)| at).collect()
}

/// One package is damaged in the flash: the SPMC says so, and starts the other partition.
fn corrupted_package(stack: &Stack) -> Result<()> {
    let stack = stack.damaged(|flash| {
        // The magic and the version; the SPMC's own code holds the magic alone.
        let places = places(flash, b"SPKG\x02\0\0\0");
        match places[..] {
            [_, second, _, _, _, _, _, _] => flash[second..second + 4].copy_from_slice(b"XXXX"),
            _ => bail!("the flash holds {} packages, not eight", places.len()),
        }
        Ok(())
    })?;
    // What the Normal world makes of it does not count, as its scenarios want all eight.
    let console = stack.boot(1, &["-device", &stack.request(ALONE)])?;
    let all = console.all();
    let ready = all.matches("ready: ").count();
    ensure!(ready == 7, "{ready} partitions are ready, not seven:\n{all}");
    ensure!(all.contains("left out"), "no word of the one that is left out:\n{all}");
    Ok(())
}

/// The SPMC manifest is of a binding that the SPMC does not know: it says so, and ends the machine.
fn refused_manifest(stack: &Stack) -> Result<()> {
    let console = stack.boot_damaged(1, |flash| {
        // In the tree a string ends with a zero; in the SPMC's code it does not.
        let text = b"hafnium,hafnium\0";
        let [place] = places(flash, text)[..] else { bail!("the flash does not hold the text once") };
        flash[place] = b'H';
        Ok(())
    })?;
    let all = console.all();
    ensure!(console.ended, "the machine went on:\n{all}");
    ensure!(!all.contains("ready: ") && !all.contains("normal: "), "something was started:\n{all}");
    let message = all.lines().find(|line| line.contains("SPMC manifest: /hypervisor"));
    ensure!(message.is_some_and(|line| line.contains("compatible")), "no word of the property:\n{all}");
    Ok(())
}

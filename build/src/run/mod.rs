//! `cargo xtask run`: boots everything on QEMU and says whether all of it happened.

pub mod demonstration;
mod linux;

use std::io::{self, IsTerminal};
use std::process::ExitStatus;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};

use crate::cli::{FipArgs, Normal, RunArgs};
use crate::console::{Console, Line, Screen};
use crate::fip::{self, Bl33, Firmware, Variant};
use crate::model::{self, Model};
use crate::platform::{Platform, Start};
use crate::project;
use crate::qemu::{Event, Machine};
use demonstration::Demonstration;

/// No guest of ours takes so long, on the slowest of machines.
pub const LIMIT: Duration = Duration::from_secs(300);

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// QEMU ended by itself, or by what the guest did.
    Ended(ExitStatus),
    /// It was ended after the limit.
    Limit,
}

/// Builds, boots and shows it.
///
/// # Errors
/// If something does not build, or not all happened that was to be seen.
pub fn run(args: &RunArgs) -> Result<()> {
    if matches!(args.fip.platform.description().start, Start::Model { .. }) {
        return on_model(args);
    }
    match (args.normal, &args.fip.bl33) {
        (_, Some(image)) => free(args, Bl33::Image(image.clone())),
        (Normal::Tests, None) => {
            let (options, variant) = of_tests(&args.fip);
            let firmware = fip::build(&options, &Bl33::Tests, variant)?;
            let demonstration = Demonstration::of_tests(&firmware.partitions);
            judged(args, machine(args, &firmware)?, demonstration)
        }
        (Normal::Linux, None) if is_interactive() || args.initrd.is_some() => free(args, Bl33::Kernel),
        (Normal::Linux, None) => {
            let firmware = fip::build(&args.fip, &Bl33::Kernel, Variant::default())?;
            let machine = linux::load(machine(args, &firmware)?, &firmware, args, false)?;
            judged(args, machine, Demonstration::of_linux(&firmware.partitions))
        }
    }
}

/// Runs Arm's model, with the test image unless the user brings another: a kernel is not prepared for it.
fn on_model(args: &RunArgs) -> Result<()> {
    if args.fip.bl33.is_none() && args.normal == Normal::Linux {
        eprintln!("the Normal world is the test image: Linux is not prepared for {}", args.fip.platform);
    }
    if args.gdb || args.cpu.is_some() || args.smp.is_some() || !args.qemu.is_empty() {
        bail!(
            "--gdb, --cpu, --smp and arguments after -- are for QEMU; what the model is like is said in {}",
            model::parameters_file(args.fip.platform).display()
        );
    }
    let (options, variant) = of_tests(&args.fip);
    let bl33 = args.fip.bl33.clone().map_or(Bl33::Tests, Bl33::Image);
    let firmware = fip::build(&options, &bl33, variant)?;
    let model = Model::new(args.fip.platform, &firmware.flashes, args.fvp.as_deref())?;
    let consoles = model.run()?;
    if args.fip.bl33.is_some() {
        return Ok(());
    }
    let mut demonstration = Demonstration::of_tests(&firmware.partitions);
    for text in consoles.iter().flat_map(|console| console.lines()) {
        let line = Line { console: Console::Normal, text: text.trim_end().to_owned() };
        println!("{}", line.text);
        demonstration.see(&line);
    }
    println!("{}", demonstration.verdict()?);
    Ok(())
}

/// The test image is for the partitions of its own manifests, unless the user brings others.
fn of_tests(args: &FipArgs) -> (FipArgs, Variant<'static>) {
    if args.layout.is_some() || args.spmc_manifest.is_some() || args.bl33.is_some() {
        return (args.clone(), Variant::default());
    }
    let tests = fip::tests(args.platform);
    let options = FipArgs { layout: tests.layout, spmc_manifest: tests.spmc_manifest, ..args.clone() };
    (options, Variant { name: "tests", ..Variant::default() })
}

/// Runs what a user brings or types at: there is nothing to judge but that QEMU ends well.
fn free(args: &RunArgs, bl33: Bl33) -> Result<()> {
    let firmware = fip::build(&args.fip, &bl33, Variant::default())?;
    let mut machine = machine(args, &firmware)?;
    if matches!(bl33, Bl33::Kernel) {
        machine = linux::load(machine, &firmware, args, true)?;
    }
    let mut limit = Some(LIMIT);
    if is_interactive() {
        eprintln!("Ctrl-A X ends QEMU");
        machine = machine.interactive();
        limit = None;
    }
    match watch(machine, args.fip.platform, limit.filter(|_| !args.gdb), |_| ())? {
        End::Ended(status) if status.success() => Ok(()),
        End::Ended(status) => bail!("QEMU ended with {status}"),
        End::Limit => bail!("the machine did not end by itself within {} s", LIMIT.as_secs()),
    }
}

/// Runs what is known, and compares what it says with what it should.
fn judged(args: &RunArgs, machine: Machine, mut demonstration: Demonstration) -> Result<()> {
    let limit = (!args.gdb).then_some(LIMIT);
    let end = watch(machine, args.fip.platform, limit, |line| demonstration.see(line))?;
    if end == End::Limit {
        bail!(
            "ended after {} s, waiting for {}",
            LIMIT.as_secs(),
            demonstration.awaited().unwrap_or_else(|| "the guest to power off".to_owned())
        );
    }
    println!("{}", demonstration.verdict()?);
    match end {
        End::Ended(status) if !status.success() => bail!("QEMU ended with {status}"),
        _ => Ok(()),
    }
}

/// Starts a machine, shows what it prints and gives each line to `see`, until it ends.
///
/// # Errors
/// If it cannot be started.
pub fn watch(
    machine: Machine,
    platform: Platform,
    limit: Option<Duration>,
    mut see: impl FnMut(&Line),
) -> Result<End> {
    let mut running = machine.start(&project::runs(platform))?;
    let deadline = limit.map(|limit| Instant::now() + limit);
    let mut screen = Screen::new();
    loop {
        match running.next(deadline)? {
            Event::Line(line) => {
                screen.line(&line)?;
                see(&line);
            }
            Event::Unfinished(line) => screen.unfinished(&line)?,
            Event::Ended(status) => return Ok(End::Ended(status)),
            Event::Deadline => return Ok(End::Limit),
        }
    }
}

fn machine(args: &RunArgs, firmware: &Firmware) -> Result<Machine> {
    // A PE that the SPMC does not have has no FF-A: a client that happens to be there finds nothing.
    let (pes, most) = (args.pes() as usize, firmware.pes);
    ensure!(pes <= most, "--smp {pes}: the SPMC manifest has {most} PEs; the others would have no FF-A");
    let mut machine =
        Machine::new(args.fip.platform, &firmware.flashes).smp(args.pes()).arguments(&args.qemu);
    if let Some(cpu) = &args.cpu {
        machine = machine.cpu(cpu);
    }
    // PEs that wait for EL3 to let them go do so actively. As threads of the host they would take its processors from
    // the PE that boots, which Linux waits for some ten thousand times. PEs of the test image wait asleep.
    let host = thread::available_parallelism().map_or(1, usize::from);
    if pes > host && args.normal == Normal::Linux && !args.qemu.iter().any(|argument| argument == "-accel") {
        machine = machine.arguments(["-accel", "tcg,thread=single"]);
    }
    if args.gdb {
        eprintln!("waiting for a debugger on port 1234; the symbols are in spmc.elf");
        return Ok(machine.arguments(["-S", "-gdb", "tcp:127.0.0.1:1234"]));
    }
    Ok(machine)
}

fn is_interactive() -> bool {
    io::stdin().is_terminal() && io::stdout().is_terminal()
}

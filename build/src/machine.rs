//! The stack with the Normal-world test image in it, built once and booted as often as a test or the bench asks.

use std::ffi::OsStr;
use std::fs;
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use crate::cli::FipArgs;
use crate::console;
use crate::fip::flash::{self, Flashes};
use crate::fip::{self, Bl33, Firmware, Variant};
use crate::image::{self, Image};
use crate::platform::{Cores, Platform};
use crate::project;
use crate::qemu::{Event, Machine};

/// The longest that a boot with all its tests may take, where a PE of the machine has a fraction of one of ours.
const LIMIT: Duration = Duration::from_secs(480);
/// The longest that a soak may take.
const LONG_LIMIT: Duration = Duration::from_secs(3600);

/// How far behind its first byte the Normal-world test image looks for what it is to do.
const REQUEST: u64 = 0xf0_0000;

/// What is in the flash, and the images with their symbols.
pub struct Stack {
    /// The machine.
    pub platform: Platform,
    flashes: Flashes,
    cores: Option<&'static Cores>,
    /// The SPMC in the flash.
    pub spmc: Image,
    /// The Normal-world test image in the flash.
    pub normal: Image,
}

/// What the machine printed.
#[derive(Default)]
pub struct Consoles {
    /// The Normal world's console, which is TF-A's too.
    pub normal: String,
    /// The SPMC's and the partitions' console.
    pub secure: String,
    /// Whether the guest ended the machine, before the limit.
    pub ended: bool,
}

impl Consoles {
    /// Both consoles, one behind the other.
    pub fn all(&self) -> String {
        format!("{}\n{}", self.normal, self.secure)
    }
}

impl Stack {
    /// Builds the stack from the manifests that `args` name.
    ///
    /// # Errors
    /// If a part does not build.
    pub fn build(args: &FipArgs, variant: Variant<'_>) -> Result<Self> {
        let normal = image::normal(args.platform, variant.normal)?;
        let firmware = fip::build(args, &Bl33::Tests, variant)?;
        let Firmware { flashes, spmc, .. } = firmware;
        Ok(Self { platform: args.platform, flashes, cores: None, spmc, normal })
    }

    /// The same on PEs of another kind.
    #[must_use]
    pub fn on(mut self, cores: &'static Cores) -> Self {
        self.cores = Some(cores);
        self
    }

    /// QEMU's option that puts `word` where the Normal-world test image looks for what it is to do.
    pub fn request(&self, word: u64) -> String {
        let address = self.platform.description().normal.image + REQUEST;
        format!("loader,addr={address:#x},data={word:#x},data-len=8")
    }

    /// Boots it on so many PEs, with more arguments for QEMU, until the guest ends the machine or the limit passes.
    ///
    /// # Errors
    /// If QEMU cannot be run.
    pub fn boot(&self, pes: u32, arguments: &[&str]) -> Result<Consoles> {
        self.boot_from(&self.flashes, pes, arguments, LIMIT, None)
    }

    /// As [`Self::boot`], on one PE and only until the Normal world's console has a line with this text: TF-A stays
    /// where it is after what it says last.
    ///
    /// # Errors
    /// If QEMU cannot be run.
    pub fn boot_until(&self, text: &str) -> Result<Consoles> {
        self.boot_from(&self.flashes, 1, &[], LIMIT, Some(text))
    }

    /// As [`Self::boot`], for what takes long.
    ///
    /// # Errors
    /// If QEMU cannot be run.
    pub fn boot_for_long(&self, pes: u32, arguments: &[&str]) -> Result<Consoles> {
        self.boot_from(&self.flashes, pes, arguments, LONG_LIMIT, None)
    }

    /// Boots it from a flash in which `damage` changed something.
    ///
    /// # Errors
    /// If `damage` fails or QEMU cannot be run.
    pub fn boot_damaged(&self, pes: u32, damage: impl FnOnce(&mut [u8]) -> Result<()>) -> Result<Consoles> {
        self.damaged(damage)?.boot(pes, &[])
    }

    /// The same with a flash in which `damage` changed something.
    ///
    /// # Errors
    /// If `damage` fails or the flash cannot be written.
    pub fn damaged(&self, damage: impl FnOnce(&mut [u8]) -> Result<()>) -> Result<Self> {
        let mut content = fs::read(&self.flashes.first)?;
        let size = content.len() as u64;
        // What is looked for lies in what is used of the flash.
        content.truncate(flash::used(&content));
        damage(&mut content)?;
        let first = self.flashes.first.with_extension("damaged");
        flash::write(&first, &content, size)?;
        let flashes = Flashes { first, ..self.flashes.clone() };
        Ok(Self { flashes, spmc: self.spmc.clone(), normal: self.normal.clone(), ..*self })
    }

    fn boot_from(
        &self,
        flashes: &Flashes,
        pes: u32,
        arguments: &[&str],
        limit: Duration,
        until: Option<&str>,
    ) -> Result<Consoles> {
        let mut machine = Machine::new(self.platform, flashes).smp(pes).arguments(arguments.iter().copied());
        if let Some(cores) = self.cores {
            machine = machine.cpu(cores.cpu).arguments(cores.arguments.iter().copied());
        }
        let place = Place::take();
        let mut running = machine.start(&project::runs(self.platform).join(place.name()))?;
        let deadline = Instant::now() + limit;
        let mut consoles = Consoles::default();
        loop {
            match running.next(Some(deadline))? {
                Event::Line(line) => {
                    let text = match line.console {
                        console::Console::Normal => &mut consoles.normal,
                        console::Console::Secure => &mut consoles.secure,
                    };
                    text.push_str(&line.text);
                    text.push('\n');
                    if until.is_some_and(|until| line.text.contains(until)) {
                        return Ok(consoles);
                    }
                }
                Event::Unfinished(_) => {}
                Event::Ended(status) => {
                    ensure!(status.success(), "QEMU: {status}; it was told {arguments:?}");
                    consoles.ended = true;
                    return Ok(consoles);
                }
                Event::Deadline => return Ok(consoles),
            }
        }
    }
}

/// A folder that one machine at a time leaves its consoles in.
struct Place(usize);

/// Which ones are taken.
static TAKEN: Mutex<Vec<usize>> = Mutex::new(Vec::new());

impl Place {
    /// The first one that is free.
    fn take() -> Self {
        let mut taken = TAKEN.lock().unwrap_or_else(PoisonError::into_inner);
        let free = (0..).find(|place| !taken.contains(place)).unwrap_or_default();
        taken.push(free);
        Self(free)
    }

    fn name(&self) -> String {
        format!("test-{}", self.0)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        TAKEN.lock().unwrap_or_else(PoisonError::into_inner).retain(|place| *place != self.0);
    }
}

/// Runs the demonstration with Linux as `cargo xtask run` does without a terminal, with more arguments; gives what it
/// printed.
///
/// # Errors
/// What the demonstration printed, if not all of it happened.
pub fn linux(platform: Platform, arguments: &[&OsStr]) -> Result<String> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["run", "--platform", platform.name(), "--normal", "linux"]).args(arguments);
    let output = command.stdin(Stdio::null()).output().context("cargo xtask run")?;
    let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    if !output.status.success() {
        let lines: Vec<&str> = text.lines().collect();
        bail!("{}", lines[lines.len().saturating_sub(40)..].join("\n"));
    }
    Ok(text)
}

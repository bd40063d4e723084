//! The command line: every command of the project and its options.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::platform::Platform;

/// Builds, runs, tests and measures Hafnia.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands. Each does by itself the parts of set-up that it needs.
#[derive(Subcommand)]
pub enum Command {
    /// Fetch and install everything that a build and a run need
    Setup,
    /// Build the SPMC and the partitions
    Image(ImageArgs),
    /// Build Trusted Firmware-A around the SPMC: bl1.bin, fip.bin and flash.bin
    Fip(FipArgs),
    /// Boot it all on QEMU: TF-A, Hafnia, the partitions and a Normal world
    Run(RunArgs),
    /// Run the tests
    Test(TestArgs),
    /// Count the instructions that each call takes
    Bench(BenchArgs),
    /// Check formatting, lints, documentation, import rules, licences and which test proves what
    Check,
    /// Write the table of which test proves which row of the inventory
    Rows,
    /// Turn the addresses of a crash report into functions and lines
    Symbolize(SymbolizeArgs),
}

/// Options of `image`.
#[derive(Args, Clone)]
pub struct ImageArgs {
    /// The machine to build for
    #[arg(long, value_name = "P", default_value_t)]
    pub platform: Platform,
}

/// Options of `fip`, which are also options of `run`.
#[derive(Args, Clone, Default)]
pub struct FipArgs {
    /// The machine to build for
    #[arg(long, value_name = "P", default_value_t)]
    pub platform: Platform,
    /// A source tree of Trusted Firmware-A to use instead of Debian's
    #[arg(long, value_name = "DIR")]
    pub tfa: Option<PathBuf>,
    /// The layout of the partitions (sp_layout.json); its paths are relative to its own folder
    #[arg(long, value_name = "FILE")]
    pub layout: Option<PathBuf>,
    /// The source of the SPMC manifest (.dts)
    #[arg(long, value_name = "FILE")]
    pub spmc_manifest: Option<PathBuf>,
    /// The Normal world's first image, as it lies in memory
    #[arg(long, value_name = "FILE")]
    pub bl33: Option<PathBuf>,
    /// Have TF-A authenticate everything that it loads, each partition by its owner's certificate
    #[arg(long)]
    pub secure_boot: bool,
    /// Where the private keys are: rot.pem, prot.pem and trusted_world.pem; those that are missing are made
    #[arg(long, value_name = "DIR", requires = "secure_boot")]
    pub keys: Option<PathBuf>,
}

/// Who runs in the Normal world.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Normal {
    /// Debian's kernel with its FF-A driver, and busybox
    #[default]
    Linux,
    /// The project's own test image
    Tests,
}

/// Options of `run`.
#[derive(Args, Clone)]
pub struct RunArgs {
    /// What `fip` takes
    #[command(flatten)]
    pub fip: FipArgs,
    /// Who runs in the Normal world
    #[arg(long, value_enum, default_value_t)]
    pub normal: Normal,
    /// Number of PEs, 4 if not said
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=512))]
    pub smp: Option<u32>,
    /// The kind of PEs: what QEMU's -cpu takes, such as neoverse-n2
    #[arg(long, value_name = "MODEL")]
    pub cpu: Option<String>,
    /// Arm's model, if its program is not on the PATH
    #[arg(long, value_name = "PROGRAM")]
    pub fvp: Option<PathBuf>,
    /// A kernel (arm64 Image) instead of Debian's
    #[arg(long, value_name = "FILE")]
    pub kernel: Option<PathBuf>,
    /// An initial file system instead of the project's; without a demonstration, as it is not known
    #[arg(long, value_name = "FILE")]
    pub initrd: Option<PathBuf>,
    /// Wait for a debugger on port 1234 before the first instruction
    #[arg(long)]
    pub gdb: bool,
    /// More arguments for QEMU
    #[arg(last = true, value_name = "QEMU ARGS")]
    pub qemu: Vec<String>,
}

impl RunArgs {
    /// Number of PEs.
    #[must_use]
    pub fn pes(&self) -> u32 {
        self.smp.unwrap_or(4)
    }
}

/// Options of `test`.
#[derive(Args, Clone)]
pub struct TestArgs {
    /// Only the tests that need no QEMU
    #[arg(long)]
    pub host: bool,
    /// Only this machine
    #[arg(long, value_name = "P")]
    pub platform: Option<Platform>,
    /// Soaks, long fuzzing and the rules that are broken on purpose, too
    #[arg(long)]
    pub long: bool,
    /// Only tests whose name contains this
    pub filter: Option<String>,
}

/// Options of `bench`.
#[derive(Args, Clone)]
pub struct BenchArgs {
    /// The machine to measure on
    #[arg(long, value_name = "P", default_value_t)]
    pub platform: Platform,
    /// Record the figures: from now on no row may exceed them by more than 2%
    #[arg(long)]
    pub record: bool,
}

/// Options of `symbolize`.
#[derive(Args, Clone)]
pub struct SymbolizeArgs {
    /// The machine that the report comes from
    #[arg(long, value_name = "P", default_value_t)]
    pub platform: Platform,
    /// The report; standard input if absent
    pub report: Option<PathBuf>,
}

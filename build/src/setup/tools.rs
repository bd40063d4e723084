//! The programs of the machine that building TF-A and running QEMU take.

use std::process::{Command, Stdio};

use anyhow::{Result, bail};

use super::install::{self, Group};
use super::{mirror, step};

/// Oldest QEMU that has the timers of Secure EL2.
const QEMU_MAJOR: u32 = 10;

/// Something that has to be on the machine.
struct Tool {
    /// What it is, for a person.
    what: &'static str,
    /// The Debian package that has it.
    package: &'static str,
    /// Releases whose own package is too old, so that the one of their backports is taken.
    backported: &'static [&'static str],
    /// Whether what is there will do, found out by using it.
    good: fn() -> bool,
}

/// All of them.
const TOOLS: &[Tool] = &[
    Tool {
        what: "QEMU 10 or newer for Arm",
        package: "qemu-system-arm",
        backported: &["bookworm"],
        good: qemu_is_new_enough,
    },
    Tool {
        what: "the cross compiler for TF-A",
        package: "gcc-aarch64-linux-gnu",
        backported: &[],
        good: || compiles("aarch64-linux-gnu-gcc", "stdint.h", &["-ffreestanding"]),
    },
    Tool {
        what: "the cross binutils for TF-A",
        package: "binutils-aarch64-linux-gnu",
        backported: &[],
        good: || runs("aarch64-linux-gnu-objcopy", "--version"),
    },
    Tool {
        what: "the device tree compiler",
        package: "device-tree-compiler",
        backported: &[],
        good: || runs("dtc", "--version"),
    },
    Tool {
        what: "OpenSSL, for the keys of secure boot",
        package: "openssl",
        backported: &[],
        good: || runs("openssl", "version"),
    },
    Tool { what: "patch", package: "patch", backported: &[], good: || runs("patch", "--version") },
    Tool { what: "make", package: "make", backported: &[], good: || runs("make", "--version") },
    Tool {
        what: "the host's C compiler",
        package: "gcc",
        backported: &[],
        good: || compiles("gcc", "stdint.h", &["-ffreestanding"]),
    },
    Tool {
        what: "the C library's headers",
        package: "libc6-dev",
        backported: &[],
        good: || compiles("gcc", "stdio.h", &[]),
    },
    Tool {
        what: "the host's C++ compiler, for libFuzzer",
        package: "g++",
        backported: &[],
        good: || runs("c++", "--version"),
    },
    Tool {
        what: "OpenSSL's headers, for TF-A's fiptool",
        package: "libssl-dev",
        backported: &[],
        good: || compiles("gcc", "openssl/sha.h", &[]),
    },
];

/// Installs those that are missing or too old.
///
/// # Errors
/// If something is missing and cannot be installed; the error says what to do.
pub fn ensure() -> Result<()> {
    let missing: Vec<_> = TOOLS.iter().filter(|tool| !(tool.good)()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    for tool in &missing {
        eprintln!("setup: needed: {} ({})", tool.what, tool.package);
    }
    install::install(&groups(&missing, mirror::running_release().as_deref().unwrap_or_default()))?;
    for tool in missing {
        if !(tool.good)() {
            bail!("{} is installed, but {} does still not work", tool.package, tool.what);
        }
    }
    Ok(())
}

/// Which packages to install together on the release: those of its backports, and the rest.
fn groups<'a>(missing: &[&'a Tool], release: &str) -> Vec<Group<'a>> {
    let (backported, own): (Vec<_>, Vec<_>) =
        missing.iter().partition(|tool| tool.backported.contains(&release));
    let group = |suite, tools: Vec<&&'a Tool>| Group {
        suite,
        packages: tools.into_iter().map(|tool| tool.package).collect(),
    };
    let all = [group(Some(format!("{release}-backports")), backported), group(None, own)];
    all.into_iter().filter(|group| !group.packages.is_empty()).collect()
}

/// Whether the program answers.
fn runs(program: &str, argument: &str) -> bool {
    step::output(Command::new(program).arg(argument)).is_ok()
}

/// Whether the compiler accepts an empty file that includes `header`.
fn compiles(compiler: &str, header: &str, flags: &[&str]) -> bool {
    let mut command = Command::new(compiler);
    command.args(flags).args(["-fsyntax-only", "-x", "c", "-include", header, "/dev/null"]);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// Whether QEMU is there and has what Secure EL2 needs.
fn qemu_is_new_enough() -> bool {
    step::output(Command::new("qemu-system-aarch64").arg("--version"))
        .is_ok_and(|text| qemu_major(&text).is_some_and(|major| major >= QEMU_MAJOR))
}

/// The major version in the first line of `qemu-system-aarch64 --version`.
fn qemu_major(text: &str) -> Option<u32> {
    let version = text.split_once("version ")?.1;
    version.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn qemus_major_version_is_read() {
        assert_eq!(qemu_major("QEMU emulator version 7.2.22 (Debian 1:7.2+dfsg-7)\nCopyright"), Some(7));
        assert_eq!(qemu_major("QEMU emulator version 10.0.2\n"), Some(10));
        assert_eq!(qemu_major("something else"), None);
    }

    #[test]
    fn only_bookworms_qemu_comes_from_backports() {
        let all: Vec<_> = TOOLS.iter().collect();
        let bookworm = groups(&all, "bookworm");
        assert_eq!(bookworm[0].suite.as_deref(), Some("bookworm-backports"));
        assert_eq!(bookworm[0].packages, ["qemu-system-arm"]);
        assert!(bookworm[1].suite.is_none() && bookworm[1].packages.contains(&"make"));
        let trixie = groups(&all, "trixie");
        assert_eq!(trixie.len(), 1);
        assert!(trixie[0].suite.is_none());
    }

    #[test]
    fn a_missing_program_is_not_good() {
        assert!(!runs("no-such-program-here", "--version"));
        assert!(!compiles("no-such-program-here", "stdint.h", &[]));
    }
}

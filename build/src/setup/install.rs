//! Installs Debian packages on the machine: simulated first, refused if it would remove anything.

use std::io::IsTerminal;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::apt::{Apt, Purpose};
use super::{mirror, step};

/// How long installing may take.
const LIMIT: Duration = Duration::from_secs(1800);

/// Packages that are installed together.
#[derive(Debug, PartialEq, Eq)]
pub struct Group<'a> {
    /// The suite to prefer (`apt-get -t`); the release's own where `None`.
    pub suite: Option<String>,
    /// The packages' names.
    pub packages: Vec<&'a str>,
}

/// How a command of root's is run.
enum Root {
    /// As it is: root already.
    Already,
    /// By sudo, which asks nothing.
    Silent,
    /// By sudo, which asks on the terminal.
    Asking,
}

impl Root {
    /// The way that there is on this machine, if there is one.
    fn find() -> Option<Self> {
        let user = step::output(Command::new("id").arg("-u")).unwrap_or_default();
        if user.trim() == "0" {
            return Some(Self::Already);
        }
        let sudo = |args: &[&str]| {
            let quiet = || Stdio::null();
            Command::new("sudo").args(args).stdin(quiet()).stdout(quiet()).stderr(quiet()).status()
        };
        if sudo(&["-n", "true"]).is_ok_and(|status| status.success()) {
            Some(Self::Silent)
        } else if sudo(&["-V"]).is_ok() && std::io::stdin().is_terminal() {
            Some(Self::Asking)
        } else {
            None
        }
    }
}

/// Installs `groups`, one after the other.
///
/// # Errors
/// If this is not a Debian machine whose release is known, if anything would be removed, or if the user may not
/// install; the error says what to install, and by which commands.
pub fn install(groups: &[Group]) -> Result<()> {
    let apt = Apt::open(Purpose::Install).with_context(|| by_hand(groups))?;
    for group in groups {
        refuse_removals(&apt, group).with_context(|| by_hand(groups))?;
    }
    let Some(root) = Root::find() else {
        bail!("only root may install packages; {}", instructions(&apt, groups));
    };
    if matches!(root, Root::Asking) {
        eprintln!("setup: installing {} as root", names(groups));
        let status = Command::new("sudo").arg("-v").status()?;
        if !status.success() {
            bail!("sudo refused; {}", instructions(&apt, groups));
        }
    }
    for group in groups {
        let mut command = match root {
            Root::Already => Command::new("env"),
            Root::Silent | Root::Asking => {
                let mut command = Command::new("sudo");
                command.args(["-n", "env"]);
                command
            }
        };
        command.args(["DEBIAN_FRONTEND=noninteractive", "LC_ALL=C", "apt-get"]);
        command.args(arguments(&apt.configuration(), group));
        let what = format!("installing {}", group.packages.join(" "));
        step::run("apt-install", &what, &mut command, LIMIT).with_context(|| instructions(&apt, groups))?;
    }
    apt.clean()
}

/// Asks apt what it would do, and refuses if that includes removing a package.
fn refuse_removals(apt: &Apt, group: &Group) -> Result<()> {
    let mut command = apt.tool("apt-get");
    command.arg("-s").args(&arguments(&apt.configuration(), group)[2..]);
    let simulation = step::output(&mut command)?;
    let removed = removed(&simulation);
    if !removed.is_empty() {
        bail!("installing {} would remove {}", group.packages.join(" "), removed.join(" "));
    }
    Ok(())
}

/// The packages that a simulation says it would remove.
fn removed(simulation: &str) -> Vec<&str> {
    simulation
        .lines()
        .filter_map(|line| line.strip_prefix("Remv ").or_else(|| line.strip_prefix("Purg ")))
        .filter_map(|line| line.split_whitespace().next())
        .collect()
}

/// apt-get's arguments, the configuration first.
fn arguments(configuration: &Path, group: &Group) -> Vec<String> {
    let mut all = vec!["-c".to_owned(), configuration.display().to_string()];
    all.extend(["install", "--no-install-recommends", "-y"].map(str::to_owned));
    if let Some(suite) = &group.suite {
        all.extend(["-t".to_owned(), suite.clone()]);
    }
    all.extend(group.packages.iter().map(|&package| package.to_owned()));
    all
}

/// The names of all packages.
fn names(groups: &[Group]) -> String {
    groups.iter().flat_map(|group| &group.packages).copied().collect::<Vec<_>>().join(" ")
}

/// What to type to install by hand with the private configuration.
fn instructions(apt: &Apt, groups: &[Group]) -> String {
    let commands: Vec<_> = groups
        .iter()
        .map(|group| format!("    apt-get {}", arguments(&apt.configuration(), group).join(" ")))
        .collect();
    format!("run this as root, then try again:\n{}", commands.join("\n"))
}

/// What to install where apt cannot be used.
fn by_hand(groups: &[Group]) -> String {
    let release = mirror::running_release().unwrap_or_else(|| "of another kind".to_owned());
    let mut text =
        format!("cannot install on this machine (release {release}); install by hand: {}", names(groups));
    for group in groups {
        if let Some(suite) = &group.suite {
            text += &format!(" ({} from {suite})", group.packages.join(" "));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_simulated_removal_is_seen() {
        let text = "Reading package lists...\nInst dtc (1.6 Debian:12 [amd64])\n\
                    Remv gcc-11 [11.3]\nPurg old [1]\nConf dtc (1.6)\n";
        assert_eq!(removed(text), ["gcc-11", "old"]);
        assert!(removed("Inst a (1)\nConf a (1)\n").is_empty());
    }

    #[test]
    fn a_group_is_installed_from_its_suite_without_recommendations() {
        let group = Group { suite: Some("bookworm-backports".to_owned()), packages: vec!["qemu-system-arm"] };
        let line = arguments(Path::new("c"), &group).join(" ");
        assert_eq!(line, "-c c install --no-install-recommends -y -t bookworm-backports qemu-system-arm");
    }

    #[test]
    fn what_to_install_by_hand_names_package_and_suite() {
        let group = Group { suite: Some("x-backports".to_owned()), packages: vec!["qemu-system-arm"] };
        let text = by_hand(&[group, Group { suite: None, packages: vec!["make"] }]);
        assert!(text.contains("qemu-system-arm make") && text.contains("from x-backports"), "{text}");
    }
}

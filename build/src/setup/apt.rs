//! Private configurations of apt under `target/apt`: nothing of the machine's own is read but its mirror's
//! address, its proxy settings and Debian's keys, and nothing is written.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::time::Duration;

use anyhow::{Context, Error, Result, bail};

use super::mirror::{self, Mirror};
use super::{sources, step};
use crate::project;

/// The keys that Debian's suites are signed with.
const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// The suites that sources are fetched from.
const SOURCE_SUITES: &[&str] = &["trixie", "forky", "sid"];

/// The suites that arm64 packages are fetched from, the steadier one first; never installed from.
pub const PACKAGE_SUITES: &[&str] = &["forky", "sid"];

/// How long fetching the lists may take.
const UPDATE_LIMIT: Duration = Duration::from_secs(600);

/// The configurations whose lists this process has fetched already.
static UPDATED: Mutex<Vec<&'static str>> = Mutex::new(Vec::new());

/// What a private configuration is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Installing on this machine: its own release only, as any other would replace its C library.
    Install,
    /// Fetching sources and arm64 packages of newer releases, without installing anything.
    Download,
}

impl Purpose {
    /// Name of its folder.
    fn name(self) -> &'static str {
        match self {
            Self::Install => "install",
            Self::Download => "download",
        }
    }
}

/// A private configuration whose lists are there.
pub struct Apt {
    folder: PathBuf,
}

impl Apt {
    /// Writes the configuration and fetches its lists, from the first of the machine's mirrors that has them
    /// with Debian's signatures. The lists are fetched once in a process.
    ///
    /// # Errors
    /// If the machine is not a Debian machine with its keys and a mirror, or no mirror has the lists.
    pub fn open(purpose: Purpose) -> Result<Self> {
        let folder = project::target().join("apt").join(purpose.name());
        let apt = Self { folder };
        let mut updated = UPDATED.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if updated.contains(&purpose.name()) {
            return Ok(apt);
        }
        if !Path::new(KEYRING).exists() {
            bail!("{KEYRING} is missing: install the package debian-archive-keyring");
        }
        let mut failure: Option<Error> = None;
        for sources in candidates(purpose)? {
            apt.write(purpose, &sources)?;
            match apt.update(purpose) {
                Ok(()) => {
                    updated.push(purpose.name());
                    return Ok(apt);
                }
                Err(error) => failure = failure.or(Some(error)),
            }
        }
        Err(failure.unwrap_or_else(|| Error::msg("no mirror of Debian to try")))
    }

    /// The configuration file, to be given to any apt tool by `-c`.
    #[must_use]
    pub fn configuration(&self) -> PathBuf {
        self.folder.join("apt.conf")
    }

    /// An apt tool that uses this configuration.
    #[must_use]
    pub fn tool(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.arg("-c").arg(self.configuration()).env("LC_ALL", "C");
        command
    }

    /// Removes what an installation left in the cache: packages, and files of root's.
    ///
    /// # Errors
    /// If it cannot be removed.
    pub fn clean(&self) -> Result<()> {
        sources::remove(&self.folder.join("cache"))
    }

    /// Writes `apt.conf` and the sources, and makes the folders that apt wants to be there.
    fn write(&self, purpose: Purpose, sources: &str) -> Result<()> {
        let folder = &self.folder;
        for part in ["sources", "lists/partial", "cache/archives/partial"] {
            fs::create_dir_all(folder.join(part))
                .with_context(|| format!("cannot make {}", folder.join(part).display()))?;
        }
        fs::write(folder.join("sources/debian.sources"), sources)?;
        let mut text = settings(folder);
        if purpose == Purpose::Download {
            fs::write(folder.join("status"), "")?;
            text += &foreign(folder);
        }
        fs::write(self.configuration(), text)?;
        Ok(())
    }

    /// Fetches the lists. Signatures are checked by apt; an index that cannot be had is an error.
    fn update(&self, purpose: Purpose) -> Result<()> {
        let what = match purpose {
            Purpose::Install => "fetching the lists of packages of this Debian",
            Purpose::Download => "fetching the lists of newer Debian suites",
        };
        let name = format!("apt-{}-update", purpose.name());
        let mut command = self.tool("apt-get");
        step::run(&name, what, command.args(["-o", "APT::Update::Error-Mode=any", "update"]), UPDATE_LIMIT)
    }
}

/// The contents of the sources file, in the order in which to try them.
fn candidates(purpose: Purpose) -> Result<Vec<String>> {
    let mirrors = mirror::find()?;
    match purpose {
        Purpose::Download => Ok(mirrors.iter().map(download_sources).collect()),
        Purpose::Install => {
            let release = mirror::running_release()
                .context("this is no Debian release that can be named (/etc/os-release)")?;
            let own: Vec<_> = mirrors.iter().filter(|mirror| mirror.serves(&release)).collect();
            if own.is_empty() {
                bail!(
                    "this machine runs Debian {release}, but none of apt's sources serves {release}; \
                     packages of another release would replace its C library"
                );
            }
            let mut all = Vec::new();
            for mirror in own {
                all.push(install_sources(mirror, &release, mirror.security.as_deref()));
                // A guessed address may not exist; the plain suite has what is needed, too.
                if mirror.security.is_some() {
                    all.push(install_sources(mirror, &release, None));
                }
            }
            Ok(all)
        }
    }
}

/// What both configurations have in common.
fn settings(folder: &Path) -> String {
    let at = |part: &str| folder.join(part).display().to_string();
    let mut text = String::new();
    for (name, value) in [
        ("Dir::Etc::sourcelist", "/dev/null".to_owned()),
        ("Dir::Etc::sourceparts", at("sources")),
        ("Dir::Etc::preferences", "/dev/null".to_owned()),
        ("Dir::Etc::preferencesparts", "/dev/null".to_owned()),
        ("Dir::State::lists", at("lists")),
        ("Dir::Cache", at("cache")),
        // Mirrors that lag behind serve lists that have expired; their signatures are checked all the same.
        ("Acquire::Check-Valid-Until", "false".to_owned()),
        ("Acquire::Languages", "none".to_owned()),
        ("Acquire::Retries", "3".to_owned()),
        // The folder belongs to whoever builds; apt's own user could not write there.
        ("APT::Sandbox::User", "root".to_owned()),
        ("Dpkg::Use-Pty", "false".to_owned()),
    ] {
        let _ = writeln!(text, "{name} \"{value}\";");
    }
    text
}

/// What makes a configuration one of an arm64 machine without any package.
fn foreign(folder: &Path) -> String {
    let status = folder.join("status");
    format!(
        "#clear APT::Architectures;\nAPT::Architecture \"arm64\";\nAPT::Architectures {{ \"arm64\"; }};\n\
         Dir::State::status \"{}\";\n",
        status.display()
    )
}

/// The machine's own release with its updates, security and backports.
fn install_sources(mirror: &Mirror, release: &str, security: Option<&str>) -> String {
    let suites = format!("{release} {release}-updates {release}-backports");
    let mut text = paragraph("deb", &mirror.archive, &suites);
    if let Some(security) = security {
        text += &paragraph("deb", security, &format!("{release}-security"));
    }
    text
}

/// The newer suites, sources and packages.
fn download_sources(mirror: &Mirror) -> String {
    paragraph("deb", &mirror.archive, &PACKAGE_SUITES.join(" "))
        + &paragraph("deb-src", &mirror.archive, &SOURCE_SUITES.join(" "))
}

/// One paragraph of a sources file (sources.list(5), deb822 style).
fn paragraph(types: &str, address: &str, suites: &str) -> String {
    format!(
        "Types: {types}\nURIs: {address}\nSuites: {suites}\nComponents: main\nTargets: Packages Sources\n\
         Signed-By: {KEYRING}\n\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mirror() -> Mirror {
        Mirror {
            archive: "http://mirror.example/debian".to_owned(),
            security: Some("http://mirror.example/debian-security".to_owned()),
            suites: vec!["bookworm".to_owned()],
        }
    }

    #[test]
    fn nothing_is_installed_from_another_release() {
        let mirror = mirror();
        let text = install_sources(&mirror, "bookworm", mirror.security.as_deref());
        let suites: Vec<_> = text
            .lines()
            .filter_map(|line| line.strip_prefix("Suites: "))
            .flat_map(str::split_whitespace)
            .collect();
        assert_eq!(suites, ["bookworm", "bookworm-updates", "bookworm-backports", "bookworm-security"]);
        assert!(SOURCE_SUITES.iter().all(|newer| !text.contains(newer)));
    }

    #[test]
    fn every_source_names_debians_keys() {
        let mirror = mirror();
        for text in
            [install_sources(&mirror, "bookworm", Some("http://s.example")), download_sources(&mirror)]
        {
            assert_eq!(text.matches("Types: ").count(), text.matches(KEYRING).count());
        }
    }
}

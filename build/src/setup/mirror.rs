//! Which of the machine's apt sources serve Debian, and where its security suites are.

use std::fs;
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::step;

/// The suites that Debian has under fixed names; anything else a source serves is not Debian's archive.
const SUITES: &[&str] = &[
    "oldoldstable",
    "oldstable",
    "stable",
    "testing",
    "unstable",
    "buster",
    "bullseye",
    "bookworm",
    "trixie",
    "forky",
    "duke",
    "sid",
];

/// A mirror of Debian's archive, with the one of its security suites.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mirror {
    /// Address of the archive, as apt takes it.
    pub archive: String,
    /// Address of the security suites; `None` if neither named nor to be guessed.
    pub security: Option<String>,
    /// The suites that the machine takes from it, without `-updates` and the like.
    pub suites: Vec<String>,
}

impl Mirror {
    /// Whether the machine takes the release of this code name from it.
    #[must_use]
    pub fn serves(&self, release: &str) -> bool {
        // A source may name its suite by role; the mirror has every release that is supported by both names.
        let roles = ["oldoldstable", "oldstable", "stable", "testing", "unstable"];
        self.suites.iter().any(|suite| suite == release || roles.contains(&suite.as_str()))
    }
}

/// The mirrors that the machine's apt is configured for, the likeliest first.
///
/// # Errors
/// If apt cannot be asked or has no source that serves a Debian suite.
pub fn find() -> Result<Vec<Mirror>> {
    // Not `indextargets`: that names only sources whose lists were fetched, and a new machine may have none.
    let addresses = step::output(Command::new("apt-get").args(["update", "--print-uris"]))
        .context("cannot ask apt for its sources")?;
    let lines = releases(&addresses);
    let mirrors = parse(&lines);
    if mirrors.is_empty() {
        bail!(
            "apt's sources name no mirror of Debian; add one line such as\n    \
             deb ADDRESS-OF-A-DEBIAN-MIRROR bookworm main\nto /etc/apt/sources.list"
        );
    }
    Ok(mirrors)
}

/// Lines of "address suite" for the suites whose signed lists `apt-get update` would fetch.
fn releases(addresses: &str) -> String {
    let release = |line: &str| {
        let (address, _) = line.strip_prefix('\'')?.split_once('\'')?;
        let (site, path) = address.split_once("/dists/")?;
        Some(format!("{site} {}\n", path.strip_suffix("/InRelease")?))
    };
    addresses.lines().filter_map(release).collect()
}

/// Reads lines of "address suite".
fn parse(lines: &str) -> Vec<Mirror> {
    let mut mirrors: Vec<Mirror> = Vec::new();
    let mut hits: Vec<(String, usize)> = Vec::new();
    let mut security: Option<String> = None;
    for (site, release) in lines.lines().filter_map(|line| line.trim().rsplit_once(' ')) {
        let site = site.trim_end_matches('/');
        // Sources on disks that must be put in cannot be asked for other suites.
        if site.starts_with("cdrom:") {
            continue;
        }
        let (base, kind) = release.split_once(['-', '/']).unwrap_or((release, ""));
        if !SUITES.contains(&base) {
            continue;
        }
        match kind {
            "security" => {
                security.get_or_insert_with(|| site.to_owned());
            }
            "" | "updates" | "backports" | "proposed-updates" => {
                count(&mut hits, site);
                let known = mirrors.iter_mut().find(|mirror| mirror.archive == site);
                match known {
                    Some(mirror) if !mirror.suites.iter().any(|suite| suite == base) => {
                        mirror.suites.push(base.to_owned());
                    }
                    Some(_) => {}
                    None => mirrors.push(Mirror {
                        archive: site.to_owned(),
                        security: None,
                        suites: vec![base.to_owned()],
                    }),
                }
            }
            _ => {}
        }
    }
    // Others publish for Debian under its suites' names, but hardly -updates and -backports as well.
    mirrors.sort_by_key(|mirror| {
        let hit = hits.iter().find(|(site, _)| *site == mirror.archive);
        std::cmp::Reverse(hit.map_or(0, |(_, count)| *count))
    });
    for mirror in &mut mirrors {
        mirror.security = security.clone().or_else(|| security_beside(&mirror.archive));
    }
    mirrors
}

/// Notes one more index of `site`.
fn count(hits: &mut Vec<(String, usize)>, site: &str) {
    match hits.iter_mut().find(|(known, _)| known == site) {
        Some((_, count)) => *count += 1,
        None => hits.push((site.to_owned(), 1)),
    }
}

/// Where a mirror that has the archive under `debian` has the security suites, if it has them.
fn security_beside(archive: &str) -> Option<String> {
    archive.strip_suffix("/debian").map(|host| format!("{host}/debian-security"))
}

/// The code name of the release that the machine runs, as /etc/os-release says; `None` if it is not Debian.
pub fn running_release() -> Option<String> {
    release_of(&fs::read_to_string("/etc/os-release").ok()?)
}

/// Reads ID and VERSION_CODENAME.
fn release_of(os_release: &str) -> Option<String> {
    let field = |name: &str| {
        let line = os_release.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='))?;
        Some(line.trim().trim_matches('"').to_owned())
    };
    if field("ID")? != "debian" {
        return None;
    }
    field("VERSION_CODENAME")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mirror_with_the_most_debian_suites_comes_first() {
        let mirrors = parse(
            "https://tools.example/linux/debian bookworm\n\
             http://mirror.example/debian bookworm\n\
             http://mirror.example/debian bookworm-updates\n\
             http://sec.example/debian-security bookworm-security\n\
             https://node.example/x nodistro\n\
             https://cloud.example/apt cloud-sdk-bookworm\n",
        );
        let archives: Vec<_> = mirrors.iter().map(|mirror| mirror.archive.as_str()).collect();
        assert_eq!(archives, ["http://mirror.example/debian", "https://tools.example/linux/debian"]);
        assert_eq!(mirrors[0].security.as_deref(), Some("http://sec.example/debian-security"));
        assert_eq!(mirrors[0].suites, ["bookworm"]);
    }

    #[test]
    fn sources_are_read_from_what_an_update_would_fetch() {
        let text = releases(
            "'http://mirror.example/debian/dists/bookworm/InRelease' mirror_InRelease 0 \n\
             'http://mirror.example/debian/dists/bookworm/main/binary-amd64/Packages.xz' mirror_Packages 0 \n\
             'http://sec.example/debian-security/dists/bookworm-security/InRelease' sec_InRelease 0 \n\
             'http://flat.example/./InRelease' flat_InRelease 0 \n",
        );
        assert_eq!(
            text,
            "http://mirror.example/debian bookworm\nhttp://sec.example/debian-security bookworm-security\n"
        );
    }

    #[test]
    fn security_is_sought_beside_the_archive_when_no_source_names_it() {
        let mirrors = parse("http://mirror.example/debian/ bookworm\n");
        assert_eq!(mirrors[0].security.as_deref(), Some("http://mirror.example/debian-security"));
        assert_eq!(parse("http://mirror.example/pub bookworm\n")[0].security, None);
    }

    #[test]
    fn disks_and_foreign_suites_are_no_mirrors() {
        assert!(parse("cdrom:[Debian 12]/ bookworm\nhttp://x.example/debian jammy\n").is_empty());
    }

    #[test]
    fn only_debian_has_a_running_release() {
        assert_eq!(release_of("ID=debian\nVERSION_CODENAME=bookworm\n").as_deref(), Some("bookworm"));
        assert_eq!(release_of("ID=ubuntu\nVERSION_CODENAME=jammy\n"), None);
        assert_eq!(release_of("PRETTY_NAME=\"x\"\nID=debian\n"), None);
    }
}

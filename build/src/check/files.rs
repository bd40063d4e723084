//! What every tracked file keeps to: its length, its first line, and no trace of the machine it was written on.

use std::path::Path;

/// Lines beyond which a file has more than one duty.
const LONGEST: usize = 500;

/// Hosts that the project may name: where its sources, its documents and its licences are.
const PUBLIC_HOSTS: &[&str] = &[
    "arm.com",
    "apache.org",
    "crates.io",
    "debian.org",
    "docs.rs",
    "github.com",
    "kernel.org",
    "opensource.org",
    "qemu.org",
    "rust-lang.org",
    "semver.org",
    "keepachangelog.com",
    "spdx.org",
    "trustedfirmware.org",
    "devicetree.org",
    "uefi.org",
    "rustup.rs",
];

/// The end of names that stand for any host and belong to none (RFC 2606).
const EXAMPLE: &str = ".example";

/// Top-level folders in which a machine keeps what is its own.
const PRIVATE_FOLDERS: &[&str] = &["home", "root", "tmp", "work", "Users"];

/// The violations of one tracked text file. `machine` holds this machine's own words: its name, the user's home.
pub fn check(path: &Path, text: &str, machine: &[String]) -> Vec<String> {
    let mut found = Vec::new();
    let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
    let lines = text.lines().count();
    if matches!(extension, "rs" | "S" | "s" | "ld" | "dts" | "dtsi" | "mk") && lines > LONGEST {
        found.push(format!("{}: {lines} lines; at most {LONGEST}", path.display()));
    }
    let duty = match extension {
        "rs" => text.starts_with("//!"),
        "S" | "s" | "ld" => ["//", "/*", "#"].iter().any(|start| text.starts_with(start)),
        _ => true,
    };
    if !duty {
        found.push(format!("{}: the first line does not say the file's duty", path.display()));
    }
    // A lock file is written by Cargo, and its addresses are those of the public registry.
    if path.file_name().is_some_and(|name| name != "Cargo.lock") {
        for (index, line) in text.lines().enumerate() {
            let traces = private_path(line)
                .into_iter()
                .chain(private_host(line))
                .chain(machine.iter().filter(|word| line.contains(word.as_str())).map(String::as_str));
            found.extend(
                traces.map(|trace| format!("{}:{}: `{trace}` is of one machine", path.display(), index + 1)),
            );
        }
    }
    found
}

/// An absolute path into one of the private folders.
fn private_path(line: &str) -> Option<&str> {
    line.match_indices('/').find_map(|(at, _)| {
        let starts =
            !line[..at].ends_with(|before: char| before.is_alphanumeric() || "./_-}~*)>".contains(before));
        let rest = &line[at + 1..];
        let folder = PRIVATE_FOLDERS.iter().find(|folder| {
            rest.strip_prefix(**folder)
                .and_then(|rest| rest.strip_prefix('/'))
                .is_some_and(|rest| rest.starts_with(|next: char| next.is_alphanumeric() || next == '.'))
        })?;
        starts.then(|| &line[at..at + 1 + folder.len()])
    })
}

/// The host of an address that is none of the public ones.
fn private_host(line: &str) -> Option<&str> {
    line.match_indices("://").find_map(|(at, separator)| {
        if !line[..at].ends_with("http") && !line[..at].ends_with("https") {
            return None;
        }
        let rest = &line[at + separator.len()..];
        let end = rest.find(|next: char| !next.is_ascii_alphanumeric() && next != '.' && next != '-');
        let host = &rest[..end.unwrap_or(rest.len())];
        let public = PUBLIC_HOSTS
            .iter()
            .any(|public| host == *public || host.strip_suffix(public).is_some_and(|sub| sub.ends_with('.')))
            || host.ends_with(EXAMPLE);
        // An address that is put together at run time has no host here.
        (!public && !host.is_empty()).then_some(host)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn violations(name: &str, text: &str) -> usize {
        check(Path::new(name), text, &["builder-7".to_owned()]).len()
    }

    #[test]
    fn a_file_says_its_duty_first() {
        assert_eq!(violations("a.rs", "//! Counts.\n"), 0);
        assert_eq!(violations("a.rs", "use std::fs;\n"), 1);
        assert_eq!(violations("a.S", "mov x0, x1\n"), 1);
        assert_eq!(violations("a.S", "// Enters.\n"), 0);
    }

    #[test]
    fn a_file_has_at_most_500_lines() {
        let lines = |count: usize| format!("//! Long.\n{}", "\n".repeat(count - 1));
        assert_eq!(violations("a.rs", &lines(500)), 0);
        assert_eq!(violations("a.rs", &lines(501)), 1);
    }

    #[test]
    fn paths_and_names_of_a_machine_are_found() {
        let private = ["", "home", "me", "x"].join("/");
        assert_eq!(violations("a.md", &format!("see {private} there")), 1);
        assert_eq!(violations("a.md", &format!("see target{private}")), 0);
        assert_eq!(violations("a.md", "built on builder-7"), 1);
    }

    #[test]
    fn only_public_hosts_may_be_named() {
        let address = |host: &str| ["https:", "", host, "x"].join("/");
        assert_eq!(violations("a.md", &address("mirror.internal")), 1);
        assert_eq!(violations("a.md", &address("static.crates.io")), 0);
        assert_eq!(violations("a.md", &address("mirror.example")), 0);
    }
}

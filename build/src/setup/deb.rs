//! Reads single files out of Debian's binary packages.

use std::io::Read;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use tar::Archive;

/// A file of a package: its path without a leading `./`, and its contents.
pub type File = (String, Vec<u8>);

/// The regular files of `package` whose path is `wanted`.
///
/// # Errors
/// If the package cannot be read.
pub fn files(package: &Path, wanted: impl Fn(&str) -> bool) -> Result<Vec<File>> {
    let unreadable = || format!("cannot read {}", package.display());
    let mut child = Command::new("dpkg-deb")
        .arg("--fsys-tarfile")
        .arg(package)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .context("cannot start dpkg-deb")?;
    let output = child.stdout.take().context("dpkg-deb has no output")?;
    let found = select(output, wanted).with_context(unreadable);
    let status = child.wait()?;
    if !status.success() {
        bail!("{}: dpkg-deb failed ({status})", unreadable());
    }
    found
}

/// The wanted regular files of a tar archive, which is read to its end.
fn select(input: impl Read, wanted: impl Fn(&str) -> bool) -> Result<Vec<File>> {
    let mut archive = Archive::new(input);
    let mut found = Vec::new();
    for entry in archive.entries()? {
        let mut entry = entry?;
        let path = entry.path()?.to_string_lossy().into_owned();
        let path = path.trim_start_matches("./");
        if !entry.header().entry_type().is_file() || !wanted(path) {
            continue;
        }
        let mut contents = Vec::new();
        entry.read_to_end(&mut contents)?;
        found.push((path.to_owned(), contents));
    }
    // Whoever writes the archive must not meet a closed pipe.
    std::io::copy(&mut archive.into_inner(), &mut std::io::sink())?;
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_wanted_files_are_taken() {
        let mut builder = tar::Builder::new(Vec::new());
        for (path, contents) in [("./usr/a", &b"one"[..]), ("./usr/b", b"two")] {
            let mut header = tar::Header::new_gnu();
            header.set_size(contents.len() as u64);
            header.set_mode(0o644);
            header.set_cksum();
            builder.append_data(&mut header, path, contents).unwrap();
        }
        let archive = builder.into_inner().unwrap();
        let found = select(&archive[..], |path| path == "usr/b").unwrap();
        assert_eq!(found, [("usr/b".to_owned(), b"two".to_vec())]);
    }
}

//! Debian source packages: fetched once, checked by their sum, unpacked once.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, BufReader, Read};
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use bzip2::read::BzDecoder;
use flate2::read::GzDecoder;
use liblzma::read::XzDecoder;
use sha2::{Digest, Sha256};
use tar::Archive;

use super::apt::{Apt, Purpose};
use super::step::{self, Progress};
use crate::project;

/// How long fetching may take.
const LIMIT: Duration = Duration::from_secs(3600);

/// The original tarball of a source package.
pub struct Source {
    /// Name of the source package.
    pub package: &'static str,
    /// Its version.
    pub version: &'static str,
    /// Name of the file.
    pub file: &'static str,
    /// SHA-256 of the file.
    pub sha256: &'static str,
}

/// Trusted Firmware-A.
const TFA: Source = Source {
    package: "arm-trusted-firmware",
    version: "2.12.1+dfsg-1",
    file: "arm-trusted-firmware_2.12.1+dfsg.orig.tar.xz",
    sha256: "332c08d71867b7f0dce0bce4cb2abd80f19cb3e0a2de6fe07245c111189d6fb7",
};

/// The source package of Mbed TLS.
const MBEDTLS: &str = "mbedtls";

/// The unpacked source of Trusted Firmware-A.
///
/// # Errors
/// If it cannot be fetched or unpacked.
pub fn tfa() -> Result<PathBuf> {
    TFA.unpacked()
}

/// The source of Mbed TLS, unpacked: of whatever version its suite has, since that changes with each security update. That
/// it is Debian's, apt finds out by the suite's signature.
///
/// # Errors
/// If it cannot be fetched or unpacked.
pub fn mbedtls() -> Result<PathBuf> {
    /// TF-A takes versions 3; a mirror may lag behind in one of the suites.
    const SUITES: [&str; 2] = ["trixie", "sid"];
    let folder = project::target().join("sources").join(MBEDTLS);
    if folder.exists() {
        return Ok(folder);
    }
    let partial = project::downloads().join(MBEDTLS);
    let [first, second] = SUITES;
    let tarball = newest(first, &partial).or_else(|error| newest(second, &partial).map_err(|_| error))?;
    let progress = Progress::start(&format!("unpacking {}", tarball.display()));
    let new = folder.with_extension("new");
    remove(&new)?;
    unpack(&tarball, &new, |path| ["include", "library"].iter().any(|part| path.starts_with(part)))?;
    fs::rename(&new, &folder)?;
    remove(&partial)?;
    progress.done();
    Ok(folder)
}

/// Fetches the tarball of Mbed TLS in a suite into a folder of its own.
fn newest(suite: &str, folder: &Path) -> Result<PathBuf> {
    let apt = Apt::open(Purpose::Download)?;
    remove(folder)?;
    fs::create_dir_all(folder)?;
    let mut command = apt.tool("apt-get");
    command.args(["source", "--download-only", "--tar-only"]);
    command.arg(format!("{MBEDTLS}/{suite}")).current_dir(folder);
    let what = format!("fetching the source of {MBEDTLS} in {suite}");
    step::run(&format!("fetch-{MBEDTLS}"), &what, &mut command, LIMIT)?;
    let files = fs::read_dir(folder)?.map(|file| Ok(file?.path())).collect::<Result<Vec<_>>>()?;
    match &files[..] {
        [tarball] => Ok(tarball.clone()),
        _ => bail!("apt-get fetched {files:?} of {MBEDTLS}, not one tarball"),
    }
}

impl Source {
    /// The tarball, fetched unless it is there already.
    ///
    /// # Errors
    /// If it cannot be fetched, or is not the file that it should be.
    pub fn fetch(&self) -> Result<PathBuf> {
        let file = project::downloads().join(self.file);
        if file.exists() && sha256(&file)? == self.sha256 {
            return Ok(file);
        }
        let apt = Apt::open(Purpose::Download)?;
        // apt-get writes into its working folder and goes on there with what an earlier attempt left.
        let partial = project::downloads().join("partial");
        fs::create_dir_all(&partial)?;
        let mut command = apt.tool("apt-get");
        command.args(["source", "--download-only", "--tar-only"]);
        command.arg(format!("{}={}", self.package, self.version)).current_dir(&partial);
        step::run(
            &format!("fetch-{}", self.package),
            &format!("fetching the source of {} {}", self.package, self.version),
            &mut command,
            LIMIT,
        )?;
        let fetched = partial.join(self.file);
        let sum = sha256(&fetched)?;
        if sum != self.sha256 {
            fs::remove_file(&fetched)?;
            bail!("{}: the SHA-256 is {sum}, but must be {}", self.file, self.sha256);
        }
        fs::rename(&fetched, &file)?;
        Ok(file)
    }

    /// The folder with the whole source.
    fn unpacked(&self) -> Result<PathBuf> {
        let folder = project::target().join("sources").join(self.package);
        let stamp = folder.join(".source.sha256");
        if fs::read_to_string(&stamp).is_ok_and(|sum| sum == self.sha256) {
            return Ok(folder);
        }
        let tarball = self.fetch()?;
        let progress = Progress::start(&format!("unpacking {}", self.file));
        let new = folder.with_extension("new");
        remove(&new)?;
        unpack(&tarball, &new, |_| true)?;
        fs::write(new.join(".source.sha256"), self.sha256)?;
        remove(&folder)?;
        fs::rename(&new, &folder)?;
        progress.done();
        Ok(folder)
    }
}

/// Removes a folder if it is there.
///
/// # Errors
/// If it is there and cannot be removed.
pub fn remove(folder: &Path) -> Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", folder.display()))
        }
        _ => Ok(()),
    }
}

/// Unpacks those files of a compressed tarball whose path below its top folder is `wanted`, without the top folder.
///
/// # Errors
/// If the archive is damaged or a file cannot be written.
pub fn unpack(tarball: &Path, folder: &Path, wanted: impl Fn(&Path) -> bool) -> Result<()> {
    let damaged = || format!("cannot unpack {}", tarball.display());
    fs::create_dir_all(folder)?;
    let file = BufReader::new(File::open(tarball).with_context(damaged)?);
    let content: Box<dyn Read> = match tarball.extension().and_then(OsStr::to_str) {
        Some("bz2") => Box::new(BzDecoder::new(file)),
        Some("gz") => Box::new(GzDecoder::new(file)),
        _ => Box::new(XzDecoder::new_multi_decoder(file)),
    };
    let mut archive = Archive::new(content);
    for entry in archive.entries().with_context(damaged)? {
        let mut entry = entry.with_context(damaged)?;
        let Some(path) = below_top(&entry.path().with_context(damaged)?) else { continue };
        if !wanted(&path) {
            continue;
        }
        let place = folder.join(&path);
        if let Some(parent) = place.parent() {
            fs::create_dir_all(parent)?;
        }
        entry.unpack(&place).with_context(damaged)?;
    }
    Ok(())
}

/// A path without its first component; `None` for the top folder and for a path that leaves it.
fn below_top(path: &Path) -> Option<PathBuf> {
    let parts: Vec<_> = path.components().filter(|part| *part != Component::CurDir).collect();
    if parts.len() < 2 || parts.iter().any(|part| !matches!(part, Component::Normal(_))) {
        return None;
    }
    Some(parts[1..].iter().collect())
}

/// The SHA-256 of a file, in hexadecimal.
///
/// # Errors
/// If it cannot be read.
pub fn sha256(file: &Path) -> Result<String> {
    let cannot = || format!("cannot read {}", file.display());
    let mut reader = File::open(file).with_context(cannot)?;
    let mut hash = Sha256::new();
    let mut block = vec![0; 1 << 16];
    loop {
        let count = reader.read(&mut block).with_context(cannot)?;
        if count == 0 {
            break;
        }
        hash.update(&block[..count]);
    }
    Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_top_folder_is_left_out_and_nothing_leaves_the_folder() {
        let below = |path: &str| below_top(Path::new(path));
        assert_eq!(below("top/a/b"), Some(PathBuf::from("a/b")));
        assert_eq!(below("./top/a"), Some(PathBuf::from("a")));
        assert_eq!(below("top/"), None);
        assert_eq!(below("top/../../etc"), None);
        assert_eq!(below("/top/a"), None);
    }

    #[test]
    fn the_sum_is_that_of_the_standard() {
        // FIPS 180-4's example for "abc".
        let file = std::env::temp_dir().join(format!("xtask-sum-{}", std::process::id()));
        fs::write(&file, "abc").unwrap();
        let sum = sha256(&file).unwrap();
        fs::remove_file(&file).unwrap();
        assert_eq!(sum, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }
}

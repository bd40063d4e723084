//! A Debian arm64 kernel that has the FF-A driver, and a busybox to go with it.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Error, Result, bail};
use liblzma::read::XzDecoder;

use super::apt::{Apt, PACKAGE_SUITES, Purpose};
use super::{deb, sources, step};
use crate::project;

/// The package that names the current kernel; the cloud flavour is the smallest.
const META: &str = "linux-image-cloud-arm64";

/// The option without which a kernel has no FF-A driver.
const OPTION: &str = "CONFIG_ARM_FFA_TRANSPORT";

/// The modules of the driver, in the order in which they are loaded.
const MODULES: &[&str] = &["ffa-core", "ffa-module"];

/// Where an arm64 `Image` has its magic number, and which (Linux, Documentation/arch/arm64/booting.rst).
const MAGIC: (usize, &[u8]) = (0x38, b"ARM\x64");

/// Grows with each change to what is kept.
const RECIPE: u32 = 1;

/// How long fetching may take.
const LIMIT: Duration = Duration::from_secs(3600);

/// A kernel and what its initial file system is made of.
pub struct Parts {
    /// The uncompressed arm64 `Image`.
    pub image: PathBuf,
    /// The FF-A driver's modules in the order in which they are loaded; none if it is built in.
    pub modules: Vec<PathBuf>,
    /// A static busybox for arm64.
    pub busybox: PathBuf,
}

/// The kernel, fetched unless it is there already.
///
/// # Errors
/// If no suite has a kernel with the driver, or something cannot be fetched.
pub fn ensure() -> Result<Parts> {
    let folder = project::target().join("linux");
    if !fs::read_to_string(folder.join("stamp")).is_ok_and(|text| text.starts_with(&stamp_start())) {
        let apt = Apt::open(Purpose::Download)?;
        let new = folder.with_extension("new");
        let (kernel, suite) = fetch_first(&apt, &new)?;
        fetch_busybox(&apt, &new, suite)?;
        fs::write(new.join("stamp"), format!("{}{kernel} of {suite}\n", stamp_start()))?;
        sources::remove(&folder)?;
        fs::rename(&new, &folder)?;
    }
    let module = |name: &&str| folder.join(format!("{name}.ko"));
    let modules = MODULES.iter().map(module).filter(|file| file.exists()).collect();
    Ok(Parts { image: folder.join("Image"), modules, busybox: folder.join("busybox") })
}

/// How the stamp of today's recipe begins.
fn stamp_start() -> String {
    format!("recipe {RECIPE}: ")
}

/// Fetches the kernel of the first suite that has the driver; gives its version and the suite.
fn fetch_first(apt: &Apt, folder: &Path) -> Result<(String, &'static str)> {
    let mut reasons = Vec::new();
    for &suite in PACKAGE_SUITES {
        sources::remove(folder)?;
        fs::create_dir_all(folder)?;
        match fetch_kernel(apt, suite, folder) {
            Ok(kernel) => return Ok((kernel, suite)),
            Err(error) => reasons.push(format!("{suite}: {error:#}")),
        }
    }
    Err(Error::msg(format!("no Debian kernel with {OPTION} could be fetched:\n  {}", reasons.join("\n  "))))
}

/// Fetches the kernel of a suite into `folder`.
fn fetch_kernel(apt: &Apt, suite: &str, folder: &Path) -> Result<String> {
    let mut show = apt.tool("apt-cache");
    let text = step::output(show.args(["show", "--no-all-versions", &format!("{META}/{suite}")]))?;
    let kernel = kernel_of(&text).with_context(|| format!("{META} names no kernel"))?;
    // The configuration first: it is small, and says whether the rest is worth fetching.
    let [base] = fetch(apt, suite, [format!("linux-base-{kernel}")])?;
    let path = format!("boot/config-{kernel}");
    let config = one(&base, &|name| name.ends_with(&path) || name.ends_with("/config"))?;
    let driver = option(&String::from_utf8_lossy(&config), OPTION);
    if !matches!(driver, Some('m' | 'y')) {
        bail!("linux-{kernel} is built without {OPTION}");
    }
    let [binary, modules] =
        fetch(apt, suite, [format!("linux-binary-{kernel}"), format!("linux-modules-{kernel}")])?;
    let image = one(&binary, &|name| name.contains("vmlinuz"))?;
    if !image[MAGIC.0.min(image.len())..].starts_with(MAGIC.1) {
        bail!("linux-binary-{kernel} has no uncompressed arm64 Image");
    }
    fs::write(folder.join("Image"), image)?;
    if driver == Some('m') {
        for module in MODULES {
            let packed = one(&modules, &|name| name.ends_with(&format!("/{module}.ko.xz")))?;
            let mut plain = Vec::new();
            XzDecoder::new(&packed[..]).read_to_end(&mut plain)?;
            fs::write(folder.join(format!("{module}.ko")), plain)?;
        }
    }
    Ok(kernel)
}

/// Fetches busybox of a suite into `folder`.
fn fetch_busybox(apt: &Apt, folder: &Path, suite: &str) -> Result<()> {
    let [package] = fetch(apt, suite, ["busybox-static".to_owned()])?;
    fs::write(folder.join("busybox"), one(&package, &|name| name.ends_with("bin/busybox"))?)?;
    Ok(())
}

/// Fetches packages of a suite; apt checks them against the signed lists, and takes what is there already.
fn fetch<const N: usize>(apt: &Apt, suite: &str, names: [String; N]) -> Result<[PathBuf; N]> {
    let folder = project::downloads().join("arm64").join(suite);
    fs::create_dir_all(&folder)?;
    let mut command = apt.tool("apt-get");
    command.arg("download").current_dir(&folder);
    command.args(names.iter().map(|name| format!("{name}/{suite}")));
    let what = format!("fetching {} of {suite}", names.join(" "));
    step::run("fetch-linux", &what, &mut command, LIMIT)?;
    let mut files = Vec::new();
    for name in &names {
        files.push(newest(&folder, name)?);
    }
    files.try_into().map_err(|_| Error::msg("not all packages were fetched"))
}

/// The file of the package that was fetched last.
fn newest(folder: &Path, package: &str) -> Result<PathBuf> {
    let start = format!("{package}_");
    let mut found = Vec::new();
    for file in fs::read_dir(folder)? {
        let file = file?;
        if file.file_name().to_string_lossy().starts_with(&start) {
            found.push((file.metadata()?.modified()?, file.path()));
        }
    }
    let newest = found.into_iter().max().with_context(|| format!("apt-get fetched no {package}"))?;
    Ok(newest.1)
}

/// The one file of a package whose path is `wanted`.
fn one(package: &Path, wanted: &dyn Fn(&str) -> bool) -> Result<Vec<u8>> {
    let mut found = deb::files(package, wanted)?;
    match (found.pop(), found.pop()) {
        (Some((_, contents)), None) => Ok(contents),
        (None, _) => bail!("{} does not have the file that is wanted", package.display()),
        (Some((a, _)), Some((b, _))) => bail!("{} has both {a} and {b}", package.display()),
    }
}

/// The version of the kernel that the meta package depends on.
fn kernel_of(record: &str) -> Option<String> {
    let depends = record.lines().find_map(|line| line.strip_prefix("Depends:"))?;
    let package =
        depends.split([',', '|']).map(str::trim).find_map(|item| item.strip_prefix("linux-image-"))?;
    Some(package.split([' ', '(']).next()?.to_owned())
}

/// The value of a kernel option that is `y` or `m`.
fn option(config: &str, name: &str) -> Option<char> {
    config.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('=')?.chars().next())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_meta_package_names_its_kernel() {
        let record = "Package: linux-image-cloud-arm64\n\
                      Depends: linux-image-7.2.12+deb14-cloud-arm64 (= 7.2.12-1), linux-base\n";
        assert_eq!(kernel_of(record).as_deref(), Some("7.2.12+deb14-cloud-arm64"));
        assert_eq!(kernel_of("Package: x\n"), None);
    }

    #[test]
    fn an_option_that_is_not_set_has_no_value() {
        let config = "CONFIG_ARM_FFA_TRANSPORT_X=y\n# CONFIG_B is not set\nCONFIG_ARM_FFA_TRANSPORT=m\n";
        assert_eq!(option(config, OPTION), Some('m'));
        assert_eq!(option(config, "CONFIG_B"), None);
    }
}

//! Secure boot: the keys, and the certificates by which TF-A authenticates what it loads.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::configuration::Packed;
use super::layout::Owner;
use super::tfa::Built;
use crate::project;
use crate::setup::step;

/// How many partitions of one owner BL2 loads.
const OF_ONE_OWNER: usize = 4;
/// Bits of an RSA key that TF-A takes without being told.
const BITS: &str = "2048";

/// The private keys, as PEM files.
#[derive(Clone, Debug)]
pub struct Keys {
    /// The silicon provider's root of trust.
    pub rot: PathBuf,
    /// The platform owner's root of trust.
    pub prot: PathBuf,
    /// What the silicon provider's partitions are signed with.
    pub trusted_world: PathBuf,
}

impl Keys {
    /// The keys in a folder, or in the project's own for want of another; those that are missing are made.
    ///
    /// # Errors
    /// If OpenSSL cannot make one, or a file is no key that TF-A takes.
    pub fn ensure(folder: Option<&Path>) -> Result<Self> {
        let own = project::target().join("keys");
        let folder = folder.unwrap_or(&own);
        fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
        let folder = fs::canonicalize(folder)?;
        // TF-A's make would take it for two files, and make other keys.
        let is_one_word = !folder.to_string_lossy().contains(char::is_whitespace);
        ensure!(is_one_word, "{}: TF-A's make takes no folder with a space in its name", folder.display());
        let [rot, prot, trusted_world] = ["rot", "prot", "trusted_world"].map(|name| folder.join(name));
        let keys = [rot, prot, trusted_world].map(|key| key.with_extension("pem"));
        for key in &keys {
            if !key.exists() {
                eprintln!("making a key: {}", key.display());
                // Only a complete file gets the name that is looked for.
                let new = key.with_extension("new");
                step::output(Command::new("openssl").args(["genrsa", "-out"]).arg(&new).arg(BITS))?;
                fs::rename(&new, key)?;
            }
            check(key)?;
        }
        let [rot, prot, trusted_world] = keys;
        Ok(Self { rot, prot, trusted_world })
    }
}

/// That a file is a private key of TF-A's kind: its make would take the hash of nothing for the hash of another.
fn check(key: &Path) -> Result<()> {
    let mut read = Command::new("openssl");
    read.args(["rsa", "-noout", "-text", "-passin", "pass:", "-in"]).arg(key);
    let text = step::output(&mut read).unwrap_or_default();
    let is_key = text.lines().next().is_some_and(|line| line.contains(&format!("({BITS} bit")));
    ensure!(is_key, "{} is no private RSA key of {BITS} bits without a password", key.display());
    Ok(())
}

/// What is signed: fiptool's and cert_create's option of each image, and the file.
pub type Images<'a> = [(&'a str, PathBuf)];

/// Writes the certificates of the images and the partitions into `folder`; gives fiptool's options for them.
///
/// # Errors
/// If an owner has more partitions than BL2 loads, or a key or an image cannot be read.
pub fn sign(
    tfa: &Built,
    keys: &Keys,
    images: &Images<'_>,
    partitions: &[Packed],
    folder: &Path,
) -> Result<Vec<(String, PathBuf)>> {
    let mut wanted = vec!["tb-fw", "trusted-key", "soc-fw-key", "soc-fw", "tos-fw-key", "tos-fw"];
    if images.iter().any(|(option, _)| *option == "--nt-fw") {
        wanted.push("nt-fw");
    }
    let packages = packages(partitions)?;
    let has = |owner| partitions.iter().any(|partition| partition.owner == owner);
    wanted.extend(
        [(Owner::Sip, "sip-sp"), (Owner::Plat, "plat-sp")]
            .into_iter()
            .filter_map(|(owner, name)| has(owner).then_some(name)),
    );
    let certificates: Vec<_> =
        wanted.iter().map(|name| (format!("--{name}-cert"), folder.join(format!("{name}.crt")))).collect();
    let mut create = Command::new(tfa.file("cert_create"));
    // The keys of the firmware's own certificates are needed once only.
    create.args(["--new-keys", "--tfw-nvctr", "0", "--ntfw-nvctr", "0"]);
    create.arg("--rot-key").arg(&keys.rot).arg("--prot-key").arg(&keys.prot);
    create.arg("--trusted-world-key").arg(&keys.trusted_world);
    for (option, file) in images {
        create.arg(option).arg(file);
    }
    for (option, file) in certificates.iter().chain(&packages) {
        create.arg(option).arg(file);
    }
    step::output(&mut create).context("the certificates")?;
    Ok(certificates)
}

/// The packages by cert_create's options: the platform owner's have the higher numbers.
fn packages(partitions: &[Packed]) -> Result<Vec<(String, PathBuf)>> {
    let mut options = Vec::new();
    for (number, owner) in Owner::ALL.into_iter().enumerate() {
        let of_owner: Vec<_> = partitions.iter().filter(|partition| partition.owner == owner).collect();
        ensure!(
            of_owner.len() <= OF_ONE_OWNER,
            "{} partitions of owner {:?}; with secure boot BL2 loads {OF_ONE_OWNER}",
            of_owner.len(),
            owner.name()
        );
        for (index, partition) in of_owner.into_iter().enumerate() {
            let option = format!("--sp-pkg{}", number * OF_ONE_OWNER + index + 1);
            options.push((option, partition.package.clone()));
        }
    }
    Ok(options)
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::super::configuration::Partition;
    use super::*;

    fn packed(name: &str, owner: Owner) -> Packed {
        let partition = Partition { name: name.to_owned(), id: 0x8001, uuids: Vec::new(), own: true };
        Packed { partition, package: name.into(), uuid: Uuid::nil(), address: 0, owner }
    }

    #[test]
    fn an_owners_partitions_are_numbered_in_the_layouts_order() {
        let partitions = [packed("a", Owner::Plat), packed("b", Owner::Sip), packed("c", Owner::Plat)];
        let options: Vec<_> = packages(&partitions)
            .unwrap()
            .into_iter()
            .map(|(option, file)| format!("{option} {}", file.display()))
            .collect();
        assert_eq!(options, ["--sp-pkg1 b", "--sp-pkg5 a", "--sp-pkg6 c"]);
    }

    #[test]
    fn an_owner_has_four_partitions_at_most() {
        let partitions: Vec<_> = (0..5).map(|_| packed("a", Owner::Plat)).collect();
        assert!(packages(&partitions[1..]).is_ok());
        let error = packages(&partitions).unwrap_err().to_string();
        assert!(error.contains("5 partitions of owner \"Plat\""), "{error}");
    }
}

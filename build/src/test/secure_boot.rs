//! Secure boot: TF-A starts what was signed by those that it trusts, and nothing if a partition is not its owner's.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};

use super::lines::closing;
use super::tally::Tally;
use super::target::{self, places};
use crate::cli::FipArgs;
use crate::fip::secure_boot::Keys;
use crate::fip::{self, Variant};
use crate::machine::Stack;
use crate::platform::Platform;
use crate::project;

/// How many partitions there are.
const PARTITIONS: usize = 8;
/// The first partition of each owner.
const SIP: Image = Image { file: "echo.pkg", id: 41 };
const PLAT: Image = Image { file: "relay.pkg", id: 45 };
/// What else BL2 loads of ours: the list of partitions, the SPMC manifest, the SPMC, the Normal world's first image.
const OTHERS: [Image; 4] = [
    Image { file: "tb_fw_config.dtb", id: 24 },
    Image { file: "spmc.dtb", id: 26 },
    Image { file: "../spmc.bin", id: 4 },
    Image { file: "../normal.bin", id: 5 },
];

/// Something that is in the FIP.
#[derive(Clone, Copy)]
struct Image {
    /// The file, from the firmware's folder.
    file: &'static str,
    /// TF-A's id of it.
    id: u32,
}

/// Boots the partitions of the scenarios, four of each owner.
pub fn run(tally: &mut Tally, platform: Platform) {
    tally.part(&format!("{platform}: secure boot"));
    let args = FipArgs { secure_boot: true, ..fip::tests(platform) };
    match Stack::build(&args, Variant { name: "tests", ..Variant::default() }) {
        Ok(stack) => {
            tally.run("what TF-A has authenticated starts", || starts(&stack));
            tally.run("a changed partition of the silicon provider's is refused at boot", || {
                refused(&tampered(&stack, platform, SIP)?, SIP)
            });
            tally.run("a changed partition of the platform owner's is refused at boot", || {
                refused(&tampered(&stack, platform, PLAT)?, PLAT)
            });
            tally.run("a changed manifest, SPMC or Normal-world image is refused at boot", || {
                OTHERS.into_iter().try_for_each(|image| refused(&tampered(&stack, platform, image)?, image))
            });
        }
        Err(error) => tally.broken(&format!("{platform}: the stack for secure boot builds"), &error),
    }
    tally.run("keys that TF-A cannot take are refused with a message", refused_keys);
    tally.run("a partition that another than its owner has signed is refused at boot", || {
        let keys = Keys::ensure(None)?;
        // Everything else is signed by those who should.
        let prot = stranger()?.prot;
        let signers = Keys { prot, ..keys };
        let variant = Variant { name: "stranger", signers: Some(&signers), ..Variant::default() };
        refused(&Stack::build(&args, variant)?, PLAT)
    });
}

fn starts(stack: &Stack) -> Result<()> {
    const PES: u32 = 2;
    let console = stack.boot(PES, &["-device", &stack.request(target::ALONE)])?;
    let all = console.all();
    let ready = all.matches(", vCPU 0\n").count();
    ensure!(ready == PARTITIONS, "{ready} partitions are ready, not {PARTITIONS}:\n{all}");
    target::complete(&console, PES)?;
    let (passed, failed) =
        console.normal.lines().find_map(closing).context("the image did not come to its end")?;
    ensure!(passed > 0 && failed == 0, "{passed} tests passed, {failed} failed:\n{all}");
    Ok(())
}

/// A flash with one bit changed in the image.
fn tampered(stack: &Stack, platform: Platform, Image { file, .. }: Image) -> Result<Stack> {
    let path = project::firmware(platform).join("secure-boot-tests").join(file);
    let image = fs::read(&path).with_context(|| path.display().to_string())?;
    stack.damaged(|flash| {
        // The end of the last one may be of zeros, as what is not used of the flash.
        let begin = &image[..image.len() / 2];
        let [place] = places(flash, begin)[..] else { bail!("the flash does not hold {file} once") };
        flash[place + begin.len() - 1] ^= 1;
        Ok(())
    })
}

/// BL2 says which image it does not load, and nothing comes after it.
fn refused(stack: &Stack, Image { id, .. }: Image) -> Result<()> {
    let console = stack.boot_until("Failed to load image")?;
    let all = console.all();
    ensure!(all.contains(&format!("BL2: Failed to load image id {id} ")), "it is not refused:\n{all}");
    ensure!(!all.contains("BL31") && !all.contains("ready: "), "something was started:\n{all}");
    Ok(())
}

/// What is no key would be another one to TF-A's make, and a name of two words two files.
fn refused_keys() -> Result<()> {
    let folder = project::target().join("keys/refused");
    let Keys { rot, prot, .. } = Keys::ensure(Some(&folder))?;
    let before = fs::read(&rot)?;
    fs::write(&prot, "no key")?;
    let error = |folder: &Path| Keys::ensure(Some(folder)).err().map(|error| error.to_string());
    let (no_key, spaced) = (error(&folder), error(&folder.join("a b")));
    ensure!(fs::read(&rot)? == before, "a key that was there is another now");
    fs::remove_dir_all(&folder)?;
    let says = |error: Option<String>, word| error.is_some_and(|error| error.contains(word));
    ensure!(says(no_key, "prot.pem is no private RSA key"), "a file that is no key is taken for one");
    ensure!(says(spaced, "a space"), "a folder with a space in its name is taken");
    Ok(())
}

/// Keys of somebody whom TF-A does not know.
fn stranger() -> Result<Keys> {
    let folder = project::target().join("keys/stranger");
    Keys::ensure(Some(&folder))
}

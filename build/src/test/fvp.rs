//! What can be said of the firmware for Arm's model without the model: every file of it is looked at.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use anyhow::{Context, Result, anyhow, ensure};
use fdt::Fdt;
use object::{Object, ObjectSymbol};

use super::tally::Tally;
use crate::cli::FipArgs;
use crate::fip::{self, Bl33, Firmware, Variant};
use crate::image;
use crate::platform::Platform;
use crate::setup::step;

/// Where TF-A has the SPMC on this machine, and the most bytes that it takes of it and of its manifest.
const BASE: u64 = 0x600_0000;
const IMAGE_LIMIT: u64 = 16 << 20;
const MANIFEST_LIMIT: usize = 2816;
/// The most bytes of a package that BL2 loads.
const PACKAGE_LIMIT: usize = 3 << 20;

/// A check of the firmware.
type Check = fn(&Firmware) -> Result<()>;

/// Builds the firmware of the product and of the tests, and checks it.
pub fn run(tally: &mut Tally) {
    tally.part("fvp: the firmware, without a model");
    let platform = Platform::Fvp;
    let product = FipArgs { platform, ..FipArgs::default() };
    let stacks = [
        ("product", product, Variant::default()),
        ("tests", fip::tests(platform), Variant { name: "tests", ..Variant::default() }),
    ];
    for (stack, args, variant) in stacks {
        let name = |what: &str| format!("fvp, {stack}: {what}");
        let checks: [(&str, Check); 4] = [
            ("the FIP holds what was built", contents),
            ("the SPMC manifest fits TF-A and the image", manifest),
            ("TB_FW_CONFIG lists the partitions and no others", partitions),
            ("each package is one, and within its partition's memory", packages),
        ];
        if !checks.iter().any(|(what, _)| tally.wants(&name(what))) {
            continue;
        }
        match fip::build(&args, &Bl33::Tests, variant) {
            Ok(firmware) => {
                for (what, check) in checks {
                    tally.run(&name(what), || check(&firmware));
                }
            }
            Err(error) => tally.broken(&name("the firmware builds"), &error),
        }
    }
}

/// A file beside the FIP.
fn beside(firmware: &Firmware, name: &str) -> Result<Vec<u8>> {
    let file = firmware.flashes.first.with_file_name(name);
    fs::read(&file).with_context(|| file.display().to_string())
}

/// Takes the FIP apart again.
fn contents(firmware: &Firmware) -> Result<()> {
    let fip = &firmware.flashes.first;
    let folder = fip.with_file_name("unpacked");
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    fs::create_dir_all(&folder)?;
    step::output(
        Command::new(fip::fiptool(Platform::Fvp)?).arg("unpack").arg("--out").arg(&folder).arg(fip),
    )?;
    let found = |name: &str| fs::read(folder.join(name)).with_context(|| format!("the FIP has no {name}"));
    let same = |name: &str, wanted: &[u8]| -> Result<()> {
        ensure!(found(name)? == wanted, "{name} in the FIP is not what was built");
        Ok(())
    };
    same("tos-fw.bin", &fs::read(&firmware.spmc.bin)?)?;
    same("tos-fw-config.bin", &beside(firmware, "spmc.dtb")?)?;
    same("tb-fw-config.bin", &beside(firmware, "tb_fw_config.dtb")?)?;
    same("nt-fw.bin", &fs::read(image::normal(Platform::Fvp, &[])?.bin)?)?;
    for name in
        ["tb-fw.bin", "soc-fw.bin", "fw-config.bin", "soc-fw-config.bin", "nt-fw-config.bin", "hw-config.bin"]
    {
        ensure!(!found(name)?.is_empty(), "{name} in the FIP is empty");
    }
    let info = step::output(Command::new(fip::fiptool(Platform::Fvp)?).arg("info").arg(fip))?;
    for (_, uuid, _) in listed(&beside(firmware, "tb_fw_config.dtb")?)? {
        ensure!(info.to_lowercase().contains(&uuid), "the FIP has no package {uuid}");
    }
    Ok(())
}

/// Its size, and its `attribute` node against the image.
fn manifest(firmware: &Firmware) -> Result<()> {
    let blob = beside(firmware, "spmc.dtb")?;
    ensure!(blob.len() <= MANIFEST_LIMIT, "{} bytes; TF-A takes {MANIFEST_LIMIT}", blob.len());
    let tree = Fdt::new(&blob).map_err(|error| anyhow!("{error}"))?;
    let attribute = tree.find_node("/attribute").context("/attribute")?;
    let number = |name: &str| -> Result<u64> {
        let value = attribute.property(name).context(name.to_owned())?.value;
        Ok(value.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)))
    };
    ensure!(number("load_address")? == BASE && number("entrypoint")? == BASE, "not at {BASE:#x}");
    let size = fs::metadata(&firmware.spmc.bin)?.len();
    ensure!(size < IMAGE_LIMIT, "the image has {size:#x} bytes");
    let elf = fs::read(&firmware.spmc.elf)?;
    let image = object::File::parse(&*elf)?;
    let entry = image.symbols().find(|symbol| symbol.name() == Ok("secondary_entry"));
    let entry = entry.context("the image has no secondary entry")?.address();
    let most = number("binary_size")?;
    ensure!(entry < most, "the secondary entry lies at {entry:#x}, the SPMD accepts it below {most:#x}");
    Ok(())
}

/// What TB_FW_CONFIG says of a partition: name, UUID and load address.
type Listed = (String, String, u64);

/// All partitions that it lists.
fn listed(config: &[u8]) -> Result<Vec<Listed>> {
    let tree = Fdt::new(config).map_err(|error| anyhow!("{error}"))?;
    let list = tree.find_node("/secure-partitions").context("/secure-partitions")?;
    list.children()
        .map(|node| {
            let uuid = node.property("uuid").and_then(|property| property.as_str()).context("uuid")?;
            let address = node.property("load-address").and_then(|property| property.as_usize());
            Ok((node.name.to_owned(), uuid.to_owned(), address.context("load-address")? as u64))
        })
        .collect()
}

fn partitions(firmware: &Firmware) -> Result<()> {
    let config = beside(firmware, "tb_fw_config.dtb")?;
    let tree = Fdt::new(&config).map_err(|error| anyhow!("{error}"))?;
    ensure!(tree.find_node("/tb_fw-config").is_some(), "BL2's own configuration is missing");
    let listed: BTreeSet<_> = listed(&config)?.into_iter().map(|(name, ..)| name).collect();
    let wanted: BTreeSet<_> = firmware.partitions.iter().map(|partition| partition.name.clone()).collect();
    ensure!(listed == wanted, "listed: {listed:?}");
    Ok(())
}

fn packages(firmware: &Firmware) -> Result<()> {
    let manifest = beside(firmware, "spmc.dtb")?;
    let tree = Fdt::new(&manifest).map_err(|error| anyhow!("{error}"))?;
    for (name, uuid, address) in listed(&beside(firmware, "tb_fw_config.dtb")?)? {
        let vm = tree.find_node("/hypervisor").into_iter().flat_map(|node| node.children()).find(|node| {
            node.property("load_address").and_then(|property| property.as_usize()) == Some(address as usize)
        });
        let memory = vm.and_then(|vm| vm.property("mem_size")?.as_usize());
        let memory = memory.with_context(|| format!("{uuid}: no vmN has {address:#x}"))?;
        let partition = firmware.partitions.iter().find(|partition| partition.name == name);
        let name = &partition.with_context(|| format!("{name} is no partition"))?.name;
        let package = beside(firmware, &format!("{name}.pkg"))?;
        check_package(&package).with_context(|| name.clone())?;
        let most = memory.min(PACKAGE_LIMIT);
        ensure!(package.len() <= most, "{name}: {:#x} bytes, and {most:#x} are there", package.len());
    }
    Ok(())
}

/// The header of a package, version 2, with both parts within it.
fn check_package(package: &[u8]) -> Result<()> {
    let word = |index: usize| -> Result<usize> {
        let bytes = package.get(4 * index..4 * index + 4).context("shorter than its header")?;
        Ok(u32::from_le_bytes(bytes.try_into()?) as usize)
    };
    ensure!(package.starts_with(b"SPKG") && word(1)? == 2, "no package of version 2");
    for (offset, size) in [(word(2)?, word(3)?), (word(4)?, word(5)?)] {
        ensure!(size > 0 && offset + size <= package.len(), "{offset:#x} + {size:#x} lies outside of it");
    }
    Ok(())
}

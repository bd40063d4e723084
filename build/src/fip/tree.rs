//! Device trees: sources to blobs with dtc, and the few values that the build reads from them.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{fs, thread};

use anyhow::{Context, Result, anyhow, bail};
use fdt::Fdt;
use uuid::Uuid;

/// A device tree, and the file that a message about it names.
pub struct Tree {
    source: PathBuf,
    /// The blob.
    pub blob: Vec<u8>,
}

/// A node of the SPMC manifest that describes a partition (FF-A has no binding for it; this is the field's own).
#[derive(Debug, PartialEq, Eq)]
pub struct Vm {
    /// `vmN`: the partition's id is 0x8000 + N.
    pub number: u16,
    /// `load_address`.
    pub address: u64,
    /// `mem_size` in bytes.
    pub size: u64,
}

/// How sources are read.
pub struct Sources {
    /// A folder in which what they include is looked for, after their own.
    pub include: PathBuf,
    /// What `SPMC_BASE` stands for.
    pub spmc_base: u64,
}

impl Sources {
    /// Compiles a source (`.dts`), which may use `#include` and `#define` as TF-A's build allows, or takes a blob
    /// after dtc has read it through.
    ///
    /// # Errors
    /// If the preprocessor or dtc refuses it.
    pub fn read(&self, source: &Path) -> Result<Tree> {
        let mut dtc = Command::new("dtc");
        dtc.args(["-q", "-O", "dtb"]);
        let blob = if source.extension().is_some_and(|extension| extension == "dtb") {
            printed(dtc.args(["-I", "dtb"]).arg(source), source, &[])?
        } else {
            let mut preprocess = Command::new("aarch64-linux-gnu-gcc");
            preprocess.args(["-E", "-nostdinc", "-undef", "-x", "assembler-with-cpp"]);
            preprocess.arg(format!("-DSPMC_BASE={:#x}", self.spmc_base)).arg("-I").arg(&self.include);
            preprocess.arg(source);
            let plain = printed(&mut preprocess, source, &[])?;
            // The preprocessor's line markers let dtc's messages name the file.
            dtc.args(["-I", "dts", "-i"]).arg(source.parent().unwrap_or(Path::new("."))).arg("-");
            printed(&mut dtc, source, &plain)?
        };
        Ok(Tree { source: source.to_owned(), blob })
    }
}

impl Tree {
    /// Writes the blob to a file.
    ///
    /// # Errors
    /// If that fails.
    pub fn write(&self, path: &Path) -> Result<()> {
        fs::write(path, &self.blob).with_context(|| path.display().to_string())
    }

    /// A number of one or two cells.
    ///
    /// # Errors
    /// If the property is missing or of another size; the message names file, node and property.
    pub fn number(&self, node: &str, property: &str) -> Result<u64> {
        let value = self.bytes(node, property)?;
        let value = value.with_context(|| self.named(node, property, "missing"))?;
        let mut bytes = [0; 8];
        if ![4, 8].contains(&value.len()) {
            bail!(self.named(node, property, "not a number of one or two cells"));
        }
        bytes[8 - value.len()..].copy_from_slice(&value);
        Ok(u64::from_be_bytes(bytes))
    }

    /// The UUIDs of a partition manifest: four words each, each word's lowest byte first in the UUID's text
    /// (the binding of FF-A manifests).
    ///
    /// # Errors
    /// If there is none or the property has another size.
    pub fn uuids(&self) -> Result<Vec<Uuid>> {
        let value = self.bytes("/", "uuid")?.unwrap_or_default();
        if value.is_empty() || value.len() % 16 != 0 {
            bail!(self.named("/", "uuid", "not one or more UUIDs of four words"));
        }
        Ok(value.chunks_exact(16).map(uuid).collect())
    }

    /// How many PEs an SPMC manifest has, as the SPMC counts them: a node may be for several, and of any name.
    ///
    /// # Errors
    /// If the blob is no device tree.
    pub fn pes(&self) -> Result<usize> {
        let tree = self.parsed()?;
        let Some(cpus) = tree.find_node("/cpus") else { return Ok(0) };
        let cells = cpus.property("#address-cells").and_then(|cells| cells.as_usize()).unwrap_or(2).max(1);
        let mut pes = 0;
        for node in cpus.children() {
            let kind = node.property("device_type").and_then(|kind| kind.as_str());
            let reg = node.property("reg").filter(|_| kind == Some("cpu"));
            pes += reg.map_or(0, |reg| reg.value.len() / (4 * cells));
        }
        Ok(pes)
    }

    /// The partitions of an SPMC manifest, by their ids.
    ///
    /// # Errors
    /// If one lacks a property.
    pub fn vms(&self) -> Result<Vec<Vm>> {
        let tree = self.parsed()?;
        let hypervisor = tree
            .find_node("/hypervisor")
            .with_context(|| format!("{}: /hypervisor: missing", self.source.display()))?;
        let mut vms = Vec::new();
        for name in hypervisor.children().map(|node| node.name) {
            let Some(number) = name.strip_prefix("vm").and_then(|number| number.parse().ok()) else {
                continue;
            };
            let node = format!("/hypervisor/{name}");
            let (address, size) = (self.number(&node, "load_address")?, self.number(&node, "mem_size")?);
            vms.push(Vm { number, address, size });
        }
        vms.sort_by_key(|vm| vm.number);
        Ok(vms)
    }

    fn parsed(&self) -> Result<Fdt<'_>> {
        Fdt::new(&self.blob).map_err(|error| anyhow!("{}: {error}", self.source.display()))
    }

    fn bytes(&self, node: &str, property: &str) -> Result<Option<Vec<u8>>> {
        let tree = self.parsed()?;
        let node = tree.find_node(node).with_context(|| self.named(node, property, "no such node"))?;
        Ok(node.property(property).map(|property| property.value.to_vec()))
    }

    fn named(&self, node: &str, property: &str, what: &str) -> String {
        format!("{}: {}/{property}: {what}", self.source.display(), node.trim_end_matches('/'))
    }
}

/// The source of a blob.
///
/// # Errors
/// If dtc refuses it.
pub fn source(blob: &Path) -> Result<String> {
    let mut dtc = Command::new("dtc");
    let text = printed(dtc.args(["-q", "-I", "dtb", "-O", "dts"]).arg(blob), blob, &[])?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}

/// What a tool prints when it is given `input`; its complaint is the error.
fn printed(tool: &mut Command, source: &Path, input: &[u8]) -> Result<Vec<u8>> {
    let name = tool.get_program().to_string_lossy().into_owned();
    let missing = || format!("{name} (cargo xtask setup installs it)");
    tool.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = tool.spawn().with_context(missing)?;
    let mut stdin = child.stdin.take().with_context(missing)?;
    let output = thread::scope(|scope| {
        // A tool that gives up early closes its end, and says why on its own.
        scope.spawn(move || stdin.write_all(input));
        child.wait_with_output()
    })?;
    if !output.status.success() {
        bail!("{}: {}", source.display(), String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(output.stdout)
}

fn uuid(words: &[u8]) -> Uuid {
    let mut bytes = [0; 16];
    bytes.copy_from_slice(words);
    for word in bytes.chunks_exact_mut(4) {
        word.reverse();
    }
    Uuid::from_bytes(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pes_are_counted_by_their_affinities_whatever_the_nodes_are_called() {
        let pes = |cpus: &str| {
            let blob = dts::compile(&format!("/dts-v1/; / {{ {cpus} }};"));
            Tree { source: "m.dts".into(), blob }.pes().unwrap()
        };
        let cpu = "device_type = \"cpu\";";
        assert_eq!(pes(""), 0);
        assert_eq!(pes(&format!("cpus {{ cpu@0 {{ {cpu} reg = <0 0>; }}; cpu-map {{ }}; }};")), 1);
        let several = format!("core {{ {cpu} reg = <0 1 2>; }}; cpu@100 {{ {cpu} reg = <0x100>; }};");
        assert_eq!(pes(&format!("cpus {{ #address-cells = <1>; {several} }};")), 4);
    }

    #[test]
    fn a_uuid_s_words_have_their_lowest_byte_first() {
        let words = [0x2e1c_7f5d_u32, 0x604e_3b8a, 0x2f3c_1d9b, 0x419d_7e6a].map(u32::to_be_bytes).concat();
        assert_eq!(uuid(&words).to_string(), "5d7f1c2e-8a3b-4e60-9b1d-3c2f6a7e9d41");
    }
}

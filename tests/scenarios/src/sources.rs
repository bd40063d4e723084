//! The project's manifests for QEMU virt, and packages made of them.

use std::fs;
use std::path::Path;
use std::sync::LazyLock;

use crate::{ECHO_MEMORY, PARTITION_MEMORY, RELAY, V1_2};

/// Where the device memory of the SPMC manifest begins.
const DEVICES: u64 = 0x904_0000;

/// The files as they are.
static FILES: LazyLock<Sources> = LazyLock::new(|| {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../manifests/qemu-virt");
    let read = |name: &str| fs::read_to_string(folder.join(name)).expect(name);
    Sources { spmc: read("spmc.dts"), echo: read("echo.dts"), relay: read("relay.dts"), more: Vec::new() }
});

/// Sources of manifests, to be changed by a test before a world is made of them.
#[derive(Clone)]
pub struct Sources {
    /// The SPMC manifest.
    pub spmc: String,
    /// The manifest of `echo`.
    pub echo: String,
    /// The manifest of `relay`.
    pub relay: String,
    /// Those of further partitions, by [`Sources::add`].
    more: Vec<String>,
}

impl Sources {
    /// The files, with room for more devices.
    ///
    /// # Panics
    /// If they cannot be read.
    #[must_use]
    pub fn new() -> Self {
        let mut sources = FILES.clone();
        let uart = "reg = <0x0 0x9040000 0x0 0x1000>";
        Self::change(&mut sources.spmc, uart, "reg = <0x0 0x9040000 0x0 0x20000>");
        sources
    }

    /// The files, but `echo` and `relay` speak this version and use what it has.
    #[must_use]
    pub fn speaking(version: u64) -> Self {
        let mut sources = Self::new();
        for source in [&mut sources.echo, &mut sources.relay] {
            Self::set_version(source, version);
        }
        sources
    }

    /// The files, but `echo` and `relay` speak this version, take notifications, and send and receive indirect messages.
    #[must_use]
    pub fn talking(version: u64) -> Self {
        let mut sources = Self::speaking(version);
        for source in [&mut sources.echo, &mut sources.relay] {
            Self::set(source, "messaging-method", if version < V1_2 { "<0x7>" } else { "<0x607>" });
            Self::set(source, "notification-support", "");
        }
        sources
    }

    /// Has `relay` run at S-EL0, with memory from [`WRITABLE_AT_EL0`](crate::WRITABLE_AT_EL0) on that it may write.
    pub fn relay_at_el0(&mut self) {
        Self::set(&mut self.relay, "exception-level", "<1>");
        let region = "memory-regions { compatible = \"arm,ffa-manifest-memory-regions\"; variables { \
                      load-address-relative-offset = <0x10000>; pages-count = <0x30>; attributes = <3>; }; };\n";
        Self::add_node(&mut self.relay, region);
    }

    /// Changes one place of a source, which must be there.
    ///
    /// # Panics
    /// If it is not there, or not once.
    pub fn change(source: &mut String, from: &str, to: &str) {
        assert_eq!(source.matches(from).count(), 1, "{from}");
        *source = source.replace(from, to);
    }

    /// Gives a property of the root node this value, in the language of sources; an empty one makes it a flag.
    ///
    /// # Panics
    /// If the source is not one of a partition.
    pub fn set(source: &mut String, property: &str, value: &str) {
        let line =
            if value.is_empty() { format!("\t{property};\n") } else { format!("\t{property} = {value};\n") };
        match source.find(&format!("\t{property} = ")) {
            Some(start) => {
                let end = start + source[start..].find(";\n").expect("a property ends") + 2;
                source.replace_range(start..end, &line);
            }
            None => Self::change(source, "\tdescription = ", &format!("{line}\tdescription = ")),
        }
    }

    /// Adds a node to the root node.
    ///
    /// # Panics
    /// If the source has no root node.
    pub fn add_node(source: &mut String, node: &str) {
        let end = source.rfind("};").expect("the root node ends");
        source.insert_str(end, node);
    }

    /// Gives a partition the device of this number, with an interrupt.
    ///
    /// # Panics
    /// If the source has no root node.
    pub fn add_device(source: &mut String, number: u64, interrupt: u32) {
        let address = DEVICES + number * 0x1000;
        let node = format!(
            "device-regions {{ compatible = \"arm,ffa-manifest-device-regions\"; device {{ base-address = \
             <{address:#x}>; pages-count = <1>; attributes = <3>; interrupts = <{interrupt} 0x901>; }}; }};\n"
        );
        Self::add_node(source, &node);
    }

    /// Has a partition speak this version: it offers FFA_MSG_SEND_DIRECT_REQ2 only where that is there.
    pub fn set_version(source: &mut String, version: u64) {
        Self::set(source, "ffa-version", &format!("<{version:#x}>"));
        Self::set(source, "messaging-method", if version < V1_2 { "<0x3>" } else { "<0x603>" });
    }

    /// Adds a partition with a manifest like one of the others: its FF-A id. It starts after those that are there.
    ///
    /// # Panics
    /// If `manifest` is not one of a partition.
    pub fn add(&mut self, name: &str, mut manifest: String) -> u64 {
        let place = self.more.len() as u64 + 3;
        let contexts = if manifest.contains("execution-ctx-count = <1>") { 1 } else { 4 };
        let address = address(place);
        Self::set(&mut manifest, "description", &format!("\"{name}\""));
        Self::set(&mut manifest, "load-address", &format!("<{address:#x}>"));
        Self::set(&mut manifest, "boot-order", &format!("<{place}>"));
        let entry = format!(
            "vm{place} {{ is_ffa_partition; debug_name = \"{name}\"; load_address = <{address:#x}>; \
             vcpu_count = <{contexts}>; mem_size = <{PARTITION_MEMORY:#x}>; }};\n\t}};\n\n\tcpus {{"
        );
        Self::change(&mut self.spmc, "};\n\n\tcpus {", &entry);
        self.more.push(manifest);
        RELAY - 2 + place
    }

    /// What TF-A would load.
    #[must_use]
    pub fn compile(&self) -> Blobs {
        let sources = [&self.echo, &self.relay].into_iter().chain(&self.more);
        let packages = (1..).zip(sources).map(|(place, source)| (address(place), package(source))).collect();
        Blobs { spmc: dts::compile(&self.spmc), packages }
    }
}

/// Where the partition `vmN` is loaded.
const fn address(place: u64) -> u64 {
    ECHO_MEMORY + (place - 1) * PARTITION_MEMORY
}

/// What TF-A loads for the SPMC.
pub struct Blobs {
    /// The SPMC manifest.
    pub spmc: Vec<u8>,
    /// The packages, and where they are loaded.
    pub packages: Vec<(u64, Vec<u8>)>,
}

impl Default for Sources {
    fn default() -> Self {
        Self::new()
    }
}

/// A package of format 2: header, manifest at 0x1000, image at 0x4000.
fn package(source: &str) -> Vec<u8> {
    let manifest = dts::compile(source);
    let words = [u32::from_le_bytes(*b"SPKG"), 2, 0x1000, manifest.len() as u32, 0x4000, 0x1000];
    let mut bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
    bytes.resize(0x1000, 0);
    bytes.extend(manifest);
    bytes.resize(0x5000, 0);
    bytes
}

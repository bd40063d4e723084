//! The boot information that the SPMC hands to the primary vCPU (FF-A 1.2, 5.4).

use arm_ffa::Version;
use arm_ffa::boot_info::{BootInfo, BootInfoContents, BootInfoIterator, BootInfoStdId, BootInfoType};
use fdt::Fdt;

/// The boot information, checked.
pub struct BootInformation {
    blob: &'static [u8],
    /// The format of the descriptors, as the header says.
    format: Version,
}

impl BootInformation {
    /// Bytes of the header.
    const HEADER: usize = 32;

    /// The boot information at `address`; none if that is 0 or what is there is not boot information.
    ///
    /// # Safety
    /// `address` must be 0, or that of memory of this partition, as long as it says itself, that nobody writes.
    #[must_use]
    pub unsafe fn at(address: u64) -> Option<Self> {
        if address == 0 {
            return None;
        }
        let start = address as *const u8;
        // SAFETY: the caller promises at least a whole header there.
        let header = unsafe { core::slice::from_raw_parts(start, Self::HEADER) };
        // The version is behind the signature (FF-A 1.2, table 5.9).
        let version = header.get(4..8)?.try_into().ok().map(u32::from_le_bytes)?;
        let format = Version::try_from(version).ok()?;
        let size = BootInfo::get_blob_size(format, header).ok()?;
        // SAFETY: the caller promises as many bytes as the header says.
        Some(Self { blob: unsafe { core::slice::from_raw_parts(start, size) }, format })
    }

    /// The partition's own FF-A manifest, a flattened device tree.
    #[must_use]
    pub fn manifest(&self) -> Option<&'static [u8]> {
        let tree = BootInfoType::Std(BootInfoStdId::Fdt);
        BootInfoIterator::new(self.format, self.blob).ok()?.flatten().find_map(|info| match info.contents {
            BootInfoContents::Address { content_buf } if info.typ == tree => Some(content_buf),
            _ => None,
        })
    }

    /// The FF-A version that the manifest names, as FFA_VERSION encodes it.
    #[must_use]
    pub fn version(&self) -> Option<u32> {
        self.property("ffa-version")?.try_into().ok().map(u32::from_be_bytes)
    }

    /// What the manifest calls the partition.
    #[must_use]
    pub fn description(&self) -> Option<&'static str> {
        core::str::from_utf8(self.property("description")?).ok().map(|text| text.trim_end_matches('\0'))
    }

    /// A property of the manifest's root.
    fn property(&self, name: &str) -> Option<&'static [u8]> {
        let tree = Fdt::new(self.manifest()?).ok()?;
        tree.find_node("/")?.property(name).map(|property| property.value)
    }
}

//! The boot information that the SPMC hands to the primary vCPU (FF-A 1.2, 5.4).

use arm_ffa::Version;
use arm_ffa::boot_info::{BootInfo, BootInfoContents, BootInfoIterator, BootInfoStdId, BootInfoType};

/// The boot information, checked.
pub struct BootInformation {
    blob: &'static [u8],
}

impl BootInformation {
    /// The format of the descriptors (FF-A 1.2, table 5.9).
    const FORMAT: Version = Version(1, 2);
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
        let size = BootInfo::get_blob_size(Self::FORMAT, header).ok()?;
        // SAFETY: the caller promises as many bytes as the header says.
        Some(Self { blob: unsafe { core::slice::from_raw_parts(start, size) } })
    }

    /// The partition's own FF-A manifest, a flattened device tree.
    #[must_use]
    pub fn manifest(&self) -> Option<&'static [u8]> {
        let tree = BootInfoType::Std(BootInfoStdId::Fdt);
        BootInfoIterator::new(Self::FORMAT, self.blob).ok()?.flatten().find_map(|info| match info.contents {
            BootInfoContents::Address { content_buf } if info.typ == tree => Some(content_buf),
            _ => None,
        })
    }
}

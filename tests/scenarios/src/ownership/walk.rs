//! A walk of a partition's stage-2 tables as the MMU makes it (Arm DDI 0487, D8.3), by nothing of the manager's but the
//! frames' words.

use crate::World;

/// Whether a page may be written and executed; nothing where it cannot be read.
pub type Found = Option<(bool, bool)>;

/// What a partition finds at an address in the space of this root.
pub fn page(world: &World, root: u64, ipa: u64) -> Found {
    let mut table = root;
    for shift in [39, 30, 21, 12] {
        let descriptor = world.descriptor(table, (ipa >> shift & 0x1FF) as usize);
        let address = descriptor & 0x0000_FFFF_FFFF_F000;
        match (descriptor & 0b11, shift) {
            (0b11, 39 | 30 | 21) => table = address,
            (0b11, 12) | (0b01, 30 | 21) => {
                assert_eq!(address | ipa & ((1 << shift) - 1), ipa, "each page is at its own address");
                assert_ne!(descriptor & 1 << 10, 0, "the first access faults");
                let (read, write) = (descriptor >> 6 & 1 != 0, descriptor >> 7 & 1 != 0);
                return read.then_some((write, descriptor >> 54 & 1 == 0));
            }
            _ => return None,
        }
    }
    None
}

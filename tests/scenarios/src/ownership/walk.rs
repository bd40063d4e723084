//! A walk of a partition's tables as the MMU makes it (Arm DDI 0487, D8.3), by nothing of the manager's but the frames'
//! words.

use crate::World;

/// Whether a page may be written and executed; nothing where it cannot be read.
pub type Found = Option<(bool, bool)>;

/// The descriptor of the page or block that an address lies in.
fn descriptor(world: &World, root: u64, at: u64) -> Option<u64> {
    let mut table = root;
    for shift in [39, 30, 21, 12] {
        let descriptor = world.descriptor(table, (at >> shift & 0x1FF) as usize);
        let address = descriptor & 0x0000_FFFF_FFFF_F000;
        match (descriptor & 0b11, shift) {
            (0b11, 39 | 30 | 21) => table = address,
            (0b11, 12) | (0b01, 30 | 21) => {
                assert_eq!(address | at & ((1 << shift) - 1), at, "each page is at its own address");
                assert_ne!(descriptor & 1 << 10, 0, "the first access faults");
                return Some(descriptor);
            }
            _ => return None,
        }
    }
    None
}

/// What a partition finds at an address in the Normal world's memory, or in secure memory; by the roots of its secure and
/// its non-secure space, or by one of stage 1.
pub fn page(world: &World, roots: [u64; 2], is_normal: bool, at: u64) -> Found {
    let [secure, normal] = roots;
    if secure == normal {
        return at_stage_1(descriptor(world, secure, at)?, is_normal);
    }
    let descriptor = descriptor(world, if is_normal { normal } else { secure }, at)?;
    let (read, write) = (descriptor >> 6 & 1 != 0, descriptor >> 7 & 1 != 0);
    read.then_some((write, descriptor >> 54 & 1 == 0))
}

/// The same by a descriptor of stage 1, which says whose memory it is.
fn at_stage_1(descriptor: u64, is_normal: bool) -> Found {
    assert_ne!(descriptor & 1 << 11, 0, "a global translation is everybody's");
    assert_ne!(descriptor & 1 << 53, 0, "the SPMC would execute it");
    if (descriptor >> 5 & 1 != 0) != is_normal {
        return None;
    }
    let (el0, read_only) = (descriptor >> 6 & 1 != 0, descriptor >> 7 & 1 != 0);
    el0.then_some((!read_only, descriptor >> 54 & 1 == 0))
}

/// Shows `look` every page that a root leads to.
pub fn each_page(world: &World, root: u64, look: &mut dyn FnMut(u64)) {
    each_below(world, (root, 39), 0, look);
}

fn each_below(world: &World, (table, shift): (u64, u32), first: u64, look: &mut dyn FnMut(u64)) {
    for index in 0..512 {
        let (descriptor, at) = (world.descriptor(table, index), first + ((index as u64) << shift));
        match (descriptor & 0b11, shift) {
            (0b11, 39 | 30 | 21) => {
                each_below(world, (descriptor & 0x0000_FFFF_FFFF_F000, shift - 9), at, look)
            }
            (0b11, 12) | (0b01, 30 | 21) => (at..at + (1 << shift)).step_by(0x1000).for_each(&mut *look),
            _ => {}
        }
    }
}

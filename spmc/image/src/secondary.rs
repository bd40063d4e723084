//! What each PE owns, and how PEs that PSCI CPU_ON turns on come in.
#![expect(unsafe_code, reason = "hands each PE's area to that PE, and shows entry.S where it lies")]

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::mem::offset_of;
use core::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use manager::exit::Frame;

use crate::crash::CrashRecord;
use crate::features::Features;
use crate::loaded::Loaded;
use crate::translation::{Tables, Use};
use crate::{heap, layout, normal};

/// Pages of a stack; below it lies one that is not mapped.
const STACK_PAGES: usize = 4;
/// FFA_SECONDARY_EP_REGISTER.
const SECONDARY_EP_REGISTER: u64 = 0xc400_0087;
/// FFA_SUCCESS, 32- and 64-bit.
const SUCCESS: [u64; 2] = [0x8400_0061, 0xc400_0061];

unsafe extern "C" {
    fn clean_to_memory(start: usize, end: usize);
}

/// What belongs to one PE, whether it is on or off.
#[repr(C)]
pub struct Area {
    /// The first address above its stack.
    stack: usize,
    record: CrashRecord,
    /// Its shared registers.
    pub loaded: Loaded,
}

/// What entry.S reads on a PE that comes in; the first two with the MMU off.
#[repr(C, align(64))]
pub struct Secondary {
    root: AtomicU64,
    control: AtomicU64,
    areas: AtomicUsize,
    count: AtomicUsize,
    area_size: AtomicUsize,
}

/// For all PEs.
pub static SECONDARY: Secondary = Secondary {
    root: AtomicU64::new(0),
    control: AtomicU64::new(0),
    areas: AtomicUsize::new(0),
    count: AtomicUsize::new(0),
    area_size: AtomicUsize::new(size_of::<Area>()),
};

const _: () = assert!(offset_of!(Secondary, control) == offset_of!(Secondary, root) + 8);

/// Offsets for entry.S.
pub mod offsets {
    use super::{Area, Secondary, offset_of};

    /// TTBR1_EL2 and TCR_EL2.
    pub const TTBR1: usize = offset_of!(Secondary, root);
    /// The areas.
    pub const AREAS: usize = offset_of!(Secondary, areas);
    /// How many.
    pub const COUNT: usize = offset_of!(Secondary, count);
    /// Bytes of one.
    pub const AREA_SIZE: usize = offset_of!(Secondary, area_size);
    /// Its stack.
    pub const AREA_STACK: usize = offset_of!(Area, stack);
    /// Its crash record.
    pub const AREA_RECORD: usize = offset_of!(Area, record);
}

/// Makes an area with a stack for each of `count` PEs.
pub fn prepare(count: usize, features: &Features, tables: &mut Tables) {
    let areas: Vec<Area> = (0..count)
        .map(|_| {
            let bottom = heap::take_pages_from_top(STACK_PAGES + 1);
            let guard = layout::physical(bottom);
            tables.map_own(guard..guard + 4096, Use::Guard);
            Area {
                stack: bottom + (STACK_PAGES + 1) * 4096,
                record: CrashRecord::new(),
                loaded: Loaded::new(*features),
            }
        })
        .collect();
    SECONDARY.count.store(areas.len(), Ordering::Relaxed);
    SECONDARY
        .areas
        .store(Box::leak(areas.into_boxed_slice()).as_mut_ptr().expose_provenance(), Ordering::Relaxed);
}

/// Shows `tables` to PEs with their MMU off, and tells the SPMD where they enter.
pub fn publish(tables: &Tables) {
    let (root, control) = tables.registers();
    SECONDARY.root.store(root, Ordering::Relaxed);
    SECONDARY.control.store(control, Ordering::Relaxed);
    let start = (&raw const SECONDARY).addr();
    // SAFETY: cleaning changes no contents.
    unsafe { clean_to_memory(start, start + size_of::<Secondary>()) };

    let mut frame = Frame::default();
    frame.x[0] = SECONDARY_EP_REGISTER;
    frame.x[1] = layout::secondary_entry_address();
    normal::exchange(&mut frame);
    if !SUCCESS.contains(&frame.x[0]) {
        log::warn!("no secondary PEs: the SPMD answers {:#x} {:#x}", frame.x[0], frame.x[2]);
    }
}

/// The area of PE `cpu`.
///
/// # Safety
/// The caller runs on that PE, and asks once each time the PE comes on.
#[must_use]
pub unsafe fn area(cpu: usize) -> &'static mut Area {
    assert!(cpu < SECONDARY.count.load(Ordering::Relaxed), "PE {cpu} is not in the SPMC manifest");
    let areas = core::ptr::with_exposed_provenance_mut::<Area>(SECONDARY.areas.load(Ordering::Relaxed));
    // SAFETY: the index is in bounds, and the caller is the area's only user.
    unsafe { &mut *areas.add(cpu) }
}

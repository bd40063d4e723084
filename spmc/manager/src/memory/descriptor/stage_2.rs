//! Fields of a block or page at stage 2 (Arm ARM, D8.3).
//!
//! In the secure state a stage-2 descriptor does not say which world its output lies in: VSTCR_EL2.SA does for the
//! secure IPA space, VTCR_EL2.NSA for the non-secure one. A tree therefore has one output space, and no NS bit.

use super::super::page::Attributes;

/// `MemAttr[3:0]`, bits 5:2, without FEAT_S2FWB: Normal memory, outer and inner write-back.
const NORMAL_WRITE_BACK: u64 = 0b1111 << 2;
/// The whole MemAttr field. Device-nGnRnE is all zero.
const MEMORY_TYPE: u64 = 0b1111 << 2;
/// `S2AP[0]`: reads are allowed.
const READ: u64 = 1 << 6;
/// `S2AP[1]`: writes are allowed.
const WRITE: u64 = 1 << 7;
/// `XN[1]`, bit 54. With `XN[0]` (bit 53) clear it forbids execution at EL1 and EL0 alike, with FEAT_XNX and without.
const EXECUTE_NEVER: u64 = 1 << 54;

/// The fields.
#[inline]
pub const fn fields(attributes: Attributes) -> u64 {
    let mut fields = 0;
    if attributes.contains(Attributes::READ) {
        fields |= READ;
    }
    if attributes.contains(Attributes::WRITE) {
        fields |= WRITE;
    }
    if !attributes.contains(Attributes::EXECUTE) {
        fields |= EXECUTE_NEVER;
    }
    if !attributes.contains(Attributes::DEVICE) {
        fields |= NORMAL_WRITE_BACK;
    }
    fields
}

/// What the fields of a descriptor say.
#[inline]
pub fn read(raw: u64) -> Attributes {
    let mut attributes = Attributes::empty();
    attributes.set(Attributes::READ, raw & READ != 0);
    attributes.set(Attributes::WRITE, raw & WRITE != 0);
    attributes.set(Attributes::EXECUTE, raw & EXECUTE_NEVER == 0);
    attributes.set(Attributes::DEVICE, raw & MEMORY_TYPE != NORMAL_WRITE_BACK);
    attributes
}

//! Fields of a block or page at stage 1 of the EL2&0 regime (Arm ARM, D8.3), for a partition at S-EL0.
//!
//! One tree serves both worlds: its descriptors say which. AttrIndx 0 is Device-nGnRnE and 1 Normal write-back, as the
//! image's MAIR_EL2 has them. EL2 never executes what such a tree maps.

use super::super::page::{Attributes, Space};

/// AttrIndx, bits 4:2.
const ATTRIBUTE_1: u64 = 1 << 2;
/// NS: the output lies in the Normal world's memory.
const NON_SECURE: u64 = 1 << 5;
/// `AP[1]`: EL0 has access.
const EL0: u64 = 1 << 6;
/// `AP[2]`: nobody writes.
const READ_ONLY: u64 = 1 << 7;
/// nG: the translation is of the current ASID.
const NOT_GLOBAL: u64 = 1 << 11;
/// PXN: EL2 does not execute.
const PRIVILEGED_NEVER: u64 = 1 << 53;
/// UXN: EL0 does not execute.
const EL0_NEVER: u64 = 1 << 54;

/// The fields for memory of this world.
pub const fn fields(attributes: Attributes, space: Space) -> u64 {
    let mut fields = NOT_GLOBAL | PRIVILEGED_NEVER;
    if attributes.contains(Attributes::READ) {
        fields |= EL0;
    }
    if !attributes.contains(Attributes::WRITE) {
        fields |= READ_ONLY;
    }
    if !attributes.contains(Attributes::EXECUTE) {
        fields |= EL0_NEVER;
    }
    if !attributes.contains(Attributes::DEVICE) {
        fields |= ATTRIBUTE_1;
    }
    if matches!(space, Space::Normal) {
        fields |= NON_SECURE;
    }
    fields
}

/// What the fields of a descriptor say.
pub fn read(raw: u64) -> (Attributes, Space) {
    let mut attributes = Attributes::empty();
    attributes.set(Attributes::READ, raw & EL0 != 0);
    attributes.set(Attributes::WRITE, raw & READ_ONLY == 0);
    attributes.set(Attributes::EXECUTE, raw & EL0_NEVER == 0);
    attributes.set(Attributes::DEVICE, raw & ATTRIBUTE_1 == 0);
    (attributes, if raw & NON_SECURE == 0 { Space::Secure } else { Space::Normal })
}

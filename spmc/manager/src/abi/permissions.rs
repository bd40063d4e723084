//! Permissions of pages as FFA_MEM_PERM_GET and FFA_MEM_PERM_SET have them (DEN0140, 2.8 and 2.9).

use arm_ffa::FuncId;

use super::{answer, word};
use crate::exit::Frame;
use crate::memory::page::Attributes;

/// Bits 1:0: what may be done with data.
const READ_WRITE: u64 = 0b01;
const READ_ONLY: u64 = 0b11;
/// Bit 2: instructions are not fetched.
const EXECUTE_NEVER: u64 = 1 << 2;

/// The rights in w3, if they are some that there are: to read, to read and write, or to read and execute.
#[must_use]
pub fn rights(frame: &Frame) -> Option<Attributes> {
    const DATA: u64 = READ_ONLY | EXECUTE_NEVER;
    const VARIABLES: u64 = READ_WRITE | EXECUTE_NEVER;
    match u64::from(word(frame, 3)) {
        DATA => Some(Attributes::READ),
        VARIABLES => Some(Attributes::READ | Attributes::WRITE),
        READ_ONLY => Some(Attributes::READ | Attributes::EXECUTE),
        _ => None,
    }
}

/// FFA_SUCCESS with these rights in w2, and in w3 how many pages behind the first one have them too.
pub fn permitted(frame: &mut Frame, rights: Attributes, others: u32) {
    let data = match (rights.contains(Attributes::READ), rights.contains(Attributes::WRITE)) {
        (false, _) => 0,
        (true, false) => READ_ONLY,
        (true, true) => READ_WRITE,
    };
    let instructions = if rights.contains(Attributes::EXECUTE) { 0 } else { EXECUTE_NEVER };
    answer(frame, [FuncId::Success32 as u64, 0, data | instructions, others.into()]);
}

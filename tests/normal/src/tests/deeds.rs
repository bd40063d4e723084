//! What `hostile` does that ends it: one scenario each, as it does so only once in a machine.

use super::aborts::deed;
use crate::demo::RELAY;
use crate::outcome::Outcome;

/// What `hostile` can do to end.
const READ: u64 = 0;
const WRITE: u64 = 1;
const EXECUTE: u64 = 2;
const READ_UNTRANSLATED: u64 = 3;
const OVERFLOW: u64 = 4;

/// The SPMC's image, EL3's, secure memory that no manifest gives away, the GIC's distributor, this image, and the page
/// that hostile may use as non-secure memory.
const SPMC: u64 = 0xe10_0000;
const EL3: u64 = 0xe09_0000;
const NOBODYS: u64 = 0xe50_0000;
const GIC: u64 = 0x800_0000;
const NORMAL: u64 = 0x6000_0000;
const SHARED: u64 = 0x5000_0000;

pub fn a_partition_that_reads_the_spmcs_memory_is_aborted() -> Outcome {
    deed(READ, SPMC)
}

pub fn a_partition_that_writes_the_spmcs_memory_is_aborted() -> Outcome {
    deed(WRITE, SPMC)
}

pub fn a_partition_that_executes_the_spmcs_memory_is_aborted() -> Outcome {
    deed(EXECUTE, SPMC)
}

pub fn a_partition_that_writes_anothers_memory_is_aborted() -> Outcome {
    deed(WRITE, RELAY.memory)
}

pub fn a_partition_that_executes_anothers_memory_is_aborted() -> Outcome {
    deed(EXECUTE, RELAY.memory + 0x4000)
}

pub fn a_partition_that_reads_el3s_memory_is_aborted() -> Outcome {
    deed(READ, EL3)
}

pub fn a_partition_that_reads_memory_of_nobody_is_aborted() -> Outcome {
    deed(READ, NOBODYS)
}

pub fn a_partition_that_reads_the_interrupt_controller_is_aborted() -> Outcome {
    deed(READ, GIC)
}

pub fn a_partition_that_writes_the_interrupt_controller_is_aborted() -> Outcome {
    deed(WRITE, GIC)
}

pub fn a_partition_that_writes_the_normal_worlds_memory_is_aborted() -> Outcome {
    deed(WRITE, NORMAL)
}

pub fn a_partition_that_executes_the_normal_worlds_memory_is_aborted() -> Outcome {
    deed(EXECUTE, NORMAL)
}

pub fn a_partition_that_reads_non_secure_memory_with_its_mmu_off_is_aborted() -> Outcome {
    deed(READ_UNTRANSLATED, SHARED)
}

pub fn a_partition_that_overflows_its_stack_is_aborted() -> Outcome {
    deed(OVERFLOW, 0)
}

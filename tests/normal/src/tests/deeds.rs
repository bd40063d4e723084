//! What `hostile` does that ends it: one scenario each, as it does so only once in a machine.

use super::aborts::deed;
use crate::demo::RELAY;
use crate::machine::here;
use crate::outcome::Outcome;

/// What `hostile` can do to end.
const READ: u64 = 0;
const WRITE: u64 = 1;
const EXECUTE: u64 = 2;
const READ_UNTRANSLATED: u64 = 3;
const OVERFLOW: u64 = 4;

pub fn a_partition_that_reads_the_spmcs_memory_is_aborted() -> Outcome {
    deed(READ, here().spmc)
}

pub fn a_partition_that_writes_the_spmcs_memory_is_aborted() -> Outcome {
    deed(WRITE, here().spmc)
}

pub fn a_partition_that_executes_the_spmcs_memory_is_aborted() -> Outcome {
    deed(EXECUTE, here().spmc)
}

pub fn a_partition_that_writes_anothers_memory_is_aborted() -> Outcome {
    deed(WRITE, RELAY.memory())
}

pub fn a_partition_that_executes_anothers_memory_is_aborted() -> Outcome {
    deed(EXECUTE, RELAY.memory() + 0x4000)
}

pub fn a_partition_that_reads_el3s_memory_is_aborted() -> Outcome {
    deed(READ, here().el3)
}

pub fn a_partition_that_reads_memory_of_nobody_is_aborted() -> Outcome {
    deed(READ, here().nobodys())
}

pub fn a_partition_that_reads_the_interrupt_controller_is_aborted() -> Outcome {
    deed(READ, here().distributor)
}

pub fn a_partition_that_writes_the_interrupt_controller_is_aborted() -> Outcome {
    deed(WRITE, here().distributor)
}

pub fn a_partition_that_writes_the_normal_worlds_memory_is_aborted() -> Outcome {
    deed(WRITE, here().normal)
}

pub fn a_partition_that_executes_the_normal_worlds_memory_is_aborted() -> Outcome {
    deed(EXECUTE, here().normal)
}

pub fn a_partition_that_reads_non_secure_memory_with_its_mmu_off_is_aborted() -> Outcome {
    deed(READ_UNTRANSLATED, here().shared())
}

pub fn a_partition_that_overflows_its_stack_is_aborted() -> Outcome {
    deed(OVERFLOW, 0)
}

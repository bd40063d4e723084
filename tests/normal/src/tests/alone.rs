//! Scenarios that need a machine of their own: they end partitions, or speak another version of FF-A.

use super::{aborts, versions};
use crate::demo::RELAY;
use crate::ffa::VERSION;
use crate::outcome::Outcome;
use crate::println;

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
const NOBODYS: u64 = 0xe30_0000;
const GIC: u64 = 0x800_0000;
const NORMAL: u64 = 0x6000_0000;
const SHARED: u64 = 0x5000_0000;

/// A scenario, and the version of FF-A that the Normal world negotiates for it.
struct Alone {
    name: &'static str,
    version: u64,
    run: fn() -> Outcome,
}

macro_rules! alone {
    ($($version:path, $chapter:ident :: $name:ident,)*) => {
        static ALONE: &[Alone] = &[$(Alone {
            name: stringify!($name),
            version: $version,
            run: $chapter::$name,
        }),*];
    };
}

alone! {
    versions::V1_0, versions::a_normal_world_of_ffa_1_0_gets_what_that_has,
    versions::V1_1, versions::a_normal_world_of_ffa_1_1_gets_what_that_has,
    VERSION, aborts::a_callee_that_its_caller_left_preempted_can_be_run_to_its_end,
    VERSION, deeds::a_partition_that_reads_the_spmcs_memory_is_aborted,
    VERSION, deeds::a_partition_that_writes_the_spmcs_memory_is_aborted,
    VERSION, deeds::a_partition_that_executes_the_spmcs_memory_is_aborted,
    VERSION, deeds::a_partition_that_writes_anothers_memory_is_aborted,
    VERSION, deeds::a_partition_that_executes_anothers_memory_is_aborted,
    VERSION, deeds::a_partition_that_reads_el3s_memory_is_aborted,
    VERSION, deeds::a_partition_that_reads_memory_of_nobody_is_aborted,
    VERSION, deeds::a_partition_that_reads_the_interrupt_controller_is_aborted,
    VERSION, deeds::a_partition_that_writes_the_interrupt_controller_is_aborted,
    VERSION, deeds::a_partition_that_writes_the_normal_worlds_memory_is_aborted,
    VERSION, deeds::a_partition_that_executes_the_normal_worlds_memory_is_aborted,
    VERSION, deeds::a_partition_that_reads_non_secure_memory_with_its_mmu_off_is_aborted,
    VERSION, deeds::a_partition_that_overflows_its_stack_is_aborted,
}

/// What `hostile` does that ends it.
mod deeds {
    use super::*;

    pub fn a_partition_that_reads_the_spmcs_memory_is_aborted() -> Outcome {
        aborts::deed(READ, SPMC)
    }

    pub fn a_partition_that_writes_the_spmcs_memory_is_aborted() -> Outcome {
        aborts::deed(WRITE, SPMC)
    }

    pub fn a_partition_that_executes_the_spmcs_memory_is_aborted() -> Outcome {
        aborts::deed(EXECUTE, SPMC)
    }

    pub fn a_partition_that_writes_anothers_memory_is_aborted() -> Outcome {
        aborts::deed(WRITE, RELAY.memory)
    }

    pub fn a_partition_that_executes_anothers_memory_is_aborted() -> Outcome {
        aborts::deed(EXECUTE, RELAY.memory + 0x4000)
    }

    pub fn a_partition_that_reads_el3s_memory_is_aborted() -> Outcome {
        aborts::deed(READ, EL3)
    }

    pub fn a_partition_that_reads_memory_of_nobody_is_aborted() -> Outcome {
        aborts::deed(READ, NOBODYS)
    }

    pub fn a_partition_that_reads_the_interrupt_controller_is_aborted() -> Outcome {
        aborts::deed(READ, GIC)
    }

    pub fn a_partition_that_writes_the_interrupt_controller_is_aborted() -> Outcome {
        aborts::deed(WRITE, GIC)
    }

    pub fn a_partition_that_writes_the_normal_worlds_memory_is_aborted() -> Outcome {
        aborts::deed(WRITE, NORMAL)
    }

    pub fn a_partition_that_executes_the_normal_worlds_memory_is_aborted() -> Outcome {
        aborts::deed(EXECUTE, NORMAL)
    }

    pub fn a_partition_that_reads_non_secure_memory_with_its_mmu_off_is_aborted() -> Outcome {
        aborts::deed(READ_UNTRANSLATED, SHARED)
    }

    pub fn a_partition_that_overflows_its_stack_is_aborted() -> Outcome {
        aborts::deed(OVERFLOW, 0)
    }
}

/// The version for the scenario of this number.
pub fn version(number: usize) -> u64 {
    ALONE.get(number).map_or(VERSION, |alone| alone.version)
}

/// Runs the scenario of this number, and prints how it ended and how many there are.
pub fn run(number: usize) {
    println!("normal: alone, {number} of {}", ALONE.len());
    let Some(alone) = ALONE.get(number) else { return };
    let passed = super::report(alone.name, (alone.run)());
    super::close(1, usize::from(!passed));
}

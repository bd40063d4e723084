//! Memory of a partition is nobody else's.

use crate::demo::PARTITIONS;
use crate::image;
use crate::outcome::{Outcome, expect, fail};

pub fn the_normal_world_cannot_read_a_partitions_memory() -> Outcome {
    for partition in PARTITIONS {
        // Behind the package's header and manifest there is code.
        match image::probe(partition.memory() + 0x4000) {
            Ok(got) => return fail("a load of secure memory gave a value", got, 0),
            // ESR_EL2.EC: a data abort without a change of exception level.
            Err(syndrome) => expect("exception class", syndrome >> 26, 0x25)?,
        }
    }
    Ok(())
}

//! Memory of a partition is nobody else's.

use arm_ffa::FfaError;

use crate::demo::{self, ECHO, Form, PARTITIONS, RELAY, command, expect_answer};
use crate::ffa::expect_error;
use crate::image;
use crate::outcome::{Outcome, expect, fail};

pub fn the_normal_world_cannot_read_a_partitions_memory() -> Outcome {
    for partition in PARTITIONS {
        // Behind the package's header and manifest there is code.
        match image::probe(partition.memory + 0x4000) {
            Ok(got) => return fail("a load of secure memory gave a value", got, 0),
            // ESR_EL2.EC: a data abort without a change of exception level.
            Err(syndrome) => expect("exception class", syndrome >> 26, 0x25)?,
        }
    }
    Ok(())
}

pub fn a_partition_that_reads_anothers_memory_is_aborted() -> Outcome {
    let form = Form::Direct64;
    // What is its own it can read.
    let own = demo::ask(form, RELAY.id, &[command::PEEK, RELAY.memory + 0x4000]);
    expect("status of a look at its own memory", own[form.first()], 0)?;
    let fatal = demo::ask(form, RELAY.id, &[command::PEEK, ECHO.memory + 0x4000]);
    expect_error("the request that was fatal", &fatal, FfaError::Aborted)?;
    let after = demo::ask(form, RELAY.id, &[command::ECHO]);
    expect_error("a request afterwards", &after, FfaError::Aborted)?;
    let value = demo::fresh();
    let echo = demo::ask(form, ECHO.id, &[command::ECHO, value]);
    expect_answer("echo lives on", form, ECHO.id, &echo, !value)
}

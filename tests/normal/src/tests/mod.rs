//! The scenarios, in the order in which they run.

mod aborts;
mod alone;
mod availability;
mod buffers;
mod cycles;
mod discovery;
mod hostile;
mod isolation;
mod messages;
mod only;
mod partitions;
mod patience;
mod power;
mod state;
mod sweep;
mod versions;
mod vms;

pub use alone::{run as run_alone, version};

use crate::outcome::Outcome;
use crate::{pe, println};

/// A scenario.
struct Test {
    /// The rule it proves.
    name: &'static str,
    /// What it does.
    run: fn() -> Outcome,
    /// Whether all PEs do it at once after the first did it alone.
    everywhere: bool,
}

macro_rules! tests {
    ($list:ident: $($chapter:ident :: $name:ident $($everywhere:ident)?,)*) => {
        static $list: &[Test] = &[$(Test {
            name: stringify!($name),
            run: $chapter::$name,
            everywhere: tests!(@ $($everywhere)?),
        }),*];
    };
    (@ everywhere) => { true };
    (@) => { false };
}

tests! {
    ONLY:
    only::the_partition_answers_on_every_pe everywhere,
    only::the_partition_is_preempted_and_resumed everywhere,
    only::the_partition_takes_only_what_its_manifest_says,
}

tests! {
    TESTS:
    discovery::version_is_negotiated,
    discovery::version_with_bit_31_is_refused,
    discovery::features_answer_from_the_table everywhere,
    discovery::unknown_function_is_not_supported,
    discovery::calls_of_later_features_are_not_supported,
    discovery::id_is_zero_for_the_normal_world,
    discovery::spm_id_is_the_spmc,
    buffers::rxtx_unmap_without_map_is_invalid,
    buffers::info_get_needs_an_rx_buffer,
    buffers::rxtx_map_refuses_bad_buffers,
    buffers::rxtx_map_of_secure_memory_is_refused,
    buffers::rxtx_map_twice_is_denied,
    buffers::partitions_are_listed_by_info_get,
    buffers::info_get_counts_only,
    buffers::rx_buffer_is_busy_until_released,
    buffers::rx_release_of_an_empty_buffer_is_denied,
    discovery::partitions_are_listed_by_registers everywhere,
    messages::a_random_value_comes_back_changed everywhere,
    messages::a_value_travels_through_relay_to_echo everywhere,
    messages::each_pe_has_its_own_context_of_echo everywhere,
    messages::a_request_to_nobody_is_invalid,
    messages::a_request_with_reserved_w2_is_invalid,
    messages::a_blocked_partition_is_busy,
    messages::one_of_two_pes_gets_busy,
    cycles::ffa_run_of_a_waiting_partition_returns_msg_wait,
    cycles::ffa_run_of_a_foreign_vcpu_is_invalid,
    cycles::yield_returns_to_the_normal_world_and_run_resumes,
    cycles::a_normal_interrupt_preempts_and_run_resumes everywhere,
    cycles::a_preempted_partition_is_busy_for_requests,
    cycles::a_chain_unwinds_when_preempted,
    cycles::a_chain_of_three_unwinds_when_preempted,
    patience::a_patient_partition_is_not_preempted everywhere,
    patience::a_callee_of_a_patient_partition_is_not_preempted everywhere,
    patience::a_caller_of_a_patient_partition_is_preempted_when_it_runs_again,
    availability::a_subscriber_is_told_of_vms everywhere,
    availability::only_the_hypervisor_tells_and_only_subscribers_are_told everywhere,
    vms::a_hypervisor_maps_buffers_of_its_vms,
    vms::a_hypervisor_acquires_and_releases_rx_buffers_of_its_vms,
    vms::a_vm_may_be_the_source_of_a_request everywhere,
    partitions::a_partition_finds_itself_and_the_spmc,
    partitions::a_partitions_version_stays,
    partitions::a_partition_of_ffa_1_1_has_no_calls_of_1_2,
    partitions::a_partitions_buffers_are_judged,
    partitions::a_partitions_discovery_in_registers_is_judged,
    partitions::a_partitions_log_is_judged,
    partitions::a_partition_sends_direct_requests_to_partitions everywhere,
    partitions::a_cycle_of_requests_is_refused,
    partitions::what_a_partition_must_not_do_when_it_is_run_is_refused everywhere,
    partitions::smcs_reach_el3_only_where_the_manifest_allows_it,
    sweep::every_function_with_garbage_is_refused everywhere,
    sweep::calls_of_the_secure_instance_are_not_the_normal_worlds everywhere,
    sweep::nobody_speaks_for_the_secure_world everywhere,
    hostile::a_partition_that_calls_every_function_with_garbage_is_refused everywhere,
    hostile::a_partition_cannot_forge_calls everywhere,
    hostile::registers_and_instructions_of_others_are_undefined_in_a_partition everywhere,
    hostile::a_partition_that_waits_for_an_interrupt_is_preempted everywhere,
    state::x8_to_x17_hold_no_foreign_values everywhere,
    state::registers_of_the_normal_world_survive everywhere,
    state::streaming_mode_of_the_normal_world_survives everywhere,
    power::pes_go_off_and_come_back,
    isolation::the_normal_world_cannot_read_a_partitions_memory everywhere,
    aborts::a_partition_that_aborts_on_all_pes_at_once_leaves_the_others_alone,
    aborts::a_partition_that_reads_anothers_memory_is_aborted,
}

/// Runs those for the manifests of the tests, and prints how each ended.
pub fn run_all() {
    run(TESTS);
}

/// Runs those for manifests with one partition, and prints how each ended.
pub fn run_only() {
    run(ONLY);
}

fn run(tests: &[Test]) {
    let mut failed = 0;
    for test in tests {
        let mut end = (test.run)();
        if end.is_ok() && test.everywhere && pe::count() > 1 {
            end = pe::on_all(test.run);
        }
        failed += usize::from(!report(test.name, end));
    }
    close(tests.len(), failed);
}

/// Prints how a scenario ended. Whether it passed.
fn report(name: &str, end: Outcome) -> bool {
    match end {
        Ok(()) => println!("test {name} ... ok"),
        Err(failure) => println!("test {name} ... FAILED: {failure}"),
    }
    end.is_ok()
}

/// Prints how many of them passed and failed.
fn close(count: usize, failed: usize) {
    println!("{} passed, {failed} failed", count - failed);
}

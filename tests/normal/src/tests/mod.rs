//! The scenarios, in the order in which they run.

mod aborts;
mod availability;
mod buffers;
mod cycles;
mod deeds;
mod discovery;
mod el0;
mod el0_ends;
mod hostile;
mod indirect;
mod isolation;
mod memory;
mod memory_ends;
mod messages;
mod notifications;
mod only;
mod partitions;
mod patience;
mod power;
mod scheduling;
mod state;
mod sweep;
mod timers;
mod versions;
mod vms;

use crate::ffa::VERSION;
use crate::outcome::Outcome;
use crate::{gic, pe, println};

/// A scenario.
struct Test {
    /// The rule it proves.
    name: &'static str,
    /// What it does.
    run: fn() -> Outcome,
    /// How it does that.
    how: How,
}

/// How a scenario runs.
#[derive(Clone, Copy, PartialEq, Eq)]
enum How {
    /// On the first PE.
    Once,
    /// On the first PE, and then on all PEs at once.
    Everywhere,
    /// On each PE, while the others rest.
    InTurn,
    /// On the first PE, after the Normal world has negotiated this version of FF-A.
    OfVersion(u64),
}

macro_rules! tests {
    ($list:ident: $($chapter:ident :: $name:ident $($how:ident)?,)*) => {
        static $list: &[Test] = &[$(Test {
            name: stringify!($name),
            run: $chapter::$name,
            how: tests!(@ $($how)?),
        }),*];
    };
    (@ everywhere) => { How::Everywhere };
    (@ everywhere_in_turn) => { How::InTurn };
    (@ of_1_0) => { How::OfVersion(versions::V1_0) };
    (@ of_1_1) => { How::OfVersion(versions::V1_1) };
    (@) => { How::Once };
}

// Each of these needs a machine of its own.
tests! {
    ALONE:
    versions::a_normal_world_of_ffa_1_0_gets_what_that_has of_1_0,
    versions::a_normal_world_of_ffa_1_1_gets_what_that_has of_1_1,
    aborts::a_callee_that_its_caller_left_preempted_can_be_run_to_its_end,
    deeds::a_partition_that_reads_the_spmcs_memory_is_aborted,
    deeds::a_partition_that_writes_the_spmcs_memory_is_aborted,
    deeds::a_partition_that_executes_the_spmcs_memory_is_aborted,
    deeds::a_partition_that_writes_anothers_memory_is_aborted,
    deeds::a_partition_that_executes_anothers_memory_is_aborted,
    deeds::a_partition_that_reads_el3s_memory_is_aborted,
    deeds::a_partition_that_reads_memory_of_nobody_is_aborted,
    deeds::a_partition_that_reads_the_interrupt_controller_is_aborted,
    deeds::a_partition_that_writes_the_interrupt_controller_is_aborted,
    deeds::a_partition_that_writes_the_normal_worlds_memory_is_aborted,
    deeds::a_partition_that_executes_the_normal_worlds_memory_is_aborted,
    deeds::a_partition_that_reads_non_secure_memory_with_its_mmu_off_is_aborted,
    deeds::a_partition_that_overflows_its_stack_is_aborted,
}

tests! {
    ONLY:
    only::the_partition_answers_on_every_pe everywhere,
    only::the_partition_is_preempted_and_resumed everywhere,
    only::the_partition_takes_only_what_its_manifest_says,
}

tests! {
    LONG:
    scheduling::messages_survive_all_policies_all_pes_and_preemption,
}

tests! {
    TESTS:
    discovery::version_is_negotiated,
    discovery::version_with_bit_31_is_refused,
    discovery::features_answer_from_the_table everywhere,
    discovery::unknown_function_is_not_supported,
    discovery::calls_of_later_features_are_not_supported,
    discovery::features_say_which_interrupts_there_are,
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
    messages::a_receiver_admits_whom_its_manifest_lists everywhere_in_turn,
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
    cycles::one_of_all_pes_runs_a_single_context,
    cycles::a_chain_of_three_unwinds_when_preempted,
    patience::a_patient_partition_is_not_preempted everywhere,
    patience::a_callee_of_a_patient_partition_is_not_preempted everywhere,
    patience::a_caller_of_a_patient_partition_is_preempted_when_it_runs_again,
    availability::a_subscriber_is_told_of_vms everywhere,
    availability::only_the_hypervisor_tells_and_only_subscribers_are_told everywhere,
    availability::a_subscriber_that_works_is_busy_for_messages_about_vms everywhere,
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
    hostile::a_partition_cannot_forge_messages,
    hostile::a_partition_cannot_send_or_take_what_is_not_its_to,
    notifications::bitmaps_of_vms_are_created_and_destroyed_once,
    notifications::a_receiver_binds_and_unbinds_its_notifications,
    notifications::only_what_is_bound_can_be_set,
    notifications::get_is_judged,
    notifications::a_notification_that_is_set_is_announced_and_got_once everywhere_in_turn,
    notifications::a_set_notification_that_is_set_again_raises_no_sri,
    notifications::an_sri_comes_at_once_where_it_is_not_delayed,
    notifications::a_delayed_sri_comes_when_the_partition_has_left,
    notifications::an_sri_for_a_pinned_vcpu_comes_on_its_pe,
    notifications::info_get_in_32_bits_is_continued_until_all_are_listed,
    notifications::info_get_in_64_bits_is_continued_until_all_are_listed,
    notifications::a_running_partition_is_interrupted_by_its_notifications,
    indirect::a_message_comes_back everywhere_in_turn,
    indirect::a_busy_receiver_keeps_the_earlier_message,
    indirect::a_message_that_nobody_has_seen_cannot_be_released,
    indirect::msg_send2_is_judged,
    indirect::a_message_may_fill_the_buffers_and_no_more,
    indirect::a_message_that_does_not_fit_the_receiver_is_refused,
    indirect::a_partition_sends_to_a_partition,
    indirect::a_vm_sends_and_receives_through_its_own_buffers,
    indirect::a_sender_learns_that_a_full_buffer_has_room_again,
    indirect::a_header_that_is_rewritten_meanwhile_never_reaches_the_receiver,
    indirect::buffers_that_are_unmapped_meanwhile_harm_nobody,
    timers::a_partitions_timer_interrupts_the_normal_world everywhere_in_turn,
    timers::a_partitions_timer_interrupts_another_partition,
    timers::a_partitions_timer_interrupts_itself,
    timers::a_deadline_holds_when_the_vcpu_has_gone_to_another_pe,
    timers::wfi_yields_with_the_time_to_the_deadline,
    timers::wfi_without_a_deadline_yields_without_a_time,
    timers::the_scheduler_is_told_of_an_interrupt_where_the_manifest_asks_for_it,
    scheduling::each_policy_runs_partitions_in_its_own_order,
    scheduling::one_of_all_contexts_that_are_run_for_a_message_sees_it,
    scheduling::ffa_run_of_a_running_vcpu_is_busy,
    scheduling::messages_survive_all_policies_all_pes_and_preemption,
    state::x8_to_x17_hold_no_foreign_values everywhere,
    state::registers_of_the_normal_world_survive everywhere,
    state::streaming_mode_of_the_normal_world_survives everywhere,
    state::registers_survive_preemption_at_random_points everywhere,
    power::pes_go_off_and_come_back,
    isolation::the_normal_world_cannot_read_a_partitions_memory everywhere,
    aborts::a_partition_that_aborts_on_all_pes_at_once_leaves_the_others_alone,
    aborts::a_partition_that_reads_anothers_memory_is_aborted,
}

tests! {
    MEMORY:
    memory::a_borrower_reads_and_writes_what_it_was_sent everywhere_in_turn,
    memory::memory_that_a_borrower_has_is_not_had_back everywhere_in_turn,
    memory::a_partition_lends_to_a_partition_and_has_it_back,
    memory::what_is_donated_is_the_receivers_to_send,
    memory::memory_is_sent_to_several_at_once,
    memory::much_memory_is_zeroed_before_its_borrower_has_it,
    memory::memory_of_partitions_is_not_the_normal_worlds_to_send,
    memory::a_hypervisor_sends_for_a_vm_and_is_shown_what,
    memory::sixty_four_megabytes_in_single_pages_are_one_transaction,
    memory::half_a_gigabyte_in_one_piece_is_one_transaction,
    memory::what_tables_or_quota_do_not_hold_is_refused_as_a_whole,
    memory::a_thousand_transactions_live_at_a_time,
    memory::all_pes_share_and_reclaim_at_once everywhere,
    memory::pages_beside_those_that_are_lent_meanwhile_can_be_touched everywhere,
    el0::a_partition_at_s_el0_answers_on_any_pe everywhere_in_turn,
    el0::a_partition_at_s_el0_says_what_it_may_do_with_its_pages,
    el0::what_is_not_of_ff_a_ends_at_the_spmc,
    el0::wfi_at_s_el0_gives_the_pe_back everywhere_in_turn,
    el0::a_partition_at_s_el0_is_preempted everywhere_in_turn,
    el0::registers_at_s_el0_survive everywhere_in_turn,
    el0::notifications_are_polled_at_s_el0,
    el0::messages_come_back_from_s_el0 everywhere_in_turn,
    el0::a_partition_at_s_el0_borrows_memory_of_the_normal_world everywhere_in_turn,
    el0::a_partition_at_s_el0_lends_memory_and_has_it_back everywhere_in_turn,
    el0::all_pes_ask_s_el0_at_once everywhere,
}

tests! {
    MEMORY_ALONE:
    memory_ends::a_lender_that_touches_what_it_lent_is_aborted,
    memory_ends::a_borrower_that_touches_what_it_gave_back_is_aborted,
    memory_ends::a_borrower_that_writes_what_it_may_read_is_aborted,
    memory_ends::a_borrower_that_takes_normal_memory_for_secure_is_aborted,
    memory_ends::what_a_borrower_had_that_is_aborted_is_its_owners,
    memory_ends::a_borrower_keeps_what_its_aborted_owner_lent_it,
    el0_ends::s_el0_that_writes_its_code_is_aborted,
    el0_ends::s_el0_that_executes_its_variables_is_aborted,
    el0_ends::s_el0_that_touches_the_spmc_is_aborted,
    el0_ends::s_el0_that_touches_what_it_lent_is_aborted,
    el0_ends::s_el0_that_touches_what_it_gave_back_is_aborted,
    el0_ends::s_el0_that_calls_by_smc_is_aborted,
    el0_ends::s_el0_that_calls_by_hvc_is_aborted,
    el0_ends::s_el0_that_reads_a_register_of_el1_is_aborted,
    el0_ends::s_el0_that_sets_a_timer_is_aborted,
    el0_ends::s_el0_that_jumps_between_instructions_is_aborted,
}

/// Runs those for the manifests of the tests, and prints how each ended.
pub fn run_all() {
    run(TESTS);
}

/// Runs those for manifests with one partition, and prints how each ended.
pub fn run_only() {
    run(ONLY);
}

/// Runs those that take long, as long as they can, and prints how each ended.
pub fn run_long() {
    run(LONG);
}

/// The version of FF-A for the scenario of this number, of those that need a machine of their own.
pub fn version(number: usize) -> u64 {
    match ALONE.get(number).map(|test| test.how) {
        Some(How::OfVersion(version)) => version,
        _ => VERSION,
    }
}

/// Runs the scenario of this number, of those that need a machine of their own; prints how it ended, and how many of
/// them there are.
pub fn run_alone(number: usize) {
    println!("normal: alone, {number} of {}", ALONE.len());
    run(ALONE.get(number).map_or(&[], core::slice::from_ref));
}

/// The same for those of memory transactions; without a number, those that need no machine of their own.
pub fn run_memory(number: Option<usize>) {
    match number {
        Some(number) => {
            println!("normal: alone, {number} of {}", MEMORY_ALONE.len());
            run(MEMORY_ALONE.get(number).map_or(&[], core::slice::from_ref));
        }
        None => run(MEMORY),
    }
}

fn run(tests: &[Test]) {
    let mut failed = 0;
    for test in tests {
        gic::take();
        let mut end = (test.run)();
        if end.is_ok() && pe::count() > 1 {
            end = match test.how {
                How::Everywhere => pe::on_all(test.run),
                How::InTurn => pe::on_each_other(test.run),
                How::Once | How::OfVersion(_) => end,
            };
        }
        match end {
            Ok(()) => println!("test {} ... ok", test.name),
            Err(failure) => {
                failed += 1;
                println!("test {} ... FAILED: {failure}", test.name);
            }
        }
    }
    println!("{} passed, {failed} failed", tests.len() - failed);
}

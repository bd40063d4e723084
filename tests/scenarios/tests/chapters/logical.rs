//! Logical partitions at EL3: they send direct requests, and partitions see them in lists.

use scenarios::{ECHO, Pe, Place, RELAY, Sources, V1_0, V1_1, V1_2, World, code, id, pair};

use super::direct::{IN_ECHO, IN_RELAY, REQUEST64, RESPONSE64};

/// A logical partition.
const LOGICAL: u64 = 0xFFC0;
const INFO: u64 = 0x8400_0068;
const INFO_REGS: u64 = 0xC400_008B;

/// `echo` works for EL3.
fn at_work() -> Pe {
    let mut pe = World::booted();
    assert_eq!(pe.normal(&[id::REQUEST, pair(LOGICAL, ECHO), 0, 5]), IN_ECHO);
    pe
}

#[test]
fn a_logical_partition_asks_and_is_answered() {
    for logical in [LOGICAL, 0xFFD1, 0xFFFE] {
        let mut pe = World::booted();
        for (request, response) in
            [(id::REQUEST, id::RESPONSE), (REQUEST64, RESPONSE64), (id::REQUEST2, id::RESPONSE2)]
        {
            assert_eq!(pe.normal(&[request, pair(logical, ECHO), 0, 0, 7]), IN_ECHO);
            assert_eq!(pe.low()[..5], [request, pair(logical, ECHO), 0, 0, 7]);
            for other in [0, RELAY, 0x8000, 0xFFFF, logical ^ 1] {
                pe.refused(&[response, pair(ECHO, other)], code::DENIED);
            }
            assert_eq!(pe.call(&[response, pair(ECHO, logical), 0, 0, 8]), Place::Normal);
            assert_eq!(pe.low()[..5], [response, pair(ECHO, logical), 0, 0, 8], "by its id the SPMD knows");
        }
    }
}

#[test]
fn ids_beside_those_of_logical_partitions_are_nobodys() {
    let mut pe = World::booted();
    for id in [0xFFBF, 0x8000, 0x8010, ECHO, RELAY] {
        pe.refused(&[id::REQUEST, pair(id, ECHO)], code::INVALID);
    }
}

#[test]
fn nobody_sends_to_a_logical_partition() {
    for mut pe in World::callers(V1_2) {
        let own = if pe.place() == Place::Normal { 0 } else { ECHO };
        for request in [id::REQUEST, REQUEST64, id::REQUEST2] {
            pe.refused(&[request, pair(own, LOGICAL)], code::INVALID);
        }
        pe.refused(&[id::RUN, pair(LOGICAL, 0)], code::INVALID);
    }
}

#[test]
fn interrupts_of_the_normal_world_wait_while_el3_is_served() {
    let mut pe = at_work();
    assert!(pe.machine.holds_normal);
    assert_eq!(pe.interrupt(), IN_ECHO, "one that has gone away changes nothing");
    pe.call(&[id::REQUEST, pair(ECHO, RELAY)]);
    assert!(pe.machine.holds_normal, "for the whole chain");
    pe.call(&[id::RESPONSE, pair(RELAY, ECHO)]);
    assert!(pe.machine.holds_normal);
    pe.call(&[id::RESPONSE, pair(ECHO, LOGICAL)]);
    assert!(!pe.machine.holds_normal);

    let mut pe = at_work();
    pe.fault();
    pe.expect_aborted();
    assert!(!pe.machine.holds_normal, "and an abort ends it too");
}

#[test]
fn a_yield_in_spmc_scheduled_mode_completes_at_once() {
    let mut pe = at_work();
    assert_eq!(pe.done(&[id::YIELD, 0, 1000, 2]), [id::SUCCESS, 0, 0, 0, 0, 0, 0, 0]);
    assert!(pe.machine.holds_normal);
    pe.refused(&[id::MSG_WAIT], code::DENIED);
    assert_eq!(pe.call(&[id::RESPONSE, pair(ECHO, LOGICAL)]), Place::Normal);
}

#[test]
fn a_request_of_el3_has_the_errors_of_a_request() {
    let mut pe = World::booted();
    for nobody in [0x8003, 0x8000, LOGICAL, 0, 1, 0xFFFF] {
        pe.refused(&[id::REQUEST, pair(LOGICAL, nobody)], code::INVALID);
    }
    pe.refused(&[id::REQUEST, pair(LOGICAL, ECHO), 1], code::INVALID);
    // Framework messages are the SPMD's and the hypervisor's.
    for kind in [0x8000_0000, 0x8000_0004, 0x8000_0006, 0x8000_0008] {
        pe.refused(&[id::REQUEST, pair(LOGICAL, ECHO), kind], code::INVALID);
    }
    pe.normal(&[id::REQUEST, pair(0, ECHO)]);
    pe.call(&[id::YIELD]);
    pe.refused(&[id::REQUEST, pair(LOGICAL, ECHO)], code::BUSY);
    pe.normal(&[id::RUN, pair(ECHO, 0)]);
    pe.fault();
    pe.refused(&[id::REQUEST, pair(LOGICAL, ECHO)], code::ABORTED);
    assert!(!pe.machine.holds_normal, "a refusal holds nothing");

    let mut sources = Sources::new();
    Sources::set(&mut sources.echo, "messaging-method", "<0x2>");
    let mut pe = World::of(&sources).booted_pe(0);
    pe.refused(&[id::REQUEST, pair(LOGICAL, ECHO)], code::DENIED);
}

/// EL3 has two logical partitions: the three words of each entry.
const ENTRIES: [[u64; 3]; 2] = [
    [0x102_0001_FFC0, 0x1122_3344_5566_7788, 0x99AA_BBCC_DDEE_FF00],
    [0x400_0001_FFC1, 0x0102_0304_0506_0708, 0x090A_0B0C_0D0E_0F10],
];

#[test]
fn logical_partitions_are_listed_to_partitions_only() {
    let blobs = Sources::new().compile();
    let world = World::loaded_by(&blobs, &ENTRIES);
    let mut pe = world.booted_pe(0);
    assert_eq!(pe.done(&[INFO, 0, 0, 0, 0, 1])[2], 2, "not to the Normal world");
    pe.act(&[INFO_REGS]);
    assert_eq!(pe.frame.x[2], 24 << 48 | 1 << 16 | 1);
    let [low, high] = [ENTRIES[0][1], ENTRIES[0][2]];
    pe.refused(&[INFO_REGS, low, high], code::INVALID);

    pe.normal(&[id::RUN, pair(ECHO, 0)]);
    assert_eq!(pe.done(&[INFO, 0, 0, 0, 0, 1])[2], 4);
    pe.act(&[INFO_REGS, 0, 0, 2]);
    assert_eq!(pe.frame.x[2], 24 << 48 | 3 << 16 | 3);
    assert_eq!(pe.frame.x[3..9], *ENTRIES.as_flattened());
    pe.act(&[INFO_REGS, low, high]);
    assert_eq!(pe.frame.x[2..6], [24 << 48, ENTRIES[0][0], 0, 0]);
    pe.map(1);
    let words = [low as u32, (low >> 32) as u32, high as u32, (high >> 32) as u32].map(u64::from);
    assert_eq!(pe.done(&[INFO, words[0], words[1], words[2], words[3]])[2..4], [1, 24]);
    assert_eq!(pe.received(8), ENTRIES[0][0].to_le_bytes());
    assert!(pe.machine.monitor_calls().is_empty(), "EL3 was asked at boot");
}

#[test]
fn logical_partitions_are_listed_in_the_callers_form() {
    let world = World::loaded_by(&Sources::speaking(V1_1).compile(), &ENTRIES);
    let mut pe = world.booted_pe(0);
    pe.normal(&[id::RUN, pair(ECHO, 0)]);
    pe.map(1);
    assert_eq!(pe.done(&[INFO])[2..4], [4, 24]);
    let list = pe.received(96);
    assert_eq!(list[48..56], ENTRIES[0][0].to_le_bytes());
    assert_eq!(list[56..64], ENTRIES[0][1].to_le_bytes());
    assert_eq!(list[72..80], 0x1_FFC1_u64.to_le_bytes(), "FFA_MSG_SEND_DIRECT_REQ2 is not of FF-A 1.1");
}

#[test]
fn logical_partitions_have_short_entries_for_a_caller_of_1_0() {
    let world = World::loaded_by(&Sources::speaking(V1_0).compile(), &ENTRIES);
    let mut pe = world.booted_pe(0);
    pe.normal(&[id::RUN, pair(ECHO, 0)]);
    pe.map(1);
    assert_eq!(pe.done(&[INFO])[2..4], [4, 8]);
    let list = [0x2_0001_FFC0_u64, 0x1_FFC1].map(u64::to_le_bytes);
    assert_eq!(pe.received(32)[16..], *list.as_flattened());
}

#[test]
fn what_is_no_logical_partition_is_not_taken_from_el3() {
    let strange = [[0x1_8001, 1, 1], [0x1_0000, 2, 2], ENTRIES[0], [0x1_FFFF, 3, 3]];
    let mut pe = World::loaded_by(&Sources::new().compile(), &strange).booted_pe(0);
    pe.normal(&[id::RUN, pair(ECHO, 0)]);
    assert_eq!(pe.done(&[INFO, 0, 0, 0, 0, 1])[2], 3);
}

#[test]
fn a_chain_of_el3_does_not_pass_through_the_normal_world() {
    let mut pe = at_work();
    assert_eq!(pe.call(&[id::REQUEST, pair(ECHO, RELAY)]), IN_RELAY);
    pe.call(&[id::YIELD, 0, 9]);
    assert_eq!(pe.place(), IN_ECHO, "a yield goes to who called");
    assert_eq!(pe.low()[..3], [id::YIELD, pair(RELAY, 0), 9]);
    assert!(pe.machine.holds_normal);
    assert_eq!(pe.call(&[id::RUN, pair(RELAY, 0)]), IN_RELAY);
    assert_eq!(pe.call(&[id::RESPONSE, pair(RELAY, ECHO)]), IN_ECHO);
    assert_eq!(pe.call(&[id::RESPONSE, pair(ECHO, LOGICAL)]), Place::Normal);
}

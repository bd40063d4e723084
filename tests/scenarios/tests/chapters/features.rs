//! FFA_FEATURES, FFA_ID_GET and FFA_SPM_ID_GET; and which functions there are, against a table of its own.

use manager::exit::Conduit;
use scenarios::{ECHO, Pe, Place, RELAY, Sources, V1_0, V1_1, V1_2, V1_3, VERSIONS, World, code, id, pair};

/// How an instance knows a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Is {
    /// It does not.
    Unknown,
    /// It may call it.
    Call,
    /// It gets it as an answer, and may not call it.
    Answer,
}
use Is::{Answer, Call, Unknown};

/// What the specification gives each instance, of what this SPMC serves: function, first version, Normal world,
/// partition.
#[rustfmt::skip]
const FUNCTIONS: &[(u64, u64, Is, Is)] = &[
    (0x8400_0060, V1_0, Answer,  Call),    // FFA_ERROR
    (0x8400_0061, V1_0, Answer,  Answer),  // FFA_SUCCESS
    (0xC400_0061, V1_0, Answer,  Answer),
    (0x8400_0062, V1_0, Answer,  Answer),  // FFA_INTERRUPT
    (0x8400_0063, V1_0, Call,    Call),    // FFA_VERSION
    (0x8400_0064, V1_0, Call,    Call),    // FFA_FEATURES
    (0x8400_0065, V1_0, Call,    Call),    // FFA_RX_RELEASE
    (0x8400_0066, V1_0, Call,    Call),    // FFA_RXTX_MAP
    (0xC400_0066, V1_0, Call,    Call),
    (0x8400_0067, V1_0, Call,    Call),    // FFA_RXTX_UNMAP
    (0x8400_0068, V1_0, Call,    Call),    // FFA_PARTITION_INFO_GET
    (0x8400_0069, V1_0, Call,    Call),    // FFA_ID_GET
    (0x8400_006B, V1_0, Answer,  Call),    // FFA_MSG_WAIT
    (0x8400_006C, V1_0, Answer,  Call),    // FFA_YIELD
    (0x8400_006D, V1_0, Call,    Call),    // FFA_RUN
    (0x8400_006F, V1_0, Call,    Call),    // FFA_MSG_SEND_DIRECT_REQ
    (0xC400_006F, V1_0, Call,    Call),
    (0x8400_0070, V1_0, Answer,  Call),    // FFA_MSG_SEND_DIRECT_RESP
    (0xC400_0070, V1_0, Answer,  Call),
    (0x8400_0071, V1_0, Call,    Call),    // FFA_MEM_DONATE
    (0xC400_0071, V1_0, Call,    Call),
    (0x8400_0072, V1_0, Call,    Call),    // FFA_MEM_LEND
    (0xC400_0072, V1_0, Call,    Call),
    (0x8400_0073, V1_0, Call,    Call),    // FFA_MEM_SHARE
    (0xC400_0073, V1_0, Call,    Call),
    (0x8400_0074, V1_0, Call,    Call),    // FFA_MEM_RETRIEVE_REQ
    (0xC400_0074, V1_0, Call,    Call),
    (0x8400_0075, V1_0, Answer,  Answer),  // FFA_MEM_RETRIEVE_RESP
    (0x8400_0076, V1_0, Unknown, Call),    // FFA_MEM_RELINQUISH
    (0x8400_0077, V1_0, Call,    Call),    // FFA_MEM_RECLAIM
    (0x8400_0078, V1_0, Answer,  Answer),  // FFA_MEM_OP_PAUSE
    (0x8400_0079, V1_0, Call,    Call),    // FFA_MEM_OP_RESUME
    (0x8400_007A, V1_0, Call,    Call),    // FFA_MEM_FRAG_RX
    (0x8400_007B, V1_0, Call,    Call),    // FFA_MEM_FRAG_TX
    (0x8400_007D, V1_1, Call,    Unknown), // FFA_NOTIFICATION_BITMAP_CREATE
    (0x8400_007E, V1_1, Call,    Unknown), // FFA_NOTIFICATION_BITMAP_DESTROY
    (0x8400_007F, V1_1, Call,    Call),    // FFA_NOTIFICATION_BIND
    (0x8400_0080, V1_1, Call,    Call),    // FFA_NOTIFICATION_UNBIND
    (0x8400_0081, V1_1, Call,    Call),    // FFA_NOTIFICATION_SET
    (0x8400_0082, V1_1, Call,    Call),    // FFA_NOTIFICATION_GET
    (0x8400_0083, V1_1, Call,    Unknown), // FFA_NOTIFICATION_INFO_GET
    (0xC400_0083, V1_1, Call,    Unknown),
    (0x8400_0084, V1_1, Call,    Unknown), // FFA_RX_ACQUIRE
    (0x8400_0085, V1_1, Call,    Call),    // FFA_SPM_ID_GET
    (0x8400_0086, V1_1, Call,    Call),    // FFA_MSG_SEND2
    (0xC400_0087, V1_1, Unknown, Call),    // FFA_SECONDARY_EP_REGISTER
    (0x8400_008A, V1_0, Unknown, Call),    // FFA_CONSOLE_LOG: of 1.2, and served to earlier partitions too
    (0xC400_008A, V1_0, Unknown, Call),
    (0xC400_008B, V1_2, Call,    Call),    // FFA_PARTITION_INFO_GET_REGS
    (0xC400_008D, V1_2, Call,    Call),    // FFA_MSG_SEND_DIRECT_REQ2
    (0xC400_008E, V1_2, Answer,  Call),    // FFA_MSG_SEND_DIRECT_RESP2
];

/// FFA_INTERRUPT as a call: the SPMD's where the Normal world is, denied to partitions.
const INTERRUPT: u64 = id::INTERRUPT;

/// Every function id of FF-A's range.
fn range() -> impl Iterator<Item = u64> {
    (0x8400_0060..=0x8400_00FF).chain(0xC400_0060..=0xC400_00FF)
}

/// How the caller on `pe`, which speaks `version`, knows a function.
fn known(pe: &Pe, version: u64, function: u64) -> Is {
    let row = FUNCTIONS.iter().find(|row| row.0 == function && row.1 <= version);
    row.map_or(
        Unknown,
        |(_, _, normal, partition)| {
            if pe.place() == Place::Normal { *normal } else { *partition }
        },
    )
}

#[test]
fn features_answer_from_the_table() {
    for version in [V1_0, V1_1, V1_2, V1_3] {
        for mut pe in World::callers(version) {
            for function in range() {
                if known(&pe, version, function) == Unknown {
                    pe.refused(&[id::FEATURES, function], code::NOT_SUPPORTED);
                    continue;
                }
                let done = pe.done(&[id::FEATURES, function]);
                // The smallest buffer is 4 KB; from 1.2 on callers learn that the largest is 16 pages of 4 KB.
                // Descriptors of memory may lie in pages of their own; responses tell whose memory it is from 1.1 on.
                let properties = match function & 0xFF {
                    0x66 if version >= V1_2 => 16 << 16,
                    0x71..=0x73 => 1,
                    0x74 if version >= V1_1 => 3,
                    0x74 => 1,
                    _ => 0,
                };
                assert_eq!(done[1..], [0, properties, 0, 0, 0, 0, 0], "{function:#x}");
            }
        }
    }
}

#[test]
fn a_function_that_is_not_there_is_not_supported() {
    for version in VERSIONS {
        for mut pe in World::callers(version) {
            for function in range().filter(|function| *function != INTERRUPT) {
                if known(&pe, version, function) != Call {
                    pe.refused(&[function], code::NOT_SUPPORTED);
                }
            }
        }
    }
}

#[test]
fn a_function_that_is_there_is_not_answered_with_not_supported() {
    for (function, since, normal, partition) in FUNCTIONS {
        // A partition's FFA_ERROR has a meaning in its initialisation only.
        for version in VERSIONS.into_iter().filter(|version| version >= since && *function != id::ERROR) {
            for mut pe in World::callers(version) {
                let is = if pe.place() == Place::Normal { normal } else { partition };
                if *is == Call {
                    // A feature that is not there is all that FFA_FEATURES has to say to 0.
                    pe.act(&[*function, if *function == id::FEATURES { id::FEATURES } else { 0 }]);
                    assert_ne!(pe.low()[..3], [id::ERROR, 0, code::NOT_SUPPORTED], "{function:#x}");
                }
            }
        }
    }
}

#[test]
fn features_refuse_by_not_supported_alone() {
    for version in VERSIONS {
        for mut pe in World::callers(version) {
            // Feature ids, of which few are there; and reserved bits.
            let is_normal = pe.place() == Place::Normal;
            let is_there = |feature: u64| feature == 4 || feature == 2 && is_normal;
            let unknown = (0..=0xFF).filter(|feature| version < V1_1 || !is_there(*feature));
            for feature in unknown.chain([0x100, 0x102, 0x4000_0001, 0x7FFF_FFFF, 0x0400_0063]) {
                pe.refused(&[id::FEATURES, feature], code::NOT_SUPPORTED);
            }
            for function in [0x8000_0000, 0x8400_0000, 0x8600_0063, 0xFFFF_FFFF, 0x8400_0163] {
                pe.refused(&[id::FEATURES, function], code::NOT_SUPPORTED);
            }
        }
    }
}

#[test]
fn features_say_which_interrupts_there_are() {
    for version in VERSIONS.into_iter().filter(|version| *version >= V1_1) {
        let mut sources = Sources::speaking(version);
        for notified in [false, true] {
            for mut pe in World::callers_of(&sources, version) {
                let is_normal = pe.place() == Place::Normal;
                // Notification pending, schedule receiver, managed exit, and notifications with nothing left out.
                let (npi, sri) = ((!is_normal && notified).then_some(5), is_normal.then_some(8));
                for (feature, properties) in [(1, npi), (2, sri), (3, None), (4, Some(0))] {
                    match properties {
                        Some(w2) => {
                            assert_eq!(pe.done(&[id::FEATURES, feature])[1..], [0, w2, 0, 0, 0, 0, 0]);
                            pe.refused(&[id::FEATURES, feature, 1], code::NOT_SUPPORTED);
                        }
                        None => pe.refused(&[id::FEATURES, feature], code::NOT_SUPPORTED),
                    }
                }
            }
            Sources::set(&mut sources.echo, "notification-support", "");
        }
    }
}

#[test]
fn everybody_learns_its_id_and_the_spmcs() {
    for version in VERSIONS {
        for mut pe in World::callers(version) {
            let own = if pe.place() == Place::Normal { 0 } else { ECHO };
            assert_eq!(pe.done(&[0x8400_0069])[1..], [0, own, 0, 0, 0, 0, 0]);
            if version >= V1_1 {
                assert_eq!(pe.done(&[0x8400_0085])[1..], [0, 0x8000, 0, 0, 0, 0, 0]);
            }
        }
    }
    let mut pe = World::booted();
    pe.normal(&[id::REQUEST, pair(0, RELAY)]);
    assert_eq!(pe.done(&[0x8400_0069])[2], RELAY);
}

#[test]
fn ids_are_asked_for_without_parameters() {
    for mut pe in World::callers(V1_2) {
        for (function, register) in [(0x8400_0069, 1), (0x8400_0085, 1), (0x8400_0069, 7), (0x8400_0085, 5)] {
            let mut x = [function, 0, 0, 0, 0, 0, 0, 0];
            x[register] = 1;
            pe.refused(&x, code::INVALID);
        }
    }
}

#[test]
fn a_forged_interrupt_is_denied_by_either_conduit() {
    for version in VERSIONS {
        for mut pe in World::callers(version).into_iter().filter(|pe| pe.place() != Place::Normal) {
            pe.refused(&[INTERRUPT, pair(RELAY, 0)], code::DENIED);
        }
    }
}

#[test]
fn a_call_that_is_not_of_ffa_answers_as_smccc_says() {
    for conduit in [Conduit::Hvc, Conduit::Smc] {
        let mut pe = World::booted();
        pe.conduit = conduit;
        pe.normal(&[id::RUN, pair(ECHO, 0)]);
        // SMCCC_VERSION, PSCI, TRNG, an OEM's, a paravirtual call that is not there, all ones.
        for function in [0x8000_0000, 0x8400_0000, 0xC400_0001, 0x8400_0050, 0x8300_0000, 0, 0xFF03, u64::MAX]
        {
            assert_eq!(pe.call(&[function, 1, 2, 3]), Place::Partition((ECHO, 0)));
            assert_eq!(pe.low(), [u64::MAX, 0, 0, 0, 0, 0, 0, 0], "{function:#x}");
        }
    }
}
#[test]
fn features_take_no_input_properties_but_one() {
    for version in VERSIONS {
        for mut pe in World::callers(version) {
            for asked in [id::REQUEST, id::VERSION, 0x8400_0066, 0xC400_0066, 0x8400_0073, 1, 4] {
                for property in [1, 2, 0x8000_0000] {
                    pe.refused(&[id::FEATURES, asked, property], code::NOT_SUPPORTED);
                }
            }
            // But one: who retrieves memory knows the bit that tells whose it is.
            let plain = pe.done(&[id::FEATURES, id::MEM_RETRIEVE_REQ]);
            let told = pe.done(&[id::FEATURES, id::MEM_RETRIEVE_REQ, 2]);
            // Before FF-A 1.1 a partition gets it from here on; the Normal world's borrowers are elsewhere.
            let bit = if pe.place() == Place::Normal { plain[2] & 2 } else { 2 };
            assert_eq!(told, [plain[0], 0, plain[2] | bit, 0, 0, 0, 0, 0]);
            pe.refused(&[id::FEATURES, id::MEM_RETRIEVE_REQ, 3], code::NOT_SUPPORTED);
        }
    }
}

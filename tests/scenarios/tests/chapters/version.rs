//! FFA_VERSION: of partitions, and of the Normal world through the SPMD.

use manager::exit::Conduit;
use scenarios::{ECHO, Pe, Place, Sources, V1_0, V1_1, V1_2, V1_3, VERSIONS, World, code, id, pair};

const REFUSED: u64 = 0xFFFF_FFFF;
const ID_GET: u64 = 0x8400_0069;
/// Versions that nobody serves: below 1.0, above 1.3, of another major version, and with the reserved bit 31.
const BAD: [u64; 9] = [0, 1, 0xFFFF, 0x1_0004, 0x1_FFFF, 0x2_0000, 0x7FFF_FFFF, 0x8001_0002, 0xFFFF_FFFF];

/// `echo`, whose manifest says `version`, in its initialisation: it has made no call yet.
fn initialising(version: u64, conduit: Conduit) -> Pe {
    let mut pe = World::of(&Sources::speaking(version)).pe(0);
    pe.conduit = conduit;
    assert_eq!(pe.turn_on(), Place::Partition((ECHO, 0)));
    pe
}

/// What FFA_VERSION answers a partition.
fn ask(pe: &mut Pe, version: u64) -> u64 {
    let here = pe.place();
    assert_eq!(pe.call(&[id::VERSION, version]), here);
    assert_eq!(pe.low()[1..], [0; 7], "never an FFA_ERROR");
    pe.low()[0]
}

/// The version by which the caller on this PE is served, as calls show that came with 1.1 and 1.2.
fn served(pe: &mut Pe) -> u64 {
    let mut knows = |function: u64| {
        pe.act(&[id::FEATURES, function]);
        pe.low()[0] == id::SUCCESS
    };
    match (knows(0x8400_0085), knows(id::REQUEST2)) {
        (false, false) => V1_0,
        (true, false) => V1_1,
        _ => V1_2,
    }
}

#[test]
fn version_is_negotiated() {
    for wanted in VERSIONS {
        let mut pe = World::booted();
        assert_eq!(pe.normal_version(wanted), V1_2, "what this SPMC speaks");
        assert_eq!(served(&mut pe), wanted);
        for manifest in [V1_0, V1_1, V1_2, V1_3] {
            for conduit in [Conduit::Hvc, Conduit::Smc] {
                let mut pe = initialising(manifest, conduit);
                assert_eq!(ask(&mut pe, wanted), V1_2);
                assert_eq!(served(&mut pe), wanted, "of a manifest that says {manifest:#x}");
            }
        }
    }
}

#[test]
fn a_version_that_nobody_serves_is_answered_with_minus_one() {
    let mut normal = World::booted();
    for bad in BAD.into_iter().chain([V1_3]) {
        assert_eq!(normal.normal_version(bad), REFUSED, "{bad:#x}");
    }
    assert_eq!(served(&mut normal), V1_2, "a refusal changes nothing");
    for manifest in [V1_0, V1_1, V1_2, V1_3] {
        let mut pe = initialising(manifest, Conduit::Smc);
        for bad in BAD.into_iter().chain([V1_3].into_iter().filter(|v| *v > manifest)) {
            assert_eq!(ask(&mut pe, bad), REFUSED, "{bad:#x} of {manifest:#x}");
        }
        assert_eq!(served(&mut pe), manifest.min(V1_2));
    }
}

#[test]
fn version_with_bit_31_is_refused() {
    assert_eq!(World::booted().normal_version(0x8001_0002), REFUSED);
    assert_eq!(ask(&mut initialising(V1_2, Conduit::Hvc), 0x8001_0002), REFUSED);
}

#[test]
fn a_manifest_gives_the_version_until_another_is_asked_for() {
    for manifest in VERSIONS {
        assert_eq!(served(&mut initialising(manifest, Conduit::Hvc)), manifest);
    }
}

#[test]
fn a_manifest_of_1_3_is_served_as_1_2() {
    let mut pe = initialising(V1_3, Conduit::Hvc);
    assert_eq!(ask(&mut pe, V1_3), V1_2);
    assert_eq!(ask(&mut pe, V1_3 + 1), REFUSED);
    // The calls of 1.2 are there, those of 1.3 are not: FFA_ABORT and FFA_NS_RES_INFO_GET.
    pe.done(&[0x8400_008A, 1, u64::from(b'\n')]);
    pe.refused(&[0x8400_0090], code::NOT_SUPPORTED);
    pe.refused(&[0xC400_008F], code::NOT_SUPPORTED);
    assert_eq!(ask(&mut pe, V1_3), V1_2, "the same again is no change");
    assert_eq!(ask(&mut pe, V1_1), REFUSED);
}

#[test]
fn a_version_stays_once_another_call_was_made() {
    let mut pe = World::booted();
    assert_eq!(pe.normal_version(V1_1), V1_2);
    pe.done(&[ID_GET]);
    assert_eq!(pe.normal_version(V1_2), REFUSED);
    assert_eq!(pe.normal_version(V1_0), REFUSED);
    assert_eq!(pe.normal_version(V1_1), V1_2, "the same again is no change");
    assert_eq!(served(&mut pe), V1_1);

    for conduit in [Conduit::Hvc, Conduit::Smc] {
        let mut pe = initialising(V1_2, conduit);
        assert_eq!(ask(&mut pe, V1_1), V1_2);
        assert_eq!(ask(&mut pe, V1_0), V1_2);
        assert_eq!(ask(&mut pe, V1_1), V1_2, "nothing else was called yet");
        pe.done(&[ID_GET]);
        for other in [V1_0, V1_2] {
            assert_eq!(ask(&mut pe, other), REFUSED);
        }
        assert_eq!(ask(&mut pe, V1_1), V1_2);
    }
}

#[test]
fn even_a_refused_call_locks_the_version() {
    let mut pe = World::booted();
    pe.refused(&[0x8400_0078], code::NOT_SUPPORTED);
    assert_eq!(pe.normal_version(V1_1), REFUSED);
    let mut pe = initialising(V1_2, Conduit::Hvc);
    pe.refused(&[id::YIELD], code::DENIED);
    assert_eq!(ask(&mut pe, V1_1), REFUSED);
}

#[test]
fn what_is_no_call_of_ffa_locks_no_version() {
    for conduit in [Conduit::Hvc, Conduit::Smc] {
        let mut pe = initialising(V1_2, conduit);
        for function in [0x8000_0000, 0xFF03, 0x8200_0001] {
            pe.call(&[function]);
        }
        assert_eq!(ask(&mut pe, V1_1), V1_2);
    }
}

#[test]
fn a_version_is_of_the_whole_partition() {
    let world = World::new();
    let mut first = world.pe(0);
    first.turn_on();
    assert_eq!(ask(&mut first, V1_1), V1_2);
    first.call(&[id::MSG_WAIT]);
    let mut second = world.pe(1);
    assert_eq!(second.turn_on(), Place::Partition((ECHO, 1)));
    assert_eq!(ask(&mut second, V1_2), REFUSED, "locked by what the first context called");
    assert_eq!(served(&mut second), V1_1);
}

#[test]
fn versions_of_different_endpoints_are_their_own() {
    let mut pe = World::booted();
    assert_eq!(pe.normal_version(V1_0), V1_2);
    assert_eq!(served(&mut pe), V1_0);
    pe.normal(&[id::REQUEST, pair(0, ECHO)]);
    assert_eq!(served(&mut pe), V1_2);
}

#[test]
fn a_secure_interrupt_before_the_first_version_changes_nothing() {
    let mut pe = World::booted();
    pe.machine.pending.push_back(40);
    assert_eq!(pe.normal(&[id::INTERRUPT]), Place::Normal);
    assert_eq!(pe.low(), [id::NORMAL_WORLD_RESUME, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(pe.normal_version(V1_1), V1_2);
    assert_eq!(served(&mut pe), V1_1);
}

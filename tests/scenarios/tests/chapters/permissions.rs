//! FFA_MEM_PERM_GET and FFA_MEM_PERM_SET: of a partition at S-EL0, while it initialises.

use manager::exit::Conduit;
use manager::hardware::Tag;
use manager::memory::page::{Attributes, Ownership, Pa};
use scenarios::sharing::{RW, Region};
use scenarios::{
    ECHO, ECHO_MEMORY, Pe, Place, RELAY, RELAY_MEMORY, Sources, V1_2, WRITABLE_AT_EL0, World, code, id, pair,
};

use super::direct::IN_RELAY;

/// The 32-bit forms.
const GET32: u64 = 0x8400_0088;
const SET32: u64 = 0x8400_0089;
/// Permissions: data to be read, data, code.
const DATA: u64 = 7;
const VARIABLES: u64 = 5;
const CODE: u64 = 3;
/// A page that is code at first.
const PAGE: u64 = RELAY_MEMORY + 0x8000;
/// A device of its own.
const DEVICE: u64 = 0x904_0000;

const READ: Attributes = Attributes::READ;
const READ_WRITE: Attributes = READ.union(Attributes::WRITE);
const READ_EXECUTE: Attributes = READ.union(Attributes::EXECUTE);

/// `relay`, at S-EL0, in its initialisation.
fn initialising() -> Pe {
    let mut sources = Sources::speaking(V1_2);
    sources.relay_at_el0();
    Sources::add_device(&mut sources.relay, 0, 40);
    let mut pe = World::of(&sources).pe(0);
    assert_eq!(pe.turn_on(), Place::Partition((ECHO, 0)));
    assert_eq!(pe.call(&[id::MSG_WAIT]), IN_RELAY);
    pe.conduit = Conduit::Svc;
    pe
}

/// What FFA_MEM_PERM_GET says: permissions, and pages behind that have the same.
#[track_caller]
fn permissions(pe: &mut Pe, page: u64, others: u64) -> (u64, u64) {
    let [_, w1, permissions, alike, rest @ ..] = pe.done(&[id::MEM_PERM_GET, page, others]);
    assert_eq!((w1, rest), (0, [0; 4]));
    (permissions, alike)
}

#[test]
fn what_may_be_done_with_a_page_is_said_while_the_partition_initialises() {
    let mut pe = initialising();
    assert_eq!(permissions(&mut pe, PAGE, 0), (CODE, 0));
    for (wanted, attributes) in [(DATA, READ), (VARIABLES, READ_WRITE), (CODE, READ_EXECUTE)] {
        let _ = pe.machine.take_invalidated();
        pe.done(&[id::MEM_PERM_SET, PAGE, 2, wanted]);
        let forgotten = pe.machine.take_invalidated();
        assert!(forgotten.iter().any(|(whose, range)| *whose == Tag::Asid(2) && range.start() == PAGE));
        for page in [PAGE, PAGE + 0x1000] {
            assert_eq!(permissions(&mut pe, page, 0), (wanted, 0));
            assert_eq!(pe.world.page(RELAY, Pa::secure(page)), Some((attributes, Ownership::Owned)));
        }
        assert_eq!(permissions(&mut pe, PAGE - 0x1000, 0), (CODE, 0), "its neighbours are as before");
        assert_eq!(permissions(&mut pe, PAGE + 0x2000, 0), (CODE, 0));
    }
}

#[test]
fn the_32_bit_forms_do_the_same() {
    let mut pe = initialising();
    pe.done(&[SET32, PAGE | 7 << 32, 1 | 7 << 32, DATA | 7 << 32]);
    assert_eq!(pe.done(&[GET32, PAGE | 7 << 32])[2], DATA);
}

#[test]
fn pages_that_are_alike_are_told_together() {
    let mut pe = initialising();
    pe.done(&[id::MEM_PERM_SET, PAGE, 3, VARIABLES]);
    assert_eq!(permissions(&mut pe, PAGE, 1), (VARIABLES, 1));
    assert_eq!(permissions(&mut pe, PAGE, 0xFFFF_FFFF), (VARIABLES, 2));
    assert_eq!(permissions(&mut pe, PAGE + 0x2000, 9), (VARIABLES, 0));
    // To the end of its memory, and no further.
    assert_eq!(permissions(&mut pe, WRITABLE_AT_EL0, 0xFFFF_FFFF), (VARIABLES, 0x2F));
}

#[test]
fn nothing_is_writable_and_executable() {
    let mut pe = initialising();
    for permissions in (0..=0x10).filter(|bits| ![DATA, VARIABLES, CODE].contains(bits)) {
        pe.refused(&[id::MEM_PERM_SET, PAGE, 1, permissions], code::INVALID);
    }
    pe.refused(&[id::MEM_PERM_SET, PAGE, 1, 1 << 31 | DATA], code::INVALID);
    assert_eq!(permissions(&mut pe, PAGE, 0), (CODE, 0));
}

#[test]
fn pages_that_are_not_its_own_or_not_alike_are_refused() {
    let mut pe = initialising();
    let end = RELAY_MEMORY + scenarios::PARTITION_MEMORY;
    for (page, pages) in [
        (PAGE + 8, 1),
        (PAGE, 0),
        (PAGE, 0xFFFF_FFFF),
        (end - 0x1000, 2),
        (end, 1),
        (ECHO_MEMORY, 1),
        (0xe10_0000, 1),
        (0x4000_0000, 1),
        (0, 1),
        (0xFFFF_FFFF_FFFF_F000, 1),
        (1 << 48, 1),
        // Code and variables.
        (WRITABLE_AT_EL0 - 0x1000, 2),
    ] {
        pe.refused(&[id::MEM_PERM_SET, page, pages, DATA], code::INVALID);
    }
    for page in [PAGE + 8, end, ECHO_MEMORY, 0xe10_0000, 0, 0xFFFF_FFFF_FFFF_F000, 1 << 48] {
        pe.refused(&[id::MEM_PERM_GET, page], code::INVALID);
    }
    for register in 3..8 {
        let mut get = vec![id::MEM_PERM_GET, PAGE, 0, 0, 0, 0, 0, 0];
        get[register] = 1;
        pe.refused(&get, code::INVALID);
    }
    for register in 4..8 {
        let mut set = vec![id::MEM_PERM_SET, PAGE, 1, DATA, 0, 0, 0, 0];
        set[register] = 1;
        pe.refused(&set, code::INVALID);
    }
}

#[test]
fn a_region_has_no_more_permissions_than_its_manifest_gives() {
    let mut sources = Sources::speaking(V1_2);
    Sources::set(&mut sources.relay, "exception-level", "<1>");
    let region = "memory-regions { compatible = \"arm,ffa-manifest-memory-regions\"; given { \
                  base-address = <0x50000000>; pages-count = <2>; attributes = <9>; }; };\n";
    Sources::add_node(&mut sources.relay, region);
    let mut pe = World::of(&sources).pe(0);
    pe.turn_on();
    pe.call(&[id::MSG_WAIT]);
    assert_eq!(permissions(&mut pe, 0x5000_0000, 7), (DATA, 1));
    for wanted in [VARIABLES, CODE] {
        pe.refused(&[id::MEM_PERM_SET, 0x5000_0000, 2, wanted], code::DENIED);
    }
    pe.done(&[id::MEM_PERM_SET, 0x5000_0000, 2, DATA]);
}

#[test]
fn a_device_is_never_executed() {
    let mut pe = initialising();
    assert_eq!(permissions(&mut pe, DEVICE, 0), (VARIABLES, 0));
    pe.refused(&[id::MEM_PERM_SET, DEVICE, 1, CODE], code::INVALID);
    pe.done(&[id::MEM_PERM_SET, DEVICE, 1, DATA]);
    let device = Attributes::READ | Attributes::DEVICE;
    assert_eq!(pe.world.page(RELAY, Pa::secure(DEVICE)), Some((device, Ownership::Owned)));
}

#[test]
fn pages_that_others_use_too_keep_their_permissions() {
    let mut pe = initialising();
    pe.map(1);
    let (tx, rx) = (pe.tx().address, pe.rx().address);
    for buffer in [tx, rx] {
        pe.refused(&[id::MEM_PERM_SET, buffer, 1, DATA], code::DENIED);
        assert_eq!(permissions(&mut pe, buffer, 0), (VARIABLES, 0));
    }
    let lent = WRITABLE_AT_EL0 + 0x2_8000;
    pe.offer(id::MEM_SHARE, &Region::new(RELAY, ECHO, RW, &[(lent, 1)]).shared());
    pe.refused(&[id::MEM_PERM_SET, lent, 1, DATA], code::DENIED);
    pe.offer(id::MEM_LEND, &Region::new(RELAY, ECHO, RW, &[(lent + 0x1000, 1)]));
    pe.refused(&[id::MEM_PERM_SET, lent + 0x1000, 1, DATA], code::DENIED);
    pe.refused(&[id::MEM_PERM_GET, lent + 0x1000], code::INVALID);
}

#[test]
fn after_its_initialisation_and_at_s_el1_nothing_is_said() {
    let mut pe = initialising();
    assert_eq!(pe.call(&[id::MSG_WAIT]), Place::Normal);
    let calls = [[id::MEM_PERM_GET, PAGE, 0, 0], [id::MEM_PERM_SET, PAGE, 1, DATA], [GET32, PAGE, 0, 0]];
    for call in calls {
        pe.refused(&call, code::NOT_SUPPORTED);
        pe.refused(&[id::FEATURES, call[0]], code::NOT_SUPPORTED);
    }
    for (partition, code) in [(RELAY, code::DENIED), (ECHO, code::NOT_SUPPORTED)] {
        pe.normal(&[id::RUN, pair(partition, 0)]);
        calls.iter().for_each(|call| pe.refused(call, code));
        pe.call(&[id::FEATURES, id::MEM_PERM_SET]);
        assert_eq!(pe.low()[0] == id::SUCCESS, partition == RELAY);
        pe.call(&[id::MSG_WAIT]);
    }
}

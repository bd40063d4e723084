//! SMCs of partitions that are not of FF-A: those that the SPMC manifest allows go to EL3.

use manager::exit::Conduit;
use scenarios::{ECHO, Pe, Place, Sources, World, code, id, pair};

const ALLOWED: u64 = 0x8200_0001;
const ALSO_ALLOWED: u64 = 0xC200_0002;
const OTHER: u64 = 0x8200_0003;

/// A world whose SPMC manifest has this in the node of `echo`, which runs and calls by `conduit`.
fn echo_with(property: &str, conduit: Conduit) -> Pe {
    let mut sources = Sources::new();
    let name = "debug_name = \"echo\";";
    Sources::change(&mut sources.spmc, name, &format!("{name} {property}"));
    let mut pe = World::of(&sources).booted_pe(0);
    pe.conduit = conduit;
    pe.normal(&[id::RUN, pair(ECHO, 0)]);
    pe
}

fn whitelist() -> String {
    format!("smc_whitelist = <{ALLOWED:#x} {ALSO_ALLOWED:#x}>;")
}

/// A call with a value in every register.
fn call(function: u64) -> [u64; 18] {
    let mut x = core::array::from_fn(|register| 0xAAAA_0000_0000_0000 | register as u64);
    x[0] = function;
    x
}

#[test]
fn an_allowed_smc_goes_to_el3_and_its_results_come_back() {
    let mut pe = echo_with(&whitelist(), Conduit::Smc);
    for function in [ALLOWED, ALSO_ALLOWED] {
        let own = call(function);
        assert_eq!(pe.call(&own), Place::Partition((ECHO, 0)));
        let mut sent = own;
        // SMCCC: bits 15:0 of x7 say on whose behalf.
        sent[7] = own[7] & !0xFFFF | ECHO;
        assert_eq!(pe.machine.monitor_calls().last(), Some(&sent));
        assert_eq!(pe.frame.x, sent.map(|x| !x), "what EL3 answers, x8 to x17 included");
    }
}

#[test]
fn an_smc_that_is_not_allowed_stays_here() {
    let mut pe = echo_with(&whitelist(), Conduit::Smc);
    for function in [OTHER, ALLOWED | 1 << 30, ALSO_ALLOWED & !(1 << 30), 0x8400_0000, 0, u64::MAX] {
        let own = call(function);
        pe.call(&own);
        assert_eq!(pe.low(), [u64::MAX, 0, 0, 0, 0, 0, 0, 0], "{function:#x}");
        assert_eq!(pe.frame.x[8..], own[8..]);
    }
    assert!(pe.machine.monitor_calls().is_empty());
}

#[test]
fn a_permissive_list_lets_every_smc_through() {
    let mut pe = echo_with("smc_whitelist_permissive;", Conduit::Smc);
    for (count, function) in (1..).zip([ALLOWED, OTHER, 0x8400_0000, 0xC400_0003, 0]) {
        pe.call(&call(function));
        assert_eq!(pe.machine.monitor_calls().len(), count);
    }
}

#[test]
fn calls_of_ffa_never_go_to_el3() {
    let mut pe = echo_with("smc_whitelist_permissive;", Conduit::Smc);
    for function in [0x8400_00FF, 0xC400_0060, 0x8400_0078, 0x8400_0091, 0xC400_00FF] {
        pe.refused(&call(function), code::NOT_SUPPORTED);
    }
    pe.done(&[0x8400_0069]);
    assert!(pe.machine.monitor_calls().is_empty());
}

#[test]
fn an_hvc_never_goes_to_el3() {
    for property in [whitelist().as_str(), "smc_whitelist_permissive;"] {
        let mut pe = echo_with(property, Conduit::Hvc);
        for function in [ALLOWED, OTHER, 0x8400_0000, 0xFF03] {
            pe.call(&call(function));
            assert_eq!(pe.low(), [u64::MAX, 0, 0, 0, 0, 0, 0, 0]);
        }
        assert!(pe.machine.monitor_calls().is_empty());
    }
}

#[test]
fn a_list_is_of_one_partition() {
    let mut sources = Sources::new();
    let name = "debug_name = \"relay\";";
    Sources::change(&mut sources.spmc, name, &format!("{name} smc_whitelist_permissive;"));
    let mut pe = World::of(&sources).booted_pe(0);
    pe.conduit = Conduit::Smc;
    pe.normal(&[id::RUN, pair(ECHO, 0)]);
    pe.call(&call(ALLOWED));
    assert_eq!(pe.low()[0], u64::MAX);
    assert!(pe.machine.monitor_calls().is_empty());
}

#[test]
fn an_smc_is_forwarded_in_every_runtime_model() {
    let mut sources = Sources::new();
    let name = "debug_name = \"echo\";";
    Sources::change(&mut sources.spmc, name, &format!("{name} smc_whitelist_permissive;"));
    let world = World::of(&sources);
    let mut pe = world.pe(0);
    pe.conduit = Conduit::Smc;
    pe.turn_on();
    pe.call(&call(ALLOWED));
    pe.call(&[id::MSG_WAIT]);
    pe.call(&[id::MSG_WAIT]);
    pe.normal(&[id::REQUEST, pair(0, ECHO)]);
    pe.call(&call(ALLOWED));
    assert_eq!(pe.machine.monitor_calls().len(), 2);
    assert_eq!(pe.call(&[id::RESPONSE, pair(ECHO, 0)]), Place::Normal);
}

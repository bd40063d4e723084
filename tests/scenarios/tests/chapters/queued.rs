//! Interrupts of the Normal world while partitions run: `ns-interrupts-action`.

use scenarios::{ECHO, Pe, Place, RELAY, Sources, World, code, id, pair};

use super::direct::{IN_ECHO, IN_RELAY};

/// Which of the partitions queue interrupts of the Normal world.
fn booted(echo: bool, relay: bool) -> Pe {
    let mut sources = Sources::new();
    for (source, queues) in [(&mut sources.echo, echo), (&mut sources.relay, relay)] {
        Sources::set(source, "ns-interrupts-action", if queues { "<0>" } else { "<2>" });
    }
    World::of(&sources).booted_pe(0)
}

#[test]
fn interrupts_are_held_from_entry_to_exit() {
    for enter in [[id::REQUEST, pair(0, ECHO)], [id::REQUEST2, pair(0, ECHO)], [id::RUN, pair(ECHO, 0)]] {
        let mut pe = booted(true, false);
        assert!(!pe.machine.holds_normal);
        assert_eq!(pe.normal(&enter), IN_ECHO);
        assert!(pe.machine.holds_normal);
        pe.done(&[0x8400_0069]);
        pe.refused(&[id::RUN, pair(ECHO, 0)], code::INVALID);
        assert!(pe.machine.holds_normal, "a call that comes back changes nothing");
        assert_eq!(pe.interrupt(), IN_ECHO, "one that has gone away changes nothing");
        let leave = match enter[0] {
            id::REQUEST => [id::RESPONSE, pair(ECHO, 0)],
            id::REQUEST2 => [id::RESPONSE2, pair(ECHO, 0)],
            _ => [id::MSG_WAIT, 0],
        };
        assert_eq!(pe.call(&leave), Place::Normal);
        assert!(!pe.machine.holds_normal);
    }
}

#[test]
fn a_yield_lets_interrupts_through_and_a_run_holds_them_again() {
    let mut pe = booted(true, false);
    pe.normal(&[id::REQUEST, pair(0, ECHO)]);
    for _ in 0..2 {
        assert_eq!(pe.call(&[id::YIELD]), Place::Normal);
        assert!(!pe.machine.holds_normal);
        assert_eq!(pe.normal(&[id::RUN, pair(ECHO, 0)]), IN_ECHO);
        assert!(pe.machine.holds_normal);
    }
    pe.call(&[id::RESPONSE, pair(ECHO, 0)]);
    assert!(!pe.machine.holds_normal);
}

#[test]
fn an_abort_lets_interrupts_through() {
    let mut pe = booted(true, false);
    pe.normal(&[id::REQUEST, pair(0, ECHO)]);
    pe.fault();
    pe.expect_aborted();
    assert!(!pe.machine.holds_normal);
}

#[test]
fn the_strictest_of_the_chain_decides() {
    // The caller queues: interrupts wait for the whole chain.
    let mut pe = booted(false, true);
    pe.normal(&[id::REQUEST, pair(0, RELAY)]);
    pe.call(&[id::REQUEST, pair(RELAY, ECHO)]);
    assert!(pe.machine.holds_normal);
    assert_eq!(pe.interrupt(), IN_ECHO);
    assert_eq!(pe.call(&[id::RESPONSE, pair(ECHO, RELAY)]), IN_RELAY);
    assert!(pe.machine.holds_normal);
    assert_eq!(pe.call(&[id::RESPONSE, pair(RELAY, 0)]), Place::Normal);
    assert!(!pe.machine.holds_normal);

    // The callee queues: they wait until it leaves.
    let mut pe = booted(true, false);
    pe.normal(&[id::REQUEST, pair(0, RELAY)]);
    assert!(!pe.machine.holds_normal);
    pe.call(&[id::REQUEST, pair(RELAY, ECHO)]);
    assert!(pe.machine.holds_normal);
    pe.call(&[id::YIELD]);
    assert!(!pe.machine.holds_normal);
    assert_eq!(pe.interrupt(), Place::Normal, "the caller alone is preempted");
    assert_eq!(pe.low()[..2], [id::INTERRUPT, pair(RELAY, 0)]);
    pe.normal(&[id::RUN, pair(RELAY, 0)]);
    assert!(!pe.machine.holds_normal);
    assert_eq!(pe.call(&[id::RUN, pair(ECHO, 0)]), IN_ECHO);
    assert!(pe.machine.holds_normal);
    pe.call(&[id::RESPONSE, pair(ECHO, RELAY)]);
    assert!(!pe.machine.holds_normal);

    // Both do: the first one in, the last one out.
    let mut pe = booted(true, true);
    pe.normal(&[id::REQUEST, pair(0, RELAY)]);
    pe.call(&[id::REQUEST, pair(RELAY, ECHO)]);
    pe.call(&[id::RESPONSE, pair(ECHO, RELAY)]);
    assert!(pe.machine.holds_normal);
    pe.call(&[id::YIELD]);
    assert!(!pe.machine.holds_normal);
}

#[test]
fn an_abort_in_a_chain_leaves_the_caller_its_action() {
    for (echo, relay) in [(true, false), (false, true), (true, true)] {
        let mut pe = booted(echo, relay);
        pe.normal(&[id::REQUEST, pair(0, RELAY)]);
        pe.call(&[id::REQUEST, pair(RELAY, ECHO)]);
        assert_eq!(pe.fault(), IN_RELAY);
        assert_eq!(pe.machine.holds_normal, relay);
        pe.fault();
        pe.expect_aborted();
        assert!(!pe.machine.holds_normal);
    }
}

#[test]
fn a_refused_request_holds_nothing() {
    let mut pe = booted(true, false);
    pe.normal(&[id::REQUEST, pair(0, ECHO)]);
    pe.call(&[id::YIELD]);
    pe.refused(&[id::REQUEST, pair(0, ECHO)], code::BUSY);
    pe.refused(&[id::REQUEST, pair(0, ECHO), 1], code::INVALID);
    assert!(!pe.machine.holds_normal);
}

#[test]
fn a_hold_is_of_one_pe() {
    let mut sources = Sources::new();
    Sources::set(&mut sources.echo, "ns-interrupts-action", "<0>");
    let world = World::of(&sources);
    let (mut first, mut second) = (world.booted_pe(0), world.booted_pe(1));
    first.normal(&[id::REQUEST, pair(0, ECHO)]);
    assert!(first.machine.holds_normal && !second.machine.holds_normal);
    second.normal(&[id::REQUEST, pair(0, RELAY)]);
    assert!(!second.machine.holds_normal);
    assert_eq!(second.interrupt(), Place::Normal);
}

#[test]
fn a_hold_of_the_boot_lasts_until_all_have_started() {
    let mut sources = Sources::new();
    Sources::set(&mut sources.echo, "ns-interrupts-action", "<0>");
    let mut pe = World::of(&sources).pe(0);
    pe.turn_on();
    assert_eq!(pe.call(&[id::MSG_WAIT]), IN_RELAY);
    assert!(pe.machine.holds_normal, "another one initialises");
    assert_eq!(pe.call(&[id::REQUEST, pair(RELAY, ECHO)]), IN_ECHO);
    assert_eq!(pe.call(&[id::RESPONSE, pair(ECHO, RELAY)]), IN_RELAY);
    assert!(pe.machine.holds_normal);
    assert_eq!(pe.call(&[id::MSG_WAIT]), Place::Normal);
    assert!(!pe.machine.holds_normal);
}

#[test]
fn managed_exit_is_treated_as_signalled() {
    for property in ["ns-interrupts-action", "managed-exit"] {
        let mut sources = Sources::new();
        Sources::set(&mut sources.echo, property, if property == "managed-exit" { "" } else { "<1>" });
        let mut pe = World::of(&sources).booted_pe(0);
        pe.normal(&[id::REQUEST, pair(0, ECHO)]);
        assert!(!pe.machine.holds_normal);
        assert_eq!(pe.interrupt(), Place::Normal);
        assert_eq!(pe.low()[..2], [id::INTERRUPT, pair(ECHO, 0)]);
    }
}

#[test]
fn a_secure_interrupt_that_nobody_owns_ends_no_hold() {
    let mut pe = booted(true, false);
    pe.normal(&[id::REQUEST, pair(0, ECHO)]);
    pe.machine.pending.push_back(99);
    assert_eq!(pe.interrupt(), IN_ECHO);
    assert!(pe.machine.holds_normal);
    assert_eq!(pe.machine.masked(), [99]);
}

#[test]
fn a_hold_ends_with_who_is_cut_off() {
    let mut sources = super::interrupts::with_devices();
    let mut queues = sources.echo.clone();
    Sources::set(&mut queues, "ns-interrupts-action", "<0>");
    let queues = sources.add("queues", queues);
    let mut pe = World::of(&sources).booted_pe(0);
    pe.normal(&[id::RUN, pair(ECHO, 0)]);
    pe.call(&[id::REQUEST, pair(ECHO, RELAY)]);
    pe.call(&[id::REQUEST, pair(RELAY, queues)]);
    pe.machine.pending.push_back(40);
    assert_eq!(pe.interrupt(), IN_RELAY);
    assert_eq!(pe.fault(), IN_ECHO);
    assert!(!pe.machine.holds_normal, "nobody who queues is in the chain");
    assert_eq!(pe.interrupt(), Place::Normal);
}

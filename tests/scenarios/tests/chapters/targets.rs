//! A secure interrupt against what its owner does at the moment: it is handled at once, told to the scheduler, or waits.

use manager::exit::Lines;
use scenarios::{ECHO, Pe, Place, RELAY, Sources, World, code, id, pair};

use super::direct::{IN_ECHO, IN_RELAY};
use super::interrupts::{IN_THIRD, OTHERS, OWN, THIRD, booted, comes, expect_handled, with_devices};

/// Two PEs of a machine with devices.
fn two() -> (Pe, Pe) {
    two_of(&with_devices())
}

fn two_of(sources: &Sources) -> (Pe, Pe) {
    let world = World::of(sources);
    (world.booted_pe(0), world.booted_pe(1))
}

/// The Normal world goes on: nobody has taken the PE from it.
#[track_caller]
fn expect_resumed(pe: &Pe) {
    assert_eq!((pe.place(), pe.low()), (Place::Normal, [id::NORMAL_WORLD_RESUME, 0, 0, 0, 0, 0, 0, 0]));
}

#[test]
fn a_running_owner_has_its_line_up() {
    let mut pe = booted();
    for start in [id::RUN, id::REQUEST] {
        let w1 = if start == id::RUN { pair(RELAY, 0) } else { pair(0, RELAY) };
        pe.normal(&[start, w1]);
        pe.frame.x[5] = 55;
        assert_eq!(comes(&mut pe, OWN), IN_RELAY);
        assert_eq!((pe.frame.x[5], pe.lines()), (55, Lines::IRQ), "it goes on where it was");
        assert!(!pe.machine.holds_normal);
        pe.handle(OWN.into());
        let end = if start == id::RUN { [id::MSG_WAIT, 0] } else { [id::RESPONSE, pair(RELAY, 0)] };
        assert_eq!(pe.call(&end), Place::Normal);
        expect_handled(&pe);
    }
}

#[test]
fn an_owner_that_runs_elsewhere_comes_back_to_see_it() {
    let (mut first, mut second) = two();
    second.normal(&[id::REQUEST, pair(0, RELAY)]);
    comes(&mut first, OWN);
    expect_resumed(&first);
    assert_eq!(second.lines(), Lines::empty());
    assert!(second.take_kick());
    assert_eq!((second.place(), second.lines()), (IN_RELAY, Lines::IRQ));
    second.handle(OWN.into());
    assert_eq!(second.call(&[id::RESPONSE, pair(RELAY, 0)]), Place::Normal);
    expect_handled(&second);
}

#[test]
fn an_owner_that_runs_elsewhere_may_end_before_the_kick_comes() {
    let (mut first, mut second) = two();
    second.normal(&[id::REQUEST, pair(0, RELAY)]);
    comes(&mut first, OWN);
    assert_eq!(second.call(&[id::RESPONSE, pair(RELAY, 0)]), IN_RELAY);
    assert_eq!(second.low(), [id::INTERRUPT, 0, OWN.into(), 0, 0, 0, 0, 0]);
    second.handle(OWN.into());
    assert_eq!(second.call(&[id::RESPONSE, pair(RELAY, 0)]), Place::Normal);
    // It comes in vain.
    assert!(second.take_kick());
    expect_resumed(&second);
}

#[test]
fn an_owner_that_is_being_saved_handles_it_when_it_is_saved() {
    // It has answered on PE 1, and PE 0 takes its interrupt before its registers are saved.
    for (start, end) in [
        ([id::REQUEST, pair(0, RELAY)], [id::RESPONSE, pair(RELAY, 0)]),
        ([id::RUN, pair(RELAY, 0)], [id::MSG_WAIT, 0]),
    ] {
        let (mut first, mut second) = two();
        second.normal(&start);
        assert_eq!(second.call_unsettled(&end), Place::Normal);
        comes(&mut first, OWN);
        expect_resumed(&first);
        assert!(!first.take_kick() && !second.take_kick(), "nobody enters it yet");
        second.settle();
        assert!(second.take_kick(), "and then it is entered where it was");
        assert_eq!(second.place(), IN_RELAY);
        assert_eq!(second.low(), [id::INTERRUPT, 0, OWN.into(), 0, 0, 0, 0, 0]);
        second.handle(OWN.into());
        assert_eq!(second.call(&[id::MSG_WAIT]), Place::Normal);
        expect_resumed(&second);
        // Neither lost nor twice.
        assert!(!first.take_kick() && !second.take_kick());
        expect_handled(&first);
    }
}

#[test]
fn an_owner_that_handles_it_ends_while_another_comes() {
    // PE 1 finds nothing pending and leaves; PE 0 makes something pending at that moment.
    let (mut first, mut second) = two();
    comes(&mut second, OWN);
    second.handle(OWN.into());
    assert_eq!(second.call_unsettled(&[id::MSG_WAIT]), Place::Normal);
    comes(&mut first, OWN);
    second.settle();
    assert!(second.take_kick());
    assert_eq!(second.low(), [id::INTERRUPT, 0, OWN.into(), 0, 0, 0, 0, 0]);
    second.handle(OWN.into());
    second.call(&[id::MSG_WAIT]);
    expect_handled(&second);
}

#[test]
fn whoever_runs_the_owner_first_lets_it_handle_its_interrupt() {
    // Between the settlement and the kick, the scheduler on another PE has run it.
    let (mut first, mut second) = two();
    second.normal(&[id::RUN, pair(RELAY, 0)]);
    second.call_unsettled(&[id::MSG_WAIT]);
    comes(&mut first, OWN);
    second.settle();
    assert_eq!(first.normal(&[id::RUN, pair(RELAY, 0)]), IN_RELAY);
    assert_eq!((first.low()[0], first.lines()), (id::RUN, Lines::IRQ));
    assert!(second.take_kick());
    expect_resumed(&second);
    first.handle(OWN.into());
    assert_eq!(first.call(&[id::MSG_WAIT]), Place::Normal);
}

#[test]
fn an_owner_blocked_in_another_pes_chain_sees_it_when_it_goes_on() {
    let (mut first, mut second) = two();
    second.normal(&[id::REQUEST, pair(0, RELAY)]);
    second.call(&[id::REQUEST, pair(RELAY, THIRD)]);
    comes(&mut first, OWN);
    expect_resumed(&first);
    assert!(!second.take_kick());
    assert_eq!(second.call(&[id::RESPONSE, pair(THIRD, RELAY)]), IN_RELAY);
    assert_eq!(second.lines(), Lines::IRQ);
    second.handle(OWN.into());
    expect_handled(&second);
}

#[test]
fn an_owner_that_yielded_is_told_of_to_the_scheduler() {
    let (mut first, mut second) = two();
    for start in [[id::RUN, pair(RELAY, 0)], [id::REQUEST, pair(0, RELAY)]] {
        second.normal(&start);
        second.call(&[id::YIELD]);
        assert_eq!(second.told().len(), 0);
        comes(&mut first, OWN);
        expect_resumed(&first);
        assert_eq!((first.machine.take_raised(), second.told()), (vec![0], vec![vec![RELAY, 0]]));
        assert_eq!(second.told().len(), 0, "once");
        assert_eq!(first.normal(&[id::RUN, pair(RELAY, 0)]), IN_RELAY);
        assert_eq!((first.low()[0], first.lines()), (id::SUCCESS, Lines::IRQ), "its FFA_YIELD completes");
        first.handle(OWN.into());
        let end = if start[0] == id::RUN { [id::MSG_WAIT, 0] } else { [id::RESPONSE, pair(RELAY, 0)] };
        assert_eq!(first.call(&end), Place::Normal);
    }
}

#[test]
fn an_owner_that_yields_with_its_interrupt_is_told_of_to_the_scheduler() {
    let (mut first, mut second) = two();
    second.normal(&[id::RUN, pair(RELAY, 0)]);
    comes(&mut first, OWN);
    assert_eq!(second.call(&[id::YIELD]), Place::Normal, "that is its own choice");
    assert_eq!((first.machine.take_raised(), second.told()), (vec![1], vec![vec![RELAY, 0]]));
    // What it was told it may have done.
    second.normal(&[id::RUN, pair(RELAY, 0)]);
    second.handle(OWN.into());
    second.call(&[id::YIELD]);
    assert_eq!((first.machine.take_raised(), second.told()), (vec![], vec![]));
}

#[test]
fn an_owner_that_yielded_to_a_partition_is_that_ones_to_run() {
    let mut pe = booted();
    pe.normal(&[id::REQUEST, pair(0, ECHO)]);
    pe.call(&[id::REQUEST, pair(ECHO, RELAY)]);
    pe.call(&[id::YIELD]);
    assert_eq!(comes(&mut pe, OWN), IN_ECHO);
    assert_eq!((pe.machine.take_raised(), pe.lines()), (vec![], Lines::empty()));
    assert_eq!(pe.call(&[id::RUN, pair(RELAY, 0)]), IN_RELAY);
    assert_eq!(pe.lines(), Lines::IRQ);
    pe.handle(OWN.into());
    assert_eq!(pe.call(&[id::RESPONSE, pair(RELAY, ECHO)]), IN_ECHO);
    expect_handled(&pe);
}

#[test]
fn an_owner_that_was_preempted_sees_it_when_it_is_resumed() {
    let (mut first, mut second) = two();
    second.normal(&[id::REQUEST, pair(0, RELAY)]);
    second.frame.x[7] = 77;
    assert_eq!(second.interrupt(), Place::Normal);
    comes(&mut first, OWN);
    expect_resumed(&first);
    assert_eq!((first.machine.take_raised(), first.told()), (vec![], vec![]), "the scheduler knows of it");
    assert_eq!(first.normal(&[id::RUN, pair(RELAY, 0)]), IN_RELAY);
    assert_eq!((first.frame.x[7], first.lines()), (77, Lines::IRQ));
    first.handle(OWN.into());
    expect_handled(&first);
}

#[test]
fn an_owner_that_was_displaced_sees_it_when_it_goes_on() {
    let mut pe = booted();
    pe.normal(&[id::REQUEST, pair(0, RELAY)]);
    assert_eq!(comes(&mut pe, OTHERS), IN_THIRD);
    assert_eq!(comes(&mut pe, OWN), IN_THIRD);
    pe.handle(OTHERS.into());
    assert_eq!(pe.call(&[id::MSG_WAIT]), IN_RELAY);
    assert_eq!(pe.lines(), Lines::IRQ);
    pe.handle(OWN.into());
    assert_eq!(pe.call(&[id::RESPONSE, pair(RELAY, 0)]), Place::Normal);
    expect_handled(&pe);
}

#[test]
fn a_partition_that_gives_way_to_no_interrupt_leaves_first() {
    let mut sources = with_devices();
    Sources::set(&mut sources.echo, "ns-interrupts-action", "<0>");
    Sources::set(&mut sources.echo, "other-s-interrupts-action", "<0>");
    // From the Normal world, and in a chain: the interrupt is handled as soon as it has left.
    let mut pe = World::of(&sources).booted_pe(0);
    pe.normal(&[id::REQUEST, pair(0, ECHO)]);
    assert_eq!(comes(&mut pe, OWN), IN_ECHO);
    assert_eq!(pe.machine.take_kicked(), []);
    assert_eq!(pe.call(&[id::RESPONSE, pair(ECHO, 0), 0, 1, 2]), Place::Normal);
    assert_eq!(pe.low(), [id::RESPONSE, pair(ECHO, 0), 0, 1, 2, 0, 0, 0], "its answer is not held up");
    assert!(pe.take_kick());
    assert_eq!((pe.place(), pe.low()[..3].to_vec()), (IN_RELAY, vec![id::INTERRUPT, 0, OWN.into()]));
    pe.handle(OWN.into());
    pe.call(&[id::MSG_WAIT]);
    expect_resumed(&pe);

    pe.normal(&[id::REQUEST, pair(0, THIRD)]);
    pe.call(&[id::REQUEST, pair(THIRD, ECHO)]);
    assert_eq!(comes(&mut pe, OWN), IN_ECHO);
    assert_eq!(pe.call(&[id::RESPONSE, pair(ECHO, THIRD)]), IN_THIRD);
    assert!(pe.take_kick());
    assert_eq!(pe.place(), IN_RELAY);
    pe.handle(OWN.into());
    assert_eq!(pe.call(&[id::MSG_WAIT]), IN_THIRD);
    assert_eq!(pe.low()[0], id::RESPONSE, "it has its answer");
    expect_handled(&pe);
}

#[test]
fn a_partition_that_gives_way_to_no_interrupt_has_its_own_at_once() {
    let mut sources = with_devices();
    Sources::set(&mut sources.relay, "ns-interrupts-action", "<0>");
    Sources::set(&mut sources.relay, "other-s-interrupts-action", "<0>");
    let mut pe = World::of(&sources).booted_pe(0);
    pe.normal(&[id::REQUEST, pair(0, RELAY)]);
    assert_eq!(comes(&mut pe, OWN), IN_RELAY);
    assert_eq!(pe.lines(), Lines::IRQ);
}

/// `relay`'s `sri-interrupts-policy` is this.
fn with_policy(policy: u64) -> (Pe, Pe) {
    let mut sources = with_devices();
    Sources::set(&mut sources.relay, "sri-interrupts-policy", &format!("<{policy}>"));
    two_of(&sources)
}

#[test]
fn the_scheduler_is_told_of_an_interrupt_where_the_manifest_asks_for_it() {
    for policy in [1, 3] {
        let (mut first, mut second) = with_policy(policy);
        for _ in 0..2 {
            comes(&mut second, OWN);
            expect_resumed(&second);
            assert_eq!((first.machine.take_raised(), first.told()), (vec![1], vec![vec![RELAY, 0]]));
            assert!(!second.take_kick() && !first.take_kick());
            assert_eq!(first.come(), Place::Normal, "the SPMC does not run it");
            // The scheduler does, where it wants.
            assert_eq!(first.normal(&[id::RUN, pair(RELAY, 0)]), IN_RELAY);
            assert_eq!((first.low(), first.lines()), ([id::RUN, 0, 0, 0, 0, 0, 0, 0], Lines::IRQ));
            assert!(!first.machine.holds_normal);
            first.handle(OWN.into());
            assert_eq!(first.call(&[id::MSG_WAIT]), Place::Normal);
            assert_eq!(first.low()[0], id::MSG_WAIT);
            expect_handled(&first);
        }
        // Others' interrupts are handled as ever.
        assert_eq!(comes(&mut first, OTHERS), IN_THIRD);
    }
}

#[test]
fn an_owner_may_wait_with_its_interrupt_where_the_manifest_says_so() {
    for (policy, may_wait) in [(0, false), (1, false), (2, true), (3, true)] {
        let ends = [
            ([id::RUN, pair(RELAY, 0)], [id::MSG_WAIT, 0]),
            ([id::REQUEST, pair(0, RELAY)], [id::RESPONSE, pair(RELAY, 0)]),
        ];
        for (start, end) in ends {
            let (mut first, _) = with_policy(policy);
            first.normal(&start);
            comes(&mut first, OWN);
            let place = first.call(&end);
            if !may_wait {
                assert_eq!(
                    (place, first.low()[..3].to_vec()),
                    (IN_RELAY, vec![id::INTERRUPT, 0, OWN.into()])
                );
                assert_eq!(first.machine.take_raised(), []);
                continue;
            }
            assert_eq!((place, first.low()[0]), (Place::Normal, end[0]));
            assert_eq!((first.machine.take_raised(), first.told()), (vec![0], vec![vec![RELAY, 0]]));
            assert!(!first.take_kick());
            // A request lets it handle the interrupt, too.
            assert_eq!(first.normal(&[id::REQUEST, pair(0, RELAY)]), IN_RELAY);
            assert_eq!(first.lines(), Lines::IRQ);
        }
    }
}

#[test]
fn an_interrupt_while_it_waits_is_the_spmcs_where_only_waiting_with_one_is_the_schedulers() {
    let (mut first, mut second) = with_policy(2);
    assert_eq!(comes(&mut first, OWN), IN_RELAY);
    // It waits again with that; the scheduler is told, and nobody takes the PE from the Normal world for it.
    assert_eq!(first.call(&[id::MSG_WAIT]), Place::Normal);
    assert_eq!(first.low()[0], id::NORMAL_WORLD_RESUME);
    assert_eq!((first.machine.take_raised(), first.told()), (vec![0], vec![vec![RELAY, 0]]));
    assert_eq!(second.come(), Place::Normal);
    second.refused(&[id::REQUEST, pair(0, 0x8009)], code::INVALID);
    assert_eq!(comes(&mut second, OWN), IN_RELAY, "until another one comes");
}

#[test]
fn an_interrupt_that_comes_while_its_owner_is_saved_is_told_by_its_policy() {
    for policy in [1, 2, 3] {
        let (mut first, mut second) = with_policy(policy);
        second.normal(&[id::RUN, pair(RELAY, 0)]);
        second.call_unsettled(&[id::MSG_WAIT]);
        comes(&mut first, OWN);
        assert_eq!(first.machine.take_raised(), []);
        second.settle();
        assert!(!second.take_kick());
        assert_eq!((first.machine.take_raised(), first.told()), (vec![1], vec![vec![RELAY, 0]]));
    }
}

#[test]
fn an_interrupt_that_was_handled_before_the_scheduler_asked_is_not_told() {
    let (mut first, mut second) = with_policy(1);
    comes(&mut second, OWN);
    first.normal(&[id::REQUEST, pair(0, RELAY)]);
    first.handle(OWN.into());
    assert_eq!(second.told().len(), 0);
    first.call(&[id::RESPONSE, pair(RELAY, 0)]);
    assert_eq!(second.told().len(), 0);
}

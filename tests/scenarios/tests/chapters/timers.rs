//! The timer of each context: its deadline is kept whoever runs, on the PE where the context was last.

use manager::exit::{Lines, TimerRegister};
use scenarios::{ECHO, Pe, Place, RELAY, Sources, V1_1, V1_2, World, code, hypercall, id, pair};

use super::direct::{IN_ECHO, IN_RELAY};
use super::interrupts::{IN_THIRD, THIRD, with_devices};

/// The virtual interrupt of a timer.
const TIMER: u64 = 3;
/// Never.
const NEVER: u64 = u64::MAX;

/// PEs of a machine on which every context lets its timer's interrupt through, and waits.
fn booted<const PES: usize>() -> [Pe; PES] {
    booted_of(&with_devices())
}

fn booted_of<const PES: usize>(sources: &Sources) -> [Pe; PES] {
    let world = World::of(sources);
    core::array::from_fn(|index| booted_pe(&world, index as u16))
}

fn booted_pe(world: &std::sync::Arc<World>, index: u16) -> Pe {
    let mut pe = world.pe(index);
    let mut place = pe.turn_on();
    while let Place::Partition(_) = place {
        assert_eq!(pe.hypercall(&[hypercall::ENABLE, TIMER, 1, 0]), 0);
        place = pe.call(&[id::MSG_WAIT]);
    }
    pe
}

/// A partition's context on the PE sets its timer and waits.
#[track_caller]
fn wait_until(pe: &mut Pe, partition: u64, count: u64) {
    pe.normal(&[id::RUN, pair(partition, if partition == ECHO { pe.index() } else { 0 })]);
    assert_eq!(pe.own_id(), partition);
    pe.set_timer(count);
    assert_eq!(pe.call(&[id::MSG_WAIT]), Place::Normal);
}

/// The partition on the PE was entered for its timer, which it stops; then it waits.
#[track_caller]
fn expect_due(pe: &mut Pe, context: (u64, u64)) -> Place {
    assert_eq!(pe.place(), Place::Partition(context));
    assert_eq!(pe.low(), [id::INTERRUPT, 0, TIMER, 0, 0, 0, 0, 0]);
    stop(pe);
    pe.call(&[id::MSG_WAIT])
}

/// The partition on the PE takes its timer's interrupt and stops the timer.
#[track_caller]
fn stop(pe: &mut Pe) {
    assert_eq!(pe.lines(), Lines::IRQ);
    assert_eq!(pe.take(), Some(TIMER));
    assert_eq!(pe.write_timer(TimerRegister::Control, 0), Lines::empty());
    assert_eq!(pe.take(), None);
}

#[test]
fn a_partitions_timer_interrupts_the_normal_world() {
    let [mut pe] = booted();
    for deadline in [100, 200] {
        wait_until(&mut pe, RELAY, deadline);
        assert_eq!(pe.machine.deadline, deadline);
        assert_eq!(pe.advance(deadline - 1), Place::Normal);
        assert_eq!(pe.advance(deadline), IN_RELAY);
        assert!(pe.machine.holds_normal, "in SPMC-scheduled mode");
        assert_eq!(expect_due(&mut pe, (RELAY, 0)), Place::Normal);
        assert_eq!(pe.low()[0], id::NORMAL_WORLD_RESUME);
        assert_eq!((pe.machine.deadline, pe.machine.holds_normal), (NEVER, false));
    }
}

#[test]
fn a_partitions_timer_interrupts_another_partition() {
    let [mut pe] = booted();
    wait_until(&mut pe, RELAY, 100);
    for (start, end) in [
        ([id::RUN, pair(ECHO, 0)], [id::MSG_WAIT, 0]),
        ([id::REQUEST, pair(0, ECHO)], [id::RESPONSE, pair(ECHO, 0)]),
    ] {
        let due = pe.machine.deadline;
        assert_eq!(pe.normal(&start), IN_ECHO);
        pe.frame.x[6] = 66;
        assert_eq!(pe.advance(due), IN_RELAY, "not when it leaves, but at once");
        pe.set_timer(due + 100);
        assert_eq!(pe.take(), None, "it is not due any more");
        assert_eq!(pe.call(&[id::MSG_WAIT]), IN_ECHO);
        assert_eq!((pe.frame.x[6], pe.machine.deadline), (66, due + 100));
        assert_eq!(pe.call(&end), Place::Normal);
    }
}

#[test]
fn a_partitions_timer_interrupts_itself() {
    let [mut pe] = booted();
    for (deadline, start) in [(100, [id::RUN, pair(RELAY, 0)]), (200, [id::REQUEST, pair(0, RELAY)])] {
        pe.normal(&start);
        pe.set_timer(deadline);
        assert_eq!((pe.machine.deadline, pe.lines()), (deadline, Lines::empty()));
        pe.frame.x[6] = 66;
        assert_eq!(pe.advance(deadline), IN_RELAY);
        assert_eq!(pe.frame.x[6], 66);
        stop(&mut pe);
        // One that is due already is due at once.
        assert_eq!(pe.write_timer(TimerRegister::Control, 1), Lines::IRQ);
        stop(&mut pe);
        let end = if start[0] == id::RUN { [id::MSG_WAIT, 0] } else { [id::RESPONSE, pair(RELAY, 0)] };
        assert_eq!(pe.call(&end), Place::Normal);
    }
}

#[test]
fn an_interrupt_of_a_timer_that_is_held_back_is_not_lost() {
    let [mut pe] = booted();
    pe.normal(&[id::RUN, pair(RELAY, 0)]);
    assert_eq!(pe.hypercall(&[hypercall::ENABLE, TIMER, 0, 0]), 0);
    pe.set_timer(100);
    pe.call(&[id::MSG_WAIT]);
    assert_eq!(pe.advance(100), Place::Normal);
    assert_eq!((pe.low()[0], pe.machine.deadline), (id::NORMAL_WORLD_RESUME, NEVER), "it does not storm");
    pe.normal(&[id::RUN, pair(RELAY, 0)]);
    assert_eq!((pe.lines(), pe.take()), (Lines::empty(), None));
    assert_eq!(pe.hypercall(&[hypercall::ENABLE, TIMER, 1, 0]), 0);
    stop(&mut pe);
}

#[test]
fn a_timer_has_its_condition_and_no_memory() {
    let [mut pe] = booted();
    pe.normal(&[id::RUN, pair(RELAY, 0)]);
    pe.machine.set_count(1000);
    let write = |pe: &mut Pe, register, value| pe.write_timer(register, value);
    let (control, compare, value) =
        (TimerRegister::Control, TimerRegister::CompareValue, TimerRegister::TimerValue);
    assert_eq!(write(&mut pe, compare, 900), Lines::empty(), "off");
    assert_eq!(pe.read_timer(control), 0);
    // On; masked; on again; off.
    for (bits, lines, shown) in
        [(0b01, true, 0b101), (0b11, false, 0b111), (0b01, true, 0b101), (0, false, 0)]
    {
        let expected = if lines { Lines::IRQ } else { Lines::empty() };
        assert_eq!(write(&mut pe, control, bits), expected);
        assert_eq!((pe.read_timer(control), pe.lines()), (shown, expected));
        assert_eq!(pe.machine.deadline, NEVER);
    }
    // Before it is due, only what is on and not masked has a deadline.
    for (bits, deadline) in [(0b01, 1100), (0b11, NEVER), (0b00, NEVER), (0b01, 1100)] {
        write(&mut pe, compare, 1100);
        write(&mut pe, control, bits);
        assert_eq!((pe.machine.deadline, pe.lines()), (deadline, Lines::empty()));
        assert_eq!(pe.read_timer(control), bits, "its condition does not hold");
    }
    // The timer value counts down, and has a sign.
    assert_eq!(pe.read_timer(value), 100);
    assert_eq!(write(&mut pe, value, 50), Lines::empty());
    assert_eq!((pe.read_timer(compare), pe.machine.deadline), (1050, 1050));
    assert_eq!(write(&mut pe, value, 0xFFFF_FFFF), Lines::IRQ);
    assert_eq!((pe.read_timer(compare), pe.read_timer(value)), (999, 0xFFFF_FFFF));
    assert_eq!(write(&mut pe, value, 0xABCD_0000_0000 + 7), Lines::empty(), "its upper half is not there");
    assert_eq!(pe.read_timer(compare), 1007);
}

#[test]
fn a_timer_interrupts_for_as_long_as_it_is_due() {
    let [mut pe] = booted();
    pe.normal(&[id::RUN, pair(RELAY, 0)]);
    pe.set_timer(100);
    pe.advance(100);
    for _ in 0..3 {
        // Taken it is pending no more; handled without a change it is pending again.
        assert_eq!(pe.take(), Some(TIMER));
        assert_eq!((pe.lines(), pe.take(), pe.machine.deadline), (Lines::empty(), None, NEVER));
        assert_eq!(pe.hypercall(&[hypercall::DEACTIVATE, TIMER, TIMER]), 0);
        assert_eq!(pe.lines(), Lines::IRQ);
    }
    // Set anew while it is taken, it has a deadline at once, and can be deactivated all the same.
    assert_eq!(pe.take(), Some(TIMER));
    pe.write_timer(TimerRegister::CompareValue, 300);
    assert_eq!((pe.lines(), pe.machine.deadline), (Lines::empty(), 300));
    assert_eq!(pe.hypercall(&[hypercall::DEACTIVATE, TIMER, TIMER]), 0);
    assert_eq!((pe.lines(), pe.machine.deadline), (Lines::empty(), 300));
    assert_eq!(pe.advance(300), IN_RELAY);
    // Set anew while it is pending, it is pending no more.
    assert_eq!(pe.write_timer(TimerRegister::CompareValue, 400), Lines::empty());
    assert_eq!((pe.take(), pe.machine.deadline), (None, 400));
    assert_eq!(pe.call(&[id::MSG_WAIT]), Place::Normal);
}

#[test]
fn the_earliest_deadline_of_all_is_armed() {
    let [mut pe] = booted();
    wait_until(&mut pe, RELAY, 500);
    wait_until(&mut pe, THIRD, 700);
    assert_eq!(pe.machine.deadline, 500);
    wait_until(&mut pe, ECHO, 300);
    assert_eq!(pe.machine.deadline, 300);
    assert_eq!(pe.advance(300), IN_ECHO);
    assert_eq!(pe.machine.deadline, 500, "the next one, whoever runs");
    assert_eq!(expect_due(&mut pe, (ECHO, 0)), Place::Normal);
    // One that is put off, and one that is given up.
    wait_until(&mut pe, RELAY, 900);
    assert_eq!(pe.machine.deadline, 700);
    pe.normal(&[id::RUN, pair(THIRD, 0)]);
    pe.write_timer(TimerRegister::Control, 0);
    assert_eq!(pe.machine.deadline, 900);
    pe.call(&[id::MSG_WAIT]);
    assert_eq!(pe.advance(900), IN_RELAY);
}

#[test]
fn timers_that_are_due_at_once_are_handled_one_after_the_other() {
    let [mut pe] = booted();
    for (start, back) in [(None, Place::Normal), (Some([id::REQUEST, pair(0, ECHO)]), IN_ECHO)] {
        wait_until(&mut pe, RELAY, 100);
        wait_until(&mut pe, THIRD, 100);
        if let Some(start) = start {
            pe.normal(&start);
            pe.frame.x[6] = 66;
        }
        assert_eq!(pe.advance(100), IN_RELAY);
        assert_eq!(expect_due(&mut pe, (RELAY, 0)), IN_THIRD);
        assert_eq!(expect_due(&mut pe, (THIRD, 0)), back);
        assert!(!pe.machine.holds_normal);
        assert!(start.is_none() || pe.frame.x[6] == 66);
        pe.machine.set_count(0);
    }
}

#[test]
fn a_deadline_holds_when_the_vcpu_has_gone_to_another_pe() {
    let [mut first, mut second] = booted();
    wait_until(&mut first, RELAY, 100);
    second.normal(&[id::RUN, pair(RELAY, 0)]);
    assert_eq!(second.machine.deadline, 100, "it is this PE's now");
    second.call(&[id::MSG_WAIT]);
    // The other one comes back in vain.
    assert_eq!(first.advance(100), Place::Normal);
    assert_eq!((first.low()[0], first.machine.deadline), (id::NORMAL_WORLD_RESUME, NEVER));
    assert_eq!(second.come(), IN_RELAY);
    assert_eq!(expect_due(&mut second, (RELAY, 0)), Place::Normal);
    // By a request it goes as well, and the interrupt comes where it was last.
    for (pe, other) in [(&mut first, 1), (&mut second, 0)] {
        let request = [id::REQUEST, pair(0, RELAY)];
        assert_eq!(pe.normal(&request), IN_RELAY);
        pe.set_timer(200 + other);
        assert_eq!(pe.call(&[id::RESPONSE, pair(RELAY, 0)]), Place::Normal);
        assert_eq!(pe.advance(200 + other), IN_RELAY);
        expect_due(pe, (RELAY, 0));
        pe.machine.set_count(0);
    }
}

#[test]
fn a_timer_that_is_due_is_seen_when_its_owner_is_entered() {
    let [mut first, mut second] = booted();
    for enter in [[id::RUN, pair(RELAY, 0)], [id::REQUEST, pair(0, RELAY)]] {
        wait_until(&mut first, RELAY, 100);
        // Its PE has not come back for it yet.
        first.machine.set_count(100);
        assert_eq!(second.normal(&enter), IN_RELAY);
        assert_eq!(second.low()[0], enter[0]);
        stop(&mut second);
        let end = if enter[0] == id::RUN { [id::MSG_WAIT, 0] } else { [id::RESPONSE, pair(RELAY, 0)] };
        assert_eq!(second.call(&end), Place::Normal);
        assert_eq!(first.come(), Place::Normal, "once");
        first.machine.set_count(0);
    }
}

#[test]
fn a_deadline_outlives_the_pe_that_keeps_it() {
    let [mut first, mut second] = booted();
    wait_until(&mut second, RELAY, 100);
    wait_until(&mut second, ECHO, 50);
    let kicks = second.machine.kicks();
    second.normal(&[id::REQUEST, 0xFFFF_8000, 0x8000_0000, 0x8400_0002]);
    assert_eq!(second.machine.deadline, NEVER, "an off PE is not interrupted");
    assert_eq!(second.machine.kicks(), kicks + 1);
    // Whoever comes first takes it; that of the context which ended with the PE is nobody's.
    first.machine.kicked = true;
    assert_eq!(first.come(), Place::Normal);
    assert_eq!(first.machine.deadline, 100);
    assert_eq!(first.advance(100), IN_RELAY);
    expect_due(&mut first, (RELAY, 0));

    // Where no other PE is on, it is there when one comes on.
    let [mut pe] = booted();
    wait_until(&mut pe, RELAY, 100);
    pe.normal(&[id::REQUEST, 0xFFFF_8000, 0x8000_0000, 0x8400_0002]);
    let mut pe = pe.world.clone().pe(0);
    assert_eq!(pe.turn_on(), IN_ECHO);
    assert_eq!(pe.machine.deadline, 100);
    assert_eq!(pe.advance(100), IN_RELAY, "while another one initialises");
    assert_eq!(expect_due(&mut pe, (RELAY, 0)), IN_ECHO);
    assert_eq!(pe.call(&[id::MSG_WAIT]), Place::Normal, "and the boot goes on");
}

#[test]
fn a_timer_is_handled_while_another_partition_initialises() {
    let mut pe = World::of(&with_devices()).pe(0);
    assert_eq!(pe.turn_on(), IN_ECHO);
    assert_eq!(pe.hypercall(&[hypercall::ENABLE, TIMER, 1, 0]), 0);
    pe.set_timer(100);
    assert_eq!(pe.call(&[id::MSG_WAIT]), IN_RELAY);
    assert_eq!(pe.advance(100), IN_ECHO);
    assert_eq!(expect_due(&mut pe, (ECHO, 0)), IN_RELAY);
    assert!(pe.machine.holds_normal);
    assert_eq!(pe.call(&[id::MSG_WAIT]), IN_THIRD);
    assert_eq!(pe.call(&[id::MSG_WAIT]), Place::Normal);
}

#[test]
fn a_timer_that_is_due_while_its_owner_initialises_is_handled_before_it_waits() {
    let mut pe = World::of(&with_devices()).pe(0);
    pe.turn_on();
    assert_eq!(pe.hypercall(&[hypercall::ENABLE, TIMER, 1, 0]), 0);
    pe.set_timer(100);
    assert_eq!(pe.advance(100), IN_ECHO);
    assert_eq!(pe.call(&[id::MSG_WAIT]), IN_ECHO);
    assert_eq!(pe.low()[..3], [id::INTERRUPT, 0, TIMER]);
    stop(&mut pe);
    assert_eq!(pe.call(&[id::MSG_WAIT]), IN_RELAY);
}

#[test]
fn a_timer_may_fire_before_the_first_ffa_version() {
    let mut pe = World::of(&with_devices()).pe(0);
    pe.turn_on();
    assert_eq!(pe.hypercall(&[hypercall::ENABLE, TIMER, 1, 0]), 0);
    pe.set_timer(100);
    while pe.place() != Place::Normal {
        pe.call(&[id::MSG_WAIT]);
    }
    assert_eq!(pe.advance(100), IN_ECHO);
    assert_eq!(expect_due(&mut pe, (ECHO, 0)), Place::Normal);
    assert_eq!(pe.normal_version(V1_1), V1_2);
    pe.refused(&[id::REQUEST2, pair(0, ECHO)], code::NOT_SUPPORTED);
}

#[test]
fn a_timer_that_fires_between_the_answer_and_its_saving_is_handled_once() {
    // On one PE and on two.
    let [mut first, mut second] = booted();
    second.normal(&[id::REQUEST, pair(0, RELAY)]);
    second.set_timer(100);
    assert_eq!(second.call_unsettled(&[id::RESPONSE, pair(RELAY, 0)]), Place::Normal);
    assert_eq!(first.advance(100), Place::Normal, "it is the other PE's");
    assert_eq!(second.come(), IN_RELAY);
    assert_eq!(expect_due(&mut second, (RELAY, 0)), Place::Normal);
    assert!(!first.take_kick() && !second.take_kick());
    assert_eq!((first.come(), second.come()), (Place::Normal, Place::Normal), "once");
}

#[test]
fn a_timer_in_a_chain_interrupts_whom_its_owner_called() {
    let [mut pe] = booted();
    pe.normal(&[id::REQUEST, pair(0, RELAY)]);
    pe.set_timer(100);
    pe.call(&[id::REQUEST, pair(RELAY, ECHO)]);
    pe.frame.x[6] = 66;
    assert_eq!(pe.advance(100), IN_RELAY);
    assert_eq!(pe.low(), [id::INTERRUPT, pair(ECHO, 0), 0, 0, 0, 0, 0, 0]);
    pe.refused(&[id::RUN, pair(ECHO, 0)], code::DENIED);
    stop(&mut pe);
    assert_eq!(pe.call(&[id::RUN, pair(ECHO, 0)]), IN_ECHO);
    assert_eq!(pe.frame.x[6], 66);
    pe.call(&[id::RESPONSE, pair(ECHO, RELAY)]);
    assert_eq!(pe.call(&[id::RESPONSE, pair(RELAY, 0)]), Place::Normal);
}

#[test]
fn a_timer_of_an_aborted_partition_is_nobodys() {
    let [mut pe] = booted();
    wait_until(&mut pe, THIRD, 200);
    pe.normal(&[id::REQUEST, pair(0, RELAY)]);
    pe.set_timer(100);
    pe.fault();
    pe.expect_aborted();
    assert_eq!(pe.advance(100), Place::Normal);
    assert_eq!(pe.low()[0], id::NORMAL_WORLD_RESUME);
    assert_eq!(pe.advance(200), IN_THIRD);
}

#[test]
fn the_scheduler_is_told_of_a_timer_where_the_manifest_asks_for_it() {
    let mut sources = with_devices();
    Sources::set(&mut sources.relay, "sri-interrupts-policy", "<3>");
    let [mut pe] = booted_of(&sources);
    wait_until(&mut pe, RELAY, 100);
    assert_eq!(pe.advance(100), Place::Normal);
    assert_eq!(pe.low()[0], id::NORMAL_WORLD_RESUME);
    assert_eq!((pe.machine.take_raised(), pe.told()), (vec![0], vec![vec![RELAY, 0]]));
    // It does not handle it, and waits with it.
    pe.normal(&[id::RUN, pair(RELAY, 0)]);
    assert_eq!(pe.lines(), Lines::IRQ);
    assert_eq!(pe.call(&[id::MSG_WAIT]), Place::Normal);
    assert_eq!((pe.machine.take_raised(), pe.told()), (vec![0], vec![vec![RELAY, 0]]));
    pe.normal(&[id::RUN, pair(RELAY, 0)]);
    stop(&mut pe);
    pe.call(&[id::MSG_WAIT]);
    assert_eq!((pe.machine.take_raised().len(), pe.told().len()), (0, 0));
}

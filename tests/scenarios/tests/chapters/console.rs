//! FFA_CONSOLE_LOG.

use scenarios::{ECHO, Pe, Place, V1_1, V1_2, VERSIONS, World, code, id, pair};

const LOG32: u64 = 0x8400_008A;
const LOG64: u64 = 0xC400_008A;

fn with_echo() -> Pe {
    let mut pe = World::booted();
    pe.normal(&[id::RUN, pair(ECHO, 0)]);
    pe
}

#[test]
fn characters_come_from_four_or_eight_bytes_a_register() {
    let mut pe = with_echo();
    pe.call_done(&[LOG32, 5, 0xFFFF_FFFF_6463_6261, 0x0A65]);
    assert!(
        pe.machine.lines().is_empty(),
        "the sixth character, which is not among the five, would end the line"
    );
    pe.call_done(&[LOG64, 9, u64::from_le_bytes(*b"fghijklm"), 0x0A]);
    assert_eq!(pe.machine.lines(), ["echo.0 abcdefghijklm"]);
}

#[test]
fn a_line_is_shown_when_it_ends() {
    let mut pe = with_echo();
    pe.call_done(&[LOG32, 3, u64::from(u32::from_le_bytes(*b"one\0"))]);
    assert!(pe.machine.lines().is_empty());
    pe.call_done(&[LOG32, 4, u64::from(u32::from_le_bytes(*b"\ntwo"))]);
    assert_eq!(pe.machine.lines(), ["echo.0 one"]);
    // What it leaves behind is shown when it is aborted.
    pe.fault();
    assert_eq!(pe.machine.lines(), ["echo.0 one", "echo.0 two"]);
}

#[test]
fn the_count_must_fit_the_registers() {
    // Six registers of four or eight characters; from FF-A 1.2 on, sixteen of eight.
    for version in VERSIONS {
        let most64 = if version >= V1_2 { 128 } else { 48 };
        for mut pe in World::callers(version).into_iter().filter(|pe| pe.place() != Place::Normal) {
            for (function, most) in [(LOG32, 24), (LOG64, most64)] {
                for count in [0, most + 1, 0x100, 0x101, 0x8000_0001, u64::from(u32::MAX)] {
                    pe.refused(&[function, count], code::INVALID);
                }
                assert_eq!(pe.done(&[function, 1])[1..], [0; 7]);
                pe.done(&[function, most]);
            }
        }
    }
}

#[test]
fn characters_behind_x7_are_of_1_2() {
    let mut call = [u64::from_le_bytes(*b"abcdefgh"); 18];
    for (version, count) in [(V1_1, 48), (V1_2, 128)] {
        let mut pe = World::callers(version).remove(2);
        (call[0], call[1]) = (LOG64, count);
        pe.call(&call);
        assert_eq!(pe.frame.x[8..], call[8..], "the caller's own");
        pe.done(&[LOG32, 1, u64::from(b'\n')]);
        assert_eq!(pe.machine.lines(), [format!("echo.0 {}", "abcdefgh".repeat(count as usize / 8))]);
    }
}

#[test]
fn the_normal_world_does_not_log_here() {
    for version in VERSIONS {
        let mut pe = World::booted();
        pe.normal_version(version);
        for function in [LOG32, LOG64] {
            pe.refused(&[function, 1, 10], code::NOT_SUPPORTED);
        }
    }
}

#[test]
fn each_context_has_its_own_line() {
    let world = World::new();
    let (mut first, mut second) = (world.booted_pe(0), world.booted_pe(1));
    for pe in [&mut first, &mut second] {
        pe.normal(&[id::REQUEST, pair(0, ECHO)]);
    }
    first.done(&[LOG32, 1, u64::from(b'a')]);
    second.done(&[LOG32, 2, u64::from(u16::from_le_bytes(*b"b\n"))]);
    first.done(&[LOG32, 1, u64::from(b'\n')]);
    assert_eq!(first.machine.lines(), ["echo.1 b", "echo.0 a"]);
}

#[test]
fn a_partition_logs_in_every_runtime_model() {
    let mut initialising = World::new().pe(0);
    initialising.turn_on();
    let mut working = World::booted();
    working.normal(&[id::REQUEST, pair(0, ECHO)]);
    for mut pe in [initialising, working, with_echo()] {
        pe.done(&[LOG32, 2, u64::from(u16::from_le_bytes(*b"x\n"))]);
        assert_eq!(pe.machine.lines(), ["echo.0 x"]);
    }
}

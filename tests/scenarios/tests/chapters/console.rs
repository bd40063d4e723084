//! FFA_CONSOLE_LOG.

use scenarios::{ECHO, Pe, World, code, id, pair};

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
    for (function, count) in
        [(LOG32, 0), (LOG32, 25), (LOG64, 0), (LOG64, 129), (LOG32, 0x101), (LOG64, 0x8000_0001)]
    {
        with_echo().call_refused(&[function, count], code::INVALID);
    }
    with_echo().call_done(&[LOG32, 24]);
    with_echo().call_done(&[LOG64, 128]);
}

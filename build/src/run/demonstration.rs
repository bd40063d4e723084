//! What a run has to show: TF-A's stages, Hafnia, the partitions' own words and the Normal world's.

use std::fmt::Write;

use anyhow::{Result, bail};

use crate::console::{Line, Speaker};
use crate::fip::Partition;
use crate::test::lines::{End, Line as Report, closing};

/// What Linux's first process prints before the list of partitions, and after it.
const LINUX: &str = "linux: ";

/// How Hafnia begins a line about something that went wrong.
const ERROR: &str = "[E] hafnia:";

/// Something that has to be seen, and whether it was.
struct Expected {
    what: String,
    fulfilled: Box<dyn Fn(&Line) -> bool>,
    seen: bool,
}

/// The whole of a run.
pub struct Demonstration {
    expected: Vec<Expected>,
    normal: Normal,
}

/// What the Normal world has to show.
enum Normal {
    /// The partitions that Linux lists are exactly these: id and UUID, with the name in the manifests.
    /// Hafnia reports no error: a partition that it left out or aborted may be one that prints nothing.
    Linux { wanted: Vec<(String, String)>, listed: Vec<String>, errors: Vec<String> },
    /// No test failed.
    Tests { failed: Vec<String>, counted: Option<(usize, usize)> },
}

impl Demonstration {
    /// Linux with its FF-A driver.
    #[must_use]
    pub fn of_linux(partitions: &[Partition]) -> Self {
        let mut expected = firmware(partitions);
        expected.push(says("Linux: its FF-A version", |line| line.text.starts_with("linux: FF-A ")));
        expected.push(says("Linux: the end of its list", |line| line.text.starts_with("linux: done")));
        expected.push(says("Linux: its schedule receiver interrupt on every PE", |line| {
            schedule_receiver(&line.text).is_some_and(|(pes, of, _)| pes == of)
        }));
        let wanted = partitions.iter().flat_map(|partition| {
            let device = |uuid| (format!("{:#06x} {uuid}", partition.id), partition.name.clone());
            partition.uuids.iter().map(device)
        });
        Self {
            expected,
            normal: Normal::Linux { wanted: wanted.collect(), listed: Vec::new(), errors: Vec::new() },
        }
    }

    /// The project's test image.
    #[must_use]
    pub fn of_tests(partitions: &[Partition]) -> Self {
        let mut expected = firmware(partitions);
        expected.push(says("the test image's first line", |line| line.text.starts_with("normal: ")));
        expected.push(says("`N passed, N failed`", |line| closing(&line.text).is_some()));
        Self { expected, normal: Normal::Tests { failed: Vec::new(), counted: None } }
    }

    /// Takes note of a line.
    pub fn see(&mut self, line: &Line) {
        for expected in &mut self.expected {
            expected.seen |= (expected.fulfilled)(line);
        }
        match &mut self.normal {
            Normal::Linux { listed, errors, .. } => {
                listed.extend(listed_partition(&line.text));
                errors.extend(line.text.contains(ERROR).then(|| line.text.clone()));
            }
            Normal::Tests { failed, counted } => {
                if Report::parse(&line.text).is_some_and(|report| matches!(report.end, End::Failed(_))) {
                    failed.push(line.text.clone());
                }
                *counted = closing(&line.text).or(*counted);
            }
        }
    }

    /// What comes next, unless all was seen.
    #[must_use]
    pub fn awaited(&self) -> Option<String> {
        self.expected.iter().find(|expected| !expected.seen).map(|expected| expected.what.clone())
    }

    /// What was shown, in a few words.
    ///
    /// # Errors
    /// If something was not seen or was wrong; the message lists it all.
    pub fn verdict(&self) -> Result<String> {
        let missing = self.expected.iter().filter(|expected| !expected.seen);
        let mut wrong: Vec<_> = missing.map(|expected| format!("never seen: {}", expected.what)).collect();
        let mut summary = String::new();
        match &self.normal {
            Normal::Linux { wanted, listed, errors } => {
                wrong.extend(errors.iter().cloned());
                for (device, name) in wanted {
                    match listed.iter().filter(|listed| *listed == device).count() {
                        1 => writeln!(summary, "Linux finds {name}, {device}, as the manifests say")?,
                        count => wrong.push(format!("Linux lists {device} ({name}) {count} times, not once")),
                    }
                }
                let foreign =
                    listed.iter().filter(|listed| !wanted.iter().any(|(device, _)| device == *listed));
                wrong.extend(foreign.map(|device| format!("Linux lists {device}, which is in no manifest")));
            }
            Normal::Tests { failed, counted } => {
                wrong.extend(failed.iter().cloned());
                match counted {
                    Some((passed, 0)) if *passed > 0 => writeln!(summary, "{passed} tests passed")?,
                    Some((passed, failed)) => wrong.push(format!("{passed} tests passed, {failed} failed")),
                    None => {}
                }
            }
        }
        if !wrong.is_empty() {
            bail!("not all went as it should:\n    {}", wrong.join("\n    "));
        }
        summary.push_str("all of it happened");
        Ok(summary)
    }
}

/// TF-A's three stages, Hafnia, and the line that each partition of the project prints when it is ready.
fn firmware(partitions: &[Partition]) -> Vec<Expected> {
    let mut expected = Vec::new();
    for stage in ["BL1: ", "BL2: ", "BL31: "] {
        expected.push(says(&format!("TF-A: {}", stage.trim_end()), move |line| {
            line.speaker() == Speaker::Firmware && line.text.contains(stage)
        }));
    }
    expected.push(says("Hafnia's first line", |line| line.speaker() == Speaker::Manager));
    for partition in partitions.iter().filter(|partition| partition.own) {
        let (name, ready) =
            (partition.name.clone(), format!("ready: {} {:#x},", partition.name, partition.id));
        expected.push(says(&format!("`{ready} …` of the partition {name}"), move |line| {
            line.speaker() == Speaker::Partition(&name) && line.text.contains(&ready)
        }));
    }
    expected
}

fn says(what: &str, fulfilled: impl Fn(&Line) -> bool + 'static) -> Expected {
    Expected { what: what.to_owned(), fulfilled: Box::new(fulfilled), seen: false }
}

/// Id and UUID of a line `linux: partition ID UUID`. The driver lists its own host too, with the id 0.
fn listed_partition(text: &str) -> Option<String> {
    let device = text.strip_prefix(LINUX)?.strip_prefix("partition ")?.trim();
    let (id, uuid) = device.split_once(' ')?;
    let id = u16::from_str_radix(id.trim_start_matches("0x"), 16).ok()?;
    (id != 0).then(|| format!("{id:#06x} {}", uuid.trim().to_lowercase()))
}

/// The numbers of a line `linux: SRI on N of N PEs, taken N times`: PEs that can take Linux's schedule receiver
/// interrupt, PEs that there are, and how often all of them have taken it.
#[must_use]
pub fn schedule_receiver(text: &str) -> Option<(u32, u32, u64)> {
    let (pes, rest) = text.strip_prefix(LINUX)?.strip_prefix("SRI on ")?.split_once(" of ")?;
    let (of, rest) = rest.split_once(" PEs, taken ")?;
    let taken = rest.trim().strip_suffix(" times")?;
    Some((pes.parse().ok()?, of.parse().ok()?, taken.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::console::Console;

    const UUID: &str = "5d7f1c2e-8a3b-4e60-9b1d-3c2f6a7e9d41";

    fn echo() -> Partition {
        let uuids = vec![Uuid::try_parse(UUID).unwrap()];
        Partition { name: "echo".to_owned(), id: 0x8001, uuids, own: true }
    }

    fn shown(mut demonstration: Demonstration, lines: &[&str]) -> Demonstration {
        for text in lines {
            demonstration.see(&Line { console: Console::Normal, text: (*text).to_owned() });
        }
        demonstration
    }

    const FIRMWARE: [&str; 5] = [
        "NOTICE:  BL1: v2.12.1(release)",
        "NOTICE:  BL2: v2.12.1(release)",
        "NOTICE:  BL31: v2.12.1(release)",
        "[I] hafnia: 0.1.0",
        "[echo.0] ready: echo 0x8001, FF-A 1.2, vCPU 0",
    ];

    fn linux(lines: &[&str]) -> Demonstration {
        shown(Demonstration::of_linux(&[echo()]), &[&FIRMWARE, lines].concat())
    }

    #[test]
    fn linux_lists_exactly_the_manifests() {
        let (host, own) = ("linux: partition 0x0000 00000000", format!("linux: partition 0x8001 {UUID}"));
        let around = |listed: &[&str]| {
            let told = "linux: SRI on 4 of 4 PEs, taken 0 times";
            linux(&[&["linux: FF-A 1.2", host], listed, &[told, "linux: done"]].concat()).verdict()
        };
        assert!(around(&[&own]).unwrap().contains("echo"));
        assert!(around(&[]).unwrap_err().to_string().contains("0 times"));
        assert!(around(&[&own, &own]).unwrap_err().to_string().contains("2 times"));
        let foreign = format!("linux: partition 0x8002 {UUID}");
        assert!(around(&[&own, "[E] hafnia: echo is aborted"]).unwrap_err().to_string().contains("aborted"));
        assert!(around(&[&own, &foreign]).unwrap_err().to_string().contains("in no manifest"));
    }

    #[test]
    fn linux_takes_its_schedule_receiver_interrupt_on_every_pe() {
        let own = format!("linux: partition 0x8001 {UUID}");
        let with = |told| linux(&["linux: FF-A 1.2", &own, told, "linux: done"]).verdict();
        assert!(with("linux: SRI on 4 of 4 PEs, taken 12 times").is_ok());
        for told in ["linux: SRI on 0 of 4 PEs, taken 0 times", "linux: SRI on 3 of 4 PEs, taken 1 times", ""]
        {
            assert!(with(told).unwrap_err().to_string().contains("on every PE"), "{told}");
        }
    }

    #[test]
    fn what_was_not_seen_is_named_in_its_order() {
        assert_eq!(linux(&[]).awaited().unwrap(), "Linux: its FF-A version");
        let silent = shown(Demonstration::of_linux(&[echo()]), &FIRMWARE[..4]);
        assert_eq!(silent.awaited().unwrap(), "`ready: echo 0x8001, …` of the partition echo");
        assert!(silent.verdict().is_err());
    }

    #[test]
    fn one_failed_test_fails_the_run() {
        let tests = |lines: &[&str]| {
            shown(Demonstration::of_tests(&[echo()]), &[&FIRMWARE, lines].concat()).verdict()
        };
        assert!(tests(&["normal: 1 PEs at EL2, FF-A 1.2", "test a ... ok", "1 passed, 0 failed"]).is_ok());
        assert!(
            tests(&["normal: 1 PEs at EL2, FF-A 1.2", "test a ... FAILED: x", "0 passed, 1 failed"]).is_err()
        );
        assert!(tests(&["normal: 1 PEs at EL2, FF-A 1.2", "0 passed, 0 failed"]).is_err());
        assert!(tests(&["normal: 1 PEs at EL2, FF-A 1.2"]).is_err());
    }
}

//! The scenarios that leave a working machine behind, on PEs of other kinds and with the Normal world at its other level.

use anyhow::{Context, Result};

use super::boots::{self, Boot};
use super::tally::Tally;
use super::target::{self, MEMORY_ALL};
use crate::fip::{self, Variant};
use crate::machine::Stack;
use crate::platform::{Cores, Platform};

/// Number of PEs.
const PES: u32 = 2;

/// The exception level of the Normal-world test image.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Level {
    El2,
    El1,
}

impl Level {
    fn name(self) -> &'static str {
        match self {
            Self::El2 => "EL2",
            Self::El1 => "EL1",
        }
    }
}

/// One of the sets of scenarios, on these PEs and at this level.
struct Case {
    cores: Option<&'static Cores>,
    level: Level,
    /// Those of memory transactions.
    is_memory: bool,
}

impl Case {
    /// What stands before the tests' names.
    fn prefix(&self) -> String {
        let level = (self.level == Level::El1).then_some("NS-EL1");
        let parts = [level, self.cores.map(|cores| cores.name)];
        parts.into_iter().flatten().map(|part| format!("{part}, ")).collect()
    }

    fn build(&self, platform: Platform) -> Result<Stack> {
        let (set, args) = if self.is_memory {
            ("memory", fip::of_tests(platform, "memory"))
        } else {
            ("tests", fip::tests(platform))
        };
        let (normal, of_level): (&[_], _) = match self.level {
            Level::El2 => (&[], None),
            Level::El1 => (&["el1"], Some("el1")),
        };
        let tfa = self.cores.map_or(&[][..], |cores| cores.tfa);
        let own = self.cores.filter(|cores| !cores.tfa.is_empty());
        let own = own.map(|cores| cores.name.replace(' ', "-"));
        let parts = [Some(set), own.as_deref(), of_level];
        let name = parts.into_iter().flatten().collect::<Vec<_>>().join("-");
        let stack = Stack::build(&args, Variant { name: &name, tfa, normal, ..Variant::default() })?;
        Ok(match self.cores {
            Some(cores) => stack.on(cores),
            None => stack,
        })
    }
}

/// Boots them all. What both a kind of PEs and a level do to memory transactions is tried one by one only.
pub fn run(tally: &mut Tally, platform: Platform) {
    tally.part(&format!("{platform}: other kinds of PEs, and a Normal world at EL1"));
    let mut cases = Vec::new();
    let usual = [(None, Level::El1)];
    let others = platform.description().cores.iter();
    let others = others.flat_map(|cores| [Level::El2, Level::El1].map(|level| (Some(cores), level)));
    for (cores, level) in usual.into_iter().chain(others) {
        cases.push(Case { cores, level, is_memory: false });
        if cores.is_none() || level == Level::El2 {
            cases.push(Case { cores, level, is_memory: true });
        }
    }
    let mut stacks = Vec::new();
    for case in cases {
        match case.build(platform).with_context(|| case.prefix()) {
            Ok(stack) => stacks.push((case, stack)),
            Err(error) => tally.broken(&format!("{platform}: a stack builds"), &error),
        }
    }
    let request = |case: &Case| case.is_memory.then_some(MEMORY_ALL);
    let boots: Vec<_> =
        stacks.iter().map(|(case, stack)| Boot { stack, pes: PES, request: request(case) }).collect();
    boots::all(&boots, |place, console| {
        let (case, prefix) = (&stacks[place].0, stacks[place].0.prefix());
        match console {
            Ok(console) => {
                target::report_as(tally, &console, PES, &prefix);
                let level = case.level.name();
                let said = console.normal.contains(&format!("PEs at {level},"));
                let failure = (!said).then(|| format!("no word of it:\n{}", console.normal));
                tally.note(&format!("{prefix}the image is at {level}"), failure);
            }
            Err(error) => tally.broken(&format!("{prefix}QEMU runs"), &error),
        }
    });
}

//! From the counter's plan to its counts: which instructions belong to whom, and what each row of the bench cost.

use std::collections::BTreeMap;
use std::fmt::Write;

use anyhow::{Context, Result, bail, ensure};
use object::{Object, ObjectSection, ObjectSymbol, SectionKind, SymbolKind};

use super::rows::{Manifests, ROWS, Row};

/// Who executes. The slots of the plan in this order; the symbols of the SPMC follow.
const EL3: usize = 0;
const PARTITION: usize = 1;
const NORMAL: usize = 2;
const SYMBOLS: usize = 3;

/// The memory map of QEMU virt under TF-A, as far as it tells who executes: flash, secure SRAM, the partitions'
/// part of secure DRAM, the Normal world's DRAM.
const RANGES: &[(u64, u64, usize)] = &[
    (0, 0x400_0000, EL3),
    (0xe00_0000, 0xe10_0000, EL3),
    (0xe30_0000, 0xf00_0000, PARTITION),
    (0x4000_0000, 0x100_0000_0000, NORMAL),
];

/// Where TF-A loads the SPMC, and where the image's own memory ends.
const SPMC: std::ops::Range<u64> = 0xe10_0000..0xe30_0000;
/// The bits that tell the SPMC's upper half from the physical addresses it boots at.
const UPPER_HALF: u64 = 0xffff_0000_0000_0000;
/// Where TF-A loads the Normal-world image.
const NORMAL_IMAGE: u64 = 0x6000_0000;

/// What is counted: the plan's text for the plugin, and the meaning of its slots.
pub struct Plan {
    /// The plan as the plugin reads it.
    pub text: String,
    names: Vec<String>,
    /// The rows that run, and where each begins and ends.
    markers: Vec<(&'static Row, u64, u64)>,
}

impl Plan {
    /// The plan for an SPMC and a Normal-world image, both ELF files, and the rows that run with these manifests.
    ///
    /// # Errors
    /// If one of them is no such file, or the Normal-world image has no markers.
    pub fn new(spmc: &[u8], normal: &[u8], manifests: Manifests) -> Result<Self> {
        let symbols = code_symbols(spmc).context("the SPMC")?;
        let markers = (0..)
            .zip(ROWS)
            .filter(|(_, row)| row.manifests == manifests)
            .map(|(number, row)| {
                let of = |which| marker(normal, &format!("bench_row_{number}_{which}"));
                Ok((row, of("begin")?, of("end")?))
            })
            .collect::<Result<Vec<_>>>()?;
        let mut text = format!("slots {}\n", SYMBOLS + symbols.len());
        for (start, end, slot) in RANGES {
            writeln!(text, "range {start:#x} {end:#x} {slot}")?;
        }
        let ends = symbols.iter().skip(1).map(|(address, _)| SPMC.start + address).chain([SPMC.end]);
        for (index, ((address, _), end)) in symbols.iter().zip(ends).enumerate() {
            for half in [0, UPPER_HALF] {
                let (start, end) = (half + SPMC.start + address, half + end);
                writeln!(text, "range {start:#x} {end:#x} {}", SYMBOLS + index)?;
            }
        }
        for mark in markers.iter().flat_map(|(_, begin, end)| [*begin, *end]).chain([NORMAL_IMAGE]) {
            writeln!(text, "mark {mark:#x}")?;
        }
        let names = symbols.into_iter().map(|(_, name)| name).collect();
        Ok(Self { text, names, markers })
    }

    /// Reads what the plugin wrote.
    ///
    /// # Errors
    /// If a row is missing, instructions are counted that belong to nobody, or the sums differ from the total.
    pub fn counts(&self, output: &str) -> Result<Counts> {
        let mut noted = BTreeMap::new();
        for line in output.lines().filter(|line| line.starts_with("mark ")) {
            let (address, counters) =
                snapshot(line).with_context(|| format!("the counter wrote {line:?}"))?;
            ensure!(counters.len() == SYMBOLS + self.names.len() + 2, "the counter wrote {line:?}");
            noted.entry(address).or_insert(counters);
        }
        let boot = noted.get(&NORMAL_IMAGE).context("the Normal-world image was not reached")?;
        let rows = self.markers.iter().map(|(row, begin, end)| {
            let (Some(before), Some(after)) = (noted.get(begin), noted.get(end)) else {
                bail!("the Normal-world image did not run {}", row.name)
            };
            let spent: Vec<u64> = after.iter().zip(before).map(|(after, before)| after - before).collect();
            Ok(self.cost(&spent)?.per_call(row.calls))
        });
        Ok(Counts { boot: self.cost(boot)?, rows: rows.collect::<Result<_>>()? })
    }

    fn cost(&self, counters: &[u64]) -> Result<Cost> {
        let [slots @ .., elsewhere, total] = counters else { bail!("the counter wrote no counters") };
        ensure!(*elsewhere == 0, "{elsewhere} instructions were executed where nobody's code lies");
        let sum: u64 = slots.iter().sum();
        ensure!(sum == *total, "the ranges sum to {sum} instructions, the total is {total}");
        let mut symbols = BTreeMap::new();
        for (name, count) in self.names.iter().zip(&slots[SYMBOLS..]).filter(|(_, count)| **count != 0) {
            *symbols.entry(name.clone()).or_default() += *count as f64;
        }
        let of = |slot: usize| slots[slot] as f64;
        let spmc = slots[SYMBOLS..].iter().sum::<u64>() as f64;
        Ok(Cost { el3: of(EL3), spmc, partition: of(PARTITION), symbols })
    }
}

/// What the boot and one call of each row cost.
pub struct Counts {
    /// From reset to the first instruction of the Normal-world image.
    pub boot: Cost,
    /// In the order of the plan, for one call.
    pub rows: Vec<Cost>,
}

/// Executed instructions.
pub struct Cost {
    /// In EL3 (before the SPMC's entry: TF-A's boot stages too).
    pub el3: f64,
    /// In the SPMC.
    pub spmc: f64,
    /// In partitions.
    pub partition: f64,
    /// In the SPMC, by symbol.
    pub symbols: BTreeMap<String, f64>,
}

impl Cost {
    fn per_call(mut self, calls: u32) -> Self {
        let calls = f64::from(calls);
        for value in [&mut self.el3, &mut self.spmc, &mut self.partition] {
            *value /= calls;
        }
        self.symbols.values_mut().for_each(|value| *value /= calls);
        self
    }

    /// The symbols that cost most, the dearest first.
    pub fn dearest(&self) -> Vec<(&str, f64)> {
        let mut symbols: Vec<(&str, f64)> =
            self.symbols.iter().map(|(name, cost)| (name.as_str(), *cost)).collect();
        symbols.sort_by(|one, other| other.1.total_cmp(&one.1));
        symbols
    }

    /// The copying and clearing routines that ran, which do not belong on the path of a message.
    pub fn copying(&self) -> Vec<&str> {
        let copies =
            |name: &&str| ["memcpy", "memmove", "memset", "memcmp"].iter().any(|copy| name.ends_with(copy));
        // Less than one instruction for a call is the request that carries the loop into the partition.
        self.symbols
            .iter()
            .filter(|(_, cost)| **cost >= 1.0)
            .map(|(name, _)| name.as_str())
            .filter(copies)
            .collect()
    }
}

fn snapshot(line: &str) -> Option<(u64, Vec<u64>)> {
    let mut words = line.split(' ').skip(1);
    let address = u64::from_str_radix(words.next()?.strip_prefix("0x")?, 16).ok()?;
    Some((address, words.map(|word| word.parse().ok()).collect::<Option<_>>()?))
}

/// The labels in the code of an ELF file that is linked at 0, sorted, one for each address.
fn code_symbols(elf: &[u8]) -> Result<Vec<(u64, String)>> {
    let file = object::File::parse(elf)?;
    let in_code = |symbol: &object::Symbol<'_, '_>| {
        let section = symbol.section_index().and_then(|index| file.section_by_index(index).ok());
        section.is_some_and(|section| section.kind() == SectionKind::Text)
    };
    let mut found = BTreeMap::new();
    for symbol in file.symbols().filter(|symbol| in_code(symbol)) {
        let name = symbol.name()?;
        // `$x` and `$d` tell code from data for disassemblers.
        if name.is_empty() || name.starts_with('$') || symbol.kind() == SymbolKind::Section {
            continue;
        }
        let demangled = addr2line::demangle_auto(name.into(), None).into_owned();
        found.entry(symbol.address()).or_insert(demangled);
    }
    ensure!(!found.is_empty(), "no symbols");
    // What lies before the first label is counted too.
    found.entry(0).or_insert_with(|| "(before the first symbol)".to_owned());
    Ok(found.into_iter().collect())
}

fn marker(elf: &[u8], name: &str) -> Result<u64> {
    let file = object::File::parse(elf).context("the Normal-world image")?;
    let symbol = file.symbols().find(|symbol| symbol.name() == Ok(name));
    let address = symbol.with_context(|| format!("the Normal-world image has no {name}"))?.address();
    Ok(if address < NORMAL_IMAGE { NORMAL_IMAGE + address } else { address })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan() -> Plan {
        let names = vec!["step".to_owned(), "memcpy".to_owned()];
        let markers =
            (0..).zip(ROWS).map(|(number, row)| (row, 0x6000_1000 + number, 0x6000_2000 + number)).collect();
        Plan { text: String::new(), names, markers }
    }

    /// The counter's output, `last` for the end of the last row.
    fn output(last: &str) -> String {
        let mut text = "mark 0x60000000 10 0 0 30 0 0 40\n".to_owned();
        for row in 0..ROWS.len() {
            text += &format!("mark {:#x} 0 0 0 0 0 0 0\n", 0x6000_1000 + row);
            let end = if row + 1 == ROWS.len() { last } else { "1000 2000 5 3000 4000 0 10005" };
            if !end.is_empty() {
                text += &format!("mark {:#x} {end}\n", 0x6000_2000 + row);
            }
        }
        text
    }

    #[test]
    fn the_counts_of_a_row_are_for_one_call() {
        let calls = u64::from(ROWS.last().unwrap().calls);
        let spent = [1469, 55, 0, 7435, 0, 0, 8959].map(|count| (count * calls).to_string());
        let counts = plan().counts(&output(&spent.join(" "))).unwrap();
        assert_eq!(counts.boot.spmc, 30.0);
        let last = counts.rows.last().unwrap();
        assert_eq!((last.el3, last.spmc, last.partition), (1469.0, 7435.0, 55.0));
        assert!(last.copying().is_empty());
        assert_eq!(counts.rows[0].copying(), ["memcpy"]);
        assert_eq!(counts.rows[0].dearest()[0], ("memcpy", 4.0));
    }

    #[test]
    fn ranges_that_do_not_sum_to_the_total_are_refused() {
        assert!(plan().counts(&output("1 1 1 1 1 0 6")).is_err());
    }

    #[test]
    fn instructions_of_nobody_are_refused() {
        assert!(plan().counts(&output("1 1 1 1 1 1 6")).is_err());
    }

    #[test]
    fn a_missing_row_is_refused() {
        assert!(plan().counts(&output("")).is_err());
    }
}

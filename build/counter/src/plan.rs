//! What to count and when to note it: the plan that `cargo xtask bench` hands over as a text file.

use std::collections::HashSet;

/// A range of virtual addresses whose instructions count towards one slot.
struct Range {
    start: u64,
    end: u64,
    slot: usize,
}

/// Address ranges with their slots, and the addresses at which the counters are noted.
pub struct Plan {
    ranges: Vec<Range>,
    marks: HashSet<u64>,
    slots: usize,
}

impl Plan {
    /// Reads lines `slots N`, `range START END SLOT` (END exclusive) and `mark ADDRESS`; numbers are
    /// hexadecimal with 0x or decimal.
    ///
    /// # Errors
    /// Names the line that is no such line, that uses a slot beyond N, or that overlaps another range.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut plan = Self { ranges: Vec::new(), marks: HashSet::new(), slots: 0 };
        for line in text.lines() {
            plan.add(line).ok_or_else(|| format!("counter: bad line in the plan: {line:?}"))?;
        }
        plan.ranges.sort_by_key(|range| range.start);
        match plan.ranges.windows(2).find(|pair| pair[0].end > pair[1].start) {
            Some(pair) => Err(format!("counter: two ranges hold {:#x}", pair[1].start)),
            None => Ok(plan),
        }
    }

    fn add(&mut self, line: &str) -> Option<()> {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words.as_slice() {
            ["slots", count] => self.slots = number(count)?.try_into().ok()?,
            ["mark", address] => {
                self.marks.insert(number(address)?);
            }
            ["range", start, end, slot] => {
                let slot = usize::try_from(number(slot)?).ok().filter(|slot| *slot < self.slots)?;
                let (start, end) = (number(start)?, number(end)?);
                (start < end).then(|| self.ranges.push(Range { start, end, slot }))?;
            }
            _ => return None,
        }
        Some(())
    }

    /// The number of slots that ranges may name.
    pub fn slots(&self) -> usize {
        self.slots
    }

    /// The slot of an instruction, if a range holds it.
    pub fn slot(&self, address: u64) -> Option<usize> {
        let after = self.ranges.partition_point(|range| range.start <= address);
        self.ranges[..after].last().filter(|range| address < range.end).map(|range| range.slot)
    }

    /// Whether the counters are noted just before the instruction at this address.
    pub fn marks(&self, address: u64) -> bool {
        self.marks.contains(&address)
    }
}

fn number(word: &str) -> Option<u64> {
    match word.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16).ok(),
        None => word.parse().ok(),
    }
}

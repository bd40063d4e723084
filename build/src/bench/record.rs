//! The recorded figures that no change may exceed by more than 2%.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use super::Figures;
use super::rows::ROWS;

/// By how much a figure may grow, in percent: what an honest change of layout moves.
const TOLERANCE: u64 = 2;

/// The committed file: a name and its figure.
#[derive(Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct Record(BTreeMap<String, u64>);

impl Record {
    /// Reads the committed file.
    ///
    /// # Errors
    /// If it is not an object of numbers.
    pub fn parse(text: &str) -> Result<Self> {
        serde_json::from_str(text).context("the recorded figures")
    }

    /// The record of a run: the SPMC's instructions of every row and of the boot, and the image's size.
    pub fn of(figures: &Figures) -> Self {
        let rows =
            ROWS.iter().zip(&figures.counts.rows).map(|(row, cost)| (row.name, cost.spmc.round() as u64));
        let others = [
            ("boot", figures.counts.boot.spmc as u64),
            ("image bytes", figures.image),
            ("RAM bytes", figures.ram),
        ];
        Self(rows.chain(others).map(|(name, figure)| (name.to_owned(), figure)).collect())
    }

    /// The file's text.
    ///
    /// # Errors
    /// None that a map of finite numbers can cause.
    pub fn text(&self) -> Result<String> {
        Ok(serde_json::to_string_pretty(self)? + "\n")
    }

    /// One line for each figure of `now` that has grown or was never recorded.
    pub fn regressions(&self, now: &Self) -> Vec<(String, Option<String>)> {
        now.0.iter().map(|(name, figure)| (name.clone(), self.regression(name, *figure))).collect()
    }

    fn regression(&self, name: &str, now: u64) -> Option<String> {
        let Some(before) = self.0.get(name) else {
            return Some(format!("{now} is not recorded; cargo xtask bench --record does it"));
        };
        let limit = before + before * TOLERANCE / 100;
        (now > limit).then(|| format!("{now}, recorded {before}: more than {TOLERANCE}% up"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(figure: u64) -> Record {
        Record([("DIRECT_REQ32".to_owned(), figure)].into())
    }

    fn worse(before: &Record, now: u64) -> bool {
        before.regressions(&record(now))[0].1.is_some()
    }

    #[test]
    fn a_row_may_grow_by_two_percent() {
        assert!(!worse(&record(700), 714));
        assert!(worse(&record(700), 715));
        assert!(!worse(&record(700), 500));
    }

    #[test]
    fn a_row_that_was_never_recorded_is_a_failure() {
        assert!(worse(&Record::default(), 1));
    }

    #[test]
    fn the_file_is_read_as_it_was_written() {
        assert_eq!(Record::parse(&record(7).text().unwrap()).unwrap(), record(7));
    }
}

//! The recorded figures that no change may exceed by more than 2%.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use super::Figures;
use super::rows::ROWS;

/// By how much a figure may grow, in percent: what an honest change of layout moves.
const TOLERANCE: f64 = 2.0;

/// The committed file: a name and its figure.
#[derive(Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct Record(BTreeMap<String, f64>);

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
        let rows = ROWS.iter().zip(&figures.counts.rows).map(|(row, cost)| (row.name.to_owned(), cost.spmc));
        let boot = ("boot".to_owned(), figures.counts.boot.spmc);
        let sizes = [("image bytes", figures.image), ("RAM bytes", figures.ram)];
        let sizes = sizes.map(|(name, size)| (name.to_owned(), size as f64));
        Self(rows.chain([boot]).chain(sizes).map(|(name, figure)| (name, figure.round())).collect())
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

    fn regression(&self, name: &str, now: f64) -> Option<String> {
        let Some(before) = self.0.get(name) else {
            return Some(format!("{now} is not recorded; cargo xtask bench --record does it"));
        };
        let limit = before * (1.0 + TOLERANCE / 100.0);
        (now > limit).then(|| format!("{now}, recorded {before}: more than {TOLERANCE}% up"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(figure: f64) -> Record {
        Record([("DIRECT_REQ32".to_owned(), figure)].into())
    }

    fn worse(before: &Record, now: f64) -> bool {
        before.regressions(&record(now))[0].1.is_some()
    }

    #[test]
    fn a_row_may_grow_by_two_percent() {
        assert!(!worse(&record(700.0), 714.0));
        assert!(worse(&record(700.0), 715.0));
        assert!(!worse(&record(700.0), 500.0));
    }

    #[test]
    fn a_row_that_was_never_recorded_is_a_failure() {
        assert!(worse(&Record::default(), 1.0));
    }

    #[test]
    fn the_file_is_read_as_it_was_written() {
        assert_eq!(Record::parse(&record(7.0).text().unwrap()).unwrap(), record(7.0));
    }
}

//! The tests that have run so far, shown as they end.

use std::time::Instant;

use anyhow::{Error, Result, bail};

/// Counts tests and prints a line for each.
pub struct Tally {
    filter: String,
    passed: usize,
    failures: Vec<String>,
    started: Instant,
}

impl Tally {
    /// Only tests whose name contains `filter` count.
    pub fn new(filter: Option<&str>) -> Self {
        let filter = filter.unwrap_or_default().to_owned();
        Self { filter, passed: 0, failures: Vec::new(), started: Instant::now() }
    }

    /// Whether a test of this name was asked for.
    pub fn wants(&self, name: &str) -> bool {
        name.contains(&self.filter)
    }

    /// Names a part of the run, with the time since the start.
    pub fn part(&self, what: &str) {
        println!("--- {what} ({} s)", self.started.elapsed().as_secs());
    }

    /// Notes how a test ended, unless it was not asked for.
    pub fn note(&mut self, name: &str, failure: Option<String>) {
        if !self.wants(name) {
            return;
        }
        match failure {
            None => {
                println!("test {name} ... ok");
                self.passed += 1;
            }
            Some(why) => {
                println!("test {name} ... FAILED: {why}");
                self.failures.push(name.to_owned());
            }
        }
    }

    /// Notes that tests could not even run: that counts, whatever was asked for.
    pub fn broken(&mut self, what: &str, error: &Error) {
        println!("test {what} ... FAILED: {error:#}");
        self.failures.push(what.to_owned());
    }

    /// Runs a test that gives an error when it fails; a test that was not asked for does not run.
    pub fn run(&mut self, name: &str, test: impl FnOnce() -> Result<()>) {
        if self.wants(name) {
            let failure = test().err().map(|error| format!("{error:#}"));
            self.note(name, failure);
        }
    }

    /// Prints the failures' names and the closing line.
    ///
    /// # Errors
    /// If a test failed, or none ran.
    pub fn close(self) -> Result<()> {
        for name in &self.failures {
            println!("failed: {name}");
        }
        println!("{} passed, {} failed", self.passed, self.failures.len());
        match (self.passed, self.failures.len()) {
            (0, 0) => bail!("no test was asked for"),
            (_, 0) => Ok(()),
            (_, failed) => bail!("{failed} tests failed"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_failure_fails_the_run() {
        let mut tally = Tally::new(None);
        tally.run("a", || Ok(()));
        tally.run("b", || bail!("no"));
        assert_eq!((tally.passed, tally.failures.len()), (1, 1));
        assert!(tally.close().is_err());
    }

    #[test]
    fn tests_that_cannot_run_fail_whatever_the_filter() {
        let mut tally = Tally::new(Some("x"));
        tally.run("x", || Ok(()));
        tally.broken("host tests", &anyhow::anyhow!("no compiler"));
        assert!(tally.close().is_err());
    }

    #[test]
    fn a_filter_that_matches_nothing_is_a_failure() {
        let mut tally = Tally::new(Some("x"));
        tally.run("a", || Ok(()));
        assert!(tally.close().is_err());
    }
}

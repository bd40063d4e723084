//! Counting the steps of a target that makes many in one execution: `STEPS_GOAL` says how many are asked for, `STEPS_FILE`
//! where the number is written when they are done.

use std::env;
use std::fs;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// Steps of all runs.
static DONE: AtomicU64 = AtomicU64::new(0);

static GOAL: LazyLock<Option<(u64, String)>> =
    LazyLock::new(|| Some((env::var("STEPS_GOAL").ok()?.parse().ok()?, env::var("STEPS_FILE").ok()?)));

/// So many more have been made.
///
/// # Panics
/// If the file cannot be written.
pub fn count(steps: u64) {
    let done = DONE.fetch_add(steps, Ordering::Relaxed) + steps;
    if let Some((goal, file)) = &*GOAL
        && done >= *goal
    {
        fs::write(file, done.to_string()).expect("the file for the number can be written");
    }
}

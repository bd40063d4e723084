//! The table of the policies.

use super::Figures;
use super::policy::Policy;
use crate::println;

/// Prints the table's head.
pub fn head() {
    println!("policy        | messages | runs   | waited, mean | longest | order");
}

/// Prints a policy's row: how many others were run before a vCPU that could be run, on average and at most, and a digest
/// of the order.
pub fn row(policy: Policy, messages: u64, figures: &Figures) {
    let Figures { runs, waited, longest, order } = *figures;
    let hundredths = 100 * waited / runs.max(1);
    println!(
        "{:13} | {messages:8} | {runs:6} | {:9}.{:02} | {longest:7} | {order:016x}",
        policy.name(),
        hundredths / 100,
        hundredths % 100
    );
}

//! What `--long` adds to prove the tests themselves: rules broken one by one.

use anyhow::{Result, ensure};

use super::tally::Tally;
use crate::mutations::{self, Mutation, Scratch};

/// Breaks every rule of the committed list and looks for the test that notices; on the target, too, where the list
/// names a test there.
pub fn broken_rules(tally: &mut Tally, on_target: bool) {
    tally.part("broken rules");
    let (list, scratch) = match mutations::list().and_then(|list| Ok((list, Scratch::new()?))) {
        Ok(both) => both,
        Err(error) => return tally.broken("broken rules", &error),
    };
    for mutation in &list {
        tally.run(&format!("broken: {}", mutation.rule), || noticed_on_the_host(&scratch, mutation));
        if let Some(test) = mutation.target_test.as_ref().filter(|_| on_target) {
            tally.run(&format!("broken on the target: {}", mutation.rule), || {
                let failed = scratch.broken(mutation, || scratch.target_test_fails(test))?;
                ensure!(failed, "{test} passes all the same");
                Ok(())
            });
        }
    }
}

fn noticed_on_the_host(scratch: &Scratch, mutation: &Mutation) -> Result<()> {
    ensure!(!scratch.host_test_fails(mutation)?, "{} fails before the rule is broken", mutation.test);
    let failed = scratch.broken(mutation, || scratch.host_test_fails(mutation))?;
    ensure!(failed, "{} passes all the same", mutation.test);
    Ok(())
}

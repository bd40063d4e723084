//! What `--long` adds to prove the tests themselves: rules broken one by one.

use anyhow::{Result, ensure};

use super::tally::Tally;
use crate::mutations::{self, Mutation, Scratch};

/// Breaks every rule of the committed list and looks for the test that notices; on the target, too, where the list
/// names a test there.
pub fn broken_rules(tally: &mut Tally, on_target: bool) {
    let on_the_host = |mutation: &Mutation| format!("broken: {}", mutation.rule);
    let on_the_target = |mutation: &Mutation| format!("broken on the target: {}", mutation.rule);
    let mut list = match mutations::list() {
        Ok(list) => list,
        Err(error) => return tally.broken("broken rules", &error),
    };
    list.retain(|rule| tally.wants(&on_the_host(rule)) || tally.wants(&on_the_target(rule)));
    if list.is_empty() {
        return;
    }
    tally.part("broken rules");
    let prepared = || -> Result<_> {
        let scratch = Scratch::new()?;
        let intact = scratch.host_tests("")?;
        Ok((scratch, intact))
    };
    let (scratch, intact) = match prepared() {
        Ok(prepared) => prepared,
        Err(error) => return tally.broken("broken rules", &error),
    };
    for mutation in &list {
        tally.run(&on_the_host(mutation), || noticed_on_the_host(&scratch, mutation, &intact));
        if let Some(test) = mutation.target_test.as_ref().filter(|_| on_target) {
            tally.run(&on_the_target(mutation), || {
                let failed = scratch.broken(mutation, || scratch.target_test_fails(test))?;
                ensure!(failed, "{test} passes all the same");
                Ok(())
            });
        }
    }
}

/// That the mutation's test passes while the rule holds, and fails when it is broken.
fn noticed_on_the_host(scratch: &Scratch, mutation: &Mutation, intact: &[(String, bool)]) -> Result<()> {
    let test = &mutation.test;
    let mut known = intact.iter().filter(|(name, _)| name.contains(test)).peekable();
    ensure!(known.peek().is_some(), "there is no host test {test}");
    ensure!(known.all(|(_, passes)| *passes), "{test} fails before the rule is broken");
    let ends = scratch.broken(mutation, || scratch.host_tests(test))?;
    ensure!(ends.iter().any(|(_, passes)| !passes), "{test} passes all the same");
    Ok(())
}

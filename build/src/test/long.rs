//! What `--long` adds to prove the tests themselves: rules broken one by one.

use anyhow::{Result, ensure};

use super::tally::Tally;
use crate::mutations::{self, Mutation, Scratch};

/// Tests, and whether they passed.
type Ends = Vec<(String, bool)>;

/// Breaks every rule of the committed list and looks for the test that notices; on the target, too, where the list
/// names a test there.
pub fn broken_rules(tally: &mut Tally, on_target: bool) {
    let on_the_host = |mutation: &Mutation| format!("broken: {}", mutation.rule);
    let in_the_model = |mutation: &Mutation| format!("broken in the model: {}", mutation.rule);
    let on_the_target = |mutation: &Mutation| format!("broken on the target: {}", mutation.rule);
    let mut list = match mutations::list() {
        Ok(list) => list,
        Err(error) => return tally.broken("broken rules", &error),
    };
    list.retain(|rule| {
        [on_the_host(rule), in_the_model(rule), on_the_target(rule)].iter().any(|name| tally.wants(name))
    });
    if list.is_empty() {
        return;
    }
    tally.part("broken rules");
    let prepared = || -> Result<_> {
        let scratch = Scratch::new()?;
        let host = scratch.host_tests("")?;
        let model = scratch.model_tests("")?;
        Ok((scratch, host, model))
    };
    let (scratch, host, model) = match prepared() {
        Ok(prepared) => prepared,
        Err(error) => return tally.broken("broken rules", &error),
    };
    for mutation in &list {
        if let Some(test) = &mutation.test {
            tally.run(&on_the_host(mutation), || {
                noticed(test, &host, || scratch.broken(mutation, || scratch.host_tests(test)))
            });
        }
        if let Some(test) = &mutation.model_test {
            tally.run(&in_the_model(mutation), || {
                noticed(test, &model, || scratch.broken(mutation, || scratch.model_tests(test)))
            });
        }
        if let Some(test) = mutation.target_test.as_ref().filter(|_| on_target) {
            tally.run(&on_the_target(mutation), || {
                let failed = scratch.broken(mutation, || scratch.target_test_fails(test))?;
                ensure!(failed, "{test} passes all the same");
                Ok(())
            });
        }
    }
}

/// That the test passes while the rule holds, and fails when it is broken.
fn noticed(test: &str, intact: &[(String, bool)], broken: impl FnOnce() -> Result<Ends>) -> Result<()> {
    let mut known = intact.iter().filter(|(name, _)| name.contains(test)).peekable();
    ensure!(known.peek().is_some(), "there is no test {test}");
    ensure!(known.all(|(_, passes)| *passes), "{test} fails before the rule is broken");
    ensure!(broken()?.iter().any(|(_, passes)| !passes), "{test} passes all the same");
    Ok(())
}

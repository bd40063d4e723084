//! `cargo xtask rows`: which tests prove which rule of the FF-A inventory. The list is `tests/rows.toml`; the table
//! made of it is `tests/ROWS.md`.

mod known;
mod list;

use std::fs;

use anyhow::{Context, Result, bail};

use crate::project;
use known::Known;
use list::List;

/// The committed list.
const LIST: &str = "tests/rows.toml";
/// The committed table.
const TABLE: &str = "tests/ROWS.md";

/// Writes the table.
///
/// # Errors
/// If the list is not complete and true: then the table is left as it is.
pub fn run() -> Result<()> {
    let (list, known) = read()?;
    let violations = list.violations(&known);
    if !violations.is_empty() {
        bail!("{LIST}:\n    {}", violations.join("\n    "));
    }
    fs::write(project::root().join(TABLE), list.table(&known)).context(TABLE)
}

/// What is wrong with the list, and whether the table is of an older one.
///
/// # Errors
/// If the list, the table or the tests cannot be read.
pub fn violations() -> Result<Vec<String>> {
    let (list, known) = read()?;
    let table = fs::read_to_string(project::root().join(TABLE)).context(TABLE)?;
    Ok(judge(&list, &known, &table))
}

fn judge(list: &List, known: &Known, table: &str) -> Vec<String> {
    let mut found = list.violations(known);
    // A list that is wrong makes no table to compare.
    if found.is_empty() && table != list.table(known) {
        found.push(format!("{TABLE} is not what {LIST} says: `cargo xtask rows` writes it"));
    }
    found
}

fn read() -> Result<(List, Known)> {
    let text = fs::read_to_string(project::root().join(LIST)).context(LIST)?;
    Ok((List::parse(&text).context(LIST)?, Known::gather()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_of_another_list_is_found() {
        let list = |reason: &str| {
            let group = "[[group]]\ncode = \"AB\"\ntitle = \"Letters\"\nrows = 1\n";
            let row = format!("[[row]]\ncode = \"AB-01\"\nrule = \"a rule\"\nreason = \"{reason}\"\n");
            List::parse(&(group.to_owned() + &row)).unwrap()
        };
        let known = Known::default();
        let table = list("one").table(&known);
        assert!(judge(&list("one"), &known, &table).is_empty());
        assert_eq!(judge(&list("another"), &known, &table).len(), 1);
    }
}

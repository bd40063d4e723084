//! The list of rows: what must hold for it, and the table that is made of it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::PathBuf;

use anyhow::Result;
use serde::Deserialize;

use super::known::Known;

/// What `tests/rows.toml` holds.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct List {
    group: Vec<Group>,
    #[serde(default)]
    row: Vec<Row>,
}

/// A group of the inventory.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Group {
    /// The letters that its rows' codes begin with.
    code: String,
    /// What it is about.
    title: String,
    /// How many rows it has: `code-01` and so on.
    rows: usize,
}

/// A row of the inventory, and what proves it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    code: String,
    /// The rule in a few words.
    rule: String,
    /// Tests on the host.
    #[serde(default)]
    tests: Vec<String>,
    /// Tests under TF-A.
    #[serde(default)]
    target_tests: Vec<String>,
    /// Why there is no test, or what of the row has none.
    reason: Option<String>,
}

impl Group {
    fn codes(&self) -> impl Iterator<Item = String> + '_ {
        (1..=self.rows).map(|number| format!("{}-{number:02}", self.code))
    }
}

impl List {
    /// Reads the list.
    ///
    /// # Errors
    /// If it is not what [`List`] says.
    pub fn parse(text: &str) -> Result<Self> {
        Ok(toml::from_str(text)?)
    }

    /// What the list lacks or says wrongly: a line for each.
    pub fn violations(&self, known: &Known) -> Vec<String> {
        let mut found = Vec::new();
        let wanted: BTreeSet<String> = self.group.iter().flat_map(Group::codes).collect();
        for code in &wanted {
            let count = self.row.iter().filter(|row| row.code == *code).count();
            if count != 1 {
                found.push(format!("{code} is there {count} times, not once"));
            }
        }
        for row in &self.row {
            if !wanted.contains(&row.code) {
                found.push(format!("{} is of no group", row.code));
            }
            found.extend(row.violations(known).into_iter().map(|why| format!("{}: {why}", row.code)));
        }
        found
    }

    /// The table, in Markdown, as it lies in `tests/`.
    pub fn table(&self, known: &Known) -> String {
        let rows: BTreeMap<&str, &Row> = self.row.iter().map(|row| (row.code.as_str(), row)).collect();
        let proven = self.row.iter().filter(|row| row.is_tested()).count();
        let mut out = format!(
            "# Which test proves which row\n\n\
             Written by `cargo xtask rows` from `rows.toml`; `cargo xtask check` compares them.\n\
             {proven} of {} rows have a test; the others say why not. A test's name links to its file.\n",
            self.row.len()
        );
        for group in &self.group {
            out += &format!("\n## {}\n\n", group.title);
            out += "| Row | Rule | Tests on the host | Tests under TF-A | Why not, or not all |\n";
            out += "|---|---|---|---|---|\n";
            for row in group.codes().filter_map(|code| rows.get(code.as_str()).copied()) {
                let (host, target) =
                    (links(&row.tests, &known.host), links(&row.target_tests, &known.target));
                let reason = row.reason.as_deref().unwrap_or_default();
                // Writing to a string cannot fail.
                let _ = writeln!(out, "| {} | {} | {host} | {target} | {reason} |", row.code, row.rule);
            }
        }
        out
    }
}

impl Row {
    fn is_tested(&self) -> bool {
        !self.tests.is_empty() || !self.target_tests.is_empty()
    }

    fn violations(&self, known: &Known) -> Vec<String> {
        let mut found = Vec::new();
        if !self.is_tested() && self.reason.is_none() {
            found.push("neither a test nor a reason".to_owned());
        }
        for text in [&self.rule].into_iter().chain(&self.reason) {
            if text.trim().is_empty() || text.contains(['|', '\n']) {
                found.push(format!("`{text}` is no line of a table"));
            }
        }
        for (names, tests, place) in
            [(&self.tests, &known.host, "the host"), (&self.target_tests, &known.target, "the target")]
        {
            for name in names {
                match tests.get(name).map_or(0, BTreeSet::len) {
                    0 => found.push(format!("{place} has no test {name}")),
                    1 => {}
                    files => found.push(format!("{name} is in {files} files of {place}")),
                }
            }
        }
        found
    }
}

fn links(names: &[String], tests: &BTreeMap<String, BTreeSet<PathBuf>>) -> String {
    let link = |name: &String| {
        let file = tests.get(name).and_then(BTreeSet::first);
        file.map_or_else(|| name.clone(), |file| format!("[{name}](../{})", file.display()))
    };
    names.iter().map(link).collect::<Vec<_>>().join("<br>")
}

#[cfg(test)]
mod tests {
    use super::*;

    const GROUP: &str = "[[group]]\ncode = \"AB\"\ntitle = \"Letters\"\nrows = 2\n";
    const FIRST: &str = "[[row]]\ncode = \"AB-01\"\nrule = \"a rule\"\ntests = [\"a\"]\n";
    const SECOND: &str = "[[row]]\ncode = \"AB-02\"\nrule = \"another\"\nreason = \"not here\"\n";

    fn known() -> Known {
        let mut known = Known::default();
        known.host.entry("a".to_owned()).or_default().insert("f.rs".into());
        known.target.entry("t".to_owned()).or_default().insert("g.rs".into());
        known
    }

    fn violations(parts: &[&str]) -> Vec<String> {
        List::parse(&parts.concat()).unwrap().violations(&known())
    }

    #[test]
    fn a_row_has_a_test_or_a_reason() {
        assert!(violations(&[GROUP, FIRST, SECOND]).is_empty());
        let bare = SECOND.replace("reason = \"not here\"\n", "");
        assert_eq!(violations(&[GROUP, FIRST, &bare]), ["AB-02: neither a test nor a reason"]);
        let on_target = SECOND.replace("reason = \"not here\"", "target_tests = [\"t\"]");
        assert!(violations(&[GROUP, FIRST, &on_target]).is_empty());
    }

    #[test]
    fn every_row_of_a_group_is_there_once() {
        assert_eq!(violations(&[GROUP, FIRST]), ["AB-02 is there 0 times, not once"]);
        assert_eq!(violations(&[GROUP, FIRST, SECOND, SECOND]), ["AB-02 is there 2 times, not once"]);
        let third = SECOND.replace("02", "03");
        assert_eq!(violations(&[GROUP, FIRST, SECOND, &third]), ["AB-03 is of no group"]);
    }

    #[test]
    fn a_test_that_a_row_names_exists() {
        let unknown = FIRST.replace("[\"a\"]", "[\"t\"]\ntarget_tests = [\"a\"]");
        let found = violations(&[GROUP, &unknown, SECOND]);
        assert_eq!(found, ["AB-01: the host has no test t", "AB-01: the target has no test a"]);
    }

    #[test]
    fn a_test_that_a_row_names_is_in_one_file() {
        let mut known = known();
        known.host.entry("a".to_owned()).or_default().insert("h.rs".into());
        let list = List::parse(&[GROUP, FIRST, SECOND].concat()).unwrap();
        assert_eq!(list.violations(&known), ["AB-01: a is in 2 files of the host"]);
    }

    #[test]
    fn a_rule_is_one_line_of_the_table() {
        for rule in ["", "a | b", "a\\nb"] {
            let first = FIRST.replace("a rule", rule);
            assert_eq!(violations(&[GROUP, &first, SECOND]).len(), 1, "{rule}");
        }
    }

    #[test]
    fn the_table_changes_with_the_list() {
        let table = |parts: &[&str]| List::parse(&parts.concat()).unwrap().table(&known());
        let text = table(&[GROUP, SECOND, FIRST]);
        assert!(text.contains("1 of 2 rows have a test"), "{text}");
        let rows = "| AB-01 | a rule | [a](../f.rs) |  |  |\n| AB-02 | another |  |  | not here |\n";
        assert!(text.ends_with(rows), "{text}");
        assert_ne!(text, table(&[GROUP, &SECOND.replace("not here", "here"), FIRST]));
    }
}

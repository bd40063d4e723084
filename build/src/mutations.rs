//! Rules broken one by one: each must turn a test red. The list is `tests/mutations.toml`.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;

use crate::project;
use crate::test::lines::{End, Line};
use crate::test::model;

/// The committed list.
const LIST: &str = "tests/mutations.toml";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct List {
    mutation: Vec<Mutation>,
}

/// A rule of the product and the change that breaks it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mutation {
    /// The rule in a few words.
    pub rule: String,
    /// The file that holds it, from the project's root.
    file: PathBuf,
    /// The text that states it: it stands exactly once in the file.
    from: String,
    /// What breaks it.
    to: String,
    /// The host test that must fail, where one PE after the other shows the rule.
    pub test: Option<String>,
    /// The test of the model checker that must fail, where it shows only when PEs meet.
    pub model_test: Option<String>,
    /// The target test that must fail, where the rule is seen there too.
    pub target_test: Option<String>,
}

/// Reads the committed list.
///
/// # Errors
/// If it is missing or is not what [`Mutation`] says.
pub fn list() -> Result<Vec<Mutation>> {
    let text = fs::read_to_string(project::root().join(LIST)).context(LIST)?;
    Ok(toml::from_str::<List>(&text).context(LIST)?.mutation)
}

/// A copy of the project's files, in which rules are broken.
pub struct Scratch {
    root: PathBuf,
}

impl Scratch {
    /// Brings the copy up to date; what was built there before is kept.
    ///
    /// # Errors
    /// If a file cannot be copied.
    pub fn new() -> Result<Self> {
        let root = project::target().join("mutations");
        // New files that are not committed yet belong to the project, too.
        let mut git = Command::new("git");
        git.args(["ls-files", "--cached", "--others", "--exclude-standard"]).current_dir(project::root());
        let output = git.output().context("git")?;
        ensure!(output.status.success(), "git ls-files: {}", String::from_utf8_lossy(&output.stderr));
        let files: BTreeSet<PathBuf> = String::from_utf8(output.stdout)?.lines().map(PathBuf::from).collect();
        remove_others(&root, Path::new(""), &files)?;
        for file in &files {
            copy_if_changed(&project::root().join(file), &root.join(file))?;
        }
        Ok(Self { root })
    }

    /// Breaks the rule, does `attempt`, and mends it again.
    ///
    /// # Errors
    /// If the rule's text is not there exactly once, or `attempt` fails.
    pub fn broken<T>(&self, mutation: &Mutation, attempt: impl FnOnce() -> Result<T>) -> Result<T> {
        let path = self.root.join(&mutation.file);
        let intact = fs::read_to_string(&path).with_context(|| mutation.file.display().to_string())?;
        fs::write(&path, broken(&intact, mutation)?)?;
        let result = attempt();
        fs::write(&path, intact)?;
        result
    }

    /// The host tests whose name contains `filter`, each with whether it passes in the copy.
    ///
    /// # Errors
    /// If the copy does not build.
    pub fn host_tests(&self, filter: &str) -> Result<Vec<(String, bool)>> {
        let mut command = Command::new("cargo");
        command.args([
            "test",
            "--quiet",
            "--no-fail-fast",
            "-p",
            "manager",
            "-p",
            "scenarios",
            "--all-features",
        ]);
        command.args(["--", "--format=pretty", filter]);
        command.env("CARGO_TARGET_DIR", self.root.join("target"));
        self.ends(command)
    }

    /// The tests of the model checker whose name contains `filter`, each with whether it passes in the copy.
    ///
    /// # Errors
    /// If the copy does not build.
    pub fn model_tests(&self, filter: &str) -> Result<Vec<(String, bool)>> {
        self.ends(model::tests(&self.root.join("target"), Some(filter)))
    }

    fn ends(&self, mut command: Command) -> Result<Vec<(String, bool)>> {
        command.current_dir(&self.root);
        let output = command.output().context("cargo test")?;
        let text = String::from_utf8_lossy(&output.stdout);
        if !text.contains("test result:") {
            bail!("the copy does not build:\n{}", String::from_utf8_lossy(&output.stderr));
        }
        let ends = text.lines().filter_map(Line::parse);
        Ok(ends.map(|line| (line.name.to_owned(), line.end == End::Passed)).collect())
    }

    /// Whether a test of the Normal-world image fails in the copy, or does not come to its end.
    ///
    /// # Errors
    /// If the broken copy does not build.
    pub fn target_test_fails(&self, test: &str) -> Result<bool> {
        let target = self.root.join("target");
        fs::create_dir_all(&target)?;
        // What was fetched and compiled for the product serves the copy, too.
        for shared in SHARED {
            let (from, to) = (project::target().join(shared), target.join(shared));
            if from.exists() && !to.exists() {
                std::os::unix::fs::symlink(from, to)?;
            }
        }
        let mut command = Command::new("cargo");
        command
            .args(["run", "--quiet", "-p", "xtask", "--", "run", "--normal", "tests"])
            .current_dir(&self.root);
        command.env("CARGO_TARGET_DIR", &target);
        let output = command.output().context("cargo run")?;
        let text = String::from_utf8_lossy(&output.stdout);
        ensure!(
            text.contains("hafnia:"),
            "nothing boots:\n{text}\n{}",
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(!text.lines().any(|line| line.trim_end().ends_with(&format!("test {test} ... ok"))))
    }
}

/// The folders of `target/` that do not depend on the product's own files.
const SHARED: &[&str] = &["downloads", "sources", "sysroot", "tfa"];

fn broken(text: &str, mutation: &Mutation) -> Result<String> {
    let count = text.matches(&mutation.from).count();
    ensure!(
        count == 1,
        "{} holds the text of the rule \"{}\" {count} times, not once",
        mutation.file.display(),
        mutation.rule
    );
    Ok(text.replacen(&mutation.from, &mutation.to, 1))
}

/// Removes the files of an earlier copy that the project has no more; `target` is the copy's own.
fn remove_others(root: &Path, folder: &Path, files: &BTreeSet<PathBuf>) -> Result<()> {
    let Ok(entries) = fs::read_dir(root.join(folder)) else { return Ok(()) };
    for entry in entries {
        let entry = entry?;
        let path = folder.join(entry.file_name());
        if path == Path::new("target") {
            continue;
        }
        if entry.file_type()?.is_dir() {
            remove_others(root, &path, files)?;
        } else if !files.contains(&path) {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// Copies a file unless it is the same already, so that Cargo rebuilds only what changed.
fn copy_if_changed(from: &Path, to: &Path) -> Result<()> {
    let Ok(wanted) = fs::read(from) else { return Ok(()) };
    if fs::read(to).is_ok_and(|there| there == wanted) {
        return Ok(());
    }
    fs::create_dir_all(to.parent().context("a file lies in a folder")?)?;
    fs::write(to, wanted).with_context(|| to.display().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mutation(from: &str) -> Mutation {
        let text = format!("rule = \"r\"\nfile = \"f\"\nfrom = \"{from}\"\nto = \"new\"\ntest = \"t\"\n");
        toml::from_str(&text).unwrap()
    }

    #[test]
    fn a_rule_is_broken_in_one_place() {
        assert_eq!(broken("an old text", &mutation("old")).unwrap(), "an new text");
    }

    #[test]
    fn an_anchor_that_is_missing_or_ambiguous_is_a_failure() {
        assert!(broken("a text", &mutation("old")).is_err());
        assert!(broken("old and old", &mutation("old")).is_err());
    }

    #[test]
    fn the_committed_list_breaks_rules_that_exist() {
        let list = list().unwrap();
        assert!(list.len() >= 20, "twenty rules at least");
        assert!(list.iter().filter(|mutation| mutation.target_test.is_some()).count() >= 5);
        assert!(list.iter().filter(|mutation| mutation.model_test.is_some()).count() >= 4);
        assert!(list.iter().all(|mutation| mutation.test.is_some() || mutation.model_test.is_some()));
        for mutation in &list {
            let text = fs::read_to_string(project::root().join(&mutation.file)).unwrap();
            assert_ne!(broken(&text, mutation).unwrap(), text);
        }
    }
}

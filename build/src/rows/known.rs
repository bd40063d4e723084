//! The tests that there are: those that Cargo runs on the host, the scenarios of the Normal-world image, and what
//! `cargo xtask test` itself does with a machine.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow};
use proc_macro2::{TokenStream, TokenTree};

use crate::project;

/// The folders whose `#[test]` functions run on the host.
const HOST: &[&str] = &["build", "spmc/manager", "tests/dts", "tests/scenarios"];
/// The list of the Normal-world image's scenarios.
const SCENARIOS: &str = "tests/normal/src/tests/mod.rs";
/// What boots machines.
const MACHINES: &str = "build/src/test";

/// Names of tests with the files that hold them, from the project's root.
#[derive(Debug, Default)]
pub struct Known {
    /// Tests on the host.
    pub host: BTreeMap<String, BTreeSet<PathBuf>>,
    /// Tests under TF-A.
    pub target: BTreeMap<String, BTreeSet<PathBuf>>,
}

impl Known {
    /// Looks through the project.
    ///
    /// # Errors
    /// If a file cannot be read or is not Rust.
    pub fn gather() -> Result<Self> {
        let mut known = Self::default();
        for folder in HOST {
            for path in project::rust_files(&project::root().join(folder))? {
                let relative = path.strip_prefix(project::root())?;
                known.add_host(relative, &tokens(&path)?);
            }
        }
        known.add_scenarios(&tokens(&project::root().join(SCENARIOS))?);
        for path in project::rust_files(&project::root().join(MACHINES))? {
            known.add_machines(path.strip_prefix(project::root())?, &tokens(&path)?);
        }
        Ok(known)
    }

    fn add_host(&mut self, path: &Path, tokens: &[TokenTree]) {
        for at in 0..tokens.len() {
            if let Some(name) = test_function(&tokens[at..]) {
                self.host.entry(name).or_default().insert(path.to_owned());
            }
        }
        for group in groups(tokens) {
            self.add_host(path, &group);
        }
    }

    /// Takes `chapter::name` of each entry of `tests! { ... }`.
    fn add_scenarios(&mut self, tokens: &[TokenTree]) {
        for window in tokens.windows(3) {
            let [TokenTree::Ident(name), TokenTree::Punct(bang), TokenTree::Group(list)] = window else {
                continue;
            };
            if name != "tests" || bang.as_char() != '!' {
                continue;
            }
            let words = list.stream().into_iter().collect::<Vec<_>>();
            for entry in words.windows(4) {
                let [
                    TokenTree::Ident(chapter),
                    TokenTree::Punct(a),
                    TokenTree::Punct(b),
                    TokenTree::Ident(name),
                ] = entry
                else {
                    continue;
                };
                if (a.as_char(), b.as_char()) == (':', ':') {
                    let file = Path::new(SCENARIOS).with_file_name(format!("{chapter}.rs"));
                    self.target.entry(name.to_string()).or_default().insert(file);
                }
            }
        }
    }

    /// Takes the names in `tally.run("name", ...)`.
    fn add_machines(&mut self, path: &Path, tokens: &[TokenTree]) {
        for window in tokens.windows(2) {
            let [TokenTree::Ident(run), TokenTree::Group(arguments)] = window else { continue };
            let first = arguments.stream().into_iter().next().map(|first| first.to_string());
            let name = first.as_deref().and_then(|first| first.strip_prefix('"')?.strip_suffix('"'));
            if let (true, Some(name)) = (run == "run", name) {
                self.target.entry(name.to_owned()).or_default().insert(path.to_owned());
            }
        }
        for group in groups(tokens) {
            self.add_machines(path, &group);
        }
    }
}

fn tokens(path: &Path) -> Result<Vec<TokenTree>> {
    let text = fs::read_to_string(path).with_context(|| path.display().to_string())?;
    let tokens: TokenStream = text.parse().map_err(|error| anyhow!("{}: {error}", path.display()))?;
    Ok(tokens.into_iter().collect())
}

fn groups(tokens: &[TokenTree]) -> impl Iterator<Item = Vec<TokenTree>> + '_ {
    tokens.iter().filter_map(|token| match token {
        TokenTree::Group(group) => Some(group.stream().into_iter().collect()),
        _ => None,
    })
}

/// The name of the function behind `#[test]`, unless it is ignored.
fn test_function(tokens: &[TokenTree]) -> Option<String> {
    let mut attributes = Vec::new();
    let mut rest = tokens;
    while let [TokenTree::Punct(hash), TokenTree::Group(attribute), behind @ ..] = rest {
        if hash.as_char() != '#' {
            return None;
        }
        attributes.push(attribute.stream().into_iter().next()?.to_string());
        rest = behind;
    }
    let [TokenTree::Ident(word), TokenTree::Ident(name), ..] = rest else { return None };
    let is_test = attributes.first()? == "test" && !attributes.iter().any(|attribute| attribute == "ignore");
    (is_test && word == "fn").then(|| name.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Vec<TokenTree> {
        text.parse::<TokenStream>().unwrap().into_iter().collect()
    }

    #[test]
    fn tests_of_the_host_are_found_where_they_are() {
        let text = "fn no() {} mod tests { #[test] fn a() {} #[test] #[should_panic] fn b() {} #[inline] fn no() {} }
            proptest! { #![config(c)] #[test] fn c(x in 0..2) {} }
            #[test] #[ignore = \"slow\"] fn no() {}";
        let mut known = Known::default();
        known.add_host(Path::new("f.rs"), &parsed(text));
        assert_eq!(known.host.keys().collect::<Vec<_>>(), ["a", "b", "c"]);
    }

    #[test]
    fn scenarios_are_found_in_their_list() {
        let mut known = Known::default();
        known.add_scenarios(&parsed("use a::b; tests! { power::c, power::d everywhere, }"));
        assert_eq!(known.target.keys().collect::<Vec<_>>(), ["c", "d"]);
        assert!(known.target["c"].contains(Path::new("tests/normal/src/tests/power.rs")));
    }

    #[test]
    fn what_is_done_with_a_machine_is_found_by_its_name() {
        let mut known = Known::default();
        known.add_machines(
            Path::new("t.rs"),
            &parsed("fn f() { tally.run(\"a b\", || go()); tally.run(&format!(\"c\"), go); }"),
        );
        assert_eq!(known.target.keys().collect::<Vec<_>>(), ["a b"]);
    }

    #[test]
    fn the_project_s_own_tests_are_known() {
        let known = Known::gather().unwrap();
        assert!(known.host.contains_key("the_project_s_own_tests_are_known"));
        assert!(known.target.contains_key("version_is_negotiated"));
        assert!(known.target.contains_key("a crash on each PE is reported and ends the machine"));
    }
}

//! The licences of everything that Hafnia is built from.

use anyhow::{Context, Result};
use serde::Deserialize;
use spdx::{Expression, LicenseReq, ParseMode};

/// Licences that may come with MIT or Apache-2.0, by their SPDX names.
const ALLOWED: &[&str] = &[
    "0BSD",
    "Apache-2.0",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "bzip2-1.0.6",
    "CC0-1.0",
    "ISC",
    "MIT",
    "NCSA",
    "Unicode-3.0",
    "Unicode-DFS-2016",
    "Unlicense",
    "Zlib",
];

/// A licence that asks for its own files' sources to stay open, and the crate taken under it.
const EXCEPTIONS: &[(&str, &str)] = &[("fdt", "MPL-2.0")];

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    version: String,
    license: Option<String>,
}

/// The packages whose licence is not allowed, from the output of `cargo metadata`.
///
/// # Errors
/// If the output is not what Cargo documents.
pub fn violations(metadata: &str) -> Result<Vec<String>> {
    let metadata: Metadata = serde_json::from_str(metadata).context("cargo metadata")?;
    let refused = metadata.packages.iter().filter(|package| !allowed(package));
    let name = |package: &Package| {
        let licence = package.license.as_deref().unwrap_or("none named");
        format!("{} {}: licence {licence}", package.name, package.version)
    };
    Ok(refused.map(name).collect())
}

fn allowed(package: &Package) -> bool {
    let accepts = |requirement: &LicenseReq| {
        let name = requirement.license.id().map_or("", |id| id.name);
        // The exceptions that occur (LLVM's) only add permissions.
        ALLOWED.contains(&name) || EXCEPTIONS.contains(&(package.name.as_str(), name))
    };
    package
        .license
        .as_deref()
        .and_then(|licence| Expression::parse_mode(licence, ParseMode::LAX).ok())
        .is_some_and(|expression| expression.evaluate(accepts))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(name: &str, licence: &str) -> bool {
        let text = format!(
            r#"{{"packages":[{{"name":"{name}","version":"1.0.0","license":{licence}}}],"version":1}}"#
        );
        !violations(&text).unwrap().is_empty()
    }

    #[test]
    fn permissive_licences_pass() {
        assert!(!refused("a", r#""MIT OR Apache-2.0""#));
        assert!(!refused("a", r#""MIT/Apache-2.0""#));
        assert!(!refused("a", r#""Apache-2.0 WITH LLVM-exception""#));
        assert!(!refused("a", r#""(MIT OR Apache-2.0) AND Unicode-3.0""#));
        assert!(!refused("a", r#""GPL-3.0-only OR MIT""#));
    }

    #[test]
    fn others_are_refused() {
        assert!(refused("a", r#""GPL-3.0-only""#));
        assert!(refused("a", r#""MIT AND GPL-2.0-only""#));
        assert!(refused("a", "null"));
    }

    #[test]
    fn mpl_is_for_the_crate_fdt_alone() {
        assert!(!refused("fdt", r#""MPL-2.0""#));
        assert!(refused("a", r#""MPL-2.0""#));
    }
}

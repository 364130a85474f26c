//! The licences of everything that is linked, against the list in `deny.toml`.

use std::collections::BTreeSet;
use std::process::Command;

use crate::{Error, Result, paths, run};

/// What was looked at.
#[derive(Debug)]
pub struct Checked {
    /// How many packages.
    pub packages: usize,
    /// The ones whose licence is not on the list: name and licence.
    pub refused: Vec<(String, String)>,
}

#[derive(serde::Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(serde::Deserialize)]
struct Package {
    name: String,
    license: Option<String>,
}

#[derive(serde::Deserialize)]
struct Deny {
    licenses: Licenses,
}

#[derive(serde::Deserialize)]
struct Licenses {
    allow: BTreeSet<String>,
}

/// Looks at every package that a build for this machine uses.
pub fn check() -> Result<Checked> {
    let rustc = run::quiet(Command::new("rustc").arg("-vV"))?;
    let host = rustc.lines().find_map(|line| line.strip_prefix("host: ")).unwrap_or_default();
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["metadata", "--offline", "--locked", "--format-version=1", "--filter-platform"]);
    let json = run::quiet(cargo.arg(host).current_dir(paths::root()))?;
    let metadata: Metadata = serde_json::from_str(&json)
        .map_err(|e| Error::unexpected("cargo metadata", "JSON", e.to_string()))?;
    let path = paths::root().join("deny.toml");
    let deny = std::fs::read_to_string(&path).map_err(Error::file(&path))?;
    let deny: Deny = toml::from_str(&deny)
        .map_err(|e| Error::unexpected("deny.toml", "a list of licences", e.to_string()))?;
    let licence = |package: &Package| package.license.clone().unwrap_or_default();
    let refused = metadata.packages.iter().filter(|p| !allowed(&licence(p), &deny.licenses.allow));
    Ok(Checked {
        packages: metadata.packages.len(),
        refused: refused.map(|package| (package.name.clone(), licence(package))).collect(),
    })
}

/// Whether an SPDX expression can be met with licences of the list: `OR` gives a choice, `AND`
/// binds tighter, parentheses as usual, and the older `/` is an `OR`.
fn allowed(expression: &str, list: &BTreeSet<String>) -> bool {
    let spaced = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut at = 0;
    let met = any(&words, &mut at, list);
    met && at == words.len()
}

fn any(words: &[&str], at: &mut usize, list: &BTreeSet<String>) -> bool {
    let mut met = all(words, at, list);
    while words.get(*at) == Some(&"OR") {
        *at += 1;
        met |= all(words, at, list);
    }
    met
}

fn all(words: &[&str], at: &mut usize, list: &BTreeSet<String>) -> bool {
    let mut met = one(words, at, list);
    while words.get(*at) == Some(&"AND") {
        *at += 1;
        met &= one(words, at, list);
    }
    met
}

fn one(words: &[&str], at: &mut usize, list: &BTreeSet<String>) -> bool {
    let Some(word) = words.get(*at) else { return false };
    *at += 1;
    if *word == "(" {
        let met = any(words, at, list);
        let closed = words.get(*at) == Some(&")");
        *at += 1;
        return met && closed;
    }
    let mut name = (*word).to_owned();
    if words.get(*at) == Some(&"WITH") {
        name = format!("{name} WITH {}", words.get(*at + 1).unwrap_or(&""));
        *at += 2;
    }
    list.contains(&name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions() {
        let list = ["MIT", "ISC", "Apache-2.0 WITH LLVM-exception"].map(str::to_owned).into();
        for yes in [
            "MIT",
            "GPL-3.0 OR MIT",
            "MIT/GPL-3.0",
            "MIT AND ISC",
            "(GPL-3.0 OR MIT) AND ISC",
            "Apache-2.0 WITH LLVM-exception OR GPL-3.0",
        ] {
            assert!(allowed(yes, &list), "{yes}");
        }
        for no in ["", "GPL-3.0", "MIT AND GPL-3.0", "Apache-2.0", "(MIT", "MIT ISC", "MIT AND"] {
            assert!(!allowed(no, &list), "{no}");
        }
    }

    #[test]
    fn what_we_link_is_on_the_list() {
        let checked = check().unwrap();
        assert!(checked.packages > 50, "{}", checked.packages);
        assert_eq!(checked.refused, []);
    }
}

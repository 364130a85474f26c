//! `cargo xtask test`: all the tests, and what could not be tested here.

use std::path::PathBuf;
use std::process::Command;

use crate::{Error, Result, compare, itself, licences, packages, paths, prove, rootfs, run};

/// Where a test that lacks a part writes one line that says so.
pub const SKIP_LOG: &str = "MLINT_SKIP_LOG";

/// A named group of tests.
#[derive(Clone, Copy, Debug)]
pub struct Group {
    /// Its name.
    pub name: &'static str,
    /// What it tests.
    pub what: &'static str,
    /// What cargo is asked for; empty for tasks of our own.
    cargo: &'static [&'static str],
}

/// The groups with real parts.
pub const GROUPS: &[Group] = &[
    Group {
        name: "sandbox",
        what: "steps, isolation and emulation on the kernel",
        cargo: &["--package=mlint-builder", "--test=sandbox"],
    },
    Group {
        name: "registry",
        what: "the registry client against a real registry",
        cargo: &["--package=mlint-registry", "--test=real_registry"],
    },
    Group {
        name: "build",
        what: "builds: both architectures, an ordinary user, interrupts, full disks",
        cargo: &["--package=mlint", "--test=build_real"],
    },
    Group {
        name: "hostile",
        what: "archives, images, registries, contexts and repositories that mean harm",
        cargo: &["--package=mlint", "--test=hostile"],
    },
    Group {
        name: "line",
        what: "the whole line, and what is left when it is refused",
        cargo: &["--package=mlint", "--test=e2e"],
    },
    Group {
        name: "engine",
        what: "a Docker engine runs what was pushed",
        cargo: &["--package=mlint", "--test=e2e_engine"],
    },
    Group { name: "prove", what: "the corpus, built before and after the fix", cargo: &[] },
    Group { name: "compare", what: "mlint's images beside BuildKit's, case by case", cargo: &[] },
    Group {
        name: ITSELF,
        what: "mlint builds mlint for both architectures; by name only",
        cargo: &[],
    },
];

/// The group that takes as long as all the others: it compiles everything twice, optimised.
const ITSELF: &str = "itself";

/// What needs none of the parts.
const WITHOUT_PARTS: &[&str] = &["--lib", "--bins", "--test=architecture", "--test=cli"];

/// What went wrong, picked out of the output of `cargo test`: a long log ends with it then, which
/// is what is still there where only a log's end is kept.
#[derive(Debug, Default)]
struct Failures {
    lines: Vec<String>,
    /// How many more lines belong to the last failure.
    more: usize,
    /// The line before, which says why where a test program ends before its first test.
    before: Option<String>,
}

impl Failures {
    /// At most so many lines are told again.
    const MOST: usize = 80;

    fn read(&mut self, line: &str) {
        let line = line.trim_end();
        let test = line.starts_with("test ") && line.contains("... FAILED");
        let panic = line.starts_with("thread '") && line.contains("panicked at");
        if line.contains("test failed, to rerun pass") {
            self.push(line);
            if let Some(said) = self.before.take() {
                self.push(&format!("  the line before: {said}"));
            }
        } else if test || panic {
            self.push(line);
            self.more = if panic { 8 } else { 1 };
        } else if self.more > 0 && !line.is_empty() {
            self.more -= 1;
            self.push(&format!("  {line}"));
        }
        if !line.trim().is_empty() {
            self.before = Some(line.to_owned());
        }
    }

    fn push(&mut self, line: &str) {
        if self.lines.len() < Self::MOST && self.lines.last().is_none_or(|last| last != line) {
            self.lines.push(line.to_owned());
        }
    }
}

struct Suite {
    failed: Vec<String>,
    skipped: Vec<String>,
    log: PathBuf,
}

/// Runs everything, or only the named groups.
pub fn run(groups: &[String]) -> Result<bool> {
    let log = paths::target().join("xtask-skipped.txt");
    let _ = std::fs::remove_file(&log);
    let mut suite = Suite { failed: Vec::new(), skipped: Vec::new(), log };
    let parts = suite.set_up();
    if groups.is_empty() {
        suite.everything(parts);
    }
    for group in groups {
        suite.group(group)?;
    }
    Ok(suite.close())
}

impl Suite {
    /// Whether the parts are there.
    fn set_up(&mut self) -> bool {
        let made = packages::install().and_then(|()| {
            rootfs::Kind::ALL.into_iter().try_for_each(|kind| rootfs::make(kind).map(drop))
        });
        match made {
            Ok(()) => true,
            Err(error) => {
                let groups: Vec<&str> = GROUPS.iter().map(|group| group.name).collect();
                self.skipped.push(format!("the groups {}: {error}", groups.join(", ")));
                false
            }
        }
    }

    fn everything(&mut self, parts: bool) {
        self.cargo("fmt", &["fmt", "--all", "--check"]);
        self.cargo("clippy", &["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]);
        self.licences();
        if parts {
            self.prove();
            self.compare();
            self.cargo("test", &["test", "--workspace", "--no-fail-fast"]);
            self.skipped.push(format!(
                "{ITSELF} (the repository's own Dockerfile): it takes as long as all the others; \
                 cargo xtask test --group {ITSELF}"
            ));
        } else {
            let base = ["test", "--workspace", "--no-fail-fast"];
            self.cargo("test", &[&base[..], WITHOUT_PARTS].concat());
        }
    }

    fn group(&mut self, name: &str) -> Result<()> {
        let Some(group) = GROUPS.iter().find(|group| group.name == name) else {
            let known: Vec<&str> = GROUPS.iter().map(|group| group.name).collect();
            return Err(Error::unexpected("--group", known.join(", "), name));
        };
        match name {
            "prove" => self.prove(),
            "compare" => self.compare(),
            ITSELF => {
                if let Err(error) = itself::run() {
                    self.failed.push(format!("{ITSELF}: {error}"));
                }
            }
            _ => self.cargo(name, &[&["test"], group.cargo].concat()),
        }
        Ok(())
    }

    fn cargo(&mut self, name: &str, arguments: &[&str]) {
        let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        command.args(arguments).current_dir(paths::root()).env(SKIP_LOG, &self.log);
        let shown = format!("cargo {}", arguments.join(" "));
        let mut failures = Failures::default();
        if let Err(error) = run::aloud_read(&mut command, &shown, |line| failures.read(line)) {
            self.failed.push(format!("{name}: {error}"));
            self.failed.extend(failures.lines.into_iter().map(|line| format!("  {line}")));
        }
    }

    fn licences(&mut self) {
        println!("\nlicences of what is linked, against deny.toml");
        match licences::check() {
            Ok(checked) if checked.refused.is_empty() => {
                println!("  {} packages, all on the list", checked.packages);
            }
            Ok(checked) => {
                for (package, licence) in &checked.refused {
                    println!("  {package}: {licence}");
                }
                self.failed.push(format!("licences: {} not on the list", checked.refused.len()));
            }
            Err(error) => self.failed.push(format!("licences: {error}")),
        }
        let deny = Command::new("cargo").args(["deny", "--version"]).output();
        if deny.is_ok_and(|out| out.status.success()) {
            self.cargo("deny", &["deny", "--offline", "check", "licenses", "bans", "sources"]);
        } else {
            self.skipped.push("cargo deny (bans, sources): it is not installed".to_owned());
        }
    }

    fn prove(&mut self) {
        println!("\nprove: the corpus, built before and after the fix");
        match prove::task("") {
            Ok(true) => {}
            Ok(false) => self.failed.push("prove: see above".to_owned()),
            Err(error @ Error::MissingProgram { .. }) => {
                self.skipped.push(format!("prove: {error}"))
            }
            Err(error) => self.failed.push(format!("prove: {error}")),
        }
    }

    fn compare(&mut self) {
        println!("\ncompare: mlint's images beside BuildKit's");
        if let Some(obstacle) = compare::obstacle() {
            return self.skipped.push(format!("compare: {obstacle}"));
        }
        match compare::run("") {
            Ok(summary) => {
                let skipped = summary.skipped.into_iter().map(|line| format!("compare: {line}"));
                self.skipped.extend(skipped);
                self.failed
                    .extend(summary.failed.into_iter().map(|line| format!("compare: {line}")));
            }
            Err(error @ Error::MissingProgram { .. }) => {
                self.skipped.push(format!("compare: {error}"));
            }
            Err(error) => self.failed.push(format!("compare: {error}")),
        }
    }

    fn close(mut self) -> bool {
        let logged = std::fs::read_to_string(&self.log).unwrap_or_default();
        self.skipped.extend(logged.lines().map(str::to_owned));
        self.skipped.sort();
        self.skipped.dedup();
        println!("\nskipped: {}", if self.skipped.is_empty() { "nothing" } else { "" });
        self.skipped.iter().for_each(|line| println!("  {line}"));
        println!("failed: {}", if self.failed.is_empty() { "nothing" } else { "" });
        self.failed.iter().for_each(|line| println!("  {line}"));
        self.failed.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::Failures;

    #[test]
    fn failures_are_told_again() {
        let mut failures = Failures::default();
        let log = "test good ... ok\n\
                   test bad ... FAILED\n\
                   why it is bad\n\
                   test fine ... ok\n\
                   thread 'a' panicked at src/lib.rs:1:1:\n\
                   left: 1\n\
                   test end ... ok\n\
                   no case can run: apt-get install busybox-static\n\
                   error: test failed, to rerun pass `-p a --test b`\n";
        log.lines().for_each(|line| failures.read(line));
        let told = failures.lines.join("\n");
        assert!(!told.contains("test good"), "{told}");
        for part in ["test bad ... FAILED", "why it is bad", "left: 1", "busybox-static"] {
            assert!(told.contains(part), "{part} is not in:\n{told}");
        }
    }
}

//! `cargo xtask test`: all the tests, and what could not be tested here.

use std::path::PathBuf;
use std::process::Command;

use crate::{Error, Result, licences, packages, paths, prove, rootfs, run};

/// Where a test that lacks a part writes one line that says so.
pub const SKIP_LOG: &str = "MLINT_SKIP_LOG";

/// The named groups of tests with real parts. Each is a module of `tests/e2e`, but for the last.
pub const GROUPS: &[(&str, &str)] = &[
    ("check", "check and fix through the real binary, on bad input too"),
    ("registry", "push, pull, credentials and their failures, against a real registry"),
    ("containers", "builds: steps, cache, interruption, full disks"),
    ("qemu", "foreign platforms' steps"),
    ("rootless", "builds by an ordinary user"),
    ("engine", "a Docker engine runs what was pushed (its own test binary, e2e_engine)"),
    ("prove", "the corpus's cases, built before and after the fix"),
];

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
    suite.set_up();
    if groups.is_empty() {
        suite.everything();
    }
    for group in groups {
        suite.group(group)?;
    }
    Ok(suite.close())
}

impl Suite {
    fn set_up(&mut self) {
        if let Err(error) = packages::install() {
            self.skipped.push(format!("tests whose parts are missing: {error}"));
        }
        for kind in rootfs::Kind::ALL {
            match rootfs::make(kind) {
                Ok(dir) => println!("root file systems of {}: {}", kind.name(), dir.display()),
                Err(error) => {
                    self.skipped.push(format!("tests with the {} image: {error}", kind.name()));
                }
            }
        }
    }

    fn everything(&mut self) {
        self.cargo("fmt", &["fmt", "--all", "--check"]);
        self.cargo("clippy", &["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]);
        self.licences();
        self.prove();
        self.cargo("test", &["test", "--workspace", "--no-fail-fast"]);
    }

    fn group(&mut self, name: &str) -> Result<()> {
        match name {
            "prove" => self.prove(),
            "engine" => self.cargo("engine", &["test", "--package=mlint", "--test=e2e_engine"]),
            _ if GROUPS.iter().any(|(group, _)| *group == name) => {
                let module = format!("{name}::");
                self.cargo(name, &["test", "--package=mlint", "--test=e2e", "--", &module]);
            }
            _ => {
                let known: Vec<&str> = GROUPS.iter().map(|(group, _)| *group).collect();
                return Err(Error::unexpected("--group", known.join(", "), name));
            }
        }
        Ok(())
    }

    fn cargo(&mut self, name: &str, arguments: &[&str]) {
        let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        command.args(arguments).current_dir(paths::root()).env(SKIP_LOG, &self.log);
        let shown = format!("cargo {}", arguments.join(" "));
        if let Err(error) = run::aloud_ok(&mut command, Some(&shown)) {
            self.failed.push(format!("{name}: {error}"));
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

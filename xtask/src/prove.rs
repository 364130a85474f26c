//! `cargo xtask prove`: builds each case of the corpus that has a `prove.toml`, before and after the
//! fix, and compares what comes of it with what the case says. `corpus/README.md` has the format.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use serde::Deserialize;

use crate::files::Files;
use crate::mlint::Mlint;
use crate::registry::Registry;
use crate::{Error, Result, image, packages, paths, rootfs, run};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    rule: String,
    #[serde(default = "default_platforms")]
    platforms: Vec<String>,
    #[serde(default)]
    bases: Vec<String>,
    #[serde(default)]
    text: Vec<Text>,
    #[serde(default)]
    program: Vec<Program>,
    before: Expected,
    after: Expected,
}

fn default_platforms() -> Vec<String> {
    vec!["linux/amd64".to_owned(), "linux/arm64".to_owned()]
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Program {
    path: String,
    platform: String,
    #[serde(default)]
    linkage: Linkage,
    #[serde(default, rename = "in")]
    place: Place,
}

/// A text on the file server.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Text {
    path: String,
    text: String,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Linkage {
    #[default]
    Static,
    Glibc,
    Musl,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Place {
    #[default]
    Context,
    Server,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Expected {
    outcome: Outcome,
    /// Without it, whichever it is.
    platform: Option<String>,
    path: Option<String>,
    #[serde(default)]
    reason: Reason,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Outcome {
    Ok,
    BuildFails,
    WrongBinary,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Reason {
    #[default]
    Machine,
    Interpreter,
}

/// How many cases held, and which did not.
#[derive(Debug, Default)]
pub struct Summary {
    /// Cases that came out as they say.
    pub held: usize,
    /// Cases that did not: name and what was seen.
    pub failed: Vec<(String, String)>,
}

/// Proves the cases whose name contains `filter`.
pub fn run(filter: &str) -> Result<Summary> {
    let cases = cases(filter)?;
    let work = tempfile::tempdir().map_err(Error::file(std::env::temp_dir()))?;
    let home = work.path().join("home");
    fs::create_dir(&home).map_err(Error::file(&home))?;
    let prover = Prover { registry: Registry::start()?, mlint: Mlint::compile(&home)?, work };
    let bases: BTreeSet<&str> =
        cases.iter().flat_map(|(_, case)| case.bases.iter().map(String::as_str)).collect();
    for base in bases {
        prover.base(base)?;
    }
    println!("{:46} {:30} {:46} after the fix", "case", "rule", "before");
    let mut summary = Summary::default();
    for (dir, case) in &cases {
        let name = case_name(dir);
        let timer = Instant::now();
        match prover.case(dir, &name, case) {
            Ok((before, after)) => {
                let seconds = timer.elapsed().as_secs_f64();
                println!("{name:46} {:30} {before:46} {after} ({seconds:.1} s)", case.rule);
                summary.held += 1;
            }
            Err(error) => {
                println!("{name:46} {:30} NOT AS EXPECTED: {error}", case.rule);
                summary.failed.push((name, error.to_string()));
            }
        }
    }
    Ok(summary)
}

/// The cases, by name.
fn cases(filter: &str) -> Result<Vec<(PathBuf, Case)>> {
    let corpus = paths::root().join("corpus");
    let mut found = Vec::new();
    for group in directories(&corpus)? {
        for dir in directories(&group)? {
            let file = dir.join("prove.toml");
            if !file.exists() || !case_name(&dir).contains(filter) {
                continue;
            }
            let text = fs::read_to_string(&file).map_err(Error::file(&file))?;
            let case = toml::from_str(&text).map_err(|e| {
                Error::unexpected(file.display().to_string(), "a case", e.to_string())
            })?;
            found.push((dir, case));
        }
    }
    match found.is_empty() {
        true => Err(Error::unexpected(corpus.display().to_string(), "cases to prove", "none")),
        false => Ok(found),
    }
}

fn directories(dir: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(dir).map_err(Error::file(dir))?;
    let mut found: Vec<PathBuf> =
        entries.flatten().map(|entry| entry.path()).filter(|path| path.is_dir()).collect();
    found.sort();
    Ok(found)
}

/// `group/case`.
fn case_name(dir: &Path) -> String {
    let corpus = paths::root().join("corpus");
    dir.strip_prefix(&corpus).unwrap_or(dir).display().to_string()
}

struct Prover {
    registry: Registry,
    mlint: Mlint,
    work: tempfile::TempDir,
}

impl Prover {
    /// Puts a base image into the registry: `busybox:1.35`, or `name:tag = busybox:1.35 for P,P`.
    fn base(&self, base: &str) -> Result<()> {
        let dir = self.work.path().join("bases");
        let host = self.registry.host();
        let Some((name, rest)) = base.split_once(" = ") else {
            let kind = rootfs::Kind::ALL
                .into_iter()
                .find(|kind| base == format!("{}:{}", kind.name(), kind.tag()))
                .ok_or_else(|| Error::unexpected("a base", "one of corpus/README.md", base))?;
            return run::quiet(&mut self.mlint.base_image(kind, &host, &dir)?).map(drop);
        };
        let (from, platforms) = rest
            .split_once(" for ")
            .ok_or_else(|| Error::unexpected("a base", "`name = image for platforms`", base))?;
        self.base(from)?;
        let dir = dir.join("derived");
        fs::create_dir_all(&dir).map_err(Error::file(&dir))?;
        let file = dir.join("Dockerfile");
        fs::write(&file, format!("FROM {host}/{from}\n")).map_err(Error::file(&file))?;
        let arguments =
            ["build", ".", "--platforms", platforms, "-t", &format!("{host}/{name}"), "--push"];
        run::quiet(&mut self.mlint.command(&dir, arguments)).map(drop)
    }

    fn case(&self, dir: &Path, name: &str, case: &Case) -> Result<(String, String)> {
        let context = self.work.path().join("cases").join(name);
        let served = self.work.path().join("served").join(name);
        for path in [&context, &served] {
            fs::create_dir_all(path).map_err(Error::file(path))?;
        }
        if dir.join("context").is_dir() {
            run::quiet(Command::new("cp").arg("-a").arg(dir.join("context/.")).arg(&context))?;
        }
        for program in &case.program {
            let root = if program.place == Place::Server { &served } else { &context };
            program.put(root)?;
        }
        for text in &case.text {
            let path = served.join(&text.path);
            fs::write(&path, &text.text).map_err(Error::file(&path))?;
        }
        let files = Files::serve(&served)?;
        let build = Build {
            prover: self,
            context,
            case,
            arguments: vec![("REGISTRY", self.registry.host()), ("FILES", files.url())],
            image: format!("{}/prove/{}", self.registry.host(), name.to_ascii_lowercase()),
        };
        let fixed = ["repaired.Dockerfile", "fixed.Dockerfile", "fixed-unsafe.Dockerfile"]
            .into_iter()
            .map(|file| dir.join(file))
            .find(|file| file.exists())
            .ok_or_else(|| Error::unexpected(name, "a fixed.Dockerfile", "none"))?;
        build.is_found(&dir.join("Dockerfile"), true)?;
        build.is_found(&fixed, false)?;
        let before = build.comes_out(&dir.join("Dockerfile"), "before", &case.before)?;
        let after = build.comes_out(&fixed, "after", &case.after)?;
        Ok((before, after))
    }
}

impl Program {
    /// Puts a real program of that machine and linkage at its path.
    fn put(&self, root: &Path) -> Result<()> {
        let arch = self.platform.strip_prefix("linux/").unwrap_or(&self.platform);
        let (package, file) = match self.linkage {
            Linkage::Static => ("busybox-static", "bin/busybox"),
            Linkage::Glibc => ("dash", "bin/dash"),
            // Debian links no program with musl; what the compiler wrapper's own loader offers is
            // a shared object of that libc.
            Linkage::Musl => ("musl", "usr/lib/ld-musl.so"),
        };
        let from = rootfs::static_program(package, file, arch)?;
        let to = root.join(&self.path);
        fs::create_dir_all(to.parent().unwrap_or(root)).map_err(Error::file(&to))?;
        fs::copy(&from, &to).map(drop).map_err(Error::file(&to))
    }
}

struct Build<'a> {
    prover: &'a Prover,
    context: PathBuf,
    case: &'a Case,
    arguments: Vec<(&'static str, String)>,
    image: String,
}

impl Build<'_> {
    /// `mlint check` says of `dockerfile` what is about to be shown, or says it no longer.
    fn is_found(&self, dockerfile: &Path, expected: bool) -> Result<()> {
        let text = fs::read_to_string(dockerfile).map_err(Error::file(dockerfile))?;
        let platforms = self.case.platforms.join(",");
        let mut command = self.prover.mlint.command(&self.context, ["check", "--format", "json"]);
        self.give_arguments(&mut command, &text);
        let out = run::output(command.args(["--platforms", &platforms]).arg(dockerfile))?;
        let report: serde_json::Value = serde_json::from_slice(&out.stdout)
            .map_err(|e| Error::unexpected("mlint check", "JSON", e.to_string()))?;
        let findings = report["files"][0]["findings"].as_array();
        let platform = self.case.before.platform.as_deref();
        let found = findings.into_iter().flatten().any(|finding| {
            let named = finding["platforms"].as_array().is_some_and(|platforms| {
                platform.is_none_or(|platform| platforms.iter().any(|p| p == platform))
            });
            finding["rule"] == self.case.rule.as_str() && named
        });
        if found == expected {
            return Ok(());
        }
        let word = |found| if found { "a finding" } else { "none" };
        let what = format!("{} in {}", self.case.rule, dockerfile.display());
        Err(Error::unexpected(what, word(expected), word(found)))
    }

    /// Gives the arguments that the Dockerfile declares.
    fn give_arguments(&self, command: &mut Command, text: &str) {
        for (name, value) in &self.arguments {
            if declares(text, name) {
                command.arg(format!("--build-arg={name}={value}"));
            }
        }
    }

    /// Builds `dockerfile` and compares; says in a few words what was seen.
    fn comes_out(&self, dockerfile: &Path, tag: &str, expected: &Expected) -> Result<String> {
        let text = fs::read_to_string(dockerfile).map_err(Error::file(dockerfile))?;
        let out = self.build(dockerfile, &text, tag, &[])?;
        let said = String::from_utf8_lossy(&out.stderr).into_owned();
        let platform = expected.platform.as_deref().unwrap_or_default();
        let wrong = |expected: &str| {
            let found = format!("{}\n{said}", out.status);
            Err(Error::unexpected(
                format!("the build of {}", dockerfile.display()),
                expected,
                found,
            ))
        };
        match expected.outcome {
            Outcome::Ok if !out.status.success() => wrong("success"),
            Outcome::Ok => self.all_right(tag),
            Outcome::BuildFails | Outcome::WrongBinary if out.status.success() => {
                wrong("a failure")
            }
            Outcome::BuildFails if !said.contains(platform) => {
                wrong(&format!("a failure that names {platform}"))
            }
            Outcome::BuildFails if platform.is_empty() => Ok("fails to build".to_owned()),
            Outcome::BuildFails => Ok(format!("{platform} fails to build")),
            Outcome::WrongBinary => {
                let path = expected.path.as_deref().unwrap_or_default();
                if !said.contains(path) || !said.contains(platform) {
                    return wrong(&format!("a refusal that names {path} and {platform}"));
                }
                // Where no platform is expected, the one that is refused.
                let words = said.split_whitespace().collect::<Vec<_>>().join(" ");
                let refused = words.split("the image for ").nth(1).unwrap_or_default();
                let platform = match platform {
                    "" => refused.split(' ').next().unwrap_or_default(),
                    platform => platform,
                };
                // Shipped for once: somebody else must see the same.
                let out = self.build(dockerfile, &text, tag, &["--allow-foreign=**"])?;
                if !out.status.success() {
                    let found = String::from_utf8_lossy(&out.stderr).into_owned();
                    return Err(Error::unexpected("the build without the proof", "success", found));
                }
                self.is_wrong(tag, platform, path, expected.reason)
            }
        }
    }

    fn build(
        &self,
        dockerfile: &Path,
        text: &str,
        tag: &str,
        more: &[&str],
    ) -> Result<std::process::Output> {
        let platforms = self.case.platforms.join(",");
        let image = format!("{}:{tag}", self.image);
        let mut command = self.prover.mlint.command(&self.context, ["build", "."]);
        command.arg("-f").arg(dockerfile).args(["--platforms", &platforms, "-t", &image, "--push"]);
        self.give_arguments(&mut command, text);
        run::output(command.args(more).env("NO_COLOR", "1"))
    }

    /// The image of `platform` really holds what the proof refused.
    fn is_wrong(&self, tag: &str, platform: &str, path: &str, reason: Reason) -> Result<String> {
        let image = image::unpack(&format!("{}:{tag}", self.image), platform)?;
        let elf = image
            .elf(path)
            .ok_or_else(|| Error::unexpected(path, "an ELF file", "none in the image"))?;
        match reason {
            Reason::Machine if elf.platform == platform => {
                Err(Error::unexpected(path, format!("not {platform}"), elf.platform))
            }
            Reason::Machine => Ok(format!("{platform} ships {}", elf.platform)),
            Reason::Interpreter => match elf.interpreter {
                Some(interpreter) if !image.has(&interpreter) => {
                    Ok(format!("{platform} lacks {interpreter}"))
                }
                found => {
                    Err(Error::unexpected(path, "a missing interpreter", format!("{found:?}")))
                }
            },
        }
    }

    /// Every ELF file of every platform's image is of that machine, by mlint and by skopeo and us.
    fn all_right(&self, tag: &str) -> Result<String> {
        let name = format!("{}:{tag}", self.image);
        run::quiet(&mut self.prover.mlint.command(&self.context, ["verify", &name]))?;
        let path = self.case.before.path.as_deref();
        for platform in &self.case.platforms {
            let Some(path) = path else { continue };
            let image = image::unpack(&name, platform)?;
            let Some(elf) = image.elf(path) else {
                return Err(Error::unexpected(path, "an ELF file", "none in the image"));
            };
            let startable = elf.interpreter.as_deref().is_none_or(|file| image.has(file));
            if elf.platform != *platform || !startable {
                let found = format!("{elf:?}");
                return Err(Error::unexpected(format!("{path} for {platform}"), "right", found));
            }
        }
        Ok(format!("{} right", self.case.platforms.join(", ")))
    }
}

/// Whether the Dockerfile declares a build argument.
fn declares(text: &str, name: &str) -> bool {
    text.lines().any(|line| {
        let mut words = line.split_whitespace();
        words.next().is_some_and(|word| word.eq_ignore_ascii_case("ARG"))
            && words.any(|word| word.split('=').next() == Some(name))
    })
}

/// Proves them all and says how it went.
pub fn task(filter: &str) -> Result<bool> {
    packages::program("skopeo")?;
    let summary = run(filter)?;
    println!("\nproved: {} of {}", summary.held, summary.held + summary.failed.len());
    Ok(summary.failed.is_empty())
}

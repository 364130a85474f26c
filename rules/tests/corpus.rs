//! The corpus: what mlint says about each case, and what its fixes make of it.
//! `UPDATE=1 cargo test -p mlint-rules --test corpus` writes the expectations anew; read each
//! changed line as a change of behaviour. `corpus/README.md` has the layout.

use std::{
    collections::BTreeSet,
    env, fs,
    path::{Path, PathBuf},
};

use mlint_lint::{
    CheckOptions, FixOptions, FixOutcome, Report, Severity, check, fix, testing::render,
};
use mlint_model::{
    ContextEntry, ContextFile, ContextPath, Fact, FactSource, ImageFacts, ImageInfo, Linkage,
    image_queries,
};
use mlint_oci::Platform;
use mlint_registry::{FactOptions, resolve_facts};
use mlint_syntax::parse;

struct Case {
    folder: PathBuf,
    name: String,
    text: String,
    options: CheckOptions,
    facts: ImageFacts,
}

impl Case {
    fn read(folder: PathBuf, name: String) -> Self {
        let text = fs::read_to_string(folder.join("Dockerfile")).unwrap();
        let mut options = CheckOptions::default();
        if let Ok(list) = fs::read_to_string(folder.join("platforms")) {
            options.platforms = list.lines().map(|line| line.trim().parse().unwrap()).collect();
        }
        options.context = options.context.with(told_files(&folder));
        let queries = image_queries(&parse(text.as_str()), &options.platforms, &options.model());
        let offline = FactOptions { offline: true, ..FactOptions::default() };
        let known = resolve_facts(&queries, &offline);
        let told = told_images(&folder);
        let answers = queries.into_iter().map(|query| {
            let fact = match told.iter().find(|(reference, _)| *reference == query.reference) {
                Some((_, info)) => Fact::Known(info.clone()),
                None => known.image(&query.reference),
            };
            (query, fact)
        });
        let facts = ImageFacts::new(answers);
        Self { folder, name, text, options, facts }
    }

    fn check(&self, text: &str) -> Report {
        check(&parse(text), &self.options, &self.facts, mlint_rules::all())
    }

    fn fix(&self, unsafe_too: bool) -> FixOutcome {
        let options = FixOptions { unsafe_too, only: None };
        fix(&self.text, &self.options, &options, &self.facts, mlint_rules::all())
    }

    /// Compares (or writes) a file of the case; `None` means that it must not be there.
    fn expect(&self, file: &str, want: Option<&str>, wrong: &mut Vec<String>) {
        let path = self.folder.join(file);
        if env::var_os("UPDATE").is_some() {
            match want {
                Some(text) => fs::write(&path, text).unwrap(),
                None => drop(fs::remove_file(&path)),
            }
        }
        let found = fs::read_to_string(&path).ok();
        if found.as_deref() != want {
            wrong.push(format!(
                "{}/{file} is not what comes of it today:\n{}",
                self.name,
                want.unwrap_or("(the file should not be there)")
            ));
        }
    }
}

/// What the case lets a registry say: `reference platform…`, one image a line.
fn told_images(folder: &Path) -> Vec<(String, ImageInfo)> {
    let Ok(text) = fs::read_to_string(folder.join("images")) else { return Vec::new() };
    text.lines()
        .map(|line| {
            let is_index = !line.contains(" = ");
            let mut words = line.split_whitespace().filter(|word| *word != "=");
            let reference = words.next().unwrap().to_owned();
            let platforms: Vec<Platform> = words.map(|p| p.parse().unwrap()).collect();
            let source = FactSource::Registry;
            (reference, ImageInfo { platforms, is_index, source })
        })
        .collect()
}

/// What the case says of its build context: `path platform` of a compiled file, or `path` of a
/// text, one a line.
fn told_files(folder: &Path) -> Vec<(ContextPath, Fact<ContextEntry>)> {
    let Ok(text) = fs::read_to_string(folder.join("files")) else { return Vec::new() };
    text.lines()
        .map(|line| {
            let mut words = line.split_whitespace();
            let path = ContextPath::main(words.next().unwrap());
            let machine: Option<Platform> = words.next().map(|p| p.parse().unwrap());
            let text = machine.is_none().then(|| "\n".into());
            let file = ContextFile { text, machine, linkage: Linkage::Unknown };
            (path, Fact::Known(ContextEntry::File(file)))
        })
        .collect()
}

fn cases() -> Vec<Case> {
    let corpus = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../corpus");
    let folders = |path: &Path| -> Vec<PathBuf> {
        let mut found: Vec<PathBuf> = fs::read_dir(path)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.is_dir())
            .collect();
        found.sort();
        found
    };
    let mut cases = Vec::new();
    for group in folders(&corpus) {
        for folder in folders(&group) {
            let name = |path: &Path| path.file_name().unwrap().to_string_lossy().into_owned();
            let name = format!("{}/{}", name(&group), name(&folder));
            cases.push(Case::read(folder, name));
        }
    }
    cases
}

#[test]
fn findings_and_fixes_are_as_expected() {
    let mut wrong = Vec::new();
    for case in cases() {
        let report = case.check(&case.text);
        case.expect("expected.txt", Some(&render(&case.text, &report)), &mut wrong);
        let safe = case.fix(false).text;
        let all = case.fix(true).text;
        let changed = |text: &str, before: &str| (text != before).then(|| text.to_owned());
        case.expect("fixed.Dockerfile", changed(&safe, &case.text).as_deref(), &mut wrong);
        case.expect("fixed-unsafe.Dockerfile", changed(&all, &safe).as_deref(), &mut wrong);
    }
    assert!(wrong.is_empty(), "{} files differ\n\n{}", wrong.len(), wrong.join("\n\n"));
}

/// Whatever the expectations say: a clean file gets notes at the most.
#[test]
fn clean_files_are_clean() {
    for case in cases().iter().filter(|case| case.name.starts_with("clean/")) {
        let report = case.check(&case.text);
        let worst = report.diagnostics.iter().map(|d| d.severity).max();
        assert!(worst <= Some(Severity::Note), "{}:\n{}", case.name, render(&case.text, &report));
    }
}

#[test]
fn every_rule_has_a_hazard_and_there_are_enough_cases() {
    let cases = cases();
    let clean = cases.iter().filter(|case| case.name.starts_with("clean/")).count();
    assert!(cases.len() >= 250 && clean >= 80, "{} cases, {clean} of them clean", cases.len());
    let found: BTreeSet<&str> = cases
        .iter()
        .flat_map(|case| case.check(&case.text).diagnostics)
        .map(|diagnostic| diagnostic.rule)
        .collect();
    let builtin = mlint_lint::BUILTIN.iter().copied();
    for meta in mlint_rules::all().iter().map(|rule| rule.meta()).chain(builtin) {
        assert!(found.contains(meta.name), "no case shows {}", meta.name);
    }
}

/// What the cases are about, by words of which one is in the file.
#[test]
fn the_cases_are_about_all_kinds_of_images() {
    const KINDS: &[(&str, &[&str])] = &[
        ("Go", &["golang:", "go build"]),
        ("Rust", &["cargo ", "rust:"]),
        ("C and C++", &["gcc", "g++", "cmake", "make "]),
        ("Node", &["npm ", "node:", "yarn ", "pnpm "]),
        ("Python", &["pip ", "python:", "uv "]),
        ("Java", &["mvn ", "gradle", ".jar", "temurin"]),
        (".NET", &["dotnet"]),
        ("PHP", &["php:", "composer"]),
        ("Ruby", &["ruby:", "bundle ", "gem "]),
        ("tool downloads", &["curl ", "wget ", "ADD http"]),
        ("CI images", &[" CI", "pipeline", "lint"]),
        ("Alpine", &["FROM alpine"]),
        ("Debian and Ubuntu", &["FROM debian", "FROM ubuntu"]),
        ("Fedora and its kin", &["fedora", "almalinux", "ubi", "rockylinux", "amazonlinux"]),
    ];
    let cases = cases();
    for (kind, words) in KINDS {
        let about = |case: &&Case| words.iter().any(|word| case.text.contains(word));
        let count = cases.iter().filter(about).count();
        assert!(count >= 5, "{count} cases are about {kind}");
    }
}

/// A case that is built shows its rule before, and neither it nor an error after. Of each rule a case
/// is built, or its page says why not.
#[test]
fn rules_are_proved_by_builds_or_say_why_not() {
    let mut rules = BTreeSet::new();
    for case in cases() {
        let Ok(proof) = fs::read_to_string(case.folder.join("prove.toml")) else { continue };
        let rule = proof
            .lines()
            .find_map(|line| line.strip_prefix("rule = \"")?.split('"').next())
            .unwrap_or_else(|| panic!("{}: prove.toml names no rule", case.name))
            .to_owned();
        let found = |report: &Report| report.diagnostics.iter().any(|d| d.rule == rule);
        assert!(found(&case.check(&case.text)), "{} does not show {rule}", case.name);
        let after = ["repaired.Dockerfile", "fixed.Dockerfile", "fixed-unsafe.Dockerfile"]
            .iter()
            .find_map(|file| fs::read_to_string(case.folder.join(file)).ok())
            .unwrap_or_else(|| panic!("{}: there is nothing to build after", case.name));
        let report = case.check(&after);
        assert!(!found(&report), "{} after the repair:\n{}", case.name, render(&after, &report));
        rules.insert(rule);
    }
    let builtin = mlint_lint::BUILTIN.iter().copied();
    for meta in mlint_rules::all().iter().map(|rule| rule.meta()).chain(builtin) {
        let says_why = meta.body().lines().any(|line| line == "## Proof");
        let proved = rules.contains(meta.name);
        assert!(
            proved || says_why,
            "{} is not proved by a build, and its page says no why",
            meta.name
        );
        assert!(
            !(proved && says_why),
            "{} is proved by a build, and its page denies it",
            meta.name
        );
    }
}

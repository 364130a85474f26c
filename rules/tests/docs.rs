//! The generated pages are up to date, and their examples do what they say.
//! `UPDATE=1 cargo test -p mlint-rules --test docs` writes the pages anew.

use std::{collections::BTreeSet, env, fs, path::PathBuf};

use mlint_lint::{BUILTIN, CheckOptions, FixAvailability, FixOptions, Meta, check, docs, fix};
use mlint_model::{
    ContextEntry, ContextFile, ContextPath, Fact, FactSource, ImageFacts, ImageInfo, ImageQuery,
    IndexInfo, SumFacts, SumQuery,
};
use mlint_oci::{Algorithm, Digest, Platform};

fn metas() -> Vec<&'static Meta> {
    mlint_rules::all().iter().map(|r| r.meta()).chain(BUILTIN.iter().copied()).collect()
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("docs")
}

#[test]
fn pages_are_up_to_date() {
    let mut pages = vec![("README.md".to_owned(), docs::index(&metas()))];
    pages.extend(metas().iter().map(|m| (format!("{}.md", m.name), docs::page(m))));
    let folder = folder();
    if env::var_os("UPDATE").is_some() {
        fs::create_dir_all(&folder).unwrap();
        for (name, text) in &pages {
            fs::write(folder.join(name), text).unwrap();
        }
    }
    for (name, text) in &pages {
        let found = fs::read_to_string(folder.join(name)).unwrap_or_default();
        assert!(found == *text, "{name} is out of date: run this test with UPDATE=1");
    }
    let known: BTreeSet<String> = pages.into_iter().map(|(name, _)| name).collect();
    for entry in fs::read_dir(&folder).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(known.contains(&name), "{name} is the page of no rule");
    }
}

#[test]
fn names_are_kebab_case_and_unique() {
    let mut seen = BTreeSet::new();
    for meta in metas() {
        let name = meta.name;
        assert!(seen.insert(name), "{name} stands there twice");
        let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        assert!(name.bytes().all(fits), "{name}");
        assert!(!meta.summary.ends_with('.') && !meta.summary.is_empty(), "{name}");
    }
}

/// What the registry says in the examples.
fn facts() -> ImageFacts {
    let amd64 = Platform::linux("amd64");
    let arm64 = Platform::linux("arm64");
    let image = |reference: &str, platforms: Vec<Platform>| {
        let info = ImageInfo { platforms, is_index: true, source: FactSource::Registry };
        (ImageQuery { reference: reference.to_owned() }, Fact::Known(info))
    };
    let single = |reference: &str, platform: &Platform| {
        let platforms = vec![platform.clone()];
        let info = ImageInfo { platforms, is_index: false, source: FactSource::Registry };
        (ImageQuery { reference: reference.to_owned() }, Fact::Known(info))
    };
    let silent = Fact::Unavailable("connection refused".to_owned());
    ImageFacts::new([
        image("mysql:5.7", vec![amd64.clone()]),
        single(&format!("debian:12@sha256:{}", "8a3d".repeat(16)), &amd64),
        image("debian:12", vec![amd64.clone(), arm64.clone()]),
        image("mysql:8.4", vec![amd64.clone(), arm64.clone()]),
        (ImageQuery { reference: "registry.example.org/team/base:1".to_owned() }, silent),
        image("ghcr.io/example/base:1", vec![amd64.clone(), arm64.clone()]),
    ])
    .with_indexes([(
        format!("debian:12@sha256:{}", "8a3d".repeat(16)),
        IndexInfo {
            reference: format!("debian:12@sha256:{}", "1dec".repeat(16)),
            platforms: vec![amd64, arm64],
            holds: true,
        },
    )])
}

/// The examples' build context has one compiled file.
fn options() -> CheckOptions {
    let mut options = CheckOptions::default();
    let machine = Some(Platform::linux("amd64"));
    let file = ContextFile { machine, ..ContextFile::default() };
    let answer = Fact::Known(ContextEntry::File(file));
    options.context = options.context.with([(ContextPath::main("bin/app"), answer)]);
    options
}

/// Sums of the files that examples download.
fn sums() -> SumFacts {
    let sum = |url: &str, hex: &str| {
        let query = SumQuery { url: url.to_owned(), algorithm: Algorithm::Sha256 };
        (query, Fact::Known(Digest::parse(&format!("sha256:{hex}")).unwrap()))
    };
    SumFacts::default().with([
        sum(
            "https://example.org/tool-amd64",
            "0f3c9a0e5b7e4d9c1f2a3b4c5d6e7f800f3c9a0e5b7e4d9c1f2a3b4c5d6e7f80",
        ),
        sum(
            "https://example.org/tool-arm64",
            "9d1e3a7c5b2f4e6d8a0c1b3f5e7d9a2c4b6e8f0a1c3d5e7f9b0d2f4a6c8e0b1d",
        ),
    ])
}

#[test]
fn examples_are_found_and_repaired() {
    for meta in metas() {
        let examples = meta.examples();
        let (mut bad, mut good) = (0, 0);
        for example in &examples {
            let file = mlint_syntax::parse(example.text.as_str());
            let report = check(&file, &options(), &facts(), mlint_rules::all());
            let found = report.diagnostics.iter().any(|d| d.rule == meta.name);
            match example.heading.as_str() {
                "Example" => {
                    assert!(found, "{} misses its example:\n{}", meta.name, example.text);
                    bad += 1;
                }
                "Repaired" => {
                    assert!(!found, "{} finds its repaired example:\n{}", meta.name, example.text);
                    good += 1;
                }
                other => panic!("{}: an example under the heading {other}", meta.name),
            }
        }
        assert!(bad > 0 && good > 0, "{} has no example, or none that is repaired", meta.name);
    }
}

/// The fixes of the first example give the first repaired one, so that the page shows what the
/// fix really does.
#[test]
fn fixes_make_the_repaired_example() {
    for meta in metas().into_iter().filter(|m| m.fixes != FixAvailability::None) {
        let examples = meta.examples();
        let text = |heading: &str| &examples.iter().find(|e| e.heading == heading).unwrap().text;
        let only = Some(vec![meta.name.to_owned()]);
        let run = |unsafe_too: bool| {
            let options = FixOptions { unsafe_too, only: only.clone() };
            let rules = mlint_rules::all();
            let checked = CheckOptions { sums: sums(), ..CheckOptions::default() };
            fix(text("Example"), &checked, &options, &facts(), rules)
        };
        let safe = run(false);
        let outcome = if safe.applied.is_empty() { run(true) } else { safe };
        assert_eq!(outcome.text, *text("Repaired"), "{}: {:#?}", meta.name, outcome.unapplied);
    }
}

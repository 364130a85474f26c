//! The invariants of ARCHITECTURE.md. Each test is named there, and each name there is a test here:
//! the last test of this file sees to that.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Package name → the names of its normal and build dependencies.
fn dependencies() -> BTreeMap<String, BTreeSet<String>> {
    let out = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--offline", "--format-version", "1"])
        .current_dir(root())
        .output()
        .expect("cargo runs");
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let metadata: serde_json::Value = serde_json::from_slice(&out.stdout).expect("JSON");
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    let packages = metadata["packages"].as_array().expect("packages");
    packages
        .iter()
        .map(|package| {
            let all = package["dependencies"].as_array().expect("dependencies");
            let used = all.iter().filter(|dependency| dependency["kind"] != "dev");
            (text(&package["name"]), used.map(|dependency| text(&dependency["name"])).collect())
        })
        .collect()
}

/// The Rust files below a directory of the workspace.
fn sources(dir: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![root().join(dir)];
    while let Some(dir) = open.pop() {
        for entry in std::fs::read_dir(&dir).expect("a directory of the workspace") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    assert!(!found.is_empty(), "{dir} has no sources");
    found.sort();
    found
}

/// The lines of a source that are code, with their numbers: no comments, and nothing from the test
/// module on, which stands at the end of the file.
fn code(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let before_tests = text.split("\n#[cfg(test)]\nmod ").next().unwrap_or_default();
    let numbered = before_tests.lines().enumerate().map(|(at, line)| (at + 1, line));
    numbered.filter(|(_, line)| !line.trim_start().starts_with("//"))
}

fn is_test_file(path: &Path) -> bool {
    let inside = path.strip_prefix(root()).unwrap_or(path);
    inside.components().any(|part| part.as_os_str() == "tests")
        || inside.file_stem().is_some_and(|stem| stem == "tests")
}

/// Every line of code below `dirs` that holds one of `words`, except in the files that `may`.
fn uses(dirs: &[&str], words: &[&str], may: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for path in dirs.iter().flat_map(|dir| sources(dir)) {
        let name = path.strip_prefix(root()).unwrap_or(&path).display().to_string();
        if is_test_file(&path) || may.iter().any(|allowed| name.starts_with(allowed)) {
            continue;
        }
        let text = std::fs::read_to_string(&path).expect("UTF-8");
        for (number, line) in code(&text) {
            if words.iter().any(|word| line.contains(word)) {
                found.push(format!("{name}:{number}: {}", line.trim()));
            }
        }
    }
    found
}

#[track_caller]
fn assert_none(found: &[String], rule: &str) {
    assert!(found.is_empty(), "{rule}:\n{}", found.join("\n"));
}

const PURE: [&str; 5] =
    ["crates/syntax/src", "crates/oci/src", "crates/model/src", "crates/lint/src", "rules/src"];

#[test]
fn arrows_between_crates() {
    let arrows: &[(&str, &[&str])] = &[
        ("mlint-syntax", &[]),
        ("mlint-oci", &[]),
        ("mlint-model", &["syntax", "oci"]),
        ("mlint-lint", &["model", "syntax", "oci"]),
        ("mlint-rules", &["lint", "model", "syntax", "oci"]),
        ("mlint-registry", &["oci", "model"]),
        ("mlint-builder", &["model", "oci", "registry", "syntax"]),
        ("mlint-lsp", &["lint", "rules", "model", "syntax", "oci"]),
        ("mlint", &["syntax", "oci", "model", "lint", "rules", "registry", "builder", "lsp"]),
        ("xtask", &["model", "oci", "syntax"]),
    ];
    let dependencies = dependencies();
    let known: BTreeSet<&str> = arrows.iter().map(|(from, _)| *from).collect();
    let packages: BTreeSet<&str> = dependencies.keys().map(String::as_str).collect();
    assert_eq!(known, packages, "a crate came or went: say here what it may use");
    for (from, to) in arrows {
        let allowed: BTreeSet<String> = to.iter().map(|name| format!("mlint-{name}")).collect();
        let used = dependencies[*from].iter().filter(|name| name.starts_with("mlint"));
        let wrong: Vec<&String> = used.filter(|name| !allowed.contains(*name)).collect();
        assert!(wrong.is_empty(), "{from} may not use {wrong:?}");
    }
}

#[test]
fn no_io_in_the_pure_crates() {
    // What they may use from outside the workspace: parsers, tables, plain data.
    let allowed: BTreeSet<&str> =
        ["memchr", "regex", "thiserror", "serde", "serde_json", "sha2"].into();
    let dependencies = dependencies();
    for name in ["mlint-syntax", "mlint-oci", "mlint-model", "mlint-lint", "mlint-rules"] {
        let outside = dependencies[name].iter().filter(|used| !used.starts_with("mlint"));
        let wrong: Vec<&String> = outside.filter(|used| !allowed.contains(used.as_str())).collect();
        assert!(wrong.is_empty(), "{name} uses {wrong:?}: is that free of I/O? Then list it here");
    }
    let words = [
        "std::fs",
        "TcpStream",
        "TcpListener",
        "UdpSocket",
        "ToSocketAddrs",
        "env::args",
        "env::vars",
        "env::current_dir",
        "std::process",
        "std::thread",
        "std::os",
        "std::io",
        "fs::",
        "env::var",
        "SystemTime",
        "Instant",
        "File::open",
        "async fn",
        ".await",
        "println!",
        "eprintln!",
    ];
    assert_none(&uses(&PURE, &words, &[]), "these crates do no I/O");
}

#[test]
fn every_byte_is_in_the_tree() {
    let samples = [
        "",
        "\n\n",
        "FROM",
        "FROM a\nRUN <<EOF\nnever ended",
        "# escape=`\nFROM a\r\nRUN b `\r\n # c\r\n  d\r\n",
        "\u{feff}FROM a\nNONSENSE [\"x\"\n\u{0}\u{1b}é\n",
        "RUN a \\",
        "COPY <<A <<B /x/\n1\nA\n2\nB\nADD",
    ];
    let sample = |text: &str| {
        let file = mlint_syntax::parse(text);
        let mut at = 0;
        for element in &file.elements {
            assert_eq!(element.span.start, at, "a hole or an overlap in {text:?}");
            at = element.span.end;
        }
        assert_eq!(at as usize, text.len(), "bytes after the last element of {text:?}");
    };
    for text in samples {
        // Each beginning of a sample is a sample too: that is what an editor sends.
        for (at, _) in text.char_indices() {
            sample(&text[..at]);
        }
        sample(text);
    }
}

#[test]
fn lines_and_columns_at_the_edges_only() {
    let words = ["LineIndex", "LineColumn", "Utf16Position", "line_column"];
    let may = [
        "crates/syntax/src/line_index.rs",
        "crates/syntax/src/lib.rs",
        // Text for people to compare in tests.
        "crates/model/src/dump.rs",
        "crates/lint/src/testing.rs",
    ];
    let inner = [&PURE[..], &["crates/registry/src", "crates/builder/src"]].concat();
    assert_none(&uses(&inner, &words, &may), "inside there are byte offsets only");
}

#[test]
fn edits_are_sorted_and_disjoint() {
    use mlint_syntax::{Edit, EditSet, Span};
    // Every pair of edits over a short text: what a set accepts is sorted, disjoint, and does not
    // depend on the order in which it came.
    let spans: Vec<Span> =
        (0..4).flat_map(|start| (start..4).map(move |end| Span::new(start, end))).collect();
    let edit = |span: Span, text: &str| Edit { span, text: text.to_owned() };
    let mut accepted = 0;
    for &first in &spans {
        for &second in &spans {
            let one = EditSet::from_edits([edit(first, "x"), edit(second, "y")]);
            let other = EditSet::from_edits([edit(second, "y"), edit(first, "x")]);
            assert_eq!(one.is_ok(), other.is_ok(), "{first:?} {second:?}");
            let (Ok(one), Ok(other)) = (one, other) else { continue };
            assert_eq!(one, other);
            let [a, b] = one.as_slice() else { panic!("two edits went in") };
            assert!(a.span.end <= b.span.start, "{a:?} {b:?}");
            assert_eq!(one.apply("0123").matches(['x', 'y']).count(), 2);
            accepted += 1;
        }
    }
    assert!(accepted > 0);
}

#[test]
fn report_formats_at_the_edges_only() {
    let dependencies = dependencies();
    let users = |names: &[&str]| -> BTreeSet<&str> {
        let uses = |used: &BTreeSet<String>| names.iter().any(|name| used.contains(*name));
        dependencies.iter().filter(|(_, used)| uses(used)).map(|(name, _)| name.as_str()).collect()
    };
    assert_eq!(users(&["lsp-types", "lsp-server"]), ["mlint-lsp"].into());
    assert_eq!(
        users(&["codespan-reporting", "similar", "anstream", "indicatif"]),
        ["mlint"].into()
    );
    // Findings and the model know no serialised form. oci, registry and builder read and write the
    // registry's own documents.
    for name in ["mlint-syntax", "mlint-model", "mlint-lint", "mlint-rules"] {
        let wrong = dependencies[name].iter().find(|used| used.starts_with("serde"));
        assert!(wrong.is_none(), "{name} uses {wrong:?}");
    }
}

#[test]
fn tokio_in_registry_and_builder_only() {
    let dependencies = dependencies();
    let async_io = ["tokio", "tokio-util", "reqwest", "oci-client", "hyper", "futures"];
    for (name, used) in &dependencies {
        let wrong: Vec<&&str> = async_io.iter().filter(|crate_| used.contains(**crate_)).collect();
        let may = ["mlint-registry", "mlint-builder"].contains(&name.as_str());
        assert!(may || wrong.is_empty(), "{name} uses {wrong:?}");
    }
    let outside = [&PURE[..], &["lsp/src", "src"]].concat();
    assert_none(&uses(&outside, &["tokio::", "async fn", ".await"], &[]), "no async out there");
}

#[test]
fn nothing_half_done() {
    let all =
        [&PURE[..], &["crates/registry/src", "crates/builder/src", "lsp/src", "src"]].concat();
    // In two parts, so that this list is not what it looks for.
    let words = [
        concat!("to", "do!("),
        concat!("un", "implemented!("),
        concat!("db", "g!("),
        concat!("FIX", "ME"),
        "Other(String)",
    ];
    assert_none(&uses(&all, &words, &[]), "finish it, or refuse it with an error");
}

#[test]
fn only_the_sandbox_is_unsafe() {
    let all =
        [&PURE[..], &["crates/registry/src", "crates/builder/src", "lsp/src", "src"]].concat();
    let found =
        uses(&all, &["unsafe {", "unsafe fn", "unsafe impl"], &["crates/builder/src/sandbox/"]);
    assert_none(&found, "unsafe code belongs to the sandbox");
}

#[test]
fn architecture_md_names_these_tests() {
    let page = std::fs::read_to_string(root().join("ARCHITECTURE.md")).expect("ARCHITECTURE.md");
    let own = std::fs::read_to_string(root().join("tests/architecture.rs")).expect("this file");
    let tests: BTreeSet<&str> = own
        .split("#[test]\nfn ")
        .skip(1)
        .filter_map(|rest| rest.split('(').next())
        .filter(|name| *name != "architecture_md_names_these_tests")
        .collect();
    let section = page.split("## Invariants").nth(1).expect("a section on invariants");
    let section = section.split("\n## ").next().unwrap_or_default();
    let named: BTreeSet<&str> = section
        .split("(`")
        .skip(1)
        .filter_map(|rest| rest.split("`)").next())
        .filter(|name| name.contains('_'))
        .collect();
    assert_eq!(named, tests, "left: ARCHITECTURE.md, right: tests/architecture.rs");
}

//! `mlint check --format`: what other programs read.

use serde_json::Value;
use snapbox::str;

use crate::{CLEAN, DEFECT, Place};

/// A name that each format has to escape, and a finding behind letters of several bytes.
const NAME: &str = "a, b&c%/Dockerfile";

fn odd() -> Place {
    let url = "https://github.com/mikefarah/yq/releases/download/v4/yq_linux_amd64";
    let text = format!("FROM debian:12\nRUN : 'é🦀|<x>'; curl -fsSLo /usr/bin/yq {url}\n");
    Place::new(&[(NAME, &text)])
}

fn check(place: &Place, format: &str) -> String {
    let run = place.run(&["check", "--offline", "--format", format]);
    assert_eq!(run.code, Some(1), "{run:?}");
    run.out
}

#[test]
fn sarif_has_regions_fixes_and_every_rule() {
    let text = check(&odd(), "sarif");
    let log: Value = serde_json::from_str(&text).expect("JSON");
    let run = &log["runs"][0];
    let result = &run["results"][0];
    assert_eq!(result["ruleId"], "hardcoded-arch-url");
    let index = result["ruleIndex"].as_u64().expect("an index") as usize;
    assert_eq!(run["tool"]["driver"]["rules"][index]["id"], "hardcoded-arch-url");
    assert_eq!(run["columnKind"], "unicodeCodePoints");
    let place = &result["locations"][0]["physicalLocation"];
    assert_eq!(place["artifactLocation"]["uri"], "a%2C%20b%26c%25/Dockerfile");
    let region = &place["region"];
    let source = odd().read(NAME);
    let number = |key: &str| region[key].as_u64().expect("a number") as usize;
    let bytes = number("byteOffset")..number("byteOffset") + number("byteLength");
    assert_eq!(&source[bytes], "amd64");
    let line: Vec<char> = source.lines().nth(1).expect("a line").chars().collect();
    let columns = number("startColumn") - 1..number("endColumn") - 1;
    assert_eq!(line[columns].iter().collect::<String>(), "amd64");
    let change = &result["fixes"][0]["artifactChanges"][0];
    assert_eq!(change["artifactLocation"], place["artifactLocation"]);
    assert!(!change["replacements"].as_array().expect("replacements").is_empty());
}

/// Types made from the schema: what they do not know, or know under another type, is lost or
/// refused.
#[test]
fn sarif_is_what_the_schema_says() {
    for place in [odd(), Place::new(&[("Dockerfile", &format!("{DEFECT}BOGUS\n"))])] {
        let mut log: Value = serde_json::from_str(&check(&place, "sarif")).expect("JSON");
        let typed: serde_sarif::sarif::Sarif =
            serde_json::from_value(log.clone()).unwrap_or_else(|e| panic!("{e}\n{log:#}"));
        let mut back = serde_json::to_value(&typed).expect("JSON");
        // Rules without tags differ in nothing but an empty list.
        normalise(&mut log);
        normalise(&mut back);
        assert_eq!(back, log);
    }
}

/// Empty lists, and numbers as they come.
fn normalise(value: &mut Value) {
    match value {
        Value::Object(map) => {
            map.retain(|_, v| !v.as_array().is_some_and(Vec::is_empty));
            map.values_mut().for_each(normalise);
        }
        Value::Array(items) => items.iter_mut().for_each(normalise),
        _ => {}
    }
}

#[test]
fn sarif_keeps_its_fingerprints_when_lines_move() {
    let prints = |text: &str| -> Vec<String> {
        let place = Place::new(&[("Dockerfile", text)]);
        let log: Value = serde_json::from_str(&check(&place, "sarif")).expect("JSON");
        let results = log["runs"][0]["results"].as_array().expect("results").clone();
        results.iter().map(|r| r["partialFingerprints"]["mlint/v1"].to_string()).collect()
    };
    let fetch =
        "RUN curl -fsSLO https://github.com/mikefarah/yq/releases/download/v4/yq_linux_amd64\n";
    let twice = format!("FROM debian:12\n{fetch}{fetch}");
    let before = prints(&twice);
    assert!(before.len() > 1 && before[0] != before[1], "{before:?}");
    assert_eq!(before, prints(&format!("# more\n\n{twice}")));
}

#[test]
fn github_annotates_lines() {
    snapbox::assert_data_eq!(
        check(&odd(), "github"),
        str![[r#"
::error file=a%2C b&c%25/Dockerfile,line=2,endLine=2,col=103,endColumn=108,title=mlint hardcoded-arch-url::the build for linux/arm64 downloads the file for linux/amd64: the URL says 'amd64' whatever the target is. Let[..]%0A`mlint fix` can let the download follow the target

"#]]
    );
}

#[test]
fn gitlab_gets_a_code_quality_report() {
    let entries: Value = serde_json::from_str(&check(&odd(), "gitlab")).expect("JSON");
    let entry = &entries[0];
    assert_eq!(entry["check_name"], "hardcoded-arch-url");
    assert_eq!(entry["severity"], "critical");
    assert_eq!(entry["location"]["path"], NAME);
    assert_eq!(entry["location"]["positions"]["begin"]["line"], 2);
    assert_eq!(entry["fingerprint"].as_str().map(str::len), Some(32));
}

#[test]
fn checkstyle_is_well_formed() {
    let text = check(&odd(), "checkstyle");
    let document = roxmltree::Document::parse(&text).expect("XML");
    let file = document.descendants().find(|n| n.has_tag_name("file")).expect("a file");
    assert_eq!(file.attribute("name"), Some(NAME));
    let error = file.children().find(|n| n.has_tag_name("error")).expect("an error");
    assert_eq!(error.attribute("source"), Some("mlint.hardcoded-arch-url"));
    assert_eq!(error.attribute("severity"), Some("error"));
    assert!(error.attribute("message").expect("a message").contains("'amd64'"));
}

#[test]
fn markdown_is_two_tables() {
    let text = check(&Place::new(&[("Dockerfile", DEFECT)]), "markdown");
    snapbox::assert_data_eq!(
        text,
        str![[r#"
# mlint

1 error in 1 file.

## `Dockerfile`

| platform | verdict | emulated steps |
|---|---|---|
| linux/amd64 | ok | 0 |
| linux/arm64 | wrong-binary | 1 |

| line | severity | rule | what |
|---|---|---|---|
| 2 | error | `platform-arg-default` | TARGETARCH is 'amd64' in the build for linux/arm64 as well: [..] |

"#]]
    );
}

#[test]
fn every_format_says_what_could_not_be_checked() {
    let place = Place::new(&[("Dockerfile", CLEAN)]);
    place.put("bin/Dockerfile", b"FROM \0");
    for format in ["sarif", "github", "gitlab", "checkstyle", "markdown", "json"] {
        let run = place.run(&["check", "--offline", "--format", format]);
        assert_eq!(run.code, Some(2), "{format}: {run:?}");
        assert!(run.out.contains("binary file"), "{format}: {}", run.out);
        let run = place.run(&["check", "--offline", "Dockerfile", "--format", format]);
        assert_eq!(run.code, Some(0), "{format}: {run:?}");
    }
}

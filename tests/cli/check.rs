//! `mlint check`: findings, verdicts, formats, exit status.

use snapbox::str;

use crate::{CLEAN, DEFECT, Place};

#[test]
fn text_shows_the_place_the_verdicts_and_the_counts() {
    let place = Place::new(&[("Dockerfile", DEFECT)]);
    let run = place.run(&["check", "--offline"]);
    assert_eq!(run.code, Some(1), "{run:?}");
    snapbox::assert_data_eq!(
        run.out,
        str![[r#"
error[platform-arg-default]: [..]
...
 --> Dockerfile:2:5
  |
2 | ARG TARGETARCH=amd64
  |     ^^^^^^^^^^^^^^^^[..]
  |
...
  = fix available: drop the default of TARGETARCH (safe)

Dockerfile
  linux/amd64  ok
  linux/arm64  wrong-binary  1 RUN step under emulation

1 error in 1 file; 1 fixable with `mlint fix`

"#]]
    );
    snapbox::assert_data_eq!(
        run.err,
        str![[r#"
note: offline: debian:12 judged by the table of official images as of [..]

"#]]
    );
}

#[test]
fn no_line_is_wider_than_the_terminal() {
    let place = Place::new(&[("Dockerfile", &wide())]);
    for columns in ["80", "60", "120"] {
        let run = place.command(&["check", "--offline"]).env("COLUMNS", columns).output();
        let out = String::from_utf8(run.expect("mlint runs").stdout).expect("UTF-8");
        assert!(out.contains("hardcoded-arch-url"), "{out}");
        let limit: usize = columns.parse().expect("a number");
        for line in out.lines() {
            assert!(line.chars().count() <= limit, "wider than {limit}: {line}");
        }
        let marked = marked_texts(&out);
        assert!(marked.contains(&"amd64".to_owned()), "{marked:?}\n{out}");
    }
}

/// One very long line with a defect in the middle.
fn wide() -> String {
    let noise = "echo some more words to make it long && ".repeat(20);
    format!(
        "FROM debian:12\nRUN {noise}curl -fsSL -o /usr/bin/tool \
         https://github.com/a/b/releases/download/v1/tool-linux-amd64 && {noise}true\n"
    )
}

/// The texts above the `^^^` markers.
fn marked_texts(out: &str) -> Vec<String> {
    let lines: Vec<&str> = out.lines().collect();
    let pairs = lines.windows(2).filter(|pair| pair[1].contains('^'));
    pairs
        .map(|pair| {
            let first = pair[1].chars().position(|c| c == '^').expect("a marker");
            let count = pair[1].chars().filter(|c| *c == '^').count();
            pair[0].chars().skip(first).take(count).collect()
        })
        .collect()
}

#[test]
fn markers_stand_under_what_they_mean_in_any_text() {
    let url = "https://github.com/a/b/releases/download/v1/tool-linux-amd64";
    for line in [
        format!("RUN curl -fsSLo /t {url}"),
        format!("RUN\tcurl\t-fsSLo\t/t\t{url}"),
        format!("RUN echo grüße é && curl -fsSLo /t {url}"),
    ] {
        for end in ["\n", "\r\n"] {
            let text = format!("\u{feff}FROM debian:12{end}{line}{end}");
            let place = Place::new(&[("Dockerfile", &text)]);
            let run = place.run(&["check", "--offline"]);
            let marked = marked_texts(&run.out);
            assert!(marked.contains(&"amd64".to_owned()), "{line:?} {end:?}\n{}", run.out);
            assert!(!run.out.contains('\r'), "{}", run.out);
        }
    }
}

#[test]
fn json_has_the_documented_shape() {
    let place = Place::new(&[("Dockerfile", DEFECT)]);
    let run = place.run(&["check", "--offline", "--format", "json"]);
    assert_eq!(run.code, Some(1), "{run:?}");
    let json = run.json();
    let keys = |value: &serde_json::Value| -> Vec<String> {
        value.as_object().expect("an object").keys().cloned().collect()
    };
    assert_eq!(keys(&json), ["version", "platforms", "files"]);
    assert_eq!(json["version"], 1);
    assert_eq!(json["platforms"], serde_json::json!(["linux/amd64", "linux/arm64"]));
    let file = &json["files"][0];
    assert_eq!(keys(file), ["path", "findings", "verdicts"]);
    assert_eq!(file["path"], "Dockerfile");
    let finding = &file["findings"][0];
    for key in [
        "rule",
        "severity",
        "confidence",
        "message",
        "platforms",
        "effect",
        "span",
        "related",
        "fixes",
    ] {
        assert!(finding.get(key).is_some(), "{key}: {finding:#}");
    }
    assert_eq!(finding["rule"], "platform-arg-default");
    assert_eq!(finding["severity"], "error");
    assert_eq!(finding["effect"], "wrong-binary");
    assert_eq!(finding["platforms"], serde_json::json!(["linux/arm64"]));
    assert_eq!(
        finding["span"],
        serde_json::json!({
            "start": {"line": 2, "column": 5, "offset": 27},
            "end": {"line": 2, "column": 21, "offset": 43},
        })
    );
    let fix = &finding["fixes"][0];
    assert_eq!(fix["applicability"], "safe");
    let edit = &fix["edits"][0];
    assert_eq!(keys(edit), ["span", "text"]);
    assert_eq!(
        file["verdicts"],
        serde_json::json!([
            {"platform": "linux/amd64", "verdict": "ok", "emulated_steps": 0},
            {"platform": "linux/arm64", "verdict": "wrong-binary", "emulated_steps": 1},
        ])
    );
}

#[test]
fn json_columns_count_characters_and_offsets_bytes() {
    let text = "FROM debian:12\nRUN echo 🦀é && \
                curl -fsSLo /t https://github.com/a/b/releases/download/v1/tool-linux-amd64\n";
    let place = Place::new(&[("Dockerfile", text)]);
    let json = place.run(&["check", "--offline", "--format", "json"]).json();
    let start = &json["files"][0]["findings"][0]["span"]["start"];
    let offset = text.find("amd64").expect("there");
    let line_start = text.find("RUN").expect("there");
    let column = text[line_start..offset].chars().count() + 1;
    assert_eq!(*start, serde_json::json!({"line": 2, "column": column, "offset": offset}));
}

#[test]
fn exit_status_follows_fail_on() {
    let place = Place::new(&[("Dockerfile", DEFECT), ("clean/Dockerfile", CLEAN)]);
    let code = |args: &[&str]| place.run(&[&["check", "--offline"], args].concat()).code;
    assert_eq!(code(&["clean"]), Some(0));
    assert_eq!(code(&["Dockerfile"]), Some(1));
    assert_eq!(code(&["Dockerfile", "--fail-on", "error"]), Some(1));
    assert_eq!(code(&["Dockerfile", "--fail-on", "never"]), Some(0));
    assert_eq!(code(&["Dockerfile", "--ignore", "platform-arg-default"]), Some(0));
    assert_eq!(code(&["Dockerfile", "--platform", "linux/amd64"]), Some(0));
    assert_eq!(code(&["Dockerfile", "--platforms", "linux/amd64,linux/arm64/v8"]), Some(1));
    assert_eq!(code(&["Dockerfile", "--format", "json"]), Some(1));
    assert_eq!(code(&["nowhere"]), Some(2));
    assert_eq!(code(&["Dockerfile", "nowhere", "--format", "json"]), Some(2));
}

#[test]
fn arguments_that_make_no_sense_are_refused_with_a_way_out() {
    let place = Place::new(&[("Dockerfile", CLEAN)]);
    let refused = |args: &[&str], says: &[&str]| {
        let run = place.run(args);
        assert_eq!(run.code, Some(2), "{run:?}");
        for text in says {
            assert!(run.err.contains(text), "{text}: {}", run.err);
        }
        assert_eq!(run.out, "");
    };
    refused(&["check", "--platforms", "linux/"], &["'linux/' is no platform", "linux/arm64"]);
    refused(
        &["check", "--ignore", "platform-arg-defaults"],
        &["did you mean", "platform-arg-default'"],
    );
    refused(&["check", "--format", "yaml"], &["yaml", "text", "json"]);
    refused(&["check", "--build-arg", "=x"], &["NAME=VALUE"]);
    refused(&["chekc"], &["chekc", "check"]);
    refused(&["explain", "hardcoded-arch-urls"], &["did you mean", "hardcoded-arch-url"]);
}

#[test]
fn several_files_are_reported_in_order_and_those_that_are_right_only_counted() {
    let place =
        Place::new(&[("b/Dockerfile", DEFECT), ("a/Dockerfile", CLEAN), ("c/Dockerfile", CLEAN)]);
    let run = place.run(&["check", "--offline", "--platforms", "linux/amd64,linux/arm64"]);
    assert_eq!(run.code, Some(1), "{run:?}");
    assert!(run.out.contains("--> b/Dockerfile:2:5"), "{}", run.out);
    assert!(
        run.out.ends_with("1 error in 1 of 3 files; 1 fixable with `mlint fix`\n"),
        "{}",
        run.out
    );
    let json = place.run(&["check", "--offline", "--format", "json"]).json();
    let paths: Vec<&str> = json["files"]
        .as_array()
        .expect("files")
        .iter()
        .filter_map(|f| f["path"].as_str())
        .collect();
    assert_eq!(paths, ["a/Dockerfile", "b/Dockerfile", "c/Dockerfile"]);
}

#[test]
fn fix_while_checking_reports_what_is_left() {
    let text = format!("{DEFECT}BOGUS instruction\n");
    let place = Place::new(&[("Dockerfile", &text), ("other/Dockerfile", DEFECT)]);
    let run = place.run(&["check", "--offline", "--fix", "other"]);
    assert_eq!((run.code, place.read("other/Dockerfile")), (Some(0), DEFECT.replace("=amd64", "")));
    assert!(run.err.contains("other/Dockerfile: 1 finding fixed"), "{}", run.err);
    assert!(!run.out.contains("platform-arg-default"), "{}", run.out);
    let left = place.run(&["check", "--offline", "--fix", "Dockerfile"]);
    assert_eq!(left.code, Some(1), "{left:?}");
    assert!(left.out.contains("syntax-error"), "{}", left.out);
}

#[test]
fn a_silent_registry_is_said_once_and_is_no_error() {
    // Nothing listens at port 1.
    let text = "FROM 127.0.0.1:1/team/app:1\nRUN true\n";
    let place = Place::new(&[("a/Dockerfile", text), ("b/Dockerfile", text)]);
    let run = place.run(&["check"]);
    assert_eq!(run.code, Some(0), "{run:?}");
    assert_eq!(run.err.lines().count(), 1, "{}", run.err);
    assert!(run.err.starts_with("note: the platforms of 127.0.0.1:1/team/app:1"), "{}", run.err);
}

#[test]
fn the_projects_own_dockerfile_is_clean() {
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/Dockerfile"));
    let place = Place::new(&[("Dockerfile", &text.expect("the project's Dockerfile"))]);
    let run =
        place.run(&["check", "--offline", "--platforms=linux/amd64,linux/arm64", "Dockerfile"]);
    assert_eq!(run.code, Some(0), "{}{}", run.out, run.err);
    assert!(run.out.contains("no findings"), "{}", run.out);
}

//! `mlint lsp` through the real binary.

mod client;

use serde_json::{Value, json};

use client::{Client, apply, offset};

const DEFECT: &str = "FROM debian:12 AS base\nARG TARGETARCH=amd64\n\
     RUN apt-get update && echo \"$TARGETARCH\" > /arch\n";

fn rules(findings: &[Value]) -> Vec<&str> {
    findings.iter().map(|f| f["code"].as_str().expect("a code")).collect()
}

fn uri(dir: &tempfile::TempDir, name: &str) -> String {
    format!("file://{}", dir.path().join(name).display())
}

fn directory() -> tempfile::TempDir {
    tempfile::tempdir().expect("a directory")
}

#[test]
fn findings_follow_as_one_types() {
    let dir = directory();
    let uri = uri(&dir, "Dockerfile");
    let (mut client, can) = Client::start(dir.path(), json!({}));
    assert_eq!(can["positionEncoding"], "utf-16");
    client.open(&uri, "FROM debian:12\n\nRUN echo \"$TARGETARCH\" > /arch\n");
    let found = client.findings(&uri, 1);
    assert_eq!(rules(&found), ["undeclared-platform-arg"]);
    let typed = "ARG TARGETARCH=amd64";
    for (at, c) in typed.chars().enumerate() {
        let place = json!({ "line": 1, "character": at });
        let range = json!({ "start": place, "end": place });
        client.change(&uri, 2 + at as i64, json!([{ "range": range, "text": c.to_string() }]));
    }
    let last = 1 + typed.len() as i64;
    let found = client.findings(&uri, last);
    assert_eq!(rules(&found), ["platform-arg-default"]);
    assert_eq!(found[0]["severity"], 1);
    assert_eq!(found[0]["source"], "mlint");
    assert_eq!(
        found[0]["range"],
        json!({ "start": { "line": 1, "character": 4 }, "end": { "line": 1, "character": 20 } })
    );
    client.change(&uri, last + 1, json!([{ "text": "FROM debian:12\n" }]));
    assert_eq!(client.findings(&uri, last + 1), Vec::<Value>::new());
    client.notify("textDocument/didClose", json!({ "textDocument": { "uri": uri } }));
    client.goodbye();
}

#[test]
fn a_file_for_one_platform_is_taken_for_that() {
    let dir = directory();
    let text = "FROM debian:12\nADD https://example.org/tool-linux-amd64 /tool\n";
    for (name, count) in [("Dockerfile.amd64", 0), ("Dockerfile.arm64", 1), ("Dockerfile.x", 1)] {
        let uri = uri(&dir, name);
        let (mut client, _) = Client::start(dir.path(), json!({}));
        client.open(&uri, text);
        assert_eq!(client.findings(&uri, 1).len(), count, "{name}");
        client.goodbye();
    }
}

#[test]
fn a_burst_of_changes_ends_with_the_findings_of_the_last() {
    let dir = directory();
    let uri = uri(&dir, "Dockerfile");
    let (mut client, _) = Client::start(dir.path(), json!({}));
    client.open(&uri, DEFECT);
    for version in 2..=200 {
        let text = if version % 2 == 0 { "FROM debian:12\n" } else { DEFECT };
        client.change(&uri, version, json!([{ "text": text }]));
    }
    client.change(&uri, 201, json!([{ "text": "FROM debian:12\n" }]));
    assert_eq!(client.findings(&uri, 201), Vec::<Value>::new());
    client.goodbye();
}

#[test]
fn the_quick_fix_repairs_the_file_whatever_stands_before_it() {
    let dir = directory();
    let uri = uri(&dir, "a%20b/Dockerfile");
    for before in ["", "# 🦀 grüße é\r\n", "\u{feff}"] {
        let text = format!("{before}{}", DEFECT.replace('\n', "\r\n"));
        let (mut client, _) = Client::start(dir.path(), json!({}));
        client.open(&uri, &text);
        let found = client.findings(&uri, 1);
        assert_eq!(rules(&found), ["platform-arg-default"]);
        let range = &found[0]["range"];
        let marked = &text[offset(&text, &range["start"])..offset(&text, &range["end"])];
        assert_eq!(marked, "TARGETARCH=amd64");
        let actions = client.actions(&uri, range, Value::Null);
        let quick: Vec<&Value> = actions.iter().filter(|a| a["kind"] == "quickfix").collect();
        assert_eq!(quick.len(), 1, "{actions:?}");
        assert_eq!(quick[0]["isPreferred"], true);
        assert_eq!(quick[0]["diagnostics"][0]["code"], "platform-arg-default");
        let fixed = apply(&text, quick[0]);
        assert_eq!(fixed, text.replace("=amd64", ""));
        client.change(&uri, 2, json!([{ "text": fixed }]));
        assert_eq!(client.findings(&uri, 2), Vec::<Value>::new());
        client.goodbye();
    }
}

#[test]
fn positions_are_bytes_if_the_client_offers_that() {
    let dir = directory();
    let uri = uri(&dir, "Dockerfile");
    let line =
        "RUN echo 🦀é && curl -fsSLo /t https://github.com/a/b/releases/download/v1/t-linux-amd64";
    let text = format!("FROM debian:12\n{line}\n");
    let at = line.find("amd64").expect("there");
    let units = line[..at].encode_utf16().count();
    for (offered, expected) in [(json!(["utf-8", "utf-16"]), at), (json!(["utf-16"]), units)] {
        let capabilities = json!({ "general": { "positionEncodings": offered } });
        let (mut client, can) = Client::start(dir.path(), capabilities);
        assert_eq!(can["positionEncoding"], offered[0]);
        client.open(&uri, &text);
        let found = client.findings(&uri, 1);
        assert_eq!(found[0]["range"]["start"], json!({ "line": 1, "character": expected }));
        client.goodbye();
    }
}

#[test]
fn fix_all_does_what_the_command_does() {
    let dir = directory();
    let path = dir.path().join("Dockerfile");
    let uri = uri(&dir, "Dockerfile");
    let text = "FROM debian:12 AS a\nARG TARGETARCH=amd64\nRUN echo \"$TARGETARCH\" > /a\n\
                FROM debian:12\nARG TARGETARCH=amd64\nRUN echo \"$TARGETARCH\" > /b\n\
                COPY --from=a /a /a\n";
    std::fs::write(&path, text).expect("a file");
    let (mut client, can) = Client::start(dir.path(), json!({}));
    let kinds = can["codeActionProvider"]["codeActionKinds"].as_array().expect("kinds");
    assert!(kinds.contains(&json!("source.fixAll.mlint")), "{kinds:?}");
    client.open(&uri, text);
    client.findings(&uri, 1);
    let whole = json!({
        "start": { "line": 0, "character": 0 }, "end": { "line": 7, "character": 0 },
    });
    let actions = client.actions(&uri, &whole, json!(["source.fixAll"]));
    assert_eq!(actions.len(), 1, "{actions:?}");
    let fixed = apply(text, &actions[0]);
    client.goodbye();
    let status = std::process::Command::new(env!("CARGO_BIN_EXE_mlint"))
        .args(["fix", "--offline", "Dockerfile"])
        .current_dir(dir.path())
        .stderr(std::process::Stdio::null())
        .status();
    assert!(status.is_ok_and(|s| s.success()));
    assert_ne!(fixed, text);
    assert_eq!(fixed, std::fs::read_to_string(&path).expect("a file"));
}

#[test]
fn the_nearest_configuration_holds_and_is_read_again() {
    let dir = directory();
    let uri = uri(&dir, "deep/Dockerfile");
    let toml = dir.path().join("mlint.toml");
    std::fs::write(&toml, "ignore = [\"platform-arg-default\"]\n").expect("a file");
    let (mut client, _) = Client::start(dir.path(), json!({}));
    client.open(&uri, DEFECT);
    assert_eq!(client.findings(&uri, 1), Vec::<Value>::new());
    std::fs::write(&toml, "[rules]\nplatform-arg-default = \"note\"\n").expect("a file");
    client.notify("workspace/didChangeWatchedFiles", json!({ "changes": [] }));
    let found = client.findings_after_refresh(&uri, 1, |found| !found.is_empty());
    assert_eq!(rules(&found), ["platform-arg-default"]);
    assert_eq!(found[0]["severity"], 4);
    std::fs::write(&toml, "ingore = []\n").expect("a file");
    client.notify("workspace/didChangeWatchedFiles", json!({ "changes": [] }));
    let shown = client.wait(|message| message["method"] == "window/showMessage");
    let text = shown["params"]["message"].as_str().expect("a text");
    assert!(text.contains("mlint.toml:1:1") && text.contains("did you mean 'ignore'?"), "{text}");
    client.goodbye();
}

#[test]
fn what_is_malformed_is_answered_and_the_rest_goes_on() {
    let dir = directory();
    let uri = uri(&dir, "Dockerfile");
    let (mut client, _) = Client::start(dir.path(), json!({}));
    client.send_raw("{ this is no JSON");
    let answer = client.wait(|message| message["error"].is_object());
    assert_eq!((&answer["id"], &answer["error"]["code"]), (&Value::Null, &json!(-32700)));
    client.send_raw("[1, 2, 3]");
    client.wait(|message| message["error"]["code"] == -32700);
    let answer = client.request("textDocument/codeAction", json!({ "range": 7 }));
    assert_eq!(answer["error"]["code"], -32602, "{answer}");
    let answer = client.request("textDocument/nonsense", json!({}));
    assert_eq!(answer["error"]["code"], -32601, "{answer}");
    client.notify("textDocument/didOpen", json!({ "textDocument": 7 }));
    client.notify("textDocument/nonsense", json!({}));
    client.change("file:///never/opened", 9, json!([{ "text": "FROM x" }]));
    client.open(&uri, DEFECT);
    assert_eq!(rules(&client.findings(&uri, 1)), ["platform-arg-default"]);
    let far = json!({ "line": 4_000_000_000_u32, "character": 4_000_000_000_u32 });
    client.change(&uri, 2, json!([{ "range": { "start": far, "end": far }, "text": "\nBOGUS" }]));
    assert!(rules(&client.findings(&uri, 2)).contains(&"syntax-error"));
    client.goodbye();
}

#[test]
fn the_exit_status_tells_whether_the_client_said_goodbye() {
    let dir = directory();
    let (mut client, _) = Client::start(dir.path(), json!({}));
    client.notify("exit", Value::Null);
    assert_eq!(client.end().0, Some(1), "exit without shutdown");
    let (client, _) = Client::start(dir.path(), json!({}));
    assert_eq!(client.end().0, Some(1), "the stream ends");
    assert_eq!(Client::start_silently(dir.path()).end().0, Some(1), "before a word is said");
    let mut client = Client::start_silently(dir.path());
    client.send_bytes(b"this is not the protocol\n\n");
    let (code, err) = client.end();
    assert_eq!(code, Some(1));
    assert!(err.starts_with("error: ") && !err.contains("panicked"), "{err}");
    let (mut client, _) = Client::start(dir.path(), json!({}));
    client.request("shutdown", Value::Null);
    let answer = client.request("textDocument/codeAction", json!({}));
    assert_eq!(answer["error"]["code"], -32600, "{answer}");
    client.notify("exit", Value::Null);
    assert_eq!(client.end().0, Some(0));
}

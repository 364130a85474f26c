//! A scripted client talks to the server over channels.

use std::{path::Path, thread, time::Duration};

use lsp_server::{Connection, Message, Notification, Request};
use mlint_lint::CheckOptions;
use mlint_lsp::{Host, Queries, ServerError};
use mlint_model::{
    ContextEntry, ContextFile, ContextPath, Fact, FactSource, ImageFacts, ImageInfo,
};
use mlint_oci::Platform;
use serde_json::{Value, json};

const URI: &str = "file:///w/Dockerfile";

/// Knows nothing at hand; a "registry" tells later that every image is for amd64 only.
struct SlowRegistry;

impl Host for SlowRegistry {
    fn options(&self, _: Option<&Path>) -> Result<CheckOptions, String> {
        Ok(CheckOptions::default())
    }
    fn facts_at_hand(&self, _: &Queries) -> ImageFacts {
        ImageFacts::default()
    }
    fn facts(&self, queries: &Queries) -> ImageFacts {
        ImageFacts::new(queries.images.iter().map(|q| {
            let info = ImageInfo {
                platforms: vec![Platform::linux("amd64")],
                is_index: true,
                source: FactSource::Registry,
            };
            (q.clone(), Fact::Known(info))
        }))
    }
    /// The context holds one script, which fails on arm64.
    fn look(
        &self,
        _: Option<&Path>,
        _: &mlint_syntax::Dockerfile,
        options: &mut CheckOptions,
        _: &ImageFacts,
    ) {
        let text = "[ \"$(uname -m)\" = x86_64 ] || exit 1\n";
        let script = ContextFile { text: Some(text.into()), ..ContextFile::default() };
        let entry = Fact::Known(ContextEntry::File(script));
        options.context = options.context.with([(ContextPath::main("a.sh"), entry)]);
    }
}

struct Client {
    connection: Connection,
    server: thread::JoinHandle<Result<(), ServerError>>,
    requests: i32,
}

impl Client {
    fn start(capabilities: Value) -> (Self, Value) {
        let (ours, theirs) = Connection::memory();
        let server = thread::spawn(move || mlint_lsp::run(&theirs, Box::new(SlowRegistry)));
        let mut client = Self { connection: ours, server, requests: 0 };
        let result = client.request("initialize", json!({ "capabilities": capabilities }));
        client.notify("initialized", json!({}));
        (client, result)
    }

    fn notify(&self, method: &str, params: Value) {
        self.connection.sender.send(Notification::new(method.into(), params).into()).unwrap();
    }

    fn next(&self) -> Message {
        self.connection.receiver.recv_timeout(Duration::from_secs(20)).expect("a message")
    }

    fn request(&mut self, method: &str, params: Value) -> Value {
        self.requests += 1;
        let request = Request::new(self.requests.into(), method.into(), params);
        self.connection.sender.send(request.into()).unwrap();
        loop {
            if let Message::Response(r) = self.next() {
                assert_eq!(r.id, self.requests.into());
                return r.result.unwrap_or_else(|| json!({ "error": r.error.unwrap().message }));
            }
        }
    }

    /// Waits for the findings of a version that satisfy `wanted`: facts may come in between.
    fn findings(&self, version: i64, wanted: impl Fn(&[Value]) -> bool) -> Vec<Value> {
        loop {
            if let Message::Notification(n) = self.next() {
                assert_eq!(n.method, "textDocument/publishDiagnostics");
                let found = n.params["diagnostics"].as_array().unwrap();
                if n.params["version"] == version && wanted(found) {
                    return found.clone();
                }
            }
        }
    }

    fn open(&self, text: &str) {
        let document =
            json!({ "uri": URI, "languageId": "dockerfile", "version": 1, "text": text });
        self.notify("textDocument/didOpen", json!({ "textDocument": document }));
    }

    fn change(&self, version: i64, changes: Value) {
        let document = json!({ "uri": URI, "version": version });
        self.notify(
            "textDocument/didChange",
            json!({ "textDocument": document, "contentChanges": changes }),
        );
    }

    fn actions(&mut self, line: u32, only: Option<&str>) -> Vec<Value> {
        let place = json!({ "line": line, "character": 8 });
        let mut context = json!({ "diagnostics": [] });
        if let Some(only) = only {
            context["only"] = json!([only]);
        }
        let params = json!({
            "textDocument": { "uri": URI },
            "range": { "start": place, "end": place },
            "context": context,
        });
        self.request("textDocument/codeAction", params).as_array().unwrap().clone()
    }

    fn goodbye(mut self) {
        assert_eq!(self.request("shutdown", Value::Null), Value::Null);
        self.notify("exit", Value::Null);
        self.server.join().unwrap().unwrap();
    }
}

fn codes(findings: &[Value]) -> Vec<&str> {
    findings.iter().map(|f| f["code"].as_str().unwrap()).collect()
}

#[test]
fn findings_follow_the_text() {
    let (client, capabilities) = Client::start(json!({}));
    assert_eq!(capabilities["capabilities"]["positionEncoding"], "utf-16");
    client.open("FROM scratch\n# 🚀\nCOPYY a b\n");
    let found = client.findings(1, |f| !f.is_empty());
    assert_eq!(codes(&found), ["syntax-error"]);
    assert_eq!(found[0]["range"]["start"], json!({ "line": 2, "character": 0 }));
    // One Y goes; the rocket before it stands for two units.
    let range =
        json!({ "start": { "line": 2, "character": 4 }, "end": { "line": 2, "character": 5 } });
    let rocket =
        json!({ "start": { "line": 1, "character": 2 }, "end": { "line": 1, "character": 4 } });
    client.change(2, json!([{ "range": range, "text": "" }, { "range": rocket, "text": "é" }]));
    assert!(client.findings(2, |_| true).is_empty());
    client.notify("textDocument/didClose", json!({ "textDocument": { "uri": URI } }));
    client.goodbye();
}

#[test]
fn quick_fixes_and_fix_all_repair_the_file() {
    let text = "FROM debian:12\nARG TARGETARCH=amd64\nRUN echo $TARGETARCH\n";
    let (mut client, _) = Client::start(json!({
        "general": { "positionEncodings": ["utf-16", "utf-8"] },
        "textDocument": { "publishDiagnostics": { "relatedInformation": true } },
    }));
    client.open(text);
    client.findings(1, |f| codes(f).contains(&"platform-arg-default"));
    let quick = client.actions(1, None);
    let fix = quick.iter().find(|a| a["title"].as_str().unwrap().contains("platform-arg-default"));
    let edit = &fix.expect("a quick fix")["edit"]["changes"][URI][0];
    assert_eq!(fix.unwrap()["kind"], "quickfix");
    client.change(2, json!([{ "range": edit["range"], "text": edit["newText"] }]));
    client.findings(2, |f| !codes(f).contains(&"platform-arg-default"));
    client.change(3, json!([{ "text": text }]));
    client.findings(3, |f| codes(f).contains(&"platform-arg-default"));
    let all = client.actions(0, Some("source.fixAll"));
    assert_eq!(all.len(), 1, "{all:?}");
    assert_eq!(all[0]["kind"], "source.fixAll.mlint");
    client.goodbye();
}

#[test]
fn facts_arrive_later_and_refresh_the_findings() {
    let (client, _) = Client::start(json!({}));
    client.open("FROM example.org/tool:1\n");
    let found = client.findings(1, |f| codes(f).contains(&"base-image-platform"));
    assert!(found.iter().any(|f| f["message"].as_str().unwrap().contains("linux/arm64")));
    client.goodbye();
}

#[test]
fn scripts_of_the_build_context_are_followed() {
    let (client, _) = Client::start(json!({}));
    client.open("FROM x\nCOPY a.sh /\nRUN sh /a.sh\n");
    let found = client.findings(1, |f| codes(f).contains(&"build-stops"));
    let stops = found.iter().find(|f| f["code"] == "build-stops").expect("the finding");
    assert_eq!(stops["range"]["start"]["line"], 2);
    client.goodbye();
}

#[test]
fn what_is_not_ours_and_what_is_broken() {
    let (mut client, _) = Client::start(json!({}));
    client.notify("textDocument/didOpen", json!({ "textDocument": { "nonsense": true } }));
    let Message::Notification(n) = client.next() else { panic!("a notification") };
    assert_eq!(n.method, "window/showMessage");
    let answer = client.request("textDocument/hover", json!({}));
    assert!(answer["error"].as_str().unwrap().contains("textDocument/hover"));
    client.change(5, json!([{ "text": "FROM x" }]));
    assert_eq!(client.actions(0, None), Vec::<Value>::new());
    client.goodbye();
}

#[test]
fn going_away_without_goodbye_is_an_error() {
    let (client, _) = Client::start(json!({}));
    client.notify("exit", Value::Null);
    assert!(matches!(client.server.join().unwrap(), Err(ServerError::Gone)));
}

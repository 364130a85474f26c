//! A client that speaks to the real binary over its standard streams.

use std::{
    io::{BufRead, BufReader, Read, Write},
    path::Path,
    process::{Child, ChildStdin, Command, Stdio},
    sync::mpsc::{Receiver, channel},
    time::{Duration, Instant},
};

use serde_json::{Value, json};

/// Longer than any answer takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// An editor, as far as a server can tell.
pub struct Client {
    child: Child,
    stdin: Option<ChildStdin>,
    incoming: Receiver<Value>,
    requests: i64,
}

impl Client {
    /// Starts the server, in a directory, and shakes hands. The second value is what it can do.
    pub fn start(dir: &Path, capabilities: Value) -> (Self, Value) {
        let mut client = Self::start_silently(dir);
        let result = client.request("initialize", json!({ "capabilities": capabilities }));
        client.notify("initialized", json!({}));
        (client, result["result"]["capabilities"].clone())
    }

    /// Starts the server and says nothing.
    pub fn start_silently(dir: &Path) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_mlint"))
            .args(["lsp", "--stdio", "--offline"])
            .current_dir(dir)
            .env("MLINT_CACHE_DIR", dir.join(".cache"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("mlint runs");
        let mut stdout = BufReader::new(child.stdout.take().expect("a pipe"));
        let (sender, incoming) = channel();
        std::thread::spawn(move || {
            while let Some(message) = read(&mut stdout) {
                if sender.send(message).is_err() {
                    return;
                }
            }
        });
        let stdin = child.stdin.take();
        Self { child, stdin, incoming, requests: 0 }
    }

    /// Sends a body, whatever it is, in a right frame.
    pub fn send_raw(&mut self, body: &str) {
        self.send_bytes(format!("Content-Length: {}\r\n\r\n{body}", body.len()).as_bytes());
    }

    /// Sends bytes without a frame.
    pub fn send_bytes(&mut self, bytes: &[u8]) {
        let stdin = self.stdin.as_mut().expect("open");
        stdin.write_all(bytes).and_then(|()| stdin.flush()).expect("the server reads");
    }

    /// Tells something.
    pub fn notify(&mut self, method: &str, params: Value) {
        let message = json!({ "jsonrpc": "2.0", "method": method, "params": params });
        self.send_raw(&message.to_string());
    }

    /// Asks something; the whole answer.
    pub fn request(&mut self, method: &str, params: Value) -> Value {
        self.requests += 1;
        let id = self.requests;
        let message = json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params });
        self.send_raw(&message.to_string());
        self.wait(|message| message["id"] == id)
    }

    /// The next message that is meant; others are dropped.
    pub fn wait(&mut self, meant: impl Fn(&Value) -> bool) -> Value {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let message = self.incoming.recv_timeout(left).expect("a message in time");
            if meant(&message) {
                return message;
            }
        }
    }

    /// The findings of one version of a document.
    pub fn findings(&mut self, uri: &str, version: i64) -> Vec<Value> {
        self.findings_after_refresh(uri, version, |_| true)
    }

    /// The findings of one version of a document, once they are as they should be: settings and
    /// facts about images refresh them.
    pub fn findings_after_refresh(
        &mut self,
        uri: &str,
        version: i64,
        wanted: impl Fn(&[Value]) -> bool,
    ) -> Vec<Value> {
        let message = self.wait(|message| {
            message["method"] == "textDocument/publishDiagnostics"
                && message["params"]["uri"] == uri
                && message["params"]["version"] == version
                && message["params"]["diagnostics"].as_array().is_some_and(|found| wanted(found))
        });
        message["params"]["diagnostics"].as_array().expect("a list").clone()
    }

    /// Opens a document.
    pub fn open(&mut self, uri: &str, text: &str) {
        let document =
            json!({ "uri": uri, "languageId": "dockerfile", "version": 1, "text": text });
        self.notify("textDocument/didOpen", json!({ "textDocument": document }));
    }

    /// Changes a document.
    pub fn change(&mut self, uri: &str, version: i64, changes: Value) {
        let document = json!({ "uri": uri, "version": version });
        self.notify(
            "textDocument/didChange",
            json!({ "textDocument": document, "contentChanges": changes }),
        );
    }

    /// The code actions for a range.
    pub fn actions(&mut self, uri: &str, range: &Value, only: Value) -> Vec<Value> {
        let mut context = json!({ "diagnostics": [] });
        if !only.is_null() {
            context["only"] = only;
        }
        let params = json!({ "textDocument": { "uri": uri }, "range": range, "context": context });
        let answer = self.request("textDocument/codeAction", params);
        answer["result"].as_array().unwrap_or_else(|| panic!("no list: {answer}")).clone()
    }

    /// Closes the connection; the exit status and what was said on standard error.
    pub fn end(mut self) -> (Option<i32>, String) {
        drop(self.stdin.take());
        let deadline = Instant::now() + PATIENCE;
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("a child") {
                break status;
            }
            if Instant::now() > deadline {
                let _ = self.child.kill();
                panic!("the server does not end");
            }
            std::thread::sleep(Duration::from_millis(5));
        };
        let mut err = String::new();
        let stderr = self.child.stderr.take();
        stderr.expect("a pipe").read_to_string(&mut err).expect("UTF-8");
        (status.code(), err)
    }

    /// `shutdown`, `exit`, the end.
    pub fn goodbye(mut self) {
        let answer = self.request("shutdown", Value::Null);
        assert_eq!(answer["result"], Value::Null, "{answer}");
        assert_eq!(answer["error"], Value::Null, "{answer}");
        self.notify("exit", Value::Null);
        assert_eq!(self.end(), (Some(0), String::new()));
    }
}

fn read(stdout: &mut impl BufRead) -> Option<Value> {
    let mut length = None;
    loop {
        let mut line = String::new();
        if stdout.read_line(&mut line).ok()? == 0 {
            return None;
        }
        match line.trim_end().split_once(": ") {
            Some(("Content-Length", value)) => length = value.parse().ok(),
            Some(_) => {}
            None => break,
        }
    }
    let mut body = vec![0; length.expect("a length")];
    stdout.read_exact(&mut body).ok()?;
    Some(serde_json::from_slice(&body).expect("the server sends JSON"))
}

/// Applies the edits of a code action to a text whose positions count UTF-16 units.
pub fn apply(text: &str, action: &Value) -> String {
    let changes = action["edit"]["changes"].as_object().expect("changes");
    let edits = changes.values().next().expect("a document").as_array().expect("edits");
    let mut placed: Vec<(usize, usize, &str)> = edits
        .iter()
        .map(|edit| {
            let range = &edit["range"];
            let new = edit["newText"].as_str().expect("a text");
            (offset(text, &range["start"]), offset(text, &range["end"]), new)
        })
        .collect();
    placed.sort_by_key(|(start, ..)| *start);
    let mut out = text.to_owned();
    for (start, end, new) in placed.into_iter().rev() {
        out.replace_range(start..end, new);
    }
    out
}

/// The byte of a position in UTF-16 units.
pub fn offset(text: &str, position: &Value) -> usize {
    let line = position["line"].as_u64().expect("a line") as usize;
    let character = position["character"].as_u64().expect("a character") as usize;
    let start: usize = text.split_inclusive('\n').take(line).map(str::len).sum();
    let mut units = 0;
    for (at, c) in text[start..].char_indices() {
        if units == character {
            return start + at;
        }
        assert!(c != '\n' && units < character, "no such position: {position}");
        units += c.len_utf16();
    }
    assert_eq!(units, character, "no such position: {position}");
    text.len()
}

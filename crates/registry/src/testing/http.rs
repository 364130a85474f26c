//! As much of HTTP/1.1 as a test's client speaks.

use std::{
    collections::BTreeMap,
    io::{self, BufRead, BufReader, Read, Write},
    net::TcpStream,
};

/// Enough for any test.
const MAX_BODY: u64 = 256 * 1024 * 1024;

/// A request, its body not yet read.
pub(super) struct Request {
    pub method: String,
    pub path: String,
    pub query: BTreeMap<String, Vec<String>>,
    pub headers: BTreeMap<String, String>,
}

/// An answer.
pub(super) struct Response {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: Vec<u8>,
}

impl Response {
    pub fn new(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Vec::new() }
    }

    pub fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// An error in the registry protocol's shape.
    pub fn error(status: u16, code: &str, message: &str) -> Self {
        let body = format!(r#"{{"errors":[{{"code":"{code}","message":"{message}"}}]}}"#);
        Self::new(status).header("Content-Type", "application/json").body(body)
    }
}

/// Reads a request's head; nothing at the end of the connection.
pub(super) fn read_head(reader: &mut BufReader<TcpStream>) -> io::Result<Option<Request>> {
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let mut words = line.split_whitespace();
    let (Some(method), Some(target)) = (words.next(), words.next()) else {
        return Err(io::ErrorKind::InvalidData.into());
    };
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let (method, path, query) = (method.to_owned(), path.to_owned(), parse_form(query));
    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let line = line.trim_end();
        if line.is_empty() {
            break;
        }
        if let Some((name, value)) = line.split_once(':') {
            headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
        }
    }
    Ok(Some(Request { method, path, query, headers }))
}

impl Request {
    pub fn query(&self, name: &str) -> Option<&str> {
        self.query.get(name)?.first().map(String::as_str)
    }

    /// Reads the body, or the first bytes of it and no more.
    pub fn read_body(
        &self,
        reader: &mut BufReader<TcpStream>,
        at_most: Option<usize>,
    ) -> io::Result<Vec<u8>> {
        let chunked = self.headers.get("transfer-encoding").is_some_and(|v| v == "chunked");
        let mut body = Vec::new();
        if chunked {
            while at_most.is_none_or(|n| body.len() < n) && read_chunk(reader, &mut body)? {}
        } else {
            let len = self.headers.get("content-length").and_then(|n| n.parse().ok()).unwrap_or(0);
            let len = at_most.map_or(len, |n| len.min(n as u64)).min(MAX_BODY);
            reader.take(len).read_to_end(&mut body)?;
        }
        if let Some(n) = at_most {
            body.truncate(n);
        }
        Ok(body)
    }
}

/// One chunk; false after the last.
fn read_chunk(reader: &mut BufReader<TcpStream>, body: &mut Vec<u8>) -> io::Result<bool> {
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let len = u64::from_str_radix(line.trim(), 16).map_err(|_| io::ErrorKind::InvalidData)?;
    reader.take(len.min(MAX_BODY)).read_to_end(body)?;
    let mut end = String::new();
    reader.read_line(&mut end)?;
    Ok(len > 0)
}

/// Writes an answer; of its body only so much, if `cut` says so.
pub(super) fn write(
    stream: &mut TcpStream,
    response: &Response,
    head_only: bool,
    cut: Option<usize>,
) -> io::Result<()> {
    let mut head = format!("HTTP/1.1 {} Status\r\n", response.status);
    for (name, value) in &response.headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    let stated = response.headers.iter().any(|(name, _)| *name == "Content-Length");
    if !stated && response.status != 204 {
        head.push_str(&format!("Content-Length: {}\r\n", response.body.len()));
    }
    head.push_str("\r\n");
    stream.write_all(head.as_bytes())?;
    if !head_only {
        let end = cut.unwrap_or(response.body.len()).min(response.body.len());
        stream.write_all(&response.body[..end])?;
    }
    stream.flush()
}

/// `a=b&c=d`, decoded.
pub(super) fn parse_form(text: &str) -> BTreeMap<String, Vec<String>> {
    let mut out: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for pair in text.split('&').filter(|p| !p.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        out.entry(decode(name)).or_default().push(decode(value));
    }
    out
}

fn decode(text: &str) -> String {
    let mut out = Vec::new();
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'+' => out.push(b' '),
            b'%' => {
                let hex: Vec<u8> = bytes.by_ref().take(2).collect();
                let digits = std::str::from_utf8(&hex).unwrap_or_default();
                out.push(u8::from_str_radix(digits, 16).unwrap_or(b'?'));
            }
            other => out.push(other),
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

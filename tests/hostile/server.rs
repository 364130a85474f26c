//! A server that says what it is told to say.

use std::{
    collections::HashMap,
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex},
};

use mlint_oci::Digest;
use serde_json::{Value, json};

/// An answer.
#[derive(Clone, Default)]
pub struct Reply {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    /// The body is said again and again, without end.
    pub endless: bool,
}

impl Reply {
    pub fn new(kind: &str, body: impl Into<Vec<u8>>) -> Self {
        let body = body.into();
        Self { status: 200, body, ..Self::default() }.with("Content-Type", kind)
    }

    pub fn status(status: u16) -> Self {
        Self { status, ..Self::default() }
    }

    pub fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }
}

type Routes = HashMap<String, Vec<Reply>>;

/// A server; its threads end with the process.
pub struct Server {
    address: SocketAddr,
    routes: Arc<Mutex<Routes>>,
    log: Arc<Mutex<Vec<String>>>,
}

impl Server {
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let routes = Arc::new(Mutex::new(Routes::new()));
        let log = Arc::new(Mutex::new(Vec::new()));
        let (for_threads, log_too) = (routes.clone(), log.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (routes, log) = (for_threads.clone(), log_too.clone());
                // A connection that breaks is often what a test wants.
                std::thread::spawn(move || drop(connection(stream, &routes, &log)));
            }
        });
        Self { address, routes, log }
    }

    /// `127.0.0.1:PORT`.
    pub fn host(&self) -> String {
        self.address.to_string()
    }

    /// What is said to a request; of several for the same the last stays.
    pub fn put(&self, request: &str, reply: Reply) -> &Self {
        self.routes.lock().unwrap().entry(request.to_owned()).or_default().push(reply);
        self
    }

    /// All requests, each with its Authorization header.
    pub fn asked(&self) -> Vec<String> {
        self.log.lock().unwrap().clone()
    }

    /// Puts a blob into the repository `x`; gives its descriptor.
    pub fn blob(&self, kind: &str, bytes: &[u8]) -> Value {
        let digest = Digest::sha256(bytes);
        self.put(&format!("GET /v2/x/blobs/{digest}"), Reply::new(kind, bytes));
        json!({ "mediaType": kind, "digest": digest.to_string(), "size": bytes.len() })
    }

    /// Puts a manifest there, under its digest and the tag `1`; gives its descriptor.
    pub fn manifest(&self, document: &Value) -> Value {
        let bytes = document.to_string().into_bytes();
        let kind = document["mediaType"].as_str().unwrap_or("application/json").to_owned();
        let digest = Digest::sha256(&bytes);
        for target in ["1", digest.as_str()] {
            let path = format!("GET /v2/x/manifests/{target}");
            self.routes.lock().unwrap().remove(&path);
            self.put(&path, Reply::new(&kind, bytes.clone()));
        }
        json!({ "mediaType": kind, "digest": digest.to_string(), "size": bytes.len() })
    }
}

fn connection(
    stream: TcpStream,
    routes: &Mutex<Routes>,
    log: &Mutex<Vec<String>>,
) -> std::io::Result<()> {
    let mut writer = stream.try_clone()?;
    let mut reader = BufReader::new(stream);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Ok(());
        }
        let mut words = line.split_whitespace();
        let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let path = path.split('?').next().unwrap_or_default();
        let (mut length, mut shown) = (0, String::new());
        loop {
            let mut header = String::new();
            reader.read_line(&mut header)?;
            let lower = header.to_ascii_lowercase();
            if header.trim().is_empty() {
                break;
            }
            if let Some(value) = lower.strip_prefix("content-length:") {
                length = value.trim().parse().unwrap_or(0);
            }
            if lower.starts_with("authorization:") {
                shown = header["authorization:".len()..].trim().to_owned();
            }
        }
        std::io::copy(&mut (&mut reader).take(length), &mut std::io::sink())?;
        let request = format!("{method} {path}");
        log.lock().unwrap().push(format!("{request} {shown}").trim_end().to_owned());
        let reply = {
            let mut routes = routes.lock().unwrap();
            match routes.get_mut(&request) {
                Some(replies) if replies.len() > 1 => replies.remove(0),
                Some(replies) => replies[0].clone(),
                None if request == "GET /v2/" => Reply::status(200),
                None => Reply::status(404),
            }
        };
        answer(&mut writer, &reply)?;
    }
}

fn answer(writer: &mut TcpStream, reply: &Reply) -> std::io::Result<()> {
    let mut head = format!("HTTP/1.1 {} Said\r\n", reply.status);
    for (name, value) in &reply.headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    let said = reply.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    if !said && !reply.endless {
        head.push_str(&format!("Content-Length: {}\r\n", reply.body.len()));
    }
    writer.write_all(format!("{head}\r\n").as_bytes())?;
    writer.write_all(&reply.body)?;
    if reply.endless {
        loop {
            writer.write_all(&reply.body)?;
        }
    }
    if said {
        // It may have promised more than it has.
        writer.shutdown(std::net::Shutdown::Both)?;
    }
    Ok(())
}

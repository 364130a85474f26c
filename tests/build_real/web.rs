//! A web server on a loopback port that serves a directory, says marks and times, and remembers what
//! it was asked.

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

/// The server; its thread ends with the process.
pub struct Web {
    address: String,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Web {
    /// Serves a directory. The files' time is 6 November 1994, 08:49:37.
    pub fn serve(dir: &Path) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (dir, log) = (dir.to_owned(), asked.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (dir, log) = (dir.clone(), log.clone());
                std::thread::spawn(move || answer(stream, &dir, &log));
            }
        });
        Self { address, asked }
    }

    /// An address on it.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}/{path}", self.address)
    }

    /// What it was asked since the last time: method, path, login, status.
    pub fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.asked.lock().unwrap())
    }
}

fn answer(stream: TcpStream, dir: &Path, log: &Mutex<Vec<String>>) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let mut stream = stream;
    loop {
        let mut first = String::new();
        if reader.read_line(&mut first).ok()? == 0 {
            return None;
        }
        let (mut mark, mut login) = (String::new(), String::new());
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).ok()?;
            let Some((name, value)) = line.trim().split_once(": ") else { break };
            match name.to_lowercase().as_str() {
                "if-none-match" => mark = value.to_owned(),
                "authorization" => login = format!(" {value}"),
                _ => {}
            }
        }
        let mut words = first.split(' ');
        let (method, path) = (words.next()?, words.next()?);
        let plain = path.split('?').next()?.trim_start_matches('/');
        let file: PathBuf = dir.join(plain.replace("%20", " "));
        let body = fs::read(&file).ok().filter(|_| !plain.contains(".."));
        let own = body
            .as_ref()
            .map(|b| format!("\"{}-{}\"", b.len(), b.iter().map(|b| u64::from(*b)).sum::<u64>()));
        let status = match (&own, &mark) {
            (None, _) => "404 Not Found",
            (Some(own), mark) if own == mark => "304 Not Modified",
            _ => "200 OK",
        };
        log.lock().unwrap().push(format!("{method} {path}{login} {}", &status[..3]));
        let body = body.filter(|_| status.starts_with("200")).unwrap_or_default();
        let own = own.map(|own| format!("ETag: {own}\r\n")).unwrap_or_default();
        let head = format!(
            "HTTP/1.1 {status}\r\nContent-Length: {}\r\n{own}Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT\r\n\r\n",
            body.len()
        );
        stream.write_all(head.as_bytes()).ok()?;
        stream.write_all(&body).ok()?;
    }
}

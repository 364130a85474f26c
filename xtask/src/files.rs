//! A file server on a free loopback port: the "release page" of the demo's and the tests' downloads.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, UNIX_EPOCH};

use crate::{Error, Result};

/// A running file server.
#[derive(Debug)]
pub struct Files {
    address: SocketAddr,
    stopped: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Files {
    /// Serves the files below `dir`.
    pub fn serve(dir: &Path) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").map_err(Error::file("127.0.0.1:0"))?;
        let address = listener.local_addr().map_err(Error::file("127.0.0.1:0"))?;
        let stopped = Arc::new(AtomicBool::new(false));
        let (dir, stop) = (dir.to_owned(), stopped.clone());
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming() {
                if stop.load(Ordering::Relaxed) {
                    return;
                }
                let dir = dir.clone();
                std::thread::spawn(move || stream.and_then(|stream| answer(stream, &dir)));
            }
        });
        Ok(Self { address, stopped, thread: Some(thread) })
    }

    /// `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::Relaxed);
        // Wakes the thread, which waits for the next client.
        let _ = TcpStream::connect(self.address);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn answer(mut stream: TcpStream, dir: &Path) -> std::io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut request = String::new();
    reader.read_line(&mut request)?;
    let mut header = String::new();
    while reader.read_line(&mut header)? > 2 {
        header.clear();
    }
    let mut words = request.split_ascii_whitespace();
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let path = local_path(dir, target);
    let modified = path.as_ref().and_then(|path| std::fs::metadata(path).ok()?.modified().ok());
    let modified = modified.and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    let modified = modified.map(|since| format!("Last-Modified: {}\r\n", date(since.as_secs())));
    let body = path.and_then(|path| std::fs::read(path).ok());
    let (status, body) = match (method, body) {
        ("GET" | "HEAD", Some(body)) => ("200 OK", body),
        ("GET" | "HEAD", None) => ("404 Not Found", b"no such file\n".to_vec()),
        _ => ("405 Method Not Allowed", Vec::new()),
    };
    write!(
        stream,
        "HTTP/1.1 {status}\r\nContent-Type: application/octet-stream\r\n\
         Content-Length: {}\r\n{}Connection: close\r\n\r\n",
        body.len(),
        modified.unwrap_or_default()
    )?;
    if method != "HEAD" {
        stream.write_all(&body)?;
    }
    stream.flush()
}

/// A time as HTTP has it (RFC 9110, section 5.6.7).
fn date(seconds: u64) -> String {
    const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    const MONTHS: [(&str, u64); 12] = [
        ("Jan", 31),
        ("Feb", 28),
        ("Mar", 31),
        ("Apr", 30),
        ("May", 31),
        ("Jun", 30),
        ("Jul", 31),
        ("Aug", 31),
        ("Sep", 30),
        ("Oct", 31),
        ("Nov", 30),
        ("Dec", 31),
    ];
    let (mut days, rest) = (seconds / 86_400, seconds % 86_400);
    let weekday = DAYS[(days % 7) as usize];
    let leap = |year: u64| {
        year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
    };
    let mut year = 1970;
    while days >= 365 + u64::from(leap(year)) {
        days -= 365 + u64::from(leap(year));
        year += 1;
    }
    let mut month = MONTHS[0].0;
    for (name, length) in MONTHS {
        let length = length + u64::from(name == "Feb" && leap(year));
        month = name;
        if days < length {
            break;
        }
        days -= length;
    }
    let (hour, minute, second) = (rest / 3600, rest / 60 % 60, rest % 60);
    format!("{weekday}, {:02} {month} {year} {hour:02}:{minute:02}:{second:02} GMT", days + 1)
}

/// The file below `dir` that a request names; nothing outside of it.
fn local_path(dir: &Path, target: &str) -> Option<PathBuf> {
    let path = target.split(['?', '#']).next()?.trim_start_matches('/').replace("%20", " ");
    let plain = Path::new(&path).components().all(|part| matches!(part, Component::Normal(_)));
    plain.then(|| dir.join(path))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;

    fn get(files: &Files, target: &str) -> String {
        let mut stream = TcpStream::connect(files.address).unwrap();
        write!(stream, "GET {target} HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        text
    }

    #[test]
    fn dates_as_http_has_them() {
        assert_eq!(date(784_111_777), "Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(date(951_782_400), "Tue, 29 Feb 2000 00:00:00 GMT");
        assert_eq!(date(1_735_689_599), "Tue, 31 Dec 2024 23:59:59 GMT");
    }

    #[test]
    fn serves_what_is_below_its_directory_only() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("served")).unwrap();
        std::fs::write(dir.path().join("served/a"), "hello").unwrap();
        std::fs::write(dir.path().join("secret"), "no").unwrap();
        let files = Files::serve(&dir.path().join("served")).unwrap();
        assert!(get(&files, "/a?x=1").ends_with("\r\n\r\nhello"));
        std::fs::write(dir.path().join("served/a b"), "spaced").unwrap();
        assert!(get(&files, "/a%20b").ends_with("\r\n\r\nspaced"));
        assert!(get(&files, "/b").starts_with("HTTP/1.1 404"));
        assert!(get(&files, "/../secret").starts_with("HTTP/1.1 404"));
    }
}

//! Messages over a pair of streams. A message that is no JSON, or no message, is answered and
//! skipped; only a broken frame ends the connection, since nothing tells where the next begins.

use std::{
    io::{self, BufRead, Write},
    thread,
};

use crossbeam_channel::{Sender, never, select, unbounded};
use lsp_server::{Connection, Message};

/// No editor sends longer messages; what claims to be longer is a broken frame.
const MAX_BYTES: usize = 256 << 20;

/// The longest header line; without a limit, garbage without a line end would be collected.
const MAX_HEADER: u64 = 4096;

/// Reads and writes in two threads. The handle ends when all is written, after the connection is
/// dropped.
pub(crate) fn connect(
    input: impl BufRead + Send + 'static,
    mut output: impl Write + Send + 'static,
) -> (Connection, thread::JoinHandle<io::Result<()>>) {
    let (to_server, receiver) = unbounded();
    let (sender, to_client) = unbounded::<Message>();
    let (complain, complaints) = unbounded::<String>();
    // Not joined: a client that keeps the stream open must not hold up goodbye.
    thread::spawn(move || read_all(input, &to_server, &complain));
    let writer = thread::spawn(move || {
        let mut complaints = complaints;
        loop {
            select! {
                recv(to_client) -> message => match message {
                    Ok(message) => message.write(&mut output)?,
                    Err(_) => return output.flush(),
                },
                recv(complaints) -> why => match why {
                    Ok(why) => unreadable(&why, &mut output)?,
                    // The reader is done.
                    Err(_) => complaints = never(),
                },
            }
        }
    });
    (Connection { sender, receiver }, writer)
}

fn read_all(mut input: impl BufRead, to_server: &Sender<Message>, complain: &Sender<String>) {
    while let Ok(Some(body)) = read_frame(&mut input) {
        let gone = match serde_json::from_slice::<Message>(&body) {
            Ok(message) => to_server.send(message).is_err(),
            Err(error) => complain.send(format!("this is no message: {error}")).is_err(),
        };
        if gone {
            return;
        }
    }
}

/// The body of the next message; nothing at the end of the stream.
fn read_frame(input: &mut impl BufRead) -> io::Result<Option<Vec<u8>>> {
    let broken = |why: &str| io::Error::new(io::ErrorKind::InvalidData, why.to_owned());
    let mut length: Option<usize> = None;
    let mut line = Vec::new();
    loop {
        line.clear();
        if io::Read::take(&mut *input, MAX_HEADER).read_until(b'\n', &mut line)? == 0 {
            return Ok(None);
        }
        let header = String::from_utf8_lossy(&line);
        let header = header.trim_end_matches(['\r', '\n']);
        if header.is_empty() {
            break;
        }
        let (name, value) = header.split_once(':').ok_or_else(|| broken("no header"))?;
        if name.trim().eq_ignore_ascii_case("content-length") {
            length = value.trim().parse().ok();
        }
    }
    let length = length.filter(|l| *l <= MAX_BYTES).ok_or_else(|| broken("no usable length"))?;
    let mut body = vec![0; length];
    input.read_exact(&mut body)?;
    Ok(Some(body))
}

/// The protocol wants an answer with `"id": null`.
fn unreadable(why: &str, output: &mut impl Write) -> io::Result<()> {
    let body = serde_json::json!({
        "jsonrpc": "2.0",
        "id": null,
        "error": { "code": lsp_server::ErrorCode::ParseError as i32, "message": why },
    })
    .to_string();
    write!(output, "Content-Length: {}\r\n\r\n{body}", body.len())?;
    output.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_read_and_broken_ones_end_it() {
        let mut input = io::Cursor::new(
            "content-length: 2\r\nContent-Type: x\r\n\r\n{}Content-Length: 3\r\n\r\nabc".as_bytes(),
        );
        assert_eq!(read_frame(&mut input).expect("a frame"), Some(b"{}".to_vec()));
        assert_eq!(read_frame(&mut input).expect("a frame"), Some(b"abc".to_vec()));
        assert_eq!(read_frame(&mut input).expect("the end"), None);
        for broken in [
            "\r\n",
            "Content-Length: x\r\n\r\n",
            "Content-Length: 9\r\n\r\nab",
            "junk\n",
            "Content-Length: 999999999999\r\n\r\n",
        ] {
            assert!(read_frame(&mut io::Cursor::new(broken.as_bytes())).is_err(), "{broken:?}");
        }
    }
}

//! Framed messages between the processes of a build: a tag byte, a length, the bytes.

use std::io::{self, Read, Write};

/// What a frame carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Tag {
    /// Child: the namespaces are taken, map me.
    Unshared = b'U',
    /// Parent: the ids are mapped; carries the handshake.
    Mapped = b'M',
    /// Parent: the request proper.
    Request = b'R',
    /// Child: the answer.
    Reply = b'A',
    /// Child: it cannot go on; carries an error.
    Failed = b'E',
    /// Step: how the command ended.
    Ended = b'X',
}

impl Tag {
    fn from_byte(byte: u8) -> Option<Self> {
        [Self::Unshared, Self::Mapped, Self::Request, Self::Reply, Self::Failed, Self::Ended]
            .into_iter()
            .find(|tag| *tag as u8 == byte)
    }
}

/// More than any request or reply needs: a frame beyond it means that the stream is garbage.
const LIMIT: u64 = 1 << 30;

/// Writes one frame.
pub(crate) fn send(mut to: impl Write, tag: Tag, body: &[u8]) -> io::Result<()> {
    // One write for the small ones, so that frames of two processes do not interleave.
    let mut frame = Vec::with_capacity(9 + body.len());
    frame.push(tag as u8);
    frame.extend_from_slice(&(body.len() as u64).to_le_bytes());
    frame.extend_from_slice(body);
    to.write_all(&frame)
}

/// Reads one frame; `None` at the end of the stream.
pub(crate) fn receive(mut from: impl Read) -> io::Result<Option<(Tag, Vec<u8>)>> {
    let mut head = [0_u8; 9];
    match from.read(&mut head[..1]) {
        Ok(0) => return Ok(None),
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::Interrupted => return receive(from),
        Err(error) if error.kind() == io::ErrorKind::ConnectionReset => return Ok(None),
        Err(error) => return Err(error),
    }
    from.read_exact(&mut head[1..])?;
    let garbage = || io::Error::new(io::ErrorKind::InvalidData, "a garbled message");
    let tag = Tag::from_byte(head[0]).ok_or_else(garbage)?;
    let length = u64::from_le_bytes(head[1..].try_into().map_err(|_| garbage())?);
    if length > LIMIT {
        return Err(garbage());
    }
    let mut body = Vec::new();
    if from.take(length).read_to_end(&mut body)? as u64 != length {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(Some((tag, body)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_survive_the_way_and_garbage_does_not() {
        let mut stream = Vec::new();
        send(&mut stream, Tag::Request, b"one").unwrap();
        send(&mut stream, Tag::Reply, b"").unwrap();
        let mut reader = stream.as_slice();
        assert_eq!(receive(&mut reader).unwrap(), Some((Tag::Request, b"one".to_vec())));
        assert_eq!(receive(&mut reader).unwrap(), Some((Tag::Reply, Vec::new())));
        assert_eq!(receive(&mut reader).unwrap(), None);
        assert!(receive(&b"Rxx"[..]).is_err(), "cut short");
        assert!(receive(&b"?\0\0\0\0\0\0\0\0"[..]).is_err(), "no such tag");
        assert!(receive(&b"R\xff\xff\xff\xff\xff\xff\xff\xff"[..]).is_err(), "absurd length");
        assert!(receive(&b"R\x05\0\0\0\0\0\0\0abc"[..]).is_err(), "body cut short");
    }
}

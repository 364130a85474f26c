//! Reads tar streams: USTAR, PAX and GNU's long names, in one pass.
//!
//! The `tar` crate splits PAX records at line feeds, and binary attribute values such as file
//! capabilities contain them; hence a reader of our own.

use std::{
    collections::BTreeMap,
    io::{self, Read},
};

const BLOCK: usize = 512;
/// How much PAX headers and GNU long names together may say of one member.
const MAX_EXTENSION: u64 = 1 << 20;

/// One member of an archive, as written there.
#[derive(Debug, Default)]
pub struct Member {
    /// The type flag.
    pub kind: u8,
    /// Name.
    pub name: Vec<u8>,
    /// Link target.
    pub link: Vec<u8>,
    /// Permission bits.
    pub mode: u32,
    /// Owner.
    pub uid: u64,
    /// Group.
    pub gid: u64,
    /// Size of the content.
    pub size: u64,
    /// Seconds since 1970.
    pub mtime: i64,
    /// Major and minor device numbers.
    pub device: (u32, u32),
    /// Extended attributes.
    pub xattrs: BTreeMap<Vec<u8>, Vec<u8>>,
    /// Whether it is stored with holes left out.
    pub sparse: bool,
}

/// An archive that is being read.
pub struct TarReader<R> {
    input: R,
    /// Content of the current member that nobody has read yet, and its padding.
    left: u64,
    padding: u64,
    records: BTreeMap<Vec<u8>, Vec<u8>>,
}

impl<R: Read> TarReader<R> {
    /// Starts at the beginning of an archive.
    pub fn new(input: R) -> Self {
        Self { input, left: 0, padding: 0, records: BTreeMap::new() }
    }

    /// The next member; `None` at the archive's end.
    pub fn next_member(&mut self) -> io::Result<Option<Member>> {
        self.records.clear();
        let (mut long_name, mut long_link) = (None, None);
        let mut room = MAX_EXTENSION;
        loop {
            self.skip_rest()?;
            let Some(block) = self.header()? else { return Ok(None) };
            let kind = block[156];
            let size = number(&block[124..136])?;
            if matches!(kind, b'x' | b'g' | b'L' | b'K') {
                // With the header itself: many empty ones are many, too.
                room = room.checked_sub(size.saturating_add(BLOCK as u64)).ok_or_else(|| {
                    io::Error::new(io::ErrorKind::InvalidData, "extended headers are too large")
                })?;
            }
            match kind {
                b'x' => {
                    let bytes = self.extension(size)?;
                    parse_records(&bytes, &mut self.records)?;
                }
                b'L' => long_name = Some(until_nul(&self.extension(size)?).to_vec()),
                b'K' => long_link = Some(until_nul(&self.extension(size)?).to_vec()),
                b'g' => drop(self.extension(size)?),
                _ => return self.member(&block, long_name, long_link).map(Some),
            }
        }
    }

    /// A reader of the current member's content.
    pub fn content(&mut self) -> Content<'_, R> {
        Content { reader: self }
    }

    fn member(
        &mut self,
        block: &[u8; BLOCK],
        long_name: Option<Vec<u8>>,
        long_link: Option<Vec<u8>>,
    ) -> io::Result<Member> {
        let mut member = Member {
            kind: block[156],
            name: long_name.unwrap_or_else(|| header_name(block)),
            link: long_link.unwrap_or_else(|| until_nul(&block[157..257]).to_vec()),
            mode: number(&block[100..108])? as u32 & 0o7777,
            uid: number(&block[108..116])?,
            gid: number(&block[116..124])?,
            size: number(&block[124..136])?,
            mtime: number(&block[136..148])? as i64,
            device: (number(&block[329..337])? as u32, number(&block[337..345])? as u32),
            sparse: block[156] == b'S',
            ..Member::default()
        };
        for (key, value) in std::mem::take(&mut self.records) {
            let text = std::str::from_utf8(&value).unwrap_or_default();
            match &key[..] {
                b"path" => member.name = value,
                b"linkpath" => member.link = value,
                b"size" => member.size = text.parse().map_err(|_| bad("size"))?,
                b"uid" => member.uid = text.parse().map_err(|_| bad("uid"))?,
                b"gid" => member.gid = text.parse().map_err(|_| bad("gid"))?,
                b"mtime" => {
                    let whole = text.split('.').next().unwrap_or(text);
                    member.mtime = whole.parse().map_err(|_| bad("mtime"))?;
                }
                key if key.starts_with(b"GNU.sparse.") => member.sparse = true,
                key => {
                    if let Some(name) = key.strip_prefix(b"SCHILY.xattr.") {
                        member.xattrs.insert(name.to_vec(), value);
                    }
                }
            }
        }
        // Base-256 can write negative numbers, which no content has.
        if i64::try_from(member.size).is_err() {
            return Err(bad("size"));
        }
        // Links, devices and directories have no content, whatever their size field says.
        let stored = match member.kind {
            b'1'..=b'6' => 0,
            _ => member.size,
        };
        self.left = stored;
        self.padding = padding(stored);
        Ok(member)
    }

    /// The next header block; two empty ones, or the stream's end, end the archive.
    fn header(&mut self) -> io::Result<Option<[u8; BLOCK]>> {
        let mut block = [0; BLOCK];
        if !read_block(&mut self.input, &mut block)? || block.iter().all(|b| *b == 0) {
            return Ok(None);
        }
        let sum: u64 = block
            .iter()
            .enumerate()
            .map(|(i, b)| if (148..156).contains(&i) { 32 } else { u64::from(*b) })
            .sum();
        if number(&block[148..156])? != sum {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "a header's checksum is wrong"));
        }
        Ok(Some(block))
    }

    fn extension(&mut self, size: u64) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; size as usize];
        self.input.read_exact(&mut bytes)?;
        self.left = 0;
        self.padding = padding(size);
        Ok(bytes)
    }

    fn skip_rest(&mut self) -> io::Result<()> {
        let todo = self.left + self.padding;
        let skipped = io::copy(&mut (&mut self.input).take(todo), &mut io::sink())?;
        if skipped != todo {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        (self.left, self.padding) = (0, 0);
        Ok(())
    }
}

/// The content of a member.
pub struct Content<'a, R> {
    reader: &'a mut TarReader<R>,
}

impl<R: Read> Read for Content<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let reader = &mut *self.reader;
        let want = usize::try_from(reader.left).unwrap_or(usize::MAX).min(buffer.len());
        if want == 0 {
            return Ok(0);
        }
        let n = reader.input.read(&mut buffer[..want])?;
        if n == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        reader.left -= n as u64;
        Ok(n)
    }
}

fn padding(size: u64) -> u64 {
    (BLOCK as u64 - size % BLOCK as u64) % BLOCK as u64
}

fn bad(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("the {what} of a header is no number"))
}

/// Fills a block; `false` if the stream ends before its first byte.
fn read_block(input: &mut impl Read, block: &mut [u8; BLOCK]) -> io::Result<bool> {
    let mut got = 0;
    while got < BLOCK {
        match input.read(&mut block[got..]) {
            Ok(0) if got == 0 => return Ok(false),
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(n) => got += n,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(true)
}

/// An octal number, or GNU's base-256; an empty field is zero.
fn number(field: &[u8]) -> io::Result<u64> {
    if field[0] & 0x80 != 0 {
        let start = field.len().saturating_sub(8);
        let tail = field[start..].iter().fold(0u64, |n, b| n << 8 | u64::from(*b));
        // Of a short field the marker bit itself stands in the first byte.
        return Ok(if start == 0 { tail & !(1 << 63) } else { tail });
    }
    let text = until_nul(field);
    let text = std::str::from_utf8(text).map_err(|_| bad("field"))?.trim();
    if text.is_empty() {
        return Ok(0);
    }
    u64::from_str_radix(text, 8).map_err(|_| bad("field"))
}

fn until_nul(field: &[u8]) -> &[u8] {
    &field[..field.iter().position(|b| *b == 0).unwrap_or(field.len())]
}

/// The name with USTAR's prefix; GNU's headers use those bytes for something else.
fn header_name(block: &[u8; BLOCK]) -> Vec<u8> {
    let name = until_nul(&block[..100]);
    let prefix = until_nul(&block[345..500]);
    if &block[257..263] != b"ustar\0" || prefix.is_empty() {
        return name.to_vec();
    }
    [prefix, b"/", name].concat()
}

fn parse_records(mut bytes: &[u8], into: &mut BTreeMap<Vec<u8>, Vec<u8>>) -> io::Result<()> {
    let broken = || io::Error::new(io::ErrorKind::InvalidData, "a PAX header is broken");
    while !bytes.is_empty() && bytes[0] != 0 {
        let space = bytes.iter().position(|b| *b == b' ').ok_or_else(broken)?;
        let len: usize = std::str::from_utf8(&bytes[..space])
            .ok()
            .and_then(|n| n.parse().ok())
            .filter(|n| *n > space + 2 && *n <= bytes.len())
            .ok_or_else(broken)?;
        let record = bytes[space + 1..len].strip_suffix(b"\n").ok_or_else(broken)?;
        let equals = record.iter().position(|b| *b == b'=').ok_or_else(broken)?;
        into.insert(record[..equals].to_vec(), record[equals + 1..].to_vec());
        bytes = &bytes[len..];
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_gnu_long_names() {
        let mut builder = tar::Builder::new(Vec::new());
        let long = "n".repeat(300);
        let mut header = tar::Header::new_gnu();
        header.set_size(3);
        header.set_mode(0o600);
        header.set_uid(5);
        header.set_gid(6);
        header.set_mtime(7);
        builder.append_data(&mut header.clone(), &long, &b"abc"[..]).unwrap();
        header.set_entry_type(tar::EntryType::Symlink);
        header.set_size(0);
        builder.append_link(&mut header, "short", &long).unwrap();
        let bytes = builder.into_inner().unwrap();
        let mut reader = TarReader::new(&bytes[..]);
        let first = reader.next_member().unwrap().unwrap();
        assert_eq!((first.name.len(), first.uid, first.gid, first.mtime), (300, 5, 6, 7));
        let mut text = String::new();
        reader.content().read_to_string(&mut text).unwrap();
        assert_eq!(text, "abc");
        let second = reader.next_member().unwrap().unwrap();
        assert_eq!((&second.name[..], second.link.len()), (&b"short"[..], 300));
        assert!(reader.next_member().unwrap().is_none());
    }

    #[test]
    fn garbage_is_an_error() {
        assert!(TarReader::new(&[1u8; 512][..]).next_member().is_err());
        assert!(TarReader::new(&[1u8; 100][..]).next_member().is_err());
        assert!(TarReader::new(&[][..]).next_member().unwrap().is_none());
        let mut out = BTreeMap::new();
        for bytes in [&b"9999 a=b\n"[..], b"x a=b\n", b"6 ab=c", b"7 abcd\n", b"0 a=b\n"] {
            assert!(parse_records(bytes, &mut out).is_err(), "{bytes:?}");
        }
    }

    #[test]
    fn base_256_numbers() {
        let mut field = [0u8; 12];
        field[0] = 0x80;
        field[7] = 2;
        assert_eq!(number(&field).unwrap(), 2 << 32);
        let mut short = [0u8; 8];
        short[0] = 0x80;
        short[5] = 0x1f;
        assert_eq!(number(&short).unwrap(), 0x1f_0000);
        assert_eq!(number(b"0000755\0").unwrap(), 0o755);
        assert!(number(b"99999999").is_err());
    }
}

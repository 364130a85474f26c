//! Writes tar streams: USTAR headers, PAX records where USTAR has no room, nothing that depends
//! on the machine or the hour.

use std::io::{self, Read, Write};

use super::entry::{Entry, EntryKind, ImagePath};

const BLOCK: usize = 512;
/// What an 11-digit octal field holds.
const OCTAL_11: u64 = 0o77_777_777_777;
/// What a 7-digit octal field holds.
const OCTAL_7: u64 = 0o7_777_777;

/// Prefix of a whiteout's name.
pub const WHITEOUT_PREFIX: &[u8] = b".wh.";
/// Name of the file that makes its directory opaque.
pub const OPAQUE_NAME: &[u8] = b".wh..wh..opq";

/// A tar stream in the making.
pub struct TarStream<W: Write> {
    out: W,
}

impl<W: Write> TarStream<W> {
    /// Starts a stream.
    pub fn new(out: W) -> Self {
        Self { out }
    }

    /// Writes an entry; `data` gives a file's content and must hold exactly its size.
    pub fn entry(&mut self, entry: &Entry, data: &mut dyn Read) -> io::Result<()> {
        let name = archive_name(entry);
        let meta = &entry.meta;
        let mut pax = Vec::new();
        let mut header = tar::Header::new_ustar();
        let size = match entry.kind {
            EntryKind::File(size) => size,
            _ => 0,
        };
        if name.len() > 100 || !name.is_ascii() {
            pax_record(&mut pax, b"path", &name);
        }
        let link: &[u8] = match &entry.kind {
            EntryKind::Symlink(target) | EntryKind::Hardlink(target) => &target.0,
            _ => &[],
        };
        if link.len() > 100 || !link.is_ascii() {
            pax_record(&mut pax, b"linkpath", link);
        }
        for (key, value, limit) in [
            (&b"size"[..], size, OCTAL_11),
            (b"uid", u64::from(meta.uid), OCTAL_7),
            (b"gid", u64::from(meta.gid), OCTAL_7),
        ] {
            if value > limit {
                pax_record(&mut pax, key, value.to_string().as_bytes());
            }
        }
        let mtime = u64::try_from(meta.mtime).ok().filter(|t| *t <= OCTAL_11);
        if mtime.is_none() {
            pax_record(&mut pax, b"mtime", meta.mtime.to_string().as_bytes());
        }
        for (key, value) in &meta.xattrs {
            pax_record(&mut pax, &[b"SCHILY.xattr.", &key[..]].concat(), value);
        }
        if !pax.is_empty() {
            self.pax_header(&pax)?;
        }
        put_field(&mut header, Field::Name, &name);
        put_field(&mut header, Field::Link, link);
        header.set_mode(meta.mode & 0o7777);
        header.set_uid(u64::from(meta.uid).min(OCTAL_7));
        header.set_gid(u64::from(meta.gid).min(OCTAL_7));
        header.set_size(size.min(OCTAL_11));
        header.set_mtime(mtime.unwrap_or(0));
        header.set_entry_type(entry_type(&entry.kind));
        if let EntryKind::CharDevice(major, minor) | EntryKind::BlockDevice(major, minor) =
            entry.kind
        {
            header.set_device_major(major)?;
            header.set_device_minor(minor)?;
        }
        header.set_cksum();
        self.out.write_all(header.as_bytes())?;
        self.body(data, size)
    }

    /// Ends the stream.
    pub fn finish(mut self) -> io::Result<W> {
        self.out.write_all(&[0; BLOCK * 2])?;
        Ok(self.out)
    }

    fn body(&mut self, data: &mut dyn Read, size: u64) -> io::Result<()> {
        if size == 0 {
            return Ok(());
        }
        let copied = io::copy(&mut data.take(size), &mut self.out)?;
        if copied != size {
            return Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                format!("the file shrank from {size} to {copied} bytes while it was read"),
            ));
        }
        self.pad(size)
    }

    fn pad(&mut self, size: u64) -> io::Result<()> {
        let over = (size % BLOCK as u64) as usize;
        if over > 0 {
            self.out.write_all(&[0; BLOCK][over..])?;
        }
        Ok(())
    }

    fn pax_header(&mut self, records: &[u8]) -> io::Result<()> {
        let mut header = tar::Header::new_ustar();
        put_field(&mut header, Field::Name, b"PaxHeaders.0");
        header.set_mode(0o644);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(0);
        header.set_size(records.len() as u64);
        header.set_entry_type(tar::EntryType::XHeader);
        header.set_cksum();
        self.out.write_all(header.as_bytes())?;
        self.out.write_all(records)?;
        self.pad(records.len() as u64)
    }
}

enum Field {
    Name,
    Link,
}

/// Fills a name field with as much as there is room for; a PAX record carries what is longer.
fn put_field(header: &mut tar::Header, field: Field, value: &[u8]) {
    if let Some(ustar) = header.as_ustar_mut() {
        let room = match field {
            Field::Name => &mut ustar.name,
            Field::Link => &mut ustar.linkname,
        };
        let n = value.len().min(room.len());
        room[..n].copy_from_slice(&value[..n]);
    }
}

fn entry_type(kind: &EntryKind) -> tar::EntryType {
    match kind {
        EntryKind::Directory => tar::EntryType::Directory,
        EntryKind::Symlink(_) => tar::EntryType::Symlink,
        EntryKind::Hardlink(_) => tar::EntryType::Link,
        EntryKind::Fifo => tar::EntryType::Fifo,
        EntryKind::CharDevice(..) => tar::EntryType::Char,
        EntryKind::BlockDevice(..) => tar::EntryType::Block,
        EntryKind::File(_) | EntryKind::Whiteout | EntryKind::Opaque => tar::EntryType::Regular,
    }
}

/// The name in the archive: directories end in a slash, whiteouts are spelt out.
fn archive_name(entry: &Entry) -> Vec<u8> {
    let path = &entry.path;
    match entry.kind {
        EntryKind::Directory => {
            let mut name = path.0.clone();
            name.push(b'/');
            name
        }
        EntryKind::Whiteout => {
            let parent = path.parent().unwrap_or_default();
            parent.join(&[WHITEOUT_PREFIX, path.file_name()].concat()).0
        }
        EntryKind::Opaque => path.join(OPAQUE_NAME).0,
        _ => path.0.clone(),
    }
}

/// `"<length> key=value\n"`, where the length counts itself.
fn pax_record(out: &mut Vec<u8>, key: &[u8], value: &[u8]) {
    let rest = key.len() + value.len() + 3;
    let mut len = rest + 1;
    while len != rest + len.to_string().len() {
        len = rest + len.to_string().len();
    }
    out.extend_from_slice(len.to_string().as_bytes());
    out.push(b' ');
    out.extend_from_slice(key);
    out.push(b'=');
    out.extend_from_slice(value);
    out.push(b'\n');
}

/// Order of the entries in a layer: by path, so that a directory comes before what it holds, and
/// an opaque mark right behind its directory.
pub fn sort_entries(entries: &mut [Entry]) {
    entries.sort_by(|a, b| order_key(&a.path, &a.kind).cmp(&order_key(&b.path, &b.kind)));
}

fn order_key<'a>(path: &'a ImagePath, kind: &EntryKind) -> (Vec<&'a [u8]>, u8) {
    let rank = match kind {
        EntryKind::Opaque => 1,
        _ => 0,
    };
    (path.components().collect(), rank)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::layer::{entry::Meta, tar_reader::TarReader};

    fn entry(path: &str, kind: EntryKind) -> Entry {
        let meta =
            Meta { mode: 0o4755, uid: 7, gid: 8, mtime: 1_700_000_000, xattrs: BTreeMap::new() };
        Entry { path: path.into(), kind, meta }
    }

    fn write(entries: &[(Entry, &[u8])]) -> Vec<u8> {
        let mut out = TarStream::new(Vec::new());
        for (entry, data) in entries {
            out.entry(entry, &mut &data[..]).unwrap();
        }
        out.finish().unwrap()
    }

    #[test]
    fn reads_back_with_all_it_has() {
        let long = format!("{}/{}", "d".repeat(120), "ü".repeat(90));
        let mut capable = entry(&long, EntryKind::File(5));
        capable.meta.uid = 3_000_000;
        capable.meta.xattrs.insert(b"security.capability".to_vec(), vec![1, 0, 0, 2, b'\n', 0xff]);
        let bytes = write(&[
            (entry("dir", EntryKind::Directory), b""),
            (capable, b"hello"),
            (entry("link", EntryKind::Symlink(ImagePath(b"../x".to_vec()))), b""),
            (entry("hard", EntryKind::Hardlink("link".into())), b""),
            (entry("dev/null", EntryKind::CharDevice(1, 3)), b""),
            (entry("pipe", EntryKind::Fifo), b""),
            (entry("gone/x", EntryKind::Whiteout), b""),
            (entry("gone", EntryKind::Opaque), b""),
        ]);
        let mut reader = TarReader::new(&bytes[..]);
        let mut seen = Vec::new();
        while let Some(member) = reader.next_member().unwrap() {
            let path = String::from_utf8(member.name).unwrap();
            if path == long {
                assert_eq!(member.uid, 3_000_000);
                assert_eq!(
                    member.xattrs[&b"security.capability"[..]],
                    vec![1, 0, 0, 2, b'\n', 0xff]
                );
                let mut text = String::new();
                reader.content().read_to_string(&mut text).unwrap();
                assert_eq!(text, "hello");
            }
            assert_eq!(member.mode, 0o4755);
            seen.push((path, member.kind));
        }
        let names: Vec<&str> = seen.iter().map(|(n, _)| n.as_str()).collect();
        assert_eq!(
            names,
            ["dir/", &long, "link", "hard", "dev/null", "pipe", "gone/.wh.x", "gone/.wh..wh..opq"]
        );
        assert_eq!(seen[4].1, b'3');
    }

    #[test]
    fn a_shrunken_file_is_an_error() {
        let mut out = TarStream::new(Vec::new());
        let error = out.entry(&entry("a", EntryKind::File(4)), &mut &b"abc"[..]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    }

    #[test]
    fn pax_lengths_count_themselves() {
        for n in [1, 85, 86, 87, 88, 89, 90, 980, 985, 990, 995] {
            let mut out = Vec::new();
            pax_record(&mut out, b"path", &vec![b'x'; n]);
            let len: usize =
                std::str::from_utf8(&out).unwrap().split(' ').next().unwrap().parse().unwrap();
            assert_eq!(len, out.len(), "{n}");
        }
    }

    #[test]
    fn directories_sort_before_their_content() {
        let mut entries = vec![
            entry("a.b", EntryKind::File(0)),
            entry("a/c", EntryKind::File(0)),
            entry("a", EntryKind::Opaque),
            entry("a", EntryKind::Directory),
        ];
        sort_entries(&mut entries);
        let names: Vec<String> =
            entries.iter().map(|e| String::from_utf8(archive_name(e)).unwrap()).collect();
        assert_eq!(names, ["a/", "a/.wh..wh..opq", "a/c", "a.b"]);
    }
}

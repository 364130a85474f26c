//! Archives that are small as they lie there and without end once they are read.

use std::{
    fs::{self, File},
    io::{self, Read, Write},
    process::{Command, Stdio},
};

use mlint_builder::layer::{
    compress::Packing,
    packed::Unpacked,
    read::{ArchiveError, Limits, Whiteouts, each_entry},
    unpack::{scan, unpack},
};

use crate::tar::archive;

/// The same bytes again and again, without holding them all.
struct Again {
    piece: Vec<u8>,
    at: usize,
    read: u64,
}

impl Again {
    fn of(lines: &[&str]) -> Self {
        let mut piece = archive(lines, "");
        // Without the mark of the end.
        piece.truncate(piece.len() - 1024);
        Self { piece, at: 0, read: 0 }
    }
}

impl Read for Again {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = (&self.piece[self.at..]).read(buffer)?;
        self.at = (self.at + n) % self.piece.len();
        self.read += n as u64;
        Ok(n)
    }
}

#[test]
fn headers_without_end_are_cut_off() {
    for (name, lines) in [
        ("PAX headers", &["pax comment={x*400}"][..]),
        ("global headers", &["global comment={x*400}"]),
        ("long names", &["long {x*600}"]),
        ("long links", &["longlink {x*600}"]),
        ("empty PAX headers", &["rawpax "]),
        ("large PAX headers", &["pax SCHILY.xattr.user.a={x*1000000}"]),
    ] {
        let mut archive = Again::of(lines);
        let error = scan(&mut archive, Limits::default()).unwrap_err();
        assert!(error.to_string().contains("extended headers are too large"), "{name}: {error}");
        assert!(archive.read < 4 << 20, "{name}: {} bytes were read", archive.read);
    }
}

#[test]
fn members_without_end_are_cut_off() {
    let limits = Limits { entries: 1000, bytes: 1 << 20, ..Limits::default() };
    for (lines, words) in [
        (&["file a "][..], "more than 1000 entries"),
        (&["type Z unknown"], "more than 1000 entries"),
        (&["file .wh..wh.junk x"], "more than 1000 entries"),
        (&["file a {x*60000}"], "more than 1048576 unpacked bytes"),
    ] {
        let error = scan(Again::of(lines), limits).unwrap_err();
        assert!(error.to_string().contains(words), "{error}");
    }
}

/// A path of two thousand directories implies them all; a thousand such paths, millions.
#[test]
fn deep_paths_cannot_fill_the_memory() {
    let lines: Vec<String> =
        (0..300).map(|number| format!("pax path={number}/{{d/*1990}}f\nfile x ")).collect();
    let lines: Vec<&str> = lines.iter().flat_map(|line| line.split('\n')).collect();
    let bytes = archive(&lines, "");
    assert!(bytes.len() < 3 << 20, "{}", bytes.len());
    let error = scan(&bytes[..], Limits::default()).unwrap_err();
    assert!(error.to_string().contains("bytes of paths"), "{error}");
    // One of them is odd, and no more.
    let dir = tempfile::tempdir().unwrap();
    let index = unpack(&archive(&lines[..2], "")[..], dir.path(), Limits::default(), &|| false);
    assert_eq!(index.unwrap().entries.len(), 1);
    mlint_builder::store::remove_tree(dir.path());
    assert!(!dir.path().exists(), "a tree that deep can be removed");
}

/// What a program makes of so many zeros.
fn packed(program: &[&str], megabytes: usize) -> File {
    let mut file = tempfile::tempfile().unwrap();
    let mut child = Command::new(program[0])
        .args(&program[1..])
        .stdin(Stdio::piped())
        .stdout(file.try_clone().unwrap())
        .spawn()
        .expect(program[0]);
    let mut input = child.stdin.take().unwrap();
    for _ in 0..megabytes {
        input.write_all(&vec![0; 1 << 20]).unwrap();
    }
    drop(input);
    assert!(child.wait().unwrap().success());
    io::Seek::rewind(&mut file).unwrap();
    file
}

#[test]
fn packed_zeros_are_cut_off_in_every_packing() {
    let limits = Limits { bytes: 2 << 20, ..Limits::default() };
    for (program, packing) in [
        (&["gzip", "-c"][..], Packing::Gzip),
        (&["bzip2", "-c"], Packing::Bzip2),
        (&["xz", "-c"], Packing::Xz),
        (&["zstd", "-q", "-c"], Packing::Zstd),
    ] {
        let file = packed(program, 16);
        assert!(file.metadata().unwrap().len() < 64 << 10, "{packing:?}");
        let mut archive = Unpacked::open(file, limits).unwrap();
        assert_eq!(archive.packing(), packing);
        let mut got = 0;
        let error = loop {
            let mut buffer = vec![0; 64 << 10];
            match archive.read(&mut buffer) {
                Ok(0) => panic!("{packing:?}: all of it came"),
                Ok(n) => got += n as u64,
                Err(error) => break error,
            }
        };
        assert!(got <= limits.bytes, "{packing:?}: {got}");
        let error = ArchiveError::from(error);
        assert!(matches!(error, ArchiveError::Limit { .. }), "{packing:?}: {error}");
    }
}

/// Behind the mark of the end everything may follow, and counts for the digest.
#[test]
fn what_follows_the_end_is_bounded_too() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a");
    let mut bytes = archive(&["file f x"], "");
    bytes.resize(4 << 20, 0);
    fs::write(&path, bytes).unwrap();
    let limits = Limits { bytes: 1 << 20, ..Limits::default() };
    let mut archive = Unpacked::open(File::open(&path).unwrap(), limits).unwrap();
    let mut seen = 0;
    each_entry(&mut archive, Whiteouts::Layer, limits, |_, _| {
        seen += 1;
        Ok(())
    })
    .unwrap();
    assert_eq!(seen, 1);
    let error = io::copy(&mut archive, &mut io::sink()).unwrap_err();
    assert!(error.to_string().contains("more than 1048576 bytes"), "{error}");
}

/// With the default limits what is packed well may still be large, but not without bound: four
/// gigabytes, or 250 times its size.
#[test]
fn a_ratio_bounds_what_is_packed() {
    let file = packed(&["gzip", "-c"], 1);
    let archive = Unpacked::open(file, Limits::default()).unwrap();
    assert_eq!(archive.limit(), 4 << 30);
    let mut plain = tempfile::tempfile().unwrap();
    plain.write_all(b"plain").unwrap();
    io::Seek::rewind(&mut plain).unwrap();
    assert_eq!(Unpacked::open(plain, Limits::default()).unwrap().limit(), 256 << 30);
}

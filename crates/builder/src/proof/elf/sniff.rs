//! Reads an ELF file's facts while the file goes by on its way into an archive.

use std::io::{self, Read};

use object::{
    Endianness,
    elf::{FileHeader32, FileHeader64},
    read::elf::FileHeader,
};

use super::{ElfFacts, dynamic};

/// How much of each ELF file is kept. Program headers and the interpreter's name stand near the
/// start of what compilers and linkers make; of a file where they do not, they stay unknown.
const HEAD: usize = 256 * 1024;

/// How much is kept of a file that needs libraries, whose names may stand further on.
const MOST: usize = 4 * 1024 * 1024;

/// Where program headers stand if they are where they belong.
const HEADERS: usize = 4096;

/// A dynamic section is never longer.
const MAX_SECTION: u64 = 64 * 1024;

/// A reader that keeps what is needed of that which goes through it, as long as it looks like an ELF
/// file.
pub struct Sniffer<R> {
    inner: R,
    head: Vec<u8>,
    /// How much of the beginning is kept.
    limit: usize,
    /// How much has gone by.
    at: u64,
    /// The part that holds the dynamic section, once that is known.
    wanted: Option<dynamic::Part>,
    section: Vec<u8>,
    looked: bool,
    over: bool,
}

impl<R: Read> Sniffer<R> {
    /// Looks at what `inner` gives.
    pub fn new(inner: R) -> Self {
        let (head, section) = (Vec::new(), Vec::new());
        Self { inner, head, limit: HEAD, at: 0, wanted: None, section, looked: false, over: false }
    }

    /// What was found.
    pub fn facts(&self) -> Option<ElfFacts> {
        let whole = self.wanted.is_some_and(|(_, length)| self.section.len() as u64 == length);
        ElfFacts::of_parts(&self.head, whole.then_some(&self.section[..]))
    }

    fn see(&mut self, bytes: &[u8]) {
        let room = self.limit.saturating_sub(self.head.len());
        let at_head = self.at == self.head.len() as u64;
        if at_head {
            self.head.extend_from_slice(&bytes[..bytes.len().min(room)]);
        }
        let magic = self.head.len().min(4);
        if self.head[..magic] != b"\x7fELF"[..magic] {
            self.head = Vec::new();
            self.over = true;
            return;
        }
        let before = self.at;
        self.at += bytes.len() as u64;
        if !self.looked && self.head.len() >= HEADERS {
            self.looked = true;
            self.look();
            // What was passed over before this was known is in the head.
            if let Some((start, length)) = self.wanted
                && start < before
            {
                let from = usize::try_from(start).unwrap_or(usize::MAX).min(self.head.len());
                let end = from.saturating_add(length as usize).min(self.head.len());
                self.section.extend_from_slice(&self.head[from..end]);
            }
        }
        if let Some((start, length)) = self.wanted {
            let have = self.section.len() as u64;
            let next = start + have;
            if have < length && next >= before && next < self.at {
                let from = (next - before) as usize;
                let end = bytes.len().min(from + (length - have) as usize);
                self.section.extend_from_slice(&bytes[from..end]);
            }
        }
        let section_is_past = self.wanted.is_none_or(|(start, length)| start + length <= self.at);
        self.over = self.head.len() >= self.limit && section_is_past;
    }

    /// Finds out what is worth keeping.
    fn look(&mut self) {
        let head = &self.head[..];
        let found = match head.get(4) {
            Some(1) => places::<FileHeader32<Endianness>>(head),
            Some(2) => places::<FileHeader64<Endianness>>(head),
            _ => None,
        };
        let Some(((start, length), first)) = found else { return };
        if length <= MAX_SECTION && start.checked_add(length).is_some() {
            self.wanted = Some((start, length));
            let first = usize::try_from(first).unwrap_or(MOST);
            self.limit = first.clamp(HEAD, MOST);
        }
    }
}

fn places<H: FileHeader<Endian = Endianness>>(head: &[u8]) -> Option<(dynamic::Part, u64)> {
    let header = H::parse(head).ok()?;
    let endian = header.endian().ok()?;
    dynamic::places::<H>(header.program_headers(endian, head).ok()?, endian)
}

impl<R: Read> Read for Sniffer<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buffer)?;
        if !self.over && n > 0 {
            self.see(&buffer[..n]);
        }
        Ok(n)
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::sample::{Sample, dynamic},
        *,
    };

    struct Pieces<'a>(&'a [u8], usize);

    impl Read for Pieces<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let n = self.0.len().min(buffer.len()).min(self.1);
            buffer[..n].copy_from_slice(&self.0[..n]);
            self.0 = &self.0[n..];
            Ok(n)
        }
    }

    fn sniff(bytes: &[u8], piece: usize) -> Option<ElfFacts> {
        let mut sniffer = Sniffer::new(Pieces(bytes, piece));
        io::copy(&mut sniffer, &mut io::sink()).unwrap();
        sniffer.facts()
    }

    #[test]
    fn sees_through_small_reads() {
        let sample = Sample { interpreter: Some("/lib/ld.so"), ..Sample::default() };
        assert_eq!(sniff(&sample.bytes(), 3).unwrap().interpreter.as_deref(), Some("/lib/ld.so"));
        assert_eq!(sniff(b"plain text", 3), None);
        assert_eq!(sniff(b"", 3), None);
    }

    #[test]
    fn the_dynamic_section_may_stand_far_behind() {
        for (wide, little) in [(true, true), (true, false), (false, true), (false, false)] {
            for gap in [0, 3000, 5000, 300_000, 5_000_000] {
                for piece in [1_000, 8192, 1 << 20] {
                    let sample = Sample {
                        wide,
                        little,
                        needed: &["libc.so.6", "liba.so"],
                        runpath: Some("$ORIGIN/../lib"),
                        gap,
                        ..Sample::default()
                    };
                    let facts = sniff(&sample.bytes(), piece).unwrap();
                    let want = dynamic(&["libc.so.6", "liba.so"], None, Some("$ORIGIN/../lib"));
                    assert_eq!(facts.dynamic, Some(want), "{wide} {little} {gap} {piece}");
                }
            }
        }
    }

    #[test]
    fn what_lies_too_far_away_is_not_known() {
        let far = Sample { needed: &["liba.so"], names_behind: 6_000_000, ..Sample::default() };
        assert_eq!(sniff(&far.bytes(), 1 << 20).unwrap().dynamic, None);
    }
}

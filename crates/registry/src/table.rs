//! The platforms of Docker's official images, for when no registry can be asked.
//!
//! The table is a file of about a hundred kilobytes inside the binary: the tags of each image are
//! sorted, cut into blocks, front-coded (each tag says how much of the one before it repeats) and
//! compressed block by block, so that a lookup reads a small directory and inflates one block.
//! The example `gen_official_images` makes the file and checks every tag of its source in it.
//!
//! ```text
//! file      = magic date-line set-count-line set-line* image-count-line image* block-bytes
//! image     = name TAB block-count LF block-entry*
//! block-entry = first-tag TAB compressed-length TAB raw-length LF
//! block     = zstd( (shared-length-byte suffix LF)* set-id-byte* )
//! ```

use std::{collections::BTreeMap, fmt::Write as _};

use mlint_oci::Platform;

/// The generated file.
static EMBEDDED: &[u8] = include_bytes!("../data/official-images.bin");

const MAGIC: &str = "mlint official images 1\n";

/// Tags in a block: enough to compress well, few enough to inflate in microseconds.
const BLOCK: usize = 1500;

/// What the table says about a tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lookup {
    /// The platforms that the tag offered (Linux only).
    Platforms(Vec<Platform>),
    /// The image is an official one, but this tag was never listed (or came after the date).
    UnknownTag,
    /// No official image of that name was ever listed.
    UnknownImage,
}

/// Why a table can't be read or made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TableError {
    /// The bytes are no table, or a damaged one.
    #[error("the table of official images is damaged ({at}); generate it again")]
    Damaged {
        /// Where.
        at: &'static str,
    },
    /// A row of the source is not `image TAB platforms TAB tags`.
    #[error("line {line} of the source is not 'image<TAB>platforms<TAB>tags': {problem}")]
    BadRow {
        /// The line.
        line: usize,
        /// What is wrong.
        problem: String,
    },
    /// The source's first line does not end in a date.
    #[error("the source's first line must end in its date, as in '… to 2026-08-21'")]
    NoDate,
    /// There are more platform sets than a byte can number.
    #[error("{count} different platform sets are more than the 256 that the format holds")]
    TooManySets {
        /// How many.
        count: usize,
    },
}

/// A table to look tags up in.
#[derive(Clone, Copy, Debug)]
pub struct Table<'a> {
    bytes: &'a [u8],
}

impl Table<'static> {
    /// The table in the binary.
    pub fn embedded() -> Self {
        Self { bytes: EMBEDDED }
    }
}

/// Reads lines and runs of bytes off the front.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn line(&mut self, at: &'static str) -> Result<&'a str, TableError> {
        let end = self.0.iter().position(|b| *b == b'\n').ok_or(TableError::Damaged { at })?;
        let line = std::str::from_utf8(&self.0[..end]).map_err(|_| TableError::Damaged { at })?;
        self.0 = &self.0[end + 1..];
        Ok(line)
    }

    fn number(&mut self, at: &'static str) -> Result<usize, TableError> {
        self.line(at)?.parse().map_err(|_| TableError::Damaged { at })
    }
}

/// Where the block that may hold the tag lies, counted from the start of all blocks.
struct BlockPlace {
    offset: usize,
    len: usize,
    raw_len: usize,
}

impl<'a> Table<'a> {
    /// A table from bytes made by [`generate`].
    pub fn new(bytes: &'a [u8]) -> Result<Self, TableError> {
        if !bytes.starts_with(MAGIC.as_bytes()) {
            return Err(TableError::Damaged { at: "magic" });
        }
        Ok(Self { bytes })
    }

    /// The date that the facts are of: `2026-08-21`.
    pub fn as_of(&self) -> Result<&'a str, TableError> {
        Reader(self.bytes.get(MAGIC.len()..).unwrap_or_default()).line("date")
    }

    /// The platforms of a tag of an official image: `lookup("debian", "12")`.
    pub fn lookup(&self, image: &str, tag: &str) -> Result<Lookup, TableError> {
        let mut reader = Reader(self.bytes.get(MAGIC.len()..).unwrap_or_default());
        reader.line("date")?;
        let set_count = reader.number("set count")?;
        let sets: Vec<&str> =
            (0..set_count).map(|_| reader.line("sets")).collect::<Result<_, _>>()?;
        let place = match Self::find_block(&mut reader, image, tag)? {
            Ok(place) => place,
            Err(miss) => return Ok(miss),
        };
        let block = reader
            .0
            .get(place.offset..)
            .and_then(|rest| rest.get(..place.len))
            .ok_or(TableError::Damaged { at: "block" })?;
        let raw = zstd::bulk::decompress(block, place.raw_len)
            .map_err(|_| TableError::Damaged { at: "block" })?;
        let Some(set) = search_block(&raw, tag)? else { return Ok(Lookup::UnknownTag) };
        let set = sets.get(usize::from(set)).ok_or(TableError::Damaged { at: "set" })?;
        let platforms: Result<Vec<Platform>, _> = set
            .split(',')
            .map(|p| p.parse().map_err(|_| TableError::Damaged { at: "set" }))
            .collect();
        Ok(Lookup::Platforms(platforms?))
    }

    /// Goes through the directory to its end (so that the reader stands at the blocks).
    fn find_block(
        reader: &mut Reader<'a>,
        image: &str,
        tag: &str,
    ) -> Result<Result<BlockPlace, Lookup>, TableError> {
        const AT: &str = "directory";
        let damaged = || TableError::Damaged { at: AT };
        let images = reader.number(AT)?;
        let mut offset = 0;
        let mut answer = Err(Lookup::UnknownImage);
        for _ in 0..images {
            let (name, blocks) = reader.line(AT)?.split_once('\t').ok_or_else(damaged)?;
            let blocks: usize = blocks.parse().map_err(|_| damaged())?;
            if name == image {
                answer = Err(Lookup::UnknownTag);
            }
            for _ in 0..blocks {
                let mut fields = reader.line(AT)?.split('\t');
                let first = fields.next().ok_or_else(damaged)?;
                let mut number = || fields.next().and_then(|f| f.parse().ok()).ok_or_else(damaged);
                let (len, raw_len) = (number()?, number()?);
                if name == image && first <= tag {
                    answer = Ok(BlockPlace { offset, len, raw_len });
                }
                offset += len;
            }
        }
        Ok(answer)
    }
}

/// The set of a tag in an inflated block.
fn search_block(raw: &[u8], tag: &str) -> Result<Option<u8>, TableError> {
    const DAMAGED: TableError = TableError::Damaged { at: "block" };
    let (count, raw) = raw.split_first_chunk::<2>().ok_or(DAMAGED)?;
    let count = usize::from(u16::from_le_bytes(*count));
    let ids = raw.len().checked_sub(count).ok_or(DAMAGED)?;
    let (mut tags, ids) = raw.split_at(ids);
    let mut current: Vec<u8> = Vec::new();
    for id in ids {
        let (shared, rest) = tags.split_first().ok_or(DAMAGED)?;
        let end = rest.iter().position(|b| *b == b'\n').ok_or(DAMAGED)?;
        current.truncate(usize::from(*shared));
        current.extend_from_slice(&rest[..end]);
        tags = &rest[end + 1..];
        if current == tag.as_bytes() {
            return Ok(Some(*id));
        }
    }
    Ok(None)
}

/// Makes the table's file from its source: lines of `image TAB platforms TAB tags`, after a
/// comment line that ends in the date.
pub fn generate(source: &str) -> Result<Vec<u8>, TableError> {
    let date = source
        .lines()
        .next()
        .and_then(|line| line.rsplit(' ').next())
        .filter(|word| word.len() == 10 && word.bytes().filter(|b| *b == b'-').count() == 2)
        .ok_or(TableError::NoDate)?;
    let (sets, images) = read_rows(source)?;
    let mut directory = String::new();
    let mut blocks = Vec::new();
    for (name, tags) in &images {
        let tags: Vec<(&str, u8)> = tags.iter().map(|(tag, id)| (*tag, *id)).collect();
        let chunks: Vec<_> = tags.chunks(BLOCK).collect();
        // Writing to a string cannot fail.
        let _ = writeln!(directory, "{name}\t{}", chunks.len());
        for chunk in chunks {
            let raw = front_code(chunk);
            let packed = zstd::bulk::compress(&raw, 22)
                .map_err(|_| TableError::Damaged { at: "compression" })?;
            let _ = writeln!(directory, "{}\t{}\t{}", chunk[0].0, packed.len(), raw.len());
            blocks.extend_from_slice(&packed);
        }
    }
    let mut out = format!("{MAGIC}{date}\n{}\n", sets.len());
    for set in &sets {
        let _ = writeln!(out, "{set}");
    }
    let _ = writeln!(out, "{}", images.len());
    out.push_str(&directory);
    let mut out = out.into_bytes();
    out.extend_from_slice(&blocks);
    Ok(out)
}

type Rows<'a> = (Vec<String>, BTreeMap<&'a str, BTreeMap<&'a str, u8>>);

fn read_rows(source: &str) -> Result<Rows<'_>, TableError> {
    let mut sets: Vec<String> = Vec::new();
    let mut images: BTreeMap<&str, BTreeMap<&str, u8>> = BTreeMap::new();
    for (number, line) in source.lines().enumerate() {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let bad = |problem: String| TableError::BadRow { line: number + 1, problem };
        let fields: Vec<&str> = line.split('\t').collect();
        let [name, platforms, tags] = fields[..] else {
            return Err(bad(format!("{} fields", fields.len())));
        };
        let mut set = Vec::new();
        for platform in platforms.split(',') {
            let platform: Platform = platform.parse().map_err(|e| bad(format!("{e}")))?;
            set.push(platform.to_string());
        }
        let set = set.join(",");
        let id = sets.iter().position(|s| *s == set).unwrap_or_else(|| {
            sets.push(set);
            sets.len() - 1
        });
        let id = u8::try_from(id).map_err(|_| TableError::TooManySets { count: sets.len() })?;
        for tag in tags.split(' ').filter(|t| !t.is_empty()) {
            if tag.len() > 128 {
                return Err(bad(format!("tag '{tag}' is longer than 128 characters")));
            }
            images.entry(name).or_default().insert(tag, id);
        }
    }
    Ok((sets, images))
}

fn front_code(tags: &[(&str, u8)]) -> Vec<u8> {
    let count = u16::try_from(tags.len()).expect("a block has at most BLOCK tags");
    let mut out = count.to_le_bytes().to_vec();
    let mut before = "";
    for (tag, _) in tags {
        let shared = before.bytes().zip(tag.bytes()).take_while(|(a, b)| a == b).count();
        // Tags have at most 128 ASCII characters.
        out.push(shared as u8);
        out.extend_from_slice(&tag.as_bytes()[shared..]);
        out.push(b'\n');
        before = tag;
    }
    out.extend(tags.iter().map(|(_, id)| *id));
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: &str = "# things; 2017-09 to 2026-08-21
debian\tlinux/amd64,linux/arm64\t12 12-slim bookworm latest
debian\tlinux/amd64\t6
amazonlinux\tlinux/amd64,linux/arm/v7\t2
";

    fn names(lookup: Lookup) -> Vec<String> {
        match lookup {
            Lookup::Platforms(p) => p.iter().map(ToString::to_string).collect(),
            other => vec![format!("{other:?}")],
        }
    }

    #[test]
    fn generated_tables_answer() {
        let bytes = generate(SOURCE).unwrap();
        let table = Table::new(&bytes).unwrap();
        let ask = |image: &str, tag: &str| names(table.lookup(image, tag).unwrap());
        assert_eq!(table.as_of(), Ok("2026-08-21"));
        assert_eq!(ask("debian", "12-slim"), ["linux/amd64", "linux/arm64"]);
        assert_eq!(ask("debian", "6"), ["linux/amd64"]);
        assert_eq!(ask("amazonlinux", "2"), ["linux/amd64", "linux/arm/v7"]);
        assert_eq!(ask("debian", "1"), ["UnknownTag"]);
        assert_eq!(ask("debian", "12-sli"), ["UnknownTag"]);
        assert_eq!(ask("debian", "zzz"), ["UnknownTag"]);
        assert_eq!(ask("debia", "12"), ["UnknownImage"]);
        assert_eq!(ask("", ""), ["UnknownImage"]);
    }

    #[test]
    fn bad_sources_and_damaged_tables_are_refused() {
        let fail = |text: &str| generate(text).unwrap_err().to_string();
        assert!(fail("").contains("must end in its date"));
        assert!(fail("# x 2026-08-21\na\tb").contains("line 2"));
        assert!(fail("# x 2026-08-21\na\t/\tt").contains("is no platform"));
        assert!(Table::new(b"hello").is_err());
        let bytes = generate(SOURCE).unwrap();
        for cut in MAGIC.len()..bytes.len() {
            // Any cut is an error or a miss, never a panic.
            let _ = Table::new(&bytes[..cut]).unwrap().lookup("debian", "12");
        }
        for at in MAGIC.len()..bytes.len() {
            let mut broken = bytes.clone();
            broken[at] ^= 0x55;
            let _ = Table::new(&broken).unwrap().lookup("debian", "12");
        }
    }

    #[test]
    fn the_embedded_table_knows_well_known_tags() {
        let table = Table::embedded();
        let ask = |image: &str, tag: &str| names(table.lookup(image, tag).unwrap());
        assert!(ask("debian", "12").contains(&"linux/arm64".to_owned()));
        assert!(ask("golang", "1.22-alpine").contains(&"linux/s390x".to_owned()));
        assert!(ask("alpine", "latest").contains(&"linux/riscv64".to_owned()));
        assert_eq!(ask("debian", "no-such-tag"), ["UnknownTag"]);
        assert_eq!(ask("no-such-image", "latest"), ["UnknownImage"]);
        assert!(EMBEDDED.len() < 300_000, "{} bytes", EMBEDDED.len());
    }
}

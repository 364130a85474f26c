//! Reads a table of an SQLite database: enough for rpm's, which has one table of packages, each a
//! blob under a number. By the file format that SQLite describes.

use std::ops::Range;

/// Pages of a tree below each other; real trees have a handful.
const MAX_DEPTH: usize = 20;

/// More than any package's header: rpm itself refuses those.
const MAX_BLOB: u64 = 256 << 20;

/// A database in memory.
pub struct Sqlite<'a> {
    bytes: &'a [u8],
    page: usize,
    /// What of a page holds content.
    usable: usize,
}

/// What a column holds, as far as it matters.
#[derive(Debug, PartialEq, Eq)]
enum Column {
    Bytes(Range<usize>),
    Number(i64),
    Nothing,
}

impl<'a> Sqlite<'a> {
    /// Opens a database; `None` if it is none, or one whose last changes are in a file beside it.
    pub fn open(bytes: &'a [u8]) -> Option<Self> {
        if !bytes.starts_with(b"SQLite format 3\0") {
            return None;
        }
        let page = match u16::from_be_bytes(bytes.get(16..18)?.try_into().ok()?) {
            1 => 65536,
            size => usize::from(size),
        };
        let usable = page.checked_sub(usize::from(*bytes.get(20)?))?;
        (page.is_power_of_two() && page >= 512 && usable >= 480).then_some(Self {
            bytes,
            page,
            usable,
        })
    }

    /// The blobs of a table's last column that holds one, in order of their numbers; `None` if the
    /// table is not there or broken.
    pub fn blobs(&self, table: &str) -> Option<Vec<Vec<u8>>> {
        let mut root = None;
        self.rows(1, 0, &mut |row| {
            let columns = columns(&row)?;
            let text = |at: usize| match columns.get(at) {
                Some(Column::Bytes(range)) => row.get(range.clone()),
                _ => None,
            };
            if text(0) == Some(b"table")
                && text(1).is_some_and(|name| name.eq_ignore_ascii_case(table.as_bytes()))
                && let Some(Column::Number(page)) = columns.get(3)
            {
                root = usize::try_from(*page).ok();
            }
            Some(())
        })?;
        let mut blobs = Vec::new();
        self.rows(root?, 0, &mut |row| {
            let last = columns(&row)?.into_iter().rev().find_map(|column| match column {
                Column::Bytes(range) => Some(range),
                _ => None,
            });
            blobs.push(row.get(last?)?.to_vec());
            Some(())
        })?;
        Some(blobs)
    }

    fn page(&self, number: usize) -> Option<&'a [u8]> {
        let start = number.checked_sub(1)?.checked_mul(self.page)?;
        self.bytes.get(start..start.checked_add(self.page)?)
    }

    /// Goes through all rows of a table's tree.
    fn rows(
        &self,
        number: usize,
        depth: usize,
        each: &mut dyn FnMut(Vec<u8>) -> Option<()>,
    ) -> Option<()> {
        if depth > MAX_DEPTH {
            return None;
        }
        let page = self.page(number)?;
        let header = if number == 1 { 100 } else { 0 };
        let kind = *page.get(header)?;
        let cells = usize::from(be16(page, header + 3)?);
        let pointers = header + if kind == 5 { 12 } else { 8 };
        for cell in 0..cells {
            let at = usize::from(be16(page, pointers + 2 * cell)?);
            match kind {
                5 => self.rows(be32(page, at)? as usize, depth + 1, each)?,
                13 => each(self.row(page, at)?)?,
                _ => return None,
            }
        }
        match kind {
            5 => self.rows(be32(page, header + 8)? as usize, depth + 1, each),
            13 => Some(()),
            _ => None,
        }
    }

    /// A row's record, put together from its pages.
    fn row(&self, page: &[u8], at: usize) -> Option<Vec<u8>> {
        let (length, at) = varint(page, at)?;
        let (_, at) = varint(page, at)?;
        if length > MAX_BLOB || length > self.bytes.len() as u64 {
            return None;
        }
        let length = length as usize;
        let most = self.usable - 35;
        if length <= most {
            return page.get(at..at.checked_add(length)?).map(<[u8]>::to_vec);
        }
        let least = (self.usable - 12) * 32 / 255 - 23;
        let here = least + (length - least) % (self.usable - 4);
        let here = if here <= most { here } else { least };
        let mut row = page.get(at..at.checked_add(here)?)?.to_vec();
        let mut next = be32(page, at + here)? as usize;
        while row.len() < length {
            let page = self.page(next)?;
            next = be32(page, 0)? as usize;
            let more = (length - row.len()).min(self.usable - 4);
            row.extend_from_slice(page.get(4..4 + more)?);
        }
        Some(row)
    }
}

/// What a record's columns hold.
fn columns(row: &[u8]) -> Option<Vec<Column>> {
    let (header, mut at) = varint(row, 0)?;
    let header = usize::try_from(header).ok()?;
    let mut content = header;
    let mut columns = Vec::new();
    while at < header {
        let (kind, next) = varint(row, at)?;
        at = next;
        let length = match kind {
            0 | 8 | 9 => 0,
            1..=4 => kind as usize,
            5 => 6,
            6 | 7 => 8,
            10 | 11 => return None,
            kind => usize::try_from((kind - 12) / 2).ok()?,
        };
        let end = content.checked_add(length)?;
        let bytes = row.get(content..end)?;
        columns.push(match kind {
            1..=6 => {
                let negative = bytes.first().is_some_and(|b| b & 0x80 != 0);
                let first = if negative { -1_i64 } else { 0 };
                Column::Number(bytes.iter().fold(first, |n, b| n << 8 | i64::from(*b)))
            }
            8 | 9 => Column::Number(kind as i64 - 8),
            0 | 7 => Column::Nothing,
            _ => Column::Bytes(content..end),
        });
        content = end;
    }
    Some(columns)
}

fn be16(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(bytes.get(at..at.checked_add(2)?)?.try_into().ok()?))
}

fn be32(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(bytes.get(at..at.checked_add(4)?)?.try_into().ok()?))
}

/// Seven bits a byte, the last of nine bytes whole; and where it ends.
fn varint(bytes: &[u8], at: usize) -> Option<(u64, usize)> {
    let mut value = 0;
    for n in 0..9 {
        let byte = *bytes.get(at + n)?;
        if n == 8 {
            return Some((value << 8 | u64::from(byte), at + 9));
        }
        value = value << 7 | u64::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            return Some((value, at + n + 1));
        }
    }
    None
}

#[cfg(test)]
pub mod tests {
    use super::*;

    const PAGE: usize = 512;

    fn put_varint(out: &mut Vec<u8>, value: u64) {
        let mut groups = vec![(value & 0x7f) as u8];
        let mut rest = value >> 7;
        while rest > 0 {
            groups.push((rest & 0x7f) as u8 | 0x80);
            rest >>= 7;
        }
        out.extend(groups.iter().rev());
    }

    /// A record of columns that are numbers below 128 (as their digits) or bytes.
    fn record(columns: &[Result<u8, &[u8]>]) -> Vec<u8> {
        let (mut kinds, mut content) = (Vec::new(), Vec::new());
        for column in columns {
            match column {
                Ok(number) => {
                    kinds.push(1);
                    content.push(*number);
                }
                Err(bytes) => {
                    put_varint(&mut kinds, 12 + 2 * bytes.len() as u64);
                    content.extend_from_slice(bytes);
                }
            }
        }
        let mut out = Vec::new();
        put_varint(&mut out, kinds.len() as u64 + 1);
        out.extend(kinds);
        out.extend(content);
        out
    }

    fn place(page: &mut [u8], header: usize, kind: u8, cells: &[Vec<u8>], right: u32) {
        page[header] = kind;
        page[header + 3..header + 5].copy_from_slice(&(cells.len() as u16).to_be_bytes());
        let pointers = header + if kind == 5 { 12 } else { 8 };
        if kind == 5 {
            page[header + 8..header + 12].copy_from_slice(&right.to_be_bytes());
        }
        let mut end = PAGE;
        for (number, cell) in cells.iter().enumerate() {
            end -= cell.len();
            page[end..end + cell.len()].copy_from_slice(cell);
            let at = pointers + 2 * number;
            page[at..at + 2].copy_from_slice(&(end as u16).to_be_bytes());
        }
    }

    /// A database with the table `Packages`, each blob on a leaf of its own, in small pages.
    pub fn database(blobs: &[&[u8]]) -> Vec<u8> {
        let mut pages: Vec<Vec<u8>> = vec![vec![0; PAGE]; 2 + blobs.len()];
        let mut first = b"SQLite format 3\0".to_vec();
        first.extend((PAGE as u16).to_be_bytes());
        pages[0][..18].copy_from_slice(&first);
        let table: &[u8] = b"CREATE TABLE Packages (hnum INTEGER PRIMARY KEY, blob BLOB)";
        let row = record(&[Err(b"table"), Err(b"Packages"), Err(b"Packages"), Ok(2), Err(table)]);
        let mut cell = Vec::new();
        put_varint(&mut cell, row.len() as u64);
        cell.push(1);
        cell.extend(row);
        place(&mut pages[0], 100, 13, &[cell], 0);
        let mut inner = Vec::new();
        for (number, blob) in blobs.iter().enumerate() {
            let row = record(&[Ok(0), Err(blob)]);
            let mut cell = Vec::new();
            put_varint(&mut cell, row.len() as u64);
            cell.push(number as u8 + 1);
            let least = (PAGE - 12) * 32 / 255 - 23;
            if row.len() <= PAGE - 35 {
                cell.extend(&row);
            } else {
                let here = least + (row.len() - least) % (PAGE - 4);
                let here = if here <= PAGE - 35 { here } else { least };
                cell.extend(&row[..here]);
                cell.extend((pages.len() as u32 + 1).to_be_bytes());
                let rest: Vec<&[u8]> = row[here..].chunks(PAGE - 4).collect();
                for (at, part) in rest.iter().enumerate() {
                    let mut page = vec![0; PAGE];
                    let next = if at + 1 < rest.len() { pages.len() as u32 + 2 } else { 0 };
                    page[..4].copy_from_slice(&next.to_be_bytes());
                    page[4..4 + part.len()].copy_from_slice(part);
                    pages.push(page);
                }
            }
            place(&mut pages[2 + number], 0, 13, &[cell], 0);
            let mut pointer = (number as u32 + 3).to_be_bytes().to_vec();
            pointer.push(number as u8 + 1);
            inner.push(pointer);
        }
        inner.pop();
        place(&mut pages[1], 0, 5, &inner, blobs.len() as u32 + 2);
        pages.concat()
    }

    #[test]
    fn blobs_of_any_length() {
        let long: Vec<u8> = (0..5000_u32).map(|n| n as u8).collect();
        let all: [&[u8]; 4] = [b"one", &long[..476], &long[..1200], &long];
        let bytes = database(&all);
        let found = Sqlite::open(&bytes).unwrap().blobs("packages").unwrap();
        assert_eq!(found, all);
        assert_eq!(Sqlite::open(&bytes).unwrap().blobs("Names"), None);
        assert!(Sqlite::open(b"SQLite format 3\0").is_none());
    }

    #[test]
    fn what_is_broken_ends() {
        let long = vec![7; 3000];
        let bytes = database(&[b"one", &long]);
        for length in (0..bytes.len()).step_by(97) {
            if let Some(database) = Sqlite::open(&bytes[..length]) {
                assert_eq!(database.blobs("Packages"), None, "{length}");
            }
        }
        // Each byte of the trees, turned: whatever it means then, it ends.
        for at in (0..bytes.len()).step_by(3) {
            let mut turned = bytes.clone();
            turned[at] ^= 0xff;
            if let Some(database) = Sqlite::open(&turned) {
                let _ = database.blobs("Packages");
            }
        }
    }
}

//! The packages of rpm's databases: its SQLite form (Fedora, RHEL 9 and their kin) and its own, ndb
//! (SUSE). The oldest, in Berkeley DB, is not read.

use super::{packages::Package, sqlite::Sqlite};

/// Tags of a package's header.
const NAME: u32 = 1000;
const VERSION: u32 = 1001;
const RELEASE: u32 = 1002;
const EPOCH: u32 = 1003;
const VENDOR: u32 = 1011;
const LICENSE: u32 = 1014;
const ARCH: u32 = 1022;

/// A key that is trusted is kept as if it were a package.
const KEY: &str = "gpg-pubkey";

/// The packages of a database in SQLite's form; `None` if it can't be read.
pub fn sqlite(bytes: &[u8]) -> Option<Vec<Package>> {
    let blobs = Sqlite::open(bytes)?.blobs("Packages")?;
    blobs.iter().map(|blob| package(blob)).collect::<Option<Vec<_>>>().map(real)
}

/// The packages of a database in rpm's own form; `None` if it can't be read. Its first pages hold
/// slots of 16 bytes: a mark, the package's number, and where its blob lies, in blocks of 16 bytes.
pub fn ndb(bytes: &[u8]) -> Option<Vec<Package>> {
    const BLOCK: usize = 16;
    const PAGE: usize = 4096;
    let word = |at: usize| -> Option<usize> {
        let bytes = bytes.get(at..at.checked_add(4)?)?.try_into().ok()?;
        usize::try_from(u32::from_le_bytes(bytes)).ok()
    };
    if !bytes.starts_with(b"RpmP") {
        return None;
    }
    let slots = word(12)?.checked_mul(PAGE)?;
    let mut all = Vec::new();
    // The header takes the room of two slots.
    for slot in bytes.get(..slots)?.chunks_exact(BLOCK).skip(2) {
        let word_of =
            |at: usize| u32::from_le_bytes([slot[at], slot[at + 1], slot[at + 2], slot[at + 3]]);
        let (number, block) = (word_of(4), word_of(8) as usize);
        if !slot.starts_with(b"Slot") {
            return None;
        }
        if number == 0 {
            continue;
        }
        let at = block.checked_mul(BLOCK)?;
        if bytes.get(at..at + 4)? != b"BlbS" || word(at + 4)? != number as usize {
            return None;
        }
        let length = word(at + 12)?;
        all.push(package(bytes.get(at + BLOCK..(at + BLOCK).checked_add(length)?)?)?);
    }
    Some(real(all))
}

fn real(mut all: Vec<Package>) -> Vec<Package> {
    all.retain(|package| package.name != KEY);
    all
}

/// A package by its header: the number of entries and the length of what they point at, then entries
/// of tag, type, offset and count, then that.
fn package(header: &[u8]) -> Option<Package> {
    let word = |at: usize| -> Option<u32> {
        Some(u32::from_be_bytes(header.get(at..at.checked_add(4)?)?.try_into().ok()?))
    };
    let entries = word(0)? as usize;
    let start = entries.checked_mul(16)?.checked_add(8)?;
    let data = header.get(start..start.checked_add(word(4)? as usize)?)?;
    let find = |tag: u32| -> Option<(u32, &[u8])> {
        let at = (0..entries).map(|n| 8 + 16 * n).find(|at| word(*at) == Some(tag))?;
        Some((word(at + 4)?, data.get(word(at + 8)? as usize..)?))
    };
    let text = |tag: u32| -> Option<String> {
        // Texts of one language, of several, and lists of them all begin with a text.
        let (kind, bytes) = find(tag)?;
        let end = bytes.iter().position(|b| *b == 0)?;
        matches!(kind, 6 | 8 | 9).then(|| String::from_utf8_lossy(&bytes[..end]).into_owned())
    };
    let epoch = find(EPOCH).and_then(|(kind, bytes)| {
        let number = u32::from_be_bytes(bytes.get(..4)?.try_into().ok()?);
        (kind == 4 && number > 0).then_some(number)
    });
    let version = format!("{}-{}", text(VERSION)?, text(RELEASE)?);
    Some(Package {
        kind: "rpm",
        name: text(NAME)?,
        version: match epoch {
            Some(epoch) => format!("{epoch}:{version}"),
            None => version,
        },
        arch: text(ARCH).unwrap_or_default(),
        licence: text(LICENSE),
        supplier: text(VENDOR),
    })
}

#[cfg(test)]
mod tests {
    use super::{super::sqlite::tests::database, *};

    fn header(name: &str, epoch: u32) -> Vec<u8> {
        let texts = [
            (NAME, name),
            (VERSION, "5.2"),
            (RELEASE, "3.el9"),
            (VENDOR, "Somebody"),
            (LICENSE, "MIT"),
            (ARCH, "aarch64"),
        ];
        let mut data = epoch.to_be_bytes().to_vec();
        let mut entries = vec![(EPOCH, 4, 0)];
        for (tag, text) in texts {
            entries.push((tag, if tag == LICENSE { 9 } else { 6 }, data.len() as u32));
            data.extend(text.bytes());
            data.push(0);
        }
        let mut out = (entries.len() as u32).to_be_bytes().to_vec();
        out.extend((data.len() as u32).to_be_bytes());
        for (tag, kind, offset) in entries {
            for word in [tag, kind, offset, 1_u32] {
                out.extend(word.to_be_bytes());
            }
        }
        out.extend(data);
        out
    }

    fn told(all: Option<Vec<Package>>) -> Vec<String> {
        let show = |p: Package| format!("{} {} {}", p.name, p.version, p.arch);
        all.unwrap().into_iter().map(show).collect()
    }

    const WANT: [&str; 2] = ["bash 5.2-3.el9 aarch64", "vim 2:5.2-3.el9 aarch64"];

    #[test]
    fn in_sqlite() {
        let (bash, key, vim) = (header("bash", 0), header("gpg-pubkey", 0), header("vim", 2));
        let bytes = database(&[&bash, &key, &vim]);
        let all = sqlite(&bytes);
        assert_eq!(all.as_ref().unwrap()[0].licence.as_deref(), Some("MIT"));
        assert_eq!(told(all), WANT);
        assert_eq!(sqlite(&bytes[..1000]), None);
        assert_eq!(sqlite(&database(&[b"no header at all"])), None);
    }

    #[test]
    fn in_its_own_form() {
        let blobs = [header("bash", 0), header("vim", 2)];
        let mut bytes = b"RpmP".to_vec();
        for word in [0_u32, 1, 1, 3, 0, 0, 0] {
            bytes.extend(word.to_le_bytes());
        }
        let mut body = Vec::new();
        for (number, blob) in blobs.iter().enumerate() {
            let number = number as u32 + 1;
            let block = (4096 + body.len() as u32) / 16;
            bytes.extend(b"Slot");
            for word in [number, block, blob.len() as u32 / 16 + 2] {
                bytes.extend(word.to_le_bytes());
            }
            body.extend(b"BlbS");
            for word in [number, 1, blob.len() as u32] {
                body.extend(word.to_le_bytes());
            }
            body.extend(blob);
            body.resize(body.len().next_multiple_of(16) + 16, 0);
        }
        while bytes.len() < 4096 {
            bytes.extend(b"Slot");
            bytes.extend([0; 12]);
        }
        bytes.extend(body);
        assert_eq!(told(ndb(&bytes)), WANT);
        for length in (0..bytes.len() - 64).step_by(61) {
            assert_eq!(ndb(&bytes[..length]), None, "{length}");
        }
    }
}

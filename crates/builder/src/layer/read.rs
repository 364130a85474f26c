//! Reads layer archives of unknown origin, entry by entry.

use std::io::{self, Read};

use super::{
    entry::{Entry, EntryKind, ImagePath, Meta},
    packed::TooMuch,
    tar_reader::{Member, TarReader},
    tar_stream::{OPAQUE_NAME, WHITEOUT_PREFIX},
};

/// Bounds that no honest layer meets.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Entries in one archive.
    pub entries: u64,
    /// Unpacked bytes of one archive.
    pub bytes: u64,
    /// Bytes of one path.
    pub path: usize,
    /// Bytes of all paths, with those of directories that only they imply.
    pub paths: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { entries: 2_000_000, bytes: 256 << 30, path: 4095, paths: 512 << 20 }
    }
}

/// An archive that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// The stream broke off or is no archive.
    #[error("the archive cannot be read: {0}")]
    Io(io::Error),
    /// There is too much of something.
    #[error("the archive is refused: more than {limit} {what}")]
    Limit {
        /// Of what.
        what: &'static str,
        /// How much is allowed.
        limit: u64,
    },
    /// A path that can't be.
    #[error("the archive is refused: '{path}' {problem}")]
    Path {
        /// The path.
        path: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// A hard link that points out of the archive.
    #[error("the archive is refused: hard link '{path}' points at '{target}', which is not in it")]
    LinkTarget {
        /// The link.
        path: String,
        /// Where it points.
        target: String,
    },
    /// An entry could not be written.
    #[error(transparent)]
    Fs(#[from] crate::error::FsError),
    /// The consumer gave up.
    #[error("interrupted")]
    Interrupted,
}

impl From<io::Error> for ArchiveError {
    fn from(error: io::Error) -> Self {
        let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<TooMuch>());
        match inner {
            Some(TooMuch { limit }) => Self::Limit { what: "unpacked bytes", limit: *limit },
            None => Self::Io(error),
        }
    }
}

/// How names that begin with `.wh.` are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whiteouts {
    /// As OCI layers mean them.
    Layer,
    /// As plain names: the archive is a user's.
    Literal,
}

/// Calls `visit` with every entry and a reader of its content.
pub fn each_entry(
    archive: impl Read,
    whiteouts: Whiteouts,
    limits: Limits,
    mut visit: impl FnMut(Entry, &mut dyn Read) -> Result<(), ArchiveError>,
) -> Result<(), ArchiveError> {
    let mut archive = TarReader::new(archive);
    let (mut count, mut bytes, mut names) = (0u64, 0u64, 0u64);
    let mut before = ImagePath::default();
    while let Some(member) = archive.next_member()? {
        count += 1;
        if count > limits.entries {
            return Err(ArchiveError::Limit { what: "entries", limit: limits.entries });
        }
        let Some(entry) = read_entry(member, whiteouts, limits)? else { continue };
        if let EntryKind::File(size) = entry.kind {
            bytes = bytes.saturating_add(size);
            if bytes > limits.bytes {
                return Err(ArchiveError::Limit { what: "unpacked bytes", limit: limits.bytes });
            }
        }
        names = names.saturating_add(implied(&before, &entry.path));
        if names > limits.paths {
            return Err(ArchiveError::Limit { what: "bytes of paths", limit: limits.paths });
        }
        before = entry.path.clone();
        visit(entry, &mut archive.content())?;
    }
    Ok(())
}

/// The bytes of a path and of those directories above it that the path before did not have: what
/// somebody keeps who keeps them all.
fn implied(before: &ImagePath, path: &ImagePath) -> u64 {
    let same = before.0.iter().zip(&path.0).take_while(|(a, b)| a == b).count();
    let ends = path.0.iter().enumerate().skip(same).filter(|(_, byte)| **byte == b'/');
    ends.map(|(end, _)| end as u64).sum::<u64>() + path.0.len() as u64
}

fn read_entry(
    member: Member,
    whiteouts: Whiteouts,
    limits: Limits,
) -> Result<Option<Entry>, ArchiveError> {
    let raw = &member.name;
    let shown = || String::from_utf8_lossy(&raw[..raw.len().min(200)]).into_owned();
    let refused = |problem| ArchiveError::Path { path: shown(), problem };
    if raw.len() > limits.path || raw.contains(&0) {
        return Err(refused("is no possible path"));
    }
    if member.sparse {
        return Err(refused("is stored sparsely; make the archive without --sparse"));
    }
    let path = ImagePath::clean(raw);
    let meta = Meta {
        mode: member.mode,
        uid: clamp(member.uid),
        gid: clamp(member.gid),
        mtime: member.mtime,
        xattrs: member.xattrs.into_iter().filter(|(name, _)| is_image_xattr(name)).collect(),
    };
    if whiteouts == Whiteouts::Layer && path.file_name().starts_with(WHITEOUT_PREFIX) {
        return whiteout(&path, meta, shown);
    }
    let (major, minor) = member.device;
    let kind = match member.kind {
        b'5' => EntryKind::Directory,
        // The oldest archives have no type for directories, only the slash at the end.
        0 | b'0' | b'7' if raw.ends_with(b"/") => EntryKind::Directory,
        0 | b'0' | b'7' => EntryKind::File(member.size),
        b'1' => EntryKind::Hardlink(ImagePath::clean(&member.link)),
        b'2' => {
            let target = member.link;
            if target.is_empty() || target.contains(&0) || target.len() > limits.path {
                return Err(refused("is a link to nothing"));
            }
            EntryKind::Symlink(ImagePath(target))
        }
        b'3' => EntryKind::CharDevice(major, minor),
        b'4' => EntryKind::BlockDevice(major, minor),
        b'6' => EntryKind::Fifo,
        _ => return Ok(None),
    };
    if path.is_root() && kind != EntryKind::Directory {
        return Err(refused("would replace the root"));
    }
    Ok(Some(Entry { path, kind, meta }))
}

fn whiteout(
    path: &ImagePath,
    meta: Meta,
    shown: impl Fn() -> String,
) -> Result<Option<Entry>, ArchiveError> {
    let name = path.file_name();
    let dir = path.parent().unwrap_or_default();
    if name == OPAQUE_NAME {
        return Ok(Some(Entry { path: dir, kind: EntryKind::Opaque, meta }));
    }
    let hidden = &name[WHITEOUT_PREFIX.len()..];
    // `.wh..wh.` names are AUFS's own bookkeeping.
    if hidden.starts_with(WHITEOUT_PREFIX) {
        return Ok(None);
    }
    if matches!(hidden, b"" | b"." | b"..") {
        return Err(ArchiveError::Path { path: shown(), problem: "is a whiteout of nothing" });
    }
    Ok(Some(Entry { path: dir.join(hidden), kind: EntryKind::Whiteout, meta }))
}

/// Attributes that belong to an image. Overlayfs's own would let a layer rewrite what lies below;
/// `trusted.` and labels belong to the machine.
fn is_image_xattr(name: &[u8]) -> bool {
    name == b"security.capability"
        || (name.starts_with(b"user.") && !name.starts_with(b"user.overlay."))
}

fn clamp(id: u64) -> u32 {
    u32::try_from(id).unwrap_or(u32::MAX - 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layer::tar_stream::TarStream;

    fn archive(names: &[(&str, tar::EntryType, &str)]) -> Vec<u8> {
        let mut builder = tar::Builder::new(Vec::new());
        for (name, kind, link) in names {
            let mut header = tar::Header::new_gnu();
            header.set_entry_type(*kind);
            header.set_mode(0o644);
            header.set_size(0);
            header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
            header.as_old_mut().linkname[..link.len()].copy_from_slice(link.as_bytes());
            header.set_cksum();
            builder.append(&header, io::empty()).unwrap();
        }
        builder.into_inner().unwrap()
    }

    fn kinds(bytes: &[u8]) -> Result<Vec<(String, EntryKind)>, ArchiveError> {
        let mut seen = Vec::new();
        each_entry(bytes, Whiteouts::Layer, Limits::default(), |entry, _| {
            seen.push((entry.path.display(), entry.kind));
            Ok(())
        })?;
        Ok(seen)
    }

    #[test]
    fn paths_stay_inside_and_whiteouts_are_known() {
        let r = tar::EntryType::Regular;
        let seen = kinds(&archive(&[
            ("../../etc/passwd", r, ""),
            ("/abs", r, ""),
            ("d/.wh.gone", r, ""),
            ("d/.wh..wh..opq", r, ""),
            (".wh..wh.plnk", r, ""),
            ("hard", tar::EntryType::Link, "/../abs"),
        ]))
        .unwrap();
        assert_eq!(
            seen,
            [
                ("/etc/passwd".to_owned(), EntryKind::File(0)),
                ("/abs".to_owned(), EntryKind::File(0)),
                ("/d/gone".to_owned(), EntryKind::Whiteout),
                ("/d".to_owned(), EntryKind::Opaque),
                ("/hard".to_owned(), EntryKind::Hardlink("abs".into())),
            ]
        );
    }

    #[test]
    fn hostile_names_are_refused() {
        for name in ["a/.wh...", "a/.wh.", "a/.wh..", "/"] {
            let bytes = archive(&[(name, tar::EntryType::Fifo, "")]);
            assert!(matches!(kinds(&bytes), Err(ArchiveError::Path { .. })), "{name}");
        }
        let many = archive(&[("a", tar::EntryType::Regular, ""); 5]);
        let limits = Limits { entries: 4, ..Limits::default() };
        let result = each_entry(&many[..], Whiteouts::Layer, limits, |_, _| Ok(()));
        assert!(matches!(result, Err(ArchiveError::Limit { what: "entries", limit: 4 })));
    }

    #[test]
    fn overlay_attributes_of_a_layer_are_dropped() {
        let mut stream = TarStream::new(Vec::new());
        let mut meta = Meta { mode: 0o755, ..Meta::default() };
        for name in
            ["user.overlay.opaque", "trusted.overlay.opaque", "user.note", "security.capability"]
        {
            meta.xattrs.insert(name.as_bytes().to_vec(), b"y".to_vec());
        }
        let entry = Entry { path: "d".into(), kind: EntryKind::Directory, meta };
        stream.entry(&entry, &mut io::empty()).unwrap();
        let bytes = stream.finish().unwrap();
        let mut names = Vec::new();
        each_entry(&bytes[..], Whiteouts::Layer, Limits::default(), |entry, _| {
            names.extend(entry.meta.xattrs.into_keys());
            Ok(())
        })
        .unwrap();
        assert_eq!(names, [b"security.capability".to_vec(), b"user.note".to_vec()]);
    }
}

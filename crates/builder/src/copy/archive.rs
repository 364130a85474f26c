//! ADD of local archives.

use std::{collections::BTreeMap, fs::File, io};

use super::{CopyError, Owner, Placement};
use crate::{
    error::FsError,
    layer::{
        Entry, EntryKind, IndexEntry, LayerIndex, LayerWriter, Meta, View,
        diff::CAPABILITY_XATTR,
        entry::ImagePath,
        packed::Unpacked,
        read::{ArchiveError, Limits, Whiteouts, each_entry},
        tar_reader::TarReader,
        view::Lookup,
    },
    problem::Problem,
};

/// Whether a file is an archive that ADD unpacks: a tar, packed or not, by its content.
pub fn is_archive(file: File) -> bool {
    match open(file) {
        Some(mut reader) => matches!(TarReader::new(&mut reader).next_member(), Ok(Some(_))),
        None => false,
    }
}

/// A reader of the unpacked bytes; `None` if the file is too short to be anything.
fn open(file: File) -> Option<Unpacked> {
    let long_enough = file.metadata().is_ok_and(|found| found.len() >= 16);
    if !long_enough {
        return None;
    }
    Unpacked::open(file, Limits::default()).ok()
}

/// What a layer has already: paths, and whether they are directories.
#[derive(Debug, Default)]
pub struct Written(BTreeMap<ImagePath, bool>);

impl Written {
    /// Notes an entry of the instruction's own, which may come after those of an archive.
    ///
    /// # Errors
    /// When the one is a directory and the other is not.
    pub fn note(&mut self, entry: &Entry) -> Result<(), CopyError> {
        let is_dir = entry.kind == EntryKind::Directory;
        match self.0.insert(entry.path.clone(), is_dir) {
            Some(true) if !is_dir => Err(CopyError::IsADirectory { path: entry.path.display() }),
            Some(false) if is_dir => Err(CopyError::NotADirectory { path: entry.path.display() }),
            _ => Ok(()),
        }
    }

    fn has(&self, path: &ImagePath) -> bool {
        self.0.contains_key(path)
    }
}

/// Writes an archive's entries into a layer, below the directory `base`. `written` is what the layer
/// has already.
pub fn write_archive(
    file: File,
    base: &ImagePath,
    placement: &Placement,
    layer: &mut LayerWriter,
    written: &mut Written,
    interrupted: &dyn Fn() -> bool,
) -> Result<(), Problem> {
    let Some(reader) = open(file) else { return Ok(()) };
    let writing = layer.path().to_owned();
    let mut failure = None;
    // Links that the archive itself brings are followed too.
    let mut seen = placement.dest().clone();
    let result = each_entry(reader, Whiteouts::Literal, Limits::default(), |entry, data| {
        if interrupted() {
            return Err(ArchiveError::Interrupted);
        }
        let add = || -> Result<(), Problem> {
            let Some(entry) = relocate(entry, base, placement, &seen)? else { return Ok(()) };
            for dir in parents(&entry.path) {
                if !written.has(&dir) {
                    written.0.insert(dir.clone(), true);
                    let touched = entry.path.parent().as_ref() == Some(&dir);
                    let placed = placement.existing_directory(&dir, touched);
                    let added = layer.add(&placed.entry, &mut io::empty());
                    added.map_err(FsError::new("write", &writing))?;
                }
            }
            if let EntryKind::Hardlink(target) = &entry.kind
                && !written.has(target)
            {
                let (path, target) = (entry.path.display(), target.display());
                return Err(ArchiveError::LinkTarget { path, target }.into());
            }
            written.0.insert(entry.path.clone(), entry.kind == EntryKind::Directory);
            let index = LayerIndex { entries: vec![IndexEntry::new(&entry, None)] };
            seen.apply(usize::MAX, &index);
            layer.add(&entry, data).map_err(FsError::new("write a layer with", &writing))?;
            Ok(())
        };
        add().map_err(|problem| {
            failure = Some(problem);
            ArchiveError::Interrupted
        })
    });
    match failure {
        Some(problem) => Err(problem),
        None => Ok(result?),
    }
}

/// An archive's entry at its place in the image.
fn relocate(
    mut entry: Entry,
    base: &ImagePath,
    placement: &Placement,
    seen: &View,
) -> Result<Option<Entry>, CopyError> {
    if entry.path.is_root() {
        return Ok(None);
    }
    entry.path = locate(&entry.path, base, seen)?;
    if let EntryKind::Hardlink(target) = &entry.kind {
        entry.kind = EntryKind::Hardlink(locate(target, base, seen)?);
    }
    if entry.path.file_name().starts_with(b".wh.") {
        return Err(CopyError::WhiteoutName { path: entry.path.display() });
    }
    if let Some((uid, gid)) = placement.owner {
        entry.meta = Meta { uid, gid, ..entry.meta };
    }
    // Of a file's attributes a layer tells capabilities only, wherever the file comes from.
    entry.meta.xattrs.retain(|name, _| name == CAPABILITY_XATTR.as_bytes());
    Ok(Some(entry))
}

/// The place of an entry: links in the way to it, as they are by then, are followed.
fn locate(path: &ImagePath, base: &ImagePath, seen: &View) -> Result<ImagePath, CopyError> {
    let full = base.join(&path.0);
    let dir = full.parent().unwrap_or_default();
    match seen.resolve(&dir, true) {
        Lookup::Found(dir) | Lookup::Missing(dir) => Ok(dir.join(full.file_name())),
        // The archive brings a directory where the image has none.
        Lookup::NotADirectory(_) => Ok(full),
        Lookup::Loop => Err(CopyError::Loop { path: full.display() }),
    }
}

fn parents(path: &ImagePath) -> Vec<ImagePath> {
    let mut out: Vec<ImagePath> =
        std::iter::successors(path.parent(), ImagePath::parent).filter(|p| !p.is_root()).collect();
    out.reverse();
    out
}

/// What the user of `--chown` named, for ids that stand for themselves.
pub fn numeric_owner(text: &str) -> Option<Owner> {
    let (user, group) = text.split_once(':').unwrap_or((text, text));
    Some((user.parse().ok()?, group.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layer::Compression;

    fn tar(names: &[&str]) -> Vec<u8> {
        let mut builder = tar::Builder::new(Vec::new());
        for name in names {
            let mut header = tar::Header::new_ustar();
            header.set_mode(0o644);
            header.set_uid(5);
            header.set_gid(6);
            header.set_mtime(1);
            header.set_size(1);
            header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
            header.set_cksum();
            builder.append(&header, &b"x"[..]).unwrap();
        }
        builder.into_inner().unwrap()
    }

    #[test]
    fn archives_are_known_by_content() {
        let dir = tempfile::tempdir().unwrap();
        let plain = tar(&["a"]);
        let packed = {
            let mut out =
                crate::layer::compress::ParallelCompressor::new(Vec::new(), Compression::Zstd(1));
            io::Write::write_all(&mut out, &plain).unwrap();
            out.finish().unwrap()
        };
        for (bytes, want) in [
            (&plain[..], true),
            (&packed[..], true),
            (b"\x1f\x8b\x08 no gzip really, but long", false),
            (b"plain text that is longer than a few bytes", false),
            (b"", false),
        ] {
            let path = dir.path().join("f");
            std::fs::write(&path, bytes).unwrap();
            assert_eq!(is_archive(File::open(&path).unwrap()), want);
        }
    }

    #[test]
    fn entries_stay_in_the_destination_and_own_what_chown_says() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.tar");
        std::fs::write(&path, tar(&["../../up", "d/f"])).unwrap();
        let placement = Placement::new(View::default(), Some((9, 9)), None, 0);
        let out = dir.path().join("out");
        let mut layer = LayerWriter::create(&out, Compression::Gzip(1)).unwrap();
        let mut written = Written::default();
        write_archive(
            File::open(&path).unwrap(),
            &"opt".into(),
            &placement,
            &mut layer,
            &mut written,
            &|| false,
        )
        .unwrap();
        let index = layer.finish().unwrap().index;
        let seen: Vec<(String, u32)> =
            index.entries.iter().map(|e| (e.path.display(), e.uid)).collect();
        let want = [("/opt", 0), ("/opt/up", 9), ("/opt/d", 0), ("/opt/d/f", 9)];
        assert_eq!(seen, want.map(|(p, u)| (p.to_owned(), u)));
    }
}

//! What the cache holds, and how much of the disk it takes.

use std::{
    collections::{HashMap, HashSet},
    fs::{self, Metadata},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    Store,
    lease::{Gate, Thing, Uses},
};
use crate::{error::FsError, exec::now};

/// The directories beside the store with answers of registries.
const FACTS: [&str; 2] = ["image-facts-1", "image-configs-1"];

/// What a thing in the cache is. The order is that in which things of one age are removed: first
/// what is the cheapest to make anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A layer's files, as steps run on them.
    Unpacked,
    /// A layer of a base image, packed.
    Base,
    /// A file that ADD has fetched.
    Download,
    /// A directory of `RUN --mount=type=cache`.
    Mount,
    /// A layer that a step has made, packed.
    Layer,
    /// What is remembered of layers and steps.
    Record,
    /// Digests of files in build contexts.
    Context,
    /// Answers of registries, for `mlint check`.
    Fact,
    /// Work in progress.
    Work,
}

impl Kind {
    /// All kinds, those that people ask for first.
    pub const ALL: [Self; 9] = [
        Self::Layer,
        Self::Base,
        Self::Unpacked,
        Self::Mount,
        Self::Download,
        Self::Record,
        Self::Context,
        Self::Fact,
        Self::Work,
    ];

    /// Its name in filters and in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Unpacked => "unpacked",
            Self::Base => "base",
            Self::Download => "download",
            Self::Mount => "mount",
            Self::Layer => "layer",
            Self::Record => "record",
            Self::Context => "context",
            Self::Fact => "fact",
            Self::Work => "work",
        }
    }

    /// Whether it is removed only if everything is asked for: it is small and saves time.
    pub fn is_small(self) -> bool {
        matches!(self, Self::Context | Self::Fact)
    }
}

/// A thing in the cache.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// What it is.
    pub kind: Kind,
    /// Its name.
    pub id: String,
    /// Bytes that it takes on the disk.
    pub size: u64,
    /// When it was used last, in seconds since 1970.
    pub used: i64,
    /// The step that made it, or the mount's name; empty if nobody knows.
    pub about: String,
    /// Whether a running build uses it.
    pub in_use: bool,
}

/// All of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// What there is.
    pub entries: Vec<Entry>,
    /// Bytes that all of it takes on the disk.
    pub total: u64,
}

/// A thing, and the files that are it.
#[derive(Debug)]
pub(super) struct Found {
    pub entry: Entry,
    /// The first is what it is named after; the others are worth nothing without it.
    pub paths: Vec<PathBuf>,
    /// What a session that uses it has written down.
    pub held_as: Option<(Thing, String)>,
}

/// The size, without looking at all of it.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Ledger {
    pub bytes: u64,
    /// When all of it was looked at, in seconds since 1970.
    pub measured: i64,
}

impl Store {
    /// Looks at all of the cache.
    pub fn usage(&self) -> Result<Usage, FsError> {
        let found = self.find(None)?;
        let total = found.iter().map(|f| f.entry.size).fold(0, u64::saturating_add);
        self.set_size(total)?;
        Ok(Usage { entries: found.into_iter().map(|f| f.entry).collect(), total })
    }

    /// Everything, as it is now. `but` is a session whose uses do not count.
    pub(super) fn find(&self, but: Option<&Path>) -> Result<Vec<Found>, FsError> {
        let uses = Uses::read(&self.root, but);
        let known = Records::read(&self.root);
        let mut found = Vec::new();
        self.find_blobs(&known, &uses, &mut found)?;
        self.find_directories(&uses, &mut found)?;
        for path in known.loose.iter().chain(&files(&self.root.join("index"))?) {
            found.extend(loose(Kind::Record, path, &uses));
        }
        for path in &files(&self.root.join("contexts"))? {
            found.extend(loose(Kind::Context, path, &uses));
        }
        for name in FACTS {
            for path in files(&self.dir.join(name)).unwrap_or_default() {
                found.extend(loose(Kind::Fact, &path, &uses));
            }
        }
        for path in files(&self.root.join("tmp"))? {
            let Ok(meta) = fs::symlink_metadata(&path) else { continue };
            let mut entry = entry(Kind::Work, &path, disk_size(&path), meta.mtime());
            entry.in_use = true;
            found.push(Found { entry, paths: Vec::new(), held_as: None });
        }
        Ok(found)
    }

    fn find_blobs(
        &self,
        known: &Records,
        uses: &Uses,
        found: &mut Vec<Found>,
    ) -> Result<(), FsError> {
        for path in files(&self.root.join("blobs/sha256"))? {
            let Ok(meta) = fs::symlink_metadata(&path) else { continue };
            let hex = file_name(&path);
            let (kind, about, records) = match known.blobs.get(&hex) {
                Some(blob) => (blob.kind, blob.about.clone(), blob.records.clone()),
                None => (Kind::Base, String::new(), Vec::new()),
            };
            let mut entry = entry(kind, &path, blocks(&meta), meta.mtime());
            entry.about = about;
            entry.in_use = uses.holds(Thing::Blob, &hex);
            for record in &records {
                entry.size += fs::symlink_metadata(record).map_or(0, |meta| blocks(&meta));
            }
            let paths = std::iter::once(path).chain(records).collect();
            found.push(Found { entry, paths, held_as: Some((Thing::Blob, hex)) });
        }
        Ok(())
    }

    /// Unpacked layers and cache mounts.
    fn find_directories(&self, uses: &Uses, found: &mut Vec<Found>) -> Result<(), FsError> {
        let mut all: Vec<(Kind, Thing, PathBuf)> = Vec::new();
        for path in files(&self.root.join("layers"))? {
            all.push((Kind::Unpacked, Thing::Unpacked, path));
        }
        for path in files(&self.root.join("mounts"))? {
            if path.extension().is_none() {
                all.push((Kind::Mount, Thing::Mount, path));
            }
        }
        let measured: Vec<Option<Found>> = all
            .into_par_iter()
            .map(|(kind, thing, path)| {
                let hex = file_name(&path);
                let hex = hex.split('-').next().unwrap_or_default().to_owned();
                let note = match kind {
                    Kind::Mount => path.with_extension("json"),
                    _ => self.root.join("index").join(format!("{hex}.json")),
                };
                // Its own time is a part of its content.
                let used = fs::symlink_metadata(&note)
                    .map(|meta| meta.mtime())
                    .or_else(|_| fs::symlink_metadata(&path).map(|meta| meta.ctime()))
                    .ok()?;
                let mut entry = entry(kind, &path, disk_size(&path), used);
                entry.in_use = uses.holds(thing, &hex);
                let mut paths = vec![path];
                if kind == Kind::Mount {
                    entry.about = self.peek(&note).unwrap_or_default();
                    paths.push(note);
                }
                Some(Found { entry, paths, held_as: Some((thing, hex)) })
            })
            .collect();
        found.extend(measured.into_iter().flatten());
        Ok(())
    }

    /// Reads a sealed file without using it.
    fn peek(&self, path: &Path) -> Option<String> {
        super::sealed::unseal(&fs::read(path).ok()?)
    }

    /// The size as far as it was counted; `None` if the cache must be looked at.
    pub(super) fn ledger(&self) -> Option<Ledger> {
        super::sealed::unseal(&fs::read(self.ledger_path()).ok()?)
    }

    /// Counts bytes that were added.
    pub(super) fn count(&self, added: u64) -> Result<(), FsError> {
        if added == 0 {
            return Ok(());
        }
        let _gate = Gate::close(&self.root)?;
        let Some(mut ledger) = self.ledger() else { return Ok(()) };
        ledger.bytes = ledger.bytes.saturating_add(added);
        self.write_json(&self.ledger_path(), &ledger)
    }

    /// Writes down what was measured.
    pub(super) fn set_size(&self, bytes: u64) -> Result<(), FsError> {
        self.write_json(&self.ledger_path(), &Ledger { bytes, measured: now() })?;
        self.journal.counted();
        Ok(())
    }

    fn ledger_path(&self) -> PathBuf {
        self.root.join("usage")
    }
}

/// What the records say of blobs.
#[derive(Default)]
struct Records {
    blobs: HashMap<String, Blob>,
    /// Records of something else.
    loose: Vec<PathBuf>,
}

struct Blob {
    kind: Kind,
    about: String,
    records: Vec<PathBuf>,
}

impl Records {
    fn read(root: &Path) -> Self {
        let mut records = Self::default();
        for dir in files(&root.join("records")).unwrap_or_default() {
            let kind = match file_name(&dir).as_str() {
                "url" => Kind::Download,
                _ => Kind::Layer,
            };
            for path in files(&dir).unwrap_or_default() {
                records.add(kind, path);
            }
        }
        records
    }

    fn add(&mut self, kind: Kind, path: PathBuf) {
        let value = fs::read(&path).ok().and_then(|b| super::sealed::unseal::<Value>(&b));
        let value = value.unwrap_or_default();
        let digest = value["layer"]["digest"].as_str().or(value["digest"].as_str());
        let Some((_, hex)) = digest.and_then(|digest| digest.split_once(':')) else {
            return self.loose.push(path);
        };
        let blob = self.blobs.entry(hex.to_owned()).or_insert_with(|| Blob {
            kind,
            about: String::new(),
            records: Vec::new(),
        });
        if let Some(about) = value["about"].as_str().filter(|_| blob.about.is_empty()) {
            blob.about = about.to_owned();
        }
        blob.records.push(path);
    }
}

/// A small file that nothing else depends on.
fn loose(kind: Kind, path: &Path, uses: &Uses) -> Option<Found> {
    let meta = fs::symlink_metadata(path).ok()?;
    let mut entry = entry(kind, path, blocks(&meta), meta.mtime());
    let is_index = path.parent().is_some_and(|dir| dir.ends_with("index"));
    let held_as = is_index.then(|| (Thing::Index, entry.id.clone()));
    entry.in_use = held_as.as_ref().is_some_and(|(thing, hex)| uses.holds(*thing, hex));
    Some(Found { entry, paths: vec![path.to_owned()], held_as })
}

fn entry(kind: Kind, path: &Path, size: u64, used: i64) -> Entry {
    let id = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    Entry { kind, id, size, used, about: String::new(), in_use: false }
}

/// What is in a directory.
fn files(dir: &Path) -> Result<Vec<PathBuf>, FsError> {
    let entries = fs::read_dir(dir).map_err(FsError::new("read", dir))?;
    Ok(entries.flatten().map(|entry| entry.path()).collect())
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// Bytes of whole blocks.
pub(super) fn on_disk(bytes: u64) -> u64 {
    bytes.div_ceil(4096).saturating_mul(4096)
}

fn blocks(meta: &Metadata) -> u64 {
    meta.blocks().saturating_mul(512)
}

/// What a file, or a directory with all below it, takes on the disk. What can't be read is not
/// counted.
fn disk_size(path: &Path) -> u64 {
    let mut linked: HashSet<(u64, u64)> = HashSet::new();
    let mut total = 0u64;
    let mut open = vec![path.to_owned()];
    while let Some(path) = open.pop() {
        let Ok(meta) = fs::symlink_metadata(&path) else { continue };
        let is_dir = meta.is_dir();
        if !is_dir && meta.nlink() > 1 && !linked.insert((meta.dev(), meta.ino())) {
            continue;
        }
        total = total.saturating_add(blocks(&meta));
        if is_dir {
            open.extend(fs::read_dir(&path).into_iter().flatten().flatten().map(|e| e.path()));
        }
    }
    total
}

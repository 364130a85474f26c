//! The files of a stage, as far as the Dockerfile brings them.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Bound,
    sync::Arc,
};

mod layers;
mod paths;
mod products;

use layers::{is_layer, unlayered};
pub(crate) use paths::{absolute, archive_word, file_name, join, last_part};
pub(crate) use products::is_text;
use products::{may_be_product, may_be_unnamed};

use crate::{
    artifact::{Artifact, Made, Station},
    machine::{Linkage, Machine, MachineKind},
    value::Value,
};

/// Folders that every image (scratch aside) has.
const USUAL_FOLDERS: &[&str] = &[
    "/",
    "/bin",
    "/sbin",
    "/usr",
    "/usr/bin",
    "/usr/sbin",
    "/usr/lib",
    "/usr/local",
    "/usr/local/bin",
    "/usr/local/sbin",
    "/usr/local/lib",
    "/usr/share",
    "/lib",
    "/etc",
    "/opt",
    "/tmp",
    "/var",
    "/var/tmp",
    "/root",
    "/home",
    "/srv",
    "/mnt",
    "/usr/src",
];

/// The name of a file whose name is not known, in a folder that is.
pub(crate) const UNKNOWN_NAME: &str = "\u{fffd}";

/// Whether a path below a usual folder is more likely a part of the base image than of what was
/// unpacked there.
fn belongs_to_system(folder: &str, path: &str) -> bool {
    const SYSTEM: &[&str] =
        &["/etc/", "/usr/share/", "/var/", "/lib/", "/usr/lib/", "/proc/", "/sys/", "/dev/"];
    let folder = format!("{folder}/");
    SYSTEM.iter().any(|root| path.starts_with(root) && !folder.starts_with(root))
}

/// With more archives, each may be the one.
const MANY: usize = 32;

/// One of 64 bits for a name: most names that are asked for are at no path at all, and this tells
/// it without a look at the paths.
fn name_bit(name: &str) -> u64 {
    // FNV-1a, 64 bits (draft-eastlake-fnv): small and good enough for short names.
    let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    1 << (hash >> 58)
}

/// Files by absolute path. Where a folder of unknown names got its contents from several sources
/// that have little in common, those after the first are kept apart (see [`layers`]).
#[derive(Clone, Debug, Default)]
pub(crate) struct Files {
    /// Shared with the stages that start from this one, until they change something.
    entries: Arc<BTreeMap<String, Arc<Artifact>>>,
    folders: Arc<BTreeSet<String>>,
    /// Which names were ever put here: a bit for each, by [`name_bit`].
    names: u64,
    /// The first words of the names of what was downloaded and unpacked, at some time.
    unpacked: Arc<BTreeSet<String>>,
    /// What was at a path before it changed, as long as somebody may want it back.
    journal: Vec<(String, Option<Arc<Artifact>>)>,
    watchers: u32,
}

/// What a branch did to files: what is at each touched path at its end.
pub(crate) type FileDelta = BTreeMap<String, Option<Arc<Artifact>>>;

impl Files {
    /// From here on, changes can be undone. Ends with [`Files::settle`].
    pub(crate) fn watch(&mut self) -> usize {
        self.watchers += 1;
        self.journal.len()
    }

    /// Undoes everything since `mark` and tells what it was.
    pub(crate) fn undo(&mut self, mark: usize) -> FileDelta {
        let mut delta = FileDelta::new();
        while self.journal.len() > mark {
            let Some((path, old)) = self.journal.pop() else { break };
            let entries = Arc::make_mut(&mut self.entries);
            let now = match old {
                Some(old) => entries.insert(path.clone(), old),
                None => entries.remove(&path),
            };
            delta.entry(path).or_insert(now);
        }
        delta
    }

    /// Does what one of several branches did; which, is not known. Nobody wants to undo what was
    /// done since the matching [`Files::watch`] by itself any more.
    pub(crate) fn settle(&mut self, deltas: Vec<FileDelta>) {
        let mut paths: Vec<&String> = deltas.iter().flat_map(BTreeMap::keys).collect();
        paths.sort_unstable();
        paths.dedup();
        let mut joined: Vec<(String, Option<Arc<Artifact>>)> = Vec::with_capacity(paths.len());
        for path in paths {
            let here = self.entries.get(path);
            let mut ends = deltas.iter().map(|d| d.get(path).map_or(here, Option::as_ref));
            let mut all = true;
            let mut found: Option<Arc<Artifact>> = None;
            for end in &mut ends {
                match (&mut found, end) {
                    (_, None) => all = false,
                    (None, Some(artifact)) => found = Some(Arc::clone(artifact)),
                    (Some(found), Some(artifact)) => {
                        if !Arc::ptr_eq(found, artifact) {
                            merge(Arc::make_mut(found), (**artifact).clone());
                        }
                    }
                }
            }
            if let Some(found) = found.as_mut().filter(|found| found.certain && !all) {
                Arc::make_mut(found).certain = false;
            }
            joined.push((path.clone(), found));
        }
        for (path, artifact) in joined {
            self.note(&path);
            let entries = Arc::make_mut(&mut self.entries);
            match artifact {
                Some(artifact) => entries.insert(path, artifact),
                None => entries.remove(&path),
            };
        }
        self.watchers = self.watchers.saturating_sub(1);
        if self.watchers == 0 {
            self.journal.clear();
        }
    }

    fn note(&mut self, path: &str) {
        if self.watchers > 0 {
            self.journal.push((path.to_owned(), self.entries.get(path).cloned()));
        }
    }

    /// Anything may have happened to the files.
    pub(crate) fn doubt(&mut self) {
        for artifact in Arc::make_mut(&mut self.entries).values_mut() {
            let artifact = Arc::make_mut(artifact);
            artifact.certain = false;
            artifact.content = None;
            artifact.machine = Machine::unknown();
        }
    }

    /// All entries.
    pub(crate) fn all(&self) -> Arc<BTreeMap<String, Arc<Artifact>>> {
        Arc::clone(&self.entries)
    }

    /// The entry at exactly this path.
    pub(crate) fn at(&self, path: &str) -> Option<&Artifact> {
        self.entries.get(path).map(|artifact| &**artifact)
    }

    /// The first entry of that name in one of these folders.
    pub(crate) fn in_folders(&self, folders: &[&str], name: &str) -> Option<&Artifact> {
        if self.names & name_bit(name) == 0 {
            return None;
        }
        let mut path = String::new();
        folders.iter().find_map(|folder| {
            layers::write_child(&mut path, folder, name);
            self.at(&path)
        })
    }

    /// Whether an archive may have been downloaded and unpacked, the first word of whose name
    /// `fits`: it has files of any name then.
    pub(crate) fn has_unpacked(&self, fits: impl Fn(&str) -> bool) -> bool {
        self.unpacked.len() > MANY || self.unpacked.iter().any(|word| fits(word))
    }

    fn at_mut(&mut self, path: &str) -> Option<&mut Artifact> {
        Arc::make_mut(&mut self.entries).get_mut(path).map(Arc::make_mut)
    }

    /// What was known of a file's text is not known any more.
    pub(crate) fn blur(&mut self, path: &str, content: Value) {
        if self.at(path).is_some_and(|a| a.content.is_none()) {
            return;
        }
        self.note(path);
        if let Some(artifact) = self.at_mut(path) {
            artifact.content = Some(content);
        } else if self.at(path).is_none()
            && let Some(child) = self.find(path)
            && matches!(child.made, Made::Context { path: Some(_) })
        {
            self.put(Artifact { content: Some(content), ..child });
        }
    }

    /// Whether a path is one of the folders that every image has.
    pub(crate) fn is_usual(path: &str) -> bool {
        USUAL_FOLDERS.contains(&path)
    }

    /// A folder is made.
    pub(crate) fn make_folder(&mut self, path: &str) {
        if self.folders.contains(path) {
            return;
        }
        let folders = Arc::make_mut(&mut self.folders);
        let mut at = path;
        while at.len() > 1 && folders.insert(at.to_owned()) {
            at = at.rsplit_once('/').map_or("", |(parent, _)| parent);
        }
    }

    /// Whether `path` is known to be a folder.
    pub(crate) fn is_folder(&self, path: &str) -> bool {
        USUAL_FOLDERS.contains(&path)
            || self.folders.contains(path)
            || self.entries.get(path).is_some_and(|a| a.folder)
            || self.below(path).next().is_some()
    }

    /// All entries below a folder.
    pub(crate) fn below<'s>(
        &'s self,
        folder: &str,
    ) -> impl Iterator<Item = (&'s String, &'s Artifact)> + use<'s> {
        let mut prefix = String::new();
        if !self.entries.is_empty() {
            layers::write_child(&mut prefix, folder, "");
        }
        self.entries
            .range::<str, _>((Bound::Included(prefix.as_str()), Bound::Unbounded))
            .take_while(move |(path, _)| path.starts_with(&prefix))
            .map(|(path, artifact)| (path, &**artifact))
    }

    /// Puts an artifact at its path. An uncertain one beside an older one gives what both have in
    /// common; contents of a folder beside others stay apart.
    pub(crate) fn put(&mut self, artifact: Artifact) {
        let artifact = unlayered(artifact);
        let key = self.key_for(&artifact);
        self.note(&key);
        self.names |= name_bit(file_name(&key));
        if let Made::Downloaded { url } = &artifact.made
            && artifact.folder
            && self.unpacked.len() <= MANY
        {
            let url = url.spelling();
            let word = archive_word(&url);
            if !self.unpacked.contains(word) {
                Arc::make_mut(&mut self.unpacked).insert(word.to_owned());
            }
        }
        let entries = Arc::make_mut(&mut self.entries);
        if artifact.certain && !artifact.folder {
            entries.insert(key, Arc::new(artifact));
            return;
        }
        match entries.get_mut(&key) {
            Some(old) => merge(Arc::make_mut(old), artifact),
            None => {
                entries.insert(key, Arc::new(artifact));
            }
        }
    }

    /// Takes a file or a whole folder away; where that is not certain, it stays, uncertain.
    pub(crate) fn remove(&mut self, path: &str, certain: bool) {
        self.disturb(path);
        let mut paths: Vec<String> = self.below(path).map(|(p, _)| p.clone()).collect();
        if self.entries.contains_key(path) {
            paths.push(path.to_owned());
        }
        if paths.is_empty() {
            return;
        }
        paths.iter().for_each(|path| self.note(path));
        let entries = Arc::make_mut(&mut self.entries);
        for path in paths {
            if certain {
                entries.remove(&path);
            } else if let Some(artifact) = entries.get_mut(&path) {
                Arc::make_mut(artifact).certain = false;
            }
        }
    }

    /// Takes away all at and below a path, as a mount over it does; nothing else is touched.
    pub(crate) fn hide(&mut self, path: &str) -> Vec<Artifact> {
        let mut paths: Vec<String> = self.below(path).map(|(p, _)| p.clone()).collect();
        if self.entries.contains_key(path) {
            paths.push(path.to_owned());
        }
        if paths.is_empty() {
            return Vec::new();
        }
        let entries = Arc::make_mut(&mut self.entries);
        paths.iter().filter_map(|path| entries.remove(path).map(Arc::unwrap_or_clone)).collect()
    }

    /// Something below a folder of unknown names goes: what is left there is not certain.
    fn disturb(&mut self, path: &str) {
        let mut at = path;
        while let Some((parent, _)) = at.rsplit_once('/') {
            let parent = if parent.is_empty() { "/" } else { parent };
            for key in self.layers(parent) {
                let shaken = self.entries.get(&key).is_some_and(|a| a.folder && a.certain);
                if shaken {
                    self.note(&key);
                }
                if shaken && let Some(folder) = self.at_mut(&key) {
                    folder.certain = false;
                }
            }
            if parent == "/" {
                break;
            }
            at = parent;
        }
    }

    /// Takes away all that is in a folder, but not the folder.
    pub(crate) fn clear(&mut self, folder: &str, certain: bool) {
        self.remove(folder, certain);
        self.make_folder(folder);
    }

    /// The artifact at a path: the entry itself, or the folder that holds it under an unknown name.
    pub(crate) fn find(&self, path: &str) -> Option<Artifact> {
        if let Some(found) = self.at(path) {
            return Some(found.clone());
        }
        if self.entries.is_empty() {
            return None;
        }
        let name = file_name(path);
        let mut at = path;
        let mut unnamed = String::with_capacity(path.len() + UNKNOWN_NAME.len());
        while let Some((parent, _)) = at.rsplit_once('/') {
            let parent = if parent.is_empty() { "/" } else { parent };
            let direct = parent.len() + name.len() + usize::from(parent != "/") == path.len();
            layers::write_child(&mut unnamed, parent, UNKNOWN_NAME);
            let unnamed = self.at(&unnamed).filter(|a| {
                direct && may_be_unnamed(a, name)
                    || !USUAL_FOLDERS.contains(&parent) && may_be_product(a, &path[parent.len()..])
            });
            if let Some(found) = unnamed {
                return Some(Artifact { path: path.to_owned(), certain: false, ..found.clone() });
            }
            if let Some(found) = self.inside(parent, path) {
                if belongs_to_system(parent, path) {
                    return None;
                }
                // Other files lie in the folders that every image has; temporary ones are empty.
                let shared = USUAL_FOLDERS.contains(&parent) && !parent.ends_with("/tmp");
                let certain = found.certain && !shared;
                let found = Artifact { folder: false, certain, ..found };
                return Some(if is_text(name) { found.into_text() } else { found });
            }
            if parent == "/" {
                break;
            }
            at = parent;
        }
        None
    }

    /// What a source path or pattern means: each artifact with its path below the copied root
    /// (empty for a file copied by its own name).
    pub(crate) fn select(&self, source: &str) -> Vec<Selected> {
        let has_pattern = source.contains(['*', '?', '[']);
        if has_pattern {
            let root = source.split(['*', '?', '[']).next().unwrap_or_default();
            let folder =
                root.rsplit_once('/').map_or("/", |(f, _)| if f.is_empty() { "/" } else { f });
            let mut out: Vec<Selected> = self
                .below(folder)
                .filter_map(|(path, artifact)| {
                    let (top, rest) = matching_top(source, path)?;
                    if is_layer(&top) {
                        return None;
                    }
                    Some(Selected { artifact: artifact.clone(), top, rest })
                })
                .collect();
            if out.is_empty() {
                // Names inside are not known: any of them may match.
                let unknown = join(folder, UNKNOWN_NAME);
                let layers = self.layers(folder);
                let found: Vec<Artifact> = match layers.len() {
                    0 | 1 => self.find(&unknown).into_iter().collect(),
                    _ => layers.iter().filter_map(|k| self.at(k)?.child(&unknown).into()).collect(),
                };
                out.extend(found.into_iter().map(|artifact| Selected {
                    artifact: Artifact { certain: false, folder: true, ..artifact },
                    top: String::new(),
                    rest: String::new(),
                }));
            }
            return out;
        }
        let name = file_name(source).to_owned();
        let mut out: Vec<Selected> = self
            .below(source)
            .map(|(path, artifact)| Selected {
                artifact: artifact.clone(),
                top: String::new(),
                rest: path[source.trim_end_matches('/').len() + 1..].to_owned(),
            })
            .collect();
        if let Some(artifact) = self.find(source) {
            let is_folder = artifact.folder && self.entries.contains_key(source);
            let top = if is_folder { String::new() } else { name };
            out.push(Selected { artifact, top, rest: String::new() });
        }
        out
    }
}

/// An artifact that a copy takes along.
#[derive(Clone, Debug)]
pub(crate) struct Selected {
    pub(crate) artifact: Artifact,
    /// The file's own name when it is copied as a file; empty inside a copied folder.
    pub(crate) top: String,
    /// Its path below the copied folder.
    pub(crate) rest: String,
}

/// How the first parts of `path` match `pattern`, part by part: the name of the matched top and
/// what is left below it.
fn matching_top(pattern: &str, path: &str) -> Option<(String, String)> {
    let patterns: Vec<&str> = pattern.split('/').collect();
    let parts: Vec<&str> = path.split('/').collect();
    if parts.len() < patterns.len() {
        return None;
    }
    let fits = patterns.iter().zip(&parts).all(|(p, t)| crate::glob::matches(p, t));
    if !fits {
        return None;
    }
    let rest = parts[patterns.len()..].join("/");
    let top = if rest.is_empty() { parts[patterns.len() - 1].to_owned() } else { String::new() };
    Some((top, rest))
}

/// What two artifacts at one path have in common.
fn merge(old: &mut Artifact, new: Artifact) {
    if old.machine.kind != new.machine.kind {
        // What certainly is machine-independent does not make the other part unknown.
        if old.machine.kind == MachineKind::Independent {
            old.machine = new.machine.clone();
        } else if new.machine.kind != MachineKind::Independent {
            old.machine = Machine::unknown();
        }
    }
    if old.linkage != new.linkage {
        old.linkage = Linkage::Unknown;
    }
    old.content = match (old.content.take(), &new.content) {
        (Some(a), Some(b)) => {
            let span = new.way.last().map(|s| s.span).unwrap_or_default();
            Some(Value::one_of([a, b.clone()], span))
        }
        _ => None,
    };
    if let (Made::Context { path: old }, Made::Context { path: new }) = (&mut old.made, &new.made)
        && old != new
    {
        // What lies there came from two places.
        *old = None;
    }
    old.certain = old.certain && new.certain;
    old.folder |= new.folder;
    if new.way.len() > old.way.len() {
        old.way = new.way;
        old.made = new.made;
    }
}

impl Artifact {
    /// What lies at `path` below this folder.
    fn child(&self, path: &str) -> Self {
        let mut child = Self { path: path.to_owned(), ..self.clone() };
        if let Made::Context { path: Some(from) } = &mut child.made {
            let rest = path.strip_prefix(&*self.path).unwrap_or_default();
            *from = from.below(rest.trim_start_matches('/'));
        }
        child
    }

    /// This artifact at another place, with one more station on its way.
    pub(crate) fn moved(&self, path: String, station: Station, certain: bool) -> Self {
        let mut way = self.way.clone();
        // A file that is copied round and round in a loop keeps a bounded way.
        if way.len() < 64 {
            way.push(station);
        }
        Self { path, way, certain: self.certain && certain, ..self.clone() }
    }
}

//! Folders of unknown names whose contents came from several sources.
//!
//! The first source's entry has the folder's own path for a key, further ones a key below it that no
//! file has. So what is done to all that is in a folder is done to them too.

use super::{Artifact, Files, file_name};
use crate::{
    artifact::Made,
    machine::{Linkage, Machine, MachineKind},
};

/// As many sources of a folder are kept apart.
const MAX_LAYERS: usize = 8;

/// What keys of further sources start with; it sorts before all names.
const MARK: char = '\u{1}';

/// `folder/name`, of a clean path.
pub(super) fn child(folder: &str, name: &str) -> String {
    let mut path = String::new();
    write_child(&mut path, folder, name);
    path
}

/// As [`child`], into a text that is used again and again.
pub(super) fn write_child(path: &mut String, folder: &str, name: &str) {
    let slash = if folder.ends_with('/') { "" } else { "/" };
    path.clear();
    path.extend([folder, slash, name]);
}

/// The key of a folder's source; the first has the number 0.
pub(super) fn layer(folder: &str, number: usize) -> String {
    match number {
        0 => folder.to_owned(),
        _ => child(folder, &format!("{MARK}{number}")),
    }
}

/// Whether a key is that of a further source.
pub(super) fn is_layer(key: &str) -> bool {
    file_name(key).starts_with(MARK)
}

/// What was copied under the key of a further source, at the folder's own path.
pub(super) fn unlayered(mut artifact: Artifact) -> Artifact {
    if !is_layer(&artifact.path) {
        return artifact;
    }
    let folder = match artifact.path.rsplit_once('/') {
        Some(("", _)) | None => "/",
        Some((folder, _)) => folder,
    };
    let folder = folder.to_owned();
    if let Some(last) = artifact.way.last_mut() {
        last.path.clone_from(&folder);
    }
    Artifact { path: folder, folder: true, ..artifact }
}

/// Whether two contents of a folder are told by one entry: nothing is lost by it, or the later one
/// replaces the earlier.
pub(super) fn alike(old: &Artifact, new: &Artifact) -> bool {
    let is_made = |a: &Artifact| matches!(a.made, Made::Compiled { .. } | Made::Installed { .. });
    let is_known = |a: &Artifact| a.machine.platform().is_some();
    if let (Made::Downloaded { url: a }, Made::Downloaded { url: b }) = (&old.made, &new.made)
        && is_known(old)
        && is_known(new)
        && a != b
    {
        return a.spelled().text == b.spelled().text;
    }
    if is_made(old) && is_made(new) || !is_known(old) && !is_known(new) {
        return true;
    }
    old.machine.kind == new.machine.kind && old.linkage == new.linkage
}

/// The first word of a name: `helm` of `helm-v3-linux-amd64.tar.gz`.
fn first_word(name: &str) -> String {
    let word = name.split(['-', '_', '.', '@']).next().unwrap_or_default();
    word.trim_end_matches(|c: char| c.is_ascii_digit()).to_ascii_lowercase()
}

impl Artifact {
    /// Whether what lies at `rest` below a folder is called like the archive that it came out of.
    fn fits(&self, rest: &str) -> bool {
        let mut sources: Vec<String> = Vec::new();
        if let Made::Downloaded { url } = &self.made {
            sources.push(first_word(file_name(&url.spelling())));
        }
        let file = self.way.iter().find(|s| s.path != self.path);
        sources.extend(file.map(|s| first_word(file_name(&s.path))));
        let named = |part: &str| sources.iter().any(|s| !s.is_empty() && *s == first_word(part));
        rest.split('/').any(named)
    }

    /// A file that holds text, whatever lies beside it.
    pub(crate) fn into_text(self) -> Self {
        Self { machine: Machine::independent(), linkage: Linkage::Unknown, ..self }
    }
}

impl Files {
    /// The keys of what is in a folder of unknown names.
    pub(super) fn layers(&self, folder: &str) -> Vec<String> {
        if !self.entries.contains_key(folder) {
            return Vec::new();
        }
        let keys = (0..MAX_LAYERS).map(|n| layer(folder, n));
        keys.take_while(|key| self.entries.contains_key(key)).collect()
    }

    /// Under which key an artifact goes.
    pub(super) fn key_for(&self, new: &Artifact) -> String {
        let apart = |old: &Artifact| old.folder && new.folder && !alike(old, new);
        if !self.at(&new.path).is_some_and(apart) {
            return new.path.clone();
        }
        (1..MAX_LAYERS)
            .map(|n| layer(&new.path, n))
            .find(|key| self.at(key).is_none_or(|old| alike(old, new)))
            .unwrap_or_else(|| new.path.clone())
    }

    /// What is known of `path`, below a folder of unknown names. Of several sources it is from the
    /// one that is called like it, else from any.
    pub(super) fn inside(&self, folder: &str, path: &str) -> Option<Artifact> {
        let first = self.at(folder).filter(|a| a.folder)?;
        let layers = self.layers(folder);
        if layers.len() < 2 {
            return Some(first.child(path));
        }
        let all: Vec<&Artifact> = layers.iter().filter_map(|key| self.at(key)).collect();
        let rest = path.strip_prefix(folder).unwrap_or_default();
        let rest = rest.trim_start_matches('/');
        let top = rest.split('/').next().unwrap_or_default();
        // The folder that an archive brings is called like it; else a file in it may be.
        for name in [top, rest] {
            let mut fitting = all.iter().filter(|a| a.fits(name));
            if let (Some(found), None) = (fitting.next(), fitting.next()) {
                return Some(found.child(path));
            }
        }
        // What holds no machine code says nothing about that of the others.
        let mut code = all.iter().copied().filter(|a| a.machine.kind != MachineKind::Independent);
        let source = code.next().unwrap_or(first);
        let mut any = source.child(path);
        any.certain &= all.iter().all(|a| a.certain && a.machine.kind == any.machine.kind);
        for other in code {
            if other.machine.kind != any.machine.kind {
                any.machine = Machine::unknown();
            }
            if other.linkage != any.linkage {
                any.linkage = Linkage::Unknown;
            }
        }
        Some(any)
    }
}

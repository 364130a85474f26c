//! Where the entries of one layer come to lie, when some of them lead through links that the layer
//! itself brings. Whoever unpacks follows such links; an index that took the names as they are
//! written would tell of files that are not there, and of directories that are links.

use std::collections::{BTreeMap, BTreeSet};

use super::entry::{Entry, EntryKind, ImagePath};

/// How many links one path leads through at the most, as for the kernel.
const MAX_LINKS: usize = 40;

/// The directories and links that a layer has brought so far.
#[derive(Debug, Default)]
pub struct Places {
    directories: BTreeSet<ImagePath>,
    links: BTreeMap<ImagePath, ImagePath>,
}

impl Places {
    /// Gives an entry its real place, and remembers it. What is in the way (a link to nowhere, a
    /// file) gives way to directories. `None`: a hard link to something that can't be.
    pub fn settle(&mut self, mut entry: Entry) -> Option<Entry> {
        if entry.path.is_root() {
            return Some(entry);
        }
        if entry.kind == EntryKind::Opaque {
            entry.path = self.directory(&entry.path);
            return Some(entry);
        }
        let dir = self.directory(&entry.path.parent().unwrap_or_default());
        entry.path = dir.join(entry.path.file_name());
        if let EntryKind::Hardlink(target) = &entry.kind {
            let dir =
                self.existing(&target.parent().unwrap_or_default(), &mut MAX_LINKS.clone())?;
            entry.kind = EntryKind::Hardlink(dir.join(target.file_name()));
        }
        self.remember(&entry);
        Some(entry)
    }

    fn remember(&mut self, entry: &Entry) {
        let Entry { path, kind, .. } = entry;
        if *kind == EntryKind::Whiteout {
            return;
        }
        if *kind == EntryKind::Directory {
            self.links.remove(path);
            self.directories.insert(path.clone());
            return;
        }
        if self.directories.remove(path) {
            let below = |known: &ImagePath| known.is_below(path);
            self.directories.retain(|known| !below(known));
            self.links.retain(|known, _| !below(known));
        }
        let target = match kind {
            EntryKind::Symlink(target) => Some(target.clone()),
            // Another name of a link is a link.
            EntryKind::Hardlink(other) => self.links.get(other).cloned(),
            _ => None,
        };
        match target {
            Some(target) => self.links.insert(path.clone(), target),
            None => self.links.remove(path),
        };
    }

    /// A directory, links followed, made as far as it is missing.
    fn directory(&mut self, path: &ImagePath) -> ImagePath {
        if self.links.is_empty() && self.directories.contains(path) {
            return path.clone();
        }
        let mut at = ImagePath::default();
        for part in path.components() {
            let next = at.join(part);
            if let Some(target) = self.links.get(&next) {
                let (base, target) = (at.clone(), target.clone());
                if let Some(there) = self.follow(&base, &target, &mut MAX_LINKS.clone()) {
                    at = there;
                    continue;
                }
                self.links.remove(&next);
            }
            self.directories.insert(next.clone());
            at = next;
        }
        at
    }

    /// A directory, links followed, if it is there.
    fn existing(&self, path: &ImagePath, links: &mut usize) -> Option<ImagePath> {
        self.follow(&ImagePath::default(), path, links)
    }

    /// Where a link's text leads from the directory that the link is in.
    fn follow(&self, base: &ImagePath, target: &ImagePath, links: &mut usize) -> Option<ImagePath> {
        let mut at = if target.0.starts_with(b"/") { ImagePath::default() } else { base.clone() };
        let mut todo: Vec<Vec<u8>> = target.components().map(<[u8]>::to_vec).collect();
        todo.reverse();
        while let Some(part) = todo.pop() {
            match &part[..] {
                b"." => continue,
                b".." => {
                    at = at.parent().unwrap_or_default();
                    continue;
                }
                _ => {}
            }
            let next = at.join(&part);
            if let Some(target) = self.links.get(&next) {
                *links = links.checked_sub(1)?;
                if target.0.starts_with(b"/") {
                    at = ImagePath::default();
                }
                todo.extend(
                    target.components().map(<[u8]>::to_vec).collect::<Vec<_>>().into_iter().rev(),
                );
            } else if self.directories.contains(&next) {
                at = next;
            } else {
                return None;
            }
        }
        Some(at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `d/` is a directory, `l -> t` a link, `h = t` a hard link, everything else a file.
    fn settled(entries: &[&str]) -> Vec<String> {
        let mut places = Places::default();
        let mut out = Vec::new();
        for text in entries {
            let (path, kind) = if let Some((path, to)) = text.split_once(" -> ") {
                (path, EntryKind::Symlink(ImagePath(to.into())))
            } else if let Some((path, to)) = text.split_once(" = ") {
                (path, EntryKind::Hardlink(to.into()))
            } else if text.ends_with('/') {
                (*text, EntryKind::Directory)
            } else {
                (*text, EntryKind::File(1))
            };
            let entry = Entry { path: path.into(), kind, meta: Default::default() };
            out.push(match places.settle(entry) {
                None => "no".to_owned(),
                Some(Entry { path, kind: EntryKind::Hardlink(to), .. }) => {
                    format!("{} = {}", path.display(), to.display())
                }
                Some(entry) => entry.path.display(),
            });
        }
        out
    }

    #[test]
    fn entries_follow_the_links_of_their_layer() {
        let seen = settled(&[
            "usr/lib/",
            "lib -> usr/lib",
            "lib/x",
            "abs -> /lib",
            "abs/y",
            "up -> ../../usr",
            "up/lib/z",
            "h = abs/x",
            "more = up/none/x",
        ]);
        let wanted = [
            "/usr/lib",
            "/lib",
            "/usr/lib/x",
            "/abs",
            "/usr/lib/y",
            "/up",
            "/usr/lib/z",
            "/h = /usr/lib/x",
            "no",
        ];
        assert_eq!(seen, wanted);
    }

    #[test]
    fn what_leads_nowhere_gives_way() {
        let seen = settled(&[
            "out -> /etc",
            "out/f",
            "l1 -> l2",
            "l2 -> l1",
            "l1/f",
            "f",
            "f/x",
            "out -> f",
            "out/x",
        ]);
        assert_eq!(seen, ["/out", "/out/f", "/l1", "/l2", "/l1/f", "/f", "/f/x", "/out", "/f/x"]);
        // Another name of a link leads where the link does.
        assert_eq!(settled(&["d/", "l -> d", "h = l", "h/f"])[3], "/d/f");
    }
}

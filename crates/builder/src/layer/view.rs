//! The file system that a stack of layers shows, from their indices alone.

use std::collections::BTreeMap;

use super::{
    entry::{EntryKind, ImagePath},
    index::{IndexEntry, LayerIndex},
};

/// How many symbolic links a lookup follows.
const MAX_LINKS: usize = 40;

/// A merged file system.
#[derive(Clone, Debug, Default)]
pub struct View {
    nodes: BTreeMap<ImagePath, Node>,
}

/// Something in a [`View`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// Number of the layer that brought it, the lowest is 0.
    pub layer: usize,
    /// What it is.
    pub entry: IndexEntry,
}

/// Where a path leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lookup {
    /// To something that is there.
    Found(ImagePath),
    /// To something that is not there; the path is resolved as far as possible.
    Missing(ImagePath),
    /// Through something that is no directory.
    NotADirectory(ImagePath),
    /// Round in circles.
    Loop,
}

impl View {
    /// The view of layers, lowest first.
    pub fn of<'a>(layers: impl IntoIterator<Item = &'a LayerIndex>) -> Self {
        let mut view = Self::default();
        for (number, layer) in layers.into_iter().enumerate() {
            view.apply(number, layer);
        }
        view
    }

    /// Puts a layer on top.
    pub fn apply(&mut self, number: usize, layer: &LayerIndex) {
        // Whiteouts speak of the layers below only, wherever they stand in the archive.
        for entry in &layer.entries {
            match entry.kind {
                EntryKind::Whiteout => self.remove_tree(&entry.path),
                EntryKind::Opaque => self.remove_below(&entry.path),
                _ => {}
            }
        }
        for entry in &layer.entries {
            match entry.kind {
                // What is gone from a directory, or alone in it, tells that it is one.
                EntryKind::Whiteout => {
                    self.add_parents(number, &entry.path);
                    continue;
                }
                EntryKind::Opaque => {
                    self.add_parents(number, &entry.path.join(b"any"));
                    continue;
                }
                _ if entry.path.is_root() => continue,
                _ => {}
            }
            let was_dir = self.nodes.get(&entry.path).is_some_and(|n| n.entry.is_dir());
            if was_dir && !entry.is_dir() {
                self.remove_below(&entry.path);
            }
            self.add_parents(number, &entry.path);
            let mut entry = entry.clone();
            if let EntryKind::Hardlink(first) = &entry.kind {
                entry.kind = self.other_name(number, &entry.path, first);
            }
            self.nodes.insert(entry.path.clone(), Node { layer: number, entry });
        }
    }

    /// What another name of something in the same layer is. Of a link it is a link, of a pipe a pipe;
    /// where the first name is not to be found, it is a name of its own.
    fn other_name(&self, number: usize, own: &ImagePath, first: &ImagePath) -> EntryKind {
        match self.nodes.get(first).filter(|node| node.layer == number).map(|n| &n.entry.kind) {
            Some(EntryKind::File(_)) => EntryKind::Hardlink(first.clone()),
            None | Some(EntryKind::Directory | EntryKind::Whiteout | EntryKind::Opaque) => {
                EntryKind::Hardlink(own.clone())
            }
            Some(kind) => kind.clone(),
        }
    }

    /// What stands at exactly this path.
    pub fn get(&self, path: &ImagePath) -> Option<&Node> {
        self.nodes.get(path)
    }

    /// Everything, in order of bytes.
    pub fn iter(&self) -> impl Iterator<Item = (&ImagePath, &Node)> {
        self.nodes.iter()
    }

    /// The names directly in `dir`.
    pub fn children<'a>(
        &'a self,
        dir: &'a ImagePath,
    ) -> impl Iterator<Item = (&'a ImagePath, &'a Node)> {
        self.below(dir).filter(move |(path, _)| path.parent().as_ref() == Some(dir))
    }

    /// Everything below `dir`.
    pub fn below<'a>(&'a self, dir: &ImagePath) -> impl Iterator<Item = (&'a ImagePath, &'a Node)> {
        let mut prefix = dir.0.clone();
        if !dir.is_root() {
            prefix.push(b'/');
        }
        self.nodes
            .range(ImagePath(prefix.clone())..)
            .take_while(move |(path, _)| path.0.starts_with(&prefix))
    }

    /// Follows a path through symbolic links, inside the root. With `follow_last` false a link at
    /// the very end is not followed.
    pub fn resolve(&self, path: &ImagePath, follow_last: bool) -> Lookup {
        let mut todo: Vec<Vec<u8>> = path.components().map(<[u8]>::to_vec).collect();
        todo.reverse();
        let mut at = ImagePath::default();
        let mut links = 0;
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
            match self.nodes.get(&next).map(|n| &n.entry.kind) {
                None => {
                    let mut missing = next;
                    while let Some(part) = todo.pop() {
                        missing = missing.join(&part);
                    }
                    return Lookup::Missing(ImagePath::clean(&missing.0));
                }
                Some(EntryKind::Symlink(target)) if follow_last || !todo.is_empty() => {
                    links += 1;
                    if links > MAX_LINKS {
                        return Lookup::Loop;
                    }
                    if target.0.starts_with(b"/") {
                        at = ImagePath::default();
                    }
                    let parts: Vec<&[u8]> = target.components().collect();
                    todo.extend(parts.into_iter().rev().map(<[u8]>::to_vec));
                }
                Some(EntryKind::Directory) => at = next,
                Some(_) if todo.is_empty() => return Lookup::Found(next),
                Some(_) => return Lookup::NotADirectory(next),
            }
        }
        Lookup::Found(at)
    }

    fn add_parents(&mut self, number: usize, path: &ImagePath) {
        let mut dir = path.parent();
        while let Some(path) = dir.filter(|p| !p.is_root()) {
            let is_dir = self.nodes.get(&path).map(|n| n.entry.is_dir());
            if is_dir == Some(true) {
                return;
            }
            // An archive may leave its directories out; they come into being with 0755.
            let entry = IndexEntry {
                path: path.clone(),
                kind: EntryKind::Directory,
                mode: 0o755,
                uid: 0,
                gid: 0,
                mtime: 0,
                elf: None,
            };
            self.nodes.insert(path.clone(), Node { layer: number, entry });
            dir = path.parent();
        }
    }

    fn remove_tree(&mut self, path: &ImagePath) {
        self.remove_below(path);
        self.nodes.remove(path);
    }

    fn remove_below(&mut self, path: &ImagePath) {
        let gone: Vec<ImagePath> = self.below(path).map(|(p, _)| p.clone()).collect();
        for path in gone {
            self.nodes.remove(&path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layer(entries: &[(&str, EntryKind)]) -> LayerIndex {
        let entries = entries
            .iter()
            .map(|(path, kind)| IndexEntry {
                path: (*path).into(),
                kind: kind.clone(),
                mode: 0o644,
                uid: 0,
                gid: 0,
                mtime: 0,
                elf: None,
            })
            .collect();
        LayerIndex { entries }
    }

    fn link(to: &str) -> EntryKind {
        EntryKind::Symlink(ImagePath(to.as_bytes().to_vec()))
    }

    fn names(view: &View) -> Vec<String> {
        view.iter().map(|(p, _)| p.display()).collect()
    }

    #[test]
    fn whiteouts_hide_only_what_lies_below() {
        let base = layer(&[
            ("a", EntryKind::Directory),
            ("a/x", EntryKind::File(1)),
            ("ab", EntryKind::File(1)),
            ("d/old", EntryKind::File(1)),
        ]);
        let top = layer(&[
            ("d", EntryKind::Directory),
            ("d/new", EntryKind::File(1)),
            ("d", EntryKind::Opaque),
            ("a", EntryKind::Whiteout),
        ]);
        assert_eq!(names(&View::of([&base, &top])), ["/ab", "/d", "/d/new"]);
    }

    #[test]
    fn other_names_are_what_the_first_is() {
        let hard = |to: &str| EntryKind::Hardlink(to.into());
        let view = View::of([
            &layer(&[("below", EntryKind::File(1))]),
            &layer(&[
                ("l", link("/etc/passwd")),
                ("f", EntryKind::File(3)),
                ("p", EntryKind::Fifo),
                ("1", hard("l")),
                ("2", hard("f")),
                ("3", hard("2")),
                ("4", hard("p")),
                ("5", hard("below")),
            ]),
        ]);
        let kind = |path: &str| view.get(&path.into()).unwrap().entry.kind.clone();
        assert_eq!((kind("1"), kind("2")), (link("/etc/passwd"), hard("f")));
        assert_eq!((kind("3"), kind("4")), (hard("f"), EntryKind::Fifo));
        assert_eq!(kind("5"), hard("5"));
    }

    #[test]
    fn a_file_replaces_a_tree() {
        let base = layer(&[("d/x/y", EntryKind::File(1))]);
        let view = View::of([&base, &layer(&[("d", EntryKind::File(2))])]);
        assert_eq!(names(&view), ["/d"]);
        assert_eq!(view.get(&"d".into()).unwrap().layer, 1);
    }

    #[test]
    fn resolves_links_inside_the_root() {
        let view = View::of([&layer(&[
            ("usr/lib", EntryKind::Directory),
            ("usr/lib/x", EntryKind::File(1)),
            ("lib", link("usr/lib")),
            ("abs", link("/lib")),
            ("up", link("../../../lib/x")),
            ("l1", link("l2")),
            ("l2", link("l1")),
        ])]);
        let found = |p: &str| Lookup::Found(p.into());
        assert_eq!(view.resolve(&"lib/x".into(), true), found("usr/lib/x"));
        assert_eq!(view.resolve(&"abs/x".into(), true), found("usr/lib/x"));
        assert_eq!(view.resolve(&"up".into(), true), found("usr/lib/x"));
        assert_eq!(view.resolve(&"up".into(), false), found("up"));
        assert_eq!(view.resolve(&"abs/n/m".into(), true), Lookup::Missing("usr/lib/n/m".into()));
        assert_eq!(view.resolve(&"l1".into(), true), Lookup::Loop);
        assert_eq!(
            view.resolve(&"lib/x/y".into(), true),
            Lookup::NotADirectory("usr/lib/x".into())
        );
        assert_eq!(view.resolve(&ImagePath::default(), true), found(""));
    }
}

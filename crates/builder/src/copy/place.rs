//! Decides where sources come to lie, given what is at the destination already.

use std::collections::{BTreeMap, BTreeSet};

use super::{CopyError, Filter, Mode, Selected, filter::Picked};
use crate::layer::{
    Entry, EntryKind, IndexEntry, LayerIndex, Meta, View,
    entry::ImagePath,
    view::{Lookup, Node},
};

/// The mode's bit for which what comes into a directory belongs to its group.
const SETGID: u32 = 0o2000;

/// User and group.
pub type Owner = (u32, u32);

/// Where an entry's content comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// It has none.
    None,
    /// The file at this path of the source with this number.
    Source(usize, ImagePath),
    /// The Dockerfile itself.
    Inline(Vec<u8>),
}

/// An entry of the layer to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placed {
    /// What it will be. Time, size and attributes of files are read when they are written.
    pub entry: Entry,
    /// What it will hold.
    pub content: Content,
}

/// The layer to be made.
#[derive(Debug)]
pub struct Placement {
    dest: View,
    added: BTreeMap<ImagePath, Placed>,
    /// `--chown`.
    pub owner: Option<Owner>,
    /// `--chmod`.
    pub mode: Option<Mode>,
    /// The time of what has none of its own.
    pub now: i64,
    /// The number of the source that is being placed.
    pub source: usize,
    /// How many archives are to be unpacked before what is being placed.
    pub archives: usize,
    /// What comes after an archive, and after how many.
    after: BTreeMap<ImagePath, usize>,
}

impl Placement {
    /// Starts on top of a file system.
    pub fn new(dest: View, owner: Option<Owner>, mode: Option<Mode>, now: i64) -> Self {
        let (added, after) = (BTreeMap::new(), BTreeMap::new());
        Self { dest, added, owner, mode, now, source: 0, archives: 0, after }
    }

    /// Places a source at the destination, as written there. The filter is for what is in a
    /// directory; a file that was asked for by its own name passes.
    pub fn add(
        &mut self,
        view: &View,
        source: &Selected,
        filter: &Filter,
        dest: &str,
    ) -> Result<(), CopyError> {
        if source.is_dir {
            let target = self.directory(dest)?;
            self.tree(view, source, filter, &target)?;
            self.take_time(view, source, target);
            return Ok(());
        }
        let Some(node) = view.get(&source.path) else { return Ok(()) };
        let target = self.file_target(dest, &source.name)?;
        self.put_node(&target, &node.entry, &source.path)?;
        self.touch(&target);
        Ok(())
    }

    /// Places a file that the Dockerfile itself holds.
    pub fn add_inline(&mut self, name: &str, text: &str, dest: &str) -> Result<(), CopyError> {
        let target = self.file_target(dest, name.as_bytes())?;
        let entry = self.new_entry(EntryKind::File(text.len() as u64), 0o644, (0, 0));
        let content = Content::Inline(text.as_bytes().to_vec());
        self.put(target.clone(), Placed { entry, content })?;
        self.touch(&target);
        Ok(())
    }

    /// A directory whose contents were copied has the time of the one that they come from.
    fn take_time(&mut self, view: &View, source: &Selected, target: ImagePath) {
        let Some(time) = view.get(&source.path).map(|node| node.entry.mtime) else { return };
        if target.is_root() {
            return;
        }
        let there = self.added.get(&target).cloned();
        let mut placed = there.unwrap_or_else(|| self.existing_directory(&target, true));
        placed.entry.meta.mtime = time;
        self.added.insert(target, placed);
    }

    /// Gives a directory that comes into being here a time of its own.
    pub fn date(&mut self, path: &ImagePath, time: i64) {
        if let Some(placed) = self.added.get_mut(path) {
            placed.entry.meta.mtime = time;
        }
    }

    /// A file that comes into a directory changes its time.
    fn touch(&mut self, file: &ImagePath) {
        if let Some(dir) = file.parent().and_then(|dir| self.added.get_mut(&dir)) {
            dir.entry.meta.mtime = self.now;
        }
    }

    /// The destination as a directory, which comes into being if it is not there.
    pub fn directory(&mut self, dest: &str) -> Result<ImagePath, CopyError> {
        let target = self.resolve(dest)?;
        if !self.is_dir(&target) {
            if self.dest.get(&target).is_some() {
                return Err(CopyError::NotADirectory { path: target.display() });
            }
            self.make_directories(&target)?;
        }
        Ok(target)
    }

    /// How many archives are unpacked before an entry is written: of several sources the last wins.
    pub fn after(&self, path: &ImagePath) -> usize {
        self.after.get(path).copied().unwrap_or(0)
    }

    /// What is at the destination now.
    pub fn dest(&self) -> &View {
        &self.dest
    }

    /// The entries of the layer in order, with the directories that lead to them: a layer that
    /// left them out would change their owner and mode where it is unpacked by itself.
    pub fn entries(&self) -> Vec<Placed> {
        let mut all = self.added.clone();
        let touched: BTreeSet<ImagePath> =
            self.added.keys().filter_map(ImagePath::parent).collect();
        for path in self.added.keys() {
            let mut dir = path.parent();
            while let Some(path) = dir.filter(|p| !p.is_root() && !all.contains_key(p)) {
                let there = self.existing_directory(&path, touched.contains(&path));
                all.insert(path.clone(), there);
                dir = path.parent();
            }
        }
        let mut out: Vec<Placed> = all.into_values().collect();
        out.sort_by(|a, b| a.entry.path.components().cmp(b.entry.path.components()));
        out
    }

    /// The entry of a directory that is there already, or came into being by itself. Its time
    /// changes if it is `touched`, that is, if something was put into it.
    pub fn existing_directory(&self, path: &ImagePath, touched: bool) -> Placed {
        let (mode, uid, gid, mtime) = match self.dest.get(path) {
            Some(Node { entry, .. }) => (entry.mode, entry.uid, entry.gid, entry.mtime),
            None => (0o755, 0, 0, self.now),
        };
        let mtime = if touched { self.now } else { mtime };
        let meta = Meta { mode, uid, gid, mtime, ..Meta::default() };
        let entry = Entry { path: path.clone(), kind: EntryKind::Directory, meta };
        Placed { entry, content: Content::None }
    }

    fn tree(
        &mut self,
        view: &View,
        source: &Selected,
        filter: &Filter,
        target: &ImagePath,
    ) -> Result<(), CopyError> {
        let skip = if source.path.is_root() { 0 } else { source.path.0.len() + 1 };
        let picked = filter.pick(view, &source.path);
        // Hard links stay hard links within what is copied together.
        let targets: BTreeSet<(usize, &ImagePath)> = picked
            .iter()
            .filter_map(|picked| match &picked.node.entry.kind {
                EntryKind::Hardlink(to) => Some((picked.node.layer, to)),
                _ => None,
            })
            .collect();
        let mut first_names: BTreeMap<(usize, ImagePath), ImagePath> = BTreeMap::new();
        for Picked { path, node, way } in picked {
            let to = target.join(&path.0[skip..]);
            if way && self.lead_through(&to, node.entry.mode)? {
                continue;
            }
            let identity = match &node.entry.kind {
                EntryKind::Hardlink(file) => Some((node.layer, file.clone())),
                EntryKind::File(_) if targets.contains(&(node.layer, path)) => {
                    Some((node.layer, path.clone()))
                }
                _ => None,
            };
            let Some(identity) = identity else {
                self.put_node(&to, &node.entry, path)?;
                continue;
            };
            match first_names.get(&identity) {
                Some(first) => {
                    let owner = (node.entry.uid, node.entry.gid);
                    let kind = EntryKind::Hardlink(first.clone());
                    let entry = self.new_entry(kind, node.entry.mode, owner);
                    self.put(to, Placed { entry, content: Content::None })?;
                }
                None => {
                    first_names.insert(identity, to.clone());
                    self.put_node(&to, &node.entry, path)?;
                }
            }
        }
        Ok(())
    }

    /// A directory that only leads to something takes the source's mode where it is there already,
    /// and keeps its owner. Gives whether it is there.
    fn lead_through(&mut self, to: &ImagePath, mode: u32) -> Result<bool, CopyError> {
        if !self.dest.get(to).is_some_and(|there| there.entry.is_dir()) {
            return Ok(false);
        }
        let mut placed = match self.added.get(to) {
            Some(added) => added.clone(),
            None => self.existing_directory(to, false),
        };
        if placed.entry.meta.mode != mode {
            placed.entry.meta.mode = mode;
            self.put(to.clone(), placed)?;
        }
        Ok(true)
    }

    fn put_node(
        &mut self,
        to: &ImagePath,
        node: &IndexEntry,
        from: &ImagePath,
    ) -> Result<(), CopyError> {
        let owner = (node.uid, node.gid);
        let (kind, content) = match &node.kind {
            EntryKind::File(size) => {
                (EntryKind::File(*size), Content::Source(self.source, from.clone()))
            }
            // The first name that is met carries the content.
            EntryKind::Hardlink(_) => {
                (EntryKind::File(0), Content::Source(self.source, from.clone()))
            }
            EntryKind::Whiteout | EntryKind::Opaque => return Ok(()),
            kind => (kind.clone(), Content::None),
        };
        let mut entry = self.new_entry(kind, node.mode, owner);
        entry.meta.mtime = node.mtime;
        self.put(to.clone(), Placed { entry, content })
    }

    fn new_entry(&self, kind: EntryKind, mode: u32, owner: Owner) -> Entry {
        let (uid, gid) = self.owner.unwrap_or(owner);
        let is_dir = kind == EntryKind::Directory;
        let mode = match (&kind, &self.mode) {
            (EntryKind::Symlink(_), _) => 0o777,
            (_, Some(change)) => change.apply(mode, is_dir),
            (_, None) => mode,
        };
        let meta = Meta { mode, uid, gid, mtime: self.now, ..Meta::default() };
        Entry { path: ImagePath::default(), kind, meta }
    }

    fn put(&mut self, to: ImagePath, mut placed: Placed) -> Result<(), CopyError> {
        if to.file_name().starts_with(b".wh.") {
            return Err(CopyError::WhiteoutName { path: to.display() });
        }
        let is_dir = placed.entry.kind == EntryKind::Directory;
        match self.dest.get(&to) {
            Some(there) if there.entry.is_dir() && !is_dir => {
                return Err(CopyError::IsADirectory { path: to.display() });
            }
            Some(there) if !there.entry.is_dir() && is_dir => {
                return Err(CopyError::NotADirectory { path: to.display() });
            }
            _ => {}
        }
        placed.entry.path = to.clone();
        let index = LayerIndex { entries: vec![IndexEntry::new(&placed.entry, None)] };
        self.dest.apply(usize::MAX, &index);
        match self.archives {
            0 => {}
            // A directory that was there before stays before what lies in it.
            _ if is_dir && self.added.contains_key(&to) => {}
            archives => drop(self.after.insert(to.clone(), archives)),
        }
        self.added.insert(to, placed);
        Ok(())
    }

    /// The path for a file: in the destination if that is a directory, else the destination
    /// itself, through a link if it is one.
    fn file_target(&mut self, dest: &str, name: &[u8]) -> Result<ImagePath, CopyError> {
        if dest.ends_with('/') {
            return Ok(self.directory(dest)?.join(name));
        }
        let target = self.resolve(dest)?;
        if self.is_dir(&target) {
            return Ok(target.join(name));
        }
        if let Some(parent) = target.parent() {
            self.make_directories(&parent)?;
        }
        Ok(target)
    }

    fn make_directories(&mut self, path: &ImagePath) -> Result<(), CopyError> {
        let mut at = ImagePath::default();
        for part in path.components() {
            at = at.join(part);
            match self.dest.get(&at) {
                Some(node) if node.entry.is_dir() => {}
                Some(_) => return Err(CopyError::NotADirectory { path: at.display() }),
                None => {
                    // As `mkdir` does it: in a directory of a group it is of that group, too.
                    let above = at.parent().filter(|p| !p.is_root());
                    let above = above.and_then(|p| self.dest.get(&p)).map(|node| &node.entry);
                    let of_group = above.filter(|dir| dir.mode & SETGID != 0);
                    let group = of_group.map_or(0, |dir| dir.gid);
                    let mut entry = self.new_entry(EntryKind::Directory, 0o755, (0, group));
                    let said = self.mode.as_ref().and_then(Mode::of_new_directories);
                    let bit = of_group.map_or(0, |_| SETGID);
                    entry.meta.mode = said.unwrap_or(0o755) | bit;
                    self.put(at.clone(), Placed { entry, content: Content::None })?;
                }
            }
        }
        Ok(())
    }

    fn resolve(&self, dest: &str) -> Result<ImagePath, CopyError> {
        let path = ImagePath::clean(dest.as_bytes());
        match self.dest.resolve(&path, true) {
            Lookup::Found(path) | Lookup::Missing(path) => Ok(path),
            Lookup::NotADirectory(path) => Err(CopyError::NotADirectory { path: path.display() }),
            Lookup::Loop => Err(CopyError::Loop { path: dest.to_owned() }),
        }
    }

    fn is_dir(&self, path: &ImagePath) -> bool {
        path.is_root() || self.dest.get(path).is_some_and(|n| n.entry.is_dir())
    }
}

#[cfg(test)]
mod tests {
    use super::super::select::{select, tests::view};
    use super::*;

    struct Case {
        placement: Placement,
        source: View,
    }

    fn case(source: &[&str], dest: &[&str]) -> Case {
        Case { placement: Placement::new(view(dest), None, None, 7), source: view(source) }
    }

    impl Case {
        fn copy(&mut self, argument: &str, dest: &str) -> Result<(), CopyError> {
            for selected in select(&self.source, argument, &|_| String::new())? {
                self.placement.add(&self.source, &selected, &Filter::default(), dest)?;
            }
            Ok(())
        }

        fn shown(&self) -> Vec<String> {
            let show = |p: &Placed| {
                let Entry { path, kind, meta } = &p.entry;
                let kind = match kind {
                    EntryKind::Directory => "/".to_owned(),
                    EntryKind::Hardlink(to) => format!(" = {}", to.display()),
                    EntryKind::Symlink(to) => format!(" -> {}", String::from_utf8_lossy(&to.0)),
                    _ => String::new(),
                };
                format!("{}{kind} {:o} {}:{}", path.display(), meta.mode, meta.uid, meta.gid)
            };
            self.placement.entries().iter().map(show).collect()
        }
    }

    #[test]
    fn a_trailing_slash_makes_a_directory() {
        let mut c = case(&["f"], &[]);
        c.copy("f", "/new/dir/").unwrap();
        assert_eq!(c.shown(), ["/new/ 755 0:0", "/new/dir/ 755 0:0", "/new/dir/f 640 3:4"]);
        let mut c = case(&["f"], &[]);
        c.copy("f", "/new/name").unwrap();
        assert_eq!(c.shown(), ["/new/ 755 0:0", "/new/name 640 3:4"]);
    }

    #[test]
    fn existing_directories_keep_mode_and_owner() {
        let mut c = case(&["d/", "d/sub/", "d/sub/f"], &["app/", "app/sub/"]);
        c.copy("d", "/app").unwrap();
        assert_eq!(c.shown(), ["/app/ 750 3:4", "/app/sub/ 750 3:4", "/app/sub/f 640 3:4"]);
        let mut c = case(&["d/", "d/f"], &[]);
        c.copy("d", "/fresh").unwrap();
        assert_eq!(c.shown(), ["/fresh/ 755 0:0", "/fresh/f 640 3:4"]);
    }

    #[test]
    fn chown_and_chmod_reach_the_directories_made_on_the_way() {
        let mut c = case(&["f"], &["old/"]);
        (c.placement.owner, c.placement.mode) = (Some((9, 9)), Some(Mode::Set(0o600)));
        c.copy("f", "/old/m/n/f").unwrap();
        assert_eq!(
            c.shown(),
            ["/old/ 750 3:4", "/old/m/ 600 9:9", "/old/m/n/ 600 9:9", "/old/m/n/f 600 9:9"]
        );
    }

    #[test]
    fn a_change_of_mode_is_for_what_is_copied_only() {
        let mut c = case(&["d/", "d/sub/", "d/f"], &[]);
        c.placement.mode = Mode::parse("u-w,o+X");
        c.copy("d", "/m/n").unwrap();
        assert_eq!(
            c.shown(),
            ["/m/ 755 0:0", "/m/n/ 755 0:0", "/m/n/f 440 3:4", "/m/n/sub/ 551 3:4"]
        );
    }

    #[test]
    fn parents_keep_their_owner_where_they_are_there() {
        let mut c = case(&["a/", "a/b/", "a/b/f"], &["x/", "x/a/"]);
        let root = Selected { path: ImagePath::default(), name: Vec::new(), is_dir: true };
        let filter = Filter::default().only("a/b/f").unwrap();
        c.placement.owner = Some((9, 9));
        c.placement.add(&c.source, &root, &filter, "/x").unwrap();
        assert_eq!(
            c.shown(),
            ["/x/ 750 3:4", "/x/a/ 750 3:4", "/x/a/b/ 750 9:9", "/x/a/b/f 640 9:9"]
        );
    }

    #[test]
    fn links_at_the_destination() {
        // A single file goes through the link, into the place that it names.
        let mut c = case(&["f"], &["real/", "real/target", "link -> real/target", "dir -> /real"]);
        c.copy("f", "/link").unwrap();
        c.copy("f", "/dir/").unwrap();
        assert_eq!(c.shown(), ["/real/ 750 3:4", "/real/f 640 3:4", "/real/target 640 3:4"]);
        // A tree replaces links to files and fails on links to directories.
        let mut c = case(&["d/", "d/a"], &["x/", "x/a -> ../real"]);
        c.copy("d", "/x").unwrap();
        assert_eq!(c.shown(), ["/x/ 750 3:4", "/x/a 640 3:4"]);
        let mut c = case(&["d/", "d/sub/"], &["x/", "x/sub -> ../real", "real/"]);
        assert!(matches!(c.copy("d", "/x"), Err(CopyError::NotADirectory { .. })));
    }

    #[test]
    fn files_and_directories_do_not_replace_each_other() {
        let mut c = case(&["d/", "d/a"], &["x/", "x/a/"]);
        assert!(matches!(c.copy("d", "/x"), Err(CopyError::IsADirectory { .. })));
        let mut c = case(&["d/", "d/a"], &["x"]);
        assert!(matches!(c.copy("d", "/x"), Err(CopyError::NotADirectory { .. })));
        let mut c = case(&["f"], &["x"]);
        assert!(matches!(c.copy("f", "/x/y"), Err(CopyError::NotADirectory { .. })));
    }

    #[test]
    fn the_last_of_several_sources_stays() {
        let mut c = case(&["a", "b/", "b/x"], &[]);
        c.copy("a", "/dest").unwrap();
        c.placement.add_inline("note", "text", "/dest").unwrap();
        assert_eq!(c.shown(), ["/dest 644 0:0"]);
    }

    #[test]
    fn hard_links_survive_a_tree() {
        let index = LayerIndex {
            entries: [
                ("d/one", EntryKind::File(3)),
                ("d/two", EntryKind::Hardlink("d/one".into())),
            ]
            .into_iter()
            .map(|(path, kind)| IndexEntry {
                path: path.into(),
                kind,
                mode: 0o755,
                uid: 0,
                gid: 0,
                mtime: 0,
                elf: None,
            })
            .collect(),
        };
        let mut c = case(&[], &[]);
        c.source = View::of([&index]);
        c.copy("d", "/bin").unwrap();
        assert_eq!(c.shown(), ["/bin/ 755 0:0", "/bin/one 755 0:0", "/bin/two = /bin/one 755 0:0"]);
    }
}

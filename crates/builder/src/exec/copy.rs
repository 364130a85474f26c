//! COPY and ADD.
//!
//! Two keys find an earlier result. The first is that of the instruction: parent, arguments,
//! digests of the sources. The second is that of the layer itself: what lies where, with which
//! owner and mode; two platforms whose parents differ elsewhere share a layer by it.

use std::{
    collections::BTreeMap,
    fs::File,
    io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::Arc,
};

use mlint_oci::Digest;

use super::{
    Exec, Fresh, LoadedContext, Made, Snapshot, cache_key::key, now, owner::root_is_zero,
    remote::FetchedFile,
};
use crate::{
    context::walk::{Stamp, open_file},
    copy::{
        Content, CopyError, Filter, Placed, Placement, Selected,
        archive::{Written, is_archive, write_archive},
        filter::pivot,
        select,
    },
    error::FsError,
    events::Event,
    layer::{Entry, EntryKind, LayerWriter, View, diff::file_xattrs, entry::ImagePath},
    pattern::is_pattern,
    plan::{CopyItem, CopyOp, MountSource, StepId},
    problem::{BuildError, Problem},
    sandbox::safe_fs::Root,
};

/// Where files come from.
pub(super) enum Sources {
    Context(Arc<LoadedContext>),
    Image { snapshot: Snapshot, view: View },
    Fetched { file: FetchedFile, view: View },
}

/// An archive to be unpacked.
pub(super) struct Archive {
    disk: OnDisk,
    /// Where to.
    pub(super) base: ImagePath,
    /// What identifies its content.
    pub(super) content: String,
    /// What it was like when the context was read.
    stamp: Option<Stamp>,
}

/// A destination with what comes there.
pub(super) struct Work {
    pub(super) placement: Placement,
    pub(super) sources: Vec<Sources>,
    pub(super) archives: Vec<Archive>,
}

impl Exec<'_> {
    pub(super) fn copy_key(&self, op: &CopyOp, parent: &Snapshot) -> Result<Digest, BuildError> {
        let empty = Snapshot::empty();
        let parent = if op.link { &empty } else { parent };
        let content = self.content_key(op)?;
        let parts = (op_key(op), &parent.chain, content);
        Ok(key("copy", &parts))
    }

    pub(super) fn copy(
        &self,
        id: StepId,
        op: &CopyOp,
        parent: &Snapshot,
    ) -> Result<Made, BuildError> {
        let empty = Snapshot::empty();
        let key = self.copy_key(op, parent)?;
        let parent = if op.link { &empty } else { parent };
        self.cached_or(id, "copy", &key, || self.copy_layer(id, op, parent))
    }

    /// What identifies the content of everything that is copied. A stage's or an image's is known by
    /// its digest: no need to look at it.
    fn content_key(&self, op: &CopyOp) -> Result<Vec<String>, BuildError> {
        let mut parts = Vec::new();
        for item in &op.sources {
            match item {
                CopyItem::Path(_) => {}
                CopyItem::Url(item) => parts.push(self.url_key(item)?),
                CopyItem::Git(item) => parts.push(self.git_key(item)?),
            }
        }
        if !op.sources.iter().any(|item| matches!(item, CopyItem::Path(_))) {
            return Ok(parts);
        }
        parts.push(match op.from {
            MountSource::Step(source) => self.snapshot(source).chain.to_string(),
            MountSource::Context | MountSource::Named(_) => self.context_digest(op)?.to_string(),
        });
        Ok(parts)
    }

    /// The digest of everything that a COPY takes from the context.
    fn context_digest(&self, op: &CopyOp) -> Result<Digest, BuildError> {
        let loaded = self.context(op.from)?;
        let sources = Sources::Context(loaded.clone());
        let view = sources.view();
        let mut lines = Vec::new();
        let mut files = Vec::new();
        for item in &op.sources {
            let CopyItem::Path(argument) = item else { continue };
            for (selected, filter) in sources.select(op, argument)? {
                lines.push(format!("source {:?} {}", selected.name, selected.path.display()));
                let own = view.get(&selected.path).map(|node| (&selected.path, node));
                let below = filter.pick(view, &selected.path);
                let below = below.iter().map(|picked| (picked.path, picked.node));
                for (path, node) in own.into_iter().chain(below) {
                    if matches!(node.entry.kind, EntryKind::File(_) | EntryKind::Hardlink(_)) {
                        files.push(path.clone());
                    }
                    lines.push(format!("{:?} {:?} {:o}", path.0, node.entry.kind, node.entry.mode));
                }
            }
        }
        for digest in loaded.digests.of(&loaded.context, &files)? {
            lines.push(digest.to_string());
        }
        Ok(Digest::sha256(lines.join("\n")))
    }

    /// The layer of a COPY whose instruction the cache does not know.
    fn copy_layer(&self, id: StepId, op: &CopyOp, parent: &Snapshot) -> Result<Fresh, BuildError> {
        let work = self.place(op, parent)?;
        let entries = work.placement.entries();
        let identity = self.layer_identity(&entries, &work, parent)?;
        let key = key("copy-layer", &identity);
        self.by_content(id, "copy-layer", &key, || self.write_copy(id, &entries, &work))
    }

    fn place(&self, op: &CopyOp, parent: &Snapshot) -> Result<Work, BuildError> {
        let dest = self.view(parent)?;
        let owner = match &op.chown {
            Some(spec) => Some(self.owner(&root_is_zero(spec), parent, &dest)?),
            None => None,
        };
        let placement = Placement::new(dest, owner, op.chmod.clone(), now());
        let mut work = Work { placement, sources: Vec::new(), archives: Vec::new() };
        let mut paths = None;
        let filter = Filter::new(&op.exclude).map_err(CopyError::from)?;
        for item in &op.sources {
            match item {
                CopyItem::Path(argument) => {
                    let number = match paths {
                        Some(number) => number,
                        None => *paths.insert(work.source(self.sources_of(op.from)?)),
                    };
                    for (selected, filter) in work.sources[number].select(op, argument)? {
                        self.put(&mut work, number, &selected, &filter, op.unpack, &op.dest)?;
                    }
                }
                CopyItem::Url(item) => {
                    let file = self.url_file(item)?;
                    let view = file.view(&item.name);
                    let path = ImagePath(item.name.clone().into_bytes());
                    let number = work.source(Sources::Fetched { file, view });
                    let selected = Selected { name: path.0.clone(), path, is_dir: false };
                    self.put(&mut work, number, &selected, &filter, item.unpack, &op.dest)?;
                }
                CopyItem::Git(item) => {
                    let number = work.source(Sources::Context(self.git_tree(item)?));
                    let root =
                        Selected { path: ImagePath::default(), name: Vec::new(), is_dir: true };
                    self.put(&mut work, number, &root, &filter, false, &op.dest)?;
                }
            }
        }
        for (name, text) in &op.inline {
            work.placement.add_inline(name, text, &op.dest)?;
        }
        Ok(work)
    }

    /// Where an instruction's paths are.
    pub(super) fn sources_of(&self, from: MountSource) -> Result<Sources, BuildError> {
        Ok(match from {
            MountSource::Context | MountSource::Named(_) => Sources::Context(self.context(from)?),
            MountSource::Step(source) => {
                let snapshot = self.snapshot(source);
                let view = self.view(&snapshot)?;
                Sources::Image { snapshot, view }
            }
        })
    }

    /// Places one source, or notes it down as an archive to be unpacked.
    fn put(
        &self,
        work: &mut Work,
        number: usize,
        selected: &Selected,
        filter: &Filter,
        unpack: bool,
        dest: &str,
    ) -> Result<(), BuildError> {
        let Work { placement, sources, archives } = work;
        let is_file =
            |kind: &EntryKind| matches!(kind, EntryKind::File(_) | EntryKind::Hardlink(_));
        let node = sources[number].view().get(&selected.path);
        if unpack && node.is_some_and(|node| is_file(&node.entry.kind)) {
            let disk = self.on_disk(&sources[number], &selected.path)?;
            if is_archive(disk.open()?) {
                // --chmod is not for archives.
                let mode = placement.mode.take();
                let base = placement.directory(dest)?;
                placement.mode = mode;
                let content = self.content_id(&sources[number], &selected.path)?;
                let stamp = match &sources[number] {
                    Sources::Context(loaded) => loaded.context.stamps.get(&disk.below).copied(),
                    Sources::Image { .. } | Sources::Fetched { .. } => None,
                };
                archives.push(Archive { disk, base, content, stamp });
                placement.archives = archives.len();
                return Ok(());
            }
        }
        placement.source = number;
        Ok(placement.add(sources[number].view(), selected, filter, dest)?)
    }

    fn write_copy(&self, id: StepId, entries: &[Placed], work: &Work) -> Result<Fresh, BuildError> {
        let mut changed = None;
        let mut links = LinkTimes::of(entries);
        let path = self.store.temporary("layer.tar");
        let mut layer = LayerWriter::create(&path, self.compression(id))?;
        let placement = &work.placement;
        let mut written = Written::default();
        // The sources in their order: of what lies at one place the last one stays.
        for number in 0..=work.archives.len() {
            for placed in entries.iter().filter(|p| placement.after(&p.entry.path) == number) {
                if self.interrupted() {
                    return Err(Problem::Interrupted.into());
                }
                written.note(&placed.entry)?;
                if !self.write_entry(placed, &work.sources, &mut links, &mut layer)? {
                    changed.get_or_insert_with(|| placed.entry.path.display());
                }
            }
            let Some(Archive { disk, base, stamp, .. }) = work.archives.get(number) else { break };
            let interrupted = || self.interrupted();
            let file = disk.open()?;
            let failed = |e| FsError::new("read", &disk.path())(e);
            let again = file.try_clone().map_err(failed)?;
            write_archive(file, base, placement, &mut layer, &mut written, &interrupted)?;
            let now = Stamp::of(&again.metadata().map_err(failed)?);
            if stamp.is_some_and(|then| then != now) {
                changed.get_or_insert_with(|| disk.below.display());
            }
        }
        if let Some(path) = &changed {
            let text = format!(
                "{path} changed in the context while the build ran: the image has what was there when \
                 it was copied, and the next build copies again"
            );
            self.events.event(Event::Warning { text });
        }
        let layer = self.store.put_layer(layer.finish()?, None)?;
        Ok(Fresh { settled: changed.is_none(), ..Fresh::from(layer) })
    }

    /// Gives whether the file is still the one that was found when the context was read.
    fn write_entry(
        &self,
        placed: &Placed,
        sources: &[Sources],
        links: &mut LinkTimes,
        layer: &mut LayerWriter,
    ) -> Result<bool, BuildError> {
        let mut entry = placed.entry.clone();
        let (source, disk) = match &placed.content {
            Content::None => {
                links.give(&mut entry);
                let written = layer.add(&entry, &mut io::empty());
                written.map_err(FsError::new("write", layer.path()))?;
                return Ok(true);
            }
            Content::Inline(bytes) => {
                let written = layer.add(&entry, &mut &bytes[..]);
                written.map_err(FsError::new("write", layer.path()))?;
                return Ok(true);
            }
            Content::Source(number, path) => {
                let source = &sources[*number];
                (source, self.on_disk(source, path)?)
            }
        };
        let from = disk.path();
        let mut file = disk.open()?;
        let found = file.metadata().map_err(FsError::new("read", &from))?;
        if let (Sources::Image { snapshot, view }, Content::Source(_, path)) =
            (source, &placed.content)
            && let Some(node) = view.get(path)
            && matches!(node.entry.kind, EntryKind::File(size) if size != found.len())
            && let Some(layer) = snapshot.layers.get(node.layer)
        {
            return Err(self.changed(layer, path));
        }
        // Attributes of the context's files are the machine's that it lies on.
        (entry.meta.mtime, entry.meta.xattrs) = match source {
            Sources::Fetched { file, .. } => (file.modified, BTreeMap::new()),
            Sources::Context(_) => (found.mtime(), BTreeMap::new()),
            Sources::Image { .. } => (found.mtime(), file_xattrs(&file, &from)?),
        };
        if let EntryKind::File(size) = &mut entry.kind {
            *size = found.len();
        }
        links.keep(&entry);
        let mut data = Interruptible { file: &mut file, exec: self };
        if let Err(error) = layer.add(&entry, &mut data) {
            return Err(match self.interrupted() {
                true => Problem::Interrupted.into(),
                false => FsError::new("write a layer with", &from)(error).into(),
            });
        }
        let Sources::Context(loaded) = source else { return Ok(true) };
        let now = file.metadata().map_err(FsError::new("read", &from))?;
        Ok(loaded.context.stamps.get(&disk.below).is_none_or(|then| *then == Stamp::of(&now)))
    }

    /// Where a source's file is.
    pub(super) fn on_disk(
        &self,
        sources: &Sources,
        path: &ImagePath,
    ) -> Result<OnDisk, BuildError> {
        let root: PathBuf = match sources {
            Sources::Context(loaded) => loaded.context.root.clone(),
            Sources::Fetched { file, .. } => {
                let root = file.path.parent().unwrap_or(Path::new("/")).to_owned();
                let name = file.path.file_name().unwrap_or_default().as_encoded_bytes().to_vec();
                return Ok(OnDisk { root, below: ImagePath(name) });
            }
            Sources::Image { snapshot, view } => {
                let layer = view.get(path).and_then(|node| snapshot.layers.get(node.layer));
                match layer {
                    Some(layer) => self.unpacked(layer)?,
                    None => return Err(no_file(path).into()),
                }
            }
        };
        Ok(OnDisk { root, below: path.clone() })
    }
}

/// The times of files that have further names: whoever unpacks the layer gives the file the time that
/// stands with its last name.
struct LinkTimes(BTreeMap<ImagePath, Option<i64>>);

impl LinkTimes {
    fn of(entries: &[Placed]) -> Self {
        let target = |placed: &Placed| match &placed.entry.kind {
            EntryKind::Hardlink(target) => Some((target.clone(), None)),
            _ => None,
        };
        Self(entries.iter().filter_map(target).collect())
    }

    fn keep(&mut self, entry: &Entry) {
        if let Some(time) = self.0.get_mut(&entry.path) {
            *time = Some(entry.meta.mtime);
        }
    }

    fn give(&self, entry: &mut Entry) {
        if let EntryKind::Hardlink(target) = &entry.kind
            && let Some(Some(time)) = self.0.get(target)
        {
            entry.meta.mtime = *time;
        }
    }
}

/// A file that ends with an error when the build is to stop: some take minutes.
struct Interruptible<'a, 'e> {
    file: &'a mut File,
    exec: &'a Exec<'e>,
}

impl io::Read for Interruptible<'_, '_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.exec.interrupted() {
            true => Err(io::Error::other("the build is to stop")),
            false => self.file.read(buffer),
        }
    }
}

fn no_file(path: &ImagePath) -> FsError {
    FsError::new("read", &Path::new("/").join(path.as_path()))(io::ErrorKind::NotFound.into())
}

/// A file of a layer or a context. What is there now may be something else than what was found: links
/// and pipes are refused rather than followed and waited for, and nothing leads out of the root.
pub(super) struct OnDisk {
    root: PathBuf,
    below: ImagePath,
}

impl OnDisk {
    pub(super) fn path(&self) -> PathBuf {
        self.root.join(self.below.as_path())
    }

    pub(super) fn open(&self) -> Result<File, FsError> {
        Root::open(&self.root)
            .and_then(|root| open_file(&root, self.below.as_path()))
            .map_err(FsError::new("read", &self.path()))
    }
}

impl Work {
    /// One more source; gives its number.
    fn source(&mut self, source: Sources) -> usize {
        self.sources.push(source);
        self.sources.len() - 1
    }
}

impl Sources {
    pub(super) fn view(&self) -> &View {
        match self {
            Self::Context(loaded) => &loaded.context.view,
            Self::Image { view, .. } | Self::Fetched { view, .. } => view,
        }
    }

    /// What a path or pattern names, and what of it is copied.
    fn select(&self, op: &CopyOp, argument: &str) -> Result<Vec<(Selected, Filter)>, BuildError> {
        let missing = |path: &ImagePath| self.missing(path);
        let filter = Filter::new(&op.exclude).map_err(CopyError::from)?;
        if !op.parents {
            let selected = select(self.view(), argument, &missing)?;
            return Ok(selected.into_iter().map(|s| (s, filter.clone())).collect());
        }
        let (base, path) = pivot(argument);
        let full = ImagePath::clean(format!("{base}/{path}").as_bytes());
        if !is_pattern(base)
            && !is_pattern(&path)
            // Patterns follow no links, and so nothing of what lies behind one would be copied.
            && !full.is_root()
            && self.view().get(&full).is_none()
        {
            let (path, hint) = (argument.to_owned(), missing(&full));
            return Err(CopyError::NotFound { path, hint }.into());
        }
        let filter = filter.only(&path).map_err(CopyError::from)?;
        let selected = select(self.view(), base, &missing)?;
        Ok(selected.into_iter().map(|s| (s, filter.clone())).collect())
    }

    /// Where a path was looked for in vain.
    fn missing(&self, path: &ImagePath) -> String {
        match self {
            Self::Image { .. } => " in the stage or image that --from names".to_owned(),
            Self::Fetched { .. } => " at that address".to_owned(),
            Self::Context(loaded) => {
                let excluded = &loaded.context.excluded;
                let ignored = excluded.iter().any(|dir| path == dir || path.is_below(dir));
                if ignored {
                    " in the build context: .dockerignore leaves it out".to_owned()
                } else {
                    format!(" in the build context {}", loaded.context.root.display())
                }
            }
        }
    }
}

/// What of a COPY goes into its key: not the number of the step that it takes from, and of what is
/// fetched the content only.
fn op_key(op: &CopyOp) -> impl serde::Serialize + '_ {
    let CopyOp { from: _, sources, inline, dest, chown, chmod, unpack, parents, exclude, link } =
        op;
    let paths: Vec<Option<&str>> = sources
        .iter()
        .map(|item| match item {
            CopyItem::Path(path) => Some(path.as_str()),
            CopyItem::Url(_) | CopyItem::Git(_) => None,
        })
        .collect();
    (paths, inline, dest, chown, chmod, unpack, parents, exclude, link)
}

//! COPY and ADD.
//!
//! Two keys find an earlier result. The first is that of the instruction: parent, arguments,
//! digests of the sources. The second is that of the layer itself: what lies where, with which
//! owner and mode; two platforms whose parents differ elsewhere share a layer by it.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use mlint_oci::Digest;

use super::{Exec, LoadedContext, Made, Snapshot, cache_key::key, now};
use crate::{
    copy::{
        Content, Placed, Placement, Selected,
        archive::{is_archive, write_archive},
        select,
    },
    error::FsError,
    events::Event,
    layer::{EntryKind, LayerWriter, View, diff::read_meta, entry::ImagePath},
    plan::{CopyOp, MountSource, StepId},
    problem::{BuildError, Problem},
    store::LayerRef,
};

/// Where the sources are.
enum Sources {
    Context(Arc<LoadedContext>),
    Image { snapshot: Snapshot, view: View },
}

/// A destination with what comes there.
struct Work {
    placement: Placement,
    archives: Vec<(PathBuf, ImagePath, String)>,
}

impl Exec<'_> {
    pub(super) fn copy(
        &self,
        id: StepId,
        op: &CopyOp,
        parent: &Snapshot,
    ) -> Result<Made, BuildError> {
        let empty = Snapshot::empty();
        let parent = if op.link { &empty } else { parent };
        let compression = self.request.compression;
        if let MountSource::Step(source) = op.from {
            // The source's content is known by its digest: no need to look at it for the key.
            let snapshot = self.snapshot(source);
            let key = key("copy", compression, &(op_key(op), &parent.chain, &snapshot.chain));
            return self.cached_or("copy", &key, || {
                let view = self.view(&snapshot)?;
                self.copy_layer(id, op, parent, &Sources::Image { snapshot, view })
            });
        }
        if op.sources.is_empty() {
            let key = key("copy", compression, &(op_key(op), &parent.chain));
            let nothing = Sources::Image { snapshot: empty.clone(), view: View::default() };
            return self.cached_or("copy", &key, || self.copy_layer(id, op, parent, &nothing));
        }
        let sources = Sources::Context(self.context()?);
        let content = self.context_digest(op, &sources)?;
        let key = key("copy", compression, &(op_key(op), &parent.chain, content));
        self.cached_or("copy", &key, || self.copy_layer(id, op, parent, &sources))
    }

    /// The digest of everything that a COPY takes from the context.
    fn context_digest(&self, op: &CopyOp, sources: &Sources) -> Result<Digest, BuildError> {
        let Sources::Context(loaded) = sources else { return Ok(Digest::sha256(b"")) };
        let view = sources.view();
        let mut lines = Vec::new();
        let mut files = Vec::new();
        for argument in &op.sources {
            for selected in sources.select(argument)? {
                lines.push(format!("source {:?} {}", selected.name, selected.path.display()));
                let own = view.get(&selected.path).map(|node| (&selected.path, node));
                for (path, node) in own.into_iter().chain(view.below(&selected.path)) {
                    if matches!(node.entry.kind, EntryKind::File(_)) {
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
    fn copy_layer(
        &self,
        id: StepId,
        op: &CopyOp,
        parent: &Snapshot,
        sources: &Sources,
    ) -> Result<LayerRef, BuildError> {
        self.events.event(Event::Started { step: id });
        let work = self.place(op, parent, sources)?;
        let entries = work.placement.entries();
        let identity = self.layer_identity(&entries, &work, sources)?;
        let key = key("copy-layer", self.request.compression, &identity);
        let made =
            self.cached_or("copy-layer", &key, || self.write_copy(&entries, &work, sources))?;
        Ok(made.layer)
    }

    fn place(&self, op: &CopyOp, parent: &Snapshot, sources: &Sources) -> Result<Work, BuildError> {
        let dest = self.view(parent)?;
        let owner = match &op.chown {
            Some(spec) => Some(self.owner(spec, parent, &dest)?),
            None => None,
        };
        let mut placement = Placement::new(dest, owner, op.chmod, now());
        let mut archives = Vec::new();
        let view = sources.view();
        for argument in &op.sources {
            for selected in sources.select(argument)? {
                if op.unpack && !selected.is_dir {
                    let path = self.on_disk(sources, &selected.path)?;
                    if is_archive(&path)? {
                        // --chmod is not for archives.
                        let mode = placement.mode.take();
                        let base = placement.directory(&op.dest)?;
                        placement.mode = mode;
                        archives.push((path, base, self.content_id(sources, &selected.path)?));
                        continue;
                    }
                }
                placement.add(view, &selected, &op.dest)?;
            }
        }
        for (name, text) in &op.inline {
            placement.add_inline(name, text, &op.dest)?;
        }
        Ok(Work { placement, archives })
    }

    /// Everything that decides the layer's content, times left out.
    fn layer_identity(
        &self,
        entries: &[Placed],
        work: &Work,
        sources: &Sources,
    ) -> Result<Vec<String>, BuildError> {
        let mut lines = Vec::with_capacity(entries.len());
        for Placed { entry, content } in entries {
            let content = match (content, &entry.kind) {
                (Content::Inline(bytes), _) => Digest::sha256(bytes).to_string(),
                (Content::Source(path), EntryKind::File(_)) => self.content_id(sources, path)?,
                _ => String::new(),
            };
            let meta = &entry.meta;
            let kind = match entry.kind {
                // Hard links' sizes are not known here, and the content says it all.
                EntryKind::File(_) => "file".to_owned(),
                ref kind => format!("{kind:?}"),
            };
            lines.push(format!(
                "{:?} {kind} {:o} {}:{} {content}",
                entry.path.0, meta.mode, meta.uid, meta.gid
            ));
        }
        for (_, base, content) in &work.archives {
            lines.push(format!("archive {:?} {content} {:?}", base.0, work.placement.owner));
        }
        Ok(lines)
    }

    fn content_id(&self, sources: &Sources, path: &ImagePath) -> Result<String, BuildError> {
        match sources {
            Sources::Context(loaded) => {
                let digests = loaded.digests.of(&loaded.context, std::slice::from_ref(path))?;
                Ok(digests.first().map(Digest::to_string).unwrap_or_default())
            }
            Sources::Image { snapshot, view } => {
                let layer = view.get(path).and_then(|node| snapshot.layers.get(node.layer));
                Ok(format!("{:?} {:?}", layer.map(|l| l.diff_id.as_str()), path.0))
            }
        }
    }

    fn write_copy(
        &self,
        entries: &[Placed],
        work: &Work,
        sources: &Sources,
    ) -> Result<LayerRef, BuildError> {
        let path = self.store.temporary("layer.tar");
        let mut layer = LayerWriter::create(&path, self.request.compression)?;
        for placed in entries {
            if self.interrupted() {
                return Err(Problem::Interrupted.into());
            }
            self.write_entry(placed, sources, &mut layer)?;
        }
        let mut written: BTreeSet<ImagePath> =
            entries.iter().map(|p| p.entry.path.clone()).collect();
        for (archive, base, _) in &work.archives {
            let placement = &work.placement;
            let interrupted = || self.interrupted();
            write_archive(archive, base, placement, &mut layer, &mut written, &interrupted)?;
        }
        Ok(self.store.put_layer(layer.finish()?, None)?)
    }

    fn write_entry(
        &self,
        placed: &Placed,
        sources: &Sources,
        layer: &mut LayerWriter,
    ) -> Result<(), BuildError> {
        let mut entry = placed.entry.clone();
        let from = match &placed.content {
            Content::None => {
                let written = layer.add(&entry, &mut io::empty());
                return Ok(written.map_err(FsError::new("write", layer.path()))?);
            }
            Content::Inline(bytes) => {
                let written = layer.add(&entry, &mut &bytes[..]);
                return Ok(written.map_err(FsError::new("write", layer.path()))?);
            }
            Content::Source(path) => self.on_disk(sources, path)?,
        };
        let found = fs::symlink_metadata(&from).map_err(FsError::new("read", &from))?;
        let meta = read_meta(&from, &found)?;
        (entry.meta.mtime, entry.meta.xattrs) = (meta.mtime, meta.xattrs);
        let added = if let EntryKind::File(size) = &mut entry.kind {
            *size = found.len();
            let mut file = File::open(&from).map_err(FsError::new("read", &from))?;
            layer.add(&entry, &mut file)
        } else {
            layer.add(&entry, &mut io::empty())
        };
        Ok(added.map_err(FsError::new("write a layer with", &from))?)
    }

    /// Where a source's file is.
    fn on_disk(&self, sources: &Sources, path: &ImagePath) -> Result<PathBuf, BuildError> {
        let root: PathBuf = match sources {
            Sources::Context(loaded) => loaded.context.root.clone(),
            Sources::Image { snapshot, view } => {
                let layer = view.get(path).and_then(|node| snapshot.layers.get(node.layer));
                match layer {
                    Some(layer) => self.unpacked(layer)?,
                    None => PathBuf::new(),
                }
            }
        };
        Ok(root.join(path.as_path() as &Path))
    }
}

impl Sources {
    fn view(&self) -> &View {
        match self {
            Self::Context(loaded) => &loaded.context.view,
            Self::Image { view, .. } => view,
        }
    }

    fn select(&self, argument: &str) -> Result<Vec<Selected>, BuildError> {
        let missing = |path: &ImagePath| match self {
            Self::Image { .. } => " in the stage or image that --from names".to_owned(),
            Self::Context(loaded) => {
                let excluded = &loaded.context.excluded;
                let ignored = excluded.iter().any(|dir| path == dir || path.is_below(dir));
                if ignored {
                    " in the build context: .dockerignore leaves it out".to_owned()
                } else {
                    format!(" in the build context {}", loaded.context.root.display())
                }
            }
        };
        Ok(select(self.view(), argument, &missing)?)
    }
}

/// What of a COPY goes into its key: not the number of the step that it takes from.
fn op_key(op: &CopyOp) -> impl serde::Serialize + '_ {
    let CopyOp { from: _, sources, inline, dest, chown, chmod, unpack, link } = op;
    (sources, inline, dest, chown, chmod, unpack, link)
}

//! What copied and mounted files are known by: their content, wherever that comes from. A stage that
//! ran again has other layers, and often the same files.

use std::io::Read;

use mlint_oci::Digest;
use rayon::prelude::*;
use sha2::{Digest as _, Sha256};

use super::{
    Exec, Snapshot,
    copy::{Archive, Sources, Work},
};
use crate::{
    copy::{Content, Placed},
    error::FsError,
    layer::{
        EntryKind,
        diff::file_xattrs,
        entry::ImagePath,
        view::{Lookup, Node},
        writer::digest_of,
    },
    plan::MountSource,
    problem::{BuildError, Problem},
};

/// What counts of a file: its time does not.
fn line_of(
    path: &ImagePath,
    kind: &str,
    (mode, uid, gid): (u32, u32, u32),
    content: &str,
) -> String {
    format!("{:?} {kind} {mode:o} {uid}:{gid} {content}", path.0)
}

impl Exec<'_> {
    /// Everything that decides the layer's content, times left out.
    pub(super) fn layer_identity(
        &self,
        entries: &[Placed],
        work: &Work,
        parent: &Snapshot,
    ) -> Result<Vec<String>, BuildError> {
        let line = |Placed { entry, content }: &Placed| {
            let content = match (content, &entry.kind) {
                (Content::Inline(bytes), _) => Digest::sha256(bytes).to_string(),
                (Content::Source(number, path), EntryKind::File(_)) => {
                    self.content_id(&work.sources[*number], path)?
                }
                _ => String::new(),
            };
            let meta = &entry.meta;
            let kind = match entry.kind {
                // Hard links' sizes are not known here, and the content says it all.
                EntryKind::File(_) => "file".to_owned(),
                ref kind => format!("{kind:?}"),
            };
            let line = line_of(&entry.path, &kind, (meta.mode, meta.uid, meta.gid), &content);
            Ok(match work.placement.after(&entry.path) {
                0 => line,
                archives => format!("{line} after {archives}"),
            })
        };
        let mut lines: Vec<String> =
            entries.par_iter().map(line).collect::<Result<_, BuildError>>()?;
        for Archive { base, content, .. } in &work.archives {
            // What it holds finds its place by the parent's links, and the parent's directories on the
            // way to it come along as they are.
            let (owner, onto) = (work.placement.owner, &parent.chain);
            lines.push(format!("archive {:?} {content} {owner:?} {onto}", base.0));
        }
        Ok(lines)
    }

    pub(super) fn content_id(
        &self,
        sources: &Sources,
        path: &ImagePath,
    ) -> Result<String, BuildError> {
        match sources {
            Sources::Context(loaded) => {
                let digests = loaded.digests.of(&loaded.context, std::slice::from_ref(path))?;
                Ok(digests.first().map(Digest::to_string).unwrap_or_default())
            }
            Sources::Image { snapshot, view } => {
                let layer = view.get(path).and_then(|node| snapshot.layers.get(node.layer));
                match layer {
                    Some(layer) if layer.origin.is_none() => self.file_id(sources, path),
                    // A base image has one digest for all that it holds: nothing need be read.
                    layer => Ok(format!("{:?} {:?}", layer.map(|l| l.diff_id.as_str()), path.0)),
                }
            }
            // Its time is the server's, and so part of what it is.
            Sources::Fetched { file, .. } => Ok(format!("{} {}", file.digest, file.modified)),
        }
    }

    /// What identifies the files that a mount shows of a stage, times left out.
    pub(super) fn mounted_content(
        &self,
        from: MountSource,
        source: &str,
    ) -> Result<Digest, BuildError> {
        let sources = self.sources_of(from)?;
        let view = sources.view();
        let path = match view.resolve(&ImagePath::from(source), true) {
            Lookup::Found(path) => path,
            // Whoever mounts it says what is wrong.
            _ => return Ok(Digest::sha256(format!("nothing at {source}"))),
        };
        let own = view.get(&path).map(|node| (&path, node));
        let nodes: Vec<(&ImagePath, &Node)> = own.into_iter().chain(view.below(&path)).collect();
        let line = |(path, node): &(&ImagePath, &Node)| {
            let entry = &node.entry;
            let (kind, content) = match &entry.kind {
                // A file's other names may lie outside of what is mounted.
                EntryKind::File(_) | EntryKind::Hardlink(_) => {
                    ("file".to_owned(), self.content_id(&sources, path)?)
                }
                kind => (format!("{kind:?}"), String::new()),
            };
            Ok(line_of(path, &kind, (entry.mode, entry.uid, entry.gid), &content))
        };
        let lines: Vec<String> = nodes.par_iter().map(line).collect::<Result<_, BuildError>>()?;
        Ok(Digest::sha256(lines.join("\n")))
    }

    /// The digest of a file's content, and its attributes.
    fn file_id(&self, sources: &Sources, path: &ImagePath) -> Result<String, BuildError> {
        let disk = self.on_disk(sources, path)?;
        let from = disk.path();
        let mut file = disk.open()?;
        let attributes = file_xattrs(&file, &from)?;
        let mut hasher = Sha256::new();
        let mut buffer = vec![0; 128 << 10];
        loop {
            if self.interrupted() {
                return Err(Problem::Interrupted.into());
            }
            match file.read(&mut buffer).map_err(FsError::new("read", &from))? {
                0 => break,
                read => hasher.update(&buffer[..read]),
            }
        }
        Ok(format!("{} {attributes:?}", digest_of(hasher)))
    }
}

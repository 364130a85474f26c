//! Whether what was unpacked is still there.

use std::{
    fs,
    os::unix::fs::{FileTypeExt, MetadataExt},
    path::Path,
    sync::PoisonError,
};

use super::{LayerRef, LayerStoreError, Store};
use crate::layer::{EntryKind, IndexEntry, View, entry::ImagePath};

impl Store {
    /// Looks once in a session whether the unpacked files are as long and as old as the index says:
    /// nothing is synced to disk step by step, so a machine that lost its power may come back with
    /// files that are cut off. Gives the first file that is not; the layer's directory is gone then.
    pub fn look_over(&self, layer: &LayerRef) -> Result<Option<String>, LayerStoreError> {
        let known = || self.looked_over.lock().unwrap_or_else(PoisonError::into_inner);
        if known().contains(&layer.diff_id) || !self.is_unpacked(layer) {
            return Ok(None);
        }
        let index = self.index(layer)?;
        let dir = self.layer_path(&layer.diff_id);
        // An archive may bring a path twice: the last one counts.
        let view = View::of([&*index]);
        let differs = |(path, entry): &(&ImagePath, &IndexEntry)| !is_there(&dir, path, entry);
        let shown = view.iter().map(|(path, node)| (path, &node.entry));
        // What the layer itself brings wins over its own whiteout of it.
        let gone = index.entries.iter().filter(|e| e.kind == EntryKind::Whiteout);
        let gone = gone.filter(|e| view.get(&e.path).is_none()).map(|e| (&e.path, e));
        let changed = shown.chain(gone).find(differs).map(|(path, _)| path.display());
        if let Some(path) = &changed {
            let _lock = self.lock("layer", layer.diff_id.hex())?;
            if !known().contains(&layer.diff_id) {
                self.discard_unpacked(layer, path.clone())?;
            }
        } else {
            known().insert(layer.diff_id.clone());
        }
        Ok(changed)
    }
}

/// Whether the file is one of this kind, a regular one of the size and time that the index tells.
/// What can't be made everywhere, as devices, is not looked for.
fn is_there(dir: &Path, path: &ImagePath, entry: &IndexEntry) -> bool {
    let Ok(found) = fs::symlink_metadata(dir.join(path.as_path())) else {
        return matches!(entry.kind, EntryKind::CharDevice(..) | EntryKind::BlockDevice(..));
    };
    match entry.kind {
        EntryKind::File(size) => {
            // Times that the file system can't hold are kept as the nearest that it can.
            let same_time = found.mtime() == entry.mtime || i32::try_from(entry.mtime).is_err();
            found.is_file() && found.len() == size && same_time
        }
        EntryKind::Directory => found.is_dir(),
        EntryKind::Symlink(_) => found.is_symlink(),
        EntryKind::Hardlink(_) => !found.is_dir(),
        EntryKind::Fifo => found.file_type().is_fifo(),
        EntryKind::Whiteout => found.file_type().is_char_device(),
        EntryKind::CharDevice(..) | EntryKind::BlockDevice(..) | EntryKind::Opaque => true,
    }
}

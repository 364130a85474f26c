//! What a layer holds, without its contents: enough to resolve a copy's destination, and to prove
//! the machine of every binary, with no layer unpacked.

use serde::{Deserialize, Serialize};

use super::entry::{Entry, EntryKind, ImagePath};
use crate::proof::elf::ElfFacts;

/// The entries of one layer in the order of its archive.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LayerIndex {
    /// The entries.
    pub entries: Vec<IndexEntry>,
}

impl LayerIndex {
    /// About how much of the disk the layer takes when it is unpacked.
    pub fn size_on_disk(&self) -> u64 {
        const BLOCK: u64 = 4096;
        let sizes = self.entries.iter().map(|entry| match entry.kind {
            EntryKind::File(size) => size.div_ceil(BLOCK).saturating_mul(BLOCK),
            EntryKind::Directory => BLOCK,
            _ => 0,
        });
        sizes.fold(0, u64::saturating_add)
    }
}

/// One entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IndexEntry {
    /// Where.
    #[serde(rename = "p")]
    pub path: ImagePath,
    /// What.
    #[serde(rename = "k")]
    pub kind: EntryKind,
    /// Permission bits.
    #[serde(rename = "m")]
    pub mode: u32,
    /// Owner.
    #[serde(rename = "u", default, skip_serializing_if = "is_zero")]
    pub uid: u32,
    /// Group.
    #[serde(rename = "g", default, skip_serializing_if = "is_zero")]
    pub gid: u32,
    /// Time of the last change, in seconds since 1970.
    #[serde(rename = "t", default)]
    pub mtime: i64,
    /// What it says of itself, if it is an ELF file.
    #[serde(rename = "e", default, skip_serializing_if = "Option::is_none")]
    pub elf: Option<ElfFacts>,
}

fn is_zero(n: &u32) -> bool {
    *n == 0
}

impl IndexEntry {
    /// The index entry of a layer entry.
    pub fn new(entry: &Entry, elf: Option<ElfFacts>) -> Self {
        Self {
            path: entry.path.clone(),
            kind: entry.kind.clone(),
            mode: entry.meta.mode,
            uid: entry.meta.uid,
            gid: entry.meta.gid,
            mtime: entry.meta.mtime,
            elf,
        }
    }

    /// Whether it is a directory.
    pub fn is_dir(&self) -> bool {
        self.kind == EntryKind::Directory
    }
}

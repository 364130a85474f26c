//! Layers: their entries, the tar stream, compression, the difference of an overlay, unpacking.

pub mod compress;
pub mod diff;
pub mod entry;
pub mod index;
pub mod packed;
pub mod places;
pub mod read;
pub mod tar_reader;
pub mod tar_stream;
pub mod unpack;
pub mod view;
pub mod writer;

pub use compress::Compression;
pub use entry::{Entry, EntryKind, Meta};
pub use index::{IndexEntry, LayerIndex};
pub use view::View;
pub use writer::{LayerWriter, WrittenLayer};

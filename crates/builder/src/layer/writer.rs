//! Makes a layer in one pass: entries → tar → SHA-256 → compression → SHA-256 → file, with the
//! layer's index as a by-product.

use std::{
    fs::File,
    io::{self, BufWriter, Read, Write},
    path::{Path, PathBuf},
};

use mlint_oci::Digest;
use sha2::{Digest as _, Sha256};

use super::{
    compress::{Compression, ParallelCompressor},
    entry::{Entry, EntryKind},
    index::{IndexEntry, LayerIndex},
    tar_stream::TarStream,
};
use crate::{error::FsError, proof::elf::Sniffer};

/// A writer that hashes and counts what goes through.
pub struct HashWriter<W> {
    out: W,
    hash: Sha256,
    bytes: u64,
}

impl<W: Write> HashWriter<W> {
    /// Starts counting.
    pub fn new(out: W) -> Self {
        Self { out, hash: Sha256::new(), bytes: 0 }
    }

    /// The inner writer, the digest, and how many bytes there were.
    pub fn finish(self) -> (W, Digest, u64) {
        (self.out, digest_of(self.hash), self.bytes)
    }
}

impl<W: Write> Write for HashWriter<W> {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        let n = self.out.write(data)?;
        self.hash.update(&data[..n]);
        self.bytes += n as u64;
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// The digest that a finished hash stands for.
pub fn digest_of(hash: Sha256) -> Digest {
    use std::fmt::Write as _;
    let mut text = String::with_capacity(71);
    text.push_str("sha256:");
    for byte in hash.finalize() {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    Digest::parse(&text).expect("64 hexadecimal digits are a digest")
}

type Blob = HashWriter<BufWriter<File>>;
type Tar = HashWriter<ParallelCompressor<Blob>>;

/// A layer in the making.
pub struct LayerWriter {
    tar: TarStream<Tar>,
    index: LayerIndex,
    path: PathBuf,
    compression: Compression,
}

/// A layer that is complete but not yet in the store.
#[derive(Debug)]
pub struct WrittenLayer {
    /// Where its compressed bytes are.
    pub path: PathBuf,
    /// Digest of the uncompressed archive.
    pub diff_id: Digest,
    /// Digest of the compressed archive.
    pub digest: Digest,
    /// Size of the compressed archive.
    pub size: u64,
    /// Its media type.
    pub media_type: String,
    /// How it is compressed.
    pub compression: Compression,
    /// What it holds.
    pub index: LayerIndex,
}

impl LayerWriter {
    /// Starts a layer whose compressed bytes go to the new file `path`.
    pub fn create(path: &Path, compression: Compression) -> Result<Self, FsError> {
        let file = File::create_new(path).map_err(FsError::new("write", path))?;
        let blob = HashWriter::new(BufWriter::with_capacity(256 * 1024, file));
        let tar = TarStream::new(HashWriter::new(ParallelCompressor::new(blob, compression)));
        Ok(Self { tar, index: LayerIndex::default(), path: path.to_owned(), compression })
    }

    /// Adds an entry; `data` is read for files only.
    pub fn add(&mut self, entry: &Entry, data: &mut dyn Read) -> io::Result<()> {
        let mut sniffer = Sniffer::new(data);
        self.tar.entry(entry, &mut sniffer)?;
        let elf = match entry.kind {
            EntryKind::File(_) => sniffer.facts(),
            _ => None,
        };
        self.index.entries.push(IndexEntry::new(entry, elf));
        Ok(())
    }

    /// Completes the layer.
    pub fn finish(self) -> Result<WrittenLayer, FsError> {
        let Self { tar, index, path, compression } = self;
        let ended = || -> io::Result<_> {
            let (compressor, diff_id, _) = tar.finish()?.finish();
            let (mut out, digest, size) = compressor.finish()?.finish();
            out.flush()?;
            drop(out.into_inner().map_err(io::IntoInnerError::into_error)?);
            Ok((diff_id, digest, size))
        };
        let (diff_id, digest, size) = ended().map_err(FsError::new("write", &path))?;
        let media_type = compression.media_type().to_owned();
        Ok(WrittenLayer { path, diff_id, digest, size, media_type, compression, index })
    }

    /// Where the compressed bytes go.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

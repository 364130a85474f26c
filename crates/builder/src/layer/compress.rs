//! Compression of layers, in parallel and independent of the number of cores: the stream is cut
//! into pieces of a fixed size, each a gzip member or a zstd frame of its own.

use std::{
    cell::RefCell,
    collections::VecDeque,
    io::{self, Read, Write},
    sync::mpsc,
};

use libdeflater::{CompressionLvl, Compressor};
use serde::{Deserialize, Serialize};

/// Bytes of input in one gzip member.
const GZIP_PIECE: usize = 1 << 20;
/// Bytes of input in one zstd frame.
const ZSTD_PIECE: usize = 4 << 20;

/// How layers are compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Compression {
    /// gzip at a level from 0 to 9.
    Gzip(u32),
    /// Zstandard at a level from 1 to 19.
    Zstd(i32),
}

impl Default for Compression {
    fn default() -> Self {
        Self::Gzip(6)
    }
}

impl Compression {
    /// For layers that no image has, such as those of stages that compile: nobody waits for their
    /// transfer, and half the disk is as good as a third.
    pub const WORKING: Self = Self::Zstd(1);

    /// The media type of a layer that is compressed like this.
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Gzip(_) => "application/vnd.oci.image.layer.v1.tar+gzip",
            Self::Zstd(_) => "application/vnd.oci.image.layer.v1.tar+zstd",
        }
    }

    fn piece(self) -> usize {
        match self {
            Self::Gzip(_) => GZIP_PIECE,
            Self::Zstd(_) => ZSTD_PIECE,
        }
    }

    fn compress(self, piece: &[u8]) -> io::Result<Vec<u8>> {
        match self {
            Self::Gzip(level) => gzip(piece, level),
            Self::Zstd(level) => zstd::bulk::compress(piece, level.clamp(1, 19)),
        }
    }
}

/// One gzip member: the same levels as zlib's, at twice its speed and slightly smaller.
fn gzip(piece: &[u8], level: u32) -> io::Result<Vec<u8>> {
    thread_local! {
        /// A compressor has tables of some hundred kilobytes: each thread keeps its last.
        static KEPT: RefCell<Option<(u32, Compressor)>> = const { RefCell::new(None) };
    }
    KEPT.with_borrow_mut(|kept| {
        let (_, compressor) = match kept {
            Some(kept) if kept.0 == level => kept,
            _ => {
                let known = i32::try_from(level.min(9)).unwrap_or_default();
                let known = CompressionLvl::new(known).unwrap_or_default();
                kept.insert((level, Compressor::new(known)))
            }
        };
        let mut out = vec![0; compressor.gzip_compress_bound(piece.len())];
        let written = compressor.gzip_compress(piece, &mut out).map_err(io::Error::other)?;
        out.truncate(written);
        Ok(out)
    })
}

/// A writer that compresses what it gets on the rayon pool and passes it on in order.
pub struct ParallelCompressor<W: Write> {
    out: W,
    compression: Compression,
    piece: Vec<u8>,
    pending: VecDeque<mpsc::Receiver<io::Result<Vec<u8>>>>,
    in_flight: usize,
    wrote_any: bool,
}

impl<W: Write> ParallelCompressor<W> {
    /// Starts a stream.
    pub fn new(out: W, compression: Compression) -> Self {
        Self {
            out,
            compression,
            piece: Vec::with_capacity(compression.piece()),
            pending: VecDeque::new(),
            in_flight: rayon::current_num_threads() * 2 + 1,
            wrote_any: false,
        }
    }

    /// Compresses what is left and gives the inner writer back.
    pub fn finish(mut self) -> io::Result<W> {
        if !self.piece.is_empty() || !self.wrote_any {
            self.dispatch()?;
        }
        while !self.pending.is_empty() {
            self.collect()?;
        }
        Ok(self.out)
    }

    fn dispatch(&mut self) -> io::Result<()> {
        if self.pending.len() >= self.in_flight {
            self.collect()?;
        }
        let piece =
            std::mem::replace(&mut self.piece, Vec::with_capacity(self.compression.piece()));
        let (send, receive) = mpsc::sync_channel(1);
        let compression = self.compression;
        rayon::spawn(move || {
            // The receiver is gone when the layer was given up: nobody wants the piece then.
            let _ = send.send(compression.compress(&piece));
        });
        self.pending.push_back(receive);
        self.wrote_any = true;
        Ok(())
    }

    fn collect(&mut self) -> io::Result<()> {
        let Some(next) = self.pending.pop_front() else { return Ok(()) };
        let bytes =
            next.recv().map_err(|_| io::Error::other("a compression thread went away"))??;
        self.out.write_all(&bytes)
    }
}

impl<W: Write> Write for ParallelCompressor<W> {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        let room = self.compression.piece() - self.piece.len();
        let n = room.min(data.len());
        self.piece.extend_from_slice(&data[..n]);
        if self.piece.len() == self.compression.piece() {
            self.dispatch()?;
        }
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What the first bytes of a stream say about its compression.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packing {
    /// None that is known.
    Plain,
    /// gzip.
    Gzip,
    /// bzip2.
    Bzip2,
    /// xz.
    Xz,
    /// Zstandard.
    Zstd,
}

impl Packing {
    /// Recognises by magic numbers.
    pub fn detect(head: &[u8]) -> Self {
        if head.starts_with(&[0x1f, 0x8b, 0x08]) {
            Self::Gzip
        } else if head.starts_with(b"BZh") {
            Self::Bzip2
        } else if head.starts_with(&[0xfd, b'7', b'z', b'X', b'Z', 0]) {
            Self::Xz
        } else if is_zstd(head) {
            Self::Zstd
        } else {
            Self::Plain
        }
    }

    /// A reader of the unpacked bytes; streams of several members are read to their end.
    pub fn reader<'a>(self, packed: impl Read + 'a) -> io::Result<Box<dyn Read + 'a>> {
        Ok(match self {
            Self::Plain => Box::new(packed),
            Self::Gzip => Box::new(flate2::read::MultiGzDecoder::new(packed)),
            Self::Bzip2 => Box::new(bzip2::read::MultiBzDecoder::new(packed)),
            Self::Xz => Box::new(lzma_rust2::XzReader::new(packed, true)),
            Self::Zstd => Box::new(zstd::stream::read::Decoder::new(packed)?),
        })
    }
}

/// A Zstandard frame, or a skippable frame as some tools put in front.
fn is_zstd(head: &[u8]) -> bool {
    head.starts_with(&[0x28, 0xb5, 0x2f, 0xfd])
        || (head.len() >= 4 && head[0] & 0xf0 == 0x50 && head[1..4] == [0x2a, 0x4d, 0x18])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn data(n: usize) -> Vec<u8> {
        // Compressible but not trivial, and the same on every run.
        let mut state = 1u32;
        (0..n)
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (state >> 28) as u8
            })
            .collect()
    }

    fn packed(data: &[u8], compression: Compression, threads: usize) -> Vec<u8> {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        // The caller stays outside of the pool, as the builder's steps do.
        std::thread::scope(|scope| {
            scope
                .spawn(|| {
                    let mut out = ParallelCompressor::new(Vec::new(), compression);
                    out.in_flight = threads * 2;
                    out.write_all(data).unwrap();
                    let _ = &pool;
                    out.finish().unwrap()
                })
                .join()
                .unwrap()
        })
    }

    #[test]
    fn round_trips_over_several_members() {
        for n in [0, 1, GZIP_PIECE - 1, GZIP_PIECE, 3 * GZIP_PIECE + 17] {
            let data = data(n);
            for compression in [Compression::Gzip(1), Compression::Zstd(3)] {
                let bytes = packed(&data, compression, 2);
                let packing = Packing::detect(&bytes);
                assert_ne!(packing, Packing::Plain);
                let mut back = Vec::new();
                packing.reader(&bytes[..]).unwrap().read_to_end(&mut back).unwrap();
                assert!(back == data, "{n} {compression:?}");
            }
        }
    }

    #[test]
    fn bytes_do_not_depend_on_parallelism() {
        let data = data(5 * GZIP_PIECE + 3);
        let one = packed(&data, Compression::Gzip(6), 1);
        assert!(one == packed(&data, Compression::Gzip(6), 7));
        // Six members, each with a header of its own.
        let mut rest = &one[..];
        let mut members = 0;
        while !rest.is_empty() {
            let mut member = flate2::bufread::GzDecoder::new(rest);
            io::copy(&mut member, &mut io::sink()).unwrap();
            rest = member.into_inner();
            members += 1;
        }
        assert_eq!(members, 6);
    }
}

//! Archives as they lie on disk: unpacked while they are read, and no further than can be meant.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Read},
};

use super::{compress::Packing, read::Limits};

/// How many times its packed size an archive may have, once it is large. Compilers' output gives 5,
/// logs give 30; files of zeros alone give a thousand and more.
const RATIO: u64 = 250;

/// Below this no ratio counts: an image of an empty disk is a real thing.
const LARGE: u64 = 4 << 30;

/// What comes out of an archive is more than it may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it unpacks to more than {limit} bytes")]
pub struct TooMuch {
    /// How much was allowed.
    pub limit: u64,
}

/// The unpacked bytes of an archive.
pub struct Unpacked {
    inner: Box<dyn Read>,
    /// The archive itself is in no packing.
    packing: Packing,
    left: u64,
    limit: u64,
}

impl Unpacked {
    /// Finds out how the file is packed, from its first bytes.
    ///
    /// # Errors
    /// When it can't be read, or begins like something that it is not.
    pub fn open(file: File, limits: Limits) -> io::Result<Self> {
        let size = file.metadata()?.len();
        let mut packed = BufReader::with_capacity(256 * 1024, file);
        let packing = Packing::detect(packed.fill_buf()?);
        let limit = match packing {
            Packing::Plain => limits.bytes,
            _ => limits.bytes.min(size.saturating_mul(RATIO).max(LARGE)),
        };
        Ok(Self { inner: packing.reader(packed)?, packing, left: limit, limit })
    }

    /// How many bytes may come of it.
    pub fn limit(&self) -> u64 {
        self.limit
    }

    /// How it is packed.
    pub fn packing(&self) -> Packing {
        self.packing
    }
}

impl Read for Unpacked {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buffer)?;
        match self.left.checked_sub(n as u64) {
            Some(left) => self.left = left,
            None => return Err(io::Error::other(TooMuch { limit: self.limit })),
        }
        Ok(n)
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Seek as _, Write as _};

    use super::*;

    #[test]
    fn what_unpacks_to_too_much_is_cut_off() {
        let mut file = tempfile::tempfile().unwrap();
        let mut encoder = flate2::write::GzEncoder::new(&mut file, flate2::Compression::fast());
        encoder.write_all(&vec![0; 3 << 20]).unwrap();
        encoder.finish().unwrap();
        let read = |bytes| {
            file.try_clone().unwrap().rewind().unwrap();
            let limits = Limits { bytes, ..Limits::default() };
            let mut reader = Unpacked::open(file.try_clone().unwrap(), limits).unwrap();
            assert_eq!(reader.packing(), Packing::Gzip);
            io::copy(&mut reader, &mut io::sink())
        };
        assert_eq!(read(3 << 20).unwrap(), 3 << 20);
        let error = read(1 << 20).unwrap_err();
        assert_eq!(error.to_string(), "it unpacks to more than 1048576 bytes");
    }
}

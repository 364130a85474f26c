//! Files, read once and judged before anything looks into them.

use std::{
    io::{self, Read},
    path::{Path, PathBuf},
};

use crate::discover::Input;

/// Longer files are refused. A Dockerfile of this size is none.
const MAX_BYTES: u64 = 32 << 20;

/// A file as read.
#[derive(Clone, Debug)]
pub struct Source {
    /// Its name as shown.
    pub name: String,
    /// Where it is; nothing for standard input.
    pub path: Option<PathBuf>,
    /// What it holds.
    pub text: String,
}

/// Why a file can't be checked.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The system says no.
    #[error("can't read {name}: {source}")]
    Read {
        /// The file.
        name: String,
        /// Why.
        source: io::Error,
    },
    /// Longer than any Dockerfile.
    #[error("won't check {name}: it is longer than {} MiB, so it is hardly a Dockerfile", MAX_BYTES >> 20)]
    TooLong {
        /// The file.
        name: String,
    },
    /// It holds a byte that no text holds.
    #[error(
        "can't check {name}: it is a binary file (a zero byte at byte {offset}, line {line}); a \
         Dockerfile is UTF-8 text"
    )]
    Binary {
        /// The file.
        name: String,
        /// Offset of the byte.
        offset: usize,
        /// Its line, from 1.
        line: usize,
    },
    /// UTF-16 with a byte order mark.
    #[error("can't check {name}: it is UTF-16; save it as UTF-8, which is what builders read")]
    Utf16 {
        /// The file.
        name: String,
    },
    /// Some byte is not UTF-8.
    #[error(
        "can't check {name}: byte 0x{byte:02x} at byte {offset}, line {line}, is not valid UTF-8; \
         save the file as UTF-8"
    )]
    NotUtf8 {
        /// The file.
        name: String,
        /// The byte.
        byte: u8,
        /// Its offset.
        offset: usize,
        /// Its line, from 1.
        line: usize,
    },
}

impl SourceError {
    /// The file's name as shown.
    pub fn name(&self) -> &str {
        match self {
            Self::Read { name, .. }
            | Self::TooLong { name }
            | Self::Binary { name, .. }
            | Self::Utf16 { name }
            | Self::NotUtf8 { name, .. } => name,
        }
    }
}

/// The name of standard input in messages and reports.
pub const STDIN_NAME: &str = "<stdin>";

impl Source {
    /// Reads a file or standard input.
    ///
    /// # Errors
    /// When it can't be read or is no text that could be a Dockerfile.
    pub fn read(input: &Input) -> Result<Self, SourceError> {
        match input {
            Input::Stdin => {
                let bytes = limited(io::stdin().lock(), STDIN_NAME)?;
                Ok(Self { name: STDIN_NAME.into(), path: None, text: decode(bytes, STDIN_NAME)? })
            }
            Input::File(path) => {
                let name = path.display().to_string();
                let file = std::fs::File::open(path)
                    .map_err(|source| SourceError::Read { name: name.clone(), source })?;
                let bytes = limited(file, &name)?;
                let text = decode(bytes, &name)?;
                Ok(Self { name, path: Some(path.clone()), text })
            }
        }
    }

    /// The directory whose configuration holds.
    pub fn directory(input: &Input) -> &Path {
        match input {
            Input::Stdin => Path::new("."),
            Input::File(path) => path.parent().unwrap_or(Path::new(".")),
        }
    }
}

fn limited(from: impl Read, name: &str) -> Result<Vec<u8>, SourceError> {
    let mut bytes = Vec::new();
    from.take(MAX_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(|source| SourceError::Read { name: name.to_owned(), source })?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(SourceError::TooLong { name: name.to_owned() });
    }
    Ok(bytes)
}

fn decode(bytes: Vec<u8>, name: &str) -> Result<String, SourceError> {
    let name = name.to_owned();
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        return Err(SourceError::Utf16 { name });
    }
    let line =
        |offset: usize, bytes: &[u8]| 1 + bytes[..offset].iter().filter(|b| **b == b'\n').count();
    if let Some(offset) = bytes.iter().position(|b| *b == 0) {
        return Err(SourceError::Binary { name, offset, line: line(offset, &bytes) });
    }
    String::from_utf8(bytes).map_err(|error| {
        let offset = error.utf8_error().valid_up_to();
        let bytes = error.as_bytes();
        let byte = bytes.get(offset).copied().unwrap_or_default();
        SourceError::NotUtf8 { name, byte, offset, line: line(offset, bytes) }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_where_a_file_is_no_text() {
        let error = |bytes: &[u8]| decode(bytes.to_vec(), "D").expect_err("no text").to_string();
        assert!(error(b"FROM a\nRUN \xff\n").contains("byte 0xff at byte 11, line 2"));
        assert!(error(b"\x7fELF\n\0").contains("zero byte at byte 5, line 2"));
        assert!(error(b"\xff\xfeF\0").contains("UTF-16"));
        assert_eq!(decode("\u{feff}FROM ü".into(), "D").expect("text"), "\u{feff}FROM ü");
    }
}

//! Content digests: `sha256:<64 hex>` and `sha512:<128 hex>`.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest as _, Sha256, Sha512};

/// A hash function that registries use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Algorithm {
    /// SHA-256, what everybody uses.
    Sha256,
    /// SHA-512, allowed by the image specification.
    Sha512,
}

impl Algorithm {
    /// The word before the colon.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sha256 => "sha256",
            Self::Sha512 => "sha512",
        }
    }

    /// How many hexadecimal digits follow the colon.
    pub fn hex_len(self) -> usize {
        match self {
            Self::Sha256 => 64,
            Self::Sha512 => 128,
        }
    }
}

/// A digest that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DigestError {
    /// There is no `algorithm:` in front.
    #[error("'{input}' is no digest: expected sha256:<64 hexadecimal digits>")]
    NoAlgorithm {
        /// What was given.
        input: String,
    },
    /// The algorithm is none that mlint can check.
    #[error("digest algorithm '{algorithm}' is not supported: sha256 and sha512 are")]
    UnknownAlgorithm {
        /// The word before the colon.
        algorithm: String,
    },
    /// The hexadecimal part has the wrong length.
    #[error(
        "{algorithm} digests have {want} hexadecimal digits, this one has {found}: '{input}' was probably cut off"
    )]
    WrongLength {
        /// What was given.
        input: String,
        /// The algorithm's name.
        algorithm: &'static str,
        /// Digits expected.
        want: usize,
        /// Digits found.
        found: usize,
    },
    /// Something in it is not a lower-case hexadecimal digit.
    #[error("'{input}' is no digest: '{found}' is not one of 0-9 and a-f")]
    NotHex {
        /// What was given.
        input: String,
        /// The first wrong character.
        found: char,
    },
}

/// A digest, always well-formed.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest {
    text: Box<str>,
    algorithm: Algorithm,
}

impl Digest {
    /// Reads `sha256:…` or `sha512:…`.
    pub fn parse(input: &str) -> Result<Self, DigestError> {
        let Some((name, hex)) = input.split_once(':') else {
            return Err(DigestError::NoAlgorithm { input: input.to_owned() });
        };
        let algorithm = match name {
            "sha256" => Algorithm::Sha256,
            "sha512" => Algorithm::Sha512,
            _ => return Err(DigestError::UnknownAlgorithm { algorithm: name.to_owned() }),
        };
        let strange = |c: &char| !matches!(c, '0'..='9' | 'a'..='f');
        if let Some(found) = hex.chars().find(strange) {
            return Err(DigestError::NotHex { input: input.to_owned(), found });
        }
        if hex.len() != algorithm.hex_len() {
            return Err(DigestError::WrongLength {
                input: input.to_owned(),
                algorithm: algorithm.as_str(),
                want: algorithm.hex_len(),
                found: hex.len(),
            });
        }
        Ok(Self { text: input.into(), algorithm })
    }

    /// The SHA-256 digest of some bytes.
    pub fn sha256(bytes: impl AsRef<[u8]>) -> Self {
        Self::of(Algorithm::Sha256, bytes)
    }

    /// The digest of some bytes.
    pub fn of(algorithm: Algorithm, bytes: impl AsRef<[u8]>) -> Self {
        let mut hasher = Hasher::new(algorithm);
        hasher.update(bytes.as_ref());
        hasher.finish()
    }

    /// Whether these bytes have this digest.
    pub fn matches(&self, bytes: impl AsRef<[u8]>) -> bool {
        Self::of(self.algorithm, bytes) == *self
    }

    /// The hash function.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The hexadecimal part.
    pub fn hex(&self) -> &str {
        &self.text[self.algorithm.as_str().len() + 1..]
    }

    /// The first twelve digits, for people.
    pub fn short(&self) -> &str {
        &self.hex()[..12]
    }

    /// The whole of it: `sha256:…`.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({})", self.text)
    }
}

impl FromStr for Digest {
    type Err = DigestError;

    fn from_str(input: &str) -> Result<Self, DigestError> {
        Self::parse(input)
    }
}

impl AsRef<str> for Digest {
    fn as_ref(&self) -> &str {
        &self.text
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

/// Computes a digest over bytes as they come, and counts them.
#[derive(Clone)]
pub struct Hasher {
    state: State,
    len: u64,
}

#[derive(Clone)]
enum State {
    Sha256(Sha256),
    Sha512(Box<Sha512>),
}

impl Hasher {
    /// A fresh hasher.
    pub fn new(algorithm: Algorithm) -> Self {
        let state = match algorithm {
            Algorithm::Sha256 => State::Sha256(Sha256::new()),
            Algorithm::Sha512 => State::Sha512(Box::default()),
        };
        Self { state, len: 0 }
    }

    /// A fresh SHA-256 hasher.
    pub fn sha256() -> Self {
        Self::new(Algorithm::Sha256)
    }

    /// Takes more bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        match &mut self.state {
            State::Sha256(s) => s.update(bytes),
            State::Sha512(s) => s.update(bytes),
        }
        self.len += bytes.len() as u64;
    }

    /// How many bytes it has seen.
    #[allow(clippy::len_without_is_empty)]
    pub fn len(&self) -> u64 {
        self.len
    }

    /// The digest of all bytes seen.
    pub fn finish(self) -> Digest {
        let (algorithm, hex) = match self.state {
            State::Sha256(s) => (Algorithm::Sha256, hex(&s.finalize())),
            State::Sha512(s) => (Algorithm::Sha512, hex(&s.finalize())),
        };
        Digest { text: format!("{}:{hex}", algorithm.as_str()).into(), algorithm }
    }
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut out = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        out.push(DIGITS[usize::from(byte >> 4)] as char);
        out.push(DIGITS[usize::from(byte & 15)] as char);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const EMPTY: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    #[test]
    fn hashes_known_vectors() {
        assert_eq!(Digest::sha256(b"").as_str(), EMPTY);
        assert_eq!(
            Digest::sha256(b"abc").hex(),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
        let long = Digest::of(Algorithm::Sha512, b"abc");
        assert!(long.hex().starts_with("ddaf35a193617abacc417349ae204131"), "{long}");
        assert_eq!(long.hex().len(), 128);
    }

    #[test]
    fn streams_to_the_same_digest() {
        let mut hasher = Hasher::sha256();
        hasher.update(b"a");
        hasher.update(b"bc");
        assert_eq!(hasher.len(), 3);
        assert_eq!(hasher.finish(), Digest::sha256(b"abc"));
    }

    #[test]
    fn refuses_with_the_reason() {
        let message = |text: &str| Digest::parse(text).unwrap_err().to_string();
        assert!(message("abc").contains("expected sha256:"));
        assert!(message("md5:00").contains("'md5' is not supported"));
        assert!(message("sha256:abc").contains("have 64 hexadecimal digits, this one has 3"));
        assert!(message(&EMPTY.replace('e', "E")).contains("'E' is not one of"));
        assert!(message("sha256:é").contains("'é' is not one of"));
        assert_eq!(Digest::parse(EMPTY).unwrap().short(), "e3b0c44298fc");
    }
}

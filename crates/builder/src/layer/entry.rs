//! What a layer is made of.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// A path inside an image as raw bytes, relative to its root, without a leading or trailing
/// slash; the root itself is empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ImagePath(pub Vec<u8>);

impl ImagePath {
    /// Cleans a path: no empty, `.` or `..` components are left, and nothing climbs above the root.
    pub fn clean(path: &[u8]) -> Self {
        let mut parts: Vec<&[u8]> = Vec::new();
        for part in path.split(|b| *b == b'/') {
            match part {
                b"" | b"." => {}
                b".." => {
                    parts.pop();
                }
                part => parts.push(part),
            }
        }
        Self(parts.join(&b'/'))
    }

    /// Whether this is the root.
    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// This path with one more component (or several) behind it.
    pub fn join(&self, rest: &[u8]) -> Self {
        if rest.is_empty() {
            return self.clone();
        }
        let mut bytes = self.0.clone();
        if !bytes.is_empty() {
            bytes.push(b'/');
        }
        bytes.extend_from_slice(rest);
        Self(bytes)
    }

    /// The directory that holds it; `None` for the root.
    pub fn parent(&self) -> Option<Self> {
        if self.is_root() {
            return None;
        }
        let end = self.0.iter().rposition(|b| *b == b'/').unwrap_or(0);
        Some(Self(self.0[..end].to_vec()))
    }

    /// The last component.
    pub fn file_name(&self) -> &[u8] {
        match self.0.iter().rposition(|b| *b == b'/') {
            Some(at) => &self.0[at + 1..],
            None => &self.0,
        }
    }

    /// The components.
    pub fn components(&self) -> impl Iterator<Item = &[u8]> {
        self.0.split(|b| *b == b'/').filter(|part| !part.is_empty())
    }

    /// Whether it lies below `dir` (and is not `dir`).
    pub fn is_below(&self, dir: &Self) -> bool {
        dir.is_root() && !self.is_root()
            || (self.0.len() > dir.0.len()
                && self.0.starts_with(&dir.0)
                && self.0[dir.0.len()] == b'/')
    }

    /// As a path relative to some root.
    pub fn as_path(&self) -> &std::path::Path {
        use std::os::unix::ffi::OsStrExt;
        std::path::Path::new(std::ffi::OsStr::from_bytes(&self.0))
    }

    /// With a leading slash, for people.
    pub fn display(&self) -> String {
        format!("/{}", String::from_utf8_lossy(&self.0))
    }
}

impl From<&str> for ImagePath {
    fn from(text: &str) -> Self {
        Self::clean(text.as_bytes())
    }
}

/// JSON has no bytes: a path that is not UTF-8 is written as a list of numbers.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum PathForm {
    Text(String),
    Bytes(Vec<u8>),
}

impl Serialize for ImagePath {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match std::str::from_utf8(&self.0) {
            Ok(text) => serializer.serialize_str(text),
            Err(_) => serializer.collect_seq(&self.0),
        }
    }
}

impl<'de> Deserialize<'de> for ImagePath {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(match PathForm::deserialize(deserializer)? {
            PathForm::Text(text) => Self(text.into_bytes()),
            PathForm::Bytes(bytes) => Self(bytes),
        })
    }
}

/// Owner, mode, time and extended attributes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Meta {
    /// Permission bits with setuid, setgid and sticky.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Seconds since 1970.
    pub mtime: i64,
    /// Extended attributes that belong to the image (`security.capability`).
    pub xattrs: BTreeMap<Vec<u8>, Vec<u8>>,
}

/// The kinds of entries.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EntryKind {
    /// A directory.
    #[serde(rename = "d")]
    Directory,
    /// A regular file of that many bytes.
    #[serde(rename = "f")]
    File(u64),
    /// A symbolic link and what it says.
    #[serde(rename = "l")]
    Symlink(ImagePath),
    /// Another name of the file at that path in the same layer.
    #[serde(rename = "h")]
    Hardlink(ImagePath),
    /// A named pipe.
    #[serde(rename = "p")]
    Fifo,
    /// A character device.
    #[serde(rename = "c")]
    CharDevice(u32, u32),
    /// A block device.
    #[serde(rename = "b")]
    BlockDevice(u32, u32),
    /// What stood here in the layers below is gone.
    #[serde(rename = "w")]
    Whiteout,
    /// What stood in this directory in the layers below is gone.
    #[serde(rename = "o")]
    Opaque,
}

/// One entry of a layer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Where. For [`EntryKind::Opaque`] the directory itself.
    pub path: ImagePath,
    /// What.
    pub kind: EntryKind,
    /// Of whom, and so on.
    pub meta: Meta,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cleans_and_never_climbs() {
        for (given, want) in [
            ("/a//b/./c/", "a/b/c"),
            ("../../etc/passwd", "etc/passwd"),
            ("a/../../b", "b"),
            ("/", ""),
            ("", ""),
        ] {
            assert_eq!(ImagePath::from(given).0, want.as_bytes(), "{given}");
        }
    }

    #[test]
    fn below_is_by_component() {
        let dir = ImagePath::from("a/b");
        assert!(ImagePath::from("a/b/c").is_below(&dir));
        assert!(!ImagePath::from("a/bc").is_below(&dir));
        assert!(!dir.is_below(&dir));
        assert!(dir.is_below(&ImagePath::default()));
    }

    #[test]
    fn survives_json_with_odd_bytes() {
        for path in [b"plain".to_vec(), vec![0xff, b'/', 0xfe]] {
            let json = serde_json::to_string(&ImagePath(path.clone())).unwrap();
            assert_eq!(serde_json::from_str::<ImagePath>(&json).unwrap().0, path);
        }
    }
}

//! Reads an OCI layout: the config of each platform's image, and its files with the layers laid one
//! over the other.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::{Error, Result};

/// One platform's image.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Image {
    /// The whole config.
    pub config: Value,
    /// How many layers there are.
    pub layers: usize,
    /// The files, by absolute path.
    pub nodes: BTreeMap<String, Node>,
}

/// A file, in any sense of the word.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Node {
    /// `file`, `directory`, `link`, `fifo`, `character device`, `block device`.
    pub kind: String,
    /// The mode with setuid, setgid and sticky bits.
    pub mode: u32,
    /// Owner and group.
    pub owner: (u64, u64),
    /// A file's content: in short, or its digest.
    pub content: String,
    /// A link's target.
    pub target: String,
    /// Extended attributes.
    pub xattrs: BTreeMap<String, String>,
    /// Time of the last change, in seconds.
    pub time: i64,
    /// A device's number.
    pub device: (u32, u32),
    /// The first of a file's other names.
    pub same_as: Option<String>,
    /// Equal numbers are equal files.
    pub inode: usize,
}

/// The document of a descriptor's digest.
pub fn blob_path(layout: &Path, digest: &str) -> PathBuf {
    layout.join("blobs").join(digest.replacen(':', "/", 1))
}

/// Reads a JSON file.
pub fn json(path: &Path) -> Result<Value> {
    let bytes = fs::read(path).map_err(Error::file(path))?;
    serde_json::from_slice(&bytes)
        .map_err(|e| Error::unexpected(path.display().to_string(), "JSON", e.to_string()))
}

/// The images' manifests of a layout.
pub fn manifests(layout: &Path) -> Result<Vec<Value>> {
    let mut manifests = Vec::new();
    let mut todo: Vec<Value> = vec![json(&layout.join("index.json"))?];
    while let Some(document) = todo.pop() {
        match document["manifests"].as_array() {
            Some(children) => {
                for child in children.iter().rev() {
                    todo.push(json(&blob_path(layout, text(&child["digest"])))?);
                }
            }
            None => manifests.push(document),
        }
    }
    Ok(manifests)
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// The images of a layout by platform.
pub fn read(layout: &Path) -> Result<BTreeMap<String, Image>> {
    let mut images = BTreeMap::new();
    for manifest in manifests(layout)? {
        let config = json(&blob_path(layout, text(&manifest["config"]["digest"])))?;
        let mut platform = format!("{}/{}", text(&config["os"]), text(&config["architecture"]));
        if let Some(variant) = config["variant"].as_str() {
            platform = format!("{platform}/{variant}");
        }
        let mut files = Files::default();
        let layers = manifest["layers"].as_array().cloned().unwrap_or_default();
        for layer in &layers {
            let path = blob_path(layout, text(&layer["digest"]));
            files.layer(&path).map_err(Error::file(&path))?;
        }
        images.insert(platform, Image { config, layers: layers.len(), nodes: files.finish() });
    }
    Ok(images)
}

/// Unpacks a layer's bytes, by what they begin with.
pub fn open_layer(path: &Path) -> std::io::Result<Box<dyn Read>> {
    let mut file = BufReader::new(File::open(path)?);
    let head = file.fill_buf()?;
    Ok(if head.starts_with(&[0x1f, 0x8b]) {
        Box::new(flate2::bufread::MultiGzDecoder::new(file))
    } else if head.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) {
        Box::new(zstd::stream::read::Decoder::with_buffer(file)?)
    } else {
        Box::new(file)
    })
}

#[derive(Default)]
struct Files {
    nodes: BTreeMap<String, Node>,
    inodes: usize,
}

impl Files {
    fn layer(&mut self, path: &Path) -> std::io::Result<()> {
        let mut archive = tar::Archive::new(open_layer(path)?);
        let mut members = Vec::new();
        for entry in archive.entries()? {
            members.push(self.member(entry?)?);
        }
        // Deletions mean what is below this layer only.
        for (path, _, _) in &members {
            let (dir, name) = path.rsplit_once('/').unwrap_or(("", path));
            if name == ".wh..wh..opq" {
                self.remove(dir, false);
            } else if let Some(name) = name.strip_prefix(".wh.") {
                self.remove(&format!("{dir}/{name}"), true);
            }
        }
        for (path, node, hardlink) in members {
            let name = path.rsplit('/').next().unwrap_or_default();
            if path.is_empty() || name.starts_with(".wh.") {
                continue;
            }
            self.parents(&path);
            let node = match hardlink {
                Some(to) => self.nodes.get(&to).cloned().unwrap_or(node),
                None => node,
            };
            if node.kind != "directory" {
                self.remove(&path, true);
            }
            self.nodes.insert(path, node);
        }
        Ok(())
    }

    fn member<R: Read>(
        &mut self,
        mut entry: tar::Entry<'_, R>,
    ) -> std::io::Result<(String, Node, Option<String>)> {
        let path = absolute(&entry.path_bytes());
        let link = entry.link_name_bytes().map(|bytes| bytes.into_owned()).unwrap_or_default();
        let mut xattrs = BTreeMap::new();
        if let Some(extensions) = entry.pax_extensions()? {
            for extension in extensions {
                let extension = extension?;
                if let Some(name) =
                    extension.key().ok().and_then(|k| k.strip_prefix("SCHILY.xattr."))
                {
                    xattrs.insert(name.to_owned(), format!("{:?}", extension.value_bytes()));
                }
            }
        }
        let header = entry.header().clone();
        self.inodes += 1;
        let mut node = Node {
            mode: header.mode()? & 0o7777,
            owner: (header.uid()?, header.gid()?),
            time: i64::try_from(header.mtime()?).unwrap_or_default(),
            xattrs,
            inode: self.inodes,
            ..Node::default()
        };
        let mut hardlink = None;
        let kind = match header.entry_type() {
            tar::EntryType::Directory => "directory",
            tar::EntryType::Symlink => {
                node.target = String::from_utf8_lossy(&link).into_owned();
                "link"
            }
            tar::EntryType::Link => {
                hardlink = Some(absolute(&link));
                "file"
            }
            tar::EntryType::Fifo => "fifo",
            kind @ (tar::EntryType::Char | tar::EntryType::Block) => {
                let number = |n: Option<u32>| n.unwrap_or_default();
                node.device = (number(header.device_major()?), number(header.device_minor()?));
                if kind == tar::EntryType::Char { "character device" } else { "block device" }
            }
            _ => {
                let mut bytes = Vec::new();
                entry.read_to_end(&mut bytes)?;
                node.content = content(&bytes);
                "file"
            }
        };
        node.kind = kind.to_owned();
        Ok((path, node, hardlink))
    }

    /// Directories that a path takes for granted.
    fn parents(&mut self, path: &str) {
        for (at, _) in path.match_indices('/').skip(1) {
            let dir = &path[..at];
            if self.nodes.get(dir).is_none_or(|node| node.kind != "directory") {
                self.inodes += 1;
                let made = Node {
                    kind: "directory".to_owned(),
                    mode: 0o755,
                    time: i64::MAX,
                    inode: self.inodes,
                    ..Node::default()
                };
                self.nodes.insert(dir.to_owned(), made);
            }
        }
    }

    fn remove(&mut self, path: &str, itself: bool) {
        let below = format!("{path}/");
        self.nodes.retain(|known, _| !known.starts_with(&below) && (!itself || known != path));
    }

    fn finish(mut self) -> BTreeMap<String, Node> {
        let mut first: BTreeMap<usize, String> = BTreeMap::new();
        for (path, node) in &mut self.nodes {
            match first.get(&node.inode) {
                Some(first) => node.same_as = Some(first.clone()),
                None => drop(first.insert(node.inode, path.clone())),
            }
        }
        self.nodes
    }
}

/// A member's path from the root, without an end slash; empty for the root itself.
fn absolute(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let parts = text.split('/').filter(|part| !part.is_empty() && *part != ".");
    parts.map(|part| format!("/{part}")).collect()
}

/// Short texts as they are, everything else by digest.
fn content(bytes: &[u8]) -> String {
    const SHORT: usize = 400;
    match std::str::from_utf8(bytes) {
        Ok(text) if bytes.len() <= SHORT => format!("{text:?}"),
        _ => format!("{} bytes, {}", bytes.len(), hex(&Sha256::digest(bytes))),
    }
}

/// Bytes in hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layer(dir: &Path, name: &str, members: &[(&str, tar::EntryType, &str)]) -> PathBuf {
        let mut builder = tar::Builder::new(Vec::new());
        for (path, kind, text) in members {
            let mut header = tar::Header::new_gnu();
            header.set_entry_type(*kind);
            header.set_mode(0o640);
            header.set_uid(1);
            header.set_gid(2);
            header.set_mtime(7);
            header.set_size(0);
            if *kind == tar::EntryType::Link || *kind == tar::EntryType::Symlink {
                builder.append_link(&mut header, path, text).unwrap();
            } else {
                header.set_size(text.len() as u64);
                builder.append_data(&mut header, path, text.as_bytes()).unwrap();
            }
        }
        let path = dir.join(name);
        fs::write(&path, builder.into_inner().unwrap()).unwrap();
        path
    }

    #[test]
    fn layers_lie_over_each_other() {
        use tar::EntryType::{Directory, Link, Regular};
        let dir = tempfile::tempdir().unwrap();
        let below = [
            ("d/", Directory, ""),
            ("d/gone", Regular, "x"),
            ("d/stays", Regular, "x"),
            ("e/old", Regular, "x"),
        ];
        let above = [
            ("d/.wh.gone", Regular, ""),
            ("e/", Directory, ""),
            ("e/.wh..wh..opq", Regular, ""),
            ("e/a", Regular, "new"),
            ("e/b", Link, "e/a"),
        ];
        let mut files = Files::default();
        files.layer(&layer(dir.path(), "1", &below)).unwrap();
        files.layer(&layer(dir.path(), "2", &above)).unwrap();
        let nodes = files.finish();
        let paths: Vec<&str> = nodes.keys().map(String::as_str).collect();
        assert_eq!(paths, ["/d", "/d/stays", "/e", "/e/a", "/e/b"]);
        assert_eq!(nodes["/e/b"].same_as.as_deref(), Some("/e/a"));
        assert_eq!(nodes["/e/b"].content, "\"new\"");
        assert_eq!((nodes["/d"].mode, nodes["/d"].owner), (0o640, (1, 2)));
    }
}

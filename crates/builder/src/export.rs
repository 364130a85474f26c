//! Results that do not go to a registry: OCI layouts and plain directories.

use std::{
    fs::{self, File},
    io::{self, BufWriter, Write},
    os::unix::fs::{PermissionsExt, symlink},
    path::Path,
};

use mlint_oci::{Digest, Reference};
use serde_json::json;

use crate::{
    error::FsError,
    exec::Exec,
    image::{BuiltImage, Root},
    layer::{Entry, EntryKind, Meta, View, entry::ImagePath, tar_stream::TarStream},
    problem::{BuildError, Problem},
    request::Output,
};

/// Writes a result to where an output asks for.
pub fn export(
    exec: &Exec<'_>,
    output: &Output,
    images: &[BuiltImage],
    root: &Root,
    names: &[Reference],
) -> Result<(), BuildError> {
    match output {
        Output::OciDirectory(dir) => {
            let mut sink = DirectorySink { dir };
            layout(exec, images, root, names, &mut sink)
        }
        Output::OciArchive(path) => {
            let partial = path.with_extension("partial");
            let file = File::create(&partial).map_err(FsError::new("write", &partial))?;
            let mut sink =
                ArchiveSink { tar: TarStream::new(BufWriter::new(file)), path: &partial };
            let written = layout(exec, images, root, names, &mut sink).and_then(|()| {
                let ended = sink.tar.finish().and_then(|mut out| out.flush());
                Ok(ended.map_err(FsError::new("write", &partial))?)
            });
            if let Err(error) = written {
                let _ = fs::remove_file(&partial);
                return Err(error);
            }
            Ok(fs::rename(&partial, path).map_err(FsError::new("write", path))?)
        }
        Output::Local(dir) => {
            for image in images {
                let dir = match images {
                    [_] => dir.clone(),
                    _ => dir.join(image.platform.to_string().replace('/', "_")),
                };
                local(exec, image, &dir)?;
            }
            Ok(())
        }
    }
}

/// Takes the files of an OCI layout.
trait Sink {
    fn file(&mut self, path: &str, from: Source<'_>) -> Result<(), FsError>;
}

enum Source<'a> {
    Bytes(&'a [u8]),
    File(&'a Path),
}

struct DirectorySink<'a> {
    dir: &'a Path,
}

impl Sink for DirectorySink<'_> {
    fn file(&mut self, path: &str, from: Source<'_>) -> Result<(), FsError> {
        let to = self.dir.join(path);
        if let Some(dir) = to.parent() {
            fs::create_dir_all(dir).map_err(FsError::new("create", dir))?;
        }
        let partial = to.with_extension("partial");
        let written = match from {
            Source::Bytes(bytes) => fs::write(&partial, bytes),
            Source::File(from) => fs::copy(from, &partial).map(drop),
        };
        written.and_then(|()| fs::rename(&partial, &to)).map_err(FsError::new("write", &to))
    }
}

struct ArchiveSink<'a> {
    tar: TarStream<BufWriter<File>>,
    path: &'a Path,
}

impl Sink for ArchiveSink<'_> {
    fn file(&mut self, path: &str, from: Source<'_>) -> Result<(), FsError> {
        let meta = Meta { mode: 0o644, ..Meta::default() };
        let entry = |size| Entry { path: path.into(), kind: EntryKind::File(size), meta };
        let write = || match from {
            Source::Bytes(mut bytes) => self.tar.entry(&entry(bytes.len() as u64), &mut bytes),
            Source::File(from) => {
                let mut file = File::open(from)?;
                let size = file.metadata()?.len();
                self.tar.entry(&entry(size), &mut file)
            }
        };
        write().map_err(FsError::new("write", self.path))
    }
}

fn layout(
    exec: &Exec<'_>,
    images: &[BuiltImage],
    root: &Root,
    names: &[Reference],
    sink: &mut dyn Sink,
) -> Result<(), BuildError> {
    let blob = |digest: &Digest| format!("blobs/sha256/{}", digest.hex());
    sink.file("oci-layout", Source::Bytes(br#"{"imageLayoutVersion":"1.0.0"}"#))?;
    let mut written: Vec<&Digest> = Vec::new();
    for image in images {
        for layer in &image.snapshot.layers {
            if written.contains(&&layer.digest) {
                continue;
            }
            written.push(&layer.digest);
            exec.fetch(layer)?;
            let from = exec.store.blob_path(&layer.digest);
            sink.file(&blob(&layer.digest), Source::File(&from))?;
        }
        let config = &image.config_descriptor.digest;
        if !written.contains(&config) {
            written.push(config);
            sink.file(&blob(config), Source::Bytes(&image.config_bytes))?;
        }
        let manifest = &image.descriptor.digest;
        sink.file(&blob(manifest), Source::Bytes(&image.manifest_bytes))?;
    }
    if let Some(index) = &root.index {
        sink.file(&blob(&root.descriptor.digest), Source::Bytes(index))?;
    }
    let mut manifests = Vec::new();
    let descriptor = serde_json::to_value(&root.descriptor).unwrap_or_default();
    for name in names {
        let mut named = descriptor.clone();
        named["annotations"] = json!({
            "io.containerd.image.name": name.to_string(),
            "org.opencontainers.image.ref.name": name.tag().unwrap_or("latest"),
        });
        manifests.push(named);
    }
    if manifests.is_empty() {
        manifests.push(descriptor);
    }
    let index = json!({
        "schemaVersion": 2,
        "mediaType": mlint_oci::media_type::OCI_INDEX,
        "manifests": manifests,
    });
    // The index comes last: without it the directory is no layout.
    Ok(sink.file("index.json", Source::Bytes(index.to_string().as_bytes()))?)
}

/// Writes an image's files into a directory. Owners are the caller's, as in every other tool.
fn local(exec: &Exec<'_>, image: &BuiltImage, dir: &Path) -> Result<(), BuildError> {
    fs::create_dir_all(dir).map_err(FsError::new("create", dir))?;
    if fs::read_dir(dir).map_err(FsError::new("read", dir))?.next().is_some() {
        let full = io::Error::from(io::ErrorKind::DirectoryNotEmpty);
        return Err(FsError::new("write the image into", dir)(full).into());
    }
    let view: View = exec.view(&image.snapshot)?;
    let mut directories: Vec<(&ImagePath, u32)> = Vec::new();
    for (path, node) in view.iter() {
        if exec.interrupted() {
            return Err(Problem::Interrupted.into());
        }
        let to = dir.join(path.as_path());
        let from = || -> Result<std::path::PathBuf, BuildError> {
            Ok(match image.snapshot.layers.get(node.layer) {
                Some(layer) => exec.unpacked(layer)?.join(path.as_path()),
                None => std::path::PathBuf::new(),
            })
        };
        let done = match &node.entry.kind {
            EntryKind::Directory => {
                directories.push((path, node.entry.mode));
                fs::create_dir(&to)
            }
            EntryKind::File(_) => {
                let mode = fs::Permissions::from_mode(node.entry.mode);
                fs::copy(from()?, &to).and_then(|_| fs::set_permissions(&to, mode))
            }
            EntryKind::Hardlink(first) => {
                fs::hard_link(dir.join(first.as_path()), &to).or_else(|_| {
                    let from = from().map_err(|e| io::Error::other(e.problem.to_string()))?;
                    fs::copy(from, &to).map(drop)
                })
            }
            EntryKind::Symlink(target) => symlink(target.as_path(), &to),
            // Devices and pipes are no files to look at.
            _ => Ok(()),
        };
        done.map_err(FsError::new("write", &to))?;
    }
    for (path, mode) in directories.into_iter().rev() {
        let to = dir.join(path.as_path());
        fs::set_permissions(&to, fs::Permissions::from_mode(mode))
            .map_err(FsError::new("write", &to))?;
    }
    Ok(())
}

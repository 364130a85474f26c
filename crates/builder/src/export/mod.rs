//! Results that do not go to a registry: OCI layouts, archives and plain directories.

mod files;

use std::{
    fs::{self, File},
    io::{BufWriter, Write},
    path::{Path, PathBuf},
};

use mlint_oci::{Digest, Reference};
use serde_json::json;

use crate::{
    error::FsError,
    exec::Exec,
    image::{BuiltImage, Root},
    layer::{Entry, EntryKind, Meta, tar_stream::TarStream},
    problem::{BuildError, Problem},
    request::{Output, Place},
};

/// Writes a result to where an output asks for.
pub fn export(
    exec: &Exec<'_>,
    output: &Output,
    images: &[BuiltImage],
    root: &Root,
) -> Result<(), BuildError> {
    let names = crate::push::references(&exec.request.tags)?;
    match &output.place {
        // The push's affair.
        Place::Registry { .. } => Ok(()),
        Place::OciDirectory(dir) => {
            let mut sink = DirectorySink { dir };
            layout(exec, images, root, &names, &mut sink)
        }
        Place::OciArchive(path) => {
            archive(path, |tar| layout(exec, images, root, &names, &mut ArchiveSink { tar, path }))
        }
        Place::Docker(path) => {
            for image in images {
                let path = one_of(path, images, image);
                archive(&path, |tar| {
                    docker(exec, image, &names, &mut ArchiveSink { tar, path: &path })
                })?;
            }
            Ok(())
        }
        Place::Load(path) => {
            let host = &exec.request.build_platform;
            let image = match images {
                [only] => Some(only),
                _ => images.iter().find(|image| image.platform.to_string() == *host),
            };
            let image = image.ok_or_else(|| Problem::NothingToLoad(host.clone()))?;
            archive(path, |tar| docker(exec, image, &names, &mut ArchiveSink { tar, path }))
        }
        Place::Tar(path) => archive(path, |tar| {
            images.iter().try_for_each(|image| {
                let below = match images {
                    [_] => String::new(),
                    _ => file_name(image),
                };
                files::tar(exec, image, &below, tar, path)
            })
        }),
        Place::Local(dir) => images.iter().try_for_each(|image| {
            let dir = match images {
                [_] => dir.clone(),
                _ => dir.join(file_name(image)),
            };
            files::local(exec, image, &dir)
        }),
    }
}

/// `linux_arm64`.
fn file_name(image: &BuiltImage) -> String {
    image.platform.to_string().replace('/', "_")
}

/// The path itself for a single image, else one with the platform in its name: `app-linux_arm64.tar`.
fn one_of(path: &Path, images: &[BuiltImage], image: &BuiltImage) -> PathBuf {
    if let [_] = images {
        return path.to_owned();
    }
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let end = path.extension().map(|e| format!(".{}", e.to_string_lossy())).unwrap_or_default();
    path.with_file_name(format!("{stem}-{}{end}", file_name(image)))
}

type Archive = TarStream<BufWriter<Box<dyn Write>>>;

/// Writes an archive, which appears only when it is whole; `-` is standard output.
fn archive(
    path: &Path,
    write: impl FnOnce(&mut Archive) -> Result<(), BuildError>,
) -> Result<(), BuildError> {
    let to_stdout = path.as_os_str() == "-";
    let partial = path.with_extension("partial");
    let out: Box<dyn Write> = match to_stdout {
        true => Box::new(std::io::stdout()),
        false => {
            if let Some(dir) = path.parent() {
                fs::create_dir_all(dir).map_err(FsError::new("create", dir))?;
            }
            Box::new(File::create(&partial).map_err(FsError::new("write", &partial))?)
        }
    };
    let mut tar = TarStream::new(BufWriter::new(out));
    let written = write(&mut tar).and_then(|()| {
        let ended = tar.finish().and_then(|mut out| out.flush());
        Ok(ended.map_err(FsError::new("write", path))?)
    });
    match (written, to_stdout) {
        (written, true) => written,
        (Ok(()), false) => Ok(fs::rename(&partial, path).map_err(FsError::new("write", path))?),
        (Err(error), false) => {
            let _ = fs::remove_file(&partial);
            Err(error)
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
        written.and_then(|()| fs::rename(&partial, &to)).map_err(|e| {
            let _ = fs::remove_file(&partial);
            FsError::new("write", &to)(e)
        })
    }
}

struct ArchiveSink<'a> {
    tar: &'a mut Archive,
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
            let from = exec.whole_layer(layer)?;
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
    for attested in &root.attested {
        for (descriptor, bytes) in &attested.blobs {
            if !written.contains(&&descriptor.digest) {
                written.push(&descriptor.digest);
                sink.file(&blob(&descriptor.digest), Source::Bytes(bytes))?;
            }
        }
        let manifest = &attested.descriptor.digest;
        sink.file(&blob(manifest), Source::Bytes(&attested.manifest_bytes))?;
    }
    if let Some(index) = &root.index {
        sink.file(&blob(&root.descriptor.digest), Source::Bytes(index))?;
    }
    let mut manifests = Vec::new();
    let descriptor = serde_json::to_value(&root.descriptor).unwrap_or_default();
    for name in names {
        let mut named = descriptor.clone();
        let tag = name.tag().unwrap_or("latest");
        let mut annotations = root.descriptor.annotations.clone();
        annotations.insert("io.containerd.image.name".to_owned(), name.to_string());
        annotations.insert("org.opencontainers.image.ref.name".to_owned(), tag.to_owned());
        named["annotations"] = json!(annotations);
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

/// What `docker load` reads: config and layers by name, and a list that says what is what.
fn docker(
    exec: &Exec<'_>,
    image: &BuiltImage,
    names: &[Reference],
    sink: &mut dyn Sink,
) -> Result<(), BuildError> {
    let blob = |digest: &Digest| format!("blobs/sha256/{}", digest.hex());
    let mut layers: Vec<String> = Vec::new();
    for layer in &image.snapshot.layers {
        let name = blob(&layer.digest);
        if !layers.contains(&name) {
            sink.file(&name, Source::File(&exec.whole_layer(layer)?))?;
        }
        layers.push(name);
    }
    let config = blob(&image.config_descriptor.digest);
    sink.file(&config, Source::Bytes(&image.config_bytes))?;
    let tags: Vec<String> = names
        .iter()
        .map(|n| format!("{}:{}", n.without_target().familiar(), n.tag().unwrap_or("latest")))
        .collect();
    let list = json!([{ "Config": config, "RepoTags": tags, "Layers": layers }]);
    Ok(sink.file("manifest.json", Source::Bytes(list.to_string().as_bytes()))?)
}

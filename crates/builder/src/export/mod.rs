//! Results that do not go to a registry: OCI layouts, archives and plain directories.

mod files;
mod partial;

use std::{
    fs::{self, File},
    io::{BufWriter, Write},
    path::{Path, PathBuf},
};

use mlint_oci::{Digest, Reference};
use serde_json::json;

use self::partial::Partial;
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
    let names = if output.names.is_empty() { &exec.request.tags } else { &output.names };
    let names = crate::push::references(names)?;
    match &output.place {
        // The push's affair.
        Place::Registry { .. } => Ok(()),
        Place::OciDirectory(dir) => {
            let mut sink = DirectorySink { dir };
            let kept = other_names(dir, &names)?;
            layout(exec, images, root, &names, kept, &mut sink)
        }
        Place::OciArchive(path) => archive(path, |tar| {
            layout(exec, images, root, &names, Vec::new(), &mut ArchiveSink { tar, path })
        }),
        Place::Docker(path) if path.as_os_str() == "-" && images.len() > 1 => {
            Err(Problem::OneArchiveEach.into())
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
            images.iter().enumerate().try_for_each(|(number, image)| {
                let below = match images {
                    [_] => String::new(),
                    _ => file_name(image),
                };
                files::tar(exec, image, statements(root, number), &below, tar, path)
            })
        }),
        Place::Local(dir) => images.iter().enumerate().try_for_each(|(number, image)| {
            let dir = match images {
                [_] => dir.clone(),
                _ => dir.join(file_name(image)),
            };
            files::local(exec, image, statements(root, number), &dir)
        }),
    }
}

/// The statements about an image, as files beside its own.
fn statements(root: &Root, image: usize) -> &[(&'static str, Vec<u8>)] {
    root.attested.get(image).map_or(&[], |attested| &attested.files)
}

/// What a layout says of images with other names than these: it stays.
fn other_names(dir: &Path, names: &[Reference]) -> Result<Vec<serde_json::Value>, FsError> {
    let path = dir.join("index.json");
    let text = match fs::read(&path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        read => read.map_err(FsError::new("read", &path))?,
    };
    let known: serde_json::Value = serde_json::from_slice(&text).unwrap_or_default();
    let ours: Vec<String> = names.iter().map(Reference::to_string).collect();
    let is_other = |entry: &&serde_json::Value| {
        let name = entry["annotations"]["io.containerd.image.name"].as_str();
        name.is_some_and(|name| !ours.iter().any(|own| own == name))
    };
    let entries = known["manifests"].as_array().into_iter().flatten();
    Ok(entries.filter(is_other).cloned().collect())
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
    // Through links, as a shell would; a device or a pipe takes what comes.
    let resolved = fs::canonicalize(path);
    let path = resolved.as_deref().unwrap_or(path);
    let is_special = fs::metadata(path).is_ok_and(|found| !found.is_file() && !found.is_dir());
    let (partial, out): (Option<Partial>, Box<dyn Write>) = match path.as_os_str() == "-" {
        true => (None, Box::new(std::io::stdout())),
        false if is_special => {
            let file =
                File::options().write(true).open(path).map_err(FsError::new("write", path))?;
            (None, Box::new(file))
        }
        false => {
            let (partial, file) = beside(path).map_err(FsError::new("write", path))?;
            (Some(partial), Box::new(file))
        }
    };
    let mut tar = TarStream::new(BufWriter::new(out));
    write(&mut tar)?;
    tar.finish().and_then(|mut out| out.flush()).map_err(FsError::new("write", path))?;
    if let Some(partial) = partial {
        fs::rename(partial.path(), path).map_err(FsError::new("write", path))?;
    }
    Ok(())
}

/// A new file beside a path, whose directory comes into being.
fn beside(path: &Path) -> std::io::Result<(Partial, File)> {
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::create_dir_all(dir)?;
    Partial::file(dir, path.file_name().unwrap_or_default())
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
        let write = || -> std::io::Result<()> {
            let (partial, mut file) = beside(&to)?;
            match from {
                Source::Bytes(bytes) => file.write_all(bytes)?,
                Source::File(from) => drop(std::io::copy(&mut File::open(from)?, &mut file)?),
            }
            fs::rename(partial.path(), &to)
        };
        write().map_err(FsError::new("write", &to))
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
    mut manifests: Vec<serde_json::Value>,
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
    if names.is_empty() {
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

//! Results that do not go to a registry: OCI layouts, archives and plain directories.

mod files;
mod partial;

use std::{
    fs::{self, File},
    io::{BufWriter, Write},
    path::{Path, PathBuf},
};

use mlint_oci::{Digest, Reference};
use rustix::fs::{FlockOperation, flock};
use serde_json::{Value, json};

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
    // Before the first byte: what is damaged can still be made anew.
    for layer in images.iter().flat_map(|image| &image.snapshot.layers) {
        match &output.place {
            Place::OciArchive(_) | Place::Docker(_) => drop(exec.whole_layer(layer)?),
            Place::Tar(_) => drop(exec.unpacked(layer)?),
            // These appear when they are whole, or lie where each blob can be written again.
            Place::Registry { .. } | Place::OciDirectory(_) | Place::Load(_) | Place::Local(_) => {}
        }
    }
    let names = if output.names.is_empty() { &exec.request.tags } else { &output.names };
    let names = crate::push::references(names)?;
    match &output.place {
        // The push's affair.
        Place::Registry { .. } => Ok(()),
        Place::OciDirectory(dir) => {
            let mut sink = DirectorySink { dir };
            layout(exec, images, root, &mut sink)?;
            let ours = named(root, &names);
            let _lock = Locked::take(exec, dir)?;
            let all = kept(dir, &ours)?.into_iter().chain(ours).collect();
            Ok(write_index(all, &mut sink)?)
        }
        Place::OciArchive(path) => archive(path, |tar| {
            let mut sink = ArchiveSink { tar, path };
            layout(exec, images, root, &mut sink)?;
            Ok(write_index(named(root, &names), &mut sink)?)
        }),
        Place::Docker(path) if path.as_os_str() == "-" && exec.plan.several => {
            Err(Problem::OneArchiveEach.into())
        }
        Place::Docker(path) => {
            for image in images {
                let path = one_of(path, exec.plan.several, image);
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
        Place::Tar(path) => {
            let split = output.split.unwrap_or(exec.plan.several);
            archive(path, |tar| {
                if !split {
                    files::no_two_of_a_name(exec, images)?;
                }
                images.iter().enumerate().try_for_each(|(number, image)| {
                    let below = if split { file_name(image) } else { String::new() };
                    let statements = statements(exec, root, number, image, split);
                    files::tar(exec, image, &statements, &below, tar, path)
                })
            })
        }
        Place::Local(dir) => {
            let split = output.split.unwrap_or(exec.plan.several);
            if !split {
                files::no_two_of_a_name(exec, images)?;
            }
            images.iter().enumerate().try_for_each(|(number, image)| {
                let dir = if split { dir.join(file_name(image)) } else { dir.clone() };
                files::local(exec, image, &statements(exec, root, number, image, split), &dir)
            })
        }
    }
}

/// The statements about an image, as files beside its own; with the platform in their names if those
/// of others lie there too (BuildKit's `exporter/local/fs.go`).
fn statements(
    exec: &Exec<'_>,
    root: &Root,
    number: usize,
    image: &BuiltImage,
    split: bool,
) -> Vec<Statement> {
    let all = root.attested.get(number).map_or(&[][..], |attested| &attested.files);
    let name = |name: &str| match name.rsplit_once('.') {
        Some((stem, end)) if exec.plan.several && !split => {
            format!("{stem}.{}.{end}", file_name(image))
        }
        _ => name.to_owned(),
    };
    all.iter().map(|(file, bytes)| (name(file), bytes.clone())).collect()
}

/// A statement's file name and content.
type Statement = (String, Vec<u8>);

/// The lock of a layout's index: who else changes it must see what stands in it by then.
struct Locked {
    _dir: File,
}

impl Locked {
    fn take(exec: &Exec<'_>, dir: &Path) -> Result<Self, BuildError> {
        let file = File::open(dir).map_err(FsError::new("read", dir))?;
        exec.until(|| match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Err(rustix::io::Errno::WOULDBLOCK) => Ok(None),
            // Some file systems know no locks.
            _ => Ok(Some(())),
        })?;
        Ok(Self { _dir: file })
    }
}

/// What a layout has besides images of the same names (BuildKit's `client/ociindex`, `insertDesc`).
fn kept(dir: &Path, ours: &[Value]) -> Result<Vec<Value>, FsError> {
    let path = dir.join("index.json");
    let text = match fs::read(&path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        read => read.map_err(FsError::new("read", &path))?,
    };
    let known: Value = serde_json::from_slice(&text).map_err(|error| {
        let problem = format!("it is no index of a layout: {error}");
        FsError::new("add to", &path)(std::io::Error::other(problem))
    })?;
    let is_other = |entry: &&Value| {
        let of = |entry: &Value, name: &str| entry["annotations"][name].as_str().map(str::to_owned);
        let names = |entry: &Value| (of(entry, IMAGE_NAME), of(entry, REF_NAME));
        !ours.iter().any(|own| match names(own) {
            (None, None) => own["digest"] == entry["digest"] && names(entry) == (None, None),
            own => own == names(entry),
        })
    };
    let entries = known["manifests"].as_array().into_iter().flatten();
    Ok(entries.filter(is_other).cloned().collect())
}

/// What containerd knows an image in a layout by, and what others do.
const IMAGE_NAME: &str = "io.containerd.image.name";
const REF_NAME: &str = "org.opencontainers.image.ref.name";

/// `linux_arm64`.
fn file_name(image: &BuiltImage) -> String {
    image.platform.to_string().replace('/', "_")
}

/// The path itself for a single image, else one with the platform in its name: `app-linux_arm64.tar`.
fn one_of(path: &Path, several: bool, image: &BuiltImage) -> PathBuf {
    if !several {
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
    let is_stdout = path.as_os_str() == "-";
    // Through links, as a shell would; a device or a pipe takes what comes.
    let resolved = fs::canonicalize(path).ok().filter(|_| !is_stdout);
    let path = resolved.as_deref().unwrap_or(path);
    let is_special =
        !is_stdout && fs::metadata(path).is_ok_and(|found| !found.is_file() && !found.is_dir());
    let (partial, out): (Option<Partial>, Box<dyn Write>) = match is_stdout {
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
    let written = write(&mut tar);
    // What has gone into a pipe can't be begun again.
    written.map_err(|error| match partial {
        None if error.is_removed_damage() => Problem::BrokenOff(error.problem.to_string()).into(),
        _ => error,
    })?;
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
    Ok(())
}

/// What the index of a layout says of a result: an entry for each of its names.
fn named(root: &Root, names: &[Reference]) -> Vec<Value> {
    let descriptor = serde_json::to_value(&root.descriptor).unwrap_or_default();
    let with = |name: &Reference| {
        let mut named = descriptor.clone();
        let mut annotations = root.descriptor.annotations.clone();
        annotations.insert(IMAGE_NAME.to_owned(), name.to_string());
        annotations.insert(REF_NAME.to_owned(), name.tag().unwrap_or("latest").to_owned());
        named["annotations"] = json!(annotations);
        named
    };
    match names {
        [] => vec![descriptor],
        names => names.iter().map(with).collect(),
    }
}

/// The index comes last: without it the directory is no layout.
fn write_index(manifests: Vec<Value>, sink: &mut dyn Sink) -> Result<(), FsError> {
    let index = json!({
        "schemaVersion": 2,
        "mediaType": mlint_oci::media_type::OCI_INDEX,
        "manifests": manifests,
    });
    sink.file("index.json", Source::Bytes(index.to_string().as_bytes()))
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

//! Archives and compressed files: what comes out of a file is of the file's machine, linked as it.

mod others;
mod tar;

use super::options::Line;
use crate::{
    artifact::{Artifact, Made},
    effect::Argument,
    files::{file_name, is_text, join},
    machine::{Linkage, Machine, MachineKind},
    shell::{Call, Interpreter},
    value::GAP,
};

/// `None` if the program has nothing to do with archives; else whether it printed, or prints
/// nothing.
pub(super) fn run(shell: &mut Interpreter<'_, '_>, name: &str, call: &Call) -> Option<bool> {
    Some(match name {
        "tar" | "bsdtar" | "gtar" => tar::tar(shell, call),
        "unzip" => others::unzip(shell, call),
        "7z" | "7za" | "7zr" | "7zz" | "unrar" | "rar" | "unar" => others::seven_zip(shell, call),
        "cpio" => others::cpio(shell, call),
        // What it packs is the compilers' matter.
        "ar" => return others::ar(shell, call).then_some(true),
        "jar" => others::jar(shell, call),
        "rpm2cpio" | "rpm2archive" => others::rpm_contents(shell, call),
        "dpkg-deb" => deb(shell, call),
        "unsquashfs" => others::squashfs(shell, call),
        "gunzip" | "gzip" | "unxz" | "xz" | "bunzip2" | "bzip2" | "zstd" | "unzstd" | "lzma"
        | "unlzma" | "lz4" | "unlz4" | "pigz" | "unpigz" | "brotli" | "lzip" | "uncompress"
        | "zcat" | "xzcat" | "bzcat" | "zstdcat" | "lz4cat" | "gzcat" | "pbzip2" | "pixz" => {
            decompress(shell, name, call)
        }
        _ => return None,
    })
}

pub(super) use others::{deb, python_module};

/// The archive, if this Dockerfile brought it.
fn archive(shell: &Interpreter<'_, '_>, file: Option<&Argument>) -> Option<Artifact> {
    match file.filter(|f| !f.value.is("-") && !f.value.is("/dev/stdin")) {
        Some(file) => match shell.path(&file.value) {
            Some(path) if path.contains(['*', '?', '[']) => {
                shell.state.files.select(&path).into_iter().next().map(|s| s.artifact)
            }
            path => path.and_then(|p| shell.state.files.find(&p)),
        },
        None => shell.input_file(),
    }
}

/// Where an archive's contents go: an option's folder, else the working directory.
fn folder(shell: &Interpreter<'_, '_>, given: Option<&Argument>) -> Option<String> {
    match given {
        Some(folder) => shell.path(&folder.value),
        None => shell.directory.clone(),
    }
}

/// A member of an archive that is asked for.
struct Member {
    /// Its path below the folder, with what stars stand for as gaps; `None` if it is not known.
    path: Option<String>,
    folder: bool,
}

impl Member {
    /// The member that a word names, without its first `strip` parts.
    fn of(word: &Argument, strip: usize) -> Option<Self> {
        let text = word.value.as_known();
        let Some(text) = text.as_deref() else { return Some(Self { path: None, folder: true }) };
        let text = text.trim_start_matches("./").trim_start_matches('/');
        let kept: Vec<&str> = text.split('/').filter(|p| !p.is_empty()).skip(strip).collect();
        if kept.is_empty() {
            return None;
        }
        let kept = kept.join("/");
        let (stem, last) = kept.rsplit_once('/').unwrap_or(("", &kept));
        // `dir/*`: files of unknown names below the folder. `*/tool`: the name is known.
        if last.contains(['*', '?', '[']) {
            let known = (!stem.contains(['*', '?', '['])).then(|| stem.to_owned());
            return Some(Self { path: known, folder: true });
        }
        let gap = GAP.to_string();
        Some(Self { path: Some(kept.replace(['*', '?'], &gap)), folder: text.ends_with('/') })
    }
}

/// Puts what came out of `archive`: the named members, or something below `folder`.
fn unpack(
    shell: &mut Interpreter<'_, '_>,
    archive: &Artifact,
    folder: &str,
    members: &[Member],
    call: &Call,
) {
    let certain = shell.is_certain();
    let made = match &archive.made {
        Made::Context { .. } => Made::Context { path: None },
        Made::Downloaded { url } => Made::Downloaded { url: url.clone() },
        _ => Made::Unpacked,
    };
    let mut put = |path: String, whole: bool| {
        let station = shell.station(path.clone(), call.span);
        let moved = archive.moved(path, station, certain);
        let text = !whole && is_text(file_name(&moved.path));
        let moved = if text { moved.into_text() } else { moved };
        let artifact = Artifact { folder: whole, content: None, made: made.clone(), ..moved };
        shell.state.files.put(artifact);
    };
    if members.is_empty() {
        put(folder.to_owned(), true);
    }
    for member in members {
        match &member.path {
            Some(path) => put(join(folder, path), member.folder),
            None => put(folder.to_owned(), true),
        }
    }
}

/// What files have in common that are put into one archive. `None` if nothing is known of them.
fn packed(shell: &Interpreter<'_, '_>, paths: &[String]) -> Option<Artifact> {
    let mut whole: Option<Artifact> = None;
    for path in paths {
        for selected in shell.state.files.select(path) {
            let part = selected.artifact;
            let Some(so_far) = &mut whole else {
                whole = Some(part);
                continue;
            };
            if part.machine.kind == MachineKind::Independent {
                continue;
            }
            if so_far.machine.kind == MachineKind::Independent {
                *so_far = part;
                continue;
            }
            if so_far.machine.kind != part.machine.kind {
                so_far.machine = Machine::unknown();
            }
            if so_far.linkage != part.linkage {
                so_far.linkage = Linkage::Unknown;
            }
        }
    }
    whole
}

/// Puts an archive that was made of other files.
fn put_packed(shell: &mut Interpreter<'_, '_>, contents: &Artifact, path: String, call: &Call) {
    let station = shell.station(path.clone(), call.span);
    let moved = contents.moved(path, station, shell.is_certain());
    shell.state.files.put(Artifact { folder: false, content: None, ..moved });
}

fn decompress(shell: &mut Interpreter<'_, '_>, name: &str, call: &Call) -> bool {
    let line = Line::read(call.arguments(), &["-o", "-S", "-T", "--output", "--suffix"]);
    let prints = name.ends_with("cat");
    let unpacks = prints
        || name.starts_with("un")
        || matches!(name, "gunzip" | "bunzip2")
        || line.has(&["-d", "--decompress", "--uncompress"]);
    if !unpacks {
        return false;
    }
    let to_output = prints || line.has(&["-c", "--stdout", "--to-stdout"]);
    if line.operands.is_empty() {
        let Some(artifact) = archive(shell, None) else { return false };
        shell.print_file(Artifact { content: None, ..artifact }, call.span);
        return true;
    }
    let mut known = false;
    let operands = match name {
        // `lz4 -d in out`
        "lz4" | "unlz4" => &line.operands[..1],
        _ => &line.operands[..],
    };
    for file in operands {
        let Some(artifact) = archive(shell, Some(file)) else { continue };
        known = true;
        if to_output {
            shell.print_file(Artifact { content: None, ..artifact }, call.span);
            continue;
        }
        let second = line.operands.get(1).filter(|_| operands.len() < line.operands.len());
        let path = match line.value(&["-o", "--output"]).or(second) {
            Some(output) => shell.path(&output.value),
            None => Some(unsuffixed(&artifact.path)),
        };
        let Some(path) = path else { continue };
        let (station, certain) = (shell.station(path.clone(), call.span), shell.is_certain());
        let keeps = line.has(&["-k", "--keep"])
            || matches!(name, "zstd" | "unzstd" | "lz4" | "unlz4" | "brotli");
        if !keeps {
            shell.state.files.remove(&artifact.path, certain);
        }
        let unpacked = Artifact { content: None, ..artifact.moved(path, station, certain) };
        shell.state.files.put(unpacked);
    }
    known || !to_output
}

/// A compressed file's name without what says how it is compressed.
fn unsuffixed(path: &str) -> String {
    let name = file_name(path);
    let folder = &path[..path.len() - name.len()];
    let (stem, extension) = name.rsplit_once('.').unwrap_or((name, ""));
    let tail =
        if matches!(extension, "tgz" | "txz" | "tbz2" | "tbz" | "tzst") { ".tar" } else { "" };
    format!("{folder}{stem}{tail}")
}

/// Puts all that is in `archive` below `folder`.
pub(super) fn unpack_whole(
    shell: &mut Interpreter<'_, '_>,
    archive: &Artifact,
    folder: &str,
    call: &Call,
) {
    unpack(shell, archive, folder, &[], call);
}

//! Where Go writes what it compiles, and what it calls it.

use super::{Line, Place};
use crate::{
    artifact::{Artifact, Made},
    effect::Argument,
    files::{absolute, file_name, join},
    machine::{Linkage, Machine},
    shell::{Call, Interpreter},
    value::{Origin, Truth, Value},
};

pub(super) fn built(shell: &Interpreter<'_, '_>, line: &Line, machine: &Machine) -> Vec<Place> {
    let directory = match line.value(&["-C"]) {
        Some(folder) => shell.path(&folder.value),
        None => shell.directory.clone(),
    };
    let name = || program_name(shell, line, directory.as_deref());
    let exe = extension(machine);
    if let Some(output) = line.value(&["-o", "--o"]) {
        let Some(path) = shell.path_from(directory.as_deref(), &output.value) else {
            return Vec::new();
        };
        let folder =
            output.value.known_suffix().ends_with('/') || shell.state.files.is_folder(&path);
        return match (folder, name()) {
            // Several packages go into a folder, if there are several programs.
            (false, _) if line.operands.len() > 1 && !is_list_of_files(line) => {
                vec![Place::folder(path)]
            }
            (false, _) => vec![Place::file(path)],
            (true, Some(name)) => vec![Place::file(join(&path, &format!("{name}{exe}")))],
            (true, None) => vec![Place::folder(path)],
        };
    }
    let Some(directory) = &directory else { return Vec::new() };
    match name() {
        Some(name) => vec![Place::file(join(directory, &format!("{name}{exe}")))],
        // The last part of the module's path, which the Dockerfile does not tell.
        None if line.operands.len() <= 1
            && !line.operands.iter().any(|o| o.value.known_suffix().ends_with("...")) =>
        {
            vec![Place::unnamed(directory)]
        }
        None => Vec::new(),
    }
}

fn extension(machine: &Machine) -> &'static str {
    match machine.platform().map(mlint_oci::Platform::os) {
        Some("windows") => ".exe",
        _ => "",
    }
}

/// `go test -c`: `<package>.test` in the working directory, or where `-o` says.
pub(super) fn test_binary(shell: &Interpreter<'_, '_>, line: &Line) -> Vec<Place> {
    let name = program_name(shell, line, shell.directory.as_deref());
    let place = match line.value(&["-o"]) {
        Some(output) => shell.path(&output.value).map(Place::file),
        None => name.and_then(|n| Some(Place::file(shell.absolute(&format!("{n}.test"))?))),
    };
    place.into_iter().collect()
}

fn is_list_of_files(line: &Line) -> bool {
    line.operands.iter().all(|o| o.value.known_suffix().ends_with(".go"))
}

/// The program's name, where the package's path or the module's tells it.
fn program_name(
    shell: &Interpreter<'_, '_>,
    line: &Line,
    directory: Option<&str>,
) -> Option<String> {
    if let Some(first) = line.operands.first().filter(|_| is_list_of_files(line)) {
        let text = first.value.as_known()?;
        return Some(file_name(&text).trim_end_matches(".go").to_owned());
    }
    let package = match &line.operands[..] {
        [] => ".".to_owned(),
        [package] => package.value.as_known()?.into_owned(),
        _ => return None,
    };
    let path = package.split('@').next().unwrap_or_default().trim_end_matches('/');
    if path.ends_with("...") {
        return None;
    }
    let is_local = matches!(path, "." | "..") || path.starts_with("./") || path.starts_with("../");
    if is_local || path.starts_with('/') {
        let folder = absolute(directory?, path);
        return match import_path(shell, &folder) {
            Import::Path(import) => last_element(&import),
            Import::Unknown => None,
            // `./cmd/tool` is hardly ever a module of its own.
            Import::NoModule if path.trim_start_matches(['.', '/']).is_empty() => None,
            Import::NoModule => last_element(&folder),
        };
    }
    last_element(path)
}

/// The last part of an import path that is no version.
fn last_element(path: &str) -> Option<String> {
    let is_version = |n: &str| {
        let digits = n.strip_prefix('v').unwrap_or_default();
        !digits.is_empty()
            && digits != "1"
            && !digits.starts_with('0')
            && digits.bytes().all(|b| b.is_ascii_digit())
    };
    let mut name = file_name(path);
    if is_version(name) && path.contains('/') {
        name = file_name(path.strip_suffix(name)?);
    }
    (!name.is_empty()).then(|| name.to_owned())
}

enum Import {
    Path(String),
    /// There is a `go.mod`, whose text is not known.
    Unknown,
    NoModule,
}

/// The import path of a folder: of its module (the nearest `go.mod` on the way up), or of the
/// GOPATH.
fn import_path(shell: &Interpreter<'_, '_>, folder: &str) -> Import {
    let mut root = folder;
    loop {
        if let Some(file) = shell.state.files.at(&join(root, "go.mod")) {
            let rest = folder[root.len()..].trim_start_matches('/');
            let text = file.content.as_ref().and_then(Value::as_known);
            return match text.as_deref().and_then(module_name) {
                Some(module) if rest.is_empty() => Import::Path(module),
                Some(module) => Import::Path(format!("{module}/{rest}")),
                None if rest.is_empty() => Import::Unknown,
                None => Import::Path(rest.to_owned()),
            };
        }
        match root.rsplit_once('/') {
            Some((parent, _)) if !parent.is_empty() => root = parent,
            _ => break,
        }
    }
    // Below the GOPATH a folder's path is the import path: `/go/src/example.org/me/tool`.
    match folder.split_once("/go/src/") {
        Some(("" | "/root" | "/home", path))
            if path.split_once('/').is_some_and(|(host, _)| host.contains('.')) =>
        {
            Import::Path(path.to_owned())
        }
        _ => Import::NoModule,
    }
}

fn module_name(text: &str) -> Option<String> {
    let line = text.lines().find_map(|l| l.trim().strip_prefix("module "))?;
    let name = line.split("//").next()?.trim().trim_matches(['"', '`']);
    (!name.is_empty()).then(|| name.to_owned())
}

/// `go mod init example.org/tool`.
pub(super) fn init_module(shell: &mut Interpreter<'_, '_>, module: Option<&Argument>, call: &Call) {
    let Some(path) = shell.absolute("go.mod") else { return };
    let content = module.map(|module| {
        let word = |text: &str| Value::known(text, Origin::Literal, call.span);
        Value::join([&word("module "), &module.value, &word("\n")])
    });
    let station = shell.station(path.clone(), call.span);
    shell.state.files.put(Artifact {
        path,
        folder: false,
        made: Made::Written,
        content,
        machine: Machine::independent(),
        linkage: Linkage::Unknown,
        way: vec![station],
        certain: shell.is_certain(),
    });
}

pub(super) fn installed(
    shell: &Interpreter<'_, '_>,
    call: &Call,
    line: &Line,
    cross: Truth,
    machine: &Machine,
) -> Vec<Place> {
    let known = |name: &str| {
        let value = super::go_setting(shell, call, name)?.value;
        let text = value.as_known().filter(|t| t.starts_with('/'));
        text.map(std::borrow::Cow::into_owned)
    };
    let folder = match known("GOBIN") {
        Some(folder) => absolute("/", &folder),
        None => {
            let home = shell.state.home.clone().map(|h| join(&h, "go"));
            let Some(path) = known("GOPATH").or(home) else { return Vec::new() };
            let bin = join(path.split(':').next().unwrap_or_default(), "bin");
            match (cross, machine.platform()) {
                (Truth::Yes, Some(p)) => join(&bin, &format!("{}_{}", p.os(), p.arch())),
                (Truth::Yes, None) | (Truth::Unknown, _) => return vec![Place::folder(bin)],
                _ => bin,
            }
        }
    };
    let directory = match line.value(&["-C"]) {
        Some(folder) => shell.path(&folder.value),
        None => shell.directory.clone(),
    };
    let exe = extension(machine);
    // These stand for many packages.
    let is_pattern =
        |o: &Argument| ["tool", "all", "std", "cmd"].iter().any(|name| o.value.is(name));
    let one = |package: &Argument| {
        let line = Line { options: Vec::new(), operands: vec![package.clone()] };
        (!is_pattern(package)).then(|| program_name(shell, &line, directory.as_deref())).flatten()
    };
    let names: Vec<Option<String>> = match line.operands.len() {
        0 => vec![program_name(shell, line, directory.as_deref())],
        _ => line.operands.iter().map(one).collect(),
    };
    let rest = names.iter().any(Option::is_none).then(|| Place::folder(folder.clone()));
    let file = |name: String| Place::file(join(&folder, &format!("{name}{exe}")));
    rest.into_iter().chain(names.into_iter().flatten().map(file)).collect()
}

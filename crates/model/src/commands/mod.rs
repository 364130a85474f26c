//! What well-known programs do: downloads, installations, compilations, files.

mod archive;
mod build;
pub(crate) mod builds;
mod built;
mod c;
mod carry;
mod checksum;
mod configure;
mod cross_images;
mod dotnet;
mod download;
mod files;
mod foreign;
mod go;
mod image;
mod install;
mod installer;
mod java;
mod make;
mod names;
mod native;
mod native_packages;
mod node;
mod options;
mod python;
mod rust;
mod scripting;
mod triple;
mod xx;
mod zig;

use crate::{
    effect::EffectKind,
    files::{Files, archive_word, file_name, join},
    machine::{Machine, MachineKind},
    shell::{Call, Interpreter},
};

pub(crate) use cross_images::cross_image;
pub(crate) use download::{fetches, url_file_name};
pub(crate) use files::{name_by_pattern, place};
pub(crate) use go::go_setting;
pub use names::is_package_index;
pub(crate) use names::machine_of_name;

/// A file that this Dockerfile made or fetched is run.
pub(crate) fn execute(shell: &mut Interpreter<'_, '_>, call: &Call) {
    const FOLDERS: &[&str] = &[
        "/usr/local/bin",
        "/usr/bin",
        "/bin",
        "/usr/local/sbin",
        "/usr/sbin",
        "/sbin",
        "/go/bin",
        "/usr/local/cargo/bin",
        "/root/.cargo/bin",
    ];
    let Some(text) = call.text(0) else { return };
    let found = if text.contains('/') {
        shell.absolute(&text).and_then(|path| shell.state.files.find(&path))
    } else {
        shell.state.files.in_folders(FOLDERS, &text).cloned()
    };
    // What a package manager installed is there to be run where it was installed.
    let is_installed = |a: &crate::Artifact| {
        matches!(a.made, crate::Made::Installed { .. })
            && a.machine.platform().is_some_and(|p| Some(p) == shell.runs_on().as_ref())
    };
    if let Some(artifact) = found.filter(|a| !is_installed(a)) {
        let machine = match artifact.machine.kind {
            MachineKind::Unknown if is_script(&text) => Machine::independent(),
            // Whatever the archive that it came in is called.
            _ if is_source_script(&text) => Machine::independent(),
            _ => artifact.machine,
        };
        shell.effect(EffectKind::Execute { path: artifact.path, machine }, call.span);
    } else if !text.contains('/')
        && let Some(artifact) =
            unpacked_program(shell, &text).or_else(|| unpacked_toolchain(shell, &text))
    {
        let kind = EffectKind::Execute { path: artifact.path, machine: artifact.machine };
        shell.effect(kind, call.span);
        // Whether it is in there, only its name tells.
        if let Some(effect) = shell.step.effects.last_mut() {
            effect.certain = false;
        }
    }
}

/// A program that is in an archive unpacked into a folder of programs, as far as names tell: the
/// archive's has a word in common with it (`docker-29.tgz` and `dockerd`), so that the system's own
/// programs are not taken for it.
fn unpacked_program(shell: &Interpreter<'_, '_>, name: &str) -> Option<crate::Artifact> {
    const SHORTEST: usize = 3;
    let folders = ["/usr/local/bin", "/usr/local/sbin", "/usr/bin", "/bin"];
    let alike = |word: &str| {
        word.len() >= SHORTEST
            && name.len() >= SHORTEST
            && (name.starts_with(word) || word.starts_with(name))
    };
    if !shell.state.files.has_unpacked(alike) {
        return None;
    }
    folders.iter().find_map(|folder| {
        let found = shell.state.files.find(&format!("{folder}/{name}"))?;
        let crate::Made::Downloaded { url } = &found.made else { return None };
        let named = alike(archive_word(&url.spelling()));
        (named && found.machine.platform().is_some()).then_some(found)
    })
}

/// A program of a toolchain that was unpacked into a folder of its own and put on the PATH
/// (`/usr/local/go/bin`), as far as names tell: one of the folder's parts is called like it.
fn unpacked_toolchain(shell: &Interpreter<'_, '_>, name: &str) -> Option<crate::Artifact> {
    let path = shell.state.scope.get("PATH")?;
    let alias = match name {
        "java" | "javac" | "jar" | "jlink" => "jdk",
        "npm" | "npx" => return None,
        _ => name,
    };
    let called = |part: &str| {
        let word = part.split(|c: char| !c.is_ascii_alphabetic()).next().unwrap_or_default();
        word == name || word == alias
    };
    // Most commands end here, before anything is put together.
    let mentions = |text: &str| text.contains(name) || text.contains(alias);
    if !path.pieces().iter().any(|p| p.text().is_some_and(mentions)) {
        return None;
    }
    let path = path.as_known()?;
    let own = path.split(':').filter(|f| f.starts_with('/') && !Files::is_usual(f));
    let mut named = own.filter(|folder| folder.split('/').any(called));
    named.find_map(|folder| {
        let found = shell.state.files.find(&join(folder, name))?;
        let is_fetched = matches!(found.made, crate::Made::Downloaded { .. });
        (is_fetched && found.machine.platform().is_some()).then_some(found)
    })
}

/// Whether a program is a script by its name: an extension, or what source archives call theirs.
fn is_script(path: &str) -> bool {
    let extension = file_name(path).rsplit_once('.').map_or("", |(_, e)| e);
    matches!(extension, "sh" | "bash" | "py" | "pl" | "rb" | "php" | "js" | "tcl")
        || is_source_script(path)
}

/// Whether a program has the name of a script of source archives.
fn is_source_script(path: &str) -> bool {
    matches!(
        file_name(path),
        "configure"
            | "Configure"
            | "config"
            | "autogen"
            | "autogen.sh"
            | "bootstrap"
            | "buildconf"
            | "otp_build"
            | "gradlew"
            | "mvnw"
    )
}

/// Whether a build tool is only asked for its version or its options.
fn only_asks(name: &str, call: &Call) -> bool {
    #[rustfmt::skip]
    let is_tool = matches!(
        name,
        "javac" | "kotlinc" | "scalac" | "java" | "mvn" | "mvnw" | "mvnd" | "gradle" | "gradlew" | "sbt"
            | "ant" | "lein" | "mill" | "jlink" | "jpackage" | "make" | "gmake" | "bmake" | "ninja"
            | "ninja-build" | "samu" | "cmake" | "meson" | "bazel" | "bazelisk" | "scons" | "just" | "task"
            | "mage" | "waf" | "b2" | "gox" | "npm" | "npx" | "yarn" | "pnpm" | "bun" | "node" | "configure"
    );
    if !is_tool {
        return false;
    }
    // To others it means to tell more.
    let short = matches!(
        name,
        "mvn" | "mvnw" | "gradle" | "gradlew" | "make" | "gmake" | "npm" | "npx" | "yarn" | "pnpm"
    );
    let mut asks = false;
    let only_options = call.arguments().iter().all(|word| {
        let text = word.value.known_prefix();
        asks |= matches!(&*text, "--version" | "-version" | "--help" | "-help")
            || short && text == "-v";
        text.starts_with('-')
    });
    asks && only_options
}

/// What a program does. `true` if it printed, or prints nothing.
pub(crate) fn run(shell: &mut Interpreter<'_, '_>, name: &str, call: &Call) -> bool {
    if only_asks(name, call) {
        return false;
    }
    if let Some(done) = installer::run(shell, name, call) {
        return done;
    }
    if let Some(done) = download::run(shell, name, call) {
        return done;
    }
    if let Some(done) = archive::run(shell, name, call) {
        return done;
    }
    match name {
        "cp" | "mv" | "install" | "ln" | "rsync" => files::copy(shell, name, call),
        "update-alternatives" | "alternatives" => files::alternatives(shell, call),
        "rm" | "rmdir" | "unlink" => files::remove(shell, call),
        "sha1sum" | "sha224sum" | "sha256sum" | "sha384sum" | "sha512sum" | "b2sum" | "md5sum"
        | "shasum" => checksum::run(shell, call),
        "mkdir" => files::make_folders(shell, call),
        "touch" | "chmod" | "chown" | "chgrp" | "setcap" | "ldconfig" => true,
        "strip" | "upx" | "objcopy" | "dd" | "patchelf" => carry::rewrite(shell, name, call),
        "find" => carry::find(shell, call),
        "go" | "goxx-go" | "xx-go" | "garble" => go::run(shell, name, call),
        "goreleaser" => go::goreleaser(shell, call),
        "tinygo" => go::tinygo(shell, call),
        "cargo" | "cross" | "xx-cargo" | "rustc" => rust::run(shell, name, call),
        "rustup" => rust::rustup(shell, call),
        "dotnet" => dotnet::run(shell, call),
        "zig" => zig::run(shell, call),
        "xx-info" => xx::info(shell, call),
        "xx-verify" => xx::verify(shell, call),
        "configure" | "Configure" => configure::autoconf(shell, name, call),
        "config" if call.text(0).is_some_and(|t| t.contains('/')) => {
            configure::autoconf(shell, name, call)
        }
        "make" | "gmake" | "bmake" | "ninja" | "ninja-build" | "samu" | "cmake" | "meson"
        | "gox" | "bazel" | "bazelisk" | "scons" | "just" | "task" | "mage" | "waf" | "b2"
        | "bjam" => make::run(shell, name, call),
        _ if name.ends_with("-strip") || name.ends_with("-objcopy") => {
            carry::rewrite(shell, name, call)
        }
        _ if c::is_compiler(name) => c::compile(shell, name, call),
        _ if c::is_binutil(name) => c::binutil(shell, name, call),
        _ => {
            native::run(shell, name, call)
                || install::run(shell, name, call)
                || java::run(shell, name, call)
                || node::run(shell, name, call)
                || python::run(shell, name, call)
                || scripting::run(shell, name, call)
        }
    }
}

//! Machines and C libraries by the words in names.

use mlint_oci::{
    Platform,
    arch::{WordKind, find_words},
};

use crate::{
    machine::{Linkage, Machine, MachineKind, MachineSource},
    value::Value,
};

/// Files that hold no code, whatever they are named after.
const DATA: &[&str] = &[
    "asc",
    "cer",
    "cfg",
    "cmake",
    "conf",
    "config",
    "crt",
    "css",
    "csv",
    "diff",
    "gpg",
    "html",
    "ini",
    "json",
    "key",
    "list",
    "md",
    "md5",
    "minisig",
    "mk",
    "otf",
    "patch",
    "pem",
    "png",
    "pom",
    "pub",
    "repo",
    "sbom",
    "sha1",
    "sha256",
    "sha256sum",
    "sha512",
    "sha512sum",
    "sig",
    "sql",
    "sum",
    "svg",
    "toml",
    "ttf",
    "txt",
    "xml",
    "yaml",
    "yml",
];

/// Code that runs on any machine, unless the file's own name says that it carries machine code
/// (`Installer-x86_64.sh`, `tcnative-linux-x86_64.jar`).
const CODE: &[&str] = &[
    "ear", "jar", "js", "lua", "mjs", "phar", "php", "pl", "py", "pyz", "rb", "sh", "war", "bash",
];

/// What packages for every machine are called: Debian's `_all.deb`, RPM's `.noarch.rpm`, Python's
/// `-none-any.whl`.
const FOR_ALL: &[&str] = &["_all.deb", ".noarch.rpm", "-none-any.whl", "-noarch.", "_noarch."];

/// The platform that the architecture words of a text name, if they agree: `target` if they can
/// mean that.
pub(super) fn platform_in(text: &str, target: &Platform) -> Option<Platform> {
    let words = find_words(text);
    let mut named = words.iter().filter(|w| {
        w.kind != WordKind::System && !w.platforms.is_empty() && (!w.weak || w.system_is_written)
    });
    let first = named.next()?;
    // All words must have a meaning in common.
    let mut common: Vec<&Platform> = first.platforms.iter().collect();
    for word in named {
        common.retain(|p| word.means(p));
    }
    let for_target =
        common.iter().any(|p| **p == *target) || (first.means(target) && !common.is_empty());
    if for_target {
        return Some(target.clone());
    }
    common.first().map(|p| (*p).clone())
}

/// The last part of a path or address, without query and fragment.
fn file_of(text: &str) -> &str {
    let path = text.split(['?', '#']).next().unwrap_or_default();
    path.rsplit('/').next().unwrap_or_default()
}

/// What a URL or file name says about the file's machine.
pub(crate) fn machine_of_name(name: &Value, target: &Platform) -> Machine {
    let text = name.spelling();
    let file = file_of(&text);
    let lower = file.to_ascii_lowercase();
    let extension = lower.rsplit_once('.').map_or("", |(_, e)| e);
    if is_package_index(&text) {
        return Machine::independent();
    }
    if DATA.contains(&extension) || FOR_ALL.iter().any(|mark| lower.contains(mark)) {
        return Machine::independent();
    }
    if lower.starts_with("qemu-") && lower.contains("-static") {
        // It names the machine that it emulates.
        return Machine::unknown();
    }
    let by_file = platform_in(file, target);
    if by_file.is_none() && CODE.contains(&extension) {
        return Machine::independent();
    }
    match by_file.or_else(|| platform_in(&text, target)) {
        Some(platform) => Machine {
            kind: MachineKind::Platform(platform),
            source: MachineSource::Name { value: name.clone() },
        },
        None if is_raw_text(&text, extension) => Machine::independent(),
        None => Machine::unknown(),
    }
}

/// Whether an address is that of a package repository's index (`binary-amd64/Packages.xz`,
/// `x86_64/APKINDEX.tar.gz`, `repodata/repomd.xml`): a text about packages for an architecture, that
/// holds no program.
pub fn is_package_index(address: &str) -> bool {
    const NAMES: &[&str] = &["APKINDEX", "InRelease", "Packages", "Release"];
    let path = address.split(['?', '#']).next().unwrap_or_default();
    let mut parts = path.rsplit('/');
    let file = parts.next().unwrap_or_default();
    let stem = file.split('.').next().unwrap_or_default();
    NAMES.contains(&stem) && is_packed_text(&file[stem.len()..])
        || stem.starts_with("Contents-") && parts.clone().any(|part| part == "dists")
        || parts.next() == Some("repodata")
}

/// Whether the end of an index's name says how it is packed, or that it is its signature.
fn is_packed_text(end: &str) -> bool {
    ["", ".bz2", ".gpg", ".gz", ".lz4", ".tar.gz", ".xz", ".zst"].contains(&end)
}

/// Whether an address is that of a single file of a repository's tree, and no archive: a script or
/// other text.
fn is_raw_text(address: &str, extension: &str) -> bool {
    #[rustfmt::skip]
    const PACKED: &[&str] = &[
        "7z", "apk", "bin", "bz2", "deb", "dll", "exe", "gz", "img", "iso", "lz4", "o", "rpm", "so", "tar",
        "tbz2", "tgz", "txz", "whl", "xz", "zip", "zst",
    ];
    const HOSTS: &[&str] = &["https://raw.githubusercontent.com/", "https://raw.github.com/"];
    HOSTS.iter().any(|host| address.starts_with(host)) && !PACKED.contains(&extension)
}

/// Hosts and folders whose programs need glibc, by the part of the address that names them.
const GLIBC_PUBLISHERS: &[&str] = &[
    "://nodejs.org/dist/",
    "://repo.anaconda.com/",
    "://repo.continuum.io/",
    "/conda-forge/miniforge/",
    "://awscli.amazonaws.com/",
    "://download.oracle.com/java/",
];

/// Addresses below which all programs are static.
const STATIC_PUBLISHERS: &[&str] =
    &["://download.docker.com/linux/static/", "/tianon/gosu/releases/"];

/// Whether a folder of an address is one of static programs (`static-curl`). A folder that is only
/// called `static` is one of a web server.
fn is_static_folder(address: &str) -> bool {
    let mut parts = address.rsplit('/');
    let _file = parts.next();
    parts.any(|part| part.starts_with("static-") || part.ends_with("-static"))
}

/// What a URL or file name says about the C library that the file needs. A bare `musl` in a name
/// leaves open whether the program is static, as most of those are.
pub(crate) fn linkage_of_name(name: &Value) -> Linkage {
    let text = name.spelling().to_ascii_lowercase();
    let file = file_of(&text);
    let is_word = |word: &str| file.split(['-', '_', '.', '+']).any(|part| part == word);
    match () {
        () if file.contains("manylinux") => Linkage::Glibc,
        () if file.contains("musllinux") => Linkage::Musl,
        () if is_word("static") || file.contains("-unknown-linux-musl") => Linkage::Static,
        () if STATIC_PUBLISHERS.iter().any(|p| text.contains(p)) => Linkage::Static,
        // Rust's default for musl, and what a release is for that names the library.
        () if file.contains("linux-gnu") || is_word("glibc") => Linkage::Glibc,
        () if GLIBC_PUBLISHERS.iter().any(|p| text.contains(p)) && !file.contains("musl") => {
            Linkage::Glibc
        }
        () if is_static_folder(&text) => Linkage::Static,
        () => Linkage::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use mlint_syntax::LogicalText;

    use super::*;

    #[test]
    fn names_tell_machine_and_library() {
        let target = Platform::linux("arm64");
        for (name, want) in [
            ("https://h/x_1.0_amd64.deb", "linux/amd64 ?"),
            ("https://h/x_1.0_all.deb", "any ?"),
            ("https://h/x-1.0-1.noarch.rpm", "any ?"),
            ("https://h/x-1.0-py3-none-any.whl", "any ?"),
            ("https://h/x-1.0-cp312-cp312-manylinux_2_17_aarch64.whl", "linux/arm64 glibc"),
            ("https://h/x-1.0-cp312-cp312-musllinux_1_2_x86_64.whl", "linux/amd64 musl"),
            ("https://h/x-x86_64-unknown-linux-musl.tgz", "linux/amd64 static"),
            ("https://h/x-x86_64-unknown-linux-gnu.tgz", "linux/amd64 glibc"),
            ("https://h/x-linux-amd64-musl.tgz", "linux/amd64 ?"),
            ("https://nodejs.org/dist/v1/node-v1-linux-x64.tar.xz", "linux/amd64 glibc"),
            ("https://h/linux-x64-musl/node-v1-linux-x64-musl.tar.xz", "linux/amd64 ?"),
            ("https://h/Miniconda3-Linux-x86_64.sh", "linux/amd64 ?"),
            ("https://h/amd64/install.sh", "any ?"),
            ("https://h/amd64/app.jar", "any ?"),
            ("https://h/tcnative-2-linux-x86_64.jar", "linux/amd64 ?"),
            ("https://h/x_amd64.tar.gz.sha256", "any ?"),
            ("https://h/dists/trixie/main/binary-amd64/Packages", "any ?"),
            ("https://h/dists/trixie/main/binary-amd64/Packages.xz?x=1", "any ?"),
            ("https://h/dists/trixie/main/Contents-amd64.gz", "any ?"),
            ("https://h/v3.22/main/x86_64/APKINDEX.tar.gz", "any ?"),
            ("https://h/9/x86_64/repodata/primary.xml.zst", "any ?"),
            ("https://h/x86_64/Packages-1.0.run", "linux/amd64 ?"),
            ("https://h/x86_64/release", "linux/amd64 ?"),
            ("aarch64-unknown-linux-musl.config", "any static"),
            ("toolchain-x86_64.cmake", "any ?"),
            ("rules-arm64.mk", "any ?"),
            ("https://h/x.tar.gz", "? ?"),
            ("https://h/arm-tools.tar.gz", "? ?"),
            ("https://h/x.zip?arch=amd64", "linux/amd64 ?"),
            ("https://h/qemu-aarch64-static", "? static"),
            ("https://h/me/static-curl/v1/curl-amd64", "linux/amd64 static"),
            ("https://h/static/x-amd64", "linux/amd64 ?"),
            ("https://raw.githubusercontent.com/me/x/main/hack/dind", "any ?"),
            ("https://raw.githubusercontent.com/me/x/main/x.tar.gz", "? ?"),
            ("https://raw.githubusercontent.com/me/x/main/x-amd64", "linux/amd64 ?"),
            (
                "https://github.com/tianon/gosu/releases/download/1.1/gosu-amd64",
                "linux/amd64 static",
            ),
            (
                "https://download.docker.com/linux/static/stable/x86_64/docker-2.tgz",
                "linux/amd64 static",
            ),
        ] {
            let value = Value::literal(&LogicalText::contiguous(name, 0));
            let got = format!("{} {}", machine_of_name(&value, &target), linkage_of_name(&value));
            assert_eq!(got, want, "{name}");
        }
    }
}

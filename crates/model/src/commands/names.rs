//! Machines by architecture words in names.

use mlint_oci::{
    Platform,
    arch::{WordKind, find_words},
};

use crate::{
    machine::{Machine, MachineKind, MachineSource},
    value::Value,
};

/// Files that no machine runs by itself.
const DATA: &[&str] = &[
    "sha256",
    "sha512",
    "sha1",
    "md5",
    "asc",
    "sig",
    "txt",
    "json",
    "yaml",
    "yml",
    "sh",
    "py",
    "jar",
    "war",
    "pom",
    "xml",
    "html",
    "css",
    "js",
    "mjs",
    "conf",
    "cfg",
    "pem",
    "crt",
    "cer",
    "key",
    "gpg",
    "pub",
    "list",
    "repo",
    "patch",
    "diff",
    "rb",
    "pl",
    "md",
    "sum",
    "sha256sum",
    "ttf",
    "otf",
    "svg",
    "png",
    "toml",
    "ini",
    "sql",
    "php",
    "phar",
    "pyz",
];

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

/// What a URL or file name says about the file's machine.
pub(crate) fn machine_of_name(name: &Value, target: &Platform) -> Machine {
    let text = name.spelled().text;
    let path = text.split(['?', '#']).next().unwrap_or_default();
    let file = path.rsplit('/').next().unwrap_or_default();
    let extension = file.rsplit_once('.').map_or("", |(_, e)| e);
    if DATA.contains(&extension.to_ascii_lowercase().as_str()) {
        return Machine::independent();
    }
    let platform = platform_in(file, target).or_else(|| platform_in(&text, target));
    match platform {
        Some(platform) => Machine {
            kind: MachineKind::Platform(platform),
            source: MachineSource::Name { value: name.clone() },
        },
        None => Machine::unknown(),
    }
}

//! What names tell of files that lie among others of unknown names.

use super::Artifact;
use crate::{artifact::Made, effect::Tool};

/// Whether a file of unknown name may be called this: programs rarely have a dot or capitals only.
fn may_be_program(name: &str) -> bool {
    !name.contains('.') && name.chars().any(|c| c.is_ascii_lowercase() || c.is_ascii_digit())
}

/// What source trees call their folders and scripts.
#[rustfmt::skip]
const SOURCES: &[&str] = &[
    "assets", "conf", "config", "configs", "configure", "contrib", "data", "dist", "doc", "docker",
    "docs", "entrypoint", "errorfiles", "errors", "etc", "examples", "frontend", "html", "include",
    "licenses", "locale", "locales", "man", "migrations", "node_modules", "plugins", "public", "scripts", "share", "src",
    "static", "template", "templates", "test", "tests", "ui", "vendor", "views", "web", "www",
];

/// Folders with nothing compiled in them.
#[rustfmt::skip]
const DATA_FOLDERS: &[&str] =
    &["doc", "docs", "errors", "etc", "examples", "html", "include", "node_modules", "public",
      "scripts", "share", "templates", "tests", "www"];

/// What source trees call their own.
fn is_source(name: &str) -> bool {
    SOURCES.contains(&name) || name.contains("entrypoint")
}

/// Whether a file of unknown name that was built may be called this.
pub(super) fn may_be_unnamed(built: &Artifact, name: &str) -> bool {
    let by_make = matches!(built.made, Made::Compiled { tool: Tool::Make, .. });
    may_be_program(name) && !(by_make && is_source(name))
}

/// Whether `rest`, below a folder where make built something, may be what it built.
pub(super) fn may_be_product(built: &Artifact, rest: &str) -> bool {
    if !matches!(built.made, Made::Compiled { tool: Tool::Make, .. }) {
        return false;
    }
    let mut parts = rest.split('/').filter(|p| !p.is_empty());
    let Some(name) = parts.next_back() else { return false };
    let is_library = name.ends_with(".so") || name.ends_with(".a") || name.contains(".so.");
    (is_library || may_be_program(name) && !is_source(name))
        && !parts.any(|p| DATA_FOLDERS.contains(&p))
}

/// Extensions of files that hold text only.
#[rustfmt::skip]
const TEXT: &[&str] = &[
    "asc", "bash", "cfg", "conf", "crt", "css", "csv", "html", "ini", "json", "lua", "md", "pem",
    "php", "pl", "py", "rb", "rst", "service", "sh", "sql", "svg", "toml", "txt", "xml", "yaml", "yml",
];

/// Names that stand for text in all projects.
const TEXT_NAMES: &[&str] =
    &["LICENSE", "LICENCE", "COPYING", "README", "NOTICE", "CHANGELOG", "AUTHORS", "VERSION"];

/// Whether a file by its name holds text.
pub(crate) fn is_text(name: &str) -> bool {
    let (stem, extension) = name.rsplit_once('.').unwrap_or((name, ""));
    !stem.is_empty() && TEXT.contains(&extension.to_ascii_lowercase().as_str())
        || TEXT_NAMES.iter().any(|text| {
            name.strip_prefix(text).is_some_and(|rest| !rest.starts_with(char::is_alphanumeric))
        })
}

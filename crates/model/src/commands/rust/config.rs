//! Cargo's configuration files, where their text is known.

use mlint_syntax::Span;

use super::super::options::Line;
use crate::{
    effect::Setting,
    files::join,
    shell::{Call, Interpreter},
    value::Value,
};

/// What the files say about a key.
pub(super) enum Answer {
    Is(Setting),
    Unset,
    /// There is a file whose text is not known.
    Unknown,
}

/// `--config 'build.target="…"'`.
pub(super) fn flag(line: &Line, key: &str) -> Option<Setting> {
    line.values(&["--config"]).find_map(|argument| {
        let text = argument.value.as_known()?;
        let rest = text.strip_prefix(key)?.trim_start().strip_prefix('=')?;
        let at = text.len() - rest.len();
        let value = unquoted(&argument.value, &text, at, text.len())?;
        Some(Setting { name: "--config".to_owned(), value, span: argument.span })
    })
}

/// The value of `key` in `[section]`: in the working directory and above it, then in CARGO_HOME.
pub(super) fn read(shell: &Interpreter<'_, '_>, call: &Call, section: &str, key: &str) -> Answer {
    let mut folders = Vec::new();
    let mut at = shell.directory.clone();
    while let Some(folder) = at {
        folders.push(join(&folder, ".cargo"));
        at = folder
            .rsplit_once('/')
            .filter(|_| folder != "/")
            .map(|(parent, _)| if parent.is_empty() { "/".to_owned() } else { parent.to_owned() });
    }
    let home = shell.environment(call, "CARGO_HOME").and_then(|h| shell.path(&h.value));
    folders.extend(home.or_else(|| shell.state.home.clone().map(|h| join(&h, ".cargo"))));
    for folder in folders {
        let exact = |path: &str| shell.state.files.at(path).filter(|a| !a.folder).cloned();
        let file = exact(&join(&folder, "config.toml")).or_else(|| exact(&join(&folder, "config")));
        // A folder that was copied on purpose holds a configuration.
        let copied = shell.state.files.at(&folder).is_some();
        let Some(file) = file else {
            if copied {
                return Answer::Unknown;
            }
            continue;
        };
        let span = file.way.first().map_or(call.span, |s| s.span);
        match file.content.as_ref().map(|content| lookup(content, section, key, span)) {
            Some(Answer::Unset) => {}
            Some(answer) => return answer,
            None => return Answer::Unknown,
        }
    }
    Answer::Unset
}

/// The few lines of TOML that matter: `[section]`, `key = "value"`, `section.key = "value"`.
fn lookup(content: &Value, section: &str, key: &str, span: Span) -> Answer {
    let Some(text) = content.as_known() else { return Answer::Unknown };
    let mut in_section = String::new();
    let mut from = 0;
    for line in text.split_inclusive('\n') {
        let start = from;
        from += line.len();
        let trimmed = line.trim();
        if let Some(name) = trimmed.strip_prefix('[').and_then(|t| t.split(']').next()) {
            in_section = name.trim().to_owned();
            continue;
        }
        let Some((left, _)) = line.split_once('=') else { continue };
        let name = left.trim();
        let whole = format!("{section}.{key}");
        if (in_section == section && name == key) || (in_section.is_empty() && name == whole) {
            let at = start + left.len() + 1;
            return match unquoted(content, &text, at, start + line.len()) {
                Some(value) => Answer::Is(Setting { name: whole, value, span }),
                None => Answer::Unknown,
            };
        }
    }
    Answer::Unset
}

/// The text between quotes in a part of `value`; a list of one counts as its element.
fn unquoted(value: &Value, text: &str, from: usize, to: usize) -> Option<Value> {
    let part = text.get(from..to)?;
    let open = part.find(['"', '\''])?;
    let quote = part[open..].chars().next()?;
    let len = part[open + 1..].find(quote)?;
    // A second element: several targets.
    if part[open + 1 + len + 1..].contains(quote) {
        return None;
    }
    value.slice(from + open + 1..from + open + 1 + len)
}

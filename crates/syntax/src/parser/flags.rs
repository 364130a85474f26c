//! Which flags each instruction takes, and what their values look like.

use thiserror::Error;

use crate::error::{SyntaxError, SyntaxErrorKind as Kind};
use crate::span::Span;
use crate::tree::{Flag, KeyValue, Word};

use super::keyword::{Keyword, closest, excerpt};
use super::split::join;

#[derive(Clone, Copy, PartialEq, Eq)]
enum FlagType {
    Bool,
    Once,
    Repeated,
}

use FlagType::{Bool, Once, Repeated};

/// The flags of an instruction; `None` where BuildKit does not look at them at all.
fn flags_of(keyword: Keyword) -> Option<&'static [(&'static str, FlagType)]> {
    Some(match keyword {
        Keyword::From => &[("platform", Once)],
        Keyword::Run => {
            &[("mount", Repeated), ("network", Once), ("security", Once), ("device", Repeated)]
        }
        Keyword::Copy => &[
            ("from", Once),
            ("chown", Once),
            ("chmod", Once),
            ("link", Bool),
            ("parents", Bool),
            ("exclude", Repeated),
        ],
        Keyword::Add => &[
            ("chown", Once),
            ("chmod", Once),
            ("link", Bool),
            ("keep-git-dir", Bool),
            ("checksum", Once),
            ("unpack", Bool),
            ("exclude", Repeated),
        ],
        Keyword::Healthcheck => &[
            ("interval", Once),
            ("timeout", Once),
            ("start-period", Once),
            ("start-interval", Once),
            ("retries", Once),
        ],
        Keyword::Arg | Keyword::StopSignal => return None,
        _ => &[],
    })
}

/// Checks the flags of an instruction as BuildKit does.
pub(super) fn check(keyword: Keyword, flags: &[Flag], errors: &mut Vec<SyntaxError>) {
    let Some(known) = flags_of(keyword) else { return };
    let mut seen: Vec<&str> = Vec::new();
    for flag in flags {
        let name = flag.name.as_str();
        let Some(&(known_name, flag_type)) = known.iter().find(|(n, _)| *n == name) else {
            let suggestion = closest(name, known.iter().map(|(n, _)| *n));
            let (instruction, flag_name) = (keyword.name(), excerpt(name));
            let kind = Kind::UnknownFlag { instruction, flag: flag_name, suggestion };
            push(errors, flag.span, kind);
            continue;
        };
        let name = || known_name.to_owned();
        if flag_type != Repeated && seen.contains(&known_name) {
            push(errors, flag.span, Kind::DuplicateFlag { flag: name() });
            continue;
        }
        if flag_type != Repeated {
            seen.push(known_name);
        }
        let empty_bool = flag.value.as_ref().is_some_and(|v| v.as_str().is_empty());
        let missing = if flag_type == Bool { empty_bool } else { flag.value.is_none() };
        if missing {
            push(errors, flag.span, Kind::MissingFlagValue { flag: name() });
        } else if let Some(value) = &flag.value {
            check_value(known_name, flag_type, flag, value, errors);
        }
    }
}

fn check_value(
    name: &'static str,
    flag_type: FlagType,
    flag: &Flag,
    word: &Word,
    errors: &mut Vec<SyntaxError>,
) {
    let value = word.as_str();
    let is_bool = || value.eq_ignore_ascii_case("true") || value.eq_ignore_ascii_case("false");
    let expected = match name {
        _ if flag_type == Bool && !is_bool() => "true or false",
        "network" if !matches!(value, "default" | "none" | "host") => "default, none or host",
        "security" if !matches!(value, "sandbox" | "insecure") => "sandbox or insecure",
        "mount" | "device" => return check_fields(name, flag, errors),
        _ => return,
    };
    let (flag_name, value) = (name.to_owned(), excerpt(value));
    let kind = Kind::InvalidFlagValue { flag: flag_name, value, expected };
    push(errors, word.span(), kind);
}

fn check_fields(name: &'static str, flag: &Flag, errors: &mut Vec<SyntaxError>) {
    let value = flag.value.as_ref().map_or("", Word::as_str);
    let is_plain = !value.is_empty() && !value.bytes().any(|b| matches!(b, b'"' | b'$'));
    if name == "mount" && is_plain {
        // Nothing in it can be wrong.
        return;
    }
    let fields = match mount_options(flag) {
        Ok(fields) => fields,
        Err(FieldsError { span }) => {
            return push(errors, span, Kind::InvalidFlagFields { flag: name.to_owned() });
        }
    };
    if name == "device" {
        return check_device(&fields, errors);
    }
    for field in &fields {
        let Some(value) = field.value.as_ref().filter(|_| field.key.eq_ignore_ascii_case("from"))
        else {
            continue;
        };
        let text = value.as_str();
        if memchr::memchr(b'$', text.as_bytes()).is_some_and(|at| at + 1 != text.len()) {
            push(errors, value.span(), Kind::VariableInMountFrom);
        }
    }
}

/// A device has a name, in one field, and is perhaps required.
fn check_device(fields: &[KeyValue], errors: &mut Vec<SyntaxError>) {
    let mut named = false;
    for field in fields {
        let is_required = field.key.eq_ignore_ascii_case("required");
        let expected = match &field.value {
            None if is_required => continue,
            Some(value) if is_required => match value.as_str() {
                "1" | "t" | "T" | "TRUE" | "true" | "True" => continue,
                "0" | "f" | "F" | "FALSE" | "false" | "False" => continue,
                _ => "required=true or required=false",
            },
            _ if !named => {
                named = true;
                continue;
            }
            _ => "one device name and perhaps required=true",
        };
        let value = excerpt(field.key.as_str());
        let kind = Kind::InvalidFlagValue { flag: "device".to_owned(), value, expected };
        push(errors, field.span, kind);
    }
}

fn push(errors: &mut Vec<SyntaxError>, span: Span, kind: Kind) {
    errors.push(SyntaxError { span, kind, in_trigger: false });
}

/// Bad quoting in the comma-separated value of a flag, or no value at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("a comma-separated value is empty or has a stray or unclosed double quote")]
pub struct FieldsError {
    /// Where.
    pub span: Span,
}

/// The `key=value` and bare `key` fields of a flag such as `--mount=type=cache,target=/x`. A field
/// in double quotes may hold commas.
///
/// # Errors
/// [`FieldsError`] when the quoting is broken or there is no value.
pub fn mount_options(flag: &Flag) -> Result<Vec<KeyValue>, FieldsError> {
    let Some(value) = flag.value.as_ref().filter(|v| !v.as_str().is_empty()) else {
        return Err(FieldsError { span: flag.span });
    };
    let raw = &value.raw;
    let text = raw.as_str();
    let mut fields = Vec::new();
    let mut at = 0;
    loop {
        let start = at;
        let mut ranges = Vec::new();
        if text[at..].starts_with('"') {
            at += 1;
            loop {
                let Some(len) = text[at..].find('"') else {
                    return Err(FieldsError { span: raw.span(start as u32, text.len() as u32) });
                };
                let doubled = text[at + len + 1..].starts_with('"');
                // Of two quotes the first remains.
                ranges.push((at, at + len + usize::from(doubled)));
                at += len + 1 + usize::from(doubled);
                if !doubled {
                    break;
                }
            }
            if !(at == text.len() || text[at..].starts_with(',')) {
                return Err(FieldsError { span: raw.span(start as u32, at as u32) });
            }
        } else {
            at = text[at..].find(',').map_or(text.len(), |i| at + i);
            if text[start..at].contains('"') {
                return Err(FieldsError { span: raw.span(start as u32, at as u32) });
            }
            ranges.push((start, at));
        }
        let field = join(raw, &ranges, at);
        let span = raw.span(start as u32, at as u32);
        let cut = memchr::memchr(b'=', field.as_bytes()).map(|i| i as u32);
        let key = Word { raw: field.slice(0, cut.unwrap_or(field.len())) };
        let value = cut.map(|i| Word { raw: field.slice(i + 1, field.len()) });
        fields.push(KeyValue { span, key, value });
        if at == text.len() {
            return Ok(fields);
        }
        at += 1;
    }
}

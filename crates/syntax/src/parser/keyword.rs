//! The instructions by name.

use crate::error::SyntaxErrorKind;

/// An instruction's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Keyword {
    Add,
    Arg,
    Cmd,
    Copy,
    Entrypoint,
    Env,
    Expose,
    From,
    Healthcheck,
    Label,
    Maintainer,
    Onbuild,
    Run,
    Shell,
    StopSignal,
    User,
    Volume,
    Workdir,
}

/// With the most frequent first.
const ALL: [(Keyword, &str); 18] = [
    (Keyword::Run, "RUN"),
    (Keyword::Copy, "COPY"),
    (Keyword::Env, "ENV"),
    (Keyword::From, "FROM"),
    (Keyword::Arg, "ARG"),
    (Keyword::Workdir, "WORKDIR"),
    (Keyword::Label, "LABEL"),
    (Keyword::Cmd, "CMD"),
    (Keyword::Entrypoint, "ENTRYPOINT"),
    (Keyword::Add, "ADD"),
    (Keyword::Expose, "EXPOSE"),
    (Keyword::User, "USER"),
    (Keyword::Volume, "VOLUME"),
    (Keyword::Healthcheck, "HEALTHCHECK"),
    (Keyword::Shell, "SHELL"),
    (Keyword::StopSignal, "STOPSIGNAL"),
    (Keyword::Onbuild, "ONBUILD"),
    (Keyword::Maintainer, "MAINTAINER"),
];

impl Keyword {
    pub(super) fn of(word: &str) -> Option<Self> {
        ALL.iter().find(|(_, name)| name.eq_ignore_ascii_case(word)).map(|&(keyword, _)| keyword)
    }

    /// In capitals.
    pub(super) fn name(self) -> &'static str {
        ALL.iter().find(|(keyword, _)| *keyword == self).map_or("", |(_, name)| name)
    }
}

/// Whether the line begins with an instruction in capitals: where a here-document without an end
/// most likely should have ended.
pub(super) fn begins_instruction(line: &str) -> bool {
    let end = line.bytes().position(|b| !b.is_ascii_uppercase()).unwrap_or(line.len());
    line[end..].starts_with([' ', '\t']) && ALL.iter().any(|(_, name)| *name == &line[..end])
}

/// The error for a word that names no instruction.
pub(super) fn unknown(word: &str) -> SyntaxErrorKind {
    let suggestion = closest(&word.to_ascii_uppercase(), ALL.iter().map(|(_, name)| *name));
    SyntaxErrorKind::UnknownInstruction { keyword: excerpt(word), suggestion }
}

/// The name that differs from `word` in at most two letters, if there is one.
pub(super) fn closest(
    word: &str,
    names: impl Iterator<Item = &'static str>,
) -> Option<&'static str> {
    // Longer words are near to nothing, and not worth the work.
    if word.len() > 24 {
        return None;
    }
    let limit = if word.len() < 4 { 1 } else { 2 };
    names.map(|n| (distance(word, n), n)).filter(|&(d, _)| d <= limit).min().map(|(_, n)| n)
}

/// Letters to add, drop or change to come from one word to the other.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, cb) in b.iter().enumerate() {
            let change = diagonal + usize::from(ca != *cb);
            diagonal = row[j + 1];
            row[j + 1] = change.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

/// The beginning of a text, short enough for a message.
pub(super) fn excerpt(text: &str) -> String {
    match text.char_indices().nth(40) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

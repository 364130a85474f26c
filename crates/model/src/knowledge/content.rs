//! Images that hold one machine's files whatever is asked for, by their own names.

use mlint_oci::{
    Platform,
    arch::{ArchWord, WordKind, find_words},
};

use crate::value::{Origin, Piece, Value};

/// The namespaces in which Docker's official images stand per architecture.
const NAMESPACES: &[&str] = &[
    "amd64", "arm32v5", "arm32v6", "arm32v7", "arm64v8", "i386", "mips64le", "ppc64le", "riscv64",
    "s390x",
];

/// Parts of repositories of tools: the word in their tags is what they make files for.
const TOOLS: &[&str] = &["cross", "musl-builder", "muslrust", "rust-musl", "qemu", "toolchain"];

/// The machine that an image's files are for when it is asked for on `requested`: by its own name
/// (`arm64v8/debian`, `app:1.2-amd64`, `base:arm64v8-3.23`) another one, mostly the same.
pub(crate) fn content(reference: &Value, requested: Option<&Platform>) -> Option<Platform> {
    named(reference, requested).or_else(|| requested.cloned())
}

fn named(reference: &Value, requested: Option<&Platform>) -> Option<Platform> {
    if requested.is_some_and(|p| p.os() != "linux") {
        return None;
    }
    let spelled = reference.spelled();
    let text = spelled.text.split('@').next().unwrap_or_default();
    let colon = text.rfind(':').filter(|colon| !text[*colon..].contains('/'));
    let repository = &text[..colon.unwrap_or(text.len())];
    if TOOLS.iter().any(|tool| repository.contains(tool)) {
        return None;
    }
    // What follows a platform argument names what somebody wants, not what is there.
    let is_fixed = |piece: &Piece| matches!(piece.origin, Origin::Literal | Origin::BuildArg);
    let words: Vec<ArchWord> = find_words(text)
        .into_iter()
        .filter(|w| w.kind == WordKind::Arch && w.is_linux())
        .filter(|w| names_the_image(text, colon, w))
        .collect();
    let (first, others) = words.split_first()?;
    let fixed = spelled.pieces_at(first.range.clone()).all(|(piece, _)| is_fixed(piece));
    let agree = others.iter().all(|w| w.platforms == first.platforms);
    if !fixed || !agree {
        return None;
    }
    match requested {
        Some(requested) if first.means(requested) => Some(requested.clone()),
        _ => first.platforms.first().cloned(),
    }
}

/// Whether the word is a namespace of its own, the end of a tag, or stands in a tag before a
/// version.
fn names_the_image(reference: &str, colon: Option<usize>, word: &ArchWord) -> bool {
    let (start, end) = (word.range.start, word.range.end);
    let before = reference[..start].chars().next_back();
    let rest = &reference[end..];
    let in_tag = colon.is_some_and(|colon| start > colon);
    if !in_tag {
        let alone = matches!(before, None | Some('/')) && rest.starts_with('/');
        return alone && NAMESPACES.contains(&&reference[start..end]);
    }
    let at_end = rest.is_empty() && matches!(before, Some('-' | '_' | '.' | ':'));
    let version = rest.strip_prefix('-').map(|v| v.strip_prefix('v').unwrap_or(v));
    let at_start = before == Some(':')
        && version.is_some_and(|v| v.starts_with(|c: char| c.is_ascii_digit()) || v == "latest");
    !word.weak && (at_end || at_start)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn machines_by_name() {
        let arm = Platform::linux("arm64");
        for (reference, want) in [
            ("amd64/alpine:3.22", "linux/amd64"),
            ("docker.io/i386/debian", "linux/386"),
            ("arm64v8/debian:12", "linux/arm64"),
            ("example.com/base:arm64v8-3.23", "linux/arm64"),
            ("example.com/base:amd64-3.23", "linux/amd64"),
            ("example.com/app:1.2-amd64", "linux/amd64"),
            ("example.com/app:s390x", "linux/s390x"),
            ("debian:12", "linux/arm64"),
            ("messense/rust-musl-cross:x86_64-musl", "linux/arm64"),
            ("dockcross/linux-x64:20240101-amd64", "linux/arm64"),
            ("multiarch/qemu-user-static:x86_64-s390x", "linux/arm64"),
            ("example.com/amd64-tools/base:1", "linux/arm64"),
            ("example.com/app:1.2-x86_64-linux-gnu", "linux/arm64"),
        ] {
            let found =
                content(&Value::known(reference, Origin::Literal, Default::default()), Some(&arm));
            assert_eq!(found.map(|p| p.to_string()).as_deref(), Some(want), "{reference}");
        }
    }
}

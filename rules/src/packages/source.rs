//! Where packages come from: the sources of apt, and files that were fetched.

use std::ops::Range;

use mlint_model::{EffectKind, Manager, Stage};

use crate::support::{FoundWord, shown};

/// Whether apt reads its sources from that file.
pub(crate) fn is_source(path: &str) -> bool {
    path.starts_with("/etc/apt/sources.list")
}

/// Where lists of architectures stand in the text of a source.
pub(crate) fn lists(text: &str) -> Vec<Range<usize>> {
    let mut out = Vec::new();
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let at = start;
        start += line.len();
        let end = line.find("://").unwrap_or(line.len());
        let head = line.get(..end).unwrap_or_default();
        if let Some(value) = head.strip_prefix("Architectures:") {
            out.push(at + head.len() - value.len()..at + head.len());
        } else if let (Some(from), Some(to)) = (head.find("["), head.find(']'))
            && head.trim_start().starts_with("deb")
            && let Some(options) = head.get(from..to)
            && let Some(option) = options.find("arch=")
        {
            let value = options.get(option + 5..).unwrap_or_default();
            let len = value.find(char::is_whitespace).unwrap_or(value.len());
            let begin = at + from + option + 5;
            out.push(begin..begin + len);
        }
    }
    out
}

/// Whether apt installs something in the stage.
pub(crate) fn installs(stage: &Stage) -> bool {
    stage.effects().any(|(_, e)| {
        matches!(&e.kind, EffectKind::Install(i) if i.manager == Manager::Apt) && e.certain
    })
}

/// Whether the file came from an address: then that is what is wrong, or it is the right file
/// under a wrong name.
pub(super) fn comes_from_download(stage: &Stage, file: &str, word: &FoundWord) -> bool {
    let name = |path: &str| path.rsplit('/').next().unwrap_or_default().to_owned();
    let ours = name(file);
    let pattern = ours.contains('*');
    stage.effects().any(|(_, e)| match &e.kind {
        EffectKind::Download(d) => {
            let url = shown(&d.url);
            let output = d.output.as_ref().map(shown).unwrap_or_default();
            name(&url) == ours || name(&output) == ours || pattern && url.contains(&word.text)
        }
        // A folder or a list of addresses.
        EffectKind::Command(c) => {
            let fetches = ["wget", "curl", "aria2c", "gh", "aws", "gsutil"];
            c.name().is_some_and(|n| fetches.contains(&&*n))
                && c.argv.iter().any(|a| shown(&a.value).contains(&ours))
        }
        _ => false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_architectures() {
        for (text, want) in [
            ("deb [arch=amd64] https://h s m", &["amd64"][..]),
            (
                "deb [signed-by=/k arch=amd64,i386] https://h s m\ndeb https://h [arch=arm64]",
                &["amd64,i386"],
            ),
            ("Types: deb\nArchitectures: amd64 i386\n", &[" amd64 i386\n"]),
            ("# [arch=amd64]\n", &[]),
        ] {
            let found: Vec<&str> = lists(text).into_iter().map(|range| &text[range]).collect();
            assert_eq!(found, want, "{text}");
        }
    }
}

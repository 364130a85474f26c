//! Checksums beside downloads.

use std::ops::Range;

use mlint_lint::Context;
use mlint_model::{EffectKind, Evaluation, Step};
use mlint_syntax::InstructionKind;

use crate::support::shown;

/// What to know before a download with a checksum beside it follows the target.
pub(super) const CAUTION: &str =
    "the checksum beside it is that of one file; the others need their own";

/// Whether the step compares something with a checksum that stands in the file.
pub(super) fn is_beside(cx: &Context<'_>, evaluation: &Evaluation, step: &Step) -> bool {
    let Some(instruction) = cx.file.instructions.get(step.instruction) else { return false };
    if matches!(instruction.kind, InstructionKind::Add { .. })
        && instruction.flag("checksum").is_some()
    {
        return true;
    }
    let in_arguments = step.effects.iter().any(|e| match &e.kind {
        EffectKind::Command(c) => c.argv.iter().any(|a| has_digest(&shown(&a.value))),
        _ => false,
    });
    let text = cx.text(instruction.span);
    in_arguments || has_digest(text) || uses_digest(evaluation, text)
}

/// Whether a text uses a variable that holds a digest.
fn uses_digest(evaluation: &Evaluation, text: &str) -> bool {
    evaluation.effects().any(|(_, _, effect)| match &effect.kind {
        EffectKind::SetEnv { name, value, .. } if has_digest(&shown(value)) => {
            text.contains(&format!("${name}")) || text.contains(&format!("${{{name}"))
        }
        _ => false,
    })
}

/// Whether a text holds a digest.
pub(super) fn has_digest(text: &str) -> bool {
    digests(text).next().is_some()
}

/// Where the digests in hexadecimal digits stand in a text.
pub(super) fn digests(text: &str) -> impl Iterator<Item = Range<usize>> + '_ {
    let mut at = 0;
    std::iter::from_fn(move || {
        loop {
            let rest = text.get(at..).filter(|rest| !rest.is_empty())?;
            let is_digit = |c: char| c.is_ascii_hexdigit();
            let start = at + rest.find(is_digit)?;
            let len = text[start..].find(|c| !is_digit(c)).unwrap_or(text.len() - start);
            at = start + len;
            if is_digest(&text[start..at]) {
                return Some(start..at);
            }
        }
    })
}

fn is_digest(run: &str) -> bool {
    matches!(run.len(), 32 | 40 | 56 | 64 | 96 | 128)
        && run.bytes().any(|b| b.is_ascii_digit())
        && run.bytes().any(|b| b.is_ascii_alphabetic())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_digests() {
        let md5 = "5d41402abc4b2a76b9719d911017c592";
        assert!(has_digest(&format!("echo {md5} x")));
        assert_eq!(digests(&format!("sha: {md5}\n {md5}")).collect::<Vec<_>>(), [5..37, 39..71]);
        assert!(!has_digest("https://example.org/deadbeef"));
        assert!(!has_digest(&format!("{md5}0")));
        assert!(!has_digest(""));
    }
}

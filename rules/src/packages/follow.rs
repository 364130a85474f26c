//! Writes the word for the stage's own machine in a way that follows it.

use mlint_lint::Context;
use mlint_model::{Evaluation, Stage};
use mlint_oci::arch::{Vocabulary, word_for};
use mlint_syntax::{Edit, EditSet, Instruction, InstructionKind, Span};

use crate::repair;

/// What quotes a place stands between.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Quote {
    None,
    Single,
    Double,
}

/// The edits that let the word at `place` follow the machine, with the ARG that they need. `None`
/// where nothing is expanded, or no expression gives the words of all platforms.
pub(super) fn edits(
    cx: &Context<'_>,
    evaluation: &Evaluation,
    stage: &Stage,
    place: Span,
    vocabulary: Vocabulary,
) -> Option<EditSet> {
    let (_, instruction) = cx.instruction_at(place.start)?;
    if let InstructionKind::Run(_) = instruction.kind {
        let quote = quote_in_script(instruction, place)?;
        let command = command(cx, vocabulary)?;
        let text = match quote {
            Quote::Single => format!("'\"{command}\"'"),
            Quote::None | Quote::Double => command,
        };
        return EditSet::from_edits([Edit { span: place, text }]).ok();
    }
    if !is_expanded(cx, instruction, place) || !is_docker_s(cx, vocabulary) {
        return None;
    }
    repair::follow_target(cx, evaluation, stage, place)
}

/// The command that prints the word on each platform.
fn command(cx: &Context<'_>, vocabulary: Vocabulary) -> Option<String> {
    let all = |same: &dyn Fn(&str, &str) -> bool| {
        cx.options.platforms.iter().all(|p| {
            let words = (word_for(p, Vocabulary::Uname), word_for(p, vocabulary));
            matches!(words, (Some(uname), Some(word)) if same(uname, word))
        })
    };
    let text = match vocabulary {
        Vocabulary::Debian => "$(dpkg --print-architecture)",
        Vocabulary::GnuTriple if all(&|uname, word| word == format!("{uname}-linux-gnu")) => {
            "$(uname -m)-linux-gnu"
        }
        Vocabulary::GnuTriple => "$(dpkg-architecture -qDEB_HOST_MULTIARCH)",
        Vocabulary::Rpm if all(&|uname, word| uname == word) => "$(uname -m)",
        _ => return None,
    };
    Some(text.to_owned())
}

/// Whether the vocabulary has Docker's words for all platforms.
fn is_docker_s(cx: &Context<'_>, vocabulary: Vocabulary) -> bool {
    cx.options.platforms.iter().all(|p| word_for(p, vocabulary) == Some(p.arch()))
}

/// Whether the builder expands variables at that place of an instruction that is no RUN.
fn is_expanded(cx: &Context<'_>, instruction: &Instruction, place: Span) -> bool {
    if let Some(heredoc) = instruction.heredocs.iter().find(|h| h.body_span.contains(place)) {
        return heredoc.expand;
    }
    let before = Span::new(instruction.rest.full_span().start, place.start);
    match instruction.kind {
        InstructionKind::Env(_) | InstructionKind::Label(_) => {
            quote_after(cx.text(before)) != Quote::Single
        }
        InstructionKind::Copy { .. } | InstructionKind::Add { .. } => true,
        _ => false,
    }
}

/// How the place of a RUN's script is quoted; `None` if no shell expands it.
fn quote_in_script(instruction: &Instruction, place: Span) -> Option<Quote> {
    let script = instruction.shell_script()?;
    let text = script.text.as_str();
    let at = (0..=script.text.len()).find(|&at| script.text.to_file(at) == place.start)?;
    let before = text.get(..at as usize)?;
    // Whether a here-document in it is expanded depends on how its end is written.
    let quoted = ["<<'", "<<\"", "<<-'", "<<-\"", "<<\\"].iter().any(|mark| before.contains(mark));
    if quoted || script.shebang.is_some() {
        return None;
    }
    if before.contains("<<") {
        let inside = instruction.heredocs.iter().any(|h| h.body_span.contains(place));
        return inside.then_some(Quote::Double);
    }
    Some(quote_after(before))
}

/// The quotes that are open at the end of a piece of shell text.
fn quote_after(text: &str) -> Quote {
    let mut open = vec![Quote::None];
    let mut bytes = text.bytes().peekable();
    while let Some(b) = bytes.next() {
        let Some(top) = open.last_mut() else { break };
        match (*top, b) {
            (Quote::Single, b'\'') => *top = Quote::None,
            (Quote::Single, _) => {}
            (_, b'\\') => {
                bytes.next();
            }
            (Quote::None, b'\'') => *top = Quote::Single,
            (Quote::None, b'"') => *top = Quote::Double,
            (Quote::Double, b'"') => *top = Quote::None,
            (_, b'$') if bytes.peek() == Some(&b'(') => {
                bytes.next();
                open.push(Quote::None);
            }
            (Quote::None, b')') if open.len() > 1 => {
                open.pop();
            }
            _ => {}
        }
    }
    open.last().copied().unwrap_or(Quote::None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_that_are_open() {
        for (text, want) in [
            ("echo deb", Quote::None),
            ("echo 'deb [arch=", Quote::Single),
            ("echo \"deb [arch=", Quote::Double),
            ("echo \"it's $(cat '", Quote::Single),
            ("echo \"it's $(cat x) ", Quote::Double),
            ("echo it\\'s ", Quote::None),
            ("(cd a) && echo 'x' ", Quote::None),
        ] {
            assert_eq!(quote_after(text), want, "{text}");
        }
    }
}

//! A `case` over TARGETARCH in front of a RUN's script.

use mlint_lint::{Context, edit};
use mlint_model::{Evaluation, RunsOn};
use mlint_syntax::{Edit, EditSet, Instruction, Span};

use crate::support::root_stage;

/// The first of some names for a shell variable that the file does not use.
pub(super) fn free_name(cx: &Context<'_>, names: &[&'static str]) -> &'static str {
    let text = &cx.file.text;
    names
        .iter()
        .copied()
        .find(|name| {
            !["=", "}"].iter().any(|end| text.contains(&format!("{name}{end}")))
                && !text.contains(&format!("${name}"))
        })
        .unwrap_or("mlint_arch")
}

/// A `case` that sets the variable, in front of the script's first command, or after its `set`.
///
/// `arms` are values of TARGETARCH, each with what the variable then is.
pub(super) fn before(
    cx: &Context<'_>,
    instruction: &Instruction,
    variable: &str,
    arms: &[(String, String)],
) -> Option<Edit> {
    let end = edit::line_end(cx.file);
    let script = instruction.shell_script()?;
    let is_heredoc = instruction
        .heredocs
        .first()
        .is_some_and(|h| h.body_span.contains(script.text.full_span()) && !script.text.is_empty());
    let text = script.text.as_str();
    let lead = text.len() - text.trim_start().len();
    let (at, separator) = after_set(text, lead);
    let place = script.text.to_file(at as u32);
    let lines = |indent: &str, go_on: &str| {
        let inner = if indent.contains('\t') { "\t" } else { "  " };
        let mut out = format!("case \"${{TARGETARCH}}\" in{go_on}{end}");
        for (arch, word) in arms {
            out.push_str(&format!("{indent}{inner}{arch}) {variable}={word} ;;{go_on}{end}"));
        }
        out.push_str(&format!(
            "{indent}{inner}*) echo \"unsupported architecture: ${{TARGETARCH}}\" >&2; exit 1 ;;{go_on}{end}\
             {indent}esac"
        ));
        out
    };
    if is_heredoc {
        // Leading tabs would be stripped, and an inner indentation is kept as it is.
        return Some(Edit { span: Span::empty(place), text: format!("{}{end}", lines("", "")) });
    }
    let go_on = format!(" {}", cx.file.escape);
    let (indent, joins_ahead) = continuation(cx, instruction);
    let body = lines(&indent, &go_on);
    let text = match separator {
        Some(";") => format!("{body};{go_on}{end}{indent}"),
        _ => match joins_ahead {
            Some(lead) => format!("{body}{go_on}{end}{lead}&& "),
            None => format!("{body} &&{go_on}{end}{indent}"),
        },
    };
    Some(Edit { span: Span::empty(place), text })
}

/// Where the first command after a leading `set …` begins, and what separates the two.
fn after_set(text: &str, lead: usize) -> (usize, Option<&'static str>) {
    let body = &text[lead..];
    if !body.starts_with("set -") {
        return (lead, None);
    }
    let semicolon = body.find(';').map(|i| (i, ";"));
    let and = body.find("&&").map(|i| (i, "&&"));
    let line = body.find('\n').map(|i| (i, "\n"));
    match [semicolon, and, line].into_iter().flatten().min() {
        Some((i, separator)) => {
            let rest = &body[i + separator.len()..];
            let blanks = rest.len() - rest.trim_start().len();
            (lead + i + separator.len() + blanks, Some(separator))
        }
        None => (lead, None),
    }
}

/// The indentation of the instruction's continuation lines, and, where these begin with `&&`, what
/// stands before that.
fn continuation(cx: &Context<'_>, instruction: &Instruction) -> (String, Option<String>) {
    let text = cx.text(instruction.span);
    let mut lines = text.lines();
    // What stands in a `case` is deeper than the script's own commands.
    if lines.next().is_some_and(|l| l.split_whitespace().any(|word| word == "case")) {
        let mut rest = lines.clone();
        if rest.any(|l| l.trim_start().starts_with("esac")) && rest.clone().next().is_some() {
            lines = rest;
        }
    }
    let second = lines.find(|l| {
        let l = l.trim_start();
        !l.is_empty() && !l.starts_with('#')
    });
    match second {
        Some(line) => {
            let body = line.trim_start();
            let indent = line[..line.len() - body.len()].to_owned();
            let deep = indent.contains('\t') || indent.len() >= 4;
            match body.starts_with("&&") {
                true if deep => (indent.clone(), Some(indent)),
                true => ("    ".to_owned(), Some(indent)),
                // A pipe's continuation is deeper than a command.
                false if body.starts_with('|') => ("    ".to_owned(), None),
                false => (indent, None),
            }
        }
        None => ("    ".to_owned(), None),
    }
}

/// Declares TARGETARCH in each stage whose instructions now use it.
pub(super) fn declare_for(
    cx: &Context<'_>,
    evaluation: &Evaluation,
    homes: &[usize],
    edits: &mut EditSet,
) -> Option<()> {
    for stage in &evaluation.stages {
        let end = edit::end_of(cx.file, stage);
        let first = homes.iter().copied().filter(|&i| stage.from < i && i < end).min();
        let Some(user) = first else { continue };
        let shared = root_stage(evaluation, stage).platform.role != RunsOn::Target;
        let declared = edit::declare(cx.file, evaluation, stage, user, &["TARGETARCH"], shared);
        if let Some(edit) = declared {
            edits.insert(edit).ok()?;
        }
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_where_a_script_begins_after_set() {
        assert_eq!(after_set("set -eux; curl a", 0), (10, Some(";")));
        assert_eq!(after_set(" set -e && curl a; b", 1), (11, Some("&&")));
        assert_eq!(after_set("curl a; set -e", 0), (0, None));
    }
}

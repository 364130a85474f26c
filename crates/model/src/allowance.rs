//! `# mlint allow-foreign=/path /glob…: why`: files of another machine that are meant to be in the
//! image.
//!
//! Above an instruction it is for the files that this instruction brings; above the first FROM it is
//! for those of the whole file.

use mlint_syntax::{Dockerfile, ElementKind, InstructionKind, Span};

/// What a comment allows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Allowance {
    /// The comment.
    pub span: Span,
    /// Paths in the image or patterns for them, without their leading slash.
    pub patterns: Vec<String>,
    /// Why; an allowance without is a mistake.
    pub reason: Option<String>,
    /// The number of the instruction whose files it is for; of all if there is nothing.
    pub instruction: Option<usize>,
}

/// All allowances of a file, in order. Comments below the last instruction are for nothing and left
/// out.
pub fn allowances(file: &Dockerfile) -> Vec<Allowance> {
    let is_from = |kind: &InstructionKind| matches!(kind, InstructionKind::From { .. });
    let first = file.instructions.iter().position(|i| is_from(&i.kind)).unwrap_or(usize::MAX);
    let mut all = Vec::new();
    let mut next = 0;
    for element in &file.elements {
        match element.kind {
            ElementKind::Instruction(number) => {
                next = number + 1;
                let lines = file.instructions[number].trivia.iter();
                all.extend(lines.filter_map(|line| read(file, *line, Some(number))));
            }
            ElementKind::Comment if next < file.instructions.len() => {
                all.extend(read(file, element.span, (next > first).then_some(next)));
            }
            _ => {}
        }
    }
    all
}

fn read(file: &Dockerfile, line: Span, instruction: Option<usize>) -> Option<Allowance> {
    let whole = file.text.get(line.range())?;
    let text = whole.trim();
    let start = line.start + (whole.len() - whole.trim_start().len()) as u32;
    let rest = text.strip_prefix('#')?.trim_start().strip_prefix("mlint")?;
    let rest = rest.strip_prefix([' ', '\t'])?.trim_start().strip_prefix("allow-foreign")?;
    let value = rest.trim_start().strip_prefix('=')?;
    let (paths, reason) = match value.split_once(':') {
        Some((paths, reason)) => (paths, Some(reason.trim()).filter(|r| !r.is_empty())),
        None => (value, None),
    };
    let clean = |path: &str| path.trim_start_matches('/').to_owned();
    let patterns: Vec<String> =
        paths.split([' ', '\t', ',']).map(clean).filter(|path| !path.is_empty()).collect();
    let span = Span::new(start, start + text.len() as u32);
    let reason = reason.map(str::to_owned);
    (!patterns.is_empty()).then_some(Allowance { span, patterns, reason, instruction })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whose_files_are_meant() {
        let text = "# mlint allow-foreign=/usr/bin/qemu-*: emulators\nARG A\nFROM a\n\
                    # mlint allow-foreign=/opt/wine /opt/x/**: Windows programs\n\
                    COPY wine /opt/\nRUN a && \\\n  # mlint allow-foreign=/b\n  c\n\
                    # mlint allow-foreign=:\n# mlint ignore=a: b\n# mlint allow-foreign=/z: no\n";
        let all = allowances(&mlint_syntax::parse(text));
        let told: Vec<_> = all
            .iter()
            .map(|a| (a.instruction, a.patterns.join(" "), a.reason.as_deref().unwrap_or("-")))
            .collect();
        assert_eq!(
            told,
            [
                (None, "usr/bin/qemu-*".to_owned(), "emulators"),
                (Some(2), "opt/wine opt/x/**".to_owned(), "Windows programs"),
                (Some(3), "b".to_owned(), "-"),
            ]
        );
        assert!(text[all[1].span.range()].ends_with("Windows programs"));
    }
}

//! Edits that rules have in common: declaring an argument, setting a flag.

use mlint_model::{Base, Evaluation, Stage};
use mlint_syntax::{Dockerfile, Edit, ElementKind, Instruction, InstructionKind, Span};

/// The line end that the file uses.
pub fn line_end(file: &Dockerfile) -> &'static str {
    match file.text.find('\n') {
        Some(at) if at > 0 && file.text.as_bytes()[at - 1] == b'\r' => "\r\n",
        _ => "\n",
    }
}

/// Whether `stage` sees the argument `name` at the instruction with that index: it is declared
/// above it, or in a stage that it starts from.
pub fn declares(
    file: &Dockerfile,
    evaluation: &Evaluation,
    stage: &Stage,
    before: usize,
    name: &str,
) -> bool {
    let own = file
        .instructions
        .get(stage.from + 1..before.max(stage.from + 1))
        .unwrap_or_default()
        .iter()
        .any(|i| declares_here(i, name));
    own || match &stage.base {
        Base::Stage(parent) => evaluation.stages.get(*parent).is_some_and(|parent| {
            parent.index < stage.index
                && declares(file, evaluation, parent, end_of(file, parent), name)
        }),
        _ => false,
    }
}

fn declares_here(instruction: &Instruction, name: &str) -> bool {
    matches!(&instruction.kind, InstructionKind::Arg(pairs)
        if pairs.iter().any(|p| p.key.as_str() == name))
}

/// The index just after the stage's last instruction.
pub fn end_of(file: &Dockerfile, stage: &Stage) -> usize {
    let rest = file.instructions.get(stage.from + 1..).unwrap_or_default();
    let n = rest.iter().position(|i| matches!(i.kind, InstructionKind::From { .. }));
    stage.from + 1 + n.unwrap_or(rest.len())
}

/// Declares arguments in a stage so that the instruction `user` sees them; those that it sees
/// already are left out. `None` if there is nothing to declare.
///
/// In a stage that is built once per target anyway they go right below FROM. In a stage that the
/// targets share they go right above their user, since everything below them is built once per
/// target.
pub fn declare(
    file: &Dockerfile,
    evaluation: &Evaluation,
    stage: &Stage,
    user: usize,
    names: &[&str],
    shared: bool,
) -> Option<Edit> {
    let missing: Vec<&str> = names
        .iter()
        .copied()
        .filter(|name| !declares(file, evaluation, stage, user, name))
        .collect();
    if missing.is_empty() {
        return None;
    }
    let keyword = match file.instructions.get(stage.from) {
        // In a file that writes `from`, `arg` is what belongs there.
        Some(from) if from.keyword.as_str() == "from" => "arg",
        _ => "ARG",
    };
    let line = format!("{keyword} {}", missing.join(" "));
    let end = line_end(file);
    if shared {
        let at = top_of(file, user)?;
        return Some(Edit { span: Span::empty(at), text: format!("{line}{end}") });
    }
    let from = file.instructions.get(stage.from)?;
    Some(Edit { span: Span::empty(from.span.end), text: format!("{end}{line}") })
}

/// Where an instruction begins together with the comment lines right above it.
fn top_of(file: &Dockerfile, instruction: usize) -> Option<u32> {
    let at = file.elements.iter().position(|e| e.kind == ElementKind::Instruction(instruction))?;
    let above =
        file.elements[..at].iter().rev().take_while(|e| e.kind == ElementKind::Comment).last();
    Some(above.unwrap_or(&file.elements[at]).span.start)
}

/// Gives an instruction a flag, or changes the one it has.
pub fn set_flag(instruction: &Instruction, name: &str, value: &str) -> Edit {
    match instruction.flag(name) {
        Some(flag) => Edit { span: flag.span, text: format!("--{name}={value}") },
        None => {
            let at = instruction.keyword.full_span().end;
            Edit { span: Span::empty(at), text: format!(" --{name}={value}") }
        }
    }
}

/// Takes a flag away, with the blanks that follow it.
pub fn remove_flag(file: &Dockerfile, instruction: &Instruction, name: &str) -> Option<Edit> {
    let flag = instruction.flag(name)?;
    let rest = file.text.get(flag.span.end as usize..instruction.span.end as usize)?;
    let blanks = rest.len() - rest.trim_start_matches([' ', '\t']).len();
    let span = Span::new(flag.span.start, flag.span.end + blanks as u32);
    Some(Edit { span, text: String::new() })
}

//! The tree as compact text, for tests and for people.

use std::fmt::Write;

use crate::tree::{
    CommandLine, CopySource, Dockerfile, ElementKind, Flag, Heredoc, Instruction, InstructionKind,
    KeyValue, Word,
};

/// One line per element, instruction, here-document and error.
pub fn dump(file: &Dockerfile) -> String {
    let mut out = String::new();
    for element in &file.elements {
        match &element.kind {
            ElementKind::Bom => out.push_str("bom\n"),
            ElementKind::Comment => out.push_str("comment\n"),
            ElementKind::Blank => out.push_str("blank\n"),
            ElementKind::Directive(directive) => {
                let (name, value) = (&directive.name.value, &directive.value.value);
                let _ = writeln!(out, "directive {name}={value:?}");
            }
            ElementKind::Instruction(index) => {
                if let Some(instruction) = file.instructions.get(*index) {
                    dump_instruction(instruction, &mut out);
                }
            }
        }
    }
    for error in &file.errors {
        let text = file.text.get(error.span.range()).unwrap_or("?");
        let late = if error.in_trigger { " (when triggered)" } else { "" };
        let _ = writeln!(out, "error{late} at {text:?}: {error}");
    }
    out
}

fn dump_instruction(instruction: &Instruction, out: &mut String) {
    out.push_str(&instruction.keyword.to_lowercase());
    for flag in &instruction.flags {
        dump_flag(flag, out);
    }
    dump_kind(&instruction.kind, out);
    if !matches!(instruction.kind, InstructionKind::Onbuild(_)) {
        out.push('\n');
    }
    for heredoc in &instruction.heredocs {
        dump_heredoc(heredoc, out);
    }
}

fn dump_flag(flag: &Flag, out: &mut String) {
    let _ = match &flag.value {
        Some(value) => write!(out, " --{}={:?}", flag.name, value.as_str()),
        None => write!(out, " --{}", flag.name),
    };
}

fn dump_heredoc(heredoc: &Heredoc, out: &mut String) {
    let _ = writeln!(
        out,
        "  <<{}{}{} {:?}",
        if heredoc.strip_tabs { "-" } else { "" },
        heredoc.name,
        if heredoc.expand { "" } else { " (quoted)" },
        heredoc.body.as_str()
    );
}

fn dump_kind(kind: &InstructionKind, out: &mut String) {
    match kind {
        InstructionKind::From { image, name } => {
            dump_words([image], out);
            if let Some(name) = name {
                out.push_str(" as");
                dump_words([name], out);
            }
        }
        InstructionKind::Arg(pairs)
        | InstructionKind::Env(pairs)
        | InstructionKind::Label(pairs) => {
            pairs.iter().for_each(|pair| dump_pair(pair, out));
        }
        InstructionKind::Run(line)
        | InstructionKind::Cmd(line)
        | InstructionKind::Entrypoint(line)
        | InstructionKind::Healthcheck(Some(line)) => dump_command(line, out),
        InstructionKind::Healthcheck(None) => out.push_str(" none"),
        InstructionKind::Copy { sources, dest } | InstructionKind::Add { sources, dest } => {
            for source in sources {
                match source {
                    CopySource::Path(word) => dump_words([word], out),
                    CopySource::Heredoc(index) => {
                        let _ = write!(out, " <<{index}");
                    }
                }
            }
            out.push_str(" ->");
            dump_words([dest], out);
        }
        InstructionKind::Expose(words) | InstructionKind::Volume(words) => dump_words(words, out),
        InstructionKind::User(word)
        | InstructionKind::Workdir(word)
        | InstructionKind::StopSignal(word) => dump_words([word], out),
        InstructionKind::Shell(strings) => {
            let _ = write!(out, " {:?}", strings.iter().map(|s| &s.value).collect::<Vec<_>>());
        }
        InstructionKind::Onbuild(inner) => {
            out.push(' ');
            dump_instruction(inner, out);
        }
        InstructionKind::Maintainer(text) => {
            let _ = write!(out, " {:?}", text.as_str());
        }
        InstructionKind::Invalid => out.push_str(" invalid"),
    }
}

fn dump_words<'w>(words: impl IntoIterator<Item = &'w Word>, out: &mut String) {
    for word in words {
        let _ = write!(out, " {:?}", word.as_str());
    }
}

fn dump_pair(pair: &KeyValue, out: &mut String) {
    let _ = write!(out, " {}", pair.key.as_str());
    if let Some(value) = &pair.value {
        let _ = write!(out, "={:?}", value.as_str());
    }
}

fn dump_command(line: &CommandLine, out: &mut String) {
    let _ = match line {
        CommandLine::Shell(text) => write!(out, " {:?}", text.as_str()),
        CommandLine::Exec(strings) => {
            write!(out, " {:?}", strings.iter().map(|s| &s.value).collect::<Vec<_>>())
        }
    };
}

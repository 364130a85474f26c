//! What stands where in a file: stages, what they take from elsewhere, ONBUILD triggers. The same
//! on every platform.

use std::ops::Range;

use mlint_syntax::{
    Dockerfile, Flag, Instruction, InstructionKind, KeyValue, Span, Word, mount_options,
};

use crate::evaluation::ImageUser;

/// Where the stages of a file stand.
#[derive(Clone, Debug)]
pub(crate) struct Outline {
    /// Instructions before the first FROM.
    pub(crate) globals: Range<usize>,
    pub(crate) stages: Vec<StageOutline>,
}

#[derive(Clone, Debug)]
pub(crate) struct StageOutline {
    /// The FROM's index.
    pub(crate) from: usize,
    /// The instructions after it.
    pub(crate) body: Range<usize>,
    /// The name in lower case, and where it stands.
    pub(crate) name: Option<String>,
    pub(crate) name_span: Span,
    /// What its instructions take from elsewhere.
    pub(crate) needs: Vec<Need>,
    /// Its ONBUILD instructions: they run in stages that start from it.
    pub(crate) triggers: Vec<usize>,
}

/// `COPY --from=…` or `RUN --mount=from=…`.
#[derive(Clone, Debug)]
pub(crate) struct Need {
    pub(crate) instruction: usize,
    /// The name as written, and where.
    pub(crate) source: String,
    pub(crate) span: Span,
    pub(crate) user: ImageUser,
}

/// An instruction with ONBUILD taken off.
pub(crate) fn unwrap_onbuild(instruction: &Instruction) -> &Instruction {
    match &instruction.kind {
        InstructionKind::Onbuild(inner) => inner,
        _ => instruction,
    }
}

/// The options of a `--mount`, the value of each by lower-case key.
pub(crate) fn mount(flag: &Flag) -> Option<Vec<KeyValue>> {
    mount_options(flag).ok()
}

pub(crate) fn mount_option<'m>(options: &'m [KeyValue], keys: &[&str]) -> Option<&'m Word> {
    let named = |o: &&KeyValue| keys.iter().any(|key| o.key.as_str().eq_ignore_ascii_case(key));
    options.iter().rev().find(named).and_then(|o| o.value.as_ref())
}

impl Outline {
    pub(crate) fn new(file: &Dockerfile) -> Self {
        let froms: Vec<usize> = file
            .instructions
            .iter()
            .enumerate()
            .filter(|(_, i)| matches!(i.kind, InstructionKind::From { .. }))
            .map(|(index, _)| index)
            .collect();
        let end = file.instructions.len();
        let first = froms.first().copied().unwrap_or(end);
        let ends = froms.iter().skip(1).copied().chain([end]);
        let stages = froms.iter().zip(ends).map(|(from, end)| stage(file, *from, end)).collect();
        Self { globals: 0..first, stages }
    }
}

fn stage(file: &Dockerfile, from: usize, end: usize) -> StageOutline {
    let name = match &file.instructions[from].kind {
        InstructionKind::From { name, .. } => name.as_ref().filter(|n| !n.is_empty()),
        _ => None,
    };
    let mut needs = Vec::new();
    let mut triggers = Vec::new();
    for index in from + 1..end {
        let instruction = &file.instructions[index];
        match &instruction.kind {
            InstructionKind::Onbuild(_) => triggers.push(index),
            _ => needs_of(instruction, index, &mut needs),
        }
    }
    StageOutline {
        from,
        body: from + 1..end,
        name: name.map(|n| n.as_str().to_lowercase()),
        name_span: name.map(Word::span).unwrap_or_default(),
        needs,
        triggers,
    }
}

/// What one instruction takes from elsewhere.
pub(crate) fn needs_of(instruction: &Instruction, index: usize, needs: &mut Vec<Need>) {
    let mut need = |word: &Word, user| {
        let source = word.as_str().to_owned();
        needs.push(Need { instruction: index, source, span: word.span(), user });
    };
    match &instruction.kind {
        InstructionKind::Copy { .. } | InstructionKind::Add { .. } => {
            if let Some(word) = instruction.flag("from").and_then(|f| f.value.as_ref()) {
                need(word, ImageUser::Copy);
            }
        }
        InstructionKind::Run(_) => {
            for flag in instruction.flags.iter().filter(|f| f.name == "mount") {
                let names_a_source = |v: &Word| {
                    v.as_str().as_bytes().windows(4).any(|w| w.eq_ignore_ascii_case(b"from"))
                };
                if !flag.value.as_ref().is_some_and(names_a_source) {
                    continue;
                }
                let Some(options) = mount(flag) else { continue };
                if let Some(word) = mount_option(&options, &["from"]) {
                    need(word, ImageUser::Mount);
                }
            }
        }
        _ => {}
    }
}

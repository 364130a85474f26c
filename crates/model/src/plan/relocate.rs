//! Instructions that stand nowhere in the file: the ONBUILD triggers of a base image. All that they
//! say gets one place in the file, that of the base's name in FROM.

use mlint_syntax::{
    CommandLine, CopySource, Flag, Heredoc, Instruction, InstructionKind, KeyValue, LogicalText,
    Span, Spanned, Word,
};

use crate::value::text_at;

/// The one instruction that a trigger holds, with every place at `at`; `None` if it is no sound
/// instruction that BuildKit runs as a trigger.
pub(crate) fn trigger(text: &str, at: Span) -> Option<Instruction> {
    let file = mlint_syntax::parse(format!("FROM scratch\n{text}"));
    let [_, instruction] = &file.instructions[..] else { return None };
    let refused = matches!(
        instruction.kind,
        InstructionKind::Onbuild(_) | InstructionKind::From { .. } | InstructionKind::Invalid
    );
    (!refused && file.errors.is_empty()).then(|| Mover { at }.instruction(instruction))
}

struct Mover {
    at: Span,
}

impl Mover {
    fn text(&self, text: &LogicalText) -> LogicalText {
        text_at(text.as_str(), self.at)
    }

    fn word(&self, word: &Word) -> Word {
        Word { raw: self.text(&word.raw) }
    }

    fn words(&self, words: &[Word]) -> Vec<Word> {
        words.iter().map(|w| self.word(w)).collect()
    }

    fn pair(&self, pair: &KeyValue) -> KeyValue {
        KeyValue {
            span: self.at,
            key: self.word(&pair.key),
            value: pair.value.as_ref().map(|v| self.word(v)),
        }
    }

    fn pairs(&self, pairs: &[KeyValue]) -> Vec<KeyValue> {
        pairs.iter().map(|p| self.pair(p)).collect()
    }

    fn strings(&self, strings: &[Spanned<String>]) -> Vec<Spanned<String>> {
        strings.iter().map(|s| Spanned { value: s.value.clone(), span: self.at }).collect()
    }

    fn line(&self, line: &CommandLine) -> CommandLine {
        match line {
            CommandLine::Shell(text) => CommandLine::Shell(self.text(text)),
            CommandLine::Exec(strings) => CommandLine::Exec(self.strings(strings)),
        }
    }

    fn sources(&self, sources: &[CopySource]) -> Vec<CopySource> {
        let moved = |source: &CopySource| match source {
            CopySource::Path(word) => CopySource::Path(self.word(word)),
            CopySource::Heredoc(index) => CopySource::Heredoc(*index),
        };
        sources.iter().map(moved).collect()
    }

    fn flag(&self, flag: &Flag) -> Flag {
        Flag {
            span: self.at,
            name: self.text(&flag.name),
            value: flag.value.as_ref().map(|v| self.word(v)),
        }
    }

    fn heredoc(&self, heredoc: &Heredoc) -> Heredoc {
        Heredoc {
            name: heredoc.name.clone(),
            marker: self.at,
            body: self.text(&heredoc.body),
            raw_body: self.text(&heredoc.raw_body),
            body_span: self.at,
            terminator: if heredoc.terminator.is_empty() { Span::empty(0) } else { self.at },
            ..*heredoc
        }
    }

    fn instruction(&self, from: &Instruction) -> Instruction {
        Instruction {
            span: self.at,
            keyword: self.text(&from.keyword),
            flags: from.flags.iter().map(|f| self.flag(f)).collect(),
            rest: self.text(&from.rest),
            kind: self.kind(&from.kind),
            heredocs: from.heredocs.iter().map(|h| self.heredoc(h)).collect(),
            trivia: Vec::new(),
        }
    }

    fn kind(&self, kind: &InstructionKind) -> InstructionKind {
        use InstructionKind as Kind;
        match kind {
            Kind::Arg(pairs) => Kind::Arg(self.pairs(pairs)),
            Kind::Env(pairs) => Kind::Env(self.pairs(pairs)),
            Kind::Label(pairs) => Kind::Label(self.pairs(pairs)),
            Kind::Run(line) => Kind::Run(self.line(line)),
            Kind::Cmd(line) => Kind::Cmd(self.line(line)),
            Kind::Entrypoint(line) => Kind::Entrypoint(self.line(line)),
            Kind::Copy { sources, dest } => {
                Kind::Copy { sources: self.sources(sources), dest: self.word(dest) }
            }
            Kind::Add { sources, dest } => {
                Kind::Add { sources: self.sources(sources), dest: self.word(dest) }
            }
            Kind::Expose(words) => Kind::Expose(self.words(words)),
            Kind::User(word) => Kind::User(self.word(word)),
            Kind::Workdir(word) => Kind::Workdir(self.word(word)),
            Kind::Volume(words) => Kind::Volume(self.words(words)),
            Kind::StopSignal(word) => Kind::StopSignal(self.word(word)),
            Kind::Shell(strings) => Kind::Shell(self.strings(strings)),
            Kind::Healthcheck(line) => Kind::Healthcheck(line.as_ref().map(|line| self.line(line))),
            // The others are refused as triggers, or say nothing.
            _ => Kind::Invalid,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_stands_at_the_one_place() {
        let at = Span::new(5, 12);
        let moved = trigger("COPY --from=build --chown=1 a b /c/", at).expect("an instruction");
        let InstructionKind::Copy { sources, dest } = &moved.kind else { panic!("{moved:?}") };
        assert_eq!((sources.len(), dest.as_str(), dest.span().start), (2, "/c/", 5));
        assert!(moved.flags.iter().all(|f| f.span == at));
        let script = trigger("RUN a \\\n  b", at).unwrap().shell_script().unwrap();
        assert_eq!(script.text.as_str(), "a   b");
        assert_eq!(script.text.to_file(3), 5);
        assert!(trigger("RUN <<EOF\ncurl x\nEOF\n", at).is_some());
        for refused in ["", "FROM x", "ONBUILD RUN x", "BOGUS x", "RUN a\nRUN b"] {
            assert!(trigger(refused, at).is_none(), "{refused}");
        }
    }
}

//! What follows keyword and flags, per instruction.

use crate::error::{SyntaxError, SyntaxErrorKind as Kind};
use crate::span::{Span, Spanned};
use crate::text::LogicalText;
use crate::tree::{CommandLine, CopySource, Heredoc, Instruction, InstructionKind, KeyValue, Word};

use super::heredoc::heredoc_marker;
use super::json::{self, Json};
use super::keyword::{Keyword, excerpt};
use super::split::{blank_separated, is_blank, quoted_words};
use super::{Parser, flags, healthcheck};

impl Parser<'_> {
    /// Fills in the kind and the here-documents of an instruction.
    pub(super) fn arguments(
        &mut self,
        keyword: Keyword,
        instruction: &mut Instruction,
        line: &LogicalText,
        trigger: bool,
    ) {
        let first_error = self.errors.len();
        flags::check(keyword, &instruction.flags, &mut self.errors);
        instruction.kind = match keyword {
            Keyword::Run | Keyword::Copy | Keyword::Add => {
                let form = json::parse(&instruction.rest);
                if matches!(form, Json::No) {
                    instruction.heredocs = self.heredocs(line);
                }
                match keyword {
                    Keyword::Run => self.command(instruction, form).map(InstructionKind::Run),
                    _ => self.copy(keyword, instruction, form),
                }
                .unwrap_or(InstructionKind::Invalid)
            }
            Keyword::Onbuild => self.onbuild(instruction, trigger),
            Keyword::Healthcheck => healthcheck::parse(instruction, &mut self.errors, first_error),
            _ => self.simple(keyword, instruction).unwrap_or(InstructionKind::Invalid),
        };
        if trigger {
            for error in &mut self.errors[first_error..] {
                error.in_trigger |= fires_late(&error.kind);
            }
        }
    }

    /// The instructions without here-documents and nesting. `None`: there is nothing to keep.
    fn simple(&mut self, keyword: Keyword, instruction: &Instruction) -> Option<InstructionKind> {
        let rest = &instruction.rest;
        let form = || json::parse(rest);
        Some(match keyword {
            Keyword::From => self.from(instruction),
            Keyword::Arg => InstructionKind::Arg(self.arg(instruction)?),
            Keyword::Env => InstructionKind::Env(self.pairs("ENV", instruction)?),
            Keyword::Label => InstructionKind::Label(self.pairs("LABEL", instruction)?),
            Keyword::Cmd => InstructionKind::Cmd(self.command(instruction, form())?),
            Keyword::Entrypoint => InstructionKind::Entrypoint(self.command(instruction, form())?),
            Keyword::Expose => {
                self.need_argument("EXPOSE", instruction)?;
                InstructionKind::Expose(blank_separated(rest))
            }
            Keyword::User => InstructionKind::User(self.whole("USER", instruction)?),
            Keyword::Workdir => InstructionKind::Workdir(self.whole("WORKDIR", instruction)?),
            Keyword::StopSignal => {
                InstructionKind::StopSignal(self.whole("STOPSIGNAL", instruction)?)
            }
            Keyword::Maintainer => {
                InstructionKind::Maintainer(self.whole("MAINTAINER", instruction)?.raw)
            }
            Keyword::Volume => InstructionKind::Volume(self.volume(instruction)?),
            Keyword::Shell => InstructionKind::Shell(self.shell(instruction)?),
            _ => return None,
        })
    }

    fn need_argument(&mut self, name: &'static str, instruction: &Instruction) -> Option<()> {
        if !instruction.rest.is_empty() {
            return Some(());
        }
        let span = instruction.keyword.full_span();
        self.error(span, Kind::MissingArgument { instruction: name });
        None
    }

    /// The whole rest as one word.
    fn whole(&mut self, name: &'static str, instruction: &Instruction) -> Option<Word> {
        self.need_argument(name, instruction)?;
        Some(Word { raw: instruction.rest.clone() })
    }

    fn command(&mut self, instruction: &Instruction, form: Json) -> Option<CommandLine> {
        command_line(&instruction.rest, form, &mut self.errors)
    }

    /// Always a stage, so that what follows a broken FROM is not taken for the stage before it.
    fn from(&mut self, instruction: &Instruction) -> InstructionKind {
        let words = blank_separated(&instruction.rest);
        let end = instruction.rest.full_span().end;
        let (image, name, bad) = match words.as_slice() {
            [] => (Word { raw: instruction.rest.clone() }, None, true),
            [image] => (image.clone(), None, false),
            [image, r#as, name] if r#as.eq_ignore_ascii_case("as") => {
                (image.clone(), Some(name.clone()), false)
            }
            [image, r#as, name, ..] if r#as.eq_ignore_ascii_case("as") => {
                (image.clone(), Some(name.clone()), true)
            }
            [image, ..] => (image.clone(), None, true),
        };
        if bad {
            let start = match words.get(1) {
                Some(word) => word.span().start,
                None => instruction.keyword.full_span().start,
            };
            self.error(Span::new(start, end), Kind::FromArguments);
        }
        if let Some(name) = name.as_ref().filter(|name| !bad && !is_stage_name(name.as_str())) {
            let kind = Kind::InvalidStageName { name: excerpt(name.as_str()) };
            self.error(name.span(), kind);
        }
        InstructionKind::From { image, name }
    }

    fn arg(&mut self, instruction: &Instruction) -> Option<Vec<KeyValue>> {
        let words = quoted_words(&instruction.rest, self.directives.escape());
        if words.is_empty() {
            let span = instruction.keyword.full_span();
            self.error(span, Kind::MissingArgument { instruction: "ARG" });
            return None;
        }
        Some(words.iter().map(|word| self.pair("ARG", word)).collect())
    }

    /// `name=value`, or a name alone.
    fn pair(&mut self, instruction: &'static str, word: &Word) -> KeyValue {
        let span = word.span();
        let raw = &word.raw;
        let cut = memchr::memchr(b'=', raw.as_bytes()).map(|at| at as u32);
        if cut == Some(0) {
            self.error(span, Kind::BlankName { instruction });
        }
        let key = Word { raw: raw.slice(0, cut.unwrap_or(raw.len())) };
        let value = cut.map(|at| Word { raw: raw.slice(at + 1, raw.len()) });
        KeyValue { span, key, value }
    }

    /// ENV and LABEL: `a=b c=d`, or the old `a b c`.
    fn pairs(&mut self, name: &'static str, instruction: &Instruction) -> Option<Vec<KeyValue>> {
        let rest = &instruction.rest;
        let words = quoted_words(rest, self.directives.escape());
        let Some(first) = words.first() else {
            let span = instruction.keyword.full_span();
            self.error(span, Kind::MissingArgument { instruction: name });
            return None;
        };
        if !first.as_str().contains('=') {
            return Some(vec![self.old_pair(name, instruction)]);
        }
        let mut pairs = Vec::with_capacity(words.len());
        for word in &words {
            let pair = self.pair(name, word);
            if pair.value.is_none() {
                let kind = Kind::MissingEquals { word: excerpt(word.as_str()) };
                self.error(word.span(), kind);
            }
            pairs.push(pair);
        }
        Some(pairs)
    }

    fn old_pair(&mut self, name: &'static str, instruction: &Instruction) -> KeyValue {
        let rest = &instruction.rest;
        let bytes = rest.as_bytes();
        let cut = bytes.iter().position(|&b| is_blank(b)).unwrap_or(bytes.len());
        let key = Word { raw: rest.slice(0, cut as u32) };
        let value = bytes[cut..].iter().position(|&b| !is_blank(b)).map(|len| {
            // A value of this form has all that follows, blanks included.
            Word { raw: rest.slice((cut + len) as u32, rest.len()) }
        });
        if value.is_none() {
            self.error(key.span(), Kind::MissingValue { instruction: name });
        }
        KeyValue { span: rest.full_span(), key, value }
    }

    fn copy(
        &mut self,
        keyword: Keyword,
        instruction: &Instruction,
        form: Json,
    ) -> Option<InstructionKind> {
        let name = keyword.name();
        let mut words = match self.list(&instruction.rest, form) {
            Some(words) if words.len() >= 2 => words,
            Some(words) => {
                let span = instruction.keyword.full_span();
                self.error(span, Kind::MissingDestination { instruction: name });
                words
            }
            None => return None,
        };
        let dest = words.pop().unwrap_or_else(|| Word { raw: instruction.rest.clone() });
        if heredoc_marker(dest.as_str()).is_some() {
            self.error(dest.span(), Kind::HeredocDestination { instruction: name });
        }
        let sources = words.into_iter().map(|w| source(w, &instruction.heredocs)).collect();
        Some(match keyword {
            Keyword::Add => InstructionKind::Add { sources, dest },
            _ => InstructionKind::Copy { sources, dest },
        })
    }

    /// JSON strings, or words at blanks.
    fn list(&mut self, rest: &LogicalText, form: Json) -> Option<Vec<Word>> {
        match form {
            Json::Strings(strings) => Some(strings.iter().map(|s| s.word(rest)).collect()),
            Json::No => Some(blank_separated(rest)),
            Json::Mixed => {
                self.error(rest.full_span(), Kind::NotStrings);
                None
            }
        }
    }

    fn volume(&mut self, instruction: &Instruction) -> Option<Vec<Word>> {
        let words = self.list(&instruction.rest, json::parse(&instruction.rest))?;
        if words.is_empty() {
            let span = instruction.keyword.full_span();
            self.error(span, Kind::MissingArgument { instruction: "VOLUME" });
            return None;
        }
        for word in words.iter().filter(|w| w.as_str().trim().is_empty()) {
            self.error(word.span(), Kind::EmptyVolume);
        }
        Some(words)
    }

    fn shell(&mut self, instruction: &Instruction) -> Option<Vec<Spanned<String>>> {
        let rest = &instruction.rest;
        let kind = match json::parse(rest) {
            Json::Strings(strings) if !strings.is_empty() => {
                return Some(strings.into_iter().map(|s| s.spanned(rest)).collect());
            }
            Json::Strings(_) => Kind::MissingArgument { instruction: "SHELL" },
            Json::Mixed => Kind::NotStrings,
            Json::No if rest.is_empty() => Kind::MissingArgument { instruction: "SHELL" },
            Json::No => Kind::ShellNotJson,
        };
        let span = if rest.is_empty() { instruction.keyword.full_span() } else { rest.full_span() };
        self.error(span, kind);
        None
    }

    fn onbuild(&mut self, instruction: &Instruction, trigger: bool) -> InstructionKind {
        let rest = &instruction.rest;
        let keyword_span = instruction.keyword.full_span();
        if trigger {
            self.error(keyword_span, Kind::ChainedOnbuild);
            return InstructionKind::Invalid;
        }
        if rest.is_empty() {
            self.error(keyword_span, Kind::MissingArgument { instruction: "ONBUILD" });
            return InstructionKind::Invalid;
        }
        let inner = self.instruction_of(rest, true);
        let keyword = Keyword::of(&inner.keyword);
        if let Some(keyword @ (Keyword::From | Keyword::Maintainer)) = keyword {
            let instruction = keyword.name().to_owned();
            let span = inner.keyword.full_span();
            self.error(span, Kind::OnbuildTrigger { instruction });
        }
        InstructionKind::Onbuild(Box::new(inner))
    }
}

/// Whether BuildKit finds the error of a trigger only when it fires.
fn fires_late(kind: &Kind) -> bool {
    !matches!(
        kind,
        Kind::MissingValue { .. }
            | Kind::MissingEquals { .. }
            | Kind::NotStrings
            | Kind::UnterminatedHeredoc { .. }
            | Kind::HeredocDelimiter(_)
            | Kind::ChainedOnbuild
    )
}

/// Exec form or shell form.
pub(super) fn command_line(
    rest: &LogicalText,
    form: Json,
    errors: &mut Vec<SyntaxError>,
) -> Option<CommandLine> {
    match form {
        Json::Strings(strings) => {
            Some(CommandLine::Exec(strings.into_iter().map(|s| s.spanned(rest)).collect()))
        }
        Json::No => Some(CommandLine::Shell(rest.clone())),
        Json::Mixed => {
            let span = rest.full_span();
            errors.push(SyntaxError { span, kind: Kind::NotStrings, in_trigger: false });
            None
        }
    }
}

fn source(word: Word, heredocs: &[Heredoc]) -> CopySource {
    let index = heredoc_marker(word.as_str())
        .and_then(|marker| heredocs.iter().rposition(|h| h.name == marker.name));
    index.map_or(CopySource::Path(word), CopySource::Heredoc)
}

fn is_stage_name(name: &str) -> bool {
    let lower = name.to_lowercase();
    let mut bytes = lower.bytes();
    bytes.next().is_some_and(|b| b.is_ascii_lowercase())
        && bytes.all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-_.".contains(&b))
}

//! From a file's text to its tree, line by line as BuildKit's parser does it.

mod arguments;
mod directive;
mod flags;
mod healthcheck;
mod heredoc;
mod json;
mod keyword;
mod lines;
mod split;

use std::sync::Arc;

use crate::error::{SyntaxError, SyntaxErrorKind as Kind};
use crate::span::Span;
use crate::text::{LogicalText, TextBuilder};
use crate::tree::{Dockerfile, Element, ElementKind, Instruction, InstructionKind};

use directive::Directives;
use heredoc::Terminators;
use keyword::Keyword;
use lines::{Lines, continued, is_comment};

pub use flags::{FieldsError, mount_options};
pub(crate) use heredoc::heredoc_marker;

/// Parses a Dockerfile. Never fails: what is wrong stands in [`Dockerfile::errors`].
///
/// A file of 4 GiB or more is not read at all: it has one error and no elements.
pub fn parse(text: impl Into<Arc<str>>) -> Dockerfile {
    let text = text.into();
    if u32::try_from(text.len()).is_err() {
        let error =
            SyntaxError { span: Span::empty(0), kind: Kind::FileTooLarge, in_trigger: false };
        return Dockerfile {
            text,
            elements: Vec::new(),
            escape: '\\',
            instructions: Vec::new(),
            errors: vec![error],
        };
    }
    let mut parser = Parser {
        file: &text,
        whole: LogicalText::contiguous(Arc::clone(&text), 0),
        lines: Lines::new(&text),
        elements: Vec::new(),
        instructions: Vec::new(),
        errors: Vec::new(),
        directives: Directives::default(),
        terminators: Terminators::default(),
    };
    parser.file();
    let Parser { elements, instructions, errors, directives, .. } = parser;
    let escape = directives.escape();
    Dockerfile { text, elements, escape, instructions, errors }
}

/// The state of one run.
struct Parser<'t> {
    file: &'t str,
    /// The file as a text, of which the others are cut.
    whole: LogicalText,
    lines: Lines<'t>,
    elements: Vec<Element>,
    instructions: Vec<Instruction>,
    errors: Vec<SyntaxError>,
    directives: Directives,
    terminators: Terminators<'t>,
}

/// An instruction's text before it is understood.
struct Logical {
    /// Continuations joined, without the white space before the keyword.
    text: LogicalText,
    /// Comment lines and blank lines inside.
    trivia: Vec<Span>,
    /// Where its first line begins, without white space.
    start: u32,
    /// Where its last line ends, without the line end.
    end: u32,
}

impl<'t> Parser<'t> {
    fn file(&mut self) {
        if self.file.starts_with('\u{feff}') {
            self.element(ElementKind::Bom, 0, 3);
            self.lines.skip_to(3);
        }
        while let Some(line) = self.lines.next() {
            let content = line.content(self.file);
            let start = line.end_of_content - content.len();
            if content.is_empty() {
                self.directives.close();
                self.element(ElementKind::Blank, line.start, line.end);
            } else if content.starts_with('#') {
                let (kind, error) =
                    self.directives.comment_line(content, start as u32, start > line.start);
                self.element(kind, line.start, line.end);
                self.errors.extend(error);
            } else {
                self.directives.close();
                let logical = self.logical_line(start, line.end_of_content);
                let instruction = self.instruction(logical);
                let kind = ElementKind::Instruction(self.instructions.len());
                self.instructions.push(instruction);
                self.element(kind, line.start, self.lines.position());
            }
        }
        self.check_order();
        for line in self.lines.too_long() {
            let kind = Kind::LineTooLong { length: line.len() as usize };
            self.errors.push(SyntaxError { span: *line, kind, in_trigger: false });
        }
        self.errors.sort_by_key(|e| e.span);
    }

    fn element(&mut self, kind: ElementKind, start: usize, end: usize) {
        self.elements.push(Element { kind, span: Span::new(start as u32, end as u32) });
    }

    fn error(&mut self, span: Span, kind: Kind) {
        self.errors.push(SyntaxError { span, kind, in_trigger: false });
    }

    /// Joins the line at `start..end` with those that continue it.
    fn logical_line(&mut self, start: usize, end: usize) -> Logical {
        let escape = self.directives.escape_byte();
        let text: &'t str = self.file;
        let mut last = end as u32;
        let Some(kept) = continued(&text.as_bytes()[start..end], escape) else {
            let text = self.whole.cut(start..end);
            return Logical { text, trivia: Vec::new(), start: start as u32, end: last };
        };
        let mut builder = TextBuilder::with_capacity(2 * (end - start));
        let mut trivia = Vec::new();
        builder.push(&text[start..start + kept], start as u32);
        while let Some(line) = self.lines.next() {
            let whole = &text[line.start..line.end_of_content];
            if is_comment(whole) || whole.trim_start().is_empty() {
                trivia.push(Span::new(line.start as u32, line.end as u32));
                continue;
            }
            last = line.end_of_content as u32;
            match continued(whole.as_bytes(), escape) {
                Some(kept) => builder.push(&whole[..kept], line.start as u32),
                None => {
                    builder.push(whole, line.start as u32);
                    break;
                }
            }
        }
        let start = start as u32;
        Logical { text: builder.finish(start), trivia, start, end: last }
    }

    /// Understands an instruction and reads its here-documents.
    fn instruction(&mut self, logical: Logical) -> Instruction {
        let mut instruction = self.instruction_of(&logical.text, false);
        instruction.trivia = logical.trivia;
        let innermost = match &instruction.kind {
            InstructionKind::Onbuild(inner) => inner,
            _ => &instruction,
        };
        let end = innermost.heredocs.last().map_or(logical.end, |h| {
            let body = h.body_span.end;
            if h.terminator.is_empty() { body.max(logical.end) } else { h.terminator.end }
        });
        instruction.span = Span::new(logical.start, end);
        instruction
    }

    fn instruction_of(&mut self, line: &LogicalText, trigger: bool) -> Instruction {
        let parts = split::split_command(line, self.directives.escape());
        let mut instruction = Instruction {
            span: line.full_span(),
            keyword: parts.keyword,
            flags: parts.flags,
            rest: parts.rest,
            kind: InstructionKind::Invalid,
            heredocs: Vec::new(),
            trivia: Vec::new(),
        };
        let Some(keyword) = Keyword::of(&instruction.keyword) else {
            let kind = keyword::unknown(&instruction.keyword);
            let span = instruction.keyword.full_span();
            // BuildKit reads a trigger only when it fires.
            self.errors.push(SyntaxError { span, kind, in_trigger: trigger });
            return instruction;
        };
        self.arguments(keyword, &mut instruction, line, trigger);
        instruction
    }

    /// What must stand before what.
    fn check_order(&mut self) {
        let is_from = |i: &Instruction| matches!(i.kind, InstructionKind::From { .. });
        let is_arg = |i: &Instruction| matches!(Keyword::of(&i.keyword), Some(Keyword::Arg) | None);
        let Some(last) = self.instructions.last() else {
            return self.error(Span::empty(0), Kind::NoInstructions);
        };
        let end = last.span.end;
        let first_from = self.instructions.iter().position(is_from);
        let before = &self.instructions[..first_from.unwrap_or(self.instructions.len())];
        match (before.iter().find(|i| !is_arg(i)), first_from) {
            (Some(early), _) => {
                let keyword = early.keyword.to_uppercase();
                self.error(early.keyword.full_span(), Kind::BeforeFirstFrom { keyword });
            }
            (None, None) => self.error(Span::empty(end), Kind::NoStages),
            (None, Some(_)) => {}
        }
    }
}

#[cfg(test)]
mod tests;

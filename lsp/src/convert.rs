//! The one place where byte offsets become positions of the protocol, and back.

use lsp_types::{
    CodeDescription, DiagnosticRelatedInformation, DiagnosticSeverity, Location, Position,
    PositionEncodingKind, Range, TextEdit, Uri,
};
use mlint_lint::{Diagnostic, Severity};
use mlint_syntax::{Edit, LineIndex, Span};

/// The unit in which the client counts columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// Bytes.
    Utf8,
    /// UTF-16 code units, the protocol's default.
    Utf16,
}

impl Encoding {
    /// The best that both sides know: bytes where the client offers them.
    pub fn choose(offered: Option<&[PositionEncodingKind]>) -> Self {
        match offered {
            Some(kinds) if kinds.contains(&PositionEncodingKind::UTF8) => Self::Utf8,
            _ => Self::Utf16,
        }
    }

    /// As the protocol names it.
    pub fn kind(self) -> PositionEncodingKind {
        match self {
            Self::Utf8 => PositionEncodingKind::UTF8,
            Self::Utf16 => PositionEncodingKind::UTF16,
        }
    }

    fn width(self, c: char) -> u32 {
        match self {
            Self::Utf8 => c.len_utf8() as u32,
            Self::Utf16 => c.len_utf16() as u32,
        }
    }
}

/// Converts places of one text.
#[derive(Clone, Copy)]
pub(crate) struct Converter<'a> {
    pub(crate) text: &'a str,
    pub(crate) lines: &'a LineIndex,
    pub(crate) encoding: Encoding,
}

impl Converter<'_> {
    /// The position of the byte at `offset`; an offset inside a character counts as its start, one
    /// beyond the text as its end.
    pub(crate) fn position(&self, offset: u32) -> Position {
        let mut offset = (offset as usize).min(self.text.len());
        while !self.text.is_char_boundary(offset) {
            offset -= 1;
        }
        let line = self.lines.line(offset as u32);
        let start = self.lines.line_start(line).unwrap_or(0) as usize;
        let character = self.text[start..offset].chars().map(|c| self.encoding.width(c)).sum();
        Position { line: line - 1, character }
    }

    /// The offset of a position; a column beyond the line's end counts as its end, a line beyond
    /// the last as the end of the text, a column inside a character as its start.
    pub(crate) fn offset(&self, position: Position) -> u32 {
        let end = self.text.len() as u32;
        let Some(number) = position.line.checked_add(1) else { return end };
        let (Some(start), Some(line)) =
            (self.lines.line_start(number), self.lines.line_text(self.text, number))
        else {
            return end;
        };
        let mut column = 0;
        for (at, c) in line.char_indices() {
            column += self.encoding.width(c);
            if column > position.character {
                return start + at as u32;
            }
        }
        start + line.len() as u32
    }

    pub(crate) fn range(&self, span: Span) -> Range {
        Range { start: self.position(span.start), end: self.position(span.end) }
    }

    /// The bytes of a range; one that is turned around counts as empty.
    pub(crate) fn span(&self, range: Range) -> Span {
        Span::new(self.offset(range.start), self.offset(range.end))
    }

    pub(crate) fn edit(&self, edit: &Edit) -> TextEdit {
        TextEdit { range: self.range(edit.span), new_text: edit.text.clone() }
    }

    /// A finding as the client shows it.
    pub(crate) fn diagnostic(
        &self,
        finding: &Diagnostic,
        uri: &Uri,
        with_related: bool,
    ) -> lsp_types::Diagnostic {
        let message = match &finding.help {
            Some(help) => format!("{}\nhelp: {help}", finding.message),
            None => finding.message.clone(),
        };
        let related = || {
            finding
                .related
                .iter()
                .map(|r| DiagnosticRelatedInformation {
                    location: Location { uri: uri.clone(), range: self.range(r.span) },
                    message: r.message.clone(),
                })
                .collect::<Vec<_>>()
        };
        lsp_types::Diagnostic {
            range: self.range(finding.span),
            severity: Some(severity(finding.severity)),
            code: Some(lsp_types::NumberOrString::String(finding.rule.to_owned())),
            code_description: None::<CodeDescription>,
            source: Some("mlint".to_owned()),
            message,
            related_information: (with_related && !finding.related.is_empty()).then(related),
            tags: None,
            data: None,
        }
    }
}

fn severity(severity: Severity) -> DiagnosticSeverity {
    match severity {
        Severity::Error => DiagnosticSeverity::ERROR,
        Severity::Warning => DiagnosticSeverity::WARNING,
        Severity::Advice => DiagnosticSeverity::INFORMATION,
        Severity::Note => DiagnosticSeverity::HINT,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "FROM a\r\n# é🚀x\r\n\nend";

    fn with<T>(encoding: Encoding, f: impl FnOnce(Converter<'_>) -> T) -> T {
        f(Converter { text: TEXT, lines: &LineIndex::new(TEXT), encoding })
    }

    #[test]
    fn columns_are_counted_in_the_clients_unit() {
        let x = TEXT.find('x').unwrap() as u32;
        for (encoding, column) in [(Encoding::Utf16, 5), (Encoding::Utf8, 8)] {
            with(encoding, |c| {
                let place = Position { line: 1, character: column };
                assert_eq!(c.position(x), place);
                assert_eq!(c.offset(place), x);
            });
        }
    }

    #[test]
    fn every_boundary_goes_there_and_back() {
        for encoding in [Encoding::Utf16, Encoding::Utf8] {
            with(encoding, |c| {
                for (at, ch) in TEXT.char_indices() {
                    // A line's end has one place: the `\n` of `\r\n` lies beyond it.
                    if !(ch == '\n' && at > 0 && TEXT.as_bytes()[at - 1] == b'\r') {
                        assert_eq!(c.offset(c.position(at as u32)), at as u32, "{encoding:?} {at}");
                    }
                }
            });
        }
    }

    #[test]
    fn places_off_the_text_are_clamped() {
        with(Encoding::Utf16, |c| {
            let end = TEXT.len() as u32;
            assert_eq!(c.offset(Position { line: 0, character: 99 }), 6);
            assert_eq!(c.offset(Position { line: 99, character: 0 }), end);
            assert_eq!(c.offset(Position { line: u32::MAX, character: u32::MAX }), end);
            assert_eq!(c.position(u32::MAX), Position { line: 3, character: 3 });
            // Inside the rocket: its start.
            let rocket = TEXT.find('🚀').unwrap() as u32;
            assert_eq!(c.offset(Position { line: 1, character: 4 }), rocket);
            assert_eq!(c.position(rocket + 2), c.position(rocket));
        });
    }
}

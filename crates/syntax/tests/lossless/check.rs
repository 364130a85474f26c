//! What must hold of the tree of any text; also used by the fuzz targets.

use mlint_syntax::shell::{
    Command, ShellWord, Visitor, WordPart, parse_shell, walk_command, walk_part, walk_script,
    walk_word,
};
use mlint_syntax::word::{ParsedWord, Part, expand, expand_words, parse_heredoc_body, parse_word};
use mlint_syntax::{
    CommandLine, CopySource, Dockerfile, ElementKind, Instruction, InstructionKind, KeyValue,
    LogicalText, Span, Word, dump, mount_options, parse,
};

struct Checker<'f> {
    text: &'f str,
    escape: char,
}

impl Checker<'_> {
    fn span(&self, span: Span) {
        assert!(span.start <= span.end, "{span:?}");
        assert!(
            self.text.get(span.range()).is_some(),
            "{span:?} splits a character or lies outside"
        );
    }

    /// The text's pieces in the file, put together, are the text.
    fn text(&self, text: &LogicalText) {
        self.span(text.full_span());
        let pieces = text.pieces(0, text.len());
        pieces.iter().for_each(|p| self.span(*p));
        let written: String = pieces.iter().map(|p| &self.text[p.range()]).collect();
        assert_eq!(written, text.as_str());
    }

    fn raw_word(&self, word: &Word) {
        self.span(word.span());
        let parsed = parse_word(&word.raw, self.escape);
        self.parsed(&parsed);
        let lookup = |name: &str| name.len().is_multiple_of(2).then(|| "v *".to_owned());
        let _ = expand(&parsed, &lookup);
        let _ = expand_words(&parsed, &lookup);
    }

    fn parsed(&self, word: &ParsedWord) {
        self.span(word.span);
        word.error.iter().for_each(|e| self.span(e.span));
        for part in &word.parts {
            match part {
                Part::Literal { span, text, .. } => {
                    self.span(*span);
                    self.span(text.full_span());
                }
                Part::Variable(variable) => {
                    self.span(variable.span);
                    self.span(variable.name_span);
                    if let Some(op) = &variable.op {
                        self.parsed(&op.operand);
                        op.replacement.iter().for_each(|w| self.parsed(w));
                    }
                }
            }
        }
    }

    fn pairs(&self, pairs: &[KeyValue]) {
        for pair in pairs {
            self.span(pair.span);
            self.raw_word(&pair.key);
            pair.value.iter().for_each(|v| self.raw_word(v));
        }
    }

    fn command_line(&self, line: &CommandLine) {
        match line {
            CommandLine::Shell(text) => self.text(text),
            CommandLine::Exec(strings) => strings.iter().for_each(|s| self.span(s.span)),
        }
    }

    fn instruction(&mut self, instruction: &Instruction) {
        self.span(instruction.span);
        self.text(&instruction.keyword);
        self.text(&instruction.rest);
        instruction.trivia.iter().for_each(|t| self.span(*t));
        for flag in &instruction.flags {
            self.span(flag.span);
            self.text(&flag.name);
            flag.value.iter().for_each(|v| self.raw_word(v));
            self.pairs(&mount_options(flag).unwrap_or_default());
        }
        for heredoc in &instruction.heredocs {
            self.span(heredoc.marker);
            self.span(heredoc.body_span);
            self.span(heredoc.terminator);
            self.text(&heredoc.body);
            self.text(&heredoc.raw_body);
            self.parsed(&parse_heredoc_body(&heredoc.body));
        }
        match &instruction.kind {
            InstructionKind::From { image, name } => {
                self.raw_word(image);
                name.iter().for_each(|n| self.raw_word(n));
            }
            InstructionKind::Arg(p) | InstructionKind::Env(p) | InstructionKind::Label(p) => {
                self.pairs(p);
            }
            InstructionKind::Copy { sources, dest } | InstructionKind::Add { sources, dest } => {
                for source in sources {
                    match source {
                        CopySource::Path(path) => self.raw_word(path),
                        CopySource::Heredoc(index) => assert!(*index < instruction.heredocs.len()),
                    }
                }
                self.raw_word(dest);
            }
            InstructionKind::Expose(words) | InstructionKind::Volume(words) => {
                words.iter().for_each(|w| self.raw_word(w));
            }
            InstructionKind::User(w) | InstructionKind::Workdir(w) => self.raw_word(w),
            InstructionKind::Shell(strings) => strings.iter().for_each(|s| self.span(s.span)),
            InstructionKind::Onbuild(inner) => self.instruction(inner),
            _ => {}
        }
        instruction.command_line().iter().for_each(|line| self.command_line(line));
        if let Some(script) = instruction.shell_script() {
            self.shell(&script.text);
        }
    }

    fn shell(&mut self, text: &LogicalText) {
        let script = parse_shell(text);
        script.errors.iter().for_each(|e| self.span(*e));
        walk_script(self, &script);
    }
}

impl Visitor for Checker<'_> {
    fn command(&mut self, command: &Command) {
        self.span(command.span);
        command.redirects.iter().for_each(|r| self.span(r.span));
        walk_command(self, command);
    }

    fn word(&mut self, word: &ShellWord) {
        self.span(word.span);
        walk_word(self, word);
    }

    fn part(&mut self, part: &WordPart) {
        match part {
            WordPart::Literal { span, text, .. } => {
                self.span(*span);
                self.span(text.full_span());
            }
            WordPart::Param(param) => {
                self.span(param.span);
                self.span(param.name_span);
            }
            WordPart::CommandSub { span, .. }
            | WordPart::Arithmetic { span, .. }
            | WordPart::ProcessSub { span, .. }
            | WordPart::Opaque(span) => self.span(*span),
            _ => {}
        }
        walk_part(self, part);
    }
}

/// Every byte is in the tree, printing it gives the text back, and every span can be shown.
pub fn check(text: &str) {
    let file: Dockerfile = parse(text);
    let mut at = 0;
    for element in &file.elements {
        assert_eq!(element.span.start, at, "a gap or an overlap");
        assert!(!element.span.is_empty());
        at = element.span.end;
        if let ElementKind::Instruction(index) = element.kind {
            assert!(element.span.contains(file.instructions[index].span));
        }
    }
    assert_eq!(at as usize, text.len(), "bytes at the end are missing");
    let printed: String = file.elements.iter().map(|e| &text[e.span.range()]).collect();
    assert_eq!(printed, text);
    let mut checker = Checker { text, escape: file.escape };
    file.errors.iter().for_each(|e| checker.span(e.span));
    file.instructions.iter().for_each(|i| checker.instruction(i));
    let whole = LogicalText::contiguous(text, 0);
    checker.shell(&whole);
    dump::dump(&file);
}

/// A break in one instruction leaves the others intact: `broken`, between instructions, may change
/// nothing of what stands before and after it.
///
/// `before` begins with a FROM; `after` begins with an instruction in capitals.
pub fn check_break(before: &str, broken: &str, after: &str) {
    // A last line, so that a continuation has its end within what is broken.
    let broken = format!("{broken}\n.\n");
    // The same file with a comment of that length in its place: all others stand where they stood.
    let comment = format!("#{}\n", "x".repeat(broken.len() - 2));
    let text = format!("{before}{broken}{after}");
    let (with, without) = (parse(text.as_str()), parse(format!("{before}{comment}{after}")));
    let (start, end) = (before.len() as u32, (before.len() + broken.len()) as u32);
    // A here-document that is announced here and has its end further on does reach that far.
    let reaches = |i: &Instruction| {
        i.heredocs.iter().any(|h| h.marker.start < end && h.terminator.start >= end)
    };
    let inner = |i: &Instruction| match &i.kind {
        InstructionKind::Onbuild(inner) => reaches(inner),
        _ => reaches(i),
    };
    if with.instructions.iter().any(inner) {
        return;
    }
    let outside = |file: &Dockerfile| {
        let instructions = file.instructions.iter();
        let instructions = instructions.filter(|i| i.span.start < start || i.span.start >= end);
        let errors = file.errors.iter();
        let errors = errors.filter(|e| e.span.start < start || e.span.start >= end);
        let all = instructions.map(|i| format!("{i:?}"));
        all.chain(errors.map(|e| format!("{e:?}"))).collect::<Vec<_>>()
    };
    assert_eq!(outside(&with), outside(&without), "{broken:?} changes others in {text:?}");
}

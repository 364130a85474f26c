//! Lists, pipelines and simple commands.

use std::sync::Arc;

use super::ast::{
    AndOrOp, Assignment, AssignmentValue, Command, CommandKind, Declaration, DeclarationArgument,
    Script, ShellWord, SimpleCommand,
};
use super::cursor::{Broken, Parsed, Parser, ends_word, is_name, name_len};
use crate::span::Spanned;

/// Words that end a list where a command could begin.
const CLOSING: [&str; 8] = ["then", "else", "elif", "fi", "do", "done", "esac", "}"];

impl Parser<'_> {
    /// Commands up to the end, a closing word, `)` or `;;`. When one breaks, the place is set
    /// back to where it begins; those before it are in `out`.
    pub(super) fn commands(&mut self, out: &mut Vec<Command>) -> Parsed<()> {
        loop {
            self.newlines();
            if self.at_list_end() {
                return Ok(());
            }
            let start = self.at;
            let mut command = match self.and_or() {
                Ok(command) => command,
                Err(Broken) => {
                    self.at = start;
                    return Err(Broken);
                }
            };
            self.blanks();
            match self.peek() {
                Some(b'&') if self.peek_at(1) != Some(b'&') => {
                    self.at += 1;
                    command.background = true;
                }
                Some(b';') if !matches!(self.peek_at(1), Some(b';' | b'&')) => self.at += 1,
                Some(b'\n') => self.newline(),
                _ if self.at_list_end() => {}
                _ => {
                    self.at = start;
                    return Err(Broken);
                }
            }
            out.push(command);
        }
    }

    /// A list inside of something: at least one command.
    pub(super) fn inner_script(&mut self) -> Parsed<Script> {
        self.deeper(|parser| {
            let start = parser.at;
            let mut commands = Vec::new();
            parser.commands(&mut commands)?;
            let span = match (commands.first(), commands.last()) {
                (Some(first), Some(last)) => first.span.cover(last.span),
                _ => parser.span(start, start),
            };
            Ok(Script { span, commands, errors: Vec::new() })
        })
    }

    fn at_list_end(&self) -> bool {
        match self.peek() {
            None | Some(b')') => true,
            Some(b';') => matches!(self.peek_at(1), Some(b';' | b'&')),
            Some(b'a'..=b'z' | b'}') => CLOSING.contains(&self.bare_word()),
            _ => false,
        }
    }

    /// The unquoted word here, as far as it can be a reserved one.
    pub(super) fn bare_word(&self) -> &str {
        let rest = self.rest();
        let end = rest.bytes().take(9).position(ends_word).unwrap_or(rest.len().min(9));
        rest.get(..end).unwrap_or_default()
    }

    fn and_or(&mut self) -> Parsed<Command> {
        let first = self.pipeline()?;
        let mut rest = Vec::new();
        loop {
            self.blanks();
            let op = if self.eat("&&") {
                AndOrOp::And
            } else if self.eat("||") {
                AndOrOp::Or
            } else {
                break;
            };
            self.newlines();
            rest.push((op, self.pipeline()?));
        }
        let Some((_, last)) = rest.last() else { return Ok(first) };
        let span = first.span.cover(last.span);
        Ok(command(span, CommandKind::AndOr { first: Box::new(first), rest }))
    }

    fn pipeline(&mut self) -> Parsed<Command> {
        let start = self.at;
        if self.at_time() {
            self.at += "time".len();
            self.blanks();
            if self.bare_word() == "-p" {
                self.at += "-p".len();
                self.blanks();
            }
            if self.at_list_end() || self.peek() == Some(b'\n') {
                // Alone, it tells how long the shell has run.
                let span = self.span(start, start + "time".len());
                return Ok(command(span, CommandKind::Simple(SimpleCommand::default())));
            }
            return self.deeper(Self::pipeline);
        }
        if self.peek() == Some(b'!') && self.peek_at(1).is_none_or(ends_word) {
            self.at += 1;
            self.blanks();
            let inner = self.deeper(Self::pipeline)?;
            let span = self.span(start, start + 1).cover(inner.span);
            return Ok(command(span, CommandKind::Negated(Box::new(inner))));
        }
        let first = self.command()?;
        let mut commands = vec![first];
        loop {
            self.blanks();
            if self.looking_at("||") || !(self.eat("|&") || self.eat("|")) {
                break;
            }
            self.newlines();
            commands.push(self.command()?);
        }
        if commands.len() == 1 {
            return commands.pop().ok_or(Broken);
        }
        let span = commands.iter().skip(1).fold(commands[0].span, |span, c| span.cover(c.span));
        Ok(command(span, CommandKind::Pipeline(commands)))
    }

    /// Whether the reserved word `time` stands here: before a compound command, which no program
    /// of that name could be given.
    fn at_time(&self) -> bool {
        if self.bare_word() != "time" {
            return false;
        }
        let rest = self.rest()["time".len()..].trim_start_matches([' ', '\t']);
        let rest = rest.strip_prefix("-p").map_or(rest, |r| r.trim_start_matches([' ', '\t']));
        let word = rest.split([' ', '\t', '\n', ';']).next().unwrap_or_default();
        let compound = matches!(word, "{" | "[[" | "if" | "case" | "for" | "while" | "until" | "!");
        compound || rest.starts_with('(') || rest.is_empty() || rest.starts_with(['\n', ';'])
    }

    pub(super) fn command(&mut self) -> Parsed<Command> {
        let start = self.at;
        let Some(kind) = self.compound()? else {
            // After an operator, a closing word is no command's name.
            if CLOSING.contains(&self.bare_word()) {
                return Err(Broken);
            }
            return self.simple();
        };
        let mut command = command(self.span(start, self.at), kind);
        if !matches!(command.kind, CommandKind::Function { .. }) {
            loop {
                self.blanks();
                let Some(redirect) = self.redirect()? else { break };
                command.span = command.span.cover(redirect.span);
                command.redirects.push(redirect);
            }
        }
        Ok(command)
    }

    fn simple(&mut self) -> Parsed<Command> {
        let start = self.at;
        let mut end = start;
        let mut simple = SimpleCommand::default();
        let mut declaration: Option<Declaration> = None;
        let mut redirects = Vec::new();
        loop {
            self.blanks();
            if let Some(redirect) = self.redirect()? {
                redirects.push(redirect);
                end = self.at;
                continue;
            }
            if self.at_word_end() && !self.at_process_substitution() {
                break;
            }
            if let Some(declaration) = &mut declaration {
                let argument = match self.assignment()? {
                    Some(assignment) => DeclarationArgument::Assignment(assignment),
                    None => DeclarationArgument::Word(self.word()?),
                };
                declaration.arguments.push(argument);
            } else if simple.words.is_empty()
                && let Some(assignment) = self.assignment()?
            {
                simple.assignments.push(assignment);
            } else {
                let word = self.word()?;
                let first = simple.words.is_empty();
                if first && redirects.is_empty() && simple.assignments.is_empty() {
                    if let Some(keyword) = declaring(&word) {
                        declaration = Some(Declaration { keyword, arguments: Vec::new() });
                    } else if let Some(function) = self.function_after(&word, start)? {
                        return Ok(function);
                    }
                }
                simple.words.push(word);
            }
            end = self.at;
        }
        if end == start {
            return Err(Broken);
        }
        let kind = match declaration {
            Some(declaration) => CommandKind::Declaration(declaration),
            None => CommandKind::Simple(simple),
        };
        let span = self.span(start, end);
        Ok(Command { span, kind, redirects, background: false })
    }

    /// `name() …`, after the name.
    fn function_after(&mut self, word: &ShellWord, start: usize) -> Parsed<Option<Command>> {
        let after_name = self.at;
        self.blanks();
        if self.peek() != Some(b'(') {
            self.at = after_name;
            return Ok(None);
        }
        self.at += 1;
        self.blanks();
        self.expect(")")?;
        let name = word.as_literal().ok_or(Broken)?;
        self.function_body(Spanned::new(name, word.span), start).map(Some)
    }

    /// After the parentheses, or the name after `function`.
    pub(super) fn function_body(&mut self, name: Spanned<String>, start: usize) -> Parsed<Command> {
        self.newlines();
        let body = self.deeper(Self::command)?;
        let span = self.span(start, start + 1).cover(body.span);
        Ok(command(span, CommandKind::Function { name, body: Arc::new(body) }))
    }

    /// `name=value`, `name+=value`, `name[index]=value`, if that is what comes next.
    fn assignment(&mut self) -> Parsed<Option<Assignment>> {
        let start = self.at;
        let rest = self.rest();
        let len = name_len(rest);
        if len == 0 {
            return Ok(None);
        }
        let mut end = start + len;
        let mut brackets = None;
        if self.text.as_bytes().get(end) == Some(&b'[') {
            let Some(close) = closing_bracket(&self.text[end..]) else { return Ok(None) };
            brackets = Some((end + 1, end + close));
            end += close + 1;
        }
        let append = self.text[end..].starts_with("+=");
        if !append && !self.text[end..].starts_with('=') {
            return Ok(None);
        }
        let index = match brackets {
            Some((from, to)) => {
                self.at = from;
                let index = self.index()?;
                if self.at != to {
                    return Err(Broken);
                }
                Some(index)
            }
            None => None,
        };
        self.at = end + 1 + usize::from(append);
        let name = Spanned::new(rest[..len].to_owned(), self.span(start, start + len));
        let value = if self.peek() == Some(b'(') {
            AssignmentValue::Array(self.array()?)
        } else if self.at_word_end() && !self.at_process_substitution() {
            AssignmentValue::Word(ShellWord { span: self.span(self.at, self.at), parts: vec![] })
        } else {
            AssignmentValue::Word(self.word()?)
        };
        let span = self.span(start, self.at);
        Ok(Some(Assignment { span, name, index, append, value }))
    }

    /// `(a b c)` after `name=`. An element `[key]=value` is one word.
    fn array(&mut self) -> Parsed<Vec<ShellWord>> {
        self.at += 1;
        let mut words = Vec::new();
        loop {
            self.newlines();
            if self.eat(")") {
                return Ok(words);
            }
            if self.at_word_end() && !self.at_process_substitution() {
                return Err(Broken);
            }
            words.push(self.word()?);
        }
    }
}

pub(super) fn command(span: crate::Span, kind: CommandKind) -> Command {
    Command { span, kind, redirects: Vec::new(), background: false }
}

fn declaring(word: &ShellWord) -> Option<Spanned<String>> {
    let name = word.as_literal()?;
    let declares = matches!(name.as_str(), "export" | "local" | "readonly" | "declare" | "typeset");
    declares.then(|| Spanned::new(name, word.span))
}

/// Where the bracket that opens at the start is closed, near by.
fn closing_bracket(text: &str) -> Option<usize> {
    const NEAR: usize = 1024;
    let bytes = &text.as_bytes()[..text.len().min(NEAR)];
    let mut depth = 0usize;
    let mut at = 0;
    while let Some(&b) = bytes.get(at) {
        match b {
            b'[' => depth += 1,
            b']' => {
                depth -= 1;
                if depth == 0 {
                    return Some(at);
                }
            }
            b'\'' | b'"' => at += 1 + memchr::memchr(b, &bytes[at + 1..])?,
            b'\\' => at += 1,
            b'\n' | b';' | b' ' | b'\t' | b'`' | b'&' | b'|' | b'<' | b'>' => return None,
            _ => {}
        }
        at += 1;
    }
    None
}

/// Whether the word could name a loop variable.
pub(super) fn variable_name(word: &ShellWord) -> Parsed<Spanned<String>> {
    let name = word.as_literal().filter(|name| is_name(name)).ok_or(Broken)?;
    Ok(Spanned::new(name, word.span))
}

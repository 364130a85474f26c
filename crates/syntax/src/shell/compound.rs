//! Commands with an inside: `if`, `case`, loops, groups, functions.

use super::ast::{CaseArm, CaseEnd, CommandKind, IfBranch, Script};
use super::commands::variable_name;
use super::cursor::{Broken, Parsed, Parser, ends_word};
use crate::span::Spanned;

impl Parser<'_> {
    /// A compound command, if one begins here.
    pub(super) fn compound(&mut self) -> Parsed<Option<CommandKind>> {
        if self.peek() == Some(b'(') {
            return self.parenthesis().map(Some);
        }
        let start = self.at;
        let word = self.bare_word();
        let len = word.len();
        let read: fn(&mut Self) -> Parsed<CommandKind> = match word {
            "if" => Self::if_command,
            "case" => Self::case_command,
            "for" => |parser| parser.for_command(false),
            "select" => |parser| parser.for_command(true),
            "coproc" => Self::coprocess,
            "while" => |parser| parser.while_command(false),
            "until" => |parser| parser.while_command(true),
            "{" => Self::group,
            "[[" => Self::double_bracket,
            "function" => {
                self.at += len;
                return self.function_keyword(start).map(Some);
            }
            _ => return Ok(None),
        };
        self.at += len;
        self.deeper(read).map(Some)
    }

    /// `( … )`, or `(( … ))` if it is closed as one.
    fn parenthesis(&mut self) -> Parsed<CommandKind> {
        if self.peek_at(1) == Some(b'(')
            && let Some(end) = self.arithmetic_end(self.at + 2)
        {
            let (from, to) = (self.at + 2, end);
            self.at = end + 2;
            let text = self.text[from..to].to_owned();
            return Ok(CommandKind::Arithmetic(Spanned::new(text, self.span(from, to))));
        }
        self.at += 1;
        let script = self.body()?;
        self.expect(")")?;
        Ok(CommandKind::Subshell(script))
    }

    /// A list that may not be empty, up to its closing word.
    fn body(&mut self) -> Parsed<Script> {
        let script = self.inner_script()?;
        if script.commands.is_empty() { Err(Broken) } else { Ok(script) }
    }

    fn keyword(&mut self, word: &str) -> bool {
        if self.bare_word() != word {
            return false;
        }
        self.at += word.len();
        true
    }

    fn expect_keyword(&mut self, word: &str) -> Parsed<()> {
        if self.keyword(word) { Ok(()) } else { Err(Broken) }
    }

    fn if_command(&mut self) -> Parsed<CommandKind> {
        let mut branches = Vec::new();
        loop {
            let condition = self.body()?;
            self.expect_keyword("then")?;
            let body = self.body()?;
            branches.push(IfBranch { condition, body });
            if !self.keyword("elif") {
                break;
            }
        }
        let otherwise = if self.keyword("else") { Some(self.body()?) } else { None };
        self.expect_keyword("fi")?;
        Ok(CommandKind::If { branches, otherwise })
    }

    fn while_command(&mut self, until: bool) -> Parsed<CommandKind> {
        let condition = self.body()?;
        let body = self.do_group()?;
        Ok(CommandKind::While { until, condition, body })
    }

    fn do_group(&mut self) -> Parsed<Script> {
        self.expect_keyword("do")?;
        let body = self.body()?;
        self.expect_keyword("done")?;
        Ok(body)
    }

    fn group(&mut self) -> Parsed<CommandKind> {
        let script = self.body()?;
        self.expect_keyword("}")?;
        Ok(CommandKind::Group(script))
    }

    fn for_command(&mut self, select: bool) -> Parsed<CommandKind> {
        self.blanks();
        if !select && self.looking_at("((") {
            return self.c_for();
        }
        let variable = variable_name(&self.word()?)?;
        self.newlines();
        let mut words = None;
        if self.keyword("in") {
            let mut list = Vec::new();
            loop {
                self.blanks();
                if self.at_word_end() && !self.at_process_substitution() {
                    break;
                }
                list.push(self.word()?);
            }
            words = Some(list);
            if !self.eat(";") && self.peek() != Some(b'\n') {
                return Err(Broken);
            }
        } else {
            self.eat(";");
        }
        let body = self.loop_body()?;
        Ok(CommandKind::For { variable, words, select, body })
    }

    /// `coproc [NAME] command`: it runs beside the script, as in a subshell.
    fn coprocess(&mut self) -> Parsed<CommandKind> {
        self.blanks();
        let start = self.at;
        let named = self.compound_after_name();
        if !named {
            self.at = start;
        }
        let command = self.command()?;
        let script = Script { span: command.span, commands: vec![command], errors: Vec::new() };
        Ok(CommandKind::Subshell(script))
    }

    /// Goes past a name that stands before a compound command.
    fn compound_after_name(&mut self) -> bool {
        let len = super::cursor::name_len(self.rest());
        self.at += len;
        self.blanks();
        let word = self.bare_word();
        len > 0
            && (self.peek() == Some(b'(')
                || matches!(word, "{" | "[[" | "if" | "case" | "for" | "while" | "until"))
    }

    /// `do … done`, or the braces that bash takes as well.
    fn loop_body(&mut self) -> Parsed<Script> {
        self.newlines();
        if !self.keyword("{") {
            return self.do_group();
        }
        let body = self.body()?;
        self.expect_keyword("}")?;
        Ok(body)
    }

    fn c_for(&mut self) -> Parsed<CommandKind> {
        let from = self.at + 2;
        let end = self.arithmetic_end(from).ok_or(Broken)?;
        self.at = end + 2;
        let header = Spanned::new(self.text[from..end].to_owned(), self.span(from, end));
        self.blanks();
        self.eat(";");
        let body = self.loop_body()?;
        Ok(CommandKind::CFor { header, body })
    }

    fn case_command(&mut self) -> Parsed<CommandKind> {
        self.blanks();
        if self.at_word_end() {
            return Err(Broken);
        }
        let word = self.word()?;
        self.newlines();
        self.expect_keyword("in")?;
        let mut arms = Vec::new();
        loop {
            self.newlines();
            if self.keyword("esac") {
                return Ok(CommandKind::Case { word, arms });
            }
            arms.push(self.case_arm()?);
        }
    }

    fn case_arm(&mut self) -> Parsed<CaseArm> {
        let start = self.at;
        self.eat("(");
        let mut patterns = Vec::new();
        loop {
            self.blanks();
            patterns.push(self.word()?);
            self.blanks();
            if self.eat(")") {
                break;
            }
            self.expect("|")?;
        }
        let body = self.inner_script()?;
        let end = if self.eat(";;&") {
            CaseEnd::Continue
        } else if self.eat(";&") {
            CaseEnd::FallThrough
        } else if self.eat(";;") || self.bare_word() == "esac" {
            CaseEnd::Break
        } else {
            return Err(Broken);
        };
        Ok(CaseArm { span: self.span(start, self.at), patterns, body, end })
    }

    fn function_keyword(&mut self, start: usize) -> Parsed<CommandKind> {
        self.blanks();
        let word = self.word()?;
        self.blanks();
        if self.eat("(") {
            self.blanks();
            self.expect(")")?;
        }
        let name = Spanned::new(word.as_literal().ok_or(Broken)?, word.span);
        Ok(self.function_body(name, start)?.kind)
    }

    /// Where the `))` stands that closes what begins at `from`, if everything between is balanced.
    pub(super) fn arithmetic_end(&self, from: usize) -> Option<usize> {
        let bytes = self.text.as_bytes();
        let mut depth = 0usize;
        let mut at = from;
        while let Some(&b) = bytes.get(at) {
            match b {
                b'(' => depth += 1,
                b')' if depth > 0 => depth -= 1,
                b')' => return (bytes.get(at + 1) == Some(&b')')).then_some(at),
                b'\\' => at += 1,
                b'\'' | b'"' => at += 1 + memchr::memchr(b, &bytes[at + 1..])?,
                b';' if depth > 0 => return None,
                _ => {}
            }
            at += 1;
        }
        None
    }

    /// `<(` or `>(`.
    pub(super) fn at_process_substitution(&self) -> bool {
        matches!(self.peek(), Some(b'<' | b'>')) && self.peek_at(1) == Some(b'(')
    }

    /// Whether an operator of one character stands alone here.
    pub(super) fn lone(&self, b: u8) -> bool {
        self.peek() == Some(b) && self.peek_at(1).is_none_or(ends_word)
    }
}

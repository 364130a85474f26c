//! `[[ … ]]`.

use super::ast::{CommandKind, Condition, ShellWord};
use super::cursor::{Broken, Parsed, Parser, ends_word};
use super::words::Until;
use crate::span::Spanned;

impl Parser<'_> {
    /// After `[[`.
    pub(super) fn double_bracket(&mut self) -> Parsed<CommandKind> {
        let condition = self.any_of()?;
        self.newlines();
        if !self.at_closing_brackets() {
            return Err(Broken);
        }
        self.at += 2;
        Ok(CommandKind::Test(condition))
    }

    fn at_closing_brackets(&self) -> bool {
        self.looking_at("]]") && self.peek_at(2).is_none_or(ends_word)
    }

    fn any_of(&mut self) -> Parsed<Condition> {
        self.joined("||", Self::all_of, Condition::Or)
    }

    fn all_of(&mut self) -> Parsed<Condition> {
        self.joined("&&", Self::single, Condition::And)
    }

    fn joined(
        &mut self,
        operator: &str,
        operand: fn(&mut Self) -> Parsed<Condition>,
        join: fn(Vec<Condition>) -> Condition,
    ) -> Parsed<Condition> {
        let first = operand(self)?;
        let mut all = vec![first];
        loop {
            self.newlines();
            if !self.eat(operator) {
                break;
            }
            all.push(operand(self)?);
        }
        if all.len() == 1 { all.pop().ok_or(Broken) } else { Ok(join(all)) }
    }

    fn single(&mut self) -> Parsed<Condition> {
        self.newlines();
        if self.lone(b'!') {
            self.at += 1;
            return Ok(Condition::Not(Box::new(self.deeper(Self::single)?)));
        }
        if self.eat("(") {
            let inner = self.deeper(Self::any_of)?;
            self.newlines();
            self.expect(")")?;
            return Ok(inner);
        }
        let start = self.at;
        let left = self.test_word()?;
        self.blanks();
        let is_unary = left.as_literal().is_some_and(|text| {
            let mut bytes = text.bytes();
            self.at > start
                && bytes.next() == Some(b'-')
                && bytes.next().is_some_and(|b| b.is_ascii_alphabetic())
                && bytes.next().is_none()
        });
        if is_unary && !self.at_test_end() && self.binary_operator().is_none() {
            let op = Spanned::new(left.as_literal().unwrap_or_default(), left.span);
            let operand = self.test_word()?;
            return Ok(Condition::Unary { op, operand });
        }
        let Some(len) = self.binary_operator() else { return Ok(Condition::Word(left)) };
        let from = self.at;
        self.at += len;
        let text = self.text[from..self.at].to_owned();
        let op = Spanned::new(text, self.span(from, self.at));
        self.newlines();
        let right = if op.value == "=~" { self.regex()? } else { self.test_word()? };
        Ok(Condition::Binary { op, left, right })
    }

    fn at_test_end(&self) -> bool {
        self.at_closing_brackets()
            || self.looking_at("&&")
            || self.looking_at("||")
            || matches!(self.peek(), None | Some(b')'))
    }

    /// Length of the binary operator here.
    fn binary_operator(&self) -> Option<usize> {
        let rest = self.rest();
        let len = rest.bytes().position(|b| matches!(b, b' ' | b'\t' | b'\n'))?;
        let known = matches!(
            rest.get(..len)?,
            "=" | "=="
                | "!="
                | "=~"
                | "<"
                | ">"
                | "-eq"
                | "-ne"
                | "-lt"
                | "-le"
                | "-gt"
                | "-ge"
                | "-nt"
                | "-ot"
                | "-ef"
        );
        known.then_some(len)
    }

    fn test_word(&mut self) -> Parsed<ShellWord> {
        if self.at_closing_brackets() { Err(Broken) } else { self.word() }
    }

    fn regex(&mut self) -> Parsed<ShellWord> {
        let start = self.at;
        let parts = self.parts(Until::RegexBlank, false)?;
        if self.at == start {
            return Err(Broken);
        }
        Ok(ShellWord { span: self.span(start, self.at), parts })
    }
}

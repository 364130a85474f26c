//! `${…}`.

use super::ast::{Param, ParamOp, ReplaceScope, ShellWord};
use super::cursor::{Broken, Parsed, Parser, name_len};
use super::words::Until;

impl Parser<'_> {
    /// At `${`.
    pub(super) fn braced_param(&mut self, quoted: bool) -> Parsed<Param> {
        let start = self.at;
        self.at += 2;
        let length = self.peek() == Some(b'#') && self.names_something(1);
        let indirect = self.peek() == Some(b'!') && self.names_something(1);
        self.at += usize::from(length || indirect);
        let name_start = self.at;
        let len = self.param_name_len(0);
        if len == 0 {
            return Err(Broken);
        }
        self.at += len;
        let name_end = self.at;
        let mut index = None;
        if self.eat("[") {
            index = Some(Box::new(self.operand(b']', quoted, true)?));
            self.expect("]")?;
        }
        let mut op = match (length, indirect) {
            (true, _) => Some(ParamOp::Length),
            (_, true) => self.indirect(),
            _ => None,
        };
        if !self.looking_at("}") {
            // `${#x-y}` and the like have no meaning; `${!x:-y}` is more than is kept here.
            let written = self.param_op(quoted)?;
            op = Some(if op.is_some() { ParamOp::Opaque } else { written });
        }
        self.expect("}")?;
        Ok(Param {
            name: self.text[name_start..name_end].to_owned(),
            name_span: self.span(name_start, name_end),
            span: self.span(start, self.at),
            braced: true,
            quoted,
            index,
            op: op.map(Box::new),
        })
    }

    fn param_name_len(&self, ahead: usize) -> usize {
        let rest = self.rest().get(ahead..).unwrap_or_default();
        match rest.as_bytes().first() {
            Some(b'0'..=b'9') => rest.bytes().take_while(u8::is_ascii_digit).count(),
            Some(b'@' | b'*' | b'#' | b'?' | b'-' | b'$' | b'!') => 1,
            _ => name_len(rest),
        }
    }

    /// Whether a name stands `ahead` bytes on: `${#x}` is a length, `${#}` and `${#-x}` are not.
    fn names_something(&self, ahead: usize) -> bool {
        let len = self.param_name_len(ahead);
        let after = self.peek_at(ahead + len);
        match self.peek_at(ahead) {
            Some(b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'_') => len > 0,
            Some(_) => len > 0 && after == Some(b'}'),
            None => false,
        }
    }

    fn indirect(&mut self) -> Option<ParamOp> {
        let names = self.looking_at("*}") || self.looking_at("@}");
        self.at += usize::from(names);
        Some(if names { ParamOp::Names } else { ParamOp::Indirect })
    }

    /// The operator and its operands, up to the closing brace.
    fn param_op(&mut self, quoted: bool) -> Parsed<ParamOp> {
        let sign = self.peek().filter(u8::is_ascii).ok_or(Broken)?;
        self.at += 1;
        Ok(match sign {
            b'-' | b'=' | b'?' | b'+' => self.with_word(sign, false, quoted)?,
            b':' => match self.peek() {
                Some(sign @ (b'-' | b'=' | b'?' | b'+')) => {
                    self.at += 1;
                    self.with_word(sign, true, quoted)?
                }
                _ => {
                    let offset = self.operand(b':', quoted, true)?;
                    let length =
                        if self.eat(":") { Some(self.operand(b'}', quoted, true)?) } else { None };
                    ParamOp::Substring { offset, length }
                }
            },
            b'#' => {
                let longest = self.eat("#");
                ParamOp::TrimPrefix { longest, pattern: self.pattern(b'}')? }
            }
            b'%' => {
                let longest = self.eat("%");
                ParamOp::TrimSuffix { longest, pattern: self.pattern(b'}')? }
            }
            b'/' => {
                let scope = match self.peek() {
                    Some(b'/') => ReplaceScope::All,
                    Some(b'#') => ReplaceScope::Prefix,
                    Some(b'%') => ReplaceScope::Suffix,
                    _ => ReplaceScope::First,
                };
                self.at += usize::from(scope != ReplaceScope::First);
                let pattern = self.pattern(b'/')?;
                self.eat("/");
                let replacement = self.operand(b'}', quoted, false)?;
                ParamOp::Replace { scope, pattern, replacement }
            }
            b'^' | b',' => {
                let all = self.peek() == Some(sign);
                self.at += usize::from(all);
                let pattern = self.pattern(b'}')?;
                match (sign, pattern.parts.is_empty()) {
                    (_, false) => ParamOp::Opaque,
                    (b'^', true) => ParamOp::Upper { all },
                    (_, true) => ParamOp::Lower { all },
                }
            }
            b'@' => {
                let sign = self.rest().chars().next().filter(char::is_ascii_alphabetic);
                self.bump();
                ParamOp::Transform(sign.ok_or(Broken)?)
            }
            _ => return Err(Broken),
        })
    }

    /// Up to the `]` of `name[index]=value`.
    pub(super) fn index(&mut self) -> Parsed<ShellWord> {
        self.operand(b']', false, true)
    }

    fn with_word(&mut self, sign: u8, null: bool, quoted: bool) -> Parsed<ParamOp> {
        let word = self.operand(b'}', quoted, true)?;
        Ok(match sign {
            b'-' => ParamOp::Default { null, word },
            b'=' => ParamOp::Assign { null, word },
            b'?' => ParamOp::Required { null, word },
            _ => ParamOp::Alternative { null, word },
        })
    }

    /// A pattern up to the closing brace or `or`. Double quotes around the expansion do not quote
    /// it: what is special in a pattern stays special there.
    fn pattern(&mut self, or: u8) -> Parsed<ShellWord> {
        self.operand(or, false, false)
    }

    /// A word up to the closing brace or `or`. In double quotes, single quotes have a meaning in
    /// patterns only.
    fn operand(&mut self, or: u8, quoted: bool, word: bool) -> Parsed<ShellWord> {
        let start = self.at;
        let until = Until::Brace { or, plain_quotes: quoted && word };
        let parts = self.parts(until, quoted)?;
        Ok(ShellWord { span: self.span(start, self.at), parts })
    }
}

//! `$((…))` over known whole numbers.

use mlint_syntax::Span;

use super::Interpreter;
use crate::{
    expand::Binding,
    value::{Origin, Value},
};

/// Longer expressions are not looked at.
const MAX_TEXT: usize = 4096;
/// Operators and parentheses in each other.
const MAX_DEPTH: u32 = 32;

impl Interpreter<'_, '_> {
    /// The result, if all of it is known. What it assigns is assigned, or unknown.
    pub(super) fn arithmetic(&mut self, text: &str, span: Span) -> Option<i64> {
        let value = match text.len() <= MAX_TEXT {
            true => {
                let text = text.as_bytes();
                let mut parser = Parser { this: self, text, at: 0, depth: 0, maybe: 0, span };
                parser.whole()
            }
            false => None,
        };
        if value.is_none() {
            for name in assigned_in(text) {
                let unknown = Value::unknown(Origin::Opaque, span);
                self.bind(&name, Binding::Set(unknown), span);
            }
        }
        value
    }
}

/// Names that an expression may assign: those beside `=`, `+=`, `++` and their kin.
pub(super) fn assigned_in(text: &str) -> Vec<String> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let mut names = Vec::new();
    let mut rest = text;
    while let Some(start) = rest.find(is_name) {
        let lead = &rest[..start];
        let len = rest[start..].find(|c| !is_name(c)).unwrap_or(rest.len() - start);
        let (name, after) = (&rest[start..start + len], rest[start + len..].trim_start());
        let operator_len = after.find(|c: char| !"+-*/%&|^<>".contains(c)).unwrap_or(after.len());
        let (operator, tail) = after.split_at(operator_len);
        let assigns =
            tail.starts_with('=') && !tail.starts_with("==") && !matches!(operator, "<" | ">");
        let stepped = |t: &str| t.ends_with("++") || t.ends_with("--");
        let steps = operator.starts_with("++") || operator.starts_with("--");
        if (assigns || steps || stepped(lead.trim_end()))
            && !name.starts_with(|c: char| c.is_ascii_digit())
        {
            names.push(name.to_owned());
        }
        rest = &rest[start + len..];
    }
    names
}

struct Parser<'p, 's, 'e> {
    this: &'p mut Interpreter<'s, 'e>,
    text: &'p [u8],
    at: usize,
    depth: u32,
    /// Within operands that may not be looked at.
    maybe: u32,
    span: Span,
}

/// Binary operators, loosest first.
const LEVELS: &[&[&str]] = &[
    &["||"],
    &["&&"],
    &["|"],
    &["^"],
    &["&"],
    &["==", "!="],
    &["<=", ">=", "<", ">"],
    &["<<", ">>"],
    &["+", "-"],
    &["*", "/", "%"],
    &["**"],
];

impl Parser<'_, '_, '_> {
    fn blanks(&mut self) {
        while self.text.get(self.at).is_some_and(u8::is_ascii_whitespace) {
            self.at += 1;
        }
    }

    fn eat(&mut self, token: &str) -> bool {
        self.blanks();
        let found = self.text[self.at..].starts_with(token.as_bytes());
        if found {
            self.at += token.len();
        }
        found
    }

    fn whole(&mut self) -> Option<i64> {
        let value = self.comma()?;
        self.blanks();
        (self.at == self.text.len()).then_some(value)
    }

    fn comma(&mut self) -> Option<i64> {
        let mut value = self.ternary()?;
        while self.eat(",") {
            value = self.ternary()?;
        }
        Some(value)
    }

    /// Also assignments.
    fn ternary(&mut self) -> Option<i64> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return None;
        }
        if let Some(value) = self.assignment()? {
            self.depth -= 1;
            return Some(value);
        }
        let condition = self.binary(0)?;
        let value = if self.eat("?") {
            self.maybe += 1;
            let yes = self.ternary()?;
            if !self.eat(":") {
                return None;
            }
            let no = self.ternary()?;
            self.maybe -= 1;
            if condition != 0 { yes } else { no }
        } else {
            condition
        };
        self.depth -= 1;
        Some(value)
    }

    /// `name = …`, `name += …`, if that comes next.
    fn assignment(&mut self) -> Option<Option<i64>> {
        self.blanks();
        let start = self.at;
        if !self.text.get(self.at).is_some_and(|b| b.is_ascii_alphabetic() || *b == b'_') {
            return Some(None);
        }
        let name = self.word().to_owned();
        self.blanks();
        let rest = &self.text[self.at..];
        let operators: [&str; 11] =
            ["=", "+=", "-=", "*=", "/=", "%=", "&=", "|=", "^=", "<<=", ">>="];
        let found = operators.iter().find(|op| rest.starts_with(op.as_bytes()));
        let Some(found) = found.filter(|op| **op != "=" || rest.get(1) != Some(&b'=')) else {
            self.at = start;
            return Some(None);
        };
        self.at += found.len();
        let value = self.ternary()?;
        let value = match found.strip_suffix('=') {
            Some("") | None => value,
            Some(operator) => apply(operator, self.value_of(&name)?, value)?,
        };
        self.set(&name, value)?;
        Some(Some(value))
    }

    fn set(&mut self, name: &str, value: i64) -> Option<()> {
        if self.maybe > 0 {
            return None;
        }
        let value = Value::known(value.to_string(), Origin::Literal, self.span);
        self.this.assign(name, value, self.span);
        Some(())
    }

    fn operator(&mut self, level: usize) -> Option<&'static str> {
        self.blanks();
        let rest = &self.text[self.at..];
        let found = LEVELS[level].iter().find(|op| rest.starts_with(op.as_bytes()))?;
        // `&` of `&&`, `<` of `<<`, and assignments such as `+=` are something else.
        let next = rest.get(found.len());
        let longer = match *found {
            "|" | "&" | "<" | ">" | "*" => next == Some(&found.as_bytes()[0]),
            _ => false,
        };
        let assigns = next == Some(&b'=') && !matches!(*found, "==" | "!=" | "<=" | ">=");
        if longer || assigns {
            return None;
        }
        self.at += found.len();
        Some(found)
    }

    fn binary(&mut self, level: usize) -> Option<i64> {
        if level == LEVELS.len() {
            return self.unary();
        }
        let mut left = self.binary(level + 1)?;
        while let Some(op) = self.operator(level) {
            let perhaps = u32::from(matches!(op, "||" | "&&"));
            self.maybe += perhaps;
            let right = self.binary(level + 1)?;
            self.maybe -= perhaps;
            left = apply(op, left, right)?;
        }
        Some(left)
    }

    fn unary(&mut self) -> Option<i64> {
        self.blanks();
        let rest = &self.text[self.at..];
        if rest.starts_with(b"++") || rest.starts_with(b"--") {
            let step = if rest[0] == b'+' { 1 } else { -1 };
            self.at += 2;
            self.blanks();
            let name = self.word().to_owned();
            let value = self.value_of(&name)?.checked_add(step)?;
            self.set(&name, value)?;
            return Some(value);
        }
        match self.text.get(self.at)? {
            b'-' => {
                self.at += 1;
                self.nested()?.checked_neg()
            }
            b'+' => {
                self.at += 1;
                self.nested()
            }
            b'!' => {
                self.at += 1;
                Some(i64::from(self.nested()? == 0))
            }
            b'~' => {
                self.at += 1;
                Some(!self.nested()?)
            }
            b'(' => {
                self.at += 1;
                let value = self.comma()?;
                self.eat(")").then_some(value)
            }
            b'0'..=b'9' => self.number(),
            b'$' | b'_' | b'a'..=b'z' | b'A'..=b'Z' => self.variable(),
            _ => None,
        }
    }

    fn nested(&mut self) -> Option<i64> {
        self.depth += 1;
        let value = if self.depth > MAX_DEPTH { None } else { self.unary() };
        self.depth -= 1;
        value
    }

    fn word(&mut self) -> &str {
        let start = self.at;
        while self.text.get(self.at).is_some_and(|b| b.is_ascii_alphanumeric() || *b == b'_') {
            self.at += 1;
        }
        std::str::from_utf8(&self.text[start..self.at]).unwrap_or_default()
    }

    fn number(&mut self) -> Option<i64> {
        let word = self.word().to_owned();
        match word.strip_prefix("0x").or(word.strip_prefix("0X")) {
            Some(hex) => i64::from_str_radix(hex, 16).ok(),
            None if self.text.get(self.at) == Some(&b'#') => None,
            None if word.len() > 1 && word.starts_with('0') => i64::from_str_radix(&word, 8).ok(),
            None => word.parse().ok(),
        }
    }

    fn variable(&mut self) -> Option<i64> {
        if self.text[self.at] == b'$' {
            self.at += 1;
        }
        let braces = self.text.get(self.at) == Some(&b'{');
        if braces {
            self.at += 1;
        }
        let name = self.word().to_owned();
        if braces && !self.eat("}") {
            return None;
        }
        let value = self.value_of(&name)?;
        let rest = &self.text[self.at..];
        if rest.starts_with(b"++") || rest.starts_with(b"--") {
            let step = if rest[0] == b'+' { 1 } else { -1 };
            self.at += 2;
            self.set(&name, value.checked_add(step)?)?;
        }
        Some(value)
    }

    fn value_of(&self, name: &str) -> Option<i64> {
        let number = |value: &Value| {
            let text = value.as_known()?;
            if text.is_empty() { Some(0) } else { text.trim().parse().ok() }
        };
        if !name.is_empty() && name.bytes().all(|b| b.is_ascii_digit()) {
            let at = name.parse::<usize>().ok()?.checked_sub(1)?;
            return self.this.positional.get(at).map_or(Some(0), number);
        }
        match self.this.lookup(name) {
            Binding::Set(value) => number(&value),
            Binding::Unset | Binding::Declared => Some(0),
            Binding::Unknown => None,
        }
    }
}

fn apply(op: &str, a: i64, b: i64) -> Option<i64> {
    Some(match op {
        "||" => i64::from(a != 0 || b != 0),
        "&&" => i64::from(a != 0 && b != 0),
        "|" => a | b,
        "^" => a ^ b,
        "&" => a & b,
        "==" => i64::from(a == b),
        "!=" => i64::from(a != b),
        "<=" => i64::from(a <= b),
        ">=" => i64::from(a >= b),
        "<" => i64::from(a < b),
        ">" => i64::from(a > b),
        "<<" => a.checked_shl(u32::try_from(b).ok()?)?,
        ">>" => a.checked_shr(u32::try_from(b).ok()?)?,
        "+" => a.checked_add(b)?,
        "-" => a.checked_sub(b)?,
        "*" => a.checked_mul(b)?,
        "/" => a.checked_div(b)?,
        "%" => a.checked_rem(b)?,
        "**" => a.checked_pow(u32::try_from(b).ok()?)?,
        _ => return None,
    })
}

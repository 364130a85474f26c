//! `$((…))` over known whole numbers.

use mlint_syntax::Span;

use super::Interpreter;
use crate::expand::Binding;

impl Interpreter<'_, '_> {
    /// The result, if all of it is known and nothing is assigned in it.
    pub(super) fn arithmetic(&mut self, text: &str, _span: Span) -> Option<i64> {
        let mut parser = Parser { this: self, text: text.as_bytes(), at: 0, depth: 0 };
        let value = parser.ternary()?;
        parser.blanks();
        (parser.at == parser.text.len()).then_some(value)
    }
}

struct Parser<'p, 's, 'e> {
    this: &'p Interpreter<'s, 'e>,
    text: &'p [u8],
    at: usize,
    depth: u32,
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

    fn ternary(&mut self) -> Option<i64> {
        self.depth += 1;
        if self.depth > 32 {
            return None;
        }
        let condition = self.binary(0)?;
        let value = if self.eat("?") {
            let yes = self.ternary()?;
            if !self.eat(":") {
                return None;
            }
            let no = self.ternary()?;
            if condition != 0 { yes } else { no }
        } else {
            condition
        };
        self.depth -= 1;
        Some(value)
    }

    fn operator(&mut self, level: usize) -> Option<&'static str> {
        self.blanks();
        let rest = &self.text[self.at..];
        let found = LEVELS[level].iter().find(|op| rest.starts_with(op.as_bytes()))?;
        // `&` of `&&`, `<` of `<<`, and assignments such as `+=` are something else.
        let next = rest.get(found.len());
        let longer = match *found {
            "|" | "&" | "<" | ">" => next == Some(&found.as_bytes()[0]),
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
            let right = self.binary(level + 1)?;
            left = apply(op, left, right)?;
        }
        Some(left)
    }

    fn unary(&mut self) -> Option<i64> {
        self.blanks();
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
            b'(' => {
                self.at += 1;
                let value = self.ternary()?;
                self.eat(")").then_some(value)
            }
            b'0'..=b'9' => self.number(),
            b'$' | b'_' | b'a'..=b'z' | b'A'..=b'Z' => self.variable(),
            _ => None,
        }
    }

    fn nested(&mut self) -> Option<i64> {
        self.depth += 1;
        let value = if self.depth > 32 { None } else { self.unary() };
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
        let word = self.word();
        match word.strip_prefix("0x").or(word.strip_prefix("0X")) {
            Some(hex) => i64::from_str_radix(hex, 16).ok(),
            None if word.len() > 1 && word.starts_with('0') => i64::from_str_radix(word, 8).ok(),
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
        match self.this.lookup(&name) {
            Binding::Set(value) => {
                let text = value.as_known()?;
                if text.is_empty() { Some(0) } else { text.trim().parse().ok() }
            }
            Binding::Unset => Some(0),
            Binding::Unknown | Binding::Declared => None,
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
        _ => return None,
    })
}

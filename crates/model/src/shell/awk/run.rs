//! Runs an awk program over known text.

use std::collections::HashMap;

use super::parse::{Expr, Pattern, Rule, Statement};
use crate::shell::posix;

/// Longer output is not known.
const MAX_OUTPUT: usize = 1 << 18;

#[derive(Clone, Debug, PartialEq)]
enum Text {
    /// A string.
    Plain(String),
    /// A number.
    Number(f64),
    /// Input: a number if it looks like one.
    Input(String),
}

/// What happens after a statement.
enum Then {
    On,
    Next,
    Exit,
}

struct Machine {
    variables: HashMap<String, Text>,
    line: String,
    fields: Vec<String>,
    number: usize,
    out: String,
}

pub(super) fn run(rules: &[Rule], variables: &[(String, String)], text: &str) -> Option<String> {
    let variables =
        variables.iter().map(|(name, value)| (name.clone(), Text::Input(value.clone())));
    let mut machine = Machine {
        variables: variables.collect(),
        line: String::new(),
        fields: Vec::new(),
        number: 0,
        out: String::new(),
    };
    let begins = |rule: &&Rule| matches!(rule.pattern, Pattern::Begin);
    let ends = |rule: &&Rule| matches!(rule.pattern, Pattern::End);
    let mut over = false;
    for rule in rules.iter().filter(begins) {
        over |= matches!(machine.body(rule)?, Then::Exit);
    }
    let reads = rules.iter().any(|r| !matches!(r.pattern, Pattern::Begin));
    'lines: for line in text.lines().take_while(|_| !over && reads) {
        machine.number += 1;
        machine.read(line)?;
        for rule in rules.iter().filter(|r| !begins(r) && !ends(r)) {
            if let Pattern::When(condition) = &rule.pattern
                && !machine.truth(condition)?
            {
                continue;
            }
            match machine.body(rule)? {
                Then::On => {}
                Then::Next => continue 'lines,
                Then::Exit => break 'lines,
            }
        }
    }
    for rule in rules.iter().filter(ends) {
        machine.body(rule)?;
    }
    Some(machine.out)
}

impl Machine {
    fn separator(&self, name: &str) -> String {
        self.variables.get(name).map_or(" ".to_owned(), shown_or_empty)
    }

    fn read(&mut self, line: &str) -> Option<()> {
        self.line = line.to_owned();
        let separator = self.separator("FS");
        self.fields = match separator.as_str() {
            " " => line.split_whitespace().map(str::to_owned).collect(),
            _ if line.is_empty() => Vec::new(),
            one if one.chars().count() == 1 && one != "\\" => {
                line.split(one).map(str::to_owned).collect()
            }
            regex => {
                let mut fields = Vec::new();
                let mut from = 0;
                for range in posix::matches(regex, true, false, line)? {
                    fields.push(line.get(from..range.start)?.to_owned());
                    from = range.end;
                }
                fields.push(line[from..].to_owned());
                fields
            }
        };
        Some(())
    }

    fn body(&mut self, rule: &Rule) -> Option<Then> {
        match &rule.body {
            Some(statements) => self.statements(statements),
            None => {
                let line = self.line.clone();
                self.out.push_str(&line);
                self.out.push('\n');
                Some(Then::On)
            }
        }
    }

    fn statements(&mut self, statements: &[Statement]) -> Option<Then> {
        for statement in statements {
            match statement {
                Statement::Print(parts) => {
                    let separator = self.separator("OFS");
                    let mut texts = Vec::new();
                    for part in parts {
                        texts.push(shown(&self.value(part)?)?);
                    }
                    let line =
                        if parts.is_empty() { self.line.clone() } else { texts.join(&separator) };
                    self.out.push_str(&line);
                    let end = self.variables.get("ORS").map_or("\n".to_owned(), shown_or_empty);
                    self.out.push_str(&end);
                }
                Statement::Printf(parts) => self.printf(parts)?,
                Statement::If(condition, yes, no) => {
                    let branch = if self.truth(condition)? { yes } else { no };
                    match self.statements(branch)? {
                        Then::On => {}
                        then => return Some(then),
                    }
                }
                Statement::Do(expression) => {
                    self.value(expression)?;
                }
                Statement::Next => return Some(Then::Next),
                Statement::Exit => return Some(Then::Exit),
            }
            if self.out.len() > MAX_OUTPUT {
                return None;
            }
        }
        Some(Then::On)
    }

    fn printf(&mut self, parts: &[Expr]) -> Option<()> {
        let (format, values) = parts.split_first()?;
        let format = shown(&self.value(format)?)?;
        let mut texts = Vec::new();
        for value in values {
            texts.push(self.value(value)?);
        }
        let mut values = texts.into_iter();
        let mut chars = format.chars();
        while let Some(c) = chars.next() {
            if c != '%' {
                self.out.push(c);
                continue;
            }
            match chars.next()? {
                '%' => self.out.push('%'),
                's' => self.out.push_str(&shown(&values.next()?)?),
                'd' | 'i' => {
                    let number = number(&values.next()?).trunc();
                    self.out.push_str(&shown(&Text::Number(number))?);
                }
                _ => return None,
            }
        }
        Some(())
    }

    fn truth(&mut self, expression: &Expr) -> Option<bool> {
        if let Expr::Regex(regex) = expression {
            return Some(!posix::matches(regex, true, false, &self.line)?.is_empty());
        }
        Some(match self.value(expression)? {
            Text::Plain(text) => !text.is_empty(),
            Text::Number(number) => number != 0.0,
            Text::Input(text) => match looks_like(&text) {
                Some(number) => number != 0.0,
                None => !text.is_empty(),
            },
        })
    }

    fn value(&mut self, expression: &Expr) -> Option<Text> {
        Some(match expression {
            Expr::Text(text) => Text::Plain(text.clone()),
            Expr::Number(number) => Text::Number(*number),
            Expr::Regex(_) => Text::Number(f64::from(u8::from(self.truth(expression)?))),
            Expr::Field(index) => {
                let index = number(&self.value(index)?);
                Text::Input(self.field(index)?)
            }
            Expr::Variable(name) => match name.as_str() {
                "NR" | "FNR" => Text::Number(self.number as f64),
                "NF" => Text::Number(self.fields.len() as f64),
                name => self.variables.get(name).cloned().unwrap_or(Text::Input(String::new())),
            },
            Expr::Assign(target, value) => {
                let value = self.value(value)?;
                self.assign(target, value.clone())?;
                value
            }
            Expr::Not(inner) => Text::Number(f64::from(u8::from(!self.truth(inner)?))),
            Expr::Negative(inner) => Text::Number(-number(&self.value(inner)?)),
            Expr::Choice(condition, yes, no) => {
                let branch = if self.truth(condition)? { yes } else { no };
                self.value(branch)?
            }
            Expr::Binary(sign, left, right) => self.binary(sign, left, right)?,
            Expr::Call(name, arguments) => self.call(name, arguments)?,
        })
    }

    fn field(&self, index: f64) -> Option<String> {
        if index == 0.0 {
            return Some(self.line.clone());
        }
        if index < 0.0 || index.fract() != 0.0 {
            return None;
        }
        Some(self.fields.get(index as usize - 1).cloned().unwrap_or_default())
    }

    fn assign(&mut self, target: &Expr, value: Text) -> Option<()> {
        match target {
            Expr::Variable(name) if !matches!(name.as_str(), "NR" | "NF" | "RS" | "FNR") => {
                self.variables.insert(name.clone(), value);
            }
            Expr::Field(index) => {
                let index = number(&self.value(index)?);
                let text = shown(&value)?;
                if index == 0.0 {
                    return self.read(&text);
                }
                let at = (index as usize).checked_sub(1).filter(|at| *at < 256)?;
                if self.fields.len() <= at {
                    self.fields.resize(at + 1, String::new());
                }
                self.fields[at] = text;
                self.line = self.fields.join(&self.separator("OFS"));
            }
            _ => return None,
        }
        Some(())
    }

    fn binary(&mut self, sign: &str, left: &Expr, right: &Expr) -> Option<Text> {
        let truth = |b: bool| Some(Text::Number(f64::from(u8::from(b))));
        match sign {
            "||" => return truth(self.truth(left)? || self.truth(right)?),
            "&&" => return truth(self.truth(left)? && self.truth(right)?),
            "~" | "!~" => {
                let text = shown(&self.value(left)?)?;
                let regex = self.regex(right)?;
                let found = !posix::matches(&regex, true, false, &text)?.is_empty();
                return truth(found == (sign == "~"));
            }
            _ => {}
        }
        let (a, b) = (self.value(left)?, self.value(right)?);
        let (x, y) = (number(&a), number(&b));
        match sign {
            "" => Some(Text::Plain(shown(&a)? + &shown(&b)?)),
            "+" => Some(Text::Number(x + y)),
            "-" => Some(Text::Number(x - y)),
            "*" => Some(Text::Number(x * y)),
            "/" => (y != 0.0).then_some(Text::Number(x / y)),
            "%" => (y != 0.0).then_some(Text::Number(x % y)),
            comparison => {
                let order = match numeric(&a).zip(numeric(&b)) {
                    Some((x, y)) => x.partial_cmp(&y)?,
                    None => shown(&a)?.cmp(&shown(&b)?),
                };
                truth(match comparison {
                    "==" => order.is_eq(),
                    "!=" => order.is_ne(),
                    "<" => order.is_lt(),
                    "<=" => order.is_le(),
                    ">" => order.is_gt(),
                    _ => order.is_ge(),
                })
            }
        }
    }

    fn regex(&mut self, expression: &Expr) -> Option<String> {
        match expression {
            Expr::Regex(regex) => Some(regex.clone()),
            other => shown(&self.value(other)?),
        }
    }

    fn call(&mut self, name: &str, arguments: &[Expr]) -> Option<Text> {
        if matches!(name, "sub" | "gsub") {
            return self.substitute(name == "gsub", arguments);
        }
        let mut texts = Vec::new();
        for argument in arguments {
            texts.push(self.value(argument)?);
        }
        Some(match (name, &texts[..]) {
            ("tolower", [text]) => Text::Plain(shown(text)?.to_lowercase()),
            ("toupper", [text]) => Text::Plain(shown(text)?.to_uppercase()),
            ("length", []) => Text::Number(self.line.chars().count() as f64),
            ("length", [text]) => Text::Number(shown(text)?.chars().count() as f64),
            ("int", [text]) => Text::Number(number(text).trunc()),
            ("index", [text, part]) => {
                let (text, part) = (shown(text)?, shown(part)?);
                let at = text.find(&part).map_or(0, |at| text[..at].chars().count() + 1);
                Text::Number(at as f64)
            }
            ("substr", [text, start, rest @ ..]) => {
                let chars: Vec<char> = shown(text)?.chars().collect();
                let start = number(start);
                let end = match rest {
                    [] => f64::INFINITY,
                    [length] => start + number(length),
                    _ => return None,
                };
                let numbered = chars.iter().zip(1u32..);
                let within = numbered.filter(|(_, n)| {
                    let n = f64::from(*n);
                    n >= start && n < end
                });
                Text::Plain(within.map(|(c, _)| *c).collect())
            }
            _ => return None,
        })
    }

    /// `sub`, `gsub`, as `sed` does it.
    fn substitute(&mut self, all: bool, arguments: &[Expr]) -> Option<Text> {
        let (regex, replacement, target) = match arguments {
            [regex, replacement] => (regex, replacement, None),
            [regex, replacement, target] => (regex, replacement, Some(target)),
            _ => return None,
        };
        let (regex, new) = (self.regex(regex)?, shown(&self.value(replacement)?)?);
        let text = match target {
            Some(target) => shown(&self.value(target)?)?,
            None => self.line.clone(),
        };
        if new.contains('\\') {
            return None;
        }
        let mut out = String::new();
        let (mut from, mut count) = (0, 0u32);
        for range in posix::matches(&regex, true, false, &text)? {
            out.push_str(&text[from..range.start]);
            out.push_str(&new.replace('&', &text[range.clone()]));
            from = range.end;
            count += 1;
            if !all {
                break;
            }
        }
        out.push_str(&text[from..]);
        let value = Text::Plain(out);
        match target {
            Some(target) => self.assign(target, value)?,
            None => self.assign(&Expr::Field(Box::new(Expr::Number(0.0))), value)?,
        }
        Some(Text::Number(f64::from(count)))
    }
}

fn looks_like(text: &str) -> Option<f64> {
    let text = text.trim();
    let digits =
        !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit() || b"+-.".contains(&b));
    if digits { text.parse().ok() } else { None }
}

/// The value as a number, if it compares as one.
fn numeric(text: &Text) -> Option<f64> {
    match text {
        Text::Plain(_) => None,
        Text::Number(number) => Some(*number),
        Text::Input(text) if text.is_empty() => None,
        Text::Input(text) => looks_like(text),
    }
}

fn number(text: &Text) -> f64 {
    match text {
        Text::Number(number) => *number,
        Text::Plain(text) | Text::Input(text) => {
            let text = text.trim();
            let len = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
            text[..len].parse().unwrap_or_default()
        }
    }
}

/// As text; `None` for numbers that are not whole.
fn shown(text: &Text) -> Option<String> {
    match text {
        Text::Plain(text) | Text::Input(text) => Some(text.clone()),
        Text::Number(number) if number.fract() == 0.0 && number.abs() < 1e15 => {
            Some(format!("{number:.0}"))
        }
        Text::Number(_) => None,
    }
}

fn shown_or_empty(text: &Text) -> String {
    shown(text).unwrap_or_default()
}

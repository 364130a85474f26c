//! `printf`.

use super::{Call, Interpreter, Status};
use crate::{
    expand::Binding,
    value::{HopKind, Origin, Value},
};

/// Backslash sequences of `printf` and `echo -e`.
pub(super) fn unescape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        match chars.next() {
            Some('n') => out.push('\n'),
            Some('t') => out.push('\t'),
            Some('r') => out.push('\r'),
            Some('\\') => out.push('\\'),
            Some('a') => out.push('\u{7}'),
            Some('e') => out.push('\u{1b}'),
            Some(d @ '0'..='7') => {
                let mut code = d as u32 - '0' as u32;
                // `\0nnn` as well as `\nnn`.
                let most = if d == '0' { 3 } else { 2 };
                for _ in 0..most {
                    let mut ahead = chars.clone();
                    let Some(d) = ahead.next().and_then(|c| c.to_digit(8)) else { break };
                    code = code * 8 + d;
                    chars = ahead;
                }
                out.push(char::from_u32(code & 0xff).unwrap_or('\u{fffd}'));
            }
            Some(other) => {
                out.push('\\');
                out.push(other);
            }
            None => out.push('\\'),
        }
    }
    out
}

impl Interpreter<'_, '_> {
    pub(super) fn printf(&mut self, call: &Call) {
        self.status = Status::Success;
        let mut args = call.arguments();
        let mut into: Option<String> = None;
        if let [flag, name, rest @ ..] = args
            && flag.value.is("-v")
        {
            into = name.value.as_known().map(std::borrow::Cow::into_owned);
            args = rest;
        }
        if args.first().is_some_and(|a| a.value.is("--")) {
            args = &args[1..];
        }
        let Some((format, values)) = args.split_first() else { return };
        let values: Vec<Value> = values.iter().map(|a| a.value.clone()).collect();
        let text = match format.value.as_known() {
            Some(_) => formatted(&format.value, &values, call.span),
            None => format.value.obscured(call.span),
        };
        match into {
            Some(name) => {
                let value = text.hop(HopKind::Assigned, &name, call.span);
                self.bind(&name, Binding::Set(value), call.span);
            }
            None => self.print(&text),
        }
    }
}

/// The format once for each turn of arguments, as long as there are any.
fn formatted(format: &Value, values: &[Value], span: mlint_syntax::Span) -> Value {
    let mut parts: Vec<Value> = Vec::new();
    let mut at = 0;
    loop {
        let before = at;
        let Some(round) = one_round(format, values, &mut at, span) else {
            return Value::unknown(Origin::Opaque, span);
        };
        parts.push(round);
        if at >= values.len() || at == before || parts.len() > 256 {
            return Value::join(&parts);
        }
    }
}

fn one_round(
    format: &Value,
    values: &[Value],
    at: &mut usize,
    span: mlint_syntax::Span,
) -> Option<Value> {
    let text = format.as_known()?;
    let mut parts: Vec<Value> = Vec::new();
    let mut from = 0;
    let mut chars = text.char_indices().peekable();
    let plain =
        |from: usize, to: usize| format.slice(from..to).map(|v| v.map(span, |t| Some(unescape(t))));
    while let Some((i, c)) = chars.next() {
        if c != '%' {
            continue;
        }
        parts.push(plain(from, i)?);
        let (end, directive) = chars.next()?;
        match directive {
            '%' => parts.push(Value::known("%", Origin::Literal, span)),
            's' => {
                parts.push(values.get(*at).cloned().unwrap_or_default());
                *at += 1;
            }
            'd' | 'i' if values.get(*at).is_none_or(|v| v.texts().is_some()) => {
                let zero = || Value::known("0", Origin::Literal, span);
                parts.push(values.get(*at).cloned().filter(|v| !v.is_empty()).unwrap_or_else(zero));
                *at += 1;
            }
            'b' => {
                let value = values.get(*at).cloned().unwrap_or_default();
                parts.push(value.map(span, |t| Some(unescape(t))));
                *at += 1;
            }
            _ => {
                let len = text[end..].find(|c: char| c.is_ascii_alphabetic() || c == '%')?;
                let conversion = text[end + len..].chars().next()?;
                let width = &text[end..end + len];
                let value = values.get(*at).cloned().unwrap_or_default();
                *at += 1;
                let change = |t: &str| directed(width, conversion, t);
                parts.push(value.map(span, change));
                from = end + len + conversion.len_utf8();
                while chars.next_if(|(i, _)| *i < from).is_some() {}
                continue;
            }
        }
        from = end + directive.len_utf8();
    }
    parts.push(plain(from, text.len())?);
    Some(Value::join(&parts))
}

/// `%5s`, `%-5s`, `%02d`, `%.3s`, `%x`, `%q`; `None` for others.
fn directed(width: &str, conversion: char, text: &str) -> Option<String> {
    let left = width.starts_with('-');
    let (size, precision) = match width.trim_start_matches('-').split_once('.') {
        Some((size, precision)) => (size, Some(precision.parse::<usize>().ok()?)),
        None => (width.trim_start_matches('-'), None),
    };
    let zeros = size.starts_with('0') && size.len() > 1;
    let size: usize = if size.is_empty() { 0 } else { size.parse().ok().filter(|s| *s < 256)? };
    let whole = || match text.is_empty() {
        true => Some(0),
        false => text.parse::<i64>().ok(),
    };
    let shown = match conversion {
        's' => match precision {
            Some(most) => text.chars().take(most).collect(),
            None => text.to_owned(),
        },
        'q' if precision.is_none() => {
            let plain = |c: char| c.is_ascii_alphanumeric() || "_-./:=+@%,".contains(c);
            match !text.is_empty() && text.chars().all(plain) {
                true => text.to_owned(),
                false => return None,
            }
        }
        'c' => text.chars().take(1).collect(),
        'd' | 'i' if precision.is_none() => whole()?.to_string(),
        'x' if precision.is_none() => format!("{:x}", whole()?),
        'X' if precision.is_none() => format!("{:X}", whole()?),
        'o' if precision.is_none() => format!("{:o}", whole()?),
        _ => return None,
    };
    Some(match (left, zeros && conversion != 's') {
        (true, _) => format!("{shown:<size$}"),
        (false, true) if shown.starts_with('-') => return None,
        (false, true) => format!("{shown:0>size$}"),
        (false, false) => format!("{shown:>size$}"),
    })
}

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
            's' | 'd' | 'i' | 'b' => {
                parts.push(values.get(*at).cloned().unwrap_or_default());
                *at += 1;
            }
            // Widths and other directives: not followed.
            _ => return None,
        }
        from = end + directive.len_utf8();
    }
    parts.push(plain(from, text.len())?);
    Some(Value::join(&parts))
}

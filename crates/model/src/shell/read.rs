//! `read` and `mapfile`.

use mlint_syntax::Span;

use super::{Call, Interpreter, Status, Stream, vars::Elements};
use crate::{
    expand::Binding,
    value::{HopKind, Origin, Truth, Value},
};

/// The words of a `read`.
#[derive(Default)]
struct Options {
    names: Vec<String>,
    array: Option<String>,
    delimiter: Option<String>,
    /// `-n`, `-N`, `-t`, `-u`: not all of a line, or from elsewhere.
    opaque: bool,
}

impl Options {
    fn read(call: &Call) -> Option<Self> {
        let mut options = Self::default();
        let words: Option<Vec<String>> = call
            .arguments()
            .iter()
            .map(|a| a.value.as_known().map(std::borrow::Cow::into_owned))
            .collect();
        let mut words = words?.into_iter();
        while let Some(word) = words.next() {
            let Some(cluster) = word.strip_prefix('-').filter(|c| !c.is_empty()) else {
                options.names.push(word);
                continue;
            };
            for (at, flag) in cluster.char_indices() {
                if !matches!(flag, 'a' | 'd' | 'p' | 'n' | 'N' | 't' | 'u' | 'i') {
                    continue;
                }
                let attached = &cluster[at + 1..];
                let value = match attached.is_empty() {
                    true => words.next()?,
                    false => attached.to_owned(),
                };
                match flag {
                    'a' => options.array = Some(value),
                    'd' => options.delimiter = Some(value),
                    'p' | 'i' => {}
                    _ => options.opaque = true,
                }
                break;
            }
        }
        Some(options)
    }

    fn targets(&self) -> Vec<String> {
        match (&self.array, self.names.is_empty()) {
            (Some(array), _) => vec![array.clone()],
            (None, true) => vec!["REPLY".to_owned()],
            (None, false) => self.names.clone(),
        }
    }
}

impl Interpreter<'_, '_> {
    /// `read a b <<< text`, `while read -r line; do …; done < file`.
    pub(super) fn read(&mut self, call: &Call) {
        let Some(options) = Options::read(call) else {
            self.set_status(Status::Unknown);
            return;
        };
        let separators = match call.prefix.iter().find(|(name, _)| name == "IFS") {
            Some((_, value)) => value.value.as_known().map(std::borrow::Cow::into_owned),
            None => Some(self.separators().into_owned()),
        };
        let input = self.input.take();
        let line = input.as_ref().and_then(|stream| {
            let delimiter = options.delimiter.as_deref().unwrap_or("\n");
            let usable = !options.opaque && separators.is_some();
            if usable { first_line(&stream.text, delimiter) } else { None }
        });
        let Some((line, rest, whole)) = line else {
            for name in options.targets() {
                let value = Value::unknown(Origin::CommandOutput, call.span);
                self.assign(&name, value, call.span);
            }
            self.input = input;
            self.set_status(Status::Unknown);
            return;
        };
        self.set_status(Truth::from(whole).into());
        self.input = Some(Stream { text: rest, file: None });
        let separators = separators.unwrap_or_default();
        if let Some(array) = options.array {
            let words = words(&line, &separators, usize::MAX);
            return self.set_list(&array, words, call.span);
        }
        let targets = options.targets();
        let plain = options.names.is_empty();
        let mut words = match plain {
            true => vec![line],
            false => words(&line, &separators, targets.len()),
        };
        words.resize(targets.len(), Value::empty());
        for (name, value) in targets.iter().zip(words) {
            let value = value.hop(HopKind::Assigned, name, call.span);
            self.bind(name, Binding::Set(value), call.span);
        }
    }

    /// `mapfile -t lines < file`.
    pub(super) fn mapfile(&mut self, call: &Call) {
        let mut name = "MAPFILE".to_owned();
        let (mut trims, mut understood) = (false, true);
        for argument in call.arguments() {
            match argument.value.as_known().as_deref() {
                Some("-t") => trims = true,
                Some(text) if !text.starts_with('-') => name = text.to_owned(),
                _ => understood = false,
            }
        }
        self.set_status(Status::Success);
        let text = self.input.take().map(|stream| stream.text);
        let lines = text.filter(|t| understood && t.as_known().is_some()).map(|text| {
            let known = text.as_known().unwrap_or_default().into_owned();
            let mut at = 0;
            let mut lines = Vec::new();
            for line in known.split_inclusive('\n') {
                let end = at + if trims { line.trim_end_matches('\n').len() } else { line.len() };
                lines.push(text.slice(at..end).unwrap_or_default());
                at += line.len();
            }
            lines
        });
        match lines {
            Some(lines) => self.set_list(&name, lines, call.span),
            None => self.set_array(&name, None, call.span),
        }
    }

    fn set_list(&mut self, name: &str, values: Vec<Value>, span: Span) {
        let hop = |v: Value| v.hop(HopKind::Assigned, name, span);
        let items = values.into_iter().enumerate().map(|(i, v)| (i.to_string(), hop(v)));
        let elements = Elements { keyed: false, items: items.collect() };
        self.set_array(name, Some(elements), span);
    }
}

/// The first line, what follows it, and whether it had an end; `None` if it is not known.
fn first_line(text: &Value, delimiter: &str) -> Option<(Value, Value, bool)> {
    // With an empty delimiter, NUL ends a line.
    let delimiter = delimiter.chars().next().unwrap_or('\0');
    let spelled = text.spelling();
    if let Some(known) = text.as_known() {
        let end = known.find(delimiter);
        let stop = end.unwrap_or(known.len());
        let next = end.map_or(known.len(), |at| at + delimiter.len_utf8());
        return Some((text.slice(0..stop)?, text.slice(next..known.len())?, end.is_some()));
    }
    // The rest may be unknown, as long as this line is not.
    let prefix = text.known_prefix();
    let end = prefix.find(delimiter).filter(|_| !spelled.is_empty())?;
    let rest = text.without_prefix(end + delimiter.len_utf8())?;
    let line = text.pieces().iter().map_while(|p| p.text().map(|_| p.clone()));
    Some((Value::new(line).slice(0..end)?, rest, true))
}

/// The words of a line; the last of `most` has all that is left.
fn words(line: &Value, separators: &str, most: usize) -> Vec<Value> {
    let text = line.as_known().unwrap_or_default().into_owned();
    let is_separator = |c: char| separators.contains(c);
    let is_blank = |c: char| is_separator(c) && c.is_whitespace();
    let mut out = Vec::new();
    let mut at = text.len() - text.trim_start_matches(is_blank).len();
    let end = text.trim_end_matches(is_blank).len();
    while at < end {
        if out.len() + 1 == most {
            out.push(line.slice(at..end).unwrap_or_default());
            break;
        }
        let stop = text[at..end].find(is_separator).map_or(end, |n| at + n);
        out.push(line.slice(at..stop).unwrap_or_default());
        // One separator that is no blank, with the blanks around it.
        let after = &text[stop..end];
        let mut skip = after.len() - after.trim_start_matches(is_blank).len();
        if let Some(c) = after[skip..].chars().next().filter(|c| is_separator(*c)) {
            skip += c.len_utf8();
            let rest = &after[skip..];
            skip += rest.len() - rest.trim_start_matches(is_blank).len();
        }
        at = stop + skip.max(usize::from(stop < end && skip == 0));
    }
    out
}

//! Command line options, as far as the words are known.

use crate::{effect::Argument, value::Value};

/// A command line, read.
#[derive(Debug, Default)]
pub(super) struct Line {
    /// Options in order, with their dashes and without `=`, and their values.
    pub(super) options: Vec<(String, Option<Argument>)>,
    /// The other words.
    pub(super) operands: Vec<Argument>,
}

impl Line {
    /// Reads words; `with_value` are the options that take one (`-o`, `--output`).
    pub(super) fn read(words: &[Argument], with_value: &[&str]) -> Self {
        Self::read_style(words, with_value, true)
    }

    /// As [`Line::read`] for programs whose long options have one dash (Go, compilers): no clusters.
    pub(super) fn read_long(words: &[Argument], with_value: &[&str]) -> Self {
        Self::read_style(words, with_value, false)
    }

    fn read_style(words: &[Argument], with_value: &[&str], clusters: bool) -> Self {
        let mut line = Self { options: Vec::new(), operands: Vec::with_capacity(words.len()) };
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let prefix = word.value.known_prefix();
            if prefix == "--" && word.value.is("--") {
                line.operands.extend(words.cloned());
                break;
            }
            if !prefix.starts_with('-') || prefix == "-" {
                line.operands.push(word.clone());
                continue;
            }
            let long = prefix.starts_with("--") || !clusters;
            if let Some(at) = prefix.find('=').filter(|_| long) {
                let value = word.value.without_prefix(at + 1);
                let value = value.map(|value| Argument { value, span: word.span });
                line.options.push((prefix[..at].to_owned(), value));
            } else if long {
                let value = if with_value.contains(&&*prefix) { words.next() } else { None };
                line.options.push((prefix.into_owned(), value.cloned()));
            } else {
                line.cluster(word, &prefix, with_value, &mut words);
            }
        }
        line
    }

    /// `-fsSLo file`, `-ofile`.
    fn cluster<'w>(
        &mut self,
        word: &Argument,
        prefix: &str,
        with_value: &[&str],
        words: &mut impl Iterator<Item = &'w Argument>,
    ) {
        for (i, c) in prefix.char_indices().skip(1) {
            let mut option = String::from("-");
            option.push(c);
            if !with_value.contains(&option.as_str()) {
                self.options.push((option, None));
                continue;
            }
            let attached = word.value.without_prefix(i + c.len_utf8());
            let value = match attached.filter(|v| !v.is_empty()) {
                Some(value) => Some(Argument { value, span: word.span }),
                None => words.next().cloned(),
            };
            self.options.push((option, value));
            return;
        }
    }

    /// The last value of an option, under any of its names.
    pub(super) fn value(&self, names: &[&str]) -> Option<&Argument> {
        let named = |(name, _): &&(String, Option<Argument>)| names.contains(&name.as_str());
        self.options.iter().rev().filter(named).find_map(|(_, value)| value.as_ref())
    }

    /// All values of an option, in order.
    pub(super) fn values<'l>(&'l self, names: &'l [&str]) -> impl Iterator<Item = &'l Argument> {
        let named = move |(name, _): &&(String, Option<Argument>)| names.contains(&name.as_str());
        self.options.iter().filter(named).filter_map(|(_, value)| value.as_ref())
    }

    /// Whether an option is there, under any of its names.
    pub(super) fn has(&self, names: &[&str]) -> bool {
        self.options.iter().any(|(name, _)| names.contains(&name.as_str()))
    }

    /// An operand's text.
    pub(super) fn operand(&self, index: usize) -> Option<std::borrow::Cow<'_, str>> {
        self.operands.get(index)?.value.as_known()
    }
}

/// `folder/` before a value.
pub(super) fn below(folder: &Value, name: &Value, span: mlint_syntax::Span) -> Value {
    let slash = Value::known("/", crate::value::Origin::Literal, span);
    Value::join([folder, &slash, name])
}

#[cfg(test)]
mod tests {
    use mlint_syntax::LogicalText;

    use super::*;

    fn line(text: &str, with_value: &[&str]) -> String {
        let words: Vec<Argument> = text
            .split(' ')
            .map(|w| {
                let text = LogicalText::contiguous(w, 0);
                Argument { value: Value::literal(&text), span: text.full_span() }
            })
            .collect();
        let line = Line::read(&words, with_value);
        let options: Vec<String> = line
            .options
            .iter()
            .map(|(n, v)| match v {
                Some(v) => format!("{n}={}", v.value),
                None => n.clone(),
            })
            .collect();
        let operands: Vec<String> = line.operands.iter().map(|o| o.value.to_string()).collect();
        format!("{} | {}", options.join(" "), operands.join(" "))
    }

    #[test]
    fn clusters_and_values() {
        let with = ["-o", "--output", "-H"];
        assert_eq!(line("-fsSLo /x https://y", &with), "-f -s -S -L -o=/x | https://y");
        assert_eq!(line("-o/x a --output=/y b", &with), "-o=/x --output=/y | a b");
        assert_eq!(line("--output /y -- -z", &with), "--output=/y | -z");
        assert_eq!(line("- -q", &with), "-q | -");
    }
}

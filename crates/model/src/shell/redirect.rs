//! Redirections, and the files that they write.

use mlint_syntax::{
    Span,
    shell::{Command, Redirect, RedirectKind, ShellWord, WordPart},
};

use super::{Flow, Interpreter, Stream};
use crate::{
    artifact::{Artifact, Made},
    machine::{Linkage, Machine},
    value::{Origin, Value},
};

impl Interpreter<'_, '_> {
    pub(super) fn redirected(&mut self, command: &Command) -> Flow {
        let mut target: Option<(Option<String>, bool, Span)> = None;
        let mut discard = false;
        let outer_input = self.input.clone();
        let mut has_input = false;
        for redirect in &command.redirects {
            match &redirect.kind {
                RedirectKind::Output(word) | RedirectKind::Append(word)
                    if redirect.fd.unwrap_or(1) == 1 =>
                {
                    let append = matches!(redirect.kind, RedirectKind::Append(_));
                    let value = self.single(word);
                    discard = value.is("/dev/null");
                    target = Some((self.path(&value), append, word.span));
                }
                RedirectKind::OutputAndError { append, target: word } => {
                    let value = self.single(word);
                    discard = value.is("/dev/null");
                    target = Some((self.path(&value), *append, word.span));
                }
                RedirectKind::Duplicate(word) => {
                    discard |=
                        redirect.fd.unwrap_or(1) == 1 && word.as_literal().as_deref() == Some("2");
                }
                _ => {
                    if let Some(stream) = self.input_of(redirect) {
                        self.input = Some(stream);
                        has_input = true;
                    }
                }
            }
        }
        let flow = if discard || target.is_some() {
            let mut flow = Flow::Next;
            let stream = self.capture(|this| flow = this.kind(command));
            if let (false, Some((Some(path), append, span))) = (discard, target) {
                self.write_file(path, stream, append, command.span.cover(span));
            }
            flow
        } else {
            self.kind(command)
        };
        if has_input {
            self.input = outer_input;
        }
        flow
    }

    /// `< <(command)`.
    fn printed_by(&mut self, word: &ShellWord) -> Option<Value> {
        let [WordPart::ProcessSub { script, span, output: false }] = &word.parts[..] else {
            return None;
        };
        let outer = self.input.take();
        let stream = self.capture(|this| this.subshell(*span, |this| this.script(script)));
        self.input = outer;
        Some(stream.text)
    }

    fn input_of(&mut self, redirect: &Redirect) -> Option<Stream> {
        match &redirect.kind {
            RedirectKind::Input(word) => {
                if let Some(text) = self.printed_by(word) {
                    return Some(Stream { text, file: None });
                }
                let value = self.single(word);
                if value.is("/dev/null") {
                    return Some(Stream::default());
                }
                let file = self.path(&value).and_then(|p| self.file(&p, word.span));
                let unknown = || Value::unknown(Origin::File, word.span);
                Some(match file {
                    Some(file) => {
                        let text = super::texts::text_of(&file);
                        Stream { text: text.unwrap_or_else(unknown), file: Some(Box::new(file)) }
                    }
                    None => Stream { text: unknown(), file: None },
                })
            }
            RedirectKind::HereDoc { body, .. } => {
                Some(Stream { text: self.single(body), file: None })
            }
            RedirectKind::HereString(word) => {
                let line_end = Value::known("\n", Origin::Literal, word.span);
                Some(Stream { text: self.single(word).concat(&line_end), file: None })
            }
            _ => None,
        }
    }

    /// `> path`, also `tee path`.
    pub(crate) fn write_file(&mut self, path: String, stream: Stream, append: bool, span: Span) {
        if path.starts_with("/dev/") || path.starts_with("/proc/") {
            return;
        }
        let station = self.station(path.clone(), span);
        let certain = self.is_certain();
        if let Some(file) = stream.file {
            let artifact = Artifact { folder: false, ..file.moved(path, station, certain) };
            self.state.files.put(artifact);
            return;
        }
        let mut content = stream.text;
        if append && let Some(old) = self.state.files.find(&path) {
            let old = old.content.unwrap_or_else(|| Value::unknown(Origin::File, span));
            content = old.concat(&content);
        }
        self.state.files.put(Artifact {
            path,
            folder: false,
            made: Made::Written,
            content: Some(content),
            machine: Machine::independent(),
            linkage: Linkage::Unknown,
            way: vec![station],
            certain,
        });
    }
}

//! Text that is run as a script: `eval`, `.`, `sh -c`, `sh <<EOF`.

use mlint_syntax::Span;

use super::{Call, Dialect, Flow, Interpreter, Status};
use crate::{
    artifact::{Artifact, Made},
    effect::Argument,
    expand::Binding,
    value::{Origin, Value},
};

/// Longer texts are not run.
const MAX_TEXT: usize = 1 << 18;

impl Interpreter<'_, '_> {
    /// Runs text as a script, where it is known. What it sets stays.
    pub(super) fn run_text(&mut self, value: &Value, span: Span) -> Flow {
        let mut builder = mlint_syntax::TextBuilder::default();
        // Where an unknown piece cannot be one or several words, nothing is known.
        let known: String = value.pieces().iter().filter_map(crate::value::Piece::text).collect();
        let follows = !known.trim().is_empty()
            && !["$(", "`", "<<", "#"].iter().any(|hard| known.contains(hard));
        let mut quotes = Quotes::default();
        for piece in value.pieces() {
            quotes.read(piece.text().unwrap_or_default());
            match (&piece.source, piece.text()) {
                (Some(source), _) => builder.push_text(source),
                (None, Some(text)) if text.len() < MAX_TEXT => {
                    let at = if piece.span.is_empty() { span } else { piece.span };
                    crate::value::push_at(&mut builder, text, at);
                }
                (None, None) if follows => {
                    // `$_` is never known.
                    let stands_for = match quotes.open {
                        Some('\'') => "'\"${_}\"'",
                        Some(_) => "${_}",
                        None => {
                            self.sourced = true;
                            "${_}"
                        }
                    };
                    crate::value::push_at(&mut builder, stands_for, span);
                }
                _ => {
                    self.sourced = true;
                    self.set_status(Status::Assumed);
                    self.print(&Value::unknown(Origin::CommandOutput, span));
                    return Flow::Next;
                }
            }
        }
        // Reading it again and again is work as well.
        self.steps = self.steps.saturating_add(builder.len() as u32 / 256);
        if self.depth >= super::MAX_DEPTH || self.steps > super::MAX_STEPS {
            self.lose_track();
            self.set_status(Status::Assumed);
            return Flow::Next;
        }
        let script = mlint_syntax::shell::parse_shell(&builder.finish(span.start));
        self.depth += 1;
        self.set_status(Status::Success);
        let flow = self.script(&script);
        self.depth -= 1;
        flow
    }

    /// `. file`, with arguments in bash.
    pub(super) fn source(&mut self, call: &Call) -> Flow {
        let arguments: Vec<Value> =
            call.arguments().iter().skip(1).map(|a| a.value.clone()).collect();
        let outer = match arguments.is_empty() {
            true => None,
            false => Some(std::mem::replace(&mut self.positional, arguments)),
        };
        let file = call.arguments().first();
        let flow = match file.and_then(|file| self.read_in(file, call.span)) {
            Some(flow) => flow,
            None => {
                self.sourced = true;
                self.set_status(Status::Assumed);
                Flow::Next
            }
        };
        if let Some(outer) = outer {
            self.positional = outer;
        }
        flow
    }

    /// `sh -c '…' name args`, `sh file args`, `sh <<EOF`; `None` if there is no script that is
    /// known.
    pub(super) fn inner_shell(&mut self, call: &Call) -> Option<Flow> {
        let name = call.name()?;
        let mut flags = String::new();
        let mut at = 1;
        while let Some(text) = call.text(at)
            && text.starts_with(['-', '+'])
            && text.len() > 1
        {
            at += 1;
            match &*text {
                "--" | "-" => break,
                "-o" | "+o" | "-O" | "+O" | "--rcfile" | "--init-file" => {
                    match call.text(at).as_deref() {
                        Some("errexit") => flags.push('e'),
                        Some("nounset") => flags.push('u'),
                        Some("pipefail") => flags.push('P'),
                        _ => {}
                    }
                    at += 1;
                }
                long if long.starts_with("--") => {}
                short if short.starts_with('-') => {
                    flags.push_str(&short[1..]);
                    if short.ends_with('o') {
                        if call.text(at).as_deref() == Some("pipefail") {
                            flags.push('P');
                        }
                        at += 1;
                    }
                }
                _ => {}
            }
        }
        let words = call.argv.get(at..).unwrap_or_default();
        let values = |words: &[Argument]| words.iter().map(|a| a.value.clone()).collect();
        let dialect = Dialect::of_program(&name, self.state.sh);
        let (text, zero, arguments): (Value, Option<Value>, Vec<Value>) = match words {
            [script, rest @ ..] if flags.contains('c') => {
                let zero = rest.first().map(|a| a.value.clone());
                (script.value.clone(), zero, values(rest.get(1..).unwrap_or_default()))
            }
            // A file; see `follow`.
            [_, ..] if !flags.contains('s') => return None,
            rest => {
                let input = self.input.as_ref()?;
                let known = input.file.is_none() && input.text.as_known().is_some();
                let text = known.then(|| input.text.clone())?;
                self.input = None;
                (text, None, values(rest))
            }
        };
        Some(self.new_shell(call, &text, (zero, arguments), (dialect, &flags)))
    }

    /// A shell of its own: it knows what is exported.
    fn new_shell(
        &mut self,
        call: &Call,
        text: &Value,
        (zero, arguments): (Option<Value>, Vec<Value>),
        (dialect, flags): (Dialect, &str),
    ) -> Flow {
        let outer = std::mem::replace(&mut self.dialect, dialect);
        let outer_zero = std::mem::replace(&mut self.zero, zero);
        let condition = (self.asking, self.relied_on);
        self.subshell(call.span, |this| {
            this.hide_unexported();
            for (name, argument) in &call.prefix {
                this.bind(name, Binding::Set(argument.value.clone()), argument.span);
                this.export(name);
            }
            this.functions = Default::default();
            this.positional = arguments;
            this.errexit = flags.contains('e');
            this.nounset = flags.contains('u');
            this.pipefail = flags.contains('P');
            this.run_text(text, call.span)
        });
        (self.asking, self.relied_on) = condition;
        (self.dialect, self.zero) = (outer, outer_zero);
        Flow::Next
    }

    /// `eval`.
    pub(super) fn eval(&mut self, call: &Call) -> Flow {
        let blank = Value::known(" ", Origin::Literal, call.span);
        let mut parts: Vec<&Value> = Vec::new();
        for argument in call.arguments() {
            if !parts.is_empty() {
                parts.push(&blank);
            }
            parts.push(&argument.value);
        }
        let text = Value::join(parts);
        self.run_text(&text, call.span)
    }
}

/// Which quotes are open in a script, read from its begin.
#[derive(Default)]
struct Quotes {
    open: Option<char>,
    escaped: bool,
}

impl Quotes {
    fn read(&mut self, text: &str) {
        for c in text.chars() {
            match (c, self.open) {
                _ if self.escaped => self.escaped = false,
                ('\\', None | Some('"')) => self.escaped = true,
                ('\'' | '"', None) => self.open = Some(c),
                (c, Some(open)) if c == open => self.open = None,
                _ => {}
            }
        }
    }
}

/// What certainly is in a file.
pub(super) fn text_of(file: &Artifact) -> Option<Value> {
    let told = matches!(file.made, Made::Context { path: Some(_) });
    file.content.clone().filter(|_| file.certain || told)
}

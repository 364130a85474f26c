//! Scripts that a command runs or reads in: those that the Dockerfile wrote itself, and those of
//! the build context. Their commands are followed as if they stood in the RUN; what they do gets
//! the place of the command that runs them.

use std::sync::Arc;

use mlint_syntax::{LogicalText, Span};

use super::{Call, Dialect, Flow, Interpreter, Status};
use crate::{
    artifact::{Artifact, Made},
    context::ContextEntry,
    effect::{Argument, Command, EffectKind},
    expand::Binding,
    foreign::Language,
    machine::MachineSource,
    prepare::is_posix_shell,
    value::{Hop, HopKind, Origin, Piece, Truth, Value},
};

/// Bytes of script text that one RUN may lead through.
pub(super) const MAX_BYTES: usize = 256 * 1024;

/// Scripts that run scripts.
const MAX_NESTING: u32 = 8;

/// A script of the context at work: its commands have no place in the file.
#[derive(Clone, Debug)]
pub(crate) struct Via {
    /// The command in the file that leads here.
    pub(super) span: Span,
    /// The script's path in the context.
    pub(super) name: Arc<str>,
}

/// How much more is followed.
#[derive(Clone, Debug, Default)]
pub(super) struct Budget {
    bytes: usize,
    nesting: u32,
}

/// A script as its first line has it.
struct Shebang {
    /// `sh`, where none is named.
    interpreter: String,
    errexit: bool,
}

impl Shebang {
    fn of(text: &str) -> Self {
        let Some(line) = text.strip_prefix("#!").and_then(|rest| rest.lines().next()) else {
            return Self { interpreter: "sh".to_owned(), errexit: false };
        };
        let mut words = line.split_whitespace().peekable();
        let mut interpreter = words.next().unwrap_or_default();
        if interpreter.ends_with("/env") {
            while words.next_if(|w| w.starts_with('-')).is_some() {}
            interpreter = words.next().unwrap_or_default();
        }
        let errexit = words.any(|w| w.starts_with('-') && !w.starts_with("--") && w.contains('e'));
        Self { interpreter: interpreter.to_owned(), errexit }
    }
}

impl Interpreter<'_, '_> {
    /// The file at a path as far as it is known, with what the context tells of it.
    pub(crate) fn file(&self, path: &str, span: Span) -> Option<Artifact> {
        let mut artifact = self.state.files.find(path)?;
        self.world.look_at(&mut artifact, span);
        Some(artifact)
    }

    /// Whether something certainly lies at a path: a file of the Dockerfile's own, or of a copied
    /// part of the context. What the context lacks may have come into being since.
    pub(super) fn exists(&self, op: &str, path: &str) -> Truth {
        let Some(artifact) = self.state.files.find(path).filter(|a| a.certain) else {
            return Truth::Unknown;
        };
        let own = self.state.files.at(path).is_some() && !artifact.folder;
        if own && op != "-d" {
            return Truth::Yes;
        }
        let entry = match &artifact.made {
            Made::Context { path: Some(path) } => self.world.entry(path),
            _ => None,
        };
        match (entry, op) {
            (Some(ContextEntry::File(_)), "-e" | "-f" | "-r") => Truth::Yes,
            (Some(ContextEntry::File(file)), "-s") => match &file.text {
                Some(text) => Truth::from(!text.is_empty()),
                None => Truth::Unknown,
            },
            (Some(ContextEntry::File(_)), "-d") => Truth::No,
            (Some(ContextEntry::Folder), "-e" | "-d" | "-r" | "-x") => Truth::Yes,
            (Some(ContextEntry::Folder), "-f") => Truth::No,
            _ => Truth::Unknown,
        }
    }

    /// Text of the script, as a piece that names its script when it is one of the context.
    pub(super) fn literal(&self, text: &LogicalText) -> Value {
        let Some(via) = &self.via else { return Value::literal(text) };
        let piece = Piece::known(text.as_str(), Origin::Literal, via.span);
        let hop = Hop { kind: HopKind::Script, name: Arc::clone(&via.name), span: via.span };
        Value::new([Piece { trail: piece.trail.then(hop), ..piece }])
    }

    /// Follows the script that a command runs, if it runs one: by its path, by its name in a folder
    /// of programs, or as the operand of a shell. `false` if there is no text to follow.
    pub(super) fn follow(&mut self, name: &str, call: &Call) -> bool {
        let at = match name {
            "sh" | "bash" | "ash" | "dash" | "zsh" | "ksh" => {
                let is_option = |a: &Argument| {
                    a.value.as_known().is_some_and(|t| t.starts_with(['-', '+']) && t.len() > 1)
                };
                match call.arguments().iter().position(|a| !is_option(a)) {
                    Some(at) => at + 1,
                    None => return false,
                }
            }
            _ => 0,
        };
        let Some(artifact) = self.program(call, at) else { return false };
        let Some(content) = artifact.content.clone() else { return false };
        let Some(text) = content.as_known().map(std::borrow::Cow::into_owned) else { return false };
        let shebang = Shebang::of(&text);
        if text.is_empty() || super::texts::text_of(&artifact).is_none() {
            return false;
        }
        if !is_posix_shell(&shebang.interpreter) && at == 0 {
            let language = Language::of_program(&shebang.interpreter);
            self.foreign_text(language, &content, call.span);
            return false;
        }
        let interpreter = if at == 0 { shebang.interpreter.as_str() } else { name };
        let dialect = Dialect::of_program(interpreter, self.state.sh);
        let flags = call.argv[1..at.max(1)].iter().filter_map(|a| a.value.as_known());
        let errexit = match at {
            0 => shebang.errexit,
            _ => flags.into_iter().any(|f| f.starts_with('-') && f.contains('e')),
        };
        let arguments = call.argv[at + 1..].iter().map(|a| a.value.clone()).collect();
        let zero = call.argv[at].value.clone();
        let outer = std::mem::replace(&mut self.dialect, dialect);
        let followed = self.follow_text(&content, &artifact, call.span, |this| {
            this.hide_unexported();
            this.functions = Default::default();
            (this.nounset, this.pipefail) = (false, false);
            this.errexit = errexit;
            this.bind("BASH_SOURCE", Binding::Set(zero.clone()), call.span);
            for (variable, argument) in &call.prefix {
                this.bind(variable, Binding::Set(argument.value.clone()), argument.span);
                this.export(variable);
            }
            let positional = std::mem::replace(&mut this.positional, arguments);
            let outer_zero = this.zero.replace(zero);
            (positional, outer_zero)
        });
        self.dialect = outer;
        followed
    }

    /// The file that a word of a command names.
    fn program(&self, call: &Call, at: usize) -> Option<Artifact> {
        let text = call.text(at)?;
        if text.contains('/') || at > 0 {
            let path = self.absolute(&text)?;
            return self.file(&path, call.argv[at].span);
        }
        const FOLDERS: &[&str] = &["/usr/local/sbin", "/usr/local/bin", "/usr/bin", "/bin"];
        let found = FOLDERS.iter().filter_map(|f| self.state.files.in_folders(&[f], &text));
        found.into_iter().find(|a| a.content.is_some()).cloned()
    }

    fn follow_text(
        &mut self,
        content: &Value,
        artifact: &Artifact,
        span: Span,
        enter: impl FnOnce(&mut Self) -> (Vec<Value>, Option<Value>),
    ) -> bool {
        let bytes = content.as_known().map_or(0, |t| t.len());
        if self.budget.bytes + bytes > MAX_BYTES || self.budget.nesting >= MAX_NESTING {
            return false;
        }
        self.budget.bytes += bytes;
        self.budget.nesting += 1;
        let outer_status = self.status;
        let condition = (self.asking, self.relied_on);
        self.subshell(span, |this| {
            let (positional, zero) = enter(this);
            this.status = Status::Success;
            let flow = this.within(artifact, span, |this| this.run_text(content, span));
            this.positional = positional;
            this.zero = zero;
            flow
        });
        self.budget.nesting -= 1;
        (self.asking, self.relied_on) = condition;
        // A script that is not followed to its end does its work.
        if self.status == Status::Unknown {
            self.status = match outer_status {
                Status::Failure | Status::Unknown => Status::Assumed,
                other => other,
            };
        }
        true
    }

    /// `. file`: in the same environment. `None` if its text is not known.
    pub(super) fn read_in(&mut self, argument: &Argument, span: Span) -> Option<Flow> {
        let path = self.path(&argument.value)?;
        let artifact = self.file(&path, argument.span)?;
        let content = super::texts::text_of(&artifact)?;
        let bytes = content.as_known()?.len();
        if self.budget.bytes + bytes > MAX_BYTES || self.budget.nesting >= MAX_NESTING {
            return None;
        }
        self.budget.bytes += bytes;
        self.budget.nesting += 1;
        let flow = self.within(&artifact, span, |this| this.run_text(&content, span));
        self.budget.nesting -= 1;
        Some(match flow {
            Flow::Return => Flow::Next,
            flow => flow,
        })
    }

    /// Runs text of a file; what a file of the context does gets the place of `span`.
    fn within(
        &mut self,
        artifact: &Artifact,
        span: Span,
        run: impl FnOnce(&mut Self) -> Flow,
    ) -> Flow {
        let Made::Context { path: Some(path) } = &artifact.made else { return run(self) };
        let span = self.via.as_ref().map_or(span, |via| via.span);
        let via = Via { span, name: path.to_string().into() };
        let outer = self.via.replace(via);
        let first = self.step.effects.len();
        let dead = std::mem::take(&mut self.dead);
        let flow = run(self);
        self.via = outer;
        // Branches of a script that are not taken are no text of the file.
        self.dead = dead;
        for effect in &mut self.step.effects[first..] {
            effect.span = span;
            place_at(&mut effect.kind, span);
        }
        flow
    }

    /// What a shell does not export, its children don't see.
    pub(super) fn hide_unexported(&mut self) {
        let hidden: Vec<Arc<str>> =
            self.vars.iter().filter(|(_, v)| !v.exported).map(|(n, _)| Arc::clone(n)).collect();
        for name in hidden {
            self.vars.set(&name, None);
        }
    }
}

/// Gives all words of an effect one place.
pub(crate) fn place_at(kind: &mut EffectKind, span: Span) {
    let place = |argument: &mut Argument| argument.span = span;
    match kind {
        EffectKind::Command(Command { argv, prefix, .. }) => {
            argv.iter_mut().for_each(place);
            prefix.iter_mut().for_each(|(_, argument)| argument.span = span);
        }
        EffectKind::Download(download) => download.url_span = span,
        EffectKind::Install(install) => install.packages.iter_mut().for_each(place),
        EffectKind::Compile(compile) => {
            compile.settings.iter_mut().for_each(|setting| setting.span = span);
            if let MachineSource::Setting { span: place, .. } = &mut compile.machine.source {
                *place = span;
            }
        }
        EffectKind::Copy(copy) => {
            copy.sources.iter_mut().for_each(place);
            copy.dest.span = span;
        }
        _ => {}
    }
}

//! What is parsed once and evaluated per platform.

use std::collections::BTreeSet;

use mlint_oci::Platform;
use mlint_syntax::{
    CommandLine, Dockerfile, Instruction, InstructionKind, LogicalText, Span, Spanned,
    shell::{Script, parse_shell},
};

use crate::{
    context::ContextPath,
    evaluation::{Evaluation, ImageUse, ImageUser, Options},
    facts::{ConfigQuery, ImageFacts, ImageQuery},
    plan::{Outline, Plan, unwrap_onbuild},
    run,
};

/// A Dockerfile with its scripts parsed, ready to be evaluated on any number of platforms.
#[derive(Debug)]
pub struct Prepared<'f> {
    pub(crate) file: &'f Dockerfile,
    pub(crate) outline: Outline,
    /// By instruction; for an ONBUILD, that of its trigger.
    pub(crate) scripts: Vec<Option<Program>>,
}

/// What a RUN runs.
#[derive(Clone, Debug)]
pub(crate) enum Program {
    /// Shell form: read by the stage's shell.
    Shell(Script),
    /// A here-document that names its interpreter; a script if that is a shell.
    Interpreter {
        line: Span,
        name: String,
        flags: String,
        script: Option<Script>,
        body: LogicalText,
    },
    /// Exec form that starts a shell by itself: `["sh", "-c", "…"]`.
    ExecShell { name: String, flags: String, script: Script },
    /// Exec form.
    Exec(Vec<Spanned<String>>),
}

/// Whether a program by that path is a shell that the interpreter understands.
pub(crate) fn is_posix_shell(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    matches!(name, "sh" | "bash" | "ash" | "dash" | "zsh" | "ksh" | "mksh")
}

impl<'f> Prepared<'f> {
    /// Parses the scripts of all RUN instructions.
    pub fn new(file: &'f Dockerfile) -> Self {
        let scripts = file.instructions.iter().map(|i| program(unwrap_onbuild(i))).collect();
        Self { file, outline: Outline::new(file), scripts }
    }

    /// The file.
    pub fn file(&self) -> &'f Dockerfile {
        self.file
    }

    /// Executes the file abstractly on one platform.
    pub fn evaluate(
        &self,
        platform: &Platform,
        options: &Options,
        facts: &ImageFacts,
    ) -> Evaluation {
        run::evaluate(self, platform, options, facts)
    }

    /// The paths of the build context that evaluations on these platforms would like to know more
    /// about, each once.
    pub fn asked(
        &self,
        platforms: &[Platform],
        options: &Options,
        facts: &ImageFacts,
    ) -> BTreeSet<ContextPath> {
        let evaluate = |platform| self.evaluate(platform, options, facts).asked;
        platforms.iter().flat_map(evaluate).collect()
    }

    /// Whether the file takes anything from the build context or from a named one.
    pub fn uses_context(&self) -> bool {
        self.file.instructions.iter().map(unwrap_onbuild).any(|instruction| {
            let named = ["from", "mount"].iter().any(|flag| instruction.flag(flag).is_some());
            match instruction.kind {
                InstructionKind::Copy { .. } | InstructionKind::Add { .. } => true,
                InstructionKind::Run(_) => named,
                _ => false,
            }
        })
    }

    /// The images that reachable stages need on one platform, with where.
    pub fn image_uses(&self, platform: &Platform, options: &Options) -> Vec<ImageUse> {
        let facts = ImageFacts::default();
        Plan::new(self.file, &self.outline, platform, options, &facts).images
    }
}

/// Executes a file abstractly on one platform. For several platforms, use [`Prepared`].
pub fn evaluate(
    file: &Dockerfile,
    platform: &Platform,
    options: &Options,
    facts: &ImageFacts,
) -> Evaluation {
    Prepared::new(file).evaluate(platform, options, facts)
}

/// The images that the file needs on these platforms, each once. Only known references are asked
/// for; [`Evaluation::images`] tells who uses what, where and for which platform.
pub fn image_queries(
    file: &Dockerfile,
    platforms: &[Platform],
    options: &Options,
) -> Vec<ImageQuery> {
    let outline = Outline::new(file);
    let mut queries: Vec<ImageQuery> = Vec::new();
    let facts = ImageFacts::default();
    for platform in platforms {
        for image in Plan::new(file, &outline, platform, options, &facts).images {
            let Some(references) = image.reference.texts() else { continue };
            for reference in references.into_iter().filter(|r| !r.is_empty()) {
                let query = ImageQuery { reference };
                if !queries.contains(&query) {
                    queries.push(query);
                }
            }
        }
    }
    queries
}

/// The configurations of base images that decide what the file does on these platforms, each once.
pub fn config_queries(
    file: &Dockerfile,
    platforms: &[Platform],
    options: &Options,
) -> Vec<ConfigQuery> {
    let outline = Outline::new(file);
    let mut queries: Vec<ConfigQuery> = Vec::new();
    let facts = ImageFacts::default();
    for platform in platforms {
        let images = Plan::new(file, &outline, platform, options, &facts).images;
        for image in images.into_iter().filter(|i| i.user == ImageUser::From) {
            let (Some(reference), Some(platform)) = (image.reference.as_known(), image.platform)
            else {
                continue;
            };
            let query = ConfigQuery { reference: reference.into_owned(), platform };
            if !query.reference.is_empty() && !queries.contains(&query) {
                queries.push(query);
            }
        }
    }
    queries
}

/// What a RUN runs.
pub(crate) fn program(instruction: &Instruction) -> Option<Program> {
    let InstructionKind::Run(line) = &instruction.kind else { return None };
    match line {
        CommandLine::Exec(argv) => Some(exec(argv)),
        CommandLine::Shell(_) => {
            let script = instruction.shell_script()?;
            Some(match script.shebang {
                None => Program::Shell(parse_shell(&script.text)),
                Some(line) => {
                    let words: Vec<&str> = line.split_whitespace().collect();
                    let (name, flags) = match words[..] {
                        [env, "-S", name, ref flags @ ..] if env.ends_with("/env") => (name, flags),
                        [env, name, ref flags @ ..] if env.ends_with("/env") => (name, flags),
                        [name, ref flags @ ..] => (name, flags),
                        [] => ("", &[][..]),
                    };
                    let body = script.text;
                    let script = is_posix_shell(name).then(|| parse_shell(&body));
                    let (name, flags) = (name.to_owned(), flags.concat());
                    Program::Interpreter { line: line.full_span(), name, flags, script, body }
                }
            })
        }
    }
}

fn exec(argv: &[Spanned<String>]) -> Program {
    if let [shell, flags, script] = argv
        && is_posix_shell(&shell.value)
        && flags.value.starts_with('-')
        && flags.value.ends_with('c')
    {
        let (name, flags) = (shell.value.clone(), flags.value.clone());
        return Program::ExecShell { name, flags, script: parse_shell(&json_text(script)) };
    }
    Program::Exec(argv.to_vec())
}

/// A JSON string as text with places: its own bytes where it holds no escape, else all of it at
/// its first byte.
pub(crate) fn json_text(string: &Spanned<String>) -> LogicalText {
    let plain = string.span.len() as usize == string.value.len() + 2;
    if plain {
        return LogicalText::contiguous(string.value.as_str(), string.span.start + 1);
    }
    crate::value::text_at(&string.value, string.span)
}

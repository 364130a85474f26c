//! What a rule sees: the file, its evaluations, facts and options.

use std::{cell::RefCell, collections::BTreeMap};

use mlint_model::{BuildContext, ContextFacts, Evaluation, ImageFacts, Options, SumFacts};
use mlint_oci::Platform;
use mlint_syntax::{Dockerfile, Instruction, Span};

use crate::diagnostic::Severity;

/// How to check.
#[derive(Clone, Debug)]
pub struct CheckOptions {
    /// The platforms that the image is made for; never empty in practice (no platform, no
    /// finding).
    pub platforms: Vec<Platform>,
    /// The platform that the build runs on.
    pub build_platform: Platform,
    /// `--build-arg`, in order; the last of a name counts.
    pub build_args: Vec<(String, String)>,
    /// `--target`: the stage that becomes the image, the last one if `None`.
    pub target: Option<String>,
    /// `--build-context`, in order; the last of a name counts.
    pub contexts: Vec<BuildContext>,
    /// What is known about the files of the build context.
    pub context: ContextFacts,
    /// Sums of downloads, where they were looked up.
    pub sums: SumFacts,
    /// Levels of rules by name, where they differ from the rules' own.
    pub levels: BTreeMap<String, Level>,
}

/// What a user sets for a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// The rule is not run.
    Off,
    /// Its findings have this severity.
    At(Severity),
}

impl Default for CheckOptions {
    /// linux/amd64 and linux/arm64, built on linux/amd64, all rules as they are.
    fn default() -> Self {
        Self {
            platforms: vec![Platform::linux("amd64"), Platform::linux("arm64")],
            build_platform: Platform::linux("amd64"),
            build_args: Vec::new(),
            target: None,
            contexts: Vec::new(),
            context: ContextFacts::default(),
            sums: SumFacts::default(),
            levels: BTreeMap::new(),
        }
    }
}

impl CheckOptions {
    /// The model's options for this build.
    pub fn model(&self) -> Options {
        self.model_on(&self.build_platform)
    }

    /// The model's options for the same build on another machine.
    pub(crate) fn model_on(&self, build_platform: &Platform) -> Options {
        Options {
            build_platform: build_platform.clone(),
            build_args: self.build_args.clone(),
            target: self.target.clone(),
            contexts: self.contexts.clone(),
            context: self.context.clone(),
        }
    }

    /// Whether a rule is switched off.
    pub fn is_off(&self, rule: &str) -> bool {
        self.levels.get(rule) == Some(&Level::Off)
    }
}

/// What a rule sees.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// The file.
    pub file: &'a Dockerfile,
    /// One evaluation per platform asked for, in that order.
    pub evaluations: &'a [Evaluation],
    /// What is known about images.
    pub facts: &'a ImageFacts,
    /// The options.
    pub options: &'a CheckOptions,
    /// What several rules ask of an evaluation.
    pub(crate) answers: &'a Answers,
}

/// Answers about evaluations that are the same for all rules.
#[derive(Debug, Default)]
pub(crate) struct Answers(RefCell<Vec<(&'static str, usize, bool)>>);

impl<'a> Context<'a> {
    /// The answer to a question about one of [`Context::evaluations`] that several rules ask, worked
    /// out once. `question` names it.
    pub fn once(
        &self,
        question: &'static str,
        evaluation: &Evaluation,
        answer: impl FnOnce() -> bool,
    ) -> bool {
        let Some(at) = self.evaluations.iter().position(|e| std::ptr::eq(e, evaluation)) else {
            return answer();
        };
        // A handful of questions: looking through them is quicker than a map.
        let is_same = |(q, e, _): &&(&str, usize, bool)| *e == at && *q == question;
        if let Some((.., known)) = self.answers.0.borrow().iter().find(is_same) {
            return *known;
        }
        let known = answer();
        self.answers.0.borrow_mut().push((question, at, known));
        known
    }

    /// The file's text at `span`; empty if it lies outside.
    pub fn text(&self, span: Span) -> &'a str {
        self.file.text.get(span.range()).unwrap_or_default()
    }

    /// The instruction that holds the byte at `offset`.
    pub fn instruction_at(&self, offset: u32) -> Option<(usize, &'a Instruction)> {
        let i = self.file.instructions.partition_point(|i| i.span.end <= offset);
        let found = self.file.instructions.get(i)?;
        (found.span.start <= offset).then_some((i, found))
    }

    /// Whether a platform other than the one given is asked for.
    pub fn has_other_than(&self, platform: &Platform) -> bool {
        self.options.platforms.iter().any(|p| p != platform)
    }
}

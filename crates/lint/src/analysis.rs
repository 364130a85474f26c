//! What is found out about one text, each thing once: evaluations, raw findings, and on demand the
//! lines that proofs compare.

use std::{borrow::Cow, cell::RefCell, collections::HashMap, rc::Rc};

use mlint_model::{Evaluation, ImageFacts, Prepared};
use mlint_oci::Platform;
use mlint_syntax::Dockerfile;

use crate::{
    context::{Answers, CheckOptions, Context},
    finding::{Draft, Sink},
    rule::Rule,
    runner::{certain_failures, no_dockerfile_error, syntax_errors},
    signature::{is_analogous, mark_words, signature},
    template::no_dockerfile,
};

/// How texts are looked at: the same for a file and for what its fixes make of it.
pub(crate) struct Lab<'a> {
    pub(crate) options: &'a CheckOptions,
    pub(crate) facts: &'a ImageFacts,
    pub(crate) rules: &'a [&'a dyn Rule],
    /// Lines with the words for a platform replaced. A fix leaves most lines as they are.
    marked: RefCell<HashMap<Platform, HashMap<String, Rc<str>>>>,
}

/// Evaluations and raw findings of one text.
#[derive(Debug)]
pub(crate) struct Analysis<'f> {
    file: Cow<'f, Dockerfile>,
    /// Whether it is one: of a template, one error is all that is said.
    pub(crate) is_dockerfile: bool,
    /// One per platform asked for, in that order.
    pub(crate) evaluations: Vec<Evaluation>,
    pub(crate) drafts: Vec<Draft>,
    signatures: RefCell<HashMap<Platform, Lines<String>>>,
    analogies: RefCell<HashMap<Platform, Lines<Rc<str>>>>,
}

/// Lines that several ask for.
pub(crate) type Lines<T> = Rc<Vec<T>>;

impl<'a> Lab<'a> {
    pub(crate) fn new(
        options: &'a CheckOptions,
        facts: &'a ImageFacts,
        rules: &'a [&'a dyn Rule],
    ) -> Self {
        Self { options, facts, rules, marked: RefCell::default() }
    }

    /// Evaluates a file on all platforms and asks all rules.
    pub(crate) fn analyse<'f>(&self, file: Cow<'f, Dockerfile>) -> Analysis<'f> {
        let Self { options, facts, .. } = *self;
        let model = options.model();
        let prepared = Prepared::new(&file);
        let evaluations: Vec<Evaluation> = options
            .platforms
            .iter()
            .map(|platform| prepared.evaluate(platform, &model, facts))
            .collect();
        drop(prepared);
        let answers = Answers::default();
        let cx =
            Context { file: &file, evaluations: &evaluations, facts, options, answers: &answers };
        let no_dockerfile = no_dockerfile(&file);
        let drafts = match &no_dockerfile {
            Some(why) => no_dockerfile_error(&cx, why),
            None => self.ask(&cx),
        };
        Analysis {
            is_dockerfile: no_dockerfile.is_none(),
            file,
            evaluations,
            drafts,
            signatures: RefCell::default(),
            analogies: RefCell::default(),
        }
    }

    /// All that is found in a Dockerfile.
    fn ask(&self, cx: &Context<'_>) -> Vec<Draft> {
        let mut drafts = syntax_errors(cx);
        drafts.extend(certain_failures(cx));
        for rule in self.rules.iter().filter(|r| !self.options.is_off(r.meta().name)) {
            let mut sink = Sink::new(rule.meta(), &self.options.platforms);
            rule.check(cx, &mut sink);
            drafts.extend(sink.into_drafts());
        }
        drafts
    }

    /// What the file does in the build for `platform` on a machine of that platform.
    pub(crate) fn signature(&self, of: &Analysis<'_>, platform: &Platform) -> Lines<String> {
        if let Some(known) = of.signatures.borrow().get(platform) {
            return Rc::clone(known);
        }
        let lines = Rc::new(self.lines(of, platform, platform));
        of.signatures.borrow_mut().insert(platform.clone(), Rc::clone(&lines));
        lines
    }

    /// What the file does in the build for `platform`, with every word for `platform` replaced by
    /// one and the same mark, and without what says where a step runs: two platforms for which the
    /// file does the analogous thing give equal lines.
    pub(crate) fn analogy(&self, of: &Analysis<'_>, platform: &Platform) -> Lines<Rc<str>> {
        if let Some(known) = of.analogies.borrow().get(platform) {
            return Rc::clone(known);
        }
        let mut all = self.marked.borrow_mut();
        let marked = all.entry(platform.clone()).or_default();
        let lines = self.lines(of, platform, &self.options.build_platform);
        let analogous = lines.into_iter().filter(|line| is_analogous(line)).map(|line| {
            let known = marked.entry(line);
            Rc::clone(match known {
                std::collections::hash_map::Entry::Occupied(known) => known.into_mut(),
                std::collections::hash_map::Entry::Vacant(free) => {
                    let words = mark_words(free.key(), platform).into();
                    free.insert(words)
                }
            })
        });
        let lines: Lines<Rc<str>> = Rc::new(analogous.collect());
        of.analogies.borrow_mut().insert(platform.clone(), Rc::clone(&lines));
        lines
    }

    /// What the file does in the build for `platform` on a machine of the platform `on`.
    fn lines(&self, of: &Analysis<'_>, platform: &Platform, on: &Platform) -> Vec<String> {
        let known = of.evaluations.iter().find(|e| e.platform == *platform);
        let mut lines = match known.filter(|e| e.build_platform == *on) {
            Some(evaluation) => signature(evaluation, &of.file),
            None => {
                let model = self.options.model_on(on);
                let evaluation = mlint_model::evaluate(&of.file, platform, &model, self.facts);
                signature(&evaluation, &of.file)
            }
        };
        for line in &mut lines {
            if let Cow::Owned(same) = self.facts.by_index(line) {
                *line = same;
            }
        }
        lines
    }
}

impl Analysis<'_> {
    /// The file.
    pub(crate) fn file(&self) -> &Dockerfile {
        &self.file
    }
}

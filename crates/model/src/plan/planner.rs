//! Stage by stage: what each starts from, and which platform it runs on.

use std::collections::BTreeMap;

use mlint_oci::{Platform, Reference};
use mlint_syntax::{Dockerfile, InstructionKind, Span};

use super::{Outline, StagePlan, Trigger, by_context, relocate};
use crate::{
    context::{self, BuildContext, ContextSource},
    evaluation::Options,
    facts::{Fact, ImageFacts},
    knowledge,
    scope::GlobalScope,
    stage::{Base, Failure, RunsOn, StagePlatform, UnsetUse},
    value::{Hop, HopKind, Origin, Value},
};

/// Reads the stages in order.
pub(super) struct Planner<'p> {
    pub(super) file: &'p Dockerfile,
    pub(super) outline: &'p Outline,
    pub(super) target: &'p Platform,
    pub(super) options: &'p Options,
    pub(super) unset: Vec<UnsetUse>,
    pub(super) failures: Vec<Failure>,
    pub(super) names: BTreeMap<String, Vec<usize>>,
}

/// A stage whose parent, if it has one, is not looked up yet.
pub(super) struct Unfinished {
    base: Base,
    base_span: Span,
    flag: Option<(Value, Span)>,
    replaced: bool,
    base_replaced: bool,
}

impl Unfinished {
    pub(super) fn finish(
        self,
        before: &[StagePlan],
        outline: &Outline,
        facts: &ImageFacts,
        target: &Platform,
    ) -> StagePlan {
        let flag_span = self.flag.as_ref().map(|(_, span)| *span);
        let value = self.flag.map(|(value, _)| value);
        let ignored = value.is_some() && matches!(self.base, Base::Stage(_) | Base::Scratch);
        let (platform, role) = match (&self.base, &value) {
            (Base::Stage(parent), _) => {
                let parent = &before[*parent].platform;
                (parent.platform.clone(), parent.role)
            }
            (Base::Scratch, _) | (_, None) => (Some(target.clone()), RunsOn::Target),
            (Base::Image { .. } | Base::Context { .. }, Some(value)) => {
                (value.as_known().and_then(|v| v.parse().ok()), role(value))
            }
        };
        let platform = StagePlatform { platform, role, flag: value, flag_span, ignored };
        let userland = match (&self.base, &platform.platform) {
            (Base::Stage(parent), _) => before[*parent].userland.clone(),
            (Base::Image { reference }, requested) => {
                let offers = |p: &Platform| {
                    reference.as_known().is_some_and(|name| match facts.image(&name) {
                        Fact::Known(info) => info.is_index && info.platforms.contains(p),
                        _ => false,
                    })
                };
                match requested {
                    Some(p) if offers(p) => Some(p.clone()),
                    _ => knowledge::content(reference, requested.as_ref()),
                }
            }
            (_, requested) => requested.clone(),
        };
        let config = match (&self.base, &platform.platform) {
            (Base::Image { reference }, Some(platform)) => {
                reference.as_known().and_then(|r| facts.config(&r, platform)).cloned()
            }
            _ => None,
        };
        let triggers = match &self.base {
            _ if self.replaced => Vec::new(),
            Base::Stage(parent) => {
                outline.stages[*parent].triggers.iter().copied().map(Trigger::Own).collect()
            }
            _ => config
                .iter()
                .flat_map(|c| &c.on_build)
                .filter_map(|text| {
                    relocate::trigger(text, self.base_span).map(|i| Trigger::Image(Box::new(i)))
                })
                .collect(),
        };
        StagePlan {
            base: self.base,
            base_span: self.base_span,
            platform,
            userland,
            reachable: false,
            replaced: self.replaced,
            base_replaced: self.base_replaced,
            triggers,
            config,
        }
    }
}

/// Which platform a `--platform` names, seen from the file: the first part that says so decides.
fn role(value: &Value) -> RunsOn {
    let has = |wanted: fn(&Origin) -> bool| value.all_pieces().iter().any(|p| wanted(&p.origin));
    match () {
        () if value.as_known().is_none() => RunsOn::Unknown,
        () if has(|o| matches!(o, Origin::Build(_))) => RunsOn::Build,
        () if has(|o| matches!(o, Origin::Target(_))) => RunsOn::Target,
        () => RunsOn::Constant,
    }
}

impl Planner<'_> {
    fn fail(&mut self, span: Span, message: impl Into<String>) {
        self.failures.push(Failure::new(span, message));
    }

    pub(super) fn globals(&mut self) -> GlobalScope {
        let last = self.outline.stages.last().and_then(|s| s.name.as_deref());
        let target_stage = self.options.target.as_deref().filter(|t| !t.is_empty()).or(last);
        let mut global = GlobalScope::new(
            self.target,
            &self.options.build_platform,
            self.options.build_args.iter().cloned(),
            target_stage,
            self.file.escape,
        )
        .with_open_args();
        for instruction in &self.file.instructions[self.outline.globals.clone()] {
            if let InstructionKind::Arg(pairs) = &instruction.kind {
                let outcome = global.arg(pairs);
                self.unset.extend(outcome.unset);
                self.failures.extend(outcome.failure);
            }
        }
        global
    }

    pub(super) fn stage(&mut self, global: &mut GlobalScope, index: usize) -> Unfinished {
        let outline = &self.outline.stages[index];
        let instruction = &self.file.instructions[outline.from];
        let InstructionKind::From { image, .. } = &instruction.kind else {
            // The outline holds FROMs only.
            return self.base(index, Value::default(), instruction.span, None);
        };
        let expansion = global.expand(image);
        self.unset.extend(expansion.unset);
        self.failures.extend(expansion.failure);
        let base_span = image.span();
        let mut reference = expansion.value;
        if let Some(message) = self.refusal(&reference, image.as_str()) {
            let given = global.expand_given(image);
            let hint = match given {
                Some(_) => "; an ARG in it has no default, and no --build-arg gives it",
                None => "",
            };
            // What an ARG brought in, --build-arg may replace.
            let lacks_argument = given.is_some() || comes_from_arg(&reference);
            let message = format!("{message}{hint}");
            self.failures.push(Failure { span: base_span, message, lacks_argument });
            reference = given.unwrap_or(reference);
        } else if expansion.lacks_argument && self.begins_a_stage(&reference) {
            // `FROM base-$VARIANT` chooses among the stages.
            reference = global.expand_given(image).unwrap_or(reference);
        }
        let flag = instruction.flag("platform").and_then(|flag| {
            let word = flag.value.as_ref()?;
            let expansion = global.expand(word);
            self.unset.extend(expansion.unset);
            self.failures.extend(expansion.failure);
            let mut value = expansion.value;
            let refused = match value.as_known() {
                Some(text) if text.is_empty() => {
                    Some(format!("'{}' expands to no platform", word.as_str()))
                }
                // `windows(10.0.20348)/amd64` is one, too.
                Some(text) if text.parse::<Platform>().is_err() && !text.contains('(') => {
                    Some(format!("'{text}' is no platform"))
                }
                _ => None,
            };
            if let Some(message) = refused {
                let given = global.expand_given(word);
                let lacks_argument = given.is_some();
                self.failures.push(Failure { span: flag.span, message, lacks_argument });
                value = given.unwrap_or(value);
            }
            Some((value.hop(HopKind::Used, "", flag.span), flag.span))
        });
        let platform = match &flag {
            Some((value, _)) => value.as_known().and_then(|v| v.parse().ok()),
            None => Some(self.target.clone()),
        };
        let unfinished = self.base(index, reference, base_span, platform.as_ref());
        if let Some(name) = &outline.name {
            self.names.entry(name.clone()).or_default().push(index);
        }
        Unfinished { flag, ..unfinished }
    }

    /// Whether a name is no stage's, but the beginning of one.
    fn begins_a_stage(&self, reference: &Value) -> bool {
        let Some(name) = reference.as_known() else { return false };
        !self.names.contains_key(&*name) && self.names.keys().any(|stage| stage.starts_with(&*name))
    }

    /// Why BuildKit takes a base's name for no image's and no stage's.
    fn refusal(&self, reference: &Value, written: &str) -> Option<String> {
        let name = reference.as_known()?;
        if name.is_empty() {
            return Some(format!("base name ({written}) should not be blank"));
        }
        // What BuildKit would call it is said where it looks like a stage's name.
        let elsewhere = self.names.contains_key(&name.to_lowercase())
            || context::find(&self.options.contexts, &name, None).is_some();
        // What stands there as it is, is a template's more often than a slip.
        let made = written.contains('$');
        let refused = made && !elsewhere && Reference::parse(&name).is_err();
        refused.then(|| format!("'{name}' is an invalid reference"))
    }

    /// What a stage starts from: what `--build-context` puts in its own place, an earlier stage,
    /// nothing, what `--build-context` puts in the image's place, the image.
    fn base(
        &mut self,
        index: usize,
        reference: Value,
        base_span: Span,
        platform: Option<&Platform>,
    ) -> Unfinished {
        let contexts = &self.options.contexts;
        let made = |base, base_span, replaced, base_replaced| Unfinished {
            base,
            base_span,
            flag: None,
            replaced,
            base_replaced,
        };
        let outline = &self.outline.stages[index];
        if let Some(name) = &outline.name
            && let Some(context) = context::find(contexts, name, platform)
        {
            return made(base_of(context, name, outline.name_span), outline.name_span, true, true);
        }
        let Some(name) = reference.as_known() else {
            return made(Base::Image { reference }, base_span, false, false);
        };
        if let Some(stage) = self.names.get(&*name).and_then(|all| all.last()) {
            return made(Base::Stage(*stage), base_span, false, false);
        }
        if name == "scratch" {
            return made(Base::Scratch, base_span, false, false);
        }
        if let Some(context) = context::find(contexts, &name, platform) {
            return made(base_of(context, &name, base_span), base_span, false, true);
        }
        if self.names.contains_key(&name.to_lowercase()) && Reference::parse(&name).is_err() {
            let message = format!(
                "'{name}' is read as an image here; the stage's name is '{}'",
                name.to_lowercase()
            );
            self.fail(base_span, message);
        }
        drop(name);
        made(Base::Image { reference }, base_span, false, false)
    }

    pub(super) fn target_stage(&mut self) -> Option<usize> {
        let last = self.outline.stages.len().checked_sub(1)?;
        let Some(name) = self.options.target.as_deref().filter(|t| !t.is_empty()) else {
            return Some(last);
        };
        let found = self.names.get(&name.to_lowercase()).and_then(|all| all.last()).copied();
        if found.is_none() {
            let span = self.file.instructions[self.outline.stages[last].from].span;
            self.fail(span, format!("no stage is named '{name}'; {}", self.stages_there_are()));
        }
        found
    }

    fn stages_there_are(&self) -> String {
        let names: Vec<&str> =
            self.outline.stages.iter().filter_map(|s| s.name.as_deref()).collect();
        match &names[..] {
            [] => "no stage has a name".to_owned(),
            _ => format!("there are: {}", names.join(", ")),
        }
    }
}

/// What a named context is as a base.
fn base_of(context: &BuildContext, name: &str, span: Span) -> Base {
    match &context.source {
        ContextSource::Image(image) if image == "scratch" => Base::Scratch,
        ContextSource::Image(image) => Base::Image { reference: by_context(image, name, span) },
        ContextSource::Layout(_) | ContextSource::Target(_) => {
            Base::Image { reference: Value::unknown(Origin::BuildArg, span) }
        }
        ContextSource::Directory(_) | ContextSource::Remote(_) => {
            Base::Context { name: context.name.clone() }
        }
    }
}

/// Whether some of a text is the default of an ARG.
fn comes_from_arg(value: &Value) -> bool {
    let is_arg = |hop: &&Hop| matches!(hop.kind, HopKind::Arg | HopKind::GlobalArg);
    value
        .pieces()
        .iter()
        .any(|piece| piece.origin != Origin::BuildArg && piece.trail.hops().iter().any(is_arg))
}

//! What BuildKit does, line by line: scopes, stages, platforms, files. Each test is named after the
//! behaviour. Where the source of the Dockerfile frontend (0.32, `dockerfile2llb/convert.go` and
//! its neighbours) says something else than a manual, the test says so.

mod contexts;
mod files;
mod named;
mod onbuild;
mod platforms;
mod stages;
mod values;

use mlint_model::{
    BuildContext, ContextFacts, EffectKind, Evaluation, ImageFacts, Options, Prepared, dump::dump,
};
use mlint_oci::Platform;

/// A build: its options and what is known of images.
#[derive(Default)]
struct Build {
    options: Options,
    facts: ImageFacts,
}

fn platform(name: &str) -> Platform {
    name.parse().expect("a platform")
}

impl Build {
    fn arg(mut self, name: &str, value: &str) -> Self {
        self.options.build_args.push((name.to_owned(), value.to_owned()));
        self
    }

    fn target(mut self, name: &str) -> Self {
        self.options.target = Some(name.to_owned());
        self
    }

    fn on(mut self, build_platform: &str) -> Self {
        self.options.build_platform = platform(build_platform);
        self
    }

    fn named(mut self, name: &str, value: &str) -> Self {
        self.options.contexts.push(BuildContext::new(name, value).expect("a context"));
        self
    }

    fn context(mut self, context: ContextFacts) -> Self {
        self.options.context = context;
        self
    }

    fn evaluate(&self, text: &str, on: &str) -> Evaluation {
        let file = mlint_syntax::parse(text);
        Prepared::new(&file).evaluate(&platform(on), &self.options, &self.facts)
    }

    fn dump(&self, text: &str, on: &str) -> String {
        dump(&self.evaluate(text, on), text)
    }

    /// Every line of `wanted` is a line of the dump, in this order.
    #[track_caller]
    fn has(&self, text: &str, on: &str, wanted: &[&str]) {
        let dumped = self.dump(text, on);
        let mut lines = dumped.lines().map(str::trim);
        for want in wanted {
            assert!(
                lines.any(|line| line == *want),
                "no line '{want}' (in this order) in\n{dumped}"
            );
        }
    }

    /// No line of the dump holds any of `unwanted`.
    #[track_caller]
    fn lacks(&self, text: &str, on: &str, unwanted: &[&str]) {
        let dumped = self.dump(text, on);
        for text in unwanted {
            assert!(!dumped.contains(text), "'{text}' in\n{dumped}");
        }
    }

    /// What the last ENV or ARG of that name in any reachable stage sets.
    #[track_caller]
    fn set(&self, text: &str, on: &str, wanted: &str) -> String {
        let evaluation = self.evaluate(text, on);
        let set = evaluation.effects().filter_map(|(_, _, effect)| match &effect.kind {
            EffectKind::SetEnv { name, value, .. } if name == wanted => Some(value.to_string()),
            _ => None,
        });
        set.last().unwrap_or_else(|| panic!("nothing sets {wanted} in\n{text}"))
    }

    /// Why the build stops, each reason once, by its place and its message.
    fn failures(&self, text: &str, on: &str) -> Vec<String> {
        let evaluation = self.evaluate(text, on);
        let steps =
            evaluation.reachable().flat_map(|s| &s.steps).filter_map(|s| s.failure.as_ref());
        let said = |f: &mlint_model::Failure| format!("{}: {}", &text[f.span.range()], f.message);
        evaluation.failures.iter().chain(steps).map(said).collect()
    }
}

fn build() -> Build {
    Build::default()
}

const ARM64: &str = "linux/arm64";

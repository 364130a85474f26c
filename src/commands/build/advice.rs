//! Which emulated steps need not be: what the linter says of the file that was built.

use std::path::Path;

use mlint_lint::CheckOptions;
use mlint_model::{BuildContext, ImageFacts};
use mlint_oci::Platform;
use mlint_syntax::InstructionKind;

use crate::{context::Contexts, engine, report::build::Saving};

/// The rule that knows.
const RULE: &str = "missing-build-platform";

/// A build, as the linter needs to know it.
pub struct Built<'a> {
    /// The Dockerfile's path.
    pub path: &'a Path,
    /// Its text.
    pub text: &'a str,
    /// The build context's directory.
    pub context: Option<&'a Path>,
    /// How it was built.
    pub options: CheckOptions,
}

impl<'a> Built<'a> {
    /// With these options; the rules' levels are those of the configuration.
    pub fn new(
        request: &'a mlint_builder::request::BuildRequest,
        platforms: &[String],
        contexts: Vec<BuildContext>,
        levels: &std::collections::BTreeMap<String, mlint_lint::Level>,
    ) -> Self {
        let options = CheckOptions {
            platforms: platforms.iter().filter_map(|p| p.parse().ok()).collect(),
            build_platform: Platform::host(),
            build_args: request.build_args.clone(),
            target: request.target.clone(),
            contexts,
            levels: levels.clone(),
            ..CheckOptions::default()
        };
        let (path, context) = (Path::new(&request.file), request.context.as_deref());
        Self { path, text: &request.text, context, options }
    }

    /// The stages that were emulated and need not be; their seconds are not filled in.
    pub fn savings(mut self) -> Vec<Saving> {
        let file = mlint_syntax::parse(self.text);
        let report = engine::guarded(|| {
            let contexts =
                Contexts::of(Some(self.path), &file, self.context, &self.options.contexts);
            let facts = ImageFacts::default();
            contexts.look(&file, &mut self.options, &facts);
            mlint_lint::check(&file, &self.options, &facts, mlint_rules::all())
        });
        let found = report.map(|report| report.diagnostics).unwrap_or_default();
        let is_from =
            |i: &&mlint_syntax::Instruction| matches!(i.kind, InstructionKind::From { .. });
        let saving = |finding: mlint_lint::Diagnostic| {
            let starts: Vec<u32> =
                file.instructions.iter().filter(is_from).map(|i| i.span.start).collect();
            let stage = starts.iter().rposition(|start| *start <= finding.span.start)?;
            let end = starts.get(stage + 1).copied().unwrap_or(u32::MAX);
            Some(Saving {
                rule: RULE.to_owned(),
                place: (starts[stage], end),
                seconds: 0.0,
                repair: finding.fixes.iter().map(mlint_lint::Fix::reach).max(),
            })
        };
        found.into_iter().filter(|f| f.rule == RULE).filter_map(saving).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_linter_names_the_stage() {
        let text = "FROM golang:1.23 AS build\nCOPY . .\nRUN CGO_ENABLED=0 go build -o /app .\n\
                    FROM scratch\nCOPY --from=build /app /app\n";
        let foreign = if Platform::host().arch() == "arm64" { "amd64" } else { "arm64" };
        let of = |text: &str| {
            let options = CheckOptions {
                platforms: vec![Platform::host(), Platform::linux(foreign)],
                build_platform: Platform::host(),
                ..CheckOptions::default()
            };
            let built = Built { path: Path::new("/none/Dockerfile"), text, context: None, options };
            let savings = built.savings();
            savings.iter().map(|s| (s.place, s.repair)).collect::<Vec<_>>()
        };
        let second = text.find("FROM scratch").unwrap() as u32;
        assert_eq!(of(text), [((0, second), Some(mlint_lint::Applicability::Safe))]);
        assert!(of("FROM debian:12\nRUN apt-get update\n").is_empty());
        let meant = format!("# mlint ignore=missing-build-platform: why not\n{text}");
        assert!(of(&meant).is_empty(), "who has said that it is meant hears no more of it");
    }
}

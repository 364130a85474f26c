//! What `trace` tells: what the model believes a Dockerfile does, on several platforms at once.

mod files;
mod fold;
mod heads;
pub mod json;
mod merge;
mod rows;
#[cfg(test)]
mod tests;
pub mod text;
pub mod words;

use mlint_model::{Artifact, Base, EffectKind, Evaluation, Made, Tool};
use mlint_syntax::Dockerfile;

use self::merge::Merged;
use super::lines::Lines;

pub use rows::stage_name;

/// A file, executed abstractly.
#[derive(Clone, Copy, Debug)]
pub struct Traced<'t> {
    /// Its name as shown.
    pub name: &'t str,
    /// Its text.
    pub text: &'t str,
    /// Parsed.
    pub file: &'t Dockerfile,
    /// By platform, all of the same file.
    pub evaluations: &'t [Evaluation],
}

/// Which part of a trace is wanted.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    /// Only this stage, by name or number.
    pub stage: Option<String>,
    /// Only what happens on this line, from 1.
    pub line: Option<usize>,
    /// Only where this variable is set or has a say.
    pub variable: Option<String>,
    /// Every command by itself.
    pub all: bool,
}

impl Selection {
    /// Whether only some rows are wanted.
    fn is_narrow(&self) -> bool {
        self.line.is_some() || self.variable.is_some()
    }

    /// The stages wanted, if not all are. A name that stands for several means them all.
    fn stages(&self, traced: &Traced<'_>) -> Option<Vec<usize>> {
        let wanted = self.stage.as_deref()?;
        let stages = traced.evaluations.first().map_or(&[][..], |e| &e.stages);
        let named = |name: &str| name.eq_ignore_ascii_case(wanted);
        let found = stages.iter().filter(|s| s.name.as_deref().is_some_and(named));
        let found: Vec<usize> = found.map(|s| s.index).collect();
        if !found.is_empty() {
            return Some(found);
        }
        Some(wanted.parse().ok().filter(|i| *i < stages.len()).into_iter().collect())
    }

    /// Whether the file has what is asked for.
    ///
    /// # Errors
    /// What it has instead, as a sentence without a final stop.
    pub fn fits(&self, traced: &Traced<'_>) -> Result<(), String> {
        let Some(wanted) = &self.stage else { return Ok(()) };
        if self.stages(traced).is_some_and(|s| !s.is_empty()) {
            return Ok(());
        }
        let stages = traced.evaluations.first().map_or(&[][..], |e| &e.stages);
        let names: Vec<String> = (0..stages.len()).map(|i| stage_name(stages, i)).collect();
        let has = match names.is_empty() {
            true => "it has none".to_owned(),
            false => format!("it has {}", text::listed(&names)),
        };
        Err(format!("{} has no stage '{wanted}': {has}", traced.name))
    }

    fn wants(&self, merged: &Merged, lines: &Lines<'_>) -> bool {
        let rows = || merged.cells.iter().flatten();
        let covers = |span: mlint_syntax::Span, line: usize| {
            let last = span.end.saturating_sub(1).max(span.start);
            (lines.line_of(span.start) + 1..=lines.line_of(last) + 1).contains(&line)
        };
        let on_line = self.line.is_none_or(|line| {
            rows().any(|row| row.span.iter().chain(&row.also_at).any(|span| covers(*span, line)))
        });
        let of_variable = self
            .variable
            .as_deref()
            .is_none_or(|name| rows().any(|row| row.names.iter().any(|n| n == name)));
        on_line && of_variable
    }
}

/// Files that do not find their loader in the image, as far as that is beyond doubt: nothing there
/// looks like the other library, and how Go linked is known of no build.
pub fn unloadable(evaluation: &Evaluation) -> Vec<&Artifact> {
    let libraries = evaluation.final_artifacts().any(|a| {
        let below = ["/lib", "/usr/lib"].iter().any(|l| a.path.starts_with(l));
        below || a.path == "/" || a.path.contains("/ld-")
    });
    let installs = evaluation.final_stage().is_some_and(|stage| {
        stage.effects().any(|(_, e)| matches!(e.kind, EffectKind::Install(_)))
            || matches!(stage.base, Base::Stage(_))
    });
    if libraries || installs {
        return Vec::new();
    }
    let doubtful = |a: &Artifact| {
        let is_go = matches!(a.made, Made::Compiled { tool: Tool::Go, .. });
        is_go || a.folder || !a.certain || a.way.len() < 2
    };
    evaluation.libc_mismatches().filter(|a| !doubtful(a)).collect()
}

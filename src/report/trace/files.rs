//! Rows about files: what a stage leaves, what the image then holds.

use mlint_model::{Artifact, EffectKind, Evaluation, Linkage, Machine, Made, Stage, Station};
use mlint_syntax::InstructionKind;

use super::{
    rows::{Row, Teller, stage_name},
    words::{self, Note},
};

impl Teller<'_> {
    pub(super) fn left(&self, artifact: &Artifact, stage: &Stage, evaluation: &Evaluation) -> Row {
        let head = format!("leaves {}:", shown_path(artifact));
        let text = format!(
            "{} · {}{}",
            self.machine(&artifact.machine, artifact.linkage, evaluation),
            words::made(&artifact.made),
            if artifact.certain { "" } else { " (perhaps)" }
        );
        let mut row = Row::new("left", stage.span, head, text).named(&artifact.path).without_line();
        row.also_at = artifact.way.iter().map(|s| s.span).collect();
        row
    }

    pub(super) fn image(&self, evaluation: &Evaluation) -> Vec<Row> {
        let Some(stage) = evaluation.final_stage() else { return Vec::new() };
        let mut rows = Vec::new();
        let mut context: Option<Row> = None;
        for artifact in evaluation.final_artifacts() {
            if matches!(artifact.made, Made::Context { .. })
                && artifact.machine.platform().is_none()
            {
                let row = context.get_or_insert_with(|| {
                    let head = "from the context:".to_owned();
                    Row::new("context", stage.span, head, String::new()).without_line()
                });
                let gap = if row.text.is_empty() { "" } else { ", " };
                row.text.push_str(&format!("{gap}{}", shown_path(artifact)));
                row.also_at.extend(artifact.way.iter().map(|s| s.span));
                continue;
            }
            let foreign = artifact.machine.is_wrong_for(&evaluation.platform);
            let loader = artifact.linkage.is_wrong_for(stage.libc);
            let mut text = self.machine(&artifact.machine, artifact.linkage, evaluation);
            if foreign {
                text.push_str(", not the image's machine");
            }
            if loader {
                text.push_str(&format!(", but the image has {}", words::libc(stage.libc)));
            }
            if !artifact.certain {
                text.push_str(" (perhaps)");
            }
            let mut row = Row::new("file", stage.span, format!("{}:", shown_path(artifact)), text)
                .named(&artifact.path)
                .without_line();
            row.wrong = foreign || loader;
            row.unknown = artifact.machine.kind == mlint_model::MachineKind::Unknown;
            row.notes.push(Note::said(self.way(artifact, evaluation)));
            row.also_at = artifact.way.iter().map(|s| s.span).collect();
            rows.push(row);
        }
        if let Some(row) = &mut context {
            row.text = words::shortened(&row.text, 400);
        }
        rows.extend(context);
        rows
    }

    /// `line 12 compiled by Go /out/app → line 20 copied`.
    fn way(&self, artifact: &Artifact, evaluation: &Evaluation) -> String {
        let mut said = Vec::new();
        let mut path = "";
        let mut stage = evaluation.target;
        for (at, station) in artifact.way.iter().enumerate() {
            let kind = self.file.instructions.get(station.instruction).map(|i| &i.kind);
            let did = match kind {
                _ if at == 0 => words::made(&artifact.made),
                Some(InstructionKind::Copy { .. } | InstructionKind::Add { .. }) => {
                    "copied".to_owned()
                }
                _ => self.program(station, evaluation).unwrap_or("put".to_owned()),
            };
            let mut text = format!("line {} {did}", self.line(station.span));
            if station.path != path && station.path != artifact.path {
                text.push_str(&format!(" {}", words::plain(&station.path)));
            }
            if Some(station.stage) != stage && Some(station.stage) != evaluation.target {
                text.push_str(&format!(" in {}", stage_name(&evaluation.stages, station.stage)));
            }
            (path, stage) = (&station.path, Some(station.stage));
            if said.last() != Some(&text) {
                said.push(text);
            }
        }
        said.join(" → ")
    }

    pub(super) fn machine(
        &self,
        machine: &Machine,
        linkage: Linkage,
        evaluation: &Evaluation,
    ) -> String {
        words::machine(machine, linkage, self.compared.then_some(&evaluation.platform))
    }

    /// The program at a station inside a RUN.
    fn program(&self, station: &Station, evaluation: &Evaluation) -> Option<String> {
        let stage = evaluation.stages.get(station.stage)?;
        let step = stage.steps.iter().find(|s| s.instruction == station.instruction)?;
        let at = step.effects.iter().filter(|e| e.span == station.span);
        let mut names = at.filter_map(|e| match &e.kind {
            EffectKind::Command(command) => command.name(),
            _ => None,
        });
        names.next().map(|name| words::plain(&name))
    }
}

fn shown_path(artifact: &Artifact) -> String {
    let folder = match artifact.folder {
        true if artifact.path.ends_with('/') => "*",
        true => "/*",
        false => "",
    };
    format!("{}{folder}", words::plain(&artifact.path))
}

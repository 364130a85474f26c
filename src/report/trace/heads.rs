//! Rows at a stage's head: what it starts from and what it runs on.

use mlint_model::{Base, Evaluation, HopKind, RunsOn, Stage};

use super::{
    rows::{Row, Teller, stage_name},
    words::{self, Note},
};

impl Teller<'_> {
    pub(super) fn from(&self, stage: &Stage, evaluation: &Evaluation) -> Row {
        let mut brings = vec![words::libc(stage.libc).to_owned()];
        if !stage.toolchains.is_empty() {
            let names: Vec<&str> = stage.toolchains.iter().map(|t| words::toolchain(*t)).collect();
            brings.push(format!("has {}", names.join(", ")));
        }
        let brings = brings.join("; ");
        let mut row = Row::new("from", stage.span, "FROM".to_owned(), String::new());
        row.instruction = Some(stage.from);
        match &stage.base {
            Base::Scratch => row.text = "scratch, which is empty".to_owned(),
            Base::Context { name } => row.text = format!("context {}", words::plain(name)),
            Base::Stage(parent) => {
                let name = stage_name(&evaluation.stages, *parent);
                row.text = format!("stage {name} ({brings})");
            }
            Base::Image { reference } => {
                row.text = format!("{} ({brings})", words::value(reference));
                row = self.valued(row, reference, None);
            }
        }
        row
    }

    pub(super) fn runs_on(&self, stage: &Stage) -> Row {
        let platform = &stage.platform;
        let on = platform.platform.as_ref().map_or("?".to_owned(), ToString::to_string);
        let mut text = match platform.role {
            RunsOn::Target => "the target platform".to_owned(),
            RunsOn::Build => format!("the build platform, {on}"),
            RunsOn::Constant => format!("{on}, whatever the target is"),
            RunsOn::Unknown => format!("a platform that is not known ({on})"),
        };
        if stage.steps.iter().any(|s| s.emulated) {
            text.push_str(", emulated");
        } else if stage.runs_commands() && platform.platform.is_some() {
            text.push_str(", native");
        }
        let span = platform.flag_span.unwrap_or(stage.span);
        let mut row = Row::new("on", span, "runs on".to_owned(), text);
        row.unknown = platform.platform.is_none();
        if let (Some(flag), false) = (&platform.flag, platform.ignored) {
            row = self.valued(row, flag, None);
            // `--platform=$BUILDPLATFORM` explains itself.
            let declared = |p: &&mlint_model::Piece| {
                p.trail.hops().iter().any(|h| matches!(h.kind, HopKind::Arg | HopKind::GlobalArg))
            };
            if !flag.all_pieces().iter().any(declared) && flag.as_known().is_some() {
                row.notes.clear();
            }
        }
        if platform.ignored {
            row.notes.push(Note::said("--platform counts for images only, so not here"));
        }
        row
    }
}

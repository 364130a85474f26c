//! `mlint rules`.

use std::{io::Write, process::ExitCode};

use clap::Args;
use mlint_lint::{FixAvailability, Group, Meta};
use serde::Serialize;

use super::{Failure, print};
use crate::{
    catalogue,
    report::{
        Layout, ListFormat,
        text::style::{self, Paint, wrap},
    },
};

/// Arguments of `mlint rules`.
#[derive(Args, Clone, Debug)]
#[command(after_help = "Examples:\n  mlint rules\n  mlint rules --format json | jq -r '.[].name'")]
pub struct RulesArgs {
    /// How to write the list
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub format: ListFormat,
}

#[derive(Serialize)]
struct Row {
    name: &'static str,
    group: &'static str,
    severity: &'static str,
    confidence: &'static str,
    effect: &'static str,
    fixes: &'static str,
    needs_image_facts: bool,
    summary: &'static str,
}

impl From<&'static Meta> for Row {
    fn from(meta: &'static Meta) -> Self {
        Self {
            name: meta.name,
            group: meta.group.as_str(),
            severity: meta.severity.as_str(),
            confidence: meta.confidence.as_str(),
            effect: meta.effect.as_str(),
            fixes: meta.fixes.as_str(),
            needs_image_facts: meta.needs_image_facts,
            summary: meta.summary,
        }
    }
}

/// Runs the command.
///
/// # Errors
/// When standard output can't be written.
pub fn run(args: &RulesArgs) -> Result<ExitCode, Failure> {
    let layout = Layout::of(&std::io::stdout());
    print(|out| match args.format {
        ListFormat::Json => {
            let rows: Vec<Row> = catalogue::all().map(Row::from).collect();
            serde_json::to_writer_pretty(&mut *out, &rows)?;
            writeln!(out)
        }
        ListFormat::Text => text(layout, out),
    })?;
    Ok(ExitCode::SUCCESS)
}

fn text(layout: Layout, out: &mut dyn Write) -> std::io::Result<()> {
    let paint = Paint(layout.color);
    let wide = catalogue::all().map(|meta| meta.name.len()).max().unwrap_or(0);
    for group in Group::ALL {
        let rules: Vec<&Meta> = catalogue::all().filter(|meta| meta.group == group).collect();
        if rules.is_empty() {
            continue;
        }
        let head = format!("{}: {}", group.as_str(), group.describe());
        writeln!(out, "{}", paint.strong(&head))?;
        for meta in rules {
            let severity = format!("{:<7}", meta.severity.as_str());
            let fix = match meta.fixes {
                FixAvailability::Always | FixAvailability::Sometimes => "fix",
                FixAvailability::None => "   ",
            };
            let severity = paint.with(style::severity(meta.severity), &severity);
            write!(out, "  {:wide$}  {severity}  {fix}  ", meta.name)?;
            let indent = 2 + wide + 2 + 7 + 2 + 3 + 2;
            let room = layout.width.saturating_sub(indent).max(24);
            let lines = wrap(meta.summary, room, room);
            writeln!(out, "{}", lines.join(&format!("\n{}", " ".repeat(indent))))?;
        }
        writeln!(out)?;
    }
    writeln!(out, "`mlint explain RULE` says more about one of them.")
}

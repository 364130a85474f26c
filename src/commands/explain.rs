//! `mlint explain`.

use std::process::ExitCode;

use clap::Args;
use mlint_lint::{Effect, FixAvailability, Meta};

use super::{Failure, print};
use crate::{
    args::rule_name,
    catalogue,
    report::{
        Layout,
        text::style::{self, Paint},
    },
};

/// Arguments of `mlint explain`.
#[derive(Args, Clone, Debug)]
#[command(after_help = "Example:\n  mlint explain platform-arg-default")]
pub struct ExplainArgs {
    /// The rule's name, as findings have it in brackets
    #[arg(value_name = "RULE", value_parser = rule_name)]
    pub rule: String,
}

/// Runs the command.
///
/// # Errors
/// When standard output can't be written.
pub fn run(args: &ExplainArgs) -> Result<ExitCode, Failure> {
    let layout = Layout::of(&std::io::stdout());
    // The argument's parser lets no other names through.
    if let Some(meta) = catalogue::find(&args.rule) {
        print(|out| out.write_all(page(meta, layout).as_bytes()))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn page(meta: &Meta, layout: Layout) -> String {
    let paint = Paint(layout.color);
    let effect = match meta.effect {
        Effect::BuildFails => "the build fails",
        Effect::WrongBinary => "the image holds a binary of another machine",
        Effect::Emulated => "steps run under emulation",
        Effect::Latent => "nothing breaks yet",
    };
    let fix = match meta.fixes {
        FixAvailability::Always => "always",
        FixAvailability::Sometimes => "in some cases",
        FixAvailability::None => "none",
    };
    let asks = if meta.needs_image_facts {
        "\nImages      asks registries which platforms an image offers; with --offline, a table"
    } else {
        ""
    };
    let severity = paint.with(style::severity(meta.severity), meta.severity.as_str());
    format!(
        "{}\n{}.\n\nGroup       {}\nSeverity    {severity} ({} confidence)\nEffect      {effect}\n\
         Fix         {fix}{asks}\n\n{}\n",
        paint.strong(meta.name),
        meta.summary,
        meta.group.as_str(),
        meta.confidence,
        unindented(meta.docs).trim()
    )
}

/// Doc comments have a blank before each line.
fn unindented(docs: &str) -> String {
    let lines = docs.lines().map(|line| line.strip_prefix(' ').unwrap_or(line));
    lines.collect::<Vec<_>>().join("\n")
}

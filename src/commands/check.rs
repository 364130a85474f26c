//! `mlint check`.

use std::process::ExitCode;

use clap::Args;
use mlint_lint::FixOptions;

use super::{Failure, fix::repair, print};
use crate::{
    FAILED,
    args::{Global, Judging, Reporting},
    engine::{self, Jobs},
    report::{self, FileReport, Findings, Layout},
    sums, talk,
};

/// Arguments of `mlint check`.
#[derive(Args, Clone, Debug)]
#[command(after_help = "Examples:\n  \
    mlint check\n  \
    mlint check Dockerfile --platforms linux/amd64,linux/arm64\n  \
    mlint check deploy/ --format json > findings.json\n  \
    mlint check - --offline < Dockerfile\n\n\
    Exit status: 0 nothing at or above --fail-on, 1 something, 2 some file could not be checked.")]
pub struct CheckArgs {
    /// What decides how a file is judged.
    #[command(flatten)]
    pub judging: Judging,
    /// What is written.
    #[command(flatten)]
    pub reporting: Reporting,
    /// Apply the safe fixes first, then check what is left
    #[arg(long)]
    pub fix: bool,
}

/// Runs the command.
///
/// # Errors
/// When the configuration can't be used or standard output can't be written.
pub fn run(args: &CheckArgs, global: &Global) -> Result<ExitCode, Failure> {
    let judging = &args.judging;
    let Jobs { jobs, mut problems, notes } = engine::prepare(
        &judging.subject,
        &judging.ignore,
        args.reporting.fail_on,
        global.config_choice(),
    )?;
    let (mut jobs, knowledge) = engine::inquire(jobs, judging.offline, judging.cache_dir.clone());
    for note in notes.iter().chain(&knowledge.notes) {
        talk::note(note);
    }
    if judging.look_up_sums {
        let first = args.fix.then(FixOptions::default);
        jobs = sums::look_up(jobs, first.as_ref(), &knowledge.facts);
    }
    if args.fix {
        jobs = repair(jobs, &knowledge.facts, &mut problems);
    }
    let mut findings = Findings::default();
    let mut failed = false;
    for (job, report) in engine::check(jobs, &knowledge.facts) {
        let Some(report) = report else {
            problems.push(engine::broken(&job.source.name));
            continue;
        };
        for platform in &job.options.platforms {
            if !findings.platforms.contains(platform) {
                findings.platforms.push(platform.clone());
            }
        }
        failed |= job.fail_on.reached_by(report.diagnostics.iter().map(|d| d.severity).max());
        findings.files.push(FileReport { source: job.source, report });
    }
    findings.problems = problems;
    for problem in &findings.problems {
        talk::error(&problem.message);
    }
    let layout = Layout::of(&std::io::stdout());
    print(|out| report::write(&findings, args.reporting.format, layout, out))?;
    Ok(match (findings.problems.is_empty(), failed) {
        (false, _) => ExitCode::from(FAILED),
        (true, true) => ExitCode::FAILURE,
        (true, false) => ExitCode::SUCCESS,
    })
}

//! `mlint fix`.

use std::process::ExitCode;

use clap::Args;
use mlint_lint::{FixOptions, FixOutcome};
use mlint_model::ImageFacts;
use mlint_syntax::Span;

use super::{Failure, print};
use crate::{
    FAILED,
    args::{Global, Judging, rule_name},
    engine::{self, Job, Jobs},
    report::{
        FileProblem, Layout,
        lines::Lines,
        text::{
            style::{one_line, wrap},
            summary::number,
        },
    },
    source::STDIN_NAME,
    sums, talk, write,
};

/// Arguments of `mlint fix`.
#[derive(Args, Clone, Debug)]
#[command(after_help = "Examples:\n  \
    mlint fix\n  \
    mlint fix --diff Dockerfile\n  \
    mlint fix --unsafe --only hardcoded-arch-url deploy/\n  \
    mlint fix - < Dockerfile > Dockerfile.fixed\n\n\
    A fix is applied only if it is proved: what worked before works as before, what was broken now\n\
    does the analogous thing, and no new finding appears. Running it again changes nothing.\n\n\
    Exit status: 0 done, whether or not findings remain; with --diff 1 if a file would change;\n\
    2 some file could not be read or written.")]
pub struct FixArgs {
    /// What decides how a file is judged.
    #[command(flatten)]
    pub judging: Judging,
    /// Show what would change as a unified diff, and write nothing
    #[arg(long)]
    pub diff: bool,
    /// Also apply fixes that want a look: they may change what is built
    #[arg(long = "unsafe")]
    pub unsafe_too: bool,
    /// Only fix findings of these rules, separated by commas
    #[arg(long, value_delimiter = ',', value_name = "RULE,…", value_parser = rule_name)]
    pub only: Vec<String>,
}

/// Runs the command.
///
/// # Errors
/// When the configuration can't be used or standard output can't be written.
pub fn run(args: &FixArgs, global: &Global) -> Result<ExitCode, Failure> {
    let judging = &args.judging;
    let Jobs { jobs, mut problems, notes } =
        engine::prepare(&judging.subject, &judging.ignore, None, global.config_choice())?;
    let (mut jobs, knowledge) = engine::inquire(jobs, judging.offline, judging.cache_dir.clone());
    for note in notes.iter().chain(&knowledge.notes) {
        talk::note(note);
    }
    let options = FixOptions {
        unsafe_too: args.unsafe_too,
        only: (!args.only.is_empty()).then(|| args.only.clone()),
    };
    if judging.look_up_sums {
        jobs = sums::look_up(jobs, Some(&options), &knowledge.facts);
    }
    let mut changed = false;
    let mut stdout = String::new();
    for (job, outcome) in engine::fix(jobs, &options, &knowledge.facts) {
        let Some(outcome) = outcome else {
            problems.push(engine::broken(&job.source.name));
            continue;
        };
        let differs = outcome.text != job.source.text;
        changed |= differs;
        if args.diff {
            stdout.push_str(&diff(&job.source.name, &job.source.text, &outcome.text));
        } else if job.source.path.is_none() {
            stdout.push_str(&outcome.text);
        } else if differs && let Err(problem) = save(&job, &outcome.text) {
            problems.push(problem);
            continue;
        }
        tell(&job, &outcome, args.diff);
    }
    for problem in &problems {
        talk::error(&problem.message);
    }
    print(|out| out.write_all(stdout.as_bytes()))?;
    Ok(match (problems.is_empty(), args.diff && changed) {
        (false, _) => ExitCode::from(FAILED),
        (true, true) => ExitCode::FAILURE,
        (true, false) => ExitCode::SUCCESS,
    })
}

/// Applies safe fixes and writes the files, for `check --fix`; the jobs with the texts as they
/// now are.
pub fn repair(jobs: Vec<Job>, facts: &ImageFacts, problems: &mut Vec<FileProblem>) -> Vec<Job> {
    let outcomes = engine::fix(jobs, &FixOptions::default(), facts);
    outcomes
        .into_iter()
        .map(|(job, outcome)| {
            // Where fixing breaks down, checking will say so.
            let Some(outcome) = outcome else { return job };
            if outcome.text == job.source.text {
                return job;
            }
            match save(&job, &outcome.text) {
                Ok(()) => {
                    tell_applied(&job, &outcome, "fixed");
                    job.with_text(outcome.text)
                }
                Err(problem) => {
                    problems.push(problem);
                    job
                }
            }
        })
        .collect()
}

fn save(job: &Job, text: &str) -> Result<(), FileProblem> {
    // Standard input can't be written back; the fixed text is checked all the same.
    let Some(path) = &job.source.path else { return Ok(()) };
    write::replace(path, &job.source.text, text)
        .map_err(|e| FileProblem { path: job.source.name.clone(), message: e.to_string() })
}

fn tell(job: &Job, outcome: &FixOutcome, diff: bool) {
    tell_applied(job, outcome, if diff { "would be fixed" } else { "fixed" });
    if outcome.unapplied.is_empty() {
        return;
    }
    let lines = Lines::new(&job.source.text);
    let name = one_line(&job.source.name);
    talk::line(&format!("{name}: {} not applied", number(outcome.unapplied.len(), "fix")));
    for fix in &outcome.unapplied {
        let look_first = fix.needs_unsafe;
        let hint = if look_first { "needs --unsafe: " } else { "" };
        let head = format!("  {}  ", place(&lines, fix.span));
        item(&head, &format!("{}: {} ({hint}{})", fix.rule, fix.title, fix.reason));
    }
}

fn tell_applied(job: &Job, outcome: &FixOutcome, done: &str) {
    if outcome.applied.is_empty() {
        return;
    }
    let lines = Lines::new(&job.source.text);
    let name = one_line(&job.source.name);
    talk::line(&format!("{name}: {} {done}", number(outcome.applied.len(), "finding")));
    for fix in &outcome.applied {
        let head = format!("  {}  ", place(&lines, fix.span));
        item(&head, &format!("{}: {}", fix.rule, fix.title));
    }
}

/// A line of a list, wrapped under itself.
fn item(head: &str, text: &str) {
    let room = Layout::of(&std::io::stderr()).width.saturating_sub(head.len());
    let indent = format!("\n{}", " ".repeat(head.len()));
    talk::line(&format!("{head}{}", wrap(&one_line(text), room, room).join(&indent)));
}

/// `12:9` of the file as it was.
fn place(lines: &Lines<'_>, span: Span) -> String {
    let position = lines.position(span.start);
    format!("{}:{}", position.line, position.column)
}

/// A unified diff that `patch -p1` and `git apply` read; nothing if there is no difference.
fn diff(name: &str, before: &str, after: &str) -> String {
    let name = if name == STDIN_NAME { "Dockerfile" } else { name.trim_start_matches('/') };
    similar::TextDiff::from_lines(before, after)
        .unified_diff()
        .context_radius(3)
        .header(&format!("a/{name}"), &format!("b/{name}"))
        .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn diffs_are_unified_and_empty_without_change() {
        assert_eq!(diff("D", "a\n", "a\n"), "");
        assert_eq!(
            diff("d/D", "a\nb\nc", "a\nB\nc"),
            "--- a/d/D\n+++ b/d/D\n@@ -1,3 +1,3 @@\n a\n-b\n+B\n c\n\\ No newline at end of file\n"
        );
    }
}
